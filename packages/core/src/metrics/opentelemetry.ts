// Metrics through the OpenTelemetry API: fits `Meter` of @opentelemetry/api by its shape, without depending on it.
import type { MetricLabels, Metrics } from './types.ts';

/** What an observable instrument hands its values to. */
export interface OpenTelemetryResult {
  observe(value: number, attributes?: Record<string, string>): void;
}

/** An observable instrument. */
export interface OpenTelemetryObservable {
  addCallback(callback: (result: OpenTelemetryResult) => void | Promise<void>): void;
}

/** What is used of `Meter` of `@opentelemetry/api` 1.x; its own fits. */
export interface OpenTelemetryMeter {
  createHistogram(
    name: string,
    options?: { description?: string; unit?: string; advice?: { explicitBucketBoundaries?: number[] } },
  ): { record(value: number, attributes?: Record<string, string>): void };
  createObservableCounter(name: string, options?: { description?: string; unit?: string }): OpenTelemetryObservable;
  createObservableGauge(name: string, options?: { description?: string; unit?: string }): OpenTelemetryObservable;
}

/** How long what one callback collected serves the others of the same reading. */
const SHARED_MS = 100;

/**
 * Hands all metrics to OpenTelemetry: counters and gauges as observable instruments, read when the meter's reader asks;
 * histograms as they are recorded. Names follow OpenTelemetry's conventions, so that its Prometheus exporter makes of
 * them what {@link prometheusText} writes: `espalier_pushes_total` is `espalier.pushes`, `espalier_poll_duration_seconds` is
 * `espalier.poll_duration` with the unit `s`.
 *
 * @param stopwatch milliseconds of a clock that only goes forward (default: `performance.now`).
 * @example
 * import { metrics } from '@opentelemetry/api';
 * exportToOpenTelemetry(engine.metrics, metrics.getMeter('espalier'));
 */
export function exportToOpenTelemetry(
  metrics: Metrics,
  meter: OpenTelemetryMeter,
  stopwatch: () => number = () => performance.now(),
): void {
  const histograms = new Map<string, ReturnType<OpenTelemetryMeter['createHistogram']>>();
  let shared: { readonly at: number; readonly families: ReturnType<Metrics['collect']> } | null = null;

  function collect(): ReturnType<Metrics['collect']> {
    const at = stopwatch();
    if (shared === null || at - shared.at >= SHARED_MS) shared = { at, families: metrics.collect() };
    return shared.families;
  }

  metrics.observe({
    instrument({ name, help, type, bounds }) {
      const { name: plain, unit } = conventional(name);
      const options = { description: help, ...(unit === null ? {} : { unit }) };
      if (type === 'histogram') {
        histograms.set(
          name,
          meter.createHistogram(plain, { ...options, advice: { explicitBucketBoundaries: [...(bounds ?? [])] } }),
        );
        return;
      }
      const observable =
        type === 'counter'
          ? meter.createObservableCounter(plain, options)
          : meter.createObservableGauge(plain, options);
      observable.addCallback(async (result) => {
        const family = (await collect()).find((one) => one.name === name);
        if (family === undefined || family.type === 'histogram') return;
        for (const { labels, value } of family.points) result.observe(value, attributes(labels));
      });
    },
    recorded(name, value, labels) {
      histograms.get(name)?.record(value, attributes(labels));
    },
  });
}

const attributes = (labels: MetricLabels): Record<string, string> => ({ ...labels });

function conventional(name: string): { readonly name: string; readonly unit: string | null } {
  const plain = name.replace(/_total$/, '').replace(/^espalier_/, 'espalier.');
  for (const [suffix, unit] of [
    ['_seconds', 's'],
    ['_bytes', 'By'],
  ] as const) {
    if (plain.endsWith(suffix)) return { name: plain.slice(0, -suffix.length), unit };
  }
  return { name: plain, unit: null };
}
