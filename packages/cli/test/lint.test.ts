// `espalier lint`: each of the seeded mistakes is found where it is; right files have none.
import { spawnSync } from 'node:child_process';
import { encodeBinary, encodeXml, type PlistInput, PlistReal } from '@espalier/plist';
import { describe, expect, test } from 'vitest';
import { espalier, type Files } from './io.ts';

interface Report {
  files: {
    file: string;
    kind: string | null;
    signed: boolean;
    issues: { path: string; code: string; severity: string }[];
  }[];
  errors: number;
  warnings: number;
}

async function lint(file: string | Uint8Array, ...args: string[]): Promise<{ code: number; report: Report }> {
  const { code, out } = await espalier(['lint', 'file', '--json', ...args], { file });
  return { code, report: JSON.parse(out) as Report };
}

const issuesOf = (report: Report): string[] =>
  report.files.flatMap((file) => file.issues.map((issue) => `${issue.severity} ${issue.code} ${issue.path}`));

type Keys = Readonly<Record<string, PlistInput | undefined>>;
const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const payload = (PayloadType: string, keys: Keys, n = 1): Keys => ({
  PayloadType,
  PayloadVersion: 1,
  PayloadIdentifier: `com.example.profile.${n}`,
  PayloadUUID: uuid(n),
  ...keys,
});
const profile = (payloads: readonly PlistInput[], keys: Keys = {}): Uint8Array =>
  encodeXml({
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadIdentifier: 'com.example.profile',
    PayloadUUID: uuid(0),
    PayloadDisplayName: 'Example',
    PayloadContent: payloads,
    ...keys,
  });
const one = (type: string, keys: Keys): Uint8Array => profile([payload(type, keys)]);
const command = (RequestType: string, keys: Keys = {}): Uint8Array =>
  encodeXml({ CommandUUID: uuid(9), Command: { RequestType, ...keys } });
const declaration = (Type: string, Payload: object, more: object = {}): string =>
  JSON.stringify({ Type, Identifier: 'com.example.declaration', ServerToken: '1', Payload, ...more });

const wifi: Keys = { SSID_STR: 'Lobby', EncryptionType: 'WPA2', Password: 'secret12' };
const scep = (keys: Keys): Uint8Array =>
  one('com.apple.security.scep', { PayloadContent: { URL: 'https://scep.example.com/', ...keys } });
const mdm: Keys = {
  IdentityCertificateUUID: uuid(5),
  Topic: 'com.apple.mgmt.External.x',
  ServerURL: 'https://mdm.example.com/server',
  AccessRights: 8191,
};
const tcc = { Identifier: 'com.example.app', IdentifierType: 'bundleID', CodeRequirement: 'anchor apple' };

const at = '/PayloadContent/0';
type Seeded = [mistake: string, file: string | Uint8Array, issue: string, target?: string];

