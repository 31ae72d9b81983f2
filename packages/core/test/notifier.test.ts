// Waking devices: who, when, how often, and what the outcomes do.
import { describe, expect, it } from 'vitest';
import type { EngineInput, PushResult } from '../src/index.ts';
import { bench, ScriptedDevice } from './support.ts';

const MINUTE = 60_000;

function pushing(
  answer: (id: string) => PushResult | Promise<PushResult> = () => ({ outcome: 'delivered' }),
  input: Partial<EngineInput> = {},
) {
  const pushed: string[] = [];
  const push = {
    async push({ token, pushMagic, topic }: { token: Uint8Array; pushMagic: string; topic: string }) {
      const id = new TextDecoder().decode(token).replace('token of ', '');
      expect(pushMagic).toBe(`magic of ${id}`);
      expect(topic).toBe('com.apple.mgmt.External.test');
      pushed.push(id);
      return answer(id);
    },
  };
  return { pushed, ...bench({ push, ...input }) };
}

describe('the notifier', () => {
  it('wakes a device once for all its work, and not while it works', async () => {
    const { engine, pushed } = pushing();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await engine.tick();
    await engine.tick();
    expect(pushed).toEqual(['U1']);
    await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'RestartDevice', {});
    await engine.tick();
    expect(pushed).toEqual(['U1']);
    await device.session();
    await engine.tick();
    expect(pushed).toEqual(['U1']);
    await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'RestartDevice', {});
    await engine.tick();
    expect(pushed).toEqual(['U1', 'U1']);
    expect((await engine.events.list({ type: 'push.sent' })).items).toHaveLength(2);
  });

  it('wakes again, less and less often, a device that does not come', async () => {
    const { engine, pushed, clock } = pushing();
    await new ScriptedDevice(engine, 'U1').enrol();
    const times: number[] = [];
    const start = clock.now();
    for (let minute = 0; minute <= 240; minute++) {
      const before = pushed.length;
      await engine.tick();
      if (pushed.length > before) times.push((clock.now() - start) / MINUTE);
      clock.advance(MINUTE);
    }
    expect(times).toEqual([0, 15, 45, 105, 225]);
  });

  it('pushes again after NotNow', async () => {
    const { engine, pushed, clock } = pushing();
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session();
    await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'RestartDevice', {});
    await device.session(() => ({ Status: 'NotNow' }));
    await engine.tick();
    expect(pushed).toEqual([]);
    clock.advance(5 * MINUTE);
    await engine.tick();
    expect(pushed).toEqual(['U1']);
    expect(await device.session()).toEqual(['RestartDevice']);
  });

  it('leaves a device with a dead token alone until its next TokenUpdate', async () => {
    let outcome: PushResult = { outcome: 'token-dead', reason: 'Unregistered' };
    const { engine, pushed, clock } = pushing(() => outcome);
    const stale = await engine.labels.create({ name: 'Stale', expression: '"common.mdm_managed" = false' });
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    expect((await engine.labels.members(stale.id)).items).toEqual([]);
    await engine.tick();
    expect((await engine.devices.get('U1'))?.enrolment.pushable).toBe(false);
    // It left without a word: searches and labels find it (ABM-28).
    expect((await engine.labels.members(stale.id)).items.map(({ id }) => id)).toEqual(['U1']);
    expect((await engine.devices.list({ expression: '"common.mdm_managed" = false' })).total).toBe(1);
    clock.advance(100 * 60 * MINUTE);
    await engine.devices.refresh(['U1']);
    await engine.tick();
    expect(pushed).toHaveLength(1);
    expect((await engine.events.list({ type: 'push.token-dead' })).items).toMatchObject([
      { enrolmentId: 'U1', data: { reason: 'Unregistered' } },
    ]);
    outcome = { outcome: 'delivered' };
    await device.tokenUpdate();
    await engine.tick();
    expect(pushed).toHaveLength(2);
  });

  it('does not believe that every token is bad: the server asks the wrong push service', async () => {
    let wrong = true;
    const { engine, pushed, clock, logs } = pushing(() =>
      wrong ? { outcome: 'token-dead', reason: 'BadDeviceToken' } : { outcome: 'delivered' },
    );
    const ids = Array.from({ length: 30 }, (_, i) => `U${i}`);
    for (const id of ids) await new ScriptedDevice(engine, id).enrol();
    for (let i = 0; i < 4; i++) {
      await engine.tick();
      clock.advance(16 * MINUTE);
    }
    const pushable = async () =>
      (await engine.devices.list({ limit: 100 })).items.filter((row) => row.enrolment.pushable);
    expect(await pushable()).toHaveLength(30);
    expect((await engine.events.list({ type: 'push.token-dead' })).items).toEqual([]);
    expect((await engine.events.list({ type: 'push.tokens-doubted' })).items).toMatchObject([
      { enrolmentId: null, data: { topic: 'com.apple.mgmt.External.test', bad: 30, delivered: 0 } },
    ]);
    expect(logs.filter((log) => log.level === 'error')).toHaveLength(1);
    // Mended: everybody is woken, at the latest when a day has passed.
    wrong = false;
    pushed.length = 0;
    clock.advance(24 * 60 * MINUTE);
    await engine.tick();
    expect(new Set(pushed).size).toBe(30);
  });

  it('believes that one token is bad where the others are good', async () => {
    const { engine } = pushing((id) =>
      id === 'U3' ? { outcome: 'token-dead', reason: 'BadDeviceToken' } : { outcome: 'delivered' },
    );
    for (let i = 0; i < 6; i++) await new ScriptedDevice(engine, `U${i}`).enrol();
    await engine.tick();
    const dead = (await engine.devices.list()).items.filter((row) => !row.enrolment.pushable);
    expect(dead.map(({ enrolment }) => enrolment.id)).toEqual(['U3']);
    expect((await engine.events.list({ type: 'push.tokens-doubted' })).items).toEqual([]);
  });

  it('tries again when APNs says so, and survives a client that throws', async () => {
    let step = 0;
    const { engine, pushed, clock, logs } = pushing(() => {
      step++;
      if (step === 1) return { outcome: 'retry', reason: 'TooManyRequests', afterMs: 2 * MINUTE };
      if (step === 2) throw new Error('no network');
      return { outcome: 'delivered' };
    });
    await new ScriptedDevice(engine, 'U1').enrol();
    await engine.tick();
    clock.advance(2 * MINUTE - 1);
    await engine.tick();
    expect(pushed).toHaveLength(1);
    clock.advance(1);
    await engine.tick();
    expect(pushed).toHaveLength(2);
    expect(logs.filter((log) => log.level === 'error')).toHaveLength(1);
    clock.advance(60 * MINUTE);
    await engine.tick();
    expect(pushed).toHaveLength(3);
    expect((await engine.events.list({ type: 'push.failed' })).items.map((event) => event.data['reason'])).toEqual([
      'no network',
      'TooManyRequests',
    ]);
  });

  it('does not let a push certificate that was refused make a device wait longer once it is mended', async () => {
    let mended = false;
    const { engine, pushed, clock } = pushing(() =>
      mended ? { outcome: 'delivered' } : { outcome: 'refused', reason: 'BadCertificate' },
    );
    await new ScriptedDevice(engine, 'U1').enrol();
    for (let quarter = 0; quarter < 40; quarter++) {
      await engine.tick();
      clock.advance(15 * MINUTE);
    }
    expect(pushed).toHaveLength(40);
    mended = true;
    await engine.tick();
    expect(pushed).toHaveLength(41);
    expect((await engine.events.list({ type: 'push.sent' })).items).toMatchObject([{ data: { attempt: 1 } }]);
  });

  it('does not let a push service that is away make a device wait longer once it is back', async () => {
    let away = true;
    const { engine, pushed, clock } = pushing(() =>
      away ? { outcome: 'retry', reason: 'no connection', afterMs: MINUTE } : { outcome: 'delivered' },
    );
    await new ScriptedDevice(engine, 'U1').enrol();
    for (let i = 0; i < 60; i++) {
      await engine.tick();
      clock.advance(MINUTE);
    }
    expect(pushed).toHaveLength(60);
    away = false;
    await engine.tick();
    expect(pushed).toHaveLength(61);
    // The first pause of the backoff, and not the seventh.
    clock.advance(15 * MINUTE);
    await engine.tick();
    expect(pushed).toHaveLength(62);
  });

  it('wakes a device at once on request', async () => {
    const { engine, pushed } = pushing();
    await new ScriptedDevice(engine, 'U1').enrol();
    await engine.tick();
    await engine.devices.refresh(['U1']);
    await engine.tick();
    expect(pushed).toEqual(['U1', 'U1']);
  });

  it('sends nothing twice when two processes share a store', async () => {
    const first = pushing();
    for (let i = 0; i < 50; i++) await new ScriptedDevice(first.engine, `U${i}`).enrol();
    const pushed: string[] = [];
    const push = {
      async push({ token }: { token: Uint8Array }): Promise<PushResult> {
        pushed.push(new TextDecoder().decode(token));
        return { outcome: 'delivered' };
      },
    };
    const second = bench({ store: first.store, push, clock: first.clock });
    await Promise.all([first.engine.tick(), second.engine.tick()]);
    expect(first.pushed.length + pushed.length).toBe(50);
  });

  it('paces pushes while it runs', async () => {
    const pushed: number[] = [];
    const push = {
      async push(): Promise<PushResult> {
        pushed.push(1);
        return { outcome: 'delivered' };
      },
    };
    const options = {
      pushesPerSecond: 10,
      notifierIntervalMs: 5,
      reconcilerIntervalMs: 1_000,
      housekeepingIntervalMs: 60_000,
    };
    const { engine, clock } = bench({ push, options });
    for (let i = 0; i < 40; i++) await new ScriptedDevice(engine, `U${i}`).enrol();
    engine.start();
    engine.start();
    const until = async (count: number) => {
      while (pushed.length < count) await new Promise((resolve) => setImmediate(resolve));
    };
    await until(10);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(pushed).toHaveLength(10);
    clock.advance(500);
    await until(15);
    await engine.stop();
    expect(pushed).toHaveLength(15);
  });
});

