// Which commands a device takes. The expectations are Apple's documented conditions, written by hand.
import { describe, expect, it } from 'vitest';
import {
  accessRights,
  checkCommand,
  commandCapabilities,
  parseTarget,
  requiredAccessRight,
  schema,
  type Target,
} from '../src/index.ts';

const target = (text: string): Target => parseTarget(text).target!;
const codes = (requestType: string, device: string, payload = {}) =>
  checkCommand(requestType, payload, { target: target(device) }).map(({ code }) => code);

describe('a command for a device', () => {
  it.each([
    ['RestartDevice', 'ios:17.2,unsupervised', ['target.supervised']],
    ['RestartDevice', 'ios:17.2,supervised', []],
    ['RestartDevice', 'ios:17.2', []],
    ['RestartDevice', 'ios:10.2,supervised', ['target.introduced']],
    ['ShutDownDevice', 'tvos:17.2,supervised', ['target.platform']],
    ['DeviceLock', 'tvos:17.2', ['target.platform']],
    ['DeviceLock', 'macos:14.0,user-enrolment', ['target.user_enrolment']],
    ['EraseDevice', 'ios:17.2,user-enrolment', ['target.user_enrolment']],
    ['ClearPasscode', 'ios:17.2,user-enrolment', ['target.user_enrolment']],
    ['DeviceInformation', 'ios:17.2,user-enrolment', []],
    ['InstalledApplicationList', 'ios:17.2,user-enrolment', []],
    ['EnableLostMode', 'macos:14.0,supervised', ['target.platform']],
    ['RotateFileVaultKey', 'ios:17.2', ['target.platform']],
    ['ScheduleOSUpdate', 'ios:27.0,supervised', ['target.removed']],
    ['ScheduleOSUpdate', 'ios:18.0,supervised', []],
    ['UserList', 'ios:17.2,not-shared-ipad', ['target.shared_ipad']],
    ['UserList', 'ios:17.2,shared-ipad,device-channel', []],
    ['DeviceConfigured', 'ios:17.2,shared-ipad,user-channel', ['target.channel']],
  ])('%s for %s', (requestType, device, expected) => {
    const payloads: Record<string, Record<string, string>> = {
      ClearPasscode: {},
      EnableLostMode: { Message: 'Lost', PhoneNumber: '1' },
    };
    expect(codes(requestType, device, payloads[requestType]).filter((code) => code.startsWith('target.'))).toEqual(
      expected,
    );
  });

  it('is judged by its payload too', () => {
    expect(codes('EraseDevice', 'ios:17.2', { PIN: '123456' })).toEqual(['target.platform']);
    const settings = { Settings: [{ Item: 'Bluetooth', Enabled: true }] };
    expect(codes('Settings', 'ios:17.2,unsupervised', settings)).toEqual(['target.supervised']);
    expect(codes('Settings', 'macos:14.0,unsupervised', settings)).toEqual([]);
    // A phone leaves out a question for Macs.
    expect(codes('DeviceInformation', 'ios:17.2', { Queries: ['EthernetMAC', 'OSVersion'] })).toEqual([]);
  });

  it('needs its access right, except where enrolments have none', () => {
    const rights = accessRights('AllowInspection', 'AllowQueryDeviceInformation');
    const check = (device: string, requestType = 'DeviceLock') =>
      checkCommand(requestType, {}, { target: target(device), accessRights: rights }).map(({ code }) => code);
    expect(check('ios:17.2')).toEqual(['target.access_rights']);
    expect(check('ios:17.2,user-enrolment')).toEqual([]);
    expect(check('ios:17.2', 'ProfileList')).toEqual([]);
    expect(requiredAccessRight('DeviceLock', 'iOS')).toBe('AllowPasscodeRemovalAndLock');
    expect(requiredAccessRight('ClearPasscode', 'iOS')).toBe('AllowPasscodeRemovalAndLock');
    expect(requiredAccessRight('DeviceConfigured', 'iOS')).toBeNull();
    expect(requiredAccessRight('NoSuchCommand', 'iOS')).toBeNull();
  });

  it('is wrong for every device, or new', () => {
    expect(checkCommand('Nope', {})).toMatchObject([{ code: 'schema.unknown', path: '/RequestType' }]);
    expect(checkCommand('Nope', {}, { allowUnknown: true })).toEqual([]);
    expect(checkCommand('DeviceLock', { Pin: '1' })).toMatchObject([{ code: 'key.unknown', path: '/Pin' }]);
    expect(checkCommand('DeviceLock', { Pin: '1' }, { allowUnknown: true })).toEqual([]);
    expect(checkCommand('DeviceLock', { PIN: 1 }, { allowUnknown: true })).toMatchObject([{ code: 'type.wrong' }]);
    expect(checkCommand('InstallProfile', {})).toMatchObject([{ code: 'key.missing', path: '/Payload' }]);
    // The RequestType in the payload is not believed.
    expect(checkCommand('InstallProfile', { RequestType: 'ProfileList' })[0]?.code).toBe('key.missing');
  });
});

describe('the capabilities of a device', () => {
  const supported = (text: string) =>
    new Set(
      commandCapabilities(target(text))
        .filter((row) => row.supported)
        .map((row) => row.requestType),
    );

  it('have a row for each command of the schema', () => {
    expect(commandCapabilities(target('ios')).map((row) => row.requestType)).toEqual(schema.names('command'));
  });

  it('are those of a User Enrolment, an Apple TV, and a Mac', () => {
    const byod = supported('ios:18.0,user-enrolment');
    for (const name of ['InstallProfile', 'RemoveProfile', 'InstallApplication', 'DeviceLock'])
      expect(byod).toContain(name);
    for (const name of ['EraseDevice', 'EnableLostMode', 'ClearPasscode', 'RestartDevice'])
      expect(byod).not.toContain(name);
    const tv = supported('tvos:18.0,supervised');
    for (const name of ['InstallProfile', 'DeviceInformation', 'EraseDevice', 'RestartDevice'])
      expect(tv).toContain(name);
    for (const name of ['DeviceLock', 'EnableLostMode', 'UserList']) expect(tv).not.toContain(name);
    const mac = supported('macos:14.0,supervised');
    for (const name of ['SetRecoveryLock', 'RotateFileVaultKey', 'DeviceLock']) expect(mac).toContain(name);
    expect(mac).not.toContain('EnableLostMode');
  });

  it('shrink with the access rights', () => {
    const rows = commandCapabilities(target('ios:18.0,supervised'), accessRights('AllowInspection'));
    expect(rows.find((row) => row.requestType === 'EraseDevice')?.reasons).toMatchObject([
      { code: 'target.access_rights' },
    ]);
    expect(rows.find((row) => row.requestType === 'ProfileList')?.supported).toBe(true);
  });
});
