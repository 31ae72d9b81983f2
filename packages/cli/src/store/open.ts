// Opens a store for a command; migrates nothing.
import type { Store } from '@espalier/core';
import { CliError } from '../errors.ts';
import type { StoreAddress } from './address.ts';

type SqliteAddress = Extract<StoreAddress, { kind: 'sqlite' }>;

/**
 * Opens a store whose schema is at this release's version.
 * @throws CliError `cli.file`, `cli.store`; CoreError as the store has it
 */
export async function openStore(address: StoreAddress): Promise<Store> {
  switch (address.kind) {
    case 'memory':
      return (await import('@espalier/core')).createMemoryStore();
    case 'sqlite': {
      await requireCurrent(address);
      return (await import('@espalier/sqlite')).openSqliteStore(address.file);
    }
    case 'postgres': {
      const { openPostgresStore } = await import('@espalier/postgres');
      return openPostgresStore(address.url, { ...postgresOptions(address), migrate: 'check', maxConnections: 2 });
    }
  }
}

/** What all connections of the command line to PostgreSQL have in common. */
export function postgresOptions(address: StoreAddress): { applicationName: string; schema?: string } {
  const schema = address.kind === 'postgres' ? address.schema : undefined;
  return { applicationName: 'espalier-cli', ...(schema === undefined ? {} : { schema }) };
}

/** Opening would migrate an older file, which only `store migrate` is to do. @throws CliError `cli.store` */
async function requireCurrent({ file, shown }: SqliteAddress): Promise<void> {
  const [{ inspectSqlite }, { schemaVersion }] = await Promise.all([
    import('./sqlite-file.ts'),
    import('@espalier/sqlite'),
  ]);
  const { ours, version } = inspectSqlite(file);
  // Opening an empty file would make a store of it.
  if (!ours) throw new CliError('cli.store', `${file} is not the database of a store`, 'Check the path.');
  // One that is newer the store refuses itself.
  if (version >= schemaVersion) return;
  throw new CliError(
    'cli.store',
    `${file} has schema version ${version}, this release needs ${schemaVersion}`,
    `Run: espalier store migrate ${shown}`,
  );
}

/** Opens a store, uses it, and closes it whatever happens. */
export async function withStore<T>(address: StoreAddress, task: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(address);
  try {
    return await task(store);
  } finally {
    await store.close();
  }
}
