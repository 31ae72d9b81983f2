// Identities from end to end: simulated devices at a real host get them by ACME and SCEP, renew them, and lose them.
import { createHash } from 'node:crypto';
import { accessRight, accessRightNames, allAccessRights } from '@espalier/apple-mdm';
import {
  createEngine,
  createKeyRing,
  createMemoryStore,
  type Engine,
  type EngineInput,
  type IssuedCertificate,
} from '@espalier/core';
import { faultyStore } from '@espalier/core/contract';
import {
  type AcmeOptions,
  createAdminToken,
  createHost,
  type Host,
  type HostOptions,
  hashAdminToken,
} from '@espalier/host';
import {
  type CertificateAuthority,
  createRootCa,
  fromPem,
  openCa,
  readCertificate,
  scepEnrol,
  signCms,
} from '@espalier/pki';
import { encodeXml } from '@espalier/plist';
import {
  type AttestationService,
  createSimulatedAttestation,
  createSimulatedDevice,
  restoreDevice,
  type SimulatedAttestation,
  type SimulatedDevice,
  type SimulatedDeviceOptions,
} from '@espalier/simulator';
import { beforeAll, describe, expect, it } from 'vitest';

const START = Date.UTC(2026, 0, 15, 12);
const DAY = 86_400_000;
const ORIGIN = 'https://mdm.example.com';

let root: Awaited<ReturnType<typeof createRootCa>>;
let attestation: SimulatedAttestation;
beforeAll(async () => {
  const clock = { now: () => START };
  root = await createRootCa({ subject: 'CN=Test root', key: { type: 'rsa', bits: 2048 }, clock });
  attestation = await createSimulatedAttestation({ clock });
});

interface World {
  readonly clock: { time: number; now(): number };
  readonly ca: CertificateAuthority;
  readonly engine: Engine;
  readonly host: Host;
  readonly token: string;
  device(options?: Partial<SimulatedDeviceOptions>): SimulatedDevice;
  enrol(device: SimulatedDevice): Promise<Uint8Array>;
  api(method: string, path: string, body?: unknown): Promise<Response>;
  register(): Promise<readonly IssuedCertificate[]>;
  events(type: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

async function world(
  options: { readonly by?: 'scep' | 'acme'; readonly acme?: AcmeOptions } & Partial<HostOptions> = {},
  engineOptions: Partial<EngineInput> = {},
): Promise<World> {
  const { by = 'scep', ...hostOptions } = options;
  const clock = {
    time: START,
    now() {
      return this.time;
    },
  };
  let count = 0;
  const random = (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at += 32) {
      const block = createHash('sha256').update(`certificates.${count++}`).digest();
      out.set(block.subarray(0, Math.min(32, length - at)), at);
    }
    return out;
  };
  const ca = options.ca ?? (await openCa({ ...root, clock }));
  const keys = createKeyRing({ current: { id: 'test', key: random(32) }, random });
  const engine: Engine = createEngine({
    ...{ store: createMemoryStore(), keys, clock, random },
    renewal: { profile: (request) => host.renewalProfile(request) },
    ...engineOptions,
  });
  const token = createAdminToken(random);
  const host: Host = createHost({
    engine,
    ca,
    identity: { anchors: [ca.certificate] },
    profile: { organisation: 'Example', topic: 'com.apple.mgmt.External.test', sign: (bytes) => bytes, identity: by },
    adminTokens: [hashAdminToken(token)],
    publicUrl: ORIGIN,
    random,
    acme: { roots: [attestation.root] },
    ...hostOptions,
  });
  return {
    clock,
    ca,
    engine,
    host,
    token,
    device: (more = {}) =>
      createSimulatedDevice({
        ...{ kind: 'iPhone', seed: 'certificates', clock, attestation, retry: { attempts: 3 } },
        fetch: (request) => host.fetch(request),
        sleep: async () => undefined,
        ...more,
      }),
    async enrol(device) {
      const invitation = await engine.enrolling.invite();
      return (await device.enrol(`${ORIGIN}/enrol/${invitation.token}`)).certificate;
    },
    api: (method, path, body) =>
      host.fetch(
        new Request(`${ORIGIN}/api/v1${path}`, {
          method,
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        }),
      ),
    register: async () => (await engine.certificates.list({ limit: 100 })).items,
    events: async (type) => {
      const { items } = await engine.events.list({ order: 'oldest', limit: 1000 });
      return items.filter((event) => event.type === type).map(({ data, enrolmentId }) => ({ ...data, enrolmentId }));
    },
  };
}

interface Signer {
  readonly certificate: Uint8Array;
  readonly privateKey: Uint8Array;
}

const fingerprintOf = (der: Uint8Array): string => createHash('sha256').update(der).digest('hex');
const statuses = async (to: World): Promise<string[]> => (await to.register()).map(({ status }) => status);

describe('an identity by ACME', () => {
  it('is attested, registered with what Apple says, and in force', async () => {
    const to = await world({ by: 'acme' });
    const phone = to.device();
    const certificate = await to.enrol(phone);
    const [entry, ...others] = await to.register();
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      fingerprint: fingerprintOf(certificate),
      enrolmentId: phone.udid,
      status: 'in-force',
      attestation: {
        at: START,
        properties: { serialNumber: phone.serialNumber, udid: phone.udid, osVersion: phone.state().osVersion },
      },
    });
    expect(entry?.attestation?.chain.length).toBe(3);
    expect(await to.events('invitation.consumed')).toHaveLength(1);
    expect(await to.events('certificate.issued')).toMatchObject([{ attested: true }]);
    expect((await phone.poll()).ended).toBe('idle');
  });

