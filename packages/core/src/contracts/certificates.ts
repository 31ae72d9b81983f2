// Contract: the register of issued certificates, SCEP challenges and SCEP transactions.
import type { RevocationReason } from '@espalier/pki';
import type { Page } from '../api/common.ts';
import type { AttestationRecord, CertificateState, IssuedCertificate } from '../api/records.ts';
import type { NewEvent, StorePage } from './shared.ts';

/** The setting in which a store counts revocations: a whole number, as text; absent is none. */
export const REVOCATIONS_SETTING = 'core.revocations';

/** A certificate as it enters the register (status `issued`). */
export interface NewCertificate {
  readonly fingerprint: string;
  readonly serialNumber: string;
  readonly subject: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly authorityKeyId: string | null;
  readonly certificate: Uint8Array;
  readonly invitationId: string | null;
  /** The enrolment that it is issued to: a renewal. `null`: whoever enrols with it. */
  readonly enrolmentId: string | null;
  readonly attestation: AttestationRecord | null;
  /** When it was handed over: at once to a device that asked for it; `null` for one that was made ahead (CERT-21). */
  readonly deliveredAt: number | null;
  /** The credential that it was made for: such a certificate enrols nobody. */
  readonly credentialId: string | null;
  /** The enrolment of the device that has it, where it is no identity of the enrolment itself. */
  readonly deviceId: string | null;
}

/** A certificate in the register. */
export type CertificateRecord = IssuedCertificate & { readonly invitationId: string | null };

