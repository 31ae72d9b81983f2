// `npm run bench -- declarations [--store memory|sqlite|postgres] [--devices N]`: a set with 100,000 members: joining,
// synchronising all of them, changing what they have; and what a device asks for, in check-ins per second.
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createEngine, createKeyRing, createMemoryStore, type Store } from '@espalier/core';
import { encodeXml } from '@espalier/plist';
import { openPostgresStore } from '@espalier/postgres';
import { openSqliteStore } from '@espalier/sqlite';
import pg from 'pg';
import { startServer } from '../packages/postgres/test/server.ts';
import { seedByStore, seedPostgres, seedSqlite } from './queue/seed.ts';
import { idOf, POLLED, T0 } from './queue/states.ts';
import type { BenchResult } from './result.ts';

const STORES = ['memory', 'sqlite', 'postgres'] as const;

interface Opened {
  readonly store: Store;
  close(): Promise<void>;
}

/** Measures every store, or the one that `--store` names. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const option = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const devices = Number(option('--devices') ?? 100_000);
  const wanted = option('--store');
  const results: BenchResult[] = [];
  for (const name of STORES) {
    if (wanted !== undefined && wanted !== name) continue;
    const opened = await open(name, devices - POLLED);
    try {
      results.push(...(await measure(name, opened.store, devices)));
    } finally {
      await opened.close();
    }
  }
  return results;
}

async function open(name: (typeof STORES)[number], devices: number): Promise<Opened> {
  if (name === 'memory') {
    const store = createMemoryStore();
    await seedByStore(store, 'empty', devices);
    for (let i = 0; i < devices + POLLED; i++) {
      await store.inventory.apply({ enrolmentId: idOf(i), at: T0, facts: {}, complete: true, event: null });
    }
    return { store, close: () => store.close() };
  }
  if (name === 'sqlite') {
    const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
    const file = join(folder, 'store.db');
    await openSqliteStore(file).close();
    seedSqlite(file, 'empty', devices);
    const raw = new DatabaseSync(file);
    raw.exec(`UPDATE enrolments SET inventory_at = ${T0}`);
    raw.close();
    const store = openSqliteStore(file);
    const close = async () => {
      await store.close();
      rmSync(folder, { recursive: true });
    };
    return { store, close };
  }
  const server = await startServer({ settings: ['shared_buffers=512MB', 'max_wal_size=4GB'] });
  await (await openPostgresStore(server.url)).close();
  await seedPostgres(server.url, 'espalier', 'empty', devices);
  const client = new pg.Client(server.url);
  await client.connect();
  await client.query(
    'INSERT INTO espalier.inventory (enrolment_id) SELECT id FROM espalier.live ON CONFLICT DO NOTHING',
  );
  await client.query('VACUUM ANALYZE espalier.inventory');
  await client.end();
  const store = await openPostgresStore(server.url);
  const close = async () => {
    await store.close();
    await server.close();
  };
  return { store, close };
}

async function measure(name: string, store: Store, devices: number): Promise<BenchResult[]> {
  let now = T0 + 86_400_000;
  const engine = createEngine({
    store,
    keys: createKeyRing({ current: { id: 'bench', key: new Uint8Array(32).fill(1) } }),
    clock: { now: () => now },
  });
  const results: BenchResult[] = [];
  const timed = async (what: string, work: () => Promise<unknown>, required?: number): Promise<void> => {
    const start = performance.now();
    await work();
    const value = (performance.now() - start) / 1_000;
    const bound = required === undefined ? {} : { required, ok: value <= required };
    results.push({ name: `${name}: ${what}`, value, unit: 's', ...bound });
  };
  const settle = () => {
    now += 3_000;
    return engine.tick();
  };
  await engine.tick();
  const type = 'com.apple.configuration.passcode.settings';
  const passcode = (MinimumLength: number) =>
    engine.declarations.put({ identifier: 'pass', type, payload: { MinimumLength } });
  await passcode(4);
  const set = await engine.declarations.createSet({ name: 'all', identifiers: ['pass'] });
  const all = Array.from({ length: devices }, (_, i) => idOf(i));
  const many = devices.toLocaleString('en-US');
  await timed(`${many} devices join a set`, () => engine.declarations.setMembers(set.id, { add: all }));
  await timed(`what they are to have, and one command for each`, settle);
  await timed(`a declaration that they have changes`, () => passcode(6));
  await timed(`all are told anew`, settle);
  for (const endpoint of ['tokens', 'declaration-items', 'declaration/configuration/pass']) {
    const message = { MessageType: 'DeclarativeManagement', Endpoint: endpoint };
    const start = performance.now();
    const count = 2_000;
    for (let i = 0; i < count; i += 16) {
      await Promise.all(
        all.slice(i, i + 16).map((UDID) =>
          engine.protocol.checkin(encodeXml({ ...message, UDID }), {
            fingerprint: UDID,
            certificate: new Uint8Array(),
            source: 'tls',
          }),
        ),
      );
    }
    const value = count / ((performance.now() - start) / 1_000);
    results.push({ name: `${name}: check-in ${endpoint}, 16 at once`, value, unit: '/s' });
  }
  return results;
}
