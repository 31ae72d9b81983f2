// `validate`: every issue code, at its path, and the absence of it when the value is right.
import { decode, encodeXml, PlistReal } from '@espalier/plist';
import { describe, expect, test } from 'vitest';
import { type Issue, type Target, type ValidateKind, type ValidateOptions, validate } from '../src/index.ts';

const bytes = new Uint8Array([1, 2, 3]);

function found(kind: ValidateKind, value: unknown, target?: Target, options?: ValidateOptions): string[] {
  return validate(kind, value, target, options).map((issue) => `${issue.severity} ${issue.code} ${issue.path}`);
}

function only(kind: ValidateKind, value: unknown, target?: Target, options?: ValidateOptions): Issue {
  const issues = validate(kind, value, target, options);
  expect(issues).toHaveLength(1);
  return issues[0] as Issue;
}

const common = { PayloadIdentifier: 'com.example.a', PayloadUUID: '11111111-1111-4111-8111-111111111111' };
const payload = (type: string, keys: object): object => ({ PayloadType: type, PayloadVersion: 1, ...common, ...keys });
const profile = (...payloads: object[]): object => ({
  PayloadType: 'Configuration',
  PayloadVersion: 1,
  PayloadIdentifier: 'com.example.profile',
  PayloadUUID: '22222222-2222-4222-8222-222222222222',
  PayloadContent: payloads,
});
const declaration = (type: string, content: object): object => ({
  Type: type,
  Identifier: 'one',
  ServerToken: '1',
  Payload: content,
});
const ios = (osVersion: string, facts: Partial<Target> = {}): Target => ({ platform: 'iOS', osVersion, ...facts });
const mac = (osVersion: string, facts: Partial<Target> = {}): Target => ({ platform: 'macOS', osVersion, ...facts });

describe('right values have no issues', () => {
  test.each<[ValidateKind, unknown, (Target | undefined)?, ValidateOptions?]>([
    ['command', { RequestType: 'DeviceLock', PIN: '123456' }, mac('15.0')],
    ['command', { CommandUUID: '1', Command: { RequestType: 'ProfileList', ManagedOnly: true } }],
    ['command', { RequestType: 'ShutDownDevice', RequestRequiresNetworkTether: false }],
    ['checkin', { MessageType: 'CheckOut', Topic: 'com.apple.mgmt.x', UDID: 'a' }],
    ['checkin-reply', { TokenData: bytes }, undefined, { name: 'GetToken' }],
    ['payload', payload('com.apple.wifi.managed', { SSID_STR: 'Lobby', EncryptionType: 'WPA3', Password: 'secret12' })],
    ['payload', payload('com.apple.universalaccess', { contrast: new PlistReal(1) })],
    ['payload', payload('com.apple.dock', { tilesize: 64n })],
    ['profile', profile(payload('com.apple.font', { Font: bytes }))],
    ['declaration', declaration('com.apple.activation.simple', { StandardConfigurations: ['a'] })],
    // The server adds ServerToken when it sends the declaration.
    ['declaration', { Type: 'com.apple.configuration.management.test', Identifier: 'a', Payload: { Echo: 'x' } }],
    ['credential', { UserName: 'a', Password: 'b' }, undefined, { name: 'com.apple.credential.usernameandpassword' }],
    ['response', { Status: 'Idle', UDID: 'a' }],
    ['response', { Status: 'NotNow', CommandUUID: '1' }, undefined, { name: 'DeviceInformation' }],
    ['error', { code: 'com.apple.well-known.failed' }],
    ['status', { StatusItems: { passcode: { 'is-present': true } }, Errors: [] }],
    ['status', true, undefined, { name: 'passcode.is-present' }],
    [
      'other',
      { LANGUAGE: 'en', PRODUCT: 'Mac16,1', VERSION: '24A335', OS_VERSION: '15.0' },
      undefined,
      { name: 'MachineInfo' },
    ],
  ])('%s %#', (kind, value, target, options) => {
    expect(found(kind, value, target, options)).toEqual([]);
  });
});

