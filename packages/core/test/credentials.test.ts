// Credentials: what users upload and what is issued for them, delivered to their devices at the moment they take it.
import { buildProfile, readProfile } from '@espalier/apple-mdm';
import {
  createPkcs12,
  createRootCa,
  generateKeyPair,
  issueIdentity,
  openCa,
  readCertificate,
  readPkcs12,
  templates,
} from '@espalier/pki';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CompileConfiguration, CredentialSettingInput, EngineInput, IdentityRequest } from '../src/index.ts';
import { bench, ScriptedDevice, TestClock } from './support.ts';

const DAY = 86_400_000;
const clock = new TestClock();

type Identity = Awaited<ReturnType<typeof issueIdentity>>;
let ca: Awaited<ReturnType<typeof openCa>>;
let authority: Awaited<ReturnType<typeof createRootCa>>;
const made = new Map<string, Identity>();

beforeAll(async () => {
  authority = await createRootCa({ subject: 'CN=Users', key: { type: 'ec', curve: 'P-256' }, clock });
  ca = await openCa({ ...authority, clock });
});

/** An identity of this name, the same each time. */
async function identityOf(name: string, validityDays = 365): Promise<Identity> {
  const found =
    made.get(name) ??
    (await issueIdentity(ca, {
      ...{ subject: `CN=${name}`, template: 'device', validityDays, key: { type: 'ec', curve: 'P-256' } },
    }));
  made.set(name, found);
  return found;
}

const p12 = async (name: string, password = 'secret', validityDays?: number) =>
  createPkcs12({ ...(await identityOf(name, validityDays)), password, iterations: 10 });

/** A profile with an identity of the setting that the configuration names. */
const compile: CompileConfiguration = ({ id, name, settings }, { facts }) => {
  const setting = String(settings['credential']);
  const revision = facts[`credential.${setting}`];
  const missing = facts[`credential.${setting}.missing`];
  const { identifier, uuid, bytes } = buildProfile({
    identifier: `test.${id}`,
    displayName: name,
    payloads: [
      {
        type: 'com.apple.security.pkcs12',
        content: {
          PayloadContent: new TextEncoder().encode(String(revision)),
          PayloadCertificateFileName: `${settings['fileName'] ?? 'identity'}.p12`,
        },
      },
    ],
  });
  if (missing !== undefined) {
    return { applicable: false, reason: String(missing), ...(revision === undefined ? {} : { keepUuid: uuid }) };
  }
  return {
    applicable: true,
    verifiable: false,
    profile: { identifier, uuid, displayName: name, bytes },
    late: [{ payload: 0, source: 'credential', reference: setting, revision: String(revision) }],
  };
};

/** A device that shows which identities it was given. */
class IdentityDevice extends ScriptedDevice {
  readonly installed: string[] = [];
  readonly passwords: string[] = [];

  async work(): Promise<string[]> {
    const profiles: Uint8Array[] = [];
    const seen = await this.session((requestType, payload) => {
      if (requestType === 'InstallProfile') profiles.push(payload['Payload'] as Uint8Array);
      if (requestType === 'ProfileList') return { ProfileList: [] };
      if (requestType === 'DeviceInformation') return { QueryResponses: { OSVersion: '18.3' } };
      return {};
    });
    for (const profile of profiles) {
      const content = readProfile(profile).payloads[0]?.content as Record<string, unknown>;
      const password = String(content['Password']);
      const { certificate } = await readPkcs12(content['PayloadContent'] as Uint8Array, password);
      this.installed.push(readCertificate(certificate).subjectCn ?? '');
      this.passwords.push(password);
    }
    return seen;
  }
}

