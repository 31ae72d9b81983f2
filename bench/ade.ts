// `npm run bench -- ade [--store sqlite|postgres] [--quick]`: a sync of a million simulated devices (`--quick`: 100,000) with
// Apple's simulated service, through the client and the engine, then one of 1,000 changes: time, and memory over the base.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEnrolmentClient, createTokenKeyPair, openServerToken } from '@espalier/ade';
import { createEngine, createKeyRing, type Store } from '@espalier/core';
import { openPostgresStore } from '@espalier/postgres';
import { createSimulatedEnrolmentService } from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';
import { startServer } from '../packages/postgres/test/server.ts';
import type { BenchResult } from './result.ts';

const STORES = ['sqlite', 'postgres'] as const;
const CHANGES = 1_000;
/** Memory over the base that a sync may take, however many devices there are. */
const MOST_MB = 150;
const MB = 1024 * 1024;

/** Measures both stores, or the one that `--store` names. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const at = args.indexOf('--store');
  const wanted = at === -1 ? undefined : args[at + 1];
  const devices = args.includes('--quick') ? 100_000 : 1_000_000;
  const stores = STORES.filter((name) => wanted === undefined || name === wanted);
  if (stores.length === 0) throw new Error(`no store ${JSON.stringify(wanted)}: ${STORES.join(', ')}`);
  const results: BenchResult[] = [];
  for (const store of stores) results.push(...(await withStore(store, (open) => measure(store, open, devices))));
  return results;
}

async function withStore<T>(name: (typeof STORES)[number], use: (store: Store) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  const server = name === 'postgres' ? await startServer({ durable: true }) : null;
  try {
    const store = server === null ? openSqliteStore(join(folder, 'ade.db')) : await openPostgresStore(server.url);
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  } finally {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(name: string, store: Store, devices: number): Promise<BenchResult[]> {
  const apple = createSimulatedEnrolmentService({ clock: Date, count: devices, seed: 'bench' });
  const pair = await createTokenKeyPair({ clock: Date });
  const token = openServerToken(apple.downloadToken(pair.certificate), pair);
  const client = createEnrolmentClient({ token, clock: Date, fetch: apple.fetch });
  const keys = createKeyRing({ current: { id: 'bench', key: new Uint8Array(32).fill(1) } });
  const engine = createEngine({ store, keys });
  const { id } = await engine.ade.createAccount({ name: 'Bench', token: '-', tokenExpiresAt: Date.now() + 1e9 });
  const source = { sync: client.sync };

  globalThis.gc?.();
  const base = process.memoryUsage.rss();
  // What is in use: after a collection. What the collector has not yet taken is told besides.
  const peaks = { live: base, all: base };
  const onProgress = ({ pages }: { readonly pages: number }): void => {
    peaks.all = Math.max(peaks.all, process.memoryUsage.rss());
    if (pages % 50 !== 0) return;
    globalThis.gc?.();
    peaks.live = Math.max(peaks.live, process.memoryUsage.rss());
  };
  const full = await timed(() => engine.ade.sync(id, source, { onProgress }));
  apple.modify(Array.from({ length: CHANGES / 2 }, (_, i) => apple.organisation.device(i * 37).serialNumber));
  apple.remove(Array.from({ length: CHANGES / 2 }, (_, i) => apple.organisation.device(i * 37 + 1).serialNumber));
  const delta = await timed(() => engine.ade.sync(id, source, { onProgress }));
  const { listed } = await engine.ade.counts(id);
  if (full.result.added !== devices || delta.result.deleted !== CHANGES / 2 || listed !== devices - CHANGES / 2) {
    throw new Error(`${name}: the sync is wrong: ${JSON.stringify([full.result, delta.result, listed])}`);
  }
  const live = (peaks.live - base) / MB;
  return [
    { name: `${name}: 100,000 of ${devices} devices`, value: (full.seconds / devices) * 100_000, unit: 's' },
    { name: `${name}: ${CHANGES} changes`, value: delta.seconds, unit: 's' },
    { name: `${name}: memory over the base`, value: live, unit: `MB (at most ${MOST_MB})`, ok: live <= MOST_MB },
    { name: `${name}: with garbage`, value: (peaks.all - base) / MB, unit: 'MB' },
  ];
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly seconds: number }> {
  const started = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - started) / 1000 };
}
