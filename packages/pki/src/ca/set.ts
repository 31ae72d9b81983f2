// Rollover: the authority that issues now, the one that follows, and earlier ones that stay trusted.
import { type Clock, DAY_MS, timeOf } from '../clock.ts';
import { PkiError } from '../errors.ts';
import { fingerprintSha256, type ParsedCertificate, parseCertificate } from '../x509/certificate.ts';
import { type TrustOptions, verifyTrust } from '../x509/trust.ts';
import type { CertificateAuthority } from './authority.ts';
import { delegateTo } from './delegate.ts';

/** An authority that only its certificate is needed of. */
export interface CaCertificate {
  /** DER. */
  readonly certificate: Uint8Array;
  /** Its issuers, nearest first. */
  readonly chain?: readonly Uint8Array[];
}

/** The place of an authority in its set. */
export type CaRole = 'current' | 'next' | 'earlier';

/** What {@link createCaSet} needs. */
export interface CaSetOptions {
  /** The authority that issues. */
  readonly current: CertificateAuthority;
  /** The one that follows: announced (GetNextCACert) and trusted already. */
  readonly next?: CaCertificate;
  /** Those before it, whose certificates are still in use. */
  readonly earlier?: readonly CaCertificate[];
  readonly clock: Clock;
}

/** A set of authorities that acts as its current one. */
export interface CaSet extends CertificateAuthority {
  /** Certificates that are trusted: of the current, the earlier and the next authority, DER. */
  readonly anchors: readonly Uint8Array[];
  /** Options of `createScepServer` and its `renewal` that belong together: spread them. */
  readonly scep: {
    readonly ca: CertificateAuthority;
    readonly nextCa?: CaCertificate;
    readonly previousCas: readonly Uint8Array[];
    readonly earlier: readonly CaCertificate[];
  };
  /**
   * Verifies a certificate against each authority of the set.
   *
   * @throws PkiError as `verifyTrust`.
   */
  verify(
    certificate: Uint8Array,
    options?: Pick<TrustOptions, 'purpose' | 'graceMs' | 'allowSha1'>,
  ): { readonly role: CaRole; readonly issuer: Uint8Array; readonly chain: readonly Uint8Array[] };
}

/**
 * Makes a set of authorities. New certificates come from the current one; certificates of all of them are believed, so
 * that no device has to enrol again when the authority changes. Authorities may share one name: signatures tell them
 * apart.
 *
 * @throws PkiError `pki.ca.set` when an authority is in the set twice.
 * @example
 * const set = createCaSet({ current, next, earlier: [old], clock: Date });
 * const { ca, nextCa, previousCas } = set.scep;
 * const scep = createScepServer({ ca, ...(nextCa ? { nextCa } : {}), renewal: { authorise, previousCas }, store, clock: Date });
 */
export function createCaSet(options: CaSetOptions): CaSet {
  const { current, next, earlier = [], clock } = options;
  const members: readonly { readonly role: CaRole; readonly certificate: Uint8Array }[] = [
    { role: 'current', certificate: current.certificate },
    ...earlier.map(({ certificate }) => ({ role: 'earlier' as const, certificate })),
    ...(next ? [{ role: 'next' as const, certificate: next.certificate }] : []),
  ];
  const byFingerprint = new Map(members.map((member) => [fingerprintSha256(member.certificate), member]));
  if (byFingerprint.size !== members.length) throw new PkiError('pki.ca.set', 'an authority is in the set twice');
  const anchors = members.map(({ certificate }) => Uint8Array.from(certificate));
  return {
    ...delegateTo(current),
    anchors,
    scep: {
      ca: current,
      ...(next ? { nextCa: next } : {}),
      previousCas: earlier.map(({ certificate }) => certificate),
      earlier,
    },
    verify(certificate, trust = {}) {
      const chain = verifyTrust(certificate, { ...trust, anchors, now: timeOf(clock) });
      const issuer = chain.at(-1)!;
      const member = byFingerprint.get(fingerprintSha256(issuer))!;
      return { role: member.role, issuer, chain };
    },
  };
}

/** When an authority is to be followed by another. */
export interface RolloverPolicy {
  /** Validity of the certificates it issues: while less of its own is left, they would be cut short. Default 365. */
  readonly leafDays?: number;
  /** How long the next authority is announced before it takes over. Default 90. */
  readonly noticeDays?: number;
}

/** What is to be done about an authority's end. */
export interface RolloverPlan {
  /** `none` yet; `prepare` the next one; `promote` it, or it should have been. */
  readonly action: 'none' | 'prepare' | 'promote';
  /** Epoch milliseconds. */
  readonly prepareAt: number;
  readonly promoteAt: number;
  readonly endsAt: number;
}

/**
 * Tells from an authority's certificate when the next one should be made and announced, and when it should take over.
 *
 * @param now epoch milliseconds.
 */
export function rolloverPlan(certificate: Uint8Array, now: number, policy: RolloverPolicy = {}): RolloverPlan {
  const { leafDays = 365, noticeDays = 90 } = policy;
  const { notBefore, notAfter }: ParsedCertificate = parseCertificate(certificate);
  const promoteAt = Math.max(notBefore, notAfter - leafDays * DAY_MS);
  const prepareAt = Math.max(notBefore, promoteAt - noticeDays * DAY_MS);
  const action = now >= promoteAt ? 'promote' : now >= prepareAt ? 'prepare' : 'none';
  return { action, prepareAt, promoteAt, endsAt: notAfter };
}

/**
 * Earlier authorities that may leave the set: their certificate has ended (with the grace that renewals get), or nobody
 * holds a certificate of theirs any more.
 *
 * @param inUse how many live certificates an authority has issued, by its certificate's fingerprint.
 */
export function retirableCas<T extends CaCertificate>(
  earlier: readonly T[],
  options: { readonly now: number; readonly graceDays?: number; readonly inUse: (fingerprint: string) => number },
): T[] {
  const { now, graceDays = 30, inUse } = options;
  return earlier.filter(({ certificate }) => {
    const { notAfter, fingerprint } = parseCertificate(certificate);
    return notAfter + graceDays * DAY_MS < now || inUse(fingerprint) === 0;
  });
}
