// `espalier store`: on real SQLite files, and once on a real PostgreSQL.
import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { createEngine } from '@espalier/core';
import { openSqliteStore, schemaVersion } from '@espalier/sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startServer } from '../../postgres/test/server.ts';
import { processIo } from '../src/index.ts';
import { readKeys, ringOf } from '../src/store/keys.ts';
import { espalier, type Files } from './io.ts';
import { enqueue, enrol, keyText, ring, sealSome, T0, temporaryFolder } from './stores.ts';

let folder: ReturnType<typeof temporaryFolder>;
let file: string;
const HOUR = 3_600_000;
const keyFiles: Files = { 'one.key': `${keyText(1)}\n`, 'two.key': keyText(2), 'poem.key': 'roses are red' };

beforeEach(() => {
  folder = temporaryFolder();
  file = folder.path('espalier.db');
});
afterEach(() => folder.remove());

/** The ring that @espalier/host makes of key 1, as `--key-file` reads it. */
function hostRing(n: number) {
  return ringOf(readKeys('k', [], { ...processIo(), readFile: () => Buffer.from(keyText(n)) })!);
}

async function filled(keys = hostRing(1)): Promise<void> {
  const store = openSqliteStore(file);
  await enrol(store, keys, 'A', 'Anna’s iPad');
  await enrol(store, keys, 'B', null);
  await enqueue(store, 'c1', ['A', 'B'], T0);
  await enqueue(store, 'c2', ['A'], T0 + HOUR);
  const poll = { enrolmentId: 'B', certificateFingerprint: 'pin-B', at: T0 + 1, backoff: { baseMs: 1, maxMs: 1 } };
  await store.queue.poll(poll);
  const result = { commandUuid: 'c1', status: 'acknowledged', response: null, errorChain: [], event: null } as const;
  await store.queue.poll({ ...poll, result });
  await sealSome(store, keys);
  await store.close();
}

