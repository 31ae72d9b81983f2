// The bytes of an XML document being written: markup, text with its escapes, indentation.
import { utf8Write, word } from '../bytes.ts';

/** A piece of ASCII markup, kept as numbers of four bytes each, in which it is written; the last one may be part empty. */
export interface Markup {
  readonly words: Uint32Array;
  readonly length: number;
}

/** The markup of a text. */
export function markup(text: string): Markup {
  const bytes = new Uint8Array(Math.ceil(text.length / 4) * 4);
  bytes.set(word(text));
  const view = new DataView(bytes.buffer);
  return {
    words: Uint32Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(4 * index, true)),
    length: text.length,
  };
}

const tabs = 0x09090909;
/** How many bytes past its end a piece of markup, and the tabs before it, may write. */
const overhang = 6;

/** Text from this length on is handed to the engine, where it can write into bytes quickly; shorter text is not worth it. */
const nativeText = 16;
/** Text from this length on is handed to `TextEncoder`, whose call costs more. */
const longText = 64;
/** Most bytes that a character of short text can come to: `&amp;`. */
const widestEscape = 5;
/** A UTF-16 code unit comes to this many bytes at most. */
const widestUnit = 3;

/** Integers up to this one are written by arithmetic on 32 bits. */
const largestSimple = 999_999_999;

const encoder = new TextEncoder();
const ampersand = markup('&amp;');
const less = markup('&lt;');
const greater = markup('&gt;');
const carriageReturn = markup('&#13;');

/** Anything that has to be escaped, cannot be written, or may be half of a surrogate pair. */
const special = /[^\t\n -%'-;=?-\ud7ff\ue000-\ufffd]/;
const forbidden = /[^\t\n\r -\u{10ffff}]|[\ufffe\uffff]|\p{Surrogate}/u;
const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };

const smallestBuffer = 4096;
const largestSpare = 1024 * 1024;
/** A writer that one encoding leaves for the next; taken while in use, for a getter may start another encoding. */
let spare: XmlWriter | null = null;

/** Writes UTF-8; grows as needed. */
export class XmlWriter {
  bytes = new Uint8Array(smallestBuffer);
  view = new DataView(this.bytes.buffer);
  length = 0;

  /** A writer that has written `head`, which is the same in every call. */
  static startingWith(head: Markup): XmlWriter {
    const writer = spare ?? new XmlWriter();
    if (spare === null) writer.line(0, head);
    spare = null;
    writer.length = head.length;
    return writer;
  }

  /** What was written, in a buffer of its own; the writer must not be used any more. */
  finish(): Uint8Array {
    const result = this.bytes.slice(0, this.length);
    if (this.bytes.length <= largestSpare) spare = this;
    return result;
  }

  /** Makes room for `size` more bytes. */
  ensure(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.length + size, this.bytes.length * 2));
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  /** Writes `depth` tabs and a piece of markup. */
  line(depth: number, piece: Markup): void {
    this.ensure(depth + piece.length + overhang);
    this.put(depth, piece);
  }

  /** Writes an element that holds text, with the result of `text`. */
  element(depth: number, start: Markup, text: string, end: Markup): string | null {
    this.ensure(depth + start.length + end.length + overhang + Math.min(text.length, longText) * widestEscape);
    this.put(depth, start);
    const bad = this.text(text);
    this.line(0, end);
    return bad;
  }

  /** `line` where there is room. Four bytes at a time: what is too much is written over by what comes next. */
  private put(depth: number, piece: Markup): void {
    const { words } = piece;
    const { view } = this;
    let at = this.length;
    for (let tab = 0; tab < depth; tab += 4) view.setUint32(at + tab, tabs, true);
    at += depth;
    for (let index = 0; index < words.length; index += 1) view.setUint32(at + 4 * index, words[index]!, true);
    this.length = at + piece.length;
  }

  /** Writes ASCII text that needs no escapes. */
  ascii(text: string): void {
    this.ensure(text.length);
    const { bytes, length } = this;
    for (let index = 0; index < text.length; index += 1) bytes[length + index] = text.charCodeAt(index);
    this.length = length + text.length;
  }

  /** Writes an integer in decimal. */
  integer(value: number): void {
    if (value < 0 || value > largestSimple) {
      this.ascii(String(value));
      return;
    }
    let digits = 1;
    for (let power = 10; power <= value; power *= 10) digits += 1;
    this.ensure(digits);
    const { bytes } = this;
    let at = this.length + digits;
    this.length = at;
    for (let rest = value; digits > 0; digits -= 1) {
      const tenth = (rest / 10) | 0;
      bytes[--at] = rest - tenth * 10 + 0x30;
      rest = tenth;
    }
  }

  /**
   * Writes text with its escapes; a carriage return as a reference, since a reader would take it for a line feed.
   * Returns the first character that XML cannot carry, or `null` when all is well.
   */
  text(text: string): string | null {
    if (utf8Write !== undefined && text.length >= nativeText) {
      this.ensure(text.length * widestUnit);
      const size = utf8Write.call(this.bytes, text, this.length, text.length * widestUnit);
      // As many bytes as characters is ASCII only. Anything else starts over.
      if (size !== text.length || !this.isPlain(this.length, this.length + size)) return this.anyText(text);
      this.length += size;
      return null;
    }
    return text.length < longText ? this.shortText(text) : this.anyText(text);
  }

  /**
   * Whether a range holds printable ASCII without `&`, `<` and `>`. Looks at four bytes in one number: subtracting sets
   * the highest bit of a byte that was too small, and only the highest bits are kept.
   */
  private isPlain(start: number, end: number): boolean {
    const { view } = this;
    let found = 0;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const four = view.getUint32(at, true);
      const control = four - 0x20202020;
      const isAmpersand = (four ^ 0x26262626) - 0x01010101;
      // `<` and `>` differ in one bit only.
      const isAngle = ((four & 0xfdfdfdfd) ^ 0x3c3c3c3c) - 0x01010101;
      found |= four | control | isAmpersand | isAngle;
    }
    for (; at < end; at += 1) {
      const code = view.getUint8(at);
      if (code < 0x20 || code === 0x26 || code === 0x3c || code === 0x3e) return false;
    }
    return (found & 0x80808080) === 0;
  }

  private shortText(text: string): string | null {
    this.ensure(text.length * widestEscape);
    const { bytes } = this;
    let at = this.length;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x3e && code < 0x80) {
        bytes[at++] = code;
      } else if (code >= 0x80) {
        this.length = at;
        return this.anyText(text.slice(index));
      } else if (code === 0x26 || code === 0x3c || code === 0x3e || code === 0x0d) {
        this.length = at;
        this.line(0, code === 0x26 ? ampersand : code === 0x3c ? less : code === 0x3e ? greater : carriageReturn);
        at = this.length;
      } else if (code >= 0x20 || code === 0x09 || code === 0x0a) {
        bytes[at++] = code;
      } else {
        return text.charAt(index);
      }
    }
    this.length = at;
    return null;
  }

  private anyText(text: string): string | null {
    let escaped = text;
    if (special.test(text)) {
      const bad = forbidden.exec(text);
      if (bad !== null) return bad[0];
      escaped = text.replace(/[&<>\r]/g, (char) => escapes[char]!);
    }
    this.ensure(escaped.length * widestUnit);
    this.length += encoder.encodeInto(escaped, this.bytes.subarray(this.length)).written;
    return null;
  }
}
