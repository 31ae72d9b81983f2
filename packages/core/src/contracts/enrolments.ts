// Contract: enrolments, their pinned identities and their tokens.
import type { Page } from '../api/common.ts';
import type { Enrolment, EnrolmentPhase, EnrolmentStatus } from '../api/records.ts';
import type { NamedSecret, NewEvent, StorePage } from './shared.ts';

/** What check-in messages tell of a device; a field that is absent leaves what was known, `null` clears it. */
export interface EnrolmentDetails {
  readonly udid?: string | null;
  readonly serialNumber?: string | null;
  readonly model?: string | null;
  readonly productName?: string | null;
  readonly osVersion?: string | null;
  readonly deviceName?: string | null;
  readonly topic?: string | null;
}

/** Input of {@link EnrolmentStore.authenticate}. */
export interface AuthenticateInput {
  readonly id: string;
  readonly kind: Enrolment['kind'];
  readonly certificateFingerprint: string;
  readonly at: number;
  readonly details: EnrolmentDetails;
  readonly secrets: readonly NamedSecret[];
  readonly events: readonly NewEvent[];
}

/** Answer of {@link EnrolmentStore.authenticate}. */
export type AuthenticateOutcome =
  | { readonly outcome: 'accepted'; readonly enrolment: Enrolment; readonly fresh: boolean }
  | { readonly outcome: 'identity-mismatch'; readonly reason: 'pinned-elsewhere' | 'superseded' | 'revoked' };

/** Input of {@link EnrolmentStore.tokenUpdate}. */
export interface TokenUpdateInput {
  readonly id: string;
  readonly channel: Enrolment['channel'];
  readonly kind: Enrolment['kind'];
  /** The device channel's id, on a user channel. */
  readonly parent: string | null;
  readonly certificateFingerprint: string;
  readonly at: number;
  readonly token: Uint8Array;
  /** The PushMagic, sealed. */
  readonly pushMagic: Uint8Array;
  readonly topic: string;
  readonly details: EnrolmentDetails;
  readonly secrets: readonly NamedSecret[];
  /** Stored when this update made the enrolment active. */
  readonly firstEvents: readonly NewEvent[];
  /** Stored when it was active before. */
  readonly laterEvents: readonly NewEvent[];
}

/** Answer of {@link EnrolmentStore.tokenUpdate}. */
export type TokenUpdateOutcome =
  | { readonly outcome: 'updated'; readonly first: boolean; readonly enrolment: Enrolment }
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'identity-mismatch' };

/** Answer of {@link EnrolmentStore.verify} and {@link EnrolmentStore.checkOut}. */
export type VerifyOutcome =
  | { readonly outcome: 'ok'; readonly enrolment: Enrolment }
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'identity-mismatch' };

/** Which enrolments are listed. */
export interface EnrolmentFilter {
  readonly channel?: Enrolment['channel'];
  readonly statuses?: readonly EnrolmentStatus[];
}

/**
 * Enrolments. The pin of a user channel is its parent's: a user channel's own `certificateFingerprint` always reads as
 * the parent's.
 */
export interface EnrolmentStore {
  /**
   * Begins, or begins again, a device channel and pins it to the certificate. Atomic, in this order:
   * 1. Refused (`identity-mismatch`, nothing changed) when the certificate is pinned to another enrolment, or its
   *    register entry names another enrolment (`pinned-elsewhere`), is `superseded`, or is `revoked`.
   * 2. `fresh` is true unless the enrolment is `pending` with this very certificate already (a repeated message). A
   *    fresh one that existed before loses its pending commands and those of its user channels (`cancelled`), its push
   *    state, its secrets, its assignments, its memberships' effect on reconciling (its reconcile mark goes) and its
   *    installed profiles (a re-enrolled device has none of ours), and its inventory time becomes null; its user
   *    channels become `checked-out`. Facts stay.
   * 3. The enrolment is written: status `pending`, no phase, the pin, the details, `pushable` false, `enrolledAt` null,
   *    `checkedOutAt` null, `lastSeenAt` = `at`; the invitation of the certificate's register entry, when it has one.
   *    The register entry, when there is one, gets this enrolment's id.
   * 4. `secrets` are put under the enrolment's id; `events` are appended.
   */
  authenticate(input: AuthenticateInput): Promise<AuthenticateOutcome>;

