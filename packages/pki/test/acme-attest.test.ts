// device-attest-01: attestation objects of an independent authority, right ones and many wrong ones.
import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { readCbor } from '../src/acme/cbor.ts';
import {
  appleEnterpriseAttestationRoot,
  fingerprintSha256,
  fromPem,
  hardwareModule,
  isPkiError,
  permanentIdentifier,
  readCertificate,
  readPem,
  verifyAppleAttestation,
  verifyAttestationObject,
} from '../src/index.ts';
import {
  attestationObject,
  b64,
  baseUrl,
  Client,
  cborArray,
  cborBytes,
  cborMap,
  cborText,
  csrOf,
  enrol,
  extension,
  type Fixture,
  fixture,
  leafOf,
  newKeys,
  type TestApple,
  testApple,
} from './acme-support.ts';
import { codeOf, now, openssl, oracle, pemFile } from './support.ts';

const device = { serialNumber: 'C02TEST1', udid: '00008112-000A68263C06201E' };
let fix: Fixture;
let stranger: TestApple;
let other: TestApple;
beforeAll(async () => {
  fix = await fixture();
  stranger = await testApple(); // of the same name
  other = await testApple('Other');
});

const invite = (more: object = {}): string =>
  fix.store.createIdentifier({ reference: 'enrolment 7', subject: 'CN=C02TEST1,O=Example', device, ...more });

