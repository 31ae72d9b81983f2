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

const wordStart = /[\p{L}_]/u;
// A sticky expression per kind reads a whole token at once: linear, and no copies of the text.
const space = /\s*/y;
const word = /[\p{L}_][\p{L}\p{M}\p{N}_.-]*/uy;
const number = /-?\d+(?:\.\d+)?/y;
const operator = /<>|<=|>=|!=|=|<|>/y;
const wrongOperator = /==|&&|\|\||=>|=<|≠|≤|≥|!/y;
const plain = /[^"\\\0]*/y;
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
  if (wordStart.test(String.fromCodePoint(text.codePointAt(at)!))) {
    end = match(word, text, at);
    if (end > 0) return take('word', end);
  }
  if (c === "'" || c === '`') return otherQuotes(text, at, text.indexOf(c, at + 1), 'bad-quotes');
  if (openers.includes(c)) {
    closers.lastIndex = at + 1;
    return otherQuotes(text, at, closers.exec(text)?.index ?? -1, 'typographic-quotes');
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
  let value = '';
  let at = start + 1;
  while (at < text.length) {
    const end = match(plain, text, at);
    value += text.slice(at, end);
    at = end;
    const c = text[at];
    if (c === undefined) break;
    if (c === '"') return { kind: 'string', value, start, end: at + 1 };
    if (c === '\0') {
      const fault = { code: 'unexpected-character', message: 'text cannot contain the character NUL' };
      const close = text.indexOf('"', at);
      return { kind: 'string', value, start, end: close < 0 ? text.length : close + 1, fault };
    }
    const following = text[at + 1];
    if (following === '"' || following === '\\') {
      value += following;
      at += 2;
    } else {
      value += c;
      at += 1;
    }
  }
  return {
    kind: 'string',
    value,
    start,
    end: text.length,
    fault: {
      code: 'unterminated-string',
      message: 'the closing double quote is missing',
      // `"CORP\"`: the last quote was meant to close.
      suggestion: text.endsWith('\\"') ? `${text.slice(start, -1)}\\"` : undefined,
    },
  };
}

function otherQuotes(text: string, start: number, close: number, code: string): Token {
  const end = close < 0 ? text.length : close + 1;
  const value = text.slice(start + 1, close < 0 ? text.length : close);
  const kind = code === 'bad-quotes' ? 'single quotes or backquotes' : 'typographic quotes';
  return {
    kind: 'string',
    value,
    start,
    end,
    fault: {
      code,
      message: `${kind} do not enclose text here; write "`,
      suggestion: close < 0 ? undefined : quote(value),
    },
  };
}

/** The text in double quotes with the fewest escapes that read back the same. */
export function quote(value: string): string {
  let out = '"';
  let from = 0;
  for (let i = 0; i < value.length; i++) {
    const c = value[i];
    if (c !== '"' && c !== '\\') continue;
    const following = value[i + 1];
    if (c === '\\' && following !== undefined && following !== '"' && following !== '\\') continue;
    out += `${value.slice(from, i)}\\`;
    from = i;
  }
  return `${out}${value.slice(from)}"`;
}
