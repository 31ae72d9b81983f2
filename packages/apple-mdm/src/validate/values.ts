// What kind of value something is, and how a person would call it.
import type { KeyType } from '../schema/model.ts';

const real = Symbol.for('espalier.plist.real');
const uid = Symbol.for('espalier.plist.uid');

/** A value's own type; `null` for what neither a property list nor JSON has. */
export type ValueType = Exclude<KeyType, 'any'> | 'uid' | 'null' | null;

/** Tells the type of any JavaScript value. */
export function typeOfValue(value: unknown): ValueType {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'boolean';
    case 'bigint':
      return 'integer';
    case 'number':
      return Number.isInteger(value) ? 'integer' : 'real';
    case 'object':
      break;
    default:
      return null;
  }
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (value instanceof Uint8Array) return 'data';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : 'date';
  if ((value as Record<symbol, unknown>)[real] === true) return 'real';
  if ((value as Record<symbol, unknown>)[uid] === true) return 'uid';
  return 'dictionary';
}

/** The number of an integer or real value. */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  return Number((value as { value?: unknown }).value);
}

/** An own entry of a dictionary, whatever its name; undefined when there is none. */
export function entry(dictionary: object, name: string): unknown {
  return Object.hasOwn(dictionary, name) ? (dictionary as Record<string, unknown>)[name] : undefined;
}

const articles: Record<NonNullable<ValueType>, string> = {
  string: 'a string',
  integer: 'an integer',
  real: 'a real',
  boolean: 'a boolean',
  date: 'a date',
  data: 'data',
  array: 'an array',
  dictionary: 'a dictionary',
  uid: 'a uid',
  null: 'null',
};

/** `a string`, `an array`, …; for what no message can hold, `no value of a message`. */
export function nameOfType(type: ValueType): string {
  return type === null ? 'no value that a message can hold' : articles[type];
}

/** A scalar as it is shown in a message: short, and quoted when it is text. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 60 ? `${value.slice(0, 57)}…` : value}'`;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return nameOfType(typeOfValue(value));
}

/** `'a', 'b' or 'c'`, cut after a few. */
export function showList(values: Iterable<unknown>, word = 'or', most = 12): string {
  const shown = [...values].map(show);
  if (shown.length > most) return `${shown.slice(0, most).join(', ')}, … (${shown.length} in all)`;
  if (shown.length < 2) return shown.join('');
  return `${shown.slice(0, -1).join(', ')} ${word} ${shown.at(-1)}`;
}
