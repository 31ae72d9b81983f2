// Configurations from assignment to the verified profile, and back.
import { encodeXml, type PlistInput } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import type { CompileConfiguration } from '../src/index.ts';
import { bench, identity, ScriptedDevice } from './support.ts';

const text = (value: string) => new TextEncoder().encode(value);

/** A compiler whose profile depends on the settings and on the platform. */
function compiler(calls: { count: number } = { count: 0 }, verifiable = true): CompileConfiguration {
  return (configuration, { facts }) => {
    calls.count++;
    if (facts['common.platform'] === 'tvOS') return { applicable: false, reason: 'not on tvOS' };
    const content = `${JSON.stringify(configuration.settings)} for ${String(facts['common.platform'])}`;
    return {
      applicable: true,
      verifiable,
      profile: {
        identifier: `test.${configuration.id}`,
        uuid: content,
        displayName: configuration.name,
        bytes: text(content),
      },
    };
  };
}

/** A device that keeps profiles: answers InstallProfile, RemoveProfile and ProfileList from what it has. */
class ProfileDevice extends ScriptedDevice {
  readonly profiles = new Map<string, string>();
  readonly seen: string[] = [];
  refuse = false;

  async work(): Promise<string[]> {
    return this.session((requestType, payload) => {
      if (requestType === 'InstallProfile') {
        const content = new TextDecoder().decode(payload['Payload'] as Uint8Array);
        this.seen.push(content);
        if (this.refuse) {
          return {
            Status: 'Error',
            ErrorChain: [
              { ErrorCode: 4001, ErrorDomain: 'MCInstallationErrorDomain', USEnglishDescription: 'Profile failed' },
            ],
          };
        }
        this.profiles.set(content.replace('signed ', ''), content);
      }
      if (requestType === 'RemoveProfile') this.profiles.clear();
      if (requestType === 'ProfileList') {
        return {
          ProfileList: [...this.profiles.keys()].map((uuid) => ({
            PayloadIdentifier: this.identifier,
            PayloadUUID: uuid,
            PayloadDisplayName: 'x',
          })),
        };
      }
      if (requestType === 'DeviceInformation') return { QueryResponses: { OSVersion: '18.3' } };
      return {};
    });
  }

  identifier = '';
}

async function start(compile = compiler(), devices = ['U1'], options: object = {}) {
  const made = bench({ compile, ...options });
  const { engine } = made;
  const list: ProfileDevice[] = [];
  for (const udid of devices) {
    const device = new ProfileDevice(engine, udid, udid.startsWith('T') ? { ProductName: 'AppleTV14,1' } : {});
    await device.enrol();
    await device.work();
    list.push(device);
  }
  const label = await engine.labels.create({ name: 'all', expression: '"common.manufacturer" = "Apple"' });
  const configuration = await engine.configurations.create({
    name: 'passcode',
    type: 'passcode',
    settings: { min: 6 },
    labelIds: [label.id],
  });
  for (const device of list) device.identifier = `test.${configuration.id}`;
  const status = async (udid = 'U1') => {
    const found = (await engine.devices.get(udid))?.assignments[0];
    return found === undefined ? null : found.status;
  };
  return { ...made, devices: list, device: list[0]!, label, configuration, status };
}

