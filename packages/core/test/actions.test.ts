// Device actions (ACT-1) and the states of a device that is wiped or retired (ACT-4, ACT-11, ACT-12, ABM-17, ABM-18).
import type { PlistInput } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import { type ActionName, actionNames, CoreError, createMemoryStore, type EngineInput } from '../src/index.ts';
import { bench, identity, ScriptedDevice } from './support.ts';

type Answer = Readonly<Record<string, PlistInput>>;

async function enrolled(
  extra: Record<string, string> = {},
  facts: Record<string, PlistInput> = {},
  input: Partial<EngineInput> = {},
) {
  const made = bench(input);
  const device = new ScriptedDevice(made.engine, 'D1', extra);
  const enrol = async () => {
    await device.enrol();
    await device.session((type) => (type === 'DeviceInformation' ? { QueryResponses: facts } : {}));
  };
  await enrol();
  device.received.length = 0;
  const status = async () => (await made.engine.devices.get('D1'))?.facts['common.status'];
  const act = async (action: ActionName, parameters: object = {}, options = {}) => {
    const [result] = await made.engine.actions.run({ enrolmentIds: ['D1'] }, action, parameters as never, options);
    return result!;
  };
  const events = async (...types: string[]) =>
    (await made.engine.events.list({ order: 'oldest', limit: 1000 })).items.filter(({ type }) => types.includes(type));
  return { ...made, device, status, act, events, enrol };
}

const phone = (input?: Partial<EngineInput>) => enrolled({}, { IsSupervised: true, IsMultiUser: false }, input);
const mac = () => enrolled({ ProductName: 'Mac14,7', OSVersion: '15.3' }, { IsSupervised: true });
const shared = () => enrolled({ ProductName: 'iPad14,1' }, { IsSupervised: true, IsMultiUser: true });
const code = async (action: Promise<unknown>) => {
  try {
    return await action.then(() => 'nothing was thrown');
  } catch (error) {
    return (error as CoreError).code;
  }
};

