// Closure, SQLite and PostgreSQL select the same devices.
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compile, type Expression, fold, print, type SearchRecord, versionKey } from '../src/index.ts';
import { factRows, type SqlColumn, type SqlDialect, type SqlSchema, toSql } from '../src/sql.ts';
import { catalogue, expression, NOW, nightly, record } from './generate.ts';
import { postgresMissing, startPostgres, type TemporaryPostgres } from './postgres.ts';

const CASES = nightly ? 200_000 : 3000;
const DEVICES = 40;
const PER_POPULATION = 100;

const FACTS = `CREATE TABLE fact (device_id INTEGER NOT NULL, field TEXT NOT NULL, ordinal INTEGER NOT NULL, text TEXT,
  "key" TEXT, number DOUBLE PRECISION, version TEXT, cut TEXT, whole TEXT, PRIMARY KEY (device_id, field, ordinal))`;
// So short that many of the texts are cut.
const KEY_LENGTH = 3;
const DAY = 86_400_000;
const device = (flag: string): string =>
  `CREATE TABLE device (id INTEGER PRIMARY KEY, c_text TEXT, c_version TEXT, c_version_key TEXT, c_flag ${flag},
  c_number DOUBLE PRECISION, c_list TEXT, c_flag_default ${flag}, c_seen DOUBLE PRECISION, c_seen_day DOUBLE PRECISION)`;

const factsOnly: SqlSchema = { facts: { table: 'fact', subject: 'device_id', outer: 'd.id' } };
const cutKeys: SqlSchema = {
  facts: {
    table: 'fact',
    subject: 'device_id',
    outer: 'd.id',
    key: 'cut',
    whole: { column: 'whole', keyLength: KEY_LENGTH },
  },
};
const columns: Record<string, SqlColumn> = {
  't.text': { value: 'd.c_text' },
  't.version': { value: 'd.c_version', version: 'd.c_version_key' },
  't.flag': { value: 'd.c_flag' },
  't.number': { value: 'd.c_number' },
  't.listDefault': { value: 'd.c_list' },
  't.flagDefault': { value: 'd.c_flag_default' },
  't.seen': { value: 'd.c_seen', coarse: { value: 'd.c_seen_day', unit: DAY } },
};
const withColumns: SqlSchema = { ...factsOnly, column: (token) => columns[token] };

type Row = (number | string | null)[];

// A column holds one value, so the fields that have one are cut down to their first.
const single = (r: SearchRecord): SearchRecord => {
  const out: Record<string, SearchRecord[string]> = { ...r };
  for (const token of Object.keys(columns)) {
    const value = out[token];
    if (Array.isArray(value)) out[token] = (value as (string | number | boolean)[])[0] ?? null;
  }
  return out;
};

function deviceRow(id: number, r: SearchRecord): Row {
  const text = (token: string): string | null => (typeof r[token] === 'string' ? (r[token] as string) : null);
  const number = (token: string): number | null => (Number.isFinite(r[token]) ? (r[token] as number) : null);
  const flag = (token: string): number | null => (typeof r[token] === 'boolean' ? Number(r[token]) : null);
  const folded = (value: string | null): string | null => (value === null ? null : fold(value));
  return [
    id,
    folded(text('t.text')),
    folded(text('t.version')),
    text('t.version') === null ? null : versionKey(text('t.version')!),
    flag('t.flag'),
    number('t.number'),
    folded(text('t.listDefault')?.trim() ?? null),
    flag('t.flagDefault'),
    number('t.seen'),
    number('t.seen') === null ? null : Math.floor(number('t.seen')! / DAY),
  ];
}

const missing = postgresMissing();
if (missing !== null) console.warn(`PostgreSQL is left out of the comparison: ${missing}`);
let postgres: TemporaryPostgres | null = null;
let sqlite: DatabaseSync;

beforeAll(async () => {
  sqlite = new DatabaseSync(':memory:');
  sqlite.exec(`${FACTS}; ${device('INTEGER')}`);
  if (missing === null) {
    postgres = await startPostgres();
    await postgres.client.query(`${FACTS}; ${device('BOOLEAN')}`);
  }
});

afterAll(async () => {
  sqlite.close();
  await postgres?.close();
});