async function start(
  setting: Omit<CredentialSettingInput, 'name'>,
  devices: Readonly<Record<string, string | null>>,
  input: Partial<EngineInput> = {},
) {
  const world = bench({ compile, ...input });
  const { engine } = world;
  const label = await engine.labels.create({ name: 'all', expression: '"common.manufacturer" = "Apple"' });
  const list: Record<string, IdentityDevice> = {};
  for (const [udid, user] of Object.entries(devices)) {
    const device = new IdentityDevice(engine, udid);
    await device.enrol();
    await device.work();
    if (user !== null) await engine.devices.learn(udid, { 'user.user_id': user });
    list[udid] = device;
  }
  const { id: settingId } = await engine.credentials.createSetting({ name: 'mail', displayName: 'Mail', ...setting });
  const configuration = await engine.configurations.create({
    ...{ name: 'mail', type: 'identity', settings: { credential: settingId }, labelIds: [label.id] },
  });
  const upload = async (userId: string, name: string) =>
    engine.credentials.upload({ settingId, userId, file: await p12(name), password: 'secret' });
  const stand = async (udid: string) => {
    const found = (await engine.devices.get(udid))?.assignments[0];
    return found === undefined ? null : [found.status, found.detail];
  };
  const work = async () => {
    await engine.tick();
    for (const device of Object.values(list)) await device.work();
    await engine.tick();
  };
  const told = async (type: string) => {
    const { items } = await engine.events.list({ order: 'oldest', limit: 1_000 });
    return items.filter((event) => event.type === type).map((event) => event.data);
  };
  return { ...world, devices: list, settingId, configuration, upload, stand, work, told };
}

