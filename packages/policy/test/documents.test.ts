// Configurations about certificates: what they compile to, what is left for the delivery, and what is refused at saving.
import { createHash, X509Certificate } from 'node:crypto';
import { readProfile } from '@espalier/apple-mdm';
import { createRootCa, toPem } from '@espalier/pki';
import { decodeDict, type PlistDict } from '@espalier/plist';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  compileConfiguration,
  credentialConfigurationTypes,
  type PolicyDevice,
  validateSettings,
} from '../src/index.ts';

const device = (platform: string, version: string): PolicyDevice => ({
  facts: { 'common.platform': platform, 'common.os_version': version },
  enrolment: { kind: 'device', channel: 'device' },
});
const phone = device('iOS', '18.3');
/** Preferences are for the user's keychain. */
const mac: PolicyDevice = { ...device('macOS', '15.3'), enrolment: { kind: 'user', channel: 'user' } };

let root: Uint8Array;
beforeAll(async () => {
  const clock = { now: () => Date.UTC(2026, 0, 15) };
  root = (await createRootCa({ subject: 'CN=Corporate root', key: { type: 'ec', curve: 'P-256' }, clock })).certificate;
});

function compile(type: string, settings: Readonly<Record<string, unknown>>, to = phone) {
  const configuration = { id: 'c1', name: 'Certificates', type, settings, version: 7 };
  const compiled = compileConfiguration(configuration, to);
  if (!compiled.applicable) throw new Error(compiled.reason);
  return { ...compiled, payloads: decodeDict(compiled.profile.bytes)['PayloadContent'] as PlistDict[] };
}

const request = { subject: 'CN=$DEVICE_SN$,O=Example', sans: [{ type: 'upn', value: '$USER_UPN$' }] };

describe('an identity that a device asks for', () => {
  it('by SCEP waits without its challenge, its address and its names', () => {
    const { payloads, late } = compile('scep', { ...request, keySize: 4096, use: 'signing', retries: 5 });
    expect(late).toEqual([{ payload: 0, source: 'scep', reference: 'c1', revision: '7' }]);
    const { PayloadType, PayloadContent } = payloads[0]!;
    expect(PayloadType).toBe('com.apple.security.scep');
    expect(PayloadContent).toEqual({
      ...{ URL: 'https://this-server.invalid/', Keysize: 4096, 'Key Type': 'RSA', 'Key Usage': 1, Retries: 5 },
      KeyIsExtractable: false,
    });
  });

  it('by ACME has the key and says nothing of who it is', () => {
    const { payloads, late } = compile('acme', { ...request, extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] });
    expect(late).toMatchObject([{ payload: 0, source: 'acme' }]);
    expect(payloads[0]).toMatchObject({
      ...{ PayloadType: 'com.apple.security.acme', KeyType: 'ECSECPrimeRandom', KeySize: 384 },
      ...{ HardwareBound: true, Attest: true, ExtendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] },
    });
    expect(JSON.stringify(payloads)).not.toContain('DEVICE_SN');
  });

  it('is shown by Macs to the names of its preferences, which other systems do not know', () => {
    const settings = { ...request, identityPreferences: ['https://intranet.example.com'] };
    const { payloads, dropped } = compile('scep', settings, mac);
    expect(payloads[1]).toMatchObject({
      ...{ PayloadType: 'com.apple.security.identitypreference', Name: 'https://intranet.example.com' },
      PayloadCertificateUUID: payloads[0]!['PayloadUUID'],
    });
    expect(dropped).toEqual([]);
    const other = compile('scep', settings, phone);
    expect(other.payloads).toHaveLength(1);
    expect(other.dropped).toMatchObject([{ key: 'com.apple.security.identitypreference' }]);
  });

  it('is used by payloads of the same profile, with the certificates that go along', () => {
    const settings = {
      ...request,
      certificates: [{ name: 'radius', file: toPem(root) }],
      payloads: [
        {
          ...{ PayloadType: 'com.apple.wifi.managed', SSID_STR: 'Example', EncryptionType: 'WPA2' },
          PayloadCertificateUUID: '$IDENTITY:identity$',
          EAPClientConfiguration: { AcceptEAPTypes: [13], PayloadCertificateAnchorUUID: ['$CERTIFICATE:radius$'] },
        },
      ],
    };
    for (const type of ['scep', 'acme']) {
      expect(validateSettings(type, settings)).toEqual([]);
      const [identity, radius, wifi] = compile(type, settings).payloads;
      expect(wifi).toMatchObject({
        ...{ PayloadType: 'com.apple.wifi.managed', PayloadCertificateUUID: identity!['PayloadUUID'] },
        EAPClientConfiguration: { PayloadCertificateAnchorUUID: [radius!['PayloadUUID']] },
      });
      expect(compile(type, settings).late).toMatchObject([{ payload: 0, source: type }]);
    }
    const wrong = (payload: object) => validateSettings('scep', { ...settings, payloads: [payload] });
    expect(wrong({ SSID_STR: 'x' })).toMatchObject([{ path: '/payloads/0' }]);
    expect(wrong({ PayloadType: 'com.apple.wifi.managed', PayloadCertificateUUID: '$IDENTITY:other$' })).toContainEqual(
      expect.objectContaining({ path: '/payloads/0', message: 'there is no identity called other' }),
    );
    expect(
      wrong({
        ...{ PayloadType: 'com.apple.wifi.managed', SSID_STR: 'Example' },
        EAPClientConfiguration: { AcceptEAPTypes: [13], PayloadCertificateAnchorUUID: ['$CERTIFICATE:other$'] },
      }),
    ).toContainEqual(expect.objectContaining({ message: 'there is no certificate called other' }));
    const twice = [settings.certificates[0], settings.certificates[0]];
    expect(validateSettings('scep', { ...settings, certificates: twice })).toMatchObject([
      { path: '/certificates/1/name' },
    ]);
  });

  it('by ACME does not apply to systems before it', () => {
    const configuration = { id: 'c1', name: 'A', type: 'acme', settings: request };
    expect(compileConfiguration(configuration, device('iOS', '15.0'))).toMatchObject({ applicable: false });
  });
});

