// Apple's ways in: Automated Device Enrolment, account-driven enrolment, the profile service. Each device signs what it
// says of itself, with an authority that stands in for Apple's.
import { readProfile, unrecognisedDevice } from '@espalier/apple-mdm';
import { scepEnrol, signCms } from '@espalier/pki';
import { decodeDict, encodeXml, type PlistInput } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import type { AccountOptions, AdeOptions, HostOptions } from '../src/index.ts';
import { fc, test as property } from './property.ts';
import { authority, device, enrol, messages, ORIGIN, START, TOPIC, type World, world } from './world.ts';

const apple = () => authority('Apple stand-in');

async function signed(info: Record<string, PlistInput>, by = apple()): Promise<Uint8Array> {
  const { certificate, privateKey } = await device('built-in', await by);
  return signCms(encodeXml(info), { certificate, privateKey });
}

const iphone = {
  UDID: 'U1',
  SERIAL: 'S1',
  PRODUCT: 'iPhone15,2',
  VERSION: '21A329',
  OS_VERSION: '17.0',
  LANGUAGE: 'en',
};
const byod = { LANGUAGE: 'en-US', PRODUCT: 'iPhone10,2', VERSION: '19A240' };

function post(to: World, path: string, body: Uint8Array, headers: Record<string, string> = {}) {
  const init = { method: 'POST', headers: { 'content-type': 'application/pkcs7-signature', ...headers } };
  return to.fetch(path, { ...init, body: body as Uint8Array<ArrayBuffer> });
}

async function mdmPayload(answer: Response) {
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-apple-aspen-config']);
  const { payloads } = readProfile(new Uint8Array(await answer.arrayBuffer()));
  const find = (type: string) => payloads.find((item) => item.type === type)!.content;
  return {
    mdm: find('com.apple.mdm'),
    scep: find('com.apple.security.scep')['PayloadContent'] as { Challenge: string },
  };
}

