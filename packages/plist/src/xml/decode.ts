// The XML decoder: one loop over the text, with a straight path for what Apple's writers produce.
import { isAt, word } from '../bytes.ts';
import type { Settings } from '../limits.ts';
import { DictConstructor, type PlistDict, type PlistValue, uidKey } from '../values.ts';
import { readCharacters, readEndTag } from './characters.ts';
import { keyAt } from './keys.ts';
import { readEpilog, readProlog } from './prolog.ts';
import { Reader, skipComment } from './reader.ts';
import { readScalar, uidOf } from './scalars.ts';
import type { Source } from './source.ts';
import { readStartTag, tags } from './tags.ts';

const commentStart = word('<!--');

/** Decodes the text of an XML property list. */
export function decodeXml(source: Source, settings: Settings): PlistValue {
  const reader = new Reader(source, settings);
  const { bytes, outer, outerKeys } = reader;
  const { maxDepth, maxElements, duplicateKeys, wrapReals } = settings;
  let at = readProlog(reader);
  let dict: PlistDict | null = null;
  let array: PlistValue[] | null = null;
  let key: string | null = null;
  let elements = 0;
  let mayHaveUid = false;
  let value: PlistValue;

  for (;;) {
    let code = bytes[at]!;
    while (code === 0x0a || code === 0x09 || code === 0x20 || code === 0x0d) code = bytes[++at]!;
    if (code !== 0x3c) throw reader.unexpected('text outside of a value', at);
    code = bytes[at + 1]!;

    if (code === 0x2f) {
      // The end of the innermost container, which becomes a value of the one around it.
      if (dict !== null) {
        if (key !== null) throw reader.unexpected('the key has no value', at);
        at = closesDict(bytes, at) ? at + 7 : readEndTag(reader, at, 'dict');
        value = mayHaveUid ? uidOf(dict) : dict;
      } else if (array !== null) {
        at = closesArray(bytes, at) ? at + 8 : readEndTag(reader, at, 'array');
        value = array;
      } else {
        throw reader.unexpected('the property list has no value', at);
      }
      const around = outer.pop();
      if (around === undefined) {
        reader.container = null;
        readEpilog(reader, at);
        return value;
      }
      key = outerKeys.pop()!;
      reader.container = around;
      array = Array.isArray(around) ? around : null;
      dict = Array.isArray(around) ? null : around;
    } else if (code === 0x21) {
      if (!isAt(bytes, at, commentStart)) throw reader.unexpected('unexpected markup', at);
      at = skipComment(reader, at);
      continue;
    } else if (dict !== null && key === null) {
      // <key>…</key>
      let hash = 0;
      let seen = 0;
      let start = at + 5;
      if (code === 0x6b && opensKey(bytes, at)) {
        let index = start;
        code = bytes[index]!;
        while (code > 0x3e || (code >= 0x20 && code !== 0x3c && code !== 0x26 && code !== 0x3e)) {
          seen |= code;
          hash = (hash * 31 + code) | 0;
          code = bytes[++index]!;
        }
        if (code === 0x3c && closesKey(bytes, index)) {
          key = seen < 0x80 ? keyAt(reader, start, index, hash ^ (hash >>> 11)) : reader.characters(start, index);
          at = index + 6;
        } else {
          key = readCharacters(reader, start, 'key');
          at = reader.at;
        }
      } else {
        const tag = readStartTag(reader, at);
        if (tag !== tags.key) throw reader.error('plist.type', 'a dictionary must have a <key> here', at);
        start = at;
        at = reader.at;
        key = '';
        if (!reader.empty) {
          key = readCharacters(reader, at, 'key');
          at = reader.at;
        }
      }
      if (dict[key] !== undefined && duplicateKeys === 'error') {
        reader.key = key;
        throw reader.error('plist.duplicate_key', 'the dictionary has this key twice', start);
      }
      reader.key = key;
      if (key === uidKey) mayHaveUid = true;
      continue;
    } else {
      elements += 1;
      if (elements > maxElements) {
        throw reader.error('plist.limit.elements', `more than ${maxElements} values`, at);
      }
      if (code === 0x73 && opensString(bytes, at)) {
        // <string>…</string>, by far the most frequent.
        const start = at + 8;
        let index = start;
        let seen = 0;
        code = bytes[index]!;
        while (
          code > 0x3e ||
          (code >= 0x20 && code !== 0x3c && code !== 0x26 && code !== 0x3e) ||
          code === 0x0a ||
          code === 0x09
        ) {
          seen |= code;
          code = bytes[++index]!;
        }
        if (code === 0x3c && closesString(bytes, index)) {
          value = seen < 0x80 ? reader.ascii(start, index) : reader.characters(start, index);
          at = index + 9;
        } else {
          value = readCharacters(reader, start, 'string');
          at = reader.at;
        }
      } else {
        const tag = readStartTag(reader, at);
        if (tag === tags.dict || tag === tags.array) {
          const depth = outer.length + (reader.container === null ? 0 : 1);
          if (depth >= maxDepth) {
            const problem = `more than ${maxDepth} arrays and dictionaries inside one another`;
            throw reader.error('plist.limit.depth', problem, at);
          }
          const opened: PlistDict | PlistValue[] = tag === tags.dict ? new DictConstructor() : [];
          at = reader.at;
          if (!reader.empty) {
            // What comes next belongs to the new container.
            if (reader.container !== null) {
              outer.push(reader.container);
              outerKeys.push(key);
            }
            reader.container = opened;
            reader.key = key = null;
            array = Array.isArray(opened) ? opened : null;
            dict = Array.isArray(opened) ? null : opened;
            continue;
          }
          value = opened;
        } else {
          if (tag === tags.key) {
            throw reader.error('plist.type', 'a <key> outside of a dictionary, or two keys in a row', at);
          }
          value = readScalar(reader, tag, wrapReals);
          at = reader.at;
        }
      }
    }

    if (dict !== null) {
      if (duplicateKeys !== 'first' || dict[key!] === undefined) dict[key!] = value;
      reader.key = key = null;
    } else if (array !== null) {
      array.push(value);
    } else {
      readEpilog(reader, at);
      return value;
    }
  }
}

