// Certificate revocation lists (RFC 5280, 5).
import { DAY_MS } from '../clock.ts';
import {
  bitStringOf,
  contentOf,
  DerReader,
  derError,
  encodingOf,
  integerOf,
  readRoot,
  smallIntOf,
} from '../der/reader.ts';
import { timeOfNode } from '../der/strings.ts';
import {
  BIT_STRING,
  BOOLEAN,
  context,
  ENUMERATED,
  GENERALIZED_TIME,
  INTEGER,
  OCTET_STRING,
  SEQUENCE,
  UTC_TIME,
} from '../der/tags.ts';
import { type Bytes, bitString, concat, explicit, integer, sequence, time, tlv } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import {
  defaultHash,
  type HashName,
  readSignatureAlgorithm,
  signatureIdentifier,
  type VerifyPolicy,
  verifySignature,
} from '../keys/algorithms.ts';
import { keyIdentifier, readPublicKey } from '../keys/keys.ts';
import type { Signer } from '../keys/signer.ts';
import { oids } from '../oids.ts';
import { extensionOf, parseCertificate, serialHex } from '../x509/certificate.ts';
import {
  authorityKeyIdentifier,
  decodeExtensions,
  encodeExtension,
  readKeyUsage,
  readSubjectKeyIdentifier,
} from '../x509/extensions.ts';
import { type RevocationReason, reasonCodes, reasonOf, serialBytes } from './reasons.ts';

/** A revoked certificate. */
export interface RevokedCertificate {
  /** Hex, as `readCertificate` gives it. */
  readonly serialNumber: string;
  readonly revokedAt: Date | number;
  /** Default `unspecified`, which is left out of the list. */
  readonly reason?: RevocationReason;
  /** When the certificate ends by itself; only entries with it are ever pruned. */
  readonly notAfter?: Date | number;
}

/** What {@link createCrl} needs. */
export interface CreateCrlOptions {
  /** Certificate of the authority, DER. */
  readonly certificate: Uint8Array;
  readonly signer: Signer;
  /** Larger with each list. */
  readonly crlNumber: number;
  readonly now: Date | number;
  /** nextUpdate - thisUpdate. Default 168 hours. */
  readonly lifetimeMs?: number;
  readonly revoked: Iterable<RevokedCertificate>;
  readonly hash?: Exclude<HashName, 'sha1'>;
}

/**
 * Entries that must stay on the list: an entry goes only when its certificate has expired and it was revoked more than
 * `days` ago, so that no revoked certificate becomes good again.
 */
export function pruneRevoked(
  revoked: Iterable<RevokedCertificate>,
  now: Date | number,
  days = 365,
): RevokedCertificate[] {
  const at = Number(now);
  return [...revoked].filter(
    ({ revokedAt, notAfter }) =>
      notAfter === undefined || Number(notAfter) >= at || Number(revokedAt) >= at - days * DAY_MS,
  );
}

/** Makes and signs a CRL, DER. Serve it as `application/pkix-crl`. */
export async function createCrl(options: CreateCrlOptions): Promise<Bytes> {
  const { signer, lifetimeMs = 168 * 3_600_000 } = options;
  const issuer = parseCertificate(options.certificate);
  if (Buffer.compare(issuer.spki, Buffer.from(signer.publicKey)) !== 0) {
    throw new PkiError('pki.ca.key_mismatch', 'the signer is not the key of the authority');
  }
  const usage = extensionOf(issuer, oids.keyUsage);
  if (usage && !readKeyUsage(usage).includes('cRLSign')) {
    throw new PkiError('pki.crl.key_usage', 'the certificate of the authority may not sign CRLs');
  }
  if (!Number.isSafeInteger(options.crlNumber) || options.crlNumber < 0) {
    throw new PkiError('pki.crl.number', 'the number of a CRL is a whole number from 0');
  }
  const now = Math.floor(Number(options.now) / 1000) * 1000;
  const hash = options.hash ?? defaultHash(readPublicKey(signer.publicKey));
  const algorithm = signatureIdentifier(readPublicKey(signer.publicKey).type, hash);
  const skid = extensionOf(issuer, oids.subjectKeyIdentifier);
  const keyId = skid ? readSubjectKeyIdentifier(skid) : keyIdentifier(issuer.spki);
  const entries = [...options.revoked].map(encodeEntry);
  const tbs = sequence(
    integer(1),
    algorithm,
    issuer.subjectDer,
    time(now),
    time(now + lifetimeMs),
    // An empty list must be left out altogether.
    ...(entries.length > 0 ? [sequence(concat(entries))] : []),
    explicit(
      0,
      sequence(
        encodeExtension(authorityKeyIdentifier(keyId)),
        encodeExtension({ oid: oids.crlNumber, critical: false, value: integer(options.crlNumber) }),
      ),
    ),
  );
  return sequence(tbs, algorithm, bitString(await signer.sign(tbs, hash)));
}

