// `npm run bench -- queue [--store memory|sqlite|sqlite-full] [--quick]`: the command queue of each store: connect cycles
// per second, empty and with a history and a backlog of a million; the fan-out to 100,000 devices; who has work.
//
// Each state of a store is a process of its own; they take turns, half a second each, so that whatever else the machine does
// hits all alike. A ratio is the median over the turns.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMemoryStore, type NewCommand, type Store } from '@espalier/core';
import { openSqliteStore } from '@espalier/sqlite';
import type { BenchResult } from './result.ts';

const T0 = Date.UTC(2026, 0, 1);
const LATER = T0 + 10 * 365 * 86_400_000;
const backoff = { baseMs: 300_000, maxMs: 43_200_000 };
const CONCURRENCY = [1, 16, 64] as const;
/** Devices that take part in the cycles; the others make the store big. */
const ACTIVE = 2_000;

/** What a store holds beside the devices: nothing, a history, or a history and a backlog. */
const STATES = ['empty', 'history', 'backlog'] as const;
type State = (typeof STATES)[number];

/** Measures every store, or the one that `--store` names. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const at = args.indexOf('--store');
  const wanted = at === -1 ? undefined : args[at + 1];
  const devices = args.includes('--quick') ? 10_000 : 100_000;
  const names = ['memory', 'sqlite', 'sqlite-full'].filter((name) => wanted === undefined || name.startsWith(wanted));
  if (names.length === 0) throw new Error(`no store ${JSON.stringify(wanted)}: memory or sqlite`);
  const results: BenchResult[] = [];
  for (const name of names) results.push(...(await measure(name, devices)));
  return results;
}

async function open(name: string, folder: string): Promise<Store> {
  if (name === 'memory') return createMemoryStore();
  return openSqliteStore(join(folder, 'queue.db'), { durability: name === 'sqlite-full' ? 'full' : 'normal' });
}

/** What every device answers; one object, so that its making is not measured. */
const RESPONSE = { bytes: new Uint8Array(3_000).fill(32), sealed: false };

let uuids = 0;

function command(options: Partial<NewCommand> = {}): NewCommand {
  return {
    commandUuid: `bench-${uuids++}`,
    requestType: 'DeviceInformation',
    body: { bytes: new Uint8Array(2_000).fill(32), sealed: false },
    priority: 0,
    notBefore: null,
    expiresAt: null,
    dedupeKey: null,
    onDuplicate: 'replace',
    maxAttempts: 20,
    onError: 'fail',
    chain: null,
    origin: 'bench',
    push: true,
    followUp: false,
    ...options,
  };
}

const idOf = (i: number): string => `DEVICE-${String(i).padStart(8, '0')}`;

async function enrol(store: Store, id: string): Promise<void> {
  const shared = {
    id,
    kind: 'device',
    certificateFingerprint: id,
    at: T0,
    details: { udid: id },
    secrets: [],
  } as const;
  await store.enrolments.authenticate({ ...shared, events: [] });
  const token = new Uint8Array(32);
  await store.enrolments.tokenUpdate({
    ...shared,
    channel: 'device',
    parent: null,
    token,
    pushMagic: token,
    topic: 'topic',
    firstEvents: [],
    laterEvents: [],
  });
}

