// Identities that configurations give to devices: SCEP, ACME and PKCS#12, to simulated devices, through labels and queue.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createEngine,
  createKeyRing,
  createMemoryStore,
  type Engine,
  type IssuedCertificate,
  type Store,
} from '@espalier/core';
import { createAdminToken, createHost, type Host, type HostOptions, hashAdminToken, hostSources } from '@espalier/host';
import {
  type CertificateAuthority,
  createMemoryScepStore,
  createRootCa,
  createScepServer,
  fromPem,
  openCa,
  PkiError,
  readCertificate,
  scepEnrol,
  signCms,
  toPem,
  verifyCms,
} from '@espalier/pki';
import { encodeXml } from '@espalier/plist';
import { createCompiler } from '@espalier/policy';
import {
  createKeyPool,
  createSimulatedAttestation,
  createSimulatedDevice,
  type SimulatedDevice,
  type SimulatedDeviceOptions,
} from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { folder, need, run } from './support/tools.ts';

const START = Date.UTC(2026, 0, 15, 12);
const ORIGIN = 'https://mdm.example.com';
const SID = 'S-1-5-21-1111111111-2222222222-3333333333-1234';
/** The time in a test, which begins at START. */
let now = START;
const clock = { now: () => now };
beforeEach(() => {
  now = START;
});

const keyPool = createKeyPool();
const token = createAdminToken((length) => new Uint8Array(length).fill(3));
let ca: CertificateAuthority;
let attestation: Awaited<ReturnType<typeof createSimulatedAttestation>>;
beforeAll(async () => {
  const root = await createRootCa({ subject: 'CN=Test root', key: { type: 'rsa', bits: 2048 }, clock });
  ca = await openCa({ ...root, clock });
  attestation = await createSimulatedAttestation({ clock });
});

interface World {
  readonly engine: Engine;
  readonly host: Host;
  /** Lets engine and device work until nothing is left. */
  settle(device: SimulatedDevice): Promise<void>;
  device(more?: Partial<SimulatedDeviceOptions>): Promise<SimulatedDevice>;
  /** Gives every device a configuration, and lets the device work until nothing is left. */
  configure(type: string, settings: Readonly<Record<string, unknown>>, to: SimulatedDevice): Promise<string>;
  status(configurationId: string): Promise<string>;
  fetch(request: Request): Promise<Response>;
}

async function world(options: Partial<HostOptions> = {}, store: Store = createMemoryStore()): Promise<World> {
  let count = 0;
  const random = (length: number): Uint8Array => {
    const blocks = Array.from({ length: Math.ceil(length / 32) }, () =>
      createHash('sha256').update(`configured.${count++}`).digest(),
    );
    return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
  };
  const keys = createKeyRing({ current: { id: 'test', key: random(32) }, random });
  const engine: Engine = createEngine({
    ...{ store, keys, clock, random, compile: createCompiler(), ...hostSources(() => host) },
  });
  const host: Host = createHost({
    ...{ engine, ca, random, publicUrl: ORIGIN, identity: { anchors: [ca.certificate] } },
    profile: { organisation: 'Example', topic: 'com.apple.mgmt.External.test', sign: (bytes) => bytes },
    acme: { roots: [attestation.root] },
    ...options,
  });
  const settle = async (device: SimulatedDevice): Promise<void> => {
    for (let turn = 0; turn < 4; turn += 1) {
      await engine.tick();
      await device.poll();
    }
  };
  let made = 0;
  const label = await engine.labels.create({ name: 'All', expression: '"common.platform" = "iOS"' });
  return {
    ...{ engine, host, settle, fetch: (request) => host.fetch(request) },
    async device(more = {}) {
      const device = createSimulatedDevice({
        ...{ kind: 'iPhone', seed: 'configured', clock, attestation, keyPool, retry: { attempts: 2 } },
        ...{ fetch: (request) => host.fetch(request), sleep: async () => undefined, ...more },
      });
      const { token } = await engine.enrolling.invite();
      await device.enrol(`${ORIGIN}/enrol/${token}`);
      await settle(device);
      return device;
    },
    async configure(type, settings, to) {
      const configuration = await engine.configurations.create({
        name: `${type} ${made++}`,
        type,
        settings,
        labelIds: [label.id],
      });
      await settle(to);
      return configuration.id;
    },
    async status(configurationId) {
      const { items } = await engine.configurations.assignments(configurationId);
      return items.map(({ status, detail }) => (detail === null ? status : `${status}: ${detail}`)).join();
    },
  };
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));

