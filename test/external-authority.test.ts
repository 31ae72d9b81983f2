// Hosts whose certificates come from elsewhere: Debian's scepserver, NDES, an adapter of one's own, challenges that others judge.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createEngine, createKeyRing, createMemoryStore, type Engine } from '@espalier/core';
import { createHost, type Host, type HostOptions, httpChallengeVerifier } from '@espalier/host';
import { toNodeListener } from '@espalier/host/node';
import {
  type CertificateAuthority,
  createMemoryScepStore,
  createRootCa,
  createScepServer,
  fromPem,
  generateKeyPair,
  type Identity,
  type IssueRequest,
  ndesChallenge,
  openCa,
  openScepProxy,
  readCertificate,
  requestIntermediateCa,
  scepEnrol,
  toPem,
} from '@espalier/pki';
import { decodeDict, type PlistDict } from '@espalier/plist';
import { createKeyPool, createSimulatedAttestation, createSimulatedDevice } from '@espalier/simulator';
import { expect, type TestContext, test } from 'vitest';
import { folder, need, run } from './support/tools.ts';

const clock = { now: () => Date.now() };
const plainFetch = (request: Request): Promise<Response> => fetch(request);

/** Listens on the loopback until the test ends. */
async function listen(context: TestContext, listener: http.RequestListener): Promise<string> {
  const server = http.createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function place(context: TestContext): string {
  const made = folder();
  context.onTestFinished(() => made.remove());
  return made.path;
}

interface World {
  readonly engine: Engine;
  readonly host: Host;
  readonly url: string;
  /** Enrols a simulated device by a fresh invitation; its certificate. */
  enrol(seed?: string): Promise<Uint8Array>;
}

const attestation = await createSimulatedAttestation({ clock });
const keyPool = createKeyPool();

/** A host that listens, over an authority. */
async function world(
  context: TestContext,
  ca: CertificateAuthority,
  options: Partial<Omit<HostOptions, 'profile'>> & { readonly by?: 'scep' | 'acme' } = {},
): Promise<World> {
  const { by = 'scep', ...more } = options;
  let host: Host | undefined;
  const url = await listen(context, (request, response) => {
    void toNodeListener((one, info) => host!.fetch(one, info))(request, response);
  });
  const keys = createKeyRing({ current: { id: 'test', key: new Uint8Array(32).fill(1) } });
  const engine: Engine = createEngine({
    ...{ store: createMemoryStore(), keys, clock },
    renewal: { profile: (request) => host!.renewalProfile(request) },
  });
  host = createHost({
    ...{ engine, ca, publicUrl: url, identity: { anchors: [ca.certificate] } },
    profile: {
      ...{ organisation: 'Example', topic: 'com.apple.mgmt.External.test', sign: (bytes: Uint8Array) => bytes },
      identity: by,
    },
    acme: { roots: [attestation.root] },
    ...more,
  });
  return {
    ...{ engine, host, url },
    async enrol(seed = 'external') {
      const device = createSimulatedDevice({
        ...{ kind: 'iPhone', seed, attestation, keyPool, retry: { attempts: 2 } },
      });
      context.onTestFinished(() => device.close());
      const { token } = await engine.enrolling.invite();
      const { certificate } = await device.enrol(`${url}/enrol/${token}`);
      expect((await device.poll()).ended).toBe('idle');
      return certificate;
    },
  };
}

const registered = async ({ engine }: World, certificate: Uint8Array) =>
  await engine.certificates.get(readCertificate(certificate).fingerprintSha256);

/** A registration authority: of the authority, where its key is at hand. */
async function registrarOf(ca: CertificateAuthority): Promise<Identity> {
  const { publicKey, privateKey } = await generateKeyPair();
  const certificate = await ca.issue({ publicKey, subject: 'CN=Registrar', template: 'scep-ra' });
  return { certificate: Uint8Array.from(certificate), privateKey };
}

async function rootCa(name: string, key: Parameters<typeof createRootCa>[0]['key'] = { type: 'rsa', bits: 2048 }) {
  const root = await createRootCa({ subject: `CN=${name}`, key, clock });
  return { root, ca: await openCa({ ...root, clock }) };
}

/** Debian's scepserver in a process of its own; only this test's host reaches it. */
async function scepserver(context: TestContext, dir: string): Promise<string> {
  await run('scepserver', ['ca', '-init', '-depot', dir, '-keySize', '2048']);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    // It takes no port 0: one that is free a moment before.
    const probe = http.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const child = spawn('scepserver', ['-depot', dir, '-port', String(port), '-allowrenew', '0'], { stdio: 'ignore' });
    context.onTestFinished(() => void child.kill('SIGKILL'));
    const url = `http://127.0.0.1:${port}/scep`;
    const up = expect.poll(
      () =>
        fetch(`${url}?operation=GetCACaps`).then(
          ({ status }) => status,
          () => 0,
        ),
      { timeout: 5_000, interval: 50 },
    );
    if (
      (await up.toBe(200).then(
        () => true,
        () => false,
      )) &&
      child.exitCode === null
    )
      return url;
  }
  throw new Error('scepserver does not start');
}

