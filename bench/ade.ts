// `npm run bench -- ade [--store sqlite|postgres] [--devices N] [--quick]`: a sync of a million simulated devices (`--quick`:
// 100,000) with Apple's simulated service, through the client and the engine, then one of 1,000 changes: time, and memory over
// the base. The sync runs in a process of its own, so that neither the simulated Apple nor PostgreSQL counts.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../packages/postgres/test/server.ts';
import { type AdeReport, openAdeStore, startAdeApple, startAdeWorker } from '../test/support/ade.ts';
import type { BenchResult } from './result.ts';

const STORES = ['sqlite', 'postgres'] as const;
const CHANGES = 1_000;
/** Memory over the base that a sync may take, however many devices there are. */
const MOST_MB = 150;
/**
 * As a server is to be started (docs/operations.md): without it V8 lets the young generation of any process that allocates for
 * long grow to 96 MB, which would be most of what is measured here.
 */
const YOUNG_GENERATION = '--max-semi-space-size=16';
const MB = 1024 * 1024;

/** Measures both stores, or the one that `--store` names. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const after = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
  const wanted = after('--store');
  const devices = Number(after('--devices') ?? (args.includes('--quick') ? 100_000 : 1_000_000));
  const stores = STORES.filter((name) => wanted === undefined || name === wanted);
  if (stores.length === 0) throw new Error(`no store ${JSON.stringify(wanted)}: ${STORES.join(', ')}`);
  const results: BenchResult[] = [];
  for (const store of stores) results.push(...(await withStore(store, (place) => measure(store, place, devices))));
  return results;
}

async function withStore<T>(name: (typeof STORES)[number], use: (place: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  const server = name === 'postgres' ? await startServer({ durable: true }) : null;
  try {
    return await use(server?.url ?? join(folder, 'ade.db'));
  } finally {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(name: string, place: string, devices: number): Promise<BenchResult[]> {
  const store = await openAdeStore(place);
  const { apple, account, origin, close } = await startAdeApple(store, { count: devices, seed: 'bench' });
  const memory = { base: 0, peak: 0 };
  let done: (report: Extract<AdeReport, { kind: 'done' }>) => void = () => undefined;
  const worker = await startAdeWorker(
    { store: place, accountId: account.id, origin, assign: false },
    (report) => {
      if (report.kind === 'done') done(report);
      // The base is before the first sync.
      else if (report.kind === 'ready') memory.base ||= report.resident;
      else if (report.kind === 'page') memory.peak = Math.max(memory.peak, report.resident);
    },
    ['--expose-gc', YOUNG_GENERATION],
  );
  const sync = () =>
    new Promise<Parameters<typeof done>[0]>((resolve, reject) => {
      done = resolve;
      worker.once('exit', (code) => reject(new Error(`the sync ended with ${code}`)));
      worker.send('go');
    });
  try {
    const full = await sync();
    const serial = (i: number): string => apple.organisation.device(i).serialNumber;
    apple.modify(Array.from({ length: CHANGES / 2 }, (_, i) => serial(i * 37)));
    apple.remove(Array.from({ length: CHANGES / 2 }, (_, i) => serial(i * 37 + 1)));
    const delta = await sync();
    const { listed } = await store.ade.counts(account.id);
    if (full.result.added !== devices || delta.result.deleted !== CHANGES / 2 || listed !== devices - CHANGES / 2) {
      throw new Error(`${name}: the sync is wrong: ${JSON.stringify([full.result, delta.result, listed])}`);
    }
    const over = (memory.peak - memory.base) / MB;
    return [
      { name: `${name}: 100,000 of ${devices} devices`, value: (full.seconds / devices) * 100_000, unit: 's' },
      { name: `${name}: ${CHANGES} changes`, value: delta.seconds, unit: 's' },
      { name: `${name}: memory at the base`, value: memory.base / MB, unit: 'MB' },
      { name: `${name}: memory over the base`, value: over, unit: `MB (at most ${MOST_MB})`, ok: over <= MOST_MB },
    ];
  } finally {
    const ended = worker.exitCode === null && worker.signalCode === null ? once(worker, 'exit') : null;
    if (worker.connected) worker.disconnect();
    await ended;
    await close();
    await store.close();
  }
}