// One mistake each: the report holds this one issue and no other.
const seeded: Seeded[] = [
  // Profiles: the envelope.
  [
    'a profile without identifier',
    profile([], { PayloadIdentifier: undefined }),
    'error key.missing /PayloadIdentifier',
  ],
  ['a profile without UUID', profile([], { PayloadUUID: undefined }), 'error key.missing /PayloadUUID'],
  ['a profile version that there is not', profile([], { PayloadVersion: 2 }), 'error value.list /PayloadVersion'],
  ['a scope in lower case', profile([], { PayloadScope: 'system' }), 'error value.list /PayloadScope'],
  ['a removal date as text', profile([], { RemovalDate: '2030-01-01' }), 'error type.wrong /RemovalDate'],
  [
    'a misspelt key of the profile',
    profile([], { PayloadDisplayname: 'x' }),
    'warning key.unknown /PayloadDisplayname',
  ],
  ['payloads in no array', profile([], { PayloadContent: {} }), 'error type.wrong /PayloadContent'],
  [
    'encrypted without content',
    profile([], { PayloadContent: undefined, IsEncrypted: true }),
    'error rule.required /EncryptedPayloadContent',
  ],
  // Profiles: the payloads among each other.
  [
    'the same UUID twice',
    profile([
      payload('com.apple.wifi.managed', wifi, 1),
      { ...payload('com.apple.wifi.managed', wifi, 2), PayloadUUID: uuid(1) },
    ]),
    'error profile.duplicate /PayloadContent/1/PayloadUUID',
  ],
  [
    'the same identifier twice',
    profile([
      payload('com.apple.wifi.managed', wifi, 1),
      { ...payload('com.apple.wifi.managed', wifi, 2), PayloadIdentifier: 'com.example.profile.1' },
    ]),
    'error profile.duplicate /PayloadContent/1/PayloadIdentifier',
  ],
  [
    'two of a payload that a device takes once',
    profile([payload('com.apple.dock', {}, 1), payload('com.apple.dock', {}, 2)]),
    'error profile.multiple /PayloadContent/1',
  ],
  // Profiles: a payload's keys.
  [
    'a payload without version',
    one('com.apple.wifi.managed', { ...wifi, PayloadVersion: undefined }),
    `error key.missing ${at}/PayloadVersion`,
  ],
  ['a payload type misspelt', one('com.apple.wifi.manged', wifi), `warning schema.unknown ${at}/PayloadType`],
  ['SSID for SSID_STR', one('com.apple.wifi.managed', { SSID: 'Lobby' }), `warning key.unknown ${at}/SSID`],
  [
    'an encryption that there is not',
    one('com.apple.wifi.managed', { ...wifi, EncryptionType: 'WPA4' }),
    `error value.list ${at}/EncryptionType`,
  ],
  ['1 for true', one('com.apple.wifi.managed', { ...wifi, AutoJoin: 1 }), `error type.wrong ${at}/AutoJoin`],
  [
    '"true" for true',
    one('com.apple.wifi.managed', { ...wifi, HIDDEN_NETWORK: 'true' }),
    `error type.wrong ${at}/HIDDEN_NETWORK`,
  ],
  [
    'a port as text',
    one('com.apple.wifi.managed', { ...wifi, ProxyServerPort: '8080' }),
    `error type.wrong ${at}/ProxyServerPort`,
  ],
  [
    'a port that there is not',
    one('com.apple.wifi.managed', { ...wifi, ProxyServerPort: 70_000 }),
    `error value.range ${at}/ProxyServerPort`,
  ],
  [
    'a certificate UUID that is none',
    one('com.apple.wifi.managed', { ...wifi, PayloadCertificateUUID: 'my certificate' }),
    `error value.pattern ${at}/PayloadCertificateUUID`,
  ],
  [
    'EAP without accepted types',
    one('com.apple.wifi.managed', { ...wifi, EAPClientConfiguration: { UserName: 'a' } }),
    `error key.missing ${at}/EAPClientConfiguration/AcceptEAPTypes`,
  ],
  [
    'an EAP type that there is not',
    one('com.apple.wifi.managed', { ...wifi, EAPClientConfiguration: { AcceptEAPTypes: [26] } }),
    `error value.list ${at}/EAPClientConfiguration/AcceptEAPTypes/0`,
  ],
  [
    'TLS 1.3 without outer identity',
    one('com.apple.wifi.managed', {
      ...wifi,
      EAPClientConfiguration: { AcceptEAPTypes: [25], TLSMinimumVersion: '1.3' },
    }),
    `error rule.required ${at}/EAPClientConfiguration/OuterIdentity`,
  ],
  [
    'a manual proxy without port',
    one('com.apple.proxy.http.global', { ProxyType: 'Manual', ProxyServer: 'proxy.example.com' }),
    `error rule.required ${at}/ProxyServerPort`,
  ],
  [
    'a proxy host with a scheme',
    one('com.apple.proxy.http.global', { ProxyType: 'Manual', ProxyServer: 'http://proxy', ProxyServerPort: 80 }),
    `error value.format ${at}/ProxyServer`,
  ],
  [
    'a web clip to no URL',
    one('com.apple.webClip.managed', { Label: 'Help', URL: 'help page' }),
    `error value.format ${at}/URL`,
  ],
  ['SCEP without URL', scep({ URL: undefined }), `error key.missing ${at}/PayloadContent/URL`],
  ['a SCEP key size that there is not', scep({ Keysize: 3072 }), `error value.list ${at}/PayloadContent/Keysize`],
  [
    'a SCEP subject of a lone name',
    scep({ Subject: [[['CN']]] }),
    `error value.count ${at}/PayloadContent/Subject/0/0`,
  ],
  [
    'a SCEP fingerprint as text',
    scep({ CAFingerprint: 'AB:CD' }),
    `error type.wrong ${at}/PayloadContent/CAFingerprint`,
  ],
  [
    'an MDM server without https',
    one('com.apple.mdm', { ...mdm, ServerURL: 'http://mdm.example.com/' }),
    `error value.pattern ${at}/ServerURL`,
  ],
  ['MDM without topic', one('com.apple.mdm', { ...mdm, Topic: undefined }), `error key.missing ${at}/Topic`],
  [
    'DNS over HTTPS without URL',
    one('com.apple.dnsSettings.managed', { DNSSettings: { DNSProtocol: 'HTTPS' } }),
    `error rule.required ${at}/DNSSettings/ServerURL`,
  ],
  [
    'single sign-on redirects without URLs',
    one('com.apple.extensiblesso', { ExtensionIdentifier: 'com.example.sso', Type: 'Redirect' }),
    `error rule.required ${at}/URLs`,
  ],
  [
    'a privacy service that is let neither do nor not do',
    one('com.apple.TCC.configuration-profile-policy', { Services: { Camera: [tcc] } }),
    `error key.missing ${at}/Services/Camera/0/Allowed`,
  ],
  [
    'Apple events without receiver',
    one('com.apple.TCC.configuration-profile-policy', {
      Services: {
        AppleEvents: [{ ...tcc, Allowed: true, AEReceiverIdentifier: 'x', AEReceiverIdentifierType: 'path' }],
      },
    }),
    `error rule.required ${at}/Services/AppleEvents/0/AEReceiverCodeRequirement`,
  ],
  [
    'a real where an integer belongs',
    one('com.apple.dock', { tilesize: new PlistReal(64.5) }),
    `error type.wrong ${at}/tilesize`,
  ],
  [
    'a whole number written as a real',
    one('com.apple.dock', { tilesize: new PlistReal(64) }),
    `warning type.wrong ${at}/tilesize`,
  ],
  // Profiles: on a target.
  ['a Mac payload for an iPhone', one('com.apple.dock', {}), `error target.platform ${at}`, 'ios:17.4'],
  [
    'a key of supervised devices',
    one('com.apple.applicationaccess', { allowAirDrop: false }),
    `warning target.supervised ${at}/allowAirDrop`,
    'ios:17.4,unsupervised',
  ],
  [
    'a key that is too new',
    one('com.apple.applicationaccess', { allowSafariHistoryClearing: false }),
    `warning target.introduced ${at}/allowSafariHistoryClearing`,
    'ios:18.3',
  ],
  [
    'a payload that came too late',
    one('com.apple.relay.managed', { Relays: [{ HTTP3RelayURL: 'https://relay.example.com/' }] }),
    `error target.introduced ${at}`,
    'ios:16.0',
  ],
  [
    'a restriction in User Enrolment',
    one('com.apple.applicationaccess', { allowCamera: false }),
    `warning target.user_enrolment ${at}/allowCamera`,
    'ios:17.4,user-enrolment',
  ],
  [
    'a payload installed by hand',
    one('com.apple.syspolicy.kernel-extension-policy', {}),
    `error target.manual ${at}`,
    'macos:14.0,manual',
  ],
  // Commands.
  ['a command misspelt', command('DeviceLok'), 'warning schema.unknown /Command/RequestType'],
  [
    'a command without type',
    encodeXml({ CommandUUID: uuid(9), Command: {} }),
    'error key.missing /Command/RequestType',
  ],
  ['a command without UUID', encodeXml({ Command: { RequestType: 'DeviceLock' } }), 'error key.missing /CommandUUID'],
  ['a PIN as a number', command('DeviceLock', { PIN: 123456 }), 'error type.wrong /Command/PIN'],
  ['a profile to install as text', command('InstallProfile', { Payload: 'PD94' }), 'error type.wrong /Command/Payload'],
  ['no profile to install', command('InstallProfile'), 'error key.missing /Command/Payload'],
  ['a query misspelt', command('DeviceInformation', { Queries: ['Udid'] }), 'warning value.list /Command/Queries/0'],
  [
    'a query that was removed',
    command('DeviceInformation', { Queries: ['OSUpdateSettings'] }),
    'error target.removed /Command/Queries/0',
    'macos:27.0',
  ],
  ['Lost Mode without a word', command('EnableLostMode'), 'error rule.any_of /Command'],
  ['a user deleted without name', command('DeleteUser'), 'error rule.required /Command/UserName'],
  [
    'a setting without Item',
    command('Settings', { Settings: [{ Enabled: true }] }),
    'error key.missing /Command/Settings/0/Item',
  ],
  [
    'a setting misspelt',
    command('Settings', { Settings: [{ Item: 'BlueTooth', Enabled: true }] }),
    'error value.list /Command/Settings/0/Item',
  ],
  [
    'an erase over the user channel',
    command('EraseDevice'),
    'error target.channel /Command',
    'macos:15.0,user-channel',
  ],
  [
    'a restart of an unsupervised device',
    command('RestartDevice'),
    'error target.supervised /Command',
    'ios:17.4,unsupervised',
  ],
  [
    'a setup command for a Mac outside ADE',
    command('DeviceConfigured'),
    'error target.ade /Command',
    'macos:15.0,not-ade',
  ],
  // Check-ins.
  ['a check-in without topic', encodeXml({ MessageType: 'CheckOut', UDID: 'x' }), 'error key.missing /Topic'],
  [
    'a push token as text',
    encodeXml({ MessageType: 'TokenUpdate', Topic: 't', PushMagic: 'm', Token: 'abc', UDID: 'x' }),
    'error type.wrong /Token',
  ],
  // Declarations and status.
  [
    'a declaration without identifier',
    declaration('com.apple.configuration.management.test', { Echo: 'x' }, { Identifier: undefined }),
    'error key.missing /Identifier',
  ],
  [
    'a declaration type misspelt',
    declaration('com.apple.configuration.pascode.settings', {}),
    'warning schema.unknown /Type',
  ],
  [
    'a passcode that is too long',
    declaration('com.apple.configuration.passcode.settings', { MinimumLength: 20 }),
    'error value.range /Payload/MinimumLength',
  ],
  [
    'an activation without configurations',
    declaration('com.apple.activation.simple', {}),
    'error key.missing /Payload/StandardConfigurations',
  ],
  [
    'an app named in two ways',
    declaration('com.apple.configuration.app.managed', { BundleID: 'com.example.app', AppStoreID: '1' }),
    'error rule.one_of /Payload',
  ],
  [
    'a declaration for the wrong platform',
    declaration('com.apple.configuration.diskmanagement.settings', {}),
    'error target.platform /',
    'ios:18.0',
  ],
  [
    'an update for User Enrolment',
    declaration('com.apple.configuration.softwareupdate.enforcement.specific', {
      TargetOSVersion: '18.3',
      TargetLocalDateTime: '2030-01-01T00:00:00',
    }),
    'error target.enrolment /',
    'ios:18.0,user-enrolment',
  ],
  [
    'a status of another type',
    JSON.stringify({ StatusItems: { passcode: { 'is-present': 'yes' } }, Errors: [] }),
    'error type.wrong /StatusItems/passcode/is-present',
  ],
  // Files.
  [
    'a broken property list',
    '<?xml version="1.0"?><plist version="1.0"><dict><key>A</key></dict></plist>',
    'error plist.syntax /',
  ],
  ['broken JSON', '{"Type": }', 'error json.syntax /'],
  ['something else altogether', encodeXml({ Hello: 'world' }), 'error file.kind /'],
  ['a signature that is none', new Uint8Array([0x30, 0x03, 0x02, 0x01, 0x01]), 'error pki /'],
];

