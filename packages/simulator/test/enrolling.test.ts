// Apple's ways to enrol, against a server that is not ours: what the device asks, in which order, and what it refuses.
import { createHash } from 'node:crypto';
import { encryptCms, readCertificate, verifyCms, verifyTrust } from '@espalier/pki';
import { decodeDict, encodeXml, type PlistDict, type PlistInput } from '@espalier/plist';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type AccountEnrolment,
  createKeyPool,
  createSimulatedDevice,
  createSimulatedDeviceAuthority,
  type PushService,
  restoreDevice,
  type SimulatedDevice,
  type SimulatedDeviceAuthority,
  type SimulatedDeviceOptions,
  signInWith,
} from '../src/index.ts';
import { type Arrived, type Intercepted, startMdm, type TestMdm } from './server.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0)) await item.close();
});

const keyPool = createKeyPool();
let deviceAuthority: SimulatedDeviceAuthority;
beforeAll(async () => {
  deviceAuthority = await createSimulatedDeviceAuthority();
});

async function start(): Promise<TestMdm> {
  const server = await startMdm({ tls: false });
  open.push(server);
  return server;
}

function device(options: SimulatedDeviceOptions): SimulatedDevice {
  const made = createSimulatedDevice({
    seed: 'enrolling',
    keyPool,
    deviceAuthority,
    retry: { attempts: 2, firstMs: 1 },
    ...options,
  });
  open.unshift(made);
  return made;
}

const code = (expected: string) => expect.objectContaining({ name: 'SimulatorError', code: expected });
const profileType = { 'content-type': 'application/x-apple-aspen-config' };
const ok = (body: Uint8Array): Intercepted => ({ status: 200, headers: profileType, body });
const see = (location: string, status = 302): Intercepted => ({ status, headers: { location } });
const page = (body: string): Intercepted => ({ status: 200, headers: { 'content-type': 'text/html' }, body });

/** What a device says of itself: the signature and the chain to the authority hold. */
function machine(body: Uint8Array): PlistDict {
  const { content, signer } = verifyCms(body);
  verifyTrust(signer, { anchors: [deviceAuthority.certificate], now: Date.now() });
  return decodeDict(content);
}

const paths = (server: TestMdm): string[] =>
  server.arrived.map(({ method, path }) => `${method} ${path.split('?')[0]}`);

