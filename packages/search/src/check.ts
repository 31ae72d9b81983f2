// The checker: does every field exist, does the operator fit its type, is the value one of the list?
import { type Comparison, comparisonsOf, type Expression, type Literal } from './expression.ts';
import type { Field } from './field.ts';
import { fold } from './fold.ts';
import type { ComparisonSpan, SearchIssue } from './issue.ts';
import { quote } from './lexer.ts';
import { nearest } from './nearest.ts';
import { operatorInfo } from './operators.ts';
import { type Parsed, type ParseOptions, parseTolerant } from './parser.ts';
import type { Catalogue } from './registry.ts';
import { readComparison } from './typing.ts';

/** How to check. */
export interface CheckOptions {
  /** Allow tests of secret values other than for being blank. */
  readonly sensitive?: boolean | undefined;
  /** Where the comparisons stand in the text (from {@link parseTolerant}), so that issues say where they are. */
  readonly spans?: ReadonlyMap<Comparison, ComparisonSpan>;
}

/**
 * Checks an expression against a catalogue. Codes: `unknown-field`, `bad-operator-for-type`, `bad-value`, `sensitive`
 * (errors); `unknown-enum-value`, `out-of-range` (warnings); `other-vendor` (info: no Apple device fills this field).
 */
export function check(expression: Expression, catalogue: Catalogue, options: CheckOptions = {}): SearchIssue[] {
  const issues: SearchIssue[] = [];
  let unknown = 0;
  for (const comparison of comparisonsOf(expression)) {
    const span = options.spans?.get(comparison);
    const add = (part: 'field' | 'operator' | 'value', issue: Omit<SearchIssue, 'start' | 'end' | 'field'>): void => {
      const at = span?.[part] ?? span?.operator;
      const field = catalogue.get(comparison.field)?.token ?? comparison.field;
      issues.push({ ...issue, field, start: at?.[0], end: at?.[1] });
    };
    const field = catalogue.get(comparison.field);
    if (field === undefined) {
      // Looking for similar names takes time, and after some of them nobody reads on.
      const similar = unknown++ < 5 ? catalogue.suggest(comparison.field) : [];
      add('field', {
        code: 'unknown-field',
        severity: 'error',
        message: `there is no field ${quote(comparison.field)}`,
        suggestion: similar.map(quote)[0],
        expected: similar.length === 0 ? undefined : similar.map(quote),
      });
      continue;
    }
    const { issue } = readComparison(comparison, { catalogue, sensitive: options.sensitive });
    if (issue !== undefined) {
      const { part, ...rest } = issue;
      add(part, { severity: 'error', ...rest });
      continue;
    }
    checkValues(comparison, field, (found) => add('value', found));
    if (field.vendor === 'other') {
      add('field', {
        code: 'other-vendor',
        severity: 'info',
        message: `${field.displayName} is filled by another platform or product, never by Apple's device management`,
      });
    }
  }
  return issues;
}

function checkValues(
  c: Comparison,
  field: Field,
  add: (issue: Omit<SearchIssue, 'start' | 'end' | 'field'>) => void,
): void {
  if (!('value' in c) || c.operator === 'within the last' || c.operator === 'not within the last') return;
  const list = typeof c.value === 'object';
  const values = (list ? c.value : [c.value]) as readonly Literal[];
  const exact = list || (operatorInfo(c.operator).negates ?? c.operator) === '=';
  for (const value of values) {
    if (exact && field.values !== undefined && field.values.length > 0 && value !== '') {
      const names = field.values.flatMap((v) => [v.value, ...(v.aliases ?? [])]);
      const written = fold(String(value).trim());
      if (!names.some((name) => fold(name) === written)) {
        const similar = nearest(String(value), names, 1)[0];
        add({
          code: 'unknown-enum-value',
          severity: 'warning',
          message: `${field.displayName} has no known value ${quote(String(value))}`,
          expected: field.values.map((v) => quote(v.value)),
          suggestion: similar && quote(similar),
        });
      }
    }
    if (field.type === 'pct' && value !== '' && (Number(value) < 0 || Number(value) > 100)) {
      add({ code: 'out-of-range', severity: 'warning', message: 'a percentage is 0 to 100' });
    }
  }
}

/**
 * Everything an input box needs on each keystroke: tolerant parse and, with a catalogue, the check, in one list.
 * @example validate('"common.platfrom" = "iOS"', catalogue).diagnostics[0]?.suggestion // '"common.platform"'
 */
export function validate(
  text: string,
  catalogue?: Catalogue,
  options: ParseOptions & Omit<CheckOptions, 'spans'> = {},
): Parsed {
  const parsed = parseTolerant(text, options);
  if (catalogue === undefined || parsed.expression === null) return parsed;
  const { spans } = parsed;
  const checked = check(parsed.expression, catalogue, { ...options, spans });
  const diagnostics = [...parsed.diagnostics, ...checked].sort((a, b) => (a.start ?? 0) - (b.start ?? 0));
  return { ...parsed, ok: diagnostics.every((d) => d.severity !== 'error'), diagnostics };
}
