// Whether facts and lists are equal, one rule for every store.
import type { FactValue } from '../api/common.ts';

/** Whether two fact values are the same; lists are compared in order. `null` and absent are the same. */
export function sameFact(a: FactValue | undefined, b: FactValue | undefined): boolean {
  const left = a ?? null;
  const right = b ?? null;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, i) => item === right[i]);
  }
  return left === right;
}

/** Whether two inventory lists say the same, in order. */
export function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && JSON.stringify(a) === JSON.stringify(b);
}
