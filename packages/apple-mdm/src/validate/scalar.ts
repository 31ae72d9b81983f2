// Checks one scalar value: its type, range, rangelist, pattern and stated format.
import type { KeyType } from '../schema/model.ts';
import type { Node } from './compile.ts';
import type { Issues, Place } from './issue.ts';
import { nearest } from './nearest.ts';
import { nameOfType, numberOf, show, showList, typeOfValue, type ValueType } from './values.ts';

/** How the value is written: dates and data are strings in JSON. */
export type Notation = 'plist' | 'json';

const jsonDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?$/;
const base64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;
const hostname =
  /^(\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:.]+|(?=.{1,253}\.?$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?)$/;
const localTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;
const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d)$/;
const uuid = /^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/;

function compilesAsRegex(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** The formats that a string's `valuetype` names; an unknown one is not judged. */
const formats: Readonly<Record<string, (text: string) => boolean>> = {
  url: (text) => URL.canParse(text),
  hostname: (text) => hostname.test(text),
  domain: (text) => hostname.test(text),
  'domain-prefix': (text) => hostname.test(text.replace(/^\*\./, '')),
  email: (text) => /^[^\s@]{1,64}@[^\s@]{1,255}$/.test(text),
  localtime: (text) => localTime.test(text),
  timestamp: (text) => timestamp.test(text),
  uuid: (text) => uuid.test(text),
  regex: compilesAsRegex,
};

function fits(wanted: KeyType, have: ValueType, value: unknown, notation: Notation): boolean {
  if (wanted === have) return true;
  if (wanted === 'any') return have !== null && (have !== 'null' || notation === 'json');
  if (wanted === 'real') return have === 'integer';
  if (notation === 'json' && have === 'string') {
    if (wanted === 'date') return jsonDate.test(value as string);
    if (wanted === 'data') return base64.test(value as string);
  }
  return false;
}

const hints: Partial<Record<`${KeyType} ${NonNullable<ValueType>}`, string>> = {
  'boolean integer': 'Write true or false: 1 and 0 are integers.',
  'boolean string': 'Write true or false without quotes.',
  'integer string': 'Write the number without quotes.',
  'integer real': 'Write a whole number as an integer.',
  'data string': 'Encode the bytes as data.',
  'date string': 'Write it as a date.',
};

/** Checks the type and says what is wrong; true when the value may be looked at further. */
export function checkType(
  node: Node,
  value: unknown,
  place: Place | null,
  issues: Issues,
  notation: Notation,
): boolean {
  const have = typeOfValue(value);
  if (fits(node.type, have, value, notation)) return true;
  if (node.type === 'integer' && have === 'real' && Number.isSafeInteger(numberOf(value))) {
    // Several of Apple's own example profiles have <real>1</real>: devices take a number for a number.
    issues.add(place, 'type.wrong', 'warning', 'is a real, not an integer', hints['integer real'] ?? '');
    return true;
  }
  const wanted = node.type === 'any' ? 'any value of a message' : nameOfType(node.type);
  const hint = have === null ? undefined : hints[`${node.type} ${have}`];
  issues.add(place, 'type.wrong', 'error', `is ${nameOfType(have)}, not ${wanted}`, hint ?? `Give ${wanted}.`);
  return false;
}

function inList(list: ReadonlySet<unknown>, value: unknown): boolean {
  return list.has(value) || (typeof value !== 'string' && typeof value !== 'boolean' && list.has(numberOf(value)));
}

function checkText(node: Node, text: string, place: Place | null, issues: Issues): void {
  if (node.pattern !== undefined && !node.pattern.test(text)) {
    const remedy = `Write it so that it matches ${node.key.format}.`;
    issues.add(place, 'value.pattern', 'error', `${show(text)} does not match the schema's pattern`, remedy);
  }
  const format = node.key.valuetype;
  if (format !== undefined && Object.hasOwn(formats, format) && !formats[format]?.(text)) {
    issues.add(place, 'value.format', 'error', `${show(text)} is no ${format}`, `Give a valid ${format}.`);
  }
}

/** Checks the value of a scalar key whose type fits already. What has a list and a range may be in either. */
export function checkScalar(node: Node, value: unknown, place: Place | null, issues: Issues): void {
  const listed = node.list !== undefined && inList(node.list, value);
  const ranged = node.key.range !== undefined && (node.type === 'integer' || node.type === 'real');
  if (node.list !== undefined && node.type !== 'data' && node.type !== 'date' && !listed && !ranged) {
    const close = typeof value === 'string' ? nearest(value, [...node.list].map(String), 1)[0] : undefined;
    const remedy = close === undefined ? `Use ${showList(node.list)}.` : `Use ${show(close)}? (${showList(node.list)})`;
    issues.add(place, 'value.list', 'error', `${show(value)} is not one of the allowed values`, remedy);
  }
  const range = node.key.range;
  if (range !== undefined && ranged && !listed) {
    const number = numberOf(value);
    const [min, max] = [range.min ?? -Infinity, range.max ?? Infinity];
    if (!(number >= min && number <= max)) {
      const bounds = `${range.min ?? '…'} to ${range.max ?? '…'}`;
      const others = node.list === undefined ? '' : `, or ${showList(node.list)}`;
      const remedy = `Use a number from ${bounds}${others}.`;
      issues.add(place, 'value.range', 'error', `${show(value)} is outside ${bounds}`, remedy);
    }
  }
  if (typeof value === 'string') checkText(node, value, place, issues);
}