describe('a device that attests', () => {
  it('gets a certificate for the attested key, with the subject of the grant', async () => {
    const sans = [permanentIdentifier('C02TEST1')];
    const { challenged, finalized, client, keys } = await enrol(fix, invite({ sans, validityDays: 30 }));
    expect(challenged.status, challenged.text).toBe(200);
    expect(challenged.body.status).toBe('valid');
    expect(finalized.status, finalized.text).toBe(200);
    expect(finalized.body.status).toBe('valid');
    const downloaded = await client.post(finalized.body.certificate, '');
    expect(downloaded.headers.get('content-type')).toBe('application/pem-certificate-chain');
    const [leaf, issuer, ...rest] = readPem(downloaded.text);
    expect(rest).toEqual([]);
    expect(Buffer.from(issuer!.der)).toEqual(Buffer.from(fix.ca.certificate));
    const certificate = readCertificate(leaf!.der);
    expect(certificate.subject).toBe('CN=C02TEST1,O=Example');
    expect(certificate.sans).toEqual(sans);
    expect(certificate.notAfter.getTime()).toBe(now + 30 * 86_400_000);
    const spki = new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey));
    expect(Buffer.from(certificate.publicKey)).toEqual(Buffer.from(spki));
    // A verifier that is not ours.
    expect(new X509Certificate(leaf!.der).verify(new X509Certificate(issuer!.der).publicKey)).toBe(true);
    expect(fix.events.at(-1)).toMatchObject({ type: 'issued', reference: 'enrolment 7' });
  });

  it('gets one with keys of the size that Apple’s authority has', async () => {
    const apple384 = await testApple('Large', 'P-384');
    const own = await fixture({}, apple384);
    const identifier = own.store.createIdentifier({ reference: 'large', device });
    const { finalized } = await enrol(own, identifier, { keys: await newKeys('P-384') });
    expect(finalized.status, finalized.text).toBe(200);
  });

  it('may put its permanent identifier into the CSR, but no other one', async () => {
    for (const [named, status] of [
      ['own', 200],
      ['other', 400],
    ] as const) {
      const identifier = invite();
      const { client, order, keys } = await enrol(fix, identifier, { csrKeys: await newKeys() });
      const san = permanentIdentifier(named === 'own' ? identifier : 'somebody else');
      const csr = await csrOf(keys, 'CN=x', { sans: [san] });
      const answer = await client.post(order.body.finalize, { csr: b64(csr) });
      expect(answer.status, answer.text).toBe(status);
      if (status === 400) expect(answer.body.type).toBe('urn:ietf:params:acme:error:badCSR');
    }
  });

  it('may put its hardware module into the CSR, but no other one', async () => {
    const cases = [
      ['ABCD/1.2.3.4', hardwareModule('ABCD', '1.2.3.4'), 200],
      ['ABCE/1.2.3.4', hardwareModule('ABCE', '1.2.3.5'), 400],
      ['ABCF/1.2.3.4', hardwareModule('ABCD', '1.2.3.4'), 400],
      ['ABCG', hardwareModule('ABCG', '1.2.3.9'), 200],
      ['ABCH', hardwareModule('ABC', '1.2.3.9'), 400],
      ['ABCI', { ...hardwareModule('ABCI', '1.2.3.9'), value: Uint8Array.of(5, 0) }, 400],
      ['ABCJ', permanentIdentifier('ABCJ'), 400],
    ] as const;
    for (const [value, san, status] of cases) {
      fix.store.createIdentifier({ reference: 'hw', device }, { type: 'hardware-module', value });
      const { client, order, keys } = await enrol(fix, value, { type: 'hardware-module', csrKeys: await newKeys() });
      const csr = await csrOf(keys, 'CN=x', { sans: [san] });
      const answer = await client.post(order.body.finalize, { csr: b64(csr) });
      expect(answer.status, `${value} ${answer.text}`).toBe(status);
      if (status === 400) expect(answer.body.type).toBe('urn:ietf:params:acme:error:badCSR');
    }
  });

  it('is known by its serial number where that is the identifier', async () => {
    fix.store.createIdentifier({ reference: 'a', identifierIs: 'serial-number' }, { value: 'C02TEST1' });
    fix.store.createIdentifier({ reference: 'b', identifierIs: 'serial-number' }, { value: 'C02OTHER' });
    expect((await enrol(fix, 'C02TEST1')).finalized.status).toBe(200);
    const udids = ['00008112-000a68263c06201e', '00008112-000A68263C062000'];
    for (const value of udids) fix.store.createIdentifier({ reference: 'u', identifierIs: 'udid' }, { value });
    expect((await enrol(fix, udids[0]!)).finalized.status).toBe(200);
    expect((await enrol(fix, udids[1]!)).challenged.body).toMatchObject({
      ...{ status: 'invalid', error: { detail: 'the identifier is not the attested UDID' } },
    });
    expect((await enrol(fix, 'C02OTHER')).challenged.body).toMatchObject({
      status: 'invalid',
      error: { type: 'urn:ietf:params:acme:error:badAttestationStatement', detail: /attested serial number/ },
    });
  });

  it('needs no serial number in a user enrolment', async () => {
    const identifier = fix.store.createIdentifier({ reference: 'user' });
    const { finalized } = await enrol(fix, identifier, { leaf: { serial: null, udid: null } });
    expect(finalized.status).toBe(200);
  });

  it('is judged by what it attests', async () => {
    const seen: unknown[] = [];
    const picky = await fixture({
      attestation: {
        roots: [fix.apple.root],
        accept: async ({ attestation }) => {
          seen.push(attestation?.properties);
          return { accept: false, reason: 'too old' };
        },
      },
    });
    const strict = { ...picky, apple: fix.apple };
    const { challenged, finalized } = await enrol(strict, picky.store.createIdentifier({ reference: 'r' }));
    expect(challenged.body).toMatchObject({ status: 'invalid', error: { detail: 'too old' } });
    expect(finalized.body.type).toBe('urn:ietf:params:acme:error:orderNotReady');
    expect(seen).toEqual([
      {
        ...{ serialNumber: 'C02TEST1', udid: '00008112-000A68263C06201E', osVersion: '15.0.1', sepOsVersion: '15.0.1' },
        ...{ sipStatus: '0', secureBootStatus: 'Full Security', kernelExtensionsAllowed: '0' },
      },
    ]);
  });
});

