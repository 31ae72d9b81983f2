// The bytes of an XML document, and the way back from a place in them to the document as it was given.

import { isValidUtf8, utf8Text } from '../bytes.ts';
import { PlistError } from '../errors.ts';
import { firstLoneSurrogate, isWellFormed, stringOf } from '../unicode.ts';

/** A document as valid UTF-8 without a byte order mark. */
export interface Source {
  readonly bytes: Uint8Array;
  /** How the document was given. */
  readonly given: 'utf-8' | 'utf-16' | 'string';
  /** Length of the byte order mark, in the unit of offsets. */
  readonly mark: number;
}

const encoder = new TextEncoder();

/** Prepares a document; only UTF-8 (with or without a mark) and UTF-16 with a mark are read. */
export function sourceOf(input: Uint8Array | string): Source {
  if (typeof input === 'string') return fromString(input);
  const first = input[0];
  const second = input[1];
  if (first === 0xfe && second === 0xff) return fromUtf16(input, 0);
  if (first === 0xff && second === 0xfe) return fromUtf16(input, 1);
  if (first === 0 || second === 0) {
    throw new PlistError(
      'plist.encoding',
      'the document starts like UTF-16 or UTF-32 without a byte order mark',
      { offset: 0 },
      'Send the document as UTF-8, or as UTF-16 with a byte order mark.',
    );
  }
  const mark = first === 0xef && second === 0xbb && input[2] === 0xbf ? 3 : 0;
  const bytes = mark === 0 ? input : input.subarray(mark);
  if (!isValidUtf8(bytes)) {
    throw new PlistError('plist.encoding', 'the document is not valid UTF-8', { offset: firstInvalidUtf8(input) });
  }
  return { bytes, given: 'utf-8', mark };
}

function fromString(input: string): Source {
  const mark = input.charCodeAt(0) === 0xfeff ? 1 : 0;
  const text = mark === 0 ? input : input.slice(1);
  if (!isWellFormed(text)) {
    const index = firstLoneSurrogate(text);
    const place = { offset: mark + index, ...positionAfter(text.slice(0, index)) };
    throw new PlistError('plist.character', 'half of a surrogate pair', place);
  }
  return { bytes: encoder.encode(text), given: 'string', mark };
}

function fromUtf16(input: Uint8Array, low: 0 | 1): Source {
  if (input.length % 2 !== 0) {
    throw new PlistError('plist.truncated', 'a UTF-16 document with an odd number of bytes', { offset: input.length });
  }
  const units = new Uint16Array(input.length / 2 - 1);
  for (let index = 0; index < units.length; index += 1) {
    const at = 2 * index + 2;
    units[index] = low === 0 ? (input[at]! << 8) | input[at + 1]! : (input[at + 1]! << 8) | input[at]!;
  }
  const text = stringOf(units);
  if (!isWellFormed(text)) {
    const index = firstLoneSurrogate(text);
    const place = { offset: 2 + 2 * index, ...positionAfter(text.slice(0, index)) };
    throw new PlistError('plist.encoding', 'the document is not valid UTF-16', place);
  }
  return { bytes: encoder.encode(text), given: 'utf-16', mark: 2 };
}

/** Offset in the document as it was given, line and column of an index into the bytes. */
export function placeOf(source: Source, index: number): { offset: number; line: number; column: number } {
  const before = utf8Text(source.bytes, 0, wholeCharacters(source.bytes, index));
  const length = source.given === 'utf-8' ? index : source.given === 'utf-16' ? before.length * 2 : before.length;
  return { offset: source.mark + length, ...positionAfter(before) };
}

/** The index, or the start of the character that it is inside of. */
function wholeCharacters(bytes: Uint8Array, index: number): number {
  let end = index;
  while (end > 0 && end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return end;
}

function positionAfter(before: string): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let at = 0; at < before.length; at += 1) {
    const code = before.charCodeAt(at);
    if (code === 0x0a || (code === 0x0d && before.charCodeAt(at + 1) !== 0x0a)) {
      line += 1;
      start = at + 1;
    }
  }
  return { line, column: before.length - start + 1 };
}

/** Offset of the first byte that does not start or continue a valid UTF-8 sequence; the length if there is none. */
function firstInvalidUtf8(input: Uint8Array): number {
  let at = 0;
  while (at < input.length) {
    const size = sequenceLength(input, at);
    if (size === 0) return at;
    at += size;
  }
  return at;
}

/** Length of the valid UTF-8 sequence at `at` (Unicode's table 3-7), or 0. */
function sequenceLength(input: Uint8Array, at: number): number {
  const lead = input[at]!;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  const second = input[at + 1] ?? 0;
  if (second < low || second > high) return 0;
  for (let index = 2; index < size; index += 1) {
    if (((input[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return size;
}