  it('is refused without an attestation, and given where the host allows that', async () => {
    const strict = await world({ by: 'acme' });
    const bare = (to: World) =>
      createSimulatedDevice({
        ...{ kind: 'iPhone', seed: 'certificates', clock: to.clock, fetch: (request) => to.host.fetch(request) },
        sleep: async () => undefined,
      });
    await expect(strict.enrol(bare(strict))).rejects.toMatchObject({ code: 'simulator.acme' });
    expect(await strict.register()).toEqual([]);
    const open = await world({ by: 'acme', acme: { roots: [attestation.root], withoutAttestation: 'allow' } });
    await open.enrol(bare(open));
    expect(await open.register()).toMatchObject([{ status: 'in-force', attestation: null }]);
  });

  it('is refused by Apple’s own root, the default, to whom a test’s authority is a stranger', async () => {
    const to = await world({ by: 'acme', acme: {} });
    await expect(to.enrol(to.device())).rejects.toMatchObject({ code: 'simulator.acme' });
    expect(await to.register()).toEqual([]);
  });

  it('lets in the attested device only', async () => {
    const to = await world({ by: 'acme' });
    const other: AttestationService = {
      attest: (request) => attestation.attest({ ...request, serialNumber: 'ANOTHER123' }),
    };
    await expect(to.enrol(to.device({ attestation: other }))).rejects.toMatchObject({
      ...{ code: 'simulator.refused', status: 403 },
    });
    expect(await to.events('enrolment.identity-refused')).toMatchObject([{ reason: 'attestation' }]);
    expect((await to.engine.devices.list()).total).toBe(0);
  });

  it('is the same after the answer with the certificate was lost, at each step', async () => {
    for (const lost of [
      '/acme/new-account',
      '/acme/new-order',
      '/acme/challenge/',
      '/finalize',
      '/acme/certificate/',
    ]) {
      const to = await world({ by: 'acme' });
      let left = 1;
      const phone = to.device({
        fetch: async (request) => {
          const response = await to.host.fetch(request);
          if (request.url.includes(lost) && left-- > 0) throw new TypeError('the connection was lost');
          return response;
        },
      });
      const certificate = await to.enrol(phone);
      expect(left).toBeLessThan(1);
      expect((await to.register()).map(({ fingerprint }) => fingerprint)).toEqual([fingerprintOf(certificate)]);
    }
  });