describe('Automated Device Enrolment', () => {
  async function ade(options: Partial<AdeOptions> = {}, more: Partial<HostOptions> = {}) {
    return world({ ade: { anchors: [(await apple()).certificate], ...options }, ...more });
  }

  it('gives the profile to a device whose signature holds', async () => {
    const to = await ade();
    const { mdm } = await mdmPayload(await post(to, '/enrol/ade', await signed(iphone)));
    expect(mdm).toMatchObject({
      ServerURL: `${ORIGIN}/mdm/connect`,
      ServerCapabilities: ['com.apple.mdm.per-user-connections', 'com.apple.mdm.bootstraptoken'],
      AccessRights: 8191,
    });
    expect((await to.engine.enrolling.invitations()).items[0]?.note).toBe('ADE S1');
  });

  it('refuses what no device of Apple’s signed, and invites nobody', async () => {
    const to = await ade();
    const forged = await signed(iphone, authority('Somebody'));
    const bodies = [forged, encodeXml(iphone), new Uint8Array([1, 2, 3]), new Uint8Array(0)];
    for (const body of bodies) {
      const answer = await post(to, '/enrol/ade', body);
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
        403,
        'host.enrol.machine_info',
      ]);
    }
    const tampered = Uint8Array.from(await signed(iphone));
    const at = Buffer.from(tampered).indexOf('iPhone15,2');
    tampered[at + 6] = 0x36;
    expect((await post(to, '/enrol/ade', tampered)).status).toBe(403);
    expect((await to.engine.enrolling.invitations()).items).toEqual([]);
    const plain = await ade({ allowUnsigned: true });
    expect((await post(plain, '/enrol/ade', encodeXml(iphone))).status).toBe(200);
    expect((await post(plain, '/enrol/ade', encodeXml({ PRODUCT: 'x' }))).status).toBe(400);
  });

  it('makes a device update first, where it can and has to', async () => {
    const to = await ade({
      requiredOs: () => ({ osVersion: '17.5.1', buildVersion: '21F90', message: 'Please wait.' }),
    });
    const ask = async (info: Record<string, PlistInput>) =>
      post(to, '/enrol/ade', await signed({ ...iphone, ...info }));
    const answer = await ask({ MDM_CAN_REQUEST_SOFTWARE_UPDATE: true });
    expect([answer.status, answer.headers.get('content-type'), await answer.json()]).toEqual([
      403,
      'application/json',
      {
        code: 'com.apple.softwareupdate.required',
        message: 'Please wait.',
        details: { OSVersion: '17.5.1', BuildVersion: '21F90' },
      },
    ]);
    expect((await ask({ MDM_CAN_REQUEST_SOFTWARE_UPDATE: true, OS_VERSION: '17.5.1' })).status).toBe(200);
    expect((await ask({ MDM_CAN_REQUEST_SOFTWARE_UPDATE: true, OS_VERSION: '17.10' })).status).toBe(200);
    // A device that cannot is let in: nobody could help it out of Setup Assistant.
    expect((await ask({})).status).toBe(200);
  });

  it('sends a device away with the reason that the product gives', async () => {
    const to = await ade({ admit: ({ serialNumber }) => (serialNumber === 'S1' ? null : unrecognisedDevice()) });
    expect((await post(to, '/enrol/ade', await signed(iphone))).status).toBe(200);
    const answer = await post(to, '/enrol/ade', await signed({ ...iphone, SERIAL: 'S2' }));
    expect([answer.status, await answer.json()]).toEqual([403, { code: 'com.apple.unrecognized.device' }]);
  });

  it('gives a certificate that enrols this device and no other', async () => {
    const to = await ade();
    const enter = async (claimed: { UDID: string; SerialNumber: string }) => {
      const { scep } = await mdmPayload(await post(to, '/enrol/ade', await signed(iphone)));
      const { certificate, privateKey } = await scepEnrol({
        url: `${ORIGIN}/scep`,
        fetch: (request) => to.host.fetch(request, { remoteAddress: '192.0.2.10' }),
        subject: 'CN=x',
        challenge: scep.Challenge,
        clock: { now: () => START },
      });
      const body = encodeXml({ MessageType: 'Authenticate', Topic: TOPIC, ProductName: 'iPhone15,2', ...claimed });
      const signature = Buffer.from(signCms(body, { certificate, privateKey, detached: true })).toString('base64');
      const headers = { 'mdm-signature': signature };
      return to.fetch('/mdm/checkin', { method: 'PUT', headers, body: body as Uint8Array<ArrayBuffer> });
    };
    await enrol(to, 'BOSS');
    const refused = await enter({ UDID: 'BOSS', SerialNumber: 'S-BOSS' });
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
      403,
      'core.enrolment.other_device',
    ]);
    expect((await to.engine.devices.get('BOSS'))?.enrolment.status).toBe('active');
    // It returns after it was erased by hand, when its enrolment still looks alive.
    for (let i = 0; i < 2; i++) {
      const own = { UDID: iphone.UDID, SerialNumber: iphone.SERIAL };
      expect((await enter(own)).status).toBe(200);
    }
    const [told] = (await to.engine.events.list({ type: 'enrolment.identity-refused' })).items;
    expect(told?.data).toMatchObject({ enrolmentId: 'BOSS', reason: 'other-device' });
  });

  it('hands the first visit of the sign-in page to the product, with the device', async () => {
    const to = await ade({
      web: async (_request, { device, profileUrl }) =>
        new Response(null, { status: 302, headers: { location: await profileUrl(), 'x-product': device.product } }),
    });
    const header = Buffer.from(await signed(iphone)).toString('base64');
    const visit = await to.fetch('/enrol/ade/web', { headers: { 'x-apple-aspen-deviceinfo': header } });
    expect([visit.status, visit.headers.get('x-product')]).toEqual([302, 'iPhone15,2']);
    const { mdm } = await mdmPayload(await to.fetch(new URL(visit.headers.get('location')!).pathname));
    expect(mdm['Topic']).toBe(TOPIC);
    expect((await to.fetch('/enrol/ade/web')).status).toBe(403);
    const forged = Buffer.from(await signed(iphone, authority('Somebody'))).toString('base64');
    expect((await to.fetch('/enrol/ade/web', { headers: { 'x-apple-aspen-deviceinfo': forged } })).status).toBe(403);
    expect((await (await ade()).fetch('/enrol/ade/web')).status).toBe(404);
  });
});

