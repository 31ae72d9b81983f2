// Apps and Books as a host runs it: locations by their tokens, assets with counts, assignments, notifications.
import { randomBytes } from 'node:crypto';
import { createEngine, createKeyRing, createMemoryStore, type Store } from '@espalier/core';
import {
  type AppsServiceOptions,
  createAdminToken,
  createAppsService,
  createHost,
  type Host,
  hashAdminToken,
} from '@espalier/host';
import { createRootCa, openCa } from '@espalier/pki';
import { openPostgresStore } from '@espalier/postgres';
import { createSimulatedAppsService, type SimulatedAppsOptions } from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import { startServer as startPostgres, type TestServer } from '../packages/postgres/test/server.ts';

const ORIGIN = 'https://mdm.example.com';
const START = Date.UTC(2026, 0, 15, 12);
const HOUR = 3_600_000;
const root = await createRootCa({
  subject: 'CN=Test',
  key: { type: 'rsa', bits: 2048 },
  clock: { now: () => START },
});

// biome-ignore lint/suspicious/noExplicitAny: tests read answers freely
type Body = any;

const open: Store[] = [];
let postgres: TestServer | undefined;
afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
  await postgres?.close();
  postgres = undefined;
});

async function setting(
  store: Store = createMemoryStore(),
  service: Partial<AppsServiceOptions> = {},
  simulated: SimulatedAppsOptions = {},
) {
  open.push(store);
  let now = START;
  const clock = { now: () => now };
  const keys = createKeyRing({ current: { id: 'k', key: new Uint8Array(32).fill(3) } });
  const engine = createEngine({ store, keys, clock });
  const hosts: Host[] = [];
  const seen: Request[] = [];
  const apple = createSimulatedAppsService({
    clock,
    notify: async (request) => {
      seen.push(request.clone());
      return (await hosts[0]?.fetch(request, { remoteAddress: '192.0.2.1' })) ?? new Response(null, { status: 503 });
    },
    ...simulated,
  });
  const options = { engine, store, keys, name: 'Example MDM', publicUrl: ORIGIN, fetch: apple.fetch, ...service };
  const appsService = createAppsService(options);
  const token = createAdminToken((length) => new Uint8Array(randomBytes(length)));
  const ca = await openCa({ ...root, clock });
  hosts.push(
    createHost({
      ...{ engine, ca, appsService, publicUrl: ORIGIN, adminTokens: [hashAdminToken(token)] },
      identity: { anchors: [ca.certificate] },
      profile: { organisation: 'Example', topic: 'com.apple.mgmt.External.test', sign: (bytes) => bytes },
    }),
  );
  return {
    ...{ apple, store, seen, options, service: appsService },
    advance(ms: number) {
      now += ms;
    },
    fetch: (path: string, init: RequestInit) =>
      hosts[0]?.fetch(new Request(ORIGIN + path, init), { remoteAddress: '192.0.2.1' }) as Promise<Response>,
    async api(method: string, path: string, body?: unknown): Promise<{ status: number; body: Body }> {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const answer = (await hosts[0]?.fetch(new Request(`${ORIGIN}/api/v1${path}`, init))) as Response;
      const text = await answer.text();
      return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : text };
    },
  };
}

type Setting = Awaited<ReturnType<typeof setting>>;

async function linked(to: Setting): Promise<{ id: string; path: string }> {
  const { status, body } = await to.api('POST', '/apps/locations', { token: to.apple.contentToken });
  expect([status, body]).toMatchObject([201, { state: 'valid' }]);
  return { id: body.id, path: `/apps/locations/${body.id}` };
}

const counts = async (to: Setting, path: string) =>
  Object.fromEntries(
    (await to.api('GET', `${path}/assets`)).body.items.map((asset: Body) => [
      asset.adamId,
      [asset.assignedCount, asset.availableCount],
    ]),
  );

