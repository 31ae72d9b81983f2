// A server of the benchmark, in a process of its own: the host on Node's servers, or a bare one that answers the same bytes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { Session } from 'node:inspector/promises';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine, createKeyRing, createMemoryStore, type Store } from '@espalier/core';
import { createHost } from '@espalier/host';
import { toNodeListener } from '@espalier/host/node';
import { openCa } from '@espalier/pki';
import { openPostgresStore } from '@espalier/postgres';
import { openSqliteStore } from '@espalier/sqlite';
import { serve } from './child.ts';
import { commandBytes, requestTypes, TOPIC, udidOf, type Work } from './messages.ts';
import { FORWARDED } from './modes.ts';

/** What a server is started with. */
export interface ServerSetting {
  readonly kind: 'bare' | 'memory' | 'sqlite' | 'postgres';
  /** Of the PostgreSQL server, for the store on it. */
  readonly url: string;
  /** The authority of the devices. */
  readonly ca: { readonly certificate: Uint8Array; readonly privateKey: Uint8Array };
  /** PEM. */
  readonly tls: { readonly key: string; readonly cert: string };
}

/** What it can be asked. */
export type ServerRequest =
  | { readonly ask: 'start'; readonly setting: ServerSetting }
  | { readonly ask: 'enqueue'; readonly work: Work; readonly commandUuid: string; readonly devices: number }
  | { readonly ask: 'cpu' }
  | { readonly ask: 'profile'; readonly file: string | null }
  | { readonly ask: 'end' };

/** The ports of a server that has started. */
export interface Started {
  readonly http: number;
  readonly https: number;
}

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

interface Running {
  readonly listener: Listener;
  enqueue(work: Work, commandUuid: string, devices: number): Promise<void>;
  close(): Promise<void>;
}

const open: { running?: Running; servers: Server[]; session?: Session } = { servers: [] };

async function openStore(kind: ServerSetting['kind'], url: string): Promise<Store> {
  if (kind === 'memory') return createMemoryStore();
  if (kind === 'postgres') return await openPostgresStore(url);
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  const store = openSqliteStore(join(folder, 'mdm.db'));
  return {
    ...store,
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The whole host, as an example server composes it. Its loops do not run: they are not part of a request. */
async function startHost({ kind, url, ca: identity }: ServerSetting): Promise<Running> {
  const store = await openStore(kind, url);
  const engine = createEngine({
    store,
    keys: createKeyRing({ current: { id: 'bench', key: new Uint8Array(32).fill(1) } }),
  });
  const ca = await openCa({ ...identity, clock: Date });
  const host = createHost({
    engine,
    ca,
    identity: {
      anchors: [ca.certificate],
      sources: ['mdm-signature', 'tls', 'forwarded'],
      forwarded: { header: FORWARDED, format: 'pem' },
    },
    trustedProxies: ['127.0.0.1', '::1'],
    profile: { organisation: 'Bench', topic: TOPIC, sign: (bytes) => bytes },
    publicUrl: 'https://localhost',
  });
  return {
    listener: toNodeListener(host.fetch),
    async enqueue(work, commandUuid, devices) {
      const enrolmentIds = Array.from({ length: devices }, (_, i) => udidOf(i));
      // What the enrolment itself has queued, and other work, is not to be measured.
      await store.queue.end({ enrolmentIds, state: 'cancelled', at: Date.now() });
      await store.queue.enqueue({
        commands: [
          {
            commandUuid,
            requestType: requestTypes[work],
            body: { bytes: commandBytes(work, commandUuid), sealed: false },
            priority: 0,
            notBefore: null,
            expiresAt: null,
            dedupeKey: null,
            onDuplicate: 'replace',
            maxAttempts: 20,
            onError: 'fail',
            chain: null,
            origin: 'bench',
            push: false,
            followUp: work === 'inventory',
          },
        ],
        enrolmentIds,
        at: Date.now(),
        events: [],
      });
    },
    async close() {
      await engine.stop();
      await store.close();
    },
  };
}

/** Reads the body, and answers the command to Idle and nothing to anything else, with the headers that the host sends. */
function startBare(): Running {
  let command = Buffer.alloc(0);
  const careful = { 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'referrer-policy': 'same-origin' };
  return {
    listener(request, response) {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
        if (!body.includes('<string>Idle</string>')) {
          response.writeHead(200, { ...careful, 'content-length': '0' }).end();
          return;
        }
        const type = { 'content-type': 'application/xml', 'content-length': String(command.length) };
        response.writeHead(200, { ...careful, ...type }).end(command);
      });
    },
    async enqueue(work, commandUuid) {
      command = Buffer.from(commandBytes(work, commandUuid));
    },
    async close() {},
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.servers.push(server);
  return (server.address() as AddressInfo).port;
}

async function start(setting: ServerSetting): Promise<Started> {
  const running = setting.kind === 'bare' ? startBare() : await startHost(setting);
  open.running = running;
  const secure = { ...setting.tls, requestCert: true, rejectUnauthorized: false };
  return {
    http: await listen(createServer(running.listener)),
    https: await listen(createSecureServer(secure, running.listener)),
  };
}

/** Begins a CPU profile, or ends it and writes it. */
async function profile(file: string | null): Promise<void> {
  if (file === null) {
    const session = new Session();
    open.session = session;
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 200 });
    await session.post('Profiler.start');
    return;
  }
  const taken = await open.session!.post('Profiler.stop');
  open.session!.disconnect();
  writeFileSync(file, JSON.stringify(taken.profile));
}

async function answer(request: ServerRequest): Promise<unknown> {
  switch (request.ask) {
    case 'start':
      return start(request.setting);
    case 'enqueue':
      return open.running!.enqueue(request.work, request.commandUuid, request.devices);
    case 'cpu': {
      // Of all threads, in milliseconds: the collector's and the pool's count as well.
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000;
    }
    case 'profile':
      return profile(request.file);
    case 'end':
      for (const server of open.servers) server.close();
      return open.running?.close();
  }
}

serve(answer);
