// Check-in messages: every type, what is required, what is refused and how.
import { encodeBinary } from '@espalier/plist';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  authenticateFacts,
  type Checkin,
  checkinTypes,
  type EnrolmentIds,
  readCheckin,
  resolveEnrolment,
  type TokenUpdate,
  tokenUpdateFacts,
} from '../src/index.ts';
import * as messages from './fixtures/messages.ts';
import { enrolmentId, plist, udid } from './fixtures/messages.ts';

const { udid: UDID } = { udid: `<key>UDID</key><string>${udid}</string>` };
const code = (expected: string, path?: string) =>
  expect.objectContaining({ name: 'MdmError', code: expected, ...(path === undefined ? {} : { at: { path } }) });

describe('readCheckin', () => {
  test('reads every message of the schema', () => {
    const all: Checkin[] = [
      messages.authenticate,
      messages.tokenUpdate,
      messages.checkOut,
      messages.userAuthenticate,
      messages.setBootstrapToken,
      messages.getBootstrapToken,
      messages.getToken,
      messages.declarative('status'),
      messages.returnToService,
    ].map((bytes) => readCheckin(bytes));
    expect(all.map((message) => message.messageType)).toEqual([...checkinTypes]);
    for (const message of all) expect(message.ids.udid).toBe(udid);
  });

  test('keeps the bytes and the whole dictionary', () => {
    const message = readCheckin(messages.authenticate);
    expect(message.raw).toBe(messages.authenticate);
    expect(message.value['BuildVersion']).toBe('22D63');
  });

  test('reads Authenticate of a phone, a Mac and a User Enrolment', () => {
    expect(readCheckin(messages.authenticate)).toMatchObject({
      messageType: 'Authenticate',
      topic: 'com.apple.mgmt.External.16b0e6d3-0f4e-4e1f-9f0d-6d7a9cfd3b2c',
      osVersion: '18.3',
      productName: 'iPhone12,1',
      serialNumber: 'F4GDV3QYN72J',
      imei: '35 656810 040392 7',
      meid: '35656810040392',
    });
    expect(readCheckin(messages.authenticateMac)).toMatchObject({
      deviceName: 'Mac',
      model: 'Mac14,2',
      modelName: 'MacBook Air',
    });
    expect(resolveEnrolment(readCheckin(messages.authenticateUserEnrolment).ids).kind).toBe('user-enrolment-device');
  });

  test('reads TokenUpdate on the device channel and on the user channels', () => {
    const device = readCheckin(messages.tokenUpdate) as TokenUpdate;
    expect(device.token).toEqual(Uint8Array.from({ length: 32 }, (_, i) => i));
    expect(device.pushMagic).toBe('5B7A3C9E-43D1-44F9-8E1C-8F0B0C1D2E3F');
    expect(device.unlockToken).toEqual(new TextEncoder().encode('secret'));
    expect(device.awaitingConfiguration).toBe(false);
    const user = readCheckin(messages.tokenUpdateUser);
    expect(user.ids).toMatchObject({ userLongName: 'Local Account', userShortName: 'local', notOnConsole: false });
    expect(readCheckin(messages.tokenUpdateSharedIpad)).toMatchObject({ awaitingConfiguration: true });
  });

  test('reads the endpoints of declarative management', () => {
    const target = (endpoint: string) => {
      const message = readCheckin(messages.declarative(endpoint));
      return message.messageType === 'DeclarativeManagement' ? message.target : undefined;
    };
    expect(target('tokens')).toEqual({ kind: 'tokens' });
    expect(target('declaration-items')).toEqual({ kind: 'declaration-items' });
    expect(target('status')).toEqual({ kind: 'status' });
    expect(target('declaration/asset/com.example/a')).toEqual({
      kind: 'declaration',
      type: 'asset',
      identifier: 'com.example/a',
    });
    for (const odd of ['declaration/other/x', 'declaration/asset/', 'nonsense', '__proto__']) {
      expect(target(odd)).toEqual({ kind: 'unknown' });
    }
  });

  test('reads the token requests', () => {
    expect(readCheckin(messages.getToken)).toMatchObject({
      tokenServiceType: 'com.apple.watch.pairing',
      securityToken: 'token',
      phoneUdid: 'phone',
      watchUdid: 'watch',
    });
    expect(readCheckin(messages.setBootstrapToken)).toMatchObject({
      bootstrapToken: new TextEncoder().encode('bootstrap'),
    });
    expect(readCheckin(messages.userAuthenticate)).toMatchObject({ digestResponse: '' });
  });

  test('reads a binary property list as well', () => {
    expect(readCheckin(encodeBinary(readCheckin(messages.tokenUpdate).value))).toMatchObject({
      messageType: 'TokenUpdate',
      pushMagic: '5B7A3C9E-43D1-44F9-8E1C-8F0B0C1D2E3F',
    });
  });

  test('is a union told apart by messageType', () => {
    const message = readCheckin(messages.tokenUpdate);
    if (message.messageType === 'TokenUpdate') expectTypeOf(message.token).toEqualTypeOf<Uint8Array>();
    if (message.messageType === 'CheckOut') expectTypeOf(message).not.toHaveProperty('token');
  });

  test('refuses what is not a property list of a dictionary', () => {
    for (const body of [
      '',
      'hello',
      '<plist version="1.0"><array/></plist>',
      '{"MessageType":"Authenticate"}',
      '<!DOCTYPE x [<!ENTITY a "b">]><plist/>',
    ]) {
      expect(() => readCheckin(new TextEncoder().encode(body)), body).toThrow(code('mdm.not_plist'));
    }
  });

  test('keeps the code and the place of a broken property list', () => {
    const body = new TextEncoder().encode('<plist version="1.0">\n<dict><key>a</key></dict></plist>');
    try {
      readCheckin(body);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        code: 'mdm.not_plist',
        kind: 'invalid',
        at: { plist: expect.stringMatching(/^plist\./), line: 2 },
      });
      expect((error as Error).cause).toMatchObject({ name: 'PlistError' });
    }
  });

  test('refuses what is over the limits: too many bytes (413), too deep (400)', () => {
    expect(() => readCheckin(messages.authenticate, { maxBytes: 100 })).toThrow(
      expect.objectContaining({ code: 'mdm.too_large', kind: 'too-large' }),
    );
    const deep = plist(
      `<key>MessageType</key><string>CheckOut</string><key>a</key>${'<array>'.repeat(100)}${'</array>'.repeat(100)}`,
    );
    expect(() => readCheckin(deep)).toThrow(expect.objectContaining({ code: 'mdm.too_complex', kind: 'invalid' }));
  });

  test('refuses unknown message types, those of Object.prototype included', () => {
    for (const type of ['Nonsense', 'authenticate', '__proto__', 'constructor', 'toString']) {
      expect(() => readCheckin(plist(`<key>MessageType</key><string>${type}</string>${UDID}`)), type).toThrow(
        code('mdm.checkin.unknown_type', '/MessageType'),
      );
    }
  });

  test.each([
    ['no MessageType', UDID, 'mdm.checkin.missing_key', '/MessageType'],
    ['MessageType of a wrong type', `<key>MessageType</key><true/>${UDID}`, 'mdm.checkin.bad_key', '/MessageType'],
    ['no topic', `<key>MessageType</key><string>Authenticate</string>${UDID}`, 'mdm.checkin.missing_key', '/Topic'],
    [
      'an empty topic',
      `<key>MessageType</key><string>Authenticate</string><key>Topic</key><string></string>${UDID}`,
      'mdm.checkin.bad_key',
      '/Topic',
    ],
    [
      'UDID of a wrong type',
      '<key>MessageType</key><string>CheckOut</string><key>UDID</key><integer>1</integer>',
      'mdm.checkin.bad_key',
      '/UDID',
    ],
    [
      'a token that is text',
      `<key>MessageType</key><string>TokenUpdate</string>${UDID}<key>Token</key><string>a</string>`,
      'mdm.checkin.bad_key',
      '/Token',
    ],
    [
      'an empty token',
      `<key>MessageType</key><string>TokenUpdate</string>${UDID}<key>Token</key><data></data>`,
      'mdm.checkin.bad_key',
      '/Token',
    ],
    ['no token', `<key>MessageType</key><string>TokenUpdate</string>${UDID}`, 'mdm.checkin.missing_key', '/Token'],
    ['no user', `<key>MessageType</key><string>UserAuthenticate</string>${UDID}`, 'mdm.checkin.missing_key', '/UserID'],
    [
      'no service',
      `<key>MessageType</key><string>GetToken</string>${UDID}`,
      'mdm.checkin.missing_key',
      '/TokenServiceType',
    ],
    [
      'a wrong type inside',
      `<key>MessageType</key><string>GetToken</string>${UDID}<key>TokenServiceType</key><string>x</string><key>TokenParameters</key><dict><key>PhoneUDID</key><integer>1</integer></dict>`,
      'mdm.checkin.bad_key',
      '/TokenParameters/PhoneUDID',
    ],
    [
      'a wrong boolean',
      `<key>MessageType</key><string>GetBootstrapToken</string>${UDID}<key>AwaitingConfiguration</key><string>no</string>`,
      'mdm.checkin.bad_key',
      '/AwaitingConfiguration',
    ],
    [
      'no endpoint',
      `<key>MessageType</key><string>DeclarativeManagement</string>${UDID}`,
      'mdm.checkin.missing_key',
      '/Endpoint',
    ],
  ])('refuses %s', (_name, keys, expected, path) => {
    expect(() => readCheckin(plist(keys))).toThrow(code(expected, path));
  });

  test('refuses a message that identifies nobody', () => {
    expect(() => readCheckin(plist('<key>MessageType</key><string>CheckOut</string>'))).toThrow(
      code('mdm.enrolment.unidentified'),
    );
    expect(() =>
      readCheckin(plist('<key>MessageType</key><string>CheckOut</string><key>UDID</key><string></string>')),
    ).toThrow(code('mdm.enrolment.unidentified'));
  });

  test('takes keys of Object.prototype for what they are', () => {
    const message = readCheckin(
      plist(
        `<key>MessageType</key><string>CheckOut</string>${UDID}<key>__proto__</key><dict><key>Topic</key><string>x</string></dict>`,
      ),
    );
    expect(message).not.toHaveProperty('topic');
    expect(({} as Record<string, unknown>)['Topic']).toBeUndefined();
  });
});

