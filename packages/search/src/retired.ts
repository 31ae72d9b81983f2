// The check box "Exclude retired devices".
import { and, compare, type Expression } from './expression.ts';

/** The same search without retired devices. A device whose `common.retired` is not known stays in. */
export function excludeRetired(expression: Expression): Expression {
  return and(expression, compare('common.retired', '!=', true));
}
