// The ACME server: accounts, nonces, orders, certificates, revocation, and what hostile clients send.
import { createHmac, KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type AcmeChallengePolicy,
  createAcmeServer,
  createCsr,
  createMemoryAcmeStore,
  fromPem,
  hardwareModule,
  localSigner,
  permanentIdentifier,
} from '../src/index.ts';
import {
  type Alg,
  type Answer,
  b64,
  baseUrl,
  Client,
  csrOf,
  enrol,
  type Fixture,
  fixture,
  jwsOf,
  newAccountKey,
  newKeys,
} from './acme-support.ts';
import { clock, codeOf, now, openssl, oracle, tempFile } from './support.ts';

const error = (type: string): string => `urn:ietf:params:acme:error:${type}`;
const anyName: AcmeChallengePolicy = {
  type: 'http-01',
  identifierTypes: ['dns'],
  validate: async ({ identifier }) =>
    identifier.value === 'refused.test' ? { accept: false, reason: 'no' } : { accept: true },
};

let fix: Fixture;
beforeAll(async () => {
  fix = await fixture({ challenges: [anyName] });
});
const invite = (): string => fix.store.createIdentifier({ reference: 'r', subject: 'CN=device' });

/** Orders a name with the test's policy and gets a certificate. */
async function orderName(client: Client, names: string[], csrSubject = '') {
  if (!client.kid) await client.account();
  const identifiers = names.map((value) => ({ type: 'dns', value }));
  const order = await client.post(`${baseUrl}/new-order`, { identifiers });
  for (const url of order.body.authorizations ?? []) {
    const { body } = await client.post(url, '');
    await client.post(body.challenges[0].url, {});
  }
  const keys = await newKeys();
  const sans = names.map((value) => ({ type: 'dns', value }));
  const csr = await csrOf(keys, csrSubject, { sans });
  const finalized = order.status === 201 ? await client.post(order.body.finalize, { csr: b64(csr) }) : order;
  return { order, url: order.headers.get('location')!, keys, csr, finalized };
}

describe('the directory and nonces', () => {
  it('name all resources', async () => {
    const client = new Client(fix.server);
    const { status, body } = await client.send(`${baseUrl}/directory`);
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(
      ['keyChange', 'meta', 'newAccount', 'newNonce', 'newOrder', 'revokeCert'].sort(),
    );
    for (const [method, expected] of [
      ['HEAD', 200],
      ['GET', 204],
    ] as const) {
      const nonce = await client.send(body.newNonce, { method });
      expect(nonce.status).toBe(expected);
      expect(nonce.headers.get('replay-nonce')).toMatch(/^[\w-]{22}$/);
      expect(nonce.headers.get('cache-control')).toBe('no-store');
      expect(nonce.headers.get('link')).toContain('rel="index"');
    }
  });

  it('refuse options that cannot work', () => {
    const { ca, store } = fix;
    const make = (more: object) => codeOf(() => createAcmeServer({ ca, store, clock, baseUrl, ...more }));
    const attestation = { roots: [ca.certificate] };
    expect(make({})).toBe('pki.acme.options');
    expect(make({ attestation: { roots: [] } })).toBe('pki.acme.options');
    expect(make({ attestation, baseUrl: 'https://mdm.test/acme/' })).toBe('pki.acme.options');
    expect(make({ attestation, baseUrl: 'mdm.test' })).toBe('pki.acme.options');
    expect(make({ attestation, challenges: [{ ...anyName, type: 'device-attest-01' }] })).toBe('pki.acme.options');
    expect(make({ attestation })).toBe('no error');
  });
});

