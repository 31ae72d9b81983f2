// Uploaded certificates and identities, as openssl writes them.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bundleCertificates,
  createPkcs12,
  fingerprintSha256,
  generateKeyPair,
  type Identity,
  openCa,
  readCertificate,
  readCertificateFile,
  readIdentityFiles,
  requestIntermediateCa,
  toPem,
} from '../src/index.ts';
import { clock, codeOf, codeOfAsync, openssl, oracle, pemFile, testCa } from './support.ts';

let root: Identity;
let middle: Identity;
let leaf: Identity;
beforeAll(async () => {
  const made = await testCa();
  root = made.root;
  const request = await requestIntermediateCa({ subject: 'CN=Middle', key: { type: 'rsa', bits: 2048 } });
  const certificate = Uint8Array.from(await made.ca.issue({ csr: request.csr, template: 'intermediate-ca' }));
  middle = { certificate, privateKey: request.privateKey };
  const ca = await openCa({ ...middle, chain: [root.certificate], clock });
  const pair = await generateKeyPair();
  const device = await ca.issue({ publicKey: pair.publicKey, subject: 'CN=leaf', template: 'device' });
  leaf = { certificate: Uint8Array.from(device), privateKey: pair.privateKey };
});

const text = (value: string): Uint8Array => Buffer.from(value);
const chainPem = (): string => [leaf, middle, root].map(({ certificate }) => toPem(certificate)).join('comment\n');

describe('a certificate file', () => {
  it('is PEM, DER or a bundle, whatever it is called', () => {
    const kinds = (content: Uint8Array) => readCertificateFile(content).map(({ kind }) => kind);
    expect(kinds(text(chainPem()))).toEqual(['leaf', 'intermediate', 'root']);
    expect(kinds(root.certificate)).toEqual(['root']);
    const bundle = bundleCertificates([middle.certificate, root.certificate, root.certificate]);
    expect(kinds(bundle)).toEqual(['intermediate', 'root']);
    expect(kinds(text(toPem(bundle, 'PKCS7')))).toEqual(['intermediate', 'root']);
    const [first] = readCertificateFile(leaf.certificate);
    expect(fingerprintSha256(first!.certificate)).toBe(fingerprintSha256(leaf.certificate));
  });

  it('never holds a private key', async () => {
    const pfx = await createPkcs12({ ...leaf, password: 'secret' });
    const old = '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n';
    for (const content of [
      pfx,
      leaf.privateKey,
      text(toPem(leaf.privateKey, 'PRIVATE KEY')),
      text(`${chainPem()}${toPem(leaf.privateKey, 'PRIVATE KEY')}`),
      text(chainPem() + old),
    ]) {
      expect(codeOf(() => readCertificateFile(content))).toBe('pki.file.private_key');
    }
  });

  it('is refused when it is anything else', () => {
    const bad: [Uint8Array, string][] = [
      [text(''), 'pki.der.invalid'],
      [text('hello'), 'pki.der.invalid'],
      [text(toPem(leaf.certificate, 'CERTIFICATE REQUEST')), 'pki.file.empty'],
      [text('-----BEGIN CERTIFICATE-----\nAAAA'), 'pki.pem.invalid'],
      [leaf.certificate.subarray(0, 100), 'pki.der.invalid'],
      [new Uint8Array(2_000_000), 'pki.file.too_large'],
      [bundleCertificates([]), 'pki.file.empty'],
    ];
    for (const [content, code] of bad) expect(codeOf(() => readCertificateFile(content))).toBe(code);
    expect(codeOf(() => readCertificateFile('text' as unknown as Uint8Array))).toBe('pki.file.invalid');
  });
});

