// The catalogue: each command of Apple's schema on each kind of device is answered as the schema says, or refused for the
// reason that the schema gives.
import { commandCapabilities, schema, type Target, validate } from '@espalier/apple-mdm';
import { createRootCa, decryptRecoveryKey, signCms } from '@espalier/pki';
import { encodeXml, type PlistDict, type PlistInput } from '@espalier/plist';
import { beforeAll, describe, expect, test } from 'vitest';
import { platformOf } from '../src/catalogue.ts';
import { availability } from '../src/commands/availability.ts';
import { execute } from '../src/commands/execute.ts';
import type { CommandResult } from '../src/commands/handler.ts';
import { createState, type DeviceTraits } from '../src/device/factory.ts';
import type { DeviceState } from '../src/device/state.ts';
import { createRandom } from '../src/index.ts';

const now = Date.UTC(2025, 0, 31);

let identity: { certificate: Uint8Array; privateKey: Uint8Array };
beforeAll(async () => {
  identity = await createRootCa({ subject: 'CN=Escrow', key: { type: 'rsa', bits: 2048 }, clock: () => now });
});

function device(traits: DeviceTraits, accessRights = 8191): DeviceState {
  const state = createState(traits, createRandom('catalogue'));
  const mdm = { profileIdentifier: 'com.example.mdm', serverUrl: '', checkInUrl: '', topic: '', accessRights };
  state.mdm = {
    ...mdm,
    signMessage: true,
    checkOutWhenRemoved: true,
    serverCapabilities: [],
    identityUuid: '',
    scep: null,
  };
  return state;
}

const app = {
  identifier: 'com.example.app',
  name: 'App',
  version: '1',
  shortVersion: '1',
  bundleSize: 1,
  managed: true,
};

/** A command that a device can take, for each request type that needs keys. */
function sensible(requestType: string, state: DeviceState): { [key: string]: PlistInput } {
  const payloads: { [requestType: string]: () => { [key: string]: PlistInput } } = {
    AccountConfiguration: () => ({
      AutoSetupAdminAccounts: [{ shortName: 'admin', fullName: 'Admin', passwordHash: new Uint8Array(4) }],
    }),
    ApplyRedemptionCode: () => ({ Identifier: app.identifier, RedemptionCode: 'X' }),
    ClearPasscode: () => ({ UnlockToken: new Uint8Array(Buffer.from(state.unlockToken, 'base64')) }),
    DeleteUser: () => ({ UserName: 'alan@example.com', ForceDeletion: true }),
    DeviceInformation: () => ({ Queries: ['UDID', 'OSVersion', 'IsMultiUser', 'HostName', 'IsAppleSilicon'] }),
    DeviceLock: () => (state.kind === 'Mac' ? { PIN: '123456' } : { Message: 'Call' }),
    EnableLostMode: () => ({ Message: 'Lost' }),
    InstallApplication: () => ({ iTunesStoreID: 361309726 }),
    InstallEnterpriseApplication: () => ({ ManifestURL: 'https://apps.example.com/m.plist' }),
    InstallMedia: () => ({ iTunesStoreID: 5, MediaType: 'Book' }),
    InstallProfile: () => ({ Payload: profile() }),
    InstallProvisioningProfile: () => ({ ProvisioningProfile: provisioningProfile() }),
    InviteToProgram: () => ({ ProgramID: 'com.apple.cloudvpp', InvitationURL: 'https://example.com/i' }),
    LOMDeviceRequest: () => ({
      RequestList: [
        {
          DeviceDNSName: 'mac.local',
          DeviceRequestType: 'PowerON',
          DeviceRequestUUID: 'R',
          LOMProtocolVersion: 1,
          PrimaryIPv6AddressList: ['fe80::2'],
          SecondaryIPv6AddressList: [],
        },
      ],
    }),
    ManagedApplicationAttributes: () => ({ Identifiers: [app.identifier] }),
    ManagedApplicationConfiguration: () => ({ Identifiers: [app.identifier] }),
    ManagedApplicationFeedback: () => ({ Identifiers: [app.identifier] }),
    RefreshCellularPlans: () => ({ eSIMServerURL: 'https://esim.example.com' }),
    RemoveApplication: () => ({ Identifier: app.identifier }),
    RemoveMedia: () => ({ MediaType: 'Book', iTunesStoreID: '5' }),
    RemoveProfile: () => ({ Identifier: 'com.example.test' }),
    RemoveProvisioningProfile: () => ({ UUID: 'P' }),
    RequestMirroring: () => ({ DestinationName: 'TV' }),
    RotateFileVaultKey: () => ({ KeyType: 'personal', FileVaultUnlock: { Password: state.passcode ?? '' } }),
    ScheduleOSUpdate: () => ({ Updates: [{ InstallAction: 'InstallASAP' }] }),
    SetAutoAdminPassword: () => ({ GUID: '0E1F2A3B-4C5D-4E6F-8A9B-0C1D2E3F4A5B', passwordHash: new Uint8Array(4) }),
    SetFirmwarePassword: () => ({ NewPassword: 'firm' }),
    SetRecoveryLock: () => ({ NewPassword: 'recover' }),
    Settings: () => ({
      Settings: [{ Item: 'ApplicationConfiguration', Identifier: app.identifier, Configuration: {} }],
    }),
    TriggerEnhancedLogCollection: () => ({ AppleCareToken: 'T' }),
    UnlockUserAccount: () => ({ UserName: 'local' }),
    VerifyFirmwarePassword: () => ({ Password: 'firm' }),
    VerifyRecoveryLock: () => ({ Password: 'recover' }),
  };
  return payloads[requestType]?.() ?? {};
}

