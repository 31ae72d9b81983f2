// The values of a property list, and the two kinds of number that JavaScript has no type for.
import { PlistError } from './errors.ts';
import { narrow } from './scalar/integer.ts';

/** Any value of a decoded property list. */
export type PlistValue =
  | string
  | number
  | bigint
  | boolean
  | Date
  | Uint8Array
  | PlistReal
  | PlistUid
  | PlistValue[]
  | PlistDict;

/**
 * A decoded dictionary: every key is an own property and nothing is inherited, so `dict.Foo` is the document's value
 * or `undefined` whatever `Foo` is; `__proto__`, `constructor` and `toString` are keys like any other.
 */
export interface PlistDict {
  [key: string]: PlistValue;
}

/**
 * Any value that can be encoded. Like {@link PlistValue}, but arrays and dictionaries may be read-only, and an entry
 * of a dictionary may be `undefined`, which leaves it out.
 */
export type PlistInput =
  | string
  | number
  | bigint
  | boolean
  | Date
  | Uint8Array
  | PlistReal
  | PlistUid
  | readonly PlistInput[]
  | { readonly [key: string]: PlistInput | undefined };

const realBrand: unique symbol = Symbol.for('espalier.plist.real');
const uidBrand: unique symbol = Symbol.for('espalier.plist.uid');

/**
 * A real whose value is a whole number (or negative zero), which as a plain `number` would be taken for an integer.
 * `decode` gives one for `<real>1</real>`, so that what was decoded encodes to the same types.
 *
 * @example
 * encodeXml({ Ratio: new PlistReal(1) }); // <real>1</real>, where 1 alone would be <integer>1</integer>
 */
export class PlistReal {
  get [realBrand](): true {
    return true;
  }

  /** The number, as an IEEE 754 double. */
  readonly value: number;

  /** @throws PlistError `plist.type` when `value` is no `number` */
  constructor(value: number) {
    if (typeof value !== 'number') throw new PlistError('plist.type', 'a PlistReal holds a number');
    this.value = value;
  }

  /** The number, so that `real + 1` and `real > 0` work. */
  valueOf(): number {
    return this.value;
  }

  /** The number as JSON has it; `null` for a value that JSON has not. */
  toJSON(): number {
    return this.value;
  }

  /** The number in JavaScript's notation. */
  toString(): string {
    return String(this.value);
  }
}

/**
 * A uid: the reference type of Apple's keyed archives. In XML it is a dictionary with the one key `CF$UID`.
 * Values go from 0 to 2^64-1; CoreFoundation itself reads no more than 2^32-1.
 */
export class PlistUid {
  get [uidBrand](): true {
    return true;
  }

  /** The reference: a `number` when it is a safe integer, else a `bigint`. */
  readonly value: number | bigint;

  /** @throws PlistError `plist.range` when `value` is no integer from 0 to 2^64-1, or an unsafe one as a `number` */
  constructor(value: number | bigint) {
    const exact = typeof value === 'bigint' ? narrow(value) : Number.isSafeInteger(value) ? value : null;
    if (exact === null || exact < 0) throw new PlistError('plist.range', 'a uid goes from 0 to 2^64-1');
    this.value = exact;
  }

  /** The reference as XML has it; a `bigint` as a decimal string, for JSON has no other place for it. */
  toJSON(): { CF$UID: number | string } {
    return { CF$UID: typeof this.value === 'bigint' ? String(this.value) : this.value };
  }
}

/** The key that makes a one-key dictionary a uid in XML. */
export const uidKey = 'CF$UID';

/** Whether a value is a {@link PlistReal}, also one of another copy of this package. */
export function isReal(value: object): value is PlistReal {
  return (value as Partial<PlistReal>)[realBrand] === true;
}

/** Whether a value is a {@link PlistUid}, also one of another copy of this package. */
export function isUid(value: object): value is PlistUid {
  return (value as Partial<PlistUid>)[uidBrand] === true;
}

/**
 * Makes an empty dictionary. Its prototype is one frozen object without properties and without a prototype. Such
 * objects keep V8's fast layout, which `Object.create(null)` gives up: filling one takes a third of the time.
 */
export const DictConstructor: new () => PlistDict = (() => {
  function Dict(): void {}
  Dict.prototype = Object.freeze(Object.create(null));
  return Dict as unknown as new () => PlistDict;
})();

/** A real as `decode` hands it out: wrapped only where a plain number would lose its kind. */
export function realValue(value: number, wrap: boolean): number | PlistReal {
  return wrap && Number.isInteger(value) ? new PlistReal(value) : value;
}
