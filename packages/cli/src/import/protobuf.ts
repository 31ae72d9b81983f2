// The fields of a Protocol Buffers message by number: texts and bytes as bytes, numbers as numbers. No groups.
import { CliError } from '../errors.ts';

/** Fields by number; of one that is there several times, the last. */
export type ProtobufFields = ReadonlyMap<number, Uint8Array | bigint>;

/** @throws CliError `cli.file` */
export function readProtobuf(bytes: Uint8Array): ProtobufFields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields = new Map<number, Uint8Array | bigint>();
  let at = 0;

  function varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw broken();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw broken();
  }

  function value(wire: number): Uint8Array | bigint {
    if (wire === 0) return varint();
    const length = wire === 2 ? Number(varint()) : wire === 1 ? 8 : wire === 5 ? 4 : Number.NaN;
    if (!(at + length <= bytes.length)) throw broken();
    const from = at;
    at += length;
    if (wire === 2) return bytes.subarray(from, at);
    return wire === 1 ? view.getBigUint64(from, true) : BigInt(view.getUint32(from, true));
  }

  while (at < bytes.length) {
    const tag = varint();
    fields.set(Number(tag >> 3n), value(Number(tag & 7n)));
  }
  return fields;
}

/** A text, empty where it is not there: as the format has it. */
export function textField(fields: ProtobufFields, number: number): string {
  const value = fields.get(number);
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : '';
}

function broken(): CliError {
  return new CliError('cli.file', 'the record is broken');
}
