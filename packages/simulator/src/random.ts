// Randomness from a seed: the same seed gives the same devices.
import { createHash } from 'node:crypto';

/** A source of reproducible randomness. Not for secrets of real systems. */
export interface Random {
  /** From 0 up to 1. */
  next(): number;
  /** A whole number from 0 to `below - 1`. */
  int(below: number): number;
  /** One of the items. */
  pick<T>(items: readonly T[]): T;
  bytes(length: number): Uint8Array;
  /** Characters from the alphabet. */
  text(length: number, alphabet: string): string;
  /** An upper-case UUID (version 4). */
  uuid(): string;
  /** An independent source for a purpose: drawing from it does not change what this one gives. */
  fork(purpose: string): Random;
}

/** Makes a source from a seed (xoshiro128**, seeded by SHA-256). */
export function createRandom(seed: string | number): Random {
  const digest = createHash('sha256').update(String(seed)).digest();
  let [a, b, c, d] = [0, 4, 8, 12].map((offset) => digest.readUInt32LE(offset)) as [number, number, number, number];
  function uint32(): number {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11);
    return result;
  }
  const random: Random = {
    next: () => uint32() / 2 ** 32,
    int: (below) => Math.floor((uint32() / 2 ** 32) * below),
    pick: (items) => items[random.int(items.length)]!,
    bytes: (length) => Uint8Array.from({ length }, () => uint32() >>> 24),
    text: (length, alphabet) => Array.from({ length }, () => alphabet[random.int(alphabet.length)]).join(''),
    uuid() {
      const bytes = random.bytes(16);
      bytes[6] = (bytes[6]! & 0x0f) | 0x40;
      bytes[8] = (bytes[8]! & 0x3f) | 0x80;
      const hex = Buffer.from(bytes).toString('hex').toUpperCase();
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    },
    fork: (purpose) => createRandom(`${String(seed)}/${purpose}`),
  };
  return random;
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