describe('account-driven enrolment', () => {
  const webSignIn: AccountOptions['signIn'] = {
    method: 'apple-as-web',
    tokenDays: 30,
    page: async (request, { userIdentifier, accept }) => {
      if (request.method === 'GET') return new Response(`<form>${userIdentifier}</form>`);
      const form = new URLSearchParams(await request.text());
      if (form.get('password') !== 'secret') return new Response('no', { status: 403 });
      return accept({ managedAppleAccount: `${form.get('username')}@appleid.example.com` });
    },
  };

  async function account(options: Partial<AccountOptions> = {}, more: Partial<HostOptions> = {}) {
    return world({
      account: {
        anchors: [(await apple()).certificate],
        mode: ({ identifier, family }) =>
          identifier.endsWith('@example.com') ? (family === 'Mac' ? 'ADDE' : 'BYOD') : null,
        signIn: webSignIn,
        ...options,
      },
      ...more,
    });
  }

  it('is discovered by user and family', async () => {
    const to = await account();
    const discover = (query: string) => to.fetch(`/.well-known/com.apple.remotemanagement?${query}`);
    const answer = await discover('user-identifier=ann@example.com&model-family=iPhone');
    expect([answer.headers.get('content-type'), await answer.json()]).toEqual([
      'application/json',
      { Servers: [{ Version: 'mdm-byod', BaseURL: `${ORIGIN}/enrol/account/byod` }] },
    ]);
    expect(await (await discover('user-identifier=ann@example.com&model-family=Mac')).json()).toEqual({
      Servers: [{ Version: 'mdm-adde', BaseURL: `${ORIGIN}/enrol/account/adde` }],
    });
    for (const query of [
      'user-identifier=ann@other.com&model-family=Mac',
      '',
      'user-identifier=example.com',
      `user-identifier=${'a'.repeat(400)}@example.com`,
    ]) {
      const refused = await discover(query);
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
        403,
        'com.apple.well-known.failed',
      ]);
    }
    // At the root of the domain, wherever the server is mounted.
    const below = await account({}, { basePath: '/mdm-server', publicUrl: `${ORIGIN}/mdm-server` });
    const there = await below.fetch(
      '/.well-known/com.apple.remotemanagement?user-identifier=ann@example.com&model-family=iPhone',
    );
    expect(await there.json()).toMatchObject({ Servers: [{ BaseURL: `${ORIGIN}/mdm-server/enrol/account/byod` }] });
    expect((await (await world()).fetch('/.well-known/com.apple.remotemanagement')).status).toBe(404);
  });

  async function signInAs(to: World, username = 'ann'): Promise<string> {
    const first = await post(to, '/enrol/account/byod', await signed(byod));
    expect([first.status, first.headers.get('www-authenticate')]).toEqual([
      401,
      `Bearer method="apple-as-web", url="${ORIGIN}/enrol/account/sign-in"`,
    ]);
    const page = await to.fetch('/enrol/account/sign-in?user-identifier=ann@example.com');
    expect(await page.text()).toBe('<form>ann@example.com</form>');
    const done = await to.fetch('/enrol/account/sign-in', {
      method: 'POST',
      body: `username=${username}&password=secret`,
    });
    expect(done.status).toBe(308);
    const location = new URL(done.headers.get('location')!);
    expect([location.protocol, location.host]).toEqual([
      'apple-remotemanagement-user-login:',
      'authentication-results',
    ]);
    return location.searchParams.get('access-token')!;
  }

  it('takes a user from the sign-in to an enrolled device, with the token on every request', async () => {
    const to = await account();
    const token = await signInAs(to);
    const { mdm, scep } = await mdmPayload(
      await post(to, '/enrol/account/byod', await signed(byod), { authorization: `Bearer ${token}` }),
    );
    expect(mdm).toMatchObject({
      EnrollmentMode: 'BYOD',
      AssignedManagedAppleID: 'ann@appleid.example.com',
      ServerURL: `${ORIGIN}/mdm/account/connect`,
      CheckInURL: `${ORIGIN}/mdm/account/checkin`,
    });
    expect(mdm).not.toHaveProperty('AccessRights');
    const { certificate, privateKey } = await scepEnrol({
      url: `${ORIGIN}/scep`,
      fetch: (request) => to.host.fetch(request, { remoteAddress: '192.0.2.10' }),
      subject: 'CN=x',
      challenge: scep.Challenge,
      clock: { now: () => START },
    });
    const send = (path: string, message: Record<string, PlistInput>, authorization?: string) => {
      const body = encodeXml(message);
      const signature = Buffer.from(signCms(body, { certificate, privateKey, detached: true })).toString('base64');
      const headers = { 'mdm-signature': signature, ...(authorization === undefined ? {} : { authorization }) };
      return to.fetch(path, { method: 'PUT', headers, body: body as Uint8Array<ArrayBuffer> });
    };
    const authenticate = {
      MessageType: 'Authenticate',
      EnrollmentID: 'E1',
      Topic: TOPIC,
      ProductName: 'iPhone10,2',
      OSVersion: '18.1',
    };
    const missing = await send('/mdm/account/checkin', authenticate);
    expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('apple-as-web'),
    ]);
    const bearer = `Bearer ${token}`;
    expect((await send('/mdm/account/checkin', authenticate, bearer)).status).toBe(200);
    const tokenUpdate = {
      MessageType: 'TokenUpdate',
      EnrollmentID: 'E1',
      Topic: TOPIC,
      PushMagic: 'm',
      Token: new Uint8Array(32),
    };
    expect((await send('/mdm/account/checkin', tokenUpdate, bearer)).status).toBe(200);
    expect((await to.engine.devices.get('E1'))?.enrolment).toMatchObject({
      kind: 'user-enrolment-device',
      status: 'active',
    });
    expect((await to.engine.devices.get('E1'))?.facts).toMatchObject({
      'ios.managed_apple_id': 'ann@appleid.example.com',
      'ios.account_driven': 'BYOD',
    });
    const idle = { Status: 'Idle', EnrollmentID: 'E1' };
    const command = decodeDict(new Uint8Array(await (await send('/mdm/account/connect', idle, bearer)).arrayBuffer()));
    expect(command['Command']).toMatchObject({ RequestType: 'DeviceInformation' });
    // Nor does the device get anywhere without its user's token elsewhere, or with somebody else's.
    const other = await send('/mdm/connect', idle);
    expect([other.status, other.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('apple-as-web'),
    ]);
    expect((await send('/mdm', idle, bearer)).status).toBe(200);
    const bobs = `Bearer ${await signInAs(to, 'bob')}`;
    expect((await send('/mdm/account/connect', idle, bobs)).status).toBe(401);
    // A token that is forged, or over, sends the user to the sign-in again.
    expect((await send('/mdm/account/connect', idle, `${bearer}x`)).status).toBe(401);
    to.clock.advance(30 * 86_400_000);
    expect((await send('/mdm/account/connect', idle, bearer)).status).toBe(401);
    // Its renewal is the same enrolment: same addresses, same account.
    const { enrolment } = (await to.engine.devices.get('E1'))!;
    const renewed = readProfile((await to.host.renewalProfile({ enrolment, ttlMinutes: 60 } as never))!);
    expect(renewed.payloads.find(({ type }) => type === 'com.apple.mdm')!.content).toMatchObject({
      EnrollmentMode: 'BYOD',
      AssignedManagedAppleID: 'ann@appleid.example.com',
      ServerURL: `${ORIGIN}/mdm/account/connect`,
    });
  });

  it('enrols whole devices, with their access rights', async () => {
    const to = await account(
      {},
      { profile: { organisation: 'Example', topic: TOPIC, sign: (bytes) => bytes, accessRights: 3 } },
    );
    const token = await signInAs(to);
    const headers = { authorization: `Bearer ${token}` };
    const { mdm } = await mdmPayload(await post(to, '/enrol/account/adde', await signed(iphone), headers));
    expect(mdm).toMatchObject({ EnrollmentMode: 'ADDE', AccessRights: 3 });
    const own = await mdmPayload(await post(to, '/enrol/account/byod', await signed(byod), headers));
    expect(own.mdm).not.toHaveProperty('AccessRights');
  });

  it('goes by OAuth 2 of another server', async () => {
    const oauth = {
      method: 'apple-oauth2',
      authorizationUrl: 'https://id.example.com/authorize',
      tokenUrl: 'https://id.example.com/token',
      redirectUrl: 'apple-remotemanagement-user-login:/oauth2/redirection',
      clientId: 'espalier',
      scope: 'MDM',
      verify: async (token: string) =>
        token === 'good' ? { managedAppleAccount: 'ann@example.com', mode: 'BYOD' as const } : null,
    } as const;
    const to = await account({ signIn: oauth });
    const refused = await post(to, '/enrol/account/byod', await signed(byod), { authorization: 'Bearer bad' });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain(
      'method="apple-oauth2", authorization-url="https://id.example.com/authorize"',
    );
    const headers = { authorization: 'Bearer good' };
    const { mdm } = await mdmPayload(await post(to, '/enrol/account/byod', await signed(byod), headers));
    expect(mdm['AssignedManagedAppleID']).toBe('ann@example.com');
    // A user of the one kind does not get the other, and there is no page of ours.
    expect((await post(to, '/enrol/account/adde', await signed(iphone), headers)).status).toBe(403);
    expect((await to.fetch('/enrol/account/sign-in')).status).toBe(404);
  });

  it('refuses devices that are not Apple’s, or that the product sends away', async () => {
    const to = await account({ admit: ({ product }) => (product.startsWith('iPhone') ? null : unrecognisedDevice()) });
    const headers = { authorization: `Bearer ${await signInAs(to)}` };
    expect((await post(to, '/enrol/account/byod', await signed(byod, authority('Somebody')), headers)).status).toBe(
      403,
    );
    expect((await post(to, '/enrol/account/byod', await signed({ ...byod, PRODUCT: 'iPad8,1' }), headers)).status).toBe(
      403,
    );
    expect((await to.engine.enrolling.invitations()).items).toEqual([]);
    expect((await to.fetch('/enrol/account/sign-in', { method: 'POST', body: 'password=wrong' })).status).toBe(403);
  });
});