/** The identity that a profile brought. */
function identityOf(device: SimulatedDevice, configurationId: string) {
  const profile = device.state().profiles.find(({ identifier }) => identifier.endsWith(configurationId));
  const [identity] = profile?.identities ?? [];
  if (identity === undefined) throw new Error('the device has no such identity');
  return { certificate: bytesOf(identity.certificate), privateKey: bytesOf(identity.privateKey) };
}

const entryOf = async ({ engine }: World, certificate: Uint8Array): Promise<IssuedCertificate | null> =>
  await engine.certificates.get(readCertificate(certificate).fingerprintSha256);

const request = {
  subject: 'CN=$DEVICE_SN$,OU=$USERID$,O=Example',
  sans: [
    { type: 'upn', value: '$USER_UPN$' },
    { type: 'uri', value: 'urn:uuid:$CONFIG_UUID$' },
  ],
  microsoftSid: true,
};
const values = () => ({ USERID: 'jo', USER_UPN: 'jo@corp.example.com', USER_SID: SID });

const DAY = 86_400_000;

describe('an identity that ends', () => {
  const settings = {
    scep: { ...request, keySize: 2048 },
    acme: { subject: request.subject, keyType: 'ECSECPrimeRandom', keySize: 256 },
  } as const;
  for (const type of ['scep', 'acme'] as const) {
    it(`is asked for anew in the window of its configuration, once, and the one before is over (${type})`, async () => {
      const to = await world({ configurationCertificates: { values } });
      const phone = await to.device();
      const template = { lifetimeDays: 100 };
      const id = await to.configure(type, { ...settings[type], template, renewalWindowDays: 20 }, phone);
      const first = identityOf(phone, id).certificate;
      const later = async (days: number): Promise<Uint8Array> => {
        now += days * DAY;
        for (let turn = 0; turn < 2; turn += 1) await to.settle(phone);
        return identityOf(phone, id).certificate;
      };
      expect(Buffer.compare(await later(79), first)).toBe(0);
      const second = await later(1);
      expect(Buffer.compare(second, first)).not.toBe(0);
      expect(await to.status(id)).toBe('applied');
      expect(await entryOf(to, first)).toMatchObject({ status: 'superseded', renewalAt: now, deviceId: phone.udid });
      expect(await entryOf(to, second)).toMatchObject({ status: 'in-force', renewalAt: null, deviceId: phone.udid });
      const begun = await to.engine.events.list({ type: 'certificate.renewal-begun', enrolmentId: phone.udid });
      expect(begun.items.map(({ data }) => data['configurationId'])).toEqual([id]);
      expect(Buffer.compare(await later(1), second)).toBe(0);
      // Its configuration goes, and with it what it brought.
      await to.engine.configurations.delete(id);
      await to.settle(phone);
      expect(await entryOf(to, second)).toMatchObject({ status: 'superseded' });
    });
  }

  it('is left alone on a device that is lost, until it is found', async () => {
    const store = createMemoryStore();
    const to = await world({ configurationCertificates: { values } }, store);
    const phone = await to.device();
    const window = { template: { lifetimeDays: 100 }, renewalWindowDays: 20 };
    const id = await to.configure('scep', { ...settings.scep, ...window }, phone);
    const first = identityOf(phone, id).certificate;
    const lost = { ids: [phone.udid], from: [null], to: 'lost', at: now, cause: 'test' } as const;
    await store.enrolments.setPhase(lost);
    now += 85 * DAY;
    await to.settle(phone);
    expect(Buffer.compare(identityOf(phone, id).certificate, first)).toBe(0);
    await store.enrolments.setPhase({ ...lost, from: ['lost'], to: null });
    now += DAY;
    await to.settle(phone);
    expect(Buffer.compare(identityOf(phone, id).certificate, first)).not.toBe(0);
  });

  it('is revoked at its authority, too, when it is revoked here', async () => {
    const told: string[] = [];
    const revoking: CertificateAuthority = {
      ...ca,
      async revoke(serialNumber, reason) {
        told.push(`${serialNumber} ${reason}`);
      },
    };
    const to = await world({ ca: revoking, configurationCertificates: { values } });
    const phone = await to.device();
    const { certificate } = identityOf(phone, await to.configure('scep', settings.scep, phone));
    const { fingerprintSha256, serialNumber } = readCertificate(certificate);
    await to.engine.certificates.revoke(fingerprintSha256, 'keyCompromise');
    await to.settle(phone);
    expect(told).toEqual([`${serialNumber} keyCompromise`]);
    const { items } = await to.engine.events.list({ type: 'certificate.revocation-told' });
    expect(items.map(({ data }) => data['outcome'])).toEqual(['revoked']);
  });

  it('is offered again after a while to a device that did not take it, and queued once for a silent one', async () => {
    const to = await world({ configurationCertificates: { values } });
    const phone = await to.device();
    const window = { template: { lifetimeDays: 100 }, renewalWindowDays: 20 };
    const id = await to.configure('scep', { ...settings.scep, ...window }, phone);
    const pending = async () =>
      (await to.engine.commands.history(phone.udid)).items.filter(
        ({ requestType, state }) => requestType === 'InstallProfile' && state === 'queued',
      ).length;
    now += 80 * DAY;
    await to.engine.tick();
    now += 8 * DAY;
    await to.engine.tick();
    expect([await pending(), await to.status(id)]).toEqual([1, 'update-pending']);
    await to.settle(phone);
    expect([await pending(), await to.status(id)]).toEqual([0, 'applied']);
  });
});

