// Command responses, commands, and the facts in responses.
import { decode } from '@espalier/plist';
import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  type CommandResponse,
  command,
  encryptionStatus,
  type Facts,
  inventoryCommands,
  platformOf,
  rawCommand,
  readCommand,
  readInventory,
  readResponse,
  statusFacts,
} from '../src/index.ts';
import * as messages from './fixtures/messages.ts';
import { plist, udid } from './fixtures/messages.ts';

const UDID = `<key>UDID</key><string>${udid}</string>`;
/** A message with something more in it, after the given key. */
function having(bytes: Uint8Array, after: string, more: string): Uint8Array {
  const [before, rest] = new TextDecoder().decode(bytes).split(after, 2);
  return new TextEncoder().encode(`${before}${after}${more}${rest}`);
}

const code = (expected: string, path?: string) =>
  expect.objectContaining({ name: 'MdmError', code: expected, ...(path === undefined ? {} : { at: { path } }) });

describe('readResponse', () => {
  test('reads Idle, which answers no command', () => {
    const response = readResponse(messages.idle);
    expect(response).toMatchObject({ status: 'Idle', ids: { udid }, errorChain: [] });
    expect(response.commandUuid).toBeUndefined();
    expect(response.raw).toBe(messages.idle);
  });

  test('reads an error with its chain, even an incomplete one', () => {
    expect(readResponse(messages.commandError)).toMatchObject({
      status: 'Error',
      commandUuid: '9F09D114-BCFD-42AD-A974-371AA7D6256E',
      errorChain: [
        {
          code: 4001,
          domain: 'MCInstallationErrorDomain',
          description: 'Profile Installation Failed',
          localizedDescription: 'Profil-Installation fehlgeschlagen',
        },
        { code: 2004, domain: '', description: '' },
      ],
    });
  });

  test.each(['Acknowledged', 'CommandFormatError', 'NotNow'])('reads %s', (status) => {
    const body = plist(`<key>Status</key><string>${status}</string>${UDID}<key>CommandUUID</key><string>c</string>`);
    expect(readResponse(body)).toMatchObject({ status, commandUuid: 'c' });
  });

  test('knows the user channels', () => {
    const body = plist(`<key>Status</key><string>Idle</string>${UDID}
      <key>UserID</key><string>U</string><key>UserShortName</key><string>s</string>
      <key>UserLongName</key><string>Long</string><key>NotOnConsole</key><true/>`);
    expect(readResponse(body).ids).toEqual({
      udid,
      userId: 'U',
      userShortName: 's',
      userLongName: 'Long',
      notOnConsole: true,
    });
    const enrolment = plist(
      '<key>Status</key><string>Idle</string><key>EnrollmentID</key><string>E</string><key>EnrollmentUserID</key><string>U</string>',
    );
    expect(readResponse(enrolment).ids).toEqual({ enrolmentId: 'E', enrolmentUserId: 'U' });
  });

  test.each([
    ['no status', UDID, 'mdm.response.missing_key', '/Status'],
    ['an unknown status', `<key>Status</key><string>Busy</string>${UDID}`, 'mdm.response.unknown_status', '/Status'],
    [
      'a result without its command',
      `<key>Status</key><string>Acknowledged</string>${UDID}`,
      'mdm.response.missing_key',
      '/CommandUUID',
    ],
    [
      'a chain that is no array',
      `<key>Status</key><string>Idle</string>${UDID}<key>ErrorChain</key><string/>`,
      'mdm.response.bad_key',
      '/ErrorChain',
    ],
    [
      'a chain of texts',
      `<key>Status</key><string>Idle</string>${UDID}<key>ErrorChain</key><array><string/></array>`,
      'mdm.response.bad_key',
      '/ErrorChain/0',
    ],
    ['nobody', '<key>Status</key><string>Idle</string>', 'mdm.enrolment.unidentified', undefined],
  ])('refuses %s', (_name, keys, expected, path) => {
    expect(() => readResponse(plist(keys))).toThrow(code(expected, path));
  });

  test('refuses what is not a property list', () => {
    expect(() => readResponse(new TextEncoder().encode('x'))).toThrow(code('mdm.not_plist'));
  });

  test('is a union told apart by status', () => {
    const response = readResponse(messages.idle) as CommandResponse;
    if (response.status !== 'Idle') expectTypeOf(response.commandUuid).toEqualTypeOf<string>();
  });
});

