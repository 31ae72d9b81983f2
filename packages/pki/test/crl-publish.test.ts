// Publishing CRLs: schedule, numbers, races, pruning, and what openssl makes of it.
import { describe, expect, it } from 'vitest';
import {
  combineOcspResponders,
  createCrlPublisher,
  createMemoryRevocationStore,
  createOcspResponder,
  crlSchedule,
  generateKeyPair,
  nextCrl,
  openCa,
  type PublishedCrl,
  readCertificate,
  readCrl,
  revocableAuthority,
} from '../src/index.ts';
import { codeOf, codeOfAsync, now, openssl, oracle, pemFile, run, serve, tempFile, testCa } from './support.ts';

const hour = 3_600_000;
const day = 24 * hour;
const ecKey = { type: 'ec', curve: 'P-256' } as const;

async function fixture(at: { now: number } = { now }, more: { crlUrls?: string[]; ocspUrls?: string[] } = {}) {
  const clock = (): number => at.now;
  const { root } = await testCa(ecKey, clock);
  const ca = await openCa({ ...root, ...more, clock });
  const store = createMemoryRevocationStore();
  const authority = revocableAuthority(ca, { store, clock });
  const publisher = createCrlPublisher({ ...ca, store, clock });
  const { publicKey } = await generateKeyPair(ecKey);
  const issue = async (validityDays = 365) => {
    const certificate = await authority.issue({ publicKey, subject: 'CN=d', template: 'device', validityDays });
    return { certificate, serialNumber: readCertificate(certificate).serialNumber };
  };
  const read = ({ crl }: PublishedCrl) => readCrl(crl, root.certificate);
  return { at, clock, root, ca, store, authority, publisher, issue, read };
}

describe('the schedule of CRLs', () => {
  const published = { crlNumber: 4, thisUpdate: now, nextUpdate: now + 168 * hour, revision: 7 };

  it('is due at first, after revocations, and shortly before the end', () => {
    expect(crlSchedule(null, 0, now)).toEqual({ dueAt: now, due: true, reason: 'first' });
    expect(crlSchedule(published, 8, now)).toEqual({ dueAt: now, due: true, reason: 'revocation' });
    const dueAt = now + 168 * hour - 16.8 * hour;
    expect(crlSchedule(published, 7, now)).toEqual({ dueAt, due: false, reason: 'lifetime' });
    expect(crlSchedule(published, 7, dueAt).due).toBe(true);
    expect(crlSchedule(published, 7, dueAt - 1).due).toBe(false);
    expect(crlSchedule(published, 7, now, { overlapMs: hour }).dueAt).toBe(now + 167 * hour);
    // A long list overlaps for a day at most.
    expect(crlSchedule(published, 7, now, { lifetimeMs: 90 * day }).dueAt).toBe(now + 168 * hour - day);
  });

  it('refuses policies that make no list', () => {
    for (const policy of [{ lifetimeMs: 0 }, { lifetimeMs: hour, overlapMs: hour }, { overlapMs: -1 }]) {
      expect(codeOf(() => crlSchedule(published, 7, now, policy))).toBe('pki.crl.policy');
    }
  });
});