describe('keys', () => {
  test('missing', () => {
    const issue = only('command', { RequestType: 'InstallProfile' });
    expect(issue).toEqual({
      path: '/Payload',
      code: 'key.missing',
      severity: 'error',
      message: 'is required',
      remedy: 'Add Payload.',
    });
    expect(found('checkin', {})).toEqual(['error key.missing /MessageType']);
    expect(found('payload', { ...payload('com.apple.font', { Font: bytes }), PayloadUUID: undefined })).toEqual([
      'error type.wrong /PayloadUUID',
    ]);
  });

  test('missing inside arrays and dictionaries', () => {
    const settings = { RequestType: 'Settings', Settings: [{ Item: 'DeviceName' }, {}] };
    expect(found('command', settings)).toEqual([
      'error key.missing /Settings/0/DeviceName',
      'error key.missing /Settings/1/Item',
    ]);
    expect(found('payload', payload('com.apple.security.scep', { PayloadContent: {} }))).toEqual([
      'error key.missing /PayloadContent/URL',
    ]);
  });

  test('a required key is missed only where it surely applies', () => {
    const token = { MessageType: 'TokenUpdate', Topic: 't', Token: bytes, PushMagic: 'm' };
    expect(found('checkin', token)).toEqual([]);
    expect(found('checkin', token, ios('17.0', { enrolment: 'device' }))).toContain('error key.missing /UDID');
    const user = found('checkin', token, ios('17.0', { enrolment: 'user' }));
    expect(user).toContain('error key.missing /EnrollmentID');
    expect(user).not.toContain('error key.missing /UDID');
    expect(user).not.toContain('error key.missing /EnrollmentUserID');
  });

  test('unknown, with the nearest names', () => {
    const issue = only('command', { RequestType: 'DeviceLock', Pin: '1' });
    expect(issue).toMatchObject({
      path: '/Pin',
      code: 'key.unknown',
      severity: 'warning',
      remedy: 'Did you mean PIN?',
    });
  });

  test('paths escape what a pointer uses itself', () => {
    expect(found('command', { RequestType: 'DeviceLock', 'a/b~c': 1 })).toEqual(['warning key.unknown /a~1b~0c']);
  });
});

describe('types', () => {
  test.each<[string, unknown, unknown]>([
    ['a boolean', 1, 'true'],
    ['a boolean', null, undefined],
  ])('%s', (_, one, other) => {
    for (const value of [one, other]) {
      expect(found('payload', payload('com.apple.wifi.managed', { AutoJoin: value }))).toEqual([
        'error type.wrong /AutoJoin',
      ]);
    }
  });

  test('each type, and what is mistaken for it', () => {
    const wrong = (type: string, key: string, value: unknown) =>
      expect(found('payload', payload(type, { [key]: value })), `${key}: ${String(value)}`).toContain(
        `error type.wrong /${key}`,
      );
    wrong('com.apple.wifi.managed', 'SSID_STR', 1);
    wrong('com.apple.wifi.managed', 'ProxyServerPort', '8080');
    wrong('com.apple.wifi.managed', 'ProxyServerPort', 80.5);
    wrong('com.apple.wifi.managed', 'ProxyServerPort', new PlistReal(80.5));
    wrong('com.apple.wifi.managed', 'SetupModes', 'System');
    wrong('com.apple.wifi.managed', 'EAPClientConfiguration', []);
    wrong('com.apple.font', 'Font', 'AAEC');
    wrong('com.apple.universalaccess', 'contrast', '1');
    for (const value of [() => 1, Symbol('x'), undefined, new Date(Number.NaN)]) {
      wrong('com.apple.wifi.managed', 'SSID_STR', value);
    }
    const top = { ...profile(), RemovalDate: '2030-01-01T00:00:00Z' };
    expect(found('profile', top)).toEqual(['error type.wrong /RemovalDate']);
    expect(found('profile', { ...top, RemovalDate: new Date(0) })).toEqual([]);
  });

  test('a whole number written as a real, as several of Apple’s examples have it, is a warning', () => {
    const of = (port: number) =>
      found('payload', payload('com.apple.wifi.managed', { ProxyServerPort: new PlistReal(port) }));
    expect(of(80)).toEqual(['warning type.wrong /ProxyServerPort']);
    expect(of(65_536)).toEqual(['warning type.wrong /ProxyServerPort', 'error value.range /ProxyServerPort']);
  });

  test('what has a list and a range may be in either', () => {
    const of = (minutes: number) => {
      const power = { 'com.apple.EnergySaver.portable.ACPower': { 'Disk Sleep Timer': minutes } };
      return found('payload', payload('com.apple.MCX', power));
    };
    for (const minutes of [0, 1, 180]) expect(of(minutes)).toEqual([]);
    for (const minutes of [-1, 181]) {
      expect(of(minutes)).toEqual(['error value.range /com.apple.EnergySaver.portable.ACPower/Disk Sleep Timer']);
    }
  });

  test('a per-app VPN takes what a VPN takes, and needs what it needs', () => {
    const vpn = { VPNUUID: 'x', UserDefinedName: 'x', VPNType: 'IKEv2' };
    expect(found('payload', payload('com.apple.vpn.managed.applayer', { VPNUUID: 'x' }))).toEqual([
      'error key.missing /VPNType',
      'error key.missing /UserDefinedName',
    ]);
    expect(found('payload', payload('com.apple.vpn.managed.applayer', vpn))).toEqual(
      found('payload', payload('com.apple.vpn.managed', { UserDefinedName: 'x', VPNType: 'IKEv2' })),
    );
  });

  test('roots that are no dictionary', () => {
    for (const value of [undefined, null, 1, 'x', [], bytes, new Date(0), Symbol('x')]) {
      expect(found('command', value)).toEqual(['error type.wrong /']);
      expect(found('profile', value)).toEqual(['error type.wrong /']);
      expect(found('declaration', value)).toEqual(['error type.wrong /']);
    }
    expect(found('profile', profile(1 as never))).toEqual(['error type.wrong /PayloadContent/0']);
  });

  test('JSON writes data as base64', () => {
    const identity = { Password: 'x', Identity: 'AAEC' };
    expect(found('credential', identity, undefined, { name: 'com.apple.credential.identity' })).toEqual([]);
    expect(
      found('credential', { ...identity, Identity: '!' }, undefined, { name: 'com.apple.credential.identity' }),
    ).toEqual(['error type.wrong /Identity']);
  });
});

