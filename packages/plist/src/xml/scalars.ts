// The content of <integer>, <real>, <date> and <data>, and the dictionary that stands for a uid.
import type { PlistErrorCode } from '../errors.ts';
import { decodeBase64 } from '../scalar/base64.ts';
import { parseDateAt } from '../scalar/date.ts';
import { parseInteger } from '../scalar/integer.ts';
import { parseReal } from '../scalar/real.ts';
import { type PlistDict, type PlistReal, PlistUid, realValue, uidKey } from '../values.ts';
import { readCharacters } from './characters.ts';
import { isSpace, type Reader, skipSpace } from './reader.ts';

/** Digits that a `number` can hold without loss whatever they are. */
const safeDigits = 15;

/** Reads an integer whose start tag ends at `start`; `reader.at` is then past the end tag. */
export function readInteger(reader: Reader, start: number): number | bigint {
  const { text } = reader;
  if (!reader.empty) {
    let at = start;
    let code = text.charCodeAt(at);
    const negative = code === 0x2d;
    if (negative) code = text.charCodeAt(++at);
    const first = at;
    let value = 0;
    while (code >= 0x30 && code <= 0x39) {
      value = value * 10 + code - 0x30;
      code = text.charCodeAt(++at);
    }
    if (at > first && at - first <= safeDigits && text.startsWith('</integer>', at)) {
      reader.at = at + 10;
      return negative && value !== 0 ? -value : value;
    }
  }
  const value = parseInteger(content(reader, start, 'integer'));
  if (value === null) throw bad(reader, 'plist.value', 'malformed integer', start);
  if (value === 'range') throw bad(reader, 'plist.range', 'an integer goes from -2^63 to 2^64-1', start);
  return value;
}

/** Reads a real. */
export function readReal(reader: Reader, start: number, wrap: boolean): number | PlistReal {
  const value = parseReal(content(reader, start, 'real'));
  if (value === null) throw bad(reader, 'plist.value', 'malformed real', start);
  if (value === 'range') throw bad(reader, 'plist.range', 'a real beyond the largest double', start);
  return realValue(value, wrap);
}

/** Reads a date. */
export function readDate(reader: Reader, start: number): Date {
  const { text } = reader;
  let time: number;
  if (!reader.empty && text.startsWith('</date>', start + 20)) {
    time = parseDateAt(text, start);
    reader.at = start + 27;
  } else {
    const written = content(reader, start, 'date');
    time = written.length === 20 ? parseDateAt(written, 0) : Number.NaN;
  }
  if (Number.isNaN(time)) throw bad(reader, 'plist.value', 'a date must read YYYY-MM-DDTHH:MM:SSZ', start);
  if (time === Number.POSITIVE_INFINITY) throw bad(reader, 'plist.range', 'there is no such date', start);
  return new Date(time);
}

/** Reads base64 data. */
export function readData(reader: Reader, start: number): Uint8Array {
  const { text } = reader;
  if (reader.empty) return new Uint8Array(0);
  const end = text.indexOf('<', start);
  if (end >= 0 && text.startsWith('</data>', end)) {
    const bytes = decodeBase64(text, start, end);
    if (typeof bytes !== 'number') {
      reader.at = end + 7;
      return bytes;
    }
    // A character reference is allowed here too, strange as it is: only without one is this the error's place.
    if (text.charCodeAt(bytes) !== 0x26) throw bad(reader, 'plist.value', 'malformed base64', bytes);
  }
  const written = readCharacters(reader, start, 'data');
  const bytes = decodeBase64(written, 0, written.length);
  if (typeof bytes === 'number') throw bad(reader, 'plist.value', 'malformed base64', start);
  return bytes;
}

/** The text of an element without the white space around it. */
function content(reader: Reader, start: number, name: string): string {
  if (reader.empty) return '';
  const text = readCharacters(reader, start, name);
  const first = skipSpace(text, 0);
  let end = text.length;
  while (end > first && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(first, end);
}

function bad(reader: Reader, code: PlistErrorCode, problem: string, index: number): Error {
  return reader.error(code, problem, index);
}

/** The uid that a dictionary stands for, or the dictionary itself. */
export function uidOf(dict: PlistDict): PlistDict | PlistUid {
  const value = dict[uidKey];
  const isReference = typeof value === 'bigint' ? value >= 0n : Number.isInteger(value) && (value as number) >= 0;
  return isReference && Object.keys(dict).length === 1 ? new PlistUid(value as number | bigint) : dict;
}