describe('command', () => {
  test('writes what a device reads', () => {
    const { bytes, commandUuid, requestType } = command(
      'DeviceLock',
      { Message: 'Call us', PIN: '123456' },
      { commandUuid: 'A-1' },
    );
    expect({ commandUuid, requestType }).toEqual({ commandUuid: 'A-1', requestType: 'DeviceLock' });
    expect(decode(bytes)).toEqual({
      CommandUUID: 'A-1',
      Command: { RequestType: 'DeviceLock', Message: 'Call us', PIN: '123456' },
    });
    expect(readCommand(bytes)).toMatchObject({ commandUuid: 'A-1', requestType: 'DeviceLock', raw: bytes });
  });

  test('is typed by the schema', () => {
    command('SecurityInfo', {}, { commandUuid: 'A' });
    command('InstallProfile', { Payload: new Uint8Array([1]) }, { commandUuid: 'A' });
    // @ts-expect-error no such key
    command('DeviceLock', { Massage: 'x' }, { commandUuid: 'A' });
    // @ts-expect-error a payload is required
    command('InstallProfile', undefined, { commandUuid: 'A' });
    // @ts-expect-error not one of the queries
    command('DeviceInformation', { Queries: ['Colour'] }, { commandUuid: 'A' });
    // @ts-expect-error no such command
    command('Explode', {}, { commandUuid: 'A' });
  });

  test('gives the same bytes for the same input', () => {
    const make = () => command('DeviceInformation', { Queries: ['UDID', 'OSVersion'] }, { commandUuid: 'A' }).bytes;
    expect(make()).toEqual(make());
  });

  test('passes on what the schema does not know', () => {
    const { bytes } = rawCommand(
      'Brand New',
      { Key: [1, { a: new Uint8Array([1]) }], Absent: undefined },
      { commandUuid: 'A' },
    );
    expect(readCommand(bytes).payload).toEqual({ RequestType: 'Brand New', Key: [1, { a: Uint8Array.from([1]) }] });
  });

  test('refuses an envelope that no device could read', () => {
    expect(() => rawCommand('', {}, { commandUuid: 'A' })).toThrow(code('mdm.command.bad_key'));
    expect(() => rawCommand('X', {}, { commandUuid: '' })).toThrow(code('mdm.command.bad_key'));
    expect(() => rawCommand('X', { RequestType: 'Y' }, { commandUuid: 'A' })).toThrow(
      code('mdm.command.bad_key', '/Command/RequestType'),
    );
    const cycle: { [key: string]: unknown } = {};
    cycle['self'] = cycle;
    expect(() => rawCommand('X', cycle as never, { commandUuid: 'A' })).toThrow(code('mdm.not_plist'));
    expect(() => readCommand(plist('<key>CommandUUID</key><string>A</string>'))).toThrow(
      code('mdm.command.missing_key', '/Command'),
    );
    expect(() => readCommand(plist('<key>CommandUUID</key><string>A</string><key>Command</key><dict/>'))).toThrow(
      code('mdm.command.missing_key', '/Command/RequestType'),
    );
  });
});