describe.each([
  ['memory', () => createMemoryStore()],
  ['SQLite', () => openSqliteStore(':memory:')],
  [
    'PostgreSQL',
    async () => {
      postgres = await startPostgres();
      return openPostgresStore(postgres.url);
    },
  ],
])('a location, in %s', (_, make) => {
  it('is linked, shown, assigned from, and forgotten', async () => {
    const to = await setting(await make());
    const { id, path } = await linked(to);
    const sToken = to.apple.contentToken;
    expect((await to.api('GET', '/apps/locations')).body.items).toEqual([
      expect.objectContaining({
        ...{ id, organisation: 'Example Ltd', assets: 3, notified: true, stale: false, failure: null },
        refreshedAt: START,
        tokenExpiresAt: START + 365 * 24 * HOUR,
      }),
    ]);
    // The token is sealed, and in no answer.
    expect(JSON.stringify((await to.api('GET', path)).body)).not.toContain(sToken.slice(10, 40));
    expect(await to.store.settings.get('host.apps')).not.toContain(sToken.slice(10, 40));
    const blob = await to.store.secrets.get('apps-location', id);
    expect(Buffer.from(blob as Uint8Array).includes(sToken.slice(10, 40))).toBe(false);
    expect((await to.api('POST', '/apps/locations', { token: sToken })).body.code).toBe('host.apps.linked');

    const serialNumbers = ['X1', 'X2', 'X3'];
    const assets = [{ adamId: '361309726' }];
    const assigned = await to.api('POST', `${path}/assignments`, { assets, serialNumbers });
    expect(assigned).toMatchObject({ status: 202, body: { eventIds: [expect.any(String)] } });
    const event = `${path}/events/${assigned.body.eventIds[0]}`;
    expect((await to.api('GET', event)).body).toMatchObject({ eventStatus: 'PENDING' });
    to.advance(6_000);
    expect((await to.api('GET', event)).body).toMatchObject({
      ...{ eventStatus: 'COMPLETE', eventType: 'ASSOCIATE', numCompleted: 3, failures: [] },
    });
    expect((await to.api('GET', path)).body.stale).toBe(true);
    await to.service.refreshDue();
    expect(await counts(to, path)).toMatchObject({ 361309726: [3, 97] });

    const revoked = await to.api('POST', `${path}/revocations`, { assets, serialNumbers: ['X1'] });
    const rest = await to.api('POST', `${path}/revocations`, { serialNumbers: ['X2'] });
    expect([revoked.status, rest.status]).toEqual([202, 202]);
    to.advance(6_000);
    await to.apple.settle();
    expect((await to.api('GET', path)).body.stale).toBe(true);
    expect((await to.api('POST', `${path}/refresh`)).body.stale).toBe(false);
    expect(await counts(to, path)).toMatchObject({ 361309726: [1, 99] });

    expect((await to.api('DELETE', path)).status).toBe(204);
    expect((await to.api('GET', '/apps/locations')).body.items).toEqual([]);
    for (const [method, rest] of [
      ['GET', ''],
      ['GET', '/assets'],
      ['GET', '/users'],
      ['GET', '/events/x'],
      ['POST', '/refresh'],
      ['DELETE', ''],
    ]) {
      expect([rest, (await to.api(method as string, path + rest)).status]).toEqual([rest, 404]);
    }
    expect(await to.store.secrets.get('apps-location', id)).toBeNull();
  });
});

