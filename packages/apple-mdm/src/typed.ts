// Turns a checked value into the one that the generated types describe: numbers for reals, bytes and dates for JSON's
// strings. What the schema does not know is handed on as it is.
import type { Fields, Node } from './validate/compile.ts';
import type { Notation } from './validate/scalar.ts';
import { numberOf, typeOfValue } from './validate/values.ts';

/** No message nests deeper: what is below stays as it is. */
const maxDepth = 64;

/** A dictionary, key by key. `leaveOut`: names that are no part of the type. */
export function typedDictionary(
  fields: Fields | undefined,
  value: object,
  notation: Notation,
  leaveOut?: (name: string) => boolean,
  depth = 0,
): Record<string, unknown> {
  // Without a prototype, `__proto__` is a key like any other.
  const result: Record<string, unknown> = Object.create(null);
  for (const [name, item] of Object.entries(value)) {
    const node = fields?.byName.get(name) ?? fields?.wildcard;
    if (node === undefined && leaveOut?.(name)) continue;
    result[name] = typedValue(node, item, notation, depth + 1);
  }
  return result;
}

/** The value of one key, which must have been checked; `undefined` for a key that the schema does not know. */
export function typedValue(node: Node | undefined, value: unknown, notation: Notation, depth = 0): unknown {
  if (depth > maxDepth) return value;
  const type = typeOfValue(value);
  if (node?.key.listed === true) {
    const one = node.fields;
    const list = type === 'array' ? (value as readonly object[]) : [value as object];
    return list.map((item) => typedDictionary(one, item, notation, undefined, depth));
  }
  if (type === 'dictionary') return typedDictionary(node?.fields, value as object, notation, undefined, depth);
  if (type === 'array') {
    // Alternatives (of the Settings command) are in no answer; there the items would have to be told apart first.
    const item = node?.items.length === 1 ? node.items[0] : undefined;
    return (value as readonly unknown[]).map((one) => typedValue(item, one, notation, depth + 1));
  }
  if (type === 'real') return numberOf(value);
  if (notation === 'json' && type === 'string') {
    if (node?.type === 'data') return new Uint8Array(Buffer.from(value as string, 'base64'));
    if (node?.type === 'date') return readDate(value as string);
  }
  return value;
}

/** ISO 8601; a time without a zone is UTC. */
function readDate(text: string): Date {
  return new Date(/(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
}
