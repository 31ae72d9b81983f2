// Time as the package takes it: always from the caller.

/** A source of the current time: epoch milliseconds, as a function or as an object with `now()` (e.g. `Date`). */
export type Clock = (() => number) | { now(): number };

/** The clock's time in epoch milliseconds. */
export function timeOf(clock: Clock): number {
  return typeof clock === 'function' && !('now' in clock) ? clock() : (clock as { now(): number }).now();
}

/** A source of random bytes. */
export type RandomSource = (size: number) => Uint8Array;

export const DAY_MS = 86_400_000;
