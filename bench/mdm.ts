// `npm run bench -- mdm [--store memory|sqlite|postgres] [--devices N] [--quick] [--nanomdm FILE] [--profile FOLDER]`: whole
// connect cycles over HTTP (Idle, a command, its acknowledgement, the empty answer) through the host on Node's servers.
//
// Each server is a process of its own, and so are the devices: what counts is the CPU time of the server alone, which a busy
// machine and a slow client hardly change. Servers take turns; of the turns of one the median counts. The peer in the same
// run is a bare Node server that reads the same requests and sends the same bytes.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createRootCa, generateKeyPair, type LocalAuthority, openCa, publicKeyOf, toPem } from '@espalier/pki';
import { createKeyPool } from '@espalier/simulator';
import { startServer, type TestServer } from '../packages/postgres/test/server.ts';
import { type Child, startChild } from './mdm/child.ts';
import type { ClientRequest, RunAnswer } from './mdm/client.ts';
import { cpuOf, cpuOfFamily } from './mdm/cpu.ts';
import { udidOf, type Work } from './mdm/messages.ts';
import { MODES, type Mode, type Target } from './mdm/modes.ts';
import { startNanoMdm } from './mdm/nanomdm.ts';
import { reportProfile } from './mdm/profile.ts';
import type { ServerRequest, ServerSetting, Started } from './mdm/server.ts';
import { createProgress } from './queue/progress.ts';
import { median } from './queue/statistics.ts';
import type { BenchResult } from './result.ts';

const STORES = ['memory', 'sqlite', 'postgres'] as const;
/** Connections at a time. */
const WIDTH = 16;
const ROUNDS = 5;
const KEYS = 16;

interface Options {
  readonly stores: readonly (typeof STORES)[number][];
  readonly devices: number;
  readonly rounds: number;
  readonly nanomdm: string | undefined;
  readonly profiles: string | undefined;
}

/** A server that takes turns. */
interface Contender {
  readonly name: string;
  targetOf(mode: Mode): Target | null;
  enqueue(work: Work, commandUuid: string, devices: number): Promise<void>;
  /** CPU time so far, in milliseconds: the server's, and its database's. */
  cpu(): Promise<{ readonly own: number; readonly database: number | null }>;
  profile?(file: string | null): Promise<void>;
  end(): Promise<void>;
}

/** One turn. */
interface Turn {
  readonly ms: number;
  readonly own: number;
  readonly database: number | null;
  readonly times: readonly number[];
}

/** What is measured: a way to connect, and what is asked for. */
interface Round {
  readonly mode: Mode;
  readonly work: Work;
}

