// Property lists as JSON, and JSON as property lists. JSON has no dates and no data: both become strings.
import { type PlistInput, PlistReal, PlistUid, type PlistValue } from '@espalier/plist';

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** JSON text of a value. Integers keep all their digits; data is base64, a date ISO 8601, NaN and the infinities null. */
export function toJsonText(value: PlistValue, indent = ''): string {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof PlistReal || value instanceof PlistUid) return JSON.stringify(value) ?? 'null';
  if (value instanceof Date) return JSON.stringify(value.toISOString().replace('.000Z', 'Z'));
  if (value instanceof Uint8Array) return JSON.stringify(base64(value));
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((item) => inner + toJsonText(item, inner)).join(',\n')}\n${indent}]`;
  }
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([k, v]) => `${inner}${JSON.stringify(k)}: ${toJsonText(v, inner)}`);
    return entries.length === 0 ? '{}' : `{\n${entries.join(',\n')}\n${indent}}`;
  }
  return JSON.stringify(value);
}

/** Parsed JSON as a property list, without the nulls that it has no place for. */
export function fromJson(value: unknown): PlistInput | undefined {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.flatMap((item: unknown) => fromJson(item) ?? []);
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, fromJson(item)]));
  }
  return value as PlistInput;
}

/** A property list for people: one line per value, with what JSON cannot tell apart. */
export function printText(value: PlistValue, indent = ''): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (value instanceof Uint8Array) return dataText(value);
  if (value instanceof PlistReal) return Number.isInteger(value.value) ? `${value.value}.0` : String(value.value);
  if (value instanceof PlistUid) return `uid ${value.value}`;
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((item) => inner + printText(item, inner)).join('\n')}\n${indent}]`;
  }
  if (typeof value === 'object') {
    const names = Object.keys(value);
    if (names.length === 0) return '{}';
    const lines = names.map((name) => `${inner}${nameText(name)}: ${printText(value[name] as PlistValue, inner)}`);
    return `{\n${lines.join('\n')}\n${indent}}`;
  }
  return String(value);
}

function nameText(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : JSON.stringify(name);
}

const shownBytes = 24;

function dataText(bytes: Uint8Array): string {
  const start = Buffer.from(bytes.subarray(0, shownBytes)).toString('hex');
  return `<${start}${bytes.length > shownBytes ? '…' : ''}> (${bytes.length} bytes)`;
}
