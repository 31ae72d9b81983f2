// Subject alternative names (GeneralName of RFC 5280, 4.2.1.6).
import { isIP } from 'node:net';
import { contentOf, type DerNode, DerReader, derError, encodingOf, openRoot, readRoot } from '../der/reader.ts';
import { asciiOf, isStringTag, stringOf } from '../der/strings.ts';
import { context, contextPrimitive, OBJECT_IDENTIFIER } from '../der/tags.ts';
import { type Bytes, explicit, ia5, oid, sequence, tlv, utf8 } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { oids } from '../oids.ts';
import { decodeName, encodeName, formatName } from './name.ts';

/**
 * One alternative name. `upn` is Microsoft's NT principal name; `dn` holds RFC 4514 text; `other` holds the DER of an
 * otherName's value under its OID.
 */
export type AlternativeName =
  | { readonly type: 'dns' | 'ip' | 'email' | 'uri' | 'upn' | 'dn'; readonly value: string }
  | { readonly type: 'other'; readonly oid: string; readonly value: Uint8Array };

const sanError = (message: string): PkiError => new PkiError('pki.san.invalid', message);
const dnsPattern =
  /^(?:\*\.)?(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/;

/** Sixteen or four bytes of an IP address in text. */
function ipBytes(text: string): Bytes {
  if (isIP(text) === 4) return Uint8Array.from(text.split('.').map(Number));
  if (isIP(text) !== 6 || text.includes('%')) throw sanError(`not an IP address: ${text.slice(0, 80)}`);
  let address = text;
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  if (dotted) {
    const [a, b, c, d] = dotted.slice(1).map(Number) as [number, number, number, number];
    address = `${address.slice(0, dotted.index)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [
    ...left,
    ...Array<string>(tail === undefined ? 0 : 8 - left.length - right.length).fill('0'),
    ...right,
  ];
  const out = new Uint8Array(16);
  for (const [i, group] of groups.entries()) {
    const value = Number.parseInt(group, 16);
    out[2 * i] = value >> 8;
    out[2 * i + 1] = value & 0xff;
  }
  return out;
}

function ipText(bytes: Uint8Array, offset: number): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw derError('an IP address that is neither 4 nor 16 bytes', offset);
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
  // WHATWG URL parsing is the shortest-form printer at hand.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

/** DER of one GeneralName. Throws `pki.san.invalid` for a value that its type cannot hold. */
function encodeGeneralName(name: AlternativeName): Bytes {
  switch (name.type) {
    case 'dns':
      if (name.value.length > 253 || !dnsPattern.test(name.value)) {
        throw sanError(`not a DNS name: ${name.value.slice(0, 80)}`);
      }
      return ia5(name.value, contextPrimitive(2));
    case 'ip':
      return tlv(contextPrimitive(7), ipBytes(name.value));
    case 'email':
      if (!/^[^\s@]{1,64}@[^\s@]{1,255}$/.test(name.value)) throw sanError('not an e-mail address');
      return ia5(name.value, contextPrimitive(1));
    case 'uri':
      if (name.value.length > 2048 || !/^[A-Za-z][A-Za-z0-9+.-]*:\S+$/.test(name.value)) throw sanError('not a URI');
      return ia5(name.value, contextPrimitive(6));
    case 'upn':
      if (name.value === '' || name.value.length > 1024) throw sanError('not a principal name');
      return tlv(context(0), oid(oids.upn), explicit(0, utf8(name.value)));
    case 'dn':
      return explicit(4, encodeName(name.value));
    case 'other':
      readRoot(name.value);
      return tlv(context(0), oid(name.oid), explicit(0, name.value));
    default:
      throw sanError('unknown type of alternative name');
  }
}

/** DER of a SubjectAltName value (GeneralNames). */
export const encodeGeneralNames = (names: readonly AlternativeName[]): Bytes =>
  sequence(...names.map(encodeGeneralName));

/** Reads one GeneralName; types without a form of ours (x400, ediParty, registeredID) give null. */
function decodeGeneralName(node: DerNode): AlternativeName | null {
  switch (node.tag) {
    case contextPrimitive(1):
      return { type: 'email', value: asciiOf(contentOf(node), node.start) };
    case contextPrimitive(2):
      return { type: 'dns', value: asciiOf(contentOf(node), node.start) };
    case contextPrimitive(6):
      return { type: 'uri', value: asciiOf(contentOf(node), node.start) };
    case contextPrimitive(7):
      return { type: 'ip', value: ipText(contentOf(node), node.start) };
    case context(4): {
      const inner = new DerReader(node);
      const name = inner.next();
      inner.finish();
      return { type: 'dn', value: formatName(decodeName(encodingOf(name))) };
    }
    case context(0): {
      const other = new DerReader(node);
      const type = other.next(OBJECT_IDENTIFIER);
      const wrapped = other.enter(context(0));
      const value = wrapped.next();
      wrapped.finish();
      other.finish();
      const dotted = new DerReader({ ...node, contentStart: type.start, end: type.end }).oid();
      if (dotted === oids.upn && isStringTag(value.tag)) return { type: 'upn', value: stringOf(value) };
      return { type: 'other', oid: dotted, value: Uint8Array.from(encodingOf(value)) };
    }
    default:
      return null;
  }
}

/** Reads a SubjectAltName extension value. */
export function decodeGeneralNames(der: Uint8Array): AlternativeName[] {
  const names: AlternativeName[] = [];
  for (const node of openRoot(der).rest(1000)) {
    const name = decodeGeneralName(node);
    if (name) names.push(name);
  }
  return names;
}
