// The text of an XML document: decoded from bytes, with the way back from a place in the text to the bytes.
import { PlistError } from '../errors.ts';
import { firstLoneSurrogate, isWellFormed, stringOf } from '../unicode.ts';

/** A document's text, without its byte order mark, and how its characters were stored. */
export interface Source {
  readonly text: string;
  readonly stored: 'utf-8' | 'utf-16' | 'string';
  /** Length of the byte order mark, in the unit of `offsetOf`. */
  readonly mark: number;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes a document; only UTF-8 (with or without a mark) and UTF-16 with a mark are read. */
export function sourceOf(input: Uint8Array | string): Source {
  if (typeof input === 'string') return fromString(input);
  const first = input[0];
  const second = input[1];
  if (first === 0xfe && second === 0xff) return fromUtf16(input, 'utf-16be');
  if (first === 0xff && second === 0xfe) return fromUtf16(input, 'utf-16le');
  if (first === 0 || second === 0) {
    throw new PlistError(
      'plist.encoding',
      'the document starts like UTF-16 or UTF-32 without a byte order mark',
      { offset: 0 },
      'Send the document as UTF-8, or as UTF-16 with a byte order mark.',
    );
  }
  const mark = first === 0xef && second === 0xbb && input[2] === 0xbf ? 3 : 0;
  try {
    return { text: utf8.decode(mark === 0 ? input : input.subarray(mark)), stored: 'utf-8', mark };
  } catch (error) {
    // Besides invalid bytes, a decoder refuses text that is longer than the engine's longest string.
    throw new PlistError('plist.encoding', notUtf8(error), { offset: firstInvalidUtf8(input) });
  }
}

function notUtf8(error: unknown): string {
  return error instanceof TypeError ? 'the document is not valid UTF-8' : 'the document is too long to be decoded';
}

function fromString(input: string): Source {
  const mark = input.charCodeAt(0) === 0xfeff ? 1 : 0;
  const text = mark === 0 ? input : input.slice(1);
  const source: Source = { text, stored: 'string', mark };
  if (!isWellFormed(text)) {
    const index = firstLoneSurrogate(text);
    throw new PlistError('plist.character', 'half of a surrogate pair', placeOf(source, index));
  }
  return source;
}

function fromUtf16(input: Uint8Array, encoding: 'utf-16be' | 'utf-16le'): Source {
  const bytes = input.subarray(2);
  if (bytes.length % 2 !== 0) {
    throw new PlistError('plist.truncated', 'a UTF-16 document with an odd number of bytes', { offset: input.length });
  }
  const units = new Uint16Array(bytes.length / 2);
  const [high, low] = encoding === 'utf-16be' ? [0, 1] : [1, 0];
  for (let index = 0; index < units.length; index += 1) {
    units[index] = (bytes[2 * index + high]! << 8) | bytes[2 * index + low]!;
  }
  const text = stringOf(units);
  const source: Source = { text, stored: 'utf-16', mark: 2 };
  if (!isWellFormed(text)) {
    const index = firstLoneSurrogate(text);
    throw new PlistError('plist.encoding', 'the document is not valid UTF-16', placeOf(source, index));
  }
  return source;
}

/** Offset, line and column of an index into the text. */
export function placeOf(source: Source, index: number): { offset: number; line: number; column: number } {
  const before = source.text.slice(0, index);
  let line = 1;
  let start = 0;
  for (let at = 0; at < before.length; at += 1) {
    const code = before.charCodeAt(at);
    if (code === 0x0a || (code === 0x0d && before.charCodeAt(at + 1) !== 0x0a)) {
      line += 1;
      start = at + 1;
    }
  }
  return { offset: source.mark + storedLength(source, before), line, column: before.length - start + 1 };
}

function storedLength(source: Source, text: string): number {
  if (source.stored === 'string') return text.length;
  if (source.stored === 'utf-16') return text.length * 2;
  let length = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) length += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return length;
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
