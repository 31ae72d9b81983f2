// The admin API: every operation, its refusals, and the document that describes it.

import { compileConfiguration } from '@espalier/policy';
import { describe, expect, it } from 'vitest';
import { enrol, messages, ORIGIN, type World, world } from './world.ts';

interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly path?: string;
  readonly offset?: number;
}

// biome-ignore lint/suspicious/noExplicitAny: tests read answers freely
async function ok(to: World, method: string, path: string, body?: unknown, status = 200): Promise<any> {
  const response = await to.api(method, path, body);
  const text = await response.text();
  expect([response.status, text].slice(0, response.status === status ? 1 : 2)).toEqual([status]);
  return text === '' ? null : JSON.parse(text);
}

async function refused(to: World, method: string, path: string, body?: unknown): Promise<Problem> {
  const response = await to.api(method, path, body);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const problem = (await response.json()) as Problem & { requestId: string };
  expect(problem.status).toBe(response.status);
  expect(response.headers.get('x-request-id')).toBe(problem.requestId);
  return problem;
}

describe('who may', () => {
  it('only a known token, compared as a hash; every operation asks for it', async () => {
    const to = await world();
    const { paths } = (await (await to.fetch('/api/v1/openapi.json')).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    let asked = 0;
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        const answer = await to.fetch(`/api/v1${path.replaceAll(/\{\w+\}/g, 'x')}`, { method: method.toUpperCase() });
        expect([path, answer.status]).toEqual([path, 401]);
        expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="espalier"');
        asked += 1;
      }
    }
    expect(asked).toBeGreaterThan(25);
    const wrong = await to.fetch('/api/v1/devices', { headers: { authorization: `Bearer ${to.adminToken}x` } });
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get('www-authenticate')).toContain('invalid_token');
    expect(JSON.stringify(to.lines)).not.toContain(to.adminToken);
  });

  it('wrong tokens are slowed down, the right one is not', async () => {
    const to = await world();
    const wrong = () => to.fetch('/api/v1/devices', { headers: { authorization: 'Bearer nope' } });
    for (let count = 0; count < 6; count += 1) expect((await wrong()).status).toBe(401);
    const locked = await wrong();
    expect(locked.status).toBe(429);
    expect(locked.headers.get('retry-after')).toBe('30');
    expect((await to.api('GET', '/devices')).status).toBe(200);
    to.clock.advance(30_001);
    expect((await wrong()).status).toBe(401);
  });

  it('a host without tokens lets nobody in, and a token in place of its hash is refused', async () => {
    const to = await world({ adminTokens: [] });
    expect((await to.api('GET', '/devices')).status).toBe(401);
    await expect(world({ adminTokens: ['espalier_admin_plain'] })).rejects.toMatchObject({ code: 'host.options' });
  });
});

describe('invitations and challenges', () => {
  it('are made, listed and revoked', async () => {
    const to = await world();
    const made = await ok(to, 'POST', '/invitations', { note: 'for a phone', pinLength: 8, ttlHours: 2 }, 201);
    expect(made).toMatchObject({ status: 'valid', note: 'for a phone', expiresAt: to.clock.now() + 7_200_000 });
    expect(made.pin).toMatch(/^\d{8}$/);
    expect(made.url).toBe(`${ORIGIN}/enrol/${made.token}`);
    expect((await ok(to, 'GET', '/invitations')).items).toEqual([made]);
    await ok(to, 'DELETE', `/invitations/${made.id}`, undefined, 204);
    expect((await ok(to, 'GET', '/invitations')).items[0].status).toBe('revoked');
    expect(await refused(to, 'DELETE', '/invitations/nobody')).toMatchObject({
      status: 404,
      code: 'core.invitation.unknown',
    });
    expect(await ok(to, 'POST', '/invitations', undefined, 201)).toMatchObject({ note: '' });
  });

  it('a SCEP challenge', async () => {
    const to = await world();
    const made = await ok(to, 'POST', '/scep/challenges', { ttlMinutes: 5 }, 201);
    expect(made).toEqual({ challenge: expect.any(String), expiresAt: to.clock.now() + 300_000 });
    expect(await refused(to, 'POST', '/scep/challenges', { invitationId: 'nobody' })).toMatchObject({ status: 404 });
  });
});

