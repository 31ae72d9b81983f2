// Credential payloads against Apple's schema, openssl's hashes, and Apple's own example of a subject.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BuiltProfile, type ProfilePayload, payload, readProfile, validate } from '@espalier/apple-mdm';
import {
  createPkcs12,
  createRootCa,
  generateKeyPair,
  type Identity,
  openCa,
  readCertificate,
  readPkcs12,
  resolveSubject,
  toPem,
} from '@espalier/pki';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  acmePayload,
  appleSubject,
  buildLinkedProfile,
  certificatePayloads,
  certificatePreferencePayload,
  certificateRevocationPayload,
  certificateTransparencyPayload,
  identityPreferencePayload,
  type NamedPayload,
  named,
  PolicyError,
  pkcs12Payload,
  publicKeySha256,
  reference,
  scepPayload,
} from '../src/index.ts';

const clock = (): number => Date.UTC(2026, 2, 1);
const key = { type: 'ec', curve: 'P-256' } as const;
const directoryUrl = 'https://acme.example/directory';

let root: Identity;
let leaf: Identity;
let chain: Uint8Array;
beforeAll(async () => {
  root = await createRootCa({ subject: 'CN=Example Root', key, clock });
  const ca = await openCa({ ...root, clock });
  const pair = await generateKeyPair(key);
  const certificate = await ca.issue({ publicKey: pair.publicKey, subject: 'CN=radius.example', template: 'device' });
  leaf = { certificate: Uint8Array.from(certificate), privateKey: pair.privateKey };
  chain = Buffer.from(toPem(leaf.certificate) + toPem(root.certificate));
});

/** Nothing that Apple's schema objects to, in the whole profile, for a current Mac or iPhone. */
function accepted(payloads: readonly NamedPayload[], platform: 'iOS' | 'macOS' = 'macOS'): BuiltProfile {
  const profile = buildLinkedProfile({ identifier: 'com.example.test', displayName: 'Test', payloads });
  const target = { platform, osVersion: '18.3' };
  expect(validate('profile', profile.value, target)).toEqual([]);
  return profile;
}

const contentOf = (profile: BuiltProfile, index: number): Record<string, unknown> =>
  (profile.value['PayloadContent'] as Record<string, unknown>[])[index]!;

function problemOf(action: () => unknown): { code: string; path: string } {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(PolicyError);
    const { code, at, remedy, message } = error as PolicyError;
    expect(remedy).not.toBe('');
    expect(message).not.toBe('');
    return { code, path: at.path };
  }
  return { code: 'no error', path: '' };
}

describe('certificate payloads', () => {
  it('hold one certificate each, roots first', () => {
    const payloads = certificatePayloads(chain);
    expect(payloads.map(({ type, displayName }) => [type, displayName])).toEqual([
      ['com.apple.security.root', 'Example Root'],
      ['com.apple.security.pkcs1', 'radius.example'],
    ]);
    const profile = accepted(payloads);
    expect(contentOf(profile, 0)).toMatchObject({
      PayloadContent: root.certificate,
      PayloadCertificateFileName: 'Example_Root.cer',
    });
    const [, pem] = certificatePayloads(chain, { pem: true });
    expect(pem!.type).toBe('com.apple.security.pem');
    expect(Buffer.from(pem!.content['PayloadContent'] as Uint8Array).toString()).toBe(toPem(leaf.certificate));
    const [single] = certificatePayloads(root.certificate, { fileName: 'root.cer', common: { displayName: 'Ours' } });
    expect(single).toMatchObject({ displayName: 'Ours', content: { PayloadCertificateFileName: 'root.cer' } });
  });

  it('never carry a private key', () => {
    const file = Buffer.from(toPem(leaf.certificate) + toPem(leaf.privateKey, 'PRIVATE KEY'));
    expect(problemOf(() => certificatePayloads(file))).toEqual({ code: 'policy.credential.invalid', path: 'file' });
    expect(problemOf(() => certificatePayloads(new Uint8Array()))).toMatchObject({ path: 'file' });
  });
});