  /**
   * Stores the push token. Atomic:
   * - `unknown` (nothing changed): no such device enrolment in status `pending` or `active`; on a user channel: no such parent that is `active`.
   * - `identity-mismatch` (nothing changed): the pin differs.
   * - A user channel that does not exist, or was checked out, is created here.
   * - First (the enrolment was not active): status `active`, `enrolledAt` = `at`. On a device channel the pinned certificate's register entry becomes
   *   `in-force`, every other `issued` or `in-force` one of this enrolment `superseded`, and the enrolment's invitation, when it is
   *   `valid`, becomes `consumed` by this enrolment (with an `invitation.consumed` event, data `{ invitationId }`).
   * - Always: token, magic, topic, `pushable` true, push attempts and lease cleared, details, `lastSeenAt`; a push is
   *   due at `at` when the enrolment has pending commands, else what was due stays.
   * - `secrets` are put; `firstEvents` or `laterEvents` are appended.
   */
  tokenUpdate(input: TokenUpdateInput): Promise<TokenUpdateOutcome>;

  /**
   * Moves the pin of an active device channel to another certificate of its own: one whose register entry names this
   * enrolment and is `issued` (a renewal). That one becomes `in-force`, the one `in-force` before `superseded`, and
   * `events` are appended. `refused` (nothing changed) in every other case, also when the enrolment has no pin any more
   * (its certificate was revoked).
   */
  adopt(input: {
    readonly id: string;
    readonly certificateFingerprint: string;
    readonly at: number;
    readonly events: readonly NewEvent[];
  }): Promise<{ readonly outcome: 'adopted'; readonly enrolment: Enrolment } | { readonly outcome: 'refused' }>;

  /**
   * Ends an enrolment: status `checked-out` (`retired` where the phase was `retire-pending`), no phase, `checkedOutAt`, not pushable, pending commands `cancelled`, memberships,
   * assignments and reconcile mark removed; on a device channel its user channels likewise. For each membership an event
   * `label.left` is appended (by id of the label; data `{ labelId, label: name, cause: 'check-out' }`), then `events`. Idempotent: an
   * enrolment that has ended (checked out, retired, wiped), with the same pin, answers `ok` and nothing changes, no event is appended.
   */
  checkOut(input: {
    readonly id: string;
    readonly certificateFingerprint: string;
    readonly at: number;
    readonly events: readonly NewEvent[];
  }): Promise<VerifyOutcome>;

  /**
   * Moves active device channels from any phase of `from` (`null`: none) to `to`; returns the ids that moved, ordered. For each
   * an event `enrolment.phase-changed` is appended, data `{ from, to, cause }` (`none` for `null`).
   */
  setPhase(input: {
    readonly ids: readonly string[];
    readonly from: readonly (EnrolmentPhase | null)[];
    readonly to: EnrolmentPhase | null;
    readonly at: number;
    readonly cause: string;
  }): Promise<readonly string[]>;

  /**
   * Ends a device channel from the server's side: as {@link EnrolmentStore.checkOut} with the status given, without a
   * certificate. `cause` goes into the events of labels. `null` (nothing changed) unless the status is one of `from`. The pin stays, so that a device that
   * comes back is known; memberships, assignments and commands go also where it had ended otherwise before.
   */
  end(input: {
    readonly id: string;
    readonly status: 'retired' | 'wiped';
    readonly from: readonly EnrolmentStatus[];
    readonly at: number;
    readonly cause: string;
    readonly events: readonly NewEvent[];
  }): Promise<Enrolment | null>;

  /**
   * Takes a wipe back: a `wiped` device channel becomes `active` with the phase given; pushable, with a push due at `at`,
   * where it has a token. `checkedOutAt` becomes null, `events` are appended. `null` (nothing changed) unless it is `wiped`.
   */
  revive(input: {
    readonly id: string;
    readonly phase: EnrolmentPhase | null;
    readonly at: number;
    readonly events: readonly NewEvent[];
  }): Promise<Enrolment | null>;

  /**
   * Checks the pin, touches `lastSeenAt`, and puts the secrets given (for the check-in messages without a method of
   * their own). `unknown` unless the status is `pending` or `active` (and, on a user channel, the parent's too).
   */
  verify(input: {
    readonly id: string;
    readonly certificateFingerprint: string;
    readonly at: number;
    readonly secrets?: readonly NamedSecret[];
  }): Promise<VerifyOutcome>;

  get(id: string): Promise<Enrolment | null>;
  /** Those of `ids` that exist, in no particular order. */
  getMany(ids: readonly string[]): Promise<readonly Enrolment[]>;
  /** Ids of the active user channels of these devices, in no particular order. */
  usersOf(deviceIds: readonly string[]): Promise<readonly string[]>;
  /** Ordered by id. */
  list(filter: EnrolmentFilter, page: StorePage): Promise<Page<Enrolment>>;
  count(filter: EnrolmentFilter): Promise<number>;

  /**
   * Active device channels that have no inventory yet (`inventoryAt` null), no pending command with this dedupe key, and no
   * follow-up (an answer that is being applied), oldest first: what a crash between the first TokenUpdate and its inventory
   * batch leaves behind.
   */
  withoutInventory(input: { readonly dedupeKey: string; readonly limit: number }): Promise<readonly string[]>;
}
