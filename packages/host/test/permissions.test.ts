// What admin tokens may do: every operation by its permission, what input needs beside it, what is left out, the page.

import { readCommand } from '@espalier/apple-mdm';
import { createEngine, createKeyRing, createMemoryStore, type Permission, permissions } from '@espalier/core';
import { encodeXml, type PlistInput } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import { type Access, createTokenCheck } from '../src/api/auth.ts';
import { readableDevice } from '../src/api/secrecy.ts';
import {
  type AdminToken,
  createAdeService,
  createAdminToken,
  createAppsService,
  createWebhooks,
  type HostOptions,
  hashAdminToken,
} from '../src/index.ts';
import { parseServerArguments } from '../src/node.ts';
import { type Device, enrol, messages, ORIGIN, START, testRandom, type World, world } from './world.ts';

const random = testRandom('permissions');
const target = { enrolmentIds: ['A1'] };

/** A token that may do what is listed. */
function token(allowed: readonly Permission[]): { readonly text: string; readonly entry: AdminToken } {
  const text = createAdminToken(random);
  return { text, entry: { hash: hashAdminToken(text), permissions: allowed } };
}

/** A host with all that the admin API may have. */
function whole(tokens: readonly (string | AdminToken)[], options: Partial<HostOptions> = {}): Promise<World> {
  const store = createMemoryStore();
  const keys = createKeyRing({ current: { id: 'test', key: random(32) }, random });
  const engine = createEngine({ store, keys, clock: { now: () => START }, random });
  const fetch = async () => new Response(null, { status: 503 });
  return world({
    engine,
    adeService: createAdeService({ engine, store, keys, publicUrl: ORIGIN, fetch }),
    appsService: createAppsService({ engine, store, keys, name: 'Example', fetch }),
    webhooks: createWebhooks({ engine, store, keys, fetch, random }),
    ade: {},
    metrics: {},
    adminTokens: tokens,
    ...options,
  }).then((to) => ({ ...to, engine }));
}

