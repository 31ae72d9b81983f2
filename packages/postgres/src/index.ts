// @espalier/postgres: the store on PostgreSQL, for any number of processes.
export { schemaVersion } from './migrations/run.ts';
export type { PostgresConfig, PostgresStoreOptions, StatementReport } from './options.ts';
export { migratePostgres, openPostgresStore } from './store.ts';