describe('a configuration', () => {
  it('goes to the devices of its labels: pending, sent, applied', async () => {
    const { engine, device, configuration, status } = await start();
    expect(await status()).toBeNull();
    await engine.tick();
    expect(await status()).toBe('pending');
    expect((await engine.configurations.list())[0]).toMatchObject({ applied: 0, waiting: 1 });
    const install = await device.idle();
    expect(install?.requestType).toBe('InstallProfile');
    expect(new TextDecoder().decode(install?.payload['Payload'] as Uint8Array)).toBe('{"min":6} for iOS');
    device.profiles.set('{"min":6} for iOS', '');
    // The verification comes in the same session.
    const verify = await device.say('Acknowledged', { CommandUUID: install!.commandUuid });
    expect(verify?.requestType).toBe('ProfileList');
    expect(await status()).toBe('sent');
    await device.work();
    expect(await status()).toBe('applied');
    expect((await engine.configurations.list())[0]).toMatchObject({ applied: 1, waiting: 0 });
    expect((await engine.configurations.assignments(configuration.id)).items).toMatchObject([
      { enrolmentId: 'U1', status: 'applied', profileIdentifier: `test.${configuration.id}`, version: 1, detail: null },
    ]);
    const { items } = await engine.events.list({ type: 'assignment.changed', order: 'oldest' });
    expect(items.map((event) => event.data['status'])).toEqual(['pending', 'sent', 'applied']);
    await engine.tick();
    expect(await device.work()).toEqual([]);
  });

  it('is applied by the acknowledgement alone where a ProfileList cannot show it', async () => {
    const { engine, device, status } = await start(compiler(undefined, false));
    await engine.tick();
    await device.work();
    expect(await status()).toBe('applied');
    expect(device.seen).toHaveLength(1);
  });

  it('is pushed again when its settings are saved, but not for a description', async () => {
    const { engine, device, configuration, status } = await start();
    await engine.tick();
    await device.work();
    await engine.configurations.update(configuration.id, { description: 'new' });
    await engine.tick();
    expect(await device.work()).toEqual([]);
    expect(await engine.configurations.update(configuration.id, { settings: { min: 8 } })).toMatchObject({
      version: 2,
    });
    await engine.tick();
    expect(await status()).toBe('update-pending');
    device.profiles.clear();
    await device.work();
    expect(await status()).toBe('applied');
    expect(device.seen).toEqual(['{"min":6} for iOS', '{"min":8} for iOS']);
    await engine.configurations.update(configuration.id, { settings: { min: 8 } });
    await engine.tick();
    await device.work();
    expect(device.seen).toHaveLength(3);
  });

  it('that changes while it waits is delivered once, in the newest form', async () => {
    const { engine, device, configuration } = await start();
    await engine.tick();
    for (const min of [7, 8, 9]) {
      await engine.configurations.update(configuration.id, { settings: { min } });
      await engine.tick();
    }
    await device.work();
    expect(device.seen).toEqual(['{"min":9} for iOS']);
  });

  it('is taken away when the device leaves the label', async () => {
    const { engine, device, label, status } = await start();
    await engine.tick();
    await device.work();
    await engine.labels.update(label.id, { expression: '"common.platform" = "macOS"' });
    await engine.tick();
    expect(await status()).toBe('removal-pending');
    expect(await device.work()).toEqual(['RemoveProfile', 'ProfileList']);
    expect(await status()).toBeNull();
    expect(device.profiles.size).toBe(0);
  });

  it('is taken away when it is deleted', async () => {
    const { engine, device, configuration, status } = await start();
    await engine.tick();
    await device.work();
    await engine.configurations.delete(configuration.id);
    await engine.configurations.delete(configuration.id);
    await engine.tick();
    expect(await device.work()).toEqual(['RemoveProfile', 'ProfileList']);
    expect(await status()).toBeNull();
    expect(await engine.configurations.get(configuration.id)).toBeNull();
  });

  it('comes back when it went missing', async () => {
    const { engine, device, status } = await start();
    await engine.tick();
    await device.work();
    device.profiles.clear();
    await engine.devices.refresh(['U1']);
    await device.work();
    await engine.tick();
    expect(await status()).toBe('pending');
    await device.work();
    expect(await status()).toBe('applied');
  });

  it('that the device refuses is partially applied, with Apple’s error, and not tried again by itself', async () => {
    const { engine, device, status } = await start();
    device.refuse = true;
    await engine.tick();
    await device.work();
    expect(await status()).toBe('partially-applied');
    expect((await engine.devices.get('U1'))?.assignments[0]?.detail).toBe(
      'Profile failed (MCInstallationErrorDomain 4001)',
    );
    await engine.tick();
    expect(await device.work()).toEqual([]);
  });

  it('that the device took but does not list is partially applied', async () => {
    const { engine, device, status } = await start();
    device.identifier = 'something else';
    await engine.tick();
    await device.work();
    expect(await status()).toBe('partially-applied');
  });

  it('that cannot be compiled for a device is not applicable there, and the others get theirs', async () => {
    const { engine, status } = await start(compiler(), ['U1', 'T1']);
    await engine.tick();
    expect([await status('U1'), await status('T1')]).toEqual(['pending', 'not-applicable']);
    expect((await engine.devices.get('T1'))?.assignments[0]?.detail).toBe('not on tvOS');
  });

  it('whose compiler throws does not keep others from the device', async () => {
    const compile: CompileConfiguration = (configuration, device) => {
      if (configuration.name === 'broken') throw new Error('bad settings');
      return compiler()(configuration, device);
    };
    const { engine, label, logs } = await start(compile);
    await engine.configurations.create({ name: 'broken', type: 'x', settings: {}, labelIds: [label.id] });
    await engine.tick();
    const statuses = (await engine.devices.get('U1'))?.assignments.map(({ configurationName, status, detail }) => [
      configurationName,
      status,
      detail,
    ]);
    expect(statuses?.sort()).toEqual([
      ['broken', 'not-applicable', 'bad settings'],
      ['passcode', 'pending', null],
    ]);
    expect(logs.some((log) => log.level === 'error')).toBe(true);
  });

  it('is signed once for all who get the same', async () => {
    let signed = 0;
    const signProfile = async (bytes: Uint8Array) => {
      signed++;
      return Buffer.concat([text('signed '), bytes]);
    };
    const { engine, devices } = await start(compiler(), ['U1', 'U2', 'U3'], { signProfile });
    await engine.tick();
    await devices[1]!.work();
    expect(devices[1]!.seen).toEqual(['signed {"min":6} for iOS']);
    expect(signed).toBe(1);
  });

  it('starts anew on a device that enrols again', async () => {
    const { engine, device, status } = await start();
    await engine.tick();
    await device.work();
    device.profiles.clear();
    await device.enrol();
    await device.work();
    await engine.tick();
    expect(await status()).toBe('pending');
  });

  it('has a unique name, and labels that exist', async () => {
    const { engine } = bench();
    const { configurations } = engine;
    const input = { name: 'a', type: 'x', settings: {} };
    await configurations.create(input);
    await expect(configurations.create(input)).rejects.toMatchObject({ code: 'core.configuration.name_taken' });
    await expect(configurations.create({ ...input, name: 'b', labelIds: ['nobody'] })).rejects.toMatchObject({
      code: 'core.label.unknown',
    });
    await expect(configurations.update('nobody', {})).rejects.toMatchObject({ code: 'core.configuration.unknown' });
  });
});