function profile(...payloads: PlistInput[]): Uint8Array {
  const common = { PayloadVersion: 1, PayloadIdentifier: 'com.example.wifi', PayloadUUID: 'W' };
  return encodeXml({
    ...common,
    PayloadType: 'Configuration',
    PayloadIdentifier: 'com.example.test',
    PayloadContent: payloads.length > 0 ? payloads : [{ ...common, PayloadType: 'com.apple.wifi.managed' }],
  });
}

function provisioningProfile(content: PlistDict = { UUID: 'P', Name: 'Profile', ExpirationDate: new Date(now) }) {
  return signCms(encodeXml(content), identity);
}

const run = (state: DeviceState, requestType: string, payload: object = {}, channel?: 'user'): CommandResult =>
  execute(state, requestType, payload as PlistDict, now, channel);

const code = (result: CommandResult): string | undefined =>
  result.errors === undefined ? undefined : `${result.errors[0]!.domain} ${result.errors[0]!.code}`;

/** Answers that are an error although the device takes the command: what it is asked for is not there. */
const notThere: { readonly [requestType: string]: string } = {
  ApplyRedemptionCode: 'MCMDMErrorDomain 12028',
  DeleteUser: 'MCMDMErrorDomain 12071',
  DeviceLocation: 'MCMDMErrorDomain 12067',
  DisableLostMode: 'MCMDMErrorDomain 12067',
  PlayLostModeSound: 'MCMDMErrorDomain 12067',
  RemoveProfile: 'MCMDMErrorDomain 12075',
  RemoveProvisioningProfile: 'MCMDMErrorDomain 12014',
  SetFirmwarePassword: 'MCMDMErrorDomain 12021',
  VerifyFirmwarePassword: 'MCMDMErrorDomain 12021',
};

const reasons: { readonly [code: string]: string } = {
  'target.supervised': 'MCChaperoneErrorDomain 29000',
  'target.access_rights': 'MCMDMErrorDomain 12007',
  'target.ade': 'MCMDMErrorDomain 12007',
  'target.shared_ipad': 'MCMDMErrorDomain 12076',
};

