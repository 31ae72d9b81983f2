// How a store's tables look to the SQL compilers. All of it is SQL text from the developer, never from a user.
import type { Field } from './field.ts';

/** The database whose SQL is wanted. */
export type SqlDialect = 'sqlite' | 'postgres';

/**
 * A table with one row per value ({@link FactRow}). Column names default to `field`, `key`, `number` and `version`.
 * A missing value has no row.
 */
export interface FactTable {
  /** Name of the table, e.g. `device_fact`. */
  readonly table: string;
  /** Its column with the id of the device (or user), e.g. `device_id`. */
  readonly subject: string;
  /** What that column equals in the query around the filter, e.g. `d.id`, or `d.user_id` for facts of the user. */
  readonly outer: string;
  readonly field?: string;
  readonly key?: string;
  readonly number?: string;
  readonly version?: string;
  /**
   * For tables that cut long keys ({@link FactRowOptions.keyLength}), because indexes take no long texts: the column with
   * the whole of those, `NULL` for others.
   */
  readonly whole?: { readonly column: string; readonly keyLength: number };
}

/** A field that has a column of its own in the query around the filter; `NULL` (or an empty text) is a missing value. */
export interface SqlColumn {
  /** The comparable text ({@link FactRow.key}) for text fields; the number or epoch milliseconds; the flag (`boolean` in PostgreSQL, 1/0 in SQLite). */
  readonly value: string;
  /** For versions: the sortable form ({@link FactRow.version}). Needed to order them. */
  readonly version?: string;
  /**
   * For numbers and times that change too often for an index: a column with the number divided by `unit`, rounded down,
   * which has one. Ranges are looked up there first.
   */
  readonly coarse?: { readonly value: string; readonly unit: number };
}

/**
 * A field with few values, each of which is a condition on the query around the filter (a status that the search words
 * in another way than the table does). Exactly one of the conditions holds for every row, and none is ever NULL.
 */
export interface SqlCases {
  readonly cases: readonly { readonly value: string | boolean; readonly when: string }[];
}

/** Where the fields are. */
export interface SqlSchema {
  /** The table of facts, or the one for each field (device facts here, user facts there). */
  readonly facts: FactTable | ((token: string, field: Field | undefined) => FactTable);
  /** What the fact table's field column holds. By default the token. */
  readonly fieldId?: (token: string) => string | number;
  /** Fields that have their own column, or follow from conditions. */
  readonly column?: (token: string, field: Field | undefined) => SqlColumn | SqlCases | undefined;
}
