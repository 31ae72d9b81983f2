// The generated types: that they say what the schema says, checked by the compiler (`npm run typecheck`).
import { expectTypeOf, test } from 'vitest';
import type {
  CheckinMessages,
  CheckinReplies,
  CommandPayloads,
  CommandResponses,
  CommonPayloadKeys,
  Declarations,
  ErrorResponses,
  MachineInfo,
  ManifestURL,
  PasswordHash,
  ProfilePayloads,
  ProtocolMessages,
  SkipKey,
  StatusItems,
  TopLevelKeys,
} from '../src/schema/index.ts';

const bytes = new Uint8Array();

test('commands', () => {
  expectTypeOf<CommandPayloads['DeviceLock']>().toEqualTypeOf<{
    Message?: string;
    PhoneNumber?: string;
    PIN?: string;
  }>();
  // @ts-expect-error a wrong key
  ({ Pin: '123456' }) satisfies CommandPayloads['DeviceLock'];
  // @ts-expect-error a wrong type
  ({ PIN: 123456 }) satisfies CommandPayloads['DeviceLock'];

  expectTypeOf<CommandPayloads['RestartDevice']['RebuildKernelCache']>().toEqualTypeOf<boolean | undefined>();
  expectTypeOf<CommandPayloads['ShutDownDevice']>().toEqualTypeOf<Record<string, never>>();
  // @ts-expect-error a command without keys takes none
  ({ Force: true }) satisfies CommandPayloads['ShutDownDevice'];

  expectTypeOf<CommandPayloads['InstallProfile']>().toEqualTypeOf<{ Payload: Uint8Array }>();
  // @ts-expect-error a required key is missing
  ({}) satisfies CommandPayloads['InstallProfile'];
  // @ts-expect-error data is bytes, not text
  ({ Payload: 'PD94bWw=' }) satisfies CommandPayloads['InstallProfile'];

  expectTypeOf<CommandPayloads['RemoveProfile']>().toEqualTypeOf<{ Identifier: string }>();
  expectTypeOf<CommandPayloads['ClearPasscode']['UnlockToken']>().toEqualTypeOf<Uint8Array>();
  expectTypeOf<CommandPayloads['RemoveApplication']['Identifier']>().toEqualTypeOf<string>();
  expectTypeOf<CommandPayloads['EnableLostMode']['Message']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<CommandPayloads['DeviceConfigured']>().toEqualTypeOf<Record<string, never>>();
});

test('nested dictionaries and rangelists of commands', () => {
  ({ ReturnToService: { Enabled: true, WiFiProfileData: bytes } }) satisfies CommandPayloads['EraseDevice'];
  // @ts-expect-error Enabled is required inside
  ({ ReturnToService: { WiFiProfileData: bytes } }) satisfies CommandPayloads['EraseDevice'];
  expectTypeOf<NonNullable<CommandPayloads['EraseDevice']['ObliterationBehavior']>>().toEqualTypeOf<
    'Default' | 'DoNotObliterate' | 'ObliterateWithWarning' | 'Always'
  >();
  // @ts-expect-error a wrong literal
  ({ ObliterationBehavior: 'Never' }) satisfies CommandPayloads['EraseDevice'];

  type Update = CommandPayloads['ScheduleOSUpdate']['Updates'][number];
  expectTypeOf<Update['InstallAction']>().toEqualTypeOf<
    'Default' | 'DownloadOnly' | 'InstallASAP' | 'NotifyOnly' | 'InstallLater' | 'InstallForceRestart'
  >();
  expectTypeOf<Update['Priority']>().toEqualTypeOf<'Low' | 'High' | undefined>();
  // @ts-expect-error a wrong literal in an array's dictionary
  ({ Updates: [{ InstallAction: 'Later' }] }) satisfies CommandPayloads['ScheduleOSUpdate'];

  expectTypeOf<CommandPayloads['InstallApplication']['ManagementFlags']>().toEqualTypeOf<0 | 1 | 4 | 5 | undefined>();
  ({ iTunesStoreID: 361309726, Options: { PurchaseMethod: 1 } }) satisfies CommandPayloads['InstallApplication'];
  // @ts-expect-error a wrong number
  ({ Options: { PurchaseMethod: 2 } }) satisfies CommandPayloads['InstallApplication'];

  type Query = CommandPayloads['DeviceInformation']['Queries'][number];
  expectTypeOf<'UDID'>().toExtend<Query>();
  // @ts-expect-error a query that there is not
  ({ Queries: ['Udid'] }) satisfies CommandPayloads['DeviceInformation'];

  type Setting = CommandPayloads['Settings']['Settings'][number];
  ({ Item: 'Wallpaper', Image: bytes, Where: 3 }) satisfies Setting;
  ({ Item: 'DeviceName', DeviceName: 'Reception' }) satisfies Setting;
  // @ts-expect-error the item of one setting with the keys of another
  ({ Item: 'Wallpaper', DeviceName: 'Reception' }) satisfies Setting;
  // @ts-expect-error a wrong number in a rangelist
  ({ Item: 'Wallpaper', Image: bytes, Where: 4 }) satisfies Setting;

  type Admin = NonNullable<CommandPayloads['AccountConfiguration']['AutoSetupAdminAccounts']>[number];
  expectTypeOf<Admin['shortName']>().toEqualTypeOf<string>();
  expectTypeOf<Admin['passwordHash']>().toEqualTypeOf<Uint8Array | undefined>();
  expectTypeOf<CommandPayloads['RotateFileVaultKey']['KeyType']>().toEqualTypeOf<'personal' | 'institutional'>();
});

