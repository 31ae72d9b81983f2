// A cache of dictionary keys: documents of a kind repeat the same few hundred keys.

const size = 2048;
const longest = 64;
/** One key per slot; a key that hashes to a taken slot replaces what was there, so the cache never grows. */
const slots: string[] = new Array<string>(size).fill('');

/**
 * The key between two indexes of a text, `hash` being made of its characters. The same characters give the same
 * result as slicing the text; what is saved is making and hashing a new string each time.
 */
export function keyAt(text: string, start: number, end: number, hash: number): string {
  const length = end - start;
  if (length > longest) return text.slice(start, end);
  const slot = hash & (size - 1);
  const cached = slots[slot]!;
  if (cached.length === length && text.startsWith(cached, start)) return cached;
  // As the name of a property the engine makes a string of its own, that does not hold on to the document's text.
  const key = Object.keys({ [text.slice(start, end)]: true })[0]!;
  slots[slot] = key;
  return key;
}
