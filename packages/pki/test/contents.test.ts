// What a server puts into certificates when it issues them, whatever the grant and the CSR say: SCEP and ACME.
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateAuthority,
  type CertificateContents,
  createMemoryScepStore,
  createScepServer,
  fromPem,
  generateKeyPair,
  microsoftSid,
  PkiError,
  readCertificate,
  type ScepIssuance,
  scepEnrol,
} from '../src/index.ts';
import { b64, csrOf, enrol, fixture, newKeys } from './acme-support.ts';
import { clock, testCa } from './support.ts';

let ca: CertificateAuthority;
let key: Uint8Array;
beforeAll(async () => {
  ({ ca } = await testCa());
  key = (await generateKeyPair({ type: 'rsa', bits: 2048 })).privateKey;
});

const full: CertificateContents = {
  subject: 'CN=made,O=Example',
  sans: [{ type: 'email', value: 'jo@example.com' }],
  validityDays: 90,
  extensions: [microsoftSid('S-1-5-21-1-2-3-500')],
};

/** Subject, names, days, and whether the security identifier is in it. */
function facts(der: Uint8Array) {
  const { subject, sans, notBefore, notAfter } = readCertificate(der);
  const days = Math.round((notAfter.getTime() - notBefore.getTime()) / 86_400_000);
  const sid = Buffer.from(der).includes('S-1-5-21-1-2-3-500');
  return { subject, sans: sans.map(({ type }) => type), days, sid };
}

function scep(contents: (issuance: ScepIssuance) => Promise<CertificateContents>, behind = ca) {
  const store = createMemoryScepStore({ clock });
  const renewal = { authorise: async () => ({ reference: 'again' }) };
  const server = createScepServer({ ca: behind, store, clock, contents, renewal });
  const base = { url: 'http://scep.test/', fetch: (request: Request) => server.handle(request), clock };
  return { store, base };
}

describe('contents of a certificate by SCEP', () => {
  it('replace those of grant and CSR, and are made for each renewal', async () => {
    const seen: ScepIssuance[] = [];
    const { store, base } = scep(async (issuance) => {
      seen.push(issuance);
      return full;
    });
    const challenge = store.createChallenge({ reference: 'r', subject: 'CN=granted', validityDays: 10 });
    const first = await scepEnrol({ ...base, challenge, subject: 'CN=asked', key });
    expect(facts(first.certificate)).toEqual({ subject: 'CN=made,O=Example', sans: ['email'], days: 90, sid: true });
    await scepEnrol({ ...base, renew: first, subject: 'CN=asked' });
    expect(seen.map(({ grant, renews, csr }) => [grant.reference, renews?.subject, csr.subject])).toEqual([
      ['r', undefined, 'CN=asked'],
      ['again', 'CN=made,O=Example', 'CN=asked'],
    ]);
  });

  it('leave the rest as it was', async () => {
    const { store, base } = scep(async () => ({}));
    const challenge = store.createChallenge({ reference: 'r', subject: 'CN=granted', validityDays: 10 });
    const first = await scepEnrol({ ...base, challenge, subject: 'CN=asked', key });
    expect(facts(first.certificate)).toEqual({ subject: 'CN=granted', sans: [], days: 10, sid: false });
    const again = await scepEnrol({ ...base, renew: first, subject: 'CN=asked' });
    expect(facts(again.certificate)).toMatchObject({ subject: 'CN=granted' });
  });

  it('are asked for again when a request waited', async () => {
    let asked = 0;
    const slow: CertificateAuthority = {
      ...ca,
      async issue(request) {
        if (asked < 2) throw new PkiError('pki.ca.pending', 'wait', { kind: 'unavailable' });
        return await ca.issue(request);
      },
    };
    const { store, base } = scep(async () => {
      asked += 1;
      return { subject: `CN=look ${asked}` };
    }, slow);
    const challenge = store.createChallenge({ reference: 'r' });
    const polling = { attempts: 2, wait: async () => {} };
    const got = await scepEnrol({ ...base, challenge, subject: 'CN=asked', key, polling });
    expect(facts(got.certificate).subject).toBe('CN=look 2');
  });

  it('that cannot be made refuse the request', async () => {
    const { store, base } = scep(async () => {
      throw new PkiError('pki.variable.unresolved', '$EMAIL$ has no value');
    });
    const challenge = store.createChallenge({ reference: 'r' });
    await expect(scepEnrol({ ...base, challenge, subject: 'CN=asked', key })).rejects.toMatchObject({
      code: 'pki.scep.failed',
    });
  });
});

describe('contents of a certificate by ACME', () => {
  it('replace those of grant and CSR, or refuse the order', async () => {
    const made = await fixture({
      contents: async ({ grant, attested }) => {
        if (grant.reference === 'bad') throw new PkiError('pki.variable.unresolved', '$EMAIL$ has no value');
        expect(attested?.serialNumber).toBe('C02TEST1');
        return full;
      },
    });
    const identifier = made.store.createIdentifier({ reference: 'r', subject: 'CN=granted' });
    const { client, finalized } = await enrol(made, identifier);
    const chain = await client.post(finalized.body.certificate, '');
    const leaf = fromPem(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/.exec(chain.text)![0]);
    expect(facts(leaf)).toEqual({ subject: 'CN=made,O=Example', sans: ['email'], days: 90, sid: true });
    const bad = await enrol(made, made.store.createIdentifier({ reference: 'bad' }));
    expect(bad.finalized.body).toMatchObject({ type: expect.stringContaining('badCSR') });
    const again = { csr: b64(await csrOf(await newKeys())) };
    expect((await bad.client.post(bad.order.body.finalize, again)).status).toBe(400);
  });
});
