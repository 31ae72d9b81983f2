// What both encoders need to know of a value: its kind, and whether it is inside itself.
import { formatPath, PlistError, type PlistErrorCode } from './errors.ts';
import type { PlistInput } from './values.ts';

export type InputDict = { readonly [key: string]: PlistInput | undefined };

/** Options of `encodeXml` and `encodeBinary`. */
export interface EncodeOptions {
  /** Write the keys of each dictionary in the order of their UTF-16 code units, instead of as they were inserted. */
  readonly sortKeys?: boolean;
  /** Most arrays and dictionaries inside one another. Default 512. */
  readonly maxDepth?: number;
}

/** An array or a dictionary whose entries are being written. */
export interface InputFrame {
  readonly value: object;
  /** Keys of a dictionary, in the order to write them; `null` for an array. */
  readonly keys: readonly string[] | null;
  index: number;
}

/** What both encoders say of an integer that they cannot write. */
export const integerProblem = 'not an integer from -2^63 to 2^64-1 that is known exactly';
export const integerRemedy = 'Beyond 2^53 give an integer as a bigint, and a real as a PlistReal.';

/** Whether an object is a plain one, of this realm or another: its prototype has none, or there is no prototype. */
export function isPlainObject(value: object): value is InputDict {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

const defaultMaxDepth = 512;
/** From this depth on, the containers around a value are looked up in a set instead of one by one. */
const deep = 16;

/** The arrays and dictionaries around the value being written. */
export class Walk {
  readonly frames: InputFrame[] = [];
  readonly sortKeys: boolean;
  readonly maxDepth: number;
  private around: Set<object> | null = null;

  constructor(options: EncodeOptions | undefined) {
    this.sortKeys = options?.sortKeys ?? false;
    this.maxDepth = options?.maxDepth ?? defaultMaxDepth;
    if (typeof this.maxDepth !== 'number' || !(this.maxDepth >= 0)) {
      throw new PlistError('plist.option', 'option maxDepth must be a number from 0');
    }
  }

  /** Goes into an array or a dictionary. */
  enter(value: object, keys: readonly string[] | null): InputFrame {
    const { frames } = this;
    if (this.around !== null ? this.around.has(value) : this.isOpen(value)) {
      throw this.error('plist.cycle', 'the value contains itself');
    }
    if (frames.length >= this.maxDepth) {
      throw this.error('plist.limit.depth', `more than ${this.maxDepth} arrays and dictionaries inside one another`);
    }
    const frame: InputFrame = { value, keys, index: 0 };
    frames.push(frame);
    if (this.around !== null) this.around.add(value);
    else if (frames.length > deep) this.around = new Set(frames.map((each) => each.value));
    return frame;
  }

  private isOpen(value: object): boolean {
    for (const frame of this.frames) {
      if (frame.value === value) return true;
    }
    return false;
  }

  /** Leaves the innermost container; returns the one around it. */
  leave(): InputFrame | undefined {
    const frame = this.frames.pop();
    if (this.around !== null && frame !== undefined) this.around.delete(frame.value);
    return this.frames[this.frames.length - 1];
  }

  /** The keys of a dictionary that have a value, in the order to write them. */
  keysOf(value: object): readonly string[] {
    let keys = Object.keys(value);
    for (const key of keys) {
      if ((value as InputDict)[key] === undefined) {
        keys = keys.filter((each) => (value as InputDict)[each] !== undefined);
        break;
      }
    }
    return this.sortKeys ? keys.sort() : keys;
  }

  /** Like `keysOf`, but only the first of the keys is sure to have a value: the caller passes over the others. */
  someKeysOf(value: object): readonly string[] {
    const keys = Object.keys(value);
    if (keys.length > 0 && (value as InputDict)[keys[0]!] === undefined) return this.keysOf(value);
    return this.sortKeys ? keys.sort() : keys;
  }

  /** The error for a value of a type that no property list has. */
  unsupported(value: unknown): PlistError {
    let name: string = value === null ? 'null' : typeof value;
    if (name === 'object') {
      const maker: unknown = (value as { constructor?: unknown }).constructor;
      name = typeof maker === 'function' ? `a ${maker.name}` : 'this object';
    }
    return this.error('plist.type', `a property list cannot hold ${name}`);
  }

  /** An error about the value being written. */
  error(code: PlistErrorCode, problem: string, remedy?: string): PlistError {
    const parts = this.frames.map((frame) => (frame.keys === null ? frame.index : (frame.keys[frame.index] ?? '')));
    return new PlistError(code, problem, { path: formatPath(parts) }, remedy);
  }
}
