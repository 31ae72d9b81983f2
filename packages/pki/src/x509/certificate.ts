// Reading X.509 certificates.
import { createHash, type KeyObject } from 'node:crypto';
import { bitStringOf, type DerNode, DerReader, derError, encodingOf, integerOf, readRoot } from '../der/reader.ts';
import { timeOfNode } from '../der/strings.ts';
import { BIT_STRING, context, contextPrimitive, INTEGER, SEQUENCE } from '../der/tags.ts';
import type { Bytes } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import {
  type HashName,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  type VerifyPolicy,
  verifySignature,
} from '../keys/algorithms.ts';
import { importPublicKey, type PublicKeyFacts, readPublicKey, spkiHash } from '../keys/keys.ts';
import { oids } from '../oids.ts';
import {
  type BasicConstraints,
  decodeExtensions,
  type Extension,
  type KeyUsage,
  readAuthorityKeyIdentifier,
  readBasicConstraints,
  readCrlDistributionPoints,
  readExtendedKeyUsage,
  readKeyUsage,
  readOcspUrls,
  readSubjectKeyIdentifier,
} from './extensions.ts';
import { type AlternativeName, decodeGeneralNames } from './general-name.ts';
import { type DistinguishedName, decodeName, formatName, nameValue } from './name.ts';

/** What a certificate says. All byte fields are copies. */
export interface Certificate {
  /** The whole certificate. */
  readonly der: Uint8Array;
  /** RFC 4514 text, leaf first. */
  readonly subject: string;
  readonly subjectName: DistinguishedName;
  readonly subjectDer: Uint8Array;
  /** The most specific common name. */
  readonly subjectCn: string | undefined;
  readonly issuer: string;
  readonly issuerName: DistinguishedName;
  readonly issuerDer: Uint8Array;
  /** Lower-case hex, without leading zeros beyond whole bytes. */
  readonly serialNumber: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo DER. */
  readonly publicKey: Uint8Array;
  /** Lower-case hex SHA-256 of `publicKey`. */
  readonly publicKeyHash: string;
  /** Lower-case hex SHA-256 of the certificate. */
  readonly fingerprintSha256: string;
  readonly sans: readonly AlternativeName[];
  readonly extensions: readonly Extension[];
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: readonly KeyUsage[] | undefined;
  /** Dotted OIDs. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** Lower-case hex. */
  readonly subjectKeyIdentifier: string | undefined;
  readonly authorityKeyIdentifier: string | undefined;
  readonly crlUrls: readonly string[];
  readonly ocspUrls: readonly string[];
  /** The hash that it was signed over; undefined where the signature is of a kind that is not known here (MD5, for one). */
  readonly signatureHash: HashName | undefined;
  /** True when issuer and subject are the same name (not proof of a self-signature). */
  readonly selfIssued: boolean;
}

/** The parts that cryptography needs; extension contents are not read yet. */
export interface ParsedCertificate {
  readonly der: Bytes;
  readonly tbs: Uint8Array;
  readonly serial: Uint8Array;
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  readonly spki: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly signatureAlgorithm: SignatureAlgorithm | null;
  readonly signature: Uint8Array;
  readonly extensions: readonly Extension[];
  readonly fingerprint: string;
  /** Imported on first use, after the limits on keys were checked. */
  readonly key: () => KeyObject;
  readonly keyFacts: () => PublicKeyFacts;
}

/** Largest certificate accepted. Real ones have one to four kilobytes. */
const maxCertificateBytes = 64 * 1024;

/** Parses without any cache. The input is copied. */
export function parseCertificate(input: Uint8Array, fingerprint?: string): ParsedCertificate {
  if (!(input instanceof Uint8Array)) throw new PkiError('pki.certificate.invalid', 'a certificate is given as bytes');
  if (input.length > maxCertificateBytes) {
    throw new PkiError('pki.certificate.too_large', `a certificate of more than ${maxCertificateBytes} bytes`, {
      kind: 'too-large',
    });
  }
  const der = Uint8Array.from(input);
  const outer = new DerReader(readRoot(der, SEQUENCE));
  const tbsNode = outer.next(SEQUENCE);
  const algorithmNode = outer.next(SEQUENCE);
  const signature = bitStringOf(outer.next(BIT_STRING));
  outer.finish();

  const tbs = new DerReader(tbsNode);
  const version = tbs.optional(context(0));
  if (version && new DerReader(version).smallInt() > 2) throw derError('an unknown certificate version', version.start);
  const serial = integerOf(tbs.next(INTEGER));
  if (serial.length > 40) throw derError('a serial number of unreasonable length', tbsNode.start);
  const inner = tbs.next(SEQUENCE);
  if (Buffer.compare(encodingOf(inner), encodingOf(algorithmNode)) !== 0) {
    throw derError('the two signature algorithms differ', inner.start);
  }
  const issuer = tbs.next(SEQUENCE);
  const validity = tbs.sequence();
  const notBefore = timeOfNode(validity.next());
  const notAfter = timeOfNode(validity.next());
  validity.finish();
  const subject = tbs.next(SEQUENCE);
  const spki = encodingOf(tbs.next(SEQUENCE));
  tbs.optional(contextPrimitive(1));
  tbs.optional(contextPrimitive(2));
  const wrapped = tbs.optional(context(3));
  let extensions: Extension[] = [];
  if (wrapped) {
    const box = new DerReader(wrapped);
    extensions = decodeExtensions(box.next(SEQUENCE));
    box.finish();
  }
  tbs.finish();

  let key: KeyObject | undefined;
  let facts: PublicKeyFacts | undefined;
  return {
    der,
    tbs: encodingOf(tbsNode),
    serial,
    issuerDer: encodingOf(issuer),
    subjectDer: encodingOf(subject),
    spki,
    notBefore,
    notAfter,
    signatureAlgorithm: signatureAlgorithmOrNull(algorithmNode),
    signature,
    extensions,
    fingerprint: fingerprint ?? createHash('sha256').update(der).digest('hex'),
    key: () => (key ??= importPublicKey(spki)),
    keyFacts: () => (facts ??= readPublicKey(spki)),
  };
}

