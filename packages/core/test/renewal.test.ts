// Renewals in the engine: which certificate is let in when, what is queued and offered, and what holds nothing up.
import type { Certificate } from '@espalier/pki';
import { encodeXml } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import type { EngineInput, Enrolment } from '../src/index.ts';
import { bench, identity, ScriptedDevice, type TestBench } from './support.ts';

const DAY = 86_400_000;
const profileOf = async ({ enrolment }: { readonly enrolment: Enrolment }) => encodeXml({ renews: enrolment.id });

async function register({ store, clock }: TestBench, name: string, enrolmentId: string | null, days = 365) {
  const { fingerprint, certificate } = identity(name);
  const at = clock.now();
  const entry = {
    ...{ fingerprint, certificate, serialNumber: fingerprint.slice(0, 8), subject: `CN=${name}`, enrolmentId },
    ...{
      notBefore: at,
      notAfter: at + days * DAY,
      authorityKeyId: null,
      invitationId: null,
      attestation: null,
      deliveredAt: null,
      credentialId: null,
      deviceId: null,
    },
  };
  await store.certificates.register(entry, { type: 'certificate.issued', at, enrolmentId, data: {} });
}

/** A device whose certificate is in the register, with its inventory behind it. */
async function enrolled(made: TestBench, udid: string, days = 365): Promise<ScriptedDevice> {
  await register(made, `certificate of ${udid}`, null, days);
  const device = new ScriptedDevice(made.engine, udid);
  await device.enrol();
  await device.session();
  return device;
}

const renewing = (input: Partial<EngineInput> = {}): TestBench => bench({ renewal: { profile: profileOf }, ...input });

it('a certificate in force is told and found as expiring from its window on', async () => {
  const made = bench({ options: { renewalWindowDays: 100 } });
  await enrolled(made, 'U1');
  await register(made, 'waits', 'U1');
  const { certificates } = made.engine;
  const { fingerprint } = identity('certificate of U1');
  const list = async (...statuses: ('issued' | 'in-force' | 'expiring')[]) =>
    (await certificates.list({ statuses })).items.map(({ status }) => status);
  made.clock.advance(264 * DAY);
  expect([await list('in-force'), await list('expiring')]).toEqual([['in-force'], []]);
  made.clock.advance(DAY);
  expect((await certificates.get(fingerprint))?.status).toBe('expiring');
  expect([await list('in-force'), await list('expiring')]).toEqual([[], ['expiring']]);
  expect(await list('expiring', 'issued')).toEqual(['issued', 'expiring']);
  expect(await list('expiring', 'in-force')).toEqual(['expiring']);
  expect((await made.engine.enrolling.certificates()).items.map(({ status }) => status)).toEqual([
    'issued',
    'expiring',
  ]);
});

