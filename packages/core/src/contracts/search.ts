// Contract: searches that a store runs by itself, over the facts that it keeps as rows.
import type { FactRow, SqlDialect, SqlFilter, SqlSchema } from '@espalier/search/sql';
import type { Page } from '../api/common.ts';
import type { DeviceRow, EnrolmentStatus } from '../api/records.ts';
import type { StorePage } from './shared.ts';

export type { FactRow, FactTable, SqlCases, SqlColumn, SqlDialect, SqlFilter, SqlSchema } from '@espalier/search/sql';

/** The token under which a compiled search reads the ids of the labels that a device is in. */
export const LABEL_ID_TOKEN = 'label.id';

/** Characters of a fact's key that go into an index; `FactRow.whole` has all of what is longer. */
export const FACT_KEY_LENGTH = 400;

/** How a store's tables look to a search. */
export interface SearchTarget {
  readonly dialect: SqlDialect;
  readonly schema: SqlSchema;
  /** Number of the first PostgreSQL parameter that is free. */
  readonly firstParameter?: number;
}

/** A search as a store takes it. It finds device channels only. */
export interface StoreSearch {
  /** Writes the condition for the store's tables; every value is a parameter. */
  sql(target: SearchTarget): SqlFilter;
  /** Only enrolments with one of these statuses. */
  readonly statuses?: readonly EnrolmentStatus[];
  /** Only members (`member` true) or only others than members of a label. */
  readonly label?: { readonly id: string; readonly member: boolean };
}

/** A device that a search found, with the state of its facts. */
export interface FoundDevice {
  readonly enrolmentId: string;
  readonly revision: number;
}

/** Facts of one device, as rows. */
export interface IndexedDevice extends FoundDevice {
  readonly rows: readonly FactRow[];
}

/**
 * Searches in the store. Optional: without it the engine reads all devices and tests each. What it finds must be what the
 * evaluator of `@espalier/search` matches, over the facts and over what the server knows of an enrolment (`serverColumns`).
 */
export interface SearchStore {
  /** The devices that match, ordered by id, and how many there are on all pages. */
  page(search: StoreSearch, page: StorePage): Promise<Page<DeviceRow> & { readonly total: number }>;
  /** The ids of the devices that match, in order. */
  ids(search: StoreSearch, page: StorePage): Promise<Page<FoundDevice>>;
  /**
   * Replaces the rows of devices. A device whose facts changed since they were read (`revision` differs) is left alone, and
   * its id returned: its rows have to be made again.
   */
  reindex(devices: readonly IndexedDevice[]): Promise<readonly string[]>;
}
