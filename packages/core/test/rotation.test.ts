// Changing the master key in the background: paced, resumable, by several processes at once, and never backwards.
import { describe, expect, it } from 'vitest';
import { faultyStore } from '../src/contract/index.ts';
import {
  createKeyRing,
  createMemoryStore,
  type Engine,
  type EngineInput,
  type KeyRing,
  prometheusText,
  type Store,
} from '../src/index.ts';
import { bench, ScriptedDevice, seededRandom, TestClock } from './support.ts';

const key = (n: number) => ({ id: `key-${n}`, key: new Uint8Array(32).fill(n) });
const ring = (current: number, ...earlier: number[]): KeyRing =>
  createKeyRing({ current: key(current), earlier: earlier.map(key), random: seededRandom(current * 100) });

/** A store with a device, its tokens, a sealed command and an invitation, sealed with key 1. */
async function filled(devices = 4): Promise<Store> {
  const store = createMemoryStore();
  const { engine } = bench({ store, keys: ring(1) });
  for (let i = 0; i < devices; i++) {
    const device = new ScriptedDevice(engine, `U${i}`, { ProductName: 'Mac14,7' });
    await device.enrol();
    await device.session();
    await engine.devices.lock(`U${i}`, { pin: `00000${i}` });
  }
  await engine.enrolling.invite();
  return store;
}

/** How many sealed values each key sealed. */
async function sealedBy(store: Store): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const { items } = await store.secrets.sealed({ limit: 100_000 });
  for (const { blob } of items) counts[ring(9).keyIdOf(blob)] = (counts[ring(9).keyIdOf(blob)] ?? 0) + 1;
  return counts;
}

let seeds = 0;
function process(store: Store, keys: KeyRing, clock: TestClock, input: Partial<EngineInput> = {}) {
  return bench({ store, keys, clock, random: seededRandom(++seeds), options: { rewrapBatch: 5 }, ...input });
}

async function turns(engine: Engine, most = 100): Promise<void> {
  for (let i = 0; i < most; i++) await engine.tick();
}

const rotationEvents = async (engine: Engine) =>
  (await engine.events.list({ order: 'oldest', limit: 1000 })).items
    .filter(({ type }) => type.startsWith('keys.'))
    .map(({ type, data }) => ({ type, ...data }));