describe('wiping', () => {
  it('waits for the device, and is done when the device acknowledges', async () => {
    const { act, status, device, engine, events } = await phone();
    expect(await act('wipe', { preserveDataPlan: true }, { note: 'stolen', actor: 'user:ann' })).toMatchObject({
      outcome: 'queued',
      commandUuids: [expect.any(String)],
      warnings: [],
    });
    expect(await status()).toBe('Wipe Pending');
    expect(await act('wipe')).toMatchObject({ outcome: 'refused', code: 'core.action.status' });
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'ProfileList', {});
    expect(await device.session()).toEqual(['EraseDevice']);
    expect(device.received[0]?.payload).toMatchObject({ PreserveDataPlan: true });
    expect(await status()).toBe('Wiped');
    expect((await events('enrolment.wiped', 'action.done')).map(({ type, data }) => [type, data])).toMatchObject([
      ['action.done', { action: 'wipe', actor: 'user:ann', note: 'stolen', notifyUser: true, outcome: 'queued' }],
      ['enrolment.wiped', {}],
    ]);
    expect(await engine.devices.get('D1')).toMatchObject({ enrolment: { pushable: false } });
  });

  it('follows an erase however it was queued, and takes the state back when none is left', async () => {
    const { engine, status, device } = await phone();
    const { commandUuid } = await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'EraseDevice', {});
    expect(await status()).toBe('Wipe Pending');
    await engine.commands.cancel('D1', commandUuid);
    expect(await status()).toBe('Active');
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'EraseDevice', {});
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'EraseDevice', {}, { dedupeKey: 'k' });
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'ProfileList', {}, { dedupeKey: 'k' });
    expect(await status()).toBe('Wipe Pending');
    expect(await engine.commands.clear('D1')).toBe(2);
    expect(await status()).toBe('Active');
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'EraseDevice', {}, { dedupeKey: 'k' });
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'ProfileList', {}, { dedupeKey: 'k' });
    expect(await status()).toBe('Active');
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'EraseDevice', {});
    await device.session(() => ({ Status: 'Error', ErrorChain: [] }));
    expect(await status()).toBe('Active');
  });

  it('does not take back an erase that the device has, however that is asked', async () => {
    const { engine, status, device } = await phone();
    const erase = async () => (await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'EraseDevice', {})).commandUuid;
    const first = await erase();
    expect((await device.idle())?.requestType).toBe('EraseDevice');
    expect(await code(engine.commands.cancel('D1', first))).toBe('core.command.too_late');
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'ProfileList', {}, { dedupeKey: 'k' });
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'SecurityInfo', {});
    expect(await engine.commands.clear('D1', 'k')).toBe(1);
    expect(await engine.commands.clear('D1')).toBe(1);
    expect(await status()).toBe('Wipe Pending');
    // It could not erase now: that may be withdrawn.
    expect(await device.say('NotNow', { CommandUUID: first })).toBeNull();
    expect(await engine.commands.cancel('D1', first)).toBe(true);
    expect(await status()).toBe('Active');
  });

  it('does not take back an erase that the device fetches at that very moment', async () => {
    const store = createMemoryStore();
    const { end } = store.queue;
    let meanwhile: (() => Promise<unknown>) | null = null;
    store.queue.end = async (input) => {
      const first = meanwhile;
      meanwhile = null;
      await first?.();
      return end(input);
    };
    const { engine, act, status, device } = await phone({ store });
    const fetching = async <T>(ask: () => Promise<T>): Promise<T> => {
      meanwhile = () => device.idle();
      const answer = await ask();
      expect(await status()).toBe('Wipe Pending');
      const { commandUuid, requestType } = device.received.at(-1)!;
      expect(requestType).toBe('EraseDevice');
      await device.say('Error', { CommandUUID: commandUuid, ErrorChain: [] });
      return answer;
    };
    const erase = async () => (await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'EraseDevice', {})).commandUuid;
    const one = await erase();
    expect(await fetching(() => code(engine.commands.cancel('D1', one)))).toBe('core.command.too_late');
    await erase();
    expect(await fetching(() => engine.commands.clear('D1'))).toBe(0);
    await act('wipe');
    expect(await fetching(() => act('cancel-wipe'))).toMatchObject({ code: 'core.action.too_late' });
    await act('wipe');
    expect(await fetching(() => engine.recipes.cancel('D1', 'erase'))).toBe(false);
  });

  it('is searchable, and labels follow', async () => {
    const { act, engine } = await phone();
    const label = await engine.labels.create({ name: 'Leaving', expression: '"common.status" = "Wipe Pending"' });
    await act('wipe');
    expect((await engine.labels.members(label.id)).items.map(({ id }) => id)).toEqual(['D1']);
    expect((await engine.devices.list({ expression: '"common.status" = "Active"' })).total).toBe(0);
    expect((await engine.devices.list({ expression: '"common.status" = "Wipe Pending"' })).total).toBe(1);
    expect(await act('cancel-wipe')).toMatchObject({ outcome: 'done' });
    expect((await engine.labels.members(label.id)).items).toEqual([]);
  });

  it('keeps the PIN of a Mac before the Mac can get it', async () => {
    const { act, engine, device } = await mac();
    await act('wipe', { pin: '123456' });
    expect(await engine.escrow.read('D1', 'erase-pin')).toMatchObject([{ value: '123456' }]);
    await device.session();
    expect(device.received.map(({ payload }) => payload['PIN'])).toEqual(['123456']);
    expect(await engine.escrow.read('D1', 'erase-pin')).toHaveLength(1);
  });

  it('is withdrawn while the device has not fetched it, and not afterwards', async () => {
    const { act, status, device, events } = await phone();
    await act('wipe');
    expect(await act('cancel-wipe', {}, { notifyUser: false })).toMatchObject({ outcome: 'done' });
    expect(await status()).toBe('Active');
    expect(await device.session()).toEqual([]);
    expect(await act('cancel-wipe')).toMatchObject({ outcome: 'refused', code: 'core.action.status' });
    await act('wipe');
    const command = await device.idle();
    expect(command?.requestType).toBe('EraseDevice');
    expect(await act('cancel-wipe')).toMatchObject({ outcome: 'refused', code: 'core.action.too_late' });
    expect(await status()).toBe('Wipe Pending');
    expect(await events('enrolment.wipe-cancelled')).toHaveLength(1);
    // A device that has no time now has not erased itself.
    await device.say('NotNow', { CommandUUID: command!.commandUuid });
    expect(await act('cancel-wipe')).toMatchObject({ outcome: 'done' });
    expect(await status()).toBe('Active');
  });

  it('a wiped device that comes back is refused, until the wipe is cancelled', async () => {
    const { act, status, device } = await phone();
    await act('wipe');
    await device.session();
    expect(await code(device.idle())).toBe('core.enrolment.wiped');
    expect(await code(device.tokenUpdate())).toBe('core.enrolment.wiped');
    expect(await act('cancel-wipe')).toMatchObject({ outcome: 'done' });
    expect(await status()).toBe('Active');
    expect(await device.idle()).toBe(null);
    // Somebody else learns nothing of it.
    await act('wipe');
    await device.session();
    device.identity = identity('somebody else');
    expect(await code(device.idle())).toBe('core.enrolment.unknown');
  });

  it('with rewipe, a wiped device that comes back is wiped again', async () => {
    const { act, status, device, engine } = await phone({ options: { rewipe: true } });
    await act('wipe');
    await device.session();
    expect((await device.idle())?.requestType).toBe('EraseDevice');
    expect(await status()).toBe('Wipe Pending');
    await device.say('Acknowledged', { CommandUUID: device.received.at(-1)!.commandUuid });
    expect(await status()).toBe('Wiped');
    expect(
      (await engine.commands.history('D1')).items.filter(({ requestType }) => requestType === 'EraseDevice'),
    ).toHaveLength(2);
    // Enrolling anew ends it.
    await device.enrol();
    expect(await status()).toBe('Active');
  });

  it('a device that enrols anew while it waits to be wiped is not wiped', async () => {
    const { act, status, device, enrol } = await phone();
    await act('wipe');
    await enrol();
    expect(await status()).toBe('Active');
    expect(device.received.map(({ requestType }) => requestType)).not.toContain('EraseDevice');
  });
});

