import { readFileSync } from 'node:fs';
import type { createServer } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateAuthority,
  createMemoryScepStore,
  createScepServer,
  generateKeyPair,
  getScepServerInfo,
  type Identity,
  openCa,
  prepareScepRequest,
  readCertificate,
  type ScepEvent,
  type ScepServerOptions,
  scepEnrol,
  sendScepRequest,
  staticChallenge,
  verifyCms,
  verifyTrust,
} from '../src/index.ts';
import { clock, codeOf, codeOfAsync, now, testCa } from './support.ts';

const url = 'http://scep.test/scep';
const day = 86_400_000;
let root: Identity;
let ca: CertificateAuthority;
let keyA: Uint8Array;
let keyB: Uint8Array;
beforeAll(async () => {
  ({ root, ca } = await testCa());
  keyA = (await generateKeyPair({ type: 'rsa', bits: 2048 })).privateKey;
  keyB = (await generateKeyPair({ type: 'rsa', bits: 2048 })).privateKey;
});

function setUp(options: Partial<ScepServerOptions> = {}) {
  const store = createMemoryScepStore({ clock });
  const events: ScepEvent[] = [];
  const server = createScepServer({ ca, store, clock, onEvent: (event) => events.push(event), ...options });
  const fetch = (request: Request): Promise<Response> => server.handle(request);
  return { store, events, server, fetch };
}

const get = (query: string): Request => new Request(`${url}?${query}`);

