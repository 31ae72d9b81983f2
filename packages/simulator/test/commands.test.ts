// Every command that a device knows, on every platform: what it answers, what it becomes, what it refuses.
import { schema, validate } from '@espalier/apple-mdm';
import { createRootCa, toPem } from '@espalier/pki';
import { encodeXml, type PlistDict, type PlistInput } from '@espalier/plist';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  appCatalogue,
  createKeyPool,
  createSimulatedDevice,
  knownCommands,
  type SimulatedDevice,
  type SimulatedDeviceOptions,
} from '../src/index.ts';
import { type Command, startMdm, type TestMdm } from './server.ts';

let server: TestMdm;
beforeAll(async () => {
  server = await startMdm({ tls: false });
});
afterAll(() => server.close());

const keyPool = createKeyPool();
let seed = 0;

async function enrolled(
  options: Partial<SimulatedDeviceOptions> = {},
  mdm: { [key: string]: PlistInput } = {},
): Promise<SimulatedDevice> {
  const device = createSimulatedDevice({ kind: 'iPhone', osVersion: '18.3', seed: ++seed, keyPool, ...options });
  await device.enrol(server.profile(mdm));
  return device;
}

/** Sends one command; gives the device's answer. */
async function send(device: SimulatedDevice, command: Command): Promise<PlistDict> {
  const uuid = server.enqueue(device.udid, command);
  await device.poll();
  return server.results.findLast((result) => result.commandUuid === uuid)!.value;
}

const chain = (...errors: (readonly [domain: string, code: number])[]) => ({
  Status: 'Error',
  ErrorChain: errors.map(([domain, code]) => expect.objectContaining({ ErrorDomain: domain, ErrorCode: code })),
});

const profile = (changes: object = {}, ...payloads: PlistInput[]): Uint8Array =>
  encodeXml({
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadIdentifier: 'com.example.test',
    PayloadUUID: 'A',
    PayloadDisplayName: 'Test',
    PayloadContent: payloads.length > 0 ? payloads : [payload('com.apple.wifi.managed', 'wifi', {})],
    ...changes,
  } as PlistInput);

const payload = (type: string, name: string, content: object): PlistInput =>
  ({
    PayloadType: type,
    PayloadVersion: 1,
    PayloadIdentifier: `com.example.test.${name}`,
    PayloadUUID: name,
    ...content,
  }) as PlistInput;

describe('DeviceInformation', () => {
  const Queries = [
    'UDID',
    'OSVersion',
    'IMEI',
    'EthernetMAC',
    'WiFiMAC',
    'DeviceCapacity',
    'IsSupervised',
    'HasBattery',
    'Nonsense',
    '__proto__',
  ];

  test('answers what the platform has, and nothing that was not asked for', async () => {
    const phone = await enrolled({ supervised: true, model: 'iPhone15,2' });
    const { QueryResponses } = await send(phone, { RequestType: 'DeviceInformation', Queries });
    expect(Object.keys(QueryResponses as object).sort()).toEqual([
      'DeviceCapacity',
      'IMEI',
      'IsSupervised',
      'OSVersion',
      'UDID',
      'WiFiMAC',
    ]);
    expect(QueryResponses).toMatchObject({ UDID: phone.udid, OSVersion: '18.3', IsSupervised: true });
    const mac = await enrolled({ kind: 'Mac', osVersion: '15.3' });
    const answers = await send(mac, { RequestType: 'DeviceInformation', Queries });
    expect(Object.keys(answers['QueryResponses'] as object).sort()).toEqual([
      'DeviceCapacity',
      'EthernetMAC',
      'HasBattery',
      'IsSupervised',
      'OSVersion',
      'UDID',
      'WiFiMAC',
    ]);
    const tv = await enrolled({ kind: 'AppleTV', osVersion: '18.3' });
    const ofTv = await send(tv, { RequestType: 'DeviceInformation', Queries });
    expect(Object.keys(ofTv['QueryResponses'] as object).sort()).toEqual([
      'IsSupervised',
      'OSVersion',
      'UDID',
      'WiFiMAC',
    ]);
  });

  test('answers what the version has', async () => {
    const old = await enrolled({ osVersion: '13.7', model: 'iPhone12,1' });
    const { QueryResponses } = await send(old, {
      RequestType: 'DeviceInformation',
      Queries: ['TimeZone', 'ModelNumber', 'IsRoaming'],
    });
    expect(QueryResponses).toEqual({ IsRoaming: false });
  });

  test('shows what the access rights show', async () => {
    const phone = await enrolled({ model: 'iPhone15,2' }, { AccessRights: 1 });
    const { QueryResponses } = await send(phone, { RequestType: 'DeviceInformation', Queries });
    expect(QueryResponses).toEqual({ UDID: phone.udid });
  });
});

