// Certificates: CMS against pkijs and node-forge, SCEP against Debian's scepserver with the same client and key size.
import { spawn } from 'node:child_process';
import { createPrivateKey, sign as nativeSign, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createMemoryScepStore,
  createRootCa,
  createScepServer,
  generateKeyPair,
  getScepServerInfo,
  type Identity,
  openCa,
  type PreparedScepRequest,
  prepareScepRequest,
  sendScepRequest,
  signCms,
  toPem,
  verifyMdmSignature,
} from '@espalier/pki';
import * as asn1js from 'asn1js';
import { OctetString } from 'asn1js';
import forge from 'node-forge';
import * as pkijs from 'pkijs';
import { opensslBareVerifications, opensslCmsVerifications } from './fixtures/pki-openssl.ts';
import type { BenchResult } from './result.ts';

const clock = Date;
const keyBits = 2048;

/** Processor time of this process with all its threads: unlike the wall clock it compares well on a busy machine. */
function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Runs `work` for about `seconds` of processor time after a warm-up; gives runs per second of it. */
async function perSecond(work: () => Promise<unknown>, seconds = 1): Promise<number> {
  const rounds = async (limit: number): Promise<number> => {
    const started = ownCpuSeconds();
    let count = 0;
    for (;;) {
      for (let i = 0; i < 10; i++) await work();
      count += 10;
      const spent = ownCpuSeconds() - started;
      if (spent >= limit) return count / spent;
    }
  };
  await rounds(seconds / 4);
  return rounds(seconds);
}

/** As {@link perSecond} without a promise between two runs. */
function perSecondSync(work: () => unknown, seconds = 1): number {
  const rounds = (limit: number): number => {
    const started = ownCpuSeconds();
    let count = 0;
    for (;;) {
      for (let i = 0; i < 10; i++) work();
      count += 10;
      const spent = ownCpuSeconds() - started;
      if (spent >= limit) return count / spent;
    }
  };
  rounds(seconds / 4);
  return rounds(seconds);
}

/**
 * Both sides in turn, several times: the machine is never quite the same from one second to the next. Gives the median rate
 * of our side and the median ratio.
 */
async function race(
  own: () => unknown,
  theirs: () => Promise<unknown>,
  rounds = 5,
): Promise<{ own: number; ratio: number }> {
  const rates: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const rate = perSecondSync(own, 0.3);
    rates.push(rate);
    ratios.push(rate / (await perSecond(theirs, 0.3)));
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
  return { own: median(rates), ratio: median(ratios) };
}

const compared = (
  name: string,
  unit: string,
  peer: string,
  own: number,
  theirs: number,
  required?: number,
): BenchResult => {
  const ratio = own / theirs;
  return {
    name,
    value: own,
    unit,
    peer,
    ratio,
    ...(required === undefined ? {} : { required, ok: ratio >= required }),
  };
};

export async function run(_args: readonly string[] = []): Promise<BenchResult[]> {
  return [...(await cms()), ...(await scep())];
}

async function cms(): Promise<BenchResult[]> {
  const root = await createRootCa({ subject: 'CN=Bench CA', key: { type: 'rsa', bits: keyBits }, clock });
  const ca = await openCa({ ...root, clock });
  const body = Buffer.alloc(900, 'a body as large as an Idle message with its lists ');
  const profile = Buffer.alloc(8000, 'a profile ');
  const results: BenchResult[] = [];
  for (const kind of ['RSA 2048', 'EC P-256'] as const) {
    const spec =
      kind === 'RSA 2048' ? ({ type: 'rsa', bits: keyBits } as const) : ({ type: 'ec', curve: 'P-256' } as const);
    const { publicKey, privateKey } = await generateKeyPair(spec);
    const certificate = Uint8Array.from(await ca.issue({ publicKey, subject: 'CN=device', template: 'device' }));
    const own: Identity = { certificate, privateKey };
    const header = Buffer.from(signCms(body, { ...own, detached: true, signingTime: Date.now() })).toString('base64');
    const peer = await pkijsPeer(own, kind);

    const unit = '/s of CPU';
    const verifying = await race(
      () => verifyMdmSignature(header, body),
      () => peer.verify(header, body),
    );
    const verification = `Mdm-Signature verified, ${kind}`;
    results.push(compared(verification, unit, 'pkijs', verifying.own, verifying.own / verifying.ratio, 5));
    // A fair limit: openssl's own loop over one key already imported, with no message to parse and no certificate.
    const bare = opensslBareVerifications(kind);
    if (bare) results.push(compared(verification, unit, 'openssl speed: bare verify', verifying.own, bare));
    const processes = opensslCmsVerifications(Buffer.from(header, 'base64'), body);
    if (processes) {
      results.push(compared(verification, unit, 'openssl cms, a process each', verifying.own, processes));
    }

    const sign = (): Uint8Array => signCms(profile, { ...own, signingTime: Date.now() });
    const signing = await race(sign, () => peer.sign(profile), 15);
    const signature = `profile signed, ${kind}`;
    const rsa = kind === 'RSA 2048';
    results.push(compared(signature, unit, 'pkijs', signing.own, signing.own / signing.ratio, 5));
    // With RSA nine tenths of our time are the private operation, the same native code for both sides, so that the ratio
    // cannot be much more than five: on a busy machine it may fall under it. Hence also what is added to that operation.
    const key = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' });
    const attributes = Buffer.alloc(110, 'as long as the signed attributes');
    const native = await race(sign, async () => nativeSign('sha256', attributes, key));
    const ceiling = native.own / native.ratio;
    results.push(compared(signature, unit, 'bare crypto.sign', native.own, ceiling, rsa ? 0.7 : undefined));
    if (rsa) {
      const forged = forgePeer(own);
      const against = await race(sign, async () => forged(profile));
      results.push(compared(signature, unit, 'node-forge', against.own, against.own / against.ratio));
    }
  }
  return results;
}

