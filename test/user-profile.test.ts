// Profile-based User Enrolment (ABM-25): the page in Safari, who is let in by it, and simulated devices that take its profile.
import { createEngine, createKeyRing, createMemoryStore } from '@espalier/core';
import { type AccountOptions, createHost, hashAdminToken } from '@espalier/host';
import { createRootCa, openCa } from '@espalier/pki';
import { decodeDict, type PlistDict } from '@espalier/plist';
import { createSimulatedDevice, type SimulatedDeviceOptions } from '@espalier/simulator';
import { describe, expect, it } from 'vitest';

const ORIGIN = 'https://mdm.example.com';
const safari = (version: string, system = 'iPhone; CPU iPhone OS 17_5 like Mac OS X') =>
  `Mozilla/5.0 (${system}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/${version} Mobile/15E148 Safari/604.1`;
const PHONE = safari('17.5');

async function setting(options: Partial<AccountOptions> = {}) {
  let time = Date.UTC(2026, 0, 15, 12);
  const clock = { now: () => time };
  const ca = await openCa({ ...(await createRootCa({ subject: 'CN=Test', clock })), clock });
  let renew = 0;
  const engine = createEngine({
    store: createMemoryStore(),
    keys: createKeyRing({ current: { id: 'test', key: new Uint8Array(32).fill(7) } }),
    clock,
    renewal: {
      profile: (input) => {
        renew++;
        return host.renewalProfile(input);
      },
    },
  });
  const host = createHost({
    engine,
    ca,
    identity: { anchors: [ca.certificate] },
    profile: { organisation: 'Example', topic: 'com.apple.mgmt.External.test', sign: (bytes) => bytes },
    adminTokens: [hashAdminToken('a token that nobody uses here, long enough')],
    publicUrl: ORIGIN,
    account: {
      anchors: [ca.certificate],
      mode: () => 'BYOD',
      signIn: { method: 'apple-as-web', page: () => new Response('elsewhere') },
      profilePage: async (request, { accept }) => {
        if (request.method === 'GET') return new Response('<form>', { headers: { 'content-type': 'text/html' } });
        const form = new URLSearchParams(await request.text());
        if (form.get('password') !== 'secret') return new Response('no', { status: 403 });
        const userId = form.get('user') ?? '';
        return accept({ managedAppleAccount: form.get('account') ?? `${userId}@appleid.example.com`, userId });
      },
      ...options,
    },
  });
  const fetch = (path: string, init: RequestInit = {}) => host.fetch(new Request(new URL(path, ORIGIN), init));
  const open = (userAgent?: string) =>
    fetch('/enrol/user', userAgent === undefined ? {} : { headers: { 'user-agent': userAgent } });
  const signIn = (fields: Record<string, string>, userAgent = PHONE) =>
    fetch('/enrol/user', {
      method: 'POST',
      headers: { 'user-agent': userAgent, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields).toString(),
    });
  const device = (more: Partial<SimulatedDeviceOptions> = {}) =>
    createSimulatedDevice({
      ...{ kind: 'iPhone', osVersion: '17.5', seed: 'user profile', clock, retry: { attempts: 1 } },
      fetch: (request) => host.fetch(request),
      sleep: async () => undefined,
      ...more,
    });
  /** Where the profile is, after a sign-in. */
  const signedIn = async (user = 'ann', userAgent = PHONE): Promise<string> => {
    const answer = await signIn({ user, password: 'secret' }, userAgent);
    expect(answer.status).toBe(303);
    return answer.headers.get('location')!;
  };
  const advance = (ms: number): void => {
    time += ms;
  };
  return { engine, host, fetch, open, signIn, signedIn, device, advance, renewals: () => renew };
}

const mdmOf = (profile: Uint8Array): PlistDict => {
  const payloads = decodeDict(profile)['PayloadContent'] as readonly PlistDict[];
  return payloads.find((payload) => payload['PayloadType'] === 'com.apple.mdm')!;
};
const profileAt = async (to: Awaited<ReturnType<typeof setting>>, url: string) =>
  mdmOf(new Uint8Array(await (await to.fetch(url)).arrayBuffer()));

