// The metrics registry, Prometheus' text, the bridge to OpenTelemetry, and what the engine measures.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { faultyStore } from '../src/contract/index.ts';
import {
  createMemoryStore,
  createMetrics,
  exportToOpenTelemetry,
  type Metrics,
  type OpenTelemetryMeter,
  type PushResult,
  prometheusText,
} from '../src/index.ts';
import { readExposition } from './exposition.ts';
import { bench, ScriptedDevice } from './support.ts';

/** Every sample by its name and labels, as a strict reader of the text sees them. */
async function samples(metrics: Metrics): Promise<Record<string, number>> {
  const families = readExposition(prometheusText(await metrics.collect()));
  return Object.fromEntries(
    families.flatMap((family) =>
      family.samples.map(({ name, labels, value }) => {
        const pairs = Object.entries(labels).map(([label, text]) => `${label}=${text}`);
        return [pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`, value];
      }),
    ),
  );
}

describe('the registry', () => {
  it('counts, sets and distributes', async () => {
    const metrics = createMetrics();
    const counter = metrics.counter({ name: 'a_total', help: 'A.', labels: ['x'] });
    counter.add({ x: 'one' });
    counter.add({ x: 'one' }, 2);
    counter.add({ x: 'one' }, -5);
    counter.add({ x: 'one' }, Number.NaN);
    // The same name is the same instrument.
    metrics.counter({ name: 'a_total', help: 'A.', labels: ['x'] }).add({ x: 'two' });
    const gauge = metrics.gauge({ name: 'b', help: 'B.' });
    gauge.set(7);
    gauge.set(-1.5);
    const histogram = metrics.histogram({ name: 'c_seconds', help: 'C.', buckets: [0.1, 1] });
    for (const value of [0.05, 0.1, 0.5, 30, Number.NaN]) histogram.record(value);
    expect(await samples(metrics)).toEqual({
      'a_total{x=one}': 3,
      'a_total{x=two}': 1,
      b: -1.5,
      'c_seconds_bucket{le=0.1}': 2,
      'c_seconds_bucket{le=1}': 3,
      'c_seconds_bucket{le=+Inf}': 4,
      c_seconds_sum: 30.65,
      c_seconds_count: 4,
    });
    gauge.clear();
    expect(await samples(metrics)).not.toHaveProperty('b');
  });

  it('keeps the number of series bounded, and labels that it was not told of out', async () => {
    const metrics = createMetrics();
    const counter = metrics.counter({ name: 'a_total', help: 'A.', labels: ['x', 'y'], maxSeries: 2 });
    for (let i = 0; i < 100; i++) counter.add({ x: `${i}`, y: 'y', udid: 'secret' });
    expect(await samples(metrics)).toEqual({
      'a_total{x=0,y=y}': 1,
      'a_total{x=1,y=y}': 1,
      'a_total{x=other,y=other}': 98,
    });
  });

  it('refuses definitions that Prometheus would', () => {
    const metrics = createMetrics();
    const bad = expect.objectContaining({ code: 'core.metrics.bad_definition', kind: 'invalid' });
    expect(() => metrics.counter({ name: 'a', help: '' })).toThrow(bad);
    expect(() => metrics.gauge({ name: 'a_total', help: '' })).toThrow(bad);
    expect(() => metrics.gauge({ name: 'a-b', help: '' })).toThrow(bad);
    expect(() => metrics.gauge({ name: 'a', help: '', labels: ['__proto__'] })).toThrow(bad);
    expect(() => metrics.histogram({ name: 'a', help: '', labels: ['le'] })).toThrow(bad);
    expect(() => metrics.histogram({ name: 'a', help: '', buckets: [1, 1] })).toThrow(bad);
    metrics.gauge({ name: 'g', help: '' });
    expect(() => metrics.histogram({ name: 'g', help: '' })).toThrow(bad);
  });

  it('writes text that a strict reader reads back, whatever help and label values hold', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme' }),
        fc.uniqueArray(fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', ' ', '{', '}', ',', '=', 'ä') })),
        fc.double({ noNaN: true }),
        async (help, values, amount) => {
          const metrics = createMetrics();
          const gauge = metrics.gauge({ name: 'a', help, labels: ['x'] });
          for (const x of values) gauge.set(amount, { x });
          const [family] = readExposition(prometheusText(await metrics.collect()));
          expect(family?.samples.map((sample) => sample.labels['x']) ?? []).toEqual(values);
          if (family === undefined) return;
          expect(family.help).toBe(help);
          for (const { value } of family.samples) expect(value === amount).toBe(true);
        },
      ),
      { seed: 1, numRuns: process.env['ESPALIER_NIGHTLY'] === '1' ? 10_000 : 300 },
    );
  });
});

describe('the bridge to OpenTelemetry', () => {
  it('gives instruments by its conventions, and their values when they are asked for', async () => {
    const made: { kind: string; name: string; unit?: string; description?: string }[] = [];
    const recorded: unknown[] = [];
    const callbacks: { name: string; callback: Parameters<ReturnType<typeof observable>['addCallback']>[0] }[] = [];
    function observable(name: string) {
      return {
        addCallback(callback: (result: { observe(value: number, attributes?: object): void }) => void | Promise<void>) {
          callbacks.push({ name, callback });
        },
      };
    }
    const meter: OpenTelemetryMeter = {
      createHistogram(name, options) {
        made.push({ kind: 'histogram', name, ...options });
        return { record: (value, attributes) => void recorded.push([name, value, attributes]) };
      },
      createObservableCounter(name, options) {
        made.push({ kind: 'counter', name, ...options });
        return observable(name);
      },
      createObservableGauge(name, options) {
        made.push({ kind: 'gauge', name, ...options });
        return observable(name);
      },
    };
    let now = 0;
    let refreshed = 0;
    const metrics = createMetrics();
    const before = metrics.counter({ name: 'espalier_pushes_total', help: 'Pushes.', labels: ['outcome'] });
    exportToOpenTelemetry(metrics, meter, () => now);
    const gauge = metrics.gauge({ name: 'espalier_age_seconds', help: 'Age.' });
    const duration = metrics.histogram({ name: 'espalier_poll_seconds', help: 'Poll.', labels: ['x'], buckets: [1] });
    metrics.onCollect(async () => {
      refreshed++;
      gauge.set(refreshed);
    });
    expect(made).toEqual([
      { kind: 'counter', name: 'espalier.pushes', description: 'Pushes.' },
      { kind: 'gauge', name: 'espalier.age', description: 'Age.', unit: 's' },
      {
        kind: 'histogram',
        name: 'espalier.poll',
        description: 'Poll.',
        unit: 's',
        advice: { explicitBucketBoundaries: [1] },
      },
    ]);
    before.add({ outcome: 'delivered' }, 4);
    duration.record(0.5, { x: 'y' });
    expect(recorded).toEqual([['espalier.poll', 0.5, { x: 'y' }]]);
    const read = async () => {
      const seen: unknown[] = [];
      await Promise.all(
        callbacks.map(async ({ name, callback }) => {
          await callback({ observe: (value, attributes) => void seen.push([name, value, attributes]) });
        }),
      );
      return seen;
    };
    // Two instruments, and the state behind them is collected once for one reading.
    expect(await read()).toEqual([
      ['espalier.pushes', 4, { outcome: 'delivered' }],
      ['espalier.age', 1, {}],
    ]);
    now += 1_000;
    expect(await read()).toContainEqual(['espalier.age', 2, {}]);
  });
});

describe('what the engine measures', () => {
  it('counts check-ins, results, refusals and pushes, and tells the depth and age of the queue', async () => {
    const outcomes: PushResult[] = [
      { outcome: 'delivered' },
      { outcome: 'retry', reason: 'TooManyRequests', afterMs: 1_000 },
      { outcome: 'token-dead', reason: 'BadDeviceToken' },
    ];
    let ticks = 0;
    const { engine, clock } = bench({
      metrics: createMetrics({ stopwatch: () => ticks++ * 20 }),
      push: { push: async () => outcomes.shift() ?? { outcome: 'refused', reason: 'TopicDisallowed' } },
    });
    const { metrics } = engine;
    const device = new ScriptedDevice(engine, 'U1');
    await device.enrol();
    await device.session();
    await engine.commands.enqueue({ enrolmentIds: ['U1'] }, 'RestartDevice', {});
    for (let i = 0; i < 4; i++) {
      await engine.tick();
      if (i === 2) await device.tokenUpdate();
      clock.advance(24 * 3_600_000);
    }
    device.identity = new ScriptedDevice(engine, 'U2').identity;
    await expect(device.idle()).rejects.toThrow();
    await expect(new ScriptedDevice(engine, 'U9').idle()).rejects.toThrow();
    const seen = await samples(metrics);
    expect(seen).toMatchObject({
      'espalier_checkins_total{type=Authenticate}': 1,
      'espalier_checkins_total{type=TokenUpdate}': 2,
      'espalier_pushes_total{outcome=delivered}': 1,
      'espalier_pushes_total{outcome=retry}': 1,
      'espalier_pushes_total{outcome=token-dead}': 1,
      'espalier_pushes_total{outcome=refused}': 1,
      'espalier_refusals_total{message=connect,code=core.enrolment.identity_mismatch}': 1,
      'espalier_refusals_total{message=connect,code=core.enrolment.unknown}': 1,
      'espalier_poll_duration_seconds_count{outcome=refused}': 2,
      'espalier_poll_duration_seconds_count{outcome=empty}': 1,
      espalier_queue_depth: 1,
      espalier_queue_oldest_pending_seconds: 4 * 24 * 3_600,
      espalier_queue_follow_ups: 0,
      espalier_store_up: 1,
    });
    expect(seen['espalier_results_total{status=acknowledged,outcome=stored}']).toBe(
      device.received.filter(({ requestType }) => requestType !== 'RestartDevice').length,
    );
    expect(seen['espalier_store_call_duration_seconds_count{call=queue.poll,outcome=ok}']).toBeGreaterThan(3);
    // The stopwatch goes on by 20 ms with each look: every poll took at least that long.
    expect(seen['espalier_poll_duration_seconds_bucket{outcome=empty,le=0.01}']).toBe(0);
    expect(seen['espalier_poll_duration_seconds_sum{outcome=empty}']).toBeGreaterThanOrEqual(0.02);
  });

  it('counts what is pending at most every ten seconds, and tells nothing stale when the store is away', async () => {
    let away = false;
    const calls: string[] = [];
    const store = faultyStore(createMemoryStore(), ({ name }) => {
      calls.push(name);
      return away ? 'before' : 'none';
    });
    const { engine, clock, logs } = bench({ store });
    await new ScriptedDevice(engine, 'U1').enrol();
    const count = () => calls.filter((name) => name === 'queue.depth').length;
    expect((await samples(engine.metrics))['espalier_queue_depth']).toBe(5);
    clock.advance(9_999);
    await Promise.all([samples(engine.metrics), samples(engine.metrics)]);
    expect(count()).toBe(1);
    clock.advance(1);
    const [first, second] = await Promise.all([samples(engine.metrics), samples(engine.metrics)]);
    expect(count()).toBe(2);
    expect(first!['espalier_queue_oldest_pending_seconds']).toBe(10);
    expect(second).toEqual(first);
    expect(calls).not.toContain('queue.stats');
    away = true;
    clock.advance(10_000);
    const none = await samples(engine.metrics);
    expect(none['espalier_store_up']).toBe(0);
    expect(none).not.toHaveProperty('espalier_queue_depth');
    expect(none).not.toHaveProperty('espalier_queue_oldest_pending_seconds');
    expect(none['espalier_store_call_duration_seconds_count{call=queue.depth,outcome=failed}']).toBe(1);
    expect(logs.filter(({ message }) => message === 'the queue could not be counted')).toHaveLength(1);
    away = false;
    expect(await samples(engine.metrics)).toMatchObject({ espalier_store_up: 1, espalier_queue_depth: 5 });
  });

  it('counts a queue that takes long to count less often', async () => {
    let now = 0;
    let slow = 300;
    let counts = 0;
    const store = faultyStore(createMemoryStore(), ({ name }) => {
      if (name === 'queue.depth') {
        counts++;
        now += slow;
      }
      return 'none';
    });
    const { engine, clock } = bench({ store, metrics: createMetrics({ stopwatch: () => now }) });
    const readAfter = async (ms: number) => {
      clock.advance(ms);
      await engine.metrics.collect();
      return counts;
    };
    expect([await readAfter(0), await readAfter(29_999), await readAfter(1)]).toEqual([1, 1, 2]);
    slow = 1;
    expect([await readAfter(30_000), await readAfter(10_000)]).toEqual([3, 4]);
  });

  it('counts labels evaluated and devices reconciled', async () => {
    const { engine } = bench({ compile: () => ({ applicable: false, reason: 'no' }) });
    const label = await engine.labels.create({ name: 'all', expression: '"common.serial_number" = "SU1"' });
    await engine.configurations.create({ name: 'c', type: 'passcode', settings: {}, labelIds: [label.id] });
    await new ScriptedDevice(engine, 'U1').enrol();
    await engine.tick();
    const seen = await samples(engine.metrics);
    expect(seen['espalier_label_evaluations_total']).toBeGreaterThanOrEqual(1);
    expect(seen).toMatchObject({
      espalier_reconciled_devices_total: 1,
      espalier_reconcile_duration_seconds_count: 1,
    });
  });
});
