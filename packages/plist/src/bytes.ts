// What Node can do with bytes faster than the web's own interfaces, with those as the fallback; and search in bytes.

interface NativeMethods {
  utf8Write?: (this: Uint8Array, text: string, offset: number, length: number) => number;
  latin1Slice?: (this: Uint8Array, start: number, end: number) => string;
  utf8Slice?: (this: Uint8Array, start: number, end: number) => string;
}

const node = globalThis as {
  Buffer?: { prototype?: NativeMethods };
  process?: { getBuiltinModule?: (name: string) => { isUtf8?: (bytes: Uint8Array) => boolean } | undefined };
};
const { latin1Slice, utf8Slice } = node.Buffer?.prototype ?? {};

/** Writes a string as UTF-8 into bytes and returns how many it took; lone surrogates become U+FFFD. */
export const utf8Write = node.Buffer?.prototype?.utf8Write;

const isUtf8 = node.process?.getBuiltinModule?.('node:buffer')?.isUtf8;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
// What the Encoding standard calls latin1 maps some bytes past 127 to other characters, but each to one of its own.
const latin1 = new TextDecoder('latin1');

/** One character a byte, different for different bytes; that of a byte up to 127 is the ASCII one. */
export function singleByteText(bytes: Uint8Array, start: number, end: number): string {
  return latin1Slice === undefined ? latin1.decode(bytes.subarray(start, end)) : latin1Slice.call(bytes, start, end);
}

/** The characters of a range of valid UTF-8. */
export function utf8Text(bytes: Uint8Array, start: number, end: number): string {
  return utf8Slice === undefined ? utf8.decode(bytes.subarray(start, end)) : utf8Slice.call(bytes, start, end);
}

/** Whether all of it is valid UTF-8. */
export function isValidUtf8(bytes: Uint8Array): boolean {
  if (isUtf8 !== undefined) return isUtf8(bytes);
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** The bytes of an ASCII word. */
export function word(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Whether `expected` is at `at`. */
export function isAt(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  if (at + expected.length > bytes.length) return false;
  for (let index = 0; index < expected.length; index += 1) {
    if (bytes[at + index] !== expected[index]) return false;
  }
  return true;
}

/** Index of the first place from `start` where `expected` is, or -1. */
export function find(bytes: Uint8Array, start: number, expected: Uint8Array): number {
  const first = expected[0]!;
  let at = bytes.indexOf(first, start);
  while (at >= 0 && !isAt(bytes, at, expected)) at = bytes.indexOf(first, at + 1);
  return at;
}
