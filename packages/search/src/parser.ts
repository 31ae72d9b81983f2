// The tolerant parser: text in, as much of a tree as can be had, and what is wrong with the rest.
import {
  and,
  type Comparison,
  type Condition,
  type Duration,
  EVERYTHING,
  type Expression,
  not,
  or,
} from './expression.ts';
import { isText } from './fold.ts';
import type { ComparisonSpan, SearchIssue } from './issue.ts';
import { quote, type Token, tokenize } from './lexer.ts';
import { DEFAULT_LIMITS, type SearchLimits } from './limits.ts';
import { matchOperator, unknownOperator } from './match-operator.ts';
import { operatorInfo } from './operators.ts';
import { isToken } from './registry.ts';
import { isKeyword, readDuration, readLiteral, UNITS } from './values.ts';

/** How to parse. */
export interface ParseOptions {
  readonly limits?: Partial<SearchLimits>;
  /** Make it an error, not a warning, to mix AND and OR without parentheses. */
  readonly strict?: boolean;
}

/** What the tolerant parser found. */
export interface Parsed {
  /** No diagnostic is an error. */
  readonly ok: boolean;
  /** The tree; with errors, what is left when the faulty comparisons are dropped (`null` when nothing is). */
  readonly expression: Expression | null;
  readonly diagnostics: readonly SearchIssue[];
  /** Where each comparison of the tree stands in the text. */
  readonly spans: ReadonlyMap<Comparison, ComparisonSpan>;
}

const MAX_DIAGNOSTICS = 20;
const FIELD = ['a field in double quotes', '(', 'NOT'] as const;
const VALUE = ['text in double quotes', 'a number', 'true', 'false'] as const;

class Abandon {}

/**
 * Parses with error recovery: never throws, and reports every fault with its place. Linear in the length of the text.
 * @example parseTolerant('"common.platform" = iOS').diagnostics[0]?.suggestion // '"iOS"'
 */
export function parseTolerant(text: string, options: ParseOptions = {}): Parsed {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const diagnostics: SearchIssue[] = [];
  const spans = new Map<Comparison, ComparisonSpan>();
  let expression: Expression | null = null;
  try {
    expression = run(text, limits, options.strict ?? false, diagnostics, spans);
  } catch (thrown) {
    if (!(thrown instanceof Abandon)) throw thrown;
  }
  diagnostics.sort((a, b) => (a.start ?? 0) - (b.start ?? 0));
  return { ok: diagnostics.every((d) => d.severity !== 'error'), expression, diagnostics, spans };
}

