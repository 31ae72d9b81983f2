// The contracts around the ACME server: what it stores, asks and tells.
import type { RevocationReason } from '../revocation/reasons.ts';
import type { CertificateRequest } from '../x509/csr.ts';
import type { AlternativeName } from '../x509/general-name.ts';
import type { NameInput } from '../x509/name.ts';
import type { AppleAttestation, AppleAttestedProperties } from './attestation.ts';
import type { AcmeJwk } from './jwk.ts';
import type { AcmeProblem } from './problem.ts';

/** An identifier of an order: `permanent-identifier`, `hardware-module`, or a type that a challenge policy knows. */
export interface AcmeIdentifier {
  readonly type: string;
  readonly value: string;
}

/** What is known of the device that an identifier was made for. */
export interface AcmeDeviceFacts {
  readonly serialNumber?: string;
  /** As attested: on a Mac the provisioning UDID. */
  readonly udid?: string;
}

/** What the bearer of an identifier may get. */
export interface AcmeGrant {
  /** Opaque: which enrolment the identifier belongs to. Handed back in `commit` and in events. */
  readonly reference: string;
  /** Overrides the subject of the CSR. */
  readonly subject?: NameInput;
  /** Alternative names of the certificate; those in the CSR are not taken over. */
  readonly sans?: readonly AlternativeName[];
  readonly validityDays?: number;
  /** The attestation must name this device. Leave it out where Apple attests no identifiers (user enrolments). */
  readonly device?: AcmeDeviceFacts;
  /** The identifier is no random `ClientIdentifier`, but itself the attested serial number or UDID. */
  readonly identifierIs?: 'serial-number' | 'udid';
}

