// A strict, bounds-checked DER reader: a cursor over one constructed value, nothing is copied.
import { PkiError } from '../errors.ts';
import { ENUMERATED, INTEGER, NULL, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET } from './tags.ts';

/** One tag-length-value inside a larger buffer. */
export interface DerNode {
  readonly source: Uint8Array;
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

/** Input that is not DER. `pki.der.ber` marks forms that are legal BER, so that a caller can normalise and retry. */
export function derError(message: string, offset: number, code = 'pki.der.invalid'): PkiError {
  return new PkiError(code, message, { at: { offset } });
}

function readNode(source: Uint8Array, offset: number, limit: number): DerNode {
  if (offset + 2 > limit) throw derError('truncated: a tag and a length were expected', offset);
  const tag = source[offset]!;
  if ((tag & 0x1f) === 0x1f) throw derError('multi-byte tags are not used in these formats', offset);
  const first = source[offset + 1]!;
  let contentStart = offset + 2;
  let length = first;
  if (first === 0x80) throw derError('indefinite length is not DER', offset, 'pki.der.ber');
  if (first > 0x80) {
    const count = first & 0x7f;
    if (count > 4) throw derError(`a length of ${count} bytes is larger than any accepted input`, offset);
    if (contentStart + count > limit) throw derError('truncated inside a length', offset);
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + source[contentStart + i]!;
    contentStart += count;
    if (length < 0x80 || (count > 1 && length < 2 ** (8 * (count - 1)))) {
      throw derError('the length is not in its shortest form', offset, 'pki.der.ber');
    }
  }
  if (length > limit - contentStart) {
    throw derError(`a length of ${length} runs past the end (${limit - contentStart} bytes left)`, offset);
  }
  return { source, tag, start: offset, contentStart, end: contentStart + length };
}

/** Reads one value that must fill `bytes` exactly. */
export function readRoot(bytes: Uint8Array, tag?: number): DerNode {
  const node = readNode(bytes, 0, bytes.length);
  if (node.end !== bytes.length) throw derError(`${bytes.length - node.end} bytes after the value`, node.end);
  if (tag !== undefined) expectTag(node, tag);
  return node;
}

/** Throws unless `node` carries `tag`. */
export function expectTag(node: DerNode, tag: number): DerNode {
  if (node.tag !== tag) {
    const constructed = node.tag === (tag | 0x20);
    throw derError(
      `tag 0x${node.tag.toString(16)} where 0x${tag.toString(16)} was expected`,
      node.start,
      constructed ? 'pki.der.ber' : 'pki.der.invalid',
    );
  }
  return node;
}

/** The content octets (a view). */
export const contentOf = (node: DerNode): Uint8Array => node.source.subarray(node.contentStart, node.end);
/** The whole encoding, header included (a view). */
export const encodingOf = (node: DerNode): Uint8Array => node.source.subarray(node.start, node.end);

/** A cursor over the values inside a constructed value. */
export class DerReader {
  readonly #source: Uint8Array;
  readonly #end: number;
  #offset: number;

  constructor(node: DerNode) {
    this.#source = node.source;
    this.#offset = node.contentStart;
    this.#end = node.end;
  }

  /** True when nothing is left. */
  get done(): boolean {
    return this.#offset >= this.#end;
  }

  /** Position of the next value in the source. */
  get offset(): number {
    return this.#offset;
  }

  /** The next tag, or -1 at the end. */
  peek(): number {
    return this.done ? -1 : this.#source[this.#offset]!;
  }

