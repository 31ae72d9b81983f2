// The metrics registry: counters, gauges and histograms in plain maps, with a bound on how many series each may have.
import { CoreError } from '../errors.ts';
import type {
  Counter,
  Gauge,
  Histogram,
  HistogramOptions,
  MetricFamily,
  MetricLabels,
  MetricObserver,
  MetricOptions,
  Metrics,
} from './types.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const MAX_SERIES = 200;
const OTHER = 'other';

interface Series<T> {
  readonly labels: MetricLabels;
  readonly value: T;
}

interface Instrument {
  readonly type: MetricFamily['type'];
  readonly handle: Counter | Gauge | Histogram;
  readonly bounds?: readonly number[];
  readonly help: string;
  read(): MetricFamily;
}

/**
 * Makes a registry. Recording costs a look-up in a map; memory is bounded by `maxSeries` of each instrument.
 *
 * @param options.stopwatch milliseconds of a clock that only goes forward (default: `performance.now`).
 * @example
 * const metrics = createMetrics();
 * const orders = metrics.counter({ name: 'shop_orders_total', help: 'Orders by outcome.', labels: ['outcome'] });
 * orders.add({ outcome: 'paid' });
 * console.log(prometheusText(await metrics.collect()));
 */
export function createMetrics(options: { readonly stopwatch?: () => number } = {}): Metrics {
  const stopwatch = options.stopwatch ?? (() => performance.now());
  const instruments = new Map<string, Instrument>();
  const observers: MetricObserver[] = [];
  const refreshers: (() => Promise<void>)[] = [];

  function announce(observer: MetricObserver, name: string, { type, help, bounds }: Instrument): void {
    observer.instrument({ name, help, type, ...(bounds === undefined ? {} : { bounds }) });
  }

  function instrument<T extends Instrument['handle']>(
    definition: MetricOptions,
    type: Instrument['type'],
    make: () => Instrument,
  ): T {
    const { name } = definition;
    const known = instruments.get(name);
    if (known !== undefined) {
      if (known.type !== type) throw bad(`${name} is a ${known.type} already`);
      return known.handle as T;
    }
    check(definition, type);
    const made = make();
    instruments.set(name, made);
    for (const observer of observers) announce(observer, name, made);
    return made.handle as T;
  }

  return {
    counter: (definition) => instrument(definition, 'counter', () => makeCounter(definition)),
    gauge: (definition) => instrument(definition, 'gauge', () => makeGauge(definition)),
    histogram: (definition) => instrument(definition, 'histogram', () => makeHistogram(definition, observers)),

    time() {
      const start = stopwatch();
      return () => Math.max(0, stopwatch() - start) / 1000;
    },

    onCollect(refresh) {
      refreshers.push(refresh);
    },

    async collect() {
      await Promise.all(refreshers.map((refresh) => refresh()));
      return [...instruments.keys()].sort().map((name) => instruments.get(name)!.read());
    },

    observe(observer) {
      observers.push(observer);
      for (const [name, known] of instruments) announce(observer, name, known);
    },
  };
}

function makeCounter({ name, help, ...rest }: MetricOptions): Instrument {
  const series = createSeries(rest, () => ({ n: 0 }));
  const handle: Counter = {
    add(labels = {}, amount = 1) {
      if (amount >= 0 && Number.isFinite(amount)) series.at(labels).value.n += amount;
    },
  };
  const read = (): MetricFamily => ({
    name,
    help,
    type: 'counter',
    points: series.all().map(({ labels, value }) => ({ labels, value: value.n })),
  });
  return { type: 'counter', handle, help, read };
}

function makeGauge({ name, help, ...rest }: MetricOptions): Instrument {
  const series = createSeries(rest, () => ({ n: 0 }));
  const handle: Gauge = {
    set(value, labels = {}) {
      series.at(labels).value.n = value;
    },
    clear: series.clear,
  };
  const read = (): MetricFamily => ({
    name,
    help,
    type: 'gauge',
    points: series.all().map(({ labels, value }) => ({ labels, value: value.n })),
  });
  return { type: 'gauge', handle, help, read };
}

function makeHistogram(
  { name, help, buckets: bounds = SECONDS, ...rest }: HistogramOptions,
  observers: readonly MetricObserver[],
): Instrument {
  if (bounds.some((bound, i) => !Number.isFinite(bound) || bound <= (bounds[i - 1] ?? Number.NEGATIVE_INFINITY))) {
    throw bad(`the buckets of ${name} do not rise`);
  }
  const series = createSeries(rest, () => ({ counts: new Array<number>(bounds.length + 1).fill(0), sum: 0 }));
  const handle: Histogram = {
    record(value, labels = {}) {
      if (!Number.isFinite(value)) return;
      const { labels: counted, value: held } = series.at(labels);
      let bucket = 0;
      while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
      held.counts[bucket] = held.counts[bucket]! + 1;
      held.sum += value;
      for (const observer of observers) observer.recorded(name, value, counted);
    },
  };
  const read = (): MetricFamily => ({
    name,
    help,
    type: 'histogram',
    bounds,
    distributions: series.all().map(({ labels, value: { counts, sum } }) => ({ labels, counts: [...counts], sum })),
  });
  return { type: 'histogram', handle, bounds, help, read };
}

/** The series of one instrument. Labels that it does not have are dropped, those that are missing are empty. */
function createSeries<T>(
  { labels: names = [], maxSeries = MAX_SERIES }: Omit<MetricOptions, 'name' | 'help'>,
  empty: () => T,
): { at(labels: MetricLabels): Series<T>; all(): readonly Series<T>[]; clear(): void } {
  const series = new Map<string, Series<T>>();
  const only = names.length === 1 ? names[0]! : null;

  function add(key: string, values: readonly string[]): Series<T> {
    const made = { labels: Object.fromEntries(names.map((name, i) => [name, values[i] ?? ''])), value: empty() };
    series.set(key, made);
    return made;
  }

  return {
    at(labels) {
      const values = only === null ? names.map((name) => labels[name] ?? '') : [labels[only] ?? ''];
      const key = only === null ? JSON.stringify(values) : values[0]!;
      const known = series.get(key);
      if (known !== undefined) return known;
      if (series.size < maxSeries) return add(key, values);
      const others = names.map(() => OTHER);
      const otherKey = only === null ? JSON.stringify(others) : OTHER;
      return series.get(otherKey) ?? add(otherKey, others);
    },
    all: () => [...series.values()],
    clear: () => series.clear(),
  };
}

function check({ name, labels = [] }: MetricOptions, type: Instrument['type']): void {
  if (!/^[a-z][a-z0-9_]*$/.test(name)) throw bad(`${name} is no name of a metric`);
  if ((type === 'counter') !== name.endsWith('_total')) throw bad(`${name}: counters, and only they, end in _total`);
  if (labels.some((label) => !/^[a-z][a-z0-9_]*$/.test(label) || label === 'le')) {
    throw bad(`${name} has a label whose name cannot be`);
  }
}

function bad(message: string): CoreError {
  return new CoreError('core.metrics.bad_definition', 'invalid', message);
}
