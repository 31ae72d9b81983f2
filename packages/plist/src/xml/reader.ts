// What the parts of the XML decoder share: the text, where reading is, and how an error is reported.
import { formatPath, PlistError, type PlistErrorCode } from '../errors.ts';
import type { Settings } from '../limits.ts';
import type { PlistDict, PlistValue } from '../values.ts';
import { placeOf, type Source } from './source.ts';

export type Container = PlistDict | PlistValue[];

/** The state of one decoding. */
export class Reader {
  readonly text: string;
  readonly source: Source;
  readonly settings: Settings;
  /** Where a helper has left off; the main loop keeps its own position. */
  at = 0;
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
    this.text = source.text;
    this.settings = settings;
  }

  /** An error about the text at `index`. */
  error(code: PlistErrorCode, problem: string, index: number, remedy?: string): PlistError {
    const place = placeOf(this.source, Math.min(index, this.text.length));
    return new PlistError(code, problem, { ...place, path: formatPath(this.path()) }, remedy);
  }

  /** `error`, or `plist.truncated` when the document ends at `index`. */
  unexpected(problem: string, index: number): PlistError {
    if (index >= this.text.length) return this.error('plist.truncated', 'the document ends early', this.text.length);
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
}

/** Index of the first character from `at` that is not XML white space. */
export function skipSpace(text: string, at: number): number {
  let index = at;
  for (;;) {
    const code = text.charCodeAt(index);
    if (code !== 0x20 && code !== 0x0a && code !== 0x09 && code !== 0x0d) return index;
    index += 1;
  }
}

/** Reads the comment that starts at `at`; returns where it ends. */
export function skipComment(reader: Reader, at: number): number {
  const { text } = reader;
  const end = text.indexOf('--', at + 4);
  if (end < 0 || end + 2 >= text.length) throw reader.unexpected('', text.length);
  if (text.charCodeAt(end + 2) !== 0x3e) throw reader.error('plist.syntax', "'--' inside a comment", end);
  checkCharacters(reader, at, end);
  return end + 3;
}

const badCharacter = /[^\t\n\r -\ufffd]/;

/** Refuses a character that XML does not allow, between two indexes. */
export function checkCharacters(reader: Reader, start: number, end: number): void {
  const found = reader.text.slice(start, end).search(badCharacter);
  if (found >= 0) throw characterError(reader, start + found);
}

/** The error for a character that XML does not allow. */
export function characterError(reader: Reader, index: number): PlistError {
  const code = reader.text.charCodeAt(index).toString(16).toUpperCase().padStart(4, '0');
  return reader.error('plist.character', `XML does not allow the character U+${code}`, index);
}

/** Whether a character is XML white space. */
export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x09 || code === 0x0d;
}