describe('retiring', () => {
  const listed = {
    ProfileList: [
      {
        PayloadIdentifier: 'org.example.mdm',
        PayloadUUID: 'U',
        PayloadContent: [{ PayloadType: 'com.apple.mdm', PayloadIdentifier: 'x' }],
      },
    ],
  };

  it('removes the profile that enrolled the device, after all that was asked before', async () => {
    const { act, status, device, engine, events } = await phone();
    await engine.devices.refresh(['D1']);
    await device.session((type): Answer => (type === 'ProfileList' ? listed : {}));
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'CertificateList', {});
    expect(await act('retire', {}, { note: 'left the company' })).toMatchObject({ outcome: 'queued' });
    expect(await status()).toBe('Retire Pending');
    expect((await device.session()).at(-1)).toBe('RemoveProfile');
    expect(device.received.at(-1)?.payload['Identifier']).toBe('org.example.mdm');
    expect(await status()).toBe('Retired');
    // The device says goodbye afterwards.
    expect(await device.checkin({ MessageType: 'CheckOut', Topic: 't' })).toBe(null);
    expect(await status()).toBe('Retired');
    expect(await events('enrolment.retired')).toMatchObject([{ data: { cause: 'removed' } }]);
    expect(await code(device.idle())).toBe('core.enrolment.retired');
  });

  it('a device that checks out instead of answering is retired, too', async () => {
    const { act, status, device, events } = await phone();
    await act('retire');
    expect((await device.idle())?.payload['Identifier']).toBe('com.espalier.enrolment');
    await device.checkin({ MessageType: 'CheckOut', Topic: 't' });
    expect(await status()).toBe('Retired');
    expect(await events('enrolment.retired')).toMatchObject([{ data: { cause: 'checked out' } }]);
  });

  it('waits for ever, or until it is forced', async () => {
    const { act, status, device, events } = await phone();
    await act('retire');
    await device.session(() => ({ Status: 'Error', ErrorChain: [] }));
    expect(await status()).toBe('Retire Pending');
    expect(await act('force-retire')).toMatchObject({ outcome: 'done' });
    expect(await status()).toBe('Retired');
    expect(await act('force-retire')).toMatchObject({ outcome: 'refused', code: 'core.action.status' });
    expect(await events('enrolment.retired')).toMatchObject([{ data: { cause: 'forced' } }]);
  });

  it('is taken back at once with its command, or with whatever takes the place of that', async () => {
    const { act, status, engine } = await phone();
    const { commandUuids } = await act('retire');
    expect(await engine.commands.cancel('D1', commandUuids[0]!)).toBe(true);
    expect(await status()).toBe('Active');
    await act('retire');
    await engine.commands.enqueue({ enrolmentIds: ['D1'] }, 'ProfileList', {}, { dedupeKey: 'retire' });
    expect(await status()).toBe('Active');
  });

  it('is refused in lost mode, which nobody could turn off any more, unless forced', async () => {
    const { act, engine, device } = await phone();
    await act('lost-mode-on', { message: 'Call' });
    await device.session();
    for (const action of ['retire', 'force-retire'] as const) {
      expect(await act(action)).toMatchObject({ outcome: 'refused', code: 'core.action.lost_mode' });
    }
    expect((await act('wipe')).warnings).toHaveLength(1);
    await act('cancel-wipe');
    const available = await engine.actions.available('D1');
    expect(available.find(({ action }) => action === 'retire')).toMatchObject({ allowed: false });
    expect(await act('retire', {}, { force: true })).toMatchObject({ outcome: 'queued' });
  });

  it('a Shared iPad is wiped first', async () => {
    const { act, device, status } = await shared();
    expect(await act('retire')).toMatchObject({ code: 'core.action.shared_ipad_wipe_first' });
    expect(await act('force-retire')).toMatchObject({ code: 'core.action.shared_ipad_wipe_first' });
    await act('wipe');
    expect(await act('retire')).toMatchObject({ code: 'core.action.status' });
    await device.session();
    expect(await status()).toBe('Wiped');
    expect(await act('retire')).toMatchObject({ outcome: 'done' });
    expect(await status()).toBe('Retired');
  });
});

