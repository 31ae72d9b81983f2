// Contract: configurations, their assignments to devices, and the devices marked for reconciling.
import type { Page } from '../api/common.ts';
import type { Assignment, Configuration } from '../api/records.ts';
import type { NewEvent, StorePage } from './shared.ts';

/** An assignment as the reconciler keeps it. */
export interface AssignmentRecord extends Assignment {
  /** The PayloadUUID that the device is to have; `null` where nothing is to be installed. */
  readonly profileUuid: string | null;
  /** Whether ProfileList can show that it is there. */
  readonly verifiable: boolean;
}

/** A device marked for reconciling, leased to the caller. */
export interface ReconcileMark {
  readonly enrolmentId: string;
  /** Changes with each new mark, so that a mark made while the device is being reconciled is not lost. */
  readonly mark: number;
}

/** Configurations and assignments. */
export interface ConfigurationStore {
  /**
   * `name-taken` (nothing changed): a configuration has this name. Members of its labels are marked for reconciling at `at`.
   * @throws CoreError `core.store.duplicate_id` (conflict, nothing changed): a configuration of another name has this id.
   */
  create(configuration: Configuration, at: number, event: NewEvent): Promise<'created' | 'name-taken'>;
  /**
   * Writes the whole record if the stored version is `expectedVersion` (else `conflict`). Devices that are members of its labels, were members
   * by its old labels, or have an assignment of it are marked for reconciling at `at` when version or labels changed.
   */
  update(
    configuration: Configuration,
    expectedVersion: number,
    at: number,
    event: NewEvent,
  ): Promise<'updated' | 'name-taken' | 'unknown' | 'conflict'>;
  /** Deletes it; devices that have an assignment of it are marked. Assignments stay until reconciled. False when there was none. */
  delete(id: string, at: number, event: NewEvent): Promise<boolean>;
  /** By name, with the number of assignments that are `applied` and that wait (`pending`, `sent`, `update-pending`). */
  list(): Promise<readonly (Configuration & { readonly applied: number; readonly waiting: number })[]>;
  get(id: string): Promise<Configuration | null>;

  /** Configuration ids that each device is to have by its labels (each id once). Devices without any are absent. */
  desired(enrolmentIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Assignments of many devices. Devices without any are absent. */
  assignmentsOf(enrolmentIds: readonly string[]): Promise<ReadonlyMap<string, readonly AssignmentRecord[]>>;
  /** Assignments of one configuration, ordered by enrolment id. */
  assignments(id: string, page: StorePage): Promise<Page<AssignmentRecord>>;
  /** Writes, overwrites (by enrolment and configuration) and removes assignments, all or nothing; events are appended. */
  putAssignments(input: {
    readonly put: readonly AssignmentRecord[];
    readonly remove: readonly { readonly enrolmentId: string; readonly configurationId: string }[];
    readonly events: readonly NewEvent[];
  }): Promise<void>;

  /**
   * Moves one assignment on, if it still is about the command `expectedCommandUuid`: overwrites it with `to`, or removes it when `to` is
   * `null`. False (nothing changed, no event appended) when it is not, or is gone.
   */
  transition(input: {
    readonly enrolmentId: string;
    readonly configurationId: string;
    readonly expectedCommandUuid: string | null;
    readonly to: AssignmentRecord | null;
    readonly events: readonly NewEvent[];
  }): Promise<boolean>;

  /** Marks devices for reconciling; enrolments that do not exist are left out. */
  mark(input: { readonly enrolmentIds: readonly string[]; readonly at: number }): Promise<void>;
  /**
   * Marks those that are to have a configuration by their labels, or have an assignment of one: whom a change of facts may
   * concern. True when there was one.
   */
  markConcerned(input: { readonly enrolmentIds: readonly string[]; readonly at: number }): Promise<boolean>;
  /** Leases up to `limit` marks that are due by `at`, oldest first: their due time moves to `at + leaseMs`. Only of these enrolments, when given. */
  claimMarks(input: {
    readonly at: number;
    readonly leaseMs: number;
    readonly limit: number;
    readonly enrolmentIds?: readonly string[];
  }): Promise<readonly ReconcileMark[]>;
  /** Removes marks that are still the same. */
  clearMarks(marks: readonly ReconcileMark[]): Promise<void>;
}
