// `npm run bench -- queue [--store memory|sqlite|postgres] [--quick]`: the command queue of each store: connect cycles per
// second, in an empty store and beside a million finished or pending commands; the fan-out to 100,000 devices; who has
// work, who is due; retention; memory.
//
// Each state of a store is a process of its own, and they take turns of a fraction of a second, so that whatever else the
// machine does hits all alike. Of the times of a state's turns the lower quartile counts: others only ever add to them.
// Rounds go on until the ratios within them are known well enough, or time is up.
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { startServer } from '../packages/postgres/test/server.ts';
import { createProgress, type Progress } from './queue/progress.ts';
import { STATES, type State } from './queue/states.ts';
import { median, quarter, uncertainty } from './queue/statistics.ts';
import type { Answers, Request, Setting } from './queue/worker.ts';
import type { BenchResult } from './result.ts';

/** The stores as they are measured: SQLite and PostgreSQL with and without a wait for the disk at each commit. */
const STORES = ['memory', 'sqlite', 'sqlite-full', 'postgres', 'postgres-full'] as const;
const CONCURRENCY = [1, 16, 64] as const;
/** How long a turn is to take. */
const TURN_MS = 200;
/**
 * Rounds at least and at most for each concurrency, and the accuracy that is enough. When the time is up no further round
 * begins, but for the few without which there is no median; as long as the accuracy leaves open whether a ratio is the
 * required one, there is more time.
 */
const ROUNDS = { fewest: 3, least: 9, most: 151, ms: 12_000, mostMs: 40_000, accuracy: 0.02 } as const;
/**
 * The orders of the turns, one round after the other: each state comes after each other equally often and never after itself,
 * so that what the one before leaves behind, in the caches and to the collector's threads, is the same for all.
 */
const ORDERS = [
  [0, 1, 3, 2],
  [1, 2, 0, 3],
  [2, 3, 1, 0],
  [3, 0, 2, 1],
] as const;
/** What a history or a backlog must leave of the empty store's speed. */
const REQUIRED = 0.9;

/** Measures every store, or those that `--store` names. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const at = args.indexOf('--store');
  const wanted = at === -1 ? undefined : args[at + 1];
  const devices = args.includes('--quick') ? 10_000 : 100_000;
  const stores = STORES.filter((name) => wanted === undefined || name === wanted || name.startsWith(`${wanted}-`));
  if (stores.length === 0) throw new Error(`no store ${JSON.stringify(wanted)}: ${STORES.join(', ')}`);
  const results: BenchResult[] = [];
  for (const store of stores) results.push(...(await measureStore(store, devices)));
  return results;
}

/** The settings of a server of some size; what is safe to set is the same for both. */
const SERVER = ['shared_buffers=1GB', 'max_wal_size=8GB', 'checkpoint_timeout=30min', 'maintenance_work_mem=256MB'];

async function measureStore(store: (typeof STORES)[number], devices: number): Promise<BenchResult[]> {
  const progress = createProgress(store);
  const crew = new Map<State, ChildProcess>();
  const server = store.startsWith('postgres')
    ? await startServer({ durable: store === 'postgres-full', settings: SERVER })
    : null;
  try {
    progress.at(0, 'filling');
    let filled = 0;
    for (const state of STATES) {
      const worker = fork(join(import.meta.dirname, 'queue/worker.ts'), {
        execArgv: ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning', '--expose-gc'],
      });
      crew.set(state, worker);
    }
    const fill = async ([state, worker]: [State, ChildProcess]): Promise<void> => {
      worker.send({ store, state, devices, url: server?.url ?? '' } satisfies Setting);
      await answerOf(worker);
      progress.at((++filled / STATES.length) * 0.2, `filled: ${state}`);
    };
    await Promise.all([...crew].map(fill));
    return await measure(store, devices, crew, progress);
  } finally {
    progress.end();
    for (const worker of crew.values()) {
      if (worker.connected) await ask(worker, { ask: 'end' }).catch(() => worker.kill());
    }
    await server?.close();
  }
}

