// Character content in its general form: entities, character references, CDATA sections, comments, line endings.
import { find, isAt, word } from '../bytes.ts';
import { characterError, checkCharacters, type Reader, skipComment, skipSpace } from './reader.ts';

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const commentStart = word('<!--');
const sectionStart = word('<![CDATA[');
const sectionEnd = word(']]>');
/** The longest reference that names a character: `&#x10FFFF;`, with leading zeros to spare. */
const longestReference = 16;

/**
 * Reads character content from `start` up to and including the end tag of `name`; `reader.at` is then past it.
 * The scanner reads plain text by itself and comes here only for the rest.
 */
export function readCharacters(reader: Reader, start: number, name: string): string {
  const { bytes } = reader;
  const pieces: string[] = [];
  let at = start;
  let from = start;
  let seen = 0;
  const flush = (): void => {
    if (at > from) pieces.push(seen < 0x80 ? reader.ascii(from, at) : reader.characters(from, at));
    seen = 0;
  };
  for (;;) {
    const code = bytes[at];
    if (code === undefined) throw reader.unexpected('', at);
    if (code === 0x3c) {
      flush();
      if (bytes[at + 1] === 0x2f) {
        reader.at = readEndTag(reader, at, name);
        return pieces.join('');
      }
      at = from = readMarkup(reader, at, name, pieces);
    } else if (code === 0x26) {
      flush();
      pieces.push(readReference(reader, at));
      at = from = reader.at;
    } else if (code === 0x0d) {
      // A line ends with a line feed, whatever it was written with.
      flush();
      pieces.push('\n');
      at += bytes[at + 1] === 0x0a ? 2 : 1;
      from = at;
    } else if (code === 0x3e && at - 2 >= from && bytes[at - 1] === 0x5d && bytes[at - 2] === 0x5d) {
      throw reader.error('plist.syntax', "']]>' may only end a CDATA section", at - 2);
    } else if (code < 0x20 && code !== 0x0a && code !== 0x09) {
      throw characterError(reader, at);
    } else {
      seen |= code;
      at += 1;
    }
  }
}

/** Reads `</name>`, which must be at `at`; returns where it ends. */
export function readEndTag(reader: Reader, at: number, name: string): number {
  const { bytes } = reader;
  const isEnd = bytes[at] === 0x3c && bytes[at + 1] === 0x2f;
  if (isEnd && reader.ascii(at + 2, Math.min(at + 2 + name.length, bytes.length)) === name) {
    const end = skipSpace(bytes, at + 2 + name.length);
    if (bytes[end] === 0x3e) return end + 1;
    if (end >= bytes.length) throw reader.unexpected('', end);
  }
  if (bytes.indexOf(0x3e, at) < 0) throw reader.unexpected('', bytes.length);
  throw reader.error('plist.syntax', `expected </${name}>`, at);
}

/** A comment or a CDATA section inside character content; returns where it ends. */
function readMarkup(reader: Reader, at: number, name: string, pieces: string[]): number {
  const { bytes } = reader;
  if (isAt(bytes, at, commentStart)) return skipComment(reader, at);
  if (isAt(bytes, at, sectionStart)) {
    const end = find(bytes, at + 9, sectionEnd);
    if (end < 0) throw reader.unexpected('', bytes.length);
    checkCharacters(reader, at + 9, end);
    pieces.push(reader.characters(at + 9, end).replace(/\r\n?/g, '\n'));
    return end + 3;
  }
  if (bytes[at + 1] === 0x3f) throw reader.error('plist.forbidden', 'a processing instruction is not allowed', at);
  throw reader.unexpected(`<${name}> holds text only`, at + 1 >= bytes.length ? bytes.length : at);
}

/** The character that a reference stands for; `reader.at` is then past it. */
function readReference(reader: Reader, at: number): string {
  const { length: size } = reader.bytes;
  const reference = reader.ascii(at + 1, Math.min(at + 1 + longestReference, size));
  const length = reference.indexOf(';');
  if (length < 0) {
    if (at + 1 + longestReference > size) throw reader.unexpected('', size);
    throw reader.error('plist.syntax', "'&' must start a reference such as &amp;", at);
  }
  reader.at = at + length + 2;
  const body = reference.slice(0, length);
  if (body.startsWith('#')) return readCharacterReference(reader, at, body);
  const entity = Object.hasOwn(entities, body) ? entities[body] : undefined;
  if (entity !== undefined) return entity;
  if (/^[A-Za-z_][A-Za-z0-9._-]*$/.test(body)) {
    throw reader.error('plist.forbidden', `the entity &${body}; is not one of the five of XML`, at);
  }
  throw reader.error('plist.syntax', "'&' must start a reference such as &amp;", at);
}

function readCharacterReference(reader: Reader, at: number, body: string): string {
  const match = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(body);
  if (match === null) throw reader.error('plist.syntax', 'malformed character reference', at);
  const code = match[1] === undefined ? Number.parseInt(match[2] ?? '', 10) : Number.parseInt(match[1], 16);
  const allowed =
    code === 0x09 ||
    code === 0x0a ||
    code === 0x0d ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff);
  if (!allowed) throw reader.error('plist.character', `XML does not allow the character &${body};`, at);
  return String.fromCodePoint(code);
}