describe('the inventory', () => {
  test('SecurityInfo of a phone and of a Mac', async () => {
    const phone = await enrolled({ passcode: null });
    expect((await send(phone, { RequestType: 'SecurityInfo' }))['SecurityInfo']).toMatchObject({
      HardwareEncryptionCaps: 3,
      PasscodePresent: false,
      PasscodeCompliant: true,
    });
    const mac = await enrolled({ kind: 'Mac' });
    expect((await send(mac, { RequestType: 'SecurityInfo' }))['SecurityInfo']).toMatchObject({
      FDE_Enabled: expect.any(Boolean),
      SystemIntegrityProtectionEnabled: true,
    });
  });

  test('InstalledApplicationList, filtered', async () => {
    const apps = appCatalogue.iOS.slice(0, 3);
    const phone = await enrolled({ apps });
    const list = async (keys: object) =>
      (await send(phone, { RequestType: 'InstalledApplicationList', ...keys }))[
        'InstalledApplicationList'
      ] as PlistDict[];
    expect((await list({})).map((app) => app['Identifier'])).toEqual(apps.map((app) => app.identifier));
    expect(await list({ Identifiers: ['com.apple.Pages'], Items: ['Identifier', 'ShortVersion'] })).toEqual([
      { Identifier: 'com.apple.Pages', ShortVersion: '14.2' },
    ]);
    expect(await list({ ManagedAppsOnly: true })).toEqual([]);
  });

  test('ProfileList and CertificateList know the enrolment', async () => {
    const phone = await enrolled();
    const { ProfileList: profiles } = await send(phone, { RequestType: 'ProfileList' });
    expect(profiles).toMatchObject([
      {
        PayloadIdentifier: 'com.example.mdm',
        PayloadOrganization: 'Example',
        IsManaged: false,
        PayloadContent: { length: 3 },
      },
    ]);
    const { CertificateList: certificates } = await send(phone, { RequestType: 'CertificateList' });
    expect(certificates).toMatchObject([
      { CommonName: 'Test root', IsIdentity: false, Data: server.root },
      { CommonName: 'device', IsIdentity: true },
    ]);
    expect((await send(phone, { RequestType: 'ProfileList', ManagedOnly: true }))['ProfileList']).toEqual([]);
  });

  test('the rest answers plausibly', async () => {
    const phone = await enrolled({ supervised: true });
    for (const RequestType of [
      'ProvisioningProfileList',
      'Restrictions',
      'AvailableOSUpdates',
      'ManagedApplicationList',
    ]) {
      expect(await send(phone, { RequestType }), RequestType).toMatchObject({ Status: 'Acknowledged' });
    }
    expect(await send(await enrolled({ kind: 'Mac' }), { RequestType: 'UserList' })).toMatchObject({
      Users: { length: 1 },
    });
  });
});