describe('a configuration for a fleet', () => {
  it('is compiled once for equal devices and delivered as one command', async () => {
    const calls = { count: 0 };
    const ids = Array.from({ length: 2_500 }, (_, i) => `U${i}`);
    const { engine, store } = bench({ compile: compiler(calls) });
    for (const id of ids) await new ScriptedDevice(engine, id).enrol();
    const label = await engine.labels.create({ name: 'all', expression: '"common.platform" = "iOS"' });
    await engine.configurations.create({ name: 'c', type: 'x', settings: {}, labelIds: [label.id] });
    await engine.tick();
    expect(calls.count).toBe(1);
    const uuids = new Set<string>();
    for (const records of (await store.configurations.assignmentsOf(ids)).values()) {
      for (const record of records) uuids.add(String(record.commandUuid));
    }
    expect(uuids.size).toBe(1);
    expect((await engine.configurations.list())[0]?.waiting).toBe(2_500);
  });
});

describe('configurations that speak of the user', () => {
  const ACCOUNT = '$MANAGED_APPLE_ID$';

  it('go to the users of a Shared iPad, each with their own account, and to nobody else', async () => {
    const { engine } = bench({ compile: compiler({ count: 0 }, false) });
    const ipad = new ScriptedDevice(engine, 'P1', { ProductName: 'iPad14,1' });
    await ipad.enrol();
    const facts = { IsSupervised: true, IsMultiUser: true };
    await ipad.session((type) => (type === 'DeviceInformation' ? { QueryResponses: facts } : {}));
    const phone = new ScriptedDevice(engine, 'U1');
    await phone.enrol();
    await phone.session((type) => (type === 'DeviceInformation' ? { QueryResponses: { IsMultiUser: false } } : {}));
    const label = await engine.labels.create({ name: 'all', expression: '"common.manufacturer" = "Apple"' });
    const labelIds = [label.id];
    const mail = await engine.configurations.create({
      name: 'mail',
      type: 'mail',
      settings: { account: { address: ACCOUNT, names: [`Mail of ${ACCOUNT}`] } },
      labelIds,
    });
    await engine.configurations.create({ name: 'wifi', type: 'wifi', settings: { ssid: 'x' }, labelIds });
    const signIn = async (name: string) => {
      const user = { UserID: 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', UserShortName: name, UserLongName: name };
      await ipad.tokenUpdate(user);
      return user;
    };
    const installed = async (user: Record<string, string>) => {
      const profiles: string[] = [];
      let next = await ipad.say('Idle', user);
      while (next !== null) {
        if (next.requestType === 'InstallProfile') {
          profiles.push(new TextDecoder().decode(next.payload['Payload'] as Uint8Array));
        } else profiles.push(next.requestType);
        next = await ipad.say('Acknowledged', { ...user, CommandUUID: next.commandUuid });
      }
      return profiles.filter((profile) => profile.startsWith('{') || profile === 'RemoveProfile');
    };
    const ann = await signIn('ann@example.com');
    await engine.tick();
    expect(await installed(ann)).toEqual([
      '{"account":{"address":"ann@example.com","names":["Mail of ann@example.com"]}} for iOS',
    ]);
    const bob = await signIn('bob@example.com');
    await engine.tick();
    expect(await installed(bob)).toEqual([
      '{"account":{"address":"bob@example.com","names":["Mail of bob@example.com"]}} for iOS',
    ]);
    // The devices have the other one, and the reason why not this.
    const reasons = (await engine.configurations.assignments(mail.id)).items.map((one) => [
      one.enrolmentId,
      one.status,
      one.detail?.slice(0, 19) ?? null,
    ]);
    expect(reasons).toEqual([
      ['P1', 'not-applicable', 'it speaks of $MANAG'],
      ['P1:ann@example.com', 'applied', null],
      ['P1:bob@example.com', 'applied', null],
      ['U1', 'not-applicable', 'NO_MANAGED_APPLE_ID'],
    ]);
    // A change reaches the users, and so does its end.
    await engine.configurations.update(mail.id, { settings: { address: `new ${ACCOUNT}` } });
    await engine.tick();
    expect(await installed(ann)).toEqual(['{"address":"new ann@example.com"} for iOS']);
    await engine.configurations.update(mail.id, { labelIds: [] });
    await engine.tick();
    expect(await installed(ann)).toEqual(['RemoveProfile']);
    expect(await installed(bob)).toEqual(['RemoveProfile']);
  });

  it('go to a device under User Enrolment with the account that enrolled it', async () => {
    const { engine } = bench({ compile: compiler() });
    const own = identity('byod');
    const send = (message: Record<string, PlistInput>) =>
      engine.protocol.checkin(encodeXml({ EnrollmentID: 'E1', Topic: 't', ...message }), own);
    await send({ MessageType: 'Authenticate', ProductName: 'iPhone15,2', OSVersion: '18.0' });
    await send({ MessageType: 'TokenUpdate', Token: new Uint8Array(32), PushMagic: 'm' });
    const label = await engine.labels.create({ name: 'all', expression: '"common.manufacturer" = "Apple"' });
    const settings = { address: ACCOUNT };
    const { id } = await engine.configurations.create({ name: 'mail', type: 'mail', settings, labelIds: [label.id] });
    await engine.tick();
    const state = async () =>
      (await engine.configurations.assignments(id)).items.map(({ status, detail }) => [status, detail]);
    expect(await state()).toMatchObject([['not-applicable', expect.stringContaining('NO_MANAGED_APPLE_ID')]]);
    await engine.devices.learn('E1', { 'ios.managed_apple_id': 'ann@example.com' });
    await engine.tick();
    expect(await state()).toMatchObject([['pending', null]]);
  });
});
