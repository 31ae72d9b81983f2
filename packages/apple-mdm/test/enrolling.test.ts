// What comes before an enrolment: machine information, refusals, account-driven enrolment, the profile service, tokens.
import { createHmac, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { decodeDict } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import {
  accessRights,
  accountChallenge,
  authenticationResult,
  bearerOf,
  enrolmentProfile,
  MdmError,
  managedAccountToken,
  pairingTokenMissing,
  platformSsoRequired,
  profileService,
  readMachineInfo,
  readProfile,
  schema,
  serviceDiscovery,
  softwareUpdateRequired,
  unrecognisedDevice,
  validate,
  wellKnownFailed,
} from '../src/index.ts';
import { plist } from './fixtures/messages.ts';

describe('machine information', () => {
  it('has a property for each key of the schema', () => {
    const types: Record<string, string> = {
      string: '<string>x</string>',
      boolean: '<true/>',
      data: '<data>AQI=</data>',
    };
    const keys = schema.other('MachineInfo')!.keys;
    const read = readMachineInfo(plist(keys.map(({ key, type }) => `<key>${key}</key>${types[type]}`).join('')));
    // Nothing of the schema is left in `value` alone.
    expect(Object.keys(read)).toHaveLength(keys.length + 1);
    expect(read).toMatchObject({
      product: 'x',
      build: 'x',
      serialNumber: 'x',
      canUpdateFirst: true,
      canSignInFirst: true,
    });
  });

  it('of a User Enrolment tells three things (Apple, simple authentication flow)', () => {
    const read = readMachineInfo(
      plist(
        '<key>LANGUAGE</key><string>en-US</string><key>PRODUCT</key><string>iPhone10,2</string><key>VERSION</key><string>19A240</string>',
      ),
    );
    expect(read).toMatchObject({ product: 'iPhone10,2', build: '19A240', language: 'en-US', canUpdateFirst: false });
    expect(read).not.toHaveProperty('udid');
  });

  it.each([
    ['<key>PRODUCT</key><string>x</string>', 'mdm.machine_info.missing_key', '/VERSION'],
    [
      '<key>PRODUCT</key><integer>1</integer><key>VERSION</key><string>x</string>',
      'mdm.machine_info.bad_key',
      '/PRODUCT',
    ],
    ['<key>PRODUCT</key><string/><key>VERSION</key><string>x</string>', 'mdm.machine_info.bad_key', '/PRODUCT'],
  ])('refuses %s', (inner, code, path) => {
    expect(() => readMachineInfo(plist(inner))).toThrow(expect.objectContaining({ code, at: { path } }));
  });

  it('refuses what is no property list, and what is too large', () => {
    expect(() => readMachineInfo(new Uint8Array([1, 2]))).toThrow(expect.objectContaining({ code: 'mdm.not_plist' }));
    expect(() => readMachineInfo(new Uint8Array(65 * 1024))).toThrow(
      expect.objectContaining({ code: 'mdm.too_large' }),
    );
  });
});

describe('refusals', () => {
  it('are as the schema has them', () => {
    const all = [
      softwareUpdateRequired({
        osVersion: '17.5 (a)',
        buildVersion: '21F79',
        message: 'Update first.',
        betaProgram: { description: 'Beta', token: 't' },
      }),
      platformSsoRequired({ profileUrl: 'https://a/p', manifestUrl: 'https://a/m', authUrl: 'https://a/s' }),
      unrecognisedDevice({ description: 'who?' }),
      pairingTokenMissing({ securityToken: '1B4E28BA-2FA1-11D2-883F-0016D3CCA427' }),
      wellKnownFailed(),
    ];
    expect(all.map(({ code }) => code).sort()).toEqual([...schema.names('error')].sort());
    for (const refusal of all) expect([refusal.code, validate('error', refusal)]).toEqual([refusal.code, []]);
  });
});

describe('account-driven enrolment', () => {
  it('is discovered', () => {
    const services = [
      { mode: 'BYOD', baseUrl: 'https://mdmserver.example.com/enroll/byod' },
      { mode: 'ADDE', baseUrl: 'https://mdmserver.example.com/enroll/adde' },
    ] as const;
    expect(serviceDiscovery(services)).toEqual({
      Servers: [
        { Version: 'mdm-byod', BaseURL: 'https://mdmserver.example.com/enroll/byod' },
        { Version: 'mdm-adde', BaseURL: 'https://mdmserver.example.com/enroll/adde' },
      ],
    });
  });

  it('has the challenges of Apple’s examples', () => {
    expect(accountChallenge({ method: 'apple-as-web', url: 'https://mdmserver.example.com/authenticate' })).toBe(
      'Bearer method="apple-as-web", url="https://mdmserver.example.com/authenticate"',
    );
    const oauth = {
      method: 'apple-oauth2',
      authorizationUrl: 'https://mdmserver.example.com/oauth2/authorization',
      tokenUrl: 'https://mdmserver.example.com/oauth2/token',
      redirectUrl: 'apple-remotemanagement-user-login:/oauth2/redirection',
      clientId: '03FDDE96-FDAB-45EF-A589-0E29C026E824',
      scope: 'MDM',
    } as const;
    expect(accountChallenge(oauth)).toBe(
      'Bearer method="apple-oauth2", authorization-url="https://mdmserver.example.com/oauth2/authorization", ' +
        'token-url="https://mdmserver.example.com/oauth2/token", ' +
        'redirect-url="apple-remotemanagement-user-login:/oauth2/redirection", ' +
        'client-id="03FDDE96-FDAB-45EF-A589-0E29C026E824", scope="MDM"',
    );
    for (const wrong of [
      { ...oauth, scope: 'a", method="b' },
      { ...oauth, clientId: '' },
      { ...oauth, tokenUrl: 'http://a' },
      { ...oauth, redirectUrl: 'https://a' },
      { ...oauth, scope: 'a\r\nb' },
      { method: 'apple-as-web', url: 'javascript:1' } as const,
    ]) {
      expect(() => accountChallenge(wrong)).toThrow(MdmError);
    }
    expect(authenticationResult('dXNlci1pZGVudGl0eQ')).toBe(
      'apple-remotemanagement-user-login://authentication-results?access-token=dXNlci1pZGVudGl0eQ',
    );
  });

  it('has a bearer token', () => {
    expect(bearerOf('Bearer dXNlcm9hdXRo.MjZkNTkzZmMtNzk4MC00OWFkLTllZTAtZTA2NzhmNmVhNzg5')).toMatch(/^dXNlcm9/);
    expect(bearerOf('bearer abc==')).toBe('abc==');
    for (const wrong of [null, '', 'Basic abc', 'Bearer', 'Bearer a b', 'Bearer a;b'])
      expect(bearerOf(wrong)).toBeNull();
  });

  it('has a profile without access rights', () => {
    const base = {
      organisation: 'Example',
      serverUrl: 'https://mdm.example.com/mdm',
      topic: 'com.apple.mgmt.External.x',
      identity: { url: 'https://mdm.example.com/scep', subject: [['CN', 'x']] },
    } as const;
    const mdm = (bytes: Uint8Array) =>
      readProfile(bytes).payloads.find(({ type }) => type === 'com.apple.mdm')!.content;
    const byod = mdm(enrolmentProfile({ ...base, enrolmentMode: 'BYOD', assignedManagedAppleId: 'ann@example.com' }));
    expect(byod).toMatchObject({ EnrollmentMode: 'BYOD', AssignedManagedAppleID: 'ann@example.com' });
    expect(byod).not.toHaveProperty('AccessRights');
    const older = mdm(enrolmentProfile({ ...base, managedAppleId: 'ann@example.com' }));
    expect(older).toMatchObject({ ManagedAppleID: 'ann@example.com' });
    expect(older).not.toHaveProperty('AccessRights');
    expect(mdm(enrolmentProfile({ ...base, enrolmentMode: 'ADDE' }))).toMatchObject({ AccessRights: 8191 });
    expect(() =>
      enrolmentProfile({ ...base, enrolmentMode: 'BYOD', accessRights: accessRights('AllowInspection') }),
    ).toThrow(expect.objectContaining({ code: 'mdm.access_rights' }));
  });
});

describe('the profile service', () => {
  const input = { url: 'https://mdm.example.com/enrol/ota/t', challenge: 'c', organisation: 'Example' };

  it('asks for attributes', () => {
    const bytes = profileService({ ...input, description: 'd' });
    expect(profileService({ ...input, description: 'd' })).toEqual(bytes);
    expect(decodeDict(bytes)).toMatchObject({
      PayloadType: 'Profile Service',
      PayloadVersion: 1,
      PayloadOrganization: 'Example',
      PayloadContent: {
        URL: input.url,
        Challenge: 'c',
        DeviceAttributes: ['UDID', 'VERSION', 'PRODUCT', 'SERIAL', 'IMEI', 'MEID'],
      },
    });
    expect(decodeDict(profileService({ ...input, challenge: 'd' }))['PayloadUUID']).not.toBe(
      decodeDict(bytes)['PayloadUUID'],
    );
    expect(() => profileService({ ...input, url: 'http://a' })).toThrow(MdmError);
    profileService({ ...input, url: 'http://a', allowHttp: true });
  });
});

describe('the token of com.apple.maid', () => {
  const claims = { serverUuid: '677CAB70-5B90-4D9C-8C2C-9B4C1B9B2C2B', issuedAt: Date.UTC(2026, 0, 1), tokenId: 'J' };

  it.each(['rsa', 'ec'] as const)('is signed with %s', (type) => {
    const pair =
      type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const privateKey = new Uint8Array(pair.privateKey.export({ format: 'der', type: 'pkcs8' }));
    const [header, body, signature] = managedAccountToken({ ...claims, privateKey }).split('.') as [
      string,
      string,
      string,
    ];
    const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
    expect(read(header)).toEqual({ alg: type === 'rsa' ? 'RS256' : 'ES256', typ: 'JWT' });
    expect(read(body)).toEqual({
      iss: claims.serverUuid,
      iat: 1_767_225_600,
      jti: 'J',
      service_type: 'com.apple.maid',
    });
    const key = { key: createPublicKey(pair.privateKey), dsaEncoding: 'ieee-p1363' as const };
    expect(verify('sha256', Buffer.from(`${header}.${body}`), key, Buffer.from(signature, 'base64url'))).toBe(true);
  });

  it('needs a key that can', () => {
    const ed = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
    for (const privateKey of [new Uint8Array(ed), createHmac('sha256', 'x').digest()]) {
      expect(() => managedAccountToken({ ...claims, privateKey })).toThrow(
        expect.objectContaining({ code: 'mdm.token.bad_key' }),
      );
    }
  });
});
