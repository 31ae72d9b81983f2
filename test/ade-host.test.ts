// Automated device enrolment by the admin API, against the simulated service: accounts, profiles, rules, pre-assignment, locks,
// and the enrolment door that follows the device's profile.
import { randomBytes } from 'node:crypto';
import { createEngine, createKeyRing, createMemoryStore, type Engine } from '@espalier/core';
import {
  type AdeService,
  type AdeServiceOptions,
  createAdeService,
  createAdminToken,
  createHost,
  hashAdminToken,
} from '@espalier/host';
import { createRootCa, fromPem, openCa } from '@espalier/pki';
import { decodeDict, encodeXml } from '@espalier/plist';
import { createSimulatedEnrolmentService, type SimulatedEnrolmentService } from '@espalier/simulator';
import { beforeAll, describe, expect, it } from 'vitest';
import { ScriptedDevice } from '../packages/core/test/support.ts';

const ORIGIN = 'https://mdm.example.com';
const COUNT = 40;
let root: Awaited<ReturnType<typeof createRootCa>>;
beforeAll(async () => {
  root = await createRootCa({ subject: 'CN=Root', key: { type: 'rsa', bits: 2048 }, clock: Date });
});

/** What the API answers: tests look into it as it comes. */
// biome-ignore lint/suspicious/noExplicitAny: tests read answers freely
type Body = any;

interface Setting {
  readonly engine: Engine;
  readonly service: AdeService;
  readonly apple: SimulatedEnrolmentService;
  advance(ms: number): void;
  api(
    method: string,
    path: string,
    body?: unknown,
    more?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: Body }>;
  door(serial: string, authorization?: string): Promise<Response>;
  readonly store: ReturnType<typeof createMemoryStore>;
}

async function setting(
  options: Partial<AdeServiceOptions> = {},
  authenticate?: (user: { name: string; password: string }) => Promise<string | null>,
): Promise<Setting> {
  let now = Date.now();
  const clock = { now: () => now };
  const store = createMemoryStore();
  const keys = createKeyRing({ current: { id: 'k', key: new Uint8Array(32).fill(3) } });
  const engine = createEngine({ store, keys, clock });
  const apple = createSimulatedEnrolmentService({ clock, count: COUNT, seed: 'host' });
  const service = createAdeService({ engine, store, keys, publicUrl: ORIGIN, fetch: apple.fetch, ...options });
  const token = createAdminToken((length) => new Uint8Array(randomBytes(length)));
  const ca = await openCa({ ...root, clock });
  const host = createHost({
    ...{ engine, ca, identity: { anchors: [ca.certificate] }, publicUrl: ORIGIN, adminTokens: [hashAdminToken(token)] },
    profile: { organisation: 'Example', topic: 'com.apple.mgmt.External.test', sign: (bytes) => bytes },
    ade: {
      allowUnsigned: true,
      isKnown: async (principal) => principal === 'ann@example.com',
      ...(authenticate === undefined ? {} : { authenticate: (user) => authenticate(user) }),
    },
    adeService: service,
  });
  return {
    ...{ engine, service, apple, store },
    advance(ms) {
      now += ms;
    },
    async api(method, path, body, more = {}) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...more };
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const answer = await host.fetch(new Request(`${ORIGIN}/api/v1${path}`, init));
      const text = await answer.text();
      return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : text };
    },
    door: (serial, authorization) =>
      host.fetch(
        new Request(`${ORIGIN}/enrol/ade`, {
          method: 'POST',
          headers: authorization === undefined ? {} : { authorization },
          body: Buffer.from(
            encodeXml({ UDID: `UDID-${serial}`, SERIAL: serial, PRODUCT: 'iPad13,1', VERSION: '22A1' }),
          ),
        }),
        { remoteAddress: '192.0.2.1' },
      ),
  };
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const support = { department: 'IT', support_phone_number: '1' };
const anonymous = { authentication: { type: 'anonymous' }, apple: support };

