// What identity certificates say: subject, names, security identifier, usages, validity; openssl reads them.
import { type CertificateAuthority, PkiError, readCertificate, scepEnrol, signCms, toPem } from '@espalier/pki';
import { decodeDict, encodeXml, type PlistDict } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import type { HostOptions, IdentityCertificateOptions } from '../src/index.ts';
import { folder, need, put, run } from './tools.ts';
import { authority, messages, ORIGIN, START, type World, world } from './world.ts';

const SID = 'S-1-5-21-2857422465-1465058494-1690550294-500';
const user = {
  EMAIL: 'jo@example.com',
  USER_UPN: 'jo@corp.example.com',
  USER_DN: 'CN=Jo Doe,OU=Staff,DC=corp,DC=example,DC=com',
  USER_SID: SID,
};
const profile = { organisation: 'Example', topic: 'com.apple.mgmt.External.test', sign: (bytes: Uint8Array) => bytes };

const full: IdentityCertificateOptions = {
  subject: 'CN=$RANDOM_32$,OU=$CONFIG_UUID$,O=Company Name, Inc.',
  sans: [
    { type: 'upn', value: '$USER_UPN$' },
    { type: 'email', value: '$EMAIL$' },
    { type: 'uri', value: 'tag:example.com,2026:$USER_SID$' },
    { type: 'dn', value: '$USER_DN$' },
    { type: 'none', value: '' },
  ],
  microsoftSid: true,
  key: { type: 'rsa', bits: 2048 },
  template: { lifetimeDays: 90, usage: 'signing', ipsec: true, hash: 'sha512', customOids: ['1.3.6.1.4.1.99999.7'] },
  values: () => user,
};

const endpoint = (to: World) => ({
  ...{ url: `${ORIGIN}/scep`, clock: to.clock },
  fetch: (input: string | URL | Request, init?: RequestInit) => to.host.fetch(new Request(input, init)),
});

/** Enrols as the profile of a fresh invitation says. */
async function first(to: World) {
  const { id: invitationId } = await to.engine.enrolling.invite();
  const { challenge } = await to.engine.enrolling.challenge({ invitationId });
  return await scepEnrol({ ...endpoint(to), challenge, subject: 'CN=what the device says' });
}

const payloadOf = (bytes: Uint8Array, type: string): PlistDict =>
  (decodeDict(bytes)['PayloadContent'] as PlistDict[]).find((item) => item['PayloadType'] === type)!;

async function profileOf(to: World): Promise<Uint8Array> {
  const { token } = await to.engine.enrolling.invite();
  const answer = await to.fetch(`/enrol/${token}`);
  expect(answer.status, await answer.clone().text()).toBe(200);
  return new Uint8Array(await answer.arrayBuffer());
}

