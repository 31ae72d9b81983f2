// The evaluator: an expression compiled to a function of a record and an instant.
import type { Expression } from './expression.ts';
import { plan } from './meaning.ts';
import type { Plan, Test } from './plan.ts';
import { valueTest } from './predicate.ts';
import type { MeaningOptions } from './typing.ts';

/** A value of a field: text, number, flag, or several of them; dates and times are epoch milliseconds (UTC). */
export type FactValue = string | number | boolean | null | readonly (string | number | boolean)[];

/** What is known about one device, by canonical field token. An absent field is null. */
export type SearchRecord = Readonly<Record<string, FactValue | undefined>>;

/** A compiled expression. `now` is the instant (epoch milliseconds) from which relative dates count. */
export type Matcher = (record: SearchRecord, now: number) => boolean;

/**
 * Compiles an expression to a function. With a catalogue, values are compared by the field's type, aliases are resolved,
 * and a field that the catalogue does not know is null; without one, the type is inferred from the value: text, number,
 * flag; a relative date is a time; ordering against text compares dates where it is a date, else versions.
 * @throws {SearchError} `search.bad_operator`, `search.bad_value`, `search.sensitive`
 * @example
 * const matches = compile(parse('"common.battery_level" < 20'), { catalogue });
 * matches({ 'common.battery_level': 12 }, Date.now()); // true
 */
export function compile(expression: Expression, options: MeaningOptions = {}): Matcher {
  return compilePlan(plan(expression, options));
}

/** Compiles a plan. */
export function compilePlan(node: Plan): Matcher {
  switch (node.kind) {
    case 'constant':
      return node.value ? () => true : () => false;
    case 'test':
      return compileTest(node);
    case 'not': {
      const item = compilePlan(node.item);
      return (record, now) => !item(record, now);
    }
    case 'and':
      return all(node.items.map(compilePlan));
    case 'or':
      return any(node.items.map(compilePlan));
  }
}

function compileTest({ token, type, predicate, missing }: Test): Matcher {
  const test = valueTest(predicate, type);
  if (!missing) {
    return (record, now) => {
      const value = record[token];
      return typeof value === 'object' && value !== null ? value.some((v) => test(v, now)) : test(value, now);
    };
  }
  const present = valueTest({ kind: 'present' }, type);
  return (record, now) => {
    const value = record[token];
    if (typeof value !== 'object' || value === null) return test(value, now) || !present(value, now);
    return value.some((v) => test(v, now)) || !value.some((v) => present(v, now));
  };
}

// Two and three conditions are the ordinary case; a loop costs more than the tests themselves.
function all(items: readonly Matcher[]): Matcher {
  const [a, b, c] = items as readonly [Matcher, Matcher, Matcher];
  if (items.length === 2) return (record, now) => a(record, now) && b(record, now);
  if (items.length === 3) return (record, now) => a(record, now) && b(record, now) && c(record, now);
  return (record, now) => {
    for (const item of items) if (!item(record, now)) return false;
    return true;
  };
}

function any(items: readonly Matcher[]): Matcher {
  const [a, b, c] = items as readonly [Matcher, Matcher, Matcher];
  if (items.length === 2) return (record, now) => a(record, now) || b(record, now);
  if (items.length === 3) return (record, now) => a(record, now) || b(record, now) || c(record, now);
  return (record, now) => {
    for (const item of items) if (item(record, now)) return true;
    return false;
  };
}