describe('profiles', () => {
  test('are installed, replaced, listed and removed', async () => {
    const phone = await enrolled();
    const install = (bytes: Uint8Array) => send(phone, { RequestType: 'InstallProfile', Payload: bytes });
    expect(await install(server.sign(profile()))).toMatchObject({ Status: 'Acknowledged' });
    expect(await install(profile({ PayloadUUID: 'B', PayloadDisplayName: 'Newer' }))).toMatchObject({
      Status: 'Acknowledged',
    });
    const { ProfileList: list } = await send(phone, { RequestType: 'ProfileList', ManagedOnly: true });
    expect(list).toMatchObject([
      { PayloadIdentifier: 'com.example.test', PayloadUUID: 'B', PayloadDisplayName: 'Newer', IsManaged: true },
    ]);
    expect(await send(phone, { RequestType: 'RemoveProfile', Identifier: 'com.example.test' })).toMatchObject({
      Status: 'Acknowledged',
    });
    expect(await send(phone, { RequestType: 'RemoveProfile', Identifier: 'com.example.test' })).toMatchObject(
      chain(['MCMDMErrorDomain', 12075]),
    );
  });

  test('show who signed them, and bring their certificates', async () => {
    const phone = await enrolled();
    const other = await createRootCa({ subject: 'CN=Other', key: { type: 'ec', curve: 'P-256' }, clock: Date });
    await send(phone, {
      RequestType: 'InstallProfile',
      Payload: server.sign(
        profile({}, payload('com.apple.security.root', 'root', { PayloadContent: other.certificate })),
      ),
    });
    const { ProfileList: list } = await send(phone, { RequestType: 'ProfileList', ManagedOnly: true });
    const [{ SignerCertificates: signers }] = list as [{ SignerCertificates: Uint8Array[] }];
    expect(toPem(signers[0]!)).toBe(server.serverPem.certificate);
    const { CertificateList: certificates } = await send(phone, { RequestType: 'CertificateList', ManagedOnly: true });
    expect((certificates as PlistDict[]).map((item) => item['CommonName'])).toEqual(['Other', 'device']);
  });

  test.each<[string, Uint8Array, number, string]>([
    ['no property list', new TextEncoder().encode('x'), 1000, 'MCProfileErrorDomain'],
    ['another type', profile({ PayloadType: 'X' }), 1000, 'MCProfileErrorDomain'],
    ['another version', profile({ PayloadVersion: 2 }), 1001, 'MCProfileErrorDomain'],
    ['no identifier', profile({ PayloadIdentifier: undefined }), 1002, 'MCProfileErrorDomain'],
    ['a wrong type', profile({ PayloadContent: ['x'] }), 1003, 'MCProfileErrorDomain'],
    ['a broken signature', Uint8Array.from([0x30, 0x01, 0x00]), 1004, 'MCProfileErrorDomain'],
    ['no payload', profile({ PayloadContent: [] }), 1005, 'MCProfileErrorDomain'],
    [
      'equal UUIDs',
      profile({}, payload('a', 'x', {}), payload('b', 'y', { PayloadUUID: 'x' })),
      1007,
      'MCProfileErrorDomain',
    ],
    [
      'equal identifiers',
      profile({}, payload('a', 'x', {}), payload('b', 'x', { PayloadUUID: 'y' })),
      1008,
      'MCProfileErrorDomain',
    ],
    [
      'a payload without version',
      profile({}, payload('a', 'x', { PayloadVersion: undefined })),
      2002,
      'MCPayloadErrorDomain',
    ],
    [
      'a bad certificate',
      profile({}, payload('com.apple.security.root', 'x', { PayloadContent: new Uint8Array(3) })),
      9005,
      'MCCertificateErrorDomain',
    ],
  ])('with %s are refused', async (_name, bytes, expected, domain) => {
    const phone = await enrolled();
    expect(await send(phone, { RequestType: 'InstallProfile', Payload: bytes })).toMatchObject(
      chain(['MCInstallationErrorDomain', 4001], [domain, expected]),
    );
    expect(phone.state().profiles).toHaveLength(1);
  });

  test('with a passcode policy decide whether the passcode complies', async () => {
    const phone = await enrolled({ passcode: '1234' });
    const policy = (content: object) =>
      send(phone, {
        RequestType: 'InstallProfile',
        Payload: profile({}, payload('com.apple.mobiledevice.passwordpolicy', 'p', content)),
      });
    const compliant = async () =>
      ((await send(phone, { RequestType: 'SecurityInfo' }))['SecurityInfo'] as PlistDict)[
        'PasscodeCompliantWithProfiles'
      ];
    expect(await compliant()).toBe(true);
    await policy({ minLength: 6, forcePIN: true });
    expect(await compliant()).toBe(false);
    phone.setPasscode('135790');
    expect(await compliant()).toBe(true);
    await policy({ minLength: 6, allowSimple: false });
    phone.setPasscode('123456');
    expect(await compliant()).toBe(false);
    phone.setPasscode('111111');
    expect(await compliant()).toBe(false);
    await policy({ requireAlphanumeric: true, minComplexChars: 1 });
    phone.setPasscode('abc123');
    expect(await compliant()).toBe(false);
    phone.setPasscode('abc12!');
    expect(await compliant()).toBe(true);
    phone.setPasscode(null);
    expect(await compliant()).toBe(true);
    await policy({ forcePIN: true });
    expect(await compliant()).toBe(false);
  });

  test('that change the enrolment may take rights away, no more', async () => {
    const phone = await enrolled();
    const update = (mdm: { [key: string]: PlistInput }) =>
      send(phone, { RequestType: 'InstallProfile', Payload: server.profile(mdm) });
    expect(await update({ ServerURL: 'https://elsewhere.example/' })).toMatchObject(chain(['MCMDMErrorDomain', 12012]));
    expect(await update({ AccessRights: 3 })).toMatchObject({ Status: 'Acknowledged' });
    expect(await update({ AccessRights: 8191 })).toMatchObject(chain(['MCMDMErrorDomain', 12012]));
    expect(await send(phone, { RequestType: 'SecurityInfo' })).toMatchObject(chain(['MCMDMErrorDomain', 12007]));
  });

  test('by which the server ends the management', async () => {
    const phone = await enrolled();
    server.enqueue(phone.udid, { RequestType: 'RemoveProfile', Identifier: 'com.example.mdm' });
    expect(await phone.poll()).toMatchObject({ ended: 'leave' });
    expect(phone.phase).toBe('checked-out');
    expect(server.messagesOf(phone.udid).at(-1)).toMatchObject({ MessageType: 'CheckOut' });
  });
});