describe('an identity by SCEP from this server', () => {
  for (const [name, open] of [
    ['memory', createMemoryStore],
    ['SQLite', () => openSqliteStore(':memory:')],
  ] as const) {
    it(`has the values of device and user, and is no identity of the enrolment (${name})`, async (context) => {
      need(context, 'openssl');
      const to = await world({ configurationCertificates: { values } }, open());
      const phone = await to.device();
      const template = { lifetimeDays: 120, usage: 'signing', smartCardLogon: true };
      const id = await to.configure('scep', { ...request, template, keySize: 2048 }, phone);
      expect(await to.status(id)).toBe('applied');
      const { certificate, privateKey } = identityOf(phone, id);
      const place = folder();
      context.onTestFinished(() => place.remove());
      const file = join(place.path, 'identity.pem');
      writeFileSync(file, toPem(certificate));
      const text = (await run('openssl', ['x509', '-in', file, '-noout', '-text'])).stdout.toString();
      expect(text).toMatch(new RegExp(`Subject: O ?= ?Example, OU ?= ?jo, CN ?= ?${phone.serialNumber}\n`));
      expect(text).toContain('jo@corp.example.com');
      expect(text).toContain(`URI:urn:uuid:${id.toUpperCase()}`);
      expect(text).toContain(SID);
      expect(text).toContain('Not After : May 15 12:00:00 2026');
      expect(text).toMatch(/Key Usage: critical\n\s+Digital Signature\n/);
      expect(text).toMatch(/TLS Web Client Authentication, Microsoft Smartcard ?login/i);
      expect(await entryOf(to, certificate)).toMatchObject({
        ...{ status: 'in-force', enrolmentId: null, credentialId: `configuration:${id}`, deviceId: phone.udid },
      });
      // The device lists it, and yet it opens no door: not as the device, not as another one.
      const body = encodeXml({ UDID: phone.udid, Status: 'Idle' });
      const signature = Buffer.from(signCms(body, { certificate, privateKey, detached: true })).toString('base64');
      const init = { method: 'PUT', headers: { 'mdm-signature': signature }, body: body as Uint8Array<ArrayBuffer> };
      expect((await to.fetch(new Request(`${ORIGIN}/mdm/connect`, init))).status).toBe(403);
      expect((await phone.poll()).ended).toBe('idle');
    });
  }

  it('is bound to its device and configuration, by a challenge that pays once', async () => {
    const seen: string[] = [];
    const to = await world({ configurationCertificates: { values } });
    const { challenge: make } = to.engine.enrolling;
    to.engine.enrolling.challenge = async (options) => {
      const made = await make(options);
      seen.push(made.challenge);
      return made;
    };
    const phone = await to.device();
    const id = await to.configure('scep', request, phone);
    const challenge = seen.at(-1)!;
    expect(challenge.endsWith(`.${id}`)).toBe(true);
    const enrol = (text: string) =>
      scepEnrol({ url: `${ORIGIN}/scep`, fetch: to.fetch, clock, subject: 'CN=thief', challenge: text });
    await expect(enrol(challenge)).rejects.toMatchObject({ code: 'pki.scep.failed' });
    // Whoever writes another configuration behind a challenge has no challenge.
    const { challenge: plain } = await make({ enrolmentId: phone.udid });
    await expect(enrol(`${plain}.${id}`)).rejects.toMatchObject({ code: 'pki.scep.failed' });
    await expect(make({ challenge: `abcdefgh.${id}` })).rejects.toMatchObject({ code: 'core.challenge.bad_option' });
  });

  it('is held back while a value is missing, and the device goes on with its other commands', async () => {
    const known: Record<string, string> = {};
    const to = await world({ configurationCertificates: { values: () => known } });
    const phone = await to.device();
    const id = await to.configure('scep', { subject: 'CN=$EMAIL$' }, phone);
    expect(await to.status(id)).not.toContain('applied');
    const { items } = await to.engine.events.list({ limit: 1000 });
    const withheld = items.filter(({ type }) => type === 'credential.withheld');
    expect(withheld[0]?.data).toMatchObject({ outcome: 'hold', reason: expect.stringContaining('$EMAIL$') });
    await to.engine.commands.enqueue({ enrolmentIds: [phone.udid] }, 'ProfileList', {});
    expect((await phone.poll()).commands.map(({ requestType }) => requestType)).toContain('ProfileList');
  });

  it('is refused to a device whose configuration went away meanwhile', async () => {
    const to = await world({ configurationCertificates: { values } });
    const phone = await to.device();
    const id = await to.configure('scep', request, phone);
    const { challenge } = await to.engine.enrolling.challenge({ enrolmentId: phone.udid, configurationId: id });
    await to.engine.configurations.delete(id);
    await expect(
      scepEnrol({ url: `${ORIGIN}/scep`, fetch: to.fetch, clock, subject: 'CN=late', challenge }),
    ).rejects.toMatchObject({ code: 'pki.scep.failed' });
  });
});

