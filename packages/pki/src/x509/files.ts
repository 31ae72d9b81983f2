// What administrators upload: certificates and identities in PEM, DER, PKCS#7 or PKCS#12, in one file or in several.
import { createPrivateKey } from 'node:crypto';
import { parseSignedData } from '../cms/signed-read.ts';
import { contentOf, DerReader, openRoot, readRoot } from '../der/reader.ts';
import { INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE } from '../der/tags.ts';
import { PkiError } from '../errors.ts';
import { exportPrivateKey, importPrivateKey, publicKeyOf } from '../keys/keys.ts';
import { oids } from '../oids.ts';
import { readPem } from '../pem.ts';
import { pbeDecrypt } from '../pkcs12/pbe.ts';
import { readPkcs12 } from '../pkcs12/read.ts';
import { extensionOf, isSignedBy, type ParsedCertificate, parseCertificate } from './certificate.ts';
import { readBasicConstraints } from './extensions.ts';

/** Largest file that is looked at, and the most certificates in all. */
const maxFile = 1024 * 1024;
const maxCertificates = 64;

/** What a certificate is in a chain. */
export type CertificateKind = 'root' | 'intermediate' | 'leaf';

/** A certificate out of a file. */
export interface FileCertificate {
  /** DER. */
  readonly certificate: Uint8Array;
  /** `root`: an authority that signed itself; `intermediate`: another authority. */
  readonly kind: CertificateKind;
}

/** A file that was uploaded. */
export interface UploadedFile {
  readonly content: Uint8Array;
  /** Of the private key in it, or of a PKCS#12 file. */
  readonly password?: string;
}

/** An identity put together from files. */
export interface FileIdentity {
  readonly certificate: Uint8Array;
  /** PKCS#8 DER. */
  readonly privateKey: Uint8Array;
  /** Its issuers, nearest first, as far as they are in the files. */
  readonly chain: readonly Uint8Array[];
}

const invalid = (code: string, message: string, remedy?: string): PkiError =>
  new PkiError(code, message, remedy === undefined ? {} : { remedy });

interface Parts {
  readonly certificates: Uint8Array[];
  /** Private keys, PKCS#8 DER. */
  readonly keys: Uint8Array[];
}

const keyLabel = /PRIVATE KEY$/;

function bounded(content: Uint8Array): Uint8Array {
  if (!(content instanceof Uint8Array)) throw invalid('pki.file.invalid', 'a file is given as bytes');
  if (content.length > maxFile) {
    throw new PkiError('pki.file.too_large', `a file of more than ${maxFile} bytes`, { kind: 'too-large' });
  }
  return content;
}

/** The form of a DER file, from its first values. */
function formOf(der: Uint8Array): 'certificate' | 'pkcs12' | 'pkcs7' | 'pkcs8' | 'encrypted-key' | 'other' {
  const reader = openRoot(der, SEQUENCE);
  const first = reader.next();
  if (first.tag === OBJECT_IDENTIFIER) return 'pkcs7';
  if (first.tag === INTEGER) {
    if (contentOf(first)[0] === 3) return 'pkcs12';
    return contentOf(first)[0] === 0 && reader.peek() === SEQUENCE ? 'pkcs8' : 'other';
  }
  if (first.tag !== SEQUENCE || reader.done) return 'other';
  return reader.peek() === OCTET_STRING ? 'encrypted-key' : 'certificate';
}

/**
 * Reads the certificates of a file: PEM or DER, told apart by content, also a PKCS#7 bundle.
 *
 * @throws PkiError `pki.file.private_key` when there is a private key in it, `pki.file.empty` without certificates,
 * `pki.file.invalid`, `pki.file.too_large`, `pki.der.*`, `pki.pem.*`.
 */
export function readCertificateFile(content: Uint8Array): FileCertificate[] {
  const refuse = (): never => {
    throw invalid(
      'pki.file.private_key',
      'there is a private key in the file, which would be given to every device',
      'Upload the certificates alone, or make it an identity.',
    );
  };
  bounded(content);
  const certificates: Uint8Array[] = [];
  const text = Buffer.from(content).toString('latin1');
  if (text.includes('-----BEGIN ')) {
    // Keys first: an old encrypted one is no base64.
    if (/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----/.test(text)) refuse();
    for (const { label, der } of readPem(text)) addCertificates(label, der, certificates);
  } else {
    const form = formOf(content);
    if (form === 'pkcs12' || form === 'pkcs8' || form === 'encrypted-key' || form === 'other') refuse();
    addCertificates(form === 'pkcs7' ? 'PKCS7' : 'CERTIFICATE', content, certificates);
  }
  if (certificates.length === 0) throw invalid('pki.file.empty', 'there is no certificate in the file');
  return unique(certificates).map((item) => ({ certificate: Uint8Array.from(item.der), kind: kindOf(item) }));
}

function addCertificates(label: string, der: Uint8Array, certificates: Uint8Array[]): void {
  if (label === 'CERTIFICATE' || label === 'X509 CERTIFICATE' || label === 'TRUSTED CERTIFICATE') {
    certificates.push(der);
  } else if (label === 'PKCS7' || label === 'CMS') {
    for (const item of parseSignedData(der, { maxCertificates }).certificates) certificates.push(item);
  }
  if (certificates.length > maxCertificates) {
    throw invalid('pki.file.invalid', `more than ${maxCertificates} certificates`);
  }
}

