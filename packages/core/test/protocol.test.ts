// Check-in and the command loop, end to end over the engine.
import { decodeDict, type PlistInput } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../src/index.ts';
import { bench, identity, ScriptedDevice } from './support.ts';

describe('enrolment', () => {
  it('goes from Authenticate over TokenUpdate to active, and queues the inventory once', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.authenticate();
    expect((await engine.devices.get('U1'))?.enrolment.status).toBe('pending');
    await device.tokenUpdate();
    await device.tokenUpdate();
    const detail = await engine.devices.get('U1');
    expect(detail?.enrolment).toMatchObject({ status: 'active', pushable: true, serialNumber: 'SU1', udid: 'U1' });
    expect(detail?.facts).toMatchObject({ 'common.platform': 'iOS', 'common.status': 'Active' });
    expect(await device.session()).toEqual([
      'DeviceInformation',
      'SecurityInfo',
      'InstalledApplicationList',
      'ProfileList',
      'CertificateList',
    ]);
    const types = (await engine.events.list({ order: 'oldest', limit: 1000 })).items.map((event) => event.type);
    expect(types.filter((type) => type.startsWith('enrolment.'))).toEqual([
      'enrolment.authenticated',
      'enrolment.active',
      'enrolment.token-updated',
    ]);
  });

  it('refuses the certificate of another device, and changes nothing', async () => {
    const { engine, store } = bench();
    const one = new ScriptedDevice(engine, 'U1');
    const two = new ScriptedDevice(engine, 'U2');
    await one.enrol();
    await two.enrol();
    const before = await store.enrolments.get('U1');
    one.identity = two.identity;
    const refused = { code: 'core.enrolment.identity_mismatch', kind: 'forbidden' };
    await expect(one.idle()).rejects.toMatchObject(refused);
    await expect(one.authenticate()).rejects.toMatchObject(refused);
    await expect(one.tokenUpdate()).rejects.toMatchObject(refused);
    await expect(one.checkin({ MessageType: 'CheckOut', Topic: 't' })).rejects.toMatchObject(refused);
    await expect(one.checkin({ MessageType: 'GetBootstrapToken' })).rejects.toMatchObject(refused);
    expect(await store.enrolments.get('U1')).toEqual(before);
    const { items } = await engine.events.list({ type: 'enrolment.identity-refused' });
    expect(items).toHaveLength(5);
  });

  it('refuses a device that never enrolled', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await expect(device.idle()).rejects.toMatchObject({ code: 'core.enrolment.unknown', kind: 'forbidden' });
    await expect(device.tokenUpdate()).rejects.toMatchObject({ code: 'core.enrolment.unknown' });
    expect(await engine.devices.get('U1')).toBeNull();
  });

  it('accepts a new certificate at Authenticate where the policy allows it, and then no longer the old one', async () => {
    const { engine } = bench({ hooks: { reenrolment: 'allow' } });
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    const old = device.identity;
    device.identity = identity('another certificate');
    await device.authenticate();
    expect((await engine.devices.get('U1'))?.enrolment.status).toBe('pending');
    await device.tokenUpdate();
    device.identity = old;
    await expect(device.idle()).rejects.toMatchObject({ code: 'core.enrolment.identity_mismatch' });
  });

  it('ends with CheckOut', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    const apps = [{ Identifier: 'com.example.app', Name: 'App', Version: '1' }];
    await device.session((type) => (type === 'InstalledApplicationList' ? { InstalledApplicationList: apps } : {}));
    await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'RestartDevice', {});
    await device.checkin({ MessageType: 'CheckOut', Topic: 't' });
    // What was last known of its apps stays (REG-26).
    expect((await engine.devices.get('U1'))?.apps).toMatchObject([{ identifier: 'com.example.app' }]);
    expect((await engine.devices.get('U1'))?.enrolment).toMatchObject({ status: 'checked-out', pushable: false });
    await expect(device.idle()).rejects.toMatchObject({ code: 'core.enrolment.unknown' });
    const { items } = await engine.commands.history('U1');
    expect(new Set(items.map((entry) => entry.state))).toEqual(new Set(['acknowledged', 'cancelled']));
  });

  it('keeps bootstrap tokens and gives them back', async () => {
    const { engine } = bench();
    const mac = new ScriptedDevice(engine, 'M1', { ProductName: 'Mac14,7' });
    await mac.enrol();
    expect(decodeDict((await mac.checkin({ MessageType: 'GetBootstrapToken' }))!)).toEqual({});
    const token = new TextEncoder().encode('the token');
    await mac.checkin({ MessageType: 'SetBootstrapToken', BootstrapToken: token });
    const answer = decodeDict((await mac.checkin({ MessageType: 'GetBootstrapToken' }))!);
    expect(new Uint8Array(answer['BootstrapToken'] as Uint8Array)).toEqual(token);
    await mac.checkin({ MessageType: 'SetBootstrapToken' });
    expect(decodeDict((await mac.checkin({ MessageType: 'GetBootstrapToken' }))!)).toEqual({});
  });

  it('has user channels with a queue of their own, pinned to the device', async () => {
    const { engine } = bench();
    const mac = new ScriptedDevice(engine, 'M1', { ProductName: 'Mac14,7' });
    await mac.enrol();
    await mac.session();
    await mac.tokenUpdate({ UserID: 'USER', UserShortName: 'ann', UserLongName: 'Ann' });
    await engine.commands.enqueue({ enrolmentIds: ['M1:USER'] }, 'ProfileList', {});
    expect(await mac.idle()).toBeNull();
    expect(await mac.say('Idle', { UserID: 'USER' })).toMatchObject({ requestType: 'ProfileList' });
    const stranger = new ScriptedDevice(engine, 'M1');
    stranger.identity = identity('stranger');
    await expect(stranger.say('Idle', { UserID: 'USER' })).rejects.toMatchObject({
      code: 'core.enrolment.identity_mismatch',
    });
  });

  it('refuses check-in messages it does not handle with a typed error', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    const message = { MessageType: 'DeclarativeManagement', Endpoint: 'something-new' };
    await expect(device.checkin(message)).rejects.toMatchObject({ code: 'core.declaration.endpoint' });
  });
});

