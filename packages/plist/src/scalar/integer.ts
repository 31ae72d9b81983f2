// Integers as text: decimal or hexadecimal, from -2^63 to 2^64-1.

/** Smallest integer of a property list. */
export const minInteger = -(2n ** 63n);
/** Largest integer of a property list. */
export const maxInteger = 2n ** 64n - 1n;

const form = /^([+-]?)(?:0[xX]([0-9a-fA-F]+)|([0-9]+))$/;

/**
 * Reads an integer without surrounding white space.
 * Returns `null` when it is malformed and `'range'` when no property list can hold it.
 */
export function parseInteger(text: string): number | bigint | 'range' | null {
  const match = form.exec(text);
  if (match === null) return null;
  const [, sign, hex, decimal] = match;
  // Leading zeros are dropped and the digits counted first: converting a very long number takes more than linear time.
  const digits = (hex ?? decimal ?? '').replace(/^0+(?=.)/, '');
  if (digits.length > 20) return 'range';
  const magnitude = BigInt(hex === undefined ? digits : `0x${digits}`);
  return narrow(sign === '-' ? -magnitude : magnitude) ?? 'range';
}

/** The `number` or `bigint` that stands for an integer, or `null` when it is out of range. */
export function narrow(value: bigint): number | bigint | null {
  if (value < minInteger || value > maxInteger) return null;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
