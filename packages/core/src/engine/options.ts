// What an engine is made from, and its defaults.
import type { PlistValue } from '@espalier/plist';
import type { Catalogue } from '@espalier/search';
import type { Clock, Facts, RandomBytes } from '../api/common.ts';
import type { IdentityRequest, IssuedIdentity } from '../api/credentials.ts';
import type { ProtocolHooks } from '../api/hooks.ts';
import type { PushIdentity } from '../api/push-certificates.ts';
import type { Configuration, Enrolment } from '../api/records.ts';
import type { Backoff } from '../contracts/queue.ts';
import type { Store } from '../contracts/store.ts';
import type { KeyRing } from '../keys/ring.ts';
import type { Metrics } from '../metrics/types.ts';
import type { ClosablePusher } from '../push-certificates/pusher.ts';
import type { IssuerStatus } from './issuer-check.ts';
import type { RevokeAtIssuer } from './issuer-revocation.ts';

/** A logger as the engine uses it; pino's fits. Never given secrets. */
export interface Logger {
  debug(data: Readonly<Record<string, unknown>>, message: string): void;
  info(data: Readonly<Record<string, unknown>>, message: string): void;
  warn(data: Readonly<Record<string, unknown>>, message: string): void;
  error(data: Readonly<Record<string, unknown>>, message: string): void;
}

/** What became of a push; `@espalier/apple-mdm`'s `PushOutcome` fits. */
export type PushResult =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'token-dead'; readonly reason: string }
  | { readonly outcome: 'retry'; readonly reason: string; readonly afterMs: number }
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'failed'; readonly reason: string };

/** Sends pushes; `@espalier/apple-mdm`'s `ApnsClient` fits. */
export interface Pusher {
  push(target: { readonly token: Uint8Array; readonly pushMagic: string; readonly topic: string }): Promise<PushResult>;
}

/** A configuration compiled for one device; `@espalier/policy`'s `compileConfiguration` returns this. */
export type CompiledConfiguration =
  | {
      readonly applicable: true;
      readonly profile: {
        /** The top-level PayloadIdentifier: the same for every version of a configuration. */
        readonly identifier: string;
        /** The top-level PayloadUUID: changes with the content. */
        readonly uuid: string;
        readonly displayName: string;
        /** The profile, unsigned. */
        readonly bytes: Uint8Array;
      };
      /** Whether ProfileList shows that it is installed. */
      readonly verifiable: boolean;
      /** What is put into the profile only when a device takes it. */
      readonly late?: readonly LateValue[];
    }
  | {
      readonly applicable: false;
      readonly reason: string;
      /**
       * The PayloadUUID that the profile would have: what is on the device already stays there if it is this very profile, or
       * of an earlier version of the configuration. Default: it is removed.
       */
      readonly keepUuid?: string;
    };

/**
 * Keys of one payload that are filled in when a device takes the profile, for that device: an identity, a challenge
 * (CERT-21). The profile waits without them, so that devices share it and nothing secret or short-lived waits in a queue.
 */
export interface LateValue {
  /** Which payload of the profile's `PayloadContent`, from 0. */
  readonly payload: number;
  /** `credential`, or a name in the engine's `late`. */
  readonly source: string;
  /** What the source is asked for: for `credential` a credential setting's id. */
  readonly reference: string;
  /** Of what the profile was compiled for; a source that has another one now answers `gone`. */
  readonly revision: string;
}

/** What a late value is asked for. */
export interface LateRequest {
  readonly enrolment: Enrolment;
  readonly facts: Facts;
  readonly reference: string;
  readonly revision: string;
}

/** What a source of late values answers. */
export type LateAnswer =
  /** Keys as the payload has them; dictionaries are merged with the payload's. */
  | { readonly outcome: 'ready'; readonly values: Readonly<Record<string, PlistValue>> }
  /** Never: the command ends, and the device is reconciled again. */
  | { readonly outcome: 'gone'; readonly reason: string }
  /** Not now: the command is offered again later. */
  | { readonly outcome: 'hold'; readonly reason: string };

/** A source of late values. An error counts as `hold`. */
export type LateSource = (request: LateRequest) => Promise<LateAnswer>;