/** `<key>`, of which the first characters are known. */
function opensKey(bytes: Uint8Array, at: number): boolean {
  return bytes[at + 2] === 0x65 && bytes[at + 3] === 0x79 && bytes[at + 4] === 0x3e;
}

/** `</key>`, of which the first characters are known. */
function closesKey(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at + 1] === 0x2f &&
    bytes[at + 2] === 0x6b &&
    bytes[at + 3] === 0x65 &&
    bytes[at + 4] === 0x79 &&
    bytes[at + 5] === 0x3e
  );
}

/** `<string>`, of which the first characters are known. */
function opensString(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at + 2] === 0x74 &&
    bytes[at + 3] === 0x72 &&
    bytes[at + 4] === 0x69 &&
    bytes[at + 5] === 0x6e &&
    bytes[at + 6] === 0x67 &&
    bytes[at + 7] === 0x3e
  );
}

/** `</string>`, of which the first characters are known. */
function closesString(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at + 1] === 0x2f &&
    bytes[at + 2] === 0x73 &&
    bytes[at + 3] === 0x74 &&
    bytes[at + 4] === 0x72 &&
    bytes[at + 5] === 0x69 &&
    bytes[at + 6] === 0x6e &&
    bytes[at + 7] === 0x67 &&
    bytes[at + 8] === 0x3e
  );
}

/** `</dict>`, of which the first characters are known. */
function closesDict(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at + 2] === 0x64 &&
    bytes[at + 3] === 0x69 &&
    bytes[at + 4] === 0x63 &&
    bytes[at + 5] === 0x74 &&
    bytes[at + 6] === 0x3e
  );
}

/** `</array>`, of which the first characters are known. */
function closesArray(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at + 2] === 0x61 &&
    bytes[at + 3] === 0x72 &&
    bytes[at + 4] === 0x72 &&
    bytes[at + 5] === 0x61 &&
    bytes[at + 6] === 0x79 &&
    bytes[at + 7] === 0x3e
  );
}
