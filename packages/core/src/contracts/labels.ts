// Contract: labels and their members.
import type { Page } from '../api/common.ts';
import type { Enrolment, Label } from '../api/records.ts';
import type { StoredDevice } from './inventory.ts';
import type { StorePage } from './shared.ts';

/** A label without its member count. */
export type LabelDefinition = Omit<Label, 'memberCount'>;

/** A device to be in, or out of, a label. */
export interface MembershipChange {
  readonly labelId: string;
  readonly enrolmentId: string;
  readonly member: boolean;
}

/** A device as it is looked at to decide on its labels: all from one moment. */
export interface LabelDevice extends StoredDevice {
  /** Ids of the labels that it is in. */
  readonly labelIds: readonly string[];
  /** When it is due to be looked at again because time passes; `null` when it is not. */
  readonly labelsDueAt: number | null;
  /** Whether it becomes due with its next contact. */
  readonly awaitsContact: boolean;
}

/** What a look at a device came to: when it has to be looked at again. */
export interface LabelLook {
  readonly enrolmentId: string;
  /** As they were when it was looked at. */
  readonly revision: number;
  readonly lastSeenAt: number | null;
  readonly labelsDueAt: number | null;
  /** From now on. `undefined` leaves what is there. */
  readonly next?: { readonly dueAt: number | null; readonly awaitsContact: boolean };
}

/** Labels. Only active device channels are members. */
export interface LabelStore {
  /**
   * A label with an expression begins unevaluated. `name-taken` (nothing changed): a label has this name.
   * @throws CoreError `core.store.duplicate_id` (conflict, nothing changed): a label of another name has this id.
   */
  create(label: LabelDefinition): Promise<'created' | 'name-taken'>;
  /** A changed expression makes the label unevaluated. */
  update(label: LabelDefinition): Promise<'updated' | 'name-taken' | 'unknown'>;
  /**
   * Deletes the label, its memberships and its place on configurations; the members that had a configuration by it are
   * marked for reconciling at `at`. For each member, by id, an event `label.left` is appended (data `{ labelId, label: name,
   * cause: 'label-deleted' }`). False when there was none.
   */
  delete(id: string, at: number): Promise<boolean>;
  /** By name, with counts. */
  list(): Promise<readonly Label[]>;
  /** All labels without counts. */
  definitions(): Promise<readonly LabelDefinition[]>;
  /** A number that differs whenever a label was created, changed or deleted since: what was made of the definitions is old. */
  version(): Promise<number>;
  /** Ids of the labels whose members do not follow from their expression yet: its evaluation was cut off. */
  unevaluated(): Promise<readonly string[]>;
  /** The members of the label are those of this expression; nothing happens when it has another one by now. */
  evaluated(id: string, expression: string): Promise<void>;
  get(id: string): Promise<Label | null>;
  members(id: string, page: StorePage): Promise<Page<Enrolment>>;
  /** Ids of all members. */
  memberIds(id: string): Promise<readonly string[]>;
  /** Labels that a device is in. */
  of(enrolmentId: string): Promise<readonly LabelDefinition[]>;
  /** For many devices at once: label ids by enrolment id. */
  ofMany(enrolmentIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Device channels as label evaluation sees them: those of `ids` that exist. */
  look(ids: readonly string[]): Promise<readonly LabelDevice[]>;
  /**
   * Makes memberships so, in one step; a change that is so already, or names an unknown label, or an enrolment that is not
   * an active device channel (when joining), does nothing. For each real change an event `label.joined` or `label.left`
   * (data `{ labelId, label: name, cause }`) is appended, and the device is marked for reconciling at `at` when the
   * label is on a configuration. Returns the real changes.
   *
   * With `looks`, first: a device whose `revision` is another by now, or which was seen since (`lastSeenAt` differs) while
   * its look says `awaitsContact`, becomes due at `at`; of the former no change is made. Then `next` is set, unless the due
   * time is no longer the one looked at: then the earlier of the two stays.
   */
  change(input: {
    readonly changes: readonly MembershipChange[];
    readonly at: number;
    readonly cause: string;
    readonly looks?: readonly LabelLook[];
  }): Promise<readonly MembershipChange[]>;
  /**
   * Takes active devices that are due to be looked at, earliest first, and makes them due again at `at + leaseMs`, should
   * nobody finish with them. A device that awaits contact becomes due at its next contact by itself.
   */
  takeDue(input: { readonly at: number; readonly leaseMs: number; readonly limit: number }): Promise<readonly string[]>;
  /** Makes every active device due at `at`, or leaves it due earlier. */
  dueAll(at: number): Promise<void>;
}