/** Signs a profile. */
export type SignProfile = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/**
 * Compiles a configuration for a device. Must be pure: the engine remembers which facts it read and calls it again only
 * for devices that differ in one of them.
 */
export type CompileConfiguration = (
  configuration: Configuration,
  device: { readonly facts: Facts; readonly enrolment: Enrolment },
) => CompiledConfiguration;

/** Times and sizes, in milliseconds unless the name says otherwise. */
export interface EngineOptions {
  /** How often a command is offered before it is given up, unless the caller says (default 20). */
  readonly maxAttempts?: number;
  /** Waiting after NotNow, Error under `retry`, and lost answers (default 5 minutes, doubling up to 12 hours). */
  readonly backoff?: Backoff;
  /** Waiting before a device that did not come is pushed again (default 15 minutes, doubling up to 24 hours). */
  readonly repush?: Backoff;
  /** Pushes per second over this process, so that a fleet does not come all at once (default 200). */
  readonly pushesPerSecond?: number;
  /** How long one process may take over the pushes it leased (default 60 seconds). */
  readonly pushLeaseMs?: number;
  /** How often the notifier looks for due pushes (default 250). */
  readonly notifierIntervalMs?: number;
  /** How often the reconciler looks for marked devices (default 1,000). */
  readonly reconcilerIntervalMs?: number;
  /** How often expired things are ended and lost work is found (default 30,000). */
  readonly housekeepingIntervalMs?: number;
  /** How often devices are looked for whose labels are due because time passed (default 5 seconds). */
  readonly labelIntervalMs?: number;
  /** How often a batch of sealed values is looked at while the master key changes (default 1,000). */
  readonly rewrapIntervalMs?: number;
  /** How many sealed values such a batch has (default 200). */
  readonly rewrapBatch?: number;
  /** How long finished commands are kept (default 90 days). */
  readonly historyRetentionMs?: number;
  /** How long events are kept (default 90 days). */
  readonly eventRetentionMs?: number;
  /**
   * For how many days it is kept where a device was (ACT-20; default 30; never longer than events). After that, the place is gone
   * from the history and from the runs of recipes; that the device was asked, and who read the answer, stays.
   */
  readonly locationRetentionDays?: number;
  /** How long changes of declarations are gathered before devices are told (default 2,000). */
  readonly declarationSettleMs?: number;
  /** How long a device may take to fetch its declarations before it is told again (default 24 hours). */
  readonly declarationResyncMs?: number;
  /** How often the engine looks for devices whose declarations changed (default 1,000). */
  readonly declarationIntervalMs?: number;
  /**
   * The status items that devices with declarations report, as far as they know them (default `all`: those of Apple's
   * schema but tests and secrets). None: no subscription.
   */
  readonly statusItems?: readonly string[] | 'all';
  /**
   * How long before its end an identity certificate is renewed, in days, 1 to 270 (CERT-14; default 270). Never more than
   * three quarters of its lifetime.
   */
  readonly renewalWindowDays?: number;
  /** For how many days after its end an identity certificate may still be renewed, and only that (default 30). */
  readonly renewalGraceDays?: number;
  /**
   * Retire devices whose certificate ended that long ago: nothing lets them in any more, and they must enrol again (CERT-14;
   * default true). Looked at daily; after a pause of more than three days (a clock that jumped, a server that was off) only
   * from the eighth day on.
   */
  readonly retireLapsed?: boolean;
  /** How often certificates that are due are looked for (default one hour). */
  readonly renewalIntervalMs?: number;
  /** How often the issuer is asked what it revoked (default 24 hours). */
  readonly issuerCheckIntervalMs?: number;
  /** For how long an issuer is told of a revocation again and again (CERT-9; default 7 days). */
  readonly issuerRevocationMs?: number;
  /** How long a queued renewal and its credential are good; after that another one is queued (default 7 days). */
  readonly renewalTtlMs?: number;
  /**
   * Revoke the identity certificate of a device that checks out (CERT-9; default false: the enrolment is not let in any more,
   * yet the certificate may enrol it again).
   */
  readonly revokeOnCheckOut?: boolean;
  /**
   * Erase a wiped device again that comes back without enrolling: a backup was restored (ACT-12; default false: it is
   * refused until the wipe is cancelled, or it enrols anew).
   */
  readonly rewipe?: boolean;
  /**
   * Retire User Enrolments that a later one of the same account and kind of device took the place of, once Apple calls their push
   * token dead (ABM-28; default false: they stay active, with `ios.superseded_by`, until somebody retires them).
   */
  readonly retireSuperseded?: boolean;
  /** The `PayloadIdentifier` of the enrolment profile, for devices that have not listed their profiles yet. */
  readonly enrolmentProfileIdentifier?: string;
  /**
   * How often each device is woken and asked for its inventory if it did not come by itself (ACT-18), spread over the time;
   * four hours is usual (default 0: never).
   */
  readonly checkInIntervalMs?: number;
  /** How many refusals one process keeps as events within an hour (default 600); of one kind about one device, five. */
  readonly refusalsPerHour?: number;
  /** How many devices one action may name (default 1,000). */
  readonly actionLimit?: number;
  /** Whether every action needs a note, for the audit log (default false). */
  readonly requireActionNotes?: boolean;
  /** The facts that name a device's user; the first that is known counts. */
  readonly userFields?: readonly string[];
  /** Identities made ahead and not sent within so many days are deleted, and made again on demand (CERT-21; default 14). */
  readonly undeliveredDays?: number;
  /**
   * How PKCS#12 files are encrypted for devices (default `legacy`: triple DES, the only form that every Apple system reads; the
   * file travels with its password in any case, within TLS).
   */
  readonly pkcs12Encryption?: 'modern' | 'legacy';
  /** How long ended certificates, and revocations, stay in the register (default 365 days). */
  readonly certificateRetentionMs?: number;
}