describe('values', () => {
  test('a rangelist', () => {
    const issue = only('payload', payload('com.apple.wifi.managed', { EncryptionType: 'WPA4' }));
    expect(issue).toMatchObject({ path: '/EncryptionType', code: 'value.list', severity: 'error' });
    expect(issue.remedy).toContain("'WPA3'");
    expect(
      found('payload', payload('com.apple.wifi.managed', { EAPClientConfiguration: { AcceptEAPTypes: [13n, 14] } })),
    ).toEqual(['error value.list /EAPClientConfiguration/AcceptEAPTypes/1']);
  });

  test('a query that is not known is a warning', () => {
    expect(found('command', { RequestType: 'DeviceInformation', Queries: ['UDID', 'Udid'] })).toEqual([
      'warning value.list /Queries/1',
    ]);
  });

  test('the values of another schema object, with their availability', () => {
    const skip = (items: string[], target?: Target) =>
      found('payload', payload('com.apple.SetupAssistant.managed', { SkipSetupItems: items }), target);
    expect(skip(['Siri', 'TermsOfAddress'])).toEqual([]);
    expect(skip(['Siri', 'siri'])).toEqual(['warning value.list /SkipSetupItems/1']);
    expect(skip(['ActionButton'], mac('15.0'))).toEqual(['warning target.platform /SkipSetupItems/0']);
  });

  test('a range', () => {
    const passcode = (length: number) =>
      declaration('com.apple.configuration.passcode.settings', { MinimumLength: length });
    expect(found('declaration', passcode(16))).toEqual([]);
    expect(found('declaration', passcode(17))).toEqual(['error value.range /Payload/MinimumLength']);
    expect(found('declaration', passcode(-1))).toEqual(['error value.range /Payload/MinimumLength']);
    const port = (value: unknown) => found('payload', payload('com.apple.wifi.managed', { ProxyServerPort: value }));
    expect(port(2n ** 70n)).toEqual(['error value.range /ProxyServerPort']);
  });

  test('a pattern', () => {
    const wifi = payload('com.apple.wifi.managed', {
      PayloadCertificateUUID: 'no uuid',
      MCCAndMNCs: ['310410', '31041'],
    });
    expect(found('payload', wifi)).toEqual([
      'error value.pattern /PayloadCertificateUUID',
      'error value.pattern /MCCAndMNCs/1',
    ]);
  });

  test('a stated format', () => {
    const clip = (URL: string) => found('payload', payload('com.apple.webClip.managed', { URL, Label: 'x' }));
    expect(clip('https://example.com/')).toEqual([]);
    expect(clip('not a url')).toEqual(['error value.format /URL']);
    const proxy = (ProxyServer: string) =>
      found('payload', payload('com.apple.proxy.http.global', { ProxyServer, ProxyServerPort: 80 }));
    expect(proxy('proxy.example.com')).toEqual([]);
    expect(proxy('10.0.0.1')).toEqual([]);
    expect(proxy('http://proxy')).toEqual(['error value.format /ProxyServer']);
  });

  test('a number of items', () => {
    const subject = (...pairs: string[][]) =>
      payload('com.apple.security.scep', { PayloadContent: { URL: 'x', Subject: pairs.map((pair) => [pair]) } });
    expect(found('payload', subject(['CN', 'x'], ['O', 'y']))).toEqual([]);
    expect(found('payload', subject(['CN'], ['O', 'y', 'z']))).toEqual([
      'error value.count /PayloadContent/Subject/0/0',
      'error value.count /PayloadContent/Subject/1/0',
    ]);
  });

  test('alternatives of Settings are told apart by Item', () => {
    const issue = only('command', { RequestType: 'Settings', Settings: [{ Item: 'DeviceNam', DeviceName: 'x' }] });
    expect(issue).toMatchObject({ path: '/Settings/0/Item', code: 'value.list', remedy: "Did you mean 'DeviceName'?" });
    expect(found('command', { RequestType: 'Settings', Settings: ['x'] })).toEqual(['error type.wrong /Settings/0']);
  });
});

