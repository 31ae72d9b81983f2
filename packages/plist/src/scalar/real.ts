// Reals as text: decimal notation, and the names of the values that have none.

// No two parts can match the same digits, or a long run of them would be tried in every division.
const decimal = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const named = /^(?:[+-]?nan|([+-]?)inf(?:inity)?)$/i;

/**
 * Reads a real without surrounding white space. Returns `null` when it is malformed and `'range'` when its digits name
 * a value beyond the largest double.
 */
export function parseReal(text: string): number | 'range' | null {
  if (decimal.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : 'range';
  }
  const match = named.exec(text);
  if (match === null) return null;
  if (match[1] === undefined) return Number.NaN;
  return match[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Writes a real so that reading it gives the same double; the names are CoreFoundation's. */
export function formatReal(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? '+infinity' : '-infinity';
}