describe('an identity in files', () => {
  const expected = () => [leaf, middle, root].map(({ certificate }) => fingerprintSha256(certificate));
  const got = ({ certificate, chain }: { certificate: Uint8Array; chain: readonly Uint8Array[] }) =>
    [certificate, ...chain].map(fingerprintSha256);

  it('is put together whatever the order', async () => {
    const key = text(toPem(leaf.privateKey, 'PRIVATE KEY'));
    const pfx = await createPkcs12({ ...leaf, chain: [middle.certificate], password: 'secret' });
    const forms = [
      [{ content: text(chainPem() + toPem(leaf.privateKey, 'PRIVATE KEY')) }],
      [{ content: root.certificate }, { content: middle.certificate }, { content: key }, { content: leaf.certificate }],
      [{ content: pfx, password: 'secret' }, { content: text(toPem(root.certificate)) }],
      [
        { content: leaf.privateKey },
        { content: bundleCertificates([root.certificate, middle.certificate, leaf.certificate]) },
      ],
      // The same key and certificate twice are no harm.
      [{ content: pfx, password: 'secret' }, { content: key }, { content: text(chainPem()) }],
    ];
    for (const files of forms) {
      const identity = await readIdentityFiles(files);
      expect(got(identity)).toEqual(expected());
      expect(Buffer.compare(identity.privateKey, leaf.privateKey)).toBe(0);
    }
    const pair = await readIdentityFiles([{ content: middle.certificate }, { content: middle.privateKey }]);
    expect(got(pair)).toEqual([fingerprintSha256(middle.certificate)]);
  });

  it('opens an authority', async () => {
    const content = text([middle, root].map(({ certificate }) => toPem(certificate)).join(''));
    const files = [{ content }, { content: middle.privateKey }];
    const ca = await openCa({ ...(await readIdentityFiles(files)), clock });
    expect(readCertificate(ca.certificate).subjectCn).toBe('Middle');
    expect(ca.chain).toHaveLength(1);
  });

  it('says what does not fit', async () => {
    const other = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const pfx = await createPkcs12({ ...leaf, password: 'secret' });
    const codes: [{ content: Uint8Array; password?: string }[], string][] = [
      [[{ content: leaf.certificate }], 'pki.file.no_key'],
      [[{ content: leaf.privateKey }], 'pki.file.no_certificate'],
      [[{ content: leaf.privateKey }, { content: middle.certificate }], 'pki.file.no_certificate'],
      [[{ content: leaf.privateKey }, { content: other.privateKey }], 'pki.file.many_keys'],
      [
        [{ content: leaf.privateKey }, { content: leaf.certificate }, { content: root.certificate }],
        'pki.file.stranger',
      ],
      [[{ content: pfx, password: 'wrong' }], 'pki.pkcs12.password'],
      [[{ content: pfx }], 'pki.pkcs12.password'],
      [[{ content: text(toPem(leaf.certificate, 'RSA PRIVATE KEY')) }], 'pki.key.invalid'],
      [Array.from({ length: 17 }, () => ({ content: leaf.certificate })), 'pki.file.invalid'],
      [[], 'pki.file.no_key'],
    ];
    for (const [files, code] of codes) expect(await codeOfAsync(() => readIdentityFiles(files))).toBe(code);
  });

  it('that was changed anywhere is refused with a reason (property)', async () => {
    const pem = text(toPem(leaf.privateKey, 'PRIVATE KEY') + toPem(leaf.certificate));
    const pfx = await createPkcs12({ ...leaf, password: 'secret', iterations: 1000 });
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.nat(255),
        async (which, at, value) => {
          const content = Uint8Array.from(which ? pem : pfx);
          content[Math.floor(at * content.length)] = value;
          const code = await codeOfAsync(() => readIdentityFiles([{ content, password: 'secret' }]));
          expect(code).toMatch(/^pki\.|^no error$/); // whatever is no PkiError was thrown on
        },
      ),
      { seed: 21, numRuns: process.env['ESPALIER_NIGHTLY'] === '1' ? 10_000 : 200 },
    );
  });

  describe('of openssl', () => {
    const dir = mkdtempSync(join(tmpdir(), 'espalier-files-'));
    afterAll(() => rmSync(dir, { recursive: true, force: true }));

    oracle('openssl', 'is read with every kind of key file', async () => {
      const key = pemFile('key.pem', leaf.privateKey, 'PRIVATE KEY');
      const out = (name: string): string => join(dir, name);
      await openssl(['rsa', '-in', key, '-traditional', '-out', out('pkcs1.pem')]);
      await openssl([
        'pkcs8',
        '-topk8',
        '-in',
        key,
        '-passout',
        'pass:secret',
        '-v2',
        'aes-256-cbc',
        '-out',
        out('p8.pem'),
      ]);
      await openssl([
        ...['pkcs8', '-topk8', '-in', key, '-passout', 'pass:secret', '-v2', 'aes-128-cbc', '-outform', 'DER'],
        ...['-out', out('p8.der')],
      ]);
      for (const name of ['pkcs1.pem', 'p8.pem', 'p8.der']) {
        const files = [{ content: readFileSync(out(name)), password: 'secret' }, { content: leaf.certificate }];
        expect(Buffer.compare((await readIdentityFiles(files)).privateKey, leaf.privateKey), name).toBe(0);
      }
      const wrong = [{ content: readFileSync(out('p8.pem')), password: 'x' }, { content: leaf.certificate }];
      expect(await codeOfAsync(() => readIdentityFiles(wrong))).toMatch(/^pki\.(pkcs12\.password|key\.invalid)$/);
      const ec = (await openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout'])).toString();
      expect(ec).toContain('EC PRIVATE KEY');
      expect(await codeOfAsync(() => readIdentityFiles([{ content: text(ec) }]))).toBe('pki.file.no_certificate');
      await openssl([
        ...['pkcs12', '-export', '-inkey', key, '-in', pemFile('leaf.pem', leaf.certificate)],
        ...['-certfile', pemFile('middle.pem', middle.certificate), '-passout', 'pass:secret', '-out', out('id.p12')],
      ]);
      const identity = await readIdentityFiles([{ content: readFileSync(out('id.p12')), password: 'secret' }]);
      expect(got(identity)).toEqual(expected().slice(0, 2));
    });
  });
});