function run(
  text: string,
  limits: SearchLimits,
  strict: boolean,
  diagnostics: SearchIssue[],
  spans: Map<Comparison, ComparisonSpan>,
): Expression | null {
  const report = (
    code: string,
    message: string,
    at: { start: number; end: number },
    more: Partial<SearchIssue> = {},
  ): void => {
    if (diagnostics.length < MAX_DIAGNOSTICS) {
      diagnostics.push({ code, severity: 'error', message, start: at.start, end: at.end, ...more });
    }
  };
  const abandon = (code: string, message: string, at: { start: number; end: number }): never => {
    diagnostics.length = Math.min(diagnostics.length, MAX_DIAGNOSTICS - 1);
    report(code, message, at);
    throw new Abandon();
  };

  if (text.length > limits.maxLength) {
    abandon('too-long', `an expression has at most ${limits.maxLength} characters`, {
      start: limits.maxLength,
      end: text.length,
    });
  }
  const tokens = tokenize(text);
  let at = 0;
  let comparisons = 0;
  const peek = (ahead = 0): Token => tokens[Math.min(at + ahead, tokens.length - 1)]!;
  const isWord = (token: Token, value: string): boolean => token.kind === 'word' && token.value.toUpperCase() === value;
  const fault = (token: Token): boolean => {
    if (token.fault === undefined) return false;
    const { code, message, suggestion } = token.fault;
    report(code, message, token, { suggestion });
    return true;
  };

  // After a fault: on to the next AND, OR or closing parenthesis of the same level.
  const recover = (): void => {
    for (let open = 0; peek().kind !== 'end'; at++) {
      const token = peek();
      if (token.kind === '(') open++;
      else if (token.kind === ')' && open-- === 0) return;
      else if (open === 0 && (isWord(token, 'AND') || isWord(token, 'OR'))) return;
    }
  };

  const parseOr = (depth: number): Condition | null => {
    const items: Condition[] = [];
    let mixed = false;
    const from = peek().start;
    let groups = 0;
    while (true) {
      const { condition, size } = parseAnd(depth);
      groups++;
      if (size > 1) mixed = true;
      if (condition !== null) items.push(condition);
      if (!isWord(peek(), 'OR')) {
        if (groups > 1 && mixed) {
          report(
            'mixed-and-or',
            'AND binds tighter than OR: parentheses would show what is meant',
            { start: from, end: peek().kind === 'end' ? text.length : peek().start },
            { severity: strict ? 'error' : 'warning' },
          );
        }
        return items.length === 0 ? null : (or(items[0]!, ...items.slice(1)) as Condition);
      }
      fault(peek());
      at++;
    }
  };

  const parseAnd = (depth: number): { condition: Condition | null; size: number } => {
    const items: Condition[] = [];
    let size = 0;
    while (true) {
      const condition = parseUnary(depth);
      size++;
      if (condition !== null) items.push(condition);
      if (isWord(peek(), 'AND')) {
        fault(peek());
        at++;
      } else if (peek().kind === 'end' || peek().kind === ')' || isWord(peek(), 'OR')) break;
      else {
        report('expected-logic', `AND or OR is missing before ${show(peek())}`, peek(), { expected: ['AND', 'OR'] });
        if (peek().kind !== 'string' && peek().kind !== 'word' && peek().kind !== '(') {
          recover();
          if (!isWord(peek(), 'AND')) break;
          at++;
        }
      }
    }
    return { condition: items.length === 0 ? null : (and(...items) as Condition), size };
  };

  const parseUnary = (depth: number): Condition | null => {
    let negations = 0;
    for (; isWord(peek(), 'NOT'); at++) {
      fault(peek());
      if (negations++ > 0)
        report('expected-field', 'a second NOT needs parentheses: NOT (NOT …)', peek(), { expected: FIELD });
    }
    const primary = peek().kind === '(' ? parseGroup(depth) : parseComparison();
    return primary === null || negations % 2 === 0 ? primary : not(primary);
  };

  const parseGroup = (depth: number): Condition | null => {
    const open = peek();
    if (depth + 1 > limits.maxDepth)
      abandon('too-deep', `at most ${limits.maxDepth} parentheses inside each other`, open);
    at++;
    const condition = parseOr(depth + 1);
    if (peek().kind === ')') at++;
    else report('unbalanced-paren', 'the parenthesis is not closed', open, { expected: [')'] });
    return condition;
  };

  const count = (token: Token, by = 1): void => {
    comparisons += by;
    if (comparisons > limits.maxComparisons) {
      abandon('too-many', `an expression has at most ${limits.maxComparisons} comparisons`, token);
    }
  };

  const parseComparison = (): Condition | null => {
    const token = peek();
    const field = parseField(token);
    if (field === null) {
      recover();
      return null;
    }
    count(token);
    const first = peek();
    const operator = matchOperator(tokens, at);
    if (operator === null) {
      if (!fault(first)) {
        const { message, expected, suggestion, end } = unknownOperator(tokens, at);
        report(
          first.kind === 'end' || first.kind === ')' ? 'expected-operator' : 'bad-operator',
          message,
          { start: first.start, end },
          {
            expected,
            suggestion,
          },
        );
      }
      recover();
      return null;
    }
    fault(first);
    at += operator.length;
    const operatorEnd = peek(-1).end;
    const valueStart = peek();
    const { operand } = operatorInfo(operator.operator);
    const value =
      operand === 'nothing'
        ? undefined
        : operand === 'duration'
          ? parseDuration()
          : operand === 'list'
            ? parseList()
            : parseValue(operand === 'text');
    if (value === null) {
      recover();
      return null;
    }
    const node = {
      kind: 'comparison',
      field,
      operator: operator.operator,
      ...(value === undefined ? {} : { value }),
    } as Comparison;
    spans.set(node, {
      field: [token.start, token.end],
      operator: [first.start, operatorEnd],
      value: value === undefined ? undefined : [valueStart.start, peek(-1).end],
    });
    return node;
  };

  const parseField = (token: Token): string | null => {
    if (token.kind === 'string') {
      const missing = matchOperator(tokens, at + 1) === null ? missingQuote(token.value) : null;
      if (missing !== null) {
        report('missing-quote', `the closing double quote after ${missing.field} is missing`, token, {
          expected: ['"'],
          suggestion: `"${missing.field}" ${missing.operator} "`,
        });
        return null;
      }
      if (fault(token) && (token.fault!.code === 'unterminated-string' || !isToken(token.value))) return null;
      if (!isToken(token.value)) {
        report('bad-field', `${quote(token.value)} is not a field: a field is written "category.name"`, token, {
          expected: FIELD,
        });
        return null;
      }
      at++;
      return token.value;
    }
    if (token.kind === 'word' && !isKeyword(token.value)) {
      if (/^\p{L}[\p{L}\p{N}_-]*(?:\.\p{L}[\p{L}\p{N}_-]*)+$/u.test(token.value)) {
        at++;
        return token.value;
      }
      report('bad-field', `${token.value} is not a field: a field is written "category.name"`, token, {
        expected: FIELD,
      });
      return null;
    }
    if (fault(token)) return null;
    const message =
      token.kind === 'end'
        ? at === 0
          ? 'a field is missing'
          : `a comparison is missing after ${show(peek(-1))}`
        : token.kind === ')' && (at === 0 || peek(-1).kind !== '(')
          ? 'a comparison is missing before )'
          : `a comparison cannot begin with ${show(token)}`;
    report('expected-field', message, token, { expected: FIELD });
    return null;
  };

  const parseValue = (textOnly: boolean): string | number | boolean | null => {
    const token = peek();
    const { value, issue } = readLiteral(tokens, at, textOnly);
    if (issue !== undefined) {
      report(
        issue.code,
        issue.message,
        { start: token.start, end: issue.end ?? token.end },
        {
          expected: textOnly ? [VALUE[0]] : VALUE,
          suggestion: issue.suggestion,
        },
      );
    }
    if (value === null) return null;
    if (typeof value === 'string' && !isText(value)) {
      report('unexpected-character', 'text is well-formed Unicode without NUL', token);
      return null;
    }
    at++;
    return value;
  };

  const parseList = (): (string | number | boolean)[] | null => {
    if (peek().kind !== '(') {
      report('expected-value', 'a list in parentheses is missing', peek(), { expected: ['('] });
      return null;
    }
    const open = peek();
    at++;
    const list: (string | number | boolean)[] = [];
    while (true) {
      const token = peek();
      const value = parseValue(false);
      if (value === null) return null;
      if (list.length > 0) count(token);
      list.push(value);
      if (peek().kind === ')') break;
      if (peek().kind !== ',') {
        report('unbalanced-paren', 'the parenthesis is not closed', open, { expected: [',', ')'] });
        return null;
      }
      at++;
    }
    at++;
    return list;
  };

  const parseDuration = (): Duration | null => {
    const { duration, length, issue } = readDuration(tokens, at);
    if (issue !== undefined) {
      report(
        issue.code,
        issue.message,
        { start: peek().start, end: issue.end ?? peek().end },
        {
          expected: ['a whole number', ...UNITS.map((unit) => `${unit}s`)],
          suggestion: issue.suggestion,
        },
      );
      return null;
    }
    at += length;
    return duration;
  };

  if (peek().kind === 'end') return EVERYTHING;
  let expression = parseOr(0);
  // Only a closing parenthesis too many can be left.
  while (peek().kind !== 'end') {
    report('unbalanced-paren', 'the parenthesis closes nothing', peek(), { expected: ['AND', 'OR'] });
    at++;
    if (isWord(peek(), 'AND') || isWord(peek(), 'OR')) at++;
    const rest = peek().kind === 'end' || peek().kind === ')' ? null : parseOr(0);
    if (rest !== null) expression = expression === null ? rest : (and(expression, rest) as Condition);
  }
  return expression;
}

// `"category.name = "value"`: what was read as a field is a field and an operator.
function missingQuote(value: string): { field: string; operator: string } | null {
  const text = value.trim();
  const operator = /(?:[<>!]?=|<>|<|>| equals| starts with| contains)$/i.exec(text.slice(-12))?.[0];
  if (operator === undefined) return null;
  const field = text.slice(0, -operator.length).trimEnd();
  return isToken(field) ? { field, operator: operator.trim() } : null;
}

/** A token as a person reads it. */
function show(token: Token): string {
  if (token.kind === 'end') return 'the end';
  if (token.kind === 'string') return quote(token.value.length > 40 ? `${token.value.slice(0, 40)}…` : token.value);
  return token.value;
}