describe('users', () => {
  it('are registered, get books, and are retired', async () => {
    const to = await setting();
    const { path } = await linked(to);
    const made = await to.api('POST', `${path}/users`, { users: [{ clientUserId: 'u1', email: 'ann@example.com' }] });
    expect(made.status).toBe(202);
    to.advance(6_000);
    expect((await to.api('GET', `${path}/events/${made.body.eventIds[0]}`)).body.eventStatus).toBe('COMPLETE');
    expect((await to.api('GET', `${path}/users`)).body.items).toMatchObject([
      { clientUserId: 'u1', status: 'Registered' },
    ]);
    const book = { assets: [{ adamId: '490152466' }] };
    await to.api('POST', `${path}/assignments`, { ...book, clientUserIds: ['u1'] });
    to.advance(6_000);
    await to.api('POST', `${path}/refresh`);
    expect(await counts(to, path)).toMatchObject({ 490152466: [1, 9] });
    // A book is not for devices: Apple says so at once.
    const wrong = await to.api('POST', `${path}/assignments`, { ...book, serialNumbers: ['X1'] });
    expect(wrong).toMatchObject({ status: 409, body: { code: 'ade.apps.not_device_assignable' } });
    expect((await to.api('DELETE', `${path}/users/u1`)).status).toBe(202);
    to.advance(6_000);
    expect((await to.api('GET', `${path}/users`)).body.items).toMatchObject([{ status: 'Retired' }]);
    for (const body of [book, { ...book, serialNumbers: [] }, { assets: [], serialNumbers: ['X1'] }]) {
      expect((await to.api('POST', `${path}/assignments`, body)).status).toBe(400);
    }
  });
});

describe('notifications', () => {
  it('have the assets read anew, only with the secret of the location', async () => {
    const to = await setting();
    const { id, path } = await linked(to);
    expect(to.seen.map(({ url }) => url)).toEqual([`${ORIGIN}/apps/notifications/${id}`]);
    await to.apple.buy('361309726', 50);
    expect((await to.api('GET', path)).body.stale).toBe(true);
    await to.service.refreshDue();
    expect(await counts(to, path)).toMatchObject({ 361309726: [0, 150] });

    const last = to.seen.at(-1) as Request;
    const send = async (authorization: string | null, where = id) => {
      const headers = { 'content-type': 'application/json', ...(authorization === null ? {} : { authorization }) };
      const body = await last.clone().text();
      return (await to.fetch(`/apps/notifications/${where}`, { method: 'POST', headers, body })).status;
    };
    const right = last.headers.get('authorization') as string;
    expect([await send(null), await send('Bearer wrong'), await send(right, 'nowhere')]).toEqual([401, 401, 404]);
    expect((await to.api('GET', path)).body.stale).toBe(false);
    expect(await send(right)).toBe(200);
    expect((await to.api('GET', path)).body.stale).toBe(true);
    const big = { method: 'POST', headers: { authorization: right }, body: 'x'.repeat(300_000) };
    expect((await to.fetch(`/apps/notifications/${id}`, big)).status).toBe(413);
  });

  it('are not needed: without an address, the assets are read each day', async () => {
    const to = await setting(createMemoryStore(), { publicUrl: 'http://localhost:8080' });
    const { path } = await linked(to);
    expect((await to.api('GET', path)).body.notified).toBe(false);
    await to.apple.buy('361309726', 50);
    await to.service.refreshDue();
    expect(await counts(to, path)).toMatchObject({ 361309726: [0, 100] });
    to.advance(24 * HOUR);
    await to.service.refreshDue();
    expect(await counts(to, path)).toMatchObject({ 361309726: [0, 150] });
    // What was asked for is read when it is known to be done.
    const change = { assets: [{ adamId: '361309726' }], serialNumbers: ['X1'] };
    const { eventIds } = (await to.api('POST', `${path}/assignments`, change)).body;
    await to.service.refreshDue();
    expect(await counts(to, path)).toMatchObject({ 361309726: [0, 150] });
    to.advance(6_000);
    expect((await to.api('GET', `${path}/events/${eventIds[0]}`)).body.eventStatus).toBe('COMPLETE');
    await to.service.refreshDue();
    expect(await counts(to, path)).toMatchObject({ 361309726: [1, 149] });
  });

  it('that Apple cannot deliver do not keep a location out', async () => {
    const to = await setting(createMemoryStore(), {}, { notify: async () => new Response(null, { status: 502 }) });
    const { path } = await linked(to);
    expect((await to.api('GET', path)).body).toMatchObject({ notified: false, assets: 3 });
  });
});