describe('User Enrolment as a whole', () => {
  async function byAccount(options: Partial<AccountOptions>) {
    const verify = async (token: string) => ({ managedAppleAccount: Buffer.from(token, 'base64url').toString('utf8') });
    return world({
      account: {
        anchors: [(await apple()).certificate],
        mode: () => 'BYOD',
        signIn: {
          method: 'apple-oauth2',
          authorizationUrl: 'https://id.example.com/authorize',
          tokenUrl: 'https://id.example.com/token',
          redirectUrl: 'apple-remotemanagement-user-login:/oauth2/redirection',
          clientId: 'espalier',
          scope: 'MDM',
          verify,
        },
        ...options,
      },
    });
  }
  const tried = async (to: World, path: string, account: string, info: Record<string, PlistInput> = byod) => {
    const answer = await post(to, path, await signed(info), {
      authorization: `Bearer ${Buffer.from(account).toString('base64url')}`,
    });
    return answer.status === 200 ? 200 : ((await answer.json()) as { code: string }).code;
  };
  const BYOD = '/enrol/account/byod';

  it('takes the accounts of the server’s domain, of those that are listed, or any', async () => {
    const own = await byAccount({ accountDomains: 'host' });
    const good = ['ann@example.com', 'ann@mdm.example.com', 'Ann@EXAMPLE.com', 'ann@example.com.'];
    for (const account of good) expect([account, await tried(own, BYOD, account)]).toEqual([account, 200]);
    for (const account of [
      'ann@appleid.example.com',
      'ann@ample.com',
      'ann@com',
      'example.com',
      'ann@',
      'ann@example.com@com',
    ])
      expect([account, await tried(own, BYOD, account)]).toEqual([account, 'host.account.domain']);
    expect((await own.engine.enrolling.invitations()).items).toHaveLength(good.length);
    const listed = await byAccount({ accountDomains: ['bücher.example'] });
    expect(await tried(listed, BYOD, 'ann@xn--bcher-kva.example')).toBe(200);
    expect(await tried(listed, BYOD, 'ann@example.com')).toBe('host.account.domain');
    expect(await tried(await byAccount({}), BYOD, 'ann@elsewhere.example')).toBe(200);
    const refused = (await own.engine.events.list({ type: 'door.refused' })).items;
    expect(refused[0]?.data['code']).toBe('host.account.domain');
  });

  it('takes one account of each user who is named, at the sign-in and after it', async () => {
    const to = await byAccount({
      signIn: {
        method: 'apple-as-web',
        page: (request, { accept }) => {
          const { searchParams } = new URL(request.url);
          return accept({ managedAppleAccount: searchParams.get('as') ?? '', userId: 'joe' });
        },
      },
    });
    const signIn = (as: string) => to.fetch(`/enrol/account/sign-in?as=${as}`);
    const tokenOf = async (as: string) =>
      new URL((await signIn(as)).headers.get('location') ?? 'x:').searchParams.get('access-token');
    const [first, second] = [await tokenOf('joe@example.com'), await tokenOf('joe-abm@example.com')];
    const enrolWith = async (token: string | null) =>
      post(to, BYOD, await signed(byod), { authorization: `Bearer ${token}` });
    expect((await mdmPayload(await enrolWith(first))).mdm).toMatchObject({ AssignedManagedAppleID: 'joe@example.com' });
    const refused = await enrolWith(second);
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, 'host.account.other']);
    expect((await signIn('joe-abm@example.com')).status).toBe(403);
    // The account is the same in any case, and written as it was first.
    const again = await mdmPayload(await enrolWith(await tokenOf('JOE@example.com')));
    expect(again.mdm).toMatchObject({ AssignedManagedAppleID: 'joe@example.com' });

    const path = '/user-enrolment/accounts/joe';
    expect(await (await to.api('GET', path)).json()).toEqual({ managedAppleAccount: 'joe@example.com' });
    expect((await to.api('PUT', path, { managedAppleAccount: 'joe-abm@example.com' })).status).toBe(204);
    expect((await enrolWith(second)).status).toBe(200);
    expect((await enrolWith(first)).status).toBe(403);
  });

  it('asks for another account already at the sign-in', async () => {
    const to = await byAccount({
      accountDomains: 'host',
      signIn: {
        method: 'apple-as-web',
        page: (request, { accept }) =>
          accept({ managedAppleAccount: new URL(request.url).searchParams.get('as') ?? '' }),
      },
    });
    expect((await to.fetch('/enrol/account/sign-in?as=ann@example.com')).status).toBe(308);
    expect((await to.fetch('/enrol/account/sign-in?as=ann@gmail.example')).status).toBe(403);
  });

  it('is turned off and on by the admin API, which tells what is missing', async () => {
    const to = await byAccount({});
    const shown = async (answer: Response) => {
      const body = (await answer.json()) as { ready: boolean; checks: { check: string; state: string }[] };
      return [answer.status, body.ready, ...body.checks.map(({ check, state }) => `${check} ${state}`)];
    };
    const rest = ['push-certificate missing', 'server-token unchecked', 'sign-in ok', 'address ok'];
    expect(await shown(await to.api('GET', '/user-enrolment'))).toEqual([200, false, 'enabled ok', ...rest]);
    const discover = async () =>
      (await to.fetch('/.well-known/com.apple.remotemanagement?user-identifier=a@example.com&model-family=iPhone'))
        .status;
    expect(await discover()).toBe(200);
    expect(await shown(await to.api('PUT', '/user-enrolment', { enabled: false }))).toEqual([
      200,
      false,
      'enabled missing',
      ...rest,
    ]);
    expect([await discover(), await tried(to, BYOD, 'ann@example.com')]).toEqual([403, 'host.account.disabled']);
    // Whole devices are another matter.
    expect(await tried(to, '/enrol/account/adde', 'ann@example.com', iphone)).toBe(200);
    const on = await to.api('PUT', '/user-enrolment', { enabled: true });
    expect([on.status, await on.json()]).toMatchObject([409, { code: 'core.user_enrolment.not_ready' }]);
    const without = await world({ publicUrl: 'http://localhost:8080' });
    expect(await shown(await without.api('GET', '/user-enrolment'))).toContain('sign-in missing');
    expect(await shown(await without.api('GET', '/user-enrolment'))).toContain('address missing');
  });
});

