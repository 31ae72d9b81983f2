// Facts as rows: what a store writes so that the compiled SQL finds it.
import type { SearchRecord } from './compile.ts';
import type { Field } from './field.ts';
import { isText, versionKey } from './fold.ts';
import type { Catalogue } from './registry.ts';
import { storageOf, textKey } from './storage.ts';

/** One value of one field of one device. */
export interface FactRow {
  /** Canonical token. */
  readonly field: string;
  /** 0 for the first or only value. */
  readonly ordinal: number;
  /** The text as reported, to show it; `null` for numbers and flags. */
  readonly text: string | null;
  /** The comparable form of the text (folded, identifiers without separators); `null` for numbers and flags. */
  readonly key: string | null;
  /** All of the key, where `key` is only its beginning ({@link FactRowOptions.keyLength}); `null` for everything else. */
  readonly whole: string | null;
  /** Numbers, epoch milliseconds, and flags as 1 and 0; `null` for text. */
  readonly number: number | null;
  /** The sortable form of a version; `null` for everything else. */
  readonly version: string | null;
}

/** How rows are made. */
export interface FactRowOptions {
  /** Characters (code points) of a key that an index takes; longer ones are cut. Default: keys are never cut. */
  readonly keyLength?: number;
}

/**
 * The rows of a record. A value that counts as missing (null, blank, NaN, of another type than its field's) has no row,
 * which is what the compiled SQL relies on. NUL and broken Unicode, which databases refuse, become U+FFFD.
 * @example for (const row of factRows({ 'common.platform': 'iOS' }, catalogue)) insert(deviceId, row);
 */
export function factRows(record: SearchRecord, catalogue?: Catalogue, options: FactRowOptions = {}): FactRow[] {
  const { keyLength = Number.POSITIVE_INFINITY } = options;
  const rows: FactRow[] = [];
  for (const [token, value] of Object.entries(record)) {
    const field = catalogue?.get(token);
    let ordinal = 0;
    for (const v of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
      const row = factRow(field?.token ?? token, ordinal, v, field);
      if (row === null) continue;
      rows.push(cut(row, keyLength));
      ordinal++;
    }
  }
  return rows;
}

function cut(row: FactRow, keyLength: number): FactRow {
  const { key } = row;
  // A character is at most two code units, so most keys need not be taken apart.
  if (key === null || key.length <= keyLength) return row;
  const points = [...key];
  if (points.length <= keyLength) return row;
  return { ...row, key: points.slice(0, keyLength).join(''), whole: key };
}

function factRow(token: string, ordinal: number, value: unknown, field: Field | undefined): FactRow | null {
  const storage = field === undefined ? undefined : storageOf(field.type);
  const row = { field: token, ordinal, text: null, key: null, whole: null, number: null, version: null };
  if (typeof value === 'string' && (storage ?? 'text') === 'text') {
    const text = isText(value) ? value : value.replace(/[\0\p{Cs}]/gu, '\ufffd');
    const key = textKey(field?.type ?? 'str', text);
    if (key === '') return null;
    return { ...row, text, key, version: field === undefined || field.type === 'ver' ? versionKey(text) : null };
  }
  if (typeof value === 'boolean' && (storage ?? 'flag') === 'flag') return { ...row, number: value ? 1 : 0 };
  if (typeof value === 'number' && Number.isFinite(value) && (storage ?? 'number') === 'number') {
    return { ...row, number: value };
  }
  return null;
}