describe('configurations about trust', () => {
  it('carry each certificate of a file by itself', () => {
    for (const file of [toPem(root), Buffer.from(root).toString('base64')]) {
      const { payloads, late } = compile('certificate', { file, fileName: 'corporate.cer' });
      expect(late).toBeUndefined();
      expect(payloads).toMatchObject([
        { PayloadType: 'com.apple.security.root', PayloadCertificateFileName: 'corporate.cer' },
      ]);
      expect(new Uint8Array(payloads[0]!['PayloadContent'] as Uint8Array)).toEqual(new Uint8Array(root));
    }
  });

  it('name authorities by the hash of their keys', () => {
    const spki = new X509Certificate(root).publicKey.export({ type: 'spki', format: 'der' });
    const hash = new Uint8Array(createHash('sha256').update(spki).digest());
    const base64 = Buffer.from(hash).toString('base64');
    for (const settings of [{ certificates: [toPem(root)] }, { hashes: [base64] }]) {
      const { payloads } = compile('certificate-revocation', settings);
      expect(payloads[0]).toMatchObject({
        ...{ PayloadType: 'com.apple.security.certificaterevocation' },
        EnabledForCerts: [{ Algorithm: 'sha256', Hash: hash }],
      });
    }
    const { payloads } = compile('certificate-transparency', { domains: ['.example.com'], hashes: [base64] });
    expect(payloads[0]).toMatchObject({ DisabledForDomains: ['.example.com'], DisabledForCerts: [{ Hash: hash }] });
  });

  it('are read back by the profile reader', () => {
    expect(readProfile(compile('certificate', { file: toPem(root) }).profile.bytes).identifier).toContain('c1');
  });
});

describe('settings that are refused at saving', () => {
  const cases: [string, string, Record<string, unknown>, string][] = [
    ['no subject', 'scep', {}, '/subject'],
    ['a variable that nobody knows', 'scep', { subject: 'CN=$WHO$' }, '/subject'],
    ['a setting that is none', 'scep', { ...request, Challenge: 'x' }, '/Challenge'],
    ['a challenge for this very server', 'scep', { ...request, challenge: 'ndes' }, '/challenge'],
    ['a key size of 3072', 'scep', { ...request, keySize: 3072 }, '/keySize'],
    ['a template of another server', 'scep', { ...request, url: 'https://ca.example.com', template: {} }, '/template'],
    ['an address that is none', 'scep', { ...request, url: 'ca.example.com' }, '/url'],
    [
      'a fingerprint that is none',
      'scep',
      { ...request, url: 'https://c.example', caFingerprint: 'zz' },
      '/caFingerprint',
    ],
    ['a window of a year', 'scep', { ...request, renewalWindowDays: 365 }, '/renewalWindowDays'],
    [
      'a window for what others issue',
      'acme',
      { subject: 'CN=x', directoryUrl: 'https://ca.example.com', clientIdentifier: 'x', renewalWindowDays: 30 },
      '/renewalWindowDays',
    ],
    ['a lifetime of a day', 'scep', { ...request, template: { lifetimeDays: 1 } }, '/template'],
    [
      'a directory name that no device can ask for',
      'scep',
      {
        ...{ subject: 'CN=x', url: 'https://ca.example.com', sans: [{ type: 'dn', value: 'CN=x' }] },
      },
      '/sans/0',
    ],
    ['a name of an unknown kind', 'acme', { subject: 'CN=x', sans: [{ type: 'ip', value: '::1' }] }, '/sans/0/type'],
    [
      'an ACME server without an identifier',
      'acme',
      { ...request, directoryUrl: 'https://a.example' },
      '/clientIdentifier',
    ],
    ['an attested key in software', 'acme', { ...request, hardwareBound: false, attest: true }, '/attest'],
    ['a certificate file that is none', 'certificate', { file: 'hello!' }, '/file'],
    ['no file', 'certificate', {}, '/file'],
    ['no authority', 'certificate-revocation', {}, '/certificates'],
    ['a whole top-level domain', 'certificate-transparency', { domains: ['.com'] }, '/domains/0'],
  ];
  for (const [name, type, settings, path] of cases) {
    it(name, () => {
      const [issue] = validateSettings(type, settings);
      expect(issue).toMatchObject({ severity: 'error', path });
      expect(issue!.remedy).not.toBe('');
      expect(() => compile(type, settings)).toThrowError();
    });
  }

  it('while right ones are taken', () => {
    expect(validateSettings('scep', { ...request, url: 'https://ca.example.com', challenge: 'ndes' })).toEqual([]);
    expect(validateSettings('acme', { ...request, template: { lifetimeDays: 90 }, renewalWindowDays: 30 })).toEqual([]);
    expect(credentialConfigurationTypes.map(({ name }) => name)).toContain('certificate-transparency');
  });
});