/** Links the account as an administrator does. */
async function linked(to: Setting): Promise<string> {
  const { body: pem } = await to.api('GET', '/ade/certificate');
  const token = base64(to.apple.downloadToken(fromPem(pem, 'CERTIFICATE')));
  const made = await to.api('POST', '/ade/accounts', { token });
  expect(made.status).toBe(201);
  return made.body.id;
}

describe('accounts', () => {
  it('are linked by a token, shown with their state, renewed by one of the same server', async () => {
    const to = await setting();
    const { body: pem } = await to.api('GET', '/ade/certificate');
    expect((await to.api('GET', '/ade/certificate')).body).toBe(pem);
    const certificate = fromPem(pem, 'CERTIFICATE');
    for (const [token, code] of [
      ['AAAA', 'ade.token.not_smime'],
      ['not base64!', 'host.input.invalid'],
      [base64(to.apple.downloadToken(root.certificate)), 'ade.token.unsupported'],
    ] as const) {
      const refused = await to.api('POST', '/ade/accounts', { token });
      expect(refused.status).toBe(400);
      if (code !== 'ade.token.unsupported') expect(refused.body.code).toBe(code);
    }
    const stale = to.apple.downloadToken(certificate);
    const token = base64(to.apple.downloadToken(certificate));
    // A download ends the tokens before it.
    expect(await to.api('POST', '/ade/accounts', { token: base64(stale) })).toMatchObject({
      status: 409,
      body: { code: 'host.ade.refused' },
    });
    const made = await to.api('POST', '/ade/accounts', { token });
    expect(made).toMatchObject({
      status: 201,
      body: {
        name: 'Simulated server',
        state: 'active',
        devices: 0,
        details: { org_name: 'Example Ltd' },
        daysLeft: 364,
      },
    });
    const { id } = made.body;
    expect(JSON.stringify(made.body)).not.toContain('Secret');
    expect(await to.api('POST', '/ade/accounts', { token })).toMatchObject({
      status: 409,
      body: { code: 'host.ade.linked' },
    });
    to.advance(86_400_000);
    const other = createSimulatedEnrolmentService({ seed: 'other' });
    expect(
      await to.api('PUT', `/ade/accounts/${id}/token`, { token: base64(other.downloadToken(certificate)) }),
    ).toMatchObject({ status: 409, body: { code: 'ade.token.wrong_account' } });
    const renewed = await to.api('PUT', `/ade/accounts/${id}/token`, {
      token: base64(to.apple.downloadToken(certificate)),
    });
    expect(renewed).toMatchObject({ status: 200, body: { daysLeft: 364, version: 2 } });
    expect(await to.api('PATCH', `/ade/accounts/${id}`, { name: 'Mine', expectedVersion: 1 })).toMatchObject({
      status: 409,
    });
    expect((await to.api('PATCH', `/ade/accounts/${id}`, { name: 'Mine' })).body.name).toBe('Mine');
    // Apple's terms: the state says so, and goes when they are signed.
    to.apple.termsSigned = false;
    expect((await to.api('POST', `/ade/accounts/${id}/sync?wait=true`)).body.code).toBe('host.ade.refused');
    expect((await to.api('GET', `/ade/accounts/${id}`)).body).toMatchObject({
      state: 'terms-not-signed',
      sync: { failure: 'ade.enrolment.t_c_not_signed' },
    });
    to.apple.termsSigned = true;
    expect((await to.api('POST', `/ade/accounts/${id}/sync?wait=true`)).body).toMatchObject({
      outcome: 'done',
      added: COUNT,
    });
    const { body } = await to.api('GET', '/ade/accounts');
    expect(body.items).toMatchObject([{ id, state: 'active', devices: COUNT, due: 0, progress: null }]);
    to.advance(400 * 86_400_000);
    expect((await to.api('GET', `/ade/accounts/${id}`)).body.state).toBe('invalid-token');
    expect((await to.api('DELETE', `/ade/accounts/${id}`)).status).toBe(204);
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/sync'],
      ['GET', '/devices'],
      ['GET', '/profiles'],
    ]) {
      expect((await to.api(method!, `/ade/accounts/${id}${path}`)).status).toBe(404);
    }
    const { body: document } = await to.api('GET', '/openapi.json');
    expect(Object.keys(document.paths).filter((path) => path.includes('/ade/')).length).toBeGreaterThan(12);
    const log = JSON.stringify(await to.store.events.since(0, 1000));
    expect(log).not.toContain('CK_');
  });
});

