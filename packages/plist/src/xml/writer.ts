// The bytes of an XML document being written: markup, text with its escapes, indentation.
import { word } from '../bytes.ts';

/** A buffer that one encoding hands to the next; taken while in use, for a getter may start another encoding. */
let spare: Uint8Array | null = null;
const smallestBuffer = 4096;
const largestSpare = 1024 * 1024;

/** Text up to this length is written character by character, longer text by the engine. */
const shortText = 64;
/** Most bytes that a character of short text can come to: `&amp;`. */
const widestEscape = 5;

const encoder = new TextEncoder();
const ampersand = word('&amp;');
const less = word('&lt;');
const greater = word('&gt;');
const carriageReturn = word('&#13;');

/** Anything that has to be escaped, cannot be written, or may be half of a surrogate pair. */
const special = /[^\t\n -%'-;=?-\ud7ff\ue000-\ufffd]/;
const forbidden = /[^\t\n\r -\u{10ffff}]|[\ufffe\uffff]|\p{Surrogate}/u;
const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };

/** Writes UTF-8; grows as needed. */
export class XmlWriter {
  bytes: Uint8Array;
  length = 0;

  constructor() {
    this.bytes = spare ?? new Uint8Array(smallestBuffer);
    spare = null;
  }

  /** What was written, in a buffer of its own. */
  finish(): Uint8Array {
    const result = this.bytes.slice(0, this.length);
    if (this.bytes.length <= largestSpare) spare = this.bytes;
    return result;
  }

  /** Makes room for `size` more bytes. */
  ensure(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.length + size, this.bytes.length * 2));
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
  }

  /** Writes `depth` tabs and a piece of markup. */
  line(depth: number, markup: Uint8Array): void {
    this.ensure(depth + markup.length);
    this.indent(depth);
    this.copy(markup);
  }

  /** Writes tabs, for which there is room. */
  indent(depth: number): void {
    const { bytes } = this;
    let at = this.length;
    const end = at + depth;
    while (at < end) bytes[at++] = 0x09;
    this.length = end;
  }

  /** Writes bytes, for which there is room. */
  copy(from: Uint8Array): void {
    const { bytes, length } = this;
    for (let index = 0; index < from.length; index += 1) bytes[length + index] = from[index]!;
    this.length = length + from.length;
  }

  /** Writes ASCII text that needs no escapes. */
  ascii(text: string): void {
    this.ensure(text.length);
    const { bytes, length } = this;
    for (let index = 0; index < text.length; index += 1) bytes[length + index] = text.charCodeAt(index);
    this.length = length + text.length;
  }

  /**
   * Writes text with its escapes; a carriage return as a reference, since a reader would take it for a line feed.
   * Returns the first character that XML cannot carry, or `null` when all is well.
   */
  text(text: string): string | null {
    if (text.length > shortText) return this.longText(text);
    this.ensure(text.length * widestEscape);
    const { bytes } = this;
    let at = this.length;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x3e && code < 0x80) {
        bytes[at++] = code;
      } else if (code >= 0x80) {
        this.length = at;
        return this.wideText(text, index);
      } else if (code === 0x26 || code === 0x3c || code === 0x3e || code === 0x0d) {
        this.length = at;
        this.copy(code === 0x26 ? ampersand : code === 0x3c ? less : code === 0x3e ? greater : carriageReturn);
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

  /** The rest of a short text, from its first character that is not ASCII. */
  private wideText(text: string, start: number): string | null {
    return this.longText(text.slice(start));
  }

  private longText(text: string): string | null {
    let escaped = text;
    if (special.test(text)) {
      const bad = forbidden.exec(text);
      if (bad !== null) return bad[0];
      escaped = text.replace(/[&<>\r]/g, (char) => escapes[char]!);
    }
    // A UTF-16 code unit comes to three bytes at most.
    this.ensure(escaped.length * 3);
    this.length += encoder.encodeInto(escaped, this.bytes.subarray(this.length)).written;
    return null;
  }
}
