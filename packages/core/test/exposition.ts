// A strict reader of Prometheus' text format 0.0.4, written from the format's documentation and not from our writer:
// https://prometheus.io/docs/instrumenting/exposition_formats/

/** One sample line. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric with its samples. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

/** Reads an exposition. Throws an Error with the line for anything that the format does not allow. */
export function readExposition(text: string): Family[] {
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, { name: string; help: string; type: string; samples: Sample[] }>();
  let current: { name: string; help: string; type: string; samples: Sample[] } | null = null;
  const seen = new Set<string>();
  for (const line of text.split('\n').slice(0, -1)) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/s.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (help !== null) {
      // "All lines for a given metric must be provided as one single group."
      if (families.has(help[1]!)) throw new Error(`two groups: ${line}`);
      current = { name: help[1]!, help: unescapeText(help[2]!, false), type: '', samples: [] };
      families.set(current.name, current);
    } else if (type !== null) {
      if (current?.name !== type[1] || current!.type !== '') throw new Error(`TYPE out of place: ${line}`);
      current!.type = type[2]!;
    } else {
      const sample = readSample(line);
      const base = current?.type === 'histogram' ? sample.name.replace(/_(bucket|sum|count)$/, '') : sample.name;
      if (current === null || current.type === '' || base !== current.name) throw new Error(`out of group: ${line}`);
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (seen.has(key)) throw new Error(`the same series twice: ${line}`);
      seen.add(key);
      current.samples.push(sample);
    }
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family);
  return [...families.values()];
}

function readSample(line: string): Sample {
  const head = /^([a-zA-Z_:][a-zA-Z0-9_:]*)/.exec(line);
  if (head === null) throw new Error(`no sample: ${line}`);
  let at = head[0].length;
  const labels: Record<string, string> = {};
  if (line[at] === '{') {
    for (at++; line[at] !== '}'; ) {
      const pair = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(,|(?=\}))/.exec(line.slice(at));
      if (pair === null || pair[1]! in labels) throw new Error(`bad labels: ${line}`);
      labels[pair[1]!] = unescapeText(pair[2]!, true);
      at += pair[0].length;
    }
    at++;
  }
  const value = /^ (NaN|[+-]Inf|[-+]?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)$/.exec(line.slice(at));
  if (value === null) throw new Error(`bad value: ${line}`);
  return { name: head[1]!, labels, value: Number(value[1]!.replace('Inf', 'Infinity')) };
}

function unescapeText(text: string, quotes: boolean): string {
  return text.replace(/\\(.)/gs, (whole, sign: string) => {
    if (sign === '\\') return '\\';
    if (sign === 'n') return '\n';
    if (sign === '"' && quotes) return '"';
    throw new Error(`bad escape ${whole}`);
  });
}

/** Buckets rise, end with +Inf, and +Inf equals the count; sum and count are there. */
function checkHistogram({ name, samples }: Family): void {
  const series = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _, ...rest } = sample.labels;
    const key = JSON.stringify(Object.entries(rest).sort());
    series.set(key, [...(series.get(key) ?? []), sample]);
  }
  for (const [key, list] of series) {
    const buckets = list.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number(labels['le']!.replace('Inf', 'Infinity')));
    const values = buckets.map(({ value }) => value);
    const count = list.find((sample) => sample.name === `${name}_count`)?.value;
    const rising = (numbers: number[], strict: boolean) =>
      numbers.every((number, i) => i === 0 || number > numbers[i - 1]! || (!strict && number === numbers[i - 1]));
    if (!rising(bounds, true) || !rising(values, false)) throw new Error(`${name} ${key}: buckets do not rise`);
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || values.at(-1) !== count) throw new Error(`${name} ${key}: +Inf`);
    if (!list.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name} ${key}: no sum`);
  }
}