describe('profiles', () => {
  it('are checked, given to Apple and to devices, changed, deleted', async () => {
    const to = await setting();
    const id = await linked(to);
    const path = `/ade/accounts/${id}/profiles`;
    const shared = {
      ...anonymous,
      apple: { ...support, is_multi_user: true, is_supervised: false },
      sharedIpad: { ResidentUsers: 3 },
    };
    const refused = await to.api('POST', path, { name: 'Shared', definition: shared });
    expect(refused).toMatchObject({ status: 400, body: { code: 'host.ade.profile' } });
    expect(refused.body.detail).toContain('ade.shared_ipad.');
    const found = await to.api('POST', '/ade/profiles/check', { name: 'Shared', definition: shared });
    expect(found.body.items.map((issue: { code: string }) => issue.code)).toContain('ade.shared_ipad.is_supervised');
    // Nobody here knows passwords, which is how a profile lets people in unless it says otherwise.
    const password = await to.api('POST', path, { name: 'P', definition: { apple: support } });
    expect(password.body.detail).toContain('host.ade.passwords');
    const all = await to.api('POST', path, { name: 'All', description: 'of them', definition: anonymous });
    expect(all).toMatchObject({ status: 201, body: { profile: { version: 1, appleVersion: 0, failure: null } } });
    const macs = await to.api('POST', path, { name: 'Macs', definition: anonymous });
    const [allId, macsId] = [all.body.profile.id, macs.body.profile.id];
    const rules = [{ profileId: macsId, families: ['Mac'] }];
    const rule = (wrong: unknown) => to.api('PATCH', `/ade/accounts/${id}`, { rules: [wrong] });
    expect((await rule({ profileId: macsId })).body.code).toBe('ade.rules.empty');
    expect((await rule({ profileId: 'nobody', families: ['Mac'] })).body).toMatchObject({
      code: 'host.ade.profile',
      path: 'rules.0.profileId',
    });
    expect((await to.api('PATCH', `/ade/accounts/${id}`, { rules, defaultProfile: allId })).status).toBe(200);
    const synced = await to.api('POST', `/ade/accounts/${id}/sync?wait=true`);
    expect(synced.body).toMatchObject({ outcome: 'done', added: COUNT, defined: 2, assigned: COUNT });
    for (let i = 0; i < COUNT; i++) {
      const { serialNumber, kind } = to.apple.organisation.device(i);
      const given = to.apple.pushed(serialNumber)!;
      expect(given).toMatchObject({ url: `${ORIGIN}/enrol/ade`, profile_name: kind === 'Mac' ? 'Macs' : 'All' });
    }
    const count = async () =>
      (await to.api('GET', path)).body.items.map((item: { name: string; devices: number }) => [
        item.name,
        item.devices,
      ]);
    const listed = await count();
    expect(listed.map(([name]: [string]) => name)).toEqual(['All', 'Macs']);
    expect(listed[0][1] + listed[1][1]).toBe(COUNT);
    const changed = {
      name: 'Everybody',
      definition: { ...anonymous, apple: { ...anonymous.apple, is_mandatory: false } },
    };
    expect((await to.api('PUT', `/ade/profiles/${allId}?expectedVersion=7`, changed)).status).toBe(409);
    expect((await to.api('PUT', `/ade/profiles/${allId}?expectedVersion=1`, changed)).body.profile.version).toBe(2);
    expect((await to.api('POST', `/ade/accounts/${id}/sync?wait=true`)).body).toMatchObject({
      defined: 1,
      assigned: listed[0][1],
    });
    expect((await to.api('GET', `/ade/profiles/${allId}`)).body).toMatchObject({ appleVersion: 2, name: 'Everybody' });
    expect((await to.api('DELETE', `/ade/profiles/${macsId}`)).body.code).toBe('core.ade.profile_in_rules');
    expect((await to.api('DELETE', `/ade/profiles/${allId}`)).body.code).toBe('core.ade.default_profile');
    expect((await to.api('DELETE', `/ade/profiles/${allId}?newDefault=none`)).body).toEqual({ devices: listed[0][1] });
    expect((await to.api('POST', `/ade/accounts/${id}/sync?wait=true`)).body).toMatchObject({ removed: listed[0][1] });
    expect((await to.api('GET', `/ade/profiles/${allId}`)).status).toBe(404);
  });

  it('are given by hand and by file, all of it or nothing', async () => {
    const to = await setting();
    const id = await linked(to);
    const { body } = await to.api('POST', `/ade/accounts/${id}/profiles`, { name: 'All', definition: anonymous });
    const profile = body.profile.id;
    await to.api('POST', `/ade/accounts/${id}/sync?wait=true`);
    const serial = (i: number): string => to.apple.organisation.device(i).serialNumber;
    const assign = (devices: readonly string[], to_: string | null = profile) =>
      to.api('POST', `/ade/accounts/${id}/assignments`, { profile: to_, devices });
    expect(await assign([serial(0), 'NOBODY0001'])).toMatchObject({
      status: 404,
      body: { code: 'core.ade.unlisted_device' },
    });
    expect(await assign([serial(0)])).toEqual({ status: 202, body: { devices: 1 } });
    const attributes = [
      { name: 'Cart', type: 'string' },
      { name: 'Spare', type: 'boolean' },
    ];
    const send = (csv: string) => to.api('POST', `/ade/accounts/${id}/pre-assignment`, { profile, csv, attributes });
    const bad = await send(`Serial Number,Cart,Spare\n${serial(1)},A,perhaps\n${serial(2)},B,true\n`);
    expect(bad).toMatchObject({ status: 200, body: { ok: false, problems: [{ row: 2, column: 3 }] } });
    expect((await to.api('GET', `/ade/devices/${serial(2)}`)).body.items[0].profileId).toBe(null);
    expect((await send(`Serial Number,Cart\n${serial(1)},A\n${serial(2)},\n`)).body).toMatchObject({
      ok: true,
      devices: 2,
    });
    expect(await to.store.ade.staged(serial(1))).toEqual({ Cart: 'A' });
    expect((await to.api('POST', `/ade/accounts/${id}/sync?wait=true`)).body).toMatchObject({ assigned: 3 });
    const { body: shown } = await to.api('GET', `/ade/devices/${serial(1).toLowerCase()}`);
    expect(shown.items).toMatchObject([{ accountId: id, profileId: profile, profileStatus: 'assigned' }]);
    expect((await to.api('GET', '/ade/devices/NOBODY0001')).status).toBe(404);
    const page = (await to.api('GET', `/ade/accounts/${id}/devices?limit=30`)).body;
    expect(page.items.length).toBe(30);
    const rest = await to.api('GET', `/ade/accounts/${id}/devices?limit=30&after=${encodeURIComponent(page.next)}`);
    expect(rest.body.items.length).toBe(COUNT - 30);
    await assign([serial(1)], null);
    expect((await to.api('POST', `/ade/accounts/${id}/sync?wait=true`)).body).toMatchObject({ removed: 1 });
  });

  it('by order and by label, as the host is told and as devices are', async () => {
    const to = await setting({
      orders: async (serials) => new Map(serials.map((serial) => [serial, serial < 'M' ? 'W1' : 'W2'])),
    });
    const id = await linked(to);
    const make = async (name: string): Promise<string> =>
      (await to.api('POST', `/ade/accounts/${id}/profiles`, { name, definition: anonymous })).body.profile.id;
    const [first, labelled, rest] = [await make('First'), await make('Labelled'), await make('Rest')];
    const label = await to.engine.labels.create({ name: 'Loan' });
    // Somebody's device that is enrolled already, and comes to Apple's list now.
    const serialNumber = to.apple.organisation.device(3).serialNumber;
    const device = new ScriptedDevice(to.engine, 'D1', { SerialNumber: serialNumber });
    await device.enrol();
    await to.engine.labels.setMembers(label.id, { add: ['D1'] });
    const rules = [
      { profileId: labelled, labels: [label.id] },
      { profileId: first, orders: ['w1'] },
    ];
    expect((await to.api('PATCH', `/ade/accounts/${id}`, { rules, defaultProfile: rest })).status).toBe(200);
    await to.api('POST', `/ade/accounts/${id}/sync?wait=true`);
    for (let i = 0; i < COUNT; i++) {
      const { serialNumber: serial } = to.apple.organisation.device(i);
      const [found] = await to.engine.ade.find(serial);
      expect(found?.profileId).toBe(i === 3 ? labelled : serial < 'M' ? first : rest);
    }
  });
});