describe('seeded mistakes', () => {
  test('there are more than forty', () => expect(seeded.length).toBeGreaterThan(60));

  test.each(seeded)('%s', async (_, file, issue, target) => {
    const { code, report } = await lint(file, ...(target === undefined ? [] : ['--target', target]));
    const found = issuesOf(report);
    expect(found).toHaveLength(1);
    if (issue === 'error pki /') expect(found[0]).toMatch(/^error pki\.[\w.]+ \/$/);
    else expect(found[0]).toBe(issue);
    expect(code).toBe(issue.startsWith('error') ? 1 : 0);
  });
});

describe('right files', () => {
  const signing = (file: Uint8Array): Uint8Array | null => {
    const script =
      'd=$(mktemp -d) && cd $d && cat > p && openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c -subj /CN=x -days 1 2>/dev/null && openssl smime -sign -nodetach -binary -outform der -in p -signer c -inkey k; rm -r $d';
    const signed = spawnSync('sh', ['-c', script], { input: file });
    return signed.status === 0 && signed.stdout.length > 0 ? new Uint8Array(signed.stdout) : null;
  };

  test.each<[string, string | Uint8Array, string]>([
    ['profile', one('com.apple.wifi.managed', wifi), 'profile'],
    ['binary profile', encodeBinary({ ...payload('Configuration', {}), PayloadContent: [] }), 'profile'],
    ['payload', encodeXml(payload('com.apple.wifi.managed', wifi)), 'payload'],
    ['command', command('DeviceLock', { PIN: '123456' }), 'command'],
    ['bare command', encodeXml({ RequestType: 'DeviceLock' }), 'command'],
    ['check-in', encodeXml({ MessageType: 'CheckOut', Topic: 't', UDID: 'x' }), 'checkin'],
    ['response', encodeXml({ Status: 'Idle', UDID: 'x' }), 'response'],
    ['declaration', declaration('com.apple.configuration.management.test', { Echo: 'x' }), 'declaration'],
    [
      'declaration behind a byte order mark',
      `\ufeff ${declaration('com.apple.configuration.management.test', { Echo: 'x' })}`,
      'declaration',
    ],
    ['status report', JSON.stringify({ StatusItems: { passcode: { 'is-present': true } }, Errors: [] }), 'status'],
    ['error body', JSON.stringify({ code: 'com.apple.well-known.failed' }), 'error'],
  ])('%s', async (_, file, kind) => {
    const { code, report } = await lint(file);
    expect(issuesOf(report)).toEqual([]);
    expect([code, report.files[0]?.kind]).toEqual([0, kind]);
  });

  test('a signed profile, by openssl', async () => {
    const signed = signing(one('com.apple.wifi.managed', { ...wifi, AutoJoin: 1 }));
    if (signed === null) {
      if (process.env['CI'] === 'true') throw new Error('openssl is needed in CI');
      console.log('openssl is not installed: the signed profile is skipped');
      return;
    }
    const { report } = await lint(signed);
    expect(report.files[0]).toMatchObject({ kind: 'profile', signed: true });
    expect(issuesOf(report)).toEqual(['error type.wrong /PayloadContent/0/AutoJoin']);
    signed[signed.length - 1] = (signed[signed.length - 1] as number) ^ 1;
    expect(issuesOf((await lint(signed)).report)[0]).toMatch(/^error pki\./);
  });
});