describe('the publisher', () => {
  it('makes a list when one is due, and at once after a revocation', async () => {
    const { at, publisher, issue, authority, read } = await fixture();
    const first = await publisher.current();
    expect(first.crlNumber).toBe(1);
    expect(read(first)).toMatchObject({ crlNumber: 1, thisUpdate: new Date(now) });
    expect(read(first).nextUpdate?.getTime()).toBe(first.nextUpdate);
    at.now += hour;
    expect(await publisher.current()).toBe(first);
    expect(await publisher.schedule()).toMatchObject({ due: false, reason: 'lifetime' });

    const { serialNumber } = await issue();
    await authority.revoke(serialNumber, 'keyCompromise');
    expect(await publisher.schedule()).toMatchObject({ due: true, reason: 'revocation' });
    const second = await publisher.current();
    expect(second.crlNumber).toBe(2);
    expect(read(second).revoked.get(serialNumber)).toEqual({
      revokedAt: new Date(at.now),
      reason: 'keyCompromise',
    });
    at.now = second.nextUpdate - 16 * hour;
    expect((await publisher.current()).crlNumber).toBe(3);
    expect((await publisher.publish()).crlNumber).toBe(4);
  });

  it('never repeats a number, whoever publishes at once', async () => {
    const { ca, store, clock, issue, authority, read } = await fixture();
    const many = Array.from({ length: 4 }, () => createCrlPublisher({ ...ca, store, clock }));
    const { serialNumber } = await issue();
    await authority.revoke(serialNumber);
    const lists = await Promise.all(many.flatMap((publisher) => [publisher.current(), publisher.current()]));
    expect(new Set(lists.map(({ crlNumber }) => crlNumber))).toEqual(new Set([1]));
    const forced = await Promise.all(many.map((publisher) => publisher.publish()));
    expect(forced.map(({ crlNumber }) => crlNumber).sort()).toEqual([2, 3, 4, 5]);
    for (const list of forced) expect(read(list).crlNumber).toBe(list.crlNumber);
  });

  it('gives nobody a list that was begun before their revocation', async () => {
    const { store, ca, clock, issue, authority, read } = await fixture();
    const { serialNumber } = await issue();
    let revokeNow = async (): Promise<void> => authority.revoke(serialNumber);
    const publisher = createCrlPublisher({
      ...{ ...ca, clock },
      store: {
        ...store,
        async revoked() {
          const list = await store.revoked();
          await revokeNow();
          revokeNow = async () => {};
          return list;
        },
      },
    });
    const early = publisher.current();
    const late = publisher.current();
    expect(read(await early).revoked.size).toBe(0);
    expect(read(await late).revoked.has(serialNumber)).toBe(true);
  });

  it('prunes what has ended and is old, and only that', async () => {
    const { at, authority, publisher, issue, read } = await fixture();
    const short = await issue(10);
    const long = await issue(3000);
    await authority.revoke(short.serialNumber);
    await authority.revoke(long.serialNumber);
    at.now += 364 * day;
    expect([...read(await publisher.current()).revoked.keys()].sort()).toEqual(
      [short.serialNumber, long.serialNumber].sort(),
    );
    at.now += 2 * day;
    expect([...read(await publisher.publish()).revoked.keys()]).toEqual([long.serialNumber]);
  });

  it('serves GET and HEAD with caching', async () => {
    const { publisher } = await fixture();
    const ask = (init?: RequestInit) => publisher.handle(new Request('http://ca.test/crl', init));
    const response = await ask();
    expect(response.headers.get('content-type')).toBe('application/pkix-crl');
    expect(response.headers.get('cache-control')).toBe('public, max-age=3600');
    const body = new Uint8Array(await response.arrayBuffer());
    expect(body).toEqual(Uint8Array.from((await publisher.current()).crl));
    const etag = response.headers.get('etag')!;
    expect((await ask({ headers: { 'if-none-match': etag } })).status).toBe(304);
    const head = await ask({ method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(body.length));
    expect((await head.arrayBuffer()).byteLength).toBe(0);
    expect((await ask({ method: 'POST', body: 'x' })).status).toBe(405);
  });

  it('counts on from a number that another program used before', async () => {
    const { ca } = await fixture();
    const previous = { crlNumber: 1000, thisUpdate: now + hour, nextUpdate: now + day, revision: 0 };
    const list = await nextCrl({ ...ca, previous, revision: 0, revoked: [], now });
    expect(list.crlNumber).toBe(1001);
    // Dates never go back, even where a clock did.
    expect(list.thisUpdate).toBe(now + hour);
  });
});

describe('several authorities at one address', () => {
  oracle('openssl', 'answer OCSP for their own certificates each', async () => {
    const at = { now: Date.now() };
    const all = await Promise.all([fixture(at), fixture(at)]);
    const responderOf = ({ root, ca, authority, clock }: (typeof all)[number]) =>
      createOcspResponder({
        ...{ issuer: root.certificate, responder: ca, clock },
        status: (serial) => authority.status(serial),
      });
    const combined = combineOcspResponders(all.map(responderOf));
    const server = await serve((request) => combined.handle(request));
    try {
      for (const { root, issue } of all) {
        const [rootFile, file] = [pemFile('root.pem', root.certificate), pemFile('d.pem', (await issue()).certificate)];
        const args = ['ocsp', '-issuer', rootFile, '-CAfile', rootFile, '-cert', file, '-url', server.url];
        expect((await openssl(args)).toString()).toContain('d.pem: good');
      }
      const stranger = await fixture(at);
      const [rootFile, file] = [
        pemFile('root.pem', stranger.root.certificate),
        pemFile('d.pem', (await stranger.issue()).certificate),
      ];
      const args = ['ocsp', '-issuer', rootFile, '-CAfile', rootFile, '-cert', file, '-url', server.url];
      const ran = await run('openssl', args);
      expect(ran.stdout + ran.stderr).toContain('unauthorized');
    } finally {
      server.close();
    }
  });
});

describe('an authority with account of its certificates', () => {
  it('answers and revokes for its own only', async () => {
    const { authority, issue } = await fixture();
    const { serialNumber } = await issue();
    expect(await authority.status(serialNumber.toUpperCase())).toEqual({ status: 'good' });
    expect(await codeOfAsync(() => authority.revoke('00ff'))).toBe('pki.ca.unknown_certificate');
    expect(await codeOfAsync(() => authority.revoke(serialNumber, 'removeFromCRL'))).toBe('pki.crl.reason');
    expect(await codeOfAsync(() => authority.revoke(serialNumber, '__proto__' as 'superseded'))).toBe('pki.crl.reason');
    await authority.revoke(serialNumber);
    expect(await authority.status(serialNumber)).toMatchObject({ status: 'revoked', reason: 'unspecified' });
  });

  oracle('openssl', 'is checked by openssl over HTTP: CRL at the distribution point, OCSP by a delegate', async () => {
    const at = { now: Date.now() };
    let respond = async (_: Request): Promise<Response> => new Response(null, { status: 404 });
    const server = await serve((request) => respond(request));
    const base = server.url.replace('/scep', '');
    const urls = { crlUrls: [`${base}/primary.crl`, `${base}/secondary.crl`], ocspUrls: [`${base}/ocsp`] };
    const { root, ca, authority, publisher, issue, clock } = await fixture(at, urls);
    const keys = await generateKeyPair(ecKey);
    const delegate = await ca.issue({ ...keys, subject: 'CN=OCSP', template: 'ocsp-responder', validityDays: 30 });
    const { localSigner } = await import('../src/index.ts');
    const responder = { certificate: delegate, signer: localSigner(keys.privateKey) };
    const ocsp = createOcspResponder({
      ...{ issuer: root.certificate, responder, clock },
      status: (serial) => authority.status(serial),
    });
    respond = (request) =>
      new URL(request.url).pathname.startsWith('/ocsp') ? ocsp.handle(request) : publisher.handle(request);
    try {
      const good = await issue();
      const bad = await issue();
      await authority.revoke(bad.serialNumber, 'cessationOfOperation');
      const [rootFile, goodFile, badFile] = [
        pemFile('root.pem', root.certificate),
        pemFile('good.pem', good.certificate),
        pemFile('bad.pem', bad.certificate),
      ];
      expect(readCertificate(good.certificate).crlUrls).toEqual(urls.crlUrls);
      const check = ['verify', '-CAfile', rootFile, '-crl_check', '-crl_download'];
      expect((await openssl([...check, goodFile])).toString()).toContain('OK');
      const revoked = await run('openssl', [...check, badFile]);
      expect(revoked.code).not.toBe(0);
      expect(revoked.stderr + revoked.stdout).toContain('certificate revoked');
      const asked = await openssl([
        ...['ocsp', '-issuer', rootFile, '-CAfile', rootFile, '-cert', goodFile, '-cert', badFile],
        ...['-url', urls.ocspUrls[0]!],
      ]);
      expect(asked.toString()).toMatch(/good\.pem: good/);
      expect(asked.toString()).toMatch(/bad\.pem: revoked/);
      expect(asked.toString()).toContain('cessationOfOperation');
      const text = await openssl([
        'crl',
        '-inform',
        'DER',
        '-noout',
        '-text',
        '-in',
        tempFile('list.crl', (await publisher.current()).crl),
      ]);
      expect(text.toString()).toMatch(/CRL Number:\s+1\b/);
    } finally {
      server.close();
    }
  });
});