/** Measures every store, or the one that `--store` names. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const options = readOptions(args);
  const progress = createProgress('mdm');
  const closing: (() => Promise<void>)[] = [];
  try {
    progress.at(0, 'making identities');
    const root = await createRootCa({ subject: 'CN=Bench', key: { type: 'rsa', bits: 2048 }, clock: Date });
    const ca = await openCa({ ...root, clock: Date });
    const tls = await serverIdentity(ca);
    const identities = await deviceIdentities(ca, options.devices);
    const client = startChild<ClientRequest>(join(import.meta.dirname, 'mdm/client.ts'));
    closing.push(() => client.end());
    await client.ask({ ask: 'identities', identities });

    const database = options.stores.includes('postgres')
      ? await startServer({ settings: ['shared_buffers=256MB'] })
      : null;
    if (database !== null) closing.push(() => database.close());
    const contenders: Contender[] = [];
    for (const kind of ['bare', ...options.stores] as const) {
      const setting = { kind, url: database?.url ?? '', ca: root, tls };
      const contender = await startOurs(setting, kind === 'postgres' ? database : null, toPem(root.certificate));
      closing.push(() => contender.end());
      contenders.push(contender);
    }
    if (options.nanomdm !== undefined) {
      for (const mode of MODES.filter(({ tls }) => !tls)) {
        const contender = await startPeer(options.nanomdm, root.certificate, mode);
        closing.push(() => contender.end());
        contenders.push(contender);
      }
    }
    for (const [i, contender] of contenders.entries()) {
      progress.at(0.05 + (i / contenders.length) * 0.1, `${contender.name}: enrolling ${options.devices} devices`);
      const mode = MODES.find((one) => contender.targetOf(one) !== null)!;
      await client.ask({ ask: 'enrol', target: contender.targetOf(mode)!, mode });
    }
    return await measure(options, contenders, client, progress);
  } finally {
    progress.end();
    for (const close of closing.reverse()) await close();
  }
}

function readOptions(args: readonly string[]): Options {
  const value = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at === -1 ? undefined : args[at + 1];
  };
  const wanted = value('--store');
  const stores = STORES.filter((name) => wanted === undefined || name === wanted);
  if (stores.length === 0) throw new Error(`no store ${JSON.stringify(wanted)}: ${STORES.join(', ')}`);
  const quick = args.includes('--quick');
  const devices = Number(value('--devices') ?? (quick ? 200 : 1_000));
  if (!Number.isInteger(devices) || devices < WIDTH) throw new Error(`--devices: a whole number from ${WIDTH}`);
  return {
    stores,
    devices,
    rounds: Number(value('--rounds') ?? (quick ? 2 : ROUNDS)),
    nanomdm: value('--nanomdm'),
    profiles: value('--profile'),
  };
}

async function serverIdentity(ca: LocalAuthority): Promise<ServerSetting['tls']> {
  const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const certificate = await ca.issue({
    publicKey,
    subject: 'CN=localhost',
    sans: [{ type: 'dns', value: 'localhost' }],
    template: 'tls-server',
  });
  return { key: toPem(privateKey, 'PRIVATE KEY'), cert: toPem(certificate) };
}

/** A certificate for each device, over a few RSA keys: what costs the server something is the certificate, not the key. */
async function deviceIdentities(ca: LocalAuthority, devices: number) {
  const pool = createKeyPool();
  const keys = await Promise.all(Array.from({ length: KEYS }, () => pool.take()));
  const publicKeys = keys.map((key) => publicKeyOf(key));
  const identities: { certificate: Uint8Array; privateKey: Uint8Array }[] = [];
  for (let i = 0; i < devices; i++) {
    const publicKey = publicKeys[i % KEYS]!;
    const certificate = await ca.issue({ publicKey, subject: `CN=${udidOf(i)}`, template: 'device' });
    identities.push({ certificate, privateKey: keys[i % KEYS]! });
  }
  return identities;
}

async function startOurs(setting: ServerSetting, database: TestServer | null, rootPem: string): Promise<Contender> {
  const child: Child<ServerRequest> = startChild(join(import.meta.dirname, 'mdm/server.ts'));
  const ports = await child.ask<Started>({ ask: 'start', setting });
  const paths = { checkinPath: '/mdm/checkin', connectPath: '/mdm/connect' };
  const databasePid = database === null ? null : await postmasterOf(database);
  return {
    name: setting.kind,
    targetOf: ({ tls }) => ({ ...paths, ...(tls ? { port: ports.https, ca: rootPem } : { port: ports.http }) }),
    enqueue: (work, commandUuid, devices) => child.ask({ ask: 'enqueue', work, commandUuid, devices }),
    async cpu() {
      const own = await child.ask<number>({ ask: 'cpu' });
      return { own, database: databasePid === null ? null : cpuOfFamily(databasePid) };
    },
    profile: (file) => child.ask({ ask: 'profile', file }),
    end: () => child.end(),
  };
}

/** NanoMDM, which leaves TLS to a proxy, in one mode. */
async function startPeer(path: string, ca: Uint8Array, mode: Mode): Promise<Contender> {
  const { pid, target, enqueue, end } = await startNanoMdm(path, ca, mode.signed);
  return {
    name: 'NanoMDM, inmem',
    targetOf: (wanted) => (wanted === mode ? target : null),
    enqueue,
    cpu: async () => ({ own: cpuOf(pid) ?? Number.NaN, database: null }),
    end,
  };
}

