// Shared by the tests: a fixed clock and the code of what is thrown.
import { AdeError } from '../src/index.ts';

/** 2026-03-01T00:00:00Z. */
export const clock = { now: (): number => Date.UTC(2026, 2, 1) };

/** A field (default the code) of the AdeError that a call throws; anything else that is thrown fails the test. */
export function codeOf<K extends keyof AdeError = 'code'>(call: () => unknown, field: K = 'code' as K): AdeError[K] {
  try {
    call();
  } catch (error) {
    if (error instanceof AdeError) return error[field];
    throw error;
  }
  throw new Error('nothing was thrown');
}
