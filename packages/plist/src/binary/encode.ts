// The binary encoder: numbers the objects, writes each with the smallest sizes, then the table of where they are.
import { isReal, isUid, type PlistInput } from '../values.ts';
import { type EncodeOptions, Walk } from '../walk.ts';
import { ByteWriter } from './bytes.ts';
import { headerSize, referenceSeconds, trailerSize } from './layout.ts';
import { type Collection, ObjectTable, type Scalar } from './objects.ts';

/**
 * Encodes a value as a binary property list, version 00. The same value gives the same bytes.
 *
 * Equal strings, numbers, dates and data are stored once. Types as in `encodeXml`; dates keep their milliseconds, and
 * strings may hold any character.
 *
 * @throws PlistError with `at.path`: `plist.type`, `plist.cycle`, `plist.limit.depth`, `plist.character` (half of a
 * surrogate pair), `plist.range` (an integer beyond 64 bits, an unsafe integer given as a `number`, an invalid date)
 * @example
 * const bytes = encodeBinary({ Label: 'com.example.agent', RunAtLoad: true });
 */
export function encodeBinary(value: PlistInput, options?: EncodeOptions): Uint8Array {
  const { objects } = new ObjectTable(new Walk(options), value);
  const referenceSize = sizeFor(objects.length);
  const writer = new ByteWriter(1024);
  const header = writer.take(headerSize);
  for (let index = 0; index < headerSize; index += 1) writer.bytes[header + index] = 'bplist00'.charCodeAt(index);
  const offsets = new Array<number>(objects.length);
  for (let index = 0; index < objects.length; index += 1) {
    offsets[index] = writer.length;
    writeObject(writer, objects[index]!, referenceSize);
  }
  const table = writer.length;
  const offsetSize = sizeFor(table);
  for (const offset of offsets) writer.unsigned(offset, offsetSize);
  const trailer = writer.take(trailerSize);
  writer.bytes[trailer + 6] = offsetSize;
  writer.bytes[trailer + 7] = referenceSize;
  writer.view.setBigUint64(trailer + 8, BigInt(objects.length));
  writer.view.setBigUint64(trailer + 24, BigInt(table));
  return writer.finish();
}

/** Bytes for numbers below `count`; one more number must fit, or CoreFoundation refuses the document. */
function sizeFor(count: number): number {
  return count < 2 ** 8 ? 1 : count < 2 ** 16 ? 2 : count < 2 ** 32 ? 4 : 8;
}

function writeObject(writer: ByteWriter, value: Scalar | Collection, referenceSize: number): void {
  if (typeof value === 'string') {
    writeString(writer, value);
  } else if (typeof value === 'number' || typeof value === 'bigint') {
    writeInteger(writer, value);
  } else if (typeof value === 'boolean') {
    writer.byte(value ? 0x09 : 0x08);
  } else if ('references' in value) {
    writeCollection(writer, value, referenceSize);
  } else if (value instanceof Uint8Array) {
    writeSize(writer, 0x40, value.length);
    const at = writer.take(value.length);
    writer.bytes.set(value, at);
  } else if (value instanceof Date) {
    const at = writer.take(9);
    writer.bytes[at] = 0x33;
    writer.view.setFloat64(at + 1, (value.getTime() - referenceSeconds * 1000) / 1000);
  } else if (isReal(value)) {
    writeReal(writer, value.value);
  } else if (isUid(value)) {
    const size = sizeFor(Number(value.value));
    writer.byte(0x80 | (size - 1));
    writeUnsigned(writer, value.value, size);
  }
}

function writeCollection(writer: ByteWriter, collection: Collection, referenceSize: number): void {
  const { references, isDict } = collection;
  writeSize(writer, isDict ? 0xd0 : 0xa0, isDict ? references.length / 2 : references.length);
  for (const reference of references) writer.unsigned(reference, referenceSize);
}

function writeSize(writer: ByteWriter, marker: number, size: number): void {
  if (size < 15) {
    writer.byte(marker | size);
  } else {
    writer.byte(marker | 15);
    writeInteger(writer, size);
  }
}

/** Integers of 1, 2 and 4 bytes are unsigned, those of 8 and 16 signed. */
function writeInteger(writer: ByteWriter, value: number | bigint): void {
  if (value >= 0 && value < 2 ** 32) {
    const size = sizeFor(Number(value));
    writer.byte(size === 1 ? 0x10 : size === 2 ? 0x11 : 0x12);
    writer.unsigned(Number(value), size);
    return;
  }
  const wide = BigInt(value);
  if (wide < 2n ** 63n) {
    const at = writer.take(9);
    writer.bytes[at] = 0x13;
    writer.view.setBigInt64(at + 1, wide);
  } else {
    const at = writer.take(17);
    writer.bytes[at] = 0x14;
    writer.view.setBigUint64(at + 9, wide);
  }
}

function writeUnsigned(writer: ByteWriter, value: number | bigint, size: number): void {
  if (size < 8) {
    writer.unsigned(Number(value), size);
  } else {
    const at = writer.take(8);
    writer.view.setBigUint64(at, BigInt(value));
  }
}

/** A real in four bytes when nothing is lost by it, else in eight. */
function writeReal(writer: ByteWriter, value: number): void {
  if (Object.is(Math.fround(value), value)) {
    const at = writer.take(5);
    writer.bytes[at] = 0x22;
    writer.view.setFloat32(at + 1, value);
  } else {
    const at = writer.take(9);
    writer.bytes[at] = 0x23;
    writer.view.setFloat64(at + 1, value);
  }
}

function writeString(writer: ByteWriter, value: string): void {
  const before = writer.length;
  const { length } = value;
  writeSize(writer, 0x50, length);
  let at = writer.take(length);
  for (let index = 0; index < length; index += 1) {
    const code = value.charCodeAt(index);
    if (code > 127) {
      at = -1;
      break;
    }
    writer.bytes[at + index] = code;
  }
  if (at >= 0) return;
  writer.length = before;
  writeSize(writer, 0x60, length);
  at = writer.take(length * 2);
  for (let index = 0; index < length; index += 1) writer.view.setUint16(at + 2 * index, value.charCodeAt(index));
}
