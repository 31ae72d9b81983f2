// Testing one value, compiled to a function.
import { before } from './dates.ts';
import type { Literal } from './expression.ts';
import type { FieldType } from './field.ts';
import { fold, versionKey } from './fold.ts';
import type { Predicate } from './plan.ts';
import { storageOf, textKey } from './storage.ts';

/** Does this one value satisfy the predicate? A value of another type than the field's never does. */
export type ValueTest = (value: unknown, now: number) => boolean;

/** Is `text`, folded, the given folded key? Without making a new string in the ordinary case. */
export function equalsFolded(text: string, key: string): boolean {
  return text.length === key.length && foldedAt(text, key, 0);
}

// Folding never changes the number of code units, so positions can be compared one by one.
function foldedAt(text: string, key: string, offset: number): boolean {
  const length = key.length;
  for (let i = 0; i < length; i++) {
    let c = text.charCodeAt(offset + i);
    if (c > 127) return fold(text).startsWith(key, offset);
    if (c > 64 && c < 91) c += 32;
    if (c !== key.charCodeAt(i)) return false;
  }
  return true;
}

/** Compiles the predicate for values of a type. */
export function valueTest(predicate: Predicate, type: FieldType | 'any'): ValueTest {
  switch (predicate.kind) {
    case 'present':
      return present(type);
    case 'flag': {
      const { value } = predicate;
      return (v) => v === value;
    }
    case 'within': {
      const { duration } = predicate;
      // One batch has one `now`.
      let lastNow = Number.NaN;
      let start = 0;
      return (v, now) => {
        if (typeof v !== 'number' || v > now) return false;
        if (now !== lastNow) {
          start = before(now, duration);
          lastNow = now;
        }
        return v >= start;
      };
    }
    case 'range': {
      const inRange = rangeTest(predicate);
      return (v) => typeof v === 'number' && inRange(v);
    }
    case 'version': {
      const { min, max } = predicate;
      return (v) => {
        if (typeof v !== 'string') return false;
        const key = versionKey(v);
        if (key === null) return false;
        if (min !== undefined && (key < min.value || (key === min.value && !min.inclusive))) return false;
        return max === undefined || key < max.value || (key === max.value && max.inclusive);
      };
    }
    default:
      return textTest(predicate, type);
  }
}

/**
 * The test of a range. Infinite values count as missing, so there always are ends; an end that does not belong to the
 * range is excluded by itself (nothing equals NaN).
 */
export function rangeTest({ min, max }: Extract<Predicate, { kind: 'range' }>): (value: number) => boolean {
  const from = min?.value ?? -Number.MAX_VALUE;
  const to = max?.value ?? Number.MAX_VALUE;
  const notFrom = min?.inclusive === false ? from : Number.NaN;
  const notTo = max?.inclusive === false ? to : Number.NaN;
  return (value) => value >= from && value <= to && value !== notFrom && value !== notTo;
}

function present(type: FieldType | 'any'): ValueTest {
  if (type === 'any') return (v) => v !== null && v !== undefined && v !== '';
  const storage = storageOf(type);
  if (storage === 'flag') return (v) => typeof v === 'boolean';
  if (storage === 'number') return (v) => typeof v === 'number' && v - v === 0;
  if (type === 'mac' || type === 'udid' || type === 'enum')
    return (v) => typeof v === 'string' && textKey(type, v) !== '';
  return (v) => typeof v === 'string' && v !== '';
}

function textTest(
  predicate: Extract<Predicate, { kind: 'equals' | 'prefix' | 'suffix' | 'substring' }>,
  type: FieldType | 'any',
): ValueTest {
  const test = foldedTest(predicate);
  if (type === 'mac' || type === 'udid') return (v) => typeof v === 'string' && test(textKey(type, v));
  if (type === 'enum') return (v) => typeof v === 'string' && test(trimmed(v));
  return (v) => typeof v === 'string' && test(v);
}

/** trim(), faster where there is nothing to trim. */
export function trimmed(text: string): string {
  const first = text.charCodeAt(0);
  const last = text.charCodeAt(text.length - 1);
  return first > 32 && first < 128 && last > 32 && last < 128 ? text : text.trim();
}

function foldedTest(
  predicate: Extract<Predicate, { kind: 'equals' | 'prefix' | 'suffix' | 'substring' }>,
): (text: string) => boolean {
  switch (predicate.kind) {
    case 'equals': {
      const { keys } = predicate;
      if (keys.length === 1) return (text) => equalsFolded(text, keys[0]!);
      // List fields have few values: what was seen is remembered, up to a bound.
      const set = new Set(keys);
      const seen = new Map<string, boolean>();
      let last = '';
      let result = false;
      return (text) => {
        if (text === last) return result;
        const known = seen.get(text);
        result = known ?? set.has(fold(text));
        last = text;
        if (known === undefined && seen.size < 200 && text.length < 100) seen.set(text, result);
        return result;
      };
    }
    case 'prefix': {
      const { key } = predicate;
      return (text) => text.length >= key.length && foldedAt(text, key, 0);
    }
    case 'suffix': {
      const { key } = predicate;
      return (text) => text.length >= key.length && foldedAt(text, key, text.length - key.length);
    }
    case 'substring': {
      // The engine's case-insensitive search folds as fold() does, and makes no new string.
      const pattern = new RegExp(predicate.key.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'iu');
      return (text) => pattern.test(text);
    }
  }
}

/** Does a constant satisfy a predicate that does not depend on the time? */
export function matchesConstant(predicate: Predicate, type: FieldType, value: Literal): boolean {
  return predicate.kind !== 'within' && valueTest(predicate, type)(value, 0);
}
