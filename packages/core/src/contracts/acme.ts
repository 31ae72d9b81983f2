// Contract: the state of the ACME server (RFC 8555): nonces, accounts, client identifiers, orders, authorizations.
import type {
  AcmeAccount,
  AcmeAuthorization,
  AcmeCommitOutcome,
  AcmeDeviceFacts,
  AcmeJwk,
  AcmeOrder,
  AcmeSettlement,
} from '@espalier/pki';
import type { NewCertificate } from './certificates.ts';
import type { NewEvent } from './shared.ts';

/** An account as it is stored: JSON. */
export type AcmeAccountRecord = AcmeAccount;

/** An order as it is stored: JSON, and sealed its identifiers (whoever knows one may use it) and the request that waits. */
export interface AcmeOrderRecord extends Omit<AcmeOrder, 'identifiers' | 'heldCsr'> {
  readonly sealed: Uint8Array;
}

/** What was found out about an authorization, as JSON: certificates are base64. */
export interface AcmeSettlementRecord extends Omit<AcmeSettlement, 'attestation'> {
  readonly attestation?: {
    readonly chain: readonly string[];
    readonly publicKeyHash: string;
    readonly properties: Readonly<Record<string, string>>;
  };
}

/** An authorization as it is stored: JSON. */
export interface AcmeAuthorizationRecord extends Omit<AcmeAuthorization, 'identifier' | 'settlement'> {
  /** Which of its order's identifiers it is for. */
  readonly index: number;
  readonly settlement: AcmeSettlementRecord | null;
}

/** A client identifier as the store keeps it: never the identifier itself, only its keyed hash. */
export interface AcmeIdentifierRecord {
  /** HMAC of type and value, lower-case hex. */
  readonly hash: string;
  readonly invitationId: string | null;
  /** The enrolment that may renew its certificate with it. */
  readonly enrolmentId: string | null;
  readonly subject: string | null;
  /** The attestation must name this device. */
  readonly device: AcmeDeviceFacts | null;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** The ACME server's state. Certificates themselves are in the register. */
export interface AcmeStateStore {
  /** Keeps a nonce until `expires`. */
  addNonce(nonce: string, expires: number): Promise<void>;
  /** True for a nonce that is known and has not expired by `at`, and only once. */
  takeNonce(nonce: string, at: number): Promise<boolean>;

  /** Adds an account; if one has this thumbprint already, nothing changes and that one is returned. */
  addAccount(account: AcmeAccountRecord): Promise<AcmeAccountRecord>;
  findAccount(id: string): Promise<AcmeAccountRecord | null>;
  findAccountByThumbprint(thumbprint: string): Promise<AcmeAccountRecord | null>;
  /** Changes a valid account; `null` when there is no valid one. */
  updateAccount(
    id: string,
    change: {
      readonly contact?: readonly string[];
      readonly status?: 'deactivated';
      readonly termsOfServiceAgreed?: true;
    },
  ): Promise<AcmeAccountRecord | null>;
  /** `conflict`: another account has the new key; `stale`: the account no longer has the old one. */
  changeAccountKey(
    id: string,
    from: string,
    to: { readonly jwk: AcmeJwk; readonly thumbprint: string },
  ): Promise<'changed' | 'stale' | { readonly conflict: string }>;

  addIdentifier(identifier: AcmeIdentifierRecord): Promise<void>;
  /** `null` when unknown, or unused and expired by `at`. `usedBy`: the account that got a certificate for it. */
  findIdentifier(hash: string, at: number): Promise<(AcmeIdentifierRecord & { readonly usedBy: string | null }) | null>;

  addOrder(order: AcmeOrderRecord, authorizations: readonly AcmeAuthorizationRecord[]): Promise<void>;
  findOrder(id: string): Promise<AcmeOrderRecord | null>;
  /** Newest first. */
  findOrders(accountId: string, limit: number): Promise<readonly AcmeOrderRecord[]>;
  findAuthorization(id: string): Promise<AcmeAuthorizationRecord | null>;
  /** Settles a pending authorization, once; returns it as it then is. */
  settleAuthorization(id: string, settlement: AcmeSettlementRecord): Promise<AcmeAuthorizationRecord | null>;
  deactivateAuthorization(id: string): Promise<AcmeAuthorizationRecord | null>;
  /** Replaces what is sealed of an order, and its end; false when there is none, or it has a certificate. */
  holdOrder(held: { readonly id: string; readonly sealed: Uint8Array; readonly expires: number }): Promise<boolean>;

  /**
   * Registers an issued certificate, marks the order and uses up the identifiers; all or nothing. If the order, or
   * another one of this account for the same identifiers, has a certificate for this key already, that one is returned
   * and the order points to it (`replayed`). If the order has one for another key: `order-used`; if an identifier is
   * unknown, expired, or went to another account or key: `identifier-used`. `event` is appended when issued.
   */
  commit(input: {
    readonly orderId: string;
    readonly accountId: string;
    /** Hashes of the identifiers that are used up. */
    readonly consumes: readonly string[];
    readonly publicKeyHash: string;
    readonly certificate: NewCertificate;
    readonly at: number;
    readonly event: NewEvent;
  }): Promise<AcmeCommitOutcome>;
  /** The order and the account that a certificate was first issued for. */
  findIssuance(fingerprint: string): Promise<{ readonly orderId: string; readonly accountId: string } | null>;

  /**
   * Deletes, up to `limit` of each: nonces, unused identifiers and orders without a certificate (with their
   * authorizations) that expired by `at`, and accounts made before `idleBefore` that have neither orders nor ever got a
   * certificate. Returns how many of the kind of which there were most.
   */
  prune(input: { readonly at: number; readonly idleBefore: number; readonly limit: number }): Promise<number>;
}
