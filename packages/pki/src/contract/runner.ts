// How the suite meets a test runner: three functions, which vitest, jest and node:test's likes have.
import type { CertificateAuthority } from '../ca/authority.ts';

/** What the suite uses of an assertion. */
export interface AuthorityExpectation {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
}

/** The test runner's functions, e.g. those of vitest. */
export interface AuthorityContractRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
  /** `message` is shown when the assertion fails. */
  expect(actual: unknown, message?: string): AuthorityExpectation;
}

/** An authority to be tested, alone and afresh. */
export interface AuthorityFixture {
  readonly authority: CertificateAuthority;
  /** The time by which the authority issues, epoch milliseconds. */
  readonly now: () => number;
  /** Makes the issuer behind an adapter unreachable, where there is one. */
  readonly cutOff?: () => Promise<void> | void;
  readonly close?: () => Promise<void> | void;
}

/** Opens an authority; called once for each test. */
export type OpenAuthority = () => Promise<AuthorityFixture>;

/** What the tests are written with. */
export interface AuthoritySuite {
  readonly expect: AuthorityContractRunner['expect'];
  test(name: string, body: (fixture: AuthorityFixture) => Promise<void>): void;
}

/** What a promise was rejected with; an error of its own when it was not. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return new Error('nothing was refused');
}
