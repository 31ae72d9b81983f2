// Several processes on one database: killed while they write, and sharing one fleet's work.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgresStore } from '../src/index.ts';
import { emptySchema, startServer, type TestServer } from './server.ts';
import { answer, command, enqueue, enrol, poll } from './support.ts';
import type { Report, Task } from './worker.ts';

const nightly = process.env['ESPALIER_NIGHTLY'] === '1';
const workers = new Set<ChildProcess>();
let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  await server?.close();
});

/** A process that waits for its task. */
function spawnWorker(): ChildProcess {
  const worker = fork(join(import.meta.dirname, 'worker.ts'), {
    execArgv: ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning'],
  });
  workers.add(worker);
  worker.once('exit', () => workers.delete(worker));
  return worker;
}

const start = (worker: ChildProcess, task: Task) => worker.send(task);

/** The report with which a worker ends. */
async function finished(worker: ChildProcess): Promise<Report> {
  const ended = once(worker, 'exit').then(([code]) => {
    throw new Error(`the worker ended with ${String(code)} before it reported`);
  });
  const [report] = (await Promise.race([once(worker, 'message'), ended])) as [Report];
  return report;
}

const rounds = nightly ? 200 : 10;

test(`a writer killed at any point, ${rounds} times`, { timeout: rounds * 15_000 }, async () => {
  await emptySchema(server.url);
  const store = await openPostgresStore(server.url, { maxConnections: 4 });
  const client = new pg.Client(server.url);
  await client.connect();
  const connectionsOfWriters = async (): Promise<number> =>
    (await client.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'worker-write'`)).rows.length;
  const devices = Array.from({ length: 6 }, (_, i) => `D${i}`);
  for (const id of devices) await enrol(store, id);
  // When to kill: after so many confirmations, and then up to so many milliseconds.
  const moments = fc.sample(fc.tuple(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 0, max: 9 })), {
    seed: 4711,
    numRuns: rounds,
  });
  const everStored = new Set<string>();
  let confirmed = 0;
  let next = spawnWorker();
  for (const [round, [confirmations, milliseconds]] of moments.entries()) {
    const worker = next;
    next = spawnWorker();
    const queued: [id: string, uuid: string][] = [];
    const stored: [id: string, uuid: string][] = [];
    const gone = once(worker, 'exit');
    await new Promise<void>((kill) => {
      worker.on('message', (report: Report) => {
        if (report.kind === 'queued') queued.push([report.id, report.uuid]);
        if (report.kind === 'stored') stored.push([report.id, report.uuid]);
        if (queued.length + stored.length >= confirmations) setTimeout(kill, milliseconds);
      });
      start(worker, { kind: 'write', url: server.url, devices, name: `r${round}` });
    });
    worker.kill('SIGKILL');
    await gone;
    // What the server was doing for the dead process it still finishes, or rolls back.
    await expect.poll(connectionsOfWriters, { timeout: 10_000 }).toBe(0);
    confirmed += queued.length + stored.length;
    for (const [id, uuid] of stored) {
      everStored.add(`${id} ${uuid}`);
      const kept = await store.queue.get(id, uuid);
      expect(kept, `round ${round}`).toMatchObject({ state: 'acknowledged', response: answer(uuid).response });
    }
    for (const [id, uuid] of queued) {
      expect(await store.queue.get(id, uuid), `round ${round}: ${uuid} was lost`).not.toBeNull();
    }
    // What is left is delivered by somebody else, and nothing that was acknowledged comes again.
    for (const id of devices) {
      let offered = await poll(store, id, 10_000);
      while (offered.outcome === 'ok' && offered.command !== null) {
        const { commandUuid } = offered.command;
        expect(everStored.has(`${id} ${commandUuid}`), `round ${round}: ${commandUuid} came again`).toBe(false);
        offered = await poll(store, id, 10_001, answer(commandUuid));
        everStored.add(`${id} ${commandUuid}`);
      }
    }
    expect((await store.queue.stats()).pending).toBe(0);
  }
  next.kill('SIGKILL');
  // Each end left one row in the history and one event, whoever was killed when.
  const { history } = await store.queue.stats();
  expect(history).toBeGreaterThanOrEqual(everStored.size);
  expect((await store.queue.followUps({ before: 99_999, limit: 100_000 })).length).toBeGreaterThan(0);
  console.log(`${rounds} kills, ${confirmed} confirmed writes, ${history} commands finished`);
  await client.end();
  await store.close();
});

const fleet = nightly ? { devices: 2_000, commands: 20_000 } : { devices: 200, commands: 2_000 };

test(`four processes, ${fleet.devices} devices, ${fleet.commands} commands`, { timeout: 600_000 }, async () => {
  await emptySchema(server.url);
  const store = await openPostgresStore(server.url, { maxConnections: 4 });
  const devices = Array.from({ length: fleet.devices }, (_, i) => `D${i}`);
  await inParallel(devices, (id) => enrol(store, id));
  const perDevice = fleet.commands / fleet.devices;

  // Half of the commands are there from the beginning; then every device is due, and four processes wake them.
  const half = perDevice / 2;
  await enqueue(store, commands(0, half), devices, 10);
  const leasing = [1, 2, 3, 4].map(() => spawnWorker());
  const leases = leasing.map(finished);
  for (const [i, worker] of leasing.entries()) start(worker, { kind: 'lease', url: server.url, name: `w${i}` });
  const leased = (await Promise.all(leases)).flatMap((report) => (report.kind === 'leased' ? report.ids : []));
  expect(leased).toHaveLength(fleet.devices);
  expect(new Set(leased).size).toBe(fleet.devices);

  // Four processes serve all devices, each in its own order, often the same one at once; the other half comes meanwhile.
  const serving = [1, 2, 3, 4].map(() => spawnWorker());
  const reports = serving.map(finished);
  for (const [i, worker] of serving.entries()) {
    start(worker, { kind: 'serve', url: server.url, devices, stride: [1, 3, 7, 11][i] ?? 1 });
  }
  for (const one of commands(half, perDevice)) await enqueue(store, [one], devices, 20);
  for (const worker of serving) worker.send('close');
  const served = (await Promise.all(reports)).flatMap((report) => (report.kind === 'served' ? [report] : []));
  expect(served).toHaveLength(4);
  const stored = served.flatMap((report) => report.stored);
  expect(stored).toHaveLength(fleet.commands);
  expect(new Set(stored).size).toBe(fleet.commands);
  // On a busy machine one may come too late to find any.
  expect(served.filter((report) => report.stored.length > 0).length).toBeGreaterThan(1);

  expect(await store.queue.stats()).toMatchObject({ pending: 0, history: fleet.commands });
  const client = new pg.Client(server.url);
  await client.connect();
  const { rows } = await client.query(`
    SELECT (SELECT count(*)::integer FROM espalier.history WHERE state = 'acknowledged') AS acknowledged,
      (SELECT count(*)::integer FROM espalier.event) AS events,
      (SELECT count(*)::integer FROM espalier.live WHERE due_at IS NOT NULL OR lease IS NOT NULL) AS due`);
  await client.end();
  expect(rows).toEqual([{ acknowledged: fleet.commands, events: fleet.commands, due: 0 }]);
  const repeated = served.reduce((sum, report) => sum + report.repeated, 0);
  console.log(
    `served by each: ${served.map((report) => report.stored.length).join(', ')}; answers that came twice: ${repeated}`,
  );
  await store.close();
});

const commands = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => command(`c${from + i}`, { priority: (from + i) % 3 }));

async function inParallel<T>(items: readonly T[], step: (item: T) => Promise<unknown>): Promise<void> {
  const rest = [...items];
  const lane = async () => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await step(item);
  };
  await Promise.all([1, 2, 3, 4].map(lane));
}
