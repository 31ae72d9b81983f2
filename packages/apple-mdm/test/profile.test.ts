// Profiles: built, read, and the enrolment profile. Python's plistlib is the second reader.
import { execFileSync } from 'node:child_process';
import { decodeDict, encodeXml } from '@espalier/plist';
import { describe, expect, test } from 'vitest';
import {
  type AcmeIdentity,
  accessRight,
  accessRightNames,
  accessRights,
  allAccessRights,
  buildEnrolmentProfile,
  buildProfile,
  checkAccessRights,
  compareAccessRights,
  type EnrolmentProfileInput,
  enrolmentProfile,
  payload,
  readProfile,
  uuidFrom,
  validate,
} from '../src/index.ts';

const code = (expected: string, path?: string) =>
  expect.objectContaining({ name: 'MdmError', code: expected, ...(path === undefined ? {} : { at: { path } }) });

const passcode = payload(
  'com.apple.mobiledevice.passwordpolicy',
  { minLength: 6, forcePIN: true },
  { displayName: 'Passcode' },
);
const simple = { identifier: 'com.example.passcode', displayName: 'Passcode policy', payloads: [passcode] } as const;
const uuid = /^[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$/;

function python(): boolean {
  try {
    execFileSync('python3', ['-c', 'import plistlib'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    console.log('skipped: python3 is not installed');
    return false;
  }
}

/** What Python's plistlib reads, data as base64. */
function plistlib(bytes: Uint8Array): unknown {
  const script =
    'import sys, json, plistlib, base64; print(json.dumps(plistlib.loads(sys.stdin.buffer.read()), default=lambda b: base64.b64encode(b).decode()))';
  return JSON.parse(execFileSync('python3', ['-c', script], { input: bytes, encoding: 'utf8' }));
}

describe('buildProfile', () => {
  test('writes the top level and the common keys', () => {
    const built = buildProfile({
      ...simple,
      organisation: 'Example',
      description: 'd',
      scope: 'System',
      removalDisallowed: true,
    });
    expect(decodeDict(built.bytes)).toEqual({
      PayloadContent: [
        {
          minLength: 6,
          forcePIN: true,
          PayloadDisplayName: 'Passcode',
          PayloadIdentifier: 'com.example.passcode.passwordpolicy',
          PayloadType: 'com.apple.mobiledevice.passwordpolicy',
          PayloadUUID: expect.stringMatching(uuid),
          PayloadVersion: 1,
        },
      ],
      PayloadDescription: 'd',
      PayloadDisplayName: 'Passcode policy',
      PayloadIdentifier: 'com.example.passcode',
      PayloadOrganization: 'Example',
      PayloadRemovalDisallowed: true,
      PayloadScope: 'System',
      PayloadType: 'Configuration',
      PayloadUUID: built.uuid,
      PayloadVersion: 1,
    });
    expect(built.payloads).toEqual([
      {
        type: 'com.apple.mobiledevice.passwordpolicy',
        identifier: 'com.example.passcode.passwordpolicy',
        uuid: expect.stringMatching(uuid),
      },
    ]);
  });

  test('gives the same bytes for the same input, and another UUID for another', () => {
    const one = buildProfile(simple);
    expect(buildProfile({ ...simple }).bytes).toEqual(one.bytes);
    const other = buildProfile({
      ...simple,
      payloads: [
        payload('com.apple.mobiledevice.passwordpolicy', { minLength: 7, forcePIN: true }, { displayName: 'Passcode' }),
      ],
    });
    expect(other.uuid).not.toBe(one.uuid);
    expect(other.payloads[0]!.uuid).not.toBe(one.payloads[0]!.uuid);
    const renamed = buildProfile({ ...simple, displayName: 'Other' });
    expect(renamed.uuid).not.toBe(one.uuid);
    expect(renamed.payloads).toEqual(one.payloads); // an unchanged payload keeps its UUID
  });

  test('derives the same UUIDs whatever the order of the keys', () => {
    const turned = buildProfile({
      ...simple,
      payloads: [
        payload('com.apple.mobiledevice.passwordpolicy', { forcePIN: true, minLength: 6 }, { displayName: 'Passcode' }),
      ],
    });
    expect(turned.uuid).toBe(buildProfile(simple).uuid);
  });

  test('tells payloads of one type apart', () => {
    const wifi = (ssid: string) => payload('com.apple.wifi.managed', { SSID_STR: ssid, EncryptionType: 'None' });
    const built = buildProfile({ ...simple, payloads: [wifi('a'), wifi('b'), wifi('b')] });
    expect(built.payloads.map((item) => item.identifier)).toEqual([
      'com.example.passcode.managed',
      'com.example.passcode.managed.2',
      'com.example.passcode.managed.3',
    ]);
    expect(new Set(built.payloads.map((item) => item.uuid)).size).toBe(3);
  });

  test('is typed by the schema', () => {
    // @ts-expect-error no such key
    payload('com.apple.mobiledevice.passwordpolicy', { minimumLength: 6 });
    // @ts-expect-error not one of the values
    payload('com.apple.wifi.managed', { SSID_STR: 'a', EncryptionType: 'ROT13' });
  });

  test('refuses what devices refuse', () => {
    const twice = { ...passcode, identifier: 'same' };
    expect(() => buildProfile({ ...simple, payloads: [twice, twice] })).toThrow(
      code('mdm.profile.duplicate', '/PayloadContent/1'),
    );
    expect(() =>
      buildProfile({
        ...simple,
        payloads: [
          { ...passcode, uuid: 'u' },
          { ...passcode, uuid: 'u' },
        ],
      }),
    ).toThrow(code('mdm.profile.duplicate'));
    expect(() => buildProfile({ ...simple, identifier: '' })).toThrow(code('mdm.profile.missing_key'));
    expect(() => buildProfile({ ...simple, payloads: [{ type: '', content: {} }] })).toThrow(
      code('mdm.profile.missing_key'),
    );
    expect(() => buildProfile({ ...simple, payloads: [{ type: 'x', content: { PayloadUUID: 'u' } }] })).toThrow(
      code('mdm.profile.bad_key'),
    );
  });

  test('uuidFrom keeps its parts apart', () => {
    expect(uuidFrom('ab', 'c')).not.toBe(uuidFrom('a', 'bc'));
    expect(uuidFrom('a')).toMatch(uuid);
    expect(uuidFrom('a')).toBe(uuidFrom(new Uint8Array([97])));
  });
});

describe('readProfile', () => {
  const built = buildProfile({ ...simple, organisation: 'Example' });

  test('reads what was built', () => {
    const read = readProfile(built.bytes);
    expect(read).toMatchObject({
      identifier: 'com.example.passcode',
      uuid: built.uuid,
      version: 1,
      displayName: 'Passcode policy',
      organisation: 'Example',
      removalDisallowed: false,
      signed: false,
      encrypted: false,
    });
    expect(read.payloads[0]).toMatchObject({
      type: 'com.apple.mobiledevice.passwordpolicy',
      displayName: 'Passcode',
      content: { minLength: 6 },
    });
  });

  test('opens a signed profile with what it is given', () => {
    const signed = Uint8Array.from([0x30, 1, 2, 3]);
    const signer = Uint8Array.from([9]);
    const read = readProfile(signed, {
      openSigned: (cms) => ({ content: cms === signed ? built.bytes : cms, signer }),
    });
    expect(read).toMatchObject({ signed: true, signer, identifier: 'com.example.passcode' });
    expect(read.raw).toBe(signed);
    expect(read.plist).toBe(built.bytes);
    expect(() => readProfile(signed)).toThrow(code('mdm.profile.signature'));
    expect(() =>
      readProfile(signed, {
        openSigned: () => {
          throw new Error('forged');
        },
      }),
    ).toThrow(/forged/);
    expect(() =>
      readProfile(new Uint8Array(200).fill(0x30), {
        limits: { maxBytes: 100 },
        openSigned: () => expect.unreachable(),
      }),
    ).toThrow(code('mdm.too_large'));
  });

  const encrypted = encodeXml({
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadIdentifier: 'a',
    PayloadUUID: 'b',
    IsEncrypted: true,
    EncryptedPayloadContent: Uint8Array.from([1]),
  });

  test('decrypts an encrypted profile with what it is given', () => {
    const content = encodeXml([{ PayloadType: 't', PayloadVersion: 1, PayloadIdentifier: 'i', PayloadUUID: 'u' }]);
    expect(readProfile(encrypted, { decrypt: () => content }).payloads).toMatchObject([{ type: 't' }]);
    expect(readProfile(encrypted)).toMatchObject({ encrypted: true, payloads: [] });
    expect(() => readProfile(encrypted, { decrypt: () => encodeXml({}) })).toThrow(code('mdm.profile.encrypted'));
    expect(() => readProfile(encrypted, { decrypt: () => new Uint8Array([1]) })).toThrow(code('mdm.not_plist'));
    expect(() =>
      readProfile(encrypted, {
        decrypt: () => {
          throw new Error('no key');
        },
      }),
    ).toThrow(code('mdm.profile.encrypted'));
  });

  test('refuses what is no profile', () => {
    const profile = (change: object) =>
      encodeXml({
        PayloadType: 'Configuration',
        PayloadVersion: 1,
        PayloadIdentifier: 'a',
        PayloadUUID: 'b',
        ...change,
      } as never);
    expect(() => readProfile(profile({ PayloadType: 'Other' }))).toThrow(code('mdm.profile.bad_key', '/PayloadType'));
    expect(() => readProfile(profile({ PayloadVersion: undefined }))).toThrow(
      code('mdm.profile.missing_key', '/PayloadVersion'),
    );
    expect(() => readProfile(profile({ PayloadContent: ['x'] }))).toThrow(
      code('mdm.profile.bad_key', '/PayloadContent/0'),
    );
    expect(() => readProfile(profile({ PayloadContent: [{ PayloadType: 't' }] }))).toThrow(
      code('mdm.profile.missing_key', '/PayloadContent/0/PayloadVersion'),
    );
    expect(() => readProfile(new TextEncoder().encode('x'))).toThrow(code('mdm.not_plist'));
  });
});

// Bits: Apple's schema, com.apple.mdm.yaml, AccessRights.
describe('access rights', () => {
  test("add up to Apple's mask", () => {
    expect(Object.values(accessRight)).toEqual(Array.from({ length: 13 }, (_, bit) => 2 ** bit));
    expect(Object.values(accessRight).reduce((sum, bit) => sum + bit, 0)).toBe(allAccessRights);
    expect(accessRights('AllowInspection', 'AllowInstallationRemoval', 'AllowDeviceErase')).toBe(11);
    expect(accessRightNames(11)).toEqual(['AllowInspection', 'AllowInstallationRemoval', 'AllowDeviceErase']);
  });

  test('refuse combinations that devices refuse', () => {
    for (const mask of [0, -1, 8192, 1.5, Number.NaN, 2, 128, 8191 - 1, 8191 - 64]) {
      expect(() => checkAccessRights(mask), String(mask)).toThrow(code('mdm.access_rights', '/AccessRights'));
    }
    for (const mask of [1, 3, 64, 192, 4, 8191]) expect(() => checkAccessRights(mask)).not.toThrow();
  });

  test('can shrink by an update, but not grow', () => {
    expect(compareAccessRights(8191, 3)).toMatchObject({ added: [], updatable: true });
    expect(compareAccessRights(3, 7)).toEqual({
      added: ['AllowPasscodeRemovalAndLock'],
      removed: [],
      updatable: false,
    });
  });
});

describe('an enrolment profile with ACME', () => {
  const acme = {
    type: 'acme',
    directoryUrl: 'https://mdm.example.com/acme/directory',
    clientIdentifier: 'one-use-only',
    subject: [
      ['O', 'Example'],
      ['CN', 'device'],
    ],
  } as const;
  const build = (identity: AcmeIdentity) =>
    enrolmentProfile({
      organisation: 'Example',
      serverUrl: 'https://mdm.example.com/mdm',
      topic: 'com.apple.mgmt.External.test',
      identity,
    });
  const payloads = (bytes: Uint8Array) => readProfile(bytes).payloads;

  test('has the keys of the schema at the top level of its payload, and the MDM payload names it', () => {
    const bytes = build({ ...acme, usageFlags: 1, extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] });
    const [identity, mdm] = payloads(bytes);
    expect(identity!.type).toBe('com.apple.security.acme');
    expect(identity!.content).toMatchObject({
      DirectoryURL: acme.directoryUrl,
      ClientIdentifier: 'one-use-only',
      KeyType: 'ECSECPrimeRandom',
      KeySize: 384,
      HardwareBound: true,
      Attest: true,
      Subject: [[['O', 'Example']], [['CN', 'device']]],
      UsageFlags: 1,
      ExtendedKeyUsage: ['1.3.6.1.5.5.7.3.2'],
    });
    expect(mdm!.content['IdentityCertificateUUID']).toBe(identity!.uuid);
    for (const platform of ['iOS', 'macOS'] as const) {
      const target = { platform, osVersion: platform === 'macOS' ? '15.3' : '18.3' };
      expect(validate('profile', decodeDict(bytes), target)).toEqual([]);
    }
  });

  test('keeps to the rules of keys', () => {
    const fine: Partial<AcmeIdentity>[] = [
      { keySize: 256 },
      { keySize: 521, hardwareBound: false },
      { keyType: 'RSA', keySize: 3072 },
      { hardwareBound: true, attest: false },
    ];
    for (const key of fine) expect(build({ ...acme, ...key })).toBeInstanceOf(Uint8Array);
    const rsa = payloads(build({ ...acme, keyType: 'RSA' }))[0]!.content;
    expect(rsa).toMatchObject({ KeySize: 2048, HardwareBound: false, Attest: false });
    const wrong: (readonly [Partial<AcmeIdentity>, string])[] = [
      [{ keySize: 128 }, '/KeySize'],
      [{ keySize: 521 }, '/HardwareBound'],
      [{ keyType: 'RSA', keySize: 2050 }, '/KeySize'],
      [{ keyType: 'RSA', keySize: 8192 }, '/KeySize'],
      [{ keyType: 'RSA', hardwareBound: true }, '/HardwareBound'],
      [{ hardwareBound: false, attest: true }, '/Attest'],
      [{ clientIdentifier: '' }, '/ClientIdentifier'],
      [{ directoryUrl: 'http://mdm.example.com/acme/directory' }, '/DirectoryURL'],
    ];
    for (const [key, path] of wrong) {
      expect(() => build({ ...acme, ...key })).toThrow(code('mdm.profile.bad_key', path));
    }
  });
});

describe('enrolmentProfile', () => {
  const input: EnrolmentProfileInput = {
    organisation: 'Example',
    identifier: 'com.example.mdm',
    serverUrl: 'https://mdm.example.com/connect',
    checkInUrl: 'https://mdm.example.com/checkin',
    topic: 'com.apple.mgmt.External.x',
    accessRights: 8191,
    identity: {
      url: 'http://mdm.example.com/scep',
      challenge: 'once',
      subject: [
        ['O', 'Example'],
        ['CN', 'device'],
      ],
      caFingerprint: new Uint8Array(20).fill(7),
    },
    rootCertificates: [Uint8Array.from([1, 2]), Uint8Array.from([3])],
  };

  test('has the certificates, the SCEP payload and the MDM payload that uses it', () => {
    const profile = readProfile(enrolmentProfile(input));
    expect(profile.payloads.map((item) => item.type)).toEqual([
      'com.apple.security.root',
      'com.apple.security.root',
      'com.apple.security.scep',
      'com.apple.mdm',
    ]);
    const [root, , scep, mdm] = profile.payloads;
    expect(root!.content['PayloadContent']).toEqual(Uint8Array.from([1, 2]));
    expect(scep!.content['PayloadContent']).toEqual({
      URL: 'http://mdm.example.com/scep',
      Subject: [[['O', 'Example']], [['CN', 'device']]],
      Challenge: 'once',
      Keysize: 2048,
      'Key Type': 'RSA',
      'Key Usage': 5,
      CAFingerprint: new Uint8Array(20).fill(7),
      KeyIsExtractable: false,
    });
    expect(mdm!.content).toMatchObject({
      IdentityCertificateUUID: scep!.uuid,
      Topic: 'com.apple.mgmt.External.x',
      ServerURL: 'https://mdm.example.com/connect',
      CheckInURL: 'https://mdm.example.com/checkin',
      SignMessage: true,
      AccessRights: 8191,
      CheckOutWhenRemoved: true,
      ServerCapabilities: ['com.apple.mdm.per-user-connections'],
    });
  });

  test('is the same bytes for the same input', () => {
    expect(enrolmentProfile(input)).toEqual(enrolmentProfile({ ...input }));
  });

  test('reads the same in Python', { skip: !python() }, () => {
    expect(plistlib(enrolmentProfile(input))).toMatchObject({
      PayloadType: 'Configuration',
      PayloadIdentifier: 'com.example.mdm',
      PayloadContent: [
        { PayloadContent: 'AQI=' },
        { PayloadContent: 'Aw==' },
        { PayloadContent: { Challenge: 'once', Keysize: 2048 } },
        { PayloadType: 'com.apple.mdm', AccessRights: 8191 },
      ],
    });
  });

  test('can carry the identity, pin the roots and enrol by account', () => {
    const built = buildEnrolmentProfile({
      ...input,
      identity: { type: 'pkcs12', data: Uint8Array.from([5]), password: 'p' },
      pinRootCertificates: true,
      enrolmentMode: 'ADDE',
      assignedManagedAppleId: 'a@example.com',
      serverCapabilities: ['com.apple.mdm.per-user-connections', 'com.apple.mdm.bootstraptoken', 'com.apple.mdm.token'],
      payloads: [payload('com.apple.wifi.managed', { SSID_STR: 'a', EncryptionType: 'None' })],
    });
    const { payloads } = readProfile(built.bytes);
    const mdm = payloads.at(-1)!.content;
    expect(payloads.map((item) => item.type)).toContain('com.apple.security.pkcs12');
    expect(mdm['IdentityCertificateUUID']).toBe(
      payloads.find((item) => item.type === 'com.apple.security.pkcs12')!.uuid,
    );
    expect(mdm['ServerURLPinningCertificateUUIDs']).toEqual([payloads[0]!.uuid, payloads[1]!.uuid]);
    expect(mdm).toMatchObject({ EnrollmentMode: 'ADDE', AssignedManagedAppleID: 'a@example.com' });
  });

  test('refuses what devices refuse', () => {
    expect(() => enrolmentProfile({ ...input, accessRights: 2 })).toThrow(code('mdm.access_rights'));
    expect(() => enrolmentProfile({ ...input, serverUrl: 'http://mdm.example.com' })).toThrow(
      code('mdm.profile.bad_key', '/ServerURL'),
    );
    expect(() => enrolmentProfile({ ...input, checkInUrl: 'nonsense' })).toThrow(
      code('mdm.profile.bad_key', '/CheckInURL'),
    );
    expect(() => enrolmentProfile({ ...input, serverUrl: 'ftp://x', allowHttp: true })).toThrow(
      code('mdm.profile.bad_key'),
    );
    expect(() => enrolmentProfile({ ...input, topic: 'com.example.app' })).toThrow(
      code('mdm.profile.bad_key', '/Topic'),
    );
    expect(() => enrolmentProfile({ ...input, identity: { url: 'x', subject: [] } })).toThrow(
      code('mdm.profile.bad_key'),
    );
    const odd = { url: 'https://a', subject: [], caFingerprint: new Uint8Array(3) };
    expect(() => enrolmentProfile({ ...input, identity: odd })).toThrow(
      code('mdm.profile.bad_key', '/PayloadContent/CAFingerprint'),
    );
    expect(enrolmentProfile({ ...input, serverUrl: 'http://127.0.0.1:1/', allowHttp: true })).toBeInstanceOf(
      Uint8Array,
    );
  });
});
