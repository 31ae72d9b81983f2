// Cuts a predicate into tokens, in one pass and within limits.
import { MdmError } from '../errors.ts';

/** A token and where it begins, in UTF-16 code units. */
export interface Token {
  readonly type: 'word' | 'number' | 'string' | 'symbol' | 'term' | 'variable' | 'end';
  /** A word as written, a symbol, a string's content, a number's text, a term's argument, a variable's name. */
  readonly text: string;
  /** Of a term: `status`, `property`, `key` or `count`. */
  readonly term?: string;
  readonly offset: number;
}

/** Longest predicate that is read, in characters. */
export const maxPredicateLength = 10_000;

/** The error of a predicate that cannot be read. */
export function syntax(offset: number, problem: string, remedy?: string): MdmError {
  return new MdmError('mdm.predicate.syntax', `${problem} (at character ${offset + 1})`, {
    at: { offset },
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** The error of what NSPredicate has, but the subset has not. */
export function unsupported(offset: number, what: string): MdmError {
  return new MdmError('mdm.predicate.unsupported', `${what} is not supported (at character ${offset + 1})`, {
    at: { offset },
    remedy: 'see the subset in the README of @espalier/apple-mdm',
  });
}

const symbols = [
  '&&',
  '||',
  '==',
  '!=',
  '<>',
  '<=',
  '=<',
  '>=',
  '=>',
  '(',
  ')',
  '{',
  '}',
  '[',
  ']',
  ',',
  '.',
  '<',
  '>',
  '=',
  '!',
];
const space = /\s/;
const wordStart = /[A-Za-z_]/;
const wordPart = /[A-Za-z0-9_]/;
const digit = /[0-9]/;
const number = /^(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?/;
const keyPath = /^[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*(?:\.[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*)*$/;

/** Cuts the text. @throws MdmError `mdm.predicate.syntax`, `mdm.predicate.unsupported`, `mdm.too_large` */
export function tokens(text: string): Token[] {
  if (text.length > maxPredicateLength) {
    throw new MdmError(
      'mdm.too_large',
      `the predicate has ${text.length} characters, where at most ${maxPredicateLength} are read`,
    );
  }
  const found: Token[] = [];
  let i = 0;
  while (i < text.length) {
    const char = text[i] as string;
    if (space.test(char)) {
      i++;
    } else if (char === "'" || char === '"') {
      const end = readString(text, i);
      found.push({ type: 'string', text: end.value, offset: i });
      i = end.next;
    } else if (char === '@') {
      const token = readTerm(text, i);
      found.push(token.token);
      i = token.next;
    } else if (char === '$') {
      const name = take(text, i + 1, wordPart);
      if (name === '') throw syntax(i, '$ without a name');
      found.push({ type: 'variable', text: name, offset: i });
      i += 1 + name.length;
    } else if (digit.test(char) || (char === '-' && digit.test(text[i + 1] ?? ''))) {
      const sign = char === '-' ? '-' : '';
      const match = number.exec(text.slice(i + sign.length, i + sign.length + 80))?.[0];
      const next = i + sign.length + (match?.length ?? 0);
      if (match === undefined || wordPart.test(text[next] ?? '')) throw syntax(i, 'a number that is none');
      found.push({ type: 'number', text: sign + match, offset: i });
      i = next;
    } else if (wordStart.test(char)) {
      const word = take(text, i, wordPart);
      found.push({ type: 'word', text: word, offset: i });
      i += word.length;
    } else {
      const symbol = symbols.find((one) => text.startsWith(one, i));
      if (symbol === undefined) {
        if (char === '%') throw unsupported(i, 'a format argument');
        if ('+-*/'.includes(char)) throw unsupported(i, 'arithmetic');
        throw syntax(i, `${JSON.stringify(char)} means nothing here`);
      }
      found.push({ type: 'symbol', text: symbol, offset: i });
      i += symbol.length;
    }
  }
  found.push({ type: 'end', text: '', offset: text.length });
  return found;
}

function take(text: string, from: number, part: RegExp): string {
  let end = from;
  while (end < text.length && part.test(text[end] as string)) end++;
  return text.slice(from, end);
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\', "'": "'", '"': '"' };

function readString(text: string, from: number): { readonly value: string; readonly next: number } {
  const quote = text[from];
  let value = '';
  for (let i = from + 1; i < text.length; i++) {
    const char = text[i] as string;
    if (char === quote) return { value, next: i + 1 };
    if (char !== '\\') {
      value += char;
      continue;
    }
    const escaped = text[++i] ?? '';
    if (escaped === 'u') {
      const hex = text.slice(i + 1, i + 5);
      if (!/^[0-9A-Fa-f]{4}$/.test(hex)) throw syntax(i - 1, '\\u needs four hexadecimal digits');
      value += String.fromCharCode(Number.parseInt(hex, 16));
      i += 4;
    } else {
      value += escapes[escaped] ?? escaped;
    }
  }
  throw syntax(from, 'a string without an end');
}

const termNames = ['status', 'property', 'key'];

function readTerm(text: string, from: number): { readonly token: Token; readonly next: number } {
  const name = take(text, from + 1, wordPart);
  let i = from + 1 + name.length;
  if (name === 'count') return { token: { type: 'term', term: 'count', text: '', offset: from }, next: i };
  if (!termNames.includes(name)) {
    const close = termNames.find((known) => known === name.toLowerCase());
    const remedy = close === undefined ? 'use @status(…), @property(…) or @key(…)' : `write @${close}(…)`;
    throw syntax(from, `@${name} is no term`, remedy);
  }
  while (space.test(text[i] ?? '')) i++;
  if (text[i] !== '(') throw syntax(from, `@${name} needs a name in parentheses`, `write @${name}(…)`);
  const end = text.indexOf(')', i);
  if (end < 0) throw syntax(i, 'a ( without its )');
  const inside = text.slice(i + 1, end).trim();
  if (inside === '' || (name !== 'property' && !keyPath.test(inside))) {
    throw syntax(i + 1, `${JSON.stringify(inside)} is no name`);
  }
  return { token: { type: 'term', term: name, text: inside, offset: from }, next: end + 1 };
}
