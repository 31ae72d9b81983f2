// Certificate extensions (RFC 5280, 4.2): reading and writing.
import {
  booleanOf,
  contentOf,
  type DerNode,
  DerReader,
  derError,
  namedBitsOf,
  openRoot,
  readRoot,
} from '../der/reader.ts';
import { asciiOf } from '../der/strings.ts';
import { BIT_STRING, BOOLEAN, context, contextPrimitive, INTEGER, OCTET_STRING } from '../der/tags.ts';
import { type Bytes, boolean, explicit, ia5, integer, namedBits, octets, oid, sequence, tlv } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { oids } from '../oids.ts';

/** One extension: `value` is the DER inside the OCTET STRING. */
export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** Names of the keyUsage bits, in bit order. */
const keyUsageNames = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;

/** A key usage by its name in RFC 5280. */
export type KeyUsage = (typeof keyUsageNames)[number];

/** basicConstraints. */
export interface BasicConstraints {
  readonly ca: boolean;
  readonly pathLength?: number;
}

/** DER of one Extension. */
export const encodeExtension = (extension: Extension): Bytes =>
  extension.critical
    ? sequence(oid(extension.oid), boolean(true), octets(extension.value))
    : sequence(oid(extension.oid), octets(extension.value));

/** Reads an Extensions SEQUENCE. Repeated extensions are refused, as RFC 5280 asks. */
export function decodeExtensions(node: DerNode): Extension[] {
  const extensions: Extension[] = [];
  const seen = new Set<string>();
  for (const item of new DerReader(node).rest(100)) {
    const reader = new DerReader(item);
    const id = reader.oid();
    const flag = reader.optional(BOOLEAN);
    const value = reader.next(OCTET_STRING);
    reader.finish();
    if (seen.has(id)) throw derError(`extension ${id} appears twice`, item.start);
    seen.add(id);
    extensions.push({ oid: id, critical: flag !== null && booleanOf(flag), value: contentOf(value) });
  }
  return extensions;
}

export const basicConstraints = ({ ca, pathLength }: BasicConstraints): Extension => ({
  oid: oids.basicConstraints,
  critical: true,
  value: sequence(...(ca ? [boolean(true)] : []), ...(ca && pathLength !== undefined ? [integer(pathLength)] : [])),
});

export function readBasicConstraints(value: Uint8Array): BasicConstraints {
  const reader = openRoot(value);
  const flag = reader.optional(BOOLEAN);
  const ca = flag !== null && booleanOf(flag);
  const pathLength = reader.peek() === INTEGER ? reader.smallInt() : undefined;
  reader.finish();
  return pathLength === undefined ? { ca } : { ca, pathLength };
}

export const keyUsage = (usages: readonly KeyUsage[]): Extension => ({
  oid: oids.keyUsage,
  critical: true,
  value: namedBits(usages.map((usage) => keyUsageNames.indexOf(usage))),
});

export const readKeyUsage = (value: Uint8Array): KeyUsage[] =>
  namedBitsOf(readRoot(value, BIT_STRING)).flatMap((bit) => keyUsageNames[bit] ?? []);

export const extendedKeyUsage = (usages: readonly string[], critical = false): Extension => ({
  oid: oids.extendedKeyUsage,
  critical,
  value: sequence(...usages.map(oid)),
});

export function readExtendedKeyUsage(value: Uint8Array): string[] {
  const reader = openRoot(value);
  const usages: string[] = [];
  while (!reader.done && usages.length < 100) usages.push(reader.oid());
  reader.finish();
  return usages;
}

export const subjectKeyIdentifier = (id: Uint8Array): Extension => ({
  oid: oids.subjectKeyIdentifier,
  critical: false,
  value: octets(id),
});

export const readSubjectKeyIdentifier = (value: Uint8Array): Uint8Array => contentOf(readRoot(value, OCTET_STRING));

export const authorityKeyIdentifier = (id: Uint8Array): Extension => ({
  oid: oids.authorityKeyIdentifier,
  critical: false,
  value: sequence(tlv(contextPrimitive(0), id)),
});

export function readAuthorityKeyIdentifier(value: Uint8Array): Uint8Array | undefined {
  const id = openRoot(value).optional(contextPrimitive(0));
  return id ? contentOf(id) : undefined;
}

export const subjectAltName = (generalNames: Uint8Array, critical = false): Extension => ({
  oid: oids.subjectAltName,
  critical,
  value: generalNames,
});

/** cRLDistributionPoints with one point per URL, in order of preference. */
export const crlDistributionPoints = (urls: readonly string[]): Extension => ({
  oid: oids.crlDistributionPoints,
  critical: false,
  value: sequence(...urls.map((url) => sequence(explicit(0, explicit(0, ia5(url, contextPrimitive(6))))))),
});

export function readCrlDistributionPoints(value: Uint8Array): string[] {
  const urls: string[] = [];
  for (const point of openRoot(value).rest(100)) {
    const name = new DerReader(point).optional(context(0));
    if (!name) continue;
    const full = new DerReader(name).optional(context(0));
    if (!full) continue;
    for (const node of new DerReader(full).rest(100)) {
      if (node.tag === contextPrimitive(6)) urls.push(asciiOf(contentOf(node), node.start));
    }
  }
  return urls;
}

/** authorityInfoAccess with OCSP responders and places to get the issuer's certificate. */
export const authorityInfoAccess = (ocsp: readonly string[], issuers: readonly string[]): Extension => ({
  oid: oids.authorityInfoAccess,
  critical: false,
  value: sequence(
    ...ocsp.map((url) => sequence(oid(oids.ocsp), ia5(url, contextPrimitive(6)))),
    ...issuers.map((url) => sequence(oid(oids.caIssuers), ia5(url, contextPrimitive(6)))),
  ),
});

/** OCSP responder URLs of an authorityInfoAccess. */
export function readOcspUrls(value: Uint8Array): string[] {
  const urls: string[] = [];
  for (const node of openRoot(value).rest(100)) {
    const access = new DerReader(node);
    if (access.oid() !== oids.ocsp) continue;
    const place = access.next();
    if (place.tag === contextPrimitive(6)) urls.push(asciiOf(contentOf(place), place.start));
  }
  return urls;
}

/**
 * Microsoft's user SID extension (KB5014754), which maps a certificate strongly to an account; not critical.
 *
 * @throws PkiError `pki.sid.invalid` for what is no security identifier.
 */
export function microsoftSid(sid: string): Extension {
  if (!/^S-1-\d{1,14}(?:-\d{1,10}){1,15}$/.test(sid)) {
    throw new PkiError('pki.sid.invalid', 'a security identifier has the form S-1-5-21-…');
  }
  return {
    oid: oids.microsoftSid,
    critical: false,
    value: sequence(tlv(context(0), oid(oids.microsoftSidValue), explicit(0, octets(Buffer.from(sid, 'latin1'))))),
  };
}

/** The extensions of a user's security identifier: none for a user without one. */
export const userSidExtensions = (sid: string | null | undefined): Extension[] =>
  sid === null || sid === undefined || sid === '' ? [] : [microsoftSid(sid)];

/** The URI that says the same as {@link microsoftSid} in an alternative name. */
export const microsoftSidUri = (sid: string): string => `tag:microsoft.com,2022-09-14:sid:${sid}`;
