// JSON in and out: canonical text, so that the same value is the same bytes, and reading within limits.
import { MdmError } from '../errors.ts';
import { defaultMessageLimits, type MessageLimits } from '../keys.ts';

/** Any value that a declaration's payload can hold. Bytes become base64, dates ISO 8601; `undefined` is left out. */
export type JsonInput =
  | string
  | number
  | boolean
  | null
  | Date
  | Uint8Array
  | readonly JsonInput[]
  | { readonly [key: string]: JsonInput | undefined };

const maxDepth = 64;

function bad(path: string, problem: string): MdmError {
  return new MdmError('mdm.declaration.bad_key', `${path || '/'} ${problem}`, { at: { path: path || '/' } });
}

/**
 * JSON without white space and with the keys of every object in order of their UTF-16 code units, as in RFC 8785: equal
 * values give equal text, whatever the order in which their keys were written.
 *
 * @throws MdmError `mdm.declaration.bad_key` for what JSON has no place for, and for a value deeper than 64 levels
 */
export function canonicalJson(value: JsonInput, path = '', depth = 0): string {
  if (depth > maxDepth) throw bad(path, `is nested deeper than ${maxDepth} levels`);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw bad(path, 'is not a finite number');
    return JSON.stringify(value);
  }
  if (typeof value !== 'object') throw bad(path, `is a ${typeof value}, for which JSON has no place`);
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'));
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw bad(path, 'is not a date');
    return JSON.stringify(value.toISOString().replace('.000Z', 'Z'));
  }
  if (isList(value)) {
    return `[${value.map((item, index) => canonicalJson(item, `${path}/${index}`, depth + 1)).join(',')}]`;
  }
  const parts: string[] = [];
  for (const name of Object.keys(value).sort()) {
    const item = value[name];
    if (item === undefined) continue;
    parts.push(`${JSON.stringify(name)}:${canonicalJson(item, `${path}/${name}`, depth + 1)}`);
  }
  return `{${parts.join(',')}}`;
}

// `Array.isArray` does not narrow a readonly array away.
const isList = (value: object): value is readonly JsonInput[] => Array.isArray(value);

/** A JSON object as it was decoded. */
export type JsonObject = { readonly [key: string]: unknown };

/** Whether a decoded value is an object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads a JSON object.
 * @throws MdmError `mdm.declaration.not_json`, `mdm.too_large`, `mdm.too_complex`
 */
export function readObject(bytes: Uint8Array, limits?: MessageLimits): JsonObject {
  const { maxBytes, maxDepth: deepest, maxElements } = { ...defaultMessageLimits, ...limits };
  if (bytes.length > maxBytes) {
    throw new MdmError('mdm.too_large', `the JSON has ${bytes.length} bytes, where at most ${maxBytes} are read`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MdmError('mdm.declaration.not_json', `not JSON: ${reason}`, { cause });
  }
  let level: unknown[] = [value];
  let elements = 0;
  for (let depth = 0; level.length > 0; depth++) {
    elements += level.length;
    if (depth > deepest) throw new MdmError('mdm.too_complex', `the JSON is nested deeper than ${deepest} levels`);
    if (elements > maxElements) throw new MdmError('mdm.too_complex', `the JSON has more than ${maxElements} values`);
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
  }
  if (!isObject(value)) throw new MdmError('mdm.declaration.not_json', 'the JSON is not an object');
  return value;
}