describe('devices', () => {
  it('are listed, found in words and by expression, and read', async () => {
    const to = await world();
    await enrol(to, 'A1');
    await enrol(to, 'B2');
    const all = await ok(to, 'GET', '/devices?limit=1');
    expect(all).toMatchObject({ total: 2, next: expect.any(String) });
    expect((await ok(to, 'GET', `/devices?limit=1&after=${encodeURIComponent(all.next)}`)).items).toHaveLength(1);
    expect(
      (await ok(to, 'GET', '/devices?q=sn:SNA1')).items.map((row: { enrolment: { id: string } }) => row.enrolment.id),
    ).toEqual(['A1']);
    const search = encodeURIComponent('"common.serial_number" = "SNB2"');
    const found = await to.api('GET', `/devices?search=${search}`);
    expect(found.status, await found.clone().text()).toBe(200);
    expect(await ok(to, 'GET', '/devices/A1')).toMatchObject({ enrolment: { id: 'A1', status: 'active' }, apps: [] });
    expect(await refused(to, 'GET', '/devices/Z9')).toMatchObject({ status: 404, code: 'host.not_found' });
  });

  it('a search that cannot be read says where', async () => {
    const to = await world();
    const problem = await refused(to, 'GET', `/devices?search=${encodeURIComponent('"common.platform" = ')}`);
    expect(problem.status).toBe(400);
    expect(problem.code).toMatch(/^search\./);
    expect(problem.offset).toBeGreaterThan(0);
    expect(await refused(to, 'GET', '/devices?q=a&search=b')).toMatchObject({ status: 400, path: 'query.search' });
    expect(await refused(to, 'GET', '/devices?limit=0')).toMatchObject({ status: 400, path: 'query.limit' });
    expect(await refused(to, 'GET', '/devices?limit=5&limit=6')).toMatchObject({ status: 400, path: 'limit' });
    expect(await refused(to, 'GET', '/devices?colour=red')).toMatchObject({ status: 400 });
    expect(await refused(to, 'GET', '/devices/%E0%A4%A')).toMatchObject({ status: 400, code: 'host.request.bad_url' });
  });

  it('are refreshed and locked', async () => {
    const to = await world();
    await enrol(to, 'A1');
    await ok(to, 'POST', '/devices/A1/refresh', undefined, 202);
    const lock = await ok(to, 'POST', '/devices/A1/lock', { message: 'Please call', phoneNumber: '+1 555' }, 202);
    const history = await ok(to, 'GET', '/devices/A1/commands');
    const log = await ok(to, 'GET', '/devices/A1/activity?state=queued,sent&limit=1000');
    expect(log.items.length).toBe(history.items.length);
    expect(log.items[0]).toMatchObject({ ...history.items[0], failure: null });
    expect((await ok(to, 'GET', '/devices/A1/activity?from=1&to=2')).items).toEqual([]);
    expect((await ok(to, 'GET', '/devices/A1/activity?action=EraseDevice&state=error')).items).toEqual([]);
    expect(await refused(to, 'GET', '/devices/A1/activity?state=nonsense')).toMatchObject({ status: 400 });
    expect(await refused(to, 'GET', '/devices/Z9/activity')).toMatchObject({ status: 404 });
    expect(history.items[0]).toMatchObject({
      commandUuid: lock.commandUuid,
      requestType: 'DeviceLock',
      state: 'queued',
    });
    expect(await refused(to, 'GET', '/devices/A1/lock-pin')).toMatchObject({ status: 404 });
    expect(await refused(to, 'POST', '/devices/A1/lock', { pin: '12' })).toMatchObject({ status: 400, path: 'pin' });
    expect(await refused(to, 'POST', '/devices/Z9/lock', {})).toMatchObject({ status: 404 });
    expect(await refused(to, 'POST', '/devices/Z9/refresh')).toMatchObject({ status: 404 });
    expect(await refused(to, 'GET', '/devices/Z9/commands')).toMatchObject({ status: 404 });
  });

  it('a Mac’s lock PIN', async () => {
    const to = await world();
    await enrol(to, 'M1', { ProductName: 'Mac14,2', ModelName: 'MacBook Air', OSVersion: '14.2' });
    await ok(to, 'POST', '/devices/M1/lock', { pin: '123456' }, 202);
    expect(await ok(to, 'GET', '/devices/M1/lock-pin')).toEqual({ pin: '123456' });
    expect(JSON.stringify(to.lines)).not.toContain('123456');
  });
});