describe('a device without an attestation', () => {
  it('is refused unless a policy takes it', async () => {
    const { challenged, finalized } = await enrol(fix, invite(), { payload: {} });
    expect(challenged.body).toMatchObject({ status: 'invalid', error: { detail: 'an attestation is needed' } });
    expect(finalized.status).toBe(403);
    const roots = [fix.apple.root];
    const asked: string[] = [];
    const lenient = await fixture({
      attestation: {
        roots,
        withoutAttestation: async ({ grant, attestation }) => {
          asked.push(grant.reference);
          expect(attestation).toBeNull();
          return { accept: true };
        },
      },
    });
    const old = await enrol({ ...lenient, apple: fix.apple }, lenient.store.createIdentifier({ reference: 'A10' }), {
      payload: { attObj: '' },
    });
    expect(old.finalized.status, old.finalized.text).toBe(200);
    expect(asked).toEqual(['A10']);
    // The policy is for devices that send nothing: a wrong attestation stays wrong.
    const liar = await enrol({ ...lenient, apple: stranger }, lenient.store.createIdentifier({ reference: 'liar' }));
    expect(liar.challenged.body.status).toBe('invalid');
    expect(asked).toEqual(['A10']);
  });
});

type Change = Parameters<typeof enrol>[2];
const wrong: Record<string, readonly [code: string, change: () => Change]> = {
  'a wrong freshness code': ['pki.attestation.freshness', () => ({ leaf: { freshness: Buffer.alloc(32, 7) } })],
  'the token itself as freshness code': ['pki.attestation.freshness', () => ({ leaf: { freshness: 'token' } })],
  'a truncated freshness code': ['pki.attestation.freshness', () => ({ leaf: { freshness: Buffer.alloc(31) } })],
  'no freshness code': ['pki.attestation.freshness', () => ({ leaf: { freshness: null } })],
  'an empty freshness code': ['pki.attestation.freshness', () => ({ leaf: { freshness: new Uint8Array() } })],
  'the attestation of another challenge': [
    'pki.attestation.freshness',
    () => ({ leaf: { token: 'the token of yesterday' } }),
  ],
  'another authority': [
    'pki.attestation.chain',
    () => ({
      leaf: { apple: stranger },
      object: (x) => attestationObject([x[0]!, stranger.sub]),
    }),
  ],
  'an authority of another name': [
    'pki.attestation.chain',
    () => ({
      leaf: { apple: other },
      object: (x) => attestationObject([x[0]!, other.sub, other.root]),
    }),
  ],
  'another authority under the same name': [
    'pki.attestation.chain',
    () => ({ leaf: { signingKey: stranger.keys.privateKey } }),
  ],
  'another authority, its root included': [
    'pki.attestation.chain',
    () => ({
      leaf: { apple: stranger },
      object: (x) => attestationObject([x[0]!, stranger.sub, stranger.root]),
    }),
  ],
  'an extra root beside a good chain': [
    'pki.attestation.chain',
    () => ({
      object: (x) => attestationObject([...x, fix.apple.root, stranger.root]),
    }),
  ],
  'an extra intermediate': [
    'pki.attestation.chain',
    () => ({ object: (x) => attestationObject([x[0]!, stranger.sub, x[1]!]) }),
  ],
  'no intermediate': ['pki.attestation.chain', () => ({ object: (x) => attestationObject([x[0]!]) })],
  'the chain in the wrong order': [
    'pki.attestation.chain',
    () => ({ object: (x) => attestationObject([x[1]!, x[0]!]) }),
  ],
  'the authority in the place of the device': [
    'pki.attestation.leaf',
    () => ({ object: (x) => attestationObject([x[1]!]) }),
  ],
  'the root in the place of the device': [
    'pki.attestation.leaf',
    () => ({ object: () => attestationObject([fix.apple.root]) }),
  ],
  'too many certificates': ['pki.attestation.chain', () => ({ object: (x) => attestationObject([...x, ...x, ...x]) })],
  'no certificate': ['pki.attestation.chain', () => ({ object: () => attestationObject([]) })],
  'an authority as leaf': ['pki.attestation.leaf', () => ({ leaf: { ca: true } })],
  'an expired leaf': [
    'pki.attestation.expired',
    () => ({ leaf: { notBefore: now - 2 * 86_400_000, notAfter: now - 86_400_000 } }),
  ],
  'a leaf of the future': ['pki.attestation.expired', () => ({ leaf: { notBefore: now + 3_600_000 } })],
  'a wrong serial number': ['pki.attestation.device', () => ({ leaf: { serial: 'C02TEST2' } })],
  'a serial number that only begins well': ['pki.attestation.device', () => ({ leaf: { serial: 'C02TEST1 ' } })],
  'no serial number': ['pki.attestation.device', () => ({ leaf: { serial: null } })],
  'a blank serial number': ['pki.attestation.device', () => ({ leaf: { serial: '' } })],
  'a wrong UDID': ['pki.attestation.device', () => ({ leaf: { udid: '00008112-000A68263C06201F' } })],
  'no UDID': ['pki.attestation.device', () => ({ leaf: { udid: null } })],
  'an unknown critical extension': [
    'pki.attestation.chain',
    () => ({
      leaf: { extra: [extension('1.2.3.4.5', true, Uint8Array.of(5, 0))] },
    }),
  ],
  'another format': ['pki.attestation.format', () => ({ object: (x) => attestationObject(x, 'packed') })],
  'no format': [
    'pki.attestation.format',
    () => ({
      object: (x) => cborMap(cborText('attStmt'), cborMap(cborText('x5c'), cborArray(...x.map(cborBytes)))),
    }),
  ],
  'x5c that is text': [
    'pki.attestation.format',
    () => ({ object: () => attestationObjectWith(cborText('certificates')) }),
  ],
  'x5c of text': [
    'pki.attestation.format',
    () => ({ object: () => attestationObjectWith(cborArray(cborText('certificate'))) }),
  ],
  'x5c that is a map': ['pki.attestation.format', () => ({ object: () => attestationObjectWith(cborMap()) })],
  'an array instead of an object': [
    'pki.attestation.format',
    () => ({ object: (x) => cborArray(...x.map(cborBytes)) }),
  ],
  'rubbish certificates': [
    'pki.der.invalid',
    () => ({ object: () => attestationObject([Buffer.alloc(500, 0x30), Buffer.alloc(3)]) }),
  ],
  'a damaged signature': [
    'pki.attestation.chain',
    () => ({
      object: (x) => {
        const leaf = Buffer.from(x[0]!);
        leaf[leaf.length - 1]! ^= 1;
        return attestationObject([leaf, x[1]!]);
      },
    }),
  ],
  'truncated CBOR': ['pki.cbor.invalid', () => ({ object: (x) => attestationObject(x).subarray(0, -20) })],
  'CBOR with bytes after it': [
    'pki.cbor.invalid',
    () => ({ object: (x) => Buffer.concat([attestationObject(x), Buffer.from([0])]) }),
  ],
  'an indefinite map': [
    'pki.cbor.invalid',
    () => ({
      object: (x) => Buffer.concat([Buffer.from([0xbf]), attestationObject(x).subarray(1), Buffer.from([0xff])]),
    }),
  ],
  'an indefinite bomb': ['pki.cbor.invalid', () => ({ object: () => Buffer.alloc(30_000, 0x9f) })],
  'a nesting bomb': ['pki.cbor.invalid', () => ({ object: () => Buffer.alloc(30_000, 0x81) })],
  'an array that claims 2^32 members': [
    'pki.cbor.invalid',
    () => ({ object: () => Buffer.from([0x9a, 0xff, 0xff, 0xff, 0xff]) }),
  ],
  'a string that claims 2^64 bytes': [
    'pki.cbor.invalid',
    () => ({ object: () => Buffer.from('5bffffffffffffffff00', 'hex') }),
  ],
  'a key twice': [
    'pki.cbor.invalid',
    () => ({
      object: (x) =>
        cborMap(
          cborText('fmt'),
          cborText('apple'),
          cborText('fmt'),
          cborText('apple'),
          ...[cborText('attStmt'), cborMap(cborText('x5c'), cborArray(...x.map(cborBytes)))],
        ),
    }),
  ],
  'a tag': [
    'pki.cbor.invalid',
    () => ({ object: (x) => Buffer.concat([Buffer.from([0xd8, 0x18]), attestationObject(x)]) }),
  ],
};
const attestationObjectWith = (x5c: Uint8Array): Buffer =>
  cborMap(cborText('fmt'), cborText('apple'), cborText('attStmt'), cborMap(cborText('x5c'), x5c));

