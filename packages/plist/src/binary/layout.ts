// The frame of a binary property list: the header, the trailer, and the numbers in them.
import { PlistError } from '../errors.ts';
import type { Settings } from '../limits.ts';

/** Bytes of `bplist00`. */
export const headerSize = 8;
/** Bytes at the end that say where everything is. */
export const trailerSize = 32;
/** Seconds from 1970 to 2001, where a binary property list starts to count. */
export const referenceSeconds = 978_307_200;

/** What the trailer says, checked against the size of the document. */
export interface Layout {
  readonly offsetSize: number;
  readonly referenceSize: number;
  readonly objects: number;
  readonly root: number;
  readonly table: number;
}

/** Whether the document is a binary property list, of any version. */
export function isBinary(input: Uint8Array): boolean {
  return (
    input[0] === 0x62 &&
    input[1] === 0x70 &&
    input[2] === 0x6c &&
    input[3] === 0x69 &&
    input[4] === 0x73 &&
    input[5] === 0x74
  );
}

/** Reads an unsigned big-endian number of 1 to 8 bytes; beyond 2^53 the result is rounded, which no bound survives. */
export function readUnsigned(bytes: Uint8Array, at: number, size: number): number {
  let value = bytes[at]!;
  for (let index = 1; index < size; index += 1) value = value * 256 + bytes[at + index]!;
  return value;
}

/** Checks the header and the trailer. */
export function readLayout(bytes: Uint8Array, settings: Settings): Layout {
  if (bytes.length < headerSize) throw truncated(bytes);
  if (bytes[6] !== 0x30 || bytes[7] !== 0x30) {
    throw new PlistError('plist.syntax', 'only version 00 of the binary format is supported', { offset: 6 });
  }
  // The smallest document has one object of one byte and one offset of one byte.
  if (bytes.length < headerSize + 2 + trailerSize) throw truncated(bytes);
  const trailer = bytes.length - trailerSize;
  const offsetSize = bytes[trailer + 6]!;
  const referenceSize = bytes[trailer + 7]!;
  const objects = readUnsigned(bytes, trailer + 8, 8);
  const root = readUnsigned(bytes, trailer + 16, 8);
  const table = readUnsigned(bytes, trailer + 24, 8);
  const bad = (problem: string, at: number): PlistError =>
    new PlistError('plist.syntax', `${problem} (or the document is cut short)`, { offset: trailer + at });
  if (offsetSize < 1 || offsetSize > 8) throw bad('the size of an offset must be 1 to 8 bytes', 6);
  if (referenceSize < 1 || referenceSize > 8) throw bad('the size of a reference must be 1 to 8 bytes', 7);
  if (table <= headerSize || table >= trailer) throw bad('the offset table is outside of the document', 24);
  if (objects < 1 || table + objects * offsetSize !== trailer) {
    throw bad('the offset table does not end where the trailer starts', 8);
  }
  if (root >= objects) throw bad('the root object does not exist', 16);
  // An object is the value or the key of something: a document within the limit cannot need more.
  if (objects > 2 * settings.maxElements + 1) {
    throw new PlistError('plist.limit.elements', `more than ${settings.maxElements} values`, { offset: trailer + 8 });
  }
  return { offsetSize, referenceSize, objects, root, table };
}

function truncated(bytes: Uint8Array): PlistError {
  return new PlistError('plist.truncated', 'the document ends early', { offset: bytes.length });
}
