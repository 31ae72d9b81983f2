// `npm run bench -- fleet [--devices N] [--profile FOLDER]`: N simulated devices (100,000 where nothing is said) enrol with the
// host over PostgreSQL, answer the inventory that the engine asks for, and poll once more for one command each.
//
// Three processes and the database, which the server reaches by a socket of the file system: the devices are in this one
// and reach the server by messages between processes, without a network and TLS, so they prove themselves by Mdm-Signature.
// Each enrols wholly: profile, SCEP, check-ins. The devices' RSA keys share a few hundred primes (`createKeyPool`), since
// making two primes for each would take hours; every key and every certificate is different.
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRootCa, generateKeyPair, openCa } from '@espalier/pki';
import { createFleet, createKeyPool, type DeviceEnvironment, restoreDevice, runLimited } from '@espalier/simulator';
import pg from 'pg';
import { startServer, type TestServer } from '../packages/postgres/test/server.ts';
import type { FleetFigures, FleetRequest, FleetResponse } from './fleet/server.ts';
import { createPackedStates, type PackedStates } from './fleet/states.ts';
import { type Child, startChild } from './mdm/child.ts';
import { cpuOfFamily, memoryOf, memoryOfFamily } from './mdm/cpu.ts';
import { reportProfile } from './mdm/profile.ts';
import { createProgress, type Progress } from './queue/progress.ts';
import { createTimeCounts } from './queue/statistics.ts';
import type { BenchResult } from './result.ts';

const DEVICES = 100_000;
/** Devices that talk at the same time. */
const CONCURRENCY = 32;
const BATCH = 500;
/** The settings of a server of this size; it waits for the disk as a real one does. */
const SETTINGS = ['shared_buffers=1GB', 'max_wal_size=8GB', 'checkpoint_timeout=15min'];

/** What a run works with. */
interface Run {
  readonly count: number;
  readonly environment: DeviceEnvironment;
  readonly states: PackedStates;
  readonly server: Child<FleetRequest>;
  readonly databasePid: number;
  readonly progress: Progress;
  readonly profiles: string | undefined;
  readonly results: BenchResult[];
}

/** Measures; throws when a device did not get through. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const value = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at === -1 ? undefined : args[at + 1];
  };
  const count = Number(value('--devices') ?? (args.includes('--quick') ? 1_000 : DEVICES));
  if (!Number.isInteger(count) || count < 1) throw new Error('--devices: a whole number from 1');
  const profiles = value('--profile');
  const progress = createProgress(`fleet of ${count.toLocaleString('en-US')}`);
  progress.at(0, 'starting');
  const database = await startServer({ durable: true, socket: true, settings: SETTINGS });
  const server: Child<FleetRequest> = startChild(join(import.meta.dirname, 'fleet/server.ts'));
  try {
    const root = await createRootCa({ subject: 'CN=Bench', key: { type: 'rsa', bits: 2048 }, clock: Date });
    const ca = await openCa({ ...root, clock: Date });
    const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const certificate = await ca.issue({ publicKey, subject: 'CN=Profiles', template: 'device' });
    await server.ask({
      ask: 'start',
      url: database.socketUrl ?? database.url,
      ca: root,
      signing: { certificate, privateKey },
    });
    const environment = {
      fetch: fetchFrom(server),
      keyPool: createKeyPool(),
      trustedRoots: [root.certificate],
    };
    const databasePid = await postmasterOf(database);
    const results: BenchResult[] = [];
    if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
    const states = createPackedStates();
    try {
      await measure({ count, environment, states, server, databasePid, progress, profiles, results });
    } catch (error) {
      // What was measured until then took an hour perhaps.
      results.push(...(await sizes(database, server, databasePid, count)));
      process.stderr.write(`\n${JSON.stringify(results)}\n`);
      throw error;
    }
    results.push(...(await sizes(database, server, databasePid, count)));
    return results;
  } finally {
    progress.end();
    await server.end();
    await database.close();
    if (profiles !== undefined) reportProfile(profiles);
  }
}

/** The way to the server. */
function fetchFrom(server: Child<FleetRequest>): (request: Request) => Promise<Response> {
  return async (request) => {
    const { method, url } = request;
    const headers = Object.fromEntries(request.headers);
    const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer());
    const answer = await server.ask<FleetResponse>({ ask: 'fetch', method, url, headers, body });
    return new Response(answer.body.length === 0 ? null : (answer.body as Uint8Array<ArrayBuffer>), answer);
  };
}

