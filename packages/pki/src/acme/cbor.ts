// A small, strict, bounded reader of CBOR (RFC 8949): what attestation objects are made of, and nothing else.
import { PkiError } from '../errors.ts';

/** What the reader yields. Map keys are text or integers. */
export type CborValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<string | number | bigint, CborValue>;

const maxDepth = 8;
const maxItems = 256;

const cborError = (message: string, offset: number): PkiError =>
  new PkiError('pki.cbor.invalid', message, { at: { offset } });

/**
 * Reads the one CBOR value that fills `bytes`: integers, byte and text strings, arrays, maps, true, false and null, all
 * of definite length, at most 8 levels deep and 256 values in all. Byte strings are copies. Cost is linear in the input.
 *
 * @throws PkiError `pki.cbor.invalid` with the offset: truncated input, indefinite lengths, tags, floating point, a key
 * that comes twice, bytes after the value, and whatever is not CBOR.
 */
export function readCbor(bytes: Uint8Array): CborValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  let offset = 0;
  let items = 0;

  function argument(info: number, start: number): number | bigint {
    if (info < 24) return info;
    if (info > 27) throw cborError(info === 31 ? 'indefinite lengths are not accepted' : 'a reserved length', start);
    const size = 1 << (info - 24);
    if (bytes.length - offset < size) throw cborError('truncated inside a length', start);
    const at = offset;
    offset += size;
    if (size === 1) return view.getUint8(at);
    if (size === 2) return view.getUint16(at);
    if (size === 4) return view.getUint32(at);
    const long = view.getBigUint64(at);
    return long <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(long) : long;
  }

  function take(length: number | bigint, start: number): Uint8Array {
    if (length > bytes.length - offset) throw cborError('truncated inside a string', start);
    const end = offset + Number(length);
    const content = Uint8Array.from(bytes.subarray(offset, end)); // a Buffer's slice would be a view
    offset = end;
    return content;
  }

  /** The number of members of an array or map: each needs a byte at least, so that a lie is found at once. */
  function count(length: number | bigint, each: number, start: number): number {
    if (length > maxItems || Number(length) * each > bytes.length - offset) {
      throw cborError('an array or map with more members than there are bytes, or than are accepted', start);
    }
    return Number(length);
  }

  function value(depth: number): CborValue {
    const start = offset;
    if (depth > maxDepth) throw cborError(`nested more than ${maxDepth} levels deep`, start);
    if (++items > maxItems) throw cborError(`more than ${maxItems} values`, start);
    if (offset >= bytes.length) throw cborError('truncated: a value was expected', start);
    const first = bytes[offset++]!;
    const major = first >> 5;
    const info = first & 0x1f;
    if (major === 7) {
      if (first === 0xf4) return false;
      if (first === 0xf5) return true;
      if (first === 0xf6) return null;
      throw cborError('floating point, breaks and other simple values are not accepted', start);
    }
    if (major === 6) throw cborError('tags are not accepted', start);
    const length = argument(info, start);
    switch (major) {
      case 0:
        return length;
      case 1:
        return typeof length === 'number' && length < Number.MAX_SAFE_INTEGER ? -1 - length : -1n - BigInt(length);
      case 2:
        return take(length, start);
      case 3: {
        const content = take(length, start);
        try {
          return utf8.decode(content);
        } catch {
          throw cborError('a text that is not UTF-8', start);
        }
      }
      case 4:
        return Array.from({ length: count(length, 1, start) }, () => value(depth + 1));
      default: {
        const map = new Map<string | number | bigint, CborValue>();
        for (let rest = count(length, 2, start); rest > 0; rest--) {
          const at = offset;
          const key = value(depth + 1);
          if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') {
            throw cborError('a map key that is neither text nor integer', at);
          }
          if (map.has(key)) throw cborError('a map key comes twice', at);
          map.set(key, value(depth + 1));
        }
        return map;
      }
    }
  }

  const result = value(1);
  if (offset !== bytes.length) throw cborError(`${bytes.length - offset} bytes after the value`, offset);
  return result;
}
