// Reads the subset of NSPredicate's format strings that activations use.
import type { Expression, Operator, Predicate } from './ast.ts';
import { syntax, type Token, tokens, unsupported } from './tokens.ts';

/** How deep parentheses, NOT and SUBQUERY may nest. */
const maxNesting = 50;

const comparisons: Readonly<Record<string, Operator>> = {
  '==': '==',
  '=': '==',
  '!=': '!=',
  '<>': '!=',
  '<': '<',
  '<=': '<=',
  '=<': '<=',
  '>': '>',
  '>=': '>=',
  '=>': '>=',
  BETWEEN: 'BETWEEN',
  IN: 'IN',
  CONTAINS: 'CONTAINS',
  BEGINSWITH: 'BEGINSWITH',
  ENDSWITH: 'ENDSWITH',
  LIKE: 'LIKE',
};
const quantifiers: Readonly<Record<string, 'any' | 'all' | 'none'>> = {
  ANY: 'any',
  SOME: 'any',
  ALL: 'all',
  NONE: 'none',
};
const literals: Readonly<Record<string, boolean | null>> = {
  TRUE: true,
  YES: true,
  FALSE: false,
  NO: false,
  NULL: null,
  NIL: null,
};
const notInSubset = new Set([
  'MATCHES',
  'SELF',
  'CAST',
  'FUNCTION',
  'TERNARY',
  'FIRST',
  'LAST',
  'SIZE',
  'UNION',
  'INTERSECT',
  'MINUS',
]);

/**
 * Reads a predicate of an activation.
 *
 * @throws MdmError `mdm.predicate.syntax`, `mdm.predicate.unsupported` (both with `at.offset`), `mdm.too_large`
 * @example
 * parsePredicate("@status(device.model.family) == 'iPad' AND @property(shard) <= 75");
 */
export function parsePredicate(text: string): Predicate {
  const list = tokens(text);
  let at = 0;
  let nesting = 0;

  const peek = (): Token => list[at] as Token;
  const next = (): Token => list[at++] as Token;
  const isSymbol = (symbol: string): boolean => peek().type === 'symbol' && peek().text === symbol;
  const isWord = (...words: readonly string[]): boolean =>
    peek().type === 'word' && words.includes(peek().text.toUpperCase());
  const expect = (symbol: string): void => {
    if (!isSymbol(symbol)) throw syntax(peek().offset, `${symbol} was expected, not ${nameOf(peek())}`);
    at++;
  };
  function nested<T>(read: () => T): T {
    if (++nesting > maxNesting) throw syntax(peek().offset, `more than ${maxNesting} levels`);
    const result = read();
    nesting--;
    return result;
  }

  function or(): Predicate {
    const parts = [and()];
    while (isWord('OR') || isSymbol('||')) {
      at++;
      parts.push(and());
    }
    return parts.length === 1 ? (parts[0] as Predicate) : { type: 'or', parts };
  }

  function and(): Predicate {
    const parts = [not()];
    while (isWord('AND') || isSymbol('&&')) {
      at++;
      parts.push(not());
    }
    return parts.length === 1 ? (parts[0] as Predicate) : { type: 'and', parts };
  }

  function not(): Predicate {
    if (!isWord('NOT') && !isSymbol('!')) return primary();
    at++;
    return nested(() => ({ type: 'not', part: not() }));
  }

  function primary(): Predicate {
    if (isWord('TRUEPREDICATE', 'FALSEPREDICATE')) {
      return { type: 'constant', value: next().text.toUpperCase() === 'TRUEPREDICATE' };
    }
    if (!isSymbol('(')) return comparison();
    at++;
    const inner = nested(or);
    expect(')');
    return inner;
  }

  function comparison(): Predicate {
    const word = peek().type === 'word' ? peek().text.toUpperCase() : '';
    const quantifier = Object.hasOwn(quantifiers, word) ? (quantifiers[word] as 'any') : null;
    if (quantifier !== null) at++;
    const left = expression();
    const token = next();
    const name = token.text.toUpperCase();
    if (token.type === 'word' && notInSubset.has(name)) throw unsupported(token.offset, name);
    if ((token.type !== 'symbol' && token.type !== 'word') || !Object.hasOwn(comparisons, name)) {
      throw syntax(token.offset, `a comparison was expected, not ${nameOf(token)}`);
    }
    const operator = comparisons[name] as Operator;
    const ignore = options(operator);
    const right = expression();
    return { type: 'comparison', left, operator, right, ignore, quantifier };
  }

  function options(operator: Operator): { readonly case: boolean; readonly diacritics: boolean } {
    if (!isSymbol('[')) return { case: false, diacritics: false };
    const { offset } = next();
    const word = next();
    const letters = word.text.toLowerCase();
    if (word.type !== 'word' || !['c', 'd', 'cd', 'dc'].includes(letters)) {
      throw syntax(offset, 'options are [c], [d] or [cd]');
    }
    expect(']');
    if (operator === 'BETWEEN') throw syntax(offset, 'BETWEEN takes no options');
    return { case: letters.includes('c'), diacritics: letters.includes('d') };
  }

  function expression(): Expression {
    let value = operand();
    while (isSymbol('.')) {
      at++;
      const token = next();
      if (token.type === 'term' && token.term === 'count') value = { type: 'count', collection: value };
      else if (token.type === 'term' && token.term === 'key') value = { type: 'key', object: value, name: token.text };
      else throw unsupported(token.offset, 'a key path without @key(…)');
    }
    if (isSymbol('[') && value.type !== 'literal') throw unsupported(peek().offset, 'an index');
    return value;
  }

  function operand(): Expression {
    const token = next();
    if (token.type === 'string') return { type: 'literal', value: token.text };
    if (token.type === 'number') return { type: 'literal', value: Number(token.text) };
    if (token.type === 'variable') return { type: 'variable', name: token.text };
    if (token.type === 'term') {
      if (token.term === 'status') return { type: 'status', name: token.text };
      if (token.term === 'property') return { type: 'property', name: token.text };
      throw syntax(token.offset, `@${token.term} stands after a value and a dot`);
    }
    if (token.type === 'symbol' && token.text === '{') return listOf();
    if (token.type === 'word') {
      const word = token.text.toUpperCase();
      if (Object.hasOwn(literals, word)) return { type: 'literal', value: literals[word] as boolean | null };
      if (word === 'SUBQUERY') return subquery();
      if (notInSubset.has(word)) throw unsupported(token.offset, word);
      if (isSymbol('(')) throw unsupported(token.offset, `the function ${token.text}`);
      throw unsupported(token.offset, `the bare name ${token.text}`);
    }
    throw syntax(token.offset, `a value was expected, not ${nameOf(token)}`);
  }

  function listOf(): Expression {
    const items: Expression[] = [];
    if (!isSymbol('}')) {
      items.push(nested(expression));
      while (isSymbol(',')) {
        at++;
        items.push(nested(expression));
      }
    }
    expect('}');
    return { type: 'list', items };
  }

  function subquery(): Expression {
    expect('(');
    const collection = expression();
    expect(',');
    const variable = next();
    if (variable.type !== 'variable') throw syntax(variable.offset, 'a $variable was expected');
    expect(',');
    const predicate = nested(or);
    expect(')');
    return { type: 'subquery', collection, variable: variable.text, predicate };
  }

  const result = or();
  if (peek().type !== 'end') throw syntax(peek().offset, `${nameOf(peek())} after the end of the predicate`);
  return result;
}

function nameOf(token: Token): string {
  if (token.type === 'end') return 'the end';
  if (token.type === 'term') return `@${token.term}`;
  return JSON.stringify(token.text);
}