describe('an identity by SCEP from another server', () => {
  it('is asked for with a fresh challenge of its maker, and with the names in the request', async () => {
    const other = await openCa({
      ...(await createRootCa({ subject: 'CN=Other root', key: { type: 'rsa', bits: 2048 }, clock })),
      clock,
    });
    const store = createMemoryScepStore({ clock });
    const elsewhere = createScepServer({ ca: other, store, clock, allowRequestedSans: true });
    let made = 0;
    const ndes = async () => store.createChallenge({ reference: `one ${++made}` });
    const to = await world({ configurationCertificates: { values, challenges: { ndes } } });
    const phone = await to.device({
      fetch: (one) => (one.url.startsWith('https://ca.example.com/') ? elsewhere.handle(one) : to.fetch(one)),
    });
    const sans = request.sans.slice(0, 1);
    const settings = { ...request, sans, url: 'https://ca.example.com/scep', challenge: 'ndes' };
    const id = await to.configure('scep', settings, phone);
    expect(await to.status(id)).toBe('applied');
    const { certificate } = identityOf(phone, id);
    const { issuer, subject, sans: names } = readCertificate(certificate);
    expect([issuer, subject]).toEqual(['CN=Other root', `CN=${phone.serialNumber},OU=jo,O=Example`]);
    expect(names).toMatchObject([
      { type: 'uri', value: `tag:microsoft.com,2022-09-14:sid:${SID}` },
      { type: 'upn', value: 'jo@corp.example.com' },
    ]);
    expect(made).toBe(1);
    // What another server issued is not this server's to know.
    expect(await entryOf(to, certificate)).toBeNull();
    const failed = await to.configure('scep', { ...settings, challenge: 'nobody' }, phone);
    expect(await to.status(failed)).not.toContain('applied');
  });

  it('that refuses makes the profile fail, with Apple’s error', async () => {
    const to = await world({ configurationCertificates: { values } });
    const phone = await to.device({
      fetch: async (one) =>
        one.url.startsWith('https://ca.example.com/') ? new Response('no', { status: 404 }) : to.fetch(one),
    });
    const id = await to.configure('scep', { subject: 'CN=x', url: 'https://ca.example.com/scep' }, phone);
    expect(await to.status(id)).toContain('MCSCEPErrorDomain 22013');
  });
});

