// Brings a database to this version of the schema; safe when several processes do it at once.
import { CoreError } from '@espalier/core';
import type { Database } from './database.ts';
import { storeError } from './errors.ts';
import { migrations } from './schema.ts';

/** Marks a file as ours: `ESPL` in ASCII. */
const APPLICATION_ID = 0x4553504c;

/** The schema version that this code works on. */
export const schemaVersion: number = migrations.length;

/** The schema version of a database; 0 for an empty one. */
export function versionOf(db: Database): number {
  return Number(db.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0);
}

/**
 * Migrates forward. Each migration is one transaction that takes the write lock before it looks at the version, so that
 * of several processes one migrates and the others find it done.
 * @throws CoreError `core.store.newer_schema`, `core.store.not_ours`
 */
export function migrate(db: Database, steps: readonly string[] = migrations): void {
  try {
    // In this order: another process that migrates in between cannot make its tables look like somebody else's.
    const tables = Number(
      db.get<{ n: number }>("SELECT count(*) AS n FROM sqlite_schema WHERE type = 'table'")?.n ?? 0,
    );
    const application = Number(db.get<{ application_id: number }>('PRAGMA application_id')?.application_id ?? 0);
    if (application !== APPLICATION_ID && (application !== 0 || tables > 0)) {
      throw new CoreError('core.store.not_ours', 'invalid', 'the file is a database of something else', {
        remedy: 'check the path; use a new file',
      });
    }
    while (step(db, steps));
  } catch (error) {
    throw storeError(error);
  }
}

/** Takes one step; false when there is none to take. */
function step(db: Database, steps: readonly string[]): boolean {
  if (versionOf(db) > steps.length) {
    throw new CoreError(
      'core.store.newer_schema',
      'conflict',
      `the database has schema version ${versionOf(db)}, this program knows versions up to ${steps.length}`,
      { remedy: 'start the newer program that migrated it, or restore a backup from before' },
    );
  }
  if (versionOf(db) === steps.length) return false;
  db.exec('BEGIN IMMEDIATE');
  try {
    const version = versionOf(db);
    const sql = steps[version];
    if (sql !== undefined) {
      db.exec(sql);
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      db.exec(`PRAGMA user_version = ${version + 1}`);
    }
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
  return true;
}