describe('facts', () => {
  const facts = (requestType: string, bytes: Uint8Array): Facts =>
    readInventory(requestType, readResponse(bytes).value)!.facts;

  test('of DeviceInformation', () => {
    expect(facts('DeviceInformation', messages.deviceInformation)).toEqual({
      'common.battery_level': 87,
      'common.cellular_technology': ['GSM', 'CDMA'],
      'common.current_operator_name': 'Carrier',
      'common.manufacturer': 'Apple',
      'common.model': 'MWLT2LL',
      'common.model_name': 'iPhone',
      'common.os_version': '18.3',
      'common.platform': 'iOS',
      'common.platform_name': 'iOS 18.3',
      'common.roaming': true,
      'common.serial_number': 'F4GDV3QYN72J',
      'common.storage_capacity': 128_000_000_000,
      'common.storage_free': 110_500_000_000,
      'common.wifi_mac_address': 'f0:99:b6:12:34:57',
      'ios.BluetoothMAC': 'f0:99:b6:12:34:56',
      'ios.BuildVersion': '22D63',
      'ios.DeviceName': 'iPhone',
      'ios.LastCloudBackupDate': Date.UTC(2026, 0, 2, 3, 4, 5),
      'ios.OrganizationInfo': 'Example',
      'ios.ProductName': 'iPhone12,1',
      'ios.Supervised': true,
      'ios.TimeZone': 'Europe/Berlin',
      'ios.UDID': udid,
      'ios.iPhone MAC_ADDRESS_EN0': 'f0:99:b6:12:34:57',
      'ios.iPhone PRODUCT': 'iPhone12,1',
      'ios.iPhone VERSION': '22D63',
      'ios.iTunesStoreAccountIsActive': true,
      'ios.sim_eid_2': '89049032',
      'ios.sim_label_1': 'Primary',
      'ios.sim_label_2': 'Secondary',
      'ios.sim_mcc_1': '001',
      'ios.sim_mnc_1': '01',
      'ios.sim_phone_number_1': '+15550100',
      'ios.sims': 2,
    });
  });

  const inform = (keys: string): Facts =>
    facts(
      'DeviceInformation',
      plist(
        `<key>Status</key><string>Acknowledged</string>${UDID}<key>CommandUUID</key><string>c</string><key>QueryResponses</key><dict>${keys}</dict>`,
      ),
    );

  test('count old Macs in gibibytes, as they do', () => {
    const mac = (version: string) =>
      inform(
        `<key>ProductName</key><string>Mac14,2</string><key>OSVersion</key><string>${version}</string><key>DeviceCapacity</key><real>2</real>`,
      );
    expect(mac('11.7')).toMatchObject({ 'common.platform': 'macOS', 'common.storage_capacity': 2 * 2 ** 30 });
    expect(mac('15.3')).toMatchObject({ 'common.storage_capacity': 2e9 });
  });

  test('tell "none" from "unknown"', () => {
    expect(
      inform('<key>BatteryLevel</key><real>-1</real><key>CellularTechnology</key><integer>0</integer>'),
    ).toMatchObject({
      'common.battery_level': null,
      'common.cellular_technology': null,
    });
    expect(inform('')).toEqual({ 'common.manufacturer': 'Apple' });
  });

  test('know the platform by the product name', () => {
    const known = [
      'iPhone15,2',
      'iPad8,12',
      'AppleTV14,1',
      'MacBookAir10,1',
      'Mac14,7',
      'iMac21,1',
      'VirtualMac2,1',
      'Watch6,1',
      'RealityDevice14,1',
      'Toaster1,1',
    ];
    expect(known.map(platformOf)).toEqual([
      'iOS',
      'iOS',
      'tvOS',
      'macOS',
      'macOS',
      'macOS',
      'macOS',
      'watchOS',
      'visionOS',
      null,
    ]);
  });

  test('of SecurityInfo', () => {
    expect(facts('SecurityInfo', messages.securityInfo)).toEqual({
      'common.device_encrypted': true,
      'common.encryption_status': 'Active',
      'ios.HardwareEncryptionCaps': 3,
      'ios.IsDEPEnrolledDevice': true,
      'ios.PasscodeIsCompliant': true,
      'ios.PasscodeIsCompliantWithProfiles': false,
      'ios.PasscodePresent': true,
      'ios.apple_user_enrolled_device': false,
      'ios.data_protection': true,
    });
    const mac = plist(
      `<key>Status</key><string>Acknowledged</string>${UDID}<key>CommandUUID</key><string>c</string><key>SecurityInfo</key><dict><key>FDE_Enabled</key><false/><key>FirewallSettings</key><dict><key>FirewallEnabled</key><true/></dict><key>SecureBoot</key><dict><key>SecureBootLevel</key><string>full</string></dict></dict>`,
    );
    expect(facts('SecurityInfo', mac)).toEqual({
      'common.device_encrypted': false,
      'common.encryption_status': 'Inactive',
      'ios.FDE_Enabled': false,
      'ios.FirewallEnabled': true,
      'ios.SecureBootLevel': 'full',
    });
    const named = (caps: number, passcode?: boolean) =>
      encryptionStatus({
        'ios.HardwareEncryptionCaps': caps,
        ...(passcode === undefined ? {} : { 'ios.PasscodePresent': passcode }),
      });
    expect([named(3, true), named(3, false), named(3), named(1, true), encryptionStatus({})]).toEqual([
      'Active',
      'Inactive',
      null,
      'Unsupported',
      null,
    ]);
    expect(statusFacts(new Map([['diskmanagement.filevault.enabled', true]]))).toMatchObject({
      'ios.FDE_Enabled': true,
      'common.encryption_status': 'Active',
    });
  });

  test('of the lists', () => {
    expect(
      readInventory('InstalledApplicationList', readResponse(messages.installedApplicationList).value)!.apps!.items,
    ).toEqual([
      {
        bundleId: 'com.apple.Pages',
        name: 'Pages',
        version: '14.2',
        build: '7041.0.109',
        bundleSize: 134217728,
        externalVersionId: 826773435,
        appStore: true,
        adHocSigned: false,
      },
    ]);
    expect(readInventory('ProfileList', readResponse(messages.profileList).value)!.profiles!.items).toEqual([
      {
        identifier: 'com.example.passcode',
        uuid: '6E1A7B52-0E5C-4B3E-9F6F-0A1B2C3D4E5F',
        version: 1,
        displayName: 'Passcode policy',
        organisation: 'Example',
        removalDisallowed: true,
        hasRemovalPasscode: false,
        encrypted: false,
        managed: true,
        signerCertificates: [new Uint8Array(Buffer.from('MIIB', 'base64'))],
        payloads: [
          {
            type: 'com.apple.mobiledevice.passwordpolicy',
            identifier: 'com.example.passcode.policy',
            uuid: '8D2C6B41-7E0F-4A3D-8B5C-1F2E3D4C5B6A',
            version: 1,
            displayName: 'Passcode',
          },
        ],
      },
    ]);
    expect(readInventory('CertificateList', readResponse(messages.certificateList).value)!.certificates).toEqual({
      items: [{ commonName: 'device', isIdentity: true, data: new Uint8Array(Buffer.from('MIIB', 'base64')) }],
      unreadable: 0,
    });
  });

  test('pass over what is not as it should be, and count it', () => {
    const apps = having(
      messages.installedApplicationList,
      '<array>',
      '<dict><key>Name</key><string>No identifier</string></dict>',
    );
    expect(readInventory('InstalledApplicationList', readResponse(apps).value)!.apps).toMatchObject({
      items: [{ bundleId: 'com.apple.Pages' }],
      unreadable: 1,
    });
    const certificates = having(
      messages.certificateList,
      '<array>',
      '<dict><key>CommonName</key><string>no data</string></dict>',
    );
    expect(readInventory('CertificateList', readResponse(certificates).value)!.certificates).toMatchObject({
      items: [{ commonName: 'device' }],
      unreadable: 1,
    });
    expect(
      inform('<key>OSVersion</key><string>18.3</string><key>IsSupervised</key><string>no boolean</string>'),
    ).toEqual({ 'common.manufacturer': 'Apple', 'common.os_version': '18.3' });
  });

  test('of the apps, to search by', () => {
    expect(facts('InstalledApplicationList', messages.installedApplicationList)).toEqual({
      'ios.installed_app_identifiers': ['com.apple.Pages'],
      'ios.installed_app_names': ['Pages'],
    });
  });

  test('of a response without its content, and of other commands', () => {
    const empty = readResponse(
      plist(`<key>Status</key><string>Acknowledged</string>${UDID}<key>CommandUUID</key><string>c</string>`),
    ).value;
    for (const type of inventoryCommands) expect(readInventory(type, empty)).toMatchObject({ facts: {} });
    for (const type of ['DeviceLock', 'constructor', '__proto__']) expect(readInventory(type, empty)).toBeNull();
  });
});