  /** The next value; with `tag`, it must have that tag. */
  next(tag?: number): DerNode {
    const node = readNode(this.#source, this.#offset, this.#end);
    if (tag !== undefined) expectTag(node, tag);
    this.#offset = node.end;
    return node;
  }

  /** The next value if it has this tag, else null and nothing is consumed. */
  optional(tag: number): DerNode | null {
    return this.peek() === tag ? this.next() : null;
  }

  /** Enters the next value. */
  enter(tag: number): DerReader {
    return new DerReader(this.next(tag));
  }

  sequence(): DerReader {
    return this.enter(SEQUENCE);
  }

  set(): DerReader {
    return this.enter(SET);
  }

  oid(): string {
    return oidOf(this.next(OBJECT_IDENTIFIER));
  }

  octets(): Uint8Array {
    return contentOf(this.next(OCTET_STRING));
  }

  /** An INTEGER that fits a small non-negative number (versions, path lengths). */
  smallInt(): number {
    return smallIntOf(this.next(INTEGER));
  }

  /** All remaining values, at most `max`. */
  rest(max = 10_000): DerNode[] {
    const nodes: DerNode[] = [];
    while (!this.done) {
      if (nodes.length >= max) throw derError(`more than ${max} values in one list`, this.#offset);
      nodes.push(this.next());
    }
    return nodes;
  }

  /** Throws unless everything was read. */
  finish(): void {
    if (!this.done) throw derError('unexpected value', this.#offset);
  }
}

/** Opens the single value that fills `bytes`. */
export function openRoot(bytes: Uint8Array, tag: number = SEQUENCE): DerReader {
  return new DerReader(readRoot(bytes, tag));
}

/** Checks an INTEGER's form and returns its content octets (two's complement, shortest form). */
export function integerOf(node: DerNode): Uint8Array {
  if (node.tag !== ENUMERATED) expectTag(node, INTEGER);
  const content = contentOf(node);
  if (content.length === 0) throw derError('an integer without content', node.start);
  if (
    content.length > 1 &&
    ((content[0] === 0 && content[1]! < 0x80) || (content[0] === 0xff && content[1]! >= 0x80))
  ) {
    throw derError('the integer is not in its shortest form', node.start);
  }
  return content;
}

/** The value of a small non-negative INTEGER or ENUMERATED. */
export function smallIntOf(node: DerNode): number {
  const content = integerOf(node);
  if (content.length > 4 || content[0]! >= 0x80) throw derError('the integer is out of range', node.start);
  let value = 0;
  for (const byte of content) value = value * 256 + byte;
  return value;
}

/** Dotted form of an OBJECT IDENTIFIER. */
export function oidOf(node: DerNode): string {
  expectTag(node, OBJECT_IDENTIFIER);
  const { source, contentStart, end } = node;
  if (contentStart === end || end - contentStart > 64) throw derError('an object identifier of bad size', node.start);
  let text = '';
  let value = 0;
  let fresh = true;
  for (let i = contentStart; i < end; i++) {
    const byte = source[i]!;
    if (fresh && byte === 0x80) throw derError('the object identifier has a padded arc', i);
    if (value > 2 ** 45) throw derError('the object identifier has a huge arc', i);
    value = value * 128 + (byte & 0x7f);
    fresh = (byte & 0x80) === 0;
    if (!fresh) continue;
    if (text === '') {
      const root = value < 40 ? 0 : value < 80 ? 1 : 2;
      text = `${root}.${value - root * 40}`;
    } else text += `.${value}`;
    value = 0;
  }
  if (!fresh) throw derError('the object identifier is truncated', node.start);
  return text;
}

/** Content of a BIT STRING that must be a whole number of bytes. */
export function bitStringOf(node: DerNode): Uint8Array {
  const content = contentOf(node);
  if (content.length === 0 || content[0]! > 7) throw derError('a bit string without a valid pad count', node.start);
  if (content[0] !== 0) throw derError('the bit string is not a whole number of bytes', node.start);
  return content.subarray(1);
}

/** Indices of the set bits of a BIT STRING with named bits (keyUsage, reasonFlags). */
export function namedBitsOf(node: DerNode): number[] {
  const content = contentOf(node);
  if (content.length === 0 || content[0]! > 7 || content.length > 5) {
    throw derError('a bit string of named bits has a bad size', node.start);
  }
  const bits: number[] = [];
  for (let i = 0; i < (content.length - 1) * 8; i++) {
    if ((content[1 + (i >> 3)]! & (0x80 >> (i & 7))) !== 0) bits.push(i);
  }
  return bits;
}

/** The value of a BOOLEAN. */
export function booleanOf(node: DerNode): boolean {
  const content = contentOf(node);
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw derError('not a boolean', node.start);
  return content[0] !== 0;
}

/** Throws unless `node` is NULL without content. */
export function expectNull(node: DerNode): void {
  expectTag(node, NULL);
  if (node.end !== node.contentStart) throw derError('a null with content', node.start);
}
