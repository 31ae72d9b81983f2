// A process of the benchmark: one store in one state, that takes its turn when it is asked to.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createMemoryStore, type Store } from '@espalier/core';
import { openPostgresStore } from '@espalier/postgres';
import { openSqliteStore } from '@espalier/sqlite';
import pg from 'pg';
import { seedByStore, seedPostgres, seedSqlite } from './seed.ts';
import { backoff, command, having, idOf, KEPT, POLLED, RESPONSE, type State, T0 } from './states.ts';
import { createTimeCounts } from './statistics.ts';

/** What a process is started with. */
export interface Setting {
  readonly store: string;
  readonly state: State;
  /** How many devices there are beside the polled ones. */
  readonly devices: number;
  /** Of the PostgreSQL server, for a store on it. */
  readonly url: string;
}

/** What a process can be asked. */
export type Request =
  | { readonly ask: 'turn'; readonly width: number; readonly cycles: number }
  | { readonly ask: 'latency' | 'enqueue' | 'work' | 'due' | 'prune' | 'memory' | 'end' };

/** What it answers with, by what it was asked. */
export interface Answers {
  readonly turn: { readonly ms: number };
  /** Of all polls since the last time it was asked, in milliseconds. */
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly enqueue: { readonly ms: number };
  /** How long it took, and for how many devices (`prune`: rows). */
  readonly work: { readonly ms: number; readonly count: number };
  readonly due: { readonly ms: number; readonly count: number };
  readonly prune: { readonly ms: number; readonly count: number };
  /** In MB: what the program holds, and what the process has of the system. */
  readonly memory: { readonly live: number; readonly resident: number };
  readonly end: null;
}

let counts = createTimeCounts();
let uuids = 0;
/** Finished commands of the turns themselves: what is finished lasts, in every state, and does not go as soon as it came. */
let added = 0;
const LINGERING = 50_000;

/** An open store. */
interface Opened {
  readonly store: Store;
  /** Whether it works on one thing at a time, however many are asked for. */
  readonly serial: boolean;
  /** The processes in which it works. */
  processes(): Promise<readonly (number | 'self')[]>;
  /** Ends what the store has put off, so that it does not fall into somebody else's time. */
  tidy(): void;
}

async function open({ store, state, devices, url }: Setting, folder: string): Promise<Opened> {
  const here = { serial: true, processes: async () => ['self'] as const };
  if (store === 'memory') {
    const memory = createMemoryStore();
    await seedByStore(memory, state, devices);
    return { ...here, store: memory, tidy: () => undefined };
  }
  if (store.startsWith('postgres')) return openPostgres(url, state, devices);
  const file = join(folder, 'queue.db');
  await openSqliteStore(file).close();
  seedSqlite(file, state, devices);
  const sqlite = openSqliteStore(file, { durability: store === 'sqlite-full' ? 'full' : 'normal' });
  const other = new DatabaseSync(file);
  const close = async (): Promise<void> => {
    other.close();
    await sqlite.close();
  };
  return { ...here, store: { ...sqlite, close }, tidy: () => other.exec('PRAGMA wal_checkpoint(RESTART)') };
}

async function openPostgres(url: string, state: State, devices: number): Promise<Opened> {
  const options = { schema: state, maxConnections: 10, statementTimeoutMs: 300_000, applicationName: `bench-${state}` };
  await (await openPostgresStore(url, options)).close();
  await seedPostgres(url, state, state, devices);
  const store = await openPostgresStore(url, options);
  const client = new pg.Client(url);
  await client.connect();
  return {
    store: {
      ...store,
      async close() {
        await client.end();
        await store.close();
      },
    },
    serial: false,
    async processes() {
      const text = 'SELECT pid FROM pg_stat_activity WHERE application_name = $1';
      const { rows } = await client.query<{ pid: number }>(text, [options.applicationName]);
      return ['self', ...rows.map((row) => row.pid)];
    },
    tidy: () => undefined,
  };
}

/** How long processes were ready to run while others had the processors, in milliseconds; 0 where the system does not tell. */
function waited(processes: readonly (number | 'self')[]): number {
  if (process.platform !== 'linux') return 0;
  const times = processes.map((id) => Number(readFileSync(`/proc/${id}/schedstat`, 'utf8').split(' ')[1]) / 1e6);
  return times.reduce((sum, ms) => sum + ms, 0);
}

/**
 * Starts a measurement. Where only one process works at a time, the time in which it was kept from working by others does
 * not count, so that a busy machine measures nearly as an idle one does.
 */
async function stopwatch({ processes, serial }: Opened, one: boolean): Promise<() => number> {
  const ids = serial || one ? await processes() : [];
  const waitedBefore = waited(ids);
  const started = performance.now();
  return () => {
    const ms = performance.now() - started;
    return ms - Math.min(ms, waited(ids) - waitedBefore);
  };
}

