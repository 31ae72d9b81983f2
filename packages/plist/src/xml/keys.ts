// A cache of dictionary keys: documents of a kind repeat the same few hundred keys.
import type { Reader } from './reader.ts';

const size = 2048;
const longest = 64;
/** One key per slot; a key that hashes to a taken slot replaces what was there, so the cache never grows. */
const slots: string[] = new Array<string>(size).fill('');

/**
 * The ASCII key between two indexes, `hash` being made of its characters. The same characters give the same result as
 * making a new string; what is saved is that, and hashing it again each time it names a property.
 */
export function keyAt(reader: Reader, start: number, end: number, hash: number): string {
  const length = end - start;
  if (length > longest) return reader.ascii(start, end);
  const slot = hash & (size - 1);
  const cached = slots[slot]!;
  reader.cover(start, end);
  if (cached.length === length && reader.window.startsWith(cached, start - reader.windowStart)) return cached;
  // As the name of a property the engine makes a string of its own, that does not hold on to the window.
  const key = Object.keys({ [reader.ascii(start, end)]: true })[0]!;
  slots[slot] = key;
  return key;
}
