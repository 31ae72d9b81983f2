// Contract: the register of issued certificates, SCEP challenges and SCEP transactions.
import type { Page } from '../api/common.ts';
import type { IssuedCertificate } from '../api/records.ts';
import type { NewEvent, StorePage } from './shared.ts';

/** A certificate as it enters the register (status `issued`). */
export interface NewCertificate {
  readonly fingerprint: string;
  readonly serialNumber: string;
  readonly subject: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly certificate: Uint8Array;
  readonly invitationId: string | null;
}

/** A challenge as the store keeps it: never the challenge itself, only its keyed hash. */
export interface ChallengeRecord {
  /** HMAC of the challenge, lower-case hex. */
  readonly hash: string;
  readonly invitationId: string | null;
  readonly subject: string | null;
  readonly createdAt: number;
  readonly expiresAt: number;
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
   * `challenge-used`, nothing changed. `event` is appended when issued.
   */
  commitScep(input: {
    /** `null` where none was needed (a renewal). */
    readonly challengeHash: string | null;
    readonly transactionId: string;
    readonly publicKeyHash: string;
    readonly certificate: NewCertificate;
    readonly at: number;
    readonly event: NewEvent;
  }): Promise<
    | { readonly outcome: 'issued'; readonly certificate: Uint8Array }
    | { readonly outcome: 'replayed'; readonly certificate: Uint8Array }
    | { readonly outcome: 'challenge-used' }
  >;
  /** Registers a certificate that came another way than SCEP; a fingerprint that is there already stays as it is. */
  register(certificate: NewCertificate, event: NewEvent): Promise<void>;
  get(fingerprint: string): Promise<(IssuedCertificate & { readonly invitationId: string | null }) | null>;
  /** Newest first. */
  list(filter: { readonly enrolmentId?: string }, page: StorePage): Promise<Page<IssuedCertificate>>;
  /** Revokes; false when there is no such certificate. Idempotent. */
  revoke(fingerprint: string): Promise<boolean>;
  /** Deletes up to `limit` challenges that expired before `before`. Returns how many. */
  prune(input: { readonly before: number; readonly limit: number }): Promise<number>;
}