describe('the enrolment door', () => {
  const basic = (name: string, password: string) => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

  async function withProfile(definition: object, authenticate?: Parameters<typeof setting>[1]) {
    const to = await setting({ passwords: authenticate !== undefined }, authenticate);
    const id = await linked(to);
    const made = await to.api('POST', `/ade/accounts/${id}/profiles`, { name: 'All', definition });
    expect(made.status).toBe(201);
    await to.api('PATCH', `/ade/accounts/${id}`, { defaultProfile: made.body.profile.id });
    await to.api('POST', `/ade/accounts/${id}/sync?wait=true`);
    return { ...to, serial: to.apple.organisation.device(0).serialNumber };
  }

  it('lets a device in whose profile is anonymous, and one that has no profile here', async () => {
    const to = await withProfile(anonymous);
    for (const serial of [to.serial, 'ELSEWHERE1']) {
      const answer = await to.door(serial);
      expect(answer.status).toBe(200);
      const profile = decodeDict(new Uint8Array(await answer.arrayBuffer()));
      expect(profile['PayloadType']).toBe('Configuration');
    }
  });

  it('asks for the PIN of an invitation, and takes each once', async () => {
    const to = await withProfile({ authentication: { type: 'pin' }, loginText: 'Type your "PIN"', apple: support });
    const asked = await to.door(to.serial);
    expect(asked.status).toBe(401);
    expect(asked.headers.get('www-authenticate')).toBe(`Basic realm="Type your 'PIN'", charset="UTF-8"`);
    const { pin } = await to.engine.enrolling.invite({});
    for (const wrong of [basic('ann', '000000'), basic('ann', 'nonsense'), 'Basic !', 'Bearer x']) {
      expect((await to.door(to.serial, wrong)).status).toBe(401);
    }
    expect((await to.door(to.serial, basic('ann', pin))).status).toBe(200);
    // That of a registration is for its device.
    const csv = `Serial,User,Include DEP Only Registration Pin\n${to.serial},bob,TRUE\nC02OTHER,carl,TRUE\n`;
    expect((await to.api('POST', '/registrations', { csv })).body).toEqual({ ok: true, devices: 2 });
    const { items } = (await to.api('GET', '/registrations')).body;
    const pinOf = (user: string) => items.find((item: { user: string }) => item.user === user).pin;
    expect((await to.door(to.serial, basic('carl', pinOf('carl')))).status).toBe(401);
    expect((await to.door(to.serial, basic('bob', pinOf('bob')))).status).toBe(200);
    // Guessing is slowed down, as it is at the page.
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) statuses.push((await to.door(to.serial, basic('ann', '111111'))).status);
    expect(statuses.at(-1)).toBe(429);
  });

  it('asks for name and password where somebody knows them', async () => {
    const known = async ({ name, password }: { name: string; password: string }) =>
      name === 'ann' && password === 'sécret:1' ? 'ann@example.com' : null;
    const to = await withProfile({ apple: support }, known);
    expect((await to.door(to.serial)).headers.get('www-authenticate')).toContain('Basic realm="Device enrolment"');
    expect((await to.door(to.serial, basic('ann', 'wrong'))).status).toBe(401);
    expect((await to.door(to.serial, basic('ann', 'sécret:1'))).status).toBe(200);
    const { items } = await to.engine.enrolling.invitations();
    expect(items[0]?.note).toContain('ann@example.com');
    expect(items[0]?.binding).toMatchObject({ user: 'ann@example.com', only: 'ade' });
  });
});