describe('an identity certificate', () => {
  it('has what the template says, as openssl reads it', async (context) => {
    need(context, 'openssl');
    const to = await world({ identityCertificate: full });
    const dir = folder(context);
    const texts = [];
    for (const name of ['one', 'two']) {
      const file = put(dir, `${name}.pem`, toPem((await first(to)).certificate));
      const root = put(dir, 'root.pem', toPem(to.ca.certificate));
      const at = ['-attime', String(START / 1000)];
      expect(run('openssl', ['verify', '-CAfile', root, '-purpose', 'sslclient', ...at, file]).stdout).toContain(
        ': OK',
      );
      texts.push(run('openssl', ['x509', '-in', file, '-noout', '-text', '-nameopt', 'RFC2253']).stdout);
    }
    const [text = '', other = ''] = texts;
    const [, random] = /Subject: CN=([0-9a-f]{32}),OU=[0-9A-F-]{36},O=Company Name\\, Inc\.\n/.exec(text) ?? [];
    expect(random, text).toBeDefined();
    expect(other).not.toContain(random);
    expect(text).toContain('Not Before: Jan 15 11:');
    expect(text).toContain('Not After : Apr 15 12:00:00 2026');
    expect(text).toContain('sha512WithRSAEncryption');
    expect(text).toMatch(/Key Usage: critical\n\s+Digital Signature\n/);
    expect(text).toMatch(/TLS Web Client Authentication, .*1\.3\.6\.1\.4\.1\.99999\.7/);
    expect(text).toMatch(/othername: ?(UPN:?:|1\.3\.6\.1\.4\.1\.311\.20\.2\.3:)/);
    expect(text).toContain('email:jo@example.com');
    expect(text).toContain(`URI:tag:example.com,2026:${SID}`);
    expect(text).toMatch(
      /DirName:[/]?DC ?= ?com[/,] ?DC ?= ?example[/,] ?DC ?= ?corp[/,] ?OU ?= ?Staff[/,] ?CN ?= ?Jo Doe/,
    );
    expect(text).toMatch(/(1\.3\.6\.1\.4\.1\.311\.25\.2|Microsoft NTDS CA Extension): ?\n/);
    expect(text.split(SID)).toHaveLength(3);
  });

  it('leaves the security identifier out for users without one, and is refused for what else is missing', async () => {
    const without = await world({ identityCertificate: { ...full, values: () => ({ ...user, USER_SID: null }) } });
    const { certificate } = await first(without);
    expect(readCertificate(certificate).sans.map(({ type }) => type)).toEqual(['upn', 'email', 'dn']);
    expect(Buffer.from(certificate).includes('S-1-5-21')).toBe(false);
    const nobody = await world({ identityCertificate: { ...full, values: () => ({}) } });
    await expect(first(nobody)).rejects.toMatchObject({ code: 'pki.scep.failed' });
    expect(nobody.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        fields: expect.objectContaining({
          code: 'pki.variable.unresolved',
          message: expect.stringContaining('USER_UPN'),
        }),
      }),
    );
    const bad = await world({ identityCertificate: { microsoftSid: true, values: () => ({ USER_SID: 'no sid' }) } });
    await expect(first(bad)).rejects.toMatchObject({ code: 'pki.scep.failed' });
    expect((await bad.engine.certificates.list()).items).toEqual([]);
  });

  it('is for the key that the profile asks for, and no lesser one', async () => {
    const to = await world({
      identityCertificate: { key: { type: 'rsa', bits: 4096 }, template: { minRsaBits: 3072, usage: 'signing' } },
    });
    const scep = payloadOf(await profileOf(to), 'com.apple.security.scep')['PayloadContent'] as PlistDict;
    expect([scep['Keysize'], scep['Key Usage']]).toEqual([4096, 1]);
    await expect(first(to)).rejects.toMatchObject({ code: 'pki.scep.failed' });
    const acme = await world({
      ...{ profile: { ...profile, identity: 'acme', acme: { hardwareBound: false } } },
      identityCertificate: { key: { type: 'ec', bits: 521 } },
    });
    expect(payloadOf(await profileOf(acme), 'com.apple.security.acme')).toMatchObject({
      ...{ KeyType: 'ECSECPrimeRandom', KeySize: 521, HardwareBound: false },
    });
  });

  it('tells of device and user where that was asked for: who renews has facts', async () => {
    const seen: unknown[] = [];
    const to = await world({
      identityCertificate: {
        ...{ subject: 'CN=$DEVICE_SN$,OU=$DEVICE_UDID$', subjectVariables: 'all' },
        values: ({ invitationId, device }) => {
          seen.push([invitationId !== null, device?.enrolment.id ?? null]);
          return device === null ? { DEVICE_SN: 'unknown', DEVICE_UDID: 'unknown' } : {};
        },
      },
    });
    const got = await first(to);
    expect(readCertificate(got.certificate).subject).toBe('CN=unknown,OU=unknown');
    for (const message of [messages.authenticate('U1'), messages.tokenUpdate('U1')]) {
      const body = encodeXml(message);
      const signature = Buffer.from(signCms(body, { ...got, detached: true })).toString('base64');
      const init = { method: 'PUT', headers: { 'mdm-signature': signature }, body: body as Uint8Array<ArrayBuffer> };
      expect((await to.fetch('/mdm/checkin', init)).status).toBe(200);
    }
    const renewed = await scepEnrol({ ...endpoint(to), renew: got, subject: 'CN=another' });
    expect(readCertificate(renewed.certificate).subject).toBe('CN=SNU1,OU=U1');
    expect(seen).toEqual([
      [true, null],
      [false, 'U1'],
    ]);
  });

  it('has the subject that a person gave who approved it', async () => {
    const to = await world({ scepApproval: 'without-challenge', identityCertificate: { subject: 'CN=$RANDOM_16$' } });
    const polling = {
      attempts: 1,
      wait: async () => {
        const { items } = await to.engine.enrolling.requests();
        await to.engine.enrolling.decide(items[0]!.id, { approve: true, subject: 'CN=given' });
      },
    };
    const got = await scepEnrol({ ...endpoint(to), subject: 'CN=device', polling });
    expect(readCertificate(got.certificate).subject).toBe('CN=given');
  });

  it('is the same for the same request while the authority takes its time', async () => {
    const asked: string[] = [];
    const plain = await authority();
    const ca: CertificateAuthority = {
      ...plain,
      async issue(request) {
        asked.push(JSON.stringify(request.subject));
        if (asked.length === 3) return await plain.issue(request);
        throw new PkiError('pki.ca.pending', 'wait', { kind: 'unavailable' });
      },
    };
    const to = await world({ ca, identityCertificate: { subject: 'CN=$RANDOM_64$' } });
    const { challenge } = await to.engine.enrolling.challenge();
    const polling = { attempts: 3, wait: async () => {} };
    await scepEnrol({ ...endpoint(to), challenge, subject: 'CN=device', polling });
    expect(asked).toHaveLength(3);
    expect(new Set(asked).size).toBe(1);
  });
});