describe('commands', () => {
  it('are refused where they are wrong, or the device would refuse them', async () => {
    const to = await world();
    const tv = await enrol(to, 'TV', { ProductName: 'AppleTV14,1' });
    await enrol(to, 'A1');
    const post = async (enrolmentIds: string[], requestType: string, payload = {}, options = {}) => {
      const answer = await to.api('POST', '/commands', { target: { enrolmentIds }, requestType, payload, options });
      return [answer.status, (await answer.json()) as unknown] as const;
    };
    expect(await post(['A1'], 'InstallProfile')).toMatchObject([
      400,
      { code: 'core.command.invalid', path: '/Payload' },
    ]);
    expect(await post(['TV'], 'EnableLostMode', { Message: 'x' })).toMatchObject([
      409,
      { code: 'core.command.unsupported' },
    ]);
    expect(await post(['TV', 'A1'], 'DeviceLock')).toMatchObject([
      202,
      { queued: 1, refused: { count: 1, devices: [{ enrolmentId: 'TV', reasons: [{ code: 'target.platform' }] }] } },
    ]);
    expect(await post(['TV'], 'DeviceLock', {}, { force: true })).toMatchObject([202, { queued: 1 }]);
    expect(await (await to.fetch('/mdm/connect', tv.request(messages.idle('TV')))).text()).toContain('<string>');
    const { items } = (await (await to.api('GET', '/devices/TV/capabilities')).json()) as {
      items: { requestType: string }[];
    };
    expect(items.find((row) => row.requestType === 'DeviceLock')).toMatchObject({ supported: false });
    expect((await to.api('GET', '/devices/nobody/capabilities')).status).toBe(404);
  });

  it('go to devices, labels and searches, with bytes and dates as JSON has them', async () => {
    const to = await world();
    const phone = await enrol(to, 'A1');
    const queued = await ok(
      to,
      'POST',
      '/commands',
      {
        target: { enrolmentIds: ['A1'] },
        requestType: 'InstallProfile',
        payload: {
          Payload: Buffer.from('hello').toString('base64'),
          Extra: { $date: '2026-02-03T04:05:06Z' },
          More: [{ $data: 'AQI=' }],
        },
        options: { priority: 1000, allowUnknown: true },
      },
      202,
    );
    expect(queued).toEqual({ commandUuid: expect.any(String), queued: 1, refused: { count: 0, devices: [] } });
    const text = await (await to.fetch('/mdm/connect', phone.request(messages.idle('A1')))).text();
    expect(text).toContain(queued.commandUuid);
    expect(text.replaceAll(/\s/g, '')).toContain('<key>Payload</key><data>aGVsbG8=</data>');
    expect(text).toContain('<date>2026-02-03T04:05:06Z</date>');
    expect(text.replaceAll(/\s/g, '')).toContain('<data>AQI=</data>');
    await to.fetch(
      '/mdm/connect',
      phone.request({
        Status: 'Acknowledged',
        UDID: 'A1',
        CommandUUID: queued.commandUuid,
        Blob: new Uint8Array([1, 2]),
      }),
    );
    const outcome = await ok(to, 'GET', `/devices/A1/commands/${queued.commandUuid}`);
    expect(outcome).toMatchObject({
      state: 'acknowledged',
      origin: 'admin',
      answer: { Status: 'Acknowledged', Blob: 'AQI=' },
    });
    expect(Buffer.from(outcome.response, 'base64').toString()).toContain('Acknowledged');

    const label = await ok(to, 'POST', '/labels', { name: 'Mine' }, 201);
    await ok(to, 'POST', `/labels/${label.id}/members`, { add: ['A1'] }, 204);
    expect(
      await ok(to, 'POST', '/commands', { target: { labelId: label.id }, requestType: 'ProfileList' }, 202),
    ).toMatchObject({ queued: 1 });
    expect(
      await ok(
        to,
        'POST',
        '/commands',
        { target: { search: '"common.serial_number" = "SNA1"' }, requestType: 'ProfileList' },
        202,
      ),
    ).toMatchObject({ queued: 1 });
  });

  it('are cancelled while they are pending', async () => {
    const to = await world();
    await enrol(to, 'A1');
    const { commandUuid } = await ok(
      to,
      'POST',
      '/commands',
      { target: { enrolmentIds: ['A1'] }, requestType: 'ProfileList' },
      202,
    );
    await ok(to, 'DELETE', `/devices/A1/commands/${commandUuid}`, undefined, 204);
    expect(await refused(to, 'DELETE', `/devices/A1/commands/${commandUuid}`)).toMatchObject({ status: 409 });
    expect(await refused(to, 'DELETE', '/devices/A1/commands/nothing')).toMatchObject({ status: 404 });
    expect(await refused(to, 'GET', '/devices/A1/commands/nothing')).toMatchObject({ status: 404 });
  });

  it('that make no sense are refused with the path', async () => {
    const to = await world();
    const target = { enrolmentIds: ['A1'] };
    const bad = async (body: unknown) => (await refused(to, 'POST', '/commands', body)).path;
    expect(await bad({ target, requestType: 'no spaces' })).toBe('requestType');
    expect(await bad({ target: {}, requestType: 'ProfileList' })).toBe('target');
    expect(await bad({ target, requestType: 'X', payload: { a: { b: null } } })).toBe('payload.a.b');
    expect(await bad({ target, requestType: 'InstallProfile', payload: { Payload: '!!' } })).toBe('payload.Payload');
    expect(await bad({ target, requestType: 'X', payload: { At: { $date: 'tomorrow' } } })).toBe('payload.At');
    expect(await bad({ target, requestType: 'X', options: { priority: 'high' } })).toBe('options.priority');
    expect(await bad({ target, requestType: 'X', surprise: 1 })).toBeUndefined();
  });
});

