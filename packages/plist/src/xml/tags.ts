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
  const { text } = reader;
  switch (text.charCodeAt(at + 1)) {
    case 0x69:
      if (text.startsWith('integer>', at + 1)) return open(reader, at + 9, tags.integer);
      break;
    case 0x74:
      if (text.startsWith('true/>', at + 1)) return empty(reader, at + 7, tags.true);
      break;
    case 0x66:
      if (text.startsWith('false/>', at + 1)) return empty(reader, at + 8, tags.false);
      break;
    case 0x64:
      if (text.startsWith('dict>', at + 1)) return open(reader, at + 6, tags.dict);
      if (text.startsWith('data>', at + 1)) return open(reader, at + 6, tags.data);
      if (text.startsWith('date>', at + 1)) return open(reader, at + 6, tags.date);
      break;
    case 0x61:
      if (text.startsWith('array>', at + 1)) return open(reader, at + 7, tags.array);
      break;
    case 0x72:
      if (text.startsWith('real>', at + 1)) return open(reader, at + 6, tags.real);
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
  const { text } = reader;
  let end = at + 1;
  let code = text.charCodeAt(end);
  while ((code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a)) code = text.charCodeAt(++end);
  if (end === at + 1) {
    if (code === 0x3f) throw reader.error('plist.forbidden', 'a processing instruction is not allowed', at);
    throw reader.unexpected('expected a tag', end >= text.length ? end : at);
  }
  const name = text.slice(at + 1, Math.min(end, at + 33));
  const space = end;
  end = skipSpace(text, end);
  code = text.charCodeAt(end);
  if (end >= text.length) throw reader.unexpected('', end);
  const tag = names.get(name);
  if (tag === undefined) throw reader.error('plist.type', `<${name}> is no element of a property list`, at);
  if (code === 0x3e) return open(reader, end + 1, tag);
  if (code === 0x2f && text.charCodeAt(end + 1) === 0x3e) return empty(reader, end + 2, tag);
  if (code === 0x2f) throw reader.unexpected("'/' must be followed by '>'", end + 1 >= text.length ? end + 1 : end);
  if (end > space) throw reader.error('plist.forbidden', `<${name}> takes no attribute`, end);
  throw reader.error('plist.syntax', 'malformed tag', at);
}
