// How the suite meets a test runner: three functions, which vitest, jest and node:test's likes have.
import type { Store } from '../contracts/store.ts';

/** What the suite uses of an assertion. */
export interface Expectation {
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toMatchObject(expected: object): void;
}

/** The test runner's functions, e.g. those of vitest: `storeContract(name, open, { describe, it, expect })`. */
export interface ContractRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
  expect(actual: unknown): Expectation;
}

/** Opens an empty store. */
export type OpenStore = () => Promise<Store>;

/** What one domain's tests are written with. */
export interface Suite {
  readonly expect: ContractRunner['expect'];
  /** A test with a fresh store, which is closed afterwards. */
  test(name: string, body: (store: Store) => Promise<void>): void;
}