/** Changes the file behind the store's back. */
function tamper(sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

describe('migrate', () => {
  test('makes a store, and finds nothing to do the second time', async () => {
    const first = await espalier(['store', 'migrate', `sqlite:${file}`]);
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toBe(`sqlite:${file}: schema version 0 before, ${schemaVersion} now`);
    const again = await espalier(['store', 'migrate', file]);
    expect(again).toMatchObject({ code: 0, out: `sqlite:${file}: schema version ${schemaVersion}, nothing to do` });
    const { out } = await espalier(['store', 'migrate', `sqlite://${file}`, '--json']);
    expect(JSON.parse(out)).toEqual({ store: `sqlite:${file}`, before: schemaVersion, after: schemaVersion });
  });

  test('a newer schema is left alone', async () => {
    await espalier(['store', 'migrate', file]);
    tamper('PRAGMA user_version = 99');
    for (const action of ['migrate', 'stats']) {
      const { code, err } = await espalier(['store', action, file]);
      expect(code).toBe(1);
      expect(err).toContain('schema version 99');
    }
  });
});

describe('check', () => {
  const check = (...args: string[]) => espalier(['store', 'check', file, ...args], keyFiles);
  const states = (out: string) =>
    (JSON.parse(out) as { checks: { check: string; state: string }[] }).checks.map((c) => `${c.check} ${c.state}`);

  test('a sound store and the right key', async () => {
    await filled();
    const { code, out, err } = await check('--key-file', 'one.key');
    expect([code, err]).toEqual([0, '']);
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    const { out: json } = await check('--key-file', 'one.key', '--full', '--json');
    expect(states(json)).toEqual(['file ok', 'integrity ok', 'schema ok', 'key ok', 'sealed ok']);
    expect(json).toContain('integrity_check found nothing');
    expect(json).not.toContain(keyText(1));
  });

  test('a wrong key fails, none is skipped, and the environment has one too', async () => {
    await filled();
    const wrong = await check('--key-file', 'two.key');
    expect(wrong.code).toBe(1);
    expect(wrong.out).toMatch(/key +failed/);
    const none = await check('--json');
    expect(none.code).toBe(0);
    expect(states(none.out).at(-1)).toBe('key skipped');
    for (const [n, code] of [
      [1, 0],
      [2, 1],
    ] as const) {
      const environment = { ESPALIER_MASTER_KEY: Buffer.alloc(32, n).toString('hex') };
      expect(await espalier(['store', 'check', file], {}, { environment })).toMatchObject({ code });
    }
  });

  test('it finds the key under whatever name the program gave it, and values of a key that is missing', async () => {
    await filled(ring(1, '2026-1'));
    expect(await check('--key-file', 'one.key')).toMatchObject({ code: 0 });
    const store = openSqliteStore(file);
    const blob = ring(2, '2025-1').seal(Buffer.from('x'), ['secret', 'B', 'old']);
    await store.secrets.put({ scope: 'B', name: 'old', blob, at: T0 });
    await store.close();
    const missing = await check('--key-file', 'one.key');
    expect(missing.code).toBe(1);
    expect(missing.out).toContain('not given: 2025-1');
    expect(missing.out).toContain('--earlier-key-file');
    const both = await check('--key-file', 'one.key', '--earlier-key-file', '2025-1=two.key');
    expect(both.code).toBe(0);
    expect(both.out).toContain('4 with 2026-1, 1 with 2025-1');
  });

  test('it writes nothing: an older schema stays, an empty store gets no canary', async () => {
    await espalier(['store', 'migrate', file]);
    expect(await check('--key-file', 'one.key')).toMatchObject({ code: 0 });
    const store = openSqliteStore(file);
    expect(await store.settings.get('core.index-key')).toBeNull();
    await store.close();
    tamper('PRAGMA user_version = 0');
    const { code, out } = await check('--key-file', 'one.key');
    expect(code).toBe(1);
    expect(out).toMatch(/schema +failed +/);
    expect(out).toContain('espalier store migrate');
    const db = new DatabaseSync(file);
    expect(db.prepare('PRAGMA user_version').get()).toEqual({ user_version: 0 });
    db.close();
  });

  test('damage, a foreign database and no database are told apart', async () => {
    await filled();
    tamper('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE');
    const whole = readFileSync(file);
    // Garbage over all pages but the first two.
    writeFileSync(file, Buffer.concat([whole.subarray(0, 8192), Buffer.alloc(whole.length - 8192, 0xa5)]));
    const damaged = await check('--json');
    expect(damaged.code).toBe(1);
    expect(states(damaged.out).at(-1)).toBe('integrity failed');
    writeFileSync(file, 'This is a text, and long enough to be none of the headers of SQLite.'.repeat(100));
    expect(states((await check('--json')).out)).toEqual(['file failed']);
    file = folder.path('other.db');
    tamper('CREATE TABLE poems (line TEXT)');
    const foreign = await check();
    expect(foreign.code).toBe(1);
    expect(foreign.out).toContain('not one of a store');
  });
});

test('no command but migrate makes a store of an empty file', async () => {
  writeFileSync(file, '');
  for (const action of ['stats', 'check', 'rewrap']) {
    const keys = action === 'stats' ? [] : ['--key-file', 'one.key'];
    expect(await espalier(['store', action, file, ...keys], keyFiles)).toMatchObject({ code: 1 });
  }
  expect(await espalier(['search', '', '--store', file])).toMatchObject({ code: 1, out: '' });
  expect(readFileSync(file)).toHaveLength(0);
  expect(await espalier(['store', 'migrate', file])).toMatchObject({ code: 0 });
});

test('stats counts the queue and the enrolments', async () => {
  await filled();
  const { code, out } = await espalier(['store', 'stats', file], {}, { now: T0 + 26 * HOUR });
  expect(code).toBe(0);
  expect(out).toMatch(/pending commands +2\n/);
  expect(out).toMatch(/oldest of them +1 d 2 h \(since 2026-01-01T00:00:00.000Z\)/);
  const { out: json } = await espalier(['store', 'stats', file, '--json'], {}, { now: T0 + 26 * HOUR });
  expect(JSON.parse(json)).toEqual({
    store: `sqlite:${file}`,
    queue: { pending: 2, history: 1, followUps: 1, oldestQueuedAt: T0, oldestPendingAgeMs: 26 * HOUR },
    devices: { active: 2 },
    userChannels: 0,
    labels: 0,
    configurations: 0,
  });
  const empty = await espalier(['store', 'stats', 'memory:', '--json']);
  expect(JSON.parse(empty.out)).toMatchObject({ store: 'memory:', queue: { pending: 0 }, devices: {} });
});

describe('rewrap', () => {
  const rewrap = (...args: string[]) => espalier(['store', 'rewrap', file, ...args, '--json'], keyFiles);

  test('afterwards the new key alone opens everything', async () => {
    await filled();
    // The canary, two secrets and two push magics.
    const first = await rewrap('--key-file', 'two.key', '--earlier-key-file', 'one.key');
    expect(first.err).toBe('');
    expect(JSON.parse(first.out)).toEqual({ store: `sqlite:${file}`, resealed: 5, keyId: hostRing(2).currentId });
    expect(JSON.parse((await rewrap('--key-file', 'two.key')).out)).toMatchObject({ resealed: 0 });
    const check = ['store', 'check', file, '--key-file'];
    expect((await espalier([...check, 'two.key'], keyFiles)).code).toBe(0);
    expect((await espalier([...check, 'one.key'], keyFiles)).code).toBe(1);
    const store = openSqliteStore(file);
    await createEngine({ store, keys: hostRing(2) }).ready();
    const blob = await store.secrets.get('A', 'lock-pin');
    expect(Buffer.from(hostRing(2).open(blob!, ['secret', 'A', 'lock-pin'])).toString()).toBe('planted lock-pin');
    await store.close();
  });

  test('without the earlier key nothing is changed', async () => {
    await filled();
    const { code, err } = await rewrap('--key-file', 'two.key');
    expect(code).toBe(1);
    expect(err).toContain('nothing was changed');
    expect(err).not.toContain('usage:');
    expect((await espalier(['store', 'check', file, '--key-file', 'one.key'], keyFiles)).code).toBe(0);
  });

  test('an empty store is left empty', async () => {
    await espalier(['store', 'migrate', file]);
    expect(JSON.parse((await rewrap('--key-file', 'one.key')).out)).toMatchObject({ resealed: 0 });
  });
});

test.each([
  [['store']],
  [['store', 'stats']],
  [['store', 'burn', 'memory:']],
  [['store', 'constructor', 'memory:']],
  [['store', 'stats', 'memory:', 'memory:']],
  [['store', 'stats', 'mysql://root:hunter2@localhost/x']],
  [['store', 'stats', 'sqlite:']],
  [['store', 'stats', 'missing.db']],
  [['store', 'stats', '.']],
  [['store', 'stats', 'memory:', '--key-file', 'one.key']],
  [['store', 'stats', 'memory:', '--schema', 'x']],
  [['store', 'stats', 'memory:', '--full']],
  [['store', 'check', 'memory:', '--key-file', 'missing.key']],
  [['store', 'check', 'memory:', '--key-file', 'poem.key']],
  [['store', 'check', 'memory:', '--earlier-key-file', 'one.key']],
  [['store', 'rewrap', 'memory:']],
])('%j is exit 2', async (args) => {
  const { code, out, err } = await espalier(args, keyFiles);
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(/^espalier store/);
  expect(err).not.toContain('hunter2');
});

test('PostgreSQL: refused before it is migrated, then checked, counted and searched', {
  timeout: 120_000,
}, async () => {
  const server = await startServer();
  try {
    const before = await espalier(['store', 'check', server.url]);
    expect(before.code).toBe(1);
    expect(before.out).toContain('espalier store migrate');
    const migrated = await espalier(['store', 'migrate', server.url, '--json']);
    expect(migrated.err).toBe('');
    const { store, before: from, after } = JSON.parse(migrated.out);
    expect(store).toBe(`postgres://espalier:***@127.0.0.1:${server.port}/espalier`);
    expect([from, after > 0]).toEqual([0, true]);
    expect(await espalier(['store', 'check', server.url])).toMatchObject({ code: 0 });
    expect((await espalier(['store', 'stats', server.url])).out).toMatch(/pending commands +0/);
    const found = await espalier(['search', '"common.platform" = "iOS"', '--store', server.url]);
    expect(found).toMatchObject({ code: 0, err: '' });
    expect(found.out).toContain('0 devices match');
    expect(await espalier(['store', 'stats', server.url, '--schema', 'other'])).toMatchObject({ code: 1 });
    await server.stop();
    expect((await espalier(['store', 'check', server.url])).out).toContain('cannot be reached');
  } finally {
    await server.close();
  }
});