/** How identities are renewed (CERT-14). */
export interface RenewalOptions {
  /**
   * Builds and signs the enrolment profile anew for an active enrolment: the same identifiers, addresses and topic, with a
   * fresh credential that is bound to the enrolment (`engine.enrolling.challenge` or `.clientIdentifier` with
   * `enrolmentId`) and lives for `ttlMinutes`. `null` leaves it for later: a device that is not compliant, an address that
   * is not known.
   */
  readonly profile: (request: {
    readonly enrolment: Enrolment;
    readonly ttlMinutes: number;
  }) => Promise<Uint8Array | null>;
}

/** The RSA identity to which Macs encrypt their FileVault recovery keys. */
export interface EscrowIdentity {
  /** DER; the certificate that the escrow payload names (`EncryptCertPayloadUUID`). */
  readonly certificate: Uint8Array;
  /** PKCS#8, DER. */
  readonly privateKey: Uint8Array;
}

/** A software update as a declaration. */
export interface SoftwareUpdateDeclaration {
  readonly enrolmentId: string;
  /** `com.apple.configuration.softwareupdate.enforcement.specific` */
  readonly type: string;
  /** Keys as Apple's schema has them. */
  readonly payload: Readonly<Record<string, string>>;
}

/** What an engine is made from. */
export interface EngineInput {
  readonly store: Store;
  readonly keys: KeyRing;
  /** Default: the system clock. */
  readonly clock?: Clock;
  /** Default: the system's random generator. */
  readonly random?: RandomBytes;
  /** Without it nobody is woken: devices come on their own. */
  readonly push?: Pusher;
  /**
   * In place of `push`: makes a push client with the certificate that `pushCertificates` keeps, and another when that
   * certificate was renewed. `stop` closes it.
   * @example
   * createEngine({ store, keys, openPush: (identity) => createApnsClient(identity) });
   */
  readonly openPush?: (identity: PushIdentity) => ClosablePusher;
  /**
   * The push topics of this server: a device that enrols for another one is refused. Default: that of the certificate in
   * `pushCertificates`; any where there is none.
   */
  readonly topics?: readonly string[];
  /** Without it configurations are kept but not delivered. */
  readonly compile?: CompileConfiguration;
  /** Signs profiles before they are delivered; without it they go unsigned. */
  readonly signProfile?: SignProfile;
  /** Sources of late values, by name; `credential` is the engine's own. */
  readonly late?: Readonly<Record<string, LateSource>>;
  /**
   * Makes the identities of credential settings with the source `issued`: key and certificate, of any authority
   * (`issueIdentity` of `@espalier/pki`). `null` holds it back (a device that is not compliant). Without it there are none.
   */
  readonly issueIdentity?: (request: IdentityRequest) => Promise<IssuedIdentity | null>;
  /**
   * Asks the issuer about a certificate, where others issue and revoke (`createCrlChecker` of `@espalier/pki`, or `status` of the
   * authority): daily for each that lives. A revoked one opens nothing any more; a credential is issued anew.
   */
  readonly issuerStatus?: IssuerStatus;
  /**
   * Revokes certificates at their issuer (`revoke` of the authority), where others issue: after each revocation here, until it is
   * done (`certificate.revocation-told`) or given up (`certificate.revocation-failed`).
   */
  readonly issuerRevoke?: RevokeAtIssuer;
  /** Without it certificates are renewed only by devices themselves. */
  readonly renewal?: RenewalOptions;
  readonly logger?: Logger;
  /** Where the engine counts and measures. Default: a registry of its own, at `engine.metrics`. */
  readonly metrics?: Metrics;
  /** The fields that searches and labels may use. Default: the catalogue of `@espalier/search/catalogue`. */
  readonly catalogue?: Catalogue;
  readonly options?: EngineOptions;
  /** What the product decides in the protocol; each hook has a default. */
  readonly hooks?: ProtocolHooks;
  /**
   * The access rights that the enrolment profiles give (the mask of `AccessRights`, of the host's `profile`), so that a
   * command without its right is refused before it is queued. Default: not judged. User Enrolments have none.
   */
  readonly accessRights?: number | ((enrolment: Enrolment) => number | null);
  /** Without it, recovery keys of FileVault cannot be escrowed. */
  readonly escrowIdentity?: EscrowIdentity;
  /** Gives a device a software-update declaration; without it updates are commands only. */
  readonly declareSoftwareUpdate?: (declaration: SoftwareUpdateDeclaration) => Promise<void>;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The defaults of {@link EngineOptions}. */
export const engineDefaults: Required<EngineOptions> = Object.freeze({
  maxAttempts: 20,
  backoff: { baseMs: 5 * MINUTE, maxMs: 12 * HOUR },
  repush: { baseMs: 15 * MINUTE, maxMs: DAY },
  pushesPerSecond: 200,
  pushLeaseMs: MINUTE,
  notifierIntervalMs: 250,
  reconcilerIntervalMs: 1_000,
  housekeepingIntervalMs: 30_000,
  labelIntervalMs: 5_000,
  rewrapIntervalMs: 1_000,
  rewrapBatch: 200,
  historyRetentionMs: 90 * DAY,
  eventRetentionMs: 90 * DAY,
  locationRetentionDays: 30,
  renewalWindowDays: 270,
  renewalGraceDays: 30,
  retireLapsed: true,
  renewalIntervalMs: HOUR,
  renewalTtlMs: 7 * DAY,
  issuerCheckIntervalMs: DAY,
  issuerRevocationMs: 7 * DAY,
  revokeOnCheckOut: false,
  rewipe: false,
  retireSuperseded: false,
  enrolmentProfileIdentifier: 'com.espalier.enrolment',
  checkInIntervalMs: 0,
  refusalsPerHour: 600,
  actionLimit: 1_000,
  requireActionNotes: false,
  certificateRetentionMs: 365 * DAY,
  userFields: Object.freeze(['user.user_id', 'user.email_address', 'ios.managed_apple_id']),
  undeliveredDays: 14,
  pkcs12Encryption: 'legacy',
  declarationSettleMs: 2_000,
  declarationResyncMs: DAY,
  declarationIntervalMs: 1_000,
  statusItems: 'all',
});

/** A logger that says nothing. */
export const silentLogger: Logger = Object.freeze({ debug() {}, info() {}, warn() {}, error() {} });