describe('an attestation is refused for', () => {
  for (const [name, [code, change]] of Object.entries(wrong)) {
    it(name, async () => {
      const { challenged, finalized, client, authorizationUrl, url, cpuMs } = await enrol(fix, invite(), change());
      expect(cpuMs).toBeLessThan(100);
      expect(challenged.status, challenged.text).toBe(200);
      const failure = fix.events.findLast(({ type }) => type === 'validation-failed');
      expect(failure?.code).toBe(code);
      expect(challenged.body.status).toBe('invalid');
      expect(challenged.body.error.type).toBe('urn:ietf:params:acme:error:badAttestationStatement');
      expect(finalized.status).toBe(403);
      expect(finalized.body.type).toBe('urn:ietf:params:acme:error:orderNotReady');
      expect((await client.post(authorizationUrl, '')).body.status).toBe('invalid');
      expect((await client.post(url, '')).body).toMatchObject({ status: 'invalid', error: challenged.body.error });
    });
  }

  it('a key that is not the attested one, and the order still waits for the right one', async () => {
    const { finalized, client, order, keys } = await enrol(fix, invite(), { csrKeys: await newKeys() });
    expect(finalized.status).toBe(400);
    expect(finalized.body).toMatchObject({
      type: 'urn:ietf:params:acme:error:badCSR',
      detail: 'the key in the CSR is not the attested one',
    });
    const again = await client.post(order.body.finalize, { csr: b64(await csrOf(keys)) });
    expect(again.status).toBe(200);
  });

  it('coming twice: a settled challenge is not judged again', async () => {
    const { client, challenge, challenged } = await enrol(fix, invite(), { leaf: { serial: 'C02TEST2' } });
    expect(challenged.body.status).toBe('invalid');
    const leaf = await leafOf({ apple: fix.apple, publicKey: (await newKeys()).publicKey, token: challenge.token });
    const again = await client.post(challenge.url, { attObj: b64(attestationObject([leaf, fix.apple.sub])) });
    expect(again.body).toEqual(challenged.body);
  });

  it('being no base64url, and may then be sent rightly', async () => {
    const client = new Client(fix.server);
    const { challenge } = await client.order(invite());
    for (const attObj of ['###', 7, null, {}]) {
      const answer = await client.post(challenge.url, { attObj });
      expect(answer.body.type).toBe('urn:ietf:params:acme:error:malformed');
    }
    expect((await client.post(challenge.url, '')).body.status).toBe('pending');
  });
});