async function load(records: readonly SearchRecord[]): Promise<void> {
  sqlite.exec('DELETE FROM fact; DELETE FROM device; BEGIN');
  const facts: Row[] = [];
  const devices = records.map((r, id) => deviceRow(id, r));
  for (const [id, r] of records.entries()) {
    const cut = factRows(r, catalogue, { keyLength: KEY_LENGTH });
    for (const [i, f] of factRows(r, catalogue).entries()) {
      const { key, whole } = cut[i]!;
      facts.push([id, f.field, f.ordinal, f.text, f.key, f.number, f.version, key, whole]);
    }
  }
  const insertFact = sqlite.prepare('INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const insertDevice = sqlite.prepare('INSERT INTO device VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  for (const row of facts) insertFact.run(...row);
  for (const row of devices) insertDevice.run(...row);
  sqlite.exec('COMMIT');
  if (postgres === null) return;
  const { client } = postgres;
  await client.query('TRUNCATE fact, device');
  const column = (rows: readonly Row[], i: number): unknown[] => rows.map((row) => row[i]);
  await client.query(
    `INSERT INTO fact SELECT * FROM unnest($1::int[], $2::text[], $3::int[], $4::text[], $5::text[], $6::float8[], $7::text[],
     $8::text[], $9::text[])`,
    [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => column(facts, i)),
  );
  await client.query(
    `INSERT INTO device SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::float8[], $7::text[],
     $8::bool[], $9::float8[], $10::float8[])`,
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((i) => column(devices, i)),
  );
}

async function select(dialect: SqlDialect, tree: Expression, schema: SqlSchema): Promise<number[]> {
  const { text, parameters } = toSql(tree, { dialect, schema, catalogue, now: NOW });
  const query = `SELECT d.id FROM device d WHERE ${text} ORDER BY d.id`;
  if (dialect === 'sqlite')
    return sqlite
      .prepare(query)
      .all(...(parameters as SQLInputValue[]))
      .map((row) => row['id'] as number);
  const { rows } = await postgres!.client.query<{ id: number }>(query, [...parameters]);
  return rows.map((row) => row.id);
}

test(`closure, SQLite and PostgreSQL agree in ${CASES} cases`, { timeout: 3_600_000 }, async () => {
  let selected = 0;
  for (let done = 0; done < CASES; done += PER_POPULATION) {
    const seed = 7000 + done;
    const records = fc.sample(record, { seed, numRuns: DEVICES }).map(single);
    const expressions = fc.sample(expression, { seed, numRuns: PER_POPULATION });
    await load(records);
    for (const [i, tree] of expressions.entries()) {
      const matches = compile(tree, { catalogue });
      const wanted = records.flatMap((r, id) => (matches(r, NOW) ? [id] : []));
      selected += wanted.length;
      const schema = [factsOnly, withColumns, cutKeys][i % 3]!;
      const said = `${print(tree)} (seed ${seed}, ${i})`;
      expect(await select('sqlite', tree, schema), `SQLite: ${said}`).toEqual(wanted);
      if (postgres !== null) expect(await select('postgres', tree, schema), `PostgreSQL: ${said}`).toEqual(wanted);
    }
  }
  // The generators are of no use when everything or nothing matches.
  expect(selected / (CASES * DEVICES)).toBeGreaterThan(0.2);
  expect(selected / (CASES * DEVICES)).toBeLessThan(0.8);
});

test('no value ever becomes part of the SQL', () => {
  const hostile = `'; DROP TABLE fact; -- " \\ % _ ?1 $1`;
  for (const dialect of ['sqlite', 'postgres'] as const) {
    for (const schema of [factsOnly, withColumns, cutKeys]) {
      const trees = fc.sample(expression, { seed: 11, numRuns: 500 });
      for (const tree of trees) {
        const { text } = toSql(tree, { dialect, schema, catalogue, now: NOW });
        const words = text.replaceAll('COLLATE "C"', '').replaceAll(`<> ''`, '');
        expect(words).toMatch(/^[A-Za-z_ .,()<>=?$0-9-]*$/);
        expect(words).not.toMatch(/--|(?<![$\w])\d{2,}/);
      }
      const { text, parameters } = toSql(
        { kind: 'comparison', field: 't.text', operator: 'contains', value: hostile },
        { dialect, schema, catalogue, now: NOW },
      );
      expect(text).not.toContain('DROP');
      expect(parameters).toContain(fold(hostile));
    }
  }
});

test('parameters of PostgreSQL can start at any number', () => {
  const tree = fc.sample(expression, { seed: 5, numRuns: 1 })[0]!;
  const options = { dialect: 'postgres', schema: factsOnly, catalogue, now: NOW } as const;
  const { text, parameters } = toSql(tree, { ...options, firstParameter: 4 });
  const numbers = [...text.matchAll(/\$(\d+)/g)].map((m) => Number(m[1]));
  expect(numbers).toEqual(parameters.map((_, i) => i + 4));
});