describe('rules', () => {
  test('required, ignored and forbidden together', () => {
    const proxy = { ProxyType: 'Manual', ProxyPACURL: 'http://x' };
    expect(found('payload', payload('com.apple.proxy.http.global', proxy))).toEqual([
      'error rule.required /ProxyServer',
      'error rule.required /ProxyServerPort',
      'warning rule.ignored /ProxyPACURL',
    ]);
    const dns = { DNSSettings: { DNSProtocol: 'HTTPS', ServerURL: 'https://x/', ServerName: 'x' } };
    expect(found('payload', payload('com.apple.dnsSettings.managed', dns))).toEqual([
      'error rule.forbidden /DNSSettings/ServerName',
    ]);
  });

  test('a condition counts an absent key with its default', () => {
    expect(found('command', { RequestType: 'DeleteUser' })).toEqual(['error rule.required /UserName']);
    expect(found('command', { RequestType: 'DeleteUser', DeleteAllUsers: true })).toEqual([]);
  });

  test('exactly one, at most one, at least one, at least one true', () => {
    const app = (content: object) => found('declaration', declaration('com.apple.configuration.app.managed', content));
    expect(app({ BundleID: 'x' })).toEqual([]);
    expect(app({})).toEqual(['error rule.one_of /Payload']);
    expect(app({ BundleID: 'x', AppStoreID: '1' })).toEqual(['error rule.one_of /Payload']);
    expect(found('command', { RequestType: 'EnableLostMode' })).toEqual(['error rule.any_of /']);
    expect(found('command', { RequestType: 'EnableLostMode', PhoneNumber: '1' })).toEqual([]);
    const caching = { AllowPersonalCaching: false, AllowSharedCaching: false };
    expect(found('payload', payload('com.apple.AssetCache.managed', caching))).toEqual(['error rule.any_of /']);
    expect(found('payload', payload('com.apple.AssetCache.managed', { AllowPersonalCaching: false }))).toEqual([]);
  });

  test('a key that another one stands in for is not missed', () => {
    const access = (extra: object) =>
      found(
        'payload',
        payload('com.apple.TCC.configuration-profile-policy', {
          Services: { Camera: [{ Identifier: 'x', IdentifierType: 'bundleID', CodeRequirement: 'x', ...extra }] },
        }),
      );
    expect(access({ Authorization: 'Deny' })).toEqual([]);
    expect(access({})).toEqual(['error key.missing /Services/Camera/0/Allowed']);
    const encrypted = { ...profile(), PayloadContent: undefined, IsEncrypted: true, EncryptedPayloadContent: bytes };
    const { PayloadContent: _, ...without } = encrypted;
    expect(found('profile', without)).toEqual([]);
    expect(found('profile', { ...without, IsEncrypted: false })).toEqual(['error key.missing /PayloadContent']);
  });
});