async function postmasterOf({ dataDir }: TestServer): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  return Number((await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

const uuidOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

async function measure(
  { devices, rounds, profiles }: Options,
  contenders: readonly Contender[],
  client: Child<ClientRequest>,
  progress: ReturnType<typeof createProgress>,
): Promise<BenchResult[]> {
  const kinds: Round[] = [
    ...MODES.map((mode): Round => ({ mode, work: 'plain' })),
    { mode: MODES.find(({ tls, signed }) => tls && !signed)!, work: 'inventory' },
  ];
  const turns = new Map<string, Turn[]>();
  const keyOf = (contender: Contender, { mode, work }: Round): string => `${contender.name}/${mode.name}/${work}`;
  const targets = contenders.flatMap((one) => MODES.map((mode) => one.targetOf(mode)));
  const paths = [...new Set(targets.filter((target) => target !== null).map(({ connectPath }) => connectPath))];
  let uuids = 0;
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
  // The first round warms up and counts for nothing; with --profile another one at the end is profiled.
  const last = rounds + (profiles === undefined ? 0 : 1);
  for (let round = 0; round <= last; round++) {
    const profiled = profiles !== undefined && round === last;
    for (const [k, kind] of kinds.entries()) {
      const { mode, work } = kind;
      const commandUuid = uuidOf(uuids++);
      progress.at(0.15 + 0.85 * ((round * kinds.length + k) / ((last + 1) * kinds.length)), `${mode.name}, ${work}`);
      await client.ask({ ask: 'prepare', mode, work, commandUuid, paths });
      for (const contender of round % 2 === 0 ? contenders : [...contenders].reverse()) {
        const target = contender.targetOf(mode);
        if (target === null) continue;
        await contender.enqueue(work, commandUuid, devices);
        if (profiled) await contender.profile?.(null);
        const before = await contender.cpu();
        const { ms, times } = await client.ask<RunAnswer>({ ask: 'run', target, mode, cycles: devices, width: WIDTH });
        const after = await contender.cpu();
        const database = after.database === null ? null : after.database - before.database!;
        if (profiled) {
          await contender.profile?.(join(profiles, `${keyOf(contender, kind).replace(/[^\w]+/g, '-')}.cpuprofile`));
        } else if (round > 0) {
          const key = keyOf(contender, kind);
          turns.set(key, [...(turns.get(key) ?? []), { ms, times, own: after.own - before.own, database }]);
        }
      }
    }
  }
  progress.end();
  if (profiles !== undefined) reportProfile(profiles);
  const results: BenchResult[] = [];
  for (const kind of kinds) {
    const bare = turns.get(keyOf(contenders[0]!, kind))!;
    for (const contender of contenders) {
      const found = turns.get(keyOf(contender, kind));
      if (found !== undefined && contender.targetOf(kind.mode) !== null) {
        results.push(...figuresOf(contender.name, kind, found, bare, devices));
      }
    }
  }
  return results;
}

function figuresOf(
  name: string,
  { mode, work }: Round,
  turns: readonly Turn[],
  bare: readonly Turn[],
  cycles: number,
): BenchResult[] {
  const own = median(turns.map((turn) => turn.own));
  const times = turns.flatMap((turn) => turn.times).sort((a, b) => a - b);
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))]!;
  const title = `${name}: ${mode.name}${work === 'inventory' ? ', inventory' : ''}`;
  const compared = turns === bare ? {} : { peer: 'bare', ratio: median(bare.map((turn) => turn.own)) / own };
  const figures: BenchResult[] = [
    {
      name: title,
      value: (cycles / own) * 1_000,
      unit: 'cycles/s of a core',
      p50: at(0.5),
      p99: at(0.99),
      ...compared,
    },
  ];
  const wall = median(turns.map((turn) => turn.ms));
  figures.push({ name: `${title}, by the clock`, value: (cycles / wall) * 1_000, unit: 'cycles/s' });
  const database = turns.map((turn) => turn.database).filter((ms) => ms !== null);
  if (database.length > 0) {
    figures.push({ name: `${title}, CPU of the database`, value: median(database) / cycles, unit: 'ms/cycle' });
  }
  return figures;
}
