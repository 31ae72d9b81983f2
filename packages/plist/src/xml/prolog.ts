// What comes before the root value of an XML property list, and after it.
import { isAt, singleByteText, word } from '../bytes.ts';
import { readEndTag } from './characters.ts';
import { characterError, type Reader, skipComment, skipSpace } from './reader.ts';

const space = '[ \\t\\r\\n]';
const systemLiteral = `(?:"[\\t\\n\\r !#-\\xff]*"|'[\\t\\n\\r -&(-\\xff]*')`;
const publicLetters = ' \\r\\nA-Za-z0-9()+,./:=?;!*#@$_%-';
const publicLiteral = `(?:"['${publicLetters}]*"|'[${publicLetters}]*')`;
const externalId = `(?:${space}+(?:SYSTEM|PUBLIC${space}+${publicLiteral})${space}+${systemLiteral})?${space}*`;
const versionIs = `${space}+version${space}*=${space}*(?:"1\\.0"|'1\\.0')`;
const encodingIs = `${space}+encoding${space}*=${space}*(?:"([A-Za-z][\\w.-]*)"|'([A-Za-z][\\w.-]*)')`;
const standaloneIs = `${space}+standalone${space}*=${space}*(?:"(?:yes|no)"|'(?:yes|no)')`;

const declaration = new RegExp(`^<\\?xml${versionIs}(?:${encodingIs})?(?:${standaloneIs})?${space}*\\?>`);
const doctype = new RegExp(`^<!DOCTYPE${space}+plist${externalId}>`);
const doctypeUpToSubset = new RegExp(`^<!DOCTYPE${space}+[^ \\t\\r\\n<>[]+${externalId}\\[`);
const plistTag = new RegExp(`^<plist(?:${versionIs})?${space}*>`);
const emptyPlistTag = new RegExp(`^<plist(?:${versionIs})?${space}*/>`);
/** None of these is longer, and no pattern is tried on more. */
const longestMarkup = 1024;

const declarationStart = word('<?xml');
const doctypeStart = word('<!DOCTYPE');
const commentStart = word('<!--');
const plistStart = word('<plist');
const plistEnd = word('</plist');

/** The prolog that Apple writes, compared as a whole: nearly every document starts with it. */
const usual = word(
  '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n' +
    '<plist version="1.0">',
);

/** Reads everything up to and including the `<plist>` tag; returns where that ends. */
export function readProlog(reader: Reader): number {
  const { bytes, source } = reader;
  if (source.given !== 'utf-16' && isAt(bytes, 0, usual)) return usual.length;
  let at = isAt(bytes, 0, declarationStart) ? readDeclaration(reader) : 0;
  at = skipMisc(reader, at);
  if (isAt(bytes, at, doctypeStart)) at = skipMisc(reader, readDoctype(reader, at));
  const tag = plistTag.exec(markupAt(reader, at));
  if (tag === null) throw noPlistTag(reader, at);
  return at + tag[0].length;
}

/** Reads the `</plist>` tag and what may follow it. */
export function readEpilog(reader: Reader, start: number): void {
  const { bytes } = reader;
  const at = skipMisc(reader, start);
  if (!isAt(bytes, at, plistEnd)) {
    throw unexpectedAt(reader, 'expected </plist>: a property list has one root value', at, plistEnd);
  }
  const rest = skipMisc(reader, readEndTag(reader, at, 'plist'));
  if (rest < bytes.length) throw reader.error('plist.syntax', 'nothing may follow </plist>', rest);
}

/** White space and comments. */
export function skipMisc(reader: Reader, start: number): number {
  let at = skipSpace(reader.bytes, start);
  while (isAt(reader.bytes, at, commentStart)) at = skipSpace(reader.bytes, skipComment(reader, at));
  return at;
}

function markupAt(reader: Reader, at: number): string {
  return singleByteText(reader.bytes, at, Math.min(at + longestMarkup, reader.bytes.length));
}

/** `plist.truncated` when the document ends within what was expected, else `plist.syntax`. */
function unexpectedAt(reader: Reader, problem: string, at: number, expected: Uint8Array): Error {
  const rest = reader.bytes.subarray(at, at + expected.length);
  return reader.unexpected(problem, isAt(expected, 0, rest) ? reader.bytes.length : at);
}

/** The error for markup that no pattern fits: it may only lack its end. */
function malformed(reader: Reader, problem: string, at: number): Error {
  return reader.unexpected(problem, reader.bytes.indexOf(0x3e, at) < 0 ? reader.bytes.length : at);
}

function readDeclaration(reader: Reader): number {
  const text = markupAt(reader, 0);
  const found = declaration.exec(text);
  if (found === null) throw malformed(reader, 'malformed XML declaration', 0);
  const encoding = (found[1] ?? found[2])?.toLowerCase();
  if (encoding !== undefined && reader.source.given !== 'string') {
    checkEncoding(reader, encoding, text.indexOf('encoding'));
  }
  return found[0].length;
}

function checkEncoding(reader: Reader, encoding: string, at: number): void {
  const { given } = reader.source;
  if (given === 'utf-16') {
    if (encoding === 'utf-16' || encoding === 'utf-16be' || encoding === 'utf-16le') return;
  } else {
    if (encoding === 'utf-8') return;
    if ((encoding === 'us-ascii' || encoding === 'ascii') && reader.bytes.every((byte) => byte < 0x80)) return;
  }
  throw reader.error(
    'plist.encoding',
    `the document declares the encoding ${encoding} but is stored as ${given}`,
    at,
    'Send the document as UTF-8.',
  );
}

function readDoctype(reader: Reader, at: number): number {
  const text = markupAt(reader, at);
  const found = doctype.exec(text);
  if (found !== null) return at + found[0].length;
  const subset = doctypeUpToSubset.exec(text);
  if (subset === null) throw malformed(reader, 'malformed document type declaration', at);
  throw reader.error('plist.forbidden', 'an internal DTD subset is not allowed', at + subset[0].length - 1);
}

function noPlistTag(reader: Reader, at: number): Error {
  const { bytes } = reader;
  const code = bytes[at];
  if (code === undefined) return reader.error('plist.truncated', 'there is no property list', at);
  if (code < 0x20) return characterError(reader, at);
  if (code !== 0x3c) return reader.error('plist.syntax', 'this is neither an XML nor a binary property list', at);
  if (isAt(bytes, at, declarationStart)) {
    return reader.error('plist.syntax', 'the XML declaration must be the very first thing in the document', at);
  }
  if (bytes[at + 1] === 0x3f) return reader.error('plist.forbidden', 'a processing instruction is not allowed', at);
  if (isAt(bytes, at, doctypeStart)) return malformed(reader, 'a second document type declaration', at);
  const text = markupAt(reader, at);
  if (emptyPlistTag.test(text)) return reader.error('plist.syntax', 'the property list has no value', at);
  if (!isAt(bytes, at, plistStart)) return unexpectedAt(reader, 'expected <plist>', at, plistStart);
  const after = bytes[at + plistStart.length] ?? 0x20;
  if (after !== 0x20 && after !== 0x0a && after !== 0x09 && after !== 0x0d) {
    return malformed(reader, 'expected <plist>', at);
  }
  if (bytes.indexOf(0x3e, at) < 0) return reader.unexpected('', bytes.length);
  return reader.error('plist.forbidden', '<plist> takes no attribute but version="1.0"', at);
}