describe('labels', () => {
  it('come from searches, and can be tried out before they change', async () => {
    const to = await world();
    await enrol(to, 'A1');
    await enrol(to, 'A2');
    const expression = '"common.serial_number" = "SNA1"';
    const label = await ok(to, 'POST', '/labels/saved-search', { name: 'One', basic: 'sn:SNA1' }, 201);
    expect(label).toMatchObject({ expression, memberCount: 1, kind: 'dynamic' });
    expect(await refused(to, 'POST', '/labels/saved-search', { name: 'One', expression })).toMatchObject({
      status: 409,
      code: 'core.label.name_taken',
    });
    const preview = await ok(to, 'POST', '/labels/preview', {
      labelId: label.id,
      expression: '"common.serial_number" = "SNA2"',
    });
    expect(preview).toMatchObject({
      joining: { count: 1, items: [{ id: 'A2' }] },
      leaving: { count: 1, items: [{ id: 'A1' }] },
      staying: 0,
      dependants: [],
    });
    const user = await ok(to, 'POST', '/labels', { name: 'User', expression: '"common.label" = "one"' }, 201);
    expect(user.memberCount).toBe(1);
    expect(await refused(to, 'DELETE', `/labels/${label.id}`)).toMatchObject({
      status: 409,
      code: 'core.label.in_use',
    });
    const cycle = { expression: '"common.label" = "User"' };
    expect(await refused(to, 'PATCH', `/labels/${label.id}`, cycle)).toMatchObject({
      status: 409,
      code: 'core.label.cycle',
    });
    expect(await refused(to, 'POST', '/labels/preview', { expression: '"a.b" =' })).toMatchObject({ status: 400 });
    const one = await ok(to, 'GET', `/devices?label=${label.id}`);
    expect([one.total, one.items[0].enrolment.id]).toEqual([1, 'A1']);
    expect(await refused(to, 'GET', '/devices?label=nothing')).toMatchObject({ status: 404 });
  });

  it('searches leave out retired devices, compare no secrets unasked, and are exported as CSV', async () => {
    const to = await world();
    await enrol(to, 'A1');
    const gone = await enrol(to, 'A2');
    await to.fetch('/mdm/checkin', gone.request({ MessageType: 'CheckOut', UDID: 'A2', Topic: 'topic' }));
    const all = encodeURIComponent('"common.platform" = "iOS"');
    const total = async (query: string) => (await ok(to, 'GET', `/devices?${query}`)).total;
    expect(await total(`search=${all}`)).toBe(1);
    expect(await total(`search=${all}&excludeRetired=false`)).toBe(2);
    expect(await total('')).toBe(2);
    expect(await total('excludeRetired=true')).toBe(1);
    const secret = encodeURIComponent('"common.pending_device_passcode" starts with "1"');
    expect(await refused(to, 'GET', `/devices?search=${secret}`)).toMatchObject({
      status: 403,
      code: 'search.sensitive',
    });
    expect(await total(`search=${secret}&sensitive=true`)).toBe(0);
    const file = await to.api('GET', `/devices.csv?search=${all}`);
    expect(file.headers.get('content-disposition')).toContain('DeviceSearchResult.csv');
    const lines = (await file.text()).split('\r\n');
    expect(lines[0]).toMatch(/^deviceId,deviceName,serialNumber,platform,/);
    expect(lines.slice(1).map((line) => line.split(',')[0])).toEqual(['A1', '']);
  });

  it('are made, read, changed, filled and deleted', async () => {
    const to = await world();
    await enrol(to, 'A1');
    const label = await ok(
      to,
      'POST',
      '/labels',
      { name: 'Phones', expression: '"common.serial_number" = "SNA1"' },
      201,
    );
    expect(label).toMatchObject({ kind: 'dynamic', name: 'Phones' });
    await to.engine.tick();
    expect((await ok(to, 'GET', `/labels/${label.id}/members`)).items).toHaveLength(1);
    expect(await ok(to, 'PATCH', `/labels/${label.id}`, { description: 'all of them' })).toMatchObject({
      description: 'all of them',
    });
    expect(await ok(to, 'GET', `/labels/${label.id}`)).toMatchObject({ memberCount: 1 });
    expect((await ok(to, 'GET', '/labels')).items).toHaveLength(1);
    expect(await refused(to, 'POST', `/labels/${label.id}/members`, { add: ['A1'] })).toMatchObject({
      status: expect.any(Number),
    });
    await ok(to, 'DELETE', `/labels/${label.id}`, undefined, 204);
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/members'],
    ] as const) {
      expect(await refused(to, method, `/labels/${label.id}${path}`)).toMatchObject({ status: 404 });
    }
    expect(await refused(to, 'POST', '/labels', { name: ' ' })).toMatchObject({ status: 400, path: 'name' });
    expect(await refused(to, 'POST', '/labels', { name: 'Bad', expression: '"a" =' })).toMatchObject({ status: 400 });
  });
});

