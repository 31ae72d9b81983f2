// The status page: who gets in, what it shows, and that nothing it shows is ever taken for markup.
import { readCommand } from '@espalier/apple-mdm';
import type { PlistInput } from '@espalier/plist';
import { compileConfiguration } from '@espalier/policy';
import { describe, expect, it } from 'vitest';
import { html } from '../src/page/html.ts';
import { enrol, messages, ORIGIN, type World, world } from './world.ts';

const form = (values: Record<string, string>, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  body: new URLSearchParams(values),
});

async function signIn(to: World): Promise<string> {
  const answer = await to.fetch('/login', form({ token: to.adminToken }));
  expect(answer.status).toBe(303);
  return (answer.headers.get('set-cookie') as string).split(';')[0] as string;
}

async function look(to: World, path: string, cookie: string): Promise<{ status: number; text: string }> {
  const answer = await to.fetch(path, { headers: { cookie } });
  return { status: answer.status, text: await answer.text() };
}

const tokenOf = (text: string) => /name="form" value="([^"]+)"/.exec(text)?.[1] as string;

describe('the name of a device', () => {
  it('is the one that it reported last, before the one that it enrolled with, before its serial number', async () => {
    const to = await world();
    const cookie = await signIn(to);
    const phone = await enrol(to, 'U1');
    await enrol(to, 'U2', { DeviceName: '' });
    const names = async () =>
      [...(await look(to, '/', cookie)).text.matchAll(/<a href="\/devices\/\w+">([^<]*)</g)].map((m) => m[1]);
    expect(await names()).toEqual(['Phone U1', 'SNU2']);
    const name = 'Kim’s <b>phone</b>';
    const answer = async (message: Record<string, PlistInput>) =>
      new Uint8Array(await (await to.fetch('/mdm/connect', phone.request(message))).arrayBuffer());
    let body = await answer({ Status: 'Idle', UDID: 'U1' });
    while (body.length > 0) {
      const { requestType, commandUuid: CommandUUID } = readCommand(body);
      const told = requestType === 'DeviceInformation' ? { QueryResponses: { DeviceName: name } } : {};
      body = await answer({ Status: 'Acknowledged', UDID: 'U1', CommandUUID, ...told });
    }
    expect(await names()).toEqual(['Kim’s &lt;b&gt;phone&lt;/b&gt;', 'SNU2']);
    expect((await look(to, '/devices/U1', cookie)).text).toContain('<h1>Kim’s &lt;b&gt;phone&lt;/b&gt;');
  });
});

