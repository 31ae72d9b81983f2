// Reading one comparison with the type of its field: operator and value become a predicate, or an issue says why not.
import { readDate } from './dates.ts';
import type { Comparison, Literal, Operator } from './expression.ts';
import type { Field, FieldType } from './field.ts';
import { isText, versionKey } from './fold.ts';
import { quote } from './lexer.ts';
import { operatorInfo, operatorsFor } from './operators.ts';
import { type Bound, combine, complement, type Plan, type Predicate, type Test } from './plan.ts';
import { matchesConstant } from './predicate.ts';
import type { Catalogue } from './registry.ts';
import { storageOf, textKey } from './storage.ts';
import { MAX_AMOUNT } from './values.ts';

/** How expressions get their meaning. */
export interface MeaningOptions {
  /** Types, aliases and special values of the fields. Without it types are inferred from the values. */
  readonly catalogue?: Catalogue | undefined;
  /** Allow tests of secret values other than for being blank. */
  readonly sensitive?: boolean | undefined;
}

/** Why a comparison has no meaning. */
export interface TypingIssue {
  readonly code: 'bad-operator-for-type' | 'bad-value' | 'sensitive';
  readonly message: string;
  readonly part: 'operator' | 'value';
  readonly expected?: readonly string[] | undefined;
  readonly suggestion?: string | undefined;
}

type Read = { readonly plan: Plan; readonly issue?: never } | { readonly issue: TypingIssue; readonly plan?: never };

/** Gives a comparison its meaning. An unknown field of a catalogue is null. */
export function readComparison(comparison: Comparison, options: MeaningOptions): Read {
  const { operator } = comparison;
  const field = options.catalogue?.get(comparison.field);
  const positive = operatorInfo(operator).negates ?? operator;
  const unknown = options.catalogue !== undefined && field === undefined;
  const type = field?.type ?? inferType(comparison);
  const token = field?.token ?? comparison.field;

  if (field?.sensitive === true && options.sensitive !== true && !isBlankTest(comparison)) {
    const message = `${field.displayName} is secret: without permission only is null and is not null may be asked`;
    return { issue: { code: 'sensitive', message, part: 'operator', expected: ['is null', 'is not null'] } };
  }
  if (field !== undefined && !isBlankTest(comparison)) {
    const allowed = operatorsFor(field);
    if (!allowed.includes(operator)) {
      const message = `${operator} does not fit ${field.displayName} (${field.type})`;
      return { issue: { code: 'bad-operator-for-type', message, part: 'operator', expected: allowed } };
    }
  }
  const read = readPositive(comparison, positive, type, token, field, options);
  if (read.plan === undefined) return read;
  const meaning: Plan = unknown
    ? { kind: 'constant', value: positive === 'is null' || isEmptyEquals(comparison) }
    : read.plan;
  return { plan: positive === operator ? meaning : complement(meaning) };
}

const isEmptyEquals = (c: Comparison): boolean =>
  (c.operator === '=' || c.operator === '!=') && 'value' in c && c.value === '';
const isBlankTest = (c: Comparison): boolean =>
  c.operator === 'is null' || c.operator === 'is not null' || isEmptyEquals(c);

// Without a catalogue the value tells the type.
function inferType(c: Comparison): FieldType {
  if (c.operator === 'within the last' || c.operator === 'not within the last') return 'ts';
  if (c.operator === 'is null' || c.operator === 'is not null') return 'str';
  if (c.operator === 'in' || c.operator === 'not in') return 'str';
  if (!('value' in c) || typeof c.value !== 'string')
    return 'value' in c && typeof c.value === 'number' ? 'int' : 'bool';
  const ordering = c.operator === '<' || c.operator === '<=' || c.operator === '>' || c.operator === '>=';
  return ordering ? (readDate(c.value) === null ? 'ver' : 'ts') : 'str';
}

function readPositive(
  c: Comparison,
  positive: Operator,
  type: FieldType,
  token: string,
  field: Field | undefined,
  options: MeaningOptions,
): Read {
  const test = (predicate: Predicate, as: Test['type'] = type): Plan => {
    const missing = field?.whenMissing !== undefined && matchesConstant(predicate, type, field.whenMissing);
    return { kind: 'test', token, field, type: as, predicate, missing };
  };
  const bad = (message: string, suggestion?: string): Read => ({
    issue: { code: 'bad-value', message, part: 'value', suggestion },
  });
  const blank = (): Plan => complement(test({ kind: 'present' }, field === undefined ? 'any' : type));

  switch (c.operator) {
    case 'is null':
    case 'is not null':
      return { plan: blank() };
    case 'within the last':
    case 'not within the last':
      if (!Number.isInteger(c.value.amount) || c.value.amount < 0 || c.value.amount > MAX_AMOUNT) {
        return bad(`${c.value.amount} is not a number of ${c.value.unit}s`);
      }
      return { plan: test({ kind: 'within', duration: c.value }) };
    case 'in':
    case 'not in': {
      const plans: Plan[] = [];
      for (const value of c.value) {
        const one = readPositive(
          { kind: 'comparison', field: c.field, operator: '=', value },
          '=',
          field === undefined ? inferType({ ...c, operator: '=', value }) : type,
          token,
          field,
          options,
        );
        if (one.plan === undefined) return one;
        plans.push(one.plan);
      }
      return { plan: combine('or', plans) };
    }
    default: {
      if (c.value === '' && positive === '=') return { plan: blank() };
      if (typeof c.value === 'string' && !isText(c.value)) return bad('text is well-formed Unicode without NUL');
      const predicate = readPredicate(positive, c.value, type, field);
      if (typeof predicate === 'string')
        return bad(predicate, storageOf(type) === 'text' ? quote(String(c.value)) : undefined);
      if (predicate === null) return { plan: { kind: 'constant', value: false } };
      const also = positive === '=' ? known(field, c.value)?.also : undefined;
      if (also === undefined) return { plan: test(predicate) };
      const second = readComparison(
        { kind: 'comparison', field: also.field, operator: '=', value: also.value },
        options,
      );
      return second.plan === undefined ? second : { plan: combine('or', [test(predicate), second.plan]) };
    }
  }
}

