// SQLite's errors as the store's: what can be tried again is `unavailable`, what cannot is `internal`.
import { CoreError } from '@espalier/core';

/** Primary result codes, https://sqlite.org/rescode.html */
const unavailable: Readonly<Record<number, readonly [code: string, remedy: string]>> = {
  5: ['core.store.busy', 'another process holds the database; try again, or let fewer processes write'],
  6: ['core.store.busy', 'another process holds the database; try again, or let fewer processes write'],
  8: ['core.store.read_only', 'make the database file and its folder writable'],
  10: ['core.store.io', 'look at the disk and the file system'],
  13: ['core.store.full', 'free disk space'],
  14: ['core.store.cannot_open', 'check the path and its permissions'],
};

const internal: Readonly<Record<number, readonly [code: string, remedy: string]>> = {
  11: ['core.store.corrupt', 'restore the database from a backup'],
  26: ['core.store.corrupt', 'the file is not an SQLite database; check the path'],
};

/** The error for a record that is to be created under an id that another one has. */
export function duplicateId(record: string, id: string): CoreError {
  return new CoreError('core.store.duplicate_id', 'conflict', `there is a ${record} with the id ${id} already`);
}

/** Turns what SQLite threw into a CoreError; a CoreError stays as it is. */
export function storeError(error: unknown): CoreError {
  if (error instanceof CoreError) return error;
  const code = Number((error as { readonly errcode?: unknown }).errcode ?? 0) & 0xff;
  const message = error instanceof Error ? error.message : 'unknown';
  const away = unavailable[code];
  if (away !== undefined) return new CoreError(away[0], 'unavailable', message, { remedy: away[1], cause: error });
  const broken = internal[code];
  if (broken !== undefined) return new CoreError(broken[0], 'internal', message, { remedy: broken[1], cause: error });
  return new CoreError('core.store.failed', 'internal', message, { cause: error });
}