/** Runs a task for each number below `count`, so many at a time. */
async function inParallel(count: number, width: number, task: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** One device's connection: Idle, the command, its acknowledgement, nothing more. */
async function cycle(store: Store, id: string, latencies: number[] | null): Promise<void> {
  const input = { enrolmentId: id, certificateFingerprint: id, at: T0, backoff };
  let started = performance.now();
  const first = await store.queue.poll(input);
  latencies?.push(performance.now() - started);
  if (first.outcome !== 'ok' || first.command === null) throw new Error(`no command for ${id}`);
  const { commandUuid } = first.command;
  const event = { type: 'command.acknowledged', at: T0, enrolmentId: id, data: { commandUuid } } as const;
  started = performance.now();
  const second = await store.queue.poll({
    ...input,
    result: { commandUuid, status: 'acknowledged', response: RESPONSE, errorChain: [], event },
  });
  latencies?.push(performance.now() - started);
  if (second.outcome !== 'ok' || second.result !== 'stored' || second.command !== null) throw new Error('not the end');
}

interface Cycles {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

interface Cycles {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** Cycles for at least `ms` of measured time; the enqueueing between the rounds is not measured. */
async function cycles(store: Store, width: number, ms: number): Promise<Cycles> {
  const ids = Array.from({ length: ACTIVE }, (_, i) => idOf(i));
  const latencies: number[] = [];
  let spent = 0;
  let done = 0;
  while (spent < ms) {
    await store.queue.enqueue({ commands: [command({ priority: 1 })], enrolmentIds: ids, at: T0, events: [] });
    const started = performance.now();
    await inParallel(ACTIVE, width, (i) => cycle(store, ids[i]!, latencies));
    spent += performance.now() - started;
    done += ACTIVE;
  }
  latencies.sort((a, b) => a - b);
  const at = (part: number): number => latencies[Math.floor(latencies.length * part)] ?? 0;
  return { perSecond: (done / spent) * 1_000, p50: at(0.5), p99: at(0.99) };
}

/** What a worker is asked, and what it answers with. */
type Request = { readonly ask: 'cycles'; readonly width: number } | { readonly ask: 'work' } | { readonly ask: 'end' };

/** Brings a store into its state; gives the slowest fan-out, in milliseconds. */
async function prepare(store: Store, state: State, devices: number): Promise<number> {
  const ids = Array.from({ length: devices }, (_, i) => idOf(i));
  await inParallel(devices, 256, (i) => enrol(store, ids[i]!));
  if (state === 'empty') return 0;
  let slowest = 0;
  const enqueueAll = async (options: Partial<NewCommand>): Promise<void> => {
    const started = performance.now();
    await store.queue.enqueue({ commands: [command(options)], enrolmentIds: ids, at: T0, events: [] });
    slowest = Math.max(slowest, performance.now() - started);
  };
  // A key that replaces moves what was pending to the history: ten times over, and the last is cleared.
  for (let i = 0; i < 10; i++) await enqueueAll({ dedupeKey: 'history', push: false });
  await store.queue.end({ enrolmentIds: ids, dedupeKey: 'history', state: 'superseded', at: T0 });
  if (state === 'backlog') for (let i = 0; i < 10; i++) await enqueueAll({ notBefore: LATER });
  return slowest;
}

/** A worker: one store in one state. */
async function work(name: string, state: State, devices: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  const store = await open(name, folder);
  const say = (value: unknown): void => {
    process.send?.(value);
  };
  say(await prepare(store, state, devices));
  process.on('message', async (request: Request) => {
    if (request.ask === 'cycles') say(await cycles(store, request.width, 500));
    else if (request.ask === 'work') say(await whoHasWork(store));
    else {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
      process.disconnect();
    }
  });
}

async function whoHasWork(store: Store): Promise<{ readonly ms: number; readonly devices: number }> {
  const started = performance.now();
  let after: string | null = null;
  let devices = 0;
  do {
    const page: { readonly items: readonly string[]; readonly next: string | null } = await store.queue.withWork(
      after === null ? { limit: 1_000 } : { limit: 1_000, after },
    );
    devices += page.items.length;
    after = page.next;
  } while (after !== null);
  return { ms: performance.now() - started, devices };
}

async function ask<T>(worker: ChildProcess, request: Request): Promise<T> {
  worker.send(request);
  return ((await once(worker, 'message')) as [T])[0];
}

/** How many turns each state gets at each width. */
const TURNS = 9;

async function measure(name: string, devices: number): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  const add = (what: string, value: number, unit: string, more: Partial<BenchResult> = {}): void => {
    results.push({ name: `${name}: ${what}`, value, unit, ...more });
  };
  const count = `${(devices * 10).toLocaleString('en-US')}`;
  const labels: Record<State, string> = {
    empty: 'empty',
    history: `${count} in history`,
    backlog: `and ${count} pending`,
  };
  const workers = new Map<State, ChildProcess>();
  let fanOut = 0;
  for (const state of STATES) {
    const worker = fork(fileURLToPath(import.meta.url), ['--worker', name, state, String(devices)], {
      execArgv: ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning'],
    });
    workers.set(state, worker);
    fanOut = Math.max(fanOut, ((await once(worker, 'message')) as [number])[0]);
  }
  try {
    for (const width of CONCURRENCY) {
      const turns = new Map<State, Cycles[]>(STATES.map((state) => [state, []]));
      // The first turn of each warms up.
      for (let turn = 0; turn <= TURNS; turn++) {
        for (const state of STATES) {
          const found = await ask<Cycles>(workers.get(state)!, { ask: 'cycles', width });
          if (turn > 0) turns.get(state)!.push(found);
        }
      }
      for (const state of STATES) {
        const found = turns.get(state)!;
        const perSecond = median(found.map((item) => item.perSecond));
        const ratio = median(found.map((item, i) => item.perSecond / turns.get('empty')![i]!.perSecond));
        // Nothing is required of the memory store: a cycle takes it some microseconds, so that what is measured is how the
        // garbage collector takes two million objects. It is for tests and trials.
        const required = name === 'memory' ? {} : { required: 0.9, ok: ratio >= 0.9 };
        const peer = state === 'empty' ? {} : { peer: 'empty', ratio, ...required };
        add(`${width} at once, ${labels[state]}`, perSecond, 'cycles/s', peer);
        add(`${width} at once, ${labels[state]}, poll p50`, median(found.map((item) => item.p50)), 'ms');
        add(`${width} at once, ${labels[state]}, poll p99`, median(found.map((item) => item.p99)), 'ms');
      }
    }
    const everybody = `${devices.toLocaleString('en-US')} devices`;
    add(`enqueue for ${everybody}, slowest of 20`, fanOut, 'ms', { required: 2_000, ok: fanOut < 2_000 });
    const found = await ask<{ ms: number; devices: number }>(workers.get('backlog')!, { ask: 'work' });
    if (found.devices !== devices) throw new Error(`${found.devices} devices have work, not ${devices}`);
    add(`who has work, all ${everybody}`, found.ms, 'ms');
  } finally {
    for (const worker of workers.values()) if (worker.connected) worker.send({ ask: 'end' } satisfies Request);
  }
  return results;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

if (import.meta.main) {
  const [, name = '', state = 'empty', devices = '0'] = process.argv.slice(2);
  await work(name, state as State, Number(devices));
}
