// More of the generated types, whole: commands and payloads besides those of types-schema.test.ts (`npm run typecheck`).
import { readFileSync } from 'node:fs';
import { expect, expectTypeOf, test } from 'vitest';
import type { CommandPayloads, ProfilePayloads } from '../src/schema/index.ts';

const bytes = new Uint8Array();

test('commands', () => {
  expectTypeOf<CommandPayloads['SetFirmwarePassword']>().toEqualTypeOf<{
    CurrentPassword?: string;
    NewPassword: string;
    AllowOroms?: boolean;
  }>();
  // @ts-expect-error a required key is missing
  ({ CurrentPassword: 'x' }) satisfies CommandPayloads['SetFirmwarePassword'];
  expectTypeOf<CommandPayloads['SetRecoveryLock']>().toEqualTypeOf<{
    CurrentPassword?: string;
    NewPassword: string;
  }>();
  // @ts-expect-error a key of another command
  ({ NewPassword: 'x', AllowOroms: true }) satisfies CommandPayloads['SetRecoveryLock'];
  expectTypeOf<CommandPayloads['UnlockUserAccount']>().toEqualTypeOf<{ UserName: string }>();
  // @ts-expect-error the schema writes it with a capital N
  ({ Username: 'x' }) satisfies CommandPayloads['UnlockUserAccount'];
  expectTypeOf<CommandPayloads['DeleteUser']>().toEqualTypeOf<{
    UserName?: string;
    ForceDeletion?: boolean;
    DeleteAllUsers?: boolean;
  }>();
  expectTypeOf<CommandPayloads['InstallMedia']['Kind']>().toEqualTypeOf<'pdf' | 'epub' | 'ibooks' | undefined>();
  // @ts-expect-error a wrong literal
  ({ MediaType: 'Book', Kind: 'PDF' }) satisfies CommandPayloads['InstallMedia'];
  expectTypeOf<CommandPayloads['RequestMirroring']>().toEqualTypeOf<{
    DestinationName?: string;
    DestinationDeviceID?: string;
    ScanTime?: number;
    Password?: string;
  }>();
  ({ Items: ['Name', 'IsAppClip'] }) satisfies CommandPayloads['InstalledApplicationList'];
  // @ts-expect-error not one of the items
  ({ Items: ['Size'] }) satisfies CommandPayloads['InstalledApplicationList'];
  expectTypeOf<CommandPayloads['ProfileList']>().toEqualTypeOf<{ ManagedOnly?: boolean }>();
  expectTypeOf<CommandPayloads['DeclarativeManagement']>().toEqualTypeOf<{ Data?: Uint8Array }>();
  // @ts-expect-error data is bytes, not text
  ({ Data: '{}' }) satisfies CommandPayloads['DeclarativeManagement'];
  expectTypeOf<CommandPayloads['PlayLostModeSound']>().toEqualTypeOf<Record<string, never>>();
  expectTypeOf<CommandPayloads['ValidateApplications']>().toEqualTypeOf<{ Identifiers?: string[] }>();
  expectTypeOf<CommandPayloads['ManagedApplicationAttributes']>().toEqualTypeOf<{ Identifiers: string[] }>();
  expectTypeOf<CommandPayloads['InviteToProgram']>().toEqualTypeOf<{
    ProgramID: 'com.apple.cloudvpp';
    InvitationURL: string;
  }>();
  // @ts-expect-error the one literal that there is
  ({ ProgramID: 'com.apple.vpp', InvitationURL: 'x' }) satisfies CommandPayloads['InviteToProgram'];
  expectTypeOf<CommandPayloads['RefreshCellularPlans']>().toEqualTypeOf<{ eSIMServerURL: string }>();
  expectTypeOf<CommandPayloads['SetAutoAdminPassword']>().toEqualTypeOf<{ GUID: string; passwordHash: Uint8Array }>();
});