describe('a page on another host', () => {
  it('gets the profile of the device that it shows, for people who are known or anonymous devices', async () => {
    const to = await setting({ passwords: true }, async () => null);
    const id = await linked(to);
    const make = async (name: string, definition: object): Promise<string> =>
      (await to.api('POST', `/ade/accounts/${id}/profiles`, { name, definition })).body.profile.id;
    const open = await make('Open', anonymous);
    await to.api('PATCH', `/ade/accounts/${id}`, { defaultProfile: await make('Named', { apple: support }) });
    await to.api('POST', `/ade/accounts/${id}/sync?wait=true`);
    const serial = (i: number): string => to.apple.organisation.device(i).serialNumber;
    await to.api('POST', `/ade/accounts/${id}/assignments`, { profile: open, devices: [serial(1)] });
    const ask = (serialNumber: string, principal?: string) => {
      const info = encodeXml({ UDID: 'U', SERIAL: serialNumber, PRODUCT: 'iPad13,1', VERSION: '22A1' });
      const query = principal === undefined ? '' : `?principal=${encodeURIComponent(principal)}`;
      return to.api('POST', `/ade/enrolment-profile${query}`, undefined, {
        'x-apple-aspen-deviceinfo': Buffer.from(info).toString('base64'),
      });
    };
    expect((await ask(serial(0), 'nobody')).body.code).toBe('host.enrol.principal');
    expect((await ask(serial(0))).status).toBe(403);
    const given = await ask(serial(0), 'ann@example.com');
    expect(given.status).toBe(200);
    expect(given.body).toContain('com.apple.mdm');
    expect((await to.engine.enrolling.invitations()).items[0]).toMatchObject({
      note: `ADE ${serial(0)} ann@example.com`,
      binding: { serialNumber: serial(0) },
    });
    // An unknown person on an anonymous device is nobody.
    expect((await ask(serial(1), 'nobody')).status).toBe(200);
    expect((await to.engine.enrolling.invitations()).items[0]?.note).toBe(`ADE ${serial(1)}`);
    expect((await to.api('POST', '/ade/enrolment-profile')).status).toBe(400);
  });
});

