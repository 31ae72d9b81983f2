// Declarative management end to end: simulated devices against an engine, through random changes of declarations, sets,
// labels and membership. A device must end with exactly what a model of a few lines says, told at most once for a burst.
import { createHash } from 'node:crypto';
import {
  createEngine,
  createKeyRing,
  createMemoryStore,
  type DeclarationSet,
  type Engine,
  type Store,
} from '@espalier/core';
import { createRootCa } from '@espalier/pki';
import { createSimulatedDevice, type DeviceState, restoreDevice, type SimulatedDevice } from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';
import { describe, expect, test } from 'vitest';

const nightly = process.env['ESPALIER_NIGHTLY'] === '1';
const SETTLE = 2_000;
const SUBSCRIPTIONS = 'espalier.status-subscriptions';

/** Numbers that are the same in each run (mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

let made: Promise<string> | undefined;

/** A certificate that is one; who the device is, the test says itself. */
function anyCertificate(): Promise<string> {
  made ??= createRootCa({
    subject: 'CN=device',
    key: { type: 'ec', curve: 'P-256' },
    clock: () => Date.UTC(2026, 0, 1),
  }).then(({ certificate }) => Buffer.from(certificate).toString('base64'));
  return made;
}

/** An engine, and devices that reach it without a network. */
class World {
  readonly engine: Engine;
  readonly store: Store;
  now = Date.UTC(2026, 0, 1);

  constructor(store: Store) {
    this.store = store;
    let counter = 0;
    const random = (length: number) => {
      const blocks = Array.from({ length: Math.ceil(length / 32) }, () =>
        createHash('sha256').update(String(counter++)).digest(),
      );
      return new Uint8Array(Buffer.concat(blocks).subarray(0, length));
    };
    this.engine = createEngine({
      store,
      keys: createKeyRing({ current: { id: 'k', key: new Uint8Array(32).fill(1) } }),
      clock: { now: () => this.now },
      random,
      options: { statusItems: ['device.operating-system.version'] },
    });
  }

  async device(kind: 'iPhone' | 'Mac', seed: string): Promise<SimulatedDevice> {
    const osVersion = kind === 'Mac' ? '15.3' : '18.3';
    const state = createSimulatedDevice({ kind, seed, osVersion }).state();
    const certificate = new TextEncoder().encode(state.udid);
    const fingerprint = createHash('sha256').update(certificate).digest('hex');
    const { protocol } = this.engine;
    const fetch = async (request: Request): Promise<Response> => {
      const body = new Uint8Array(await request.arrayBuffer());
      const answer = request.url.endsWith('/checkin') ? protocol.checkin : protocol.connect;
      try {
        const bytes = await answer(body, { fingerprint, certificate, source: 'tls' });
        return new Response(bytes === null ? null : Buffer.from(bytes));
      } catch (error) {
        const { kind: reason } = error as { readonly kind?: string };
        if (reason !== 'not-found') throw error;
        return new Response(null, { status: 404 });
      }
    };
    const base = 'http://mdm.test';
    const mdm: DeviceState['mdm'] = {
      profileIdentifier: 'p',
      serverUrl: `${base}/mdm`,
      checkInUrl: `${base}/checkin`,
      topic: 'com.apple.mgmt.External.test',
      accessRights: 8191,
      signMessage: false,
      checkOutWhenRemoved: true,
      serverCapabilities: [],
      identityUuid: 'i',
      scep: { url: `${base}/scep`, subject: [], keySize: 2048, dnsNames: [], retries: 0, retryDelaySeconds: 0 },
    };
    const environment = { fetch, clock: { now: () => this.now } };
    const device = restoreDevice(
      { ...state, phase: 'identity', mdm, certificate: await anyCertificate() },
      environment,
    );
    await device.enrol('');
    return device;
  }

  /** Lets changes settle, and does what is due. */
  async settle(): Promise<void> {
    this.now += SETTLE;
    await this.engine.tick();
  }
}

