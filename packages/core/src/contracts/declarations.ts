// Contract: declarations, sets and their members, snapshots of what each channel is to have, what devices report.
import type { DeclarationState } from '@espalier/apple-mdm';
import type { Page } from '../api/common.ts';
import type { DeclarationSet, DeclarationSync, StoredDeclaration } from '../api/declarations.ts';
import type { ReconcileMark } from './configurations.ts';
import type { NewEvent, StorePage } from './shared.ts';

/** A channel's state as the store keeps it. */
export interface DeclarationSyncRecord extends DeclarationSync {
  /** The token that the last command named. */
  readonly askedToken: string | null;
  /** How many reports were taken; the writer of the next one names it. */
  readonly reports: number;
  /** What the device said that it takes (`ClientCapabilities` as JSON text). */
  readonly capabilities: string | null;
}

/** What one channel said of one declaration. */
export interface DeclarationStateRecord extends DeclarationState {
  readonly enrolmentId: string;
  readonly reportedAt: number;
}

/** Immutable: the token stands for the items. */
export interface DeclarationSnapshot {
  readonly token: string;
  /** JSON text. */
  readonly items: string;
}

/**
 * Declarative management. A set is for the channels of its kind: of an enrolment that is a direct member, or that has one
 * of its labels; a set for user channels also for the user channels of such a device. "Concerned" below are all of these.
 */
export interface DeclarationStore {
  /**
   * Writes a declaration if there is none (`expectedVersion` null) or its version is `expectedVersion`; else `conflict`.
   * Channels concerned by sets that hold one of `concerning` are marked at `at`.
   */
  put(
    declaration: StoredDeclaration,
    expectedVersion: number | null,
    options: { readonly concerning: readonly string[]; readonly at: number; readonly event: NewEvent },
  ): Promise<'written' | 'conflict'>;
  /** `in-use` (nothing changed): a set holds it. */
  delete(identifier: string, event: NewEvent): Promise<'deleted' | 'unknown' | 'in-use'>;
  /** Those that exist, in no particular order. */
  getMany(identifiers: readonly string[]): Promise<readonly StoredDeclaration[]>;
  /** Ordered by identifier. */
  list(page: StorePage): Promise<Page<StoredDeclaration>>;

  /**
   * Writes a set if there is none (`expectedVersion` null) or its version is `expectedVersion`; else `conflict`.
   * `unknown-declaration`: it names one that does not exist. Nothing changes unless `written`. Channels concerned by it
   * before or after are marked at `at` when its declarations, its labels or its channel changed.
   */
  putSet(
    set: DeclarationSet,
    expectedVersion: number | null,
    at: number,
    event: NewEvent,
  ): Promise<'written' | 'conflict' | 'name-taken' | 'unknown-declaration'>;
  /** Deletes a set and its memberships; who was concerned is marked at `at`. False when there was none. */
  deleteSet(id: string, at: number, event: NewEvent): Promise<boolean>;
  getSets(ids: readonly string[]): Promise<readonly DeclarationSet[]>;
  /** By name, with the number of direct members. */
  listSets(): Promise<readonly (DeclarationSet & { readonly memberCount: number })[]>;
  /** Direct members' ids, in order. */
  members(setId: string, page: StorePage): Promise<Page<string>>;
  /**
   * Makes direct memberships so, in one step; who is not enrolled (`pending` or `active`) does not join, and what is so
   * already does not count. Concerned channels are marked at `at`; the event is appended when something changed, with
   * `added` and `removed` in its data. `null`: no such set.
   */
  changeMembers(input: {
    readonly setId: string;
    readonly add: readonly string[];
    readonly remove: readonly string[];
    readonly at: number;
    readonly event: NewEvent;
  }): Promise<{ readonly added: number; readonly removed: number } | null>;
  /** Ids of the sets that concern each channel, in order. Channels without any are absent. */
  desired(enrolmentIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;

  /** Marks channels for a new look; enrolments that do not exist are left out. */
  mark(input: { readonly enrolmentIds: readonly string[]; readonly at: number }): Promise<void>;
  /** Leases up to `limit` marks that are due by `at`, oldest first: their due time moves to `at + leaseMs`. */
  claimMarks(input: {
    readonly at: number;
    readonly leaseMs: number;
    readonly limit: number;
  }): Promise<readonly ReconcileMark[]>;
  /** Removes marks that are still the same. */
  clearMarks(marks: readonly ReconcileMark[]): Promise<void>;

  /** Keeps snapshots, and makes these channels' tokens so; `tokenAt` becomes `at` where the token is another one. */
  assign(input: {
    readonly snapshots: readonly DeclarationSnapshot[];
    readonly put: readonly { readonly enrolmentId: string; readonly token: string }[];
    readonly at: number;
  }): Promise<void>;
  /** Notes what channels were told: `askedToken`, and `askedAt` = `at`. */
  asked(input: {
    readonly put: readonly { readonly enrolmentId: string; readonly token: string }[];
    readonly at: number;
  }): Promise<void>;
  syncs(enrolmentIds: readonly string[]): Promise<ReadonlyMap<string, DeclarationSyncRecord>>;
  /** The items of a snapshot, while it is kept. */
  snapshot(token: string): Promise<string | null>;
  /** Notes that a channel fetched the manifest of this token; the event is appended when it is another than before. */
  fetched(input: {
    readonly enrolmentId: string;
    readonly token: string;
    readonly at: number;
    readonly event: NewEvent;
  }): Promise<void>;

  /**
   * Takes a report, if `expectedReports` were taken before (else false, nothing changed): the status (JSON text) and all
   * states replace those kept; `capabilities` when given. The count grows by one. A channel without a token has no reports.
   */
  report(input: {
    readonly enrolmentId: string;
    readonly expectedReports: number;
    readonly at: number;
    readonly status: string;
    readonly capabilities: string | null;
    readonly states: readonly DeclarationStateRecord[];
    readonly events: readonly NewEvent[];
  }): Promise<boolean>;
  /** The status as last kept (JSON text); `null` without any. */
  status(enrolmentId: string): Promise<string | null>;
  /** What a channel said, ordered by identifier. */
  statesOf(enrolmentId: string): Promise<readonly DeclarationStateRecord[]>;
  /** What channels said of a declaration, ordered by enrolment. */
  statesOn(identifier: string, page: StorePage): Promise<Page<DeclarationStateRecord>>;

  /** Active channels that were told something before `before` and have not fetched what they are to have; by id. */
  outdated(input: { readonly before: number; readonly limit: number }): Promise<readonly string[]>;
  /** Living channels of the device pinned to this certificate, with their tokens. */
  holders(certificateFingerprint: string): Promise<readonly { readonly enrolmentId: string; readonly token: string }[]>;
  /** Deletes up to `limit` snapshots that are no channel's and were last assigned before `before`. Returns how many. */
  prune(input: { readonly before: number; readonly limit: number }): Promise<number>;
}
