// Brings a schema up to date: forward only, all or nothing, one process at a time.
import { CoreError } from '@espalier/core';
import type { Database, Queryable } from '../database.ts';
import { tables } from './01-tables.ts';
import { storage } from './02-storage.ts';
import { eventRoutines } from './03-events.ts';
import { queueRoutines } from './04-queue.ts';
import { fleetRoutines } from './05-fleet.ts';
import { certificateLifecycle } from './06-certificates.ts';
import { searchTables } from './07-search.ts';
import { declarationTables } from './08-declarations.ts';
import { adeTables } from './09-ade.ts';
import { scepRequestTables } from './10-scep-requests.ts';
import { phases } from './11-phases.ts';
import { credentialTables } from './12-credentials.ts';
import { adeProfileTables } from './13-ade-profiles.ts';
import { certificateDevices } from './14-certificate-devices.ts';
import { pollOrigin } from './15-poll-origin.ts';
import { registrationTables } from './16-registrations.ts';
import { keepSent } from './17-keep-sent.ts';

/** The migrations in order; the version of a schema is how many of them it has. Only ever add to the end. */
const migrations: readonly ((schema: string) => string)[] = [
  tables,
  storage,
  eventRoutines,
  queueRoutines,
  fleetRoutines,
  certificateLifecycle,
  searchTables,
  declarationTables,
  adeTables,
  scepRequestTables,
  phases,
  credentialTables,
  adeProfileTables,
  certificateDevices,
  pollOrigin,
  registrationTables,
  keepSent,
];

/** The version that this release of the package works with. */
export const schemaVersion: number = migrations.length;

/** The version that the database has, 0 for none. */
export async function readVersion(q: Queryable, schemaName: string): Promise<number> {
  // Not to_regclass: a session keeps for a while that there was no such table.
  const [found] = await q.query<{ there: boolean }>(
    'migration.exists',
    `SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'migration') AS there`,
    [schemaName],
  );
  if (found?.there !== true) return 0;
  const [row] = await q.query<{ version: number }>(
    'migration.version',
    `SELECT coalesce(max(version), 0) AS version FROM "${schemaName}".migration`,
  );
  return row?.version ?? 0;
}

/** Runs the migrations up to `target`. Returns the versions before and after. */
export async function migrate(
  db: Database,
  target: number = schemaVersion,
): Promise<{ before: number; after: number }> {
  await checkServer(db);
  const current = await readVersion(db, db.schemaName);
  refuseNewer(current, db);
  if (current >= target) return { before: current, after: current };
  return db.transaction(async (q) => {
    // Whoever comes second waits here, and then finds the work done.
    await q.query('migration.lock', `SELECT pg_advisory_xact_lock(hashtext('espalier.migration'), hashtext($1))`, [
      db.schemaName,
    ]);
    const before = await readVersion(q, db.schemaName);
    refuseNewer(before, db);
    if (before === 0) {
      await q.query('migration.schema', `CREATE SCHEMA IF NOT EXISTS ${db.schema}`);
      await q.query(
        'migration.table',
        `CREATE TABLE IF NOT EXISTS ${db.schema}.migration (
          version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()
        )`,
      );
    }
    for (let version = before + 1; version <= target; version++) {
      // One text of several statements: sent as it is, unprepared.
      await q.query('', migrations[version - 1]!(db.schema));
      await q.query('migration.note', `INSERT INTO ${db.schema}.migration (version) VALUES ($1)`, [version]);
    }
    return { before, after: target };
  });
}

/** Whether the schema is up to date; refuses one that is newer than this release. */
export async function isCurrent(db: Database): Promise<boolean> {
  await checkServer(db);
  const current = await readVersion(db, db.schemaName);
  refuseNewer(current, db);
  return current === schemaVersion;
}

function refuseNewer(current: number, db: Database): void {
  if (current <= schemaVersion) return;
  throw new CoreError(
    'core.store.newer_schema',
    'conflict',
    `the schema ${db.schemaName} is at version ${current}, this release knows only ${schemaVersion}`,
    { remedy: 'run a newer release; a schema never goes back' },
  );
}

async function checkServer(db: Database): Promise<void> {
  const [row] = await db.query<{ version: number; encoding: string }>(
    'server.version',
    `SELECT current_setting('server_version_num')::integer AS version, current_setting('server_encoding') AS encoding`,
  );
  if (row === undefined || row.version < 130_000) {
    throw new CoreError('core.store.server', 'invalid', 'the server is older than PostgreSQL 13');
  }
  if (row.encoding !== 'UTF8') {
    throw new CoreError('core.store.server', 'invalid', `the database's encoding is ${row.encoding}, not UTF8`, {
      remedy: "create the database with ENCODING 'UTF8'",
    });
  }
}
