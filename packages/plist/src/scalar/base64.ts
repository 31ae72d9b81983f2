// Base64 with the padding required, white space allowed anywhere, and nothing else.

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const space = 64;
const invalid = 255;

/** Value of each character: 0 to 63, `space`, or `invalid`; characters past 127 are never looked up. */
const values = new Uint8Array(128).fill(invalid);
for (let index = 0; index < 64; index += 1) values[alphabet.charCodeAt(index)] = index;
for (const char of ' \t\n\r') values[char.charCodeAt(0)] = space;

const characters = new Uint8Array(64);
for (let index = 0; index < 64; index += 1) characters[index] = alphabet.charCodeAt(index);

/** Bytes of the base64 text from `start` to `end`, or the offset of the first character that is wrong. */
export function decodeBase64(text: string, start: number, end: number): Uint8Array | number {
  const bytes = new Uint8Array(Math.ceil(((end - start) * 3) / 4));
  let length = 0;
  let at = start;
  let bits = 0;
  let pending = 0;
  while (at < end) {
    // Four characters at a time while there is no white space and no padding, which is nearly always.
    while (pending === 0 && at + 4 <= end) {
      const first = value(text.charCodeAt(at));
      const second = value(text.charCodeAt(at + 1));
      const third = value(text.charCodeAt(at + 2));
      const fourth = value(text.charCodeAt(at + 3));
      if ((first | second | third | fourth) > 63) break;
      const group = (first << 18) | (second << 12) | (third << 6) | fourth;
      bytes[length] = group >> 16;
      bytes[length + 1] = group >> 8;
      bytes[length + 2] = group;
      length += 3;
      at += 4;
    }
    if (at >= end) break;
    const code = text.charCodeAt(at);
    const sextet = value(code);
    if (sextet < 64) {
      bits = (bits << 6) | sextet;
      pending += 1;
      if (pending === 4) {
        bytes[length] = bits >> 16;
        bytes[length + 1] = bits >> 8;
        bytes[length + 2] = bits;
        length += 3;
        bits = 0;
        pending = 0;
      }
    } else if (code === 0x3d) {
      return finish(text, at, end, bits, pending, bytes, length);
    } else if (sextet !== space) {
      return at;
    }
    at += 1;
  }
  return pending === 0 ? trim(bytes, length) : end;
}

function value(code: number): number {
  return code < 128 ? values[code]! : invalid;
}

/** The padding: `=` after three characters, `==` after two, then white space only; the unused bits must be zero. */
function finish(
  text: string,
  padding: number,
  end: number,
  bits: number,
  pending: number,
  bytes: Uint8Array,
  used: number,
): Uint8Array | number {
  if (pending < 2) return padding;
  let missing = 4 - pending;
  for (let at = padding; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x3d && missing > 0) missing -= 1;
    else if (value(code) !== space) return at;
  }
  if (missing > 0) return end;
  const unused = pending === 2 ? 4 : 2;
  if ((bits & ((1 << unused) - 1)) !== 0) return padding - 1;
  if (pending === 2) {
    bytes[used] = bits >> 4;
    return trim(bytes, used + 1);
  }
  bytes[used] = bits >> 10;
  bytes[used + 1] = bits >> 2;
  return trim(bytes, used + 2);
}

/** Only what was filled, without holding on to room that white space had been given. */
function trim(bytes: Uint8Array, length: number): Uint8Array {
  return length === bytes.length ? bytes : bytes.slice(0, length);
}

/** Length of the base64 text of so many bytes. */
export function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

/** Writes the base64 text of `bytes` from `start` to `end` into `target` at `at`; returns where it ends. */
export function writeBase64(bytes: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  let out = at;
  let index = start;
  for (; index + 2 < end; index += 3) {
    const group = (bytes[index]! << 16) | (bytes[index + 1]! << 8) | bytes[index + 2]!;
    target[out] = characters[group >> 18]!;
    target[out + 1] = characters[(group >> 12) & 63]!;
    target[out + 2] = characters[(group >> 6) & 63]!;
    target[out + 3] = characters[group & 63]!;
    out += 4;
  }
  if (index < end) {
    const first = bytes[index]!;
    const second = index + 1 < end ? bytes[index + 1]! : 0;
    target[out] = characters[first >> 2]!;
    target[out + 1] = characters[((first & 3) << 4) | (second >> 4)]!;
    target[out + 2] = index + 1 < end ? characters[(second & 15) << 2]! : 0x3d;
    target[out + 3] = 0x3d;
    out += 4;
  }
  return out;
}
