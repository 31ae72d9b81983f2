import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { bitStringOf, openRoot } from '../src/der/reader.ts';
import { explicit, integer, octets, oid, sequence } from '../src/der/writer.ts';
import {
  type CertificateAuthority,
  type CertificateStatus,
  createCrl,
  createOcspResponder,
  generateKeyPair,
  type Identity,
  localSigner,
  openCa,
  pruneRevoked,
  readCertificate,
  readCrl,
  type Signer,
} from '../src/index.ts';
import { digestIdentifier } from '../src/keys/algorithms.ts';
import { oids } from '../src/oids.ts';
import {
  attime,
  clock,
  codeOf,
  codeOfAsync,
  now,
  openssl,
  oracle,
  pemFile,
  run,
  serve,
  tempFile,
  testCa,
} from './support.ts';

const day = 86_400_000;
let root: Identity;
let ca: CertificateAuthority & { signer: Signer };
let good: Uint8Array;
let signedBy: Uint8Array;
let bad: Uint8Array;
let serialOf: (der: Uint8Array) => string;
beforeAll(async () => {
  ({ root, ca } = await testCa());
  const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  signedBy = privateKey;
  const issue = (subject: string) => ca.issue({ publicKey, subject, template: 'device' });
  [good, bad] = [await issue('CN=good'), await issue('CN=bad')];
  serialOf = (der) => readCertificate(der).serialNumber;
});

const crl = (revoked: Parameters<typeof createCrl>[0]['revoked'], crlNumber = 1) =>
  createCrl({ certificate: root.certificate, signer: ca.signer, crlNumber, now, revoked });