test('Debian’s scepserver issues for simulated devices and for scepclient, through the host', async (context) => {
  need(context, 'scepserver');
  need(context, 'openssl');
  const dir = place(context);
  const upstream = await scepserver(context, dir);
  // The registration authority is a client of that server like any other.
  const ra = await scepEnrol({ url: upstream, fetch: plainFetch, clock, subject: 'CN=Registrar', allowSha1: true });
  const authority = { url: upstream, fetch: plainFetch, ra, clock, allowSha1: true, keys: ['rsa'] as const };
  const ca = await openScepProxy(authority);
  // Devices encrypt to an identity of our own: that server's certificates are for signatures alone.
  const { ca: own } = await rootCa('Registrars');
  const to = await world(context, ca, { scepRegistrar: await registrarOf(own) });
  const check = async (certificate: Uint8Array) => {
    const file = join(dir, `${readCertificate(certificate).serialNumber}.pem`);
    writeFileSync(file, toPem(certificate));
    const { stdout } = await run('openssl', ['verify', '-CAfile', join(dir, 'ca.pem'), file]);
    expect(stdout.toString()).toContain(': OK');
  };
  const certificate = await to.enrol();
  await check(certificate);
  expect(await registered(to, certificate)).toMatchObject({ status: 'in-force' });
  expect(readCertificate(certificate).issuer).toContain('O=scep-ca');

  need(context, 'scepclient');
  const { challenge } = await to.engine.enrolling.challenge();
  const files = ['-private-key', join(dir, 'client.key'), '-certificate', join(dir, 'client.pem')];
  const names = ['-cn', 'laptop', '-keySize', '2048', '-challenge', challenge];
  const client = await run('scepclient', ['-server-url', `${to.url}/scep`, ...files, ...names], { cwd: dir });
  expect(client.code, client.stderr).toBe(0);
  const got = fromPem(readFileSync(join(dir, 'client.pem'), 'utf8'));
  await check(got);
  expect(readCertificate(got).subjectCn).toBe('laptop');
  expect(await registered(to, got)).toMatchObject({ status: 'issued' });
}, 30_000);