describe('the SCEP server', () => {
  it('tells its capabilities', async () => {
    const { server } = setUp();
    const response = await server.handle(get('operation=GetCACaps&message='));
    const text = await response.text();
    expect(text.split('\n')).toEqual(
      expect.arrayContaining(['AES', 'DES3', 'POSTPKIOperation', 'SHA-256', 'SCEPStandard']),
    );
    expect(text).not.toContain('Renewal');
    const renewing = setUp({ renewal: { authorise: async () => null } });
    expect(await (await renewing.server.handle(get('operation=GetCACaps'))).text()).toContain('Renewal');
  });

  it('says 503 with Retry-After while its store is away, and 500 for a fault', async () => {
    const away = Object.assign(new Error('no database'), { [Symbol.for('espalier.error')]: true, kind: 'unavailable' });
    for (const [error, status, retryAfter] of [
      [away, 503, '30'],
      [new Error('a fault'), 500, null],
    ] as const) {
      const { store, events } = setUp();
      const failing = { ...store, findTransaction: () => Promise.reject(error) };
      const { server } = setUp({ store: failing, onEvent: (event) => events.push(event) });
      const seen: Response[] = [];
      const fetch = async (request: Request): Promise<Response> => {
        const response = await server.handle(request);
        seen.push(response);
        return response;
      };
      const challenge = store.createChallenge({ reference: 'r' });
      const enrol = () => scepEnrol({ url, fetch, subject: 'CN=d', challenge, key: keyA, clock });
      expect(await codeOfAsync(enrol)).toBe('pki.scep.http');
      expect([seen.at(-1)!.status, seen.at(-1)!.headers.get('retry-after')]).toEqual([status, retryAfter]);
      expect(events).toEqual([{ type: 'error', error }]);
    }
  });

  it('gives its certificate alone, or a bundle where there are more', async () => {
    const { server } = setUp();
    const single = await server.handle(get('operation=GetCACert&message=any'));
    expect(single.headers.get('content-type')).toBe('application/x-x509-ca-cert');
    expect(new Uint8Array(await single.arrayBuffer())).toEqual(root.certificate);
    const ecCa = (await testCa({ type: 'ec', curve: 'P-256' })).ca;
    expect(codeOf(() => createScepServer({ ca: ecCa, store: createMemoryScepStore({ clock }), clock }))).toBe(
      'pki.scep.ra_required',
    );
    const { publicKey, privateKey } = await generateKeyPair();
    const certificate = await ecCa.issue({ publicKey, subject: 'CN=RA', template: 'scep-ra' });
    const withRa = setUp({ ca: ecCa, ra: { certificate, privateKey } });
    const bundle = await withRa.server.handle(get('operation=GetCACert'));
    expect(bundle.headers.get('content-type')).toBe('application/x-x509-ca-ra-cert');
    const challenge = withRa.store.createChallenge({ reference: 'r' });
    const own = await scepEnrol({ url, fetch: withRa.fetch, subject: 'CN=d', challenge, key: keyA, clock });
    verifyTrust(own.certificate, { anchors: [ecCa.certificate], now, purpose: 'client-auth' });
    expect(own.ca).toEqual(ecCa.certificate);
  });

  it('enrols once per challenge', async () => {
    const { store, fetch, events } = setUp();
    const challenge = store.createChallenge({ reference: 'invitation 1', validityDays: 10 });
    const own = await scepEnrol({ url, fetch, subject: 'CN=device,O=E', challenge, key: keyA, clock });
    const certificate = readCertificate(own.certificate);
    expect(certificate.subject).toBe('CN=device,O=E');
    expect(certificate.notAfter.getTime()).toBe(now + 10 * day);
    verifyTrust(own.certificate, { anchors: [root.certificate], now, purpose: 'client-auth' });
    expect(events).toEqual([
      expect.objectContaining({ type: 'issued', reference: 'invitation 1', serialNumber: certificate.serialNumber }),
    ]);
    const again = { url, fetch, subject: 'CN=other', challenge, key: keyB, clock };
    await expect(scepEnrol(again)).rejects.toMatchObject({ code: 'pki.scep.failed', message: /badRequest/ });
    expect(store.issued()).toHaveLength(1);
    expect(JSON.stringify(events)).not.toContain(challenge);
  });

  it('refuses unknown, missing and expired challenges', async () => {
    let time = now;
    const store = createMemoryScepStore({ clock: () => time, challengeTtlMs: 1000 });
    const { fetch } = setUp({ store, clock: () => time });
    const enrol = (challenge?: string): Promise<string> =>
      codeOfAsync(() =>
        scepEnrol({ url, fetch, subject: 'CN=x', key: keyA, clock, ...(challenge === undefined ? {} : { challenge }) }),
      );
    expect(await enrol('guess')).toBe('pki.scep.failed');
    expect(await enrol()).toBe('pki.scep.failed');
    const challenge = store.createChallenge({ reference: 'r' });
    time += 1001;
    expect(await enrol(challenge)).toBe('pki.scep.failed');
    expect(store.issued()).toHaveLength(0);
  });

  it('lets the grant fix subject and names', async () => {
    const { store, fetch } = setUp();
    const sans = [{ type: 'upn', value: 'u@example.com' }] as const;
    const challenge = store.createChallenge({ reference: 'r', subject: 'CN=granted', sans });
    const asked = [{ type: 'dns', value: 'evil.example' }] as const;
    const own = await scepEnrol({ url, fetch, subject: 'CN=asked', sans: asked, challenge, key: keyA, clock });
    expect(readCertificate(own.certificate).subject).toBe('CN=granted');
    expect(readCertificate(own.certificate).sans).toEqual(sans);
    const second = store.createChallenge({ reference: 'r' });
    const plain = await scepEnrol({
      url,
      fetch,
      subject: 'CN=asked',
      sans: asked,
      challenge: second,
      key: keyB,
      clock,
    });
    expect(readCertificate(plain.certificate).sans).toEqual([]);
  });

  it('answers the very same request again with the same certificate', async () => {
    const { store, fetch, events } = setUp();
    const info = await getScepServerInfo({ url, fetch });
    const challenge = store.createChallenge({ reference: 'r' });
    const request = await prepareScepRequest({ server: info, subject: 'CN=x', challenge, privateKey: keyA, clock });
    const first = await sendScepRequest({ url, fetch }, info, request);
    const second = await sendScepRequest({ url, fetch }, info, request);
    expect(first.status).toBe('issued');
    expect(second).toEqual(first);
    // A new message of the same transaction and key, too; but not one of another key.
    const retried = await prepareScepRequest({ server: info, subject: 'CN=x', challenge, privateKey: keyA, clock });
    expect(retried.transactionId).toBe(request.transactionId);
    expect(await sendScepRequest({ url, fetch }, info, retried)).toEqual(first);
    const { transactionId } = request;
    const thief = await prepareScepRequest({
      server: info,
      subject: 'CN=x',
      challenge,
      privateKey: keyB,
      transactionId,
      clock,
    });
    expect(await sendScepRequest({ url, fetch }, info, thief)).toMatchObject({ status: 'failed' });
    expect(store.issued()).toHaveLength(1);
    expect(events.map((event) => event.type)).toEqual(['issued', 'replayed', 'replayed', 'refused']);
  });

  it('issues anew to the same key with a new challenge, or when the first certificate has ended', async () => {
    let time = now;
    const at = (): number => time;
    const live = await openCa({ ...root, clock: at });
    const store = createMemoryScepStore({ clock: at });
    const { fetch } = setUp({ ca: live, store, clock: at, validityDays: 10 });
    const enrol = (challenge: string) => scepEnrol({ url, fetch, subject: 'CN=x', challenge, key: keyA, clock: at });
    const [a, b] = [store.createChallenge({ reference: 'a' }), store.createChallenge({ reference: 'b' })];
    const first = await enrol(a);
    const second = await enrol(b);
    expect(second.certificate).not.toEqual(first.certificate);
    expect((await enrol(a)).certificate).toEqual(first.certificate);
    expect((await enrol(b)).certificate).toEqual(second.certificate);
    // Without challenges the key alone makes the transaction, for as long as its certificate lasts.
    const open = setUp({
      ca: live,
      store,
      clock: at,
      validityDays: 10,
      authorise: async () => ({ decision: 'issue', grant: { reference: 'open' } }),
    });
    const again = () => scepEnrol({ url, fetch: open.fetch, subject: 'CN=x', key: keyA, clock: at });
    const third = await again();
    expect((await again()).certificate).toEqual(third.certificate);
    time += 11 * day;
    const fourth = await again();
    expect(fourth.certificate).not.toEqual(third.certificate);
    expect((await again()).certificate).toEqual(fourth.certificate);
  });

  it('issues once when a challenge is raced by many keys, and gives a raced retry one certificate', async () => {
    const { store, fetch } = setUp();
    const info = await getScepServerInfo({ url, fetch });
    const challenge = store.createChallenge({ reference: 'r' });
    const keys = [keyA, keyB, (await generateKeyPair()).privateKey];
    const results = await Promise.all(
      [...keys, ...keys].map(async (privateKey) => {
        const request = await prepareScepRequest({ server: info, subject: 'CN=x', challenge, privateKey, clock });
        return sendScepRequest({ url, fetch }, info, request);
      }),
    );
    const issued = results.filter((result) => result.status === 'issued');
    expect(issued).toHaveLength(2); // the winner and its own retry
    expect(issued[1]).toEqual(issued[0]);
    expect(store.issued()).toHaveLength(1);
  });

  it('gives the certificate of the first try when the answer was lost between commit and reply', async () => {
    const store = createMemoryScepStore({ clock });
    let crash = true;
    const { fetch, events } = setUp({
      store: {
        ...store,
        async commit(entry) {
          const outcome = await store.commit(entry);
          if (crash) throw new Error('power cut');
          return outcome;
        },
      },
    });
    const info = await getScepServerInfo({ url, fetch });
    const challenge = store.createChallenge({ reference: 'r' });
    const request = await prepareScepRequest({ server: info, subject: 'CN=x', challenge, privateKey: keyA, clock });
    expect(await codeOfAsync(() => sendScepRequest({ url, fetch }, info, request))).toBe('pki.scep.http');
    expect(events).toEqual([{ type: 'error', error: new Error('power cut') }]);
    crash = false;
    const result = await sendScepRequest({ url, fetch }, info, request);
    expect(result).toMatchObject({ status: 'issued', certificate: store.issued()[0] });
    expect(store.issued()).toHaveLength(1);
  });

  it('speaks GET with base64 in the query, even unescaped', async () => {
    const { store, server, fetch } = setUp();
    const info = { ...(await getScepServerInfo({ url, fetch })), capabilities: new Set(['AES']) };
    const methods: string[] = [];
    const challenge = store.createChallenge({ reference: 'r' });
    const seen = (request: Request): Promise<Response> => {
      methods.push(request.method);
      return server.handle(request);
    };
    await scepEnrol({ url, fetch: seen, server: info, subject: 'CN=x', challenge, key: keyA, clock });
    expect(methods).toEqual(['GET']);
    const next = store.createChallenge({ reference: 'r' });
    const request = await prepareScepRequest({
      server: info,
      subject: 'CN=y',
      challenge: next,
      privateKey: keyB,
      clock,
    });
    const raw = Buffer.from(request.message).toString('base64');
    expect(raw).toContain('+');
    const response = await server.handle(get(`operation=PKIOperation&message=${raw}`));
    expect(request.open(new Uint8Array(await response.arrayBuffer())).status).toBe('issued');
  });

  it('takes every cipher and hash, and answers with them', async () => {
    const { store, server, fetch } = setUp();
    const info = await getScepServerInfo({ url, fetch });
    const oidOfCipher = { 'aes-128-cbc': '0102', 'aes-256-cbc': '012a', '3des': '0307' } as const;
    for (const cipher of ['aes-128-cbc', 'aes-256-cbc', '3des'] as const) {
      for (const hash of ['sha256', 'sha512'] as const) {
        const challenge = store.createChallenge({ reference: 'r' });
        const transactionId = `${cipher} ${hash}`;
        const options = { server: info, subject: 'CN=x', challenge, privateKey: keyA, clock, cipher, hash };
        const request = await prepareScepRequest({ ...options, transactionId });
        const body = Uint8Array.from(request.message);
        const response = await server.handle(new Request(`${url}?operation=PKIOperation`, { method: 'POST', body }));
        const reply = new Uint8Array(await response.arrayBuffer());
        expect(request.open(reply).status).toBe('issued');
        const envelope = Buffer.from(verifyCms(reply).content).toString('hex');
        expect(envelope.slice(0, -200)).toContain(oidOfCipher[cipher]);
      }
    }
  });

  it('renews by the present certificate when asked to', async () => {
    const denied = setUp();
    const first = denied.store.createChallenge({ reference: 'first' });
    const old = await scepEnrol({ url, fetch: denied.fetch, subject: 'CN=d', challenge: first, key: keyA, clock });
    const renewed = { url, subject: 'CN=d', key: keyB, renew: old, clock };
    expect(await codeOfAsync(() => scepEnrol({ ...renewed, fetch: denied.fetch }))).toBe('pki.scep.failed');

    let asked = '';
    const authorise = async (renewal: { certificate: { serialNumber: string } }) => {
      asked = renewal.certificate.serialNumber;
      return { reference: 'renewal' };
    };
    const allowed = setUp({ renewal: { authorise } });
    const own = await scepEnrol({ ...renewed, subject: 'CN=somebody else', fetch: allowed.fetch });
    expect(asked).toBe(readCertificate(old.certificate).serialNumber);
    expect(readCertificate(own.certificate).subject).toBe('CN=d');
    expect(own.certificate).not.toEqual(old.certificate);

    const refusing = setUp({ renewal: { authorise: async () => null } });
    expect(await codeOfAsync(() => scepEnrol({ ...renewed, fetch: refusing.fetch }))).toBe('pki.scep.failed');

    // Another authority's certificate, and an expired one.
    const foreign = await testCa();
    const elsewhere = setUp({ ca: foreign.ca, renewal: { authorise } });
    expect(await codeOfAsync(() => scepEnrol({ ...renewed, fetch: elsewhere.fetch }))).toBe('pki.scep.failed');
    const rolled = setUp({ ca: foreign.ca, renewal: { authorise, previousCas: [ca.certificate] } });
    expect((await scepEnrol({ ...renewed, fetch: rolled.fetch })).ca).toEqual(foreign.ca.certificate);
    const later = (): number => now + 380 * day;
    const lateCa = await openCa({ ...root, clock: later });
    const late = setUp({ ca: lateCa, clock: later, renewal: { authorise } });
    expect(await codeOfAsync(() => scepEnrol({ ...renewed, fetch: late.fetch }))).toBe('pki.scep.failed');
    const grace = setUp({ ca: lateCa, clock: later, renewal: { authorise, graceDays: 30 } });
    expect((await scepEnrol({ ...renewed, fetch: grace.fetch })).certificate).toBeDefined();
  });

  it('holds requests for approval and answers polls', async () => {
    const { store, fetch } = setUp({ authorise: async () => ({ decision: 'pending' }) });
    const base = { url, fetch, subject: 'CN=waits', key: keyA, clock };
    expect(await codeOfAsync(() => scepEnrol(base))).toBe('pki.scep.pending');
    expect(store.pending()).toHaveLength(1);
    const waits: number[] = [];
    const own = await scepEnrol({
      ...base,
      polling: {
        attempts: 3,
        async wait(attempt) {
          waits.push(attempt);
          if (attempt < 2) return;
          const { transactionId } = store.pending()[0]!;
          expect(store.decide(transactionId, { decision: 'issue', grant: { reference: 'approved' } })).toBe(true);
        },
      },
    });
    expect(waits).toEqual([1, 2]);
    expect(readCertificate(own.certificate).subject).toBe('CN=waits');
    const refuse = { ...base, key: keyB };
    expect(await codeOfAsync(() => scepEnrol(refuse))).toBe('pki.scep.pending');
    store.decide(store.pending()[0]!.transactionId, { decision: 'refuse', reason: 'no' });
    const polling = { attempts: 1, wait: async () => {} };
    expect(await codeOfAsync(() => scepEnrol({ ...refuse, polling }))).toBe('pki.scep.failed');
  });

  it('delegates challenges', async () => {
    const { fetch } = setUp({
      authorise: async ({ csr }) =>
        csr.challengePassword === 'static'
          ? { decision: 'issue', grant: { reference: 'static' } }
          : { decision: 'refuse' },
    });
    const base = { url, fetch, subject: 'CN=x', clock };
    expect((await scepEnrol({ ...base, key: keyA, challenge: 'static' })).certificate).toBeDefined();
    expect(await codeOfAsync(() => scepEnrol({ ...base, key: keyB, challenge: 'wrong' }))).toBe('pki.scep.failed');
  });

  it('believes a shared challenge', async () => {
    const secret = 'sixteen characters';
    const grant = ({ csr }: { csr: { subject: string } }) => ({ reference: csr.subject });
    const { fetch, events } = setUp({ authorise: staticChallenge(secret, grant) });
    const base = { url, fetch, clock, key: keyA };
    const { certificate } = await scepEnrol({ ...base, subject: 'CN=one', challenge: secret });
    expect(readCertificate(certificate).subjectCn).toBe('one');
    expect(events.at(-1)).toMatchObject({ type: 'issued', reference: 'CN=one' });
    for (const challenge of ['', 'sixteen characters?', `${secret}${secret}`]) {
      const wrong = { ...base, subject: 'CN=two', challenge, transactionId: `t${challenge.length}` };
      expect(await codeOfAsync(() => scepEnrol(wrong))).toBe('pki.scep.failed');
    }
    expect(codeOf(() => staticChallenge('short', () => ({ reference: 'x' })))).toBe('pki.scep.challenge');
  });

  it('announces the authority that follows', async () => {
    const next = await testCa({ type: 'rsa', bits: 2048 });
    const { server } = setUp({ nextCa: { certificate: next.root.certificate } });
    const response = await server.handle(get('operation=GetNextCACert'));
    expect(response.headers.get('content-type')).toBe('application/x-x509-next-ca-cert');
    const signed = verifyCms(new Uint8Array(await response.arrayBuffer()));
    expect(signed.signer).toEqual(root.certificate);
    expect(Buffer.from(signed.content).includes(Buffer.from(next.root.certificate))).toBe(true);
    expect((await setUp().server.handle(get('operation=GetNextCACert'))).status).toBe(404);
  });

  it('answers what is no SCEP request with a status and a reason', async () => {
    const { server, events } = setUp({ limits: { maxMessageBytes: 10_000 } });
    const status = async (request: Request): Promise<number> => (await server.handle(request)).status;
    const post = (body: Uint8Array<ArrayBuffer> | string): Request =>
      new Request(`${url}?operation=PKIOperation`, { method: 'POST', body });
    expect(await status(get(''))).toBe(400);
    expect(await status(get('operation=Other'))).toBe(400);
    expect(await status(get('operation=PKIOperation'))).toBe(400);
    expect(await status(get('operation=PKIOperation&message=%%%'))).toBe(400);
    expect(await status(get(`operation=PKIOperation&message=${'A'.repeat(20_000)}`))).toBe(413);
    expect(await status(post(''))).toBe(400);
    expect(await status(post('hello'))).toBe(400);
    expect(await status(post(new Uint8Array(20_000)))).toBe(413);
    expect(await status(new Request(`${url}?operation=GetCACert`, { method: 'DELETE' }))).toBe(405);
    expect(events.every((event) => event.type === 'malformed')).toBe(true);
  });

  it('stops reading a body without end', async () => {
    const { server } = setUp({ limits: { maxMessageBytes: 10_000 } });
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(4096));
      },
    });
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    expect((await server.handle(new Request(`${url}?operation=PKIOperation`, init))).status).toBe(413);
    expect(pulled).toBeLessThan(10);
  });
});