describe('an authority that forwards requests', () => {
  /** Takes a CSR as it is, as a SCEP proxy does. */
  async function forwarding(seen: unknown[] = []): Promise<CertificateAuthority> {
    const plain = await authority();
    return {
      ...{ certificate: plain.certificate, chain: [], signer: plain.signer! },
      capabilities: { requestOnly: true, keys: ['rsa'] },
      async issue({ csr, subject, sans, extensions }) {
        seen.push({ subject, sans, extensions });
        return await plain.issue({ csr: csr!, sans: sans ?? [], template: 'device' });
      },
    };
  }

  it('has the profile say what shall be in the certificate, and the challenge is good for that alone', async () => {
    const seen: { subject?: unknown; sans?: unknown }[] = [];
    const to = await world({
      ca: await forwarding(seen),
      identityCertificate: {
        ...{ subject: 'CN=$RANDOM_32$,O=Example', microsoftSid: true, values: () => user },
        sans: [{ type: 'upn', value: '$USER_UPN$' }],
      },
    });
    const { PayloadContent } = payloadOf(await profileOf(to), 'com.apple.security.scep');
    const { Subject, SubjectAltName, Challenge } = PayloadContent as PlistDict;
    expect(Subject).toEqual([[['O', 'Example']], [['CN', expect.stringMatching(/^[0-9a-f]{32}$/)]]]);
    expect(SubjectAltName).toEqual({
      ntPrincipalName: user.USER_UPN,
      uniformResourceIdentifier: `tag:microsoft.com,2022-09-14:sid:${SID}`,
    });
    const subject = `CN=${(Subject as string[][][])[1]![0]![1]},O=Example`;
    await scepEnrol({ ...endpoint(to), challenge: String(Challenge), subject });
    expect(seen).toMatchObject([
      {
        subject,
        sans: [
          { type: 'upn', value: user.USER_UPN },
          { type: 'uri', value: `tag:microsoft.com,2022-09-14:sid:${SID}` },
        ],
      },
    ]);
  });

  it('is asked for no subject but the profile’s, also where nothing was said of it', async () => {
    const seen: { subject?: unknown }[] = [];
    const to = await world({ ca: await forwarding(seen) });
    const { id: invitationId, token } = await to.engine.enrolling.invite();
    const answer = await to.fetch(`/enrol/${token}`);
    const { PayloadContent } = payloadOf(new Uint8Array(await answer.arrayBuffer()), 'com.apple.security.scep');
    await scepEnrol({
      ...{ ...endpoint(to), challenge: String((PayloadContent as PlistDict)['Challenge']) },
      subject: 'CN=The boss',
    });
    expect(seen).toMatchObject([{ subject: `CN=Device ${invitationId},O=Example` }]);
  });

  it('cannot have what no payload can say', async () => {
    const ca = await forwarding();
    const path = async (identityCertificate: IdentityCertificateOptions) =>
      (await world({ ca, identityCertificate }).catch((error: unknown) => error)) as { at?: { path?: string } };
    expect((await path({ sans: [{ type: 'dn', value: 'CN=x' }] })).at?.path).toBe('identityCertificate/sans/0');
    expect((await path({ sans: [{ type: 'uri', value: 'urn:x' }], microsoftSid: true })).at?.path).toBe(
      'identityCertificate/sans/1',
    );
    expect((await path({ sans: [{ type: 'dns', value: '$RANDOM_16$.example.com' }] })).at?.path).toBe(
      'identityCertificate/sans/0',
    );
  });
});

