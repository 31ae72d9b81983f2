// The compilers: what each kind of device gets of a configuration.
import { spawnSync } from 'node:child_process';
import { decodeDict, type PlistDict } from '@espalier/plist';
import { describe, expect, test } from 'vitest';
import {
  type CompiledConfiguration,
  compileConfiguration,
  configurationTypes,
  createCompiler,
  type PolicyDevice,
  PolicyError,
  targetOf,
  validateSettings,
} from '../src/index.ts';

function device(facts: PolicyDevice['facts'], enrolment: Partial<PolicyDevice['enrolment']> = {}): PolicyDevice {
  return { facts, enrolment: { kind: 'device', channel: 'device', ...enrolment } };
}

const iphone = device({ 'common.platform': 'iOS', 'common.os_version': '18.3', 'ios.Supervised': false });
const supervised = device({ 'common.platform': 'iOS', 'common.os_version': '18.3', 'ios.Supervised': true });
const mac = device({ 'common.platform': 'macOS', 'common.os_version': '15.3', 'ios.Supervised': true });
const appleTv = device({ 'common.platform': 'tvOS', 'common.os_version': '18.3', 'ios.Supervised': true });

const passcode = { id: 'p1', name: 'Passcode', type: 'passcode', settings: { forcePIN: true, minLength: 8 } };

function restrictions(settings: Record<string, unknown>) {
  return { id: 'r1', name: 'Restrictions', type: 'restrictions', settings };
}

function content(compiled: CompiledConfiguration): PlistDict {
  if (!compiled.applicable) throw new Error(`does not apply: ${compiled.reason}`);
  const [payload] = decodeDict(compiled.profile.bytes)['PayloadContent'] as PlistDict[];
  return payload!;
}

describe('a passcode configuration', () => {
  test('becomes a profile with one passwordpolicy payload', () => {
    const compiled = compileConfiguration(passcode, iphone);
    expect(compiled).toMatchObject({ applicable: true, verifiable: true, dropped: [], implied: [] });
    if (!compiled.applicable) return;
    const profile = decodeDict(compiled.profile.bytes);
    expect(profile).toMatchObject({
      PayloadType: 'Configuration',
      PayloadIdentifier: 'org.espalier.configuration.p1',
      PayloadDisplayName: 'Passcode',
      PayloadUUID: compiled.profile.uuid,
    });
    expect(content(compiled)).toMatchObject({
      PayloadType: 'com.apple.mobiledevice.passwordpolicy',
      forcePIN: true,
      minLength: 8,
    });
  });

  test('has the same bytes for every device of a kind, and others when a setting changes', () => {
    const one = compileConfiguration(passcode, iphone);
    const two = compileConfiguration(passcode, device({ ...iphone.facts, 'common.serial_number': 'X' }));
    const other = compileConfiguration({ ...passcode, settings: { forcePIN: true, minLength: 9 } }, iphone);
    expect(two).toEqual(one);
    if (!one.applicable || !other.applicable) throw new Error('must apply');
    expect(other.profile.identifier).toBe(one.profile.identifier);
    expect(other.profile.uuid).not.toBe(one.profile.uuid);
  });

  test('does not apply to an Apple TV, which has no passcode', () => {
    expect(compileConfiguration(passcode, appleTv)).toMatchObject({
      applicable: false,
      reason: expect.stringContaining('tvOS'),
    });
  });

  test('sends a Mac its own keys, and leaves them out for an iPhone', () => {
    const settings = { minLength: 8, changeAtNextAuth: true };
    expect(content(compileConfiguration({ ...passcode, settings }, mac))).toMatchObject(settings);
    const compiled = compileConfiguration({ ...passcode, settings }, iphone);
    expect(content(compiled)).not.toHaveProperty('changeAtNextAuth');
    expect(compiled.dropped.map(({ key }) => key)).toEqual(['changeAtNextAuth']);
  });

  test('is readable by Python', ({ skip }) => {
    const compiled = compileConfiguration(passcode, iphone);
    if (!compiled.applicable) throw new Error('must apply');
    const script =
      'import plistlib,sys; print(plistlib.loads(sys.stdin.buffer.read())["PayloadContent"][0]["minLength"])';
    const python = spawnSync('python3', ['-c', script], { input: compiled.profile.bytes, encoding: 'utf8' });
    if (python.error && process.env['CI'] !== 'true') {
      console.log('skipped: python3 is not installed');
      skip();
    }
    expect(python.stderr).toBe('');
    expect(python.stdout.trim()).toBe('8');
  });
});

