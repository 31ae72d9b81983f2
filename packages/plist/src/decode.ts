// Decoding: which of the two formats it is, and whether the root must be a dictionary.
import { decodeBinary } from './binary/decode.ts';
import { isBinary } from './binary/layout.ts';
import { PlistError } from './errors.ts';
import { type DecodeOptions, type Settings, settle } from './limits.ts';
import { DictConstructor, isReal, isUid, type PlistDict, type PlistValue } from './values.ts';
import { decodeXml } from './xml/decode.ts';
import { sourceOf } from './xml/source.ts';

/**
 * Decodes a property list, XML or binary, whichever it is.
 *
 * XML becomes: `<string>` a string; `<integer>` a `number`, or a `bigint` beyond ±(2^53-1); `<real>` a `number`, or a
 * `PlistReal` when its value is whole; `<date>` a `Date`; `<data>` a `Uint8Array`; `<array>` an array; `<dict>` an
 * object with own keys only; a dictionary with the one key `CF$UID` a `PlistUid`. Binary becomes the same.
 *
 * @param input the document as bytes, or the text of an XML document
 * @throws PlistError, and nothing else, for a document that is malformed or beyond the limits
 * @example
 * const message = decode(new Uint8Array(await request.arrayBuffer()), { limits: { maxBytes: 1_000_000 } });
 */
export function decode(input: Uint8Array | string, options?: DecodeOptions): PlistValue {
  return decodeWith(input, settle(options));
}

/**
 * Like `decode`, for a document whose root must be a dictionary, as it is in every MDM message and profile.
 *
 * @throws PlistError also with the code `plist.type` when the root is something else
 * @example
 * const { MessageType } = decodeDict(body);
 */
export function decodeDict(input: Uint8Array | string, options?: DecodeOptions): PlistDict {
  const value = decodeWith(input, settle(options));
  if (value instanceof DictConstructor) return value;
  throw new PlistError('plist.type', `the root must be a dictionary, not ${kindOf(value)}`, { path: '/' });
}

function decodeWith(input: Uint8Array | string, settings: Settings): PlistValue {
  if (typeof input !== 'string' && !(input instanceof Uint8Array)) {
    throw new PlistError('plist.type', 'the document must be a Uint8Array or a string');
  }
  if (input.length > settings.maxBytes) {
    throw new PlistError('plist.limit.bytes', `the document has ${input.length} bytes, more than ${settings.maxBytes}`);
  }
  if (typeof input !== 'string') {
    const bytes = plainBytes(input);
    return isBinary(bytes) ? decodeBinary(bytes, settings) : decodeXml(sourceOf(bytes), settings);
  }
  if (input.startsWith('bplist')) {
    throw new PlistError('plist.type', 'a binary property list must be given as bytes, not as a string');
  }
  return decodeXml(sourceOf(input), settings);
}

/** The same bytes as a `Uint8Array` itself, not as a `Buffer`; a copy when another thread could change them. */
function plainBytes(input: Uint8Array): Uint8Array {
  if (!(input.buffer instanceof ArrayBuffer)) return Uint8Array.from(input);
  return input.constructor === Uint8Array ? input : new Uint8Array(input.buffer, input.byteOffset, input.length);
}

function kindOf(value: PlistValue): string {
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return 'a date';
  if (value instanceof Uint8Array) return 'data';
  if (typeof value === 'object') return isReal(value) ? 'a real' : isUid(value) ? 'a uid' : 'a dictionary';
  if (typeof value === 'string') return 'a string';
  return typeof value === 'boolean' ? 'a boolean' : 'a number';
}