describe('names that the schema does not have', () => {
  test('are warnings with a suggestion, and their keys are let be', () => {
    expect(only('command', { RequestType: 'DeviceLok', Whatever: 1 })).toMatchObject({
      path: '/RequestType',
      code: 'schema.unknown',
      severity: 'warning',
      remedy: 'Did you mean DeviceLock?',
    });
    expect(found('payload', payload('com.example.app', { Anything: 1 }))).toEqual([
      'warning schema.unknown /PayloadType',
    ]);
    expect(found('checkin', { MessageType: 'TokenUpdat' })).toEqual(['warning schema.unknown /MessageType']);
    expect(found('declaration', declaration('com.apple.configuration.passcode.setting', {}))).toEqual([
      'warning schema.unknown /Type',
    ]);
    expect(found('status', { StatusItems: { device: { colour: 'red' } }, Errors: [] })).toEqual([
      'warning schema.unknown /StatusItems/device/colour',
    ]);
    expect(found('status', 1, undefined, { name: 'device.colour' })).toEqual(['warning schema.unknown /']);
    expect(found('other', {}, undefined, { name: 'MachineInf' })).toEqual(['warning schema.unknown /']);
  });
});

describe('responses and status', () => {
  test('the keys of a response are those of its command', () => {
    const name = { name: 'SecurityInfo' };
    expect(
      found('response', { Status: 'Acknowledged', SecurityInfo: { PasscodePresent: 1 } }, undefined, name),
    ).toEqual(['error type.wrong /SecurityInfo/PasscodePresent']);
    expect(found('response', { Status: 'Acknowledged' }, undefined, name)).toEqual(['error key.missing /SecurityInfo']);
    expect(found('response', { Status: 'Done' })).toEqual(['error value.list /Status']);
  });

  test('status items are found along their path', () => {
    const report = { StatusItems: { softwareupdate: { 'install-state': 'done' } }, Errors: [] };
    expect(found('status', report)).toEqual(['error value.list /StatusItems/softwareupdate/install-state']);
  });
});

describe('profiles', () => {
  test('payloads of a type that a device takes once', () => {
    const twice = profile(payload('com.apple.dock', {}), {
      ...payload('com.apple.dock', {}),
      PayloadUUID: '33333333-3333-4333-8333-333333333333',
      PayloadIdentifier: 'b',
    });
    const issue = only('profile', twice);
    expect(issue).toMatchObject({ path: '/PayloadContent/1', code: 'profile.multiple', severity: 'error' });
    expect(found('profile', twice, ios('17.0'))).not.toContain('error profile.multiple /PayloadContent/1');
  });

  test('payloads that share a UUID or an identifier', () => {
    const wifi = payload('com.apple.wifi.managed', { SSID_STR: 'x' });
    expect(found('profile', profile(wifi, wifi))).toEqual([
      'error profile.duplicate /PayloadContent/1/PayloadUUID',
      'error profile.duplicate /PayloadContent/1/PayloadIdentifier',
    ]);
  });

  test('a payload type of several files takes the keys of all', () => {
    expect(
      found('payload', payload('com.apple.MCX', { RequireAdminForIBSS: 1, DisableGuestAccount: true, Nope: 1 })),
    ).toEqual(['error type.wrong /RequireAdminForIBSS', 'warning key.unknown /Nope']);
  });

  test('what was encoded and decoded is judged alike', () => {
    const value = profile(
      payload('com.apple.universalaccess', { contrast: new PlistReal(1) }),
      payload('com.apple.font', { Font: bytes }),
    );
    const again = decode(encodeXml(value as never));
    expect(found('profile', again)).toEqual(found('profile', value));
  });
});
