// Remarks on expressions that run, and probably not as meant.
import { before } from './dates.ts';
import { SearchError } from './errors.ts';
import { type Comparison, comparisonsOf, type Expression } from './expression.ts';
import type { ComparisonSpan, SearchIssue } from './issue.ts';
import { plan } from './meaning.ts';
import type { Plan, Predicate, Test } from './plan.ts';
import { valueTest } from './predicate.ts';
import type { Catalogue } from './registry.ts';
import { storageOf } from './storage.ts';

/** How to lint. */
export interface LintOptions {
  /** Where the comparisons stand in the text, so that issues say where they are. */
  readonly spans?: ReadonlyMap<Comparison, ComparisonSpan>;
}

interface Signed {
  readonly test: Test;
  readonly negated: boolean;
}

/**
 * Looks for conditions that nothing or everything satisfies and for negations that catch more than meant. Codes:
 * `always-false`, `always-true`, `negated-date-includes-blank` (warnings), `negated-flag-includes-blank` (info). Every
 * finding is true; not every contradiction is found. Gives nothing for an expression that has errors.
 * @example lint(parse('"common.platform" = "iOS" AND "common.platform" = "Android"'), catalogue)[0]?.code // 'always-false'
 */
export function lint(expression: Expression, catalogue: Catalogue, options: LintOptions = {}): SearchIssue[] {
  let root: Plan;
  try {
    root = plan(expression, { catalogue, sensitive: true });
  } catch (thrown) {
    if (thrown instanceof SearchError) return [];
    throw thrown;
  }
  const issues: SearchIssue[] = [];
  const name = (test: Test): string => test.field?.displayName ?? test.token;
  const add = (code: string, severity: SearchIssue['severity'], test: Test, message: string): void => {
    if (issues.some((i) => i.code === code && i.field === test.token)) return;
    issues.push({
      code,
      severity,
      message,
      field: test.token,
      ...place(expression, test.token, catalogue, options.spans),
    });
  };

  const visit = (node: Plan, negated: boolean, required: readonly Test[]): void => {
    if (node.kind === 'constant') return;
    if (node.kind === 'not') {
      visit(node.item, !negated, required);
      return;
    }
    if (node.kind === 'test') {
      if (negated) negations(node, required, add, name);
      return;
    }
    const isAnd = (node.kind === 'and') !== negated;
    const signed = node.items.flatMap((item) => leaf(item, negated));
    for (const [test, group] of byToken(signed)) {
      // "All hold" is impossible, or, by contraposition, "none holds" is.
      const wanted = isAnd ? group : group.map((s) => ({ ...s, negated: !s.negated }));
      if (!impossible(wanted)) continue;
      const message = isAnd
        ? `no device meets all the conditions on ${name(test)}`
        : `every device meets one of the conditions on ${name(test)}`;
      add(isAnd ? 'always-false' : 'always-true', 'warning', test, message);
    }
    const known = isAnd ? [...required, ...signed.filter((s) => !s.negated).map((s) => s.test)] : required;
    for (const item of node.items) visit(item, negated, known);
  };
  visit(root, false, []);
  return issues;
}

function leaf(item: Plan, negated: boolean): Signed[] {
  if (item.kind === 'not') return leaf(item.item, !negated);
  return item.kind === 'test' ? [{ test: item, negated }] : [];
}

function byToken(signed: readonly Signed[]): [Test, Signed[]][] {
  const groups = new Map<string, [Test, Signed[]]>();
  for (const s of signed) {
    const group = groups.get(s.test.token);
    if (group === undefined) groups.set(s.test.token, [s.test, [s]]);
    else group[1].push(s);
  }
  return [...groups.values()].filter(([, group]) => group.length > 1);
}

