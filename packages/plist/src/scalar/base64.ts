// Base64 with the padding required, white space allowed anywhere, and nothing else.

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const space = 64;
const invalid = 255;

/** Value of each character: 0 to 63, `space`, or `invalid`. */
const values = new Uint8Array(256).fill(invalid);
for (let index = 0; index < 64; index += 1) values[alphabet.charCodeAt(index)] = index;
for (const char of ' \t\n\r') values[char.charCodeAt(0)] = space;

const characters = new Uint8Array(64);
for (let index = 0; index < 64; index += 1) characters[index] = alphabet.charCodeAt(index);

/** Where up to this many bytes are decoded to before their number is known. */
const scratch = new Uint8Array(16_384);

/** Bytes of the base64 text from `start` to `end`, or the index of the first character that is wrong. */
export function decodeBase64(text: Uint8Array, start: number, end: number): Uint8Array | number {
  const most = Math.ceil(((end - start) * 3) / 4);
  const bytes = most <= scratch.length ? scratch : new Uint8Array(most);
  let length = 0;
  let at = start;
  for (;;) {
    // Four characters at a time while there is no white space and no padding, which is nearly always.
    while (at + 4 <= end) {
      const a = values[text[at]!]!;
      const b = values[text[at + 1]!]!;
      const c = values[text[at + 2]!]!;
      const d = values[text[at + 3]!]!;
      if ((a | b | c | d) > 63) break;
      bytes[length] = (a << 2) | (b >> 4);
      bytes[length + 1] = (b << 4) | (c >> 2);
      bytes[length + 2] = (c << 6) | d;
      length += 3;
      at += 4;
    }
    while (at < end && values[text[at]!] === space) at += 1;
    if (at >= end) return bytes.slice(0, length);
    // A group with white space inside it, the last one with its padding, or an error.
    let bits = 0;
    let count = 0;
    while (count < 4) {
      if (at >= end) return end;
      const code = text[at]!;
      const sextet = values[code]!;
      if (sextet < 64) {
        bits = (bits << 6) | sextet;
        count += 1;
      } else if (code === 0x3d) {
        return finish(text, at, end, bits, count, bytes, length);
      } else if (sextet !== space) {
        return at;
      }
      at += 1;
    }
    bytes[length] = bits >> 16;
    bytes[length + 1] = bits >> 8;
    bytes[length + 2] = bits;
    length += 3;
  }
}

/** The padding: `=` after three characters, `==` after two, then white space only; the unused bits must be zero. */
function finish(
  text: Uint8Array,
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
    const code = text[at]!;
    if (code === 0x3d && missing > 0) missing -= 1;
    else if (values[code] !== space) return at;
  }
  if (missing > 0) return end;
  const unused = pending === 2 ? 4 : 2;
  if ((bits & ((1 << unused) - 1)) !== 0) return padding - 1;
  if (pending === 2) {
    bytes[used] = bits >> 4;
    return bytes.slice(0, used + 1);
  }
  bytes[used] = bits >> 10;
  bytes[used + 1] = bits >> 2;
  return bytes.slice(0, used + 2);
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
