// SCEP against programs we did not write: micromdm's scepclient and scepserver, strongSwan's pki.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import {
  type CertificateAuthority,
  createMemoryScepStore,
  createScepServer,
  fingerprintSha256,
  fromPem,
  generateKeyPair,
  type Identity,
  type MemoryScepStore,
  readCertificate,
  type ScepEvent,
  scepEnrol,
} from '../src/index.ts';
import {
  freePort,
  hasTool,
  openssl,
  oracle,
  pemFile,
  reachable,
  run,
  serve,
  tempDir,
  tempFile,
  testCa,
} from './support.ts';

const clock = Date;
const wall = (): number => Date.now();
const curlPlugin = existsSync('/usr/lib/ipsec/plugins/libstrongswan-curl.so');

interface Fixture {
  root: Identity;
  ca: CertificateAuthority;
  store: MemoryScepStore;
  events: ScepEvent[];
  url: string;
  raFingerprint: string;
  close(): void;
}

async function fixture(withRa: boolean): Promise<Fixture> {
  const { root, ca } = await testCa(withRa ? { type: 'ec', curve: 'P-256' } : { type: 'rsa', bits: 2048 }, wall);
  const store = createMemoryScepStore({ clock });
  const events: ScepEvent[] = [];
  let ra: { certificate: Uint8Array; privateKey: Uint8Array } | undefined;
  if (withRa) {
    const { publicKey, privateKey } = await generateKeyPair();
    ra = { certificate: await ca.issue({ publicKey, subject: 'CN=RA', template: 'scep-ra' }), privateKey };
  }
  const renewal = { authorise: async () => ({ reference: 'renewal' }) };
  const onEvent = (event: ScepEvent): void => void events.push(event);
  const scep = createScepServer({ ca, store, clock, renewal, onEvent, ...(ra ? { ra } : {}) });
  const { url, close } = await serve((request) => scep.handle(request));
  const raFingerprint = ra ? fingerprintSha256(ra.certificate) : '';
  return { root, ca, store, events, url, raFingerprint, close };
}

let rsa: Fixture;
let ec: Fixture;
beforeAll(async () => {
  rsa = await fixture(false);
  ec = await fixture(true);
});
afterAll(() => {
  rsa.close();
  ec.close();
});

const scepclient = (url: string, dir: string, challenge: string, ...more: string[]) =>
  run('scepclient', [
    ...['-server-url', url, '-challenge', challenge, '-private-key', join(dir, 'key.pem')],
    ...['-certificate', join(dir, 'cert.pem'), '-cn', 'go client', ...more],
  ]);

describe('micromdm’s scepclient', () => {
  oracle('scepclient', 'enrols once per challenge', async () => {
    const dir = tempDir();
    const challenge = rsa.store.createChallenge({ reference: 'go' });
    const first = await scepclient(rsa.url, dir, challenge);
    expect(first.code, first.stderr).toBe(0);
    const rootFile = pemFile('root.pem', rsa.root.certificate);
    const verified = await openssl([
      ...['verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', rootFile, join(dir, 'cert.pem')],
    ]);
    expect(verified.toString()).toContain('OK');
    const again = await scepclient(rsa.url, tempDir(), challenge);
    expect(again.code).not.toBe(0);
    expect(again.stderr + again.stdout).toContain('badRequest');
  });

  oracle('scepclient', 'enrols with an EC authority behind an RSA registration authority', async () => {
    const dir = tempDir();
    // It encrypts to every certificate it gets and fails on EC keys, unless told which one.
    const only = ['-ca-fingerprint', ec.raFingerprint];
    const ran = await scepclient(ec.url, dir, ec.store.createChallenge({ reference: 'go' }), ...only);
    expect(ran.code, ran.stderr + ran.stdout).toBe(0);
    const certificate = readCertificate(fromPem(readFileSync(join(dir, 'cert.pem'), 'utf8')));
    expect(certificate.issuer).toBe('CN=Test Root,O=Espalier');
    expect(certificate.subjectCn).toBe('go client');
  });

  oracle('scepclient', 'renews', async () => {
    const dir = tempDir();
    await scepclient(rsa.url, dir, rsa.store.createChallenge({ reference: 'go' }));
    const path = join(dir, 'cert.pem');
    const before = readCertificate(fromPem(readFileSync(path, 'utf8')));
    const ran = await scepclient(rsa.url, dir, '');
    expect(ran.code, ran.stderr + ran.stdout).toBe(0);
    const renewals = rsa.events.filter((event) => event.reference === 'renewal' || event.type === 'replayed');
    expect(renewals.length).toBeGreaterThan(0);
    expect(before.subjectCn).toBe('go client');
  });
});