describe('the device', () => {
  test('locks, and says whether the message is shown', async () => {
    const phone = await enrolled({ passcode: '123456' });
    expect(await send(phone, { RequestType: 'DeviceLock', Message: 'Call' })).toMatchObject({
      Status: 'Acknowledged',
      MessageResult: 'Success',
    });
    expect(phone.state().locked).toBe(true);
    const open = await enrolled({ passcode: null });
    expect(await send(open, { RequestType: 'DeviceLock', PhoneNumber: '1' })).toMatchObject({
      MessageResult: 'NoPasscodeSet',
    });
    expect(await send(open, { RequestType: 'DeviceLock' })).not.toHaveProperty('MessageResult');
  });

  test('locked answers NotNow where Apple says so, and asks again when it is unlocked', async () => {
    const phone = await enrolled({ passcode: '123456', locked: true });
    const uuid = server.enqueue(phone.udid, { RequestType: 'InstallProfile', Payload: profile() });
    server.enqueue(phone.udid, { RequestType: 'ProfileList' });
    const { commands } = await phone.poll();
    expect(commands.map(({ requestType, status }) => [requestType, status])).toEqual([
      ['InstallProfile', 'NotNow'],
      ['ProfileList', 'Acknowledged'],
      ['InstallProfile', 'NotNow'], // this server tries again after every other answer
    ]);
    expect(phone.unlock()).toBe(true);
    await phone.settled();
    expect(server.results.findLast((result) => result.commandUuid === uuid)!.value).toMatchObject({
      Status: 'Acknowledged',
    });
    expect(phone.state().profiles).toHaveLength(2);
  });

  test('a Mac needs a PIN to be locked, and the PIN to be unlocked', async () => {
    const mac = await enrolled({ kind: 'Mac' });
    expect(await send(mac, { RequestType: 'DeviceLock' })).toMatchObject({ Status: 'CommandFormatError' });
    server.enqueue(mac.udid, { RequestType: 'DeviceLock', PIN: '123456' });
    expect(await mac.poll()).toMatchObject({ ended: 'halt', commands: [{ status: 'Acknowledged' }] });
    const before = server.messagesOf(mac.udid).length;
    expect(await mac.poll()).toEqual({ commands: [], ended: 'halt', status: 0 });
    expect(server.messagesOf(mac.udid)).toHaveLength(before);
    expect(mac.unlock('000000')).toBe(false);
    expect(mac.unlock('123456')).toBe(true);
    expect(await mac.poll()).toMatchObject({ ended: 'idle' });
  });

  test('clears its passcode for whoever has the unlock token', async () => {
    const phone = await enrolled({ passcode: '123456', locked: true });
    expect(await send(phone, { RequestType: 'ClearPasscode', UnlockToken: new Uint8Array(3) })).toMatchObject(
      chain(['MCPasscodeErrorDomain', 5013]),
    );
    const { UnlockToken } = server.messagesOf(phone.udid)[1]!;
    expect(await send(phone, { RequestType: 'ClearPasscode', UnlockToken: UnlockToken! })).toMatchObject({
      Status: 'Acknowledged',
    });
    expect(phone.state()).toMatchObject({ passcode: null, locked: false });
    expect(await send(phone, { RequestType: 'ClearPasscode' })).toMatchObject({ Status: 'CommandFormatError' });
  });

  test('restarts and shuts down when it is supervised', async () => {
    const phone = await enrolled({ supervised: true, passcode: '123456' });
    server.enqueue(phone.udid, { RequestType: 'RestartDevice' });
    expect(await phone.poll()).toMatchObject({ ended: 'restart' });
    expect(phone.state()).toMatchObject({ restarts: 1, locked: true });
    server.enqueue(phone.udid, { RequestType: 'ShutDownDevice' });
    expect(await phone.poll()).toMatchObject({ ended: 'halt' });
    expect(await send(await enrolled(), { RequestType: 'RestartDevice' })).toMatchObject(
      chain(['MCChaperoneErrorDomain', 29000]),
    );
    server.enqueue((await enrolled({ kind: 'Mac' })).udid, { RequestType: 'RestartDevice' });
  });

  test('is erased once the answer is delivered', async () => {
    const phone = await enrolled();
    server.enqueue(phone.udid, { RequestType: 'EraseDevice' });
    expect(await phone.poll()).toMatchObject({ ended: 'erase' });
    expect(phone.state()).toMatchObject({
      phase: 'erased',
      mdm: null,
      profiles: [],
      certificate: null,
      passcode: null,
    });
    expect(server.messagesOf(phone.udid).at(-1)).toMatchObject({ Status: 'Acknowledged' });
  });

  test('takes settings one by one', async () => {
    const phone = await enrolled({ supervised: true, model: 'iPhone15,2' });
    const { Settings: results } = await send(phone, {
      RequestType: 'Settings',
      Settings: [
        { Item: 'DeviceName', DeviceName: 'Renamed' },
        { Item: 'DataRoaming', Enabled: true },
        { Item: 'DataRoaming', Enabled: 'yes' },
        { Item: 'TimeZone', TimeZone: 'Asia/Tokyo' },
        { Item: 'Nonsense' },
      ],
    });
    expect((results as PlistDict[]).map((item) => item['Status'])).toEqual([
      'Acknowledged',
      'Acknowledged',
      'CommandFormatError',
      'Acknowledged',
      'Error',
    ]);
    const { QueryResponses } = await send(phone, {
      RequestType: 'DeviceInformation',
      Queries: ['DeviceName', 'DataRoamingEnabled', 'TimeZone'],
    });
    expect(QueryResponses).toEqual({ DeviceName: 'Renamed', DataRoamingEnabled: true, TimeZone: 'Asia/Tokyo' });
    const { Settings: shared } = await send(phone, {
      RequestType: 'Settings',
      Settings: [
        { Item: 'SharedDeviceConfiguration', ResidentUsers: 5 },
        { Item: 'Wallpaper', Image: new Uint8Array(3), Where: 4 },
        { Item: 'HostName', HostName: 'x' },
        { Item: 'AccessibilitySettings', TextSize: 3, VoiceOverEnabled: true },
      ],
    });
    expect(shared).toMatchObject([
      { Item: 'SharedDeviceConfiguration', Status: 'Error', ErrorChain: [{ ErrorCode: 12076 }] },
      { Item: 'Wallpaper', Status: 'CommandFormatError' },
      { Item: 'HostName', Status: 'Error', ErrorChain: [{ ErrorDomain: 'MCSettingsErrorDomain' }] },
      { Item: 'AccessibilitySettings', Status: 'Acknowledged' },
    ]);
    const { Settings: refused } = await send(await enrolled(), {
      RequestType: 'Settings',
      Settings: [{ Item: 'DeviceName', DeviceName: 'x' }],
    });
    expect(refused).toMatchObject([
      { Status: 'Error', ErrorChain: [{ ErrorDomain: 'MCChaperoneErrorDomain', ErrorCode: 29000 }] },
    ]);
  });

  test('can be lost and found', async () => {
    const phone = await enrolled({ supervised: true });
    expect(await send(phone, { RequestType: 'DeviceLocation' })).toMatchObject(chain(['MCMDMErrorDomain', 12067]));
    expect(await send(phone, { RequestType: 'EnableLostMode' })).toMatchObject(chain(['MCMDMErrorDomain', 12066]));
    expect(await send(phone, { RequestType: 'EnableLostMode', Message: 'Lost' })).toMatchObject({
      Status: 'Acknowledged',
    });
    expect(await send(phone, { RequestType: 'DeviceLocation' })).toMatchObject({
      Latitude: expect.any(Number),
      Longitude: expect.any(Number),
    });
    expect(await send(phone, { RequestType: 'PlayLostModeSound' })).toMatchObject({ Status: 'Acknowledged' });
    expect(await send(phone, { RequestType: 'DeviceLock', Message: 'x' })).toMatchObject({
      MessageResult: 'DeviceInLostMode',
    });
    expect(await send(phone, { RequestType: 'DisableLostMode' })).toMatchObject({ Status: 'Acknowledged' });
    expect(await send(phone, { RequestType: 'DisableLostMode' })).toMatchObject(chain(['MCMDMErrorDomain', 12067]));
  });

  test('installs and removes apps', async () => {
    const phone = await enrolled({ apps: [] });
    expect(await send(phone, { RequestType: 'InstallApplication', iTunesStoreID: 361309726 })).toMatchObject({
      Status: 'Acknowledged',
      State: 'Installing',
    });
    expect(await send(phone, { RequestType: 'InstallApplication', iTunesStoreID: 361309726 })).toMatchObject(
      chain(['MCMDMErrorDomain', 12025]),
    );
    expect(await send(phone, { RequestType: 'InstallApplication', ManifestURL: 'http://x/' })).toMatchObject(
      chain(['MCMDMErrorDomain', 12034]),
    );
    expect(await send(phone, { RequestType: 'InstallApplication' })).toMatchObject({ Status: 'CommandFormatError' });
    expect(await send(phone, { RequestType: 'ManagedApplicationList' })).toMatchObject({
      ManagedApplicationList: { 'com.example.store.361309726': { Status: 'Managed' } },
    });
    expect(
      await send(phone, { RequestType: 'RemoveApplication', Identifier: 'com.example.store.361309726' }),
    ).toMatchObject({ Status: 'Acknowledged' });
    expect(
      await send(phone, { RequestType: 'RemoveApplication', Identifier: 'com.example.store.361309726' }),
    ).toMatchObject(chain(['MCMDMErrorDomain', 12029]));
  });

  test('is released from Setup Assistant', async () => {
    const phone = await enrolled({ awaitingConfiguration: true, supervised: true });
    expect(server.messagesOf(phone.udid)[1]).toMatchObject({ AwaitingConfiguration: true });
    await send(phone, { RequestType: 'DeviceConfigured' });
    expect(phone.state().awaitingConfiguration).toBe(false);
  });
});

