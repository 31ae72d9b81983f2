// Contract: the command queue and the history of results. States and transitions: docs/queue.md.
import type { Page } from '../api/common.ts';
import type { AppleError, CommandEntry, CommandState } from '../api/records.ts';
import type { NewEvent, StoredBytes, StorePage } from './shared.ts';

/** What happens to a command that the device answers with `Error`. */
export type ErrorPolicy =
  /** It ends as `error`; the rest of its chain is held until it is requeued and succeeds. */
  | 'fail'
  /** It is offered again after a backoff, until its attempts are used up; then as `fail`. */
  | 'retry'
  /** It ends as `error` and the rest of its chain is cancelled. */
  | 'drop-chain';

/** A command as it is queued. Its body is stored once, however many enrolments it is queued for. */
export interface NewCommand {
  readonly commandUuid: string;
  readonly requestType: string;
  readonly body: StoredBytes;
  /** Higher goes first. */
  readonly priority: number;
  readonly notBefore: number | null;
  readonly expiresAt: number | null;
  /** At most one pending command per enrolment has a given key. Not allowed together with `chain`. */
  readonly dedupeKey: string | null;
  readonly onDuplicate: 'replace' | 'keep';
  /** How often it may be offered; `null` for no limit. `NotNow` gives the attempt back. */
  readonly maxAttempts: number | null;
  readonly onError: ErrorPolicy;
  /** Commands of one chain go one after the other, in order of `index` (from 0, no gaps), each only after the one before succeeded. */
  readonly chain: { readonly id: string; readonly index: number } | null;
  readonly origin: string;
  /** Whether the device is to be woken for it. */
  readonly push: boolean;
  /** Whether its end is to be kept as a follow-up until {@link QueueStore.followUpDone}. */
  readonly followUp: boolean;
}

/** Exponential backoff: `min(maxMs, baseMs * 2^n)` for the n-th repetition, n from 0 (n is cut at 20). */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** A device's answer to a command, as the queue takes it. */
export interface PollResult {
  readonly commandUuid: string;
  readonly status: 'acknowledged' | 'error' | 'format-error' | 'not-now';
  readonly response: StoredBytes | null;
  readonly errorChain: readonly AppleError[];
  /** Appended when the answer changed something (`stored`, `deferred` or `retrying`). */
  readonly event: NewEvent | null;
}

/** Input of {@link QueueStore.poll}. */
export interface PollInput {
  readonly enrolmentId: string;
  readonly certificateFingerprint: string;
  readonly at: number;
  /** Absent: the device said `Idle`, which begins a new session. */
  readonly result?: PollResult;
  readonly backoff: Backoff;
}

/**
 * What became of the result:
 * - `stored`: the command is finished and in the history.
 * - `deferred`: `NotNow`, the command stays pending.
 * - `retrying`: `Error` under the policy `retry`, the command stays pending.
 * - `repeated`: the command was finished, or this answer was taken, before; nothing changed.
 * - `unknown`: this enrolment was never sent such a command; nothing changed.
 */
export type ResultOutcome = 'stored' | 'deferred' | 'retrying' | 'repeated' | 'unknown';

/** A command as a device gets it. */
export interface DueCommand {
  readonly commandUuid: string;
  readonly requestType: string;
  readonly body: StoredBytes;
  /** How often it was offered, this time included. */
  readonly attempts: number;
}

/** What is known of a command that a device answers. */
export interface ResultCommand {
  readonly requestType: string;
  readonly origin: string;
  readonly followUp: boolean;
}

/** Answer of {@link QueueStore.poll}. */
export type PollOutcome =
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'identity-mismatch' }
  | {
      readonly outcome: 'ok';
      readonly result: ResultOutcome | null;
      /** What is known of the command that the result was for; `null` when there was none or it is unknown. */
      readonly resultCommand: ResultCommand | null;
      readonly command: DueCommand | null;
    };

/** A command that ended without a device's answer. */
export interface EndedCommand {
  readonly enrolmentId: string;
  readonly commandUuid: string;
  readonly requestType: string;
  readonly state: CommandState;
  readonly followUp: boolean;
}

/** A finished or pending command with the device's answer as it was stored. */
export interface StoredOutcome extends CommandEntry {
  readonly response: StoredBytes | null;
}

/** What is yet to be done, for metrics. */
export interface QueueDepth {
  readonly pending: number;
  readonly followUps: number;
  /** When the oldest pending command was queued. */
  readonly oldestQueuedAt: number | null;
}

/** Sizes, for people. */
export interface QueueStats extends QueueDepth {
  readonly history: number;
}

/**
 * The queue. `pending` and `history` are separate sets: completing a command moves its row, and no method that a device
 * waits for looks at the history except to find one (enrolment, command) by its key.
 */