describe('Automated Device Enrolment', () => {
  test('sends signed machine information, and waits in Setup Assistant until it is released', async () => {
    const server = await start();
    const asked: Arrived[] = [];
    server.intercept = (request) => {
      if (request.path !== '/ade') return undefined;
      asked.push(request);
      return ok(server.sign(server.profile()));
    };
    const phone = device({ kind: 'iPhone', model: 'iPhone15,2', osVersion: '18.2.1' });
    await phone.enrol({ type: 'ade', profile: { url: `${server.url}/ade`, await_device_configured: true } });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ method: 'POST', headers: { 'content-type': 'application/pkcs7-signature' } });
    expect(machine(asked[0]!.body)).toEqual({
      UDID: phone.udid,
      SERIAL: phone.serialNumber,
      PRODUCT: 'iPhone15,2',
      VERSION: '22C161',
      OS_VERSION: '18.2.1',
      IMEI: phone.state().imei,
      MEID: phone.state().meid,
      LANGUAGE: 'en-GB',
      SOFTWARE_UPDATE_DEVICE_ID: 'iPhone15,2',
      MDM_CAN_REQUEST_SOFTWARE_UPDATE: true,
    });
    expect(phone.state()).toMatchObject({
      ade: true,
      supervised: true,
      enrolledBy: 'ade',
      awaitingConfiguration: true,
    });
    expect(server.messagesOf(phone.udid)[1]).toMatchObject({ MessageType: 'TokenUpdate', AwaitingConfiguration: true });
    server.enqueue(phone.udid, { RequestType: 'DeviceConfigured' });
    expect((await phone.poll()).commands).toMatchObject([{ requestType: 'DeviceConfigured', status: 'Acknowledged' }]);
    expect(phone.state().awaitingConfiguration).toBe(false);
  });

  test('updates first where the server asks for that, once, and only what can', async () => {
    const server = await start();
    const versions: unknown[] = [];
    server.intercept = ({ path, body }) => {
      if (path !== '/ade') return undefined;
      const { OS_VERSION: version } = machine(body);
      versions.push(version);
      if (version === '18.4') return ok(server.profile());
      const details = { OSVersion: '18.4', BuildVersion: '22E240' };
      return { status: 403, body: JSON.stringify({ code: 'com.apple.softwareupdate.required', details }) };
    };
    const way = { type: 'ade', profile: { url: `${server.url}/ade` } } as const;
    const phone = device({ kind: 'iPhone', osVersion: '17.7.2' });
    await phone.enrol(way);
    expect(versions).toEqual(['17.7.2', '18.4']);
    expect(phone.state()).toMatchObject({ osVersion: '18.4', buildVersion: '22E240', restarts: 1, phase: 'enrolled' });
    const old = device({ kind: 'iPhone', osVersion: '16.7.10' });
    await expect(old.enrol(way)).rejects.toThrow(code('simulator.refused'));
    const tv = device({ kind: 'AppleTV', osVersion: '18.3' });
    await expect(tv.enrol(way)).rejects.toThrow(code('simulator.refused'));
    expect(tv.state()).toMatchObject({ osVersion: '18.3', phase: 'none' });
  });

  test('signs in at the page: its first request says which device it is, the last answer is the profile', async () => {
    const server = await start();
    const asked: Arrived[] = [];
    server.intercept = (request) => {
      const { path, method, body, headers } = request;
      if (!path.startsWith('/web')) return undefined;
      asked.push(request);
      if (path === '/web')
        return {
          ...see('/web/login'),
          headers: { location: '/web/login', 'set-cookie': ['a=1; Path=/', 'b=2; HttpOnly'] },
        };
      if (path === '/web/login' && method === 'GET') {
        return page(
          '<FORM method=post action="/web/done?x=1&amp;y=2"><input name=user><input type="password" name=\'pw\'><input type=hidden name=csrf value="&lt;t&gt;"></FORM>',
        );
      }
      const form = new URLSearchParams(body.toString());
      const good = form.get('user') === 'ann' && form.get('pw') === 'secret' && form.get('csrf') === '<t>';
      return good && headers.cookie === 'a=1; b=2' ? ok(server.profile()) : { status: 403 };
    };
    const mac = device({ kind: 'Mac', osVersion: '15.3' });
    const profile = { url: `${server.url}/unused`, configuration_web_url: `${server.url}/web` };
    await mac.enrol({ type: 'ade', profile, signIn: signInWith({ username: 'ann', password: 'secret' }) });
    expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /web',
      'GET /web/login',
      'POST /web/done?x=1&y=2',
    ]);
    const header = Buffer.from(String(asked[0]!.headers['x-apple-aspen-deviceinfo']), 'base64');
    expect(machine(header)).toMatchObject({ UDID: mac.udid, PRODUCT: mac.state().productName });
    expect(asked[1]!.headers['x-apple-aspen-deviceinfo']).toBeUndefined();
    expect(mac.state().enrolledBy).toBe('ade-web');
    const wrong = device({ kind: 'Mac', osVersion: '15.3' });
    const refused = wrong.enrol({ type: 'ade', profile, signIn: signInWith({ username: 'ann', password: 'no' }) });
    await expect(refused).rejects.toThrow(code('simulator.sign_in'));
    await expect(wrong.enrol({ type: 'ade', profile })).rejects.toThrow(code('simulator.sign_in'));
  });

  test('does not take a profile from another domain, and does not run in circles', async () => {
    const [server, other] = [await start(), await start()];
    other.intercept = ({ path }) => (path === '/p' ? ok(other.profile()) : undefined);
    server.intercept = ({ path }) =>
      path === '/elsewhere'
        ? see(other.url.replace('localhost', '127.0.0.1').concat('/p'))
        : path === '/circle'
          ? see('/circle')
          : undefined;
    for (const path of ['/elsewhere', '/circle']) {
      const pad = device({ kind: 'iPad', osVersion: '18.3' });
      const profile = { url: '', configuration_web_url: server.url + path };
      await expect(pad.enrol({ type: 'ade', profile })).rejects.toThrow(code('simulator.sign_in'));
    }
  });

  test('answers a challenge for name and password', async () => {
    const server = await start();
    server.intercept = ({ path, headers }) => {
      if (path !== '/ade') return undefined;
      if (headers.authorization === `Basic ${Buffer.from('ann:secret').toString('base64')}`)
        return ok(server.profile());
      return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
    };
    const profile = { url: `${server.url}/ade` };
    const tv = device({ kind: 'AppleTV' });
    await tv.enrol({ type: 'ade', profile, credentials: { username: 'ann', password: 'secret' } });
    expect(tv.phase).toBe('enrolled');
    const wrong = device({ kind: 'AppleTV' }).enrol({
      type: 'ade',
      profile,
      credentials: { username: 'ann', password: '' },
    });
    await expect(wrong).rejects.toThrow(code('simulator.refused'));
  });
});

