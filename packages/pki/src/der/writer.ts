// DER writers: each returns the whole encoding of one value.
import { PkiError } from '../errors.ts';
import { headerSize, writeLength } from './ber.ts';
import * as tag from './tags.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

/** Concatenates byte strings. */
export function concat(parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** One tag-length-value whose content is the concatenation of `parts`. */
export function tlv(tagOctet: number, ...parts: readonly Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(headerSize(length) + length);
  out[0] = tagOctet;
  let at = writeLength(out, 1, length);
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/**
 * A tag-length-value as its pieces, header first: large contents are nested by header only, and copied once in the end
 * (by {@link concat}).
 */
export function pieces(tagOctet: number, parts: readonly Uint8Array[]): Uint8Array[] {
  let length = 0;
  for (const part of parts) length += part.length;
  const header = new Uint8Array(headerSize(length));
  header[0] = tagOctet;
  writeLength(header, 1, length);
  return [header, ...parts];
}

export const sequence = (...parts: readonly Uint8Array[]): Bytes => tlv(tag.SEQUENCE, ...parts);
/** A SET with its elements in the given order (use {@link setOf} where DER asks for sorting). */
export const set = (...parts: readonly Uint8Array[]): Bytes => tlv(tag.SET, ...parts);
export const explicit = (n: number, ...parts: readonly Uint8Array[]): Bytes => tlv(tag.context(n), ...parts);
export const octets = (content: Uint8Array): Bytes => tlv(tag.OCTET_STRING, content);
export const nullValue = (): Bytes => new Uint8Array([0x05, 0x00]);
export const boolean = (value: boolean): Bytes => new Uint8Array([0x01, 0x01, value ? 0xff : 0x00]);

/** Order of DER SET OF elements: by their encodings as octet strings. */
function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** A SET OF, sorted as DER demands; `tagOctet` for IMPLICIT tags. */
export function setOf(parts: readonly Uint8Array[], tagOctet: number = tag.SET): Bytes {
  return tlv(tagOctet, ...[...parts].sort(compareBytes));
}

/** An INTEGER from a small number, or from unsigned big-endian bytes. */
export function integer(value: number | Uint8Array): Bytes {
  let bytes: Uint8Array;
  if (typeof value === 'number') {
    const out: number[] = [];
    let rest = value;
    do {
      out.unshift(rest & 0xff);
      rest = Math.floor(rest / 256);
    } while (rest > 0);
    bytes = Uint8Array.from(out);
  } else {
    let start = 0;
    while (start < value.length - 1 && value[start] === 0) start++;
    bytes = value.length === 0 ? new Uint8Array(1) : value.subarray(start);
  }
  return bytes[0]! >= 0x80 ? tlv(tag.INTEGER, new Uint8Array(1), bytes) : tlv(tag.INTEGER, bytes);
}

/** A BIT STRING of whole bytes. */
export const bitString = (content: Uint8Array): Bytes => tlv(tag.BIT_STRING, new Uint8Array(1), content);

/** A BIT STRING with the given named bits set, trailing zero bits removed as DER demands. */
export function namedBits(bits: readonly number[], tagOctet: number = tag.BIT_STRING): Bytes {
  const top = Math.max(-1, ...bits);
  if (top < 0) return tlv(tagOctet, new Uint8Array(1));
  const content = new Uint8Array(2 + (top >> 3));
  content[0] = 7 - (top & 7);
  for (const bit of bits) content[1 + (bit >> 3)]! |= 0x80 >> (bit & 7);
  return tlv(tagOctet, content);
}

const oidCache = new Map<string, Bytes>();

/** An OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Bytes {
  const known = oidCache.get(dotted);
  if (known) return known;
  if (!/^[0-2](\.(0|[1-9]\d{0,14})){1,31}$/.test(dotted)) {
    throw new PkiError('pki.oid.invalid', `not an object identifier: ${dotted.slice(0, 80)}`);
  }
  const arcs = dotted.split('.').map(Number);
  if (arcs[0]! < 2 && arcs[1]! > 39) throw new PkiError('pki.oid.invalid', `not an object identifier: ${dotted}`);
  const content: number[] = [];
  for (const arc of [arcs[0]! * 40 + arcs[1]!, ...arcs.slice(2)]) {
    const digits: number[] = [arc % 128];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) {
      digits.unshift((rest % 128) | 0x80);
    }
    content.push(...digits);
  }
  const encoded = tlv(tag.OBJECT_IDENTIFIER, Uint8Array.from(content));
  if (oidCache.size < 512) oidCache.set(dotted, encoded);
  return encoded;
}

const latin1 = (text: string): Bytes => Uint8Array.from(Buffer.from(text, 'latin1'));

export const utf8 = (text: string): Bytes => tlv(tag.UTF8_STRING, Buffer.from(text, 'utf8'));
/** A PrintableString; the caller checked the alphabet. */
export const printable = (text: string): Bytes => tlv(tag.PRINTABLE_STRING, latin1(text));
/** An IA5String (ASCII), with `tagOctet` for IMPLICIT tags. */
export function ia5(text: string, tagOctet: number = tag.IA5_STRING): Bytes {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII is what IA5String holds
  if (!/^[\x00-\x7f]*$/.test(text)) throw new PkiError('pki.string.not_ascii', 'only ASCII is possible here');
  return tlv(tagOctet, latin1(text));
}

/** The year of a time that a Time of RFC 5280 can hold. */
export function yearOf(ms: number): number {
  const year = new Date(ms).getUTCFullYear();
  if (!(year >= 1950 && year <= 9999)) throw new PkiError('pki.time.range', 'the time is outside 1950 to 9999');
  return year;
}

/** A Time as RFC 5280 wants it: UTCTime to 2049, GeneralizedTime after; whole seconds. */
export function time(ms: number): Bytes {
  const year = yearOf(ms);
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return year < 2050
    ? tlv(tag.UTC_TIME, latin1(`${digits.slice(2)}Z`))
    : tlv(tag.GENERALIZED_TIME, latin1(`${digits}Z`));
}
