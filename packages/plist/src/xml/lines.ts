// A cache of `<key>` lines: a server writes the same few hundred keys again and again.
import { type Markup, markup } from './writer.ts';

const longest = 64;
const mostLines = 2048;
const lines = new Map<string, Markup>();
/** ASCII without anything to escape. */
const plain = /^[ -%'-;=?-~]*$/;

/** The line of a key, or `null` for a key that is long or needs a closer look. */
export function keyLine(key: string): Markup | null {
  const known = lines.get(key);
  if (known !== undefined) return known;
  if (key.length > longest || !plain.test(key)) return null;
  // Starting over keeps the cache from growing with keys that are not from a schema.
  if (lines.size >= mostLines) lines.clear();
  const line = markup(`<key>${key}</key>\n`);
  lines.set(key, line);
  return line;
}
