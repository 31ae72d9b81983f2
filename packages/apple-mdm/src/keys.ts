// Typed access to the keys of a decoded dictionary: each accessor checks the type and names the path when it is wrong.
import { MdmError, type MdmErrorCode, wrapPlistError } from './errors.ts';
import { type DecodeLimits, decodeDict, isDict, type PlistDict, PlistReal, type PlistValue } from './plist.ts';

/** Limits for what a device sends, as `@espalier/plist` has them. */
export type MessageLimits = Partial<DecodeLimits>;

/**
 * What a device's message may cost unless the caller says otherwise: 8 MiB, 64 levels, 400,000 values. The largest
 * honest message is the app list of a Mac (some hundred kilobytes); profiles and declarations nest below 20.
 */
export const defaultMessageLimits: DecodeLimits = Object.freeze({
  maxBytes: 8 * 1024 * 1024,
  maxDepth: 64,
  maxElements: 400_000,
});

/**
 * Decodes a message whose root is a dictionary.
 * @throws MdmError `mdm.not_plist`, `mdm.too_large`, `mdm.too_complex`
 */
export function decodeMessage(bytes: Uint8Array, limits?: MessageLimits): PlistDict {
  try {
    return decodeDict(bytes, { limits: { ...defaultMessageLimits, ...limits } });
  } catch (error) {
    throw wrapPlistError(error);
  }
}

/** The two codes that a family of messages has for its keys. */
export interface KeyCodes {
  readonly missing: MdmErrorCode;
  readonly bad: MdmErrorCode;
}

/** Reads the keys of one dictionary, with the path for errors. */
export class Keys {
  readonly dict: PlistDict;
  readonly #codes: KeyCodes;
  readonly #path: string;

  constructor(dict: PlistDict, codes: KeyCodes, path = '') {
    this.dict = dict;
    this.#codes = codes;
    this.#path = path;
  }

  /** A string, or `undefined` when the key is absent. */
  string(key: string): string | undefined {
    const value = this.dict[key];
    if (value === undefined || typeof value === 'string') return value;
    throw this.bad(key, 'a string', value);
  }

  /** A string that must be there and must not be empty. */
  requiredString(key: string): string {
    const value = this.string(key);
    if (value === undefined) throw this.missing(key);
    if (value === '') throw new MdmError(this.#codes.bad, `${this.path(key)} is empty`, { at: this.at(key) });
    return value;
  }

  boolean(key: string): boolean | undefined {
    const value = this.dict[key];
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.bad(key, 'a boolean', value);
  }

  /** A whole number that JavaScript holds exactly; also where it is written as a real, as in examples of Apple's. */
  integer(key: string): number | undefined {
    const value = this.dict[key];
    if (value === undefined) return undefined;
    const number = value instanceof PlistReal ? value.value : value;
    if (typeof number === 'number' && Number.isSafeInteger(number)) return number;
    throw this.bad(key, 'an integer', value);
  }

  data(key: string): Uint8Array | undefined {
    const value = this.dict[key];
    if (value === undefined || value instanceof Uint8Array) return value;
    throw this.bad(key, 'data', value);
  }

  requiredData(key: string): Uint8Array {
    const value = this.data(key);
    if (value === undefined) throw this.missing(key);
    return value;
  }

  array(key: string): PlistValue[] | undefined {
    const value = this.dict[key];
    if (value === undefined || Array.isArray(value)) return value;
    throw this.bad(key, 'an array', value);
  }

  /** The keys of a dictionary inside this one. */
  nested(key: string): Keys | undefined {
    const value = this.dict[key];
    if (value === undefined) return undefined;
    if (!isDict(value)) throw this.bad(key, 'a dictionary', value);
    return new Keys(value, this.#codes, this.path(key));
  }

  requiredNested(key: string): Keys {
    const value = this.nested(key);
    if (value === undefined) throw this.missing(key);
    return value;
  }

  path(key: string | number): string {
    return `${this.#path}/${key}`;
  }

  at(key: string | number): { readonly path: string } {
    return { path: this.path(key) };
  }

  missing(key: string): MdmError {
    return new MdmError(this.#codes.missing, `${this.path(key)} is missing`, { at: this.at(key) });
  }

  bad(key: string | number, wanted: string, value: PlistValue): MdmError {
    return new MdmError(this.#codes.bad, `${this.path(key)} is ${kindOf(value)}, where ${wanted} belongs`, {
      at: this.at(key),
    });
  }
}

/** The name of a value's type, for messages. */
export function kindOf(value: PlistValue | undefined): string {
  if (value === undefined) return 'absent';
  if (typeof value === 'string') return 'a string';
  if (typeof value === 'boolean') return 'a boolean';
  if (typeof value === 'bigint') return 'an integer';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a real';
  if (value instanceof Date) return 'a date';
  if (value instanceof Uint8Array) return 'data';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof PlistReal) return 'a real';
  return isDict(value) ? 'a dictionary' : 'a uid';
}
