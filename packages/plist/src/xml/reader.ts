// What the parts of the XML decoder share: the document, where reading is, and how an error is reported.

import { find, singleByteText, utf8Text, word } from '../bytes.ts';
import { formatPath, PlistError, type PlistErrorCode } from '../errors.ts';
import type { Settings } from '../limits.ts';
import type { PlistDict, PlistValue } from '../values.ts';
import { placeOf, type Source } from './source.ts';

export type Container = PlistDict | PlistValue[];

/** Characters of the first window, and of the largest. A string that is kept keeps its window alive. */
const firstWindow = 1024;
const largestWindow = 16_384;

/**
 * The state of one decoding. All indexes are into `bytes`: V8 reads bytes several times as fast as the characters of
 * a string. Strings are slices of a window, a string with one character a byte of the part of the document around.
 */
export class Reader {
  readonly bytes: Uint8Array;
  readonly source: Source;
  readonly settings: Settings;
  /** Where a helper has left off; the main loop keeps its own position. */
  at = 0;
  window = '';
  windowStart = 0;
  windowEnd = 0;
  windowSize = firstWindow;
  /** Whether the start tag read last was `<name/>`. */
  empty = false;
  /** The innermost open array or dictionary; `null` outside the root. */
  container: Container | null = null;
  /** Key of the value being read in `container`, `null` between an entry and the next. */
  key: string | null = null;
  /** The containers around `container`, outermost first, and the key under which each has the next. */
  readonly outer: Container[] = [];
  readonly outerKeys: (string | null)[] = [];

  constructor(source: Source, settings: Settings) {
    this.source = source;
    this.bytes = source.bytes;
    this.settings = settings;
  }

  /** An error about the document at `index`. */
  error(code: PlistErrorCode, problem: string, index: number, remedy?: string): PlistError {
    const place = placeOf(this.source, Math.min(index, this.bytes.length));
    return new PlistError(code, problem, { ...place, path: formatPath(this.path()) }, remedy);
  }

  /** `error`, or `plist.truncated` when the document ends at `index`. */
  unexpected(problem: string, index: number): PlistError {
    if (index >= this.bytes.length) return this.error('plist.truncated', 'the document ends early', this.bytes.length);
    return this.error('plist.syntax', problem, index);
  }

  /** Keys and indexes that lead to the value being read. */
  path(): (string | number)[] {
    const parts: (string | number)[] = [];
    for (let level = 0; level < this.outer.length; level += 1) {
      // A container is attached to the one around it when it is complete: its index is the length so far.
      const around = this.outer[level]!;
      parts.push(Array.isArray(around) ? around.length : (this.outerKeys[level] ?? ''));
    }
    if (Array.isArray(this.container)) parts.push(this.container.length);
    else if (this.key !== null) parts.push(this.key);
    return parts;
  }

  /** Makes the window cover the bytes between two indexes. */
  cover(start: number, end: number): void {
    if (start >= this.windowStart && end <= this.windowEnd) return;
    this.windowStart = start;
    this.windowEnd = Math.min(this.bytes.length, Math.max(end, start + this.windowSize));
    if (this.windowSize < largestWindow) this.windowSize *= 2;
    this.window = singleByteText(this.bytes, start, this.windowEnd);
  }

  /** The ASCII characters between two indexes. */
  ascii(start: number, end: number): string {
    if (end - start >= this.windowSize / 4 && end > this.windowEnd) return singleByteText(this.bytes, start, end);
    this.cover(start, end);
    return this.window.slice(start - this.windowStart, end - this.windowStart);
  }

  /** The characters between two indexes. Refuses U+FFFE and U+FFFF; control characters are the caller's to refuse. */
  characters(start: number, end: number): string {
    const text = utf8Text(this.bytes, start, end);
    if (noncharacter.test(text)) throw characterError(this, firstBadByte(this.bytes, start, end));
    return text;
  }
}

const noncharacter = /[\ufffe\uffff]/;

/** Index of the first byte, or `end`, that is a control character or starts a noncharacter that XML forbids. */
function firstBadByte(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && !isControl(bytes[at]!) && !isNoncharacter(bytes, at)) at += 1;
  return at;
}

function isControl(code: number): boolean {
  return code < 0x20 && code !== 0x0a && code !== 0x09 && code !== 0x0d;
}

function isNoncharacter(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xef && bytes[at + 1] === 0xbf && bytes[at + 2]! >= 0xbe;
}

/** Index of the first character from `at` that is not XML white space. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let index = at;
  while (index < bytes.length && isSpace(bytes[index]!)) index += 1;
  return index;
}

/** Whether a character is XML white space. */
export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x09 || code === 0x0d;
}

const dashes = word('--');

/** Reads the comment that starts at `at`; returns where it ends. */
export function skipComment(reader: Reader, at: number): number {
  const { bytes } = reader;
  const end = find(bytes, at + 4, dashes);
  if (end < 0 || end + 2 >= bytes.length) throw reader.unexpected('', bytes.length);
  if (bytes[end + 2] !== 0x3e) throw reader.error('plist.syntax', "'--' inside a comment", end);
  checkCharacters(reader, at, end);
  return end + 3;
}

/** Refuses a character that XML does not allow, between two indexes. */
export function checkCharacters(reader: Reader, start: number, end: number): void {
  const bad = firstBadByte(reader.bytes, start, end);
  if (bad < end) throw characterError(reader, bad);
}

/** The error for a character that XML does not allow. */
export function characterError(reader: Reader, index: number): PlistError {
  const byte = reader.bytes[index]!;
  const name =
    byte < 0x80
      ? byte.toString(16).toUpperCase().padStart(4, '0')
      : `FFF${reader.bytes[index + 2] === 0xbe ? 'E' : 'F'}`;
  return reader.error('plist.character', `XML does not allow the character U+${name}`, index);
}