describe('an identity by ACME from this server', () => {
  it('is attested, and bound to the device that the configuration is for', async () => {
    const to = await world({ configurationCertificates: { values } });
    const phone = await to.device();
    const id = await to.configure('acme', { ...request, template: { lifetimeDays: 90 } }, phone);
    expect(await to.status(id)).toBe('applied');
    const { certificate } = identityOf(phone, id);
    const { subject, sans } = readCertificate(certificate);
    expect(subject).toBe(`CN=${phone.serialNumber},OU=jo,O=Example`);
    expect(sans.map(({ type }) => type)).toEqual(['upn', 'uri']);
    expect(Buffer.from(certificate).includes(SID)).toBe(true);
    expect(await entryOf(to, certificate)).toMatchObject({
      ...{ enrolmentId: null, credentialId: `configuration:${id}` },
      attestation: { properties: { serialNumber: phone.serialNumber } },
    });
    const other = await world({ configurationCertificates: { values } });
    const liar = await other.device({
      attestation: { attest: (asked) => attestation.attest({ ...asked, serialNumber: 'ANOTHER123' }) },
    });
    const refused = await other.configure('acme', request, liar);
    expect(await other.status(refused)).toContain('Profile Installation Failed');
  });

  it('goes without attestation where the configuration says so, and there only', async () => {
    const to = await world({ configurationCertificates: { values } });
    const phone = await to.device();
    const soft = await to.configure('acme', { subject: 'CN=x', hardwareBound: false, keySize: 521 }, phone);
    expect(await to.status(soft)).toBe('applied');
    const bare = await world({ configurationCertificates: { values } });
    const old = createSimulatedDevice({
      ...{ kind: 'iPhone', seed: 'bare', clock, retry: { attempts: 2 }, sleep: async () => undefined },
      fetch: (one) => bare.fetch(one),
    });
    await old.enrol(`${ORIGIN}/enrol/${(await bare.engine.enrolling.invite()).token}`);
    const hard = await bare.configure('acme', { subject: 'CN=x' }, old);
    expect(await bare.status(hard)).toContain('Profile Installation Failed');
  });
});

describe('trusted certificates and revocation checks', () => {
  it('reach the device as they are', async () => {
    const to = await world();
    const phone = await to.device();
    const file = toPem(ca.certificate);
    const id = await to.configure('certificate', { file }, phone);
    const checks = await to.configure('certificate-revocation', { certificates: [file] }, phone);
    expect([await to.status(id), await to.status(checks)]).toEqual(['applied', 'applied']);
    const profile = phone.state().profiles.find(({ identifier }) => identifier.endsWith(id));
    expect(profile?.certificates.map(bytesOf)).toEqual([new Uint8Array(ca.certificate)]);
  });
});