describe('background check-ins', () => {
  const HOUR = 60 * MINUTE;
  const answer = () => ({ outcome: 'delivered' }) as const;

  it('ask each silent device once in the interval, spread over it', async () => {
    const { engine, pushed, clock } = pushing(answer, { options: { checkInIntervalMs: 4 * HOUR } });
    const devices = Array.from({ length: 8 }, (_, i) => new ScriptedDevice(engine, `U${i}`));
    for (const device of devices) {
      await device.enrol();
      await device.session();
    }
    await engine.tick();
    const rounds: number[] = [];
    for (let hour = 1; hour <= 12; hour++) {
      clock.advance(HOUR);
      pushed.length = 0;
      // One that comes by itself is left alone.
      await devices[7]!.idle();
      await engine.tick();
      rounds.push(pushed.length);
      expect(pushed).not.toContain('U7');
      for (const device of devices) {
        if (pushed.includes(device.udid)) expect(await device.session()).toContain('DeviceInformation');
      }
    }
    // A quarter with each hour; whoever was enrolled a moment ago is not silent yet.
    expect(rounds.slice(1, 4)).toEqual([2, 2, 1]);
    expect(Math.max(...rounds)).toBeLessThanOrEqual(3);
    expect(rounds.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(2 * 7);
  });

  it('are off unless an interval is set', async () => {
    const { engine, pushed, clock } = pushing(answer);
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session();
    clock.advance(100 * HOUR);
    await engine.tick();
    expect(pushed).toEqual([]);
  });
});
