// Declarations through the front doors: the admin API, the device's check-ins, the content that declarations point at.
import { describe, expect, test } from 'vitest';
import { device, enrol, ORIGIN, type World, world } from './world.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests read answers freely
async function ask(to: World, method: string, path: string, body?: unknown): Promise<any> {
  const response = await to.api(method, path, body);
  const text = await response.text();
  return { status: response.status, ...(text === '' ? {} : JSON.parse(text)) };
}

const passcode = { type: 'com.apple.configuration.passcode.settings', payload: { MinimumLength: 6 } };

async function settle(to: World): Promise<void> {
  to.clock.advance(2_000);
  await to.engine.tick();
}

describe('the admin API', () => {
  test('keeps declarations and sets, and refuses what is wrong with its place', async () => {
    const to = await world();
    const made = await ask(to, 'PUT', '/declarations/pass', passcode);
    expect(made).toMatchObject({ status: 200, identifier: 'pass', kind: 'configuration', version: 1 });
    expect(await ask(to, 'GET', '/declarations/pass')).toEqual(made);
    expect((await ask(to, 'GET', '/declarations?limit=1')).items).toHaveLength(1);
    expect(await ask(to, 'PUT', '/declarations/x', { ...passcode, payload: { MinimumLength: 'six' } })).toMatchObject({
      status: 400,
      code: 'core.declaration.invalid',
      path: '/Payload/MinimumLength',
    });
    expect(await ask(to, 'PUT', '/declarations/x', { type: passcode.type })).toMatchObject({ status: 400 });
    expect(await ask(to, 'PUT', '/declarations/espalier.x', passcode)).toMatchObject({ status: 400 });
    const set = await ask(to, 'POST', '/declaration-sets', { name: 'all', identifiers: ['pass'] });
    expect(set).toMatchObject({ status: 201, identifiers: ['pass'], channel: 'device' });
    expect(await ask(to, 'POST', '/declaration-sets', { name: 'all' })).toMatchObject({ status: 409 });
    expect(await ask(to, 'GET', `/declaration-sets/${set.id}`)).toMatchObject({ name: 'all' });
    expect(await ask(to, 'PATCH', `/declaration-sets/${set.id}`, { identifiers: ['nobody'] })).toMatchObject({
      status: 404,
    });
    expect(await ask(to, 'PATCH', `/declaration-sets/${set.id}`, { name: 'every' })).toMatchObject({ version: 2 });
    expect((await ask(to, 'POST', '/declarations/check', { identifiers: ['pass'] })).problems).toMatchObject([
      { identifier: 'pass', code: 'not-referenced' },
    ]);
    expect(await ask(to, 'DELETE', '/declarations/pass')).toMatchObject({
      status: 409,
      code: 'core.declaration.in_use',
    });
    await enrol(to, 'U1');
    expect(await ask(to, 'POST', `/declaration-sets/${set.id}/members`, { add: ['U1', 'nobody'] })).toEqual({
      status: 200,
      added: 1,
      removed: 0,
    });
    expect((await ask(to, 'GET', `/declaration-sets/${set.id}/members`)).items).toEqual(['U1']);
    expect((await ask(to, 'GET', '/declaration-sets')).items).toMatchObject([{ name: 'every', memberCount: 1 }]);
    expect(await ask(to, 'DELETE', `/declaration-sets/${set.id}`)).toEqual({ status: 204 });
    expect(await ask(to, 'DELETE', '/declarations/pass')).toEqual({ status: 204 });
    for (const [method, path, body] of [
      ['GET', '/declarations/pass'],
      ['DELETE', '/declarations/pass'],
      ['GET', `/declaration-sets/${set.id}`],
      ['PATCH', `/declaration-sets/${set.id}`, {}],
      ['DELETE', `/declaration-sets/${set.id}`],
      ['GET', `/declaration-sets/${set.id}/members`],
      ['POST', `/declaration-sets/${set.id}/members`, {}],
      ['GET', '/devices/nobody/declarations'],
      ['POST', '/devices/nobody/declarations/sync'],
      ['GET', '/devices/nobody/status'],
    ] as const) {
      expect([path, (await ask(to, method, path, body)).status]).toEqual([path, 404]);
    }
  });
});

