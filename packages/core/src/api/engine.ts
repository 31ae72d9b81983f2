// The engine's interface: what a host calls. Each service is a handful of functions over the storage contracts.
import type { Capability } from '@espalier/apple-mdm';
import type {
  AcmeDeviceFacts,
  AcmeStore,
  CertificateStatus,
  CrlStore,
  Certificate as ReadCertificate,
  RevocationReason,
  ScepGrant,
  ScepStore,
} from '@espalier/pki';
import type { CertificateFilter, CertificateRecord } from '../contracts/certificates.ts';
import type { ErrorPolicy, QueueStats } from '../contracts/queue.ts';
import type { ScepRequestState } from '../contracts/scep-requests.ts';
import type { Metrics } from '../metrics/types.ts';
import type { Actions } from './actions.ts';
import type { Ade } from './ade.ts';
import type { Clock, Facts, Page, PageRequest } from './common.ts';
import type { Credentials } from './credentials.ts';
import type { Declarations } from './declarations.ts';
import type { Locations } from './locations.ts';
import type { MdmProfiles } from './mdm-profile.ts';
import type { Migration } from './migration.ts';
import type { PushCertificates } from './push-certificates.ts';
import type { Escrow, Recipes } from './recipes.ts';
import type {
  Assignment,
  CommandEntry,
  CommandOutcome,
  CommandState,
  Configuration,
  DeviceDetail,
  DeviceRow,
  EngineEvent,
  Enrolment,
  EnrolmentAccount,
  EventType,
  Invitation,
  InvitationBinding,
  IssuedCertificate,
  Label,
  ScepChallenge,
  WaitingRequest,
} from './records.ts';
import type { Registrations } from './registrations.ts';
import type { UserEnrolments } from './user-enrolment.ts';

/** The identity that a device proved at the door; its signature and chain are already verified. */
export interface DeviceIdentity {
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint: string;
  readonly certificate: Uint8Array;
  /** `migration`: another server told it, and no device has proved it yet. */
  readonly source: 'mdm-signature' | 'tls' | 'forwarded' | 'migration';
  /**
   * The certificate has ended, and the host lets it through within its grace: it may get a renewal and nothing else
   * (CERT-10, CERT-14).
   */
  readonly expired?: boolean;
}

/** The MDM protocol as functions: bytes in, bytes out (`null` means an empty 200 answer). */
export interface Protocol {
  /**
   * Handles one check-in message.
   * @throws CoreError `core.enrolment.identity_mismatch`, `core.enrolment.certificate_revoked`,
   *   `core.enrolment.certificate_expired`, `core.enrolment.unknown` (all forbidden); MdmError for a body that is not a
   *   check-in (invalid).
   */
  checkin(body: Uint8Array, identity: DeviceIdentity): Promise<Uint8Array | null>;
  /**
   * Stores the device's answer, if the body holds one, and gives the next command.
   * A response to a command that was never sent changes nothing and becomes an event.
   * @throws as {@link Protocol.checkin}
   */
  connect(body: Uint8Array, identity: DeviceIdentity): Promise<Uint8Array | null>;
  /**
   * Keeps that somebody was refused before the protocol was reached: the event `door.refused`, for whoever watches over the
   * server. Few of a kind are kept, however many come ({@link EngineOptions.refusalsPerHour}); never rejects.
   */
  refused(refusal: DoorRefusal): Promise<void>;
}

/** Somebody who was refused at the door. */
export interface DoorRefusal {
  /** The error's code: `host.identity.bad_signature`. */
  readonly code: string;
  /** Where the request came from. */
  readonly address?: string;
  readonly enrolmentId?: string;
  readonly fingerprint?: string;
}