// The known value of the field that a literal names.
function known(
  field: Field | undefined,
  value: Literal,
): { value: string; aliases?: readonly string[]; also?: { field: string; value: Literal } } | undefined {
  if (field?.values === undefined) return undefined;
  const key = textKey(field.type, String(value));
  return field.values.find(
    (v) => textKey(field.type, v.value) === key || v.aliases?.some((a) => textKey(field.type, a) === key),
  );
}

// A predicate, `null` for one that nothing satisfies, or a message.
function readPredicate(
  operator: Operator,
  value: Literal,
  type: FieldType,
  field: Field | undefined,
): Predicate | null | string {
  const storage = storageOf(type);
  if (storage === 'flag') {
    const text = typeof value === 'string' ? value.trim().toLowerCase() : value;
    if (text === true || text === 'true') return { kind: 'flag', value: true };
    return text === false || text === 'false' ? { kind: 'flag', value: false } : 'write true or false';
  }
  if (type === 'ts' || type === 'date') {
    const dates = typeof value === 'string' ? readDate(value) : null;
    if (dates === null) return 'write a date, "2024-04-30", or a date and time, "2024-04-30T10:15Z"';
    return stretch(operator, dates.start, dates.end);
  }
  if (storage === 'number') {
    const n = typeof value === 'string' && /^\s*-?\d+(?:\.\d+)?\s*$/.test(value) ? Number(value) : value;
    if (typeof n !== 'number' || !Number.isFinite(n)) return 'write a number';
    return { kind: 'range', ...ends(operator, n) };
  }
  if (typeof value === 'number' || (typeof value === 'boolean' && type !== 'enum'))
    return 'write the value in double quotes';
  const written = String(value);
  if (type === 'ver') {
    const key = versionKey(written);
    if (operator === '=' && key !== null) return { kind: 'version', ...ends('=', key) };
    if (operator === '<' || operator === '<=' || operator === '>' || operator === '>=') {
      return key === null
        ? 'write a version of numbers and dots, "17.4.1"'
        : { kind: 'version', ...ends(operator, key) };
    }
  }
  const key = textKey(type, written);
  switch (operator) {
    case 'starts with':
      return key === '' ? { kind: 'present' } : { kind: 'prefix', key };
    case 'ends with':
      return key === '' ? { kind: 'present' } : { kind: 'suffix', key };
    case 'contains':
      return key === '' ? { kind: 'present' } : { kind: 'substring', key };
    case '=': {
      const keys = new Set([key]);
      const value = known(field, written);
      if (value !== undefined) for (const a of [value.value, ...(value.aliases ?? [])]) keys.add(textKey(type, a));
      // A list of one, as other servers show it: [CA12@314].
      if (field?.multi === true && /^\[[^[\]]+\]$/.test(key)) keys.add(key.slice(1, -1));
      keys.delete('');
      return keys.size === 0 ? null : { kind: 'equals', keys: [...keys] };
    }
    default:
      return 'this operator needs a number, a version or a date';
  }
}

function ends<T>(operator: Operator, value: T): { min?: Bound<T>; max?: Bound<T> } {
  const bound = (inclusive: boolean): Bound<T> => ({ value, inclusive });
  switch (operator) {
    case '<':
    case '<=':
      return { max: bound(operator === '<=') };
    case '>':
    case '>=':
      return { min: bound(operator === '>=') };
    default:
      return { min: bound(true), max: bound(true) };
  }
}

// A date literal is a stretch of time; its end does not belong to it.
function stretch(operator: Operator, start: number, end: number): Predicate {
  const from: Bound<number> = { value: start, inclusive: true };
  const before: Bound<number> = { value: start, inclusive: false };
  switch (operator) {
    case '<':
      return { kind: 'range', max: before };
    case '<=':
      return { kind: 'range', max: { value: end, inclusive: false } };
    case '>':
      return { kind: 'range', min: { value: end, inclusive: true } };
    case '>=':
      return { kind: 'range', min: from };
    default:
      return { kind: 'range', min: from, max: { value: end, inclusive: false } };
  }
}