describe('signing in', () => {
  it('is asked of everybody, and leads back to where one was going', async () => {
    const to = await world();
    for (const path of [
      '/',
      '/devices/A1',
      '/devices/A1/commands',
      '/devices/A1/commands/x',
      '/labels',
      '/labels/x',
      '/configurations',
      '/configurations/x',
      '/configurations/x/watchlist.csv',
      '/invitations',
      '/events',
    ]) {
      const answer = await to.fetch(path);
      expect([answer.status, answer.headers.get('location')]).toEqual([
        303,
        path === '/' ? '/login' : `/login?next=${encodeURIComponent(path)}`,
      ]);
    }
    const answer = await to.fetch('/login', form({ token: to.adminToken, next: '/labels?after=x' }));
    expect(answer.headers.get('location')).toBe('/labels?after=x');
    for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '']) {
      expect((await to.fetch('/login', form({ token: to.adminToken, next }))).headers.get('location')).toBe('/');
    }
  });

  it('sets a cookie that scripts, other sites and plain HTTP do not get', async () => {
    const to = await world();
    const cookie = (await to.fetch('/login', form({ token: to.adminToken }))).headers.get('set-cookie');
    expect(cookie).toMatch(/^espalier_session=[^;]+; Path=\/; Max-Age=28800; HttpOnly; SameSite=Strict; Secure$/);
    const plain = await world({ publicUrl: 'http://localhost:8080' });
    const { host } = plain;
    const answer = await host.fetch(new Request('http://localhost:8080/login', form({ token: plain.adminToken })));
    expect(answer.headers.get('set-cookie')).not.toContain('Secure');
  });

  it('is refused with a wrong token, and slowed down', async () => {
    const to = await world();
    for (let count = 0; count < 6; count += 1) {
      const answer = await to.fetch('/login', form({ token: 'wrong' }));
      expect([answer.status, answer.headers.get('set-cookie')]).toEqual([401, null]);
      expect(await answer.text()).toContain('role="alert"');
    }
    const locked = await to.fetch('/login', form({ token: to.adminToken }));
    expect([locked.status, locked.headers.get('retry-after')]).toEqual([429, '30']);
    to.clock.advance(30_000);
    expect((await to.fetch('/login', form({ token: to.adminToken }))).status).toBe(303);
    expect((await to.fetch('/login', { method: 'POST', body: 'x' })).status).toBe(415);
  });

  it('ends with the time, and a cookie that was changed is none', async () => {
    const to = await world();
    const cookie = await signIn(to);
    expect((await look(to, '/', cookie)).status).toBe(200);
    const [expiry, id, signature] = (cookie.split('=')[1] as string).split('.') as [string, string, string];
    const forged = [
      `${Number(expiry) + 1}.${id}.${signature}`,
      `${expiry}.x.${signature}`,
      `${expiry}.${id}.`,
      '',
      'a.b.c',
      `${expiry}.${id}.${signature}x`,
    ];
    for (const value of forged) expect((await look(to, '/', `espalier_session=${value}`)).status).toBe(303);
    expect((await look(to, '/', `espalier_session=junk; ${cookie}`)).status).toBe(200);
    to.clock.advance(8 * 3_600_000);
    expect((await look(to, '/', cookie)).status).toBe(303);
    const shared = new Uint8Array(32).fill(3);
    const [one, two] = [await world({ sessionSecret: shared }), await world({ sessionSecret: shared })];
    expect((await look(two, '/', await signIn(one))).status).toBe(200);
    expect((await look(await world(), '/', await signIn(one))).status).toBe(303);
    await expect(world({ sessionSecret: new Uint8Array(16) })).rejects.toMatchObject({ code: 'host.options' });
  });
});

