// What the parts of the ACME server share: options, addresses, events and the form of answers.
import type { CertificateAuthority, CertificateContents } from '../ca/authority.ts';
import type { CaCertificate } from '../ca/set.ts';
import type { CertificateTemplate, TemplateName } from '../ca/templates.ts';
import type { Clock, RandomSource } from '../clock.ts';
import type { AccountKey } from './jwk.ts';
import type { Jws } from './jws.ts';
import type {
  AcmeAccount,
  AcmeChallengePolicy,
  AcmeDevice,
  AcmeEvent,
  AcmeIssuance,
  AcmeRequest,
  AcmeStore,
  AcmeVerdict,
} from './types.ts';

/** How device attestations are judged. */
export interface AcmeAttestationOptions {
  /** Trusted roots, DER: `[appleEnterpriseAttestationRoot]`, or a test's own. */
  readonly roots: readonly Uint8Array[];
  /**
   * A further look at a device after its attestation was verified and compared with the grant: versions, SIP, secure
   * boot, the inventory.
   */
  readonly accept?: (device: AcmeDevice) => Promise<AcmeVerdict>;
  /** Decides on devices that send no attestation (`Attest` false, or hardware that cannot). Absent: refused. */
  readonly withoutAttestation?: (device: AcmeDevice) => Promise<AcmeVerdict>;
  /** How far ahead of this clock an attestation may begin. Default 5 minutes. */
  readonly clockSkewMs?: number;
}

/** What {@link createAcmeServer} needs. */
export interface AcmeServerOptions {
  readonly ca: CertificateAuthority;
  /** Authorities before this one: their certificates are handed out with the chain that issued them. */
  readonly earlier?: readonly CaCertificate[];
  readonly store: AcmeStore;
  readonly clock: Clock;
  readonly random?: RandomSource;
  /**
   * Public address of the server, without a slash at its end: `https://mdm.example/acme`. Clients sign the addresses
   * that they call, so it must be what they see. The directory is at `…/directory`.
   */
  readonly baseUrl: string;
  /** Device attestation; absent: `permanent-identifier` and `hardware-module` are not served. */
  readonly attestation?: AcmeAttestationOptions;
  /** Other ways to validate identifiers. */
  readonly challenges?: readonly AcmeChallengePolicy[];
  /** The last word on each certificate: its grant may be changed. Default: issue what the identifier's grant says. */
  readonly authorise?: (
    request: AcmeRequest,
  ) => Promise<
    | { readonly decision: 'issue'; readonly grant: AcmeRequest['grant'] }
    | { readonly decision: 'refuse'; readonly reason: string }
  >;
  /**
   * Tells the contents of a certificate when it is issued, after everything else was decided: what it names replaces what
   * grant and CSR say. Asked again for an order that waited. A PkiError of kind `invalid` refuses the order.
   */
  readonly contents?: (request: AcmeIssuance) => Promise<CertificateContents>;
  /** Default `device`. */
  readonly template?: TemplateName | CertificateTemplate;
  /** Used when the grant names none. Default: the template's. */
  readonly validityDays?: number;
  /** External account binding (RFC 8555, 7.3.4). */
  readonly externalAccounts?: {
    readonly required: boolean;
    /** The MAC key (at least 16 bytes) of a key identifier; null when it is unknown. */
    key(keyId: string): Promise<Uint8Array | null>;
  };
  /** Address of terms that every new account must agree to. Leave it out where devices enrol. */
  readonly termsOfService?: string;
  readonly website?: string;
  readonly limits?: {
    /** Largest request. Default 64 KiB. */
    readonly maxBodyBytes?: number;
    /** Default one hour. */
    readonly nonceTtlMs?: number;
    /** Lifetime of orders and authorizations. Default one hour. */
    readonly orderTtlMs?: number;
    /** How long an order waits for an authority that answers `pki.ca.pending`. Default seven days. */
    readonly processingTtlMs?: number;
  };
  /** Told what happened, for logs and audit. */
  readonly onEvent?: (event: AcmeEvent) => void;
}

/** A request whose signature and nonce were checked. */
export interface Authenticated {
  readonly jws: Jws;
  readonly key: AccountKey;
  /** Null where the request carried its key, and the account, if any, is not known yet. */
  readonly account: AcmeAccount | null;
}

/** What every part of the server gets. */
export interface Context extends AcmeServerOptions {
  now(): number;
  /** A fresh unguessable name of 128 bits. */
  newId(): string;
  readonly urls: ReturnType<typeof urlsOf>;
}

/** Addresses of the server's resources. */
export const urlsOf = (base: string) => ({
  directory: `${base}/directory`,
  newNonce: `${base}/new-nonce`,
  newAccount: `${base}/new-account`,
  newOrder: `${base}/new-order`,
  revokeCert: `${base}/revoke-cert`,
  keyChange: `${base}/key-change`,
  account: (id: string) => `${base}/account/${id}`,
  orders: (id: string) => `${base}/account/${id}/orders`,
  order: (id: string) => `${base}/order/${id}`,
  finalize: (id: string) => `${base}/order/${id}/finalize`,
  authorization: (id: string) => `${base}/authorization/${id}`,
  challenge: (authorization: string, id: string) => `${base}/challenge/${authorization}/${id}`,
  certificate: (id: string) => `${base}/certificate/${id}`,
});

/** A JSON answer. */
export function json(body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });
}
