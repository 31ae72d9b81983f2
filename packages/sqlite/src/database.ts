// The connection: cached statements, and writes that arrive together committed together.
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { CoreError } from '@espalier/core';
import { storeError } from './errors.ts';

/** How durable a commit is: `full` survives the loss of power, `normal` the end of the process only. */
export type Durability = 'full' | 'normal';

/** What a connection is opened with. */
export interface DatabaseOptions {
  readonly durability: Durability;
  readonly busyTimeoutMs: number;
}

interface Job {
  readonly run: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Memory for pages of the file, KiB. */
const CACHE_KIB = 65_536;
/** From how many rows on a change gets less of it, and how much. */
const MANY_ROWS = 200;
const MANY_CACHE_KIB = 8_192;
/** Most writes that are committed together. */
const BATCH = 256;

/**
 * One connection. SQLite is synchronous: each write is a function that runs its statements at once. Those that arrive in
 * the same turn of the event loop share one transaction, and so one wait for the disk; each has a savepoint of its own, so
 * that one that fails takes nothing of the others with it. A promise resolves after the commit.
 */
export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #jobs: Job[] = [];
  #scheduled: NodeJS.Immediate | null = null;
  #closed = false;

  constructor(file: string, { durability, busyTimeoutMs }: DatabaseOptions) {
    try {
      this.#db = new DatabaseSync(file, { timeout: busyTimeoutMs });
      this.#useWal(busyTimeoutMs);
      this.#db.exec(`PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}`);
      this.#db.exec('PRAGMA wal_autocheckpoint = 8000');
      this.#db.exec('PRAGMA temp_store = MEMORY');
      this.#db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
      this.#db.exec('CREATE TEMP TABLE targets (nr INTEGER PRIMARY KEY) STRICT');
      this.#db.exec('CREATE TEMP TABLE chosen (nr INTEGER PRIMARY KEY) STRICT');
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Every statement text that was prepared so far, for tests of the query plans. */
  get statementTexts(): readonly string[] {
    return [...this.#statements.keys()];
  }

  /** Runs statements that give nothing back, for pragmas and migrations. */
  exec(sql: string): void {
    this.#db.exec(sql);
  }

  /** All rows. */
  all<T>(sql: string, ...values: readonly SQLInputValue[]): T[] {
    return this.#prepare(sql).all(...values) as T[];
  }

  /** All rows of a statement that is not kept prepared: one of many different ones. */
  query<T>(sql: string, ...values: readonly SQLInputValue[]): T[] {
    return this.#db.prepare(sql).all(...values) as T[];
  }

  /** The first row. */
  get<T>(sql: string, ...values: readonly SQLInputValue[]): T | undefined {
    return this.#prepare(sql).get(...values) as T | undefined;
  }

  /** Runs a change; returns how many rows it touched. */
  run(sql: string, ...values: readonly SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).changes);
  }

  /** Inserts one row; returns its row number. */
  insert(sql: string, ...values: readonly SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).lastInsertRowid);
  }

  /** A read, at once. */
  async read<T>(task: () => T): Promise<T> {
    if (this.#closed) throw closedError();
    try {
      return task();
    } catch (error) {
      throw storeError(error);
    }
  }

  /** A change, atomic, resolved once it is committed. */
  write<T>(task: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(closedError());
    return new Promise<T>((resolve, reject) => {
      this.#jobs.push({ run: task, resolve: resolve as (value: unknown) => void, reject });
      this.#scheduled ??= setImmediate(() => this.#flush());
    });
  }

  /**
   * A change to so many rows at places of their own, like `write`. A large one gets less memory for pages, and leaves no
   * more behind: it touches most pages once, and the next one others. What does not fit goes to the log before the commit.
   */
  writeMany<T>(rows: number, task: () => T): Promise<T> {
    if (rows < MANY_ROWS) return this.write(task);
    return this.write(() => {
      this.#db.exec(`PRAGMA cache_size = -${MANY_CACHE_KIB}`);
      try {
        return task();
      } finally {
        this.#db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
      }
    });
  }

  /** Commits what is waiting, and closes. */
  close(): void {
    if (this.#closed) return;
    while (this.#jobs.length > 0) this.#flush();
    this.#closed = true;
    this.#statements.clear();
    this.#db.close();
  }

  /** Switching to WAL can find the file locked without waiting for it (another process switches), so the waiting is here. */
  #useWal(busyTimeoutMs: number): void {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let waited = 0; ; waited += 10) {
      try {
        this.#db.exec('PRAGMA journal_mode = WAL');
        return;
      } catch (error) {
        if (storeError(error).code !== 'core.store.busy' || waited >= busyTimeoutMs) throw error;
        Atomics.wait(pause, 0, 0, 10);
      }
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #flush(): void {
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    this.#scheduled = null;
    const jobs = this.#jobs.splice(0, BATCH);
    if (this.#jobs.length > 0) this.#scheduled = setImmediate(() => this.#flush());
    const settle: (() => void)[] = [];
    try {
      this.run('BEGIN IMMEDIATE');
      for (const job of jobs) settle.push(this.#runJob(job, jobs.length > 1));
      this.run('COMMIT');
    } catch (error) {
      this.#abandon();
      const failure = storeError(error);
      for (const job of jobs) job.reject(failure);
      return;
    }
    for (const done of settle) done();
  }

  /** Runs one job of a batch; what it threw goes to its caller after the commit of the others. */
  #runJob(job: Job, shared: boolean): () => void {
    if (!shared) {
      try {
        const value = job.run();
        return () => job.resolve(value);
      } catch (error) {
        this.run('ROLLBACK');
        this.run('BEGIN IMMEDIATE');
        return () => job.reject(storeError(error));
      }
    }
    this.run('SAVEPOINT job');
    try {
      const value = job.run();
      this.run('RELEASE job');
      return () => job.resolve(value);
    } catch (error) {
      this.run('ROLLBACK TO job');
      this.run('RELEASE job');
      return () => job.reject(storeError(error));
    }
  }

  #abandon(): void {
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
  }
}

function closedError(): CoreError {
  return new CoreError('core.store.closed', 'unavailable', 'the store is closed');
}