describe('a user’s own identity', () => {
  const source = { source: 'user-provided' } as const;

  it('goes to each of the user’s devices, and to nobody else’s, under a password of its own', async () => {
    const world = await start(source, { A1: 'Ann', A2: ' ann ', B: 'bob', N: null });
    await world.upload('ANN', 'ann’s mail');
    await world.work();
    const { A1, A2, B, N } = world.devices;
    expect([A1?.installed, A2?.installed, B?.installed, N?.installed]).toEqual([
      ['ann’s mail'],
      ['ann’s mail'],
      [],
      [],
    ]);
    expect(A1?.passwords[0]).not.toBe(A2?.passwords[0]);
    expect(A1?.passwords[0]).toMatch(/^[\w-]{24}$/);
    expect(await world.stand('A1')).toEqual(['applied', null]);
    expect(await world.stand('B')).toEqual(['not-applicable', 'the user has to upload a file for "Mail"']);
    expect(await world.stand('N')).toEqual(['not-applicable', 'it is not known whose the device is']);
    expect((await world.engine.credentials.list()).items).toMatchObject([
      { holder: 'user:ann', status: 'active', origin: 'admin', deliveredAt: world.clock.now(), keyDeletedAt: null },
    ]);
    expect((await world.told('credential.delivered')).length).toBe(2);
    // The file waits for further devices.
    await world.engine.devices.learn('N', { 'user.user_id': 'ann' });
    await world.work();
    expect(N?.installed).toEqual(['ann’s mail']);
  });

  it('is not in the queue, in events or in the log: only at the device', async () => {
    const world = await start(source, { A: 'ann' });
    await world.upload('ann', 'ann');
    await world.engine.tick();
    const [command] = (await world.engine.commands.history('A')).items;
    expect(command?.requestType).toBe('InstallProfile');
    const body = await world.store.queue.body(command!.commandUuid);
    expect(body?.sealed).toBe(true);
    await world.devices['A']?.work();
    const everything = JSON.stringify([world.logs, (await world.engine.events.list({ limit: 1000 })).items]);
    expect(everything).not.toContain(world.devices['A']!.passwords[0]);
    expect(everything).not.toContain('secret');
  });

  it('is replaced by the next upload, and the same again changes nothing', async () => {
    const world = await start(source, { A: 'ann' });
    const first = await world.upload('ann', 'one');
    await world.work();
    await world.upload('ann', 'one');
    await world.work();
    expect(world.devices['A']?.installed).toEqual(['one']);
    await world.upload('ann', 'two');
    await world.work();
    expect(world.devices['A']?.installed).toEqual(['one', 'two']);
    expect(await world.engine.credentials.get(first.id)).toMatchObject({
      ...{ status: 'superseded', keyDeletedBy: 'replaced', revision: 1 },
    });
  });

  it('that waits for a device is the newest one when it comes', async () => {
    const world = await start(source, { A: 'ann' });
    await world.upload('ann', 'one');
    await world.engine.tick();
    await world.upload('ann', 'two');
    // Not reconciled yet: the command is of the first one, which is gone.
    expect(await world.devices['A']?.work()).toEqual([]);
    expect((await world.told('credential.withheld')).map(({ outcome }) => outcome)).toEqual(['gone']);
    await world.work();
    expect(world.devices['A']?.installed).toEqual(['two']);
  });

  it('whose key was deleted stays where it is and goes nowhere else', async () => {
    const world = await start(source, { A1: 'ann', A2: 'ann' });
    const { id } = await world.upload('ann', 'ann');
    await world.engine.tick();
    await world.devices['A1']?.work();
    expect(await world.engine.credentials.deleteKey(id, 'user')).toBe(true);
    expect(await world.engine.credentials.deleteKey(id, 'user')).toBe(false);
    const reason = 'the private key was deleted: the user has to upload a file for "Mail" again';
    await world.work();
    expect(world.devices['A2']?.installed).toEqual([]);
    expect([await world.stand('A1'), await world.stand('A2')]).toEqual([
      ['applied', null],
      ['not-applicable', reason],
    ]);
    // A new version of the configuration cannot be delivered either; what is there stays.
    await world.engine.configurations.update(world.configuration.id, {
      settings: { credential: world.settingId, fileName: 'new' },
    });
    await world.work();
    expect(world.devices['A1']?.received.some(({ requestType }) => requestType === 'RemoveProfile')).toBe(false);
    expect(await world.engine.credentials.ofUser('ann')).toMatchObject([
      { displayName: 'Mail', state: 'key-deleted', credential: { keyDeletedBy: 'user', subject: 'CN=ann' } },
    ]);
    await world.upload('ann', 'ann');
    await world.work();
    expect([world.devices['A1']?.installed, world.devices['A2']?.installed]).toEqual([['ann', 'ann'], ['ann']]);
  });

  it('leaves the device when it becomes another user’s', async () => {
    const world = await start(source, { A: 'ann' });
    await world.upload('ann', 'ann');
    await world.work();
    await world.engine.devices.learn('A', { 'user.user_id': 'bob' });
    await world.work();
    expect(world.devices['A']?.received.some(({ requestType }) => requestType === 'RemoveProfile')).toBe(true);
  });

  it('loses its key by age, and expires, with events', async () => {
    const world = await start({ ...source, deleteKeysAfterDays: 30 }, { A: 'ann' });
    await world.upload('ann', 'ann');
    await world.work();
    world.clock.advance(30 * DAY);
    await world.work();
    expect((await world.told('credential.key-deleted')).map(({ by }) => by)).toEqual(['age']);
    world.clock.advance(276 * DAY);
    await world.work();
    expect((await world.engine.credentials.list({ statuses: ['expiring'] })).items.length).toBe(1);
    expect((await world.told('credential.expiring')).length).toBe(1);
    world.clock.advance(60 * DAY);
    await world.work();
    expect((await world.told('credential.expired')).length).toBe(1);
    expect(await world.stand('A')).toEqual(['applied', null]);
    expect(await world.engine.credentials.deleteKeysOf('ann')).toBe(0);
  });

  it('is refused with the reason when it is no good', async () => {
    const world = await start(source, { A: 'ann' });
    const { engine, settingId } = world;
    const refusal = async (file: Uint8Array, password: string | undefined = 'secret', userId = 'ann') => {
      const input = { settingId, userId, file, ...(password === '' ? {} : { password }) };
      try {
        await engine.credentials.upload(input);
        return 'taken';
      } catch (error) {
        const { code, kind, at } = error as { code: string; kind: string; at?: { path?: string } };
        return [code, kind, at?.path].filter((part) => part !== undefined).join(' ');
      }
    };
    const good = await p12('good');
    expect(await refusal(good, 'wrong')).toBe('core.credential.password invalid /password');
    expect(await refusal(good, '')).toBe('core.credential.password_required invalid /password');
    expect(await refusal(new Uint8Array(10))).toMatch(/^core\.credential\.file invalid \/file$/);
    expect(await refusal(new Uint8Array(300_000))).toBe('core.credential.too_large too-large');
    expect(await refusal(good, 'secret', ' ')).toBe('core.credential.bad_user invalid');
    const root = await createPkcs12({ ...authority, password: 'secret', iterations: 10 });
    expect(await refusal(root)).toBe('core.credential.authority invalid /file');
    const weak = await generateKeyPair({ type: 'rsa', bits: 1024 });
    const template = { ...templates.device, minRsaBits: 1024 };
    const weakCertificate = await ca.issue({ publicKey: weak.publicKey, subject: 'CN=weak', template });
    const file = { certificate: weakCertificate, privateKey: weak.privateKey, password: 'secret', iterations: 10 };
    expect(await refusal(await createPkcs12(file))).toBe('core.credential.weak invalid /file');
    const short = await p12('short', 'secret', 1);
    world.clock.advance(2 * DAY);
    expect(await refusal(short)).toBe('core.credential.expired invalid /file');
    world.clock.advance(-100 * DAY);
    expect(await refusal(good)).toBe('core.credential.not_yet_valid invalid /file');
    await expect(engine.credentials.upload({ settingId: 'none', userId: 'a', file: good })).rejects.toMatchObject({
      code: 'core.credential.unknown_setting',
    });
    expect((await engine.credentials.list()).items).toEqual([]);
  });

  it('may come without a password where its setting says so, if the file has none', async () => {
    const { engine, settingId } = await start({ ...source, requirePassword: false }, {});
    await expect(
      engine.credentials.upload({ settingId, userId: 'ann', file: await p12('good') }),
    ).rejects.toMatchObject({ code: 'core.credential.password_required' });
  });
});