describe('the profile service', () => {
  it('asks for the device first, and ties its answer to the invitation', async () => {
    const to = await world({ profileService: { anchors: [(await apple()).certificate] } });
    const { token } = await to.engine.enrolling.invite();
    const other = await to.engine.enrolling.invite();
    const asked = async (link: string) => {
      const answer = await to.fetch(`/enrol/ota/${link}`);
      expect(answer.headers.get('content-type')).toBe('application/x-apple-aspen-config');
      return decodeDict(new Uint8Array(await answer.arrayBuffer()))['PayloadContent'] as {
        URL: string;
        Challenge: string;
      };
    };
    const { URL: url, Challenge: CHALLENGE } = await asked(token);
    expect(url).toBe(`${ORIGIN}/enrol/ota/${token}`);
    const { mdm } = await mdmPayload(await post(to, `/enrol/ota/${token}`, await signed({ ...iphone, CHALLENGE })));
    expect(mdm['Topic']).toBe(TOPIC);
    for (const [link, info] of [
      [token, iphone],
      [token, { ...iphone, CHALLENGE: 'guessed' }],
      [other.token, { ...iphone, CHALLENGE }],
    ] as const) {
      const answer = await post(to, `/enrol/ota/${link}`, await signed(info));
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([403, 'host.enrol.challenge']);
    }
    expect(
      (await post(to, `/enrol/ota/${token}`, await signed({ ...iphone, CHALLENGE }, authority('Somebody')))).status,
    ).toBe(403);
    expect((await to.fetch('/enrol/ota/unknown')).status).toBe(404);
  });
});

