// Exponential backoff, one formula for every store and the notifier.
import type { Backoff } from '../contracts/queue.ts';

/** The delay before the n-th repetition (n from 0): `min(maxMs, baseMs * 2^n)`, n cut at 20. */
export function backoffDelay({ baseMs, maxMs }: Backoff, n: number): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(Math.max(n, 0), 20));
}