describe('the SCEP client', () => {
  it('checks the fingerprint of the authority', async () => {
    const { store, fetch } = setUp();
    const { fingerprintSha256 } = readCertificate(root.certificate);
    const enrol = (caFingerprint: string): Promise<string> => {
      const challenge = store.createChallenge({ reference: 'r' });
      return codeOfAsync(() => scepEnrol({ url, fetch, subject: 'CN=x', key: keyA, challenge, clock, caFingerprint }));
    };
    expect(await enrol(fingerprintSha256.toUpperCase().replace(/(..)(?!$)/g, '$1:'))).toBe('no error');
    expect(await enrol('0'.repeat(64))).toBe('pki.scep.fingerprint');
    expect(await enrol('abc')).toBe('pki.scep.fingerprint');
  });

  it('believes no reply that is not for its request', async () => {
    const { store, server, fetch } = setUp();
    const other = await testCa();
    const foreign = setUp({ ca: other.ca });
    const info = await getScepServerInfo({ url, fetch });
    const prepare = (privateKey: Uint8Array) =>
      prepareScepRequest({
        server: info,
        subject: 'CN=x',
        challenge: store.createChallenge({ reference: 'r' }),
        privateKey,
        clock,
      });
    const [a, b] = [await prepare(keyA), await prepare(keyB)];
    const reply = async (request: typeof a, to = server): Promise<Uint8Array> => {
      const body = Uint8Array.from(request.message);
      const response = await to.handle(new Request(`${url}?operation=PKIOperation`, { method: 'POST', body }));
      return new Uint8Array(await response.arrayBuffer());
    };
    const good = await reply(a);
    expect(a.open(good).status).toBe('issued');
    expect(codeOf(() => b.open(good))).toBe('pki.scep.bad_reply');
    expect(codeOf(() => a.open(a.message))).toBe('pki.scep.bad_reply');
    const again = await prepare(keyA);
    expect(codeOf(() => again.open(good))).toBe('pki.scep.bad_reply'); // same transaction, other nonce
    // A FAILURE signed by somebody else's authority.
    expect(codeOf(() => a.open(good.subarray(0, 100)))).toMatch(/^pki\.der\./);
    expect(codeOf(() => b.open(new Uint8Array()))).toMatch(/^pki\.der\./);
    const failure = await reply(b, foreign.server);
    expect(codeOf(() => b.open(failure))).toBe('pki.scep.bad_reply');
  });

  it('reports servers that cannot be reached or answer otherwise', async () => {
    const enrol = (fetch: (request: Request) => Promise<Response>): Promise<string> =>
      codeOfAsync(() => scepEnrol({ url, fetch, subject: 'CN=x', key: keyA, clock }));
    expect(await enrol(() => Promise.reject(new TypeError('fetch failed')))).toBe('pki.scep.unreachable');
    expect(await enrol(async () => new Response('no', { status: 500 }))).toBe('pki.scep.http');
    expect(await enrol(async () => new Response('<html>'))).toBe('pki.der.invalid');
    expect(await enrol(async () => new Response(new Uint8Array(2_000_000)))).toBe('pki.scep.too_large');
    const ec = (await generateKeyPair({ type: 'ec', curve: 'P-256' })).privateKey;
    const { fetch } = setUp();
    expect(await codeOfAsync(() => scepEnrol({ url, fetch, subject: 'CN=x', key: ec, clock }))).toBe('pki.scep.key');
  });
});

