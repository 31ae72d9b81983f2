// Time as the package takes it: always from the caller.
import type { Clock } from '@espalier/pki';

export type { Clock };

/** The clock's time in epoch milliseconds. */
export function timeOf(clock: Clock): number {
  return typeof clock === 'function' && !('now' in clock) ? clock() : (clock as { now(): number }).now();
}

export const DAY_MS = 86_400_000;