describe('a renewed certificate', () => {
  it('is let in by whichever channel comes first', async () => {
    const made = renewing();
    const device = await enrolled(made, 'U1');
    const user = { UserID: 'A1', UserShortName: 'ada' };
    await device.tokenUpdate(user);
    await register(made, 'new', 'U1');
    device.identity = identity('new');
    const poll = encodeXml({ UDID: 'U1', Status: 'Idle', ...user });
    expect(await made.engine.protocol.connect(poll, device.identity)).toBe(null);
    expect(await device.idle()).toBe(null);
    expect((await made.engine.devices.get('U1'))?.enrolment.certificateFingerprint).toBe(device.identity.fingerprint);
  });

  it('is let in by many messages at once, and told once', async () => {
    const made = renewing();
    const device = await enrolled(made, 'U1');
    await register(made, 'new', 'U1');
    device.identity = identity('new');
    await Promise.all([device.idle(), device.tokenUpdate(), device.idle()]);
    const { items } = await made.engine.events.list({ type: 'certificate.renewed' });
    expect(items).toHaveLength(1);
  });

  it('ends the renewal that waits, and takes the answer of the one that brought it', async () => {
    const made = renewing();
    const device = await enrolled(made, 'U1');
    for (const answers of [false, true]) {
      expect(await made.engine.certificates.renew('U1')).toBe(true);
      const command = answers ? await device.idle() : null;
      const name = `new ${answers}`;
      await register(made, name, 'U1');
      device.identity = identity(name);
      if (command === null) expect(await device.idle()).toBe(null);
      else expect(await device.say('Acknowledged', { CommandUUID: command.commandUuid })).toBe(null);
      const [last] = (await made.engine.commands.history('U1')).items;
      expect(last).toMatchObject({ requestType: 'InstallProfile', state: answers ? 'acknowledged' : 'cancelled' });
    }
  });

  it('is issued to the device that asks for it, up to ten that it does not use', async () => {
    const made = renewing();
    const device = await enrolled(made, 'U1');
    const ask = (name: string) =>
      made.engine.enrolling.authoriseRenewal({ fingerprintSha256: identity(name).fingerprint } as Certificate);
    expect(await ask('stranger')).toBe(null);
    for (let i = 0; i < 10; i++) {
      expect(await ask('certificate of U1')).toEqual({ reference: 'enrolment:U1' });
      await register(made, `new ${i}`, 'U1');
    }
    expect(await ask('certificate of U1')).toBe(null);
    // One that waits renews nothing itself; the one in force does.
    expect(await ask('new 9')).toBe(null);
    device.identity = identity('new 9');
    await device.idle();
    expect(await ask('certificate of U1')).toBe(null);
    expect(await ask('new 9')).toEqual({ reference: 'enrolment:U1' });
  });

  it('of another enrolment is refused, and so is one that is superseded', async () => {
    const made = renewing();
    const [one, two] = [await enrolled(made, 'U1'), await enrolled(made, 'U2')];
    await register(made, 'for two', 'U2');
    const own = one.identity;
    one.identity = identity('for two');
    await expect(one.idle()).rejects.toMatchObject({ code: 'core.enrolment.identity_mismatch' });
    await register(made, 'for one', 'U1');
    one.identity = identity('for one');
    await one.idle();
    one.identity = own;
    await expect(one.idle()).rejects.toMatchObject({ code: 'core.enrolment.identity_mismatch' });
    expect(await two.idle()).toBe(null);
  });
});

describe('a device that checks out', () => {
  it('loses its certificate where that is wanted', async () => {
    for (const revokeOnCheckOut of [false, true]) {
      const made = renewing({ options: { revokeOnCheckOut } });
      const device = await enrolled(made, 'U1');
      await device.checkin({ MessageType: 'CheckOut' });
      expect(await made.engine.certificates.get(device.identity.fingerprint)).toMatchObject({
        ...(revokeOnCheckOut
          ? { status: 'revoked', revocationReason: 'cessationOfOperation' }
          : { status: 'in-force', revokedAt: null }),
      });
      const again = device.authenticate();
      if (revokeOnCheckOut) await expect(again).rejects.toMatchObject({ code: 'core.enrolment.certificate_revoked' });
      else expect(await again).toBe(null);
    }
  });
});

describe('renewals that are due', () => {
  it('are queued though one of them fails, and one is left for later', async () => {
    const asked: string[] = [];
    const made = renewing({
      renewal: {
        async profile({ enrolment }) {
          asked.push(enrolment.id);
          if (enrolment.id === 'U1') throw new Error('no profile');
          return enrolment.id === 'U2' ? null : await profileOf({ enrolment });
        },
      },
    });
    for (const [index, udid] of ['U1', 'U2', 'U3'].entries()) await enrolled(made, udid, 100 + index);
    made.clock.advance(90 * DAY);
    await made.engine.tick();
    expect(asked).toEqual(['U1', 'U2', 'U3']);
    const { items } = await made.engine.events.list({ type: 'certificate.renewal-begun' });
    expect(items.map(({ enrolmentId }) => enrolmentId)).toEqual(['U3']);
    expect(made.logs.filter(({ message }) => message === 'a renewal could not be queued')).toHaveLength(1);
    // Looked for again after the interval, not with each round of housekeeping.
    await made.engine.tick();
    expect(asked).toHaveLength(3);
    made.clock.advance(3_600_000);
    await made.engine.tick();
    expect(asked.slice(3)).toEqual(['U1', 'U2']);
  });

  it('are more than one batch', async () => {
    const made = renewing();
    for (let i = 0; i < 450; i++) await enrolled(made, `U${i}`, 100);
    made.clock.advance(90 * DAY);
    await made.engine.tick();
    const count = { type: 'certificate.renewal-begun', limit: 1000 } as const;
    expect((await made.engine.events.list(count)).items).toHaveLength(450);
  });

  it('are not queued without a way to make the profile', async () => {
    const made = bench();
    await enrolled(made, 'U1', 10);
    made.clock.advance(9 * DAY);
    await made.engine.tick();
    expect(await made.engine.certificates.renew('U1')).toBe(false);
    expect((await made.engine.events.list({ type: 'certificate.renewal-begun' })).items).toEqual([]);
  });
});

