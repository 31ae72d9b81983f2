// What goes on between requests: expiry, what a crash left behind, retention, one process at a time.
import { describe, expect, it } from 'vitest';
import { faultyStore } from '../src/contract/index.ts';
import { createMemoryStore } from '../src/index.ts';
import { bench, ScriptedDevice, seededRandom } from './support.ts';

const DAY = 86_400_000;

describe('housekeeping', () => {
  it('ends what expired, with an event', async () => {
    const { engine, clock } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session();
    const { commandUuid } = await engine.commands.enqueue(
      { enrolmentIds: ['U1'] },
      'RestartDevice',
      {},
      {
        expiresAt: clock.now() + 1_000,
      },
    );
    clock.advance(1_000);
    await engine.tick();
    expect((await engine.commands.get('U1', commandUuid))?.state).toBe('expired');
    expect((await engine.events.list({ type: 'command.expired' })).items).toMatchObject([{ data: { commandUuid } }]);
  });

  it('queues the inventory that a crash kept a device from', async () => {
    const store = createMemoryStore();
    const crashing = faultyStore(store, ({ name }) => (name === 'queue.enqueue' ? 'before' : 'none'));
    const first = bench({ store: crashing });
    const device = new ScriptedDevice(first.engine, 'U1');
    await device.authenticate();
    await expect(device.tokenUpdate()).rejects.toMatchObject({ code: 'core.store.injected' });
    expect((await store.enrolments.get('U1'))?.status).toBe('active');
    const { engine } = bench({ store });
    await engine.tick();
    expect(await new ScriptedDevice(engine, 'U1').session()).toContain('DeviceInformation');
  });

  it('applies results whose effects a crash cut off', async () => {
    const store = createMemoryStore();
    const crashing = faultyStore(store, ({ name, count }) =>
      name === 'inventory.apply' && count === 1 ? 'before' : 'none',
    );
    const first = bench({ store: crashing });
    const device = new ScriptedDevice(first.engine, 'U1');
    await device.enrol();
    const command = await device.idle();
    expect(command?.requestType).toBe('DeviceInformation');
    const answer = { CommandUUID: command!.commandUuid, QueryResponses: { DeviceName: 'Ann’s iPhone' } };
    await expect(device.say('Acknowledged', answer)).rejects.toMatchObject({ code: 'core.store.injected' });
    const { engine } = bench({ store });
    expect((await engine.devices.get('U1'))?.facts['ios.DeviceName']).toBeUndefined();
    await engine.tick();
    expect((await engine.devices.get('U1'))?.facts['ios.DeviceName']).toBe('Ann’s iPhone');
    expect((await store.queue.stats()).followUps).toBe(0);
  });

  it('does not ask for ever a device that refuses to tell', async () => {
    const { engine, clock } = bench();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session(() => ({ Status: 'Error' }));
    for (let i = 0; i < 3; i++) {
      clock.advance(3_600_000);
      await engine.tick();
      expect(await device.session()).toEqual([]);
    }
  });

  it('goes on after a result that cannot be applied, and says so', async () => {
    const store = createMemoryStore();
    const { engine, logs } = bench({ store });
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    const { apply } = store.inventory;
    Object.assign(store.inventory, {
      apply: async () => {
        throw new TypeError('a fault in the engine');
      },
    });
    expect(await device.session()).toHaveLength(5);
    Object.assign(store.inventory, { apply });
    expect(logs.filter((log) => log.level === 'error')).toHaveLength(5);
    expect((await store.queue.stats()).followUps).toBe(0);
  });

  it('forgets old history and events', async () => {
    const { engine, store, clock } = bench({ options: { historyRetentionMs: 10 * DAY, eventRetentionMs: 5 * DAY } });
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session();
    clock.advance(5 * DAY + 1);
    await engine.tick();
    expect((await engine.events.list()).items).toEqual([]);
    expect((await engine.commands.history('U1')).items).toHaveLength(5);
    clock.advance(5 * DAY);
    await engine.tick();
    expect((await engine.commands.history('U1')).items).toEqual([]);
    expect((await store.queue.stats()).history).toBe(0);
  });

  it('is done by one process at a time, and by another when that one is gone', async () => {
    const first = bench();
    const second = bench({ store: first.store, clock: first.clock, random: seededRandom(2) });
    let sweeps = 0;
    const { sweep } = first.store.queue;
    Object.assign(first.store.queue, {
      sweep: (input: Parameters<typeof sweep>[0]) => {
        sweeps++;
        return sweep(input);
      },
    });
    await first.engine.tick();
    await second.engine.tick();
    expect(sweeps).toBe(1);
    first.clock.advance(10 * 60_000);
    await second.engine.tick();
    expect(sweeps).toBe(2);
  });

  it('goes on after a failure, which is logged', async () => {
    let failing = true;
    const store = faultyStore(createMemoryStore(), ({ name }) =>
      failing && name === 'queue.sweep' ? 'before' : 'none',
    );
    const { engine, logs } = bench({ store, options: { housekeepingIntervalMs: 1 } });
    engine.start();
    const until = async (done: () => boolean) => {
      while (!done()) await new Promise((resolve) => setImmediate(resolve));
    };
    await until(() => logs.some((log) => log.message === 'a background job failed'));
    failing = false;
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await engine.stop();
    expect((await engine.devices.get('U1'))?.enrolment.status).toBe('active');
  });
});

describe('events', () => {
  it('reach their listeners in order, after they were stored, and a listener that throws harms nobody', async () => {
    const { engine, logs } = bench();
    const seen: string[] = [];
    const stop = engine.events.subscribe((event) => seen.push(event.type));
    engine.events.subscribe(() => {
      throw new Error('broken listener');
    });
    await new ScriptedDevice(engine, 'U1').enrol();
    await engine.tick();
    expect(seen.slice(0, 2)).toEqual(['enrolment.authenticated', 'enrolment.active']);
    expect(seen.filter((type) => type === 'command.queued')).toHaveLength(5);
    expect(logs.some((log) => log.message === 'an event listener failed')).toBe(true);
    stop();
    const count = seen.length;
    await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'RestartDevice', {});
    await engine.tick();
    expect(seen).toHaveLength(count);
  });
});