describe('a client identifier', () => {
  it('is good for one certificate: a second key or account gets none', async () => {
    const identifier = invite();
    const first = await enrol(fix, identifier);
    expect(first.finalized.status).toBe(200);
    const issued = fix.store.issued().length;
    const other = await new Client(fix.server).order(identifier);
    expect(other.order.status).toBe(403);
    expect(other.order.body.type).toBe('urn:ietf:params:acme:error:rejectedIdentifier');
    const second = await enrol(fix, identifier, { client: first.client });
    expect(second.challenged.body.status).toBe('valid');
    expect(second.finalized.body.type).toBe('urn:ietf:params:acme:error:rejectedIdentifier');
    expect(fix.store.issued().length).toBe(issued);
  });

  it('used by two at once goes to one of them', async () => {
    const identifier = invite();
    const issued = fix.store.issued().length;
    const racers = await Promise.all(
      [1, 2, 3].map(async () => {
        const racer = await enrol(fix, identifier, { csrKeys: await newKeys() }); // attested, not yet finalized
        return { ...racer, csr: await csrOf(racer.keys) };
      }),
    );
    const answers = await Promise.all(
      racers.map(({ client, order, csr }) => client.post(order.body.finalize, { csr: b64(csr) })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403, 403]);
    expect(fix.store.issued().length).toBe(issued + 1);
  });

  it('that is unknown or expired makes no order', async () => {
    const expired = fix.store.createIdentifier({ reference: 'x' }, { ttlMs: 0 });
    for (const identifier of ['unknown', expired]) {
      const { order } = await new Client(fix.server).order(identifier);
      expect(order.body.type).toBe('urn:ietf:params:acme:error:rejectedIdentifier');
    }
  });
});

