// Property lists, XML and binary: decode, encode, the values and the errors.
export { encodeBinary } from './binary/encode.ts';
export { decode, decodeDict } from './decode.ts';
export { PlistError, type PlistErrorCode, type PlistPlace } from './errors.ts';
export { type DecodeLimits, type DecodeOptions, defaultLimits } from './limits.ts';
export { type PlistDict, type PlistInput, PlistReal, PlistUid, type PlistValue } from './values.ts';
export type { EncodeOptions } from './walk.ts';
export { encodeXml, encodeXmlText } from './xml/encode.ts';