/** A challenge as the store keeps it: never the challenge itself, only its keyed hash. */
export interface ChallengeRecord {
  /** HMAC of the challenge, lower-case hex. */
  readonly hash: string;
  readonly invitationId: string | null;
  /** The enrolment that may renew its certificate with it. */
  readonly enrolmentId: string | null;
  readonly subject: string | null;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Which certificates are listed; the conditions hold together. */
export interface CertificateFilter {
  readonly enrolmentId?: string;
  /** Those that a device has for its configurations and credentials. */
  readonly deviceId?: string;
  readonly credentialId?: string;
  /** As they are stored, so never `expiring`. */
  readonly statuses?: readonly CertificateState[];
  /**
   * Of those that are `in-force`: only identities of enrolments that end by `at` + the window (never more than three quarters of
   * their lifetime), or (`are` false) only the others. Nothing is said of the rest.
   */
  readonly expiring?: { readonly are: boolean; readonly at: number; readonly windowMs: number };
  /** Those that end before, and not before, this time. */
  readonly expiresBefore?: number;
  readonly expiresFrom?: number;
}

/** A certificate to be renewed. */
export interface DueRenewal {
  readonly fingerprint: string;
  readonly enrolmentId: string;
  readonly notAfter: number;
}

/** A certificate to be renewed that a device has for one of its configurations. */
export interface DueOnDevice {
  readonly fingerprint: string;
  readonly deviceId: string;
  readonly notAfter: number;
}

/** The certificate register. */
export interface CertificateStore {
  addChallenge(challenge: ChallengeRecord): Promise<void>;
  /** `null` when unknown, used, or expired by `at`. */
  findChallenge(hash: string, at: number): Promise<ChallengeRecord | null>;
  /** The certificate issued earlier in this transaction for this key. */
  findTransaction(transactionId: string, publicKeyHash: string): Promise<Uint8Array | null>;
  /**
   * Uses up the challenge, registers the certificate and remembers the transaction; all or nothing. The same
   * transaction and key again: `replayed` with the certificate issued then, nothing changed. A challenge that is unknown, used or expired:
   * `challenge-used`, nothing changed. `event` is appended when issued, and the request that waited for it is removed.
   */
  commitScep(input: {
    /** `null` where none was needed (a renewal). */
    readonly challengeHash: string | null;
    readonly transactionId: string;
    readonly publicKeyHash: string;
    readonly certificate: NewCertificate;
    /** Which request of the store of waiting requests this settles. */
    readonly waited?: { readonly transactionId: string; readonly publicKeyHash: string };
    readonly at: number;
    readonly event: NewEvent;
  }): Promise<
    | { readonly outcome: 'issued'; readonly certificate: Uint8Array }
    | { readonly outcome: 'replayed'; readonly certificate: Uint8Array }
    | { readonly outcome: 'challenge-used' }
  >;
  /** Registers a certificate that came another way than SCEP; a fingerprint that is there already stays as it is. */
  register(certificate: NewCertificate, event: NewEvent): Promise<void>;
  get(fingerprint: string): Promise<CertificateRecord | null>;
  /** By serial number; of several (different authorities) the newest, and with `authorityKeyId` only that one's. */
  findBySerial(serialNumber: string, authorityKeyId?: string): Promise<CertificateRecord | null>;
  /** Newest first. */
  list(filter: CertificateFilter, page: StorePage): Promise<Page<IssuedCertificate>>;
  /** How many certificates of each authority are `issued` or `in-force` and end after `at`; in no order. */
  inUse(at: number): Promise<readonly { readonly authorityKeyId: string | null; readonly count: number }[]>;
  /**
   * Revokes, takes the pin of whichever enrolment has this certificate off it, so that it opens nothing from now on,
   * and counts the setting {@link REVOCATIONS_SETTING} up by one; all or nothing. A credential that it was made for becomes
   * `revoked`, and its key is deleted (by `revoked`). `event` is appended. One that was revoked before stays as it is.
   */
  revoke(input: {
    readonly fingerprint: string;
    readonly reason: RevocationReason;
    readonly at: number;
    /** When its issuer is to be told; absent: never. */
    readonly tellAt?: number;
    readonly event: NewEvent;
  }): Promise<'revoked' | 'already-revoked' | 'unknown'>;
  /** Up to `limit` fingerprints of revoked certificates whose issuer is to be told by `at`, those that wait longest first. */
  untold(input: { readonly at: number; readonly limit: number }): Promise<readonly string[]>;
  /**
   * Sets when the issuer is to be told of a revocation next (`null`: not any more), and appends the event. False (nothing changed)
   * when it is not to be told any more.
   */
  told(input: {
    readonly fingerprint: string;
    readonly tellAt: number | null;
    readonly event: NewEvent | null;
  }): Promise<boolean>;
  /**
   * Certificates that are `in-force` or `expired`, which an active enrolment is pinned to, that end by
   * `at + min(windowMs, three quarters of their lifetime)` and after `endsAfter`, and whose renewal was not begun
   * after `retryBefore`; those that end first come first.
   */
  dueForRenewal(input: {
    readonly at: number;
    readonly windowMs: number;
    readonly endsAfter: number;
    readonly retryBefore: number;
    readonly limit: number;
  }): Promise<readonly DueRenewal[]>;
  /**
   * Device channels, `pending` or `active`, that are pinned to a certificate of the register that ended before `before` and
   * is not revoked, and that have no `issued` one of their own that ends after `at`; those that ended first come first.
   */
  lapsed(input: {
    readonly before: number;
    readonly at: number;
    readonly limit: number;
  }): Promise<readonly DueRenewal[]>;
  /**
   * Certificates of one `credentialId` that are `in-force` or `expired`, on devices whose enrolment is active and in no phase (a
   * device that is lost, or about to be wiped or retired, is not asked), that end by
   * `at + min(windowMs, three quarters of their lifetime)` and after `endsAfter`, and whose renewal was not begun after
   * `retryBefore`; those that end first come first.
   */
  dueOnDevices(input: {
    readonly credentialId: string;
    readonly at: number;
    readonly windowMs: number;
    readonly endsAfter: number;
    readonly retryBefore: number;
    readonly limit: number;
  }): Promise<readonly DueOnDevice[]>;
  /**
   * Settles what a device has of one `credentialId`. `installed`: of its certificates that are not revoked the newest one becomes
   * `in-force`, if it is `issued`, and those before it become `superseded`; else all of them do.
   */
  settleOnDevice(input: {
    readonly deviceId: string;
    readonly credentialId: string;
    readonly installed: boolean;
  }): Promise<void>;
  /** Notes when the renewal of a certificate was begun, and appends the event. */
  renewalBegun(fingerprint: string, at: number, event: NewEvent): Promise<void>;
  /**
   * Turns up to `limit` `issued` and `in-force` ones that ended by `at` into `expired`, with a `certificate.expired`
   * event each (data `{ fingerprint, serialNumber }`). Returns how many.
   */
  expire(input: { readonly at: number; readonly limit: number }): Promise<number>;
  /**
   * Deletes up to `limit` certificates that ended before `before` and, if they were revoked, that too; with each what led
   * to it (SCEP transactions, ACME orders, authorizations and client identifiers). Returns how many.
   */
  purge(input: { readonly before: number; readonly limit: number }): Promise<number>;
  /** Deletes up to `limit` challenges that expired before `before`. Returns how many. */
  prune(input: { readonly before: number; readonly limit: number }): Promise<number>;
}