describe('what a device does not know', () => {
  test.each(['Explode', 'constructor', '__proto__'])('%s is no valid request type', async (RequestType) => {
    expect(await send(await enrolled(), { RequestType })).toMatchObject(chain(['MCMDMErrorDomain', 12021]));
  });

  test('belongs to another platform', async () => {
    expect(await send(await enrolled({ kind: 'AppleTV' }), { RequestType: 'DeviceLock' })).toMatchObject(
      chain(['MCMDMErrorDomain', 12021]),
    );
    expect(await send(await enrolled({ kind: 'Mac' }), { RequestType: 'ClearPasscode' })).toMatchObject(
      chain(['MCMDMErrorDomain', 12021]),
    );
  });

  test('or may not do', async () => {
    const phone = await enrolled({}, { AccessRights: 1 });
    for (const RequestType of [
      'InstallProfile',
      'EraseDevice',
      'SecurityInfo',
      'DeviceLock',
      'Settings',
      'InstalledApplicationList',
    ]) {
      expect(await send(phone, { RequestType }), RequestType).toMatchObject(chain(['MCMDMErrorDomain', 12007]));
    }
  });

  test('is malformed', async () => {
    const phone = await enrolled();
    for (const RequestType of [
      'DeviceInformation',
      'InstallProfile',
      'RemoveProfile',
      'Settings',
      'RemoveApplication',
    ]) {
      const answer = await send(phone, { RequestType });
      expect(answer, RequestType).toMatchObject({ Status: 'CommandFormatError' });
      expect(answer).not.toHaveProperty('ErrorChain');
    }
  });

  test('and all others are listed', () => {
    expect(knownCommands).toContain('DeviceInformation');
    expect(knownCommands).toEqual(schema.names('command').toSorted());
  });
});

// The last test of the file: it looks at everything that the tests above made the devices send.
describe("Apple's schema", () => {
  test('has nothing against what devices send', () => {
    const problems = new Set<string>();
    let checked = 0;
    for (const { path, message, headers } of server.arrived) {
      if (message === undefined) continue;
      checked++;
      const platform = String(headers['user-agent']).startsWith('MDM-OSX') ? 'macOS' : 'iOS';
      const uuid = message['CommandUUID'];
      const name = typeof uuid === 'string' ? server.requestTypeOf(uuid) : undefined;
      const issues =
        path === '/checkin'
          ? validate('checkin', message, { platform })
          : validate('response', message, { platform }, name === undefined ? {} : { name });
      for (const issue of issues)
        problems.add(`${name ?? message['MessageType'] ?? 'Idle'} ${issue.path} ${issue.code}`);
    }
    expect(checked).toBeGreaterThan(200);
    expect([...problems]).toEqual([]);
  });
});