test('NDES: its challenges go to devices, bound here, and on to it with the request', async (context) => {
  const { ca: issuer } = await rootCa('NDES root');
  const store = createMemoryScepStore({ clock });
  const passwords = new Set<string>();
  const seen: string[] = [];
  const events: string[] = [];
  const upstream = createScepServer({
    ...{ ca: issuer, store, clock, onEvent: ({ type }) => events.push(type) },
    // It takes requests from the registration authority, each with a challenge that it handed out.
    registrars: {
      certificates: [(await makeRa()).certificate],
      authorise: async ({ csr }) => {
        seen.push(csr.challengePassword ?? '');
        const known = passwords.delete(csr.challengePassword ?? '');
        return known ? { decision: 'issue', grant: { reference: 'NDES' } } : { decision: 'refuse' };
      },
    },
  });
  const page = (challenge: string): Uint8Array =>
    Buffer.from(`\ufeff<HTML><P>The enrollment challenge password is: <B> ${challenge} </B></HTML>`, 'utf16le');
  const url = await listen(context, (request, response) => {
    if (request.url !== '/certsrv/mscep_admin/') return void toNodeListener(upstream.handle)(request, response);
    const challenge = randomBytes(8).toString('hex').toUpperCase();
    passwords.add(challenge);
    response.end(page(challenge));
  });
  const challenge = ndesChallenge({ url: `${url}/certsrv/mscep_admin/`, fetch: plainFetch });
  const scepRegistrar = await makeRa();
  const ca = await openScepProxy({ url, fetch: plainFetch, ra: scepRegistrar, clock, challenge });
  const to = await world(context, ca, { scepRegistrar, scepChallenge: { source: 'authority' } });
  const certificate = await to.enrol();
  expect(readCertificate(certificate).issuer).toBe('CN=NDES root');
  expect(seen).toEqual([expect.stringMatching(/^[0-9A-F]{16}$/)]);
  expect(events).toEqual(['issued']);
  expect(await registered(to, certificate)).toMatchObject({ status: 'in-force' });
  // What NDES handed out pays once here.
  await expect(
    scepEnrol({ url: `${to.url}/scep`, fetch: plainFetch, clock, subject: 'CN=thief', challenge: seen[0]! }),
  ).rejects.toMatchObject({ code: 'pki.scep.failed' });
  // One password for all is refused, rather than given to a second device.
  const same = await world(context, ca, { scepRegistrar, scepChallenge: { source: async () => 'ONE-FOR-ALL' } });
  const links = [await same.engine.enrolling.invite(), await same.engine.enrolling.invite()];
  const answers = await Promise.all(links.map(({ token }) => fetch(`${same.url}/enrol/${token}`)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);

  async function makeRa(): Promise<Identity> {
    ra ??= await registrarOf(issuer);
    return ra;
  }
}, 30_000);
let ra: Identity | undefined;

/** An adapter as others write them: a class over an issuing authority with an EC key, below a root. */
class Adapter implements CertificateAuthority {
  readonly #ca: CertificateAuthority;
  readonly certificate: Uint8Array;
  readonly chain: readonly Uint8Array[];
  readonly asked: IssueRequest[] = [];
  constructor(ca: CertificateAuthority) {
    this.#ca = ca;
    this.certificate = ca.certificate;
    this.chain = ca.chain;
  }
  async issue(request: IssueRequest): Promise<Uint8Array> {
    this.asked.push(request);
    return await this.#ca.issue(request);
  }
}

async function adapter(): Promise<{ ca: Adapter; own: CertificateAuthority; root: Uint8Array }> {
  const { ca: root } = await rootCa('Corporate root', { type: 'ec', curve: 'P-384' });
  const key = { type: 'ec', curve: 'P-256' } as const;
  const { csr, privateKey } = await requestIntermediateCa({ subject: 'CN=Corporate devices', key });
  const certificate = Uint8Array.from(await root.issue({ csr, template: 'intermediate-ca' }));
  const own = await openCa({ certificate, privateKey, chain: [root.certificate], clock });
  return { ca: new Adapter(own), own, root: root.certificate };
}

test('an authority of one’s own, without its key at hand, issues by SCEP and ACME from a template', async (context) => {
  need(context, 'openssl');
  const dir = place(context);
  const { ca, own, root } = await adapter();
  const identityCertificate = {
    subject: 'CN=$RANDOM_32$,O=Example',
    sans: [{ type: 'upn', value: 'device@example.com' }],
    template: { lifetimeDays: 180, hash: 'sha256' },
  } as const;
  for (const by of ['scep', 'acme'] as const) {
    const scepRegistrar = await registrarOf(own);
    const to = await world(context, ca, { by, scepRegistrar, identityCertificate });
    const { token } = await to.engine.enrolling.invite();
    const profile = new Uint8Array(await (await fetch(`${to.url}/enrol/${token}`)).arrayBuffer());
    const payloads = decodeDict(profile)['PayloadContent'] as PlistDict[];
    const trusted = (type: string) =>
      payloads.filter((item) => item['PayloadType'] === type).map((item) => item['PayloadContent']);
    expect(trusted('com.apple.security.root')).toEqual([new Uint8Array(root)]);
    expect(trusted('com.apple.security.pkcs1')).toEqual([new Uint8Array(ca.certificate)]);
    const certificate = await to.enrol(by);
    const write = (name: string, der: Uint8Array) => {
      writeFileSync(join(dir, name), toPem(der));
      return join(dir, name);
    };
    const files = ['-CAfile', write('root.pem', root), '-untrusted', write('sub.pem', ca.certificate)];
    const { stdout } = await run('openssl', ['verify', ...files, write(`${by}.pem`, certificate)]);
    expect(stdout.toString()).toContain(': OK');
    const text = (await run('openssl', ['x509', '-in', join(dir, `${by}.pem`), '-noout', '-text'])).stdout.toString();
    expect(text).toMatch(/Subject: O ?= ?Example, CN ?= ?[0-9a-f]{32}/);
    expect(text).toContain('device@example.com');
    expect(await registered(to, certificate)).toMatchObject({ status: 'in-force' });
  }
  expect(ca.asked.map(({ validityDays }) => validityDays)).toEqual([undefined, undefined]);
}, 30_000);

test('strongSwan’s pki enrols through a host whose authority has an EC key', async (context) => {
  need(context, 'pki');
  const dir = place(context);
  const { ca, own } = await rootCa('Corporate', { type: 'ec', curve: 'P-384' }).then(({ ca: one }) => ({
    ca: new Adapter(one),
    own: one,
  }));
  const scepRegistrar = await registrarOf(own);
  const to = await world(context, ca, { scepRegistrar });
  writeFileSync(join(dir, 'ca.pem'), toPem(ca.certificate));
  writeFileSync(join(dir, 'ra.pem'), toPem(scepRegistrar.certificate));
  const key = await run('pki', ['--gen', '--type', 'rsa', '--size', '2048', '--outform', 'pem']);
  writeFileSync(join(dir, 'key.pem'), key.stdout);
  const { challenge } = await to.engine.enrolling.challenge();
  const enrolled = await run('pki', [
    ...['--scep', '--url', `${to.url}/scep`, '--in', join(dir, 'key.pem'), '--dn', 'CN=strongswan'],
    ...['--cacert-enc', join(dir, 'ra.pem'), '--cacert-sig', join(dir, 'ra.pem'), '--cacert', join(dir, 'ca.pem')],
    ...['--password', challenge, '--cipher', 'aes', '--digest', 'sha256', '--outform', 'pem'],
  ]);
  expect(enrolled.code, enrolled.stderr).toBe(0);
  expect(readCertificate(fromPem(enrolled.stdout.toString())).subjectCn).toBe('strongswan');
}, 30_000);

test('a service by HTTP judges challenges that the host did not make', async (context) => {
  const { ca } = await rootCa('Test root');
  const asked: { challenge: string; subject: string; csr: string }[] = [];
  let down = false;
  const service = await listen(context, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (down) return void response.writeHead(500).end();
      if (request.headers.authorization !== 'Bearer between us') return void response.writeHead(401).end();
      const question = JSON.parse(Buffer.concat(chunks).toString()) as (typeof asked)[0];
      asked.push(question);
      const verdicts: Record<string, object> = {
        'from elsewhere': { decision: 'issue', subject: 'CN=judged', validityDays: 70, invitationId },
        'for nobody': { decision: 'issue', invitationId: 'nobody' },
        nonsense: { decision: 'perhaps' },
      };
      response.end(JSON.stringify(verdicts[question.challenge] ?? { decision: 'refuse', reason: 'unknown' }));
    });
  });
  const verify = httpChallengeVerifier({ url: service, token: 'between us', fetch: plainFetch });
  const to = await world(context, ca, { scepChallenge: { verify } });
  const { id: invitationId } = await to.engine.enrolling.invite();
  const enrol = (challenge: string) =>
    scepEnrol({ url: `${to.url}/scep`, fetch: plainFetch, clock, subject: 'CN=asked', challenge });
  const { certificate } = await enrol('from elsewhere');
  const { subject, notBefore, notAfter } = readCertificate(certificate);
  expect(subject).toBe('CN=judged');
  expect((notAfter.getTime() - notBefore.getTime()) / 86_400_000).toBeCloseTo(70, 1);
  expect(asked).toMatchObject([{ challenge: 'from elsewhere', subject: 'CN=asked', csr: expect.any(String) }]);
  expect(await registered(to, certificate)).toMatchObject({ invitationId });
  const failed = { code: 'pki.scep.failed' };
  await expect(enrol('unknown')).rejects.toMatchObject(failed);
  await expect(enrol('for nobody')).rejects.toMatchObject(failed);
  // Not for want of an answer: the device tries again.
  await expect(enrol('nonsense')).rejects.toMatchObject({ kind: 'unavailable' });
  down = true;
  await expect(enrol('from elsewhere')).rejects.toMatchObject({ kind: 'unavailable' });
  // What the host itself made needs nobody.
  const { challenge } = await to.engine.enrolling.challenge();
  expect(readCertificate((await enrol(challenge)).certificate).subject).toBe('CN=asked');
  expect(() => httpChallengeVerifier({ url: 'http://judge.example.com', token: 't', fetch: plainFetch })).toThrowError(
    expect.objectContaining({ code: 'host.options' }),
  );
}, 30_000);
