// Looking up another issuer's revocations: addresses, currency, going back, outages.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createCrl, createCrlChecker, type Identity, localSigner, readCertificate, toPem } from '../src/index.ts';
import { codeOf, codeOfAsync, now, openssl, oracle, serve, tempDir, testCa } from './support.ts';

const hour = 3_600_000;
const primary = 'http://ca.test/primary.crl';
const secondary = 'http://ca.test/secondary.crl';

let time = now;
const clock = (): number => time;
let asked: string[] = [];
let answers: Record<string, (() => Promise<Response>) | undefined> = {};
const fetch = async (request: Request): Promise<Response> => {
  asked.push(request.url);
  const answer = answers[request.url];
  if (!answer) throw new TypeError('fetch failed');
  return answer();
};

let root: Identity;
const crl = (crlNumber: number, serials: string[] = [], at = time, by = root) =>
  createCrl({
    ...{ certificate: by.certificate, signer: localSigner(by.privateKey), crlNumber, now: at, lifetimeMs: 24 * hour },
    revoked: serials.map((serialNumber) => ({ serialNumber, revokedAt: at, reason: 'keyCompromise' as const })),
  });
const serving = (der: Uint8Array) => async () => new Response(Uint8Array.from(der));
const checker = (more: object = {}) =>
  createCrlChecker({ issuer: root.certificate, urls: [primary, secondary], fetch, clock, ...more });

beforeEach(async () => {
  time = now;
  asked = [];
  answers = {};
  root ??= (await testCa({ type: 'ec', curve: 'P-256' })).root;
});

describe('the checker of CRLs', () => {
  it('tells what is on the list, and keeps it for an hour', async () => {
    answers[primary] = serving(await crl(1, ['0a01']));
    const check = checker();
    expect(await check.status('0A01')).toEqual({
      status: 'revoked',
      revokedAt: new Date(now),
      reason: 'keyCompromise',
    });
    expect(await check.status('0a02')).toEqual({ status: 'good' });
    answers[primary] = serving(await crl(2, ['0a01', '0a02']));
    expect((await check.status('0a02')).status).toBe('good');
    expect(asked).toEqual([primary]);
    time += hour;
    expect((await check.status('0a02')).status).toBe('revoked');
    expect(asked).toEqual([primary, primary]);
  });

  it('asks once for many at the same time', async () => {
    answers[primary] = serving(await crl(1));
    const check = checker();
    await Promise.all(Array.from({ length: 20 }, (_, i) => check.status(`0${i % 10}`)));
    expect(asked).toHaveLength(1);
  });

  it('goes on to the next address, whatever is wrong with the first', async () => {
    const other = (await testCa({ type: 'ec', curve: 'P-256' })).root;
    const bad = [
      undefined,
      async () => new Response('gone', { status: 404 }),
      async () => new Response('hello'),
      async () => new Response(new Uint8Array()),
      serving(await crl(9, [], now - 48 * hour)),
      serving(await crl(9, [], now, other)),
      async () => new Response(new Uint8Array(3000)),
    ];
    for (const first of bad) {
      answers = { [primary]: first, [secondary]: async () => new Response(toPem(await crl(1, ['0a01']), 'X509 CRL')) };
      asked = [];
      expect((await checker({ maxBytes: 2000 }).status('0a01')).status).toBe('revoked');
      expect(asked).toEqual([primary, secondary]);
    }
  });

  it('lives through an outage for as long as its list does, and asks once a minute', async () => {
    answers[primary] = serving(await crl(1, ['0a01']));
    const check = checker();
    await check.list();
    answers = {};
    time += 2 * hour;
    expect((await check.status('0a01')).status).toBe('revoked');
    expect((await check.status('0a01')).status).toBe('revoked');
    expect(asked).toHaveLength(3);
    time += 61_000;
    await check.list();
    expect(asked).toHaveLength(5);
    time += 24 * hour;
    await expect(check.status('0a01')).rejects.toMatchObject({ code: 'pki.crl.unavailable', kind: 'unavailable' });
    answers[secondary] = serving(await crl(2, []));
    expect((await check.status('0a01')).status).toBe('good');
  });

  it('never goes back to an earlier list', async () => {
    answers[primary] = serving(await crl(7, ['0a01']));
    const check = checker();
    await check.list();
    time += hour;
    answers[primary] = serving(await crl(6, []));
    expect((await check.status('0a01')).status).toBe('revoked');
  });

  it('needs an address that it can fetch', () => {
    expect(codeOf(() => checker({ urls: [] }))).toBe('pki.crl.no_url');
    expect(codeOf(() => checker({ urls: ['ldap://ca.test/cn=crl', 'file:///etc/passwd', 'x'] }))).toBe(
      'pki.crl.no_url',
    );
  });

  it('says of all addresses why', async () => {
    answers[secondary] = async () => new Response('no', { status: 500 });
    expect(await codeOfAsync(() => checker().list())).toBe('pki.crl.unavailable');
    await expect(checker().list()).rejects.toThrow(
      /primary\.crl: unreachable; .*secondary\.crl: pki\.crl\.unavailable/,
    );
  });

  oracle('openssl', 'reads the list of an authority that openssl runs', async () => {
    const dir = tempDir();
    const file = (name: string): string => join(dir, name);
    mkdirSync(file('new'));
    writeFileSync(file('index.txt'), '');
    writeFileSync(file('serial'), '1000\n');
    writeFileSync(file('crlnumber'), '2A\n');
    writeFileSync(
      file('ca.cnf'),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${file('index.txt')}\nserial=${file('serial')}\ncrlnumber=${file('crlnumber')}
new_certs_dir=${file('new')}\ndefault_md=sha256\ndefault_days=30\ndefault_crl_days=7\npolicy=p\ncrl_extensions=crl
[p]\ncommonName=supplied\n[crl]\nauthorityKeyIdentifier=keyid\n`,
    );
    await openssl([
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', file('ca.key'), '-out', file('ca.pem')],
      ...['-subj', '/CN=Enterprise CA', '-days', '100'],
    ]);
    const ca = ['ca', '-batch', '-config', file('ca.cnf'), '-cert', file('ca.pem'), '-keyfile', file('ca.key')];
    for (const name of ['good', 'bad']) {
      await openssl([
        ...['req', '-newkey', 'rsa:2048', '-nodes', '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`)],
        ...['-subj', `/CN=${name}`],
      ]);
      await openssl([...ca, '-in', file(`${name}.csr`), '-out', file(`${name}.pem`), '-notext']);
    }
    await openssl([...ca, '-revoke', file('bad.pem'), '-crl_reason', 'superseded']);
    await openssl([...ca, '-gencrl', '-out', file('list.pem')]);
    const server = await serve(async () => new Response(readFileSync(file('list.pem'))));
    try {
      const der = (name: string): Uint8Array =>
        Uint8Array.from(Buffer.from(readFileSync(file(name), 'utf8').replace(/-----[^-]+-----/g, ''), 'base64'));
      const check = createCrlChecker({
        ...{ issuer: der('ca.pem'), urls: [server.url], clock: Date.now },
        fetch: (request) => globalThis.fetch(request),
      });
      const serial = (name: string): string => readCertificate(der(name)).serialNumber;
      expect(await check.status(serial('bad.pem'))).toMatchObject({ status: 'revoked', reason: 'superseded' });
      expect(await check.status(serial('good.pem'))).toEqual({ status: 'good' });
      expect((await check.list()).crlNumber).toBe(42);
    } finally {
      server.close();
    }
  });
});