test('payloads', () => {
  type Passcode = ProfilePayloads['com.apple.mobiledevice.passwordpolicy'];
  expectTypeOf<NonNullable<Passcode['customRegex']>>().toEqualTypeOf<{
    passwordContentRegex: string;
    passwordContentDescription?: { [key: string]: string };
  }>();
  // @ts-expect-error a wrong key, spelled like the real one
  ({ minimumLength: 6 }) satisfies Passcode;

  type Vpn = ProfilePayloads['com.apple.vpn.managed'];
  expectTypeOf<Vpn['VPNType']>().toEqualTypeOf<'VPN' | 'L2TP' | 'IPSec' | 'IKEv2' | 'AlwaysOn' | 'TransparentProxy'>();
  expectTypeOf<NonNullable<Vpn['VPN']>['DisconnectOnIdle']>().toEqualTypeOf<0 | 1 | undefined>();
  ({ VPNType: 'VPN', UserDefinedName: 'x', VPN: { AuthenticationMethod: 'Password' } }) satisfies Vpn;
  // @ts-expect-error a wrong literal inside
  ({ VPNType: 'VPN', UserDefinedName: 'x', VPN: { AuthenticationMethod: 'Kerberos' } }) satisfies Vpn;

  expectTypeOf<ProfilePayloads['com.apple.webClip.managed']>().toEqualTypeOf<{
    Precomposed?: boolean;
    FullScreen?: boolean;
    URL: string;
    Icon?: Uint8Array;
    IsRemovable?: boolean;
    Label: string;
    IgnoreManifestScope?: boolean;
    TargetApplicationBundleIdentifier?: string;
  }>();
  // @ts-expect-error a required key is missing
  ({ URL: 'https://example.com/' }) satisfies ProfilePayloads['com.apple.webClip.managed'];

  type Dns = ProfilePayloads['com.apple.dnsSettings.managed'];
  type Parameters = NonNullable<NonNullable<Dns['OnDemandRules']>[number]['ActionParameters']>[number];
  expectTypeOf<Parameters>().toEqualTypeOf<{ Domains: string[]; DomainAction: 'NeverConnect' | 'ConnectIfNeeded' }>();
  ({ DNSSettings: { DNSProtocol: 'TLS', ServerName: 'dns.example.com' } }) satisfies Dns;
  // @ts-expect-error a wrong literal
  ({ DNSSettings: { DNSProtocol: 'DoT' } }) satisfies Dns;

  type Filter = ProfilePayloads['com.apple.webcontent-filter'];
  expectTypeOf<NonNullable<Filter['AllowListBookmarks']>[number]>().toEqualTypeOf<{ URL: string; Title: string }>();
  expectTypeOf<Filter['FilterType']>().toEqualTypeOf<'BuiltIn' | 'Plugin' | undefined>();
  expectTypeOf<ProfilePayloads['com.apple.MCX.FileVault2']['Enable']>().toEqualTypeOf<'On' | 'Off'>();
  // @ts-expect-error not a boolean here
  ({ Enable: true }) satisfies ProfilePayloads['com.apple.MCX.FileVault2'];

  expectTypeOf<ProfilePayloads['com.apple.caldav.account']>().toEqualTypeOf<{
    CalDAVAccountDescription?: string;
    CalDAVHostName: string;
    CalDAVUsername?: string;
    CalDAVPassword?: string;
    CalDAVPrincipalURL?: string;
    CalDAVUseSSL?: boolean;
    CalDAVPort?: number;
    VPNUUID?: string;
  }>();

  type Acme = ProfilePayloads['com.apple.security.acme'];
  expectTypeOf<Acme['KeyType']>().toEqualTypeOf<'RSA' | 'ECSECPrimeRandom'>();
  expectTypeOf<Acme['Subject']>().toEqualTypeOf<string[][][]>();
  // @ts-expect-error a relative name is a list of pairs
  [['CN', 'x']] satisfies Acme['Subject'];
  expectTypeOf<ProfilePayloads['com.apple.security.pkcs12']>().toEqualTypeOf<{
    PayloadCertificateFileName?: string;
    PayloadContent: Uint8Array;
    Password?: string;
    AllowAllAppsAccess?: boolean;
    KeyIsExtractable?: boolean;
  }>();

  type Apn = NonNullable<ProfilePayloads['com.apple.cellular']['APNs']>[number];
  expectTypeOf<Apn['DefaultProtocolMask']>().toEqualTypeOf<1 | 2 | 3 | undefined>();
  // @ts-expect-error a wrong number in a rangelist
  ({ Name: 'internet', DefaultProtocolMask: 4 }) satisfies Apn;

  type Firewall = ProfilePayloads['com.apple.security.firewall'];
  expectTypeOf<NonNullable<Firewall['Applications']>[number]>().toEqualTypeOf<{ BundleID: string; Allowed: boolean }>();
  expectTypeOf<ProfilePayloads['com.apple.loginwindow']['AdminHostInfo']>().toEqualTypeOf<
    'HostName' | 'SystemVersion' | 'IPAddress' | undefined
  >();

  type Page = ProfilePayloads['com.apple.homescreenlayout']['Pages'][number];
  expectTypeOf<Page[number]['Type']>().toEqualTypeOf<'Application' | 'Folder' | 'WebClip'>();
  ({ Type: 'Folder', Pages: [[{ Type: 'WebClip', URL: 'https://example.com/' }]] }) satisfies Page[number];
  // @ts-expect-error a folder holds no folders
  ({ Type: 'Folder', Pages: [[{ Type: 'Folder' }]] }) satisfies Page[number];

  type Lock = ProfilePayloads['com.apple.app.lock'];
  expectTypeOf<NonNullable<Lock['App']['Options']>['DisableTouch']>().toEqualTypeOf<boolean | undefined>();
  // @ts-expect-error an option of the wrong dictionary
  ({ App: { Identifier: 'x', DisableTouch: true } }) satisfies Lock;
  expectTypeOf<ProfilePayloads['com.apple.system-extension-policy']['AllowedSystemExtensions']>().toEqualTypeOf<
    { [key: string]: string[] } | undefined
  >();
  expectTypeOf<ProfilePayloads['com.apple.font']>().toEqualTypeOf<{ Name?: string; Font: Uint8Array }>();
  ({ Font: bytes }) satisfies ProfilePayloads['com.apple.font'];

  type Mail = ProfilePayloads['com.apple.mail.managed'];
  expectTypeOf<Mail['EmailAccountType']>().toEqualTypeOf<'EmailTypeIMAP' | 'EmailTypePOP'>();
  type Usage = ProfilePayloads['com.apple.networkusagerules'];
  expectTypeOf<NonNullable<Usage['SIMRules']>[number]>().toEqualTypeOf<{ ICCIDs: string[]; WiFiAssistPolicy: 2 | 3 }>();
});

test('there are tests of at least 30 commands and payloads, and of wrong keys and literals', () => {
  const named = new Set<string>();
  let refused = 0;
  for (const file of ['types-schema.test.ts', 'types-more.test.ts']) {
    const text = readFileSync(new URL(file, import.meta.url), 'utf8');
    for (const [, name] of text.matchAll(/(?:CommandPayloads|ProfilePayloads)\['([^']+)'\]/g)) named.add(name!);
    refused += text.split(`// @${'ts-expect-error'}`).length - 1;
  }
  expect(named.size).toBeGreaterThanOrEqual(30);
  expect(refused).toBeGreaterThanOrEqual(30);
});