describe('the command loop', () => {
  it('answers a response to a command that was never sent with the next command, and writes an event', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    expect(await device.say('Acknowledged', { CommandUUID: 'never-sent' })).toMatchObject({
      requestType: 'DeviceInformation',
    });
    expect((await engine.events.list({ type: 'command.unknown-response' })).items).toMatchObject([
      { enrolmentId: 'U1', data: { commandUuid: 'never-sent', status: 'Acknowledged' } },
    ]);
    expect(await engine.commands.get('U1', 'never-sent')).toBeNull();
  });

  it('keeps the answer as it was sent, and Apple’s error chain', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session();
    const { commandUuid } = await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'RestartDevice', {});
    const command = await device.idle();
    expect(command?.commandUuid).toBe(commandUuid);
    await device.say('Error', {
      CommandUUID: commandUuid,
      ErrorChain: [{ ErrorCode: 12021, ErrorDomain: 'MCMDMErrorDomain', USEnglishDescription: 'not now' }],
    });
    const outcome = await engine.commands.get('U1', commandUuid);
    expect(outcome).toMatchObject({
      state: 'error',
      errorChain: [{ code: 12021, domain: 'MCMDMErrorDomain', description: 'not now' }],
    });
    expect(decodeDict(outcome!.response!)['Status']).toBe('Error');
  });

  it('takes Settings for failed where the device refused one of them, though it acknowledges the command', async () => {
    const { engine } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session();
    const apply = async (results: PlistInput) => {
      const payload = { Settings: [{ Item: 'PersonalHotspot', Enabled: false }] };
      const { commandUuid } = await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'Settings', payload, {
        force: true,
      });
      await device.session(() => ({ Settings: results }));
      return engine.commands.get('U1', commandUuid);
    };
    const taken = { Item: 'DeviceName', Status: 'Acknowledged' };
    expect(await apply([taken])).toMatchObject({ state: 'acknowledged', errorChain: [] });
    // As a device has been seen to answer.
    expect(await apply([taken, { Item: 'PersonalHotspot', Status: 'CommandFormatError' }])).toMatchObject({
      state: 'error',
      errorChain: [{ code: 0, domain: 'Settings', description: 'PersonalHotspot: CommandFormatError' }],
    });
    const link = { ErrorCode: 29000, ErrorDomain: 'MCChaperoneErrorDomain', USEnglishDescription: 'not supervised' };
    // The schema has a dictionary where devices send a list.
    expect(await apply({ Identifier: 'com.example.app', Status: 'Error', ErrorChain: [link] })).toMatchObject({
      state: 'error',
      errorChain: [{ code: 29000, domain: 'MCChaperoneErrorDomain', description: 'com.example.app: not supervised' }],
    });
    const { items } = await engine.events.list({ type: 'command.failed' });
    expect(items.map(({ data }) => data['error'])).toEqual(['MCChaperoneErrorDomain 29000', 'Settings 0']);
  });

  it('does not read again what the poll has told of the command that was answered', async () => {
    const store = createMemoryStore();
    const { get } = store.queue;
    let reads = 0;
    store.queue.get = (...asked) => {
      reads++;
      return get(...asked);
    };
    const { engine } = bench({ store });
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    expect(await device.session()).toHaveLength(5);
    expect((await engine.devices.get('U1'))?.inventoryAt).not.toBeNull();
    expect(reads).toBe(0);
  });
});