describe('CRLs', () => {
  it('round-trip', async () => {
    const der = await crl(
      [
        { serialNumber: serialOf(bad), revokedAt: now - day, reason: 'keyCompromise' },
        { serialNumber: 'ff01', revokedAt: now - 2 * day },
      ],
      4711,
    );
    const list = readCrl(der, root.certificate);
    expect(list.crlNumber).toBe(4711);
    expect(list.thisUpdate.getTime()).toBe(now);
    expect(list.nextUpdate?.getTime()).toBe(now + 7 * day);
    expect([...list.revoked]).toEqual([
      [serialOf(bad), { revokedAt: new Date(now - day), reason: 'keyCompromise' }],
      ['ff01', { revokedAt: new Date(now - 2 * day), reason: 'unspecified' }],
    ]);
    expect(readCrl(await crl([]), root.certificate).revoked.size).toBe(0);
  });

  it('hold as many entries as a large fleet has', async () => {
    const revoked = Array.from({ length: 100_000 }, (_, i) => ({
      serialNumber: (0x100000 + i).toString(16),
      revokedAt: now,
    }));
    expect(readCrl(await crl(revoked), root.certificate).revoked.size).toBe(100_000);
  });

  it('believe only their issuer', async () => {
    const other = await testCa();
    const der = await crl([{ serialNumber: '01', revokedAt: now }]);
    expect(codeOf(() => readCrl(der, other.root.certificate))).toBe('pki.crl.bad_signature'); // same name, other key
    expect(codeOf(() => readCrl(der, good))).toBe('pki.crl.wrong_issuer');
    const forged = Uint8Array.from(der);
    forged[forged.length - 1]! ^= 1;
    expect(codeOf(() => readCrl(forged, root.certificate))).toBe('pki.crl.bad_signature');
    expect(await codeOfAsync(() => crl([{ serialNumber: 'xyz', revokedAt: now }]))).toBe('pki.serial.invalid');
    const { signer } = other.ca;
    const wrong = { certificate: root.certificate, signer, crlNumber: 1, now, revoked: [] };
    expect(await codeOfAsync(() => createCrl(wrong))).toBe('pki.ca.key_mismatch');
  });

  it('keep a revoked certificate for as long as it could be used', () => {
    const entry = (notAfter: number, revokedAt: number) => ({ serialNumber: '01', notAfter, revokedAt });
    const kept = (item: ReturnType<typeof entry>): boolean => pruneRevoked([item], now, 30).length === 1;
    expect(kept(entry(now + day, now - 300 * day))).toBe(true); // still valid
    expect(kept(entry(now - day, now - 10 * day))).toBe(true); // revoked lately
    expect(kept(entry(now - day, now - 31 * day))).toBe(false);
    expect(pruneRevoked([{ serialNumber: '01', revokedAt: 0 }], now, 30)).toHaveLength(1); // end unknown
  });

  oracle('openssl', 'are what openssl checks by', async () => {
    for (const key of [{ type: 'rsa', bits: 2048 } as const, { type: 'ec', curve: 'P-384' } as const]) {
      const made = await testCa(key);
      const { publicKey } = await generateKeyPair();
      const [fine, gone] = [
        await made.ca.issue({ publicKey, subject: 'CN=fine', template: 'device' }),
        await made.ca.issue({ publicKey, subject: 'CN=gone', template: 'device' }),
      ];
      const revoked = [{ serialNumber: serialOf(gone), revokedAt: now, reason: 'superseded' as const }];
      const { certificate } = made.root;
      const der = await createCrl({ certificate, signer: made.ca.signer, crlNumber: 7, now, revoked });
      const crlFile = tempFile('crl.pem', await openssl(['crl', '-inform', 'der'], der));
      const base = ['verify', '-crl_check', ...attime(), '-CRLfile', crlFile, '-CAfile', pemFile('r.pem', certificate)];
      expect((await openssl([...base, pemFile('c.pem', fine)])).toString()).toContain('OK');
      const refused = await run('openssl', [...base, pemFile('c.pem', gone)]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain('certificate revoked');
      const text = (await openssl(['crl', '-inform', 'der', '-text', '-noout'], der)).toString();
      expect(text).toContain('Superseded');
      expect(text).toMatch(/X509v3 CRL Number:\s+7/);
    }
  });
});

describe('the OCSP responder', () => {
  const status = async (serialNumber: string): Promise<CertificateStatus> =>
    serialNumber === serialOf(good)
      ? { status: 'good' }
      : serialNumber === serialOf(bad)
        ? { status: 'revoked', revokedAt: now - day, reason: 'keyCompromise' }
        : { status: 'unknown' };
  const responderOf = (more: Partial<Parameters<typeof createOcspResponder>[0]> = {}) =>
    createOcspResponder({
      issuer: root.certificate,
      responder: { certificate: root.certificate, signer: ca.signer },
      status,
      clock,
      ...more,
    });
  /** The OCSPResponseStatus of an answer. */
  const statusOf = (der: Uint8Array): number => der[der.indexOf(0x0a) + 2]!;

  it('refuses what is no request of its own', async () => {
    const responder = responderOf();
    expect(statusOf(await responder.respond(new Uint8Array()))).toBe(1);
    expect(statusOf(await responder.respond(sequence(sequence(sequence()))))).toBe(1);
    expect(statusOf(await responder.respond(new Uint8Array(20_000)))).toBe(1);
    const certId = sequence(
      ...[digestIdentifier('sha1'), octets(new Uint8Array(20)), octets(new Uint8Array(20)), integer(1)],
    );
    expect(statusOf(await responder.respond(sequence(sequence(sequence(sequence(certId))))))).toBe(6);
    const many = sequence(...Array.from({ length: 33 }, () => sequence(certId)));
    expect(statusOf(await responder.respond(sequence(sequence(many))))).toBe(1);
    const nonce = sequence(oid(oids.ocspNonce), octets(octets(new Uint8Array(1000))));
    const tooLong = sequence(sequence(sequence(sequence(certId)), explicit(2, sequence(nonce))));
    expect(statusOf(await responder.respond(tooLong))).toBe(1);
    const url = 'http://ocsp.test/ocsp';
    const body = new Uint8Array(20_000);
    expect((await responder.handle(new Request(url, { method: 'POST', body }))).status).toBe(413);
    expect((await responder.handle(new Request(url, { method: 'DELETE' }))).status).toBe(405);
    const odd = await responder.handle(new Request(`${url}/%zz`));
    expect(statusOf(new Uint8Array(await odd.arrayBuffer()))).toBe(1);
  });

  it('answers whatever is sent, at once (property)', async () => {
    const responder = responderOf();
    const digest = (bytes: Uint8Array): Uint8Array => octets(createHash('sha256').update(bytes).digest());
    const issuer = readCertificate(root.certificate);
    const key = openRoot(issuer.publicKey);
    key.next();
    const names = [digest(issuer.subjectDer), digest(bitStringOf(key.next()))];
    const certId = sequence(digestIdentifier('sha256'), ...names, integer(Buffer.from(serialOf(good), 'hex')));
    const nonce = sequence(oid(oids.ocspNonce), octets(octets(new Uint8Array(16))));
    const request = sequence(sequence(sequence(sequence(certId)), explicit(2, sequence(nonce))));
    expect(statusOf(await responder.respond(request))).toBe(0);
    const change = fc.record({ at: fc.nat(request.length - 1), value: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const changed = Uint8Array.from(request);
        for (const { at, value } of changes) changed[at] = value;
        expect([0, 1, 6]).toContain(statusOf(await responder.respond(changed)));
      }),
      { seed: 7, numRuns: process.env['ESPALIER_NIGHTLY'] === '1' ? 20_000 : 300 },
    );
    let deep: Uint8Array = integer(1);
    for (let i = 0; i < 4000; i++) deep = sequence(deep);
    const wide = (count: number, item: Uint8Array): Uint8Array =>
      sequence(sequence(sequence(...Array.from({ length: count }, () => item))));
    for (const hostile of [deep, wide(5000, sequence()), wide(48, sequence(certId)), wide(8000, Uint8Array.of(5, 0))]) {
      const started = process.cpuUsage();
      expect(statusOf(await responder.respond(hostile))).toBe(1);
      expect(process.cpuUsage(started).user).toBeLessThan(100_000);
    }
  });

  it('is signed only by whom the authority entitled', async () => {
    const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const certificate = await ca.issue({ publicKey, subject: 'CN=d', template: 'device' });
    const signer = localSigner(privateKey);
    expect(codeOf(() => responderOf({ responder: { certificate, signer } }))).toBe('pki.ocsp.responder');
    expect(codeOf(() => responderOf({ responder: { certificate: root.certificate, signer } }))).toBe(
      'pki.ca.key_mismatch',
    );
  });

  oracle('openssl', 'answers openssl’s client by POST and GET, itself and delegated', async () => {
    // openssl judges the times in an answer by its own clock.
    const wall = (): number => Date.now();
    const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const live = await openCa({ ...root, clock: wall });
    const certificate = await live.issue({ publicKey, subject: 'CN=OCSP', template: 'ocsp-responder' });
    const delegated = { certificate, signer: localSigner(privateKey) };
    const own = { certificate: root.certificate, signer: ca.signer };
    const rootFile = pemFile('root.pem', root.certificate);
    for (const responder of [own, delegated]) {
      const service = responderOf({ responder, clock: wall });
      const { url, close } = await serve((request) => service.handle(request));
      try {
        for (const [der, words] of [
          [good, ['good']],
          [bad, ['revoked', 'keyCompromise']],
          [await ca.issue({ publicKey, subject: 'CN=never recorded', template: 'device' }), ['unknown']],
        ] as [Uint8Array, string[]][]) {
          for (const hash of ['-sha1', '-sha256']) {
            const args = [hash, '-issuer', rootFile, '-cert', pemFile('c.pem', der), '-url', url, '-CAfile', rootFile];
            const ran = await run('openssl', ['ocsp', ...args]); // sends a nonce and checks it
            expect(ran.stderr).toContain('Response verify OK');
            expect(ran.stderr).not.toContain('nonce');
            for (const word of words) expect(ran.stdout.toString()).toContain(word);
          }
        }
        const ownFiles = ['-signer', pemFile('c.pem', good), '-signkey', pemFile('k.pem', signedBy, 'PRIVATE KEY')];
        const args = ['-issuer', rootFile, '-cert', pemFile('c.pem', good), '-url', url, '-CAfile', rootFile];
        const signed = await run('openssl', ['ocsp', ...ownFiles, ...args]); // a request with a name and a signature
        expect(signed.stdout.toString()).toContain('good');
        const base = ['ocsp', '-no_nonce', '-issuer', rootFile, '-cert', pemFile('c.pem', bad)];
        const request = tempFile('request.der', '');
        await openssl([...base, '-reqout', request]);
        const { readFileSync } = await import('node:fs');
        for (const escaped of [encodeURIComponent, (text: string) => text]) {
          const answer = await fetch(`${url}/My/Path/${escaped(readFileSync(request).toString('base64'))}`);
          const file = tempFile('answer.der', new Uint8Array(await answer.arrayBuffer()));
          const ran = await run('openssl', [...base, '-respin', file, '-CAfile', rootFile]);
          expect(ran.stdout.toString()).toContain('revoked');
        }
      } finally {
        close();
      }
    }
  });
});
