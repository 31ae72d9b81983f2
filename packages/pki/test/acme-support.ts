// What the ACME tests share: a client, and an attestation authority built with another library, with CBOR by hand.
import { createHash, generateKeyPairSync, type KeyObject, sign, webcrypto } from 'node:crypto';
import * as asn1js from 'asn1js';
import * as pkijs from 'pkijs';
import {
  type AcmeEvent,
  type AcmeServer,
  type AcmeServerOptions,
  type CertificateAuthority,
  createAcmeServer,
  createCsr,
  createMemoryAcmeStore,
  localSigner,
  type MemoryAcmeStore,
} from '../src/index.ts';
import { clock, now, testCa } from './support.ts';

pkijs.setEngine('node', new pkijs.CryptoEngine({ name: 'node', crypto: webcrypto as never }));
export type KeyPair = webcrypto.CryptoKeyPair;
type CryptoKey = webcrypto.CryptoKey;
const dayMs = 86_400_000;

export const baseUrl = 'https://mdm.test/acme';
export const b64 = (data: Uint8Array | string): string => Buffer.from(data).toString('base64url');
const apple = '1.2.840.113635.100.8.';

/** An authority like Apple's: a root and one below it. */
export interface TestApple {
  readonly root: Uint8Array;
  readonly sub: Uint8Array;
  readonly subject: string;
  readonly keys: KeyPair;
}

interface CertificateParts {
  readonly serial: number;
  readonly issuer: string;
  readonly subject: string;
  readonly publicKey: CryptoKey;
  readonly signingKey: CryptoKey;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly extensions: readonly pkijs.Extension[];
}

export const extension = (extnID: string, critical: boolean, value: Uint8Array): pkijs.Extension =>
  new pkijs.Extension({ extnID, critical, extnValue: Uint8Array.from(value).buffer });

const basicConstraints = (cA: boolean): pkijs.Extension =>
  extension('2.5.29.19', true, new Uint8Array(new pkijs.BasicConstraints({ cA }).toSchema().toBER(false)));
const keyUsage = (bits: number): pkijs.Extension => extension('2.5.29.15', true, Uint8Array.of(3, 2, 1, bits));

async function certify(parts: CertificateParts): Promise<Uint8Array> {
  const certificate = new pkijs.Certificate();
  certificate.version = 2;
  certificate.serialNumber = new asn1js.Integer({ value: parts.serial });
  for (const name of ['issuer', 'subject'] as const) {
    const value = new asn1js.Utf8String({ value: parts[name] });
    certificate[name].typesAndValues.push(new pkijs.AttributeTypeAndValue({ type: '2.5.4.3', value }));
  }
  certificate.notBefore.value = new Date(parts.notBefore);
  certificate.notAfter.value = new Date(parts.notAfter);
  certificate.extensions = [...parts.extensions];
  await certificate.subjectPublicKeyInfo.importKey(parts.publicKey);
  const { namedCurve } = parts.signingKey.algorithm as webcrypto.EcKeyAlgorithm;
  await certificate.sign(parts.signingKey, namedCurve === 'P-384' ? 'SHA-384' : 'SHA-256');
  return new Uint8Array(certificate.toSchema(true).toBER(false));
}

export async function testApple(name = 'Test Attestation', curve: Curve = 'P-256', at = now): Promise<TestApple> {
  const [rootKeys, keys] = await Promise.all([newKeys(curve), newKeys(curve)]);
  const both = { notBefore: at - 365 * dayMs, notAfter: at + 365 * dayMs };
  const extensions = [basicConstraints(true), keyUsage(0x06)];
  const [issuer, subject] = [`${name} Root CA`, `${name} Sub CA 1`];
  const signed = { ...both, issuer, extensions, signingKey: rootKeys.privateKey };
  const root = await certify({ ...signed, serial: 1, subject: issuer, publicKey: rootKeys.publicKey });
  const sub = await certify({ ...signed, serial: 2, subject, publicKey: keys.publicKey });
  return { root, sub, subject, keys };
}

type Curve = 'P-256' | 'P-384';

export const newKeys = (namedCurve: Curve = 'P-256'): Promise<KeyPair> =>
  webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve }, true, ['sign', 'verify']) as Promise<KeyPair>;