describe('strongSwan’s pki', () => {
  const swan = hasTool('pki') && curlPlugin;

  oracle(
    'pki with libstrongswan-extra-plugins',
    'enrols with every cipher, and renews',
    async () => {
      const root = tempFile('ca.der', rsa.root.certificate);
      const trust = ['--cacert-enc', root, '--cacert-sig', root, '--cacert', root];
      const makeKey = async (): Promise<string> =>
        tempFile(
          'key.der',
          await openssl(['genrsa', '-traditional', '2048']).then((pem) =>
            openssl(['rsa', '-outform', 'der', '-traditional'], pem),
          ),
        );
      for (const options of [
        ['--cipher', 'aes'],
        ['--cipher', 'des3', '--digest', 'sha512'],
      ]) {
        const key = await makeKey();
        const password = rsa.store.createChallenge({ reference: 'swan' });
        const ran = await run('pki', [
          ...['--scep', '--url', rsa.url, '--in', key, '--dn', 'C=CH, O=strongSwan, CN=swan', '--password', password],
          ...['--san', 'swan.example', ...trust, ...options],
        ]);
        expect(ran.code, ran.stderr).toBe(0);
        expect(readCertificate(ran.stdout).subject).toBe('CN=swan,O=strongSwan,C=CH');
        const newKey = await makeKey();
        const renewed = await run('pki', [
          ...['--scep', '--url', rsa.url, '--in', newKey, '--dn', 'C=CH, O=strongSwan, CN=swan'],
          ...['--cert', tempFile('old.der', ran.stdout), '--key', key, ...trust, ...options],
        ]);
        expect(renewed.code, renewed.stderr).toBe(0);
        expect(readCertificate(renewed.stdout).publicKey).not.toEqual(readCertificate(ran.stdout).publicKey);
      }
    },
    swan,
  );

  oracle(
    'pki with libstrongswan-extra-plugins',
    'reads the certificates of a registration authority',
    async () => {
      const out = join(tempDir(), 'ca');
      const ran = await run('pki', [
        '--scepca',
        '--url',
        ec.url,
        '--caout',
        `${out}.pem`,
        '--raout',
        `${out}-ra.pem`,
        '--outform',
        'pem',
      ]);
      expect(ran.code, ran.stderr).toBe(0);
      expect(ran.stderr).toContain('CN=RA');
    },
    swan,
  );
});

describe('micromdm’s scepserver', () => {
  let server: ChildProcess | undefined;
  afterAll(() => {
    server?.kill('SIGKILL');
  });

  oracle('scepserver', 'enrols and renews our client', async () => {
    const depot = tempDir();
    expect((await run('scepserver', ['ca', '-init', '-depot', depot, '-keySize', '2048'])).code).toBe(0);
    const port = await freePort();
    const args = ['-depot', depot, '-port', String(port), '-challenge', 'sesame', '-allowrenew', '0'];
    server = spawn('scepserver', args, { stdio: 'ignore' });
    await reachable(port);
    const base = { url: `http://127.0.0.1:${port}/scep`, fetch, clock, allowSha1: true };
    const own = await scepEnrol({ ...base, subject: 'CN=ours,O=E', challenge: 'sesame' });
    expect(readCertificate(own.certificate).subject).toBe('CN=ours,O=E');
    expect(readCertificate(own.certificate).issuer).toBe(readCertificate(own.ca).subject);
    await expect(scepEnrol({ ...base, subject: 'CN=x', challenge: 'wrong' })).rejects.toMatchObject({
      code: 'pki.scep.failed',
    });
    const renewed = await scepEnrol({ ...base, subject: 'CN=ours,O=E', challenge: 'sesame', renew: own });
    expect(readCertificate(renewed.certificate).serialNumber).not.toBe(readCertificate(own.certificate).serialNumber);
  });
});