describe('every action', () => {
  it('has a definition and tells whom it is for', async () => {
    const { engine } = await phone();
    const available = await engine.actions.available('D1');
    expect(available.map(({ action }) => action)).toEqual(actionNames);
    const allowed = available.filter((row) => row.allowed).map(({ action }) => action);
    expect(allowed).toEqual(expect.arrayContaining(['lock', 'unlock', 'wipe', 'hotspot', 'restart', 'os-update']));
    for (const action of ['cancel-wipe', 'found', 'log-out-user']) expect(allowed).not.toContain(action);
    expect(await code(engine.actions.available('nobody'))).toBe('core.enrolment.unknown');
    const onMac = (await (await mac()).engine.actions.available('D1')).filter((row) => row.allowed);
    for (const action of ['unlock', 'hotspot', 'lost-mode-on', 'system-apps', 'wallpaper', 'time-zone']) {
      expect(onMac.map((row) => row.action)).not.toContain(action);
    }
  });

  it('answers for each device, once for all bodies', async () => {
    const { engine, store } = await phone();
    const other = new ScriptedDevice(engine, 'M1', { ProductName: 'Mac14,7', OSVersion: '15.3' });
    await other.enrol();
    const results = await engine.actions.run({ enrolmentIds: ['D1', 'M1', 'nobody', 'D1'] }, 'hotspot', {
      enabled: true,
    });
    expect(results.map(({ enrolmentId, outcome, code: problem }) => [enrolmentId, outcome, problem])).toEqual([
      ['D1', 'queued', undefined],
      ['M1', 'refused', 'core.command.unsupported'],
      ['nobody', 'refused', 'core.enrolment.unknown'],
    ]);
    expect((await store.queue.list('M1', { limit: 100 })).items.map(({ requestType }) => requestType)).not.toContain(
      'Settings',
    );
    const told = (await engine.events.list({ type: 'action.refused' })).items;
    expect(told.map(({ enrolmentId, data }) => [enrolmentId, data['code']])).toEqual([
      [null, 'core.enrolment.unknown'],
      ['M1', 'core.command.unsupported'],
    ]);
  });

  it('sends what it is for', async () => {
    const { act, device } = await phone();
    const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1);
    const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0);
    const sent = async (action: ActionName, parameters: object = {}) => {
      device.received.length = 0;
      expect(await act(action, parameters)).toMatchObject({ outcome: 'queued' });
      await device.session();
      return device.received.map(({ payload: { RequestType, Settings, ...rest } }) => [RequestType, Settings ?? rest]);
    };
    expect(await sent('bluetooth', { enabled: false })).toEqual([
      ['Settings', [{ Item: 'Bluetooth', Enabled: false }]],
    ]);
    expect(await sent('hotspot', { enabled: true })).toEqual([
      ['Settings', [{ Item: 'PersonalHotspot', Enabled: true }]],
    ]);
    expect(await sent('time-zone', { timeZone: ' Pacific / Midway ' })).toEqual([
      ['Settings', [{ Item: 'TimeZone', TimeZone: 'Pacific/Midway' }]],
    ]);
    expect(await sent('wallpaper', { image: png })).toMatchObject([['Settings', [{ Item: 'Wallpaper', Where: 3 }]]]);
    expect(await sent('wallpaper', { home: png, lock: jpeg })).toMatchObject([
      ['Settings', [{ Item: 'Wallpaper' }, { Item: 'Wallpaper' }]],
    ]);
    expect(await sent('system-apps', { bundleIds: ['com.apple.Maps', 'com.apple.tips', 'com.apple.Maps'] })).toEqual([
      ['InstallApplication', { Identifier: 'com.apple.Maps' }],
      ['InstallApplication', { Identifier: 'com.apple.tips' }],
    ]);
    expect(await sent('restart')).toEqual([['RestartDevice', {}]]);
    expect((await sent('restart', { clearPasscode: true })).map(([type]) => type)).toEqual([
      'ClearPasscode',
      'RestartDevice',
    ]);
    expect((await sent('shut-down')).map(([type]) => type)).toEqual(['ShutDownDevice']);
    expect((await sent('unlock')).map(([type]) => type)).toEqual(['ClearPasscode']);
    expect((await sent('lock', { message: 'Call' })).map(([type]) => type)).toEqual(['DeviceLock']);
    expect((await sent('encryption-status')).map(([type]) => type)).toEqual(['SecurityInfo']);
    expect((await sent('lost-mode-on', { message: 'Call' })).map(([type]) => type)).toEqual(['EnableLostMode']);
    expect((await sent('lost-mode-sound')).map(([type]) => type)).toEqual(['PlayLostModeSound']);
    expect((await sent('locate')).map(([type]) => type)).toEqual(['DeviceLocation']);
    expect((await sent('lost-mode-off')).map(([type]) => type)).toEqual(['DisableLostMode']);
    expect((await sent('check-in')).map(([type]) => type)).toContain('DeviceInformation');
  });

  it('refuses parameters that make no sense, with the place', async () => {
    const { act } = await phone();
    const huge = new Uint8Array(10_000_001);
    huge.set([0xff, 0xd8, 0xff]);
    for (const [action, parameters] of [
      ['time-zone', { timeZone: 'Mars/Olympus' }],
      ['time-zone', { timeZone: '+01:00' }],
      ['wallpaper', {}],
      ['wallpaper', { image: new Uint8Array(9) }],
      ['wallpaper', { image: Uint8Array.of(0xff, 0xd8, 0xff), home: Uint8Array.of(0xff, 0xd8, 0xff) }],
      ['wallpaper', { image: huge }],
      ['system-apps', { bundleIds: [] }],
      ['system-apps', { bundleIds: ['org.example.app'] }],
      ['lock', { message: 'x'.repeat(501) }],
      ['lock', { pin: '12345' }],
    ] as const) {
      expect(await code(act(action, parameters)), JSON.stringify(action)).toBe('core.action.bad_parameters');
    }
    expect(await code(act('selective-wipe' as ActionName))).toBe('core.action.unknown');
    expect(await code(act('lock', {}, { note: 'x'.repeat(1001) }))).toBe('core.action.bad_option');
  });

  it('does not set the time zone where a restriction forces automatic time', async () => {
    const { act, engine } = await phone();
    await engine.devices.learn('D1', { 'ios.restrictions_on': ['forceAutomaticDateAndTime'] });
    expect(await act('time-zone', { timeZone: 'Europe/Berlin' })).toMatchObject({ code: 'core.action.automatic_time' });
    expect(await act('time-zone', { timeZone: 'Europe/Berlin' }, { force: true })).toMatchObject({ outcome: 'queued' });
  });

  it('warns of what cannot be undone from here', async () => {
    const { act, engine } = await phone();
    await engine.devices.learn('D1', { 'ios.PasscodePresent': true });
    expect((await act('restart')).warnings).toHaveLength(1);
    expect((await act('shut-down')).warnings).toHaveLength(2);
    await act('lost');
    expect((await act('unlock')).warnings).toHaveLength(1);
  });

  it('knows lost and found as a flag', async () => {
    const { act, status, device } = await phone();
    expect(await act('found')).toMatchObject({ code: 'core.action.status' });
    expect(await act('lost', {}, { note: 'in a taxi' })).toMatchObject({ outcome: 'done' });
    expect(await status()).toBe('Lost');
    expect(await device.session()).toEqual([]);
    await act('found');
    expect(await status()).toBe('Active');
  });

  it('keeps to its limits, and to the notes that are required', async () => {
    const { engine } = await phone({ options: { actionLimit: 2, requireActionNotes: true } });
    const run = (ids: string[], action: ActionName, options = {}) =>
      code(engine.actions.run({ enrolmentIds: ids }, action, {} as never, options));
    expect(await run(['D1'], 'check-in')).toBe('core.action.note_required');
    expect(await run(['D1'], 'check-in', { note: ' ' })).toBe('core.action.note_required');
    expect(await run(['a', 'b', 'c'], 'check-in', { note: 'x' })).toBe('core.action.too_many');
    expect(await run(['a', 'b'], 'os-update', { note: 'x' })).toBe('core.action.too_many');
    expect(await run(['a', 'b'], 'check-in', { note: 'x' })).toBe('nothing was thrown');
  });

  it('asks the product who may do it', async () => {
    const asked: string[] = [];
    const { act } = await phone({
      hooks: {
        action({ action, enrolment, options }) {
          asked.push(`${action} ${enrolment.id} ${options.actor}`);
          if (action === 'wipe') throw new CoreError('core.action.forbidden', 'forbidden', 'not you');
        },
      },
    });
    expect(await act('wipe', {}, { actor: 'user:ann' })).toMatchObject({
      outcome: 'refused',
      code: 'core.action.forbidden',
    });
    expect(await act('lost', {}, { actor: 'user:ann' })).toMatchObject({ outcome: 'done' });
    expect(asked).toEqual(['wipe D1 user:ann', 'lost D1 user:ann']);
  });
});