describe('when the answer is lost', () => {
  it('finalizing again gives the same certificate, in the same order and in a new one', async () => {
    const identifier = invite();
    const first = await enrol(fix, identifier);
    const issued = fix.store.issued().length;
    const again = await first.client.post(first.order.body.finalize, { csr: b64(first.csr) });
    expect(again.body.certificate).toBe(first.finalized.body.certificate);
    const anew = await enrol(fix, identifier, { client: first.client, keys: first.keys });
    expect(anew.finalized.status, anew.finalized.text).toBe(200);
    expect(anew.url).not.toBe(first.url);
    expect(anew.finalized.body.certificate).toBe(first.finalized.body.certificate);
    expect(fix.store.issued().length).toBe(issued);
    const other = await first.client.post(first.order.body.finalize, { csr: b64(await csrOf(await newKeys())) });
    expect(other.body.type).toBe('urn:ietf:params:acme:error:orderNotReady');
  });

  it('a crash after issuing and before, or after, recording leads to one certificate', async () => {
    for (const crash of ['before', 'after'] as const) {
      let failing = true;
      const { store, ...rest } = await fixture({}, fix.apple);
      const commit = store.commit.bind(store);
      store.commit = async (entry) => {
        if (!failing) return commit(entry);
        failing = false;
        if (crash === 'after') await commit(entry);
        throw new Error('power failure');
      };
      const identifier = store.createIdentifier({ reference: crash });
      const { client, order, csr, finalized } = await enrol({ store, ...rest }, identifier);
      expect(finalized.status).toBe(500);
      expect(finalized.body.type).toBe('urn:ietf:params:acme:error:serverInternal');
      expect(finalized.text).not.toContain('power');
      const again = await client.post(order.body.finalize, { csr: b64(csr) });
      expect(again.status, again.text).toBe(200);
      const [only, ...others] = store.issued();
      expect(others).toEqual([]);
      const pem = await client.post(again.body.certificate, '');
      expect(fingerprintSha256(fromPem(pem.text))).toBe(only!.id);
    }
  });
});

