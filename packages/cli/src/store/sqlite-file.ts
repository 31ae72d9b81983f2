// An SQLite file looked at without migrating it: whose it is, its schema version, whether it is sound.
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { CliError } from '../errors.ts';

/** What an SQLite file is. */
export interface SqliteFile {
  readonly bytes: number;
  /** Whether a store of ours made it. */
  readonly ours: boolean;
  readonly version: number;
}

/** `ESPL`, the application id of our files. */
const OURS = 0x4553504c;

/** Whether the file is there. @throws CliError `cli.file` when it is something else than a file */
export function sqliteFileExists(file: string): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) throw new CliError('cli.file', `${file} is not a file`);
  return found !== undefined;
}

/**
 * Looks at a file.
 * @throws CliError `cli.file` when there is none, `cli.store` when it is no SQLite database or cannot be opened
 */
export function inspectSqlite(file: string): SqliteFile {
  if (!sqliteFileExists(file)) {
    throw new CliError('cli.file', `cannot open ${file}: there is no such file`, 'espalier store migrate makes one.');
  }
  return reading(file, (db) => ({
    bytes: statSync(file).size,
    ours: pragma(db, 'application_id') === OURS,
    version: Number(pragma(db, 'user_version')),
  }));
}

/**
 * What SQLite finds wrong with the file, a line each; nothing when it is sound.
 * @param full also compares every index with its table, which takes longer
 * @throws CliError `cli.store`
 */
export function integrityProblems(file: string, full: boolean): string[] {
  const check = full ? 'integrity_check' : 'quick_check';
  return reading(file, (db) => {
    const rows = db.prepare(`PRAGMA ${check}(20)`).all();
    return rows.map((row) => String(Object.values(row)[0])).filter((line) => line !== 'ok');
  });
}

function reading<T>(file: string, task: (db: DatabaseSync) => T): T {
  try {
    const db = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    try {
      return task(db);
    } finally {
      db.close();
    }
  } catch (error) {
    if (!(error instanceof Error) || (error as { code?: unknown }).code !== 'ERR_SQLITE_ERROR') throw error;
    throw new CliError('cli.store', `${file}: ${error.message}`, 'Check the path; if it is right, restore a backup.');
  }
}

function pragma(db: DatabaseSync, name: string): unknown {
  return Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}