/** What may be asked of one queued command. */
export interface EnqueueOptions {
  /** Higher goes first (default 0). */
  readonly priority?: number;
  readonly notBefore?: number;
  readonly expiresAt?: number;
  /** An equal pending command is replaced or kept. */
  readonly dedupeKey?: string;
  readonly onDuplicate?: 'replace' | 'keep';
  /** How often it may be offered (default 20). `NotNow` does not count. */
  readonly maxAttempts?: number;
  /** What happens when the device answers `Error` (default `fail`). */
  readonly onError?: ErrorPolicy;
  readonly origin?: string;
  /** Wake the devices (default true). */
  readonly push?: boolean;
  /** Queue what Apple's schema does not know: a request type, a key or a value of a newer system (default false). */
  readonly allowUnknown?: boolean;
  /** Queue it also for devices that, by what is known of them, would refuse it (default false). */
  readonly force?: boolean;
}

/** A device for which a command was not queued, since it would refuse it. */
export interface RefusedTarget {
  readonly enrolmentId: string;
  /** `code` as `validate` of `@espalier/apple-mdm` has it: `target.supervised`, `target.introduced` … */
  readonly reasons: readonly {
    readonly code: string;
    readonly path: string;
    readonly message: string;
    readonly remedy: string;
  }[];
}

/** Devices for which a command was not queued. */
export interface Refusals {
  readonly count: number;
  /** The first thousand. */
  readonly devices: readonly RefusedTarget[];
}

/** The command queue (per enrolment, in order of priority, then age). */
export interface Commands {
  /**
   * Queues one command for each enrolment; one `CommandUUID` for all of them. The command is checked against Apple's
   * schema first; devices that would refuse it are left out and told in `refused`.
   * @throws CoreError `core.command.invalid` (invalid, with the path) for a command that is wrong or unknown;
   *   `core.command.unsupported` (conflict) when the only device named would refuse it.
   */
  enqueue(
    target: { readonly enrolmentIds: readonly string[] } | { readonly labelId: string } | { readonly search: string },
    requestType: string,
    payload: Readonly<Record<string, unknown>>,
    options?: EnqueueOptions,
  ): Promise<{ readonly commandUuid: string; readonly queued: number; readonly refused: Refusals }>;
  /**
   * Cancels a pending command. False when there is none.
   * @throws CoreError `core.command.too_late` (conflict) for an erase that the device has fetched: it may be erasing already
   */
  cancel(enrolmentId: string, commandUuid: string): Promise<boolean>;
  /**
   * Cancels all pending commands of one enrolment, or those with a dedupe key; an erase that the device has fetched stays. Returns how
   * many ended.
   */
  clear(enrolmentId: string, dedupeKey?: string): Promise<number>;
  /** Puts a finished command back into the queue. False when it is unknown, still pending, or its dedupe key is taken. */
  requeue(enrolmentId: string, commandUuid: string): Promise<boolean>;
  /**
   * Queues commands that go one after the other, each only after the one before succeeded. When one does not, the rest is
   * cancelled, or held until it is requeued (`onError: 'fail'`). A device that would refuse one of them gets none.
   * @throws as {@link Commands.enqueue}
   */
  enqueueChain(
    enrolmentIds: readonly string[],
    commands: readonly { readonly requestType: string; readonly payload: Readonly<Record<string, unknown>> }[],
    options?: Omit<EnqueueOptions, 'dedupeKey' | 'onDuplicate'>,
  ): Promise<{ readonly commandUuids: readonly string[]; readonly refused: Refusals }>;
  /**
   * What a device takes: one row for each command of Apple's schema, with the reasons against it.
   * @throws CoreError `core.enrolment.unknown` (not-found)
   */
  capabilities(enrolmentId: string): Promise<readonly Capability[]>;
  /** Pending and finished commands of one enrolment, newest first. */
  history(enrolmentId: string, page?: PageRequest): Promise<Page<CommandEntry>>;
  /**
   * The same as an activity log (ABM-26): filtered, each entry with what went wrong and what helps. A page may have fewer entries
   * than its limit, or none, and still a `next`: one call looks at some thousands of commands at most.
   */
  activity(enrolmentId: string, query?: ActivityQuery): Promise<Page<ActivityEntry>>;
  get(enrolmentId: string, commandUuid: string): Promise<CommandOutcome | null>;
  /** Sizes, for metrics. */
  stats(): Promise<QueueStats>;
}

