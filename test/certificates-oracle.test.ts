// What others make of a running host's certificates: openssl checks its CRL and asks its OCSP responder, lego orders by ACME.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createEngine, createKeyRing, type Engine } from '@espalier/core';
import { createHost } from '@espalier/host';
import { toNodeListener } from '@espalier/host/node';
import {
  type CertificateAuthority,
  createRootCa,
  fromPem,
  generateKeyPair,
  openCa,
  readCertificate,
  readCrl,
  scepEnrol,
  toPem,
} from '@espalier/pki';
import { openSqliteStore } from '@espalier/sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { folder, need, run } from './support/tools.ts';

const place = folder();
const cleanUp: (() => unknown)[] = [() => place.remove()];
let engine: Engine;
let ca: CertificateAuthority;
let origin = '';
let secure = '';
const rootFile = join(place.path, 'root.pem');

const listen = async (server: http.Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return (server.address() as AddressInfo).port;
};

beforeAll(async () => {
  let fetch: ReturnType<typeof createHost>['fetch'] | undefined;
  const listener = toNodeListener((request, info) => fetch!(request, info));
  const root = await createRootCa({ subject: 'CN=Oracle root', key: { type: 'rsa', bits: 2048 }, clock: Date });
  writeFileSync(rootFile, toPem(root.certificate));
  const tls = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const server = await (await openCa({ ...root, clock: Date })).issue({
    ...{ publicKey: tls.publicKey, subject: 'CN=localhost', template: 'tls-server' },
    sans: [
      { type: 'dns', value: 'localhost' },
      { type: 'ip', value: '127.0.0.1' },
    ],
  });
  origin = `http://127.0.0.1:${await listen(http.createServer(listener))}`;
  const options = { key: toPem(tls.privateKey, 'PRIVATE KEY'), cert: toPem(server) };
  secure = `https://localhost:${await listen(https.createServer(options, listener))}`;
  // Where revocations are told goes into every certificate.
  ca = await openCa({ ...root, clock: Date, crlUrls: [`${origin}/ca.crl`], ocspUrls: [`${origin}/ocsp`] });
  const store = openSqliteStore(join(place.path, 'store.sqlite'));
  cleanUp.push(() => store.close());
  engine = createEngine({ store, keys: createKeyRing({ current: { id: 'k', key: new Uint8Array(32).fill(1) } }) });
  const host = createHost({
    engine,
    ca,
    identity: { anchors: [ca.certificate] },
    profile: { organisation: 'Oracle', topic: 'com.apple.mgmt.External.test', sign: (bytes) => bytes },
    // A policy that believes every name: for tests only.
    acme: { challenges: [{ type: 'http-01', identifierTypes: ['dns'], validate: async () => ({ accept: true }) }] },
  });
  fetch = host.fetch;
});

afterAll(async () => {
  for (const step of cleanUp.toReversed()) await step();
});

async function enrol(name: string): Promise<{ readonly file: string; readonly fingerprint: string }> {
  const { challenge } = await engine.enrolling.challenge();
  const { certificate } = await scepEnrol({
    ...{ url: `${origin}/scep`, fetch, challenge, subject: `CN=${name}`, clock: Date },
  });
  const file = join(place.path, `${name}.pem`);
  writeFileSync(file, toPem(certificate));
  return { file, fingerprint: createHash('sha256').update(certificate).digest('hex') };
}

async function verify(file: string): Promise<string> {
  // -crl_download fetches the list from where the certificate says it is.
  const args = ['verify', '-crl_check', '-crl_download', '-CAfile', rootFile, file];
  const { stdout, stderr } = await run('openssl', args);
  return stdout.toString() + stderr;
}

async function ocsp(file: string): Promise<string> {
  const { stdout, stderr } = await run('openssl', [
    ...['ocsp', '-issuer', rootFile, '-cert', file, '-url', `${origin}/ocsp`, '-CAfile', rootFile, '-resp_text'],
  ]);
  return stderr + stdout.toString();
}

test('openssl finds good and revoked certificates in the list, and by OCSP', async (context) => {
  need(context, 'openssl');
  const [kept, lost] = [await enrol('kept'), await enrol('lost')];
  expect(await verify(kept.file)).toContain('kept.pem: OK');
  expect(await verify(lost.file)).toContain('lost.pem: OK');
  expect(await ocsp(lost.file)).toMatch(/Response verify OK[\s\S]*lost\.pem: good/);
  const before = readCrl(new Uint8Array(await (await fetch(`${origin}/ca.crl`)).arrayBuffer()), ca.certificate);
  await engine.certificates.revoke(lost.fingerprint, 'keyCompromise');
  expect(await verify(lost.file)).toContain('certificate revoked');
  expect(await verify(kept.file)).toContain('kept.pem: OK');
  const told = await ocsp(lost.file);
  expect(told).toMatch(/Response verify OK[\s\S]*lost\.pem: revoked/);
  expect(told).toContain('Reason: keyCompromise');
  expect(await ocsp(kept.file)).toContain('kept.pem: good');
  const answer = await fetch(`${origin}/ca.crl`);
  expect(answer.headers.get('content-type')).toBe('application/pkix-crl');
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const after = readCrl(bytes, ca.certificate);
  expect(after.crlNumber!).toBeGreaterThan(before.crlNumber!);
  // The same list until something changes.
  expect(new Uint8Array(await (await fetch(`${origin}/ca.crl`)).arrayBuffer())).toEqual(bytes);
});

test('OCSP does not know a certificate that the host did not issue', async (context) => {
  need(context, 'openssl');
  const { publicKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const file = join(place.path, 'foreign.pem');
  writeFileSync(file, toPem(await ca.issue({ publicKey, subject: 'CN=foreign', template: 'device' })));
  expect(await ocsp(file)).toContain('foreign.pem: unknown');
});

test('lego orders and revokes, and the register knows', async (context) => {
  need(context, 'lego');
  const lego = (...action: string[]) =>
    run(
      'lego',
      [
        ...['--server', `${secure}/acme/directory`, '--path', join(place.path, 'lego'), '--email', 'admin@mdm.test'],
        ...['--accept-tos', '--http', '--http.port', '127.0.0.1:0', '--domains', 'one.mdm.test', ...action],
      ],
      { env: { LEGO_CA_CERTIFICATES: rootFile } },
    );
  const ordered = await lego('run');
  expect(ordered.code, ordered.stderr).toBe(0);
  const pem = readFileSync(join(place.path, 'lego', 'certificates', 'one.mdm.test.crt'), 'utf8');
  const { fingerprintSha256, sans } = readCertificate(fromPem(pem));
  expect(sans.map((san) => san.value)).toEqual(['one.mdm.test']);
  expect(await engine.certificates.get(fingerprintSha256)).toMatchObject({ status: 'issued', attestation: null });
  const revoked = await lego('revoke', '--reason', '4');
  expect(revoked.code, revoked.stderr).toBe(0);
  expect(await engine.certificates.get(fingerprintSha256)).toMatchObject({
    ...{ status: 'revoked', revocationReason: 'superseded' },
  });
});