const kinds: readonly (readonly [name: string, traits: DeviceTraits, enrolment?: 'user'])[] = [
  ['an iPhone', { kind: 'iPhone', model: 'iPhone15,2', osVersion: '18.3' }],
  ['a supervised iPhone', { kind: 'iPhone', model: 'iPhone15,2', osVersion: '18.3', supervised: true, ade: true }],
  ['a supervised iPhone with iOS 27', { kind: 'iPhone', model: 'iPhone15,2', osVersion: '27.0', supervised: true }],
  ['an old iPhone', { kind: 'iPhone', model: 'iPhone12,1', osVersion: '13.7' }],
  [
    'a Shared iPad',
    { kind: 'iPad', model: 'iPad14,6', osVersion: '18.3', supervised: true, sharedIpad: true, ade: true },
  ],
  ['a Mac', { kind: 'Mac', model: 'Mac14,12', osVersion: '15.2', ade: true, awaitingConfiguration: true }],
  ['a Mac with macOS 27', { kind: 'Mac', model: 'Mac14,12', osVersion: '27.0' }],
  ['an Apple TV', { kind: 'AppleTV', osVersion: '18.3' }],
  ['a supervised Apple TV', { kind: 'AppleTV', osVersion: '27.0', supervised: true }],
  ['an Apple Vision Pro', { kind: 'VisionPro', osVersion: '2.3' }],
  ['a supervised Apple Vision Pro', { kind: 'VisionPro', osVersion: '2.3', supervised: true, ade: true }],
  ['a watch', { kind: 'Watch', osVersion: '11.3', supervised: true }],
  ['an iPhone in a User Enrolment', { kind: 'iPhone', model: 'iPhone15,2', osVersion: '18.3' }, 'user'],
  ['a Mac in a User Enrolment', { kind: 'Mac', model: 'Mac14,12', osVersion: '15.2' }, 'user'],
  ['an Apple Vision Pro in a User Enrolment', { kind: 'VisionPro', osVersion: '2.3' }, 'user'],
];

describe('the catalogue on', () => {
  test.each(kinds.map(([name, traits, by]) => [name, traits, by ?? ('device' as const)] as const))(
    '%s',
    (_name, traits, enrolment) => {
      const platform = platformOf(traits.kind);
      const shared = traits.sharedIpad === true;
      let answered = 0;
      for (const channel of platform === 'macOS' || shared ? (['device', 'user'] as const) : (['device'] as const)) {
        const target: Target = {
          platform,
          osVersion: traits.osVersion!,
          supervised: traits.supervised === true || platform === 'macOS',
          ade: traits.ade === true,
          enrolment,
          ...(platform === 'iOS' ? { sharedIpad: shared } : {}),
          ...(platform === 'macOS' || shared ? { channel } : {}),
        };
        for (const { requestType, supported, reasons: why } of commandCapabilities(target)) {
          const state = device({ ...traits, apps: [app] });
          state.fileVault = true;
          if (enrolment === 'user') state.mdm = { ...state.mdm!, userEnrolment: true };
          const payload = { RequestType: requestType, ...sensible(requestType, state) };
          const result = execute(state, requestType, payload, now, channel);
          const what = `${requestType} on the ${channel} channel`;
          if (!supported) {
            const expected = new Set(why.map((issue) => reasons[issue.code] ?? 'MCMDMErrorDomain 12021'));
            expect(expected, `${what}: ${why.map((issue) => issue.code).join()}`).toContain(code(result));
            continue;
          }
          answered++;
          if (result.status !== 'Acknowledged') {
            expect([what, code(result)]).toEqual([what, notThere[requestType]]);
            continue;
          }
          const message = { Status: 'Acknowledged', CommandUUID: 'C', UDID: state.udid, ...result.keys };
          const issues = validate(
            'response',
            message,
            { platform, osVersion: traits.osVersion! },
            { name: requestType },
          );
          expect([what, issues]).toEqual([what, []]);
        }
      }
      expect(answered).toBeGreaterThan(15);
    },
  );

  test('devices whose server has no right is refused, each command that needs one', () => {
    const state = device({ kind: 'iPhone', osVersion: '18.3', supervised: true, ade: true }, 0);
    const target: Target = { platform: 'iOS', osVersion: '18.3', supervised: true, ade: true, sharedIpad: false };
    let refused = 0;
    for (const { requestType, reasons: why } of commandCapabilities(target, 0)) {
      if (!why.some((issue) => issue.code === 'target.access_rights') || why.length > 1) continue;
      expect([requestType, code(run(state, requestType))]).toEqual([requestType, 'MCMDMErrorDomain 12007']);
      refused++;
    }
    expect(refused).toBeGreaterThan(20);
  });

  test('a locked iPhone is NotNow, but for what Apple says never is', () => {
    const now = (requestType: string): string =>
      run(device({ kind: 'iPhone', osVersion: '18.3', supervised: true, ade: true, locked: true }), requestType).status;
    const never = [
      'DeviceInformation ProfileList DeviceLock EraseDevice ClearPasscode CertificateList ProvisioningProfileList',
      'InstalledApplicationList Restrictions',
    ].flatMap((line) => line.split(' '));
    for (const requestType of never) expect([requestType, now(requestType)]).not.toEqual([requestType, 'NotNow']);
    for (const requestType of ['InstallProfile', 'InstallApplication', 'SecurityInfo', 'InstallMedia', 'Settings']) {
      expect([requestType, now(requestType)]).toEqual([requestType, 'NotNow']);
    }
  });

  test('every kind refuses what lacks its keys', () => {
    for (const requestType of schema.names('command')) {
      const item = schema.command(requestType)!;
      const needed = item.keys.filter((key) => key.presence === 'required');
      if (needed.length === 0) continue;
      const mac = availability[requestType]!.iOS === undefined;
      const need = Object.values(availability[requestType]!)[0]!;
      const common = { osVersion: need.until === undefined ? '27.0' : '18.3', supervised: true, ade: true };
      const state = device(mac ? { ...common, kind: 'Mac', model: 'Mac14,12' } : { ...common, kind: 'iPhone' });
      const channel = need.channel === 'user' ? 'user' : 'device';
      expect([requestType, execute(state, requestType, {}, now, channel).status]).toEqual([
        requestType,
        'CommandFormatError',
      ]);
    }
  });
});

