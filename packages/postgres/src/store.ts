// Opens a store on PostgreSQL, and brings its schema up to date.
import { CoreError, type Store } from '@espalier/core';
import { type Database, openDatabase } from './database.ts';
import { isCurrent, migrate, schemaVersion } from './migrations/run.ts';
import type { PostgresConfig, PostgresStoreOptions } from './options.ts';
import { postgresAcme } from './stores/acme.ts';
import { postgresAde } from './stores/ade.ts';
import { postgresCertificates } from './stores/certificates.ts';
import { postgresConfigurations } from './stores/configurations.ts';
import { postgresCredentials } from './stores/credentials.ts';
import { postgresDeclarations } from './stores/declarations.ts';
import { postgresEnrolments } from './stores/enrolments.ts';
import { postgresEvents } from './stores/events.ts';
import { createFactTables } from './stores/facts.ts';
import { postgresInventory } from './stores/inventory.ts';
import { postgresInvitations } from './stores/invitations.ts';
import { postgresLabels } from './stores/labels.ts';
import { postgresPush } from './stores/push.ts';
import { postgresQueue } from './stores/queue.ts';
import { postgresRegistrations } from './stores/registrations.ts';
import { postgresScepRequests } from './stores/scep-requests.ts';
import { postgresSearch } from './stores/search.ts';
import { postgresSecrets } from './stores/secrets.ts';
import { postgresSettings } from './stores/settings.ts';

/**
 * Opens a store on PostgreSQL 13 or later. Any number of processes may share one database.
 *
 * @throws CoreError `core.store.config` for a URL or schema name that cannot be, `core.store.unavailable` when the server
 * cannot be reached, `core.store.newer_schema` when the database belongs to a newer release, `core.store.older_schema`
 * when it is to be migrated first (`migrate: 'check'`), `core.store.server` for a server that is too old or a database
 * that is not UTF-8. Its methods throw `core.store.unavailable` while the server is away, and work again by themselves.
 *
 * @example
 * const store = await openPostgresStore('postgres://espalier:secret@db.example/espalier', { maxConnections: 20 });
 * const engine = createEngine({ store, keys });
 */
export async function openPostgresStore(
  target: string | PostgresConfig,
  options: PostgresStoreOptions = {},
): Promise<Store> {
  const db = openDatabase(target, options);
  try {
    if (!(await isCurrent(db))) {
      if (options.migrate === 'check') throw olderSchema(db);
      await migratePostgres(target, options);
    }
  } catch (error) {
    await db.close();
    throw error;
  }
  const facts = createFactTables(db);
  return {
    enrolments: postgresEnrolments(db),
    queue: postgresQueue(db),
    push: postgresPush(db),
    certificates: postgresCertificates(db),
    credentials: postgresCredentials(db),
    scepRequests: postgresScepRequests(db),
    registrations: postgresRegistrations(db),
    acme: postgresAcme(db),
    secrets: postgresSecrets(db),
    inventory: postgresInventory(db, facts),
    labels: postgresLabels(db),
    configurations: postgresConfigurations(db),
    declarations: postgresDeclarations(db),
    ade: postgresAde(db),
    events: postgresEvents(db),
    settings: postgresSettings(db),
    invitations: postgresInvitations(db),
    search: postgresSearch(db, facts),
    close: () => db.close(),
  };
}

/**
 * Brings the schema up to date, all or nothing; several processes may try at once, one does it. Returns the versions
 * before and after.
 *
 * @throws CoreError as {@link openPostgresStore}
 */
export async function migratePostgres(
  target: string | PostgresConfig,
  options: PostgresStoreOptions = {},
): Promise<{ readonly before: number; readonly after: number }> {
  // A migration may take longer than a device would wait.
  const limit = 600_000;
  const db = openDatabase(target, { ...options, maxConnections: 1, statementTimeoutMs: limit, lockTimeoutMs: limit });
  try {
    return await migrate(db);
  } finally {
    await db.close();
  }
}

function olderSchema({ schemaName }: Database): CoreError {
  return new CoreError(
    'core.store.older_schema',
    'conflict',
    `the schema ${schemaName} is not at version ${schemaVersion}, which this release needs`,
    { remedy: 'run `espalier store migrate` (or migratePostgres) first' },
  );
}
