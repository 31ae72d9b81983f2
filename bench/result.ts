// The shape of a benchmark's results, and the timing that every benchmark shares.

/** One measured figure; `ratio` compares with a named peer in the same run. */
export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** How long one of them took, in milliseconds: half of them, and 99 of 100, took no longer. */
  readonly p50?: number;
  readonly p99?: number;
  /** What it is compared with. */
  readonly peer?: string;
  /** Ours divided by the peer's, larger is better. */
  readonly ratio?: number;
  /** The least ratio (or value, where there is no ratio) that is accepted. */
  readonly required?: number;
  readonly ok?: boolean;
}
