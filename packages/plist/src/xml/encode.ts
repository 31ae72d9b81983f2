// The XML encoder. Its output has the layout of Apple's own writer: tabs, one value a line, data wrapped.
import { base64Length, writeBase64 } from '../scalar/base64.ts';
import { formatDate } from '../scalar/date.ts';
import { maxInteger, minInteger } from '../scalar/integer.ts';
import { formatReal } from '../scalar/real.ts';
import { isReal, isUid, type PlistInput, type PlistUid, uidKey } from '../values.ts';
import {
  type EncodeOptions,
  type InputDict,
  type InputFrame,
  integerProblem,
  integerRemedy,
  isPlainObject,
  Walk,
} from '../walk.ts';
import { keyLine } from './lines.ts';
import { type Markup, markup, XmlWriter } from './writer.ts';

const head = markup(
  '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n' +
    '<plist version="1.0">\n',
);
const tail = markup('</plist>\n');
const trueLine = markup('<true/>\n');
const falseLine = markup('<false/>\n');
const emptyDict = markup('<dict/>\n');
const emptyArray = markup('<array/>\n');
const dictStart = markup('<dict>\n');
const dictEnd = markup('</dict>\n');
const arrayStart = markup('<array>\n');
const arrayEnd = markup('</array>\n');
const keyStart = markup('<key>');
const keyEnd = markup('</key>\n');
const stringStart = markup('<string>');
const stringEnd = markup('</string>\n');
const integerStart = markup('<integer>');
const integerEnd = markup('</integer>\n');
const realStart = markup('<real>');
const realEnd = markup('</real>\n');
const dateStart = markup('<date>');
const dateEnd = markup('</date>\n');
const nothing = markup('');
const dataStart = markup('<data>\n');
const dataEnd = markup('</data>\n');

/**
 * Encodes a value as an XML property list in UTF-8. The same value gives the same bytes.
 *
 * Numbers: a whole `number` becomes `<integer>`, any other `<real>`; `PlistReal` is always `<real>`. A `Date` loses its
 * fraction of a second, for the format has none. A `PlistUid` becomes a dictionary with the one key `CF$UID`. Keys come
 * in insertion order (as JavaScript has it: keys that look like array indexes come first, ascending).
 *
 * @throws PlistError with `at.path`: `plist.type` (null, a function, an object that is not plain, …), `plist.cycle`,
 * `plist.limit.depth`, `plist.character` (a character that XML cannot carry, half of a surrogate pair), `plist.range`
 * (an integer beyond 64 bits, an unsafe integer given as a `number`, a date outside of the years 0 to 9999)
 * @example
 * encodeXml({ MessageType: 'CheckOut', Topic: 'com.apple.mgmt.example', UDID: udid });
 */
export function encodeXml(value: PlistInput, options?: EncodeOptions): Uint8Array {
  return new XmlEncoder(options).encode(value);
}

/** Like `encodeXml`, but returns the text. */
export function encodeXmlText(value: PlistInput, options?: EncodeOptions): string {
  return new TextDecoder().decode(encodeXml(value, options));
}

class XmlEncoder {
  readonly walk: Walk;
  readonly writer = XmlWriter.startingWith(head);
  /** Tabs before a line: how many containers are open. */
  depth = 0;

  constructor(options: EncodeOptions | undefined) {
    this.walk = new Walk(options);
  }

  encode(root: PlistInput): Uint8Array {
    const { walk, writer } = this;
    let frame: InputFrame | undefined = this.value(root);
    while (frame !== undefined) {
      const { value, keys } = frame;
      const count: number = keys === null ? (value as readonly PlistInput[]).length : keys.length;
      if (frame.index === count) {
        this.depth -= 1;
        writer.line(this.depth, keys === null ? arrayEnd : dictEnd);
        frame = walk.leave();
        if (frame !== undefined) frame.index += 1;
        continue;
      }
      let item: PlistInput | undefined;
      if (keys === null) {
        item = (value as readonly PlistInput[])[frame.index];
      } else {
        const key = keys[frame.index]!;
        item = (value as InputDict)[key];
        if (item === undefined) {
          frame.index += 1;
          continue;
        }
        const line = keyLine(key);
        // A key that is too long, or too special, is not kept for the next time.
        if (line === null) this.text(keyStart, key, keyEnd);
        else writer.line(this.depth, line);
      }
      const inner = this.value(item);
      if (inner === undefined) frame.index += 1;
      else frame = inner;
    }
    writer.line(0, tail);
    return writer.finish();
  }

