// The canonical printer.
import { SearchError } from './errors.ts';
import type { Comparison, Condition, Duration, Expression, Literal } from './expression.ts';
import { isText } from './fold.ts';
import { quote } from './lexer.ts';
import { operatorInfo } from './operators.ts';
import { isToken } from './registry.ts';
import { MAX_AMOUNT } from './values.ts';

/**
 * Prints the tree in its one canonical form: quoted fields, single spaces, AND/OR in capitals, no parenthesis more than
 * needed. `parse` of the result is the same tree, and printing that gives the same text again.
 * @throws {SearchError} `search.bad_value` for a hand-made tree that cannot be written (a field without a dot, NaN, a
 *   negative duration, NUL in a text)
 */
export function print(expression: Expression): string {
  return expression.kind === 'everything' ? '' : printCondition(expression, 0);
}

// Binding strength: OR 0, AND 1, NOT 2.
function printCondition(node: Condition, context: number): string {
  switch (node.kind) {
    case 'comparison':
      return printComparison(node);
    case 'not':
      return wrap(`NOT ${printCondition(node.item, 3)}`, context > 2);
    case 'and':
      return wrap(node.items.map((item) => printCondition(item, 2)).join(' AND '), context > 1);
    case 'or':
      return wrap(node.items.map((item) => printCondition(item, 1)).join(' OR '), context > 0);
  }
}

const wrap = (text: string, parentheses: boolean): string => (parentheses ? `(${text})` : text);

function unprintable(message: string): never {
  throw new SearchError('search.bad_value', 'invalid', message);
}

/** Prints one comparison. */
export function printComparison(node: Comparison): string {
  if (!isToken(node.field)) unprintable(`${quote(node.field)} is not a field token`);
  const head = `${quote(node.field)} ${node.operator}`;
  switch (node.operator) {
    case 'is null':
    case 'is not null':
      return head;
    case 'within the last':
    case 'not within the last':
      return `${head} ${printDuration(node.value)}`;
    case 'in':
    case 'not in':
      if (node.value.length === 0) unprintable('a list has at least one value');
      return `${head} (${node.value.map(printLiteral).join(', ')})`;
    default:
      if (operatorInfo(node.operator).operand === 'text' && typeof node.value !== 'string') {
        unprintable(`${node.operator} compares with text`);
      }
      return `${head} ${printLiteral(node.value)}`;
  }
}

function printDuration({ amount, unit }: Duration): string {
  if (!Number.isInteger(amount) || amount < 0 || amount > MAX_AMOUNT)
    unprintable(`${amount} is not a number of ${unit}s`);
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}

function printLiteral(value: Literal): string {
  if (typeof value === 'string')
    return isText(value) ? quote(value) : unprintable('text is well-formed Unicode without NUL');
  if (typeof value === 'boolean') return String(value);
  if (!(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) unprintable(`${value} cannot be written as a number`);
  return decimal(value + 0);
}

// JavaScript writes small numbers with an exponent; the language has none.
function decimal(value: number): string {
  const text = String(value);
  const m = /^(-?)(\d)(?:\.(\d+))?e-(\d+)$/.exec(text);
  return m === null ? text : `${m[1]}0.${'0'.repeat(Number(m[4]) - 1)}${m[2]}${m[3] ?? ''}`;
}
