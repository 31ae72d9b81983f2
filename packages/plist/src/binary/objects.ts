// The objects of a binary property list: every distinct scalar once, every container, each with a number.

import { singleByteText } from '../bytes.ts';
import type { PlistError } from '../errors.ts';
import { narrow } from '../scalar/integer.ts';
import { isWellFormed } from '../unicode.ts';
import { isReal, isUid, type PlistInput, PlistReal, type PlistUid } from '../values.ts';
import { type InputDict, type InputFrame, integerProblem, integerRemedy, isPlainObject, type Walk } from '../walk.ts';

/** A value as it is stored: reals and uids wrapped, so that a plain number is always an integer. */
export type Scalar = string | number | bigint | boolean | Date | Uint8Array | PlistReal | PlistUid;

/** An array or a dictionary: the numbers of its values; of a dictionary first those of its keys. */
export interface Collection {
  readonly references: number[];
  readonly isDict: boolean;
}

/** Numbers the objects of a value in CoreFoundation's order: a container, its keys, then each value with all in it. */
export class ObjectTable {
  readonly objects: (Scalar | Collection)[] = [];
  private readonly walk: Walk;
  private readonly strings = new Map<string, number>();
  private readonly integers = new Map<number | bigint, number>();
  private readonly reals = new Map<number, number>();
  private readonly dates = new Map<number, number>();
  private readonly data = new Map<string, number>();
  private readonly uids = new Map<number | bigint, number>();
  private readonly booleans: [number, number] = [-1, -1];
  private negativeZero = -1;
  /** The collections being filled, parallel to the frames of `walk`. */
  private readonly open: Collection[] = [];

  constructor(walk: Walk, root: PlistInput) {
    this.walk = walk;
    this.addAll(root);
  }

  private addAll(root: PlistInput): void {
    const { walk, open } = this;
    let frame = this.enter(root);
    if (frame === undefined) this.addScalar(root);
    while (frame !== undefined) {
      const { value, keys } = frame;
      const { references } = open[open.length - 1]!;
      const count: number = keys === null ? (value as readonly PlistInput[]).length : keys.length;
      let inner: InputFrame | undefined;
      while (frame.index < count) {
        const item: PlistInput | undefined =
          keys === null ? (value as readonly PlistInput[])[frame.index] : (value as InputDict)[keys[frame.index]!];
        if (typeof item === 'object' && item !== null) {
          const number = this.objects.length;
          inner = this.enter(item);
          if (inner !== undefined) {
            references.push(number);
            break;
          }
        }
        references.push(this.addScalar(item));
        frame.index += 1;
      }
      if (inner !== undefined) {
        frame = inner;
        continue;
      }
      open.pop();
      frame = walk.leave();
      if (frame !== undefined) frame.index += 1;
    }
  }

  /** Starts a container: gives it its number, and its keys theirs. Returns `undefined` for a scalar. */
  private enter(value: PlistInput): InputFrame | undefined {
    if (typeof value !== 'object' || value === null) return undefined;
    const isArray = Array.isArray(value);
    if (!isArray && !isPlainObject(value)) return undefined;
    const keys = isArray ? null : this.walk.keysOf(value);
    const frame = this.walk.enter(value, keys);
    const collection: Collection = { references: [], isDict: keys !== null };
    this.objects.push(collection);
    this.open.push(collection);
    if (keys !== null) {
      for (frame.index = 0; frame.index < keys.length; frame.index += 1) {
        collection.references.push(this.addString(keys[frame.index]!));
      }
      frame.index = 0;
    }
    return frame;
  }

  private addScalar(value: PlistInput | undefined): number {
    switch (typeof value) {
      case 'string':
        return this.addString(value);
      case 'boolean':
        return this.addBoolean(value);
      case 'number':
        if (Number.isSafeInteger(value)) return this.unique(this.integers, value, value === 0 ? 0 : value);
        if (Number.isInteger(value)) throw this.integerRange();
        return this.addReal(value);
      case 'bigint': {
        const exact = narrow(value);
        if (exact === null) throw this.integerRange();
        return this.unique(this.integers, exact, exact);
      }
      case 'object':
        if (value instanceof Uint8Array) return this.unique(this.data, singleByteText(value, 0, value.length), value);
        if (value instanceof Date) return this.addDate(value);
        if (value !== null && isReal(value)) return this.addReal(value.value);
        if (value !== null && isUid(value)) return this.unique(this.uids, value.value, value);
    }
    throw this.walk.unsupported(value);
  }

  private addString(value: string): number {
    const known = this.strings.get(value);
    if (known !== undefined) return known;
    if (!isWellFormed(value)) throw this.walk.error('plist.character', 'half of a surrogate pair');
    return this.add(this.strings, value, value);
  }

  private addReal(value: number): number {
    // A map takes the two zeros for one.
    if (!Object.is(value, -0)) return this.unique(this.reals, value, new PlistReal(value));
    if (this.negativeZero < 0) this.negativeZero = this.objects.push(new PlistReal(value)) - 1;
    return this.negativeZero;
  }

  private addDate(value: Date): number {
    const time = value.getTime();
    if (Number.isNaN(time)) throw this.walk.error('plist.range', 'the date is invalid');
    return this.unique(this.dates, time, value);
  }

  private addBoolean(value: boolean): number {
    const slot = value ? 1 : 0;
    if (this.booleans[slot] < 0) this.booleans[slot] = this.objects.push(value) - 1;
    return this.booleans[slot];
  }

  private unique<Key>(numbers: Map<Key, number>, key: Key, value: Scalar): number {
    return numbers.get(key) ?? this.add(numbers, key, value);
  }

  private add<Key>(numbers: Map<Key, number>, key: Key, value: Scalar): number {
    const number = this.objects.push(value) - 1;
    numbers.set(key, number);
    return number;
  }

  private integerRange(): PlistError {
    return this.walk.error('plist.range', integerProblem, integerRemedy);
  }
}