  /** Writes one value; of an array or a dictionary that is not empty only the start, and returns its frame. */
  value(value: PlistInput | undefined): InputFrame | undefined {
    const { depth, writer } = this;
    switch (typeof value) {
      case 'string':
        this.text(stringStart, value, stringEnd);
        return undefined;
      case 'boolean':
        writer.line(depth, value ? trueLine : falseLine);
        return undefined;
      case 'number':
        this.number(value);
        return undefined;
      case 'bigint':
        if (value < minInteger || value > maxInteger) throw this.integerRange();
        this.scalar(integerStart, String(value), integerEnd);
        return undefined;
      case 'object':
        if (value !== null) return this.object(value);
    }
    throw this.walk.unsupported(value);
  }

  object(value: Exclude<PlistInput, string | number | bigint | boolean>): InputFrame | undefined {
    const { walk } = this;
    if (Array.isArray(value)) {
      if (value.length === 0) this.empty(value, emptyArray);
      else return this.open(value, null, arrayStart);
    } else if (isPlainObject(value)) {
      const keys = walk.someKeysOf(value);
      if (keys.length === 0) this.empty(value, emptyDict);
      else return this.open(value, keys, dictStart);
    } else if (value instanceof Uint8Array) {
      this.data(value);
    } else if (value instanceof Date) {
      const text = formatDate(value);
      if (text === null) throw walk.error('plist.range', 'a date must be valid and within the years 0 to 9999');
      this.scalar(dateStart, text, dateEnd);
    } else if (isReal(value)) {
      this.scalar(realStart, formatReal(value.value), realEnd);
    } else if (isUid(value)) {
      this.uid(value);
    } else {
      throw walk.unsupported(value);
    }
    return undefined;
  }

  /** An empty array or dictionary; it counts for the depth as any other. */
  empty(value: object, line: Markup): void {
    this.walk.enter(value, null);
    this.walk.leave();
    this.writer.line(this.depth, line);
  }

  open(value: object, keys: readonly string[] | null, start: Markup): InputFrame {
    const frame = this.walk.enter(value, keys);
    this.writer.line(this.depth, start);
    this.depth += 1;
    return frame;
  }

  scalar(start: Markup, text: string, end: Markup): void {
    const { writer } = this;
    writer.line(this.depth, start);
    writer.ascii(text);
    writer.line(0, end);
  }

  number(value: number): void {
    if (Number.isSafeInteger(value)) {
      this.writer.line(this.depth, integerStart);
      this.writer.integer(value);
      this.writer.line(0, integerEnd);
    } else {
      if (Number.isInteger(value)) throw this.integerRange();
      this.scalar(realStart, formatReal(value), realEnd);
    }
  }

  integerRange(): Error {
    return this.walk.error('plist.range', integerProblem, integerRemedy);
  }

  uid(uid: PlistUid): void {
    const { writer } = this;
    writer.line(this.depth, dictStart);
    this.depth += 1;
    writer.line(this.depth, keyLine(uidKey)!);
    this.scalar(integerStart, String(uid.value), integerEnd);
    this.depth -= 1;
    writer.line(this.depth, dictEnd);
  }

  /** Base64 in lines of 76 columns, of which each tab of the indentation takes eight. */
  data(bytes: Uint8Array): void {
    const { depth, writer } = this;
    const lineBytes = Math.floor(Math.max(16, 76 - 8 * depth) / 4) * 3;
    const lines = Math.ceil(bytes.length / lineBytes);
    writer.line(depth, dataStart);
    writer.ensure(base64Length(bytes.length) + lines * (depth + 1) + 6);
    for (let start = 0; start < bytes.length; start += lineBytes) {
      writer.line(depth, nothing);
      const end = Math.min(start + lineBytes, bytes.length);
      const at = writeBase64(bytes, start, end, writer.view, writer.length);
      writer.view.setUint8(at, 0x0a);
      writer.length = at + 1;
    }
    writer.line(depth, dataEnd);
  }

  text(start: Markup, text: string, end: Markup): void {
    const bad = this.writer.element(this.depth, start, text, end);
    if (bad === null) return;
    if (/\p{Surrogate}/u.test(bad)) throw this.walk.error('plist.character', 'half of a surrogate pair');
    const code = bad.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    const remedy = 'Give the text as data, or use the binary format.';
    throw this.walk.error('plist.character', `XML cannot carry the character U+${code}`, remedy);
  }
}
