// The binary decoder: follows references from the root, checking every offset and counting what they expand to.

import { singleByteText } from '../bytes.ts';
import { formatPath, PlistError, type PlistErrorCode } from '../errors.ts';
import type { Settings } from '../limits.ts';
import { narrow } from '../scalar/integer.ts';
import { isWellFormed, stringOf } from '../unicode.ts';
import { DictConstructor, type PlistDict, PlistUid, type PlistValue, realValue } from '../values.ts';
import { headerSize, type Layout, readLayout, readUnsigned, referenceSeconds, trailerSize } from './layout.ts';

/** An array or a dictionary whose entries are being read. */
interface Frame {
  readonly array: PlistValue[] | null;
  readonly dict: PlistDict | null;
  /** Its object number. */
  readonly object: number;
  readonly count: number;
  /** Where its references start: of a dictionary first all keys, then all values. */
  readonly references: number;
  index: number;
  /** Key of the value being read; `null` while the key itself is. */
  key: string | null;
}

/** Decodes a binary property list. */
export function decodeBinary(bytes: Uint8Array, settings: Settings): PlistValue {
  return new BinaryDecoder(bytes, settings).read();
}

class BinaryDecoder {
  readonly bytes: Uint8Array;
  readonly settings: Settings;
  readonly layout: Layout;
  /** The document as a string with one character a byte, of which strings are slices. */
  readonly text: string;
  /** Made when the first wide number is read: most documents have few, and short ones are read faster without. */
  #view: DataView | undefined;
  /** The strings read so far, by object number: a key is referred to once for each dictionary that has it. */
  readonly strings: (string | undefined)[];
  /** 1 for each container being read, by object number. */
  readonly open: Uint8Array;
  readonly frames: Frame[] = [];
  elements = 0;
  expanded = 0;

  constructor(bytes: Uint8Array, settings: Settings) {
    this.bytes = bytes;
    this.settings = settings;
    this.layout = readLayout(bytes, settings);
    this.text = singleByteText(bytes, 0, bytes.length);
    this.strings = new Array<string | undefined>(this.layout.objects);
    this.open = new Uint8Array(this.layout.objects);
  }

  get view(): DataView {
    const { bytes } = this;
    this.#view ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return this.#view;
  }

  read(): PlistValue {
    const { frames } = this;
    const { referenceSize } = this.layout;
    const { duplicateKeys } = this.settings;
    let value = this.readValue(this.layout.root, this.bytes.length - trailerSize + 16);
    // `undefined` means that a container was opened: its entries come first.
    while (value === undefined || frames.length > 0) {
      const frame: Frame = frames[frames.length - 1]!;
      const { array, dict } = frame;
      if (value !== undefined) {
        if (array !== null) array.push(value);
        else if (duplicateKeys !== 'first' || dict![frame.key!] === undefined) dict![frame.key!] = value;
        frame.index += 1;
      }
      if (frame.index === frame.count) {
        frames.pop();
        this.open[frame.object] = 0;
        value = array ?? dict!;
        continue;
      }
      let at = frame.references + frame.index * referenceSize;
      if (dict !== null) {
        frame.key = null;
        const key = this.readKey(readUnsigned(this.bytes, at, referenceSize), at);
        frame.key = key;
        if (duplicateKeys === 'error' && dict[key] !== undefined) {
          throw this.error('plist.duplicate_key', 'the dictionary has this key twice', at);
        }
        at += frame.count * referenceSize;
      }
      value = this.readValue(readUnsigned(this.bytes, at, referenceSize), at);
    }
    return value;
  }

  /** Reads one object. Returns `undefined` after opening a container that is not empty. */
  readValue(object: number, from: number): PlistValue | undefined {
    this.elements += 1;
    const at = this.offsetOf(object, from);
    if (this.elements > this.settings.maxElements) {
      throw this.error('plist.limit.elements', `more than ${this.settings.maxElements} values`, at);
    }
    const marker = this.bytes[at]!;
    switch (marker >> 4) {
      case 0x0:
        if (marker === 0x08) return false;
        if (marker === 0x09) return true;
        break;
      case 0x1:
        return this.readInteger(at, marker & 15);
      case 0x2:
        if (marker === 0x22) return realValue(this.view.getFloat32(this.need(at, at + 1, 4)), this.settings.wrapReals);
        if (marker === 0x23) return realValue(this.view.getFloat64(this.need(at, at + 1, 8)), this.settings.wrapReals);
        break;
      case 0x3:
        if (marker === 0x33) return this.readDate(at);
        break;
      case 0x4: {
        const size = this.readSize(at, marker & 15);
        const start = this.need(at, this.body(at), size);
        this.expand(size, at);
        return this.bytes.slice(start, start + size);
      }
      case 0x5:
      case 0x6:
        return this.readString(object, at);
      case 0x8:
        return this.readUid(at, (marker & 15) + 1);
      case 0xa:
      case 0xd:
        return this.openContainer(object, at, marker);
    }
    throw this.error('plist.type', `0x${marker.toString(16).padStart(2, '0')} is no type of a property list`, at);
  }

  openContainer(object: number, at: number, marker: number): PlistValue | undefined {
    const isDict = marker >> 4 === 0xd;
    const count = this.readSize(at, marker & 15);
    const references = this.body(at);
    this.need(at, references, count * this.layout.referenceSize * (isDict ? 2 : 1));
    if (this.open[object] === 1) throw this.error('plist.cycle', 'the container contains itself', at);
    if (this.frames.length >= this.settings.maxDepth) {
      const problem = `more than ${this.settings.maxDepth} arrays and dictionaries inside one another`;
      throw this.error('plist.limit.depth', problem, at);
    }
    const dict = isDict ? new DictConstructor() : null;
    const array: PlistValue[] | null = isDict ? null : [];
    if (count === 0) return dict ?? array!;
    this.open[object] = 1;
    this.frames.push({ array, dict, object, count, references, index: 0, key: null });
    return undefined;
  }