describe('the profile service', () => {
  const service = (server: TestMdm, more: { [key: string]: PlistInput } = {}) =>
    encodeXml({
      PayloadType: 'Profile Service',
      PayloadVersion: 1,
      PayloadIdentifier: 'com.example.service',
      PayloadUUID: 'S',
      PayloadContent: {
        URL: `${server.url}/ota`,
        DeviceAttributes: ['UDID', 'PRODUCT', 'SERIAL', 'ICCID', 'NOTHING'],
        Challenge: 'once',
        ...more,
      },
    });

  test('gets the attributes that it asked for and its challenge, in one phase', async () => {
    const server = await start();
    const told: PlistDict[] = [];
    server.intercept = ({ path, body }) => {
      if (path === '/service') return ok(server.sign(service(server)));
      if (path !== '/ota') return undefined;
      told.push(machine(body));
      return ok(server.sign(server.profile()));
    };
    const pad = device({ kind: 'iPad', model: 'iPad12,1' });
    await pad.enrol(`${server.url}/service`);
    expect(told).toEqual([{ UDID: pad.udid, PRODUCT: 'iPad12,1', SERIAL: pad.serialNumber, CHALLENGE: 'once' }]);
    expect(pad.state().enrolledBy).toBe('profile-service');
    expect(paths(server).slice(0, 2)).toEqual(['GET /service', 'POST /ota']);
  });

  test('gives an identity in the second phase, with which the device signs in the third, and opens what is encrypted to it', async () => {
    const server = await start();
    const signers: string[] = [];
    server.intercept = ({ path, body }) => {
      if (path !== '/ota') return undefined;
      const { signer } = verifyCms(body);
      signers.push(readCertificate(signer).issuer);
      const whole = decodeDict(server.profile()) as { [key: string]: PlistInput } & PlistDict;
      const payloads = whole['PayloadContent'] as PlistDict[];
      if (signers.length === 1) {
        const content = payloads.filter((one) => one['PayloadType'] === 'com.apple.security.scep');
        return ok(encodeXml({ ...whole, PayloadContent: content, PayloadIdentifier: 'com.example.phase2' }));
      }
      const sealed = encryptCms(encodeXml(payloads), { recipients: [signer] });
      const { PayloadContent: _, ...rest } = whole;
      return ok(encodeXml({ ...rest, IsEncrypted: true, EncryptedPayloadContent: sealed }));
    };
    const phone = device({ kind: 'iPhone' });
    await phone.enrol(service(server));
    expect(signers).toEqual(['CN=Simulated iPhone Device CA', 'CN=Test root']);
    expect(phone.phase).toBe('enrolled');
    expect(server.issued()).toHaveLength(2);
  });
});

