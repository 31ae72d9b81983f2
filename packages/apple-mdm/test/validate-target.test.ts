// What the target says: platform, versions, supervision, enrolment, channel; and what is not specified is not judged.
import { describe, expect, test } from 'vitest';
import {
  compareVersions,
  formatTarget,
  objectionsTo,
  parseTarget,
  schema,
  type Target,
  type ValidateKind,
  validate,
} from '../src/index.ts';

const at = (text: string): Target => {
  const { target, problem } = parseTarget(text);
  if (target === undefined) throw new Error(problem);
  return target;
};
const found = (kind: ValidateKind, value: unknown, target: string): string[] =>
  validate(kind, value, at(target)).map((issue) => `${issue.severity} ${issue.code} ${issue.path}`);

const command = (RequestType: string, keys: object = {}): object => ({ RequestType, ...keys });
const payload = (PayloadType: string, keys: object = {}): object => ({
  PayloadType,
  PayloadVersion: 1,
  PayloadIdentifier: 'a',
  PayloadUUID: 'b',
  ...keys,
});
const declaration = (Type: string, Payload: object = {}): object => ({
  Type,
  Identifier: 'a',
  ServerToken: 'b',
  Payload,
});

describe('the written form', () => {
  test.each<[string, Target]>([
    ['ios', { platform: 'iOS' }],
    ['iPadOS:17.4', { platform: 'iOS', osVersion: '17.4' }],
    ['macos:15.0,supervised', { platform: 'macOS', osVersion: '15.0', supervised: true }],
    [
      'ios:17.4, unsupervised , user-enrolment',
      { platform: 'iOS', osVersion: '17.4', supervised: false, enrolment: 'user' },
    ],
    ['ios,user-enrollment', { platform: 'iOS', enrolment: 'user' }],
    ['mac,user-channel,ade,user-approved', { platform: 'macOS', channel: 'user', ade: true, userApproved: true }],
    ['ios,shared_ipad', { platform: 'iOS', sharedIpad: true }],
    ['tvOS,manual', { platform: 'tvOS', manual: true }],
    ['visionos:2', { platform: 'visionOS', osVersion: '2' }],
    ['watchos,local', { platform: 'watchOS', enrolment: 'local' }],
  ])('%s', (text, target) => {
    expect(parseTarget(text)).toEqual({ target });
    expect(parseTarget(formatTarget(target)).target).toEqual(target);
  });

  test.each([
    ['', 'no platform'],
    ['android', "unknown platform 'android'"],
    ['__proto__', 'unknown platform'],
    ['constructor:1', 'unknown platform'],
    ['ios:seventeen', 'not an OS version'],
    ['ios:17:4', 'not an OS version'],
    ['ios:1e9', 'not an OS version'],
    ['ios,jailbroken', "unknown word 'jailbroken'"],
    ['ios,toString', 'unknown word'],
  ])('refuses %j', (text, problem) => {
    expect(parseTarget(text).target).toBeUndefined();
    expect(parseTarget(text).problem).toContain(problem);
  });

  test('versions compare by their numbers', () => {
    expect(compareVersions('10.9', '10.15')).toBeLessThan(0);
    expect(compareVersions('17', '17.0')).toBe(0);
    expect(compareVersions('26.0', '18.3.1')).toBeGreaterThan(0);
  });
});

