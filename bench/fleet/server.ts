// The server of the fleet benchmark, in a process of its own: the host over PostgreSQL, reached by messages between processes.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { createEngine, createKeyRing, type Engine, type Store } from '@espalier/core';
import { createHost, type Host } from '@espalier/host';
import { openCa, signCms } from '@espalier/pki';
import { openPostgresStore } from '@espalier/postgres';
import { serve } from '../mdm/child.ts';

/** What the server is asked. */
export type FleetRequest =
  | {
      readonly ask: 'start';
      readonly url: string;
      readonly ca: { readonly certificate: Uint8Array; readonly privateKey: Uint8Array };
      readonly signing: { readonly certificate: Uint8Array; readonly privateKey: Uint8Array };
    }
  | {
      readonly ask: 'fetch';
      readonly method: string;
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Uint8Array | undefined;
    }
  /** Addresses of enrolment profiles, one for each device. */
  | { readonly ask: 'invite'; readonly count: number }
  /** One command for everybody. */
  | { readonly ask: 'command' }
  | { readonly ask: 'figures' }
  | { readonly ask: 'profile'; readonly file: string | null }
  | { readonly ask: 'end' };

/** An answer of the host. */
export interface FleetResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What the process has used so far. */
export interface FleetFigures {
  /** CPU time of all threads, in milliseconds. */
  readonly cpu: number;
  readonly active: number;
  readonly pending: number;
  /** Statements that went to the database, and how long they took together in milliseconds, by name. */
  readonly statements: Readonly<Record<string, readonly [count: number, ms: number]>>;
}

const ORIGIN = 'https://mdm.example.com';
const statements: Record<string, [count: number, ms: number]> = {};
const open: { engine?: Engine; host?: Host; store?: Store; session?: Session } = {};

async function start({ url, ca: root, signing }: Extract<FleetRequest, { ask: 'start' }>): Promise<void> {
  const store = await openPostgresStore(url, {
    maxConnections: 16,
    onStatement({ name, milliseconds }) {
      const [count, ms] = statements[name] ?? [0, 0];
      statements[name] = [count + 1, ms + milliseconds];
    },
  });
  const engine = createEngine({
    store,
    keys: createKeyRing({ current: { id: 'bench', key: new Uint8Array(32).fill(1) } }),
  });
  await engine.ready();
  await engine.labels.create({ name: 'iOS', expression: '"common.platform" = "iOS"' });
  const ca = await openCa({ ...root, clock: Date });
  open.store = store;
  open.engine = engine;
  open.host = createHost({
    engine,
    ca,
    identity: { anchors: [ca.certificate] },
    profile: {
      organisation: 'Bench',
      topic: 'com.apple.mgmt.External.00000000-0000-4000-8000-0000000bec40',
      sign: (profile) => signCms(profile, { ...signing, chain: [ca.certificate] }),
    },
    publicUrl: ORIGIN,
  });
  // As a server does: reconciler, labels, housekeeping.
  engine.start();
}

async function fetch({ method, url, headers, body }: Extract<FleetRequest, { ask: 'fetch' }>): Promise<FleetResponse> {
  const init = { method, headers, ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }) };
  const response = await open.host!.fetch(new Request(url, init), { remoteAddress: '127.0.0.1' });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: new Uint8Array(await response.arrayBuffer()),
  };
}

async function invite(count: number): Promise<string[]> {
  const urls: string[] = [];
  for (let i = 0; i < count; i++) urls.push(`${ORIGIN}/enrol/${(await open.engine!.enrolling.invite()).token}`);
  return urls;
}

async function activeIds(): Promise<string[]> {
  const ids: string[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await open.store!.enrolments.list(
      { channel: 'device', statuses: ['active'] },
      { limit: 1_000, ...(after === undefined ? {} : { after }) },
    );
    ids.push(...page.items.map(({ id }) => id));
    if (page.next === null) return ids;
    after = page.next;
  }
}

async function figures(): Promise<FleetFigures> {
  const { user, system } = process.cpuUsage();
  const active = await open.store!.enrolments.count({ channel: 'device', statuses: ['active'] });
  const { pending } = await open.engine!.commands.stats();
  return { cpu: (user + system) / 1_000, active, pending, statements };
}

async function profile(file: string | null): Promise<void> {
  if (file === null) {
    const session = new Session();
    open.session = session;
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    return;
  }
  const taken = await open.session!.post('Profiler.stop');
  open.session!.disconnect();
  writeFileSync(file, JSON.stringify(taken.profile));
}

async function command(): Promise<number> {
  const enrolmentIds = await activeIds();
  const { queued } = await open.engine!.commands.enqueue({ enrolmentIds }, 'DeviceInformation', {
    Queries: ['OSVersion', 'DeviceName', 'BatteryLevel'],
  });
  return queued;
}

async function answer(request: FleetRequest): Promise<unknown> {
  switch (request.ask) {
    case 'start':
      return start(request);
    case 'fetch':
      return fetch(request);
    case 'invite':
      return invite(request.count);
    case 'command':
      return command();
    case 'figures':
      return figures();
    case 'profile':
      return profile(request.file);
    case 'end':
      await open.engine?.stop();
      return open.store?.close();
  }
}

serve(answer);
