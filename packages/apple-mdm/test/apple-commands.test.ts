// Apple's examples of commands and their answers: they decode, our builders make the same, and the facts come out.
import { decodeDict, type PlistDict } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import { readCommand, readInventory, readResponse, resolveEnrolment, responseValue, validate } from '../src/index.ts';
import { appCommands } from './fixtures/apple/commands-apps.ts';
import { deviceCommands } from './fixtures/apple/commands-device.ts';
import { inventoryCommands } from './fixtures/apple/commands-inventory.ts';
import { macCommands } from './fixtures/apple/commands-mac.ts';
import { type CommandExample, pageUrl } from './fixtures/apple/wire.ts';
import { comparesWithPython } from './support/python.ts';

const examples: readonly CommandExample[] = [...deviceCommands, ...macCommands, ...appCommands, ...inventoryCommands];
const named = examples.map((example) => [`${example.page} (${example.requestType})`, example] as const);

/** The keys of the command, wherever the page put them; with the request type, which one page leaves out. */
function commandOf({ request, requestType, flaw }: CommandExample): PlistDict {
  let keys = decodeDict(request);
  for (const name of flaw?.within ?? ['Command']) keys = keys[name] as PlistDict;
  return { RequestType: requestType, ...keys };
}

function findings(kind: 'command' | 'response', value: PlistDict, name: string): string[] {
  return validate(kind, value, null, kind === 'response' ? { name } : {}).map(({ path, code }) => `${path} ${code}`);
}

describe('the requests on Apple’s pages', () => {
  it.each(named)('%s', (_, example) => {
    const { request, requestType, flaw, built } = example;
    const uuid = `0001_${requestType}`;
    const ours = built({ commandUuid: uuid });
    expect(readCommand(ours.bytes).payload).toEqual(commandOf(example));
    if (flaw === undefined) {
      expect(readCommand(request)).toMatchObject({ commandUuid: uuid, requestType });
      expect(decodeDict(ours.bytes)).toEqual(decodeDict(request));
    } else {
      expect(() => readCommand(request)).toThrow(expect.objectContaining({ code: flaw.code }));
    }
    expect(findings('command', decodeDict(request), requestType)).toEqual(example.findings?.request ?? []);
  });

  it('are of nearly every command', () => {
    // The pages of RequestUnlockToken, UserConfigured, ContentCachingInformation and enhanced logging have no example.
    expect(new Set(examples.map(({ requestType }) => requestType)).size).toBe(63);
  });
});

describe('the answers on Apple’s pages', () => {
  it.each(named)('%s', (_, example) => {
    const { requestType } = example;
    const response = readResponse(example.response);
    expect(response.status).toBe('Acknowledged');
    expect(response).toMatchObject({ commandUuid: expect.stringMatching(new RegExp(`^\\d{4}_${requestType}$`)) });
    const identifier = response.value['EnrollmentID'] ?? response.value['UDID'];
    expect(resolveEnrolment(response.ids).id.split(':')[0]).toBe(identifier);
    const expected = example.findings?.response ?? [];
    expect(findings('response', response.value, requestType)).toEqual(expected);
    const typed = (): unknown => responseValue(requestType as 'DeviceLock', response);
    const refused = expected.find((finding) => !finding.endsWith('key.unknown'));
    if (refused === undefined) expect(typed()).toBeTypeOf('object');
    else {
      const [path] = refused.split(' ');
      expect(typed).toThrow(expect.objectContaining({ at: { path } }));
    }
  });
});

