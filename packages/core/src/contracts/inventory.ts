// Contract: device facts and structured inventory.
import type { Facts, FactValue, Page } from '../api/common.ts';
import type { DeviceCertificate, DeviceRow, InstalledApp, InstalledProfile } from '../api/records.ts';
import type { EnrolmentFilter } from './enrolments.ts';
import type { FactRow } from './search.ts';
import type { NewEvent, StorePage } from './shared.ts';

/** What one report says of a device. */
export interface InventoryReport {
  readonly enrolmentId: string;
  readonly at: number;
  /** Merged into the facts; `null` removes a token. */
  readonly facts: Readonly<Record<string, FactValue>>;
  /**
   * The same facts as rows, for a store that searches by itself ({@link SearchStore}): those of each token that changed
   * replace the ones kept. Without them a changed token is not found by searches until it is reported again.
   */
  readonly rows?: readonly FactRow[];
  /** Each list, when given, replaces the one kept. */
  readonly apps?: readonly InstalledApp[];
  readonly profiles?: readonly InstalledProfile[];
  readonly certificates?: readonly DeviceCertificate[];
  /** Whether `inventoryAt` becomes `at`. */
  readonly complete: boolean;
  /** Appended when facts or a list changed. */
  readonly event: NewEvent | null;
}

/** Everything kept of one device. */
export interface InventoryRecord {
  readonly facts: Facts;
  readonly apps: readonly InstalledApp[];
  readonly profiles: readonly InstalledProfile[];
  readonly certificates: readonly DeviceCertificate[];
  readonly inventoryAt: number | null;
}

/** A device with the state of its facts: `revision` grows with each change of them. */
export interface StoredDevice extends DeviceRow {
  readonly revision: number;
}

/** Facts and inventory, by enrolment. */
export interface InventoryStore {
  /**
   * Merges a report. Returns the tokens whose value changed (was added, removed or differs) and whether a list changed;
   * `null` when there is no such enrolment.
   */
  apply(
    report: InventoryReport,
  ): Promise<{ readonly changed: readonly string[]; readonly listsChanged: boolean } | null>;
  get(enrolmentId: string): Promise<InventoryRecord | null>;
  /** Enrolments with their facts: those of `ids` that exist. */
  rows(ids: readonly string[]): Promise<readonly StoredDevice[]>;
  /** Enrolments with their facts, ordered by id: for searches and label evaluation. */
  scan(filter: EnrolmentFilter, page: StorePage): Promise<Page<StoredDevice>>;
  /**
   * Ids of the device channels whose fact `token` is this text, compared as searches compare texts (`fold` of `@espalier/search`), at most
   * `limit`. For a store without a {@link SearchStore}, which would otherwise have to read every device; optional.
   */
  holders?(input: {
    readonly token: string;
    readonly text: string;
    readonly limit: number;
  }): Promise<readonly string[]>;
  /** Installed profiles of many enrolments at once. */
  profiles(ids: readonly string[]): Promise<ReadonlyMap<string, readonly InstalledProfile[]>>;
}