/** An account. */
export interface AcmeAccount {
  readonly id: string;
  readonly jwk: AcmeJwk;
  /** RFC 7638, base64url: finds the account by its key. Unique among all accounts. */
  readonly thumbprint: string;
  readonly status: 'valid' | 'deactivated' | 'revoked';
  readonly contact: readonly string[];
  readonly termsOfServiceAgreed: boolean;
  /** The key identifier of the external account it is bound to. */
  readonly externalAccount?: string;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

/** One challenge of an authorization. */
export interface AcmeChallenge {
  readonly id: string;
  readonly type: string;
  readonly token: string;
}

/** What was found out about an authorization. */
export interface AcmeSettlement {
  readonly status: 'valid' | 'invalid';
  /** Which challenge was answered. */
  readonly challengeId: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly error?: AcmeProblem;
  /** The attestation: its certificates (leaf first, DER), the hash of the key it binds, and what it says of the device. Absent without one. */
  readonly attestation?: {
    readonly chain: readonly Uint8Array[];
    readonly publicKeyHash: string;
    readonly properties: AppleAttestedProperties;
  };
}

/** Leave to name one identifier in a certificate. */
export interface AcmeAuthorization {
  readonly id: string;
  readonly orderId: string;
  readonly accountId: string;
  readonly identifier: AcmeIdentifier;
  readonly challenges: readonly AcmeChallenge[];
  /** Epoch milliseconds. */
  readonly expires: number;
  readonly deactivated: boolean;
  readonly settlement: AcmeSettlement | null;
}

/** An order. Whether it is ready follows from its authorizations. */
export interface AcmeOrder {
  readonly id: string;
  readonly accountId: string;
  readonly identifiers: readonly AcmeIdentifier[];
  readonly authorizations: readonly string[];
  /** Epoch milliseconds. */
  readonly expires: number;
  /** Set by `commit`: the certificate's id, and the hash of its key. */
  readonly certificateId: string | null;
  readonly publicKeyHash: string | null;
  /** Set by `holdOrder`: the request (PKCS#10, DER) that waits for the authority. */
  readonly heldCsr?: Uint8Array;
}

/** An issued certificate to be recorded. */
export interface AcmeCommit {
  readonly orderId: string;
  readonly accountId: string;
  /** Identifiers that are used up by it; empty where identifiers may be used again (test policies). */
  readonly consumes: readonly AcmeIdentifier[];
  /** Lower-case hex SHA-256 of the SubjectPublicKeyInfo. */
  readonly publicKeyHash: string;
  /** Lower-case hex SHA-256 of the certificate. */
  readonly certificateId: string;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly grant: AcmeGrant;
  /** What was attested of the device; absent where nothing was. */
  readonly attestation?: NonNullable<AcmeSettlement['attestation']>;
  /** When the attestation was verified (epoch milliseconds). */
  readonly attestedAt?: number;
}

/** What became of a commit. `replayed`: there was a certificate already, and here it is. */
export type AcmeCommitOutcome =
  | { readonly outcome: 'issued' | 'replayed'; readonly certificateId: string; readonly certificate: Uint8Array }
  | { readonly outcome: 'identifier-used' }
  | { readonly outcome: 'order-used' };

/** A recorded certificate. */
export interface AcmeCertificate {
  readonly id: string;
  readonly orderId: string;
  readonly accountId: string;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly revoked: { readonly reason: RevocationReason; readonly at: number } | null;
}

/** Anti-replay nonces. */
export interface AcmeNonceStore {
  /** Keeps a nonce until `expires` (epoch milliseconds). */
  addNonce(nonce: string, expires: number): Promise<void>;
  /** True for a nonce that is known and has not expired, and only once. Atomic. */
  takeNonce(nonce: string): Promise<boolean>;
}

/** Accounts. */
export interface AcmeAccountStore {
  /** Adds an account; if one has this thumbprint already, nothing changes and that one is returned. Atomic. */
  addAccount(account: AcmeAccount): Promise<AcmeAccount>;
  findAccount(id: string): Promise<AcmeAccount | null>;
  findAccountByThumbprint(thumbprint: string): Promise<AcmeAccount | null>;
  /** Changes a valid account; null when there is no valid one. */
  updateAccount(
    id: string,
    change: {
      readonly contact?: readonly string[];
      readonly status?: 'deactivated';
      readonly termsOfServiceAgreed?: true;
    },
  ): Promise<AcmeAccount | null>;
  /**
   * Puts a new key in the place of the key with the thumbprint `from`. `conflict`: another account has the new key;
   * `stale`: the account no longer has the old one. Atomic.
   */
  changeAccountKey(
    id: string,
    from: string,
    to: { readonly jwk: AcmeJwk; readonly thumbprint: string },
  ): Promise<'changed' | 'stale' | { readonly conflict: string }>;
}

/** Identifiers that this server gave out: the `ClientIdentifier` of a profile. */
export interface AcmeIdentifierStore {
  /**
   * What an identifier stands for, without consuming it; null when it is unknown or expired. `usedBy` is the account
   * that got a certificate for it.
   */
  findIdentifier(
    identifier: AcmeIdentifier,
  ): Promise<{ readonly grant: AcmeGrant; readonly usedBy: string | null } | null>;
}

/** Orders with their authorizations. */
export interface AcmeOrderStore {
  addOrder(order: AcmeOrder, authorizations: readonly AcmeAuthorization[]): Promise<void>;
  findOrder(id: string): Promise<AcmeOrder | null>;
  /** Newest first. */
  findOrders(accountId: string, limit: number): Promise<readonly AcmeOrder[]>;
  findAuthorization(id: string): Promise<AcmeAuthorization | null>;
  /** Settles a pending authorization, once; returns it as it then is (settled by whoever came first). Atomic. */
  settleAuthorization(id: string, settlement: AcmeSettlement): Promise<AcmeAuthorization | null>;
  deactivateAuthorization(id: string): Promise<AcmeAuthorization | null>;
  /**
   * Keeps the request of an order that has no certificate yet, and the order until `expires`. Needed only for an
   * authority that answers `pki.ca.pending`.
   */
  holdOrder?(id: string, held: { readonly csr: Uint8Array; readonly expires: number }): Promise<void>;
  /**
   * Records an issued certificate, marks the order and uses up the identifiers, atomically. If the order, or another
   * order of this account for the same identifiers, already has a certificate for this key, that one is returned and
   * the order points to it (`replayed`). If the order has one for another key, `order-used`; if an identifier went to
   * another account or key, `identifier-used`.
   */
  commit(entry: AcmeCommit): Promise<AcmeCommitOutcome>;
}

/** Issued certificates. */
export interface AcmeCertificateStore {
  findCertificate(id: string): Promise<AcmeCertificate | null>;
  /** False when it is revoked already or unknown. Atomic. */
  revokeCertificate(id: string, reason: RevocationReason, at: number): Promise<boolean>;
}

/** Where the ACME server keeps its state. All methods give back copies or values that nobody changes. */
export interface AcmeStore
  extends AcmeNonceStore,
    AcmeAccountStore,
    AcmeIdentifierStore,
    AcmeOrderStore,
    AcmeCertificateStore {}

/** A device whose attestation, if any, was verified against Apple's root and is fresh. */
export interface AcmeDevice {
  readonly identifier: AcmeIdentifier;
  readonly account: AcmeAccount;
  readonly grant: AcmeGrant;
  /** Null for a device that sent none. */
  readonly attestation: AppleAttestation | null;
}

/** The answer to a question. The reason goes to the device and to the log. */
export type AcmeVerdict = { readonly accept: true } | { readonly accept: false; readonly reason: string };

/** A request for a certificate, of which everything was checked. */
export interface AcmeRequest {
  readonly account: AcmeAccount;
  readonly order: AcmeOrder;
  readonly csr: CertificateRequest;
  readonly grant: AcmeGrant;
  /** Attestation certificates, leaf first, DER; null where none was asked for. */
  readonly attestation: readonly Uint8Array[] | null;
}

/** A certificate about to be issued. */
export interface AcmeIssuance extends Pick<AcmeRequest, 'order' | 'csr' | 'grant'> {
  /** What was attested of the device; null where nothing was. */
  readonly attested: AppleAttestedProperties | null;
}

/** A way to validate identifiers besides `device-attest-01`. */
export interface AcmeChallengePolicy {
  /** The name of the challenge: `http-01`, … */
  readonly type: string;
  /** The types of identifiers it validates: `dns`, … */
  readonly identifierTypes: readonly string[];
  /** Called once for each answer of a client. What it throws is a fault of the server, and the client may try again. */
  validate(context: {
    readonly identifier: AcmeIdentifier;
    readonly token: string;
    /** RFC 8555, 8.1: token and thumbprint of the account key. */
    readonly keyAuthorization: string;
    readonly account: AcmeAccount;
  }): Promise<AcmeVerdict>;
}

/** What happened, for logs and audit. Holds no identifier that is still of use to anybody. */
export interface AcmeEvent {
  readonly type:
    | 'account-created'
    | 'account-deactivated'
    | 'key-changed'
    | 'order-created'
    | 'validated'
    | 'validation-failed'
    | 'issued'
    | 'replayed'
    | 'processing'
    | 'revoked'
    | 'refused'
    | 'error';
  readonly code?: string;
  readonly message?: string;
  readonly accountId?: string;
  readonly orderId?: string;
  readonly reference?: string;
  readonly serialNumber?: string;
  readonly publicKeyHash?: string;
  readonly reason?: RevocationReason;
  /** For `error`: what was thrown by the store, the signer or a callback. */
  readonly error?: unknown;
}