describe('identity payloads', () => {
  it('carry an identity in a file that opens with its password', async () => {
    const built = await pkcs12Payload({ identity: { ...leaf, chain: [root.certificate] }, password: 'secret' });
    const profile = accepted([built]);
    const content = contentOf(profile, 0);
    expect(content).toMatchObject({
      Password: 'secret',
      KeyIsExtractable: false,
      PayloadDisplayName: 'radius.example',
    });
    const opened = await readPkcs12(content['PayloadContent'] as Uint8Array, 'secret');
    expect(Buffer.compare(opened.certificate, leaf.certificate)).toBe(0);

    const file = await createPkcs12({ ...leaf, password: 'other', encryption: 'legacy' });
    accepted([await pkcs12Payload({ identity: file, password: 'other' })]);
    for (const options of [
      { identity: file, password: 'wrong' },
      { identity: file, password: '' },
      { identity: chain, password: 'x' },
    ]) {
      await expect(pkcs12Payload(options)).rejects.toMatchObject({ code: 'policy.credential.invalid' });
    }
  });

  it('ask a SCEP server, with Apple’s keys', () => {
    const built = scepPayload({
      ...{
        url: 'http://scep.example/scep',
        name: 'CA',
        challenge: 'secret',
        use: 'signing' as const,
        keySize: 4096 as const,
      },
      ...{ caFingerprint: `AB:${'cd'.repeat(31)}`, retries: 5, retryDelay: 30 },
      subject: 'CN=device,DC=example,DC=com',
      sans: [
        { type: 'upn', value: 'jo@corp.example' },
        { type: 'dns', value: 'device.example' },
      ],
    });
    expect(contentOf(accepted([built]), 0)['PayloadContent']).toEqual({
      URL: 'http://scep.example/scep',
      Name: 'CA',
      Subject: [
        [['0.9.2342.19200300.100.1.25', 'com']],
        [['0.9.2342.19200300.100.1.25', 'example']],
        [['CN', 'device']],
      ],
      SubjectAltName: { ntPrincipalName: 'jo@corp.example', dNSName: 'device.example' },
      Challenge: 'secret',
      Keysize: 4096,
      'Key Type': 'RSA',
      'Key Usage': 1,
      CAFingerprint: Uint8Array.from(Buffer.from(`ab${'cd'.repeat(31)}`, 'hex')),
      Retries: 5,
      RetryDelay: 30,
      KeyIsExtractable: false,
    });
    accepted([scepPayload({ url: 'https://scep.example' })]);
  });

  it('say which SCEP option is wrong', () => {
    const url = 'https://scep.example/scep';
    const bad: [Parameters<typeof scepPayload>[0], string][] = [
      [{ url: 'ldap://scep.example' }, 'url'],
      [{ url: 'scep.example' }, 'url'],
      [{ url, subject: 'device' }, 'subject'],
      [{ url, caFingerprint: 'abc' }, 'caFingerprint'],
      [{ url, caFingerprint: 'z'.repeat(40) }, 'caFingerprint'],
      [{ url, retries: -1 }, 'retries'],
      [{ url, retryDelay: 1.5 }, 'retryDelay'],
      [{ url, use: 'all' as 'both' }, 'use'],
      [{ url, sans: [{ type: 'dn', value: 'CN=x' }] }, 'sans/0'],
      [{ url, sans: ['a.example', 'b.example'].map((value) => ({ type: 'dns', value }) as const) }, 'sans/1'],
      [{ url, keySize: 1536 as 2048 }, '/PayloadContent/Keysize'],
    ];
    for (const [options, path] of bad) {
      expect(problemOf(() => scepPayload(options))).toEqual({ code: 'policy.credential.invalid', path });
    }
  });

  it('ask an ACME server, in hardware and attested unless told otherwise', () => {
    const base = { directoryUrl, clientIdentifier: 'one-use', subject: 'CN=device' };
    const content = contentOf(accepted([acmePayload(base)]), 0);
    expect(content).toMatchObject({
      ...{ DirectoryURL: directoryUrl, ClientIdentifier: 'one-use', KeyType: 'ECSECPrimeRandom', KeySize: 384 },
      ...{ HardwareBound: true, Attest: true, Subject: [[['CN', 'device']]] },
    });
    const soft = acmePayload({
      ...base,
      ...{ keyType: 'RSA', keySize: 3072, use: 'both', extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] },
      sans: [{ type: 'uri', value: 'urn:x' }],
    });
    expect(contentOf(accepted([soft]), 0)).toMatchObject({
      ...{ HardwareBound: false, Attest: false, KeyType: 'RSA', KeySize: 3072, UsageFlags: 5 },
      ...{ ExtendedKeyUsage: ['1.3.6.1.5.5.7.3.2'], SubjectAltName: { uniformResourceIdentifier: 'urn:x' } },
    });
    expect(contentOf(accepted([acmePayload({ ...base, keySize: 521 })]), 0)).toMatchObject({ HardwareBound: false });
  });

  it('say which ACME option is wrong', () => {
    const base = { directoryUrl, clientIdentifier: 'x', subject: 'CN=x' };
    const bad: [Partial<Parameters<typeof acmePayload>[0]>, string][] = [
      [{ directoryUrl: 'http://acme.example' }, 'directoryUrl'],
      [{ directoryUrl: '' }, 'directoryUrl'],
      [{ clientIdentifier: '' }, 'clientIdentifier'],
      [{ keySize: 512 }, 'keySize'],
      [{ keyType: 'RSA', keySize: 2049 }, 'keySize'],
      [{ keyType: 'RSA', keySize: 8192 }, 'keySize'],
      [{ keyType: 'EC' as 'RSA' }, 'keyType'],
      [{ keyType: 'RSA', hardwareBound: true }, 'hardwareBound'],
      [{ keySize: 521, hardwareBound: true }, 'hardwareBound'],
      [{ hardwareBound: false, attest: true }, 'attest'],
      [{ extendedKeyUsage: ['clientAuth'] }, 'extendedKeyUsage/0'],
      [{ use: 'x' as 'both' }, 'use'],
      [{ subject: 'x' }, 'subject'],
    ];
    for (const [options, path] of bad) {
      expect(problemOf(() => acmePayload({ ...base, ...options }))).toEqual({
        code: 'policy.credential.invalid',
        path,
      });
    }
  });

  it('write subjects as Apple’s documentation does', () => {
    const name = resolveSubject('C=US,O=Apple Inc.,CN=foo,1.2.5.3=bar', {
      ...{ values: {}, now: 0 },
      order: 'root-first',
    });
    expect(appleSubject(name)).toEqual([[['C', 'US']], [['O', 'Apple Inc.']], [['CN', 'foo']], [['1.2.5.3', 'bar']]]);
    expect(appleSubject('CN=\\#1,E=jo@example.com+ST=Bern')).toEqual([
      [
        ['1.2.840.113549.1.9.1', 'jo@example.com'],
        ['ST', 'Bern'],
      ],
      [['CN', '#1']],
    ]);
    expect(problemOf(() => appleSubject('CN=#0500')).path).toBe('subject');
  });
});

