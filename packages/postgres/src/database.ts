// The connection pool: prepared statements, short transactions, bounded retries, recovery by itself.
import { setTimeout as pause } from 'node:timers/promises';
import { CoreError } from '@espalier/core';
import pg from 'pg';
import { closedError, isConflict, isConnectionFailure, toCoreError } from './errors.ts';
import type { PostgresConfig, PostgresStoreOptions } from './options.ts';

/** A row, by column name. */
type Row = Readonly<Record<string, unknown>>;

/** A value of a statement. */
export type Value =
  | string
  | number
  | boolean
  | null
  | Uint8Array
  | readonly (string | number | boolean | null | Uint8Array)[];

/** Something that runs statements: a connection in a transaction, or the pool. */
export interface Queryable {
  /** Runs a prepared statement: `name` stands for `text` and nothing else. */
  query<R extends object = Row>(name: string, text: string, values?: readonly Value[]): Promise<R[]>;
}

/**
 * A transaction. Statements go out as they are asked for, one behind the other on one connection, and their answers come back in
 * the same order: what does not depend on an answer should not wait for it, since every wait is a round trip and two processes
 * woken (measured: 4 to 5 times the processor time of the statement itself).
 */
export interface Transaction extends Queryable {
  /** Sends a statement whose result nobody needs. The transaction fails with it. */
  send(name: string, text: string, values?: readonly Value[]): void;
  /**
   * Sends the commit behind what was sent, before the answers are there: call it last, and only await statements after it. Should one
   * of them fail, the server rolls back. A step that does not call it is committed when it has returned.
   */
  commit(): void;
}

/** The database of a store. */
export interface Database extends Queryable {
  /** The schema's name, quoted. */
  readonly schema: string;
  /** The schema's name as it is. */
  readonly schemaName: string;
  /** Runs `step` in a transaction, and again when it lost to another one. `step` must change nothing but the database. */
  transaction<T>(step: (q: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const bytea = 17;
const int8 = 20;
const parsers = new Map<number, (text: string) => unknown>([
  [int8, Number],
  [bytea, (text) => Uint8Array.from(Buffer.from(text.slice(2), 'hex'))],
]);

/** Opens the pool. Does not connect yet. */
export function openDatabase(target: string | PostgresConfig, options: PostgresStoreOptions): Database {
  const schemaName = options.schema ?? 'espalier';
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schemaName)) {
    throw new CoreError('core.store.config', 'invalid', `'${schemaName}' cannot be the schema's name`, {
      remedy: 'use lower-case letters, digits and underscores, at most 63',
    });
  }
  const { retries = 5, random = Math.random, onStatement } = options;
  const statementTimeout = options.statementTimeoutMs ?? 30_000;
  const pool = new pg.Pool({
    ...(typeof target === 'string' ? { connectionString: checkedUrl(target) } : (target as pg.PoolConfig)),
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    // Statements are sent without waiting for the answers to those before them; the pool lends a connection to one at a time.
    pipeline: true,
    application_name: options.applicationName ?? 'espalier',
    statement_timeout: statementTimeout,
    lock_timeout: options.lockTimeoutMs ?? 10_000,
    idle_in_transaction_session_timeout: statementTimeout,
    // The client's own limit, for when the server does not even say that it gave up.
    query_timeout: statementTimeout + 5_000,
    // Compiling a statement takes longer than any of ours runs.
    options: '-c default_transaction_isolation=read\\ committed -c jit=off',
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        (format !== 'binary' && parsers.get(oid)) ||
        pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  });
  // An idle connection that the server closed: the pool has dropped it and opens another when one is needed.
  pool.on('error', () => undefined);

  let closing: Promise<void> | null = null;

  async function send<R extends object>(
    client: pg.PoolClient,
    name: string,
    text: string,
    values: readonly Value[],
  ): Promise<R[]> {
    const before = onStatement === undefined ? 0 : performance.now();
    let failed = true;
    try {
      const { rows } = await client.query<R & pg.QueryResultRow>({ name, text, values: values as unknown[] });
      failed = false;
      return rows;
    } finally {
      onStatement?.({ name, milliseconds: performance.now() - before, failed });
    }
  }

  async function control(client: pg.PoolClient, text: string): Promise<void> {
    const before = onStatement === undefined ? 0 : performance.now();
    let failed = true;
    try {
      await client.query(text);
      failed = false;
    } finally {
      onStatement?.({ name: text.split(' ', 1)[0] ?? text, milliseconds: performance.now() - before, failed });
    }
  }

  /** Lends a connection; one that failed is not used again. */
  async function lend<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    // A connection can fail between two statements of a transaction; the next statement then reports it.
    const ignore = () => undefined;
    client.on('error', ignore);
    let broken = false;
    try {
      return await use(client);
    } catch (error) {
      broken = isConnectionFailure(error);
      throw error;
    } finally {
      client.off('error', ignore);
      client.release(broken);
    }
  }

  async function inTransaction<T>(client: pg.PoolClient, step: (q: Transaction) => Promise<T>): Promise<T> {
    const sent: Promise<unknown>[] = [];
    /** What failed first: whatever was sent behind it only says that the transaction is over. */
    let failure: { readonly error: unknown } | null = null;
    const post = <R>(answer: Promise<R>): Promise<R> => {
      answer.catch((error: unknown) => {
        failure ??= { error };
      });
      sent.push(answer);
      return answer;
    };
    let committed = false;
    const commit = (): void => {
      if (!committed) void post(control(client, 'commit'));
      committed = true;
    };
    const begun = post(control(client, 'begin'));
    try {
      const result = await step({
        async query(name, text, values = []) {
          const rows = await post(send(client, name, text, values));
          await begun;
          return rows as never;
        },
        send: (name, text, values = []) => void post(send(client, name, text, values)),
        commit,
      });
      commit();
      await Promise.all(sent);
      return result;
    } catch (error) {
      const cause = (failure as { readonly error: unknown } | null)?.error ?? error;
      // When even this fails the connection is dropped, and with it the transaction.
      if (!committed && !isConnectionFailure(cause)) await control(client, 'rollback');
      // Nothing of it may be on its way still when the connection is lent to somebody else.
      await Promise.allSettled(sent);
      throw cause;
    }
  }

  async function attempt<T>(use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries++) {
      if (closing !== null) throw closedError();
      try {
        return await lend(use);
      } catch (error) {
        if (tries >= retries || !isConflict(error)) throw toCoreError(error);
        await pause(random() * Math.min(200, 5 * 2 ** tries));
      }
    }
  }

  return {
    schema: `"${schemaName}"`,
    schemaName,
    query: (name, text, values = []) => attempt((client) => send(client, name, text, values)),
    transaction: (step) => attempt((client) => inTransaction(client, step)),
    close() {
      closing ??= pool.end();
      return closing;
    },
  };
}

function checkedUrl(url: string): string {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new CoreError('core.store.config', 'invalid', 'the store is no postgres:// URL', {
      remedy: 'write it as postgres://user:password@host:port/database',
    });
  }
  return url;
}
