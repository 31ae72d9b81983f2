// PostgreSQL crashes and comes back under load: the service says 503 meanwhile, recovers alone, and nothing is lost.
import { request } from 'node:https';
import { join } from 'node:path';
import type { CommandEntry, Invitation } from '@espalier/core';
import { fromPem, scepEnrol } from '@espalier/pki';
import { createKeyPool, createSimulatedDevice, runLimited } from '@espalier/simulator';
import { afterAll, expect, test } from 'vitest';
import { createAdminApi } from '../examples/demo/api.ts';
import { startApple } from '../examples/demo/apple.ts';
import { type ServerProcess, startServer } from '../examples/demo/server.ts';
import { startServer as startPostgres, type TestServer } from '../packages/postgres/test/server.ts';
import { type Notes, noteTaker } from './support/devices.ts';
import { folder } from './support/tools.ts';

const nightly = process.env['ESPALIER_NIGHTLY'] === '1';
const DEVICES = nightly ? 100 : 6;
const OUTAGES = nightly ? 8 : 1;
/** How many refusals each outage lasts for. */
const REFUSALS = nightly ? 2_000 : 40;

const place = folder();
let postgres: TestServer | undefined;
let server: ServerProcess | undefined;
afterAll(async () => {
  await server?.stop();
  await postgres?.close();
  place.remove();
});

test(`the database crashes ${OUTAGES} time(s) under ${DEVICES} devices`, {
  timeout: nightly ? 900_000 : 120_000,
}, async () => {
  postgres = await startPostgres({ durable: true });
  const apple = await startApple(place.path);
  const log: string[] = [];
  server = await startServer({
    host: 'node',
    data: join(place.path, 'server'),
    port: 0,
    apns: apple.files,
    database: postgres.url,
    onLog: (line) => log.push(line),
  });
  let ended = false;
  server.ended.then(() => {
    ended = true;
  });
  const { url, rootPem, adminToken } = server;
  const root = fromPem(rootPem, 'CERTIFICATE');
  const api = createAdminApi(url, adminToken!, rootPem);
  const keyPool = createKeyPool();

  const devices = Array.from({ length: DEVICES }, (_, i) => {
    const notes = noteTaker([root]);
    const device = createSimulatedDevice({
      kind: 'iPhone',
      seed: `outage ${i}`,
      keyPool,
      trustedRoots: [root],
      transport: notes.transport,
      apns: apple.apns,
      retry: { attempts: 10_000, firstMs: 20, longestMs: 200 },
    });
    return { device, notes };
  });
  await runLimited(devices, 4, async ({ device }) => {
    await device.enrol((await api.post<Invitation & { url: string }>('/invitations', {})).url);
  });
  const { url: waiting } = await api.post<Invitation & { url: string }>('/invitations', {});
  const { challenge } = await api.post<{ challenge: string }>('/scep/challenges', {});

  // The load: everybody polls without a pause, and somebody queues commands without a pause.
  let stop = false;
  const polling = devices.map(async ({ device }) => {
    while (!stop) await device.poll();
  });
  const queued: string[] = [];
  let refused = 0;
  const queueing = (async () => {
    for (let i = 0; !stop; i++) {
      const target = { enrolmentIds: devices.filter((_, n) => (n + i) % 3 === 0).map(({ device }) => device.udid) };
      try {
        const body = { target, requestType: 'DeviceInformation', payload: { Queries: ['OSVersion'] } };
        queued.push((await api.post<{ commandUuid: string }>('/commands', body)).commandUuid);
        await new Promise((resolve) => setTimeout(resolve, 10));
      } catch (error) {
        expect(String(error)).toContain('HTTP 503');
        refused++;
      }
    }
  })();

  const seen = (status: number) =>
    devices.reduce((sum, { notes }) => sum + notes.answers.filter((answer) => answer.status === status).length, 0);
  const acknowledged = () => devices.reduce((sum, { notes }) => sum + notes.acknowledged.size, 0);
  for (let outage = 0; outage < OUTAGES; outage++) {
    const before = acknowledged();
    await expect.poll(acknowledged, { timeout: 60_000 }).toBeGreaterThan(before + 5 * DEVICES);
    await postgres.stop({ immediate: true });
    const refusals = seen(503) + refused;
    await expect.poll(() => seen(503) + refused, { timeout: 60_000 }).toBeGreaterThan(refusals + REFUSALS);
    // Whoever needs the database hears the same: people, new devices, SCEP clients. Who does not need it is served.
    const headers = { authorization: `Bearer ${adminToken!}` };
    for (const [path, status] of [
      ['/api/v1/devices', 503],
      ['/api/v1/events', 503],
      [new URL(waiting).pathname, 503],
      ['/enrol?pin=000000', 503],
      ['/health', 200],
      ['/ca.crt', 200],
    ] as const) {
      expect([path, ...(await get(url + path, rootPem, headers))]).toEqual([
        path,
        status,
        status === 503 ? expect.stringMatching(/^\d+$/) : undefined,
      ]);
    }
    const scep: number[] = [];
    const enrolling = scepEnrol({
      url: `${url}/scep`,
      subject: 'CN=outage',
      challenge,
      clock: Date,
      fetch: async (asked) => {
        const response = await post(asked, rootPem);
        scep.push(response.status);
        return response;
      },
    });
    await expect(enrolling).rejects.toMatchObject({ code: 'pki.scep.http' });
    expect(scep.at(-1)).toBe(503);
    await postgres.start();
  }
  const before = acknowledged();
  await expect.poll(acknowledged, { timeout: 60_000 }).toBeGreaterThan(before + 5 * DEVICES);
  stop = true;
  await queueing;
  await Promise.all(polling);
  // What the last commands left, and what was not pushed while the database was away.
  for (const { device } of devices) await device.poll();
  for (const { device } of devices) await device.settled();

  // No crash, no hang, and nothing but answers: 200, or 503 with the time to come again.
  expect(ended).toBe(false);
  const all = devices.flatMap(({ notes }) => notes.answers);
  expect(devices.flatMap(({ notes }) => notes.broken)).toEqual([]);
  expect([...new Set(all.map(({ status }) => status))].sort()).toEqual([200, 503]);
  expect(all.filter(({ status, retryAfter }) => (status === 503) !== /^\d+$/.test(retryAfter ?? ''))).toEqual([]);
  const slowest = Math.max(...all.map(({ ms }) => ms));
  expect(slowest).toBeLessThan(20_000);
  expect(log.filter((line) => /"level":50/.test(line) && /"status":500/.test(line))).toEqual([]);

  // Nothing is lost and nothing comes twice.
  expect(devices.flatMap(({ notes }) => notes.deliveredAgain)).toEqual([]);
  const ends = new Map<string, Map<string, CommandEntry>>();
  await runLimited(devices, 4, async ({ device, notes }) => {
    const entries = await api.all<CommandEntry>(`/devices/${device.udid}/commands`);
    const byUuid = new Map(entries.map((entry) => [entry.commandUuid, entry]));
    ends.set(device.udid, byUuid);
    for (const uuid of notes.acknowledged) expect(byUuid.get(uuid)?.state, uuid).toBe('acknowledged');
    expect(entries.filter(({ state }) => state !== 'acknowledged' && state !== 'superseded')).toEqual([]);
  });
  for (const [i, uuid] of queued.entries()) {
    expect([i, devices.some(({ device }) => ends.get(device.udid)?.has(uuid))]).toEqual([i, true]);
  }
  console.log(
    `${OUTAGES} crashes: ${acknowledged()} results acknowledged, ${queued.length} commands queued, ` +
      `${seen(503)} polls and ${refused} of the admin's requests answered with 503, slowest answer ${Math.round(slowest)} ms`,
  );
  await closeAll(devices, api, apple);
});

