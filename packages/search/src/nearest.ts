// "Did you mean": the candidates with the smallest edit distance.
import { fold } from './fold.ts';

/** Up to `count` candidates that differ from `text` by few typing errors, best first. Case does not count. */
export function nearest(text: string, candidates: Iterable<string>, count = 3): string[] {
  if (text.length > 100) return [];
  const wanted = fold(text);
  const limit = Math.max(1, Math.floor(wanted.length / 4));
  const found: { candidate: string; distance: number }[] = [];
  for (const candidate of candidates) {
    const other = fold(candidate);
    if (Math.abs(other.length - wanted.length) > limit) continue;
    const distance = edits(wanted, other, limit);
    if (distance <= limit) found.push({ candidate, distance });
  }
  return found
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map((f) => f.candidate);
}

// Edit distance with exchanged neighbours counted once; gives up above `limit`.
function edits(a: string, b: string, limit: number): number {
  let older: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let best = i;
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let d = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, older[j - 2]! + 1);
      row.push(d);
      if (d < best) best = d;
    }
    if (best > limit) return limit + 1;
    older = previous;
    previous = row;
  }
  return previous[b.length]!;
}