describe('devices that wait in Setup Assistant', () => {
  it('are let go on when they are ready or have waited long enough, with what the profile gives', async () => {
    const to = await setting();
    const id = await linked(to);
    const definition = {
      ...anonymous,
      apple: { ...support, await_device_configured: true },
      awaitMinutes: 3,
      macAccounts: { primary: 'regular', administrator: { shortName: 'admin', fullName: 'Admin', hidden: true } },
    };
    const path = `/ade/accounts/${id}/profiles`;
    const without = await to.api('POST', path, { name: 'Macs', definition });
    expect(without.body.detail).toContain('host.ade.administrator');
    const made = await to.api('POST', path, { name: 'Macs', definition, macAdministratorPassword: 'correct horse' });
    expect(made.status).toBe(201);
    expect(JSON.stringify(made.body)).not.toContain('correct horse');
    await to.api('PATCH', `/ade/accounts/${id}`, { defaultProfile: made.body.profile.id });
    await to.api('POST', `/ade/accounts/${id}/sync?wait=true`);
    const serialNumber = to.apple.organisation.device(0).serialNumber;
    const device = new ScriptedDevice(to.engine, 'M1', {
      SerialNumber: serialNumber,
      ProductName: 'Mac15,3',
      Model: 'Mac',
    });
    await device.authenticate();
    await device.tokenUpdate({ AwaitingConfiguration: true });
    expect(await to.service.release()).toBe(0);
    to.advance(3 * 60_000);
    expect(await to.service.release()).toBe(1);
    // Once for each time that it waits.
    expect(await to.service.release()).toBe(0);
    expect(await to.store.secrets.get('ade-mac-administrator', made.body.profile.id)).not.toBe(null);
    await to.api('DELETE', `/ade/profiles/${made.body.profile.id}?newDefault=none`);
    expect(await to.store.secrets.get('ade-mac-administrator', made.body.profile.id)).toBe(null);
    const queued = (await to.engine.commands.history('M1')).items.map((item) => item.requestType);
    expect(queued).toContain('AccountConfiguration');
  });
});