describe('the verifier alone', () => {
  it('verifies a DevicePropertiesAttestation with and without a nonce', async () => {
    const { publicKey } = await newKeys();
    const nonce = Buffer.alloc(32, 3);
    const leaf = await leafOf({ apple: fix.apple, publicKey, token: '', freshness: nonce });
    const chain = [leaf, fix.apple.sub];
    const roots = [fix.apple.root];
    expect(verifyAppleAttestation(chain, { roots, now, freshness: null }).properties.serialNumber).toBe('C02TEST1');
    expect(verifyAppleAttestation(chain, { roots, now, freshness: nonce }).chain.length).toBe(3);
    expect(codeOf(() => verifyAppleAttestation(chain, { roots, now, freshness: Buffer.alloc(32) }))).toBe(
      'pki.attestation.freshness',
    );
    const late = now + 40 * 86_400_000;
    expect(codeOf(() => verifyAppleAttestation(chain, { roots, now: late, freshness: null }))).toBe(
      'pki.attestation.expired',
    );
    const many = [leaf, ...Array<Uint8Array>(4).fill(fix.apple.sub)];
    expect(() => verifyAppleAttestation(many, { roots, now, freshness: null })).toThrow('1 to 4 certificates');
    // A leaf that somebody configured as a root vouches for nothing.
    expect(codeOf(() => verifyAppleAttestation([leaf], { roots: [...roots, leaf], now, freshness: null }))).toBe(
      'pki.attestation.leaf',
    );
    // Apple's clock may be ahead of ours, a little.
    const early = now - 120_000;
    expect(verifyAppleAttestation(chain, { roots, now: early, freshness: null }).publicKeyHash).toHaveLength(64);
    expect(codeOf(() => verifyAppleAttestation(chain, { roots, now: early, freshness: null, clockSkewMs: 0 }))).toBe(
      'pki.attestation.expired',
    );
  });

  it('throws nothing but PkiErrors for mutated attestation objects, quickly', async () => {
    const { publicKey } = await newKeys();
    const leaf = await leafOf({ apple: fix.apple, publicKey, token: 't' });
    const good = attestationObject([leaf, fix.apple.sub]);
    const options = { roots: [fix.apple.root], now, token: 't' };
    expect(verifyAttestationObject(good, options).properties.udid).toBe(device.udid);
    const position = fc.nat(good.length - 1);
    fc.assert(
      fc.property(fc.array(fc.tuple(position, fc.nat(255)), { minLength: 1, maxLength: 4 }), position, (edits, cut) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of edits) bytes[at] = value;
        for (const input of [bytes, bytes.subarray(0, cut)]) {
          try {
            verifyAttestationObject(input, options);
          } catch (error) {
            expect(isPkiError(error)).toBe(true);
          }
        }
      }),
      { seed: 7, numRuns: process.env['ESPALIER_NIGHTLY'] ? 20_000 : 300 },
    );
  });

  it('reads the CBOR of RFC 8949, Appendix A, as far as attestations need it', () => {
    const read = (hex: string): unknown => readCbor(Buffer.from(hex, 'hex'));
    expect(read('00')).toBe(0);
    expect(read('17')).toBe(23);
    expect(read('1818')).toBe(24);
    expect(read('1903e8')).toBe(1000);
    expect(read('1a000f4240')).toBe(1_000_000);
    expect(read('1b000000e8d4a51000')).toBe(1_000_000_000_000);
    expect(read('1bffffffffffffffff')).toBe(18_446_744_073_709_551_615n);
    expect(read('3903e7')).toBe(-1000);
    expect(read('3bffffffffffffffff')).toBe(-18_446_744_073_709_551_616n);
    expect(read('f5')).toBe(true);
    expect(read('f6')).toBe(null);
    expect(read('4401020304')).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(read('62c3bc')).toBe('ü');
    expect(read('8301820203820405')).toEqual([1, [2, 3], [4, 5]]);
    expect(read('a26161016162820203')).toEqual(
      new Map<string, unknown>([
        ['a', 1],
        ['b', [2, 3]],
      ]),
    );
    for (const hex of [
      'f97e00',
      'fb3ff199999999999a',
      'f7',
      'ff',
      '1c',
      '5f42010243030405ff',
      '7f657374726561ff',
      '9fff',
    ]) {
      expect(
        codeOf(() => read(hex)),
        hex,
      ).toBe('pki.cbor.invalid');
    }
    for (const hex of ['', '18', '19ff', '61ff', 'a1', 'a10000a1', 'a18000', 'c074323031332d30332d3231543230']) {
      expect(
        codeOf(() => read(hex)),
        hex,
      ).toBe('pki.cbor.invalid');
    }
    // Bounds: 8 levels, 256 values.
    expect(read(`${'81'.repeat(7)}00`)).toEqual([[[[[[[0]]]]]]]);
    expect(codeOf(() => read(`${'81'.repeat(8)}00`))).toBe('pki.cbor.invalid');
    const zeros = (count: number): string => `98${count.toString(16)}${'00'.repeat(count)}`;
    expect(read(`82${zeros(126)}${zeros(126)}`)).toHaveLength(2);
    expect(codeOf(() => read(`82${zeros(127)}${zeros(127)}`))).toBe('pki.cbor.invalid');
  });
});

describe('Apple’s root', () => {
  it('is the self-signed certificate of 2022', () => {
    const root = readCertificate(appleEnterpriseAttestationRoot);
    expect(root.subjectCn).toBe('Apple Enterprise Attestation Root CA');
    expect(root.notAfter.toISOString()).toBe('2047-02-20T00:00:00.000Z');
    expect(root.fingerprintSha256).toBe('ccf59ef8fcb3017d97f8b5fa6fa90e7a3f9283f76b55ac6cf6eda8b8b949f05b');
    const native = new X509Certificate(appleEnterpriseAttestationRoot);
    expect(native.verify(native.publicKey)).toBe(true);
  });

  oracle('openssl', 'passes openssl’s own check of its signature', async () => {
    const file = pemFile('apple.pem', appleEnterpriseAttestationRoot);
    expect((await openssl(['verify', '-check_ss_sig', '-CAfile', file, file])).toString()).toContain('OK');
  });

  it('does not vouch for a test authority', async () => {
    const roots = [appleEnterpriseAttestationRoot];
    const { server, store } = await fixture({ attestation: { roots } });
    const { challenged } = await enrol({ ...fix, server, store }, store.createIdentifier({ reference: 'x' }));
    expect(challenged.body.status).toBe('invalid');
    expect(baseUrl).toContain('https');
  });
});
