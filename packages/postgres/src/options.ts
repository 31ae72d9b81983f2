// What a PostgreSQL store can be told.
import type { ConnectionOptions } from 'node:tls';

/** Where the database is, when it is not given as a URL. */
export interface PostgresConfig {
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  readonly user?: string;
  /** The password, or a function that gets a fresh one for each connection (cloud tokens). */
  readonly password?: string | (() => string | Promise<string>);
  readonly ssl?: boolean | ConnectionOptions;
}

/** One statement that went to the server, for metrics and tracing. Holds no values. */
export interface StatementReport {
  /** The prepared statement's name, such as `queue.poll`; `begin`, `commit` and `rollback` for transactions. */
  readonly name: string;
  readonly milliseconds: number;
  readonly failed: boolean;
}

/** Options of {@link openPostgresStore}. */
export interface PostgresStoreOptions {
  /** The schema that holds the tables: `[a-z_][a-z0-9_]*`, at most 63 characters. Default `espalier`. */
  readonly schema?: string;
  /** Connections at most, in this process. Default 10. */
  readonly maxConnections?: number;
  /** How long to wait for a connection, free or new, before the store counts as unavailable. Default 5,000 ms. */
  readonly connectTimeoutMs?: number;
  /** How long a statement may run on the server. Default 30,000 ms. */
  readonly statementTimeoutMs?: number;
  /** How long a statement may wait for a lock. Default 10,000 ms. */
  readonly lockTimeoutMs?: number;
  /** How often a method is tried again after a deadlock or a serialization failure. Default 5. */
  readonly retries?: number;
  /**
   * `auto`: brings the schema up to date when the store is opened. `check`: refuses to open a schema that is not
   * (then run {@link migratePostgres} in your deployment). Default `auto`.
   */
  readonly migrate?: 'auto' | 'check';
  /** Shown by the server as the connection's name. Default `espalier`. */
  readonly applicationName?: string;
  /** Randomness of the pause between retries, from 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
  /** Told of each statement that went to the server. */
  readonly onStatement?: (report: StatementReport) => void;
}
