// Reads the string and time types of X.509 into JavaScript values.
import { contentOf, type DerNode, derError } from './reader.ts';
import * as tag from './tags.ts';

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** True for the tags {@link stringOf} reads. */
export function isStringTag(value: number): boolean {
  switch (value) {
    case tag.UTF8_STRING:
    case tag.NUMERIC_STRING:
    case tag.PRINTABLE_STRING:
    case tag.TELETEX_STRING:
    case tag.IA5_STRING:
    case tag.VISIBLE_STRING:
    case tag.UNIVERSAL_STRING:
    case tag.BMP_STRING:
      return true;
    default:
      return false;
  }
}

/** Decodes UTF-8 strictly. */
function utf8Of(bytes: Uint8Array, offset: number): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    throw derError('invalid UTF-8', offset);
  }
}

/** The text of any ASN.1 string type. TeletexString is read as Latin-1, as everyone does. */
export function stringOf(node: DerNode): string {
  const content = contentOf(node);
  switch (node.tag) {
    case tag.UTF8_STRING:
      return utf8Of(content, node.start);
    case tag.NUMERIC_STRING:
    case tag.PRINTABLE_STRING:
    case tag.IA5_STRING:
    case tag.VISIBLE_STRING:
      return asciiOf(content, node.start);
    case tag.TELETEX_STRING:
      return Buffer.from(content).toString('latin1');
    case tag.BMP_STRING: {
      if (content.length % 2 !== 0) throw derError('a BMPString of odd length', node.start);
      return Buffer.from(content).swap16().toString('utf16le');
    }
    case tag.UNIVERSAL_STRING: {
      if (content.length % 4 !== 0) throw derError('a UniversalString of bad length', node.start);
      let text = '';
      const view = new DataView(content.buffer, content.byteOffset, content.length);
      for (let i = 0; i < content.length; i += 4) {
        const code = view.getUint32(i);
        if (code > 0x10ffff) throw derError('a UniversalString with a character out of range', node.start);
        text += String.fromCodePoint(code);
      }
      return text;
    }
    default:
      throw derError(`tag 0x${node.tag.toString(16)} is not a string`, node.start);
  }
}

/** Decodes bytes that must be ASCII. */
export function asciiOf(content: Uint8Array, offset: number): string {
  for (const byte of content) if (byte >= 0x80) throw derError('a character outside ASCII', offset);
  return Buffer.from(content.buffer, content.byteOffset, content.length).toString('latin1');
}

/** Epoch milliseconds of a UTCTime or GeneralizedTime in the forms RFC 5280 allows (seconds, `Z`). */
export function timeOfNode(node: DerNode): number {
  const text = asciiOf(contentOf(node), node.start);
  const utc = node.tag === tag.UTC_TIME;
  if (!utc && node.tag !== tag.GENERALIZED_TIME) throw derError('not a time', node.start);
  const match = (
    utc
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?Z$/ // RFC 5280 wants seconds; very old certificates lack them
      : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.\d{1,9})?Z$/
  ).exec(text);
  if (!match) throw derError('a time in a form that is not accepted', node.start);
  const [, y = '', month = '', day = '', hour = '', minute = '', second = '00'] = match;
  const year = utc ? Number(y) + (Number(y) >= 50 ? 1900 : 2000) : Number(y);
  const date = new Date(0);
  date.setUTCFullYear(year, Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second), 0);
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day) || Number(hour) > 23) {
    throw derError('a time that does not exist', node.start);
  }
  return date.getTime();
}
