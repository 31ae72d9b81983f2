// The error that something throws, which must be a PlistError.
import { expect } from 'vitest';
import { PlistError } from '../../src/index.ts';

/** Calls and returns the error; fails when there is none, or when it is of another class. */
export function errorOf(call: () => unknown): PlistError {
  try {
    call();
  } catch (error) {
    if (!(error instanceof PlistError)) throw error;
    return error;
  }
  return expect.fail('nothing was thrown');
}
