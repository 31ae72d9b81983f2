// The expression tree, how to build one by hand, walk it and compare two.

/** Every operator in the spelling that the printer uses. */
export type Operator =
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'contains'
  | 'does not contain'
  | 'starts with'
  | 'does not start with'
  | 'ends with'
  | 'does not end with'
  | 'within the last'
  | 'not within the last'
  | 'in'
  | 'not in'
  | 'is null'
  | 'is not null';

/** A value as written: text in double quotes, a number, or `true` / `false`. */
export type Literal = string | number | boolean;

/** Units of a relative date. Days have 24 hours, weeks 7 days; months and years follow the calendar (UTC). */
export type DurationUnit = 'minute' | 'hour' | 'day' | 'week' | 'month' | 'year';

/** A stretch of time: a whole number of units, zero or more. */
export interface Duration {
  readonly amount: number;
  readonly unit: DurationUnit;
}

/** The operators that compare with one literal. */
export type ValueOperator = Exclude<
  Operator,
  'within the last' | 'not within the last' | 'in' | 'not in' | 'is null' | 'is not null'
>;

/** One comparison of a field. */
export type Comparison =
  | { readonly kind: 'comparison'; readonly field: string; readonly operator: ValueOperator; readonly value: Literal }
  | {
      readonly kind: 'comparison';
      readonly field: string;
      readonly operator: 'within the last' | 'not within the last';
      readonly value: Duration;
    }
  | {
      readonly kind: 'comparison';
      readonly field: string;
      readonly operator: 'in' | 'not in';
      readonly value: readonly Literal[];
    }
  | { readonly kind: 'comparison'; readonly field: string; readonly operator: 'is null' | 'is not null' };

/** A tree that restricts something. `items` has two or more entries, none of the same kind as the node itself. */
export type Condition =
  | Comparison
  | { readonly kind: 'and'; readonly items: readonly Condition[] }
  | { readonly kind: 'or'; readonly items: readonly Condition[] }
  | { readonly kind: 'not'; readonly item: Condition };

/** A whole query: a condition, or `everything` for the empty text. Trees are plain JSON data. */
export type Expression = Condition | { readonly kind: 'everything' };

/** The empty query, which matches every record. */
export const EVERYTHING: Expression = { kind: 'everything' };

function group(kind: 'and' | 'or', conditions: readonly Condition[]): Condition {
  const items: Condition[] = [];
  for (const c of conditions) {
    if (c.kind === kind) items.push(...c.items);
    else items.push(c);
  }
  return items.length === 1 ? items[0]! : { kind, items };
}

/** Joins with AND. `everything` disappears, nested ANDs are flattened; no condition at all gives `everything`. */
export function and(...expressions: readonly Expression[]): Expression {
  const conditions = expressions.filter((e): e is Condition => e.kind !== 'everything');
  return conditions.length === 0 ? EVERYTHING : group('and', conditions);
}

/** Joins with OR. One `everything` makes the whole `everything`; nested ORs are flattened. */
export function or(...expressions: readonly [Expression, ...Expression[]]): Expression {
  const conditions = expressions.filter((e): e is Condition => e.kind !== 'everything');
  return conditions.length < expressions.length ? EVERYTHING : group('or', conditions);
}

/** The complement of a condition: exactly the records that it does not match. */
export function not(condition: Condition): Condition {
  return { kind: 'not', item: condition };
}

/**
 * One comparison.
 * @example compare('common.platform', '=', 'iOS')
 */
export function compare(field: string, operator: ValueOperator, value: Literal): Comparison;
export function compare(
  field: string,
  operator: 'within the last' | 'not within the last',
  value: Duration,
): Comparison;
export function compare(field: string, operator: 'in' | 'not in', value: readonly Literal[]): Comparison;
export function compare(field: string, operator: 'is null' | 'is not null'): Comparison;
export function compare(field: string, operator: Operator, value?: unknown): Comparison {
  const node =
    value === undefined ? { kind: 'comparison', field, operator } : { kind: 'comparison', field, operator, value };
  return node as Comparison;
}

/** Every comparison of the tree, from left to right. */
export function* comparisonsOf(expression: Expression): Generator<Comparison> {
  const stack: Expression[] = [expression];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.kind === 'comparison') yield node;
    else if (node.kind === 'not') stack.push(node.item);
    else if (node.kind !== 'everything') for (let i = node.items.length - 1; i >= 0; i--) stack.push(node.items[i]!);
  }
}

/** A copy of the tree in which `replace` has had its way with every comparison; groups are flattened again. */
export function mapComparisons(expression: Condition, replace: (comparison: Comparison) => Condition): Condition;
export function mapComparisons(expression: Expression, replace: (comparison: Comparison) => Condition): Expression;
export function mapComparisons(expression: Expression, replace: (comparison: Comparison) => Condition): Expression {
  if (expression.kind === 'everything') return expression;
  if (expression.kind === 'comparison') return replace(expression);
  if (expression.kind === 'not') return { kind: 'not', item: mapComparisons(expression.item, replace) };
  return group(
    expression.kind,
    expression.items.map((item) => mapComparisons(item, replace)),
  );
}