describe('what commands change', () => {
  const mac = (traits: Partial<DeviceTraits> = {}) => device({ kind: 'Mac', osVersion: '15.2', ...traits });
  const phone = () => device({ kind: 'iPhone', osVersion: '18.2', supervised: true, apps: [] });

  test('the recovery lock: whoever changes it must know it', () => {
    const state = mac();
    const verified = (Password: string) => run(state, 'VerifyRecoveryLock', { Password }).keys;
    run(state, 'SetRecoveryLock', { NewPassword: 'one' });
    expect(verified('one')).toEqual({ PasswordVerified: true });
    expect(verified('two')).toEqual({ PasswordVerified: false });
    expect(code(run(state, 'SetRecoveryLock', { NewPassword: 'two' }))).toBe('MCMDMErrorDomain 12007');
    expect(run(state, 'SecurityInfo').keys).toMatchObject({ SecurityInfo: { IsRecoveryLockEnabled: true } });
    expect(run(state, 'SetRecoveryLock', { CurrentPassword: 'one', NewPassword: '' }).status).toBe('Acknowledged');
    expect(run(state, 'SecurityInfo').keys).toMatchObject({ SecurityInfo: { IsRecoveryLockEnabled: false } });
  });

  test('a Mac with an Intel processor has a firmware password in its place', () => {
    const state = mac({ model: 'MacBookPro16,1' });
    expect(code(run(state, 'SetRecoveryLock', { NewPassword: 'x' }))).toBe('MCMDMErrorDomain 12021');
    const set = (keys: object) => run(state, 'SetFirmwarePassword', keys).keys!['SetFirmwarePassword'];
    expect(set({ NewPassword: 'one' })).toEqual({ PasswordChanged: true });
    expect(set({ NewPassword: 'two', CurrentPassword: 'wrong' })).toEqual({ PasswordChanged: false });
    expect(run(state, 'VerifyFirmwarePassword', { Password: 'one' }).keys).toEqual({
      VerifyFirmwarePassword: { PasswordVerified: true },
    });
    expect(run(state, 'SecurityInfo').keys).toMatchObject({
      SecurityInfo: { FirmwarePasswordStatus: { PasswordExists: true } },
    });
  });

  test("FileVault's key is escrowed, rotated, and unlocks until it is rotated again", () => {
    const state = mac();
    state.fileVault = true;
    const common = { PayloadVersion: 1, PayloadIdentifier: 'a', PayloadUUID: 'CERT' };
    const certificate = { ...common, PayloadType: 'com.apple.security.pkcs1', PayloadContent: identity.certificate };
    const escrow = {
      ...common,
      PayloadIdentifier: 'b',
      PayloadUUID: 'E',
      PayloadType: 'com.apple.security.FDERecoveryKeyEscrow',
      EncryptCertPayloadUUID: 'CERT',
    };
    expect(run(state, 'InstallProfile', { Payload: profile(certificate, escrow) }).status).toBe('Acknowledged');
    const shown = (): string => {
      const { SecurityInfo: info } = run(state, 'SecurityInfo').keys as { SecurityInfo: PlistDict };
      return decryptRecoveryKey(info['FDE_PersonalRecoveryKeyCMS'] as Uint8Array, identity);
    };
    const first = shown();
    const rotate = (Password: string) =>
      run(state, 'RotateFileVaultKey', {
        KeyType: 'personal',
        FileVaultUnlock: { Password },
        ReplyEncryptionCertificate: identity.certificate,
      });
    const { RotateResult: result } = rotate(first).keys as { RotateResult: PlistDict };
    const second = decryptRecoveryKey(result['EncryptedNewRecoveryKey'] as Uint8Array, identity);
    expect(second).not.toBe(first);
    expect(shown()).toBe(second);
    expect(code(rotate(first))).toBe('MCMDMErrorDomain 12007');
    state.fileVault = false;
    expect(code(rotate(second))).toBe('MCMDMErrorDomain 12010');
  });

  test('an update is offered, downloaded and installed', () => {
    const state = phone();
    const offered = () => run(state, 'AvailableOSUpdates').keys!['AvailableOSUpdates'] as PlistDict[];
    const [update] = offered();
    expect(update).toMatchObject({ Version: '18.3', Build: '22D63' });
    const asked = { Updates: [{ ProductKey: update!['ProductKey'], InstallAction: 'Default' }] };
    expect(run(state, 'ScheduleOSUpdate', asked).keys).toMatchObject({
      UpdateResults: [{ InstallAction: 'InstallASAP', Status: 'Downloading' }],
    });
    const status = () => run(state, 'OSUpdateStatus').keys!['OSUpdateStatus'] as PlistDict[];
    expect(status()).toMatchObject([{ IsDownloaded: false, Status: 'Downloading' }]);
    expect(status()).toMatchObject([{ IsDownloaded: true, Status: 'Installing' }]);
    expect(status()).toEqual([]);
    expect(state).toMatchObject({ osVersion: '18.3', buildVersion: '22D63' });
    expect(offered()).toEqual([]);
    expect(run(state, 'ScheduleOSUpdate', asked).keys).toMatchObject({
      UpdateResults: [{ InstallAction: 'Error', ErrorChain: [{ ErrorCode: 12048 }] }],
    });
  });

  test('provisioning profiles are installed, replaced, listed and removed', () => {
    const state = phone();
    const install = (bytes: Uint8Array) => run(state, 'InstallProvisioningProfile', { ProvisioningProfile: bytes });
    install(provisioningProfile());
    install(provisioningProfile({ UUID: 'P', Name: 'Newer' }));
    expect(run(state, 'ProvisioningProfileList').keys).toEqual({
      ProvisioningProfileList: [{ UUID: 'P', Name: 'Newer' }],
    });
    for (const bad of [new Uint8Array(3), encodeXml({ UUID: 'P', Name: 'x' }), provisioningProfile({ Name: 'x' })]) {
      expect(code(install(bad))).toBe('MCProvisioningProfileErrorDomain 25000');
    }
    expect(run(state, 'RemoveProvisioningProfile', { UUID: 'P' }).status).toBe('Acknowledged');
    expect(run(state, 'ProvisioningProfileList').keys).toEqual({ ProvisioningProfileList: [] });
  });

  test('a managed app keeps its configuration and attributes until it goes', () => {
    const state = phone();
    run(state, 'InstallApplication', { Identifier: '__proto__', Configuration: { server: 'a' } });
    const configured = () =>
      run(state, 'ManagedApplicationConfiguration', { Identifiers: ['__proto__', 'constructor'] }).keys;
    expect(configured()).toEqual({
      ApplicationConfigurations: [{ Identifier: '__proto__', Configuration: { server: 'a' } }],
    });
    const set = (Item: string, more: object, Identifier = '__proto__') =>
      run(state, 'Settings', { Settings: [{ Item, Identifier, ...more }] }).keys;
    expect(set('ApplicationAttributes', { Attributes: { VPNUUID: 'V' } })).toMatchObject({
      Settings: [{ Status: 'Acknowledged' }],
    });
    expect(run(state, 'ManagedApplicationAttributes', { Identifiers: ['__proto__'] }).keys).toEqual({
      ApplicationAttributes: [{ Identifier: '__proto__', Attributes: { VPNUUID: 'V' } }],
    });
    expect(set('ApplicationConfiguration', {}, 'com.other')).toMatchObject({
      Settings: [{ ErrorChain: [{ ErrorCode: 12029 }] }],
    });
    run(state, 'RemoveApplication', { Identifier: '__proto__' });
    expect(configured()).toEqual({ ApplicationConfigurations: [] });
  });

  test('accounts are made while Setup Assistant waits, and deleted when nobody uses them', () => {
    const state = mac({ awaitingConfiguration: true });
    const make = () =>
      run(state, 'AccountConfiguration', {
        PrimaryAccountUserName: 'ada',
        AutoSetupAdminAccounts: [{ shortName: 'admin', passwordHash: new Uint8Array(1) }],
      });
    const names = () => (run(state, 'UserList').keys!['Users'] as PlistDict[]).map((user) => user['UserName']);
    expect(make().status).toBe('Acknowledged');
    expect(names()).toEqual(['ada', 'admin']);
    run(state, 'DeviceConfigured');
    expect(code(make())).toBe('MCMDMErrorDomain 12007');
    expect(code(run(state, 'DeleteUser', { UserName: 'ada' }))).toBe('MCMDMErrorDomain 12072');
    expect(run(state, 'DeleteUser', { UserName: 'admin' }).status).toBe('Acknowledged');
    expect(names()).toEqual(['ada']);
  });

  test('a Shared iPad logs its user out, and deletes whose work is safe', () => {
    const state = device({ kind: 'iPad', osVersion: '18.3', supervised: true, sharedIpad: true });
    const remove = (UserName: string, more: object = {}) => run(state, 'DeleteUser', { UserName, ...more });
    expect(code(remove('ada@example.com'))).toBe('MCMDMErrorDomain 12072');
    expect(code(remove('alan@example.com'))).toBe('MCMDMErrorDomain 12073');
    expect(remove('alan@example.com', { ForceDeletion: true }).status).toBe('Acknowledged');
    run(state, 'LogOutUser');
    run(state, 'DeleteUser', { DeleteAllUsers: true });
    expect(run(state, 'UserList').keys).toEqual({ Users: [] });
  });

  test('books, mirroring, remote desktop, the bypass code', () => {
    const state = phone();
    run(state, 'InstallMedia', { MediaType: 'Book', MediaURL: 'https://x/', PersistentID: 'B', Title: 'Own' });
    run(state, 'InstallMedia', { MediaType: 'Book', iTunesStoreID: 5 });
    const books = () => (run(state, 'ManagedMediaList').keys!['Books'] as PlistDict[]).map((book) => book['Kind']);
    expect(books()).toEqual(['epub', 'epub']);
    run(state, 'RemoveMedia', { MediaType: 'Book', PersistentID: 'B' });
    expect(books()).toHaveLength(1);
    expect(code(run(state, 'InstallMedia', { MediaType: 'Film' }))).toBe('MCMDMErrorDomain 12044');
    run(state, 'RequestMirroring', { DestinationName: 'TV' });
    expect(state.managed!.mirroring).toBe(true);
    run(state, 'StopMirroring');
    expect(state.managed!.mirroring).toBe(false);
    expect(run(state, 'ActivationLockBypassCode').keys!['ActivationLockBypassCode']).toMatch(
      /^[0-9A-Z]{5}-[0-9A-Z]{5}(-[0-9A-Z]{4}){4}$/,
    );
    run(state, 'ClearActivationLockBypassCode');
    expect(code(run(state, 'ActivationLockBypassCode'))).toBe('MCMDMErrorDomain 12010');
    const desk = mac({ model: 'Mac14,12' });
    run(desk, 'EnableRemoteDesktop');
    expect(run(desk, 'SecurityInfo').keys).toMatchObject({ SecurityInfo: { RemoteDesktopEnabled: true } });
    run(desk, 'DisableRemoteDesktop');
    expect(run(desk, 'SecurityInfo').keys).toMatchObject({ SecurityInfo: { RemoteDesktopEnabled: false } });
  });

  test('the state stays plain JSON', () => {
    const state = mac();
    for (const requestType of schema.names('command')) run(state, requestType, sensible(requestType, state));
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });
});