describe('the facts in them', () => {
  const inventory = (requestType: string, index = 0): ReturnType<typeof readInventory> => {
    const of = examples.filter((example) => example.requestType === requestType);
    return readInventory(requestType, readResponse(of[index]!.response).value);
  };

  it('of a device', () => {
    expect(inventory('DeviceInformation')?.facts).toMatchObject({
      'common.platform_name': 'iOS 13.0',
      'common.serial_number': 'C7CX706CKWTK',
      'common.battery_level': 100,
      'common.cellular_technology': ['GSM', 'CDMA'],
      'common.storage_capacity': 230_265_518_188,
      'ios.Supervised': true,
      'ios.AwaitingConfiguration': false,
      'ios.sims': 2,
      'ios.sim_label_2': 'Secondary',
      'ios.sim_eid_2': '89049032004008882600004821436874',
      // At the top the example has an empty number; the preferred SIM has one, and no carrier.
      'common.current_phone_number': '+12018675309',
      'common.current_operator_name': null,
    });
  });

  it('of its security, its place and its lost mode', () => {
    expect(inventory('SecurityInfo')?.facts).toMatchObject({
      'ios.HardwareEncryptionCaps': 3,
      'ios.PasscodePresent': false,
      'ios.PasscodeIsCompliant': true,
      'ios.apple_user_enrolled_device': false,
      'common.device_encrypted': false,
    });
    expect(inventory('DeviceLocation')?.location).toMatchObject({
      latitude: 37.33385013244351,
      longitude: -122.01079213269968,
      at: Date.UTC(2019, 8, 4, 22, 35, 52),
    });
    expect(inventory('EnableLostMode')?.facts).toEqual({ 'ios.IsMDMLostModeEnabled': true });
    expect(inventory('DisableLostMode')?.facts).toEqual({ 'ios.IsMDMLostModeEnabled': false });
    expect(inventory('DeviceConfigured')?.facts).toEqual({ 'ios.AwaitingConfiguration': false });
  });

  it('of its apps', () => {
    expect(inventory('InstalledApplicationList')?.apps?.items).toEqual([
      expect.objectContaining({ bundleId: 'com.acme.myenterpriseapp', bundleSize: 1_036_288, validated: true }),
    ]);
    expect(inventory('InstalledApplicationList', 1)?.facts['ios.installed_app_names']).toEqual([
      'Safari',
      'Notes',
      'Contacts',
      'Mail',
      'Calendar',
    ]);
    expect(inventory('ManagedApplicationList')?.managedApps?.items).toEqual([
      expect.objectContaining({ bundleId: 'com.acme.myenterpriseapp', status: 'Managed', managementFlags: 0 }),
    ]);
    expect(inventory('ManagedMediaList')?.books?.items).toEqual([
      expect.objectContaining({ persistentId: 'com.acme.pdf.myenterprisebook', title: 'My Enterprise Book' }),
    ]);
  });

  it('of its profiles, certificates and restrictions', () => {
    const profile = inventory('ProfileList')?.profiles?.items[0];
    expect(profile).toMatchObject({ identifier: 'com.acme.mdm.mdm', managed: false, removalDisallowed: false });
    expect(profile?.payloads.map(({ type }) => type)).toEqual([
      'com.apple.security.pem',
      'com.apple.security.scep',
      'com.apple.mdm',
    ]);
    expect(inventory('ProvisioningProfileList')?.provisioningProfiles?.items).toEqual([
      expect.objectContaining({ expiresAt: Date.UTC(2020, 1, 12, 20, 58, 40) }),
    ]);
    expect(inventory('CertificateList')?.certificates?.items).toMatchObject([{ commonName: 'Example Root Cert' }]);
    expect(inventory('Restrictions')?.restrictions?.booleans).toEqual({ allowCamera: false });
  });

  it('of its updates and users', () => {
    expect(inventory('AvailableOSUpdates')?.updates?.items).toEqual([
      expect.objectContaining({ productKey: 'iOSUpdate17A576', version: '13.0', restartRequired: true }),
    ]);
    expect(inventory('OSUpdateStatus')?.facts).toMatchObject({
      'ios.osUpdateStatus': 'Downloading',
      'ios.osUpdateDownloadProgress': 50,
    });
    expect(inventory('UserList')?.users?.items).toEqual([
      {
        name: 'example@acme.com',
        loggedIn: false,
        hasDataToSync: true,
        dataQuota: 10_171_187_200,
        dataUsed: 145_625_088,
      },
    ]);
  });
});

it('decode to what Python’s plistlib says', (context) => {
  comparesWithPython(
    context,
    examples.flatMap(({ request, response }) => [request, response]),
  );
  expect(examples.every(({ page }) => URL.canParse(pageUrl(page)))).toBe(true);
});