function answerOf(worker: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a process of the benchmark ended with ${code}`));
    worker.once('exit', ended);
    worker.once('message', (answer) => {
      worker.off('exit', ended);
      resolve(answer);
    });
  });
}

function ask<A extends Request['ask']>(
  worker: ChildProcess,
  request: Request & { readonly ask: A },
): Promise<Answers[A]> {
  worker.send(request);
  return answerOf(worker) as Promise<Answers[A]>;
}

async function measure(
  store: string,
  devices: number,
  crew: ReadonlyMap<State, ChildProcess>,
  progress: Progress,
): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  const add = (what: string, value: number, unit: string, more: Partial<BenchResult> = {}): void => {
    results.push({ name: `${store}: ${what}`, value, unit, ...more });
  };
  const many = (devices * 10).toLocaleString('en-US');
  const labels: Record<State, string> = {
    empty: 'empty',
    history: `${many} finished`,
    backlog: `${many} pending of others`,
    own: `${many} pending, 10 of each device that polls`,
  };
  const start = new Map<State, Answers['memory']>();
  for (const [i, width] of CONCURRENCY.entries()) {
    progress.at(0.2 + i * 0.2, `${width} at once`);
    const cycles = await warmUp(crew, width);
    const turns = await takeTurns(crew, width, cycles);
    // From when the caches are full and the heap has its size.
    if (i === 0) for (const state of STATES) start.set(state, await ask(crew.get(state)!, { ask: 'memory' }));
    for (const state of STATES) {
      const found = turns.get(state)!;
      const { p50, p99 } = await ask(crew.get(state)!, { ask: 'latency' });
      const ratio = quarter(turns.get('empty')!) / quarter(found);
      const required = state === 'own' ? {} : { required: REQUIRED, ok: ratio >= REQUIRED };
      const compared = state === 'empty' ? {} : { peer: 'empty', ratio, ...required };
      const perSecond = (cycles / quarter(found)) * 1_000;
      add(`${width} at once, ${labels[state]}`, perSecond, 'cycles/s', { p50, p99, ...compared });
    }
  }
  for (const state of STATES) {
    const before = start.get(state)!;
    const after = await ask(crew.get(state)!, { ask: 'memory' });
    const ratio = before.live / after.live;
    const ok = ratio >= REQUIRED || after.live - before.live < 8;
    const [live, resident] = [before.live, before.resident].map((mb) => `${Math.round(mb)} MB`);
    add(`memory in use, ${live} before, ${labels[state]}`, after.live, 'MB', {
      peer: 'before',
      ratio,
      required: REQUIRED,
      ok,
    });
    // How much of the system's memory the collector keeps in hand is its own affair: shown, not required.
    add(`memory of the process, ${resident} before, ${labels[state]}`, after.resident, 'MB');
  }
  await measureFleet(devices, crew, progress, add);
  return results;
}

/** Warms every process up, and finds how many cycles make a turn of the wanted length in the empty store. */
async function warmUp(crew: ReadonlyMap<State, ChildProcess>, width: number): Promise<number> {
  let cycles = 100;
  for (let step = 0; step < 3; step++) {
    const { ms } = await ask(crew.get('empty')!, { ask: 'turn', width, cycles });
    cycles = Math.max(100, Math.min(100_000, Math.round((cycles / ms) * TURN_MS)));
  }
  for (const worker of crew.values()) {
    for (let turn = 0; turn < 3; turn++) await ask(worker, { ask: 'turn', width, cycles });
    await ask(worker, { ask: 'latency' });
  }
  return cycles;
}

/** The times of the turns of each state, one for each round. */
async function takeTurns(
  crew: ReadonlyMap<State, ChildProcess>,
  width: number,
  cycles: number,
): Promise<ReadonlyMap<State, readonly number[]>> {
  const turns = new Map<State, number[]>(STATES.map((state) => [state, []]));
  const began = performance.now();
  for (let round = 0; round < ROUNDS.most; round++) {
    for (const place of ORDERS[round % ORDERS.length]!) {
      const state = STATES[place]!;
      turns.get(state)!.push((await ask(crew.get(state)!, { ask: 'turn', width, cycles })).ms);
    }
    const rounds = round + 1;
    const ms = performance.now() - began;
    if (rounds >= ROUNDS.fewest && ms > ROUNDS.mostMs) break;
    if (rounds >= ROUNDS.fewest && ms > ROUNDS.ms && STATES.every((state) => isDecided(turns, state))) break;
    if (rounds >= ROUNDS.least && STATES.every((state) => uncertainty(ratios(turns, state)) <= ROUNDS.accuracy)) break;
  }
  return turns;
}

/** How fast a state was in each round, compared with the empty store. */
function ratios(turns: ReadonlyMap<State, readonly number[]>, state: State): number[] {
  return turns.get('empty')!.map((ms, round) => ms / turns.get(state)![round]!);
}

/** Whether the rounds tell on which side of the required ratio a state is, so far as one is required. */
function isDecided(turns: ReadonlyMap<State, readonly number[]>, state: State): boolean {
  if (state === 'own') return true;
  const found = ratios(turns, state);
  return Math.abs(median(found) - REQUIRED) > uncertainty(found);
}

/** What is done for the whole fleet at once. */
async function measureFleet(
  devices: number,
  crew: ReadonlyMap<State, ChildProcess>,
  progress: Progress,
  add: (what: string, value: number, unit: string, more?: Partial<BenchResult>) => void,
): Promise<void> {
  const everybody = `${devices.toLocaleString('en-US')} devices`;
  progress.at(0.8, 'enqueue for everybody');
  const times: number[] = [];
  for (let round = 0; round < 3; round++) {
    for (const state of ['empty', 'history', 'backlog'] as const) {
      times.push((await ask(crew.get(state)!, { ask: 'enqueue' })).ms);
    }
  }
  const fanOut = median(times);
  add(`enqueue for ${everybody}, median of ${times.length}`, fanOut, 'ms', { required: 2_000, ok: fanOut < 2_000 });
  add(`enqueue for ${everybody}, slowest`, Math.max(...times), 'ms');
  progress.at(0.9, 'who has work');
  for (const what of ['work', 'due'] as const) {
    const { ms, count } = await ask(crew.get('backlog')!, { ask: what });
    if (count !== devices) throw new Error(`${count} devices are listed, not ${devices}`);
    add(what === 'work' ? `who has work, all ${everybody}` : `who is due, leases for all ${everybody}`, ms, 'ms');
  }
  progress.at(0.95, 'retention');
  const { ms, count } = await ask(crew.get('history')!, { ask: 'prune' });
  add('retention, finished commands deleted', (count / ms) * 1_000, 'rows/s');
}
