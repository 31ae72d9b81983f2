// How long things took, by phase.

/** The figures of one phase, in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** Records durations by phase. */
export interface LatencyRecorder {
  record(phase: string, ms: number): void;
  /** Measures a task, also when it fails. */
  measure<T>(phase: string, task: () => Promise<T>): Promise<T>;
  /** Phases in the order of their first record. */
  summary(): { readonly [phase: string]: LatencySummary };
}

/**
 * Makes a recorder. Percentiles are the nearest rank of what was recorded.
 * @param now Milliseconds that only grow (default `performance.now`).
 */
export function createLatencyRecorder(now: () => number = () => performance.now()): LatencyRecorder {
  const phases = new Map<string, number[]>();
  const recorder: LatencyRecorder = {
    record(phase, ms) {
      const times = phases.get(phase);
      if (times === undefined) phases.set(phase, [ms]);
      else times.push(ms);
    },
    async measure(phase, task) {
      const start = now();
      try {
        return await task();
      } finally {
        recorder.record(phase, now() - start);
      }
    },
    summary: () => Object.fromEntries([...phases].map(([phase, times]) => [phase, summarise(times)])),
  };
  return recorder;
}

function summarise(times: readonly number[]): LatencySummary {
  const sorted = times.toSorted((a, b) => a - b);
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  return { count: sorted.length, p50: rank(0.5), p95: rank(0.95), max: sorted.at(-1)! };
}