/** One device's connection: Idle, the command, its acknowledgement, nothing more. */
async function cycle(store: Store, id: string): Promise<void> {
  const input = { enrolmentId: id, certificateFingerprint: id, at: T0, backoff };
  let started = performance.now();
  const first = await store.queue.poll(input);
  counts.add(performance.now() - started);
  if (first.outcome !== 'ok' || first.command === null) throw new Error(`no command for ${id}`);
  const { commandUuid } = first.command;
  const event = { type: 'command.acknowledged', at: T0, enrolmentId: id, data: { commandUuid } } as const;
  const result = { commandUuid, status: 'acknowledged', response: RESPONSE, errorChain: [], event } as const;
  started = performance.now();
  const second = await store.queue.poll({ ...input, result });
  counts.add(performance.now() - started);
  if (second.outcome !== 'ok' || second.result !== 'stored' || second.command !== null) throw new Error('not the end');
}

/** So many cycles, so many at once. What goes before and after them is not measured. */
async function turn(opened: Opened, width: number, cycles: number): Promise<Answers['turn']> {
  const { store, tidy } = opened;
  let ms = 0;
  for (let left = cycles; left > 0; left -= POLLED) {
    const ids = Array.from({ length: Math.min(left, POLLED) }, (_, i) => idOf(i));
    const commands = [command(`bench-${uuids++}`, { priority: 1 })];
    await store.queue.enqueue({ commands, enrolmentIds: ids, at: T0, events: [] });
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < ids.length) await cycle(store, ids[next++]!);
    };
    const stop = await stopwatch(opened, width === 1);
    await Promise.all(Array.from({ length: width }, lane));
    ms += stop();
    // As retention does it: as much goes as came, so that each turn finds the store as the one before did.
    added += ids.length;
    if (added > LINGERING) {
      await store.queue.prune({ before: T0 + 1, limit: ids.length });
      await store.events.prune({ before: T0 + 1, limit: ids.length });
      added -= ids.length;
    }
    tidy();
  }
  return { ms };
}

/** One command for the whole fleet, and its end, which is not measured. */
async function enqueue(opened: Opened, ids: readonly string[]): Promise<Answers['enqueue']> {
  const { store } = opened;
  const commands = [command(`bench-${uuids++}`, { dedupeKey: 'fleet', onDuplicate: 'keep' })];
  const stop = await stopwatch(opened, true);
  const { queued } = await store.queue.enqueue({ commands, enrolmentIds: ids, at: T0, events: [] });
  const ms = stop();
  if (queued[0] !== ids.length) throw new Error(`queued for ${queued[0]} of ${ids.length}`);
  await store.queue.end({ enrolmentIds: ids, dedupeKey: 'fleet', state: 'superseded', at: T0 });
  return { ms };
}

async function whoHasWork(store: Store): Promise<Answers['work']> {
  const started = performance.now();
  let count = 0;
  let after: string | null = null;
  do {
    const page: { readonly items: readonly string[]; readonly next: string | null } = await store.queue.withWork(
      after === null ? { limit: 1_000 } : { limit: 1_000, after },
    );
    count += page.items.length;
    after = page.next;
  } while (after !== null);
  return { ms: performance.now() - started, count };
}

/** The notifier's listing: everybody who is due to be pushed, in leases of a thousand. */
async function whoIsDue(store: Store): Promise<Answers['due']> {
  const started = performance.now();
  let count = 0;
  for (;;) {
    const targets = await store.push.claim({ lease: 'bench', at: T0, leaseMs: 60_000, limit: 1_000 });
    count += targets.length;
    if (targets.length === 0) return { ms: performance.now() - started, count };
  }
}

/** Retention: a part of the history, in batches. */
async function prune(store: Store): Promise<Answers['prune']> {
  const started = performance.now();
  let count = 0;
  while (count < 100_000) {
    const gone = await store.queue.prune({ before: KEPT + 1, limit: 5_000 });
    if (gone === 0) break;
    count += gone;
  }
  return { ms: performance.now() - started, count };
}

/** After the garbage is gone. */
function memory(): Answers['memory'] {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { live: (heapUsed + external) / 1_048_576, resident: rss / 1_048_576 };
}

async function work(setting: Setting): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  const opened = await open(setting, folder);
  const { store } = opened;
  const [from, to] = having(setting.state, setting.devices);
  const all = Array.from({ length: setting.devices }, (_, i) => idOf(i + from));
  const answers: { readonly [A in keyof Answers]: (request: Request) => Promise<Answers[A]> } = {
    turn: (request) => (request.ask === 'turn' ? turn(opened, request.width, request.cycles) : Promise.reject()),
    async latency() {
      const found = { p50: counts.quantile(0.5), p99: counts.quantile(0.99) };
      counts = createTimeCounts();
      return found;
    },
    enqueue: () => enqueue(opened, all),
    work: () => whoHasWork(store),
    due: () => whoIsDue(store),
    prune: () => prune(store),
    memory: async () => memory(),
    async end() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
      return null;
    },
  };
  process.on('message', async (request: Request) => {
    process.send?.(await answers[request.ask](request));
    if (request.ask === 'end') process.disconnect();
  });
  process.send?.(to - from);
}

process.on('disconnect', () => process.exit());
process.once('message', work);