describe('configurations', () => {
  it('that no device could get are not saved, with the place of what is wrong', async () => {
    const to = await world({}, { compile: compileConfiguration });
    const refused = async (type: string, settings: object, path: string) => {
      const answer = await to.api('POST', '/configurations', { name: type, type, settings });
      expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'host.input.invalid', path }]);
    };
    await refused('scep', { subject: 'CN=$NOBODY$' }, '/settings/subject');
    await refused('acme', { subject: 'CN=x', keySize: 100 }, '/settings/keySize');
    await refused('passcode', { minLength: 400 }, '/settings/minLength');
    const { id } = await ok(
      to,
      'POST',
      '/configurations',
      { name: 'A', type: 'scep', settings: { subject: 'CN=x' } },
      201,
    );
    const worse = await to.api('PATCH', `/configurations/${id}`, { settings: { subject: 'C=USA' } });
    expect(await worse.json()).toMatchObject({ path: '/settings/subject' });
    expect(await to.engine.configurations.get(id)).toMatchObject({ version: 1, settings: { subject: 'CN=x' } });
    // A type of the product's own.
    await ok(to, 'POST', '/configurations', { name: 'B', type: 'own', settings: { anything: 1 } }, 201);
  });

  it('are made, assigned, counted, exported and deleted', async () => {
    const to = await world({}, { compile: compileConfiguration });
    await enrol(to, 'A1', { DeviceName: '=cmd|"a"' });
    const label = await ok(to, 'POST', '/labels', { name: 'Mine' }, 201);
    await ok(to, 'POST', `/labels/${label.id}/members`, { add: ['A1'] }, 204);
    const made = await ok(
      to,
      'POST',
      '/configurations',
      { name: 'Passcode', type: 'passcode', settings: { minLength: 6 }, labelIds: [label.id] },
      201,
    );
    await to.engine.tick();
    expect((await ok(to, 'GET', '/configurations')).items[0]).toMatchObject({ id: made.id, applied: 0, waiting: 1 });
    expect((await ok(to, 'GET', `/configurations/${made.id}/assignments`)).items[0]).toMatchObject({
      enrolmentId: 'A1',
      status: 'pending',
    });
    const csv = await to.api('GET', `/configurations/${made.id}/watchlist.csv`);
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const [header, row, end] = (await csv.text()).split('\r\n');
    expect(header).toBe('deviceId,serialNumber,deviceName,model,osVersion,status,version,updatedAt');
    expect(row).toContain(`A1,SNA1,"'=cmd|""a""",`);
    expect(end).toBe('');
    expect(await ok(to, 'PATCH', `/configurations/${made.id}`, { settings: { minLength: 8 } })).toMatchObject({
      version: 2,
    });
    expect(await ok(to, 'GET', `/configurations/${made.id}`)).toMatchObject({ settings: { minLength: 8 } });
    await ok(to, 'DELETE', `/configurations/${made.id}`, undefined, 204);
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/assignments'],
      ['GET', '/watchlist.csv'],
    ] as const) {
      expect(await refused(to, method, `/configurations/${made.id}${path}`)).toMatchObject({ status: 404 });
    }
  });
});