describe('an expired certificate', () => {
  it('gets its renewal, not more often than every ten minutes, and nothing else', async () => {
    const made = renewing();
    const device = await enrolled(made, 'U1', 10);
    await made.engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'ProfileList', {});
    made.clock.advance(11 * DAY);
    device.identity = { ...device.identity, expired: true };
    expect(await device.idle()).toMatchObject({ requestType: 'InstallProfile' });
    expect(await device.say('NotNow', { CommandUUID: 'whatever' })).toBe(null);
    expect(await device.idle()).toBe(null);
    made.clock.advance(600_000);
    expect(await device.idle()).toMatchObject({ requestType: 'InstallProfile' });
    for (const refused of [device.authenticate(), device.tokenUpdate(), device.checkin({ MessageType: 'CheckOut' })]) {
      await expect(refused).rejects.toMatchObject({ code: 'core.enrolment.certificate_expired', kind: 'forbidden' });
    }
    const { items } = await made.engine.commands.history('U1');
    expect(items.find(({ requestType }) => requestType === 'ProfileList')).toMatchObject({ state: 'queued' });
  });

  it('of somebody else gets nothing', async () => {
    const made = renewing();
    const device = await enrolled(made, 'U1', 10);
    await register(made, 'new', 'U1');
    for (const name of ['stranger', 'new']) {
      device.identity = { ...identity(name), expired: true };
      await expect(device.idle()).rejects.toMatchObject({ code: 'core.enrolment.identity_mismatch' });
    }
  });
});

describe('a device that does not renew', () => {
  /** Days pass, each with its housekeeping. */
  async function days(made: TestBench, count: number): Promise<void> {
    for (let day = 0; day < count; day++) {
      made.clock.advance(DAY);
      await made.engine.tick();
    }
  }
  const statusOf = async ({ engine }: TestBench, id: string) => (await engine.devices.get(id))?.enrolment.status;

  it('is retired 30 days after the end of its certificate, and has to enrol again', async () => {
    const made = renewing();
    const device = await enrolled(made, 'U1', 10);
    const label = await made.engine.labels.create({ name: 'all', expression: '"common.manufacturer" = "Apple"' });
    const waiting = await enrolled(made, 'U2', 10);
    await days(made, 9);
    await register(made, 'waits for U2', 'U2', 365);
    await days(made, 31);
    expect([await statusOf(made, 'U1'), await statusOf(made, 'U2')]).toEqual(['active', 'active']);
    await days(made, 1);
    expect([await statusOf(made, 'U1'), await statusOf(made, 'U2')]).toEqual(['retired', 'active']);
    expect((await made.engine.labels.members(label.id)).items.map(({ id }) => id)).toEqual(['U2']);
    const { items } = await made.engine.events.list({ type: 'enrolment.retired' });
    const { fingerprint } = device.identity;
    expect(items).toMatchObject([{ enrolmentId: 'U1', data: { cause: 'certificate-lapsed', fingerprint } }]);
    await expect(device.idle()).rejects.toMatchObject({ kind: 'forbidden' });
    waiting.identity = identity('waits for U2');
    expect(await waiting.idle()).toBe(null);
    await register(made, 'anew', null);
    device.identity = identity('anew');
    await device.enrol();
    expect(await statusOf(made, 'U1')).toBe('active');
  });

  it('is not retired because a clock jumped, nor where that is not wanted', async () => {
    const [made, never] = [renewing(), renewing({ options: { retireLapsed: false } })];
    for (const one of [made, never]) {
      await enrolled(one, 'U1', 10);
      await days(one, 10);
      one.clock.advance(4_000 * DAY);
      await days(one, 7);
      expect(await statusOf(one, 'U1')).toBe('active');
    }
    made.clock.advance(-4_000 * DAY);
    await days(made, 10);
    expect(await statusOf(made, 'U1')).toBe('active');
    await days(never, 30);
    expect(await statusOf(never, 'U1')).toBe('active');
  });
});