export interface QueueStore {
  /**
   * Queues every command for every enrolment, atomically. Enrolments that do not exist or are neither `pending` nor
   * `active` are left out. A pending command with the same dedupe key: `replace` ends it as `superseded`; `keep` leaves it and does
   * not queue the new one for that enrolment, unless the old one is expired or exhausted, which is then ended as such.
   * A command that was queued for nobody is not kept. With `push`, a push becomes due for the enrolments queued at
   * `max(at, notBefore)`, or earlier if one was due earlier; where a push is under way (leased) or was sent and not yet
   * answered by a poll (attempts > 0), its schedule stays. `events` are appended when at least one row was queued.
   */
  enqueue(input: {
    readonly commands: readonly NewCommand[];
    readonly enrolmentIds: readonly string[];
    readonly at: number;
    readonly events: readonly NewEvent[];
  }): Promise<{
    /** For each command, in order, how many enrolments it was queued for. */
    readonly queued: readonly number[];
  }>;

  /**
   * The hot path, one transaction or one round trip:
   * 1. `unknown` unless the enrolment is `pending` or `active` (and on a user channel its parent too);
   *    `identity-mismatch` unless the pin is the certificate. Nothing changes.
   * 2. `lastSeenAt` = `at` (never backwards). Without a result the session number grows by one.
   * 3. The result is taken: see {@link ResultOutcome}. Only a command in state `sent` or `not-now` takes one;
   *    `NotNow` for one in `not-now` is `repeated`. `acknowledged` frees the next of its chain. `error`: by policy.
   *    `format-error` is never retried (policy `retry` counts as `fail`). `NotNow` gives the attempt back. A `retrying`
   *    one is `queued` and not offered before `at` + backoff(attempts - 1).
   * 4. The next command: of those not held by a chain, due (`notBefore`), not expired, with attempts left: `queued`
   *    ones, and `sent` or `not-now` ones that were last offered in an earlier session (`sent` ones of this session too when
   *    the result was `repeated`: the device never saw our answer). Highest priority first, then in the order of
   *    enqueueing. It becomes `sent`, `attempts` grows, its session is this one.
   * 5. When there is no next command, the push that is due becomes the earliest of: `notBefore` of a `queued` one,
   *    `at` + backoff(times of NotNow - 1) of a `not-now` one, `at` + `baseMs` of a `sent` one; counting only commands queued with
   *    `push` that are not held, not expired and have attempts left; `null` without any. Push attempts and lease are cleared.
   */
  poll(input: PollInput): Promise<PollOutcome>;

  /**
   * Ends pending commands of these enrolments as `cancelled` or `superseded`: one (`commandUuid`), those with a dedupe key, or all.
   * Those that are `sent` and of a type in `keepSent` stay: what the device has done already cannot be taken back.
   * The rest of a chain under `drop-chain`, what is not itself among them, ends `cancelled`. A `command.cancelled` event (data `{ commandUuid, requestType }`) is
   * appended for each that is `cancelled`.
   */
  end(input: {
    readonly enrolmentIds: readonly string[];
    readonly commandUuid?: string;
    readonly dedupeKey?: string;
    readonly keepSent?: readonly string[];
    readonly state: 'cancelled' | 'superseded';
    readonly at: number;
  }): Promise<readonly EndedCommand[]>;

  /**
   * Puts a finished command back: `queued`, no attempts, `notBefore` and an expiry that has passed cleared, no longer held by its
   * chain, push due at `at` if it pushes. False (nothing changed): unknown, still pending, the enrolment not `pending` or `active`, or its dedupe key is
   * taken by a pending command.
   */
  requeue(input: { readonly enrolmentId: string; readonly commandUuid: string; readonly at: number }): Promise<boolean>;

  /**
   * Ends up to `limit` pending commands that expired by `at` (`expired`), or used up their attempts and were last offered
   * in an earlier session (`exhausted`). Chains as in {@link QueueStore.end}. A `command.expired` event (data
   * `{ commandUuid, requestType, state }`) is appended for each.
   */
  sweep(input: { readonly at: number; readonly limit: number }): Promise<readonly EndedCommand[]>;

  /** Deletes up to `limit` history rows finished before `before`, and bodies that nothing refers to any more. Returns how many rows. */
  prune(input: { readonly before: number; readonly limit: number }): Promise<number>;

  /**
   * Pending and finished commands of one enrolment, newest (last enqueued) first. With `pendingOnly` those that are pending,
   * without a look at the history.
   */
  list(enrolmentId: string, page: StorePage & { readonly pendingOnly?: boolean }): Promise<Page<CommandEntry>>;
  get(enrolmentId: string, commandUuid: string): Promise<StoredOutcome | null>;
  /** The body of a command, while it is kept. */
  body(commandUuid: string): Promise<StoredBytes | null>;

  /**
   * Ends of commands with `followUp` that are not done: every end but `superseded` leaves one. Those that ended by
   * `before`, oldest first.
   */
  followUps(input: {
    readonly before: number;
    readonly limit: number;
  }): Promise<readonly { readonly enrolmentId: string; readonly commandUuid: string; readonly at: number }[]>;
  followUpDone(enrolmentId: string, commandUuid: string): Promise<void>;

  /** Enrolments that have pending commands, ordered by id. */
  withWork(page: StorePage): Promise<Page<string>>;
  /** Never looks at the history: it is asked every few seconds. */
  depth(): Promise<QueueDepth>;
  stats(): Promise<QueueStats>;
}
