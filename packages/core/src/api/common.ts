// Small types that every part of the engine's interface shares.

/** The time as the engine sees it: milliseconds since the Unix epoch. Injected, so that tests own it. */
export interface Clock {
  now(): number;
}

/** Randomness as the engine sees it: `length` unpredictable bytes. Injected, so that tests own it. */
export type RandomBytes = (length: number) => Uint8Array;

/** One value of a device fact. Dates are milliseconds since the Unix epoch. */
export type FactValue = string | number | boolean | null | readonly (string | number | boolean)[];

/** What is known of one device, keyed by search token (`common.platform`, `ios.supervised` …). Absent means unknown. */
export type Facts = Readonly<Record<string, FactValue>>;

/** A page of a listing: pass `next` back as `after` for the following page; `null` at the end. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** Which page of a listing is wanted. */
export interface PageRequest {
  readonly after?: string;
  /** At most this many rows (default 50, at most 1,000). */
  readonly limit?: number;
}
