// What an expression depends on: fields and the passing of time.

import type { SearchRecord } from './compile.ts';
import { expiry } from './dates.ts';
import { comparisonsOf, type Expression, mapComparisons } from './expression.ts';
import { plan } from './meaning.ts';
import { testsOf } from './plan.ts';
import type { Catalogue } from './registry.ts';
import type { MeaningOptions } from './typing.ts';

/**
 * The tokens that the expression reads, in order, each once. With a catalogue they are canonical and include the fields
 * behind special values (`Blocked` of the status also reads `common.blocked`); unknown fields are kept as written.
 */
export function fieldsOf(expression: Expression, catalogue?: Catalogue): string[] {
  const tokens = new Set<string>();
  for (const { field } of comparisonsOf(expression)) tokens.add(catalogue?.get(field)?.token ?? field);
  if (catalogue !== undefined) {
    for (const comparison of comparisonsOf(expression)) {
      const values = catalogue.get(comparison.field)?.values ?? [];
      for (const { also } of values) if (also !== undefined) tokens.add(catalogue.get(also.field)?.token ?? also.field);
    }
  }
  return [...tokens];
}

/** The same expression with canonical tokens in place of aliases and other spellings. */
export function canonical(expression: Expression, catalogue: Catalogue): Expression {
  return mapComparisons(expression, (c) => ({ ...c, field: catalogue.get(c.field)?.token ?? c.field }));
}

/** Can the result change though no fact does, because relative dates move on? */
export function isTimeDependent(expression: Expression): boolean {
  for (const { operator } of comparisonsOf(expression)) {
    if (operator === 'within the last' || operator === 'not within the last') return true;
  }
  return false;
}

/**
 * When to evaluate a record again though none of its facts changes: the returned function gives the earliest instant
 * after `now` at which some relative date of the expression turns for this record, or `null` when none ever does. The
 * result of the expression as a whole does not have to change then, but before then it cannot.
 * @example
 * const due = nextChange(parse('"common.last_connected_at" within the last 30 days'), { catalogue });
 * due({ 'common.last_connected_at': lastSeen }, now); // lastSeen + 30 days + 1 ms
 */
export function nextChange(
  expression: Expression,
  options: MeaningOptions = {},
): (record: SearchRecord, now: number) => number | null {
  const tests = [...testsOf(plan(expression, options))].flatMap(({ token, predicate }) =>
    predicate.kind === 'within' ? [{ token, duration: predicate.duration }] : [],
  );
  return (record, now) => {
    let earliest: number | null = null;
    const consider = (at: number | null): void => {
      if (at !== null && at > now && (earliest === null || at < earliest)) earliest = at;
    };
    for (const { token, duration } of tests) {
      const value = record[token];
      for (const v of Array.isArray(value) ? value : [value]) {
        if (typeof v !== 'number' || !Number.isFinite(v)) continue;
        // A date in the future begins to count when it comes.
        if (v > now) consider(v);
        else consider(expiry(v, duration));
      }
    }
    return earliest;
  };
}