/** A certificate signed with an algorithm we do not know can still be read; it just never verifies. */
function signatureAlgorithmOrNull(node: DerNode): SignatureAlgorithm | null {
  try {
    return readSignatureAlgorithm(node);
  } catch (error) {
    if (error instanceof PkiError && error.code === 'pki.algorithm.unsupported') return null;
    throw error;
  }
}

/** Lower-case hex of a serial number's content octets. */
export const serialHex = (serial: Uint8Array): string => {
  const hex = Buffer.from(serial).toString('hex');
  return hex.length > 2 && hex.startsWith('00') ? hex.slice(2) : hex;
};

/** The value of an extension, if present. */
export const extensionOf = (certificate: ParsedCertificate, id: string): Uint8Array | undefined =>
  certificate.extensions.find((extension) => extension.oid === id)?.value;

/** True when `issuer`'s key made the signature on `certificate`. */
export function isSignedBy(
  certificate: ParsedCertificate,
  issuer: ParsedCertificate,
  policy: VerifyPolicy = {},
): boolean {
  const { signatureAlgorithm, tbs, signature } = certificate;
  if (!signatureAlgorithm) return false;
  return verifySignature(signatureAlgorithm, issuer.key(), tbs, signature, policy);
}

/** Everything a parsed certificate says. */
export function describeCertificate(parsed: ParsedCertificate): Certificate {
  const read = <T>(id: string, reader: (value: Uint8Array) => T): T | undefined => {
    const value = extensionOf(parsed, id);
    return value === undefined ? undefined : reader(value);
  };
  const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex');
  const subjectName = decodeName(parsed.subjectDer);
  const issuerName = decodeName(parsed.issuerDer);
  return {
    der: Uint8Array.from(parsed.der),
    subject: formatName(subjectName),
    subjectName,
    subjectDer: Uint8Array.from(parsed.subjectDer),
    subjectCn: nameValue(subjectName, oids.commonName),
    issuer: formatName(issuerName),
    issuerName,
    issuerDer: Uint8Array.from(parsed.issuerDer),
    serialNumber: serialHex(parsed.serial),
    notBefore: new Date(parsed.notBefore),
    notAfter: new Date(parsed.notAfter),
    publicKey: Uint8Array.from(parsed.spki),
    publicKeyHash: spkiHash(parsed.spki),
    fingerprintSha256: parsed.fingerprint,
    sans: read(oids.subjectAltName, decodeGeneralNames) ?? [],
    extensions: parsed.extensions.map((extension) => ({ ...extension, value: Uint8Array.from(extension.value) })),
    basicConstraints: read(oids.basicConstraints, readBasicConstraints),
    keyUsage: read(oids.keyUsage, readKeyUsage),
    extendedKeyUsage: read(oids.extendedKeyUsage, readExtendedKeyUsage),
    subjectKeyIdentifier: hex(read(oids.subjectKeyIdentifier, readSubjectKeyIdentifier)),
    authorityKeyIdentifier: hex(read(oids.authorityKeyIdentifier, readAuthorityKeyIdentifier)),
    crlUrls: read(oids.crlDistributionPoints, readCrlDistributionPoints) ?? [],
    ocspUrls: read(oids.authorityInfoAccess, readOcspUrls) ?? [],
    signatureHash: parsed.signatureAlgorithm?.hash ?? undefined,
    selfIssued: Buffer.compare(parsed.subjectDer, parsed.issuerDer) === 0,
  };
}

/**
 * Reads a certificate.
 *
 * @param der one certificate, DER, at most 64 KiB.
 * @throws PkiError `pki.der.invalid` with the offset for malformed input, `pki.certificate.too_large`.
 * @example
 * const { subjectCn, notAfter, fingerprintSha256 } = readCertificate(fromPem(text));
 */
export function readCertificate(der: Uint8Array): Certificate {
  return describeCertificate(parseCertificate(der));
}

/** Lower-case hex SHA-256 of any DER (a certificate's fingerprint). */
export const fingerprintSha256 = (der: Uint8Array): string => createHash('sha256').update(der).digest('hex');
