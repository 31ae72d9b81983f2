// JSON's way with values that JSON does not have: bytes as base64, dates as RFC 3339, large integers as text.

/** A copy that `JSON.stringify` writes without loss of meaning. */
export function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function' && !Object.hasOwn(value, 'toJSON')) {
    return (value.toJSON as () => unknown)();
  }
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    // Assigning to __proto__ would set the prototype; defining it makes it the ordinary key that it is.
    Object.defineProperty(copy, key, { value: toJson(item), enumerable: true, configurable: true, writable: true });
  }
  return copy;
}
