// Splits the text into tokens. Never fails: what cannot be read becomes a token with a fault.

/** What a token is. `bad` is a stretch that fits nowhere. */
export type TokenKind = 'string' | 'word' | 'number' | 'operator' | '(' | ')' | ',' | 'bad' | 'end';

/** One token with its place in the text. */
export interface Token {
  readonly kind: TokenKind;
  /** Strings: the content without quotes and escapes. Others: the text as written. */
  readonly value: string;
  readonly start: number;
  readonly end: number;
  readonly fault?: { readonly code: string; readonly message: string; readonly suggestion?: string | undefined };
}

// A sticky expression per kind reads a whole token at once: linear, and no copies of the text.
const space = /\s*/y;
const word = /[\p{L}_][\p{L}\p{M}\p{N}_.-]*/uy;
const number = /-?\d+(?:\.\d+)?/y;
const operator = /<>|<=|>=|!=|=|<|>/y;
const wrongOperator = /==|&&|\|\||=>|=<|≠|≤|≥|!/y;
// Never fails, so it never goes back: linear whatever the text.
const content = /(?:[^"\\\0]+|\\["\\]?)*/y;
const meant: Record<string, string> = {
  '==': '=',
  '≠': '!=',
  '≤': '<=',
  '≥': '>=',
  '=<': '<=',
  '=>': '>=',
  '&&': 'AND',
  '||': 'OR',
  '!': 'NOT',
};
const openers = '“”„«»‟';
const closers = /["“”„«»‟]/g;

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

/** Every token of the text, the last one of kind `end`. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (true) {
    at = match(space, text, at);
    if (at >= text.length) break;
    const token = next(text, at);
    tokens.push(token);
    at = token.end;
  }
  tokens.push({ kind: 'end', value: '', start: text.length, end: text.length });
  return tokens;
}

function next(text: string, at: number): Token {
  const c = text[at]!;
  const take = (kind: TokenKind, end: number): Token => ({ kind, value: text.slice(at, end), start: at, end });
  if (c === '"') return quoted(text, at);
  if (c === '(' || c === ')' || c === ',') return take(c, at + 1);
  let end = match(wrongOperator, text, at);
  if (end > 0) {
    const symbol = text.slice(at, end);
    const instead = meant[symbol];
    if (instead !== undefined && !(symbol === '!' && text[end] === '=')) {
      return {
        kind: /[A-Z]/.test(instead) ? 'word' : 'operator',
        value: instead,
        start: at,
        end,
        fault: { code: 'bad-operator', message: `${symbol} is not an operator of this language`, suggestion: instead },
      };
    }
  }
  end = match(operator, text, at);
  if (end > 0) return take('operator', end);
  end = match(number, text, at);
  if (end > 0) return take('number', end);
  end = match(word, text, at);
  if (end > 0) return take('word', end);
  if (c === "'" || c === '`' || openers.includes(c)) {
    closers.lastIndex = at + 1;
    const typographic = openers.includes(c);
    const close = typographic ? (closers.exec(text)?.index ?? -1) : text.indexOf(c, at + 1);
    const value = text.slice(at + 1, close < 0 ? undefined : close);
    return {
      kind: 'string',
      value,
      start: at,
      end: close < 0 ? text.length : close + 1,
      fault: {
        code: typographic ? 'typographic-quotes' : 'bad-quotes',
        message: 'only the straight double quote encloses text',
        suggestion: close < 0 ? undefined : quote(value),
      },
    };
  }
  const width = text.codePointAt(at)! > 0xffff ? 2 : 1;
  const shown = c < ' ' || c === '\x7f' ? 'a control character' : text.slice(at, at + width);
  return {
    ...take('bad', at + width),
    fault: { code: 'unexpected-character', message: `unexpected ${shown}` },
  };
}

// A backslash escapes only a quote or a backslash; anywhere else it stands for itself (CORP\jdoe).
function quoted(text: string, start: number): Token {
  const stop = match(content, text, start + 1);
  const value = text.slice(start + 1, stop).replace(/\\(["\\])/g, '$1');
  if (text[stop] === '"') return { kind: 'string', value, start, end: stop + 1 };
  const close = text.indexOf('"', stop);
  const fault =
    stop < text.length
      ? { code: 'unexpected-character', message: 'text is well-formed Unicode without NUL' }
      : {
          code: 'unterminated-string',
          message: 'the closing double quote is missing',
          // `"CORP\"`: the last quote was meant to close.
          suggestion: text.endsWith('\\"') ? `${text.slice(start, -1)}\\"` : undefined,
        };
  return { kind: 'string', value, start, end: close < 0 ? text.length : close + 1, fault };
}

/** The text in double quotes with the fewest escapes that read back the same. */
export function quote(value: string): string {
  return `"${value.replace(/"|\\(?=["\\]|$)/g, '\\$&')}"`;
}