/** The same work done with pkijs alone, its keys and certificate imported beforehand. */
async function pkijsPeer({ certificate, privateKey }: Identity, kind: 'RSA 2048' | 'EC P-256') {
  pkijs.setEngine('node', new pkijs.CryptoEngine({ name: 'node', crypto: globalThis.crypto }));
  const algorithm =
    kind === 'RSA 2048' ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } : { name: 'ECDSA', namedCurve: 'P-256' };
  const key = await globalThis.crypto.subtle.importKey('pkcs8', Uint8Array.from(privateKey), algorithm, false, [
    'sign',
  ]);
  const own = pkijs.Certificate.fromBER(Uint8Array.from(certificate));
  return {
    async verify(header: string, body: Uint8Array): Promise<void> {
      const info = pkijs.ContentInfo.fromBER(Uint8Array.from(Buffer.from(header, 'base64')));
      const data = new pkijs.SignedData({ schema: info.content });
      const right = await data.verify({ signer: 0, data: Uint8Array.from(body).buffer, checkChain: false });
      if (!right) throw new Error('pkijs refused the signature');
    },
    async sign(content: Uint8Array): Promise<ArrayBuffer> {
      const digest = await globalThis.crypto.subtle.digest('SHA-256', Uint8Array.from(content));
      const attribute = (type: string, value: asn1js.BaseBlock): pkijs.Attribute =>
        new pkijs.Attribute({ type, values: [value] });
      const data = new pkijs.SignedData({
        version: 1,
        encapContentInfo: new pkijs.EncapsulatedContentInfo({
          eContentType: '1.2.840.113549.1.7.1',
          eContent: new OctetString({ valueHex: Uint8Array.from(content).buffer }),
        }),
        signerInfos: [
          new pkijs.SignerInfo({
            version: 1,
            sid: new pkijs.IssuerAndSerialNumber({ issuer: own.issuer, serialNumber: own.serialNumber }),
            signedAttrs: new pkijs.SignedAndUnsignedAttributes({
              type: 0,
              attributes: [
                attribute('1.2.840.113549.1.9.3', new asn1js.ObjectIdentifier({ value: '1.2.840.113549.1.7.1' })),
                attribute('1.2.840.113549.1.9.5', new asn1js.UTCTime({ valueDate: new Date() })),
                attribute('1.2.840.113549.1.9.4', new asn1js.OctetString({ valueHex: digest })),
              ],
            }),
          }),
        ],
        certificates: [own],
      });
      await data.sign(key, 0, 'SHA-256', Uint8Array.from(content).buffer);
      const info = new pkijs.ContentInfo({ contentType: '1.2.840.113549.1.7.2', content: data.toSchema(true) });
      return info.toSchema().toBER();
    },
  };
}

function forgePeer({ certificate, privateKey }: Identity): (content: Uint8Array) => string {
  const own = forge.pki.certificateFromPem(toPem(certificate));
  const key = forge.pki.privateKeyFromPem(toPem(privateKey, 'PRIVATE KEY'));
  return (content) => {
    const data = forge.pkcs7.createSignedData();
    data.content = forge.util.createBuffer(Buffer.from(content).toString('latin1'));
    data.addCertificate(own);
    data.addSigner({
      key,
      certificate: own,
      digestAlgorithm: forge.pki.oids['sha256']!,
      authenticatedAttributes: [
        { type: forge.pki.oids['contentType']!, value: forge.pki.oids['data']! },
        { type: forge.pki.oids['messageDigest']! },
        { type: forge.pki.oids['signingTime']!, value: new Date() as unknown as string },
      ],
    });
    data.sign();
    return forge.asn1.toDer(data.toAsn1()).getBytes();
  };
}

const requests = 400;
const warmUp = 100;
// scepserver 2 spoils its own serial number file when two requests meet: both servers get one request at a time, and ours
// is measured with several in flight as well.
const inFlight = 8;

interface Measured {
  /** Enrolments per second of wall clock. */
  readonly rate: number;
  /** Enrolments per second of the server's processor time. */
  readonly perCore: number;
}