/** Which entries of an activity log. Times are epoch milliseconds, of what happened last to the command. */
export interface ActivityQuery extends PageRequest {
  readonly from?: number;
  readonly to?: number;
  readonly states?: readonly CommandState[];
  /** `InstallApplication` … */
  readonly requestType?: string;
}

/** Why a command failed. */
export interface ActivityFailure {
  /** Apple's `RejectionReason`, or the domain and code of the first link of the error chain. */
  readonly reason: string;
  readonly cause: string;
  readonly remedy: string | null;
}

/** An entry of a device's activity log. */
export interface ActivityEntry extends CommandEntry {
  /** When it ended, else when it was sent, else when it was queued. */
  readonly at: number;
  readonly failure: ActivityFailure | null;
}

/** Devices and what is known of them. */
export interface Devices {
  get(enrolmentId: string): Promise<DeviceDetail | null>;
  /**
   * All devices, or those that a search picks: an advanced expression, or the one-box search when `basic` is set; of one
   * label with `labelId`. Ordered by id. Retired devices are left out of searches (not of the list of all) unless
   * `excludeRetired` says otherwise. Secrets may only be compared with `sensitive` (default false), which the caller allows
   * to whoever may read them.
   * @throws SearchSyntaxError, SearchError `search.sensitive` (forbidden); CoreError `core.search.unknown_field`,
   *   `core.search.two_queries`, `core.label.unknown`
   */
  list(
    query?: {
      readonly expression?: string;
      readonly basic?: string;
      readonly labelId?: string;
      readonly excludeRetired?: boolean;
      readonly sensitive?: boolean;
    } & PageRequest,
  ): Promise<Page<DeviceRow> & { readonly total: number }>;
  /**
   * Takes facts from elsewhere (a directory, a sign-in): merged into what is known; `null` forgets one. Labels follow.
   * @throws CoreError `core.enrolment.unknown` (not-found)
   */
  learn(enrolmentId: string, facts: Facts): Promise<void>;
  /** Queues the inventory batch and wakes the device (ACT-17). */
  refresh(enrolmentIds: readonly string[]): Promise<void>;
  /** Lock (ACT-9): on macOS a six-digit PIN is made, sealed and kept unless one is given. */
  lock(
    enrolmentId: string,
    options?: { readonly message?: string; readonly phoneNumber?: string; readonly pin?: string },
  ): Promise<{ readonly commandUuid: string }>;
  /** The PIN of the last lock of a Mac (ACT-9); `null` where there is none. The caller checks the role. */
  lockPin(enrolmentId: string): Promise<string | null>;
}

/** A search that becomes a label (SRCH-16). */
export interface SavedSearch {
  readonly name: string;
  readonly description?: string;
  /** The advanced search, or else `basic`. */
  readonly expression?: string;
  readonly basic?: string;
  /** Whether a label of this name gets the search, provided that nothing uses it (default false). */
  readonly overwrite?: boolean;
}

/** What a label with another expression would hold. */
export interface LabelPreview {
  /** Devices that would join: how many, and the first of them by id. */
  readonly joining: { readonly count: number; readonly items: readonly Enrolment[] };
  readonly leaving: { readonly count: number; readonly items: readonly Enrolment[] };
  /** How many members would stay. */
  readonly staying: number;
  /** Labels that refer to this one, whose members may change as well. */
  readonly dependants: readonly { readonly id: string; readonly name: string }[];
}

/**
 * Labels and their members. An expression may refer to other labels by name (`"common.label" = "Sales"`, `!=`, `in`,
 * `not in`), but not to itself through them.
 */
