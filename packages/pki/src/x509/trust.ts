// Trust in a certificate: the chain to an anchor (RFC 5280, 6, without policies and name constraints).
import { PkiError } from '../errors.ts';
import type { VerifyPolicy } from '../keys/algorithms.ts';
import { oids } from '../oids.ts';
import { parseCertificateCached } from './cache.ts';
import { extensionOf, isSignedBy, type ParsedCertificate } from './certificate.ts';
import { readBasicConstraints, readExtendedKeyUsage, readKeyUsage } from './extensions.ts';

/** What a certificate shall be good for. A dotted OID asks for that extended key usage. */
export type TrustPurpose = 'client-auth' | 'server-auth' | 'any' | (string & {});

/** How to judge a certificate. */
export interface TrustOptions extends VerifyPolicy {
  /** Certificates trusted as such, DER. */
  readonly anchors: readonly Uint8Array[];
  /** Certificates that may lie between, DER; not trusted by themselves. */
  readonly intermediates?: readonly Uint8Array[];
  /** Epoch milliseconds, or a Date. */
  readonly now: number | Date;
  /** Default `any`: extended key usage is not looked at. */
  readonly purpose?: TrustPurpose;
  /** How long after `notAfter` the leaf is still accepted (a renewal path only). Default 0. */
  readonly graceMs?: number;
  /**
   * `ignore` does not look at the dates of issuers, for authorities that ended long before the certificates they issue
   * (Apple's device authority). Default `check`.
   */
  readonly issuerDates?: 'check' | 'ignore';
  /** Critical extensions (OIDs) the caller understands besides the usual ones, e.g. Apple's own markers. */
  readonly criticalExtensions?: readonly string[];
}

const maxPath = 8;
const maxSignatureChecks = 64;

/** Extensions whose meaning is checked here or that cannot restrict what we rely on. */
const understood = new Set<string>([
  oids.basicConstraints,
  oids.keyUsage,
  oids.extendedKeyUsage,
  oids.subjectAltName,
  oids.issuerAltName,
  oids.certificatePolicies,
  oids.subjectKeyIdentifier,
  oids.authorityKeyIdentifier,
  oids.crlDistributionPoints,
  oids.authorityInfoAccess,
]);

const fail = (code: string, message: string): PkiError => new PkiError(code, message, { kind: 'unauthenticated' });

/**
 * Checks that a certificate chains to one of the anchors, that each certificate on the way is valid now, that issuers
 * are certificate authorities (basicConstraints, path length, keyCertSign), and the purpose. Revocation is separate.
 * An anchor given as the certificate itself is accepted (pinning).
 *
 * @returns the chain, leaf first, anchor last.
 * @throws PkiError kind `unauthenticated`: `pki.trust.unknown_issuer`, `.expired`, `.not_yet_valid`, `.bad_signature`,
 * `.not_a_ca`, `.path_length`, `.key_usage`, `.purpose`, `.critical_extension`, `.too_complex`.
 */
export function verifyTrust(certificate: Uint8Array, options: TrustOptions): Uint8Array[] {
  const now = Number(options.now);
  const anchors = options.anchors.map(parseCertificateCached);
  const intermediates = (options.intermediates ?? []).map(parseCertificateCached);
  const leaf = parseCertificateCached(certificate);
  checkValidity(leaf, now, options.graceMs ?? 0);
  checkCritical(leaf, options);
  checkPurpose(leaf, options.purpose ?? 'any');

  let checks = 0;
  let reason: PkiError | null = null;

  function search(path: ParsedCertificate[]): ParsedCertificate[] | null {
    const last = path.at(-1)!;
    if (anchors.some((anchor) => anchor.fingerprint === last.fingerprint)) return path;
    if (path.length >= maxPath) {
      reason ??= fail('pki.trust.too_complex', `a chain of more than ${maxPath} certificates`);
      return null;
    }
    for (const candidate of [...anchors, ...intermediates]) {
      if (Buffer.compare(candidate.subjectDer, last.issuerDer) !== 0) continue;
      if (path.some((seen) => seen.fingerprint === candidate.fingerprint)) continue;
      if (++checks > maxSignatureChecks) throw fail('pki.trust.too_complex', 'too many possible chains');
      const problem = issuerProblem(candidate, last, path, now, options);
      if (problem) {
        reason ??= problem;
        continue;
      }
      const found = search([...path, candidate]);
      if (found) return found;
    }
    return null;
  }

  const chain = search([leaf]);
  if (!chain) throw reason ?? fail('pki.trust.unknown_issuer', 'the certificate was not issued by a trusted authority');
  return chain.map((item) => Uint8Array.from(item.der));
}

function issuerProblem(
  issuer: ParsedCertificate,
  subject: ParsedCertificate,
  path: readonly ParsedCertificate[],
  now: number,
  policy: TrustOptions,
): PkiError | null {
  try {
    if (policy.issuerDates !== 'ignore') checkValidity(issuer, now, 0);
    checkCritical(issuer, policy);
    const constraints = extensionOf(issuer, oids.basicConstraints);
    const { ca, pathLength } = constraints ? readBasicConstraints(constraints) : { ca: false, pathLength: undefined };
    if (!ca) return fail('pki.trust.not_a_ca', 'the issuer is not a certificate authority');
    // Certificates between this issuer and the leaf, not counting self-issued ones.
    const below = path.slice(1).filter((item) => Buffer.compare(item.subjectDer, item.issuerDer) !== 0).length;
    if (pathLength !== undefined && below > pathLength) {
      return fail('pki.trust.path_length', 'the chain is longer than an authority in it allows');
    }
    const usage = extensionOf(issuer, oids.keyUsage);
    if (usage && !readKeyUsage(usage).includes('keyCertSign')) {
      return fail('pki.trust.key_usage', 'the issuer may not sign certificates');
    }
    if (!isSignedBy(subject, issuer, policy)) {
      return fail('pki.trust.bad_signature', 'the signature of the certificate is not by its issuer');
    }
    return null;
  } catch (error) {
    if (error instanceof PkiError) return error;
    throw error;
  }
}

function checkValidity(certificate: ParsedCertificate, now: number, graceMs: number): void {
  if (now < certificate.notBefore) throw fail('pki.trust.not_yet_valid', 'the certificate is not valid yet');
  if (!(now <= certificate.notAfter + graceMs)) throw fail('pki.trust.expired', 'the certificate has expired');
}

function checkCritical(certificate: ParsedCertificate, { criticalExtensions = [] }: TrustOptions): void {
  const unknown = certificate.extensions.find(
    (item) => item.critical && !understood.has(item.oid) && !criticalExtensions.includes(item.oid),
  );
  if (unknown) throw fail('pki.trust.critical_extension', `the critical extension ${unknown.oid} is not understood`);
}

function checkPurpose(certificate: ParsedCertificate, purpose: TrustPurpose): void {
  if (purpose === 'any') return;
  const wanted =
    purpose === 'client-auth' ? oids.clientAuth : purpose === 'server-auth' ? oids.serverAuth : (purpose as string);
  const extended = extensionOf(certificate, oids.extendedKeyUsage);
  if (extended) {
    const usages = readExtendedKeyUsage(extended);
    if (!usages.includes(wanted) && !usages.includes(oids.anyExtendedKeyUsage)) {
      throw fail('pki.trust.purpose', `the certificate is not for ${purpose}`);
    }
  }
  const usage = extensionOf(certificate, oids.keyUsage);
  if (usage && purpose === 'client-auth' && !readKeyUsage(usage).includes('digitalSignature')) {
    throw fail('pki.trust.purpose', 'the key of the certificate may not sign');
  }
}