async function scep(): Promise<BenchResult[]> {
  const keys = await Promise.all(
    Array.from({ length: 8 }, async () => (await generateKeyPair({ type: 'rsa', bits: keyBits })).privateKey),
  );
  const ours = (dir: string) => ({
    command: process.execPath,
    args: ['--conditions=espalier-source', fileURLToPath(import.meta.url), dir],
    setUp: async () => {},
  });
  const own = await measure(keys, 1, ours);
  const many = await measure(keys, inFlight, ours);
  const results: BenchResult[] = [
    { name: `SCEP enrolments, RSA ${keyBits}, one at a time`, value: own.rate, unit: '/s' },
    { name: `SCEP enrolments, RSA ${keyBits}, per core`, value: own.perCore, unit: '/s of CPU' },
    { name: `SCEP enrolments, RSA ${keyBits}, ${inFlight} in flight`, value: many.rate, unit: '/s' },
  ];
  try {
    const theirs = await measure(keys, 1, (dir, port) => ({
      command: 'scepserver',
      args: ['-depot', dir, '-port', String(port), '-challenge', 'secret', '-allowrenew', '0'],
      setUp: () => finished('scepserver', ['ca', '-init', '-depot', dir, '-keySize', String(keyBits)]),
    }));
    const unit = '/s';
    results[0] = compared(`SCEP enrolments, RSA ${keyBits}, one at a time`, unit, 'scepserver', own.rate, theirs.rate);
    results[1] = compared(
      ...([`SCEP enrolments, RSA ${keyBits}, per core`, '/s of CPU', 'scepserver'] as const),
      ...([own.perCore, theirs.perCore, 1] as const),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    console.error('scepserver (Debian package scep) is not installed: SCEP is measured without its peer');
  }
  return results;
}

/** Starts a server in its own process and sends it enrolments that were prepared beforehand. */
async function measure(
  keys: readonly Uint8Array[],
  atOnce: number,
  program: (dir: string, port: number) => { command: string; args: string[]; setUp: () => Promise<void> },
): Promise<Measured> {
  const dir = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  const port = await freePort();
  const { command, args, setUp } = program(dir, port);
  await setUp();
  const env = { ...process.env, PORT: String(port) };
  const child = spawn(command, args, { stdio: 'ignore', env });
  try {
    await reachable(port);
    const url = `http://127.0.0.1:${port}/scep`;
    const server = await getScepServerInfo({ url, fetch });
    const prepared: PreparedScepRequest[] = [];
    for (let i = 0; i < requests + warmUp; i++) {
      const privateKey = keys[i % keys.length]!;
      const base = { server, challenge: 'secret', privateKey, clock, allowSha1: true };
      prepared.push(
        await prepareScepRequest({ ...base, subject: `CN=device ${i}`, transactionId: `transaction-${i}` }),
      );
    }
    const send = async (list: PreparedScepRequest[]): Promise<void> => {
      const queue = [...list];
      const worker = async (): Promise<void> => {
        for (let next = queue.pop(); next; next = queue.pop()) {
          const result = await sendScepRequest({ url, fetch }, server, next);
          if (result.status !== 'issued') throw new Error(`${command} answered ${JSON.stringify(result)}`);
        }
      };
      await Promise.all(Array.from({ length: atOnce }, worker));
    };
    await send(prepared.slice(0, warmUp));
    const cpu = cpuSeconds(child.pid!);
    const started = performance.now();
    await send(prepared.slice(warmUp));
    const seconds = (performance.now() - started) / 1000;
    return { rate: requests / seconds, perCore: requests / (cpuSeconds(child.pid!) - cpu) };
  } finally {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Processor time of a process with all its threads (Linux). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function finished(command: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'ignore' });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`))));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createNetServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

async function reachable(port: number): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => setTimeout(() => resolve(false), 25));
    });
    if (open) return;
  }
  throw new Error('the server did not start');
}

/** Our server as a process of its own. Like its peer it has a fixed challenge and writes each certificate to a file. */
async function serve(dir: string, port: number): Promise<void> {
  const root = await createRootCa({ subject: 'CN=Bench CA', key: { type: 'rsa', bits: keyBits }, clock });
  const ca = await openCa({ ...root, clock });
  const memory = createMemoryScepStore({ clock });
  const scepServer = createScepServer({
    ca,
    clock,
    store: {
      ...memory,
      async commit(entry) {
        const { serialNumber } = new X509Certificate(entry.certificate);
        await writeFile(join(dir, `${serialNumber}.pem`), toPem(entry.certificate));
        return memory.commit(entry);
      },
    },
    authorise: async ({ csr }) =>
      csr.challengePassword === 'secret'
        ? { decision: 'issue', grant: { reference: 'bench' } }
        : { decision: 'refuse', reason: 'wrong challenge' },
  });
  createHttpServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const method = incoming.method ?? 'GET';
    const body = method === 'POST' ? { body: Buffer.concat(chunks) } : {};
    const response = await scepServer.handle(new Request(`http://localhost${incoming.url}`, { method, ...body }));
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  }).listen(port, '127.0.0.1');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(process.argv[2]!, Number(process.env['PORT']));
