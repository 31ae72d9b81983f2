// Contract: labels and their members.
import type { Page } from '../api/common.ts';
import type { Enrolment, Label } from '../api/records.ts';
import type { StorePage } from './shared.ts';

/** A label without its member count. */
export type LabelDefinition = Omit<Label, 'memberCount'>;

/** A device to be in, or out of, a label. */
export interface MembershipChange {
  readonly labelId: string;
  readonly enrolmentId: string;
  readonly member: boolean;
}

/** Labels. Only active device channels are members. */
export interface LabelStore {
  /**
   * `name-taken` (nothing changed): a label has this name.
   * @throws CoreError `core.store.duplicate_id` (conflict, nothing changed): a label of another name has this id.
   */
  create(label: LabelDefinition): Promise<'created' | 'name-taken'>;
  update(label: LabelDefinition): Promise<'updated' | 'name-taken' | 'unknown'>;
  /**
   * Deletes the label, its memberships and its place on configurations; the members that had a configuration by it are
   * marked for reconciling at `at`. False when there was none.
   */
  delete(id: string, at: number): Promise<boolean>;
  /** By name, with counts. */
  list(): Promise<readonly Label[]>;
  /** All labels without counts. */
  definitions(): Promise<readonly LabelDefinition[]>;
  get(id: string): Promise<Label | null>;
  members(id: string, page: StorePage): Promise<Page<Enrolment>>;
  /** Ids of all members. */
  memberIds(id: string): Promise<readonly string[]>;
  /** Labels that a device is in. */
  of(enrolmentId: string): Promise<readonly LabelDefinition[]>;
  /** For many devices at once: label ids by enrolment id. */
  ofMany(enrolmentIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /**
   * Makes memberships so, in one step; a change that is so already, or names an unknown label, or an enrolment that is not
   * an active device channel (when joining), does nothing. For each real change an event `label.joined` or `label.left`
   * (data `{ labelId, label: name, cause }`) is appended, and the device is marked for reconciling at `at` when the
   * label is on a configuration. Returns the real changes.
   */
  change(input: {
    readonly changes: readonly MembershipChange[];
    readonly at: number;
    readonly cause: string;
  }): Promise<readonly MembershipChange[]>;
}
