// What the tests share: a host over a real engine and the memory store, with a clock, a CA and devices of its own.
import { createHash } from 'node:crypto';
import { createEngine, createKeyRing, createMemoryStore, type Engine, type EngineInput } from '@espalier/core';
import { type CertificateAuthority, createRootCa, generateKeyPair, openCa, signCms } from '@espalier/pki';
import { encodeXml, type PlistInput } from '@espalier/plist';
import {
  type ConnectionInfo,
  createAdminToken,
  createHost,
  type Host,
  type HostOptions,
  hashAdminToken,
  type Logger,
} from '../src/index.ts';

export const START = Date.UTC(2026, 0, 15, 12);

/** A clock that only tests move. */
export function testClock(start = START) {
  let at = start;
  return {
    now: () => at,
    advance: (ms: number) => {
      at += ms;
    },
  };
}

/** Bytes that look random and are the same in every run. */
export function testRandom(seed: string) {
  let count = 0;
  return (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at += 32) {
      const block = createHash('sha256').update(`${seed}.${count++}`).digest();
      out.set(block.subarray(0, Math.min(32, length - at)), at);
    }
    return out;
  };
}

export interface LogLine {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A logger that keeps its lines. */
export function testLogger() {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) => {
    lines.push({ level, fields, message });
  };
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { logger, lines };
}

const authorities = new Map<string, Promise<CertificateAuthority>>();

/** A root CA, made once per name and test file. */
export function authority(name = 'Test'): Promise<CertificateAuthority> {
  const known = authorities.get(name);
  if (known) return known;
  const clock = { now: () => START };
  const made = createRootCa({ subject: `CN=${name} root`, key: { type: 'rsa', bits: 2048 }, clock }).then((root) =>
    openCa({ ...root, clock }),
  );
  authorities.set(name, made);
  return made;
}

export interface World {
  readonly host: Host;
  readonly engine: Engine;
  readonly ca: CertificateAuthority;
  readonly clock: ReturnType<typeof testClock>;
  readonly adminToken: string;
  readonly lines: LogLine[];
  fetch(path: string, init?: RequestInit, info?: ConnectionInfo): Promise<Response>;
  api(method: string, path: string, body?: unknown): Promise<Response>;
}

export const ORIGIN = 'https://mdm.example.com';

/** A host over a fresh memory store. */
export async function world(
  options: Partial<HostOptions> = {},
  engineOptions: Partial<EngineInput> = {},
): Promise<World> {
  const clock = testClock();
  const random = testRandom('world');
  const ca = await authority();
  const { logger, lines } = testLogger();
  const engine = createEngine({
    store: createMemoryStore(),
    keys: createKeyRing({ current: { id: 'test', key: random(32) }, random }),
    clock,
    random,
    ...engineOptions,
  });
  const adminToken = createAdminToken(random);
  const host = createHost({
    engine,
    ca,
    identity: { anchors: [ca.certificate] },
    profile: { organisation: 'Example', topic: 'com.apple.mgmt.External.test', sign: (bytes) => bytes },
    adminTokens: [hashAdminToken(adminToken)],
    publicUrl: ORIGIN,
    logger,
    random,
    ...options,
  });
  const fetch: World['fetch'] = (path, init, info = { remoteAddress: '192.0.2.10' }) =>
    host.fetch(new Request(ORIGIN + path, init), info);
  return {
    host,
    engine,
    ca,
    clock,
    adminToken,
    lines,
    fetch,
    api: (method, path, body) =>
      fetch(`/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${adminToken}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
  };
}

export interface Device {
  readonly udid: string;
  readonly certificate: Uint8Array;
  readonly privateKey: Uint8Array;
  sign(body: Uint8Array): string;
  request(body: Uint8Array | PlistInput): RequestInit;
}

/** A device with an identity of `ca`. */
export async function device(udid: string, ca: CertificateAuthority): Promise<Device> {
  const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const certificate = await ca.issue({ publicKey, subject: `CN=${udid}`, template: 'device' });
  const sign = (body: Uint8Array) =>
    Buffer.from(signCms(body, { certificate, privateKey, detached: true })).toString('base64');
  return {
    udid,
    certificate,
    privateKey,
    sign,
    request: (body) => {
      const bytes = body instanceof Uint8Array ? body : encodeXml(body);
      return { method: 'PUT', headers: { 'mdm-signature': sign(bytes) }, body: bytes as Uint8Array<ArrayBuffer> };
    },
  };
}

export const TOPIC = 'com.apple.mgmt.External.test';

/** The messages with which a device comes in. */
export const messages = {
  authenticate: (udid: string, extra: Record<string, PlistInput> = {}): PlistInput => ({
    MessageType: 'Authenticate',
    UDID: udid,
    Topic: TOPIC,
    BuildVersion: '21A329',
    DeviceName: `Phone ${udid}`,
    Model: 'MM1A3',
    ModelName: 'iPhone',
    OSVersion: '17.2',
    ProductName: 'iPhone15,2',
    SerialNumber: `SN${udid}`,
    ...extra,
  }),
  tokenUpdate: (udid: string): PlistInput => ({
    MessageType: 'TokenUpdate',
    UDID: udid,
    Topic: TOPIC,
    PushMagic: `magic-${udid}`,
    Token: new Uint8Array(32).fill(7),
  }),
  idle: (udid: string): PlistInput => ({ Status: 'Idle', UDID: udid }),
};

/** Enrols a device through the front door of the protocol. */
export async function enrol(to: World, udid: string, extra: Record<string, PlistInput> = {}): Promise<Device> {
  const one = await device(udid, to.ca);
  for (const message of [messages.authenticate(udid, extra), messages.tokenUpdate(udid)]) {
    const answer = await to.fetch('/mdm/checkin', one.request(message));
    if (answer.status !== 200) throw new Error(`enrolment refused: ${answer.status} ${await answer.text()}`);
  }
  return one;
}