describe('a restrictions configuration', () => {
  test('leaves keys out that need supervision, and names them', () => {
    const settings = { allowScreenShot: true, allowAirDrop: false };
    const compiled = compileConfiguration(restrictions(settings), iphone);
    expect(content(compiled)).toMatchObject({ allowScreenShot: true });
    expect(content(compiled)).not.toHaveProperty('allowAirDrop');
    expect(compiled.dropped).toMatchObject([{ key: 'allowAirDrop', reason: expect.stringContaining('supervised') }]);
    expect(content(compileConfiguration(restrictions(settings), supervised))).toMatchObject(settings);
  });

  test('leaves keys out that the OS version does not have yet', () => {
    const old = device({ ...supervised.facts, 'common.os_version': '13.0' });
    const compiled = compileConfiguration(restrictions({ allowAppClips: false, allowChat: false }), old);
    expect(content(compiled)).not.toHaveProperty('allowAppClips');
    expect(content(compiled)).toHaveProperty('allowChat', false);
  });

  test('does not judge what is not known of the device yet', () => {
    const unknown = device({ 'common.platform': 'iOS' });
    expect(content(compileConfiguration(restrictions({ allowAirDrop: false }), unknown))).toHaveProperty(
      'allowAirDrop',
      false,
    );
  });

  test('does not apply where no setting is left, or the platform is unknown', () => {
    expect(compileConfiguration(restrictions({ allowAirDrop: false }), iphone)).toMatchObject({
      applicable: false,
      dropped: [{ key: 'allowAirDrop' }],
    });
    expect(compileConfiguration(restrictions({ allowCamera: false }), device({}))).toMatchObject({ applicable: false });
  });

  test.each([
    ['allowCamera', 'allowVideoConferencing'],
    ['allowAppInstallation', 'allowUIAppInstallation'],
    ['allowAppInstallation', 'allowAutomaticAppDownloads'],
    ['allowPasscodeModification', 'allowFingerprintModification'],
    ['allowGameCenter', 'allowMultiplayerGaming'],
    ['allowGameCenter', 'allowAddingGameCenterFriends'],
  ])('%s off turns %s off', (key, follower) => {
    const compiled = compileConfiguration(restrictions({ [key]: false }), supervised);
    expect(content(compiled)).toHaveProperty(follower, false);
    expect(compiled.applicable && compiled.implied).toContain(follower);
    expect(content(compileConfiguration(restrictions({ [key]: true }), supervised))).not.toHaveProperty(follower);
  });
});

describe('settings', () => {
  test.each([
    ['a value out of range', 'passcode', { minLength: 40 }, '/minLength'],
    ['a wrong type', 'passcode', { forcePIN: 'yes' }, '/forcePIN'],
    ['an unknown key', 'passcode', { minimumLength: 8 }, '/minimumLength'],
    ['a key that the compiler writes', 'passcode', { PayloadUUID: 'x' }, '/PayloadUUID'],
    ['a value that is not in the list', 'restrictions', { ratingRegion: 'atlantis' }, '/ratingRegion'],
    [
      'a prototype key',
      'passcode',
      JSON.parse('{"__proto__": {"minLength": 1}}') as Record<string, unknown>,
      '/__proto__',
    ],
  ])('%s is found with its place', (_, type, settings, path) => {
    expect(validateSettings(type, settings)).toMatchObject([{ path, severity: 'error' }]);
    expect(() => compileConfiguration({ id: 'x', name: 'X', type, settings }, iphone)).toThrow(PolicyError);
  });

  test('that are right have no issues', () => {
    expect(validateSettings('passcode', { forcePIN: true, minLength: 8, maxFailedAttempts: 6 })).toEqual([]);
  });

  test('of an unknown type name the types that there are', () => {
    const [issue] = validateSettings('vpn-9000', {});
    for (const { name } of configurationTypes) expect(issue!.remedy).toContain(name);
    expect(() => compileConfiguration({ ...passcode, type: 'vpn-9000' }, iphone)).toThrow(
      expect.objectContaining({ code: 'policy.type.unknown', kind: 'invalid', at: { path: '/type' } }),
    );
  });
});

test('the identifier prefix and the organisation are the caller’s', () => {
  const compiled = createCompiler({ identifierPrefix: 'com.example', organisation: 'Example' })(passcode, iphone);
  expect(compiled).toMatchObject({ profile: { identifier: 'com.example.p1' } });
  expect(compiled.applicable && decodeDict(compiled.profile.bytes)).toMatchObject({ PayloadOrganization: 'Example' });
});

test('a user enrolment is told apart by its kind or its facts', () => {
  expect(targetOf(device(iphone.facts, { kind: 'user-enrolment-device' }))).toMatchObject({ enrolment: 'user' });
  expect(targetOf(device({ ...iphone.facts, 'ios.apple_user_enrolled_device': true }))).toMatchObject({
    enrolment: 'user',
  });
  expect(targetOf(iphone)).toMatchObject({ enrolment: 'device', platform: 'iOS', osVersion: '18.3' });
});