describe('the page', () => {
  it('is for Safari, and for systems that take such a profile', async () => {
    const to = await setting();
    expect((await to.open(PHONE)).status).toBe(200);
    expect((await to.open(safari('17.0', 'Macintosh; Intel Mac OS X 10_15_7'))).status).toBe(200);
    expect((await to.open()).status).toBe(200);
    for (const other of ['CriOS/126.0', 'FxiOS/127.0', 'EdgiOS/125.0']) {
      const answer = await to.open(`${PHONE} ${other}`);
      expect([answer.status, (await answer.text()).includes('Safari')]).toEqual([403, true]);
    }
    const late = await to.open(safari('18.1'));
    expect(late.status).toBe(403);
    expect(await late.text()).toContain('Sign In to Work or School Account');
    // Nor is anybody signed in there.
    expect((await to.signIn({ user: 'ann', password: 'secret' }, safari('18.1'))).status).toBe(403);
    expect((await to.engine.enrolling.invitations()).items).toEqual([]);
  });

  it('lets nobody in without a sign-in, with another account, or where it is switched off', async () => {
    const to = await setting({ accountDomains: ['appleid.example.com'] });
    expect((await to.signIn({ user: 'ann', password: 'wrong' })).status).toBe(403);
    const foreign = await to.signIn({ user: 'ann', password: 'secret', account: 'ann@elsewhere.example' });
    expect([foreign.status, ((await foreign.json()) as { code: string }).code]).toEqual([403, 'host.account.domain']);
    await to.signedIn();
    const second = await to.signIn({ user: 'ann', password: 'secret', account: 'ann-abm@appleid.example.com' });
    expect([second.status, ((await second.json()) as { code: string }).code]).toEqual([403, 'host.account.other']);
    await to.engine.userEnrolments.set({ enabled: false });
    const off = await to.signIn({ user: 'bob', password: 'secret' });
    expect([off.status, ((await off.json()) as { code: string }).code]).toEqual([403, 'host.account.disabled']);
    expect((await to.engine.enrolling.invitations()).items.length).toBe(1);
  });
});

describe('the profile', () => {
  it('enrols a device as the user’s own, without a token, and can be renewed', async () => {
    const to = await setting();
    const device = to.device();
    await device.enrol(await to.signedIn());
    expect(device.state().enrolledBy).toBe('user-profile');
    const { items } = await to.engine.devices.list();
    expect(items.map(({ enrolment }) => enrolment)).toMatchObject([
      { kind: 'user-enrolment-device', status: 'active' },
    ]);
    const { id } = items[0]!.enrolment;
    expect(items[0]?.facts).toMatchObject({
      'ios.managed_apple_id': 'ann@appleid.example.com',
      'ios.apple_user_enrolled_device': true,
      'user.user_id': 'ann',
    });
    expect((await device.poll()).ended).toBe('idle');
    // The renewal has the account too, and neither rights nor a mode.
    const before = device.state().profiles.length;
    expect(await to.engine.certificates.renew(id)).toBe(true);
    expect((await device.poll()).ended).toBe('idle');
    expect([to.renewals(), device.state().profiles.length]).toEqual([1, before]);
    expect((await to.engine.events.list({ type: 'certificate.renewed' })).items.length).toBe(1);
    expect((await to.engine.devices.get(id))?.enrolment.status).toBe('active');
  });

  it('says User Enrolment to systems that know it, and device enrolment to older ones', async () => {
    const to = await setting();
    const user = await profileAt(to, await to.signedIn());
    expect(user['ManagedAppleID']).toBe('ann@appleid.example.com');
    for (const key of ['AccessRights', 'EnrollmentMode', 'AssignedManagedAppleID']) expect(user[key]).toBeUndefined();
    expect(user['ServerURL']).toBe(`${ORIGIN}/mdm/connect`);
    for (const old of [safari('12.1'), safari('13.0'), PHONE.replace(/Version\S+/, '').replace('17_5', '12_4')]) {
      const whole = await profileAt(to, await to.signedIn('ann', old));
      expect([whole['ManagedAppleID'], whole['AccessRights']]).toEqual([undefined, 8191]);
    }
  });

  it('is for ten minutes', async () => {
    const to = await setting();
    const late = await to.signedIn();
    to.advance(10 * 60_000);
    expect((await to.fetch(late)).status).toBe(403);
    await expect(to.device().enrol(late)).rejects.toThrow();
    // Downloaded in time, and installed too late.
    const url = await to.signedIn();
    const challenge = async (at: string) => {
      const profile = decodeDict(new Uint8Array(await (await to.fetch(at)).arrayBuffer()));
      const payloads = profile['PayloadContent'] as readonly PlistDict[];
      const scep = payloads.find((payload) => payload['PayloadType'] === 'com.apple.security.scep')!;
      return (scep['PayloadContent'] as PlistDict)['Challenge'] as string;
    };
    const given = await challenge(url);
    to.advance(10 * 60_000);
    const { scepStore } = to.engine.enrolling;
    expect(await scepStore.findChallenge(given)).toBeNull();
  });

  it('does not enrol a device as a whole', async () => {
    const to = await setting();
    const url = await to.signedIn();
    // A device that leaves the account out of the profile.
    const liar = to.device({
      fetch: async (request) => {
        const answer = await to.host.fetch(request);
        if (!request.url.startsWith(`${ORIGIN}/enrol/`)) return answer;
        const text = await answer.text();
        const without = text.replace(/<key>ManagedAppleID<\/key>\s*<string>[^<]*<\/string>/, '');
        expect(without).not.toBe(text);
        return new Response(
          without.replace('<key>CheckInURL', '<key>AccessRights</key><integer>8191</integer><key>CheckInURL'),
          {
            headers: answer.headers,
          },
        );
      },
    });
    await expect(liar.enrol(url)).rejects.toThrow();
    expect((await to.engine.devices.list()).items).toEqual([]);
    const { items } = await to.engine.events.list({ type: 'enrolment.identity-refused' });
    expect(items.length).toBeGreaterThan(0);
  });
});
