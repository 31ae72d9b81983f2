// `npm run bench -- fleet [--devices N] [--profile FOLDER]`: N simulated devices (100,000 where nothing is said) enrol with the
// host over PostgreSQL, answer the inventory that the engine asks for, and poll once more for one command each.
//
// Three processes and the database: the devices are in this one and reach the server by messages between processes, without a
// network and TLS, so they prove themselves by Mdm-Signature. Each enrols wholly: profile, SCEP, check-ins. The devices' RSA
// keys share a few hundred primes (`createKeyPool`), since making two primes for each would take hours; every key and every
// certificate is different.
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRootCa, generateKeyPair, openCa } from '@espalier/pki';
import { createFleet, createKeyPool, runLimited, type SimulatedDevice } from '@espalier/simulator';
import pg from 'pg';
import { startServer, type TestServer } from '../packages/postgres/test/server.ts';
import type { FleetFigures, FleetRequest, FleetResponse } from './fleet/server.ts';
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
  readonly devices: readonly SimulatedDevice[];
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
  const database = await startServer({ durable: true, settings: SETTINGS });
  const server: Child<FleetRequest> = startChild(join(import.meta.dirname, 'fleet/server.ts'));
  try {
    const root = await createRootCa({ subject: 'CN=Bench', key: { type: 'rsa', bits: 2048 }, clock: Date });
    const ca = await openCa({ ...root, clock: Date });
    const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const certificate = await ca.issue({ publicKey, subject: 'CN=Profiles', template: 'device' });
    await server.ask({ ask: 'start', url: database.url, ca: root, signing: { certificate, privateKey } });
    const devices = createFleet({
      count,
      seed: 'bench',
      fetch: fetchFrom(server),
      keyPool: createKeyPool(),
      trustedRoots: [root.certificate],
    });
    const databasePid = await postmasterOf(database);
    const results: BenchResult[] = [];
    if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
    await measure({ devices, server, databasePid, progress, profiles, results });
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
  const { devices, server, results } = run;
  const enrol = async (batch: readonly SimulatedDevice[], timed: Timed): Promise<void> => {
    const urls = await server.ask<string[]>({ ask: 'invite', count: batch.length });
    await runLimited(batch, CONCURRENCY, (device, i) => timed(() => device.enrol(urls[i]!)));
  };
  let commands = 0;
  const poll = async (batch: readonly SimulatedDevice[], timed: Timed): Promise<void> => {
    await runLimited(batch, CONCURRENCY, (device) =>
      timed(async () => {
        const session = await device.poll();
        if (session.ended !== 'idle') throw new Error(`${device.udid}: the session ended as ${session.ended}`);
        commands += session.commands.length;
      }),
    );
  };
  await phase(run, 0, 'enrolment', 'devices', enrol);
  const { active } = await server.ask<FleetFigures>({ ask: 'figures' });
  if (active !== devices.length) throw new Error(`${active} of ${devices.length} devices are enrolled`);
  await phase(run, 0.5, 'first session: the inventory', 'devices', poll);
  results.push({ name: 'first session: commands of a device', value: commands / devices.length, unit: 'commands' });
  run.progress.at(0.8, 'one command for everybody');
  const began = performance.now();
  const queued = await server.ask<number>({ ask: 'command' });
  results.push({ name: 'one command for everybody: queueing', value: (performance.now() - began) / 1_000, unit: 's' });
  if (queued !== devices.length) throw new Error(`queued for ${queued} of ${devices.length} devices`);
  commands = 0;
  await phase(run, 0.8, 'poll with one command', 'devices', poll);
  if (commands !== devices.length) throw new Error(`${commands} commands were executed, not ${devices.length}`);
  const { pending } = await server.ask<FleetFigures>({ ask: 'figures' });
  if (pending > 0) throw new Error(`${pending} commands are still pending`);
  for (const device of devices) device.close();
}

type Timed = (task: () => Promise<unknown>) => Promise<void>;

/** Does one thing with all devices, in batches; the time of the first and the last tenth tells whether it scales. */
async function phase(
  { devices, server, databasePid, progress, profiles, results }: Run,
  from: number,
  name: string,
  unit: string,
  step: (batch: readonly SimulatedDevice[], timed: Timed) => Promise<void>,
): Promise<void> {
  const share = from === 0 ? 0.5 : from === 0.5 ? 0.3 : 0.2;
  const times = createTimeCounts();
  const timed: Timed = async (task) => {
    const start = performance.now();
    await task();
    times.add(performance.now() - start);
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
  for (let at = 0; at < devices.length; at += BATCH) {
    progress.at(from + (at / devices.length) * share, `${name}: ${at.toLocaleString('en-US')}`);
    await step(devices.slice(at, at + BATCH), timed);
    const done = Math.min(devices.length, at + BATCH);
    if (done >= (devices.length / 10) * tenths.length) {
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
    { name, value: seconds, unit: 's', p50: times.quantile(0.5), p99: times.quantile(0.99) },
    { name: `${name}, by the clock`, value: devices.length / seconds, unit: `${unit}/s` },
    { name: `${name}, CPU of the server`, value: own / devices.length, unit: 'ms/device' },
  );
  if (before.database !== null && after.database !== null) {
    const value = (after.database - before.database) / devices.length;
    results.push({ name: `${name}, CPU of the database`, value, unit: 'ms/device' });
  }
  const used = process.cpuUsage(before.devices);
  const value = (used.user + used.system) / 1_000 / devices.length;
  results.push({ name: `${name}, CPU of the devices`, value, unit: 'ms/device' });
  const made = statementsBetween(before, after);
  const all = made.reduce((sum, { count }) => sum + count, 0);
  results.push({ name: `${name}, statements`, value: all / devices.length, unit: 'statements/device' });
  if (profiles !== undefined) {
    const lines = made.map(({ name: statement, count, ms }) => {
      const [each, time] = [count, ms].map((number) => (number / devices.length).toFixed(2).padStart(8));
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
      return { name, count: count - earlier, ms: ms - earlierMs };
    })
    .filter(({ count }) => count > 0)
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