/** What a leaf says. Values that are text go in as Apple writes them: bare bytes. */
export interface LeafOptions {
  readonly apple: TestApple;
  readonly publicKey: CryptoKey;
  readonly token: string;
  readonly serial?: string | null;
  readonly udid?: string | null;
  /** Null leaves the freshness code out. */
  readonly freshness?: Uint8Array | 'token' | null;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly ca?: boolean;
  readonly extra?: readonly pkijs.Extension[];
  readonly signingKey?: CryptoKey;
}

export async function leafOf(options: LeafOptions): Promise<Uint8Array> {
  const { apple: authority, token, serial = 'C02TEST1', udid = '00008112-000A68263C06201E', ca = false } = options;
  const { freshness = createHash('sha256').update(token).digest() } = options;
  const extensions = [basicConstraints(ca), keyUsage(0x80), ...(options.extra ?? [])];
  const add = (oid: string, value: Uint8Array): void => void extensions.push(extension(apple + oid, false, value));
  if (serial !== null) add('9.1', Buffer.from(serial));
  if (udid !== null) add('9.2', Buffer.from(udid));
  add('10.1', Buffer.from('15.0.1'));
  add('10.2', Buffer.from('15.0.1'));
  add('13.1', Uint8Array.of(2, 1, 0)); // DER INTEGER 0, as Macs have it
  add('13.2', Buffer.from('Full Security'));
  add('13.3', Uint8Array.of(2, 1, 0));
  if (freshness !== null) add('11.1', freshness === 'token' ? Buffer.from(token) : freshness);
  return certify({
    ...{ serial: 10, issuer: authority.subject, subject: 'device', publicKey: options.publicKey, extensions },
    signingKey: options.signingKey ?? authority.keys.privateKey,
    notBefore: options.notBefore ?? now - 60_000,
    notAfter: options.notAfter ?? now + dayMs,
  });
}

const head = (major: number, length: number): Buffer => {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 256) return Buffer.from([(major << 5) | 24, length]);
  return Buffer.from([(major << 5) | 25, length >> 8, length & 0xff]);
};
export const cborText = (text: string): Buffer => Buffer.concat([head(3, text.length), Buffer.from(text)]);
export const cborBytes = (bytes: Uint8Array): Buffer => Buffer.concat([head(2, bytes.length), bytes]);
export const cborArray = (...items: Uint8Array[]): Buffer => Buffer.concat([head(4, items.length), ...items]);
export const cborMap = (...items: Uint8Array[]): Buffer => Buffer.concat([head(5, items.length / 2), ...items]);

/** An attestation object, written byte by byte. */
export function attestationObject(x5c: readonly Uint8Array[], format = 'apple'): Buffer {
  const statement = cborMap(cborText('x5c'), cborArray(...x5c.map(cborBytes)));
  return cborMap(cborText('fmt'), cborText(format), cborText('attStmt'), statement);
}

export async function csrOf(keys: KeyPair, subject = 'CN=asked for', more: object = {}): Promise<Uint8Array> {
  const privateKey = new Uint8Array(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return createCsr({ subject, signer: localSigner(privateKey), ...more });
}

/** A server with a store, an authority and a record of what happened. */
export interface Fixture {
  readonly apple: TestApple;
  readonly ca: CertificateAuthority;
  readonly store: MemoryAcmeStore;
  readonly events: AcmeEvent[];
  readonly server: AcmeServer;
}

export async function fixture(options: Partial<AcmeServerOptions> = {}, authority?: TestApple): Promise<Fixture> {
  const testAuthority = authority ?? (await testApple());
  const { ca } = await testCa({ type: 'ec', curve: 'P-256' });
  const store = createMemoryAcmeStore({ clock });
  const events: AcmeEvent[] = [];
  const attestation = { roots: [testAuthority.root] };
  const onEvent = (event: AcmeEvent): void => void events.push(event);
  const server = createAcmeServer({ ca, store, clock, baseUrl, attestation, onEvent, ...options });
  return { apple: testAuthority, ca, store, events, server };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever JSON came back
  readonly body: any;
}

export type Alg = 'ES256' | 'ES384' | 'ES512' | 'RS256' | 'EdDSA';

export function newAccountKey(alg: Alg = 'ES256'): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  if (alg === 'RS256') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519');
  const namedCurve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg];
  return generateKeyPairSync('ec', { namedCurve });
}

const hashes: Record<Alg, string | null> = {
  ...{ ES256: 'sha256', ES384: 'sha384', ES512: 'sha512', RS256: 'sha256', EdDSA: null },
};