describe('the README', () => {
  it('has a SCEP server in 30 lines that works as printed', async () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const code = /<!-- scep-server -->\n```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    expect(code.trimEnd().split('\n').length).toBeLessThanOrEqual(30);
    const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
    // Beside the sources, so that the package's own name resolves.
    const dir = mkdtempSync(new URL('./readme-', import.meta.url).pathname);
    try {
      const listening = code.replace('listen(8080)', "listen(0, '127.0.0.1')");
      expect(listening).not.toBe(code);
      writeFileSync(`${dir}/server.ts`, `${listening}\nexport { server, store };\n`);
      const { server, store } = (await import(`${dir}/server.ts`)) as {
        server: ReturnType<typeof createServer>;
        store: ReturnType<typeof createMemoryScepStore>;
      };
      await new Promise<void>((resolve) => (server.listening ? resolve() : server.once('listening', resolve)));
      const { port } = server.address() as { port: number };
      const challenge = store.createChallenge({ reference: 'readme' });
      const own = await scepEnrol({
        url: `http://127.0.0.1:${port}/scep`,
        fetch,
        subject: 'CN=reader',
        challenge,
        clock: Date,
      });
      expect(readCertificate(own.certificate).subjectCn).toBe('reader');
      server.closeAllConnections();
      server.close();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
