// The evaluator: an expression compiled to a function of a record and an instant.
import type { Expression } from './expression.ts';
import { plan } from './meaning.ts';
import type { Plan, Test } from './plan.ts';
import { equalsFolded, rangeTest, trimmed, valueTest } from './predicate.ts';
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
      return () => node.value;
    case 'test':
      return compileTest(node, false);
    case 'not': {
      if (node.item.kind === 'test') return compileTest(node.item, true);
      const item = compilePlan(node.item);
      return (record, now) => !item(record, now);
    }
    case 'and':
      return join(node.items.map(compilePlan), false);
    case 'or':
      return join(node.items.map(compilePlan), true);
  }
}

function compileTest(node: Test, negated: boolean): Matcher {
  const { token, type, predicate, missing } = node;
  const test = valueTest(predicate, type);
  const present = valueTest({ kind: 'present' }, type);
  // Any value: several of them, or none.
  const general = (value: FactValue | undefined, now: number): boolean => {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    return values.some((v) => test(v, now)) || (missing && !values.some((v) => present(v, now)));
  };
  // The most frequent tests do without a call for the value, which would take as long as the test.
  if (predicate.kind === 'flag' && !missing) {
    const { value: wanted } = predicate;
    return (record, now) => {
      const value = record[token];
      return (typeof value === 'object' ? general(value, now) : value === wanted) !== negated;
    };
  }
  if (predicate.kind === 'range' && !missing) {
    const inRange = rangeTest(predicate);
    return (record, now) => {
      const value = record[token];
      return (typeof value === 'number' ? inRange(value) : general(value, now)) !== negated;
    };
  }
  if (predicate.kind === 'equals' && predicate.keys.length < 9 && type !== 'mac' && type !== 'udid' && !missing) {
    const { keys } = predicate;
    const trim = type === 'enum';
    // Fleets spell a value the same way again and again, and the same text is recognised without reading it.
    const spellings = [...keys];
    return (record, now) => {
      const value = record[token];
      if (typeof value !== 'string') {
        return (value !== null && value !== undefined && general(value, now)) !== negated;
      }
      for (let i = 0; i < spellings.length; i++) if (value === spellings[i]) return !negated;
      for (let i = 0; i < keys.length; i++) {
        if (!equalsFolded(value, keys[i]!)) continue;
        spellings[i] = value;
        return !negated;
      }
      return (trim && trimmed(value) !== value && test(value, now)) !== negated;
    };
  }
  return (record, now) => {
    const value = record[token];
    return (missing || typeof value === 'object' ? general(value, now) : test(value, now)) !== negated;
  };
}

// `until` true: OR; false: AND. A loop costs more than the tests themselves where there are few.
function join(items: readonly Matcher[], until: boolean): Matcher {
  const [a, b, c, ...rest] = items as [Matcher, Matcher, Matcher];
  if (rest.length > 0) {
    const others = join(rest, until);
    const first = join([a, b, c], until);
    return until ? (r, now) => first(r, now) || others(r, now) : (r, now) => first(r, now) && others(r, now);
  }
  if (c !== undefined) {
    return until ? (r, now) => a(r, now) || b(r, now) || c(r, now) : (r, now) => a(r, now) && b(r, now) && c(r, now);
  }
  if (b === undefined) return a;
  return until ? (r, now) => a(r, now) || b(r, now) : (r, now) => a(r, now) && b(r, now);
}