describe('a device', () => {
  test('gets JSON, 404 for what is not its own, and its reports are shown', async () => {
    const to = await world({}, { options: { statusItems: [] } });
    const phone = await enrol(to, 'U1');
    await ask(to, 'PUT', '/declarations/pass', passcode);
    const set = await ask(to, 'POST', '/declaration-sets', { name: 'all', identifiers: ['pass'] });
    await ask(to, 'POST', `/declaration-sets/${set.id}/members`, { add: ['U1'] });
    await settle(to);
    const say = (Endpoint: string, data?: unknown) => {
      const message = { MessageType: 'DeclarativeManagement', UDID: 'U1', Endpoint };
      const Data = new TextEncoder().encode(JSON.stringify(data));
      return to.fetch('/mdm/checkin', phone.request(data === undefined ? message : { ...message, Data }));
    };
    const items = await say('declaration-items');
    expect([items.status, items.headers.get('content-type')]).toEqual([200, 'application/json']);
    const { Declarations } = (await items.json()) as { Declarations: Record<string, { ServerToken: string }[]> };
    const token = Declarations['Configurations']?.[0]?.ServerToken ?? '';
    const declaration = await say('declaration/configuration/pass');
    expect(await declaration.json()).toMatchObject({
      Type: passcode.type,
      Payload: passcode.payload,
      ServerToken: token,
    });
    expect((await say('declaration/configuration/other')).status).toBe(404);
    expect((await say('something/else')).status).toBe(404);
    const configurations = [{ identifier: 'pass', 'server-token': token, active: true, valid: 'valid' }];
    const management = { declarations: { activations: [], assets: [], configurations, management: [] } };
    const report = { StatusItems: { management, passcode: { 'is-present': true } }, Errors: [] };
    const taken = await say('status', report);
    expect([taken.status, await taken.text()]).toEqual([200, '']);
    expect(await ask(to, 'GET', '/devices/U1/status')).toMatchObject({ 'passcode.is-present': true });
    const shown = await ask(to, 'GET', '/devices/U1/declarations');
    expect(shown.sync).toMatchObject({ reportedAt: to.clock.now() });
    expect(shown.items).toMatchObject([
      { identifier: 'espalier.activation', status: 'waiting' },
      { identifier: 'pass', status: 'applied', serverToken: token },
    ]);
    expect((await ask(to, 'GET', '/declarations/pass/devices')).items).toMatchObject([
      { enrolmentId: 'U1', status: 'applied' },
    ]);
    expect(await ask(to, 'POST', '/devices/U1/declarations/sync')).toEqual({ status: 202, queued: 1 });
  });

  test('downloads the profile of its declaration, and nobody else does', async () => {
    const to = await world();
    const [phone, other] = [await enrol(to, 'U1'), await enrol(to, 'U2')];
    const type = 'com.apple.configuration.legacy';
    const content = {
      data: Buffer.from('a profile').toString('base64'),
      contentType: 'application/x-apple-aspen-config',
    };
    const made = await ask(to, 'PUT', '/declarations/legacy%20one', { type, payload: {}, content });
    const url = new URL(made.payload.ProfileURL);
    expect(url.origin).toBe(ORIGIN);
    const set = await ask(to, 'POST', '/declaration-sets', { name: 'all', identifiers: ['legacy one'] });
    await ask(to, 'POST', `/declaration-sets/${set.id}/members`, { add: ['U1'] });
    await settle(to);
    const get = (clientCertificate?: Uint8Array, path = url.pathname) =>
      to.fetch(
        path,
        {},
        { remoteAddress: '192.0.2.1', ...(clientCertificate === undefined ? {} : { clientCertificate }) },
      );
    const served = await get(phone.certificate);
    expect([served.status, served.headers.get('content-type')]).toEqual([200, 'application/x-apple-aspen-config']);
    expect(await served.text()).toBe('a profile');
    expect((await get(other.certificate)).status).toBe(404);
    expect((await get((await device('U3', to.ca)).certificate)).status).toBe(404);
    expect((await get()).status).toBe(401);
    expect((await get(phone.certificate, `${url.pathname.slice(0, -4)}0000`)).status).toBe(404);
    expect(
      (await ask(to, 'PUT', '/declarations/x', { type, payload: {}, content: { ...content, data: '' } })).status,
    ).toBe(400);
  });
});