export interface Labels {
  /**
   * @throws CoreError `core.label.name_taken`, `core.label.cycle` (conflict); `core.label.bad_name`,
   *   `core.label.unknown_reference`, `core.label.open_reference` (invalid); SearchSyntaxError, SearchError
   */
  create(label: { readonly name: string; readonly description?: string; readonly expression?: string }): Promise<Label>;
  /** @throws as {@link create}; `core.label.in_use` (conflict) for a new name of a label that others refer to */
  update(
    id: string,
    change: { readonly name?: string; readonly description?: string; readonly expression?: string },
  ): Promise<Label>;
  /** @throws CoreError `core.label.in_use` (conflict) when other labels refer to it */
  delete(id: string): Promise<void>;
  /** Makes a search a label. @throws as {@link create}; `core.label.in_use` when the label to overwrite is in use */
  saveSearch(search: SavedSearch): Promise<Label>;
  /**
   * What changing a label's expression (or, without `labelId`, creating a label) would do; nothing is changed.
   * `limit`: how many devices of each kind are listed (default 20).
   * @throws as {@link create}; `core.label.unknown`
   */
  preview(change: {
    readonly expression: string;
    readonly labelId?: string;
    readonly limit?: number;
  }): Promise<LabelPreview>;
  list(): Promise<readonly Label[]>;
  get(id: string): Promise<Label | null>;
  members(id: string, page?: PageRequest): Promise<Page<Enrolment>>;
  /** Puts devices into, or takes them out of, a manual label. */
  setMembers(
    id: string,
    change: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
  ): Promise<void>;
}

/** Configurations, their labels, and their state on each device. */
export interface Configurations {
  create(configuration: {
    readonly name: string;
    readonly type: string;
    readonly description?: string;
    readonly settings: Readonly<Record<string, unknown>>;
    readonly labelIds?: readonly string[];
  }): Promise<Configuration>;
  update(
    id: string,
    change: {
      readonly name?: string;
      readonly description?: string;
      readonly settings?: Readonly<Record<string, unknown>>;
      readonly labelIds?: readonly string[];
    },
  ): Promise<Configuration>;
  delete(id: string): Promise<void>;
  list(): Promise<readonly (Configuration & { readonly applied: number; readonly waiting: number })[]>;
  get(id: string): Promise<Configuration | null>;
  assignments(id: string, page?: PageRequest): Promise<Page<Assignment>>;
}