describe('an identity that the server makes', () => {
  it('is issued from the setting’s options, for the device at hand', async () => {
    const to = await world({ configurationCertificates: { values } });
    const phone = await to.device();
    const row = (await to.engine.devices.get(phone.udid))!;
    const setting = await to.engine.credentials.createSetting({
      ...{ name: 'Wi-Fi', source: 'issued', scope: 'device' },
      options: { ...request, sans: [{ type: 'email', value: '$USERID$@example.com' }], keySize: 3072 },
    });
    const settings = { identities: [{ name: 'wifi', credential: setting.id }] };
    const delivered = await to.configure('identity', settings, phone);
    expect(await to.status(delivered)).toBe('applied');
    const { certificate, privateKey } = identityOf(phone, delivered);
    expect(readCertificate(certificate).subject).toBe(`CN=${phone.serialNumber},OU=jo,O=Example`);
    // The key fits, and what it signs is the certificate's.
    const signed = signCms(Buffer.from('x'), { certificate, privateKey });
    expect(verifyCms(signed).signers).toHaveLength(1);
    expect(await entryOf(to, certificate)).toMatchObject({ status: 'in-force', enrolmentId: null });
    const made = await to.host.issueIdentity({
      ...{ setting, enrolment: row.enrolment, facts: row.facts, userId: null, replaces: null },
    });
    const { subject, sans, publicKey } = readCertificate(made!.certificate);
    expect(subject).toBe(`CN=${phone.serialNumber},OU=jo,O=Example`);
    expect(sans).toEqual([{ type: 'email', value: 'jo@example.com' }]);
    expect(publicKey.length).toBeGreaterThan(384);
    expect(Buffer.from(made!.certificate).includes(SID)).toBe(true);
    const bad = { ...setting, options: { subject: 'no name' } };
    await expect(
      to.host.issueIdentity({ setting: bad, enrolment: row.enrolment, facts: row.facts, userId: null, replaces: null }),
    ).rejects.toMatchObject({ code: 'policy.credential.invalid' });
  });
});

describe('a test of a certificate', () => {
  it('says what a device would get, or why not, and issues nothing', async () => {
    const known: Record<string, string> = { ...values() };
    let down = false;
    const behind: CertificateAuthority = {
      ...ca,
      async test() {
        if (down) throw new PkiError('pki.ca.upstream', 'the authority is away', { kind: 'unavailable' });
      },
    };
    const to = await world({
      ...{ ca: behind, adminTokens: [hashAdminToken(token)], configurationCertificates: { values: () => known } },
    });
    const phone = await to.device();
    const { id } = await to.engine.configurations.create({ name: 'Test', type: 'scep', settings: request });
    const issued = (await to.engine.certificates.list()).items.length;
    const ask = async (enrolmentId = phone.udid) => {
      const answer = await to.fetch(
        new Request(`${ORIGIN}/api/v1/configurations/${id}/test-certificate`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ enrolmentId }),
        }),
      );
      return [answer.status, await answer.json()];
    };
    expect(await ask()).toEqual([
      200,
      {
        subject: `CN=${phone.serialNumber},OU=jo,O=Example`,
        sans: [
          { type: 'upn', value: 'jo@corp.example.com' },
          { type: 'uri', value: `urn:uuid:${id.toUpperCase()}` },
        ],
        microsoftSid: true,
      },
    ]);
    delete known['USER_UPN'];
    expect(await ask()).toMatchObject([400, { code: 'pki.variable.unresolved' }]);
    expect(await ask('nobody')).toMatchObject([404, { code: 'host.not_found' }]);
    Object.assign(known, values());
    down = true;
    expect(await ask()).toMatchObject([503, { code: 'pki.ca.upstream' }]);
    expect((await to.engine.certificates.list()).items).toHaveLength(issued);
  });
});