describe('options that could not work', () => {
  const acme = { ...profile, identity: 'acme' as const };
  const cases: [string, Partial<HostOptions>, string][] = [
    ['a subject that is no name', { identityCertificate: { subject: 'no name' } }, 'subject'],
    ['a country of three letters', { identityCertificate: { subject: 'C=USA' } }, 'subject/C'],
    ['a variable that nobody knows', { identityCertificate: { subject: 'CN=$NOBODY$' } }, 'subject'],
    ['a subject that tells who it is', { identityCertificate: { subject: 'CN=$EMAIL$' } }, 'subject'],
    ['an empty alternative name', { identityCertificate: { sans: [{ type: 'dns', value: ' ' }] } }, 'sans/0'],
    [
      'an unknown variable in the second name',
      {
        identityCertificate: {
          sans: [
            { type: 'email', value: '$EMAIL$' },
            { type: 'uri', value: 'urn:$WHAT$' },
          ],
        },
      },
      'sans/1',
    ],
    ['a validity of a week', { identityCertificate: { template: { lifetimeDays: 7 } } }, 'template/lifetimeDays'],
    ['an OID that is none', { identityCertificate: { template: { customOids: ['1.2.x'] } } }, 'template/customOids'],
    ['a key that signs nothing', { identityCertificate: { template: { usage: 'encryption' } } }, 'template/usage'],
    [
      'a certificate that opens no door',
      { identityCertificate: { template: { clientAuth: false, ipsec: true } } },
      'template/clientAuth',
    ],
    ['a key under the template’s least size', { identityCertificate: { template: { minRsaBits: 4096 } } }, 'key'],
    ['an EC key by SCEP', { identityCertificate: { key: { type: 'ec', bits: 256 } } }, 'key'],
    ['an RSA key of 3072 bits by SCEP', { identityCertificate: { key: { type: 'rsa', bits: 3072 } } }, 'key'],
    [
      'an RSA key in the Secure Enclave',
      { profile: acme, identityCertificate: { key: { type: 'rsa', bits: 2048 } } },
      'key',
    ],
    [
      'two key sizes',
      { profile: { ...profile, keySize: 2048 }, identityCertificate: { key: { type: 'rsa', bits: 4096 } } },
      'key',
    ],
  ];
  for (const [name, options, path] of cases) {
    it(`${name}: refused at the start, with the place`, async () => {
      const error = await world(options).catch((cause: unknown) => cause);
      expect(error).toMatchObject({
        ...{ code: 'host.options', kind: 'invalid', at: { path: `identityCertificate/${path}` } },
      });
    });
  }

  it('a registration authority that nobody could encrypt to, and challenges that nobody makes', async () => {
    const ca = await authority();
    const { signer: _, ...away } = ca;
    await expect(world({ ca: away })).rejects.toMatchObject({ code: 'host.options', at: { path: 'scepRegistrar' } });
    await expect(world({ scepChallenge: { source: 'authority' } })).rejects.toMatchObject({
      ...{ code: 'host.options', at: { path: 'scepChallenge/source' } },
    });
  });
});