/** Invitations (REG-4) and SCEP challenges. */
export interface Enrolling {
  /** @throws CoreError `core.invitation.bad_option`, `core.registration.exists` (conflict): a list registers the user already */
  invite(
    options?: {
      readonly note?: string;
      /** PIN length, 6 to 12 (default 6). */
      readonly pinLength?: number;
      /** Hours until the PIN expires (default 24). */
      readonly ttlHours?: number;
    } & InvitationBinding,
  ): Promise<Invitation>;
  /**
   * Binds an invitation to a device, an account or rights, once they are known: what a device sent of itself, signed.
   * @throws CoreError `core.invitation.unknown` (not-found), `core.invitation.bound` (conflict) where it is for another already
   */
  bind(invitationId: string, binding: InvitationBinding): Promise<InvitationBinding>;
  /** By whose account the enrolment of this certificate is, or will be; `null` for every other. */
  accountOf(fingerprint: string): Promise<EnrolmentAccount | null>;
  invitations(page?: PageRequest): Promise<Page<Invitation>>;
  /** @throws CoreError `core.invitation.unknown` (not-found), `core.invitation.used` (conflict), `core.invitation.expired`, `core.invitation.ade_only` (forbidden) */
  redeem(
    credential: { readonly token: string } | { readonly pin: string },
    options?: {
      /** The device is at automated device enrolment, so that an invitation for that alone is good (default false). */
      readonly automated?: boolean;
    },
  ): Promise<Invitation>;
  revoke(invitationId: string): Promise<void>;
  /**
   * A fresh single-use SCEP challenge, bound to an invitation or, for a renewal, to an enrolment when one is given: the
   * certificate issued for it is that enrolment's alone.
   * @throws CoreError `core.invitation.unknown`, `core.enrolment.unknown` (not-found), `core.invitation.expired` (forbidden),
   *   `core.challenge.known` (conflict)
   */
  challenge(options?: {
    /** A challenge that somebody else made, 8 to 256 characters (as NDES does): it is bound and used up here as well. */
    readonly challenge?: string;
    readonly invitationId?: string;
    readonly enrolmentId?: string;
    /** With `enrolmentId`: the certificate is for this configuration on the device, and enrols or renews nothing. */
    readonly configurationId?: string;
    readonly ttlMinutes?: number;
    /** Overrides the subject of the CSR: RFC 4514 text, `CN=device,O=Org`. */
    readonly subject?: string;
  }): Promise<ScepChallenge>;
  /**
   * What a SCEP request gets that another service has judged: a certificate for an invitation, for an enrolment, or for
   * whoever enrols with it.
   * @throws CoreError `core.request.bad_option` (a subject that is no name), and as {@link Enrolling.challenge}
   */
  grant(options?: {
    readonly invitationId?: string;
    readonly enrolmentId?: string;
    /** The subject of the certificate, in place of the CSR's: RFC 4514 text. */
    readonly subject?: string;
    readonly validityDays?: number;
  }): Promise<ScepGrant>;
  /**
   * A fresh single-use `ClientIdentifier` for a `com.apple.security.acme` payload, bound as {@link Enrolling.challenge}
   * is. For an enrolment whose serial number is known, an attestation must name that device.
   * @throws CoreError as {@link Enrolling.challenge}
   */
  clientIdentifier(options?: {
    readonly invitationId?: string;
    readonly enrolmentId?: string;
    /** With `enrolmentId`: the certificate is for this configuration on the device, and enrols or renews nothing. */
    readonly configurationId?: string;
    readonly ttlMinutes?: number;
    /** The subject of the certificate, in place of the CSR's: RFC 4514 text. */
    readonly subject?: string;
    /** The attestation must name this device. */
    readonly device?: AcmeDeviceFacts;
  }): Promise<{ readonly clientIdentifier: string; readonly expiresAt: number }>;
  /** SCEP requests that wait, newest first. */
  requests(query?: PageRequest & { readonly state?: ScepRequestState }): Promise<Page<WaitingRequest>>;
  /**
   * Decides on a SCEP request that waits; the device gets its certificate, or the refusal, when it asks again (within
   * seven days). A request with a challenge is for whom the challenge is; any other for the invitation or the enrolment
   * that is named here, or for whoever enrols with it.
   * @throws CoreError `core.request.unknown` (not-found), `core.request.decided` (conflict), `core.request.bad_option`, and as {@link Enrolling.challenge}
   */
  decide(
    requestId: string,
    decision: {
      readonly approve: boolean;
      readonly invitationId?: string;
      readonly enrolmentId?: string;
      /** The subject of the certificate, in place of the CSR's: RFC 4514 text. */
      readonly subject?: string;
      readonly validityDays?: number;
      /** Why it is refused: for the log. */
      readonly reason?: string;
    },
  ): Promise<void>;
  /** The store that the SCEP server works on. */
  readonly scepStore: ScepStore;
  /** The store that the ACME server works on. */
  readonly acmeStore: AcmeStore;
  /**
   * What a RenewalReq signed with this certificate may get: the same again, for the enrolment that is pinned to it; null
   * for any other certificate. For the SCEP server's `renewal.authorise`.
   */
  authoriseRenewal(certificate: ReadCertificate): Promise<ScepGrant | null>;
  certificates(page?: PageRequest & { readonly enrolmentId?: string }): Promise<Page<IssuedCertificate>>;
}

