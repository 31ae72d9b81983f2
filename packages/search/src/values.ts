// Reading the operand of a comparison from the tokens: a literal or a duration.
import type { Duration, DurationUnit, Literal } from './expression.ts';
import { quote, type Token } from './lexer.ts';

interface ValueIssue {
  readonly code: string;
  readonly message: string;
  readonly end?: number | undefined;
  readonly suggestion?: string | undefined;
}

/** AND, OR and NOT in any case. */
export function isKeyword(word: string): boolean {
  return /^(?:and|or|not)$/i.test(word);
}

/** Reads the literal at a place. `value` may be given together with an issue: what was probably meant. */
export function readLiteral(
  tokens: readonly Token[],
  at: number,
  textOnly: boolean,
): { readonly value: Literal | null; readonly issue?: ValueIssue } {
  const token = tokens[at]!;
  switch (token.kind) {
    case 'string':
      if (token.fault === undefined) return { value: token.value };
      // Text in the wrong kind of quotes is still readable.
      return {
        value: token.fault.suggestion !== undefined && token.fault.code !== 'unterminated-string' ? token.value : null,
        issue: token.fault,
      };
    case 'number': {
      const value = Number(token.value) + 0;
      if (textOnly)
        return {
          value: null,
          issue: {
            code: 'expected-value',
            message: 'this operator compares with text',
            suggestion: quote(token.value),
          },
        };
      if (Math.abs(value) > Number.MAX_SAFE_INTEGER) {
        return {
          value: null,
          issue: {
            code: 'bad-number',
            message: `${token.value.slice(0, 40)} is too large for a number`,
            suggestion: quote(token.value),
          },
        };
      }
      return { value };
    }
    case 'word': {
      const lower = token.value.toLowerCase();
      if (!textOnly && (lower === 'true' || lower === 'false')) return { value: lower === 'true' };
      if (isKeyword(token.value))
        return { value: null, issue: { code: 'expected-value', message: `a value is missing before ${token.value}` } };
      return {
        value: token.value,
        issue: { code: 'expected-value', message: 'text must be in double quotes', suggestion: quote(token.value) },
      };
    }
    case 'end':
    case ')':
      return { value: null, issue: { code: 'expected-value', message: 'a value is missing' } };
    default:
      return {
        value: null,
        issue: token.fault ?? { code: 'expected-value', message: `a value cannot begin with ${token.value}` },
      };
  }
}

/** The units of a duration, singular. */
export const UNITS: readonly DurationUnit[] = ['minute', 'hour', 'day', 'week', 'month', 'year'];

/** The largest number of units. */
export const MAX_AMOUNT = 999_999_999;

function unitOf(word: string): DurationUnit | undefined {
  const lower = word.toLowerCase();
  return UNITS.find((unit) => lower === unit || lower === `${unit}s`);
}

/** Reads `30 days` or `"30 days"` at a place; `length` tells how many tokens it took. */
export function readDuration(
  tokens: readonly Token[],
  at: number,
):
  | { readonly duration: Duration; readonly length: number; readonly issue?: never }
  | { readonly issue: ValueIssue; readonly duration?: never; readonly length?: never } {
  const token = tokens[at]!;
  const bad = (
    message: string,
    more: { end?: number; suggestion?: string | undefined } = {},
  ): { issue: ValueIssue } => ({
    issue: { code: 'bad-duration', message, ...more },
  });
  let amountText: string;
  let unitText: string;
  let end = token.end;
  let length = 1;
  if (token.kind === 'string' && token.fault === undefined) {
    const m = /^\s*(-?\d+(?:\.\d+)?)\s*(\p{L}+)\s*$/u.exec(token.value);
    if (m === null) return bad(`${quote(token.value)} is not a number and a unit, such as 30 days`);
    [, amountText = '', unitText = ''] = m;
  } else if (token.kind === 'number') {
    const unit = tokens[at + 1]!;
    amountText = token.value;
    if (unit.kind !== 'word' || isKeyword(unit.value))
      return bad(`a unit is missing after ${amountText}`, { suggestion: `${amountText} days` });
    unitText = unit.value;
    end = unit.end;
    length = 2;
  } else {
    return {
      issue: token.fault ?? { code: 'bad-duration', message: 'a number and a unit are missing, such as 30 days' },
    };
  }
  const amount = Number(amountText) + 0;
  const unit = unitOf(unitText);
  if (unit === undefined) {
    const like = UNITS.find((u) => u[0] === unitText[0]?.toLowerCase());
    return bad(`${unitText} is not a unit of time`, {
      end,
      suggestion: like && `${amountText} ${like}s`,
    });
  }
  if (!Number.isInteger(amount) || amount < 0 || amount > MAX_AMOUNT) {
    return bad(`the number of ${unit}s must be whole, from 0 to ${MAX_AMOUNT}`, { end });
  }
  return { duration: { amount, unit }, length };
}
