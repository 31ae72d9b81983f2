// Character content in its general form: entities, character references, CDATA sections, comments, line endings.
import { characterError, checkCharacters, type Reader, skipComment } from './reader.ts';

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
/** The longest reference that names a character: `&#x10FFFF;`, with leading zeros to spare. */
const longestReference = 16;

/**
 * Reads character content from `start` up to and including the end tag of `name`; `reader.at` is then past it.
 * The scanner reads plain text by itself and comes here only for the rest.
 */
export function readCharacters(reader: Reader, start: number, name: string): string {
  const { text } = reader;
  const pieces: string[] = [];
  let at = start;
  let from = start;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === 0x3c) {
      if (at > from) pieces.push(text.slice(from, at));
      if (text.charCodeAt(at + 1) === 0x2f) {
        reader.at = readEndTag(reader, at, name);
        return pieces.join('');
      }
      at = from = readMarkup(reader, at, name, pieces);
    } else if (code === 0x26) {
      if (at > from) pieces.push(text.slice(from, at));
      pieces.push(readReference(reader, at));
      at = from = reader.at;
    } else if (code === 0x0d) {
      // A line ends with a line feed, whatever it was written with.
      pieces.push(text.slice(from, at), '\n');
      at += text.charCodeAt(at + 1) === 0x0a ? 2 : 1;
      from = at;
    } else if (
      code === 0x3e &&
      at - 2 >= from &&
      text.charCodeAt(at - 1) === 0x5d &&
      text.charCodeAt(at - 2) === 0x5d
    ) {
      throw reader.error('plist.syntax', "']]>' may only end a CDATA section", at - 2);
    } else if ((code < 0x20 && code !== 0x0a && code !== 0x09) || code > 0xfffd) {
      throw characterError(reader, at);
    } else if (Number.isNaN(code)) {
      throw reader.unexpected('', at);
    } else {
      at += 1;
    }
  }
}

/** Reads `</name>`; returns where it ends. */
export function readEndTag(reader: Reader, at: number, name: string): number {
  const { text } = reader;
  if (text.startsWith(name, at + 2)) {
    let end = at + 2 + name.length;
    let code = text.charCodeAt(end);
    while (code === 0x20 || code === 0x0a || code === 0x09 || code === 0x0d) code = text.charCodeAt(++end);
    if (code === 0x3e) return end + 1;
    if (end >= text.length) throw reader.unexpected('', end);
  }
  if (text.indexOf('>', at) < 0) throw reader.unexpected('', text.length);
  throw reader.error('plist.syntax', `expected </${name}>`, at);
}

/** A comment or a CDATA section inside character content; returns where it ends. */
function readMarkup(reader: Reader, at: number, name: string, pieces: string[]): number {
  const { text } = reader;
  if (text.startsWith('<!--', at)) return skipComment(reader, at);
  if (text.startsWith('<![CDATA[', at)) {
    const end = text.indexOf(']]>', at + 9);
    if (end < 0) throw reader.unexpected('', text.length);
    checkCharacters(reader, at + 9, end);
    pieces.push(text.slice(at + 9, end).replace(/\r\n?/g, '\n'));
    return end + 3;
  }
  if (text.startsWith('<?', at)) throw reader.error('plist.forbidden', 'a processing instruction is not allowed', at);
  throw reader.unexpected(`<${name}> holds text only`, at + 1 >= text.length ? text.length : at);
}

/** The character that a reference stands for; `reader.at` is then past it. */
function readReference(reader: Reader, at: number): string {
  const { text } = reader;
  const reference = text.slice(at + 1, at + 1 + longestReference);
  const length = reference.indexOf(';');
  if (length < 0) {
    if (at + 1 + longestReference > text.length) throw reader.unexpected('', text.length);
    throw reader.error('plist.syntax', "'&' must start a reference such as &amp;", at);
  }
  reader.at = at + length + 2;
  const body = reference.slice(0, length);
  if (body.startsWith('#')) return readCharacterReference(reader, at, body);
  const entity = Object.hasOwn(entities, body) ? entities[body] : undefined;
  if (entity !== undefined) return entity;
  if (/^[\p{L}_:][\p{L}\p{N}._:-]*$/u.test(body)) {
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