describe('one identity for all devices', () => {
  it('is uploaded in several files, reaches every device that is to have it, and is replaced everywhere', async (context) => {
    need(context, 'openssl');
    const place = folder();
    context.onTestFinished(() => place.remove());
    const at = (name: string): string => join(place.path, name);
    const to = await world({ adminTokens: [hashAdminToken(token)] });
    const devices = [await to.device(), await to.device({ seed: 'another' })];
    const setting = await to.engine.credentials.createSetting({ name: 'Gateway', source: 'single-file' });
    expect(setting).toMatchObject({ scope: 'shared' });
    const settings = { identities: [{ name: 'gateway', credential: setting.id }] };
    const id = await to.configure('identity', settings, devices[0]!);
    expect(await to.status(id)).toContain('an administrator has to upload a file for "Gateway"');

    const upload = (files: readonly object[]) =>
      to.fetch(
        new Request(`${ORIGIN}/api/v1/credential-settings/${setting.id}/files`, {
          method: 'PUT',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ files }),
        }),
      );
    const base64 = (name: string): string => readFileSync(at(name)).toString('base64');
    /** Key and certificate of openssl's, valid now by the tests' clock. */
    const make = async (name: string): Promise<void> => {
      await run('openssl', [
        'req',
        '-new',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        at(`${name}.key`),
        '-subj',
        `/CN=${name}`,
        '-out',
        at(`${name}.csr`),
      ]);
      const csr = fromPem(readFileSync(at(`${name}.csr`), 'utf8'));
      writeFileSync(at(`${name}.pem`), toPem(await ca.issue({ csr, template: 'device' })));
    };
    await make('first');
    await make('second');
    writeFileSync(at('root.pem'), toPem(ca.certificate));
    const p12 = ['pkcs12', '-export', '-inkey', at('second.key'), '-in', at('second.pem'), '-passout', 'pass:secret'];
    await run('openssl', [...p12, '-out', at('second.p12')]);

    const codes: [readonly object[], string][] = [
      [[{ file: base64('first.pem') }], 'core.credential.file'],
      [[{ file: base64('first.key') }, { file: base64('second.pem') }], 'core.credential.file'],
      [[{ file: base64('first.key') }, { file: base64('second.key') }], 'core.credential.file'],
      [[{ file: base64('second.p12') }], 'core.credential.password_required'],
      [[{ file: base64('second.p12'), password: 'wrong' }], 'core.credential.password'],
    ];
    for (const [files, code] of codes) {
      const answer = await upload(files);
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([400, code]);
    }
    const parts = [{ file: base64('first.key') }, { file: base64('first.pem') }, { file: base64('root.pem') }];
    expect((await upload(parts)).status).toBe(200);
    const work = async (): Promise<readonly string[]> => {
      for (let turn = 0; turn < 3; turn += 1) {
        await to.engine.tick();
        for (const device of devices) await device.poll();
      }
      return devices.map((device) => readCertificate(identityOf(device, id).certificate).subject);
    };
    expect(await work()).toEqual(['CN=first', 'CN=first']);
    expect((await upload([{ file: base64('second.p12'), password: 'secret' }])).status).toBe(200);
    expect(await work()).toEqual(['CN=second', 'CN=second']);
    const { items } = await to.engine.credentials.list({ settingId: setting.id });
    expect(items.map(({ status, holder, keyDeletedBy }) => [status, holder, keyDeletedBy])).toEqual([
      ['active', `setting:${setting.id}`, null],
      ['superseded', `setting:${setting.id}`, 'replaced'],
    ]);
    // It is no user's: nobody uploads it as theirs.
    const own = { settingId: setting.id, userId: 'jo', file: readFileSync(at('second.p12')), password: 'secret' };
    await expect(to.engine.credentials.upload(own)).rejects.toMatchObject({ code: 'core.credential.not_uploaded' });
    expect(await to.engine.credentials.ofUser('jo')).toEqual([]);
  });
});
