// The XML encoder. Its output has the layout of Apple's own writer: tabs, one value a line, data wrapped.
import { base64Length, writeBase64 } from '../scalar/base64.ts';
import { formatDate } from '../scalar/date.ts';
import { maxInteger, minInteger } from '../scalar/integer.ts';
import { formatReal } from '../scalar/real.ts';
import { isWellFormed } from '../unicode.ts';
import { isReal, isUid, type PlistInput, type PlistUid, uidKey } from '../values.ts';
import { type EncodeOptions, type InputDict, type InputFrame, integerProblem, integerRemedy, Walk } from '../walk.ts';

const head =
  '<?xml version="1.0" encoding="UTF-8"?>\n' +
  '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n' +
  '<plist version="1.0">\n';

const encoder = new TextEncoder();
const decoder = new TextDecoder('latin1');

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
  return encoder.encode(encodeXmlText(value, options));
}

/** Like `encodeXml`, but returns the text. */
export function encodeXmlText(value: PlistInput, options?: EncodeOptions): string {
  return new XmlWriter(options).write(value);
}

class XmlWriter {
  readonly walk: Walk;
  out = head;
  indent = '';

  constructor(options: EncodeOptions | undefined) {
    this.walk = new Walk(options);
  }

  write(root: PlistInput): string {
    const { walk } = this;
    let frame: InputFrame | undefined = this.writeValue(root);
    while (frame !== undefined) {
      const { value, keys } = frame;
      const count: number = keys === null ? (value as readonly PlistInput[]).length : keys.length;
      if (frame.index === count) {
        this.indent = this.indent.slice(1);
        this.out += keys === null ? `${this.indent}</array>\n` : `${this.indent}</dict>\n`;
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
        this.out += `${this.indent}<key>${this.escape(key)}</key>\n`;
      }
      const inner = this.writeValue(item);
      if (inner === undefined) frame.index += 1;
      else frame = inner;
    }
    return `${this.out}</plist>\n`;
  }

  /** Writes one value; of an array or a dictionary that is not empty only the start, and returns its frame. */
  writeValue(value: PlistInput | undefined): InputFrame | undefined {
    const { indent } = this;
    switch (typeof value) {
      case 'string':
        this.out += `${indent}<string>${this.escape(value)}</string>\n`;
        return undefined;
      case 'boolean':
        this.out += value ? `${indent}<true/>\n` : `${indent}<false/>\n`;
        return undefined;
      case 'number':
        this.writeNumber(value);
        return undefined;
      case 'bigint':
        if (value < minInteger || value > maxInteger) throw this.integerRange();
        this.out += `${indent}<integer>${value}</integer>\n`;
        return undefined;
      case 'object':
        if (value !== null) return this.writeObject(value);
    }
    throw this.walk.unsupported(value);
  }

  writeObject(value: Exclude<PlistInput, string | number | bigint | boolean>): InputFrame | undefined {
    const { indent, walk } = this;
    if (Array.isArray(value)) {
      if (value.length > 0) {
        this.out += `${indent}<array>\n`;
        this.indent += '\t';
        return walk.enter(value, null);
      }
      this.out += `${indent}<array/>\n`;
    } else if (value instanceof Uint8Array) {
      this.writeData(value);
    } else if (value instanceof Date) {
      const text = formatDate(value);
      if (text === null) throw walk.error('plist.range', 'a date must be valid and within the years 0 to 9999');
      this.out += `${indent}<date>${text}</date>\n`;
    } else if (isReal(value)) {
      this.out += `${indent}<real>${formatReal(value.value)}</real>\n`;
    } else if (isUid(value)) {
      this.writeUid(value);
    } else {
      const keys = walk.keysOf(value);
      if (keys.length > 0) {
        this.out += `${indent}<dict>\n`;
        this.indent += '\t';
        return walk.enter(value, keys);
      }
      this.out += `${indent}<dict/>\n`;
    }
    return undefined;
  }

  writeNumber(value: number): void {
    if (Number.isSafeInteger(value)) this.out += `${this.indent}<integer>${value === 0 ? 0 : value}</integer>\n`;
    else if (Number.isInteger(value)) throw this.integerRange();
    else this.out += `${this.indent}<real>${formatReal(value)}</real>\n`;
  }

  integerRange(): Error {
    return this.walk.error('plist.range', integerProblem, integerRemedy);
  }

  writeUid(uid: PlistUid): void {
    const { indent } = this;
    this.out += `${indent}<dict>\n${indent}\t<key>${uidKey}</key>\n${indent}\t<integer>${uid.value}</integer>\n${indent}</dict>\n`;
  }

  /** Base64 in lines of 76 columns, of which the indentation takes eight for each tab. */
  writeData(bytes: Uint8Array): void {
    const { indent } = this;
    const lineBytes = Math.floor(Math.max(16, 76 - 8 * indent.length) / 4) * 3;
    const lines = Math.ceil(bytes.length / lineBytes);
    const text = new Uint8Array(base64Length(bytes.length) + lines * (indent.length + 1));
    let at = 0;
    for (let start = 0; start < bytes.length; start += lineBytes) {
      text.fill(0x09, at, at + indent.length);
      at = writeBase64(bytes, start, Math.min(start + lineBytes, bytes.length), text, at + indent.length);
      text[at] = 0x0a;
      at += 1;
    }
    this.out += `${indent}<data>\n${decoder.decode(text)}${indent}</data>\n`;
  }

  /** Text as XML carries it; a carriage return as a reference, since a reader would take it for a line feed. */
  escape(text: string): string {
    if (!special.test(text)) return text;
    if (!isWellFormed(text)) throw this.walk.error('plist.character', 'half of a surrogate pair');
    const bad = forbidden.exec(text);
    if (bad !== null) {
      const code = bad[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
      const remedy = 'Give the text as data, or use the binary format.';
      throw this.walk.error('plist.character', `XML cannot carry the character U+${code}`, remedy);
    }
    return text.replace(/[&<>\r]/g, (char) => escapes[char]!);
  }
}

/** Anything that needs a closer look: what is escaped, what XML has no place for, surrogates. */
const special = /[^\t\n -%'-;=?-\ud7ff\ue000-\ufffd]/;
const forbidden = /[^\t\n\r -\ufffd]/;
const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };
