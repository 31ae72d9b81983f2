// Reads a Bolt database (BoltDB and bbolt, file format 2): the keys and values of a bucket. Only what has been committed.
import { CliError } from '../errors.ts';

const MAGIC = 0xed0cdaed;
const VERSION = 2;
const PAGE_HEADER = 16;
const BUCKET_HEADER = 16;
const BRANCH = 1;
const LEAF = 2;
const META = 4;
const IS_BUCKET = 1;
/** A tree of this height would hold more than any file. */
const MAX_DEPTH = 32;

/** A database in memory. */
export interface BoltFile {
  /** A bucket at the top, in the order of its keys; nothing where there is none. @throws CliError `cli.file` for a damaged file */
  bucket(name: string): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
}

interface Meta {
  readonly pageSize: number;
  readonly root: bigint;
  readonly transaction: bigint;
}

interface Element {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly isBucket: boolean;
}

/**
 * Opens the bytes of a database.
 * @throws CliError `cli.file` where they are none
 */
export function openBolt(bytes: Uint8Array, name: string): BoltFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (what: string): CliError => new CliError('cli.file', `${name} is damaged: ${what}`);

  function meta(at: number): Meta | null {
    if (at + 80 > bytes.length || (view.getUint16(at + 8, true) & META) === 0) return null;
    const from = at + PAGE_HEADER;
    if (view.getUint32(from, true) !== MAGIC || view.getUint32(from + 4, true) !== VERSION) return null;
    if (view.getBigUint64(from + 56, true) !== checksum(bytes.subarray(from, from + 56))) return null;
    const pageSize = view.getUint32(from + 8, true);
    if (pageSize < 512 || pageSize > 1 << 20) return null;
    return { pageSize, root: view.getBigUint64(from + 16, true), transaction: view.getBigUint64(from + 48, true) };
  }

  // Two copies, written in turns: the later one that is whole counts. Where the first is broken, nobody tells the page size.
  const first = meta(0);
  const sizes = first === null ? [4096, 16_384, 8192, 65_536] : [first.pageSize];
  const copies = [first, ...sizes.map((size) => meta(size))].filter((copy) => copy !== null);
  const latest = copies.sort((a, b) => (a.transaction < b.transaction ? 1 : -1))[0];
  if (latest === undefined) throw new CliError('cli.file', `${name} is no Bolt database`);
  const { pageSize } = latest;

  /** The elements of a page at an offset; `end` is where it ends. */
  function elementsOf(at: number, end: number): { readonly kind: number; readonly count: number } {
    if (at + PAGE_HEADER > end || end > bytes.length) throw damaged('a page lies outside of it');
    const kind = view.getUint16(at + 8, true) & (BRANCH | LEAF);
    const count = view.getUint16(at + 10, true);
    if (kind !== BRANCH && kind !== LEAF) throw damaged('a page is of no kind');
    if (at + PAGE_HEADER + count * 16 > end) throw damaged('a page has more elements than room');
    return { kind, count };
  }

  function part(from: number, length: number, end: number): Uint8Array {
    if (from + length > end) throw damaged('an element lies outside of its page');
    return bytes.subarray(from, from + length);
  }

  function leaf(at: number, index: number, end: number): Element {
    const element = at + PAGE_HEADER + index * 16;
    const from = element + view.getUint32(element + 4, true);
    const keySize = view.getUint32(element + 8, true);
    return {
      key: part(from, keySize, end),
      value: part(from + keySize, view.getUint32(element + 12, true), end),
      isBucket: (view.getUint32(element, true) & IS_BUCKET) !== 0,
    };
  }

  function* page(at: number, end: number, depth: number): Iterable<Element> {
    if (depth > MAX_DEPTH) throw damaged('its tree has no end');
    const { kind, count } = elementsOf(at, end);
    for (let index = 0; index < count; index++) {
      if (kind === LEAF) yield leaf(at, index, end);
      else yield* tree(view.getBigUint64(at + PAGE_HEADER + index * 16 + 8, true), depth + 1);
    }
  }

  function* tree(id: bigint, depth: number): Iterable<Element> {
    const at = Number(id) * pageSize;
    if (at + PAGE_HEADER > bytes.length) throw damaged('a page lies outside of it');
    const overflow = view.getUint32(at + 12, true);
    yield* page(at, at + (overflow + 1) * pageSize, depth);
  }

  function elementsOfBucket(value: Uint8Array): Iterable<Element> {
    if (value.length < BUCKET_HEADER) throw damaged('a bucket has no beginning');
    const at = value.byteOffset - bytes.byteOffset;
    const root = view.getBigUint64(at, true);
    // A small bucket is a page within the value itself.
    return root === 0n ? page(at + BUCKET_HEADER, at + value.length, 0) : tree(root, 0);
  }

  return {
    *bucket(wanted) {
      for (const element of tree(latest.root, 0)) {
        if (!element.isBucket || new TextDecoder().decode(element.key) !== wanted) continue;
        let left = bytes.length;
        for (const { key, value, isBucket } of elementsOfBucket(element.value)) {
          // Pages that point at each other would go on for ever.
          if (left-- <= 0) throw damaged('it has more elements than bytes');
          if (!isBucket) yield [key, value];
        }
      }
    },
  };
}

/** FNV-1a, 64 bits. */
function checksum(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
