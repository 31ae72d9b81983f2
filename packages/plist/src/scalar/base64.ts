// Base64 with the padding required, white space allowed anywhere, and nothing else.

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const space = 64;
const invalid = 255;
const padding = 0x3d;

/** Value of each character: 0 to 63, `space`, or `invalid`. */
const values = new Uint8Array(256).fill(invalid);
for (let index = 0; index < 64; index += 1) values[alphabet.charCodeAt(index)] = index;
for (const char of ' \t\n\r') values[char.charCodeAt(0)] = space;

/** The same, in the place that the first, second, third or fourth character has in a group; negative for any other. */
const [first, second, third, fourth] = [18, 12, 6, 0].map((shift) =>
  Int32Array.from(values, (value) => (value < 64 ? value << shift : -1)),
) as [Int32Array, Int32Array, Int32Array, Int32Array];

/** The two characters of each number of 12 bits, as one number. */
const pairs = Uint16Array.from(
  { length: 4096 },
  (_, bits) => (alphabet.charCodeAt(bits >> 6) << 8) | alphabet.charCodeAt(bits & 63),
);

/** Where data is decoded to before its size is known. */
const scratch = new Uint8Array(16_384);
const scratchView = new DataView(scratch.buffer);

/** Where reading is. */
export interface Cursor {
  at: number;
}

/**
 * Decodes base64 from `start` up to the first character that belongs to none, where the cursor is then. Returns `null`
 * when what was read does not end as base64 must; the cursor is then where it is wrong.
 */
export function decodeBase64(text: Uint8Array, start: number, cursor: Cursor): Uint8Array | null {
  let bytes: Uint8Array = scratch;
  let view: DataView = scratchView;
  let length = 0;
  let at = start;
  for (;;) {
    // Whole groups while there is no white space and no padding, which is nearly always.
    const end = Math.min(text.length - 4, at + Math.floor((bytes.length - length) / 3) * 4 - 8);
    while (at <= end) {
      const group = first[text[at]!]! | second[text[at + 1]!]! | third[text[at + 2]!]! | fourth[text[at + 3]!]!;
      if (group < 0) break;
      // One byte too many, which the next group writes over.
      view.setUint32(length, group << 8);
      length += 3;
      at += 4;
    }
    if (values[text[at]!] === space) {
      at += 1;
      continue;
    }
    if (length + 8 > bytes.length) {
      bytes = grown(bytes, text.length - at);
      view = new DataView(bytes.buffer);
    }
    // A group with white space inside it, the last one with its padding, or the end.
    let bits = 0;
    let count = 0;
    while (count < 4) {
      const code = text[at] ?? 0;
      const value = values[code]!;
      if (value < 64) {
        bits = (bits << 6) | value;
        count += 1;
      } else if (value !== space) {
        cursor.at = at;
        if (count === 0) return bytes.slice(0, length);
        return code === padding ? finish(text, cursor, bits, count, bytes, length) : null;
      }
      at += 1;
    }
    bytes[length] = bits >> 16;
    bytes[length + 1] = bits >> 8;
    bytes[length + 2] = bits;
    length += 3;
  }
}

/** A buffer of twice the size, but no larger than what is left to read can need. */
function grown(bytes: Uint8Array, left: number): Uint8Array {
  const larger = new Uint8Array(Math.min(bytes.length * 2, bytes.length + left) + 8);
  larger.set(bytes);
  return larger;
}

/** The padding: `=` after three characters, `==` after two, then white space only; the unused bits must be zero. */
function finish(
  text: Uint8Array,
  cursor: Cursor,
  bits: number,
  count: number,
  bytes: Uint8Array,
  length: number,
): Uint8Array | null {
  if (count < 2) return null;
  const unused = count === 2 ? 4 : 2;
  if ((bits & ((1 << unused) - 1)) !== 0) {
    cursor.at -= 1;
    return null;
  }
  let missing = 4 - count;
  for (; ; cursor.at += 1) {
    const code = text[cursor.at] ?? 0;
    if (code === padding && missing > 0) missing -= 1;
    else if (values[code] !== space) break;
  }
  if (missing > 0) return null;
  bytes[length] = count === 2 ? bits >> 4 : bits >> 10;
  if (count === 3) bytes[length + 1] = bits >> 2;
  return bytes.slice(0, length + count - 1);
}

/** Length of the base64 text of so many bytes. */
export function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

/** Writes the base64 text of `bytes` from `start` to `end` into `target` at `at`; returns where it ends. */
export function writeBase64(bytes: Uint8Array, start: number, end: number, target: DataView, at: number): number {
  let out = at;
  let index = start;
  for (; index + 2 < end; index += 3) {
    const group = (bytes[index]! << 16) | (bytes[index + 1]! << 8) | bytes[index + 2]!;
    target.setUint32(out, (pairs[group >> 12]! << 16) | pairs[group & 4095]!);
    out += 4;
  }
  if (index < end) {
    const hasSecond = index + 1 < end;
    const group = (bytes[index]! << 16) | (hasSecond ? bytes[index + 1]! << 8 : 0);
    target.setUint16(out, pairs[group >> 12]!);
    target.setUint8(out + 2, hasSecond ? pairs[group & 4095]! >> 8 : padding);
    target.setUint8(out + 3, padding);
    out += 4;
  }
  return out;
}
