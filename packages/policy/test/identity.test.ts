// Identity configurations: the identity is put in at delivery; what uses it refers to it within the profile.
import { readProfile } from '@espalier/apple-mdm';
import { describe, expect, test } from 'vitest';
import { compileConfiguration, type PolicyDevice, validateSettings } from '../src/index.ts';

const settings = {
  identities: [
    { name: 'signing', credential: 'c1' },
    { name: 'encryption', credential: 'c2', fileName: 'e.p12', keyIsExtractable: true },
  ],
  payloads: [
    {
      ...{ PayloadType: 'com.apple.mail.managed', PayloadDisplayName: 'Mail', EmailAccountType: 'EmailTypeIMAP' },
      ...{ IncomingMailServerAuthentication: 'EmailAuthNone', IncomingMailServerHostName: 'imap.example.com' },
      ...{ OutgoingMailServerAuthentication: 'EmailAuthNone', OutgoingMailServerHostName: 'smtp.example.com' },
      ...{ SMIMESigningEnabled: true, SMIMESigningCertificateUUID: '$IDENTITY:signing$' },
      ...{ SMIMEEncryptionEnabled: true, SMIMEEncryptionCertificateUUID: '$IDENTITY:encryption$' },
    },
  ],
};
const configuration = { id: 'i1', name: 'Mail', type: 'identity', settings };
const device = (facts: PolicyDevice['facts'], platform = 'iOS'): PolicyDevice => ({
  facts: { 'common.platform': platform, 'common.os_version': '18.3', 'ios.Supervised': true, ...facts },
  enrolment: { kind: 'device', channel: 'device' },
});
const both = { 'credential.c1': 'f1', 'credential.c2': 'f2' };

function compiled(facts: PolicyDevice['facts'], platform?: string) {
  const result = compileConfiguration(configuration, device(facts, platform));
  if (!result.applicable) throw new Error(result.reason);
  return result;
}

describe('an identity configuration', () => {
  test('has its identities first, and payloads that refer to them', () => {
    const { profile, late } = compiled(both);
    const [signing, encryption, mail] = readProfile(profile.bytes).payloads;
    expect([signing?.type, encryption?.type, mail?.type]).toEqual([
      'com.apple.security.pkcs12',
      'com.apple.security.pkcs12',
      'com.apple.mail.managed',
    ]);
    expect(mail?.content).toMatchObject({
      SMIMESigningCertificateUUID: signing?.uuid,
      SMIMEEncryptionCertificateUUID: encryption?.uuid,
    });
    expect(encryption?.content).toMatchObject({ PayloadCertificateFileName: 'e.p12', KeyIsExtractable: true });
    expect(late).toEqual([
      { payload: 0, source: 'credential', reference: 'c1', revision: 'f1' },
      { payload: 1, source: 'credential', reference: 'c2', revision: 'f2' },
    ]);
  });

  test('is the same profile for the same identities, and another one for others', () => {
    const one = compiled(both).profile;
    expect(compiled({ ...both }).profile).toEqual(one);
    const other = compiled({ ...both, 'credential.c2': 'f3' }).profile;
    expect([other.identifier === one.identifier, other.uuid === one.uuid]).toEqual([true, false]);
  });

  test('does not apply while an identity is missing, says why, and leaves there what is there', () => {
    const { uuid } = compiled(both).profile;
    const gone = compileConfiguration(configuration, device({ ...both, 'credential.c2.missing': 'key deleted' }));
    expect(gone).toEqual({ applicable: false, reason: 'key deleted', dropped: [], keepUuid: uuid });
    const never = compileConfiguration(configuration, device({ 'credential.c1': 'f1', 'credential.c2.missing': 'no' }));
    expect(never).toEqual({ applicable: false, reason: 'no', dropped: [] });
    const unknown = compileConfiguration(configuration, device({ 'credential.c1': 'f1' }));
    expect(unknown).toMatchObject({ applicable: false, reason: 'there is no such credential setting' });
    expect(compileConfiguration(configuration, device({ ...both, 'common.platform': '?' }))).toMatchObject({
      applicable: false,
    });
  });

  test('leaves payloads and keys out that the device does not take', () => {
    const wifi = { PayloadType: 'com.apple.wifi.managed', SSID_STR: 'x', PayloadCertificateUUID: '$IDENTITY:a$' };
    const cellular = { PayloadType: 'com.apple.cellular', AttachAPN: { Name: 'apn' } };
    const type = 'identity';
    const identities = [{ name: 'a', credential: 'c1' }];
    const configuration = { id: 'x', name: 'x', type, settings: { identities, payloads: [wifi, cellular] } };
    const result = compileConfiguration(configuration, device(both, 'macOS'));
    if (!result.applicable) throw new Error(result.reason);
    expect(readProfile(result.profile.bytes).payloads.map((payload) => payload.type)).toEqual([
      'com.apple.security.pkcs12',
      'com.apple.wifi.managed',
    ]);
    expect(result.dropped).toMatchObject([{ key: 'payloads/1' }]);
    const only = { ...configuration, settings: { identities, payloads: [cellular] } };
    expect(compileConfiguration(only, device(both, 'macOS'))).toMatchObject({ applicable: false });
  });

  test.each([
    [{}, '/identities'],
    [{ identities: [] }, '/identities'],
    [{ identities: [{ name: 'a' }] }, '/identities/0/credential'],
    [{ identities: [{ name: 'a b', credential: 'c' }] }, '/identities/0/name'],
    [{ identities: [{ name: 'a', credential: 'c', fileName: 1 }] }, '/identities/0/fileName'],
    [{ identities: [{ name: 'a', credential: 'c', constructor: 1 }] }, '/identities/0/constructor'],
    [{ identities: [settings.identities[0], settings.identities[0]] }, '/identities/1/name'],
    [{ identities: settings.identities, other: 1 }, '/other'],
    [{ identities: settings.identities, payloads: {} }, '/payloads'],
    [{ identities: settings.identities, payloads: [{}] }, '/payloads/0'],
    [{ identities: settings.identities, payloads: [{ PayloadType: 'com.example.none' }] }, '/payloads/0'],
    [
      { identities: settings.identities, payloads: [{ PayloadType: 'com.apple.wifi.managed', SSID_STR: 5 }] },
      '/payloads/0/SSID_STR',
    ],
    [
      {
        identities: settings.identities,
        payloads: [{ PayloadType: 'com.apple.wifi.managed', SSID_STR: 'x', PayloadCertificateUUID: '$IDENTITY:b$' }],
      },
      '/payloads/0',
    ],
    [
      { identities: settings.identities, payloads: [{ PayloadType: 'com.apple.wifi.managed', PayloadUUID: 'x' }] },
      '/payloads/0/PayloadUUID',
    ],
  ])('%j is refused', (given, path) => {
    const issues = validateSettings('identity', given as Record<string, unknown>);
    expect(issues[0]).toMatchObject({ severity: 'error' });
    expect(issues[0]?.path.startsWith(path)).toBe(true);
    expect(() => compileConfiguration({ ...configuration, settings: given }, device(both))).toThrow(
      expect.objectContaining({ code: 'policy.settings.invalid' }),
    );
  });

  test('is valid as it should be', () => {
    expect(validateSettings('identity', settings)).toEqual([]);
  });
});
