// @espalier/sqlite: a store in an SQLite file.
export type { Durability } from './database.ts';
export { schemaVersion } from './migrate.ts';
export { openSqliteStore, type SqliteStoreOptions } from './store.ts';
