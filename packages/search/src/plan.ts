// The plan: the expression with every field resolved, every value read as the field's type and every negative operator
// written as the complement of a positive one. The evaluator and the SQL compilers both start from here, which is what
// keeps them in agreement.
import type { Duration } from './expression.ts';
import type { Field, FieldType } from './field.ts';

/** What a value must satisfy. Ranges: `min`/`max` absent means unbounded. */
export type Predicate =
  | { readonly kind: 'equals'; readonly keys: readonly string[] }
  | { readonly kind: 'prefix' | 'suffix' | 'substring'; readonly key: string }
  | { readonly kind: 'flag'; readonly value: boolean }
  | { readonly kind: 'range'; readonly min?: Bound<number>; readonly max?: Bound<number> }
  | { readonly kind: 'version'; readonly min?: Bound<string>; readonly max?: Bound<string> }
  | { readonly kind: 'within'; readonly duration: Duration }
  | { readonly kind: 'present' };

/** One end of a range. */
export interface Bound<T> {
  readonly value: T;
  readonly inclusive: boolean;
}

/** A test of one field. True when some value of the field satisfies the predicate. */
export interface Test {
  readonly kind: 'test';
  /** Canonical token. */
  readonly token: string;
  /** The catalogue's field; absent when there is no catalogue and the type was inferred from the value. */
  readonly field?: Field | undefined;
  /** `any` only for the blank test of a field without a catalogue. */
  readonly type: FieldType | 'any';
  readonly predicate: Predicate;
  /** The result for a record without a value (a field's `whenMissing` may satisfy the predicate). */
  readonly missing: boolean;
}

/** A plan. */
export type Plan =
  | Test
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'and' | 'or'; readonly items: readonly Plan[] }
  | { readonly kind: 'not'; readonly item: Plan };

/** The complement; a double negation disappears. */
export function complement(item: Plan): Plan {
  if (item.kind === 'constant') return { kind: 'constant', value: !item.value };
  return item.kind === 'not' ? item.item : { kind: 'not', item };
}

/**
 * AND or OR with constants taken out, nested groups flattened, and equalities of one field made one test
 * (`a = x OR a = y`, and likewise `a != x AND a != y`).
 */
export function combine(kind: 'and' | 'or', plans: readonly Plan[]): Plan {
  const items: Plan[] = [];
  const equalities = new Map<string, number>();
  const add = (item: Plan): void => {
    const test = kind === 'or' ? item : item.kind === 'not' ? item.item : undefined;
    if (test?.kind !== 'test' || test.predicate.kind !== 'equals') {
      items.push(item);
      return;
    }
    const at = equalities.get(test.token);
    if (at === undefined) {
      equalities.set(test.token, items.push(item) - 1);
      return;
    }
    const first = items[at] as Test & { readonly item: Test };
    const { missing, predicate } = kind === 'or' ? first : first.item;
    const keys = [...(predicate as typeof test.predicate).keys, ...test.predicate.keys];
    const merged: Test = {
      ...test,
      missing: missing || test.missing,
      predicate: { kind: 'equals', keys: [...new Set(keys)] },
    };
    items[at] = kind === 'or' ? merged : { kind: 'not', item: merged };
  };
  for (const item of plans) {
    if (item.kind === 'constant') {
      if (item.value === (kind === 'or')) return item;
    } else if (item.kind === kind) item.items.forEach(add);
    else add(item);
  }
  if (items.length === 0) return { kind: 'constant', value: kind === 'and' };
  return items.length === 1 ? items[0]! : { kind, items };
}

/** Every test of a plan. */
export function* testsOf(root: Plan): Generator<Test> {
  const stack: Plan[] = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.kind === 'test') yield node;
    else if (node.kind === 'not') stack.push(node.item);
    else if (node.kind !== 'constant') stack.push(...[...node.items].reverse());
  }
}