  /** Reads a key; it is an object like any other, but must be a string. */
  readKey(object: number, from: number): string {
    const known = this.strings[object];
    if (known !== undefined) {
      this.expand(known.length, from);
      return known;
    }
    const at = this.offsetOf(object, from);
    const type = this.bytes[at]! >> 4;
    if (type !== 5 && type !== 6) throw this.error('plist.type', 'a key must be a string', at);
    return this.readString(object, at);
  }

  readString(object: number, at: number): string {
    const known = this.strings[object];
    if (known !== undefined) {
      this.expand(known.length, at);
      return known;
    }
    const marker = this.bytes[at]!;
    const length = this.readSize(at, marker & 15);
    const start = this.body(at);
    let string: string;
    if (marker >> 4 === 5) {
      this.need(at, start, length);
      this.expand(length, at);
      const end = start + length;
      for (let index = start; index < end; index += 1) {
        if (this.bytes[index]! > 127) throw this.error('plist.encoding', 'an ASCII string with a byte past 127', index);
      }
      string = this.text.slice(start, end);
    } else {
      this.need(at, start, length * 2);
      this.expand(length, at);
      const units = new Uint16Array(length);
      for (let index = 0; index < length; index += 1) units[index] = this.view.getUint16(start + 2 * index);
      string = stringOf(units);
      if (!isWellFormed(string)) throw this.error('plist.encoding', 'a string that is not valid UTF-16', at);
    }
    this.strings[object] = string;
    return string;
  }

  readInteger(at: number, power: number): number | bigint {
    const start = at + 1;
    switch (power) {
      case 0:
        return this.bytes[this.need(at, start, 1)]!;
      case 1:
        return this.view.getUint16(this.need(at, start, 2));
      case 2:
        return this.view.getUint32(this.need(at, start, 4));
      case 3: {
        this.need(at, start, 8);
        const value = this.view.getInt32(start) * 2 ** 32 + this.view.getUint32(start + 4);
        return Number.isSafeInteger(value) ? value : this.view.getBigInt64(start);
      }
      case 4: {
        this.need(at, start, 16);
        const wide = (this.view.getBigInt64(start) << 64n) | this.view.getBigUint64(start + 8);
        const value = narrow(wide);
        if (value === null) throw this.error('plist.range', 'an integer goes from -2^63 to 2^64-1', at);
        return value;
      }
    }
    throw this.error('plist.type', 'an integer of more than 16 bytes', at);
  }

  readDate(at: number): Date {
    const seconds = this.view.getFloat64(this.need(at, at + 1, 8));
    const date = new Date(Math.round(seconds * 1000) + referenceSeconds * 1000);
    if (Number.isNaN(date.getTime())) throw this.error('plist.range', 'a date that cannot be told', at);
    return date;
  }

  readUid(at: number, size: number): PlistUid {
    this.need(at, at + 1, size);
    let value = 0n;
    for (let index = 0; index < size; index += 1) value = (value << 8n) | BigInt(this.bytes[at + 1 + index]!);
    const narrowed = narrow(value);
    if (narrowed === null) throw this.error('plist.range', 'a uid goes from 0 to 2^64-1', at);
    return new PlistUid(narrowed);
  }

  /** Size of an object whose marker ends in `low`: 15 means that an integer follows. */
  readSize(at: number, low: number): number {
    if (low !== 15) return low;
    const marker = this.bytes[this.need(at, at + 1, 1)]!;
    if (marker >> 4 !== 1 || (marker & 15) > 3) throw this.error('plist.syntax', 'malformed size of an object', at + 1);
    const size = 1 << (marker & 15);
    return readUnsigned(this.bytes, this.need(at, at + 2, size), size);
  }

  /** Where the content of an object with a size starts. */
  body(at: number): number {
    return (this.bytes[at]! & 15) === 15 ? at + 2 + (1 << (this.bytes[at + 1]! & 15)) : at + 1;
  }

  /** Checks that `size` bytes from `start` belong to the objects; returns `start`. */
  need(at: number, start: number, size: number): number {
    if (start + size <= this.layout.table) return start;
    throw this.error('plist.syntax', 'an object reaches into the offset table', at);
  }

  offsetOf(object: number, from: number): number {
    const { objects, table, offsetSize } = this.layout;
    if (object >= objects) throw this.error('plist.syntax', `object ${object} does not exist`, from);
    const entry = table + object * offsetSize;
    const offset = readUnsigned(this.bytes, entry, offsetSize);
    if (offset < headerSize || offset >= table) {
      throw this.error('plist.syntax', `object ${object} is outside of the document`, entry);
    }
    return offset;
  }

  /** Counts characters and bytes that a reference stands for. */
  expand(size: number, at: number): void {
    this.expanded += size;
    if (this.expanded > this.settings.maxBytes) {
      const problem = `strings and data come to more than ${this.settings.maxBytes} bytes when written out`;
      throw this.error('plist.limit.bytes', problem, at);
    }
  }

  error(code: PlistErrorCode, problem: string, offset: number): PlistError {
    const path = formatPath(this.frames.flatMap((frame) => (frame.dict === null ? frame.index : (frame.key ?? []))));
    return new PlistError(code, problem, { offset, path });
  }
}
