// What comes before the root value of an XML property list, and after it.
import { characterError, type Reader, skipComment, skipSpace } from './reader.ts';

const declaration =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][A-Za-z0-9._-]*)"|'([A-Za-z][A-Za-z0-9._-]*)'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>$/;
const longestDeclaration = 200;

const doctype =
  /<!DOCTYPE[ \t\r\n]+plist(?:[ \t\r\n]+(?:SYSTEM[ \t\r\n]+(?:"[^"]*"|'[^']*')|PUBLIC[ \t\r\n]+(?:"[^"]*"|'[^']*')[ \t\r\n]+(?:"[^"]*"|'[^']*')))?[ \t\r\n]*>/y;
const doctypeUpToSubset =
  /<!DOCTYPE[ \t\r\n]+[^ \t\r\n<>[]+(?:[ \t\r\n]+(?:SYSTEM[ \t\r\n]+(?:"[^"]*"|'[^']*')|PUBLIC[ \t\r\n]+(?:"[^"]*"|'[^']*')[ \t\r\n]+(?:"[^"]*"|'[^']*')))?[ \t\r\n]*\[/y;

const plistTag = /<plist(?:[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0'))?[ \t\r\n]*>/y;
const emptyPlistTag = /<plist(?:[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0'))?[ \t\r\n]*\/>/y;
const plistStart = /<plist(?=[ \t\r\n/>]|$)/y;
const plistEnd = /<\/plist[ \t\r\n]*>/y;

/** The prolog that Apple writes, compared as a whole: nearly every document starts with it. */
const usual =
  '<?xml version="1.0" encoding="UTF-8"?>\n' +
  '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n' +
  '<plist version="1.0">';

/** Reads everything up to and including the `<plist>` tag; returns where that ends. */
export function readProlog(reader: Reader): number {
  const { text } = reader;
  if (reader.source.stored !== 'utf-16' && text.startsWith(usual)) return usual.length;
  let at = text.startsWith('<?xml') ? readDeclaration(reader) : 0;
  at = skipMisc(reader, at);
  if (text.startsWith('<!DOCTYPE', at)) at = skipMisc(reader, readDoctype(reader, at));
  const end = match(plistTag, text, at);
  if (end >= 0) return end;
  throw noPlistTag(reader, at);
}

/** Reads the `</plist>` tag and what may follow it. */
export function readEpilog(reader: Reader, start: number): void {
  const { text } = reader;
  const at = skipMisc(reader, start);
  const end = match(plistEnd, text, at);
  if (end < 0) throw reader.unexpected('expected </plist>: a property list has one root value', at);
  const rest = skipMisc(reader, end);
  if (rest < text.length) throw reader.error('plist.syntax', 'nothing may follow </plist>', rest);
}

function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

/** White space and comments. */
export function skipMisc(reader: Reader, start: number): number {
  let at = skipSpace(reader.text, start);
  while (reader.text.startsWith('<!--', at)) at = skipSpace(reader.text, skipComment(reader, at));
  return at;
}

function readDeclaration(reader: Reader): number {
  const { text, source } = reader;
  const close = text.slice(0, longestDeclaration).indexOf('?>');
  if (close < 0) throw reader.unexpected('malformed XML declaration', Math.min(text.length, longestDeclaration));
  const found = declaration.exec(text.slice(0, close + 2));
  if (found === null) throw reader.error('plist.syntax', 'malformed XML declaration', 0);
  const encoding = (found[1] ?? found[2])?.toLowerCase();
  if (encoding !== undefined && source.stored !== 'string') checkEncoding(reader, encoding, text.indexOf('encoding'));
  return close + 2;
}

function checkEncoding(reader: Reader, encoding: string, index: number): void {
  const { stored, text } = reader.source;
  if (stored === 'utf-16') {
    if (encoding === 'utf-16' || encoding === 'utf-16be' || encoding === 'utf-16le') return;
  } else {
    if (encoding === 'utf-8') return;
    if ((encoding === 'us-ascii' || encoding === 'ascii') && !/[\x80-\uffff]/.test(text)) return;
  }
  throw reader.error(
    'plist.encoding',
    `the document declares the encoding ${encoding} but is stored as ${stored}`,
    index,
    'Send the document as UTF-8.',
  );
}

function readDoctype(reader: Reader, at: number): number {
  const { text } = reader;
  const end = match(doctype, text, at);
  if (end >= 0) return end;
  const subset = match(doctypeUpToSubset, text, at);
  if (subset >= 0) throw reader.error('plist.forbidden', 'an internal DTD subset is not allowed', subset - 1);
  if (text.indexOf('>', at) < 0) throw reader.unexpected('', text.length);
  throw reader.error('plist.syntax', 'malformed document type declaration', at);
}

function noPlistTag(reader: Reader, at: number): Error {
  const { text } = reader;
  if (text.trim() === '') return reader.error('plist.truncated', 'the document is empty', text.length);
  const code = text.charCodeAt(at);
  if (code < 0x20 && code !== 0x0d) return characterError(reader, at);
  if (code !== 0x3c && at < text.length) {
    return reader.error('plist.syntax', 'this is neither an XML nor a binary property list', at);
  }
  if (text.startsWith('<?', at)) {
    if (text.startsWith('<?xml', at)) {
      return reader.error('plist.syntax', 'the XML declaration must be the very first thing in the document', at);
    }
    return reader.error('plist.forbidden', 'a processing instruction is not allowed', at);
  }
  if (text.startsWith('<!DOCTYPE', at)) return reader.error('plist.syntax', 'a second document type declaration', at);
  if (match(emptyPlistTag, text, at) >= 0) return reader.error('plist.syntax', 'the property list has no value', at);
  if (match(plistStart, text, at) >= 0) {
    if (text.indexOf('>', at) < 0) return reader.unexpected('', text.length);
    return reader.error('plist.forbidden', '<plist> takes no attribute but version="1.0"', at);
  }
  return reader.unexpected('expected <plist>', at);
}
