// The operators: how they are written, what they are the complement of, and which field types they fit.

import type { Operator } from './expression.ts';
import type { FieldType } from './field.ts';

/** What follows an operator. */
export type Operand = 'value' | 'text' | 'duration' | 'list' | 'nothing';

/** One operator. */
export interface OperatorInfo {
  readonly operator: Operator;
  /** How the query builder names it. */
  readonly label: string;
  readonly operand: Operand;
  /** The positive operator of which this one is the strict complement. */
  readonly negates?: Operator;
  /** False where the query builder does not offer it: such a row can only be written by hand. */
  readonly builder: boolean;
  /** Further spellings that the parser accepts. */
  readonly synonyms: readonly string[];
}

const info = (
  operator: Operator,
  label: string,
  operand: Operand,
  builder: boolean,
  negates?: Operator,
  ...synonyms: string[]
): OperatorInfo => ({ operator, label, operand, builder, synonyms, ...(negates === undefined ? {} : { negates }) });

/** Every operator, in the order in which a builder lists them. */
export const OPERATORS: readonly OperatorInfo[] = [
  info('=', 'Equals', 'value', true, undefined, 'equals'),
  info('!=', 'Does not equal', 'value', true, '=', '<>', 'does not equal'),
  info('starts with', 'Starts with', 'text', true),
  info('does not start with', 'Does not start with', 'text', false, 'starts with'),
  info('ends with', 'Ends with', 'text', true),
  info('does not end with', 'Does not end with', 'text', false, 'ends with'),
  info('contains', 'Contains', 'text', true),
  info('does not contain', 'Does not contain', 'text', false, 'contains'),
  info('<', 'Less than', 'value', true),
  info('<=', 'At most', 'value', true),
  info('>', 'Greater than', 'value', true),
  info('>=', 'At least', 'value', true),
  info('within the last', 'Within the last', 'duration', true),
  info('not within the last', 'Not within the last', 'duration', true, 'within the last'),
  info('in', 'Is one of', 'list', false),
  info('not in', 'Is none of', 'list', false, 'in'),
  info('is null', 'Is blank', 'nothing', true),
  info('is not null', 'Is not blank', 'nothing', true, 'is null'),
];

const byOperator = /* @__PURE__ */ new Map(OPERATORS.map((o) => [o.operator, o]));

/** Looks up one operator. */
export function operatorInfo(operator: Operator): OperatorInfo {
  return byOperator.get(operator)!;
}

// Spellings made of words, by first word, the longest first, so that `is not null` wins over `is …`.
const phrases = /* @__PURE__ */ (() => {
  const map = new Map<string, { words: string[]; operator: Operator }[]>();
  for (const { operator, synonyms } of OPERATORS) {
    for (const spelling of [operator, ...synonyms]) {
      if (!/^[a-z]/.test(spelling)) continue;
      const words = spelling.split(' ');
      const list = map.get(words[0]!) ?? [];
      list.push({ words, operator });
      map.set(words[0]!, list);
    }
  }
  for (const list of map.values()) list.sort((a, b) => b.words.length - a.words.length);
  return map;
})();

/** The phrases that begin with a word, longest first (`does` → `does not contain` …). */
export function phrasesFrom(
  firstWord: string,
): readonly { readonly words: readonly string[]; readonly operator: Operator }[] {
  return phrases.get(firstWord.toLowerCase()) ?? [];
}

const EQUALITY: readonly Operator[] = ['=', '!=', 'in', 'not in', 'is null', 'is not null'];
const ORDER: readonly Operator[] = ['<', '<=', '>', '>='];
const TEXT: readonly Operator[] = [
  'starts with',
  'does not start with',
  'ends with',
  'does not end with',
  'contains',
  'does not contain',
];
const BLANK: readonly Operator[] = ['is null', 'is not null'];
const DATES: readonly Operator[] = ['within the last', 'not within the last'];

const text: readonly Operator[] = [...EQUALITY, ...TEXT];
const numeric: readonly Operator[] = [...EQUALITY, ...ORDER];
const dates: readonly Operator[] = [...EQUALITY, ...ORDER, ...DATES];

const byType: Record<FieldType, readonly Operator[]> = {
  str: text,
  enum: text,
  mac: text,
  udid: text,
  ip: text,
  secret: text,
  ver: [...text, ...ORDER],
  bool: EQUALITY,
  int: numeric,
  bytes: numeric,
  pct: numeric,
  ts: dates,
  date: dates,
};

/**
 * The operators that fit a field, in builder order: those of its type, cut down to the field's own list where it has one
 * (a field's list names positive operators; their complements and the blank tests are always allowed).
 */
export function operatorsFor(field: {
  readonly type: FieldType;
  readonly operators?: readonly Operator[];
}): Operator[] {
  const fits = byType[field.type];
  const own = field.operators;
  return OPERATORS.filter(({ operator, negates }) => {
    if (!fits.includes(operator)) return false;
    if (own === undefined || BLANK.includes(operator)) return true;
    const positive = negates ?? operator;
    return own.includes(positive) || (positive === 'in' && own.includes('='));
  }).map((o) => o.operator);
}