describe('account-driven enrolment', () => {
  const user = 'ann@example.com';
  const callback = 'apple-remotemanagement-user-login';

  /** A server with a sign-in page; `valid` are the tokens that it takes. */
  async function accounts(mode: 'BYOD' | 'ADDE', changes: { [key: string]: PlistInput } = {}) {
    const server = await start();
    const valid = new Set<string>();
    const asked: Arrived[] = [];
    let tokens = 0;
    const challenge = { 'www-authenticate': `Bearer method="apple-as-web", url="${server.url}/login?a=b"` };
    server.intercept = (request) => {
      const { path, method, headers } = request;
      const url = new URL(path, server.url);
      const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
      if (url.pathname === '/.well-known/com.apple.remotemanagement') {
        asked.push(request);
        const servers = [
          { Version: 'mdm-future', BaseURL: 'x' },
          { Version: `mdm-${mode.toLowerCase()}`, BaseURL: `${server.url}/account` },
        ];
        return {
          status: 200,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ Servers: servers }),
        };
      }
      if (url.pathname === '/login') {
        if (method === 'GET')
          return page(
            `<form method="post"><input type="email" name="u" value="${url.searchParams.get('user-identifier')}"></form>`,
          );
        valid.add(`token-${++tokens}`);
        return see(`${callback}://authentication-results?access-token=token-${tokens}`, 308);
      }
      if (!['/account', '/checkin', '/mdm'].includes(url.pathname)) return undefined;
      asked.push(request);
      if (token === undefined || !valid.has(token)) return { status: 401, headers: challenge };
      if (url.pathname !== '/account') return undefined;
      return ok(
        server.profile({ EnrollmentMode: mode, AssignedManagedAppleID: 'ann@appleaccount.example.com', ...changes }),
      );
    };
    const way: AccountEnrolment = {
      type: 'account',
      user,
      discovery: server.url,
      signIn: signInWith({ username: 'ann', password: '' }),
    };
    return { server, valid, asked, way };
  }

  test('User Enrolment: never tells which device it is, and carries the token on every request', async () => {
    const { server, asked, way } = await accounts('BYOD');
    const phone = device({ kind: 'iPhone', osVersion: '18.3' });
    await phone.enrol(way);
    const { enrolmentId } = phone.state();
    expect(enrolmentId).toMatch(/^[0-9A-F-]{36}$/);
    expect(asked[0]!.path).toBe(
      '/.well-known/com.apple.remotemanagement?user-identifier=ann%40example.com&model-family=iPhone',
    );
    expect(machine(asked[1]!.body)).toEqual({
      PRODUCT: phone.state().productName,
      VERSION: '22D63',
      OS_VERSION: '18.3',
      SOFTWARE_UPDATE_DEVICE_ID: phone.state().productName,
      LANGUAGE: 'en-GB',
    });
    expect(asked.slice(1).map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ['/account', undefined],
      ['/account', 'Bearer token-1'],
      ['/checkin', 'Bearer token-1'],
      ['/checkin', 'Bearer token-1'],
    ]);
    const [authenticate, tokenUpdate] = server.messagesOf(enrolmentId!);
    expect(authenticate).toMatchObject({ MessageType: 'Authenticate', EnrollmentID: enrolmentId, OSVersion: '18.3' });
    for (const message of [authenticate, tokenUpdate]) {
      for (const key of ['UDID', 'SerialNumber', 'IMEI', 'MEID', 'UnlockToken'])
        expect(message).not.toHaveProperty(key);
    }
    server.enqueue(enrolmentId!, {
      RequestType: 'DeviceInformation',
      Queries: ['UDID', 'SerialNumber', 'OSVersion', 'WiFiMAC'],
    });
    server.enqueue(enrolmentId!, { RequestType: 'EraseDevice' });
    await phone.poll();
    expect(server.results.map(({ value }) => [value['Status'], value['QueryResponses']])).toEqual([
      ['Acknowledged', { OSVersion: '18.3' }],
      ['Error', undefined],
    ]);
    const everything = server.arrived.map(({ body, message }) => (message === undefined ? '' : body.toString())).join();
    for (const secret of [phone.udid, phone.serialNumber, phone.state().imei]) expect(everything).not.toContain(secret);
    // A new enrolment is called something else.
    await phone.checkOut();
    await phone.enrol(way);
    expect(phone.state().enrolmentId).not.toBe(enrolmentId);
  });

  test('signs in again when the token is no longer taken, and is signed out when the user does not', async () => {
    const { server, valid, way } = await accounts('ADDE');
    let there = true;
    const phone = device({ kind: 'VisionPro', osVersion: '2.3' });
    const signIn = signInWith({ username: 'ann', password: '' });
    await phone.enrol({ ...way, signIn: async (first) => (there ? signIn(first) : undefined) });
    expect(server.arrived[0]!.path).toContain('model-family=RealityDevice');
    valid.clear();
    expect((await phone.poll()).ended).toBe('idle');
    expect(phone.state().account).toEqual({ user, token: { accessToken: 'token-2' } });
    valid.clear();
    there = false;
    expect(await phone.poll()).toMatchObject({ ended: 'signed-out', status: 401 });
    there = true;
    expect((await phone.poll()).ended).toBe('idle');
    expect(phone.phase).toBe('enrolled');
  });

  test('goes by OAuth 2 with PKCE, and refreshes the token before it asks the user again', async () => {
    const server = await start();
    let verifierOf = '';
    let state = '';
    let granted = 0;
    const forms: URLSearchParams[] = [];
    let refreshable = true;
    server.intercept = ({ path, body, headers }) => {
      const url = new URL(path, server.url);
      const token = headers.authorization;
      if (url.pathname === '/authorize') {
        const q = url.searchParams;
        expect(Object.fromEntries(q)).toMatchObject({
          response_type: 'code',
          client_id: 'mdm',
          scope: 'MDM',
          login_hint: user,
          code_challenge_method: 'S256',
          x: 'y',
        });
        verifierOf = q.get('code_challenge')!;
        state = q.get('state')!;
        return see(`${q.get('redirect_uri')}?code=C&state=${state}`);
      }
      if (url.pathname === '/token') {
        const form = new URLSearchParams(body.toString());
        forms.push(form);
        const refresh = form.get('grant_type') === 'refresh_token';
        const good = refresh
          ? refreshable && form.get('refresh_token') === `R${granted}`
          : createHash('sha256').update(form.get('code_verifier')!).digest('base64url') === verifierOf;
        if (!good) return { status: 400, body: '{"error":"invalid_grant"}' };
        granted++;
        const answer = {
          access_token: `A${granted}`,
          token_type: 'Bearer',
          expires_in: 3600,
          refresh_token: `R${granted}`,
        };
        return { status: 200, body: JSON.stringify(answer) };
      }
      if (url.pathname === '/well')
        return {
          status: 200,
          body: JSON.stringify({ Servers: [{ Version: 'mdm-adde', BaseURL: `${server.url}/account` }] }),
        };
      if (!['/account', '/checkin', '/mdm'].includes(url.pathname)) return undefined;
      if (token !== `Bearer A${granted}`) {
        const challenge = [
          'Bearer method="apple-oauth2"',
          `authorization-url="${server.url}/authorize?x=y"`,
          `token-url="${server.url}/token"`,
          `redirect-url="${callback}:/oauth2/redirection"`,
          'client-id="mdm"',
          'scope="MDM"',
        ];
        return { status: 401, headers: { 'www-authenticate': challenge.join(', ') } };
      }
      if (url.pathname !== '/account') return undefined;
      return ok(server.profile({ EnrollmentMode: 'ADDE', AssignedManagedAppleID: user }));
    };
    let at = Date.now();
    const mac = device({ kind: 'Mac', osVersion: '15.2', clock: { now: () => at } });
    // The domain has nothing to say: macOS 15.2 asks Apple.
    await mac.enrol({
      type: 'account',
      user,
      discovery: `${server.url}/nothing`,
      fallback: `${server.url}/well`,
      signIn: async () => undefined,
    });
    expect(mac.state()).toMatchObject({
      enrolledBy: 'account-device',
      account: { token: { accessToken: 'A1', refreshToken: 'R1' } },
    });
    expect(mac.state().enrolmentId).toBeUndefined();
    at += 3_600_000;
    await mac.poll();
    expect(forms.map((form) => form.get('grant_type'))).toEqual(['authorization_code', 'refresh_token']);
    granted = 7;
    refreshable = false;
    expect((await mac.poll()).ended).toBe('idle');
    expect(forms.at(-1)!.get('grant_type')).toBe('authorization_code');
    const old = device({ kind: 'Mac', osVersion: '14.7.4' });
    const refused = old.enrol({
      type: 'account',
      user,
      discovery: `${server.url}/nothing`,
      fallback: `${server.url}/well`,
      signIn: async () => undefined,
    });
    await expect(refused).rejects.toThrow(code('simulator.discovery'));
  });

  test('goes on in another process, with the same token, and whoever signs in there', async () => {
    const { server, valid, way } = await accounts('BYOD');
    const phone = device({ kind: 'iPhone', osVersion: '18.3' });
    await phone.enrol(way);
    const signIn = signInWith({ username: 'ann', password: '' });
    const restored = restoreDevice(JSON.parse(JSON.stringify(phone.state())), { signIn });
    expect((await restored.poll()).ended).toBe('idle');
    expect(server.arrived.at(-1)!.headers.authorization).toBe('Bearer token-1');
    valid.clear();
    expect((await restored.poll()).ended).toBe('idle');
    expect(server.arrived.at(-1)!.headers.authorization).toBe('Bearer token-2');
    valid.clear();
    expect((await restoreDevice(restored.state()).poll()).ended).toBe('signed-out');
  });

  test.each([
    ['the profile is for the other kind of enrolment', { EnrollmentMode: 'ADDE' }, 'simulator.profile'],
    ['the profile names no account', { AssignedManagedAppleID: 1 }, 'simulator.profile'],
  ])('is undone when %s', async (_what, changes, expected) => {
    const { way } = await accounts('BYOD', changes);
    const phone = device({ kind: 'iPhone', osVersion: '18.3' });
    await expect(phone.enrol(way)).rejects.toThrow(code(expected));
    expect(phone.state()).toMatchObject({ phase: 'none', mdm: null });
  });

  test.each([
    ['no challenge', {}],
    ['another scheme', { 'www-authenticate': 'Basic realm="x"' }],
    ['an unknown method', { 'www-authenticate': 'Bearer method="magic"' }],
    ['a page that no device opens', { 'www-authenticate': 'Bearer method="apple-as-web", url="file:///etc/passwd"' }],
  ])('is given up for %s', async (_what, headers) => {
    const { server, way } = await accounts('BYOD');
    const { intercept } = server;
    server.intercept = (request) => (request.path === '/account' ? { status: 401, headers } : intercept!(request));
    await expect(device({ kind: 'iPhone', osVersion: '18.3' }).enrol(way)).rejects.toThrow(code('simulator.sign_in'));
  });

  test('is not looked for at what is no account, nor where the server means its refusal', async () => {
    const server = await start();
    server.intercept = () => ({ status: 403, body: '{"code":"com.apple.well-known.failed"}' });
    const way = {
      type: 'account',
      discovery: server.url,
      fallback: server.url,
      signIn: async () => undefined,
    } as const;
    const phone = device({ kind: 'iPhone', osVersion: '18.3' });
    await expect(phone.enrol({ ...way, user })).rejects.toThrow(code('simulator.discovery'));
    expect(server.arrived).toHaveLength(1);
    for (const name of ['ann', '@example.com', 'ann@', 'ann@localhost']) {
      await expect(phone.enrol({ ...way, user: name })).rejects.toThrow(code('simulator.option'));
    }
  });
});