it('an Apple TV and a Shared iPad come in by the same door, and their users too', async () => {
  const to = await world({ ade: { anchors: [(await apple()).certificate] } });
  const tv = { UDID: 'TV', SERIAL: 'T', PRODUCT: 'AppleTV14,1', VERSION: '21J354', OS_VERSION: '17.0' };
  expect((await post(to, '/enrol/ade', await signed(tv))).status).toBe(200);
  const ipad = await device('P1', to.ca);
  for (const message of [messages.authenticate('P1', { ProductName: 'iPad13,1' }), messages.tokenUpdate('P1')]) {
    expect((await to.fetch('/mdm/checkin', ipad.request(message))).status).toBe(200);
  }
  const user = {
    UserID: 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    UserShortName: 'ann@appleid.example.com',
    UserLongName: 'Ann',
  };
  const update = { ...(messages.tokenUpdate('P1') as Record<string, PlistInput>), ...user };
  expect((await to.fetch('/mdm/checkin', ipad.request(update))).status).toBe(200);
  const detail = await to.engine.devices.get('P1:ann@appleid.example.com');
  expect(detail).toMatchObject({
    enrolment: { kind: 'shared-ipad-user', parent: 'P1', status: 'active' },
    facts: { 'ios.managed_apple_id': 'ann@appleid.example.com' },
  });
});

