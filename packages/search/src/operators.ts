// The operators: how they are written, what they are the complement of, and which field types they fit.

import type { Operator } from './expression.ts';
import type { FieldType } from './field.ts';
import { storageOf } from './storage.ts';

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

const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1);

const info = (
  operator: Operator,
  operand: Operand,
  label = capital(operator),
  ...synonyms: string[]
): OperatorInfo => ({
  operator,
  label,
  operand,
  builder: true,
  synonyms,
});
// The complement of an operator, which is not offered by the builder unless said.
const minus = (negates: Operator, positive: OperatorInfo, builder = false): OperatorInfo => ({
  ...positive,
  negates,
  builder,
});

/** Every operator, in the order in which a builder lists them. */
export const OPERATORS: readonly OperatorInfo[] = /* @__PURE__ */ [
  info('=', 'value', 'Equals', 'equals'),
  minus('=', info('!=', 'value', 'Does not equal', '<>', 'does not equal'), true),
  info('starts with', 'text'),
  minus('starts with', info('does not start with', 'text')),
  info('ends with', 'text'),
  minus('ends with', info('does not end with', 'text')),
  info('contains', 'text'),
  minus('contains', info('does not contain', 'text')),
  info('<', 'value', 'Less than'),
  info('<=', 'value', 'At most'),
  info('>', 'value', 'Greater than'),
  info('>=', 'value', 'At least'),
  info('within the last', 'duration'),
  minus('within the last', info('not within the last', 'duration'), true),
  { ...info('in', 'list', 'Is one of'), builder: false },
  minus('in', info('not in', 'list', 'Is none of')),
  info('is null', 'nothing', 'Is blank'),
  minus('is null', info('is not null', 'nothing', 'Is not blank'), true),
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

const isOrder = (operator: Operator): boolean => /^[<>]/.test(operator);

function fits({ operator, operand }: OperatorInfo, type: FieldType): boolean {
  if (operand === 'text') return storageOf(type) === 'text';
  if (operand === 'duration') return type === 'ts' || type === 'date';
  return !isOrder(operator) || type === 'ver' || storageOf(type) === 'number';
}

/**
 * The operators that fit a field, in builder order: those of its type, cut down to the field's own list where it has one
 * (a field's list names positive operators; their complements and the blank tests are always allowed).
 */
export function operatorsFor(field: {
  readonly type: FieldType;
  readonly operators?: readonly Operator[];
}): Operator[] {
  const own = field.operators;
  return OPERATORS.filter((info) => {
    if (!fits(info, field.type)) return false;
    if (own === undefined || info.operand === 'nothing') return true;
    const positive = info.negates ?? info.operator;
    return own.includes(positive) || (positive === 'in' && own.includes('='));
  }).map((o) => o.operator);
}