function encodeEntry({ serialNumber, revokedAt, reason = 'unspecified' }: RevokedCertificate): Bytes {
  if (!Object.hasOwn(reasonCodes, reason)) throw new PkiError('pki.crl.reason', 'an unknown reason for revocation');
  const value = tlv(ENUMERATED, Uint8Array.of(reasonCodes[reason]));
  return sequence(
    integer(serialBytes(serialNumber)),
    time(Number(revokedAt)),
    ...(reason === 'unspecified' ? [] : [sequence(encodeExtension({ oid: oids.crlReason, critical: false, value }))]),
  );
}

/** A parsed CRL whose signature was checked. */
export interface CertificateRevocationList {
  readonly thisUpdate: Date;
  readonly nextUpdate: Date | undefined;
  readonly crlNumber: number | undefined;
  /** By serial number in lower-case hex. */
  readonly revoked: ReadonlyMap<string, { readonly revokedAt: Date; readonly reason: RevocationReason }>;
}

const maxCrlBytes = 64 * 1024 * 1024;
const maxEntries = 1_000_000;

/**
 * Reads a CRL and checks that `issuer` signed it. Whether it is current is for the caller (`nextUpdate`).
 *
 * @throws PkiError `pki.crl.bad_signature`, `pki.crl.wrong_issuer`, `pki.crl.unsupported` (delta and partial lists),
 * `pki.crl.too_large`, `pki.der.*`.
 */
export function readCrl(crl: Uint8Array, issuer: Uint8Array, policy: VerifyPolicy = {}): CertificateRevocationList {
  if (!(crl instanceof Uint8Array)) throw new PkiError('pki.crl.invalid', 'a CRL is given as bytes');
  if (crl.length > maxCrlBytes) {
    throw new PkiError('pki.crl.too_large', `a CRL of more than ${maxCrlBytes} bytes`, { kind: 'too-large' });
  }
  const authority = parseCertificate(issuer);
  const outer = new DerReader(readRoot(crl, SEQUENCE));
  const tbsNode = outer.next(SEQUENCE);
  const algorithm = readSignatureAlgorithm(outer.next(SEQUENCE));
  const signature = bitStringOf(outer.next(BIT_STRING));
  outer.finish();
  const tbs = new DerReader(tbsNode);
  if (tbs.peek() === INTEGER) tbs.smallInt();
  tbs.next(SEQUENCE);
  if (Buffer.compare(encodingOf(tbs.next(SEQUENCE)), authority.subjectDer) !== 0) {
    throw new PkiError('pki.crl.wrong_issuer', 'the CRL is of another issuer', { kind: 'unauthenticated' });
  }
  if (!verifySignature(algorithm, authority.key(), encodingOf(tbsNode), signature, policy)) {
    throw new PkiError('pki.crl.bad_signature', 'the signature of the CRL is wrong', { kind: 'unauthenticated' });
  }
  const thisUpdate = new Date(timeOfNode(tbs.next()));
  const hasNext = tbs.peek() === UTC_TIME || tbs.peek() === GENERALIZED_TIME;
  const nextUpdate = hasNext ? new Date(timeOfNode(tbs.next())) : undefined;
  const revoked = new Map<string, { revokedAt: Date; reason: RevocationReason }>();
  const list = tbs.optional(SEQUENCE);
  if (list) for (const node of new DerReader(list).rest(maxEntries)) readEntry(new DerReader(node), revoked);
  let crlNumber: number | undefined;
  const box = tbs.optional(context(0));
  if (box) {
    for (const extension of decodeExtensions(new DerReader(box).next(SEQUENCE))) {
      if (extension.oid === oids.crlNumber) crlNumber = numberOf(extension.value);
      else if (extension.critical) {
        // Delta lists and lists for some reasons or scopes only say so in critical extensions.
        throw new PkiError('pki.crl.unsupported', `the critical CRL extension ${extension.oid} is not supported`);
      }
    }
  }
  tbs.finish();
  return { thisUpdate, nextUpdate, crlNumber, revoked };
}

function readEntry(entry: DerReader, revoked: Map<string, { revokedAt: Date; reason: RevocationReason }>): void {
  const serial = serialHex(integerOf(entry.next(INTEGER)));
  const revokedAt = new Date(timeOfNode(entry.next()));
  let reason: RevocationReason = 'unspecified';
  const extensions = entry.optional(SEQUENCE);
  if (extensions) {
    for (const node of new DerReader(extensions).rest(20)) {
      const extension = new DerReader(node);
      const id = extension.oid();
      const critical = extension.optional(BOOLEAN) !== null;
      const value = contentOf(extension.next(OCTET_STRING));
      if (id === oids.crlReason) reason = reasonOf(smallIntOf(readRoot(value, ENUMERATED)));
      else if (critical) throw derError(`the critical entry extension ${id} is not supported`, node.start);
    }
  }
  entry.finish();
  revoked.set(serial, { revokedAt, reason });
}

/** A CRL number that fits a number; larger ones (up to 160 bits are allowed) are not given. */
function numberOf(value: Uint8Array): number | undefined {
  const content = integerOf(readRoot(value, INTEGER));
  return content.length > 6 ? undefined : Number.parseInt(Buffer.from(content).toString('hex'), 16);
}