describe('the users of a Shared iPad', () => {
  const users = [
    { UserName: 'ann@example.com', IsLoggedIn: true, HasDataToSync: false, DataQuota: 100, DataUsed: 10 },
    { UserName: 'bob@example.com', IsLoggedIn: false, HasDataToSync: false, DataQuota: 100, DataUsed: 20 },
    { UserName: 'cem@example.com', IsLoggedIn: false, HasDataToSync: true, DataQuota: 100, DataUsed: 30 },
  ];

  it('are listed, with what they use', async () => {
    const { act, device, engine } = await shared();
    await act('list-users', { requireNetworkTether: true });
    await device.session(() => ({ Users: users }));
    expect(device.received[0]?.payload['RequestRequiresNetworkTether']).toBe(true);
    expect(await engine.recipes.get('D1', 'user-list')).toMatchObject({
      status: 'succeeded',
      result: { users: [{ name: 'ann@example.com', loggedIn: true, dataUsed: 10 }, { name: 'bob@example.com' }, {}] },
    });
    expect((await engine.devices.get('D1'))?.facts).toMatchObject({
      'ios.active_resident_users': 3,
      'ios.logged_in_users': ['ann@example.com'],
    });
  });

  it('are logged out, and the device is asked who is left', async () => {
    const { act, device, engine } = await shared();
    await act('log-out-user');
    expect(await device.session((type): Answer => (type === 'UserList' ? { Users: users.slice(1) } : {}))).toEqual([
      'LogOutUser',
      'UserList',
    ]);
    expect((await engine.devices.get('D1'))?.facts['ios.logged_in_users']).toEqual([]);
  });

  it('are deleted but for those who are logged in or would lose data', async () => {
    const { act, device, engine } = await shared();
    let left = [...users];
    const answer = (type: string, payload: Readonly<Record<string, unknown>>): Answer => {
      if (type === 'DeleteUser') left = left.filter(({ UserName }) => UserName !== payload['UserName']);
      return type === 'UserList' ? { Users: left } : {};
    };
    await act('delete-users', { all: true });
    expect(await device.session(answer)).toEqual(['UserList', 'DeleteUser', 'UserList']);
    expect(await engine.recipes.get('D1', 'delete-users')).toMatchObject({
      status: 'succeeded',
      result: {
        deleted: ['bob@example.com'],
        skipped: [
          { user: 'ann@example.com', reason: 'logged in: log the user out first' },
          { user: 'cem@example.com', reason: 'has data that is not in iCloud yet' },
        ],
        users: [{ name: 'ann@example.com' }, { name: 'cem@example.com' }],
      },
    });
    await act('delete-users', { users: ['cem@example.com'], force: true });
    await device.session(answer);
    expect(device.received.filter(({ requestType }) => requestType === 'DeleteUser').at(-1)?.payload).toMatchObject({
      UserName: 'cem@example.com',
      ForceDeletion: true,
    });
    await act('delete-users', { users: ['ann@example.com', 'dan@example.com'] });
    await device.session(answer);
    expect(await engine.recipes.get('D1', 'delete-users')).toMatchObject({
      status: 'failed',
      reason: 'nobody was deleted: ann@example.com: logged in: log the user out first',
      result: { skipped: [{}, { user: 'dan@example.com', reason: 'not on the device' }] },
    });
    expect(await act('delete-users', {})).toMatchObject({ outcome: 'refused', code: 'core.recipe.bad_parameters' });
  });

  it('a deletion that the device refuses does not stop the others', async () => {
    const { act, device, engine } = await shared();
    await act('delete-users', { all: true, force: true });
    await device.session((type, payload): Answer => {
      if (type === 'UserList') return { Users: users };
      return payload['UserName'] === 'bob@example.com' ? { Status: 'Error', ErrorChain: [] } : {};
    });
    expect(await engine.recipes.get('D1', 'delete-users')).toMatchObject({
      status: 'succeeded',
      result: { deleted: ['cem@example.com'] },
    });
  });

  it('survive a store that is opened again', async () => {
    const store = createMemoryStore();
    const { engine } = await enrolled(
      { ProductName: 'iPad14,1' },
      { IsMultiUser: true, IsSupervised: true },
      { store },
    );
    await engine.actions.run({ enrolmentIds: ['D1'] }, 'wipe', {});
    const again = bench({ store });
    expect(await again.engine.devices.get('D1')).toMatchObject({ enrolment: { phase: 'wipe-pending' } });
  });
});