test('responses', () => {
  type Device = CommandResponses['DeviceInformation']['QueryResponses'];
  expectTypeOf<Device['OSVersion']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<Device['DeviceCapacity']>().toEqualTypeOf<number | undefined>();
  expectTypeOf<Device['LastCloudBackupDate']>().toEqualTypeOf<Date | undefined>();
  type Security = CommandResponses['SecurityInfo']['SecurityInfo'];
  expectTypeOf<NonNullable<Security['FirewallSettings']>['LoggingOption']>().toEqualTypeOf<
    'throttled' | 'brief' | 'detail' | undefined
  >();
  expectTypeOf<CommandResponses['DeviceLock']['MessageResult']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<CommandResponses['RestartDevice']>().toEqualTypeOf<Record<string, never>>();
});

test('check-ins', () => {
  expectTypeOf<CheckinMessages['TokenUpdate']['MessageType']>().toEqualTypeOf<'TokenUpdate'>();
  expectTypeOf<CheckinMessages['TokenUpdate']['Token']>().toEqualTypeOf<Uint8Array>();
  // A device of User Enrolment sends EnrollmentID instead.
  expectTypeOf<CheckinMessages['TokenUpdate']['UDID']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<CheckinMessages['GetToken']['TokenServiceType']>().toEqualTypeOf<
    'com.apple.maid' | 'com.apple.watch.pairing'
  >();
  expectTypeOf<CheckinReplies['GetToken']>().toEqualTypeOf<{ TokenData: Uint8Array }>();
});