/** The register of issued certificates (CERT-2): finding, revoking (CERT-9), publishing, renewing (CERT-14). */
export interface Certificates {
  get(fingerprint: string): Promise<CertificateRecord | null>;
  /** Newest first. */
  list(query?: Omit<CertificateFilter, 'expiring'> & PageRequest): Promise<Page<IssuedCertificate>>;
  /**
   * Revokes: from this moment the certificate opens nothing, and the enrolment that was pinned to it must enrol anew. A
   * certificate that is revoked already stays as it is.
   * @throws CoreError `core.certificate.unknown` (not-found)
   */
  revoke(fingerprint: string, reason?: RevocationReason): Promise<void>;
  /** How many certificates of each authority live, by key identifier: an earlier one without any may go (CERT-12). */
  inUse(): Promise<readonly { readonly authorityKeyId: string | null; readonly count: number }[]>;
  /** For an OCSP responder: how the certificate of this serial number (lower-case hex) and authority stands. */
  status(serialNumber: string, authorityKeyId?: string): Promise<CertificateStatus>;
  /**
   * Where `createCrlPublisher` of `@espalier/pki` keeps the list of one authority, and finds what is revoked (CERT-8).
   * Processes that share a store publish one list. Certificates that name no authority are on every list.
   * @param authorityKeyId The authority's key identifier, lower-case hex.
   */
  crlStore(authorityKeyId: string): CrlStore;
  /**
   * Queues the renewal of an enrolment's identity now, whatever its certificate's age. False when the engine was made
   * without `renewal`, when the enrolment is not active, or when `renewal.profile` gave none.
   */
  renew(enrolmentId: string): Promise<boolean>;
}

/** Reading and following events. */
export interface Events {
  /** Newest first, unless `order` says otherwise. */
  list(
    query?: {
      readonly enrolmentId?: string;
      readonly type?: EventType;
      readonly order?: 'newest' | 'oldest';
    } & PageRequest,
  ): Promise<Page<EngineEvent>>;
  /** Called after each event is stored; the returned function stops it. Errors of the listener are logged, never thrown. */
  subscribe(listener: (event: EngineEvent) => void): () => void;
}

/** The engine: the services, and the work that goes on between requests. */
export interface Engine {
  readonly protocol: Protocol;
  readonly commands: Commands;
  readonly devices: Devices;
  readonly recipes: Recipes;
  readonly actions: Actions;
  readonly escrow: Escrow;
  readonly locations: Locations;
  readonly labels: Labels;
  readonly configurations: Configurations;
  readonly declarations: Declarations;
  readonly ade: Ade;
  readonly enrolling: Enrolling;
  readonly registrations: Registrations;
  readonly certificates: Certificates;
  readonly credentials: Credentials;
  readonly pushCertificates: PushCertificates;
  readonly mdmProfile: MdmProfiles;
  readonly userEnrolments: UserEnrolments;
  readonly migration: Migration;
  readonly events: Events;
  readonly clock: Clock;
  /** What the engine counts and measures; see docs/operations.md for the names. */
  readonly metrics: Metrics;
  /**
   * Makes sure that the store can be read and that the key ring opens what it holds. Every service does so by itself
   * before it first handles a secret; call it at start to fail early.
   * @throws CoreError `core.keys.wrong_key`
   */
  ready(): Promise<void>;
  /**
   * Seals with the current key what earlier keys sealed, all at once. Returns how many values. A started engine whose ring
   * has earlier keys does the same in the background, in small batches.
   * @throws CoreError `core.keys.wrong_key` at the first value that no key of the ring opens
   */
  rewrap(): Promise<number>;
  /** Starts the notifier, the reconciler and the housekeeping, each on its interval. */
  start(): void;
  /** Does all work that is due now, once (what `start` does on its intervals); for tests and scripts. */
  tick(): Promise<void>;
  /** Stops the loops, waits for what is running, and leaves the store open. */
  stop(): Promise<void>;
}