const simple = 'com.apple.activation.simple';
const kinds = {
  pass: { type: 'com.apple.configuration.passcode.settings', payload: (n: number) => ({ MinimumLength: n % 17 }) },
  echo: { type: 'com.apple.configuration.management.test', payload: (n: number) => ({ Echo: `text ${n}` }) },
  mac: { type: 'com.apple.configuration.diskmanagement.settings', payload: () => ({}) },
  mail: {
    type: 'com.apple.configuration.account.google',
    payload: (n: number) => ({ UserIdentityAssetReference: `user-${n % 4}` }),
  },
  user: { type: 'com.apple.asset.useridentity', payload: (n: number) => ({ FullName: `name ${n}` }) },
  act: { type: simple, payload: (n: number) => ({ StandardConfigurations: [`pass-${n % 4}`, `mail-${n % 3}`] }) },
  prop: { type: 'com.apple.management.properties', payload: (n: number) => ({ shard: n }) },
} as const;
type Kind = keyof typeof kinds;

/** What the test believes: written from the rules, not from the engine. */
class Model {
  readonly declarations = new Map<string, { readonly kind: Kind; readonly n: number; readonly token: string }>();
  readonly sets = new Map<string, DeclarationSet>();
  readonly members = new Map<string, Set<string>>();
  readonly labels = new Map<string, Set<string>>();

  /** Identifier and token of everything that a device is to have; the activation that the engine adds without a token. */
  wanted(udid: string, platform: 'iPhone' | 'Mac'): readonly string[] {
    const found = new Set<string>();
    const queue: string[] = [];
    for (const set of this.sets.values()) {
      const member = this.members.get(set.id)?.has(udid) || set.labelIds.some((id) => this.labels.get(id)?.has(udid));
      if (member) queue.push(...set.identifiers);
    }
    const named = new Set<string>();
    for (const identifier of queue) {
      const declaration = this.declarations.get(identifier);
      if (declaration === undefined || found.has(identifier)) continue;
      found.add(identifier);
      const { kind, n } = declaration;
      if (kind === 'act') for (const one of kinds.act.payload(n).StandardConfigurations) named.add(one).add(one);
      if (kind === 'act') queue.push(...kinds.act.payload(n).StandardConfigurations);
      if (kind === 'mail') queue.push(kinds.mail.payload(n).UserIdentityAssetReference);
    }
    const all = [...found].filter((identifier) => platform === 'Mac' || !identifier.startsWith('mac-'));
    const configurations = all.filter((identifier) => /^(pass|echo|mac|mail)-/.test(identifier));
    const tokens = all.map((identifier) => `${identifier} ${this.declarations.get(identifier)?.token ?? ''}`);
    if (tokens.length === 0) return [];
    const left = [...configurations.filter((identifier) => !named.has(identifier)), SUBSCRIPTIONS].sort();
    return [...tokens, SUBSCRIPTIONS, `espalier.activation [${left.join()}]`].sort();
  }
}

/** What the device has, in the same form. */
function held(device: SimulatedDevice): readonly string[] {
  const declarations = device.state().declarative?.declarations ?? [];
  return declarations
    .map(({ identifier, serverToken, payload }) => {
      const list = payload['StandardConfigurations'];
      if (identifier === SUBSCRIPTIONS) return identifier;
      if (identifier !== 'espalier.activation') return `${identifier} ${serverToken}`;
      return `espalier.activation [${Array.isArray(list) ? list.join() : ''}]`;
    })
    .sort();
}

const syncsIn = (session: Awaited<ReturnType<SimulatedDevice['poll']>>): number =>
  session.commands.filter((command) => command.requestType === 'DeclarativeManagement').length;