test('profile payloads', () => {
  type Wifi = ProfilePayloads['com.apple.wifi.managed'];
  expectTypeOf<NonNullable<Wifi['EncryptionType']>>().toEqualTypeOf<'WEP' | 'WPA' | 'WPA2' | 'WPA3' | 'Any' | 'None'>();
  type Eap = NonNullable<Wifi['EAPClientConfiguration']>;
  expectTypeOf<Eap['AcceptEAPTypes']>().toEqualTypeOf<(13 | 17 | 18 | 21 | 23 | 25 | 43)[]>();
  // @ts-expect-error a wrong key, spelled like the real one
  ({ SSID: 'Lobby' }) satisfies Wifi;
  // @ts-expect-error a wrong literal
  ({ SSID_STR: 'Lobby', EncryptionType: 'WPA4' }) satisfies Wifi;

  type Scep = ProfilePayloads['com.apple.security.scep']['PayloadContent'];
  expectTypeOf<Scep['Subject']>().toEqualTypeOf<string[][][] | undefined>();
  expectTypeOf<Scep['Keysize']>().toEqualTypeOf<1024 | 2048 | 4096 | undefined>();
  expectTypeOf<Scep['CAFingerprint']>().toEqualTypeOf<Uint8Array | undefined>();
  // @ts-expect-error URL is required
  ({ PayloadContent: {} }) satisfies ProfilePayloads['com.apple.security.scep'];

  type Mdm = ProfilePayloads['com.apple.mdm'];
  expectTypeOf<Mdm['ServerURL']>().toEqualTypeOf<string>();
  expectTypeOf<Mdm['AccessRights']>().toEqualTypeOf<number | undefined>();
  expectTypeOf<Mdm['ServerCapabilities']>().toExtend<string[] | undefined>();

  type Restrictions = ProfilePayloads['com.apple.applicationaccess'];
  expectTypeOf<Restrictions['allowCamera']>().toEqualTypeOf<boolean | undefined>();
  expectTypeOf<Restrictions['deniedICCIDsForRCS']>().toEqualTypeOf<string[] | undefined>();

  type Tcc = NonNullable<ProfilePayloads['com.apple.TCC.configuration-profile-policy']['Services']['Camera']>[number];
  expectTypeOf<Tcc['IdentifierType']>().toEqualTypeOf<'bundleID' | 'path'>();
  // `Authorization` stands in for `Allowed`, so neither is required by the type.
  ({ Identifier: 'com.example.app', IdentifierType: 'bundleID', CodeRequirement: 'anchor apple' }) satisfies Tcc;

  // Several files describe com.apple.MCX: a value of any of them fits.
  ({ RequireAdminForIBSS: true }) satisfies ProfilePayloads['com.apple.MCX'];
  ({ DisableGuestAccount: true }) satisfies ProfilePayloads['com.apple.MCX'];
  expectTypeOf<
    ProfilePayloads['com.apple.syspolicy.kernel-extension-policy']['AllowedKernelExtensions']
  >().toEqualTypeOf<{ [key: string]: string[] } | undefined>();
  expectTypeOf<
    ProfilePayloads['com.apple.notificationsettings']['NotificationSettings'][number]['AlertType']
  >().toEqualTypeOf<0 | 1 | 2 | undefined>();

  expectTypeOf<ProfilePayloads['com.apple.SetupAssistant.managed']['SkipSetupItems']>().toEqualTypeOf<
    SkipKey[] | undefined
  >();
  expectTypeOf<CommonPayloadKeys['PayloadVersion']>().toEqualTypeOf<1>();
  expectTypeOf<TopLevelKeys['PayloadType']>().toEqualTypeOf<'Configuration'>();
  expectTypeOf<TopLevelKeys['PayloadScope']>().toEqualTypeOf<'System' | 'User' | undefined>();
  expectTypeOf<TopLevelKeys['RemovalDate']>().toEqualTypeOf<Date | undefined>();
});

test('declarations and status items', () => {
  expectTypeOf<Declarations['com.apple.activation.simple']>().toEqualTypeOf<{
    StandardConfigurations: string[];
    Predicate?: string;
  }>();
  type Passcode = Declarations['com.apple.configuration.passcode.settings'];
  expectTypeOf<Passcode['RequirePasscode']>().toEqualTypeOf<boolean | undefined>();
  expectTypeOf<NonNullable<Passcode['CustomRegex']>['Description']>().toEqualTypeOf<
    { [key: string]: string } | undefined
  >();
  // @ts-expect-error a wrong key
  ({ MinLength: 6 }) satisfies Passcode;
  type Asset = Declarations['com.apple.asset.data'];
  expectTypeOf<NonNullable<Asset['Authentication']>['Type']>().toEqualTypeOf<'MDM' | 'None'>();
  expectTypeOf<
    Declarations['com.apple.configuration.softwareupdate.enforcement.specific']['TargetLocalDateTime']
  >().toEqualTypeOf<string>();
  // A configuration of the newer level only.
  expectTypeOf<Declarations['com.apple.configuration.safari.settings']>().toBeObject();

  expectTypeOf<StatusItems['passcode.is-present']>().toEqualTypeOf<boolean>();
  expectTypeOf<StatusItems['device.model.family']>().toEqualTypeOf<string>();
  expectTypeOf<StatusItems['device.power.battery-health']>().toEqualTypeOf<
    'non-genuine' | 'normal' | 'service-recommended' | 'unknown' | 'unsupported'
  >();
  expectTypeOf<StatusItems['management.declarations']['activations'][number]['server-token']>().toEqualTypeOf<string>();
});

test('the rest', () => {
  expectTypeOf<'TapToSetup'>().toExtend<SkipKey>();
  // @ts-expect-error a pane that there is not
  'taptosetup' satisfies SkipKey;
  expectTypeOf<MachineInfo['SERIAL']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<PasswordHash['SALTED-SHA512-PBKDF2']['iterations']>().toEqualTypeOf<number>();
  expectTypeOf<ManifestURL['items'][number]['assets'][number]['kind']>().toExtend<string>();
  expectTypeOf<ErrorResponses['com.apple.well-known.failed']['code']>().toEqualTypeOf<'com.apple.well-known.failed'>();
  expectTypeOf<ProtocolMessages['DeclarationItemsResponse']['DeclarationsToken']>().toEqualTypeOf<string>();
});