describe('tokens', () => {
  it('of another location, of none, or that Apple refuses, are told', async () => {
    const to = await setting();
    const { path } = await linked(to);
    const link = async (token: string) => (await to.api('POST', '/apps/locations', { token })).body;
    expect((await link('bm8gdG9rZW4=')).code).toBe('ade.content_token.invalid');
    const renew = (token: string) => to.api('PUT', `${path}/token`, { token });
    expect(await renew(to.apple.contentToken)).toMatchObject({ status: 200, body: { failure: null } });
    to.apple.revoked = true;
    expect(await renew(to.apple.contentToken)).toMatchObject({
      status: 409,
      body: { code: 'host.apps.refused', detail: expect.stringContaining('ade.apps.token_revoked') },
    });
    await to.api('POST', `${path}/refresh`);
    const failed = (await to.api('GET', path)).body;
    expect(failed).toMatchObject({ stale: true, assets: 3, failure: { at: START, code: 'host.apps.refused' } });
    expect(JSON.stringify(failed)).not.toContain(to.apple.contentToken);
    // Not again at once, but later.
    to.apple.revoked = false;
    await to.service.refreshDue();
    expect((await to.api('GET', path)).body.failure).not.toBeNull();
    to.advance(16 * 60_000);
    await to.service.refreshDue();
    expect((await to.api('GET', path)).body).toMatchObject({ stale: false, failure: null });
    to.advance(340 * 24 * HOUR);
    expect((await to.api('GET', path)).body.state).toBe('expiring');
  });

  it('of another location do not renew this one', async () => {
    const other = createSimulatedAppsService({ clock: { now: () => START }, seed: 'other' });
    let apple: Setting['apple'];
    const to = await setting(createMemoryStore(), {
      fetch: async (request) => {
        const own = request.headers.get('authorization') !== `Bearer ${other.contentToken}`;
        return (own ? apple : other).fetch(request);
      },
    });
    apple = to.apple;
    const { path } = await linked(to);
    const answer = await to.api('PUT', `${path}/token`, { token: other.contentToken });
    expect(answer).toMatchObject({ status: 409, body: { code: 'host.apps.other_location' } });
  });

  it('of a location that another server manages need to be taken over', async () => {
    const to = await setting();
    to.apple.takeOver({ id: 'other', name: 'Other MDM', metadata: '' });
    const body = { token: to.apple.contentToken };
    const refused = await to.api('POST', '/apps/locations', body);
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'ade.apps.other_mdm', detail: expect.stringContaining('Other MDM') },
    });
    expect((await to.api('GET', '/apps/locations')).body.items).toEqual([]);
    const { id } = (await to.api('POST', '/apps/locations', { ...body, takeOver: true })).body;
    // The other one takes it back: nothing is assigned any more, and it is told.
    to.apple.takeOver({ id: 'other', name: 'Other MDM', metadata: '' });
    expect((await to.api('POST', `/apps/locations/${id}/refresh`)).body.code).toBe('ade.apps.other_mdm');
    expect((await to.api('PUT', `/apps/locations/${id}/token`, body)).body.code).toBe('ade.apps.other_mdm');
    const back = await to.api('PUT', `/apps/locations/${id}/token`, { ...body, takeOver: true });
    expect(back).toMatchObject({ status: 200, body: { failure: null, stale: false } });
  });
});

it('one process at a time reads a location anew, in the background', async () => {
  const to = await setting();
  await linked(to);
  await to.apple.buy('361309726', 1);
  const second = createAppsService(to.options);
  const asked = () => [...to.apple.counters].filter(([name]) => name.endsWith('/assets')).map(([, count]) => count)[0];
  const before = asked() as number;
  to.service.start();
  to.service.start();
  await second.refreshDue();
  await to.service.stop();
  await to.service.stop();
  expect((asked() as number) - before).toBe(1);
});
