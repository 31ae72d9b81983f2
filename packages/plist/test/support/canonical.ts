// One written form for every value, the same from JavaScript and from Python, so that values can be compared as text.
import { type PlistDict, PlistReal, PlistUid, type PlistValue } from '../../src/index.ts';

export type Canonical =
  | ['s', string]
  | ['i', string]
  | ['r', string]
  | ['b', boolean]
  | ['d', number]
  | ['x', string]
  | ['u', string]
  | ['a', Canonical[]]
  | ['o', [string, Canonical][]];

/** Kind and exact value of everything in it; reals by their bits, dates in milliseconds. */
export function canonical(value: PlistValue): Canonical {
  if (typeof value === 'string') return ['s', value];
  if (typeof value === 'boolean') return ['b', value];
  if (typeof value === 'bigint') return ['i', String(value)];
  if (typeof value === 'number') return Number.isInteger(value) ? ['i', String(value)] : real(value);
  if (value instanceof Date) return ['d', value.getTime()];
  if (value instanceof Uint8Array) return ['x', Buffer.from(value).toString('hex')];
  if (value instanceof PlistReal) return real(value.value);
  if (value instanceof PlistUid) return ['u', String(value.value)];
  if (Array.isArray(value)) return ['a', value.map(canonical)];
  return ['o', Object.entries(value).map(([key, each]) => [key, canonical(each)])];
}

function real(value: number): Canonical {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return ['r', Number.isNaN(value) ? 'nan' : bytes.toString('hex')];
}

/** The canonical form as text. */
export function written(value: PlistValue): string {
  return JSON.stringify(canonical(value));
}

/** Whether any part of a value satisfies a test. */
export function contains(value: PlistValue, test: (part: PlistValue) => boolean): boolean {
  if (test(value)) return true;
  if (Array.isArray(value)) return value.some((each) => contains(each, test));
  return isDict(value) && Object.values(value).some((each) => contains(each, test));
}

/** Whether a value is a dictionary. */
export function isDict(value: PlistValue): value is PlistDict {
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof Date || value instanceof Uint8Array)
    return false;
  return !(value instanceof PlistReal) && !(value instanceof PlistUid);
}

/** The canonical form with the keys of every dictionary sorted: JavaScript moves keys that look like array indexes. */
export function withoutOrder(form: Canonical): Canonical {
  if (form[0] === 'a') return ['a', form[1].map(withoutOrder)];
  if (form[0] !== 'o') return form;
  const entries = form[1].map(([key, each]): [string, Canonical] => [key, withoutOrder(each)]);
  return ['o', entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))];
}