describe('an account', () => {
  for (const alg of ['ES256', 'ES384', 'ES512', 'RS256', 'EdDSA'] as Alg[]) {
    it(`is made and found again with a key for ${alg}`, async () => {
      const client = new Client(fix.server, alg);
      const missing = await client.account({ onlyReturnExisting: true });
      expect(missing.body.type).toBe(error('accountDoesNotExist'));
      const made = await client.account({ contact: ['mailto:admin@mdm.test'] });
      expect(made.status, made.text).toBe(201);
      expect(made.body).toMatchObject({ status: 'valid', contact: ['mailto:admin@mdm.test'] });
      const again = await client.account({ onlyReturnExisting: true });
      expect(again.status).toBe(200);
      expect(again.headers.get('location')).toBe(made.headers.get('location'));
      expect((await client.post(client.kid!, '')).body).toEqual(made.body);
      expect((await client.post(made.body.orders, '')).body).toEqual({ orders: [] });
    });
  }

  it('is made once, also by two requests at once', async () => {
    const client = new Client(fix.server);
    const url = `${baseUrl}/new-account`;
    const requests = await Promise.all(
      [1, 2].map(async () => JSON.stringify(jwsOf(await client.header(url, true), {}, client.keys.privateKey))),
    );
    const answers = await Promise.all(requests.map((body) => client.raw(url, body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 201]);
    expect(answers[0]!.headers.get('location')).toBe(answers[1]!.headers.get('location'));
  });

  it('changes its contacts, and is deactivated for good', async () => {
    const client = new Client(fix.server);
    await client.account();
    const changed = await client.post(client.kid!, { contact: ['mailto:new@mdm.test'] });
    expect(changed.body.contact).toEqual(['mailto:new@mdm.test']);
    expect((await client.post(client.kid!, { contact: ['tel:1'] })).body.type).toBe(error('unsupportedContact'));
    expect((await client.post(client.kid!, { contact: ['mailto:a@b,c@d'] })).body.type).toBe(error('invalidContact'));
    expect((await client.post(client.kid!, { contact: 'mailto:a@b' })).body.type).toBe(error('malformed'));
    expect((await client.post(client.kid!, { status: 'revoked' })).body.type).toBe(error('malformed'));
    expect((await client.post(client.kid!, { status: 'deactivated' })).body.status).toBe('deactivated');
    for (const answer of [await client.post(client.kid!, ''), await client.post(`${baseUrl}/new-account`, {}, true)]) {
      expect(answer.status).toBe(401);
      expect(answer.body.type).toBe(error('unauthorized'));
    }
  });

  it('changes its key, to one that nobody else has', async () => {
    const client = new Client(fix.server);
    const other = new Client(fix.server);
    await client.account();
    await other.account();
    const url = `${baseUrl}/key-change`;
    const oldKey = client.keys.publicKey.export({ format: 'jwk' });
    const rollTo = (keys: ReturnType<typeof newAccountKey>, payload: object = {}, header: object = {}) => {
      const jwk = keys.publicKey.export({ format: 'jwk' });
      const inner = { account: client.kid, oldKey, ...payload };
      return client.post(url, jwsOf({ alg: 'ES256', jwk, url, ...header }, inner, keys.privateKey));
    };
    const next = newAccountKey();
    const taken = await rollTo(other.keys);
    expect(taken.status).toBe(409);
    expect(taken.headers.get('location')).toBe(other.kid);
    for (const wrong of [
      await rollTo(next, { account: other.kid }),
      await rollTo(next, { oldKey: other.keys.publicKey.export({ format: 'jwk' }) }),
      await rollTo(next, {}, { url: `${baseUrl}/new-order` }),
      await rollTo(next, {}, { nonce: 'abc' }),
      await rollTo(next, {}, { jwk: undefined, kid: client.kid }),
    ]) {
      expect(wrong.body.type, wrong.text).toBe(error('malformed'));
    }
    const forged = await rollTo({ publicKey: next.publicKey, privateKey: newAccountKey().privateKey });
    expect(forged.body.type).toBe(error('unauthorized'));
    expect((await rollTo(next)).status).toBe(200);
    expect((await client.post(client.kid!, '')).status).toBe(401); // the old key is no key any more
    client.keys = next;
    expect((await client.post(client.kid!, '')).status).toBe(200);
  });

  it('needs terms to be agreed to, where there are any', async () => {
    const termsOfService = 'https://mdm.test/terms';
    const { server } = await fixture({ termsOfService }, fix.apple);
    const client = new Client(server);
    expect((await client.send(`${baseUrl}/directory`)).body.meta).toEqual({ termsOfService });
    const refused = await client.account({});
    expect(refused.status).toBe(403);
    expect(refused.body.type).toBe(error('userActionRequired'));
    expect(refused.headers.get('link')).toContain(`<${termsOfService}>;rel="terms-of-service"`);
    expect((await client.account({ termsOfServiceAgreed: true })).status).toBe(201);
  });

  it('is bound to an external one with its MAC key', async () => {
    const secret = Buffer.alloc(32, 9);
    const key = async (id: string): Promise<Uint8Array | null> =>
      id === 'known' ? secret : id === 'short' ? Buffer.alloc(8) : null;
    const { server, store } = await fixture({ externalAccounts: { required: true, key } }, fix.apple);
    const client = new Client(server);
    const jwk = client.keys.publicKey.export({ format: 'jwk' });
    const bind = (header: object = {}, payload: unknown = jwk, mac: Uint8Array = secret): object => {
      const full = { alg: 'HS256', kid: 'known', url: `${baseUrl}/new-account`, ...header };
      const input = `${b64(JSON.stringify(full))}.${b64(JSON.stringify(payload))}`;
      const signature = b64(createHmac('sha256', mac).update(input).digest());
      const [header64, payload64] = input.split('.');
      return { externalAccountBinding: { protected: header64, payload: payload64, signature } };
    };
    const typeOf = async (payload: object): Promise<string> => (await client.account(payload)).body.type;
    expect(await typeOf({})).toBe(error('externalAccountRequired'));
    expect(await typeOf(bind({ alg: 'none' }))).toBe(error('badSignatureAlgorithm'));
    expect(await typeOf(bind({ kid: 'unknown' }))).toBe(error('unauthorized'));
    expect(await typeOf(bind({ kid: 'unknown' }, jwk, Buffer.from('unknown')))).toBe(error('unauthorized'));
    expect(await typeOf(bind({ kid: 'short' }, jwk, Buffer.alloc(8)))).toBe(error('unauthorized'));
    expect(await typeOf(bind({}, jwk, Buffer.alloc(32)))).toBe(error('unauthorized'));
    expect(await typeOf(bind({ url: `${baseUrl}/new-order` }))).toBe(error('malformed'));
    expect(await typeOf(bind({}, newAccountKey().publicKey.export({ format: 'jwk' })))).toBe(error('malformed'));
    expect((await client.account(bind())).status).toBe(201);
    const id = client.kid!.split('/').at(-1)!;
    expect((await store.findAccount(id))?.externalAccount).toBe('known');
  });
});

describe('an order', () => {
  it('goes from pending over ready to valid', async () => {
    const client = new Client(fix.server);
    await client.account();
    const identifiers = ['b.test', 'a.test', 'A.test'].map((value) => ({ type: 'dns', value }));
    const order = await client.post(`${baseUrl}/new-order`, { identifiers });
    const url = order.headers.get('location')!;
    expect(order.status).toBe(201);
    expect(order.body).toMatchObject({ status: 'pending', identifiers: identifiers.slice(0, 2) });
    const keys = await newKeys();
    const csr = b64(await csrOf(keys, 'CN=a.test', { sans: [{ type: 'dns', value: 'b.test' }] }));
    expect((await client.post(order.body.finalize, { csr })).body.type).toBe(error('orderNotReady'));
    for (const address of order.body.authorizations) {
      const authorization = await client.post(address, '');
      expect(authorization.body).toMatchObject({
        status: 'pending',
        challenges: [{ type: 'http-01', status: 'pending' }],
      });
      const answered = await client.post(authorization.body.challenges[0].url, {});
      expect(answered.body.status).toBe('valid');
      expect(answered.headers.get('link')).toContain(`<${address}>;rel="up"`);
      expect((await client.post(address, '')).body.status).toBe('valid');
    }
    expect((await client.post(url, '')).body.status).toBe('ready');
    const finalized = await client.post(order.body.finalize, { csr });
    expect(finalized.body.status, finalized.text).toBe('valid');
    expect((await client.post(url, '')).body).toEqual(finalized.body);
    const listed = await client.post(`${client.kid}/orders`, '');
    expect(listed.body.orders).toEqual([url]);
  });

  it('is invalid once a name was refused, deactivated or came too late', async () => {
    const client = new Client(fix.server);
    const refused = await orderName(client, ['ok.test', 'refused.test']);
    expect(refused.finalized.body.type).toBe(error('orderNotReady'));
    expect((await client.post(refused.url, '')).body).toMatchObject({
      status: 'invalid',
      error: { type: error('incorrectResponse'), detail: 'no' },
    });
    const { url, authorizationUrl } = await client.order(invite());
    expect((await client.post(authorizationUrl, { status: 'valid' })).body.type).toBe(error('malformed'));
    expect((await client.post(authorizationUrl, { status: 'deactivated' })).body.status).toBe('deactivated');
    expect((await client.post(url, '')).body.status).toBe('invalid');
    let time = now;
    const late = await fixture({ clock: () => time, challenges: [anyName] }, fix.apple);
    const slow = new Client(late.server);
    await slow.account();
    const order = await slow.post(`${baseUrl}/new-order`, { identifiers: [{ type: 'dns', value: 'a.test' }] });
    time += 3_600_000;
    slow.nonce = null; // those expired, too
    expect((await slow.post(order.headers.get('location')!, '')).body.status).toBe('invalid');
    expect((await slow.post(order.body.authorizations[0], '')).body.status).toBe('expired');
  });

  it('wants a CSR with its very names, and a key that is not the account’s', async () => {
    const client = new Client(fix.server);
    const { order } = await orderName(client, ['a.test'], 'CN=another');
    expect(order.status).toBe(201);
    const cases: [string[], string][] = [
      [['a.test', 'b.test'], ''],
      [[], ''],
      [['b.test'], ''],
    ];
    for (const [names, subject] of cases) {
      const fresh = await client.post(`${baseUrl}/new-order`, { identifiers: [{ type: 'dns', value: 'a.test' }] });
      const { body } = await client.post(fresh.body.authorizations[0], '');
      await client.post(body.challenges[0].url, {});
      const sans = names.map((value) => ({ type: 'dns', value }));
      const csr = await csrOf(await newKeys(), subject, { sans });
      expect((await client.post(fresh.body.finalize, { csr: b64(csr) })).body.type).toBe(error('badCSR'));
      const damaged = Buffer.from(csr);
      damaged[damaged.length - 1]! ^= 1;
      for (const bad of [b64(damaged), b64('rubbish'), '']) {
        expect((await client.post(fresh.body.finalize, { csr: bad })).body.type).toBe(error('badCSR'));
      }
      expect((await client.post(fresh.body.finalize, { csr: '*' })).body.type).toBe(error('malformed'));
      expect((await client.post(fresh.body.finalize, {})).body.type).toBe(error('malformed'));
      const own = localSigner(client.keys.privateKey);
      const ownCsr = await createCsr({ subject: 'CN=a.test', signer: own });
      const refused = await client.post(fresh.body.finalize, { csr: b64(ownCsr) });
      expect(refused.body).toMatchObject({ type: error('badCSR'), detail: 'the key in the CSR is the account key' });
    }
  });

  it('has identifiers of types that are served, and at most one device', async () => {
    const client = new Client(fix.server);
    await client.account();
    const typeOf = async (identifiers: unknown, more: object = {}): Promise<string> =>
      (await client.post(`${baseUrl}/new-order`, { identifiers, ...more })).body.type;
    const device = { type: 'permanent-identifier', value: invite() };
    expect(await typeOf([{ type: 'ip', value: '::1' }])).toBe(error('unsupportedIdentifier'));
    expect(await typeOf([device, { type: 'dns', value: 'a.test' }])).toBe(error('rejectedIdentifier'));
    expect(await typeOf([{ type: 'dns', value: 'a b' }])).toBe(error('rejectedIdentifier'));
    expect(await typeOf([{ type: 'permanent-identifier', value: 'x/y' }])).toBe(error('malformed'));
    expect(await typeOf([{ type: 'permanent-identifier', value: 'x'.repeat(513) }])).toBe(error('rejectedIdentifier'));
    for (const wrong of [undefined, null, [], {}, [7], [{ type: 'dns' }], [{ type: 'dns', value: '' }], ['a.test']]) {
      expect(await typeOf(wrong)).toBe(error('malformed'));
    }
    expect(await typeOf(Array(51).fill(device))).toBe(error('malformed'));
    expect(await typeOf([device], { notAfter: '2030-01-01T00:00:00Z' })).toBe(error('malformed'));
    expect(await typeOf([{ type: '__proto__', value: 'x' }])).toBe(error('unsupportedIdentifier'));
  });

  it('for a hardware module carries RFC 4108’s name', async () => {
    const value = 'ABCD/1.2.3.4';
    fix.store.createIdentifier(
      { reference: 'hw', subject: 'CN=hw', sans: [hardwareModule('ABCD', '1.2.3.4')] },
      { type: 'hardware-module', value },
    );
    const client = new Client(fix.server);
    const { order } = await client.order(value, 'hardware-module');
    expect(order.body.identifiers).toEqual([{ type: 'hardware-module', value }]);
    expect(codeOf(() => hardwareModule('ABCD', 'x'))).toBe('pki.san.invalid');
    expect(codeOf(() => permanentIdentifier('ABCD', '9'))).toBe('pki.san.invalid');
  });

  oracle('openssl', 'names that openssl reads', async () => {
    const keys = await newKeys();
    const sans = [permanentIdentifier('SERIAL/1', '1.2.3.4'), hardwareModule('ABCD', '1.2.3.4')];
    const file = tempFile('csr.der', await csrOf(keys, 'CN=x', { sans }));
    const text = (await openssl(['asn1parse', '-inform', 'DER', '-in', file, '-i'])).toString();
    expect(text).toContain('X509v3 Subject Alternative Name');
    const dump = /OCTET STRING\s+\[HEX DUMP\]:([0-9A-F]+)/.exec(text)![1]!;
    const inner = (await openssl(['asn1parse', '-inform', 'DER', '-i'], Buffer.from(dump, 'hex'))).toString();
    expect(inner).toMatch(/OBJECT\s+:Permanent Identifier[\s\S]*UTF8STRING\s+:SERIAL\/1[\s\S]*OBJECT\s+:1\.2\.3\.4/);
    expect(inner).toMatch(
      /OBJECT\s+:(?:1\.3\.6\.1\.5\.5\.7\.8\.4|.*[Hh]ardware [Mm]odule.*)[\s\S]*OCTET STRING\s+:ABCD/,
    );
  });

  it('belongs to its account, with all its parts', async () => {
    const owner = new Client(fix.server);
    const mine = await enrol(fix, invite(), { client: owner });
    expect(mine.finalized.status, mine.finalized.text).toBe(200);
    const thief = new Client(fix.server);
    await thief.account();
    for (const url of [
      mine.url,
      mine.authorizationUrl,
      mine.challenge.url,
      mine.finalized.body.certificate,
      owner.kid!,
      `${owner.kid}/orders`,
    ]) {
      const answer = await thief.post(url, '');
      expect(answer.status, url).toBe(403);
      expect(answer.body.type).toBe(error('unauthorized'));
    }
    const csr = b64(mine.csr);
    expect((await thief.post(mine.order.body.finalize, { csr })).body.type).toBe(error('unauthorized'));
    for (const name of ['order', 'authorization', 'certificate', 'challenge/x', 'nothing']) {
      expect((await thief.post(`${baseUrl}/${name}/unknown`, '')).status, name).toBe(404);
    }
  });

  it('asks the last word of a policy', async () => {
    const seen: string[] = [];
    const own = await fixture(
      {
        authorise: async ({ grant, csr, attestation }) => {
          seen.push(`${grant.reference} ${csr.subject} ${attestation?.length}`);
          if (grant.reference === 'no') return { decision: 'refuse', reason: 'not today' };
          return { decision: 'issue', grant: { ...grant, subject: 'CN=decided' } };
        },
      },
      fix.apple,
    );
    const refused = await enrol(own, own.store.createIdentifier({ reference: 'no' }));
    expect(refused.finalized.status).toBe(403);
    expect(refused.finalized.body).toMatchObject({ type: error('unauthorized'), detail: 'not today' });
    const taken = await enrol(own, own.store.createIdentifier({ reference: 'yes' }));
    expect(taken.finalized.status, taken.finalized.text).toBe(200);
    expect(seen).toEqual(['no CN=asked for 3', 'yes CN=asked for 3']);
  });
});

describe('revocation', () => {
  const revoke = `${baseUrl}/revoke-cert`;
  const issue = async (client: Client, names = ['a.test']) => {
    const made = await orderName(client, names);
    const pem = await client.post(made.finalized.body.certificate, '');
    const certificate = b64(fromPem(pem.text));
    return { ...made, certificate, id: (made.finalized.body.certificate as string).split('/').at(-1)! };
  };

  it('is done by the account that got the certificate, once, for a reason of its own', async () => {
    const client = new Client(fix.server);
    const { certificate, id } = await issue(client);
    for (const reason of [2, 6, 8, 99, -1, '1', null]) {
      const answer = await client.post(revoke, { certificate, reason });
      expect(answer.body?.type ?? 'revoked', String(reason)).toBe(
        reason === null ? 'revoked' : error('badRevocationReason'),
      );
    }
    expect((await fix.store.findCertificate(id))?.revoked).toEqual({ reason: 'unspecified', at: now });
    expect((await client.post(revoke, { certificate, reason: 4 })).body.type).toBe(error('alreadyRevoked'));
    expect(fix.events.filter(({ type }) => type === 'revoked').length).toBe(1);
  });

  it('is done with the certificate’s key, and by nobody else', async () => {
    const client = new Client(fix.server);
    const { certificate, keys, id } = await issue(client, ['key.test']);
    const stranger = new Client(fix.server);
    await stranger.account();
    expect((await stranger.post(revoke, { certificate })).status).toBe(403);
    expect((await stranger.post(revoke, { certificate }, true)).status).toBe(403);
    const holder = new Client(fix.server);
    holder.keys = {
      privateKey: KeyObject.from(keys.privateKey),
      publicKey: KeyObject.from(keys.publicKey),
    };
    expect((await holder.post(revoke, { certificate, reason: 1 }, true)).status).toBe(200);
    expect((await fix.store.findCertificate(id))?.revoked?.reason).toBe('keyCompromise');
  });

  it('is done by an account that proved to hold all names', async () => {
    const { certificate } = await issue(new Client(fix.server), ['one.test', 'two.test']);
    const heir = new Client(fix.server);
    await orderName(heir, ['one.test']);
    expect((await heir.post(revoke, { certificate })).status).toBe(403);
    await orderName(heir, ['two.test']);
    expect((await heir.post(revoke, { certificate })).status).toBe(200);
  });

  it('is for certificates of this server', async () => {
    const client = new Client(fix.server);
    await client.account();
    expect((await client.post(revoke, { certificate: b64(fix.ca.certificate) })).status).toBe(404);
    expect((await client.post(revoke, { certificate: '!' })).body.type).toBe(error('malformed'));
    expect((await client.post(revoke, {})).body.type).toBe(error('malformed'));
  });
});

describe('hostile requests', () => {
  const url = `${baseUrl}/new-account`;
  type Attack = (client: Client) => Promise<Answer>;
  const withHeader =
    (change: (header: Record<string, unknown>) => unknown, target = url): Attack =>
    async (client) => {
      const header = await client.header(target, true);
      const changed = { ...header, ...(change(header) as object) };
      return client.raw(target, JSON.stringify(jwsOf(changed, {}, client.keys.privateKey)));
    };
  const withJws =
    (change: (jws: Record<string, string>) => unknown): Attack =>
    async (client) => {
      const jws = jwsOf(await client.header(url, true), {}, client.keys.privateKey);
      return client.raw(url, JSON.stringify(change(jws)));
    };
  const rsa = (bits: number) => ({ kty: 'RSA', e: 'AQAB', n: b64(Buffer.alloc(bits / 8, 0xff)) });
  const attacks: Record<string, readonly [status: number, type: string, attack: Attack]> = {
    'another content type': [415, 'malformed', (c) => c.raw(url, '{}', 'application/json')],
    'no body': [400, 'malformed', (c) => c.raw(url, '')],
    'no JSON': [400, 'malformed', (c) => c.raw(url, 'protected')],
    'no UTF-8': [400, 'malformed', (c) => c.raw(url, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))],
    'an array': [400, 'malformed', (c) => c.raw(url, '[]')],
    'deep JSON': [400, 'malformed', (c) => c.raw(url, '['.repeat(60_000))],
    'a body that is too large': [413, 'malformed', (c) => c.raw(url, ' '.repeat(70_000))],
    'a body that says it is too large': [
      413,
      'malformed',
      (c) =>
        c.send(url, {
          method: 'POST',
          body: '{}',
          headers: { 'content-type': 'application/jose+json', 'content-length': '99999999' },
        }),
    ],
    'GET where POST is needed': [405, 'malformed', (c) => c.send(url)],
    'an unknown address': [404, 'malformed', (c) => c.raw(`${baseUrl}/../x`, '{}')],
    'a path of a thousand segments': [404, 'malformed', (c) => c.raw(`${baseUrl}${'/order'.repeat(1000)}`, '{}')],
    'the general serialization': [
      400,
      'malformed',
      withJws(({ protected: p, payload, signature }) => ({ payload, signatures: [{ protected: p, signature }] })),
    ],
    'an unprotected header': [400, 'malformed', withJws((jws) => ({ ...jws, header: { alg: 'none' } }))],
    'a missing signature': [400, 'malformed', withJws(({ signature: _, ...jws }) => jws)],
    'padded base64url': [400, 'malformed', withJws((jws) => ({ ...jws, signature: `${jws['signature']}==` }))],
    'base64url that is not canonical': [400, 'malformed', withJws((jws) => ({ ...jws, payload: 'e31' }))],
    'a header that is no JSON': [400, 'malformed', withJws((jws) => ({ ...jws, protected: b64('{') }))],
    'a header that is a string': [400, 'malformed', withJws((jws) => ({ ...jws, protected: b64('"x"') }))],
    'a critical extension': [400, 'malformed', withHeader(() => ({ crit: ['exp'] }))],
    'an unencoded payload': [400, 'malformed', withHeader(() => ({ b64: false }))],
    'alg none': [400, 'badSignatureAlgorithm', withHeader(() => ({ alg: 'none' }))],
    'alg None': [400, 'badSignatureAlgorithm', withHeader(() => ({ alg: 'None' }))],
    'an HMAC': [400, 'badSignatureAlgorithm', withHeader(() => ({ alg: 'HS256' }))],
    'the algorithm of another key': [400, 'badSignatureAlgorithm', withHeader(() => ({ alg: 'RS256' }))],
    'an algorithm called constructor': [400, 'badSignatureAlgorithm', withHeader(() => ({ alg: 'constructor' }))],
    'no algorithm': [400, 'badSignatureAlgorithm', withHeader(() => ({ alg: undefined }))],
    'jwk and kid': [400, 'malformed', withHeader(() => ({ kid: `${baseUrl}/account/x` }))],
    'neither jwk nor kid': [400, 'malformed', withHeader(() => ({ jwk: undefined }))],
    'a kid where a key is needed': [
      400,
      'malformed',
      withHeader(() => ({ jwk: undefined, kid: `${baseUrl}/account/x` })),
    ],
    'a key where a kid is needed': [400, 'malformed', withHeader(() => ({}), `${baseUrl}/new-order`)],
    'a kid of another server': [
      400,
      'accountDoesNotExist',
      withHeader(() => ({ jwk: undefined, kid: 'https://evil.test/account/x' }), `${baseUrl}/new-order`),
    ],
    'a kid that climbs': [
      400,
      'accountDoesNotExist',
      withHeader(() => ({ jwk: undefined, kid: `${baseUrl}/account/../order` }), `${baseUrl}/new-order`),
    ],
    'another url': [401, 'unauthorized', withHeader(() => ({ url: `${baseUrl}/new-order` }))],
    'a url of another host': [401, 'unauthorized', withHeader(() => ({ url: 'https://evil.test/acme/new-account' }))],
    'no url': [400, 'malformed', withHeader(() => ({ url: undefined }))],
    'no nonce': [400, 'badNonce', withHeader(() => ({ nonce: undefined }))],
    'a nonce of its own': [400, 'badNonce', withHeader(() => ({ nonce: 'AAAAAAAAAAAAAAAAAAAAAA' }))],
    'a nonce that is a number': [400, 'malformed', withHeader(() => ({ nonce: 7 }))],
    'a nonce called __proto__': [400, 'badNonce', withHeader(() => ({ nonce: '__proto__' }))],
    'a wrong signature': [401, 'unauthorized', withJws((jws) => ({ ...jws, payload: b64('{"x":1}') }))],
    'an empty signature': [401, 'unauthorized', withJws((jws) => ({ ...jws, signature: '' }))],
    'a signature of zeros': [401, 'unauthorized', withJws((jws) => ({ ...jws, signature: b64(Buffer.alloc(64)) }))],
    'a private key': [
      400,
      'badPublicKey',
      withHeader(() => ({ jwk: newAccountKey().privateKey.export({ format: 'jwk' }) })),
    ],
    'a symmetric key': [400, 'badPublicKey', withHeader(() => ({ jwk: { kty: 'oct', k: 'AAAA' } }))],
    'a small RSA key': [400, 'badPublicKey', withHeader(() => ({ alg: 'RS256', jwk: rsa(1024) }))],
    'a huge RSA key': [400, 'badPublicKey', withHeader(() => ({ alg: 'RS256', jwk: rsa(16_384) }))],
    'an even RSA key': [
      400,
      'badPublicKey',
      withHeader(() => ({ alg: 'RS256', jwk: { ...rsa(2048), n: b64(Buffer.alloc(256, 0xfe)) } })),
    ],
    'RSA exponent one': [400, 'badPublicKey', withHeader(() => ({ alg: 'RS256', jwk: { ...rsa(2048), e: 'AQ' } }))],
    'a huge RSA exponent': [
      400,
      'badPublicKey',
      withHeader(() => ({ alg: 'RS256', jwk: { ...rsa(2048), e: b64(Buffer.alloc(64, 255)) } })),
    ],
    'a point that is not on the curve': [
      400,
      'badPublicKey',
      withHeader(() => ({
        jwk: { kty: 'EC', crv: 'P-256', x: b64(Buffer.alloc(32, 1)), y: b64(Buffer.alloc(32, 1)) },
      })),
    ],
    'a coordinate that is too short': [
      400,
      'badPublicKey',
      withHeader(({ jwk }) => ({ jwk: { ...(jwk as object), x: 'AAAA' } })),
    ],
    'an unknown curve': [
      400,
      'badPublicKey',
      withHeader(({ jwk }) => ({ jwk: { ...(jwk as object), crv: 'secp256k1' } })),
    ],
    'a key that is a string': [400, 'malformed', withHeader(() => ({ jwk: 'key' }))],
    'a payload that is an array': [400, 'malformed', async (c) => c.post(url, [], true)],
    'a payload that is empty': [400, 'malformed', async (c) => c.post(url, '', true)],
    'a flag that is a string': [400, 'malformed', async (c) => c.post(url, { onlyReturnExisting: 'true' }, true)],
  };

  for (const [name, [status, type, attack]] of Object.entries(attacks)) {
    it(`${name}: ${type}`, async () => {
      const client = new Client(fix.server);
      await client.freshNonce();
      const accounts = fix.events.filter((event) => event.type === 'account-created').length;
      const before = process.cpuUsage();
      const answer = await attack(client);
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1000).toBeLessThan(100);
      expect(answer.status, answer.text).toBe(status);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(answer.body).toMatchObject({ type: error(type), status });
      if (status !== 405) expect(answer.headers.get('replay-nonce')).toMatch(/^[\w-]{22}$/);
      expect(fix.events.filter((event) => event.type === 'account-created').length).toBe(accounts);
    });
  }

  it('a nonce is good for one request, right or wrong, and the problem carries the next', async () => {
    const client = new Client(fix.server);
    const header = await client.header(url, true);
    const body = JSON.stringify(jwsOf(header, {}, client.keys.privateKey));
    expect((await client.raw(url, body)).status).toBe(201);
    const replayed = await client.raw(url, body);
    expect(replayed.body.type).toBe(error('badNonce'));
    const next = { ...header, nonce: replayed.headers.get('replay-nonce') };
    expect((await client.raw(url, JSON.stringify(jwsOf(next, {}, client.keys.privateKey)))).status).toBe(200);
  });

  it('a client is told which algorithms are accepted', async () => {
    const { body } = await withHeader(() => ({ alg: 'HS256' }))(new Client(fix.server));
    expect(body.algorithms).toEqual(['ES256', 'ES384', 'ES512', 'RS256', 'EdDSA']);
    expect((await withHeader(() => ({ alg: 'RS256' }))(new Client(fix.server))).body.algorithms).toEqual(['ES256']);
  });

  it('a POST-as-GET with a payload is refused', async () => {
    const client = new Client(fix.server);
    const { url: orderUrl } = await client.order(invite());
    for (const payload of [{}, { status: 'valid' }]) {
      expect((await client.post(orderUrl, payload)).body.type).toBe(error('malformed'));
    }
  });

  it('a store that fails is told to the log, not to the client', async () => {
    const store = createMemoryAcmeStore({ clock });
    const broken = await fixture({ store }, fix.apple);
    const client = new Client(broken.server);
    await client.freshNonce();
    store.findAccountByThumbprint = async () => {
      throw new Error('password=hunter2');
    };
    const answer = await client.account();
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('hunter2');
    expect(broken.events.at(-1)).toMatchObject({ type: 'error' });
    store.addNonce = async () => {
      throw new Error('down');
    };
    expect((await client.send(`${baseUrl}/new-nonce`, { method: 'HEAD' })).status).toBe(500);
  });
});
