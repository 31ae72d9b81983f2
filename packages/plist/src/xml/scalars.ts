// Scalars by their start tags, and the dictionary that stands for a uid.
import { isAt, word } from '../bytes.ts';
import { type Cursor, decodeBase64 } from '../scalar/base64.ts';
import { parseDateAt } from '../scalar/date.ts';
import { parseInteger } from '../scalar/integer.ts';
import { parseReal } from '../scalar/real.ts';
import { type PlistDict, type PlistReal, PlistUid, type PlistValue, realValue, uidKey } from '../values.ts';
import { readCharacters, readEndTag } from './characters.ts';
import { skipMisc } from './prolog.ts';
import { isSpace, type Reader } from './reader.ts';
import { tags } from './tags.ts';

const encoder = new TextEncoder();
const dateEnd = word('</date>');
const dataEnd = word('</data>');

/** Reads a scalar whose start tag was just read; `reader.at` is then past its end tag. */
export function readScalar(reader: Reader, tag: number, wrapReals: boolean): PlistValue {
  const start = reader.at;
  switch (tag) {
    case tags.true:
    case tags.false:
      if (!reader.empty) reader.at = readEndTag(reader, skipMisc(reader, start), tag === tags.true ? 'true' : 'false');
      return tag === tags.true;
    case tags.integer:
      return readInteger(reader, start);
    case tags.real:
      return readReal(reader, start, wrapReals);
    case tags.date:
      return readDate(reader, start);
    case tags.data:
      return readData(reader, start);
    default:
      return reader.empty ? '' : readCharacters(reader, start, 'string');
  }
}

/** Digits that a `number` can hold without loss whatever they are. */
const safeDigits = 15;

function readInteger(reader: Reader, start: number): number | bigint {
  const { bytes } = reader;
  if (!reader.empty) {
    let at = start;
    let code = bytes[at]!;
    const negative = code === 0x2d;
    if (negative) code = bytes[++at]!;
    const first = at;
    let value = 0;
    while (code >= 0x30 && code <= 0x39) {
      value = value * 10 + code - 0x30;
      code = bytes[++at]!;
    }
    if (
      at > first &&
      at - first <= safeDigits &&
      bytes[at] === 0x3c &&
      bytes[at + 1] === 0x2f &&
      bytes[at + 2] === 0x69 &&
      bytes[at + 3] === 0x6e &&
      bytes[at + 4] === 0x74 &&
      bytes[at + 5] === 0x65 &&
      bytes[at + 6] === 0x67 &&
      bytes[at + 7] === 0x65 &&
      bytes[at + 8] === 0x72 &&
      bytes[at + 9] === 0x3e
    ) {
      reader.at = at + 10;
      return negative && value !== 0 ? -value : value;
    }
  }
  const value = parseInteger(content(reader, start, 'integer'));
  if (value === null) throw reader.error('plist.value', 'malformed integer', start);
  if (value === 'range') throw reader.error('plist.range', 'an integer goes from -2^63 to 2^64-1', start);
  return value;
}

function readReal(reader: Reader, start: number, wrap: boolean): number | PlistReal {
  const value = parseReal(content(reader, start, 'real'));
  if (value === null) throw reader.error('plist.value', 'malformed real', start);
  if (value === 'range') throw reader.error('plist.range', 'a real beyond the largest double', start);
  return realValue(value, wrap);
}

function readDate(reader: Reader, start: number): Date {
  const { bytes } = reader;
  let time: number;
  if (!reader.empty && isAt(bytes, start + 20, dateEnd)) {
    time = parseDateAt(bytes, start);
    reader.at = start + 27;
  } else {
    const written = content(reader, start, 'date');
    time = written.length === 20 ? parseDateAt(encoder.encode(written), 0) : Number.NaN;
  }
  if (Number.isNaN(time)) throw reader.error('plist.value', 'a date must read YYYY-MM-DDTHH:MM:SSZ', start);
  if (time === Number.POSITIVE_INFINITY) throw reader.error('plist.range', 'there is no such date', start);
  return new Date(time);
}

function readData(reader: Reader, start: number): Uint8Array {
  const { bytes } = reader;
  if (reader.empty) return new Uint8Array(0);
  const data = decodeBase64(bytes, start, reader);
  if (data !== null && isAt(bytes, reader.at, dataEnd)) {
    reader.at += dataEnd.length;
    return data;
  }
  const code = bytes[reader.at];
  if (code === undefined) throw reader.unexpected('', reader.at);
  // A comment, a CDATA section or a reference is allowed here too, strange as it is.
  if (code !== 0x3c && code !== 0x26) throw reader.error('plist.value', 'malformed base64', reader.at);
  return dataOf(reader, start);
}

/** Reads data that is not all plain characters. */
function dataOf(reader: Reader, start: number): Uint8Array {
  const written = encoder.encode(readCharacters(reader, start, 'data'));
  const cursor: Cursor = { at: 0 };
  const data = decodeBase64(written, 0, cursor);
  if (data === null || cursor.at < written.length) throw reader.error('plist.value', 'malformed base64', start);
  return data;
}

/** The text of an element without the white space around it. */
function content(reader: Reader, start: number, name: string): string {
  if (reader.empty) return '';
  const text = readCharacters(reader, start, name);
  let first = 0;
  while (isSpace(text.charCodeAt(first))) first += 1;
  let end = text.length;
  while (end > first && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(first, end);
}

/** The uid that a dictionary stands for, or the dictionary itself. */
export function uidOf(dict: PlistDict): PlistDict | PlistUid {
  const value = dict[uidKey];
  const isReference = typeof value === 'bigint' ? value >= 0n : Number.isInteger(value) && (value as number) >= 0;
  return isReference && Object.keys(dict).length === 1 ? new PlistUid(value as number | bigint) : dict;
}