describe('forms', () => {
  it('need a session, its token, and to come from this site', async () => {
    const to = await world();
    await enrol(to, 'A1');
    const cookie = await signIn(to);
    const token = tokenOf((await look(to, '/', cookie)).text);
    const other = tokenOf((await look(to, '/', await signIn(to))).text);
    const before = (await to.engine.enrolling.invitations()).items.length;
    const post = async (values: Record<string, string>, headers: Record<string, string>) =>
      (await to.fetch('/invitations', form({ note: 'x', ...values }, headers))).status;
    expect(await post({ form: token }, {})).toBe(401);
    expect(await post({}, { cookie })).toBe(403);
    expect(await post({ form: other }, { cookie })).toBe(403);
    expect(await post({ form: token }, { cookie, origin: 'https://evil.example' })).toBe(403);
    expect(await post({ form: token }, { cookie, origin: 'null' })).toBe(403);
    expect(await post({ form: token }, { cookie, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect((await to.fetch('/login', form({ token: to.adminToken }, { 'sec-fetch-site': 'cross-site' }))).status).toBe(
      403,
    );
    expect((await to.engine.enrolling.invitations()).items).toHaveLength(before);
    expect(await post({ form: token }, { cookie, origin: ORIGIN })).toBe(303);
    expect(await post({ form: token }, { cookie, 'sec-fetch-site': 'same-origin' })).toBe(303);
    expect((await to.engine.enrolling.invitations()).items).toHaveLength(before + 2);
  });

  it('refresh a device, revoke an invitation, and sign out', async () => {
    const to = await world();
    await enrol(to, 'A1');
    const cookie = await signIn(to);
    const token = tokenOf((await look(to, '/devices/A1', cookie)).text);
    const post = (path: string) => to.fetch(path, form({ form: token }, { cookie }));
    expect((await post('/devices/A1/refresh')).headers.get('location')).toBe('/devices/A1');
    const { id } = await to.engine.enrolling.invite();
    expect((await post(`/invitations/${id}/revoke`)).status).toBe(303);
    expect((await to.engine.enrolling.invitations()).items[0]?.status).toBe('revoked');
    expect((await to.fetch('/logout', form({ form: 'wrong' }, { cookie }))).status).toBe(403);
    const out = await post('/logout');
    expect(out.headers.get('location')).toBe('/login');
    expect(out.headers.get('set-cookie')).toMatch(/^espalier_session=; .*Max-Age=0/);
  });
});

describe('the pages', () => {
  it('show devices, their search, one device, its commands, labels, configurations, invitations, events', async () => {
    const to = await world({}, { compile: compileConfiguration });
    const phone = await enrol(to, 'A1');
    await enrol(to, 'B2');
    const label = await to.engine.labels.create({ name: 'Mine', expression: '"common.serial_number" = "SNA1"' });
    const configuration = await to.engine.configurations.create({
      name: 'Lock it',
      type: 'passcode',
      settings: { minLength: 6 },
      labelIds: [label.id],
    });
    await to.engine.tick();
    const { commandUuid } = await to.engine.commands.enqueue(
      { enrolmentIds: ['A1'] },
      'ProfileList',
      {},
      { priority: 1000 },
    );
    await to.fetch('/mdm/connect', phone.request(messages.idle('A1')));
    await to.fetch(
      '/mdm/connect',
      phone.request({
        Status: 'Error',
        UDID: 'A1',
        CommandUUID: commandUuid,
        ErrorChain: [{ ErrorCode: 12, ErrorDomain: 'Test', LocalizedDescription: 'No <b>way</b>' }],
      }),
    );
    const { pin } = await to.engine.enrolling.invite({ note: 'for Sam' });
    const cookie = await signIn(to);
    const shows = async (path: string, ...texts: string[]) => {
      const { status, text } = await look(to, path, cookie);
      expect([path, status]).toEqual([path, 200]);
      for (const wanted of texts) expect(text).toContain(wanted);
      return text;
    };
    await shows('/', '2 devices', 'Phone A1', 'SNB2', 'aria-current="page"', '<label for="q">');
    expect(await shows('/?q=sn%3ASNA1', '1 device found', 'Phone A1')).not.toContain('SNB2');
    expect(
      await shows(
        `/?mode=advanced&q=${encodeURIComponent('"common.serial_number" = "SNB2"')}`,
        'value="advanced" checked',
      ),
    ).not.toContain('Phone A1');
    await shows('/devices/A1', 'Phone A1', 'Mine', 'Lock it', 'ProfileList', 'No &lt;b&gt;way&lt;/b&gt;', 'Facts');
    await shows('/devices/A1/commands', 'ProfileList', 'class="state bad"');
    await shows(`/devices/A1/commands/${commandUuid}`, 'ErrorChain', '12', commandUuid);
    await shows('/labels', 'Mine', '&quot;common.serial_number&quot;');
    await shows(`/labels/${label.id}`, 'Phone A1', '1 in all');
    await shows('/configurations', 'Lock it', 'passcode');
    await shows(`/configurations/${configuration.id}`, 'minLength', 'A1', 'Mine');
    await shows(`/configurations/${configuration.id}/watchlist.csv`, 'deviceId,');
    await shows('/invitations', pin, 'for Sam', `${ORIGIN}/enrol/`);
    await shows('/events', 'enrolment.active');
  });

  it('page through long lists', async () => {
    const to = await world();
    const cookie = await signIn(to);
    for (let count = 0; count < 51; count += 1) await to.engine.enrolling.invite({ note: `note ${count}.` });
    const first = (await look(to, '/invitations', cookie)).text;
    const next = /rel="next" href="([^"]+)"/.exec(first)?.[1]?.replaceAll('&amp;', '&') as string;
    expect(first.match(/note \d+\./g)).toHaveLength(50);
    const second = (await look(to, next, cookie)).text;
    expect(second.match(/note \d+\./g)).toHaveLength(1);
    expect(second).toContain('First page');
    expect(second).not.toContain('rel="next"');
  });

  it('tell where a search went wrong', async () => {
    const to = await world();
    const cookie = await signIn(to);
    const { status, text } = await look(
      to,
      `/?mode=advanced&q=${encodeURIComponent('"common.platform" ~ <script>')}`,
      cookie,
    );
    expect(status).toBe(400);
    expect(text).toMatch(/<pre>&quot;common\.platform&quot; <mark>/);
    expect(text).not.toContain('<script');
    expect(text).toContain('role="alert"');
  });

  it('escape everything that devices and people say', async () => {
    const to = await world();
    const evil = `"><img src=x onerror=alert(1)>'`;
    const phone = await enrol(to, 'A1', { DeviceName: evil, SerialNumber: evil, ProductName: evil, OSVersion: evil });
    const label = await to.engine.labels.create({ name: evil, description: evil });
    await to.engine.labels.setMembers(label.id, { add: ['A1'] });
    await to.engine.enrolling.invite({ note: evil });
    const { commandUuid } = await to.engine.commands.enqueue(
      { enrolmentIds: ['A1'] },
      'ProfileList',
      {},
      { priority: 1000 },
    );
    await to.fetch('/mdm/connect', phone.request(messages.idle('A1')));
    await to.fetch(
      '/mdm/connect',
      phone.request({
        Status: 'Error',
        UDID: 'A1',
        CommandUUID: commandUuid,
        ErrorChain: [{ ErrorCode: 1, ErrorDomain: evil, LocalizedDescription: evil }],
        Extra: evil,
      }),
    );
    const cookie = await signIn(to);
    for (const path of [
      '/',
      '/devices/A1',
      '/devices/A1/commands',
      `/devices/A1/commands/${commandUuid}`,
      '/labels',
      `/labels/${label.id}`,
      '/invitations',
      '/events',
      `/?q=${encodeURIComponent(evil)}`,
    ]) {
      const { status, text } = await look(to, path, cookie);
      expect([path, status]).toEqual([path, 200]);
      expect(text).not.toContain('<img');
    }
    expect((await look(to, `/devices/${encodeURIComponent(evil)}`, cookie)).text).not.toContain('<img');
  });

  it('carry a policy that lets nothing run, and are kept by nobody', async () => {
    const to = await world();
    const cookie = await signIn(to);
    const answer = await to.fetch('/', { headers: { cookie } });
    const policy = answer.headers.get('content-security-policy') as string;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(policy).not.toContain('script-src');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('referrer-policy')).toBe('same-origin');
    const text = await answer.text();
    expect(text).not.toMatch(/<script|\son\w+=|style="/);
    expect((await to.fetch('/style.css')).headers.get('content-type')).toBe('text/css; charset=utf-8');
  });

  it('say kindly that something is not there, and may be left out', async () => {
    const to = await world();
    const cookie = await signIn(to);
    for (const path of [
      '/devices/x',
      '/labels/x',
      '/configurations/x',
      '/configurations/x/watchlist.csv',
      '/devices/x/commands',
    ]) {
      const { status, text } = await look(to, path, cookie);
      expect([path, status]).toEqual([path, 404]);
      expect(text).toContain('Not here');
    }
    const without = await world({ page: false });
    for (const path of ['/', '/login', '/style.css']) expect((await without.fetch(path)).status).toBe(404);
  });
});

it('html escapes by default, and takes its own results as they are', () => {
  const inner = html`<b>${'<&>"\''}</b>`;
  expect(html`<i title="${'"'}">${inner}${[1, inner]}${null}${undefined}${false}${true}</i>`.toString()).toBe(
    '<i title="&quot;"><b>&lt;&amp;&gt;&quot;&#39;</b>1<b>&lt;&amp;&gt;&quot;&#39;</b></i>',
  );
});
