// What this package uses of `@espalier/plist`, with two guards for decoded values.
import { type PlistDict, PlistReal, PlistUid, type PlistValue } from '@espalier/plist';

export type { DecodeLimits, PlistDict, PlistInput, PlistValue } from '@espalier/plist';
export { decodeDict, encodeXml } from '@espalier/plist';
export { PlistReal };

/** Whether a decoded value is a dictionary. */
export function isDict(value: PlistValue | undefined): value is PlistDict {
  return (
    typeof value === 'object' &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date) &&
    !(value instanceof PlistReal) &&
    !(value instanceof PlistUid)
  );
}

/** A decoded number of either kind as a plain number; `undefined` for anything else, and for integers beyond 2^53. */
export function numberOf(value: PlistValue | undefined): number | undefined {
  if (typeof value === 'number') return value;
  return value instanceof PlistReal ? value.value : undefined;
}
