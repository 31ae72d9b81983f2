// The contracts around the SCEP server.
import type { Certificate } from '../x509/certificate.ts';
import type { CertificateRequest } from '../x509/csr.ts';
import type { AlternativeName } from '../x509/general-name.ts';
import type { NameInput } from '../x509/name.ts';
import type { ScepFailInfo } from './message.ts';

/** What a requester may get. */
export interface ScepGrant {
  /** Overrides the subject of the CSR. */
  readonly subject?: NameInput;
  /** Alternative names of the certificate; those in the CSR are ignored unless the server allows them. */
  readonly sans?: readonly AlternativeName[];
  readonly validityDays?: number;
  /** Opaque: which invitation to enrol this belongs to. Handed back in `commit` and in events. */
  readonly reference: string;
}

/** An issued certificate to be recorded. */
export interface ScepCommit {
  /** The challenge that paid for it; null where none was needed (renewal, other authorisation). */
  readonly challenge: string | null;
  /** The transaction's key, as given to `findTransaction`: the client's transactionID with marks of the server's own. */
  readonly transactionId: string;
  /** Lower-case hex SHA-256 of the SubjectPublicKeyInfo (of a registration authority's, where that one asked). */
  readonly publicKeyHash: string;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly grant: ScepGrant;
  /** For a renewal: the certificate that is replaced, DER. */
  readonly renews?: Uint8Array;
  /** Names the request that waited, if one did, as `hold` was given it; the commit ends its waiting. */
  readonly waited?: Pick<ScepPending, 'transactionId' | 'publicKeyHash'>;
}

/** What became of a commit. */
export type ScepCommitOutcome =
  | { readonly outcome: 'issued' | 'replayed'; readonly certificate: Uint8Array }
  | { readonly outcome: 'challenge-used' };

/** A request that waits for a person, or for an authority behind this server. */
export interface ScepPending {
  readonly transactionId: string;
  readonly publicKeyHash: string;
  /** PKCS#10, DER. It may hold a challenge password. */
  readonly csr: Uint8Array;
  /** Decided already, and waiting for the authority only. Absent: `pending`. */
  readonly decision?: ScepDecision;
  /** The challenge in the CSR pays for the certificate, and is used up by its commit. */
  readonly paidByChallenge?: boolean;
  /** For a renewal: the certificate that is replaced, DER. The public key is then that one's. */
  readonly renews?: Uint8Array;
}

/** Where the SCEP server keeps its transactions and challenges. */
export interface ScepStore {
  /** The certificate issued before in this transaction for this key. */
  findTransaction(transactionId: string, publicKeyHash: string): Promise<Uint8Array | null>;
  /** The grant behind a challenge, which is not consumed; null when it is unknown, expired or used. */
  findChallenge(challenge: string): Promise<ScepGrant | null>;
  /**
   * Records an issued certificate and uses up the challenge, atomically. If this transaction already has a certificate
   * for this key, that one is returned (`replayed`); if the challenge went to another request, `challenge-used`.
   */
  commit(entry: ScepCommit): Promise<ScepCommitOutcome>;
  /**
   * Keeps a request that waits; one that is there already stays. Needed only when `authorise` or `approve` answers
   * `pending`, or the authority `pki.ca.pending`.
   */
  hold?(request: ScepPending): Promise<void>;
  /** A waiting request and what was decided; null when there is none. Needed for CertPoll. */
  findPending?(
    transactionId: string,
    publicKeyHash: string,
  ): Promise<{
    readonly csr: Uint8Array;
    readonly decision: ScepDecision;
    readonly paidByChallenge?: boolean;
    readonly renews?: Uint8Array;
  } | null>;
  /**
   * An issued certificate by its serial number (lower-case hex), of the authority with this key identifier (lower-case hex)
   * where the store knows which that was. Needed for GetCert.
   */
  findCertificate?(serialNumber: string, authorityKeyId?: string): Promise<Uint8Array | null>;
}

/** The answer to a request. */
export type ScepDecision =
  | { readonly decision: 'issue'; readonly grant: ScepGrant }
  | { readonly decision: 'pending' }
  | { readonly decision: 'refuse'; readonly reason?: string };

/** A request whose signature and key possession were checked. */
export interface ScepRequest {
  readonly transactionId: string;
  readonly csr: CertificateRequest;
}

/** A request for a first certificate, and what its challenge is good for. */
export interface ScepApplication extends ScepRequest {
  /** The grant behind the challenge of the CSR; null when it has no challenge. */
  readonly grant: ScepGrant | null;
}

/** A request that a registration authority sends for somebody else: the key in the CSR is not the one that signed. */
export interface ScepRegistrarRequest extends ScepRequest {
  /** The registration authority's certificate: one of those that were configured. */
  readonly registrar: Certificate;
}

/** A renewal signed with a certificate of this authority. */
export interface ScepRenewal extends ScepRequest {
  readonly certificate: Certificate;
}

/** A certificate about to be issued. */
export interface ScepIssuance extends ScepRequest {
  readonly grant: ScepGrant;
  /** For a renewal: the certificate that is replaced. */
  readonly renews?: Certificate;
}

/** What happened, for logs and audit. Holds no secret. */
export interface ScepEvent {
  readonly type: 'issued' | 'replayed' | 'pending' | 'refused' | 'malformed' | 'error';
  readonly code?: string;
  readonly message?: string;
  readonly failInfo?: ScepFailInfo;
  readonly transactionId?: string;
  readonly publicKeyHash?: string;
  readonly serialNumber?: string;
  readonly reference?: string;
  /** For `error`: what was thrown by the store or the signer. */
  readonly error?: unknown;
}