  it('comes with the chain that issued it, also when the authority changed before it was fetched', async () => {
    const to = await world({ by: 'acme' });
    const second = await createRootCa({ subject: 'CN=Second root', key: { type: 'rsa', bits: 2048 }, clock: to.clock });
    const promoted = createHost({
      ...{ engine: to.engine, ca: await openCa({ ...second, clock: to.clock }), rollover: { earlier: [to.ca] } },
      ...{ identity: { anchors: [second.certificate] }, publicUrl: ORIGIN, acme: { roots: [attestation.root] } },
      profile: { ...{ organisation: 'Example', topic: 'com.apple.mgmt.External.test' }, sign: (bytes) => bytes },
    });
    let host = to.host;
    const fetched: string[] = [];
    const phone = to.device({
      fetch: async (request) => {
        const response = await host.fetch(request);
        if (!request.url.includes('/acme/certificate/')) return response;
        fetched.push(await response.clone().text());
        if (host === promoted) return response;
        host = promoted;
        throw new TypeError('the connection was lost');
      },
    });
    const certificate = await to.enrol(phone);
    // The very same request is refused for its nonce, and goes out again with another.
    expect(host).toBe(promoted);
    const chain = fetched
      .at(-1)!
      .match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/g)!
      .map((pem) => fromPem(pem));
    expect(chain.map(fingerprintOf)).toEqual([certificate, root.certificate].map(fingerprintOf));
  });

  for (const [by, call] of [
    ['acme', 'acme.commit'],
    ['scep', 'certificates.commitScep'],
  ] as const) {
    it(`is the same after a crash between issuing and answering (${by})`, async () => {
      for (const fault of ['before', 'after'] as const) {
        const store = faultyStore(createMemoryStore(), ({ name, count }) =>
          name === call && count === 0 ? fault : 'none',
        );
        const to = await world({ by }, { store });
        const certificate = await to.enrol(to.device());
        expect((await to.register()).map(({ fingerprint }) => fingerprint)).toEqual([fingerprintOf(certificate)]);
      }
    });
  }

  it('is given once for an identifier, which names the device that it renews for', async () => {
    const to = await world({ by: 'acme' });
    const phone = to.device();
    await to.enrol(phone);
    // A renewal that another device got hold of is attested for the wrong serial number.
    const enrolment = (await to.engine.devices.get(phone.udid))!.enrolment;
    const profile = (await to.host.renewalProfile({ enrolment, ttlMinutes: 60 }))!;
    const thief = to.device({ seed: 'thief' });
    await expect(thief.enrol(profile)).rejects.toMatchObject({ code: 'simulator.acme' });
    expect(await statuses(to)).toEqual(['in-force']);
  });
});

describe('access rights', () => {
  it('are taken away by sending the profile again, and given by enrolling anew only', async () => {
    const to = await world();
    const phone = to.device();
    await to.enrol(phone);
    await phone.poll();
    const state = async () => (await (await to.api('GET', `/devices/${phone.udid}/mdm-profile`)).json()) as unknown;
    expect((await to.api('GET', '/mdm-profile')).status).toBe(404);
    expect(await state()).toMatchObject({ state: 'up-to-date', missing: [], surplus: [] });
    const most = accessRightNames(allAccessRights).filter((name) => name !== 'AllowDeviceErase');
    const set = async (accessRights: readonly string[]) =>
      (await to.api('PUT', '/mdm-profile', { accessRights })).status;
    expect(await set(['AllowInstallationRemoval'])).toBe(400);
    expect(await set(most)).toBe(200);
    expect(await state()).toMatchObject({ state: 'updating', surplus: ['AllowDeviceErase'] });
    await to.engine.tick();
    // The simulated device refuses a profile that widens its rights, as Apple's do.
    expect((await phone.poll()).commands).toMatchObject([{ requestType: 'InstallProfile', status: 'Acknowledged' }]);
    expect(await state()).toMatchObject({ state: 'up-to-date', held: { accessRights: most } });
    expect(phone.state().mdm?.accessRights).toBe(allAccessRights & ~accessRight.AllowDeviceErase);
    const erase = { target: { enrolmentIds: [phone.udid] }, requestType: 'EraseDevice' };
    expect((await to.api('POST', '/commands', erase)).status).toBe(409);
    expect(await set(accessRightNames(allAccessRights))).toBe(200);
    await to.engine.tick();
    expect((await phone.poll()).commands).toEqual([]);
    expect(await state()).toMatchObject({ state: 'blocked-until-reenrolment', missing: ['AllowDeviceErase'] });
    // A renewal of the identity still goes through: it says what the device has.
    expect(await to.engine.certificates.renew(phone.udid)).toBe(true);
    expect((await phone.poll()).commands).toMatchObject([{ requestType: 'InstallProfile', status: 'Acknowledged' }]);
    expect(await (await to.api('GET', '/mdm-profile/summary')).json()).toMatchObject({
      'blocked-until-reenrolment': 1,
    });
  });
});