// The table follows what NanoMDM does with the same identifiers, so that enrolments can move between the two.
describe('resolveEnrolment', () => {
  const shared = 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF';
  test.each<[string, EnrolmentIds, object]>([
    ['a device', { udid: 'D' }, { id: 'D', channel: 'device', kind: 'device' }],
    ['a user of a Mac', { udid: 'D', userId: 'U' }, { id: 'D:U', channel: 'user', kind: 'user', parent: 'D' }],
    [
      'a user of a Shared iPad',
      { udid: 'D', userId: shared, userShortName: 'a@b' },
      { id: 'D:a@b', channel: 'user', kind: 'shared-ipad-user', parent: 'D' },
    ],
    [
      'the shared id in lower case',
      { udid: 'D', userId: shared.toLowerCase(), userShortName: 'a' },
      { id: 'D:a', channel: 'user', kind: 'shared-ipad-user', parent: 'D' },
    ],
    ['a User Enrolment', { enrolmentId: 'E' }, { id: 'E', channel: 'device', kind: 'user-enrolment-device' }],
    [
      'a user of a User Enrolment',
      { enrolmentId: 'E', enrolmentUserId: 'U' },
      { id: 'E:U', channel: 'user', kind: 'user-enrolment-user', parent: 'E' },
    ],
    ['both identifiers', { udid: 'D', enrolmentId: 'E' }, { id: 'D', channel: 'device', kind: 'device' }],
  ])('knows %s', (_name, ids, expected) => {
    expect(resolveEnrolment(ids)).toEqual(expected);
  });

  test('refuses what identifies nobody', () => {
    expect(() => resolveEnrolment({})).toThrow(code('mdm.enrolment.unidentified'));
    expect(() => resolveEnrolment({ userId: 'U' })).toThrow(code('mdm.enrolment.unidentified'));
    expect(() => resolveEnrolment({ udid: 'D', userId: shared })).toThrow(
      code('mdm.enrolment.unidentified', '/UserShortName'),
    );
  });
});

