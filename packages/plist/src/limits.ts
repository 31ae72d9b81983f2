// The limits on a document and the options of decoding, with their defaults.
import { PlistError } from './errors.ts';

/** What a document may cost. Each limit is checked before, or while, the document is read; reaching none is free. */
export interface DecodeLimits {
  /**
   * Largest document, in bytes (for a string: in UTF-16 code units). For a binary document also the most bytes that its
   * strings and data may come to when every reference to them is written out. Default 16 MiB,
   * at most 256 MiB.
   */
  readonly maxBytes: number;
  /** Most arrays and dictionaries inside one another. Default 512. */
  readonly maxDepth: number;
  /**
   * Most values: each scalar, array and dictionary counts one, a value that a binary document refers to twice
   * counts two. Default 1,000,000.
   */
  readonly maxElements: number;
}

/** Options of `decode` and `decodeDict`. */
export interface DecodeOptions {
  /** Limits that differ from {@link defaultLimits}. */
  readonly limits?: Partial<DecodeLimits>;
  /**
   * What a `<real>` with a whole value becomes: `'exact'` (the default) makes a `PlistReal`, so that encoding the
   * result writes a real again; `'number'` makes a plain `number`.
   */
  readonly reals?: 'exact' | 'number';
  /**
   * What happens to a key that a dictionary has twice. `'error'` is the default, since parsers differ in which of the
   * two they take and a document with both means something else to each of them. `'last'` and `'first'` choose one.
   */
  readonly duplicateKeys?: 'error' | 'first' | 'last';
}

/** The limits that apply where `DecodeOptions.limits` does not name another. */
export const defaultLimits: DecodeLimits = Object.freeze({
  maxBytes: 16 * 1024 * 1024,
  maxDepth: 512,
  maxElements: 1_000_000,
});

/** Options with every choice made. */
export interface Settings extends DecodeLimits {
  readonly wrapReals: boolean;
  readonly duplicateKeys: 'error' | 'first' | 'last';
}

/** Beyond this, a document could hold a string that is longer than the engine allows. */
const largestMaxBytes = 256 * 1024 * 1024;

const defaults: Settings = { ...defaultLimits, wrapReals: true, duplicateKeys: 'error' };

/** Checks the options and fills in the defaults. */
export function settle(options: DecodeOptions | undefined): Settings {
  if (options === undefined) return defaults;
  const { limits, reals = 'exact', duplicateKeys = 'error' } = options;
  if (reals !== 'exact' && reals !== 'number') throw badOption('reals', "'exact' or 'number'");
  if (duplicateKeys !== 'error' && duplicateKeys !== 'first' && duplicateKeys !== 'last') {
    throw badOption('duplicateKeys', "'error', 'first' or 'last'");
  }
  return {
    maxBytes: limit(limits, 'maxBytes'),
    maxDepth: limit(limits, 'maxDepth'),
    maxElements: limit(limits, 'maxElements'),
    wrapReals: reals === 'exact',
    duplicateKeys,
  };
}

function limit(limits: Partial<DecodeLimits> | undefined, name: keyof DecodeLimits): number {
  const value = limits?.[name];
  if (value === undefined) return defaultLimits[name];
  if (typeof value !== 'number' || !(value >= 0)) throw badOption(`limits.${name}`, 'a number from 0');
  if (name === 'maxBytes' && value > largestMaxBytes) throw badOption('limits.maxBytes', `at most ${largestMaxBytes}`);
  return value;
}

function badOption(name: string, wanted: string): PlistError {
  return new PlistError('plist.option', `option ${name} must be ${wanted}`);
}
