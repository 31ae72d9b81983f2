// A binary document as a string with one character a byte, so that ASCII strings can be taken from it as slices.

/** Node's own decoder of single bytes, when there is one. */
const latin1Slice = (
  globalThis as { Buffer?: { prototype?: { latin1Slice?: (this: Uint8Array, start: number, end: number) => string } } }
).Buffer?.prototype?.latin1Slice;

// What the Encoding standard calls latin1 maps some bytes past 127 to other characters, but each to one of its own.
const decoder = new TextDecoder('latin1');

/** One character a byte, different for different bytes; that of a byte up to 127 is the ASCII one. */
export function singleByteText(bytes: Uint8Array): string {
  return latin1Slice === undefined ? decoder.decode(bytes) : latin1Slice.call(bytes, 0, bytes.length);
}
