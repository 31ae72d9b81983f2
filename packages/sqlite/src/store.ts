// Opens a store on a database file.
import type { Store } from '@espalier/core';
import { sqliteAcme } from './acme.ts';
import { sqliteAde } from './ade.ts';
import { sqliteCertificates } from './certificates.ts';
import { sqliteConfigurations } from './configurations.ts';
import { sqliteCredentials } from './credentials.ts';
import { Database, type Durability } from './database.ts';
import { sqliteDeclarations } from './declarations.ts';
import { sqliteEnrolments } from './enrolments.ts';
import { sqliteEvents } from './events.ts';
import { sqliteSearch } from './facts.ts';
import { sqliteInventory } from './inventory.ts';
import { sqliteInvitations } from './invitations.ts';
import { sqliteLabels } from './labels.ts';
import { migrate } from './migrate.ts';
import { sqlitePush } from './push.ts';
import { sqliteQueue } from './queue.ts';
import { sqliteRegistrations } from './registrations.ts';
import { sqliteScepRequests } from './scep-requests.ts';
import { sqliteSecrets } from './secrets.ts';
import { sqliteSettings } from './settings.ts';

/** How a store is opened. */
export interface SqliteStoreOptions {
  /**
   * `full` (default): what was answered survives the loss of power. `normal`: it survives the end of the process, also by
   * SIGKILL, and a loss of power may take the last moments before it; the database stays sound. Several times as many writes per second when few devices talk at once.
   */
  readonly durability?: Durability;
  /** How long a write waits for another process, in milliseconds (default 5,000). */
  readonly busyTimeoutMs?: number;
}

/** The store over an open, migrated database. */
export function storeOver(db: Database): Store {
  return {
    enrolments: sqliteEnrolments(db),
    queue: sqliteQueue(db),
    push: sqlitePush(db),
    certificates: sqliteCertificates(db),
    credentials: sqliteCredentials(db),
    scepRequests: sqliteScepRequests(db),
    registrations: sqliteRegistrations(db),
    acme: sqliteAcme(db),
    secrets: sqliteSecrets(db),
    inventory: sqliteInventory(db),
    labels: sqliteLabels(db),
    configurations: sqliteConfigurations(db),
    declarations: sqliteDeclarations(db),
    ade: sqliteAde(db),
    events: sqliteEvents(db),
    settings: sqliteSettings(db),
    invitations: sqliteInvitations(db),
    search: sqliteSearch(db),
    async close() {
      db.close();
    },
  };
}

/**
 * Opens, and creates or migrates where needed, a store in an SQLite file (`:memory:` for one that is gone on close).
 * Several processes may open the same file, also at the same time.
 *
 * @throws CoreError `core.store.newer_schema` (a newer program migrated it), `core.store.not_ours` (another program's
 *   database), `core.store.corrupt`, `core.store.cannot_open`, `core.store.busy`
 * @example
 * const store = openSqliteStore('data/espalier.db');
 * const engine = createEngine({ store, keys });
 */
export function openSqliteStore(file: string, options: SqliteStoreOptions = {}): Store {
  const { durability = 'full', busyTimeoutMs = 5_000 } = options;
  const db = new Database(file, { durability, busyTimeoutMs });
  try {
    migrate(db);
  } catch (error) {
    db.close();
    throw error;
  }
  return storeOver(db);
}
