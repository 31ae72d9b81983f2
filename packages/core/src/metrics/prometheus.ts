// Metrics as Prometheus reads them: the text exposition format, version 0.0.4.
import type { MetricFamily, MetricLabels } from './types.ts';

/** The media type of {@link prometheusText}. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Writes metrics in Prometheus' text format 0.0.4 (`# HELP`, `# TYPE`, samples; cumulated buckets with `le`, `_sum` and
 * `_count`), as https://prometheus.io/docs/instrumenting/exposition_formats/ has it. Instruments without a value are left out.
 *
 * @example
 * new Response(prometheusText(await engine.metrics.collect()), { headers: { 'content-type': PROMETHEUS_TYPE } });
 */
export function prometheusText(families: readonly MetricFamily[]): string {
  return families.map(familyText).join('');
}

function familyText(family: MetricFamily): string {
  const { name, help, type } = family;
  const lines =
    family.type === 'histogram'
      ? family.distributions.flatMap((one) => histogramLines(name, family.bounds, one))
      : family.points.map(({ labels, value }) => sample(name, labels, value));
  if (lines.length === 0) return '';
  const text = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${name} ${text}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function histogramLines(
  name: string,
  bounds: readonly number[],
  { labels, counts, sum }: { readonly labels: MetricLabels; readonly counts: readonly number[]; readonly sum: number },
): string[] {
  let total = 0;
  const lines = counts.map((count, i) => {
    total += count;
    return sample(`${name}_bucket`, { ...labels, le: i < bounds.length ? number(bounds[i]!) : '+Inf' }, total);
  });
  return [...lines, sample(`${name}_sum`, labels, sum), sample(`${name}_count`, labels, total)];
}

function sample(name: string, labels: MetricLabels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeValue(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${number(value)}\n`;
}

function escapeValue(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