describe('codes', () => {
  test('target.platform', () => {
    expect(found('command', command('ShutDownDevice'), 'watchos')).toEqual(['error target.platform /']);
    expect(found('command', command('DeviceLock', { PIN: '1' }), 'ios')).toEqual(['error target.platform /PIN']);
    // A device passes over a profile's key that it does not know.
    expect(found('payload', payload('com.apple.wifi.managed', { SetupModes: ['System'] }), 'ios')).toEqual([
      'warning target.platform /SetupModes',
    ]);
    expect(found('payload', payload('com.apple.dock'), 'ios')).toEqual(['error target.platform /']);
  });

  test('target.introduced', () => {
    expect(found('command', command('DeviceLock'), 'visionos:1.1')).toEqual(['error target.introduced /']);
    expect(found('command', command('DeviceLock', { PhoneNumber: '1' }), 'macos:11.4')).toEqual([
      'error target.introduced /PhoneNumber',
    ]);
    expect(found('command', command('DeviceLock', { PhoneNumber: '1' }), 'macos:11.5')).toEqual([]);
  });

  test('target.deprecated and target.removed', () => {
    const update = command('ScheduleOSUpdate', { Updates: [{ InstallAction: 'InstallASAP' }] });
    expect(found('command', update, 'ios:27.0')).toContain('error target.removed /');
    expect(found('command', update, 'ios:18.3')).not.toContain('error target.removed /');
    const assistant = payload('com.apple.applicationaccess', { allowAssistant: false });
    expect(found('payload', assistant, 'ios:26.4')).toEqual(['warning target.deprecated /allowAssistant']);
    expect(found('payload', assistant, 'ios:26.3')).toEqual([]);
    const delay = payload('com.apple.applicationaccess', { enforcedSoftwareUpdateDelay: 30 });
    expect(found('payload', delay, 'ios:27.0')).toEqual(['warning target.removed /enforcedSoftwareUpdateDelay']);
    expect(found('payload', delay, 'ios:26.0')).toEqual(['warning target.deprecated /enforcedSoftwareUpdateDelay']);
  });

  test('target.supervised', () => {
    expect(found('command', command('RestartDevice'), 'ios:17.0,unsupervised')).toEqual(['error target.supervised /']);
    expect(found('command', command('RestartDevice'), 'ios:17.0,supervised')).toEqual([]);
    expect(found('command', command('RestartDevice'), 'ios:17.0')).toEqual([]);
  });

  test('target.shared_ipad', () => {
    expect(found('command', command('UserList'), 'ios,not-shared-ipad')).toEqual(['error target.shared_ipad /']);
    expect(found('command', command('UserList'), 'ios,shared-ipad')).toEqual([]);
    const message = command('DeviceLock', { Message: 'x' });
    expect(found('command', message, 'ios,shared-ipad')).toEqual(['warning target.shared_ipad /Message']);
  });

  test('target.user_enrolment', () => {
    const erase = command('EraseDevice');
    expect(found('command', erase, 'ios,user-enrolment')).toEqual(['error target.user_enrolment /']);
    expect(found('command', erase, 'ios,device-enrolment')).toEqual([]);
    const query = command('DeviceInformation', { Queries: ['UDID', 'OSVersion'] });
    expect(found('command', query, 'ios,user-enrolment')).toEqual(['error target.user_enrolment /Queries/0']);
  });

  test('target.enrolment', () => {
    const update = declaration('com.apple.configuration.softwareupdate.enforcement.specific', {
      TargetOSVersion: '18.3',
      TargetLocalDateTime: '2030-01-01T00:00:00',
    });
    expect(found('declaration', update, 'ios:18.3,user-enrolment')).toEqual(['error target.enrolment /']);
    expect(found('declaration', update, 'ios:18.3,supervised')).toEqual([]);
    expect(found('declaration', update, 'ios:18.3')).toEqual([]);
  });

  test('target.channel', () => {
    expect(found('command', command('EraseDevice'), 'macos,user-channel')).toEqual(['error target.channel /']);
    expect(found('command', command('EraseDevice'), 'macos,device-channel')).toEqual([]);
    // On Shared iPad its own channels count.
    expect(found('command', command('EraseDevice'), 'ios,shared-ipad,user-channel')).toEqual([
      'error target.channel /',
    ]);
    const disks = declaration('com.apple.configuration.diskmanagement.settings');
    expect(found('declaration', disks, 'macos,user-channel')).toEqual(['error target.channel /']);
  });

  test('target.ade', () => {
    expect(found('command', command('DeviceConfigured'), 'macos,not-ade')).toEqual(['error target.ade /']);
    expect(found('command', command('DeviceConfigured'), 'macos,ade')).toEqual([]);
  });

  test('target.user_approved and target.manual', () => {
    const kernel = payload('com.apple.syspolicy.kernel-extension-policy');
    expect(found('payload', kernel, 'macos,not-user-approved')).toEqual(['error target.user_approved /']);
    expect(found('payload', kernel, 'macos,manual')).toEqual(['error target.manual /']);
    expect(found('payload', kernel, 'macos,user-approved,mdm')).toEqual([]);
  });
});

describe('what is said once', () => {
  test('an objection to the whole is not repeated for its keys', () => {
    const lock = command('DeviceLock', { Message: 'x', PhoneNumber: 'y' });
    expect(found('command', lock, 'tvos')).toEqual(['error target.platform /']);
    const settings = command('Settings', { Settings: [{ Item: 'Wallpaper', Image: new Uint8Array(), Where: 1 }] });
    expect(found('command', settings, 'ios,unsupervised')).toEqual(['error target.supervised /Settings/0']);
  });

  test('objections can be asked for', () => {
    const support = schema.command('EraseDevice')?.supportedOS;
    expect(objectionsTo(support, at('ios,user-enrolment')).map((one) => one.code)).toEqual(['target.user_enrolment']);
    expect(objectionsTo(undefined, at('ios'))).toEqual([]);
  });
});

describe('targets that are none', () => {
  test.each([
    null,
    undefined,
    1,
    'ios',
    [],
    {},
    { platform: 'BeOS' },
    { platform: 1 },
    { platform: '__proto__' },
    { platform: 'constructor' },
    Object.create({ platform: 'tvOS' }),
  ])('%j is as no target', (target) => {
    expect(validate('command', command('DeviceLock'), target as never)).toEqual([]);
  });

  test('facts of a wrong type are not specified', () => {
    const odd = {
      platform: 'iOS',
      osVersion: 3,
      supervised: 'no',
      enrolment: 'x',
      channel: 0,
      ade: null,
      sharedIpad: [],
    };
    expect(validate('command', command('RestartDevice'), odd as never)).toEqual([]);
    const version = { platform: 'iOS', osVersion: '1'.repeat(100_000) };
    expect(validate('command', command('RestartDevice'), version as never)).toEqual([]);
  });
});