const call = (to: World, bearer: string, method: string, path: string, body?: unknown): Promise<Response> =>
  to.fetch(`/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

interface Described {
  readonly operationId: string;
  readonly security: readonly { readonly adminToken: readonly Permission[] }[];
  readonly responses: Readonly<Record<string, unknown>>;
}

describe('every operation', () => {
  it('names its permissions; without one of them it answers 403, with them alone it does not', async () => {
    const without = new Map(permissions.map((one) => [one, token(permissions.filter((other) => other !== one))]));
    const made = new Map<string, ReturnType<typeof token>>();
    const document = (await (await (await whole([])).fetch('/api/v1/openapi.json')).json()) as {
      paths: Record<string, Record<string, Described>>;
    };
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, one]) => ({ ...one, method: method.toUpperCase(), path })),
    );
    for (const { security } of operations) {
      const needed = security[0]?.adminToken ?? [];
      if (!made.has(needed.join())) made.set(needed.join(), token(needed));
    }
    const to = await whole([...without.values(), ...made.values()].map(({ entry }) => entry));

    const seen = new Set<Permission>();
    for (const { operationId, method, path, security, responses } of operations) {
      const needed = security[0]?.adminToken ?? [];
      expect([operationId, security.length, needed.length > 0]).toEqual([operationId, 1, true]);
      expect(responses).toHaveProperty('403');
      const address = path.replace('{kind}', 'erase-pin').replaceAll(/\{\w+\}/g, 'x');
      const body = method === 'GET' || method === 'DELETE' ? undefined : {};
      for (const one of needed) {
        seen.add(one);
        const refused = await call(to, without.get(one)?.text as string, method, address, body);
        expect([operationId, refused.status]).toEqual([operationId, 403]);
        expect(await refused.json()).toMatchObject({
          code: 'host.admin.permission',
          detail: expect.stringContaining(one),
        });
        expect(refused.headers.get('www-authenticate')).toContain('insufficient_scope');
      }
      const allowed = await call(to, made.get(needed.join())?.text as string, method, address, body);
      expect([operationId, allowed.status === 403 || allowed.status === 401]).toEqual([operationId, false]);
      if (path.startsWith('/ade/')) expect(needed).toContain('manage device enrolment');
    }
    expect(operations.length).toBeGreaterThan(125);
    // These are asked for by what the input says.
    const byInput = ['wipe devices', 'manage custom attributes'];
    expect(permissions.filter((one) => !seen.has(one)).sort()).toEqual(byInput.sort());
  });

  it('is open to a token without listed permissions, and closed to one with none', async () => {
    const [all, none] = [createAdminToken(random), token([])];
    const to = await whole([hashAdminToken(all), none.entry]);
    expect((await call(to, all, 'GET', '/ade/accounts')).status).toBe(200);
    expect((await call(to, none.text, 'GET', '/devices')).status).toBe(403);
    const limited = await whole([{ hash: hashAdminToken(all) }]);
    expect((await call(limited, all, 'GET', '/ade/accounts')).status).toBe(200);
  });

  it('what is not in the document asks too: metrics, and check-ins of another server', async () => {
    const [viewer, settings] = [token(['view devices']), token(['manage settings'])];
    const to = await whole([viewer.entry, settings.entry]);
    const metrics = (text: string) => to.fetch('/metrics', { headers: { authorization: `Bearer ${text}` } });
    expect([(await metrics(viewer.text)).status, (await metrics(settings.text)).status]).toEqual([200, 403]);
    const body = encodeXml(messages.authenticate('M1')) as Uint8Array<ArrayBuffer>;
    const migrate = (text: string) =>
      to.fetch('/api/v1/migration', {
        method: 'PUT',
        headers: { authorization: `Basic ${Buffer.from(`nanomdm:${text}`).toString('base64')}` },
        body,
      });
    expect((await migrate(viewer.text)).status).toBe(403);
    // The message is read, and found to be of a device that nobody announced.
    expect(await (await migrate(settings.text)).json()).toMatchObject({ status: 400 });
  });
});

describe('what the input asks for', () => {
  const base: Permission[] = ['view devices', 'manage devices', 'manage device enrolment'];
  const definition = { name: 'asset', type: 'string' };
  const preAssignment = (attributes: unknown[]) => ({ profile: null, csv: 'Serial Number\nX1', attributes });
  const cases: [more: Permission, method: string, path: string, body?: unknown][] = [
    ['wipe devices', 'POST', '/actions', { target, action: 'wipe' }],
    ['wipe devices', 'POST', '/commands', { target, requestType: 'EraseDevice' }],
    ['wipe devices', 'POST', '/devices/A1/recipes/erase', {}],
    ['locate devices', 'POST', '/actions', { target, action: 'locate' }],
    [
      'locate devices',
      'POST',
      '/actions',
      { target, action: 'lost-mode-on', parameters: { message: 'x', locate: true } },
    ],
    ['locate devices', 'POST', '/commands', { target, requestType: 'DeviceLocation' }],
    ['locate devices', 'POST', '/devices/A1/recipes/lost-mode-on', { message: 'Call', locate: true }],
    [
      'wipe devices',
      'POST',
      '/devices/A1/recipes/release-awaiting',
      { commands: [{ requestType: 'EraseDevice', payload: {} }] },
    ],
    ['read secrets', 'GET', '/devices?sensitive=true'],
    ['read secrets', 'GET', '/devices.csv?sensitive=true'],
    ['manage custom attributes', 'POST', '/ade/accounts/x/pre-assignment', preAssignment([definition])],
  ];

  it.each(cases)('%s: %s %s %j', async (more, method, path, body) => {
    const [less, enough] = [token(base), token([...base, more])];
    const to = await whole([less.entry, enough.entry]);
    await enrol(to, 'A1');
    const refused = await call(to, less.text, method, path, body);
    expect([refused.status, await refused.json()]).toMatchObject([403, { detail: expect.stringContaining(more) }]);
    expect((await to.engine.commands.history('A1')).items.some(({ origin }) => origin.includes('admin'))).toBe(false);
    expect((await call(to, enough.text, method, path, body)).status).not.toBe(403);
  });

  it('what asks for nothing more goes on', async () => {
    const { text, entry } = token(base);
    const to = await whole([entry]);
    await enrol(to, 'A1');
    expect((await call(to, text, 'POST', '/commands', { target, requestType: 'SecurityInfo' })).status).toBe(202);
    expect((await call(to, text, 'POST', '/actions', { target, action: 'lock' })).status).toBe(202);
    expect((await call(to, text, 'GET', '/devices?sensitive=false')).status).toBe(200);
    expect((await call(to, text, 'POST', '/ade/accounts/x/pre-assignment', preAssignment([]))).status).toBe(404);
  });
});

/** Answers commands until there is none. */
async function session(to: World, device: Device, answers: Record<string, Record<string, PlistInput>>) {
  let body = encodeXml(messages.idle(device.udid));
  for (;;) {
    const bytes = new Uint8Array(await (await to.fetch('/mdm/connect', device.request(body))).arrayBuffer());
    if (bytes.length === 0) return;
    const { requestType, commandUuid } = readCommand(bytes);
    body = encodeXml({ Status: 'Acknowledged', UDID: device.udid, CommandUUID: commandUuid, ...answers[requestType] });
  }
}

describe('what is left out', () => {
  it('secrets in answers and facts, and places, for those who may not read them', async () => {
    const viewer = token(['view devices']);
    const readers = {
      secrets: token(['view devices', 'read secrets']),
      places: token(['view devices', 'locate devices']),
    };
    const all = createAdminToken(random);
    const to = await whole([viewer.entry, readers.secrets.entry, readers.places.entry, hashAdminToken(all)]);
    const phone = await enrol(to, 'A1');
    await session(to, phone, { DeviceInformation: { QueryResponses: { IsSupervised: true } } });
    await call(to, all, 'POST', '/devices/A1/recipes/lost-mode-on', { message: 'Call', locate: true });
    await call(to, all, 'POST', '/commands', { target, requestType: 'ActivationLockBypassCode' });
    await session(to, phone, {
      DeviceLocation: { Latitude: 41.5, Longitude: 2.5 },
      ActivationLockBypassCode: { ActivationLockBypassCode: 'SESAME' },
    });
    const { items } = (await (await call(to, all, 'GET', '/devices/A1/commands')).json()) as {
      items: { requestType: string; commandUuid: string }[];
    };
    const answerTo = async (bearer: string, type: string) => {
      const uuid = items.find(({ requestType }) => requestType === type)?.commandUuid;
      const found = (await (await call(to, bearer, 'GET', `/devices/A1/commands/${uuid}`)).json()) as {
        response: string;
        answer: Record<string, unknown>;
      };
      return JSON.stringify(found.answer) + Buffer.from(found.response, 'base64').toString('utf8');
    };
    const code = 'ActivationLockBypassCode';
    expect(await answerTo(readers.secrets.text, code)).toContain('SESAME');
    expect(await answerTo(readers.secrets.text, 'DeviceLocation')).not.toContain('41.5');
    expect(await answerTo(readers.places.text, code)).not.toContain('SESAME');
    expect(await answerTo(readers.places.text, 'DeviceLocation')).toContain('41.5');
    for (const type of [code, 'DeviceLocation']) {
      const seen = await answerTo(viewer.text, type);
      expect(seen).toContain('Acknowledged');
      expect(seen).not.toMatch(/SESAME|41\.5/);
    }
    const runs = async (bearer: string) => (await call(to, bearer, 'GET', '/devices/A1/recipes')).text();
    expect(await runs(viewer.text)).toContain('succeeded');
    expect(await runs(viewer.text)).not.toContain('41.5');
    expect(await runs(readers.places.text)).toContain('41.5');
  });

  it('facts that are secrets', () => {
    const device = { facts: { 'common.platform': 'iOS', 'ios.activation_lock_bypass_code': 'SESAME' } };
    const check = createTokenCheck([
      hashAdminToken('x'.repeat(32)),
      { hash: hashAdminToken('y'.repeat(32)), permissions: [] },
    ]);
    expect(readableDevice(device, check('x'.repeat(32)) as Access)).toEqual(device);
    expect(readableDevice(device, check('y'.repeat(32)) as Access)).toEqual({ facts: { 'common.platform': 'iOS' } });
  });
});

describe('the status page', () => {
  const form = (values: Record<string, string>, headers: Record<string, string> = {}): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(values),
  });
  const signIn = async (to: World, text: string) =>
    ((await to.fetch('/login', form({ token: text }))).headers.get('set-cookie') as string).split(';')[0] as string;

  it('shows and does what the token may', async () => {
    const viewer = token(['view devices']);
    const inviter = token(['enrol devices']);
    const to = await whole([viewer.entry, inviter.entry]);
    await enrol(to, 'A1');
    const look = async (path: string, cookie: string) => {
      const answer = await to.fetch(path, { headers: { cookie } });
      return { status: answer.status, text: await answer.text() };
    };
    const cookie = await signIn(to, viewer.text);
    const first = await look('/', cookie);
    expect(first).toMatchObject({ status: 200, text: expect.stringContaining('Phone A1') });
    expect(first.text).not.toContain('/invitations');
    expect(await look('/invitations', cookie)).toMatchObject({
      status: 403,
      text: expect.stringContaining('enrol devices'),
    });
    const formToken = /name="form" value="([^"]+)"/.exec(first.text)?.[1] as string;
    for (const path of ['/invitations', '/devices/A1/refresh']) {
      expect((await to.fetch(path, form({ form: formToken }, { cookie }))).status).toBe(403);
    }
    expect((await to.engine.enrolling.invitations()).items).toEqual([]);
    await to.engine.configurations.create({
      ...{ name: 'Wi-Fi', type: 'wifi', settings: { Password: 'SESAME' }, labelIds: [], description: '' },
    });
    const [configuration] = await to.engine.configurations.list();
    const shown = await look(`/configurations/${configuration?.id}`, cookie);
    expect(shown).toMatchObject({ status: 200, text: expect.stringContaining('Wi-Fi') });
    expect(shown.text).not.toContain('SESAME');

    const other = await signIn(to, inviter.text);
    expect((await look('/', other)).status).toBe(403);
    expect((await look('/invitations', other)).status).toBe(200);
  });

  it('ends with its token', async () => {
    const [first, second] = [token(['view devices']), token(['view devices'])];
    const sessionSecret = random(32);
    const before = await whole([first.entry, second.entry], { sessionSecret });
    const cookie = await signIn(before, first.text);
    const look = async (to: World) => (await to.fetch('/', { headers: { cookie } })).status;
    expect(await look(before)).toBe(200);
    expect(await look(await whole([first.entry], { sessionSecret }))).toBe(200);
    expect(await look(await whole([second.entry], { sessionSecret }))).toBe(303);
  });
});

describe('configuration', () => {
  it('refuses permissions that do not exist, and a hash given twice', async () => {
    const { entry } = token([]);
    const host = (...tokens: (string | AdminToken)[]) => world({ adminTokens: tokens });
    await expect(host({ ...entry, permissions: ['manage everything' as Permission] })).rejects.toMatchObject({
      code: 'host.options',
      message: expect.stringContaining('manage everything'),
      remedy: expect.stringContaining('manage device enrolment'),
    });
    await expect(host({ ...entry, permissions: ['toString' as Permission] })).rejects.toThrow('toString');
    await expect(host(entry.hash, entry)).rejects.toMatchObject({ code: 'host.options' });
  });

  it('is read from the environment', () => {
    const { entry } = token(['view devices', 'manage device enrolment']);
    const read = (text: string) => parseServerArguments([], { ESPALIER_ADMIN_TOKENS: text })?.adminTokens;
    expect(read(JSON.stringify([entry, { hash: entry.hash }]))).toEqual([entry, { hash: entry.hash }]);
    expect(read(' ')).toBeUndefined();
    for (const wrong of [
      '{',
      '{}',
      '[{"hash":"secret"}]',
      JSON.stringify([{ ...entry, permissions: 'all' }]),
      '[null]',
      JSON.stringify([{ ...entry, permission: [] }]),
    ]) {
      expect(() => read(wrong)).toThrow(expect.objectContaining({ code: 'host.options' }));
    }
    expect(() => read('[{"hash":"secret"}]')).toThrow(/0\.hash/);
  });
});