describe('an identity that the server issues', () => {
  const asked: IdentityRequest[] = [];
  let count = 0;
  let hold = false;
  const issuing = (at: TestClock): Partial<EngineInput> => ({
    issueIdentity: async (request) => {
      asked.push(request);
      if (hold) return null;
      const local = await openCa({ ...authority, clock: at });
      const whose = request.setting.scope === 'user' ? request.userId : request.enrolment.id;
      const subject = `CN=${request.setting.scope} ${whose} ${++count}`;
      return await issueIdentity(local, {
        ...{ subject, template: 'device', validityDays: 365, key: { type: 'ec', curve: 'P-256' } as const },
      });
    },
  });

  async function begin(
    setting: Omit<CredentialSettingInput, 'name' | 'source'>,
    devices: Record<string, string | null>,
    input: Partial<EngineInput> = {},
  ) {
    const own = new TestClock();
    asked.length = 0;
    count = 0;
    hold = false;
    const world = await start({ source: 'issued', ...setting }, devices, { ...issuing(own), clock: own, ...input });
    return { ...world, clock: own };
  }

  it('is made when the device takes it, once for each device', async () => {
    const world = await begin({}, { A: 'ann', B: 'ann' });
    await world.engine.tick();
    expect(asked).toEqual([]);
    await world.work();
    expect(asked.map(({ enrolment, userId, replaces }) => [enrolment.id, userId, replaces])).toEqual([
      ['A', 'ann', null],
      ['B', 'ann', null],
    ]);
    expect([world.devices['A']?.installed, world.devices['B']?.installed]).toEqual([['device A 1'], ['device B 2']]);
    // A change of the configuration that is not about the certificate makes no other one (CERT-21).
    await world.engine.configurations.update(world.configuration.id, {
      settings: { credential: world.settingId, fileName: 'new' },
    });
    await world.work();
    expect(world.devices['A']?.installed).toEqual(['device A 1', 'device A 1']);
    expect(asked.length).toBe(2);
    const { items } = await world.engine.certificates.list();
    expect(items.map(({ status, deliveredAt, enrolmentId }) => [status, deliveredAt !== null, enrolmentId])).toEqual([
      ['in-force', true, null],
      ['in-force', true, null],
    ]);
  });

  it('of a user is one for all devices, also when they come at the same moment', async () => {
    const world = await begin({ scope: 'user' }, { A: 'ann', B: 'ann' });
    await world.engine.tick();
    await Promise.all([world.devices['A']?.work(), world.devices['B']?.work()]);
    expect([world.devices['A']?.installed, world.devices['B']?.installed]).toEqual([['user ann 1'], ['user ann 1']]);
    expect(asked.length).toBe(1);
  });

  it('that is made early waits for 14 days, and is then made on demand', async () => {
    const world = await begin({ generation: 'early' }, { A: 'ann' });
    await world.engine.tick();
    expect(asked.length).toBe(1);
    const [early] = (await world.engine.certificates.list()).items;
    expect(early).toMatchObject({ status: 'issued', deliveredAt: null });
    world.clock.advance(14 * DAY);
    await world.engine.tick();
    expect(await world.told('credential.discarded')).toEqual([]);
    world.clock.advance(1);
    await world.engine.tick();
    expect((await world.told('credential.discarded')).length).toBe(1);
    expect(await world.engine.certificates.get(early!.fingerprint)).toMatchObject({ status: 'superseded' });
    await world.engine.tick();
    expect(asked.length).toBe(1);
    await world.work();
    expect(world.devices['A']?.installed).toEqual(['device A 2']);
  });

  it('is made anew within its window, and the old one is superseded by the delivery', async () => {
    const world = await begin({ expiryWindowDays: 60 }, { A: 'ann' });
    await world.work();
    world.clock.advance(304 * DAY);
    await world.work();
    expect(asked.length).toBe(1);
    world.clock.advance(2 * DAY);
    await world.engine.tick();
    expect((await world.told('credential.expiring')).length).toBe(1);
    expect(asked.length).toBe(1);
    await world.work();
    expect(world.devices['A']?.installed).toEqual(['device A 1', 'device A 2']);
    expect(asked[1]?.replaces).not.toBeNull();
    const { items } = await world.engine.certificates.list();
    expect(items.map(({ status }) => status)).toEqual(['in-force', 'superseded']);
    await world.work();
    expect(asked.length).toBe(2);
  });

  it('that its issuer revoked is found out within a day, and made anew', async () => {
    const revoked = new Set<string>();
    let away = false;
    const issuerStatus: NonNullable<EngineInput['issuerStatus']> = async ({ fingerprint }) => {
      if (away) throw new Error('the list cannot be fetched');
      if (!revoked.has(fingerprint)) return { status: 'good' };
      return { status: 'revoked', revokedAt: 0, reason: 'keyCompromise' };
    };
    const world = await begin({}, { A: 'ann' }, { issuerStatus });
    await world.work();
    const [certificate] = (await world.engine.certificates.list()).items;
    revoked.add(certificate!.fingerprint);
    away = true;
    world.clock.advance(DAY);
    await world.work();
    expect(world.logs.some(({ message }) => message.includes('issuer could not be asked'))).toBe(true);
    away = false;
    world.clock.advance(DAY);
    await world.work();
    expect(await world.engine.certificates.get(certificate!.fingerprint)).toMatchObject({
      ...{ status: 'revoked', revocationReason: 'keyCompromise' },
    });
    expect((await world.told('certificate.revoked')).map(({ by }) => by)).toEqual(['issuer']);
    expect(world.devices['A']?.installed).toEqual(['device A 1', 'device A 2']);
    await expect(world.engine.credentials.reissue('nothing')).rejects.toMatchObject({
      code: 'core.credential.unknown',
    });
  });

  it('waits while its issuer holds it back or is away, and keeps nothing else from the device', async () => {
    const world = await begin({}, { A: 'ann' });
    hold = true;
    await world.engine.tick();
    await world.engine.commands.enqueue({ enrolmentIds: ['A'] }, 'ProfileList', {});
    expect(await world.devices['A']?.work()).toEqual(['ProfileList']);
    expect(await world.told('credential.withheld')).toMatchObject([
      { outcome: 'hold', reason: 'the issuer holds it back' },
    ]);
    hold = false;
    world.clock.advance(DAY);
    await world.devices['A']?.work();
    expect(world.devices['A']?.installed).toEqual(['device A 1']);
  });

  it('can be revoked, is not issued again by itself, and enrols nobody', async () => {
    const world = await begin({ revokeOnCheckOut: true }, { A: 'ann', B: 'bob', C: 'carl' });
    await world.work();
    const [c, b, a] = (await world.engine.certificates.list()).items;
    await world.engine.certificates.revoke(a!.fingerprint, 'keyCompromise');
    await world.work();
    expect((await world.engine.credentials.get(a!.credentialId!))?.status).toBe('revoked');
    expect(asked.length).toBe(3);
    expect(await world.engine.credentials.reissue(a!.credentialId!)).toBe(true);
    expect(await world.engine.credentials.reissue(a!.credentialId!)).toBe(false);
    await world.work();
    expect(world.devices['A']?.installed).toEqual(['device A 1', 'device A 4']);
    const thief = new ScriptedDevice(world.engine, 'X');
    thief.identity = { fingerprint: b!.fingerprint, certificate: b!.certificate, source: 'mdm-signature' };
    await expect(thief.authenticate()).rejects.toMatchObject({ code: 'core.enrolment.identity_mismatch' });
    await world.devices['B']?.checkin({ MessageType: 'CheckOut', Topic: 'com.apple.mgmt.External.test' });
    expect(await world.engine.certificates.get(b!.fingerprint)).toMatchObject({
      ...{ status: 'revoked', revocationReason: 'cessationOfOperation' },
    });
    await world.engine.actions.run({ enrolmentIds: ['C'] }, 'force-retire', {});
    expect(await world.engine.certificates.get(c!.fingerprint)).toMatchObject({ status: 'revoked' });
  });
});

