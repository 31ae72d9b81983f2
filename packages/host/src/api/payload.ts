// A command's payload as JSON, turned into what a property list holds: Apple's schema says which keys are data or dates.
import { type SchemaKey, schema } from '@espalier/apple-mdm';
import { invalid } from './operation.ts';

/**
 * The payload with its bytes and dates. A text is read as base64 (data) or RFC 3339 (date) where the schema of the
 * command says so; anywhere else `{"$data": "…"}` and `{"$date": "…"}` say it.
 * @throws HostError `host.input.invalid` with the path
 */
export function payloadFromJson(
  requestType: string,
  payload: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return dictionary(payload, schema.command(requestType)?.keys, 'payload');
}

function dictionary(
  value: Readonly<Record<string, unknown>>,
  keys: readonly SchemaKey[] | undefined,
  path: string,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    const key = keys?.find((candidate) => candidate.key === name);
    Object.defineProperty(result, name, {
      value: convert(item, key, `${path}.${name}`),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return result;
}

function convert(value: unknown, key: SchemaKey | undefined, path: string): unknown {
  if (value === null) throw invalid('A property list has no null.', path);
  if (typeof value === 'string') {
    if (key?.type === 'data') return data(value, path);
    return key?.type === 'date' ? date(value, path) : value;
  }
  if (Array.isArray(value)) {
    const item = key?.subkeys?.length === 1 ? key.subkeys[0] : undefined;
    return value.map((entry, index) => convert(entry, item, `${path}.${index}`));
  }
  if (typeof value !== 'object') return value;
  const names = Object.keys(value);
  if (names.length === 1) {
    const { $data, $date } = value as { $data?: unknown; $date?: unknown };
    if (typeof $data === 'string') return data($data, path);
    if (typeof $date === 'string') return date($date, path);
  }
  return dictionary(value as Record<string, unknown>, key?.type === 'dictionary' ? key.subkeys : undefined, path);
}

function data(text: string, path: string): Uint8Array {
  const plain = text.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain) || plain.length % 4 !== 0) throw invalid('This is not base64.', path);
  return new Uint8Array(Buffer.from(plain, 'base64'));
}

function date(text: string, path: string): Date {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw invalid('This is not a date of RFC 3339, such as 2026-01-31T12:00:00Z.', path);
  return new Date(time);
}