async function postmasterOf({ dataDir }: TestServer): Promise<number> {
  return Number((await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

async function measure(run: Run): Promise<void> {
  const { count, environment, states, server, results } = run;
  const enrol: Step = async (from, to, timed) => {
    const urls = await server.ask<string[]>({ ask: 'invite', count: to - from });
    // Made when their turn comes, and packed away after it: a hundred thousand of them would not fit into a heap.
    const fleet = createFleet({ ...environment, count: to - from, seed: `bench ${from}` });
    await runLimited(fleet, CONCURRENCY, async (device, i) => {
      await timed(() => device.enrol(urls[i]!));
      states.set(from + i, device.state());
      device.close();
    });
  };
  let commands = 0;
  const poll: Step = async (from, to, timed) => {
    const indexes = Array.from({ length: to - from }, (_, i) => from + i);
    await runLimited(indexes, CONCURRENCY, async (index) => {
      const device = restoreDevice(states.get(index), environment);
      await timed(async () => {
        const session = await device.poll();
        if (session.ended !== 'idle') throw new Error(`${device.udid}: the session ended as ${session.ended}`);
        commands += session.commands.length;
      });
      states.set(index, device.state());
      device.close();
    });
  };
  await phase(run, 0, 'enrolment', 'devices', enrol);
  const { active } = await server.ask<FleetFigures>({ ask: 'figures' });
  if (active !== count) throw new Error(`${active} of ${count} devices are enrolled`);
  await phase(run, 0.5, 'first session: the inventory', 'devices', poll);
  results.push({ name: 'first session: commands of a device', value: commands / count, unit: 'commands' });
  run.progress.at(0.8, 'one command for everybody');
  const began = performance.now();
  const queued = await server.ask<number>({ ask: 'command' });
  results.push({ name: 'one command for everybody: queueing', value: (performance.now() - began) / 1_000, unit: 's' });
  if (queued !== count) throw new Error(`queued for ${queued} of ${count} devices`);
  commands = 0;
  await phase(run, 0.8, 'poll with one command', 'devices', poll);
  // The engine may ask something of its own meanwhile.
  if (commands < count) throw new Error(`${commands} commands were executed, not ${count}`);
  results.push({ name: 'poll with one command: commands of a device', value: commands / count, unit: 'commands' });
  const { pending } = await server.ask<FleetFigures>({ ask: 'figures' });
  if (pending > 0) throw new Error(`${pending} commands are still pending`);
}

type Timed = (task: () => Promise<unknown>) => Promise<void>;
/** Does something with the devices from one number to another. */
type Step = (from: number, to: number, timed: Timed) => Promise<void>;

/** Does one thing with all devices, in batches; the time of the first and the last tenth tells whether it scales. */
async function phase(
  { count, server, databasePid, progress, profiles, results }: Run,
  from: number,
  name: string,
  unit: string,
  step: Step,
): Promise<void> {
  const share = from === 0 ? 0.5 : from === 0.5 ? 0.3 : 0.2;
  const latencies = createTimeCounts();
  const timed: Timed = async (task) => {
    const start = performance.now();
    await task();
    latencies.add(performance.now() - start);
  };
  const cpu = async () => ({
    ...(await server.ask<FleetFigures>({ ask: 'figures' })),
    devices: process.cpuUsage(),
    database: cpuOfFamily(databasePid),
  });
  if (profiles !== undefined) await server.ask({ ask: 'profile', file: null });
  const before = await cpu();
  const began = performance.now();
  /** Server CPU at each tenth, in milliseconds. */
  const tenths = [before.cpu];
  for (let at = 0; at < count; at += BATCH) {
    progress.at(from + (at / count) * share, `${name}: ${at.toLocaleString('en-US')}`);
    const done = Math.min(count, at + BATCH);
    await step(at, done, timed);
    if (done >= (count / 10) * tenths.length) {
      tenths.push((await server.ask<FleetFigures>({ ask: 'figures' })).cpu);
    }
  }
  const seconds = (performance.now() - began) / 1_000;
  const after = await cpu();
  if (profiles !== undefined) {
    await server.ask({ ask: 'profile', file: join(profiles, `${name.replace(/[^\w]+/g, '-')}.cpuprofile`) });
  }
  const own = after.cpu - before.cpu;
  results.push(
    { name, value: seconds, unit: 's', p50: latencies.quantile(0.5), p99: latencies.quantile(0.99) },
    { name: `${name}, by the clock`, value: count / seconds, unit: `${unit}/s` },
    { name: `${name}, CPU of the server`, value: own / count, unit: 'ms/device' },
  );
  if (before.database !== null && after.database !== null) {
    const value = (after.database - before.database) / count;
    results.push({ name: `${name}, CPU of the database`, value, unit: 'ms/device' });
  }
  const used = process.cpuUsage(before.devices);
  const value = (used.user + used.system) / 1_000 / count;
  results.push({ name: `${name}, CPU of the devices`, value, unit: 'ms/device' });
  const made = statementsBetween(before, after);
  const all = made.reduce((sum, { times }) => sum + times, 0);
  results.push({ name: `${name}, statements`, value: all / count, unit: 'statements/device' });
  if (profiles !== undefined) {
    const lines = made.map(({ name: statement, times, ms }) => {
      const [each, time] = [times, ms].map((number) => (number / count).toFixed(2).padStart(8));
      return `${each} times, ${time} ms  ${statement}\n`;
    });
    process.stderr.write(`\n${name}, statements of a device:\n${lines.slice(0, 40).join('')}`);
  }
  if (tenths.length > 10) {
    const first = tenths[2]! - tenths[1]!;
    const last = tenths.at(-1)! - tenths.at(-2)!;
    results.push({ name: `${name}, server: second tenth against the last`, value: first / last, unit: 'x' });
  }
}

function statementsBetween(before: FleetFigures, after: FleetFigures) {
  return Object.entries(after.statements)
    .map(([name, [count, ms]]) => {
      const [earlier, earlierMs] = before.statements[name] ?? [0, 0];
      return { name, times: count - earlier, ms: ms - earlierMs };
    })
    .filter(({ times }) => times > 0)
    .sort((a, b) => b.ms - a.ms);
}

/** What it all takes in memory and on the disk. */
async function sizes(
  database: TestServer,
  server: Child<FleetRequest>,
  databasePid: number,
  count: number,
): Promise<BenchResult[]> {
  const client = new pg.Client(database.url);
  await client.connect();
  try {
    // What grows with the fleet: rows read one after the other. A few at the beginning, before there are statistics, are normal.
    const { rows: scans } = await client.query<{ name: string; rows: string }>(
      `SELECT relname AS name, seq_tup_read AS rows FROM pg_stat_user_tables
       WHERE seq_tup_read > $1 ORDER BY seq_tup_read DESC LIMIT 8`,
      [count],
    );
    await client.query('VACUUM ANALYZE');
    const { rows } = await client.query<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
    const { rows: tables } = await client.query<{ name: string; bytes: string }>(
      `SELECT relname AS name, pg_total_relation_size(relid) AS bytes FROM pg_stat_user_tables
       ORDER BY pg_total_relation_size(relid) DESC LIMIT 6`,
    );
    const MB = 1_048_576;
    const size = Number(rows[0]!.bytes);
    const memory = memoryOf(server.pid);
    const all = memoryOfFamily(databasePid);
    return [
      ...(memory === null
        ? []
        : [
            { name: 'memory of the server', value: memory.resident, unit: 'MB' },
            { name: 'memory of the server, at most', value: memory.most, unit: 'MB' },
          ]),
      ...(all === null
        ? []
        : [{ name: 'memory of the database, with what its processes share', value: all, unit: 'MB' }]),
      { name: 'size of the database', value: size / MB, unit: 'MB' },
      { name: 'size of the database, of a device', value: size / 1_024 / count, unit: 'KB/device' },
      ...scans.map(({ name, rows: read }) => ({
        name: `rows of ${name} read in sequence`,
        value: Number(read) / count,
        unit: 'rows/device',
      })),
      ...tables.map(({ name, bytes }) => ({
        name: `size of the table ${name}`,
        value: Number(bytes) / MB,
        unit: 'MB',
      })),
    ];
  } finally {
    await client.end();
  }
}