describe('activation lock', () => {
  it('by the service, with a bypass code that is kept', async () => {
    const to = await setting();
    const id = await linked(to);
    await to.api('POST', `/ade/accounts/${id}/sync?wait=true`);
    const numbers = Array.from({ length: COUNT }, (_, i) => to.apple.organisation.device(i));
    const phone = numbers.find((one) => one.kind === 'iPhone')!.serialNumber;
    const box = numbers.find((one) => one.kind === 'AppleTV')?.serialNumber;
    const lock = (serial: string) =>
      to.api('POST', `/ade/devices/${serial}/activation-lock`, { message: 'Bring it back' });
    expect((await to.api('GET', `/ade/devices/${phone}/bypass-code`)).status).toBe(404);
    expect((await lock(phone)).status).toBe(204);
    const { body } = await to.api('GET', `/ade/devices/${phone}/bypass-code`);
    expect(body.code).toMatch(/^[0-9A-Z]{5}-[0-9A-Z]{5}(?:-[0-9A-Z]{4}){4}$/);
    // A second try fails, and the code of the lock that is there stays.
    expect((await lock(phone)).body).toMatchObject({ code: 'host.ade.lock' });
    expect((await to.api('GET', `/ade/devices/${phone}/bypass-code`)).body).toEqual(body);
    if (box !== undefined) expect((await lock(box)).body.detail).toContain('DEVICE_NOT_SUPPORTED');
    expect((await lock('NOBODY0001')).status).toBe(404);
    const types = (await to.store.events.since(0, 1000)).map((event) => event.type);
    expect(types.filter((type) => type === 'ade.bypass-code-read').length).toBe(2);
    expect(types).toContain('ade.device-locked');
    expect(JSON.stringify(await to.store.events.since(0, 1000))).not.toContain(body.code);
  });
});

describe('the background', () => {
  it('syncs each account when its time has come or somebody asked', async () => {
    const to = await setting({ syncIntervalMs: 60_000 });
    const id = await linked(to);
    to.service.start();
    await to.service.stop();
    // What was begun is finished or stopped between two pages: the next round goes on.
    to.service.start();
    await expect.poll(async () => (await to.service.account(id)).sync.finishedAt, { timeout: 5_000 }).not.toBe(null);
    await to.service.stop();
    const before = to.apple.counters.get('POST /devices/sync') ?? 0;
    to.service.start();
    await to.service.stop();
    // It was synced just now, by whichever process.
    expect(to.apple.counters.get('POST /devices/sync') ?? 0).toBe(before);
    expect((await to.service.account(id)).devices).toBe(COUNT);
  });
});
