// Reading lists of dictionaries leniently: an entry without what makes it usable is counted, not refused.
import { isDict, type PlistDict, type PlistValue } from '../plist.ts';

/** A list that was read. */
export interface ReadList<T> {
  readonly items: readonly T[];
  /** Entries that lack what makes them usable (an identifier, the data); they are in the raw response only. */
  readonly unreadable: number;
}

/** Reads each entry of a list; `undefined` for one that is not usable. */
export function readList<T>(value: PlistValue | undefined, read: (item: PlistDict) => T | undefined): ReadList<T> {
  if (!Array.isArray(value)) return { items: [], unreadable: 0 };
  const items: T[] = [];
  for (const entry of value) {
    const item = isDict(entry) ? read(entry) : undefined;
    if (item !== undefined) items.push(item);
  }
  return { items, unreadable: value.length - items.length };
}

/** A string, or nothing. */
export function text(value: PlistValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A boolean, or nothing. */
export function flag(value: PlistValue | undefined): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

/** A whole number that JavaScript holds exactly, or nothing. */
export function integer(value: PlistValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

/** A date as milliseconds since the Unix epoch, or nothing. */
export function instantOf(value: PlistValue | undefined): number | undefined {
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.getTime() : undefined;
}
