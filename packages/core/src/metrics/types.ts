// Metrics as their users see them: instruments, what is read from them, and the registry.

/** Names and values of labels. Values come from a small set: never an identifier of a device, a command or a person. */
export type MetricLabels = Readonly<Record<string, string>>;

/** Something that only grows. */
export interface Counter {
  /** @param amount 0 or more (default 1); anything else is ignored. */
  add(labels?: MetricLabels, amount?: number): void;
}

/** Something that goes up and down. */
export interface Gauge {
  set(value: number, labels?: MetricLabels): void;
  /** Forgets all values, so that nothing stale is told. */
  clear(): void;
}

/** How values are distributed. */
export interface Histogram {
  record(value: number, labels?: MetricLabels): void;
}

/** What an instrument is called. */
export interface MetricOptions {
  /** `espalier_pushes_total`: lower case, the unit at the end (`_seconds`, `_bytes`), `_total` for counters. */
  readonly name: string;
  /** One line. */
  readonly help: string;
  /** The names of its labels. What is recorded must have just these. */
  readonly labels?: readonly string[];
  /** How many combinations of label values are kept apart (default 200). What comes after is counted as `other`. */
  readonly maxSeries?: number;
}

/** What a histogram is made from. */
export interface HistogramOptions extends MetricOptions {
  /** Upper bounds of the buckets, rising (default: 1 ms to 10 s, in seconds). */
  readonly buckets?: readonly number[];
}

/** One series of a counter or a gauge. */
export interface MetricPoint {
  readonly labels: MetricLabels;
  readonly value: number;
}

/** One series of a histogram. */
export interface MetricDistribution {
  readonly labels: MetricLabels;
  /** How many values are at most each bound; one more for all the others. Not cumulated. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** What an instrument holds. */
export type MetricFamily = {
  readonly name: string;
  readonly help: string;
} & (
  | { readonly type: 'counter' | 'gauge'; readonly points: readonly MetricPoint[] }
  | {
      readonly type: 'histogram';
      readonly bounds: readonly number[];
      readonly distributions: readonly MetricDistribution[];
    }
);

/** Keeps instruments, and gives what they hold. */
export interface Metrics {
  /** The counter of this name; made the first time. @throws CoreError `core.metrics.bad_definition` */
  counter(options: MetricOptions): Counter;
  /** The gauge of this name; made the first time. @throws CoreError `core.metrics.bad_definition` */
  gauge(options: MetricOptions): Gauge;
  /** The histogram of this name; made the first time. @throws CoreError `core.metrics.bad_definition` */
  histogram(options: HistogramOptions): Histogram;
  /** Starts a stopwatch: the function gives the seconds since then, by a clock that nobody sets. */
  time(): () => number;
  /** Called before the instruments are read, to set gauges. What it throws is its own affair: it must not. */
  onCollect(refresh: () => Promise<void>): void;
  /** Everything, after the refreshing. Ordered by name. */
  collect(): Promise<readonly MetricFamily[]>;
  /** Tells what is recorded into histograms from now on, and which instruments there are; for bridges to other systems. */
  observe(observer: MetricObserver): void;
}

/** Follows a registry. */
export interface MetricObserver {
  /** Called for every instrument, those that are there already included. */
  instrument(family: Pick<MetricFamily, 'name' | 'help' | 'type'> & { readonly bounds?: readonly number[] }): void;
  /** A value was recorded into a histogram. */
  recorded(name: string, value: number, labels: MetricLabels): void;
}