/** One random change, in the engine and in the model. */
async function change(engine: Engine, model: Model, random: (below: number) => number, udids: readonly string[]) {
  const { declarations, labels } = engine;
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const what = random(10);
  const sets = [...model.sets.values()];
  if (what < 3 || model.declarations.size < 4) {
    const kind = pick(Object.keys(kinds) as Kind[]);
    const identifier = `${kind}-${random(kind === 'mail' ? 3 : 4)}`;
    const n = random(50);
    const { type, payload } = kinds[kind];
    const { serverToken } = await declarations.put({ identifier, type, payload: payload(n) });
    model.declarations.set(identifier, { kind, n, token: serverToken });
  } else if (what === 3 && sets.length < 6) {
    const set = await declarations.createSet({
      name: `set ${random(1e9)}`,
      labelIds: [pick([...model.labels.keys()])],
    });
    model.sets.set(set.id, set);
  } else if (what === 4 && sets.length > 3) {
    const { id } = pick(sets);
    await declarations.deleteSet(id);
    model.sets.delete(id);
    model.members.delete(id);
  } else if (what < 7 && sets.length > 0) {
    const { id } = pick(sets);
    const identifiers = [...model.declarations.keys()].filter(() => random(3) === 0);
    const labelIds = [...model.labels.keys()].filter(() => random(4) === 0);
    model.sets.set(id, await declarations.updateSet(id, { identifiers, labelIds }));
  } else if (what < 9 && sets.length > 0) {
    const { id } = pick(sets);
    const members = model.members.get(id) ?? new Set();
    model.members.set(id, members);
    const [add, remove] = [udids.filter(() => random(2) === 0), udids.filter(() => random(3) === 0)];
    await declarations.setMembers(id, { add, remove: remove.filter((one) => !add.includes(one)) });
    for (const one of remove) if (!add.includes(one)) members.delete(one);
    for (const one of add) members.add(one);
  } else {
    const [id, members] = pick([...model.labels]);
    const one = pick(udids);
    const joins = !members.has(one);
    await labels.setMembers(id, joins ? { add: [one] } : { remove: [one] });
    if (joins) members.add(one);
    else members.delete(one);
  }
}

const stores: readonly (readonly [string, () => Store, number])[] = [
  ['in memory', createMemoryStore, 1_000],
  ['SQLite', () => openSqliteStore(':memory:'), nightly ? 1_000 : 100],
];

describe('declarations', () => {
  test.each(stores)(
    'a device ends with exactly what it should have, told once for a burst: %s',
    async (_name, open, changes) => {
      const store = open();
      const world = new World(store);
      const { engine } = world;
      const phone = await world.device('iPhone', 'a');
      const mac = await world.device('Mac', 'b');
      const fleet = [
        ['iPhone', phone],
        ['Mac', mac],
      ] as const;
      const udids = fleet.map(([, device]) => device.udid);
      const model = new Model();
      for (const name of ['x', 'y']) model.labels.set((await engine.labels.create({ name })).id, new Set());
      await world.settle();
      for (const device of [phone, mac]) await device.poll();
      const random = seeded(20_260_101);
      let bursts = 0;
      let told = 0;
      let idle = 0;
      for (let done = 0; done < changes; ) {
        const burst = 1 + random(8);
        for (let i = 0; i < burst; i++, done++) {
          await change(engine, model, random, udids);
          // Devices poll when they like, and the engine looks around: nobody is told before the burst has settled.
          if (random(4) === 0) {
            await engine.tick();
            for (const [, device] of fleet) expect(syncsIn(await device.poll())).toBe(0);
          }
        }
        bursts++;
        await world.settle();
        for (const [platform, device] of fleet) {
          const before = held(device);
          const wanted = model.wanted(device.udid, platform);
          const session = await device.poll();
          expect([done, platform, held(device)]).toEqual([done, platform, wanted]);
          const same = JSON.stringify(before) === JSON.stringify(wanted);
          expect([done, platform, syncsIn(session)]).toEqual([done, platform, same ? 0 : 1]);
          told += syncsIn(session);
          if (same) idle++;
          expect(syncsIn(await device.poll())).toBe(0);
        }
        // What the device said arrives: capabilities the first time, states each time.
        await world.settle();
        for (const [, device] of fleet) told += syncsIn(await device.poll());
      }
      expect(told).toBeLessThanOrEqual(bursts * fleet.length);
      expect([told > bursts / 2, idle > 0]).toEqual([true, true]);
      for (const [, device] of fleet) {
        const rows = await engine.declarations.ofDevice(device.udid);
        const verdicts = new Map((await device.declarations()).map((one) => [one.identifier, one]));
        expect(rows.map((row) => [row.identifier, row.serverToken, row.valid, row.active])).toEqual(
          rows.map(({ identifier }) => {
            const said = verdicts.get(identifier);
            return [identifier, said?.['server-token'], said?.valid, said?.active];
          }),
        );
        expect(rows).toHaveLength(verdicts.size);
      }
      await store.close();
    },
    120_000,
  );
});
