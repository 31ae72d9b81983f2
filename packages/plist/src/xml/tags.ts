// Start tags: the ten elements of a property list.
import { type Reader, skipSpace } from './reader.ts';

/** The elements that may stand inside `<plist>`. */
export const tags = {
  key: 0,
  string: 1,
  integer: 2,
  true: 3,
  false: 4,
  dict: 5,
  array: 6,
  data: 7,
  date: 8,
  real: 9,
} as const;

const names = new Map<string, number>(Object.entries(tags));

/**
 * Reads the start tag at `at`. `reader.at` is then past it and `reader.empty` tells whether it was `<name/>`, which
 * has no end tag.
 */
export function readStartTag(reader: Reader, at: number): number {
  const { bytes } = reader;
  // The usual spellings, letter by letter: a loop or a call for each takes a tenth of all decoding.
  switch (bytes[at + 1]) {
    case 0x69:
      if (
        bytes[at + 2] === 0x6e &&
        bytes[at + 3] === 0x74 &&
        bytes[at + 4] === 0x65 &&
        bytes[at + 5] === 0x67 &&
        bytes[at + 6] === 0x65 &&
        bytes[at + 7] === 0x72 &&
        bytes[at + 8] === 0x3e
      )
        return open(reader, at + 9, tags.integer);
      break;
    case 0x74:
      if (
        bytes[at + 2] === 0x72 &&
        bytes[at + 3] === 0x75 &&
        bytes[at + 4] === 0x65 &&
        bytes[at + 5] === 0x2f &&
        bytes[at + 6] === 0x3e
      )
        return empty(reader, at + 7, tags.true);
      break;
    case 0x66:
      if (
        bytes[at + 2] === 0x61 &&
        bytes[at + 3] === 0x6c &&
        bytes[at + 4] === 0x73 &&
        bytes[at + 5] === 0x65 &&
        bytes[at + 6] === 0x2f &&
        bytes[at + 7] === 0x3e
      )
        return empty(reader, at + 8, tags.false);
      break;
    case 0x64:
      if (bytes[at + 2] === 0x69 && bytes[at + 3] === 0x63 && bytes[at + 4] === 0x74 && bytes[at + 5] === 0x3e)
        return open(reader, at + 6, tags.dict);
      if (bytes[at + 2] === 0x61 && bytes[at + 3] === 0x74 && bytes[at + 4] === 0x61 && bytes[at + 5] === 0x3e)
        return open(reader, at + 6, tags.data);
      if (bytes[at + 2] === 0x61 && bytes[at + 3] === 0x74 && bytes[at + 4] === 0x65 && bytes[at + 5] === 0x3e)
        return open(reader, at + 6, tags.date);
      break;
    case 0x61:
      if (
        bytes[at + 2] === 0x72 &&
        bytes[at + 3] === 0x72 &&
        bytes[at + 4] === 0x61 &&
        bytes[at + 5] === 0x79 &&
        bytes[at + 6] === 0x3e
      )
        return open(reader, at + 7, tags.array);
      break;
    case 0x72:
      if (bytes[at + 2] === 0x65 && bytes[at + 3] === 0x61 && bytes[at + 4] === 0x6c && bytes[at + 5] === 0x3e)
        return open(reader, at + 6, tags.real);
      break;
  }
  return readAnyTag(reader, at);
}

function open(reader: Reader, at: number, tag: number): number {
  reader.at = at;
  reader.empty = false;
  return tag;
}

function empty(reader: Reader, at: number, tag: number): number {
  reader.at = at;
  reader.empty = true;
  return tag;
}

/** Any other spelling: white space in the tag, `<string/>`; or something that is no tag of a property list. */
function readAnyTag(reader: Reader, at: number): number {
  const { bytes } = reader;
  let end = at + 1;
  let code = bytes[end] ?? 0;
  while ((code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a)) code = bytes[++end] ?? 0;
  if (end === at + 1) {
    if (code === 0x3f) throw reader.error('plist.forbidden', 'a processing instruction is not allowed', at);
    throw reader.unexpected('expected a tag', end >= bytes.length ? end : at);
  }
  const name = reader.ascii(at + 1, Math.min(end, at + 33));
  const space = end;
  end = skipSpace(bytes, end);
  code = bytes[end] ?? 0;
  if (end >= bytes.length) throw reader.unexpected('', end);
  const tag = names.get(name);
  if (tag === undefined) throw reader.error('plist.type', `<${name}> is no element of a property list`, at);
  if (code === 0x3e) return open(reader, end + 1, tag);
  if (code === 0x2f && bytes[end + 1] === 0x3e) return empty(reader, end + 2, tag);
  if (code === 0x2f) throw reader.unexpected("'/' must be followed by '>'", end + 1 >= bytes.length ? end + 1 : end);
  if (end > space) throw reader.error('plist.forbidden', `<${name}> takes no attribute`, end);
  throw reader.error('plist.syntax', 'malformed tag', at);
}
