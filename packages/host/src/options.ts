// What a host is made of.
import type { PushVendor } from '@espalier/apple-mdm';
import type { Engine, RandomBytes } from '@espalier/core';
import type { CaCertificate, CertificateAuthority, Signer } from '@espalier/pki';
import type { AdeService } from './ade/types.ts';
import type { AdminToken } from './api/auth.ts';
import type { AppsService } from './apps/types.ts';
import type { AcmeOptions } from './ca/acme.ts';
import type { ScepChallengeOptions } from './ca/challenge.ts';
import type { ConfigurationCertificateOptions } from './ca/configured.ts';
import type { IdentityCertificateOptions } from './ca/identity-certificate.ts';
import type { RevocationOptions } from './ca/revocation.ts';
import type { ScepRegistrar } from './ca/scep.ts';
import type { AccountOptions } from './enrol/account.ts';
import type { AdeOptions } from './enrol/ade.ts';
import type { MachineOptions } from './enrol/machine.ts';
import type { ProfileOptions } from './enrol/profile.ts';
import type { LockoutRules } from './http/limiter.ts';
import type { IdentityOptions } from './identity/identify.ts';
import type { Logger } from './types.ts';
import type { UserOptions } from './user/credentials.ts';
import type { Webhooks } from './webhooks/types.ts';

/** Limits of what a request may bring. */
export interface HostLimits {
  /** Largest body of a device's message, in bytes (default 8 MiB: a long application list has a few). */
  readonly mdmBytes?: number;
  /** Largest body of anything else, in bytes (default 1 MiB). */
  readonly bodyBytes?: number;
  /** Largest body of an action, in bytes: those of wallpapers have up to 10 MB of images (default 14 MiB, which holds them as base64). */
  readonly actionBytes?: number;
  /** How long a body may take to arrive, in milliseconds (default 30,000). */
  readonly bodyTimeoutMs?: number;
  /** How guessing of PINs and tokens is slowed down (default: {@link defaultLockout}). */
  readonly lockout?: LockoutRules;
}

/** What a host is made of. */
export interface HostOptions {
  readonly engine: Engine;
  /**
   * Issues device certificates by SCEP and ACME: an authority of this server (`openCa`, or of a data folder), one behind
   * another SCEP server (`openScepProxy`), or an adapter of your own. Its certificate is served at `/ca.crt`.
   */
  readonly ca: CertificateAuthority;
  /** Needed for SCEP where the authority's key is no RSA key, or is not at hand. */
  readonly scepRegistrar?: ScepRegistrar;
  /** Where SCEP challenges come from, and who judges those of others (default: this server). */
  readonly scepChallenge?: ScepChallengeOptions;
  /** What device identity certificates say, and which key they are for. */
  readonly identityCertificate?: IdentityCertificateOptions;
  /** Identities that configurations give to devices: `scep`, `acme`, and what credential settings make. */
  readonly configurationCertificates?: ConfigurationCertificateOptions;
  /**
   * Authorities around a change (CERT-12): the next one is announced by SCEP and in profiles; certificates of the earlier
   * ones let devices in, renew themselves and are told revoked (where the key is at hand). All count as anchors of
   * `identity`. `openDataFolder` keeps them.
   */
  readonly rollover?: {
    readonly next?: CaCertificate;
    readonly earlier?: readonly (CaCertificate & { readonly signer?: Signer })[];
    /** Takes an earlier one, by key identifier, out of where they are kept: for the admin API. */
    readonly retire?: (keyId: string) => Promise<boolean>;
  };
  /** How devices prove who they are. */
  readonly identity: IdentityOptions;
  /** What the enrolment profile says. */
  readonly profile: ProfileOptions;
  /**
   * The admin tokens: hashes as `hashAdminToken` writes them, alone (everything is allowed) or with permissions.
   * Without any, the admin API and the page let nobody in.
   * @example
   * adminTokens: [hash, { hash: other, permissions: ['view devices', 'manage device enrolment'] }]
   */
  readonly adminTokens?: readonly (string | AdminToken)[];
  /**
   * The address that devices and people use, with the base path: it goes into profiles and invitations.
   * Without it, the origin of each request is taken, which is right only where clients connect directly.
   */
  readonly publicUrl?: string;
  /** Mounts everything below this path, e.g. `/mdm-server` (default: at the root). */
  readonly basePath?: string;
  /** Addresses and networks of proxies whose `X-Forwarded-For` and forwarded certificates are believed. */
  readonly trustedProxies?: readonly string[];
  /** A SCEP server of your own, in place of one over `ca` and the engine's store. */
  readonly scep?: { handle(request: Request): Promise<Response> };
  /**
   * Which SCEP requests wait until somebody approves them (`/api/v1/scep/requests`): `never` (default) lets a good
   * challenge decide, `without-challenge` has those wait that bring none, `always` those with a good challenge as well.
   * A wrong challenge is refused in any case.
   */
  readonly scepApproval?: 'never' | 'without-challenge' | 'always';
  /** ACME at `/acme/directory`: `false` for none (default: served, for attested devices). */
  readonly acme?: AcmeOptions | false;
  /** The revocation list at `/ca.crl` and OCSP at `/ocsp`; served where the authority's key is at hand. */
  readonly revocation?: RevocationOptions;
  /** Whether the status page is served (default true). */
  readonly page?: boolean;
  /**
   * Serves `GET /metrics` (Prometheus' text) to whoever has an admin token that may view devices or one of these tokens, given as hashes like
   * `adminTokens`. Default: not served; `createMetricsHandler` serves the same on a listener that the public does not reach.
   */
  readonly metrics?: { readonly tokens?: readonly string[] };
  /** 32 bytes that sign the page's sessions; processes behind one address share them (default: random per host). */
  readonly sessionSecret?: Uint8Array;
  readonly limits?: HostLimits;
  /** Automated Device Enrolment at `/enrol/ade`; default: not served without `adeService`. */
  readonly ade?: AdeOptions;
  /**
   * Accounts at Apple, their devices and profiles (`createAdeService`): managed by the admin API, and followed by `/enrol/ade`;
   * who gives it starts and stops it. Default: none.
   */
  readonly adeService?: AdeService;
  /**
   * Apps and Books (`createAppsService`): managed by the admin API, told by Apple at `/apps/notifications`; who gives it starts and
   * stops it. Default: none.
   */
  readonly appsService?: AppsService;
  /**
   * Account-driven enrolment: discovery at `/.well-known/com.apple.remotemanagement`, which devices ask at the domain of
   * the user's account. Its tokens are signed with `sessionSecret`. Default: not served.
   */
  readonly account?: AccountOptions;
  /** Enrolment by the profile service at `/enrol/ota/:token`; default: not served. */
  readonly profileService?: MachineOptions;
  /**
   * Whether a device that this server does not know is told to remove its enrolment (403 with
   * `com.apple.unrecognized.device`, iOS 17 and macOS 14). Default false: after a mishap with the database, the whole
   * fleet would leave.
   */
  readonly unenrolUnknown?: boolean;
  /** What users do themselves at `/user/v1`: upload their own identities; default: not served. */
  readonly users?: UserOptions;
  /** Signs requests for push certificates in the admin API; default: they go to a vendor elsewhere. */
  readonly pushVendor?: PushVendor;
  /** Webhooks to be managed by the admin API (`createWebhooks`); who gives them starts and stops them. Default: none. */
  readonly webhooks?: Webhooks;
  readonly logger?: Logger;
  /** Randomness for request ids and session secrets (default: `crypto.randomBytes`). */
  readonly random?: RandomBytes;
}