describe('a credential setting', () => {
  it('is checked, named once, and stays while a configuration needs it', async () => {
    const { engine } = bench();
    const code = (input: object) =>
      engine.credentials.createSetting({ name: 'x', source: 'issued', ...input } as CredentialSettingInput).then(
        () => 'created',
        (error: { code: string; at?: { path: string } }) => `${error.code} ${error.at?.path ?? ''}`,
      );
    for (const [field, value] of [
      ['name', ' '],
      ['name', 'x'.repeat(256)],
      ['displayName', ''],
      ['deleteKeysAfterDays', 0],
      ['deleteKeysAfterDays', 1.5],
      ['deleteKeysAfterDays', 3_651],
      ['expiryWindowDays', 271],
      ['options', { x: 'x'.repeat(20_001) }],
    ] as const) {
      expect(await code({ [field]: value })).toBe(`core.credential.bad_setting /${field}`);
    }
    const setting = await engine.credentials.createSetting({
      name: 'S/MIME',
      source: 'user-provided',
      scope: 'device',
    });
    expect(setting).toMatchObject({
      scope: 'user',
      requirePassword: true,
      deleteKeysAfterDays: null,
      displayName: 'S/MIME',
    });
    expect(await code({ name: 'S/MIME' })).toBe('core.credential.name_taken ');
    expect(await engine.credentials.updateSetting(setting.id, { deleteKeysAfterDays: 7 })).toMatchObject({
      version: 2,
    });
    const settings = { deep: [{ credential: setting.id }] };
    const { id } = await engine.configurations.create({ name: 'mail', type: 'identity', settings });
    await expect(engine.credentials.deleteSetting(setting.id)).rejects.toMatchObject({
      code: 'core.credential.in_use',
    });
    await engine.configurations.delete(id);
    await engine.credentials.deleteSetting(setting.id);
    await engine.credentials.deleteSetting(setting.id);
    expect(await engine.credentials.settings()).toEqual([]);
    await expect(engine.credentials.updateSetting(setting.id, {})).rejects.toMatchObject({
      code: 'core.credential.unknown_setting',
    });
  });
});