describe('certificates and events', () => {
  it('are listed', async () => {
    const to = await world();
    await enrol(to, 'A1');
    expect((await ok(to, 'GET', '/certificates')).items).toEqual(expect.any(Array));
    const { items } = await ok(to, 'GET', '/events?enrolmentId=A1&limit=2');
    expect(items).toHaveLength(2);
    expect((await ok(to, 'GET', '/events?type=enrolment.active')).items).toHaveLength(1);
    expect(await refused(to, 'GET', '/events?type=nonsense')).toMatchObject({ status: 400, path: 'query.type' });
  });
});

describe('bodies', () => {
  it('are JSON within limits, or refused', async () => {
    const to = await world({ limits: { bodyBytes: 2000 } });
    expect(await refused(to, 'POST', '/labels', '{"name":')).toMatchObject({ status: 400, code: 'host.input.invalid' });
    expect(await refused(to, 'POST', '/labels', '[1]')).toMatchObject({ status: 400 });
    expect(await refused(to, 'POST', '/labels', `${'['.repeat(500)}${']'.repeat(500)}`)).toMatchObject({ status: 400 });
    expect(await refused(to, 'POST', '/labels', { name: 'x'.repeat(3000) })).toMatchObject({ status: 413 });
    const form = await to.fetch('/api/v1/labels', {
      method: 'POST',
      headers: { authorization: `Bearer ${to.adminToken}`, 'content-type': 'text/plain' },
      body: '{"name":"x"}',
    });
    expect(form.status).toBe(415);
    expect(
      await ok(to, 'POST', '/labels', '{"name":"proto","__proto__":{"x":1}}', 201).catch(() => 'refused'),
    ).toBeTruthy();
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('a fault inside is logged once, whole, and told to nobody', async () => {
    const to = await world();
    Object.assign(to.engine.labels, { list: () => Promise.reject(new Error('the password is hunter2')) });
    const problem = await refused(to, 'GET', '/labels');
    expect(problem).toMatchObject({ status: 500, code: 'host.internal' });
    expect(JSON.stringify(problem)).not.toContain('hunter2');
    const errors = to.lines.filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]?.fields['err']).toBeInstanceOf(Error);
  });
});