describe('a change of the master key', () => {
  it('goes batch by batch, is seen in events and metrics, and makes the old key unnecessary', async () => {
    const store = await filled();
    const before = await sealedBy(store);
    expect(Object.keys(before)).toEqual(['key-1']);
    const total = before['key-1']!;
    const clock = new TestClock();
    const { engine } = process(store, ring(2, 1), clock);
    await engine.tick();
    expect((await sealedBy(store))['key-2']).toBe(5);
    expect(prometheusText(await engine.metrics.collect())).toContain('\nespalier_key_rotation_active 1\n');
    await engine.tick();
    expect((await sealedBy(store))['key-2']).toBe(10);
    await turns(engine);
    expect(await sealedBy(store)).toEqual({ 'key-2': total });
    expect(await rotationEvents(engine)).toEqual([
      { type: 'keys.rotation-started', keyId: 'key-2' },
      { type: 'keys.rotation-finished', keyId: 'key-2', resealed: total, unopened: 0 },
    ]);
    const text = prometheusText(await engine.metrics.collect());
    // The index key as well; and a second pass, which found everything done.
    expect(text).toContain(`\nespalier_resealed_total{outcome="resealed"} ${total + 1}\n`);
    expect(text).toContain(`\nespalier_resealed_total{outcome="current"} ${total}\n`);
    expect(text).toContain('\nespalier_key_rotation_active 0\n');
    const alone = process(store, ring(2), clock);
    await alone.engine.ready();
    expect(await alone.engine.devices.lockPin('U3')).toBe('000003');
  });

  it('goes on where a process that ended stopped, and another takes over from one that crashed', async () => {
    const store = await filled();
    const looked: number[] = [];
    const counting = faultyStore(store, ({ name }) => {
      if (name === 'secrets.sealed') looked[looked.length - 1]!++;
      return 'none';
    });
    const clock = new TestClock();
    looked.push(0);
    await turns(process(counting, ring(2, 1), clock).engine, 3);
    expect(looked).toEqual([3]);
    const done = (await sealedBy(store))['key-2']!;
    // The other one waits for the lease, then goes on behind what is done.
    looked.push(0);
    const { engine } = process(counting, ring(2, 1), clock);
    await engine.tick();
    expect(looked).toEqual([3, 0]);
    clock.advance(60_001);
    await engine.tick();
    expect((await sealedBy(store))['key-2']).toBe(done + 5);
    await turns(engine);
    expect(Object.keys(await sealedBy(store))).toEqual(['key-2']);
    expect((await rotationEvents(engine)).map(({ type }) => type)).toEqual([
      'keys.rotation-started',
      'keys.rotation-finished',
    ]);
  });

  it('may be done by several processes at once, while others write', async () => {
    const store = await filled();
    const clock = new TestClock();
    const processes = [1, 2, 3].map(() => process(store, ring(2, 1), clock));
    const old = process(store, ring(1, 2), clock);
    for (let i = 0; i < 100; i++) {
      clock.advance(20_000);
      await Promise.all([
        ...processes.map(({ engine }) => engine.tick()),
        i < 5 ? new ScriptedDevice(old.engine, `N${i}`).enrol() : Promise.resolve(),
      ]);
    }
    expect(Object.keys(await sealedBy(store))).toEqual(['key-2']);
    for (let i = 0; i < 4; i++) expect(await processes[2]!.engine.devices.lockPin(`U${i}`)).toBe(`00000${i}`);
  });

  it('finds what a process with the old key sealed behind its back, once that process has the new one', async () => {
    const store = await filled();
    const clock = new TestClock();
    await turns(process(store, ring(2, 1), clock).engine);
    expect(Object.keys(await sealedBy(store))).toEqual(['key-2']);
    const late = process(store, ring(1, 2), clock);
    await new ScriptedDevice(late.engine, 'LATE').enrol();
    expect((await sealedBy(store))['key-1']).toBeGreaterThan(0);
    clock.advance(1);
    await turns(process(store, ring(2, 1), clock).engine);
    expect(Object.keys(await sealedBy(store))).toEqual(['key-2']);
  });

  it('never goes back to a key from before, not even by a process that has it as the current one', async () => {
    const store = await filled();
    const clock = new TestClock();
    await turns(process(store, ring(2, 1), clock).engine);
    clock.advance(100_000);
    const back = process(store, ring(1, 2), clock);
    await turns(back.engine, 20);
    expect(Object.keys(await sealedBy(store))).toEqual(['key-2']);
    expect(back.logs.filter(({ level }) => level === 'warn')).toHaveLength(1);
    // Asked for by name it does.
    expect(await back.engine.rewrap()).toBeGreaterThan(5);
    expect(Object.keys(await sealedBy(store))).toEqual(['key-1']);
    // And the other one does not go forward again by itself, then.
    clock.advance(100_000);
    await turns(process(store, ring(2, 1), clock).engine, 20);
    expect(Object.keys(await sealedBy(store))).toEqual(['key-1']);
    // A third key goes on from either.
    clock.advance(100_000);
    await turns(process(store, ring(3, 1, 2), clock).engine);
    expect(Object.keys(await sealedBy(store))).toEqual(['key-3']);
  });

  it('leaves what no key opens, says so, and does the rest', async () => {
    const store = await filled();
    const foreign = ring(7).seal(new TextEncoder().encode('x'), ['secret', 'U1', 'foreign']);
    for (const [name, blob] of [
      ['foreign', foreign],
      ['damaged', Uint8Array.of(1, 2, 3)],
    ] as const) {
      await store.secrets.put({ scope: 'U1', name, blob, at: 1 });
    }
    const { engine, logs } = process(store, ring(2, 1), new TestClock());
    await turns(engine);
    expect(await rotationEvents(engine)).toContainEqual(
      expect.objectContaining({ type: 'keys.rotation-finished', unopened: 2 }),
    );
    expect(logs.filter(({ level }) => level === 'warn')).toMatchObject([{ data: { unopened: 2 } }]);
    expect(await store.secrets.get('U1', 'foreign')).toEqual(foreign);
    expect(await engine.devices.lockPin('U1')).toBe('000001');
    await expect(engine.rewrap()).rejects.toMatchObject({ code: 'core.keys.wrong_key' });
  });

  it('survives a store that fails at any call', async () => {
    for (const fault of ['before', 'after'] as const) {
      for (let failing = 0; failing < 8; failing++) {
        const store = await filled(1);
        const chance = seededRandom(1_000 + failing);
        const flaky = faultyStore(store, () => (chance(1)[0]! < 16 ? fault : 'none'));
        const clock = new TestClock();
        const { engine } = process(flaky, ring(2, 1), clock);
        for (let i = 0; i < 200; i++) {
          clock.advance(30_000);
          await engine.tick().catch((error: unknown) => expect(error).toMatchObject({ code: 'core.store.injected' }));
        }
        expect([fault, failing, Object.keys(await sealedBy(store))]).toEqual([fault, failing, ['key-2']]);
        expect(await process(store, ring(2), clock).engine.devices.lockPin('U0')).toBe('000000');
      }
    }
  });

  it('runs by itself in an engine that is started, and does nothing without earlier keys', async () => {
    const store = await filled();
    const { engine } = process(store, ring(2, 1), new TestClock(), {
      options: { rewrapBatch: 5, rewrapIntervalMs: 1 },
    });
    const finished = new Promise<void>((resolve) => {
      engine.events.subscribe(({ type }) => {
        if (type === 'keys.rotation-finished') resolve();
      });
    });
    engine.start();
    await finished;
    await engine.stop();
    expect(Object.keys(await sealedBy(store))).toEqual(['key-2']);
    const calls: string[] = [];
    const watched = faultyStore(store, ({ name }) => {
      calls.push(name);
      return 'none';
    });
    await turns(process(watched, ring(2), new TestClock()).engine, 3);
    expect(calls.filter((name) => name.startsWith('secrets'))).toEqual([]);
  });
});