function negations(
  test: Test,
  required: readonly Test[],
  add: (code: string, severity: SearchIssue['severity'], test: Test, message: string) => void,
  name: (test: Test) => string,
): void {
  // A positive condition on the same field keeps blank out already.
  if (test.predicate.kind === 'present' || test.missing || required.some((r) => r.token === test.token)) return;
  if (test.field?.whenMissing !== undefined) return;
  const remedy = `add AND "${test.token}" is not null to leave them out`;
  if (test.type === 'ts' || test.type === 'date') {
    const future = test.predicate.kind === 'within' ? ', and dates in the future' : '';
    const message = `this also matches devices without ${name(test)}${future}; ${remedy}`;
    add('negated-date-includes-blank', 'warning', test, message);
  } else if (test.type === 'bool') {
    const message = `this also matches devices of which ${name(test)} is not known; ${remedy}`;
    add('negated-flag-includes-blank', 'info', test, message);
  }
}

// Can no value make all of these true? Tried with enough values to be sure; `false` also when it cannot be told.
function impossible(group: readonly Signed[]): boolean {
  const negative = new Set(group.filter((s) => s.negated).map((s) => JSON.stringify(s.test.predicate)));
  if (group.some((s) => !s.negated && negative.has(JSON.stringify(s.test.predicate)))) return true;
  const field = group[0]!.test.field;
  if (field === undefined || field.multi === true) return false;
  const values = candidates(group);
  return values !== null && !values.some((value) => group.every((s) => holds(s.test, value) !== s.negated));
}

const NOW = Date.UTC(2025, 5, 15);

// `null` stands for the blank value; versions are represented by their keys.
type Candidate = string | number | boolean | null;

function holds(test: Test, value: Candidate): boolean {
  if (value === null) return test.missing;
  const { predicate } = test;
  if (predicate.kind === 'present') return true;
  if (predicate.kind === 'version') {
    const { min, max } = predicate;
    const key = String(value);
    if (min !== undefined && (key < min.value || (key === min.value && !min.inclusive))) return false;
    return max === undefined || key < max.value || (key === max.value && max.inclusive);
  }
  return valueTest(predicate, test.type)(value, NOW);
}

function candidates(group: readonly Signed[]): Candidate[] | null {
  const predicates = group.map((s) => s.test.predicate);
  const only = (...kinds: Predicate['kind'][]): boolean =>
    predicates.every((p) => p.kind === 'present' || kinds.includes(p.kind));
  const pinned = group.find((s) => !s.negated && s.test.predicate.kind === 'equals');
  if (only('flag')) return [true, false, null];
  if (pinned !== undefined && only('equals', 'prefix', 'suffix', 'substring')) return keysOf(pinned.test.predicate);
  if (only('equals')) return [...predicates.flatMap(keysOf), '\u0001', null];
  if (only('range')) {
    const bounds = predicates.flatMap((p) => (p.kind === 'range' ? [p.min?.value ?? 0, p.max?.value ?? 0] : []));
    const sorted = [...new Set(bounds)].sort((a, b) => a - b);
    return [...sorted.flatMap((v, i) => [v, (v + (sorted[i + 1] ?? v + 2)) / 2]), (sorted[0] ?? 0) - 1, null];
  }
  if (only('version')) {
    const keys = predicates.flatMap((p) => (p.kind === 'version' ? [p.min?.value ?? '', p.max?.value ?? ''] : []));
    return [...keys.flatMap((key) => [key, `${key}\u0001`]), '', null];
  }
  if (only('within') && storageOf(group[0]!.test.field!.type) === 'number') {
    const starts = predicates.flatMap((p) => (p.kind === 'within' ? [before(NOW, p.duration)] : []));
    return [...starts.flatMap((t) => [t, t - 1]), NOW, NOW + 1, null];
  }
  return null;
}

const keysOf = (predicate: Predicate): string[] => (predicate.kind === 'equals' ? [...predicate.keys] : []);

function place(
  expression: Expression,
  token: string,
  catalogue: Catalogue,
  spans: LintOptions['spans'],
): { start: number; end: number } | Record<never, never> {
  if (spans === undefined) return {};
  let start = Number.POSITIVE_INFINITY;
  let end = 0;
  for (const comparison of comparisonsOf(expression)) {
    const span = spans.get(comparison);
    if (span === undefined || (catalogue.get(comparison.field)?.token ?? comparison.field) !== token) continue;
    start = Math.min(start, span.field[0]);
    end = Math.max(end, (span.value ?? span.operator)[1]);
  }
  return end === 0 ? {} : { start, end };
}