describe('addresses and methods', () => {
  it('404 and 405 with Allow', async () => {
    const to = await world();
    expect(await refused(to, 'GET', '/nothing')).toMatchObject({ status: 404, code: 'host.route.unknown' });
    const wrong = await to.api('PUT', '/labels', {});
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
    const connect = await to.fetch('/mdm/connect');
    expect([connect.status, connect.headers.get('allow')]).toEqual([405, 'POST, PUT']);
  });

  it('below a base path only', async () => {
    const to = await world({ basePath: '/mdm-server/', publicUrl: `${ORIGIN}/mdm-server` });
    expect((await to.fetch('/mdm-server/health')).status).toBe(200);
    for (const path of ['/health', '/mdm-serverx/health', '/mdm-server/mdm-server/health']) {
      expect((await to.fetch(path)).status).toBe(404);
    }
    expect((await to.fetch('/mdm-server')).headers.get('location')).toBe('/mdm-server/login');
    await expect(world({ basePath: 'a b' })).rejects.toMatchObject({ code: 'host.options' });
    await expect(world({ publicUrl: 'ftp://x' })).rejects.toMatchObject({ code: 'host.options' });
  });
});

describe('openapi.json', () => {
  it('describes each operation, and every reference in it leads somewhere', async () => {
    const to = await world();
    const response = await to.fetch('/api/v1/openapi.json');
    const text = await response.text();
    const document = JSON.parse(text) as {
      openapi: string;
      paths: Record<
        string,
        Record<
          string,
          { operationId: string; responses: Record<string, unknown>; parameters: { name: string; in: string }[] }
        >
      >;
      components: { schemas: Record<string, unknown> };
    };
    expect(document.openapi).toBe('3.1.0');
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining(['createInvitation', 'listDevices', 'enqueueCommand', 'exportWatchList', 'listEvents']),
    );
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      expect(Object.keys(document.components.schemas)).toContain(name);
    }
    expect(text).not.toContain('$defs');
    for (const [path, methods] of Object.entries(document.paths)) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const { parameters } of Object.values(methods)) {
        expect(parameters.filter((item) => item.in === 'path').map(({ name }) => name)).toEqual(names);
      }
    }
  });
});

it('health', async () => {
  const to = await world();
  const answer = await to.fetch('/health');
  expect([answer.status, await answer.json()]).toEqual([200, { status: 'ok' }]);
});