describe('output', () => {
  const files: Files = {
    'good.mobileconfig': one('com.apple.wifi.managed', wifi),
    'bad.mobileconfig': one('com.apple.wifi.managed', { ...wifi, EncryptionType: 'WPA4', SSID: 'x' }),
    'list.json': JSON.stringify([
      JSON.parse(declaration('com.apple.activation.simple', {})),
      { Type: 'x', Identifier: 'a', Payload: {} },
    ]),
  };

  test('reads well in a terminal', async () => {
    const { code, out } = await espalier(['lint', ...Object.keys(files)], files);
    expect(code).toBe(1);
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    await expect(`${out}\n`).toMatchFileSnapshot('fixtures/lint.txt');
  });

  test('a list of declarations has its positions in the paths', async () => {
    const { report } = await lint(files['list.json'] as string);
    expect(issuesOf(report)).toEqual([
      'error key.missing /0/Payload/StandardConfigurations',
      'warning schema.unknown /1/Type',
    ]);
  });

  test('--strict makes warnings count', async () => {
    const file = one('com.apple.wifi.managed', { SSID: 'x' });
    expect((await lint(file)).code).toBe(0);
    expect((await lint(file, '--strict')).code).toBe(1);
  });

  test('--kind and --name say what the file does not', async () => {
    const file = encodeXml({ Status: 'Acknowledged', SecurityInfo: { PasscodePresent: 'yes' } });
    expect(issuesOf((await lint(file)).report)).toEqual([]);
    expect(issuesOf((await lint(file, '--name', 'SecurityInfo')).report)).toEqual([
      'error type.wrong /SecurityInfo/PasscodePresent',
    ]);
    const manifest = encodeXml({ items: [{}] });
    expect(issuesOf((await lint(manifest, '--kind', 'other', '--name', 'ManifestURL')).report)).toContain(
      'error key.missing /items/0/assets',
    );
  });
});
