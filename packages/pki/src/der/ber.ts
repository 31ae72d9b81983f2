// Turns BER (indefinite lengths, strings in pieces, long-form lengths) into DER lengths, as some CMS encoders need it.
import { PkiError } from '../errors.ts';
import { derError } from './reader.ts';

/** Bounds for {@link normaliseBer}. */
export interface BerLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  readonly maxNodes: number;
}

const berLimits: BerLimits = { maxBytes: 64 * 1024 * 1024, maxDepth: 32, maxNodes: 100_000 };

interface Piece {
  tag: number;
  /** Primitive content, as ranges of the source. */
  ranges: [number, number][];
  children: Piece[] | null;
  length: number;
}

/**
 * Re-encodes BER with definite, shortest lengths; OCTET STRINGs in pieces become one primitive value. The order of SET
 * elements and the content of primitive values are not touched. One pass to read, one to write.
 *
 * @throws PkiError `pki.der.invalid` for malformed input, `pki.der.too_large` beyond a limit.
 */
export function normaliseBer(source: Uint8Array, limits: BerLimits = berLimits): Uint8Array<ArrayBuffer> {
  if (source.length > limits.maxBytes) {
    throw new PkiError('pki.der.too_large', `more than ${limits.maxBytes} bytes`, { kind: 'too-large' });
  }
  let nodes = 0;

  function read(offset: number, limit: number, depth: number): { piece: Piece; end: number } {
    if (depth > limits.maxDepth) throw derError(`nested deeper than ${limits.maxDepth}`, offset, 'pki.der.too_deep');
    if (++nodes > limits.maxNodes) {
      throw derError(`more than ${limits.maxNodes} values`, offset, 'pki.der.too_large');
    }
    if (offset + 2 > limit) throw derError('truncated: a tag and a length were expected', offset);
    const tag = source[offset]!;
    if ((tag & 0x1f) === 0x1f) throw derError('multi-byte tags are not used in these formats', offset);
    const first = source[offset + 1]!;
    let start = offset + 2;
    let end: number;
    const indefinite = first === 0x80;
    if (indefinite) {
      if ((tag & 0x20) === 0) throw derError('indefinite length on a primitive value', offset);
      end = limit;
    } else {
      let length = first;
      if (first > 0x80) {
        const count = first & 0x7f;
        if (count > 4) throw derError(`a length of ${count} bytes is larger than any accepted input`, offset);
        if (start + count > limit) throw derError('truncated inside a length', offset);
        length = 0;
        for (let i = 0; i < count; i++) length = length * 256 + source[start + i]!;
        start += count;
      }
      if (length > limit - start) throw derError(`a length of ${length} runs past the end`, offset);
      end = start + length;
    }
    if ((tag & 0x20) === 0) {
      return { piece: { tag, ranges: [[start, end]], children: null, length: end - start }, end };
    }
    const children: Piece[] = [];
    let position = start;
    for (;;) {
      if (indefinite) {
        if (position + 2 > limit) throw derError('an indefinite length without its end', offset);
        if (source[position] === 0 && source[position + 1] === 0) {
          position += 2;
          break;
        }
      } else if (position === end) break;
      const child = read(position, end, depth + 1);
      children.push(child.piece);
      position = child.end;
    }
    return { piece: assemble(tag, children, offset), end: position };
  }

  function assemble(tag: number, children: Piece[], offset: number): Piece {
    // An OCTET STRING in pieces. ([0] IMPLICIT in pieces looks like [0] EXPLICIT: its reader joins the pieces.)
    if (tag === 0x24) {
      const ranges: [number, number][] = [];
      let length = 0;
      for (const child of children) {
        if (child.tag !== 0x04) throw derError('a string in pieces holds something else', offset);
        for (const range of child.ranges) ranges.push(range);
        length += child.length;
      }
      return { tag: 0x04, ranges, children: null, length };
    }
    let length = 0;
    for (const child of children) length += headerSize(child.length) + child.length;
    return { tag, ranges: [], children, length };
  }

  const root = read(0, source.length, 0);
  if (root.end !== source.length) throw derError('bytes after the value', root.end);
  const out = new Uint8Array(headerSize(root.piece.length) + root.piece.length);
  let at = 0;
  const write = (piece: Piece): void => {
    out[at++] = piece.tag;
    at = writeLength(out, at, piece.length);
    if (piece.children) for (const child of piece.children) write(child);
    else {
      for (const [from, to] of piece.ranges) {
        out.set(source.subarray(from, to), at);
        at += to - from;
      }
    }
  };
  write(root.piece);
  return out;
}

/** Size of a tag plus the shortest length field for `length`. */
export function headerSize(length: number): number {
  if (length < 0x80) return 2;
  if (length < 0x100) return 3;
  if (length < 0x1_0000) return 4;
  return length < 0x100_0000 ? 5 : 6;
}

/** Writes the shortest length field at `at`; returns the position after it. */
export function writeLength(out: Uint8Array, at: number, length: number): number {
  if (length < 0x80) {
    out[at] = length;
    return at + 1;
  }
  const count = headerSize(length) - 2;
  out[at] = 0x80 | count;
  for (let i = 0; i < count; i++) out[at + 1 + i] = Math.floor(length / 2 ** (8 * (count - 1 - i))) & 0xff;
  return at + 1 + count;
}
