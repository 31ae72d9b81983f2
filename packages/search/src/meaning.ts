// From an expression to its plan.
import { SearchError } from './errors.ts';
import type { Comparison, Expression } from './expression.ts';
import { combine, complement, type Plan } from './plan.ts';
import { type MeaningOptions, readComparison } from './typing.ts';

/**
 * Makes the plan of an expression.
 * @throws {SearchError} `search.bad_operator`, `search.bad_value`, `search.sensitive`
 */
export function plan(expression: Expression, options: MeaningOptions = {}): Plan {
  switch (expression.kind) {
    case 'everything':
      return { kind: 'constant', value: true };
    case 'comparison':
      return planComparison(expression, options);
    case 'not':
      return complement(plan(expression.item, options));
    default:
      return combine(
        expression.kind,
        expression.items.map((item) => plan(item, options)),
      );
  }
}

function planComparison(comparison: Comparison, options: MeaningOptions): Plan {
  const read = readComparison(comparison, options);
  if (read.plan !== undefined) return read.plan;
  const { code, message, expected, suggestion } = read.issue;
  const errorCode =
    code === 'bad-operator-for-type'
      ? 'search.bad_operator'
      : code === 'sensitive'
        ? 'search.sensitive'
        : 'search.bad_value';
  const remedy = suggestion ?? (expected === undefined ? undefined : `use one of: ${expected.join(', ')}`);
  throw new SearchError(errorCode, code === 'sensitive' ? 'forbidden' : 'invalid', message, {
    at: { path: comparison.field },
    remedy,
  });
}