describe('the facts of an enrolment', () => {
  test('come from Authenticate', () => {
    const message = readCheckin(messages.authenticate);
    expect(message.messageType === 'Authenticate' && authenticateFacts(message)).toMatchObject({
      'common.platform': 'iOS',
      'common.platform_name': 'iOS 18.3',
      'common.os_version': '18.3',
      'common.serial_number': 'F4GDV3QYN72J',
      'common.manufacturer': 'Apple',
      'ios.UDID': udid,
      'ios.ProductName': 'iPhone12,1',
    });
  });

  test('come from TokenUpdate on a user channel', () => {
    const user = readCheckin(messages.tokenUpdateUser) as TokenUpdate;
    expect(tokenUpdateFacts(user, 'user')).toEqual({
      'ios.macos_user_id': '0E1F2A3B-4C5D-4E6F-8A9B-0C1D2E3F4A5B',
      'ios.macos_user_long_name': 'Local Account',
      'ios.macos_user_short_name': 'local',
    });
    const shared = readCheckin(messages.tokenUpdateSharedIpad) as TokenUpdate;
    expect(tokenUpdateFacts(shared, 'shared-ipad-user')).toEqual({ 'ios.managed_apple_id': 'student@school.example' });
    expect(tokenUpdateFacts(readCheckin(messages.tokenUpdate) as TokenUpdate, 'device')).toEqual({
      'ios.AwaitingConfiguration': false,
    });
  });

  test('identify a User Enrolment by nothing but its id', () => {
    expect(readCheckin(messages.authenticateUserEnrolment).ids).toEqual({ enrolmentId });
  });
});