it('whatever comes to these doors, nobody is let in and nothing fails inside', async () => {
  const to = await world({
    ade: { anchors: [(await apple()).certificate], web: async () => new Response('page') },
    account: {
      anchors: [(await apple()).certificate],
      mode: () => 'BYOD',
      signIn: { method: 'apple-as-web', page: () => new Response('page') },
    },
    profileService: { anchors: [(await apple()).certificate] },
  });
  const { token } = await to.engine.enrolling.invite();
  const before = (await to.engine.enrolling.invitations()).items.length;
  const real = await signed(iphone);
  const doors = ['/enrol/ade', '/enrol/account/byod', '/enrol/account/adde', `/enrol/ota/${token}`];
  const damaged = fc.tuple(fc.nat(real.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
    const copy = Uint8Array.from(real);
    copy[at] = (copy[at] as number) ^ by;
    return copy;
  });
  const cut = fc.nat(real.length - 1).map((length) => real.slice(0, length));
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    damaged,
    cut,
    fc.string().map((text) => Buffer.from(text)),
  );
  const header = fc.oneof(fc.string({ unit: fc.constantFrom(...'aA0+/=.- ') }), fc.constant('Bearer a.b'));
  await property(fc.tuple(fc.constantFrom(...doors), body, header), 150, async ([door, bytes, text]) => {
    const authorization = /^[\x21-\x7e][\x20-\x7e]*$/.test(text) ? text : 'none';
    const answer = await post(to, door, new Uint8Array(bytes), { authorization });
    const visit = await to.fetch('/enrol/ade/web', { headers: { 'x-apple-aspen-deviceinfo': authorization } });
    // A byte that nothing depends on leaves the signature good: then the token is missing.
    expect(door === '/enrol/ade' ? [200, 400, 403, 413] : [400, 401, 403, 413]).toContain(answer.status);
    expect([400, 403]).toContain(visit.status);
  });
  const letIn = (await to.engine.enrolling.invitations({ limit: 1000 })).items.length - before;
  expect(letIn).toBeLessThanOrEqual(5);
  for (const query of ['%', '%00', 'user-identifier=%ff@x&model-family=%00', `user-identifier=${'@'.repeat(300)}`]) {
    const answer = await to.fetch(`/.well-known/com.apple.remotemanagement?${query}`);
    expect([200, 400, 403]).toContain(answer.status);
  }
});