describe('a renewal', () => {
  for (const by of ['scep', 'acme'] as const) {
    it(`by ${by} comes in its window, once, and moves the pin`, async () => {
      const to = await world({ by });
      const phone = to.device();
      const first = await to.enrol(phone);
      await phone.poll();
      to.clock.time += 94 * DAY;
      await to.engine.tick();
      expect((await phone.poll()).commands.map(({ requestType }) => requestType)).not.toContain('InstallProfile');
      to.clock.time += 2 * DAY;
      for (let i = 0; i < 3; i++) await to.engine.tick();
      expect(await to.events('certificate.renewal-begun')).toHaveLength(1);
      const { commands } = await phone.poll();
      expect(commands.filter(({ requestType }) => requestType === 'InstallProfile')).toMatchObject([
        { status: 'Acknowledged' },
      ]);
      const second = phone.state().certificate!;
      const [now, before] = await to.register();
      expect(now).toMatchObject({
        fingerprint: fingerprintOf(Buffer.from(second, 'base64')),
        ...{ status: 'in-force', enrolmentId: phone.udid },
      });
      expect(before).toMatchObject({ fingerprint: fingerprintOf(first), status: 'superseded' });
      expect(now?.subject).toBe(before?.subject);
      expect(await to.events('certificate.renewed')).toMatchObject([
        { replaces: before?.fingerprint, fingerprint: now?.fingerprint, enrolmentId: phone.udid },
      ]);
      expect((await to.engine.devices.get(phone.udid))?.enrolment).toMatchObject({
        ...{ status: 'active', certificateFingerprint: now?.fingerprint },
      });
      // Not again until the new one is due, and the device goes on as ever.
      to.clock.time += 10 * DAY;
      await to.engine.tick();
      expect(await to.events('certificate.renewal-begun')).toHaveLength(1);
      expect((await phone.poll()).ended).toBe('idle');
    });
  }

  it('that is not fetched is queued anew when its credential has ended, in the place of the old one', async () => {
    const to = await world();
    const phone = to.device();
    await to.enrol(phone);
    await phone.poll();
    to.clock.time += 100 * DAY;
    await to.engine.tick();
    to.clock.time += 8 * DAY;
    await to.engine.tick();
    expect(await to.events('certificate.renewal-begun')).toHaveLength(2);
    const { items } = await to.engine.commands.history(phone.udid);
    const renewals = items.filter(({ origin }) => origin === 'renewal').map(({ state }) => state);
    expect(renewals).toEqual(['queued', 'expired']);
    await phone.poll();
    expect(await statuses(to)).toEqual(['in-force', 'superseded']);
  });

  it('is all that an expired certificate is good for, for 30 days', async () => {
    const to = await world({}, { options: { renewalIntervalMs: 400 * DAY } });
    const phone = to.device();
    await to.enrol(phone);
    await phone.poll();
    await to.engine.commands.enqueue({ enrolmentIds: [phone.udid] }, 'ProfileList', {});
    to.clock.time += 375 * DAY;
    await to.engine.tick();
    expect(await statuses(to)).toEqual(['expired']);
    expect(await to.events('certificate.expired')).toHaveLength(1);
    await expect(phone.updateToken()).rejects.toMatchObject({ status: 403 });
    const { commands } = await phone.poll();
    expect(commands.map(({ requestType, status }) => `${requestType} ${status}`)[0]).toBe(
      'InstallProfile Acknowledged',
    );
    expect(await statuses(to)).toEqual(['in-force', 'superseded']);
    // With the new one, what was queued meanwhile.
    const seen = [...commands, ...(await phone.poll()).commands].map(({ requestType }) => requestType);
    expect(seen).toContain('ProfileList');
    to.clock.time += 400 * DAY;
    expect((await phone.poll()).ended).toBe('unenrolled');
  });

  it('is asked for by the device itself with RenewalReq, and for its own enrolment only', async () => {
    const to = await world();
    const phone = to.device();
    await to.enrol(phone);
    const { certificate, privateKey } = phone.state();
    const identity = {
      certificate: new Uint8Array(Buffer.from(certificate!, 'base64')),
      privateKey: new Uint8Array(Buffer.from(privateKey!, 'base64')),
    };
    const renew = (signer: typeof identity) =>
      scepEnrol({
        ...{ url: `${ORIGIN}/scep`, fetch: (request) => to.host.fetch(request), clock: to.clock },
        ...{ subject: 'CN=ignored', renew: signer },
      });
    const issued = await renew(identity);
    expect(await statuses(to)).toEqual(['issued', 'in-force']);
    const body = encodeXml({ UDID: phone.udid, Status: 'Idle' });
    const signature = (signer: Signer) => Buffer.from(signCms(body, { ...signer, detached: true })).toString('base64');
    const idle = (signer: Signer) =>
      to.host.fetch(
        new Request(`${ORIGIN}/mdm/connect`, {
          ...{ method: 'PUT', body: body as Uint8Array<ArrayBuffer> },
          headers: { 'mdm-signature': signature(signer) },
        }),
      );
    // The old one until the new one was used, and then the new one alone.
    expect((await idle(identity)).status).toBe(200);
    expect((await idle(issued)).status).toBe(200);
    expect((await idle(identity)).status).toBe(403);
    expect(await statuses(to)).toEqual(['in-force', 'superseded']);
    await expect(renew(identity)).rejects.toThrow();
    // Another device's renewal does not open this enrolment.
    const tablet = to.device({ seed: 'tablet', kind: 'iPad' });
    await to.enrol(tablet);
    const own = tablet.state();
    const foreign = await renew({
      certificate: new Uint8Array(Buffer.from(own.certificate!, 'base64')),
      privateKey: new Uint8Array(Buffer.from(own.privateKey!, 'base64')),
    });
    expect((await idle(foreign)).status).toBe(403);
  });
});