export function jwsOf(header: object, payload: unknown, key: KeyObject, alg: Alg = 'ES256'): Record<string, string> {
  const encoded = payload === '' ? '' : b64(typeof payload === 'string' ? payload : JSON.stringify(payload));
  const input = `${b64(JSON.stringify(header))}.${encoded}`;
  const signature = sign(hashes[alg], Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return { protected: b64(JSON.stringify(header)), payload: encoded, signature: b64(signature) };
}

/** A client of its own: it shares nothing with the server but the formats. */
export class Client {
  readonly server: AcmeServer;
  readonly alg: Alg;
  keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  kid: string | null = null;
  nonce: string | null = null;

  constructor(server: AcmeServer, alg: Alg = 'ES256') {
    this.server = server;
    this.alg = alg;
    this.keys = newAccountKey(alg);
  }

  async send(url: string, init?: RequestInit): Promise<Answer> {
    const response = await this.server.handle(new Request(url, init));
    const text = await response.text();
    this.nonce = response.headers.get('replay-nonce') ?? this.nonce;
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, body: isJson && text ? JSON.parse(text) : null };
  }

  async freshNonce(): Promise<string> {
    const { headers } = await this.send(`${baseUrl}/new-nonce`, { method: 'HEAD' });
    return headers.get('replay-nonce')!;
  }

  async header(url: string, useJwk = this.kid === null): Promise<Record<string, unknown>> {
    const nonce = this.nonce ?? (await this.freshNonce());
    this.nonce = null;
    const who = useJwk ? { jwk: this.keys.publicKey.export({ format: 'jwk' }) } : { kid: this.kid };
    return { alg: this.alg, nonce, url, ...who };
  }

  raw(url: string, body: string | Uint8Array, type = 'application/jose+json'): Promise<Answer> {
    const content = typeof body === 'string' ? body : Uint8Array.from(body);
    return this.send(url, { method: 'POST', body: content, headers: { 'content-type': type } });
  }

  async post(url: string, payload: unknown, useJwk?: boolean): Promise<Answer> {
    const jws = jwsOf(await this.header(url, useJwk), payload, this.keys.privateKey, this.alg);
    return this.raw(url, JSON.stringify(jws));
  }

  async account(payload: object = { termsOfServiceAgreed: true }): Promise<Answer> {
    const answer = await this.post(`${baseUrl}/new-account`, payload, true);
    if (answer.status < 300) this.kid = answer.headers.get('location');
    return answer;
  }

  /** Orders a device's identifier and fetches its one challenge. */
  async order(value: string, type = 'permanent-identifier') {
    if (!this.kid) await this.account();
    const order = await this.post(`${baseUrl}/new-order`, { identifiers: [{ type, value }] });
    const url = order.headers.get('location')!;
    const authorizationUrl: string = order.body.authorizations?.[0];
    const authorization = order.status === 201 ? await this.post(authorizationUrl, '') : order;
    return { order, url, authorizationUrl, authorization, challenge: authorization.body?.challenges?.[0] };
  }
}

/** A device that does everything right, up to where it is told otherwise. */
export async function enrol(
  { server, apple: authority }: Fixture,
  identifier: string,
  change: {
    readonly leaf?: Partial<LeafOptions>;
    readonly object?: (x5c: Uint8Array[]) => Uint8Array;
    readonly payload?: object;
    readonly csrKeys?: KeyPair;
    readonly client?: Client;
    readonly keys?: KeyPair;
    readonly type?: 'hardware-module';
  } = {},
) {
  const client = change.client ?? new Client(server);
  const started = await client.order(identifier, change.type);
  const keys = change.keys ?? (await newKeys());
  const leaf = await leafOf({
    ...{ apple: authority, publicKey: keys.publicKey, token: started.challenge.token as string, ...change.leaf },
  });
  const x5c = [leaf, authority.sub];
  const payload = change.payload ?? { attObj: b64(change.object?.(x5c) ?? attestationObject(x5c)) };
  const before = process.cpuUsage();
  const challenged = await client.post(started.challenge.url, payload);
  const { user, system } = process.cpuUsage(before);
  const csr = await csrOf(change.csrKeys ?? keys);
  const finalized = await client.post(started.order.body.finalize, { csr: b64(csr) });
  return { ...started, client, keys, csr, challenged, finalized, cpuMs: (user + system) / 1000 };
}
