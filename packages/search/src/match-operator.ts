// Recognising an operator in the tokens, and guessing what was meant when there is none.
import type { Operator } from './expression.ts';
import type { Token } from './lexer.ts';
import { nearest } from './nearest.ts';
import { OPERATORS, phrasesFrom } from './operators.ts';

/** The operator at a place and how many tokens it takes, or `null`. */
export function matchOperator(tokens: readonly Token[], at: number): { operator: Operator; length: number } | null {
  const token = tokens[at]!;
  if (token.kind === 'operator')
    return { operator: token.value === '<>' ? '!=' : (token.value as Operator), length: 1 };
  if (token.kind !== 'word') return null;
  for (const { words, operator } of phrasesFrom(token.value)) {
    const fits = words.every((word, i) => {
      const t = tokens[at + i];
      return t?.kind === 'word' && t.value.toLowerCase() === word;
    });
    if (fits) return { operator, length: words.length };
  }
  return null;
}

// What people from other languages write.
const foreign: ReadonlyMap<string, Operator> = /* @__PURE__ */ new Map<string, Operator>(
  Object.entries<Operator>({
    like: 'contains',
    includes: 'contains',
    'begins with': 'starts with',
    is: '=',
    'is not': '!=',
    'is empty': 'is null',
    'is not empty': 'is not null',
    'not contains': 'does not contain',
    within: 'within the last',
  }),
);

/** What to say where an operator should stand. */
export function unknownOperator(
  tokens: readonly Token[],
  at: number,
): { message: string; expected: readonly string[]; suggestion?: string | undefined; end: number } {
  const spellings = OPERATORS.map((o) => o.operator);
  const first = tokens[at]!;
  if (first.kind === 'end' || first.kind === ')') {
    return { message: 'an operator is missing', expected: spellings, end: first.end };
  }
  const words: string[] = [];
  for (let i = at; i < at + 4 && tokens[i]?.kind === 'word' && !/^(?:and|or)$/i.test(tokens[i]!.value); i++)
    words.push(tokens[i]!.value);
  if (words.length === 0)
    return {
      message: `an operator is missing before ${first.value || 'the value'}`,
      expected: spellings,
      end: first.end,
    };
  // The longest run of words that resembles an operator.
  for (let n = words.length; n > 0; n--) {
    const written = words.slice(0, n).join(' ');
    const meant = foreign.get(written.toLowerCase()) ?? nearest(written, spellings, 1)[0];
    if (meant !== undefined) {
      return {
        message: `${written} is not an operator`,
        expected: spellings,
        suggestion: meant,
        end: tokens[at + n - 1]!.end,
      };
    }
  }
  const starts = phrasesFrom(words[0]!).map((p) => p.operator);
  return {
    message: `${words[0]} is not an operator`,
    expected: starts.length > 0 ? [...new Set(starts)] : spellings,
    end: first.end,
  };
}