describe('after the authority was replaced', () => {
  it('devices go on with the certificates of the old one, and renew with them', async () => {
    const store = createMemoryStore();
    const before = await world({}, { store });
    const phone = before.device();
    await before.enrol(phone);
    const next = await createRootCa({ subject: 'CN=Next root', key: { type: 'rsa', bits: 2048 }, clock: before.clock });
    const ca = await openCa({ ...next, clock: before.clock });
    const anchors = [ca.certificate, before.ca.certificate];
    const to = await world({ ca, identity: { anchors } }, { store });
    const saved = phone.state();
    const moved = restoreDevice(saved, { clock: to.clock, fetch: (request) => to.host.fetch(request) });
    expect((await moved.poll()).ended).toBe('idle');
    const signer = {
      certificate: new Uint8Array(Buffer.from(saved.certificate!, 'base64')),
      privateKey: new Uint8Array(Buffer.from(saved.privateKey!, 'base64')),
    };
    const renewed = await scepEnrol({
      ...{ url: `${ORIGIN}/scep`, fetch: (request) => to.host.fetch(request), clock: to.clock },
      ...{ subject: 'CN=ignored', renew: signer },
    });
    expect(readCertificate(renewed.certificate).issuer).toBe('CN=Next root');
    expect(await statuses(to)).toEqual(['issued', 'in-force']);
    // Where the old authority is not trusted any more, its certificates renew nothing.
    const strict = await world({ ca, identity: { anchors: [ca.certificate] } }, { store });
    await expect(
      scepEnrol({
        ...{ url: `${ORIGIN}/scep`, fetch: (request) => strict.host.fetch(request), clock: strict.clock },
        ...{ subject: 'CN=ignored', renew: signer },
      }),
    ).rejects.toMatchObject({ code: 'pki.scep.failed' });
  });
});

describe('a revocation', () => {
  it('closes the door at once, is told, and leaves the device to enrol anew', async () => {
    const to = await world();
    const phone = to.device();
    const certificate = await to.enrol(phone);
    const path = `/certificates/${fingerprintOf(certificate)}`;
    const login = await to.host.fetch(
      new Request(`${ORIGIN}/login`, { method: 'POST', body: new URLSearchParams({ token: to.token }) }),
    );
    const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
    const page = () => to.host.fetch(new Request(`${ORIGIN}/devices/${phone.udid}`, { headers: { cookie } }));
    expect(await (await page()).text()).toContain('>in-force<');
    expect((await to.api('POST', `${path}/revoke`, { reason: 'keyCompromise' })).status).toBe(204);
    expect((await to.api('POST', `${path}/revoke`, {})).status).toBe(204);
    expect((await to.api('POST', '/certificates/00/revoke', {})).status).toBe(404);
    expect(await (await to.api('GET', path)).json()).toMatchObject({
      ...{ status: 'revoked', revocationReason: 'keyCompromise', revokedAt: START },
    });
    expect(await phone.poll()).toMatchObject({ ended: 'refused', status: 403 });
    expect(await to.events('enrolment.identity-refused')).toMatchObject([{ reason: 'revoked' }]);
    expect(await to.events('certificate.revoked')).toMatchObject([
      { reason: 'keyCompromise', by: 'admin', enrolmentId: phone.udid },
    ]);
    await expect(to.engine.enrolling.challenge({ enrolmentId: 'nobody' })).rejects.toMatchObject({ kind: 'not-found' });
    expect(await (await page()).text()).toContain('>revoked<');
    const again = to.device();
    await to.enrol(again);
    expect((await again.poll()).ended).toBe('idle');
    expect(await statuses(to)).toEqual(['in-force', 'revoked']);
  });

  it('lists by status and expiry in the admin API', async () => {
    const to = await world();
    await to.enrol(to.device());
    const list = async (query: string) =>
      ((await (await to.api('GET', `/certificates?${query}`)).json()) as { items: unknown[] }).items.length;
    expect(await list('status=in-force')).toBe(1);
    expect(await list('status=revoked')).toBe(0);
    expect(await list(`expiresBefore=${START + 366 * DAY}`)).toBe(1);
    expect(await list(`expiresFrom=${START + 366 * DAY}`)).toBe(0);
    expect((await to.api('GET', '/certificates?status=nonsense')).status).toBe(400);
  });
});