describe('users', () => {
  const capabilities = {
    ServerCapabilities: ['com.apple.mdm.per-user-connections', 'com.apple.mdm.bootstraptoken', 'com.apple.mdm.token'],
  };

  async function enrolled(options: SimulatedDeviceOptions, ade: object = {}) {
    const server = await start();
    server.intercept = ({ path }) => (path === '/ade' ? ok(server.profile(capabilities)) : undefined);
    const made = device(options);
    await made.enrol({ type: 'ade', profile: { url: `${server.url}/ade`, ...ade } });
    return { server, made };
  }

  test('a Mac escrows its bootstrap token, and its own user gets a channel with commands of its own', async () => {
    const { server, made: mac } = await enrolled({ kind: 'Mac', osVersion: '15.3' });
    expect(server.messagesOf(mac.udid).map((one) => one['MessageType'])).toEqual([
      'Authenticate',
      'TokenUpdate',
      'SetBootstrapToken',
    ]);
    const session = await mac.logIn();
    const id = `${mac.udid}:local`;
    expect(session).toMatchObject({ managed: true, shortName: 'local' });
    expect(server.messagesOf(id)).toMatchObject([
      {
        MessageType: 'TokenUpdate',
        UDID: mac.udid,
        UserID: '0E1F2A3B-4C5D-4E6F-8A9B-0C1D2E3F4A5B',
        UserLongName: 'Local Account',
        NotOnConsole: false,
      },
    ]);
    expect(server.messagesOf(id)[0]!['Token']).not.toEqual(server.messagesOf(mac.udid)[1]!['Token']);
    const profile = encodeXml({
      PayloadType: 'Configuration',
      PayloadVersion: 1,
      PayloadIdentifier: 'com.example.user',
      PayloadUUID: 'U',
      PayloadContent: [
        { PayloadType: 'com.apple.dock', PayloadVersion: 1, PayloadIdentifier: 'com.example.dock', PayloadUUID: 'D' },
      ],
    });
    server.enqueue(id, { RequestType: 'InstallProfile', Payload: profile });
    server.enqueue(id, { RequestType: 'DeviceLock', PIN: '123456' });
    server.enqueue(id, { RequestType: 'InstallProfile', Payload: server.profile() });
    expect((await session.poll()).commands.map(({ status }) => status)).toEqual(['Acknowledged', 'Error', 'Error']);
    expect(session.state()!.profiles.map(({ identifier }) => identifier)).toEqual(['com.example.user']);
    expect(mac.state().profiles.map(({ identifier }) => identifier)).toEqual(['com.example.mdm']);
    // A second local user is not managed.
    expect((await mac.logIn({ shortName: 'guest' })).managed).toBe(false);
    session.logOut();
    await expect(session.poll()).rejects.toThrow(code('simulator.not_enrolled'));
    expect((await mac.logIn()).state()).toMatchObject({
      enrolled: true,
      profiles: [{ identifier: 'com.example.user' }],
    });
  });

  test('a directory user of a Mac proves the password by digest, and sends the token that it got for that', async () => {
    const { server, made: mac } = await enrolled({ kind: 'Mac', osVersion: '15.3' });
    const escrowed = new Uint8Array([1, 2, 3]);
    const md5 = (text: string) => createHash('md5').update(text).digest('hex');
    const hash = md5('ann:example.com:secret');
    server.intercept = ({ message }) => {
      const type = message?.['MessageType'];
      if (type === 'GetBootstrapToken') return { status: 200, body: encodeXml({ BootstrapToken: escrowed }) };
      if (type !== 'UserAuthenticate') return undefined;
      if (message!['UserID'] === 'NOBODY') return { status: 410 };
      const digest = String(message!['DigestResponse']);
      if (digest === '')
        return { status: 200, body: encodeXml({ DigestChallenge: 'Digest nonce="N",realm="example.com"' }) };
      const field = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(digest)?.[1];
      const right = md5(`${hash}:N:${md5(`PUT:${field('uri')}`)}`) === field('response') && field('username') === 'ann';
      return { status: 200, body: encodeXml({ AuthToken: right ? 'T' : '' }) };
    };
    const ann = await mac.logIn({ shortName: 'ann', userId: 'ANN', password: 'secret' });
    expect(ann).toMatchObject({ managed: true });
    await ann.poll();
    const id = `${mac.udid}:ann`;
    expect(server.messagesOf(id)).toMatchObject([
      { MessageType: 'TokenUpdate', UserID: 'ANN', AuthToken: 'T' },
      { Status: 'Idle', UserID: 'ANN', AuthToken: 'T' },
    ]);
    expect(server.arrived.some(({ message }) => message?.['MessageType'] === 'GetBootstrapToken')).toBe(true);
    expect((await mac.logIn({ shortName: 'ann', userId: 'ANN', password: 'wrong' })).managed).toBe(false);
    expect((await mac.logIn({ shortName: 'bob', userId: 'NOBODY', password: 'x' })).managed).toBe(false);
    expect(await mac.getBootstrapToken()).toEqual(escrowed);
    expect(await mac.getToken('com.apple.maid')).toBeNull();
    // A user whom the server no longer takes loses the channel; the Mac stays.
    const again = await mac.logIn({ shortName: 'ann', userId: 'ANN', password: 'secret' });
    server.intercept = ({ message }) => (message?.['UserShortName'] === 'ann' ? { status: 401 } : undefined);
    expect(await again.poll()).toMatchObject({ ended: 'unenrolled' });
    expect(mac.state()).toMatchObject({ phase: 'enrolled', userChannels: [] });
  });

  test('a Shared iPad has one user at a time, by the Managed Apple Account, whose Setup Assistant waits', async () => {
    const { server, made: pad } = await enrolled(
      { kind: 'iPad', osVersion: '18.3' },
      { is_multi_user: true, await_device_configured: true },
    );
    expect(server.messagesOf(pad.udid)[1]).not.toHaveProperty('UnlockToken');
    const ann = await pad.logIn({ shortName: 'ann@example.com', longName: 'Ann' });
    const id = `${pad.udid}:ann@example.com`;
    const [tokenUpdate] = server.messagesOf(id).filter((one) => one['MessageType'] === 'TokenUpdate');
    expect(tokenUpdate).toMatchObject({ UserID: 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', AwaitingConfiguration: true });
    expect(tokenUpdate).not.toHaveProperty('UserLongName');
    server.enqueue(id, { RequestType: 'UserConfigured' });
    expect((await ann.poll()).commands).toMatchObject([{ status: 'Acknowledged' }]);
    expect(ann.state()).toMatchObject({ awaitingConfiguration: false });
    expect(pad.state().awaitingConfiguration).toBe(true);
    const bob = await pad.logIn({ shortName: 'bob@example.com' });
    expect(pad.state().userChannels!.map(({ shortName, loggedIn }) => [shortName, loggedIn])).toEqual([
      ['ann@example.com', false],
      ['bob@example.com', true],
    ]);
    server.enqueue(pad.udid, { RequestType: 'LogOutUser' });
    await pad.poll();
    await expect(bob.poll()).rejects.toThrow(code('simulator.not_enrolled'));
    server.enqueue(pad.udid, { RequestType: 'DeleteUser', UserName: 'ann@example.com' });
    await pad.poll();
    expect(pad.state().userChannels!.map(({ shortName }) => shortName)).toEqual(['bob@example.com']);
  });

  test('a push wakes the channel that it is for, while its user is there', async () => {
    const listeners = new Map<string, (payload: { mdm: string }) => void>();
    const away = new Set<string>();
    const apns: PushService = {
      register: ({ token, onPush }) => {
        listeners.set(token, onPush);
        away.delete(token);
      },
      disconnect: (token) => away.add(token),
      unregister: (token) => listeners.delete(token),
    };
    const { server, made: mac } = await enrolled({ kind: 'Mac', osVersion: '15.3', apns });
    const session = await mac.logIn();
    const { pushToken, pushMagic } = session.state()!;
    const idle = () => server.messagesOf(`${mac.udid}:local`).filter((one) => one['Status'] === 'Idle').length;
    listeners.get(pushToken)!({ mdm: 'another' });
    listeners.get(pushToken)!({ mdm: pushMagic });
    await mac.settled();
    expect(idle()).toBe(1);
    expect(server.messagesOf(mac.udid).some((one) => one['Status'] === 'Idle')).toBe(false);
    session.logOut();
    expect(away.has(pushToken)).toBe(true);
    await mac.checkOut();
    expect(listeners.size).toBe(0);
  });

  test('nobody logs in to an iPhone, and users without a channel stay the device’s own affair', async () => {
    const { made: phone } = await enrolled({ kind: 'iPhone', osVersion: '18.3' });
    await expect(phone.logIn({ shortName: 'ann' })).rejects.toThrow(code('simulator.unsupported'));
    const server = await start();
    const mac = device({ kind: 'Mac', osVersion: '15.3' });
    await expect(mac.logIn()).rejects.toThrow(code('simulator.not_enrolled'));
    await mac.enrol(`${server.url}/enrol`); // without per-user connections
    expect((await mac.logIn()).managed).toBe(false);
    expect(server.messagesOf(mac.udid).map((one) => one['MessageType'])).toEqual(['Authenticate', 'TokenUpdate']);
  });
});

describe('a device', () => {
  test('returns to service: asks, is erased, and enrols anew from what the server gave', async () => {
    const server = await start();
    let enabled = false;
    server.intercept = ({ path, message }) => {
      if (path === '/ade') return ok(server.profile());
      if (message?.['MessageType'] !== 'ReturnToService') return undefined;
      const answer = enabled ? { Enabled: true, MDMProfileData: server.profile() } : { Enabled: false };
      return { status: 200, body: encodeXml({ ReturnToService: answer }) };
    };
    const pad = device({ kind: 'iPad', osVersion: '26.0' });
    await pad.enrol({ type: 'ade', profile: { url: `${server.url}/ade` } });
    expect(await pad.returnToService()).toEqual({ enabled: false, enrolled: false });
    enabled = true;
    const before = pad.state().certificate;
    expect(await pad.returnToService()).toEqual({ enabled: true, enrolled: true });
    expect(pad.phase).toBe('enrolled');
    expect(pad.state().certificate).not.toBe(before);
    const old = device({ kind: 'iPad', osVersion: '18.3' });
    await old.enrol({ type: 'ade', profile: { url: `${server.url}/ade` } });
    await expect(old.returnToService()).rejects.toThrow(code('simulator.unsupported'));
  });

  test.each([
    ['a watch, by a profile', { kind: 'Watch' }, 'profile'],
    ['an Apple TV, by a profile service', { kind: 'AppleTV' }, 'service'],
    ['an Apple Vision Pro, by a profile service', { kind: 'VisionPro' }, 'service'],
    ['a Shared iPad, by a profile', { kind: 'iPad', sharedIpad: true, supervised: true }, 'profile'],
    ['an iPhone with iOS 18, by a profile for User Enrolment', { kind: 'iPhone', osVersion: '18.3' }, 'user-profile'],
    ['an Apple TV, by an account', { kind: 'AppleTV' }, 'account'],
    ['a Mac with macOS 13, by an account', { kind: 'Mac', osVersion: '13.7.4' }, 'account'],
  ] as const)('is refused by itself: %s', async (_what, traits, how) => {
    const server = await start();
    server.intercept = () => ({
      status: 200,
      body: JSON.stringify({ Servers: [{ Version: 'mdm-byod', BaseURL: server.url }] }),
    });
    const service = encodeXml({
      PayloadType: 'Profile Service',
      PayloadContent: { URL: server.url, DeviceAttributes: [] },
    });
    const sources = {
      profile: server.profile(),
      service,
      'user-profile': server.profile({ ManagedAppleID: 'ann@example.com' }),
      account: { type: 'account', user: 'ann@example.com', discovery: server.url, signIn: async () => undefined },
    } as const;
    await expect(device(traits).enrol(sources[how])).rejects.toThrow(code('simulator.unsupported'));
    expect(server.arrived.filter(({ message }) => message !== undefined)).toEqual([]);
  });

  test('iOS 17 still enrols by a profile for User Enrolment', async () => {
    const server = await start();
    const phone = device({ kind: 'iPhone', osVersion: '17.7.2' });
    await phone.enrol(server.profile({ ManagedAppleID: 'ann@example.com' }));
    expect(phone.state()).toMatchObject({
      enrolledBy: 'user-profile',
      mdm: { userEnrolment: true, managedAppleAccount: 'ann@example.com' },
    });
    expect(server.messagesOf(phone.state().enrolmentId!)).toHaveLength(2);
  });
});