describe('trust payloads', () => {
  it('name certificates by the SHA-256 of their public keys, once', () => {
    const hash = publicKeySha256(root.certificate);
    const built = certificateRevocationPayload({
      certificates: [root.certificate],
      hashes: [Buffer.from(hash).toString('base64'), new Uint8Array(32)],
    });
    const profile = accepted([built], 'iOS');
    expect(contentOf(profile, 0)['EnabledForCerts']).toEqual([
      { Algorithm: 'sha256', Hash: hash },
      { Algorithm: 'sha256', Hash: new Uint8Array(32) },
    ]);
    for (const [list, path] of [
      [{}, 'certificates'],
      [{ hashes: [new Uint8Array(31)] }, 'hashes/0'],
      [{ hashes: ['aGFsbG8='] }, 'hashes/0'],
      [{ hashes: [`${'A'.repeat(42)}!=`] }, 'hashes/0'],
      [{ certificates: [new Uint8Array(3)] }, 'certificates/0'],
    ] as const) {
      expect(problemOf(() => certificateRevocationPayload(list)).path).toBe(path);
    }
  });

  it('exempt domains from transparency, but no top-level domain', () => {
    const built = certificateTransparencyPayload({
      domains: ['.SampleDomain.com', '.sampledomain.co.uk', 'www.example.org'],
      certificates: [chain],
    });
    const content = contentOf(accepted([built]), 0);
    expect(content['DisabledForDomains']).toEqual(['.sampledomain.com', '.sampledomain.co.uk', 'www.example.org']);
    expect(content['DisabledForCerts']).toHaveLength(2);
    for (const domain of ['.com', '.co.uk', '*.example.com', '', 'a b', '.x_y.com', '..example.com', '-a.example']) {
      expect(problemOf(() => certificateTransparencyPayload({ domains: [domain] })).path, domain).toBe('domains/0');
    }
    expect(problemOf(() => certificateTransparencyPayload({})).path).toBe('domains');
    const isPublicSuffix = (domain: string): boolean => domain === 'github.io';
    expect(problemOf(() => certificateTransparencyPayload({ domains: ['.github.io'], isPublicSuffix })).path).toBe(
      'domains/0',
    );
    certificateTransparencyPayload({ domains: ['.espalier.github.io'], isPublicSuffix });
  });

  it('prefer a certificate or an identity for a name', () => {
    const profile = accepted([
      ...certificatePayloads(root.certificate).map((item) => named('root', item)),
      named('identity', acmePayload({ directoryUrl, clientIdentifier: 'x', subject: 'CN=x' })),
      certificatePreferencePayload('jo@example.com', reference('root')),
      identityPreferencePayload('https://catalog.example/', reference('identity')),
    ]);
    const [rootUuid, identityUuid] = profile.payloads.map(({ uuid }) => uuid);
    expect(contentOf(profile, 2)).toMatchObject({ Name: 'jo@example.com', PayloadCertificateUUID: rootUuid });
    expect(contentOf(profile, 3)).toMatchObject({ PayloadCertificateUUID: identityUuid });
    expect(problemOf(() => identityPreferencePayload('', 'x')).path).toBe('name');
  });

  const openssl = spawnSync('which', ['openssl']).status === 0;
  const hashesAlike = (): void => {
    const dir = mkdtempSync(join(tmpdir(), 'espalier-policy-'));
    try {
      const file = join(dir, 'root.pem');
      writeFileSync(file, toPem(root.certificate));
      const recipe = `openssl x509 -pubkey -noout -in ${file} | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64`;
      const base64 = execFileSync('sh', ['-c', recipe]).toString().trim();
      expect(Buffer.from(publicKeySha256(root.certificate)).toString('base64')).toBe(base64);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  };
  if (openssl || process.env['CI'] === 'true') it('hash public keys as openssl’s recipe does', hashesAlike);
  else it.skip('hash public keys as openssl’s recipe does (skipped: openssl is not installed)', hashesAlike);
});

describe('references within a profile', () => {
  const wifi = (identity: string, anchors: string[] = []): ProfilePayload =>
    payload('com.apple.wifi.managed', {
      SSID_STR: 'Example',
      EncryptionType: 'WPA2',
      PayloadCertificateUUID: identity,
      EAPClientConfiguration: { AcceptEAPTypes: [13], PayloadCertificateAnchorUUID: anchors },
    });
  const scep = (): ProfilePayload => scepPayload({ url: 'https://scep.example', subject: 'CN=x', challenge: 'c' });
  const link = (payloads: readonly NamedPayload[]): BuiltProfile =>
    buildLinkedProfile({ identifier: 'com.example.wifi', displayName: 'Wi-Fi', payloads });

  it('become UUIDs, whatever the order', () => {
    const anchors = certificatePayloads(chain);
    const payloads = [
      wifi(reference('identity'), [reference('root'), reference('leaf')]),
      named('identity', scep()),
      named('root', anchors[0]!),
      named('leaf', anchors[1]!),
    ];
    const profile = accepted(payloads, 'iOS');
    const [, identity, root, leaf] = profile.payloads.map(({ uuid }) => uuid);
    expect(contentOf(profile, 0)).toMatchObject({
      PayloadCertificateUUID: identity,
      EAPClientConfiguration: { PayloadCertificateAnchorUUID: [root, leaf] },
    });
    expect(Buffer.from(profile.bytes).toString()).not.toContain('reference:');
    // And the device reads what was written.
    expect(readProfile(profile.bytes).payloads.map(({ type }) => type)).toEqual(payloads.map(({ type }) => type));
    // Stable: the same input, the same bytes; another challenge, another UUID, and what refers to it follows.
    expect(link(payloads).bytes).toEqual(link(payloads).bytes);
    const other = link(
      [payloads[0]!, named('identity', scepPayload({ url: 'https://scep.example', challenge: 'd' }))].concat(
        payloads.slice(2),
      ),
    );
    expect(other.payloads[1]!.uuid).not.toBe(link(payloads).payloads[1]!.uuid);
    expect(other.payloads[0]!.uuid).not.toBe(link(payloads).payloads[0]!.uuid);
    expect(other.payloads[2]!.uuid).toBe(link(payloads).payloads[2]!.uuid);
  });

  it('must mean a payload of the profile', () => {
    const uuid = '11111111-2222-4333-8444-555555555555';
    const cases: [readonly NamedPayload[], string, string][] = [
      [[wifi(reference('nobody')), named('identity', scep())], 'missing', '/PayloadContent/0/PayloadCertificateUUID'],
      [[wifi(uuid)], 'missing', '/PayloadContent/0/PayloadCertificateUUID'],
      [[named('a', scep()), named('a', { ...scep(), identifier: 'other' })], 'duplicate', '/PayloadContent/1'],
      [
        [wifi(reference('root')), named('root', certificatePayloads(root.certificate)[0]!)],
        'wrong_type',
        '/PayloadContent/0/PayloadCertificateUUID',
      ],
      [
        [wifi(reference('id'), [reference('id')]), named('id', scep())],
        'wrong_type',
        '/PayloadContent/0/EAPClientConfiguration/PayloadCertificateAnchorUUID/0',
      ],
    ];
    for (const [payloads, what, path] of cases) {
      expect(problemOf(() => link(payloads))).toEqual({ code: `policy.reference.${what}`, path });
    }
    expect(link([wifi(uuid), { ...scep(), uuid }]).payloads[1]!.uuid).toBe(uuid);
    expect(link([wifi(reference('id')), named('id', { ...scep(), uuid })]).payloads[1]!.uuid).toBe(uuid);
  });

  it('must not go round in a circle', () => {
    const vpn = (to: string): ProfilePayload => ({ type: 'com.example.custom', content: { Other: reference(to) } });
    const circle = [named('a', vpn('b')), named('b', vpn('c')), named('c', vpn('a'))];
    expect(problemOf(() => link(circle))).toMatchObject({ code: 'policy.reference.cycle' });
    expect(problemOf(() => link([named('a', vpn('a'))]))).toMatchObject({ code: 'policy.reference.cycle' });
    // A payload with a UUID of its own breaks the circle.
    const uuid = '11111111-2222-4333-8444-555555555555';
    const broken = link([{ ...circle[0]!, uuid }, circle[1]!, circle[2]!]);
    expect(contentOf(broken, 2)['Other']).toBe(uuid);
  });

  it('leave data, dates and other texts as they are', () => {
    const content = {
      Data: Uint8Array.of(1, 2),
      Date: new Date(0),
      Text: 'reference:x',
      List: [1, true, { Deep: 'y' }],
    };
    const profile = link([{ type: 'com.example.custom', content }]);
    expect(contentOf(profile, 0)).toMatchObject(content);
  });

  it('serve FileVault’s escrow, which takes a PKCS#1 payload only', () => {
    const escrow = (uuid: string): ProfilePayload =>
      payload('com.apple.security.FDERecoveryKeyEscrow', { Location: 'Example Ltd', EncryptCertPayloadUUID: uuid });
    const certificate = certificatePayloads(leaf.certificate)[0]!;
    expect(readCertificate(certificate.content['PayloadContent'] as Uint8Array).subjectCn).toBe('radius.example');
    accepted([named('escrow', certificate), escrow(reference('escrow'))]);
    const [pem] = certificatePayloads(leaf.certificate, { pem: true });
    expect(problemOf(() => link([named('escrow', pem!), escrow(reference('escrow'))])).code).toBe(
      'policy.reference.wrong_type',
    );
  });
});