async function closeAll(
  devices: readonly { readonly device: { close(): void }; readonly notes: Notes }[],
  api: { close(): void },
  apple: Awaited<ReturnType<typeof startApple>>,
): Promise<void> {
  for (const { device } of devices) device.close();
  api.close();
  await apple.apns.close();
}

/** Status and Retry-After of a GET. */
function get(url: string, ca: string, headers: Record<string, string>): Promise<[number, string | undefined]> {
  return new Promise((resolve, reject) => {
    request(url, { ca, headers, agent: false }, (incoming) => {
      incoming.resume();
      incoming.on('end', () => resolve([incoming.statusCode ?? 0, incoming.headers['retry-after']]));
    })
      .on('error', reject)
      .end();
  });
}

/** A `fetch` that trusts the server's own root. */
async function post(asked: Request, ca: string): Promise<Response> {
  const body = Buffer.from(await asked.arrayBuffer());
  const { method } = asked;
  return new Promise((resolve, reject) => {
    const headers = { ...Object.fromEntries(asked.headers), 'content-length': String(body.length) };
    request(asked.url, { ca, method, headers, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const type = incoming.headers['content-type'] ?? 'application/octet-stream';
        resolve(
          new Response(Buffer.concat(chunks), { status: incoming.statusCode ?? 0, headers: { 'content-type': type } }),
        );
      });
    })
      .on('error', reject)
      .end(body);
  });
}