function unique(certificates: readonly Uint8Array[]): ParsedCertificate[] {
  const seen = new Map<string, ParsedCertificate>();
  for (const der of certificates) {
    const parsed = parseCertificate(der);
    if (!seen.has(parsed.fingerprint)) seen.set(parsed.fingerprint, parsed);
  }
  return [...seen.values()];
}

function kindOf(certificate: ParsedCertificate): CertificateKind {
  const constraints = extensionOf(certificate, oids.basicConstraints);
  const own = Buffer.compare(certificate.subjectDer, certificate.issuerDer) === 0;
  const selfSigned = own && isSignedBy(certificate, certificate, { allowSha1: true });
  // Version 1 roots have no extensions at all.
  if (constraints === undefined) return selfSigned && certificate.extensions.length === 0 ? 'root' : 'leaf';
  if (!readBasicConstraints(constraints).ca) return 'leaf';
  return selfSigned ? 'root' : 'intermediate';
}

/**
 * Puts an identity together from one file or several: a PKCS#12 file, a PEM bundle, or key, certificate and issuers apart.
 * For `openCa` (the "combined file" of an enterprise authority) as for identities that many devices share.
 *
 * @throws PkiError `pki.file.no_key`, `pki.file.many_keys`, `pki.file.no_certificate`, `pki.file.stranger` for a
 * certificate that is no issuer in the chain, `pki.pkcs12.*`, `pki.key.*`, `pki.der.*`, `pki.pem.*`.
 * @example
 * const ca = await openCa({ ...(await readIdentityFiles([{ content, password }])), clock: Date });
 */
export async function readIdentityFiles(files: readonly UploadedFile[]): Promise<FileIdentity> {
  const parts: Parts = { certificates: [], keys: [] };
  for (const file of files.slice(0, 17)) await readPart(file, parts);
  if (files.length > 16) throw invalid('pki.file.invalid', 'more than 16 files');
  const keys = new Map(parts.keys.map((der) => [Buffer.from(publicKeyOf(der)).toString('hex'), der]));
  if (keys.size > 1) throw invalid('pki.file.many_keys', `there are ${keys.size} private keys in the files`);
  const [found] = keys;
  if (!found) throw invalid('pki.file.no_key', 'there is no private key in the files');
  const [publicKey, privateKey] = found;
  const certificates = unique(parts.certificates);
  const own = certificates.find((item) => Buffer.from(item.spki).toString('hex') === publicKey);
  if (!own) throw invalid('pki.file.no_certificate', 'there is no certificate for the private key in the files');
  const chain: ParsedCertificate[] = [];
  for (let last = own; chain.length < certificates.length; ) {
    const issuer = certificates.find(
      (item) =>
        item !== own &&
        !chain.includes(item) &&
        Buffer.compare(item.subjectDer, last.issuerDer) === 0 &&
        isSignedBy(last, item, { allowSha1: true }),
    );
    if (!issuer) break;
    chain.push(issuer);
    last = issuer;
  }
  const stranger = certificates.find((item) => item !== own && !chain.includes(item));
  if (stranger) {
    throw invalid(
      'pki.file.stranger',
      'a certificate in the files is no issuer of the identity, or one between them is missing',
      'Upload the whole chain of this one identity.',
    );
  }
  return {
    certificate: Uint8Array.from(own.der),
    privateKey: Uint8Array.from(privateKey),
    chain: chain.map((item) => Uint8Array.from(item.der)),
  };
}

async function readPart({ content, password = '' }: UploadedFile, parts: Parts): Promise<void> {
  const text = Buffer.from(bounded(content)).toString('latin1');
  if (text.includes('-----BEGIN ')) {
    for (const { label, der } of readPem(text)) {
      if (keyLabel.test(label)) parts.keys.push(await readKey(label, der, password));
      else addCertificates(label, der, parts.certificates);
    }
    return;
  }
  const form = formOf(content);
  if (form === 'pkcs12') {
    const { privateKey, certificate, chain } = await readPkcs12(content, password);
    parts.keys.push(privateKey);
    parts.certificates.push(certificate, ...chain);
  } else if (form === 'pkcs8') parts.keys.push(await readKey('PRIVATE KEY', content, password));
  else if (form === 'encrypted-key') parts.keys.push(await readKey('ENCRYPTED PRIVATE KEY', content, password));
  else addCertificates(form === 'pkcs7' ? 'PKCS7' : 'CERTIFICATE', content, parts.certificates);
}

/** A private key in any of its forms, as PKCS#8. */
async function readKey(label: string, der: Uint8Array, password: string): Promise<Uint8Array> {
  if (label === 'ENCRYPTED PRIVATE KEY') {
    const reader = new DerReader(readRoot(der, SEQUENCE));
    const algorithm = reader.next(SEQUENCE);
    const plain = await pbeDecrypt(algorithm, password, reader.octets(), { left: 300_000 });
    return exportPrivateKey(importPrivateKey(Uint8Array.from(plain)));
  }
  const type = label === 'RSA PRIVATE KEY' ? 'pkcs1' : label === 'EC PRIVATE KEY' ? 'sec1' : 'pkcs8';
  if (type === 'pkcs8') return exportPrivateKey(importPrivateKey(der));
  try {
    const key = createPrivateKey({ key: Buffer.from(der), format: 'der', type });
    return exportPrivateKey(key);
  } catch {
    // The cause is dropped on purpose: nothing about a private key belongs into a log.
    throw invalid('pki.key.invalid', `the ${label} block holds no such key`);
  }
}
