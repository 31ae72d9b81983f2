// Did you mean: the names nearest to one that is not known.

const maxLength = 120;

/** Edits (insert, delete, replace, swap neighbours) between two texts, or `limit + 1` when there are more than `limit`. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1;
      let cost = Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (before[j - 2] as number) + 1);
      }
      next[j] = cost;
      if (cost < least) least = cost;
    }
    if (least > limit) return limit + 1;
    before = row;
    row = next;
  }
  return row[b.length] as number;
}

/**
 * The names nearest to `name`, best first: equal but for case, a few edits away, or holding it as a part.
 *
 * @example
 * nearest('DeviceLok', ['DeviceLock', 'EraseDevice']); // ['DeviceLock']
 */
export function nearest(name: string, candidates: Iterable<string>, count = 3): string[] {
  if (name === '' || name.length > maxLength) return [];
  const wanted = name.toLowerCase();
  const limit = Math.max(1, Math.floor(wanted.length / 4));
  const found: { candidate: string; distance: number }[] = [];
  for (const candidate of candidates) {
    const other = candidate.toLowerCase();
    let distance = editDistance(wanted, other, limit);
    if (distance > limit) {
      // The last part of a reverse-DNS name, or a piece of a longer one.
      const last = other.slice(other.lastIndexOf('.') + 1);
      if (wanted.length >= 3 && (last === wanted || other.endsWith(`.${wanted}`))) distance = limit + 0.5;
      else if (wanted.length >= 4 && other.startsWith(wanted)) distance = limit + 0.75;
      else if (wanted.length >= 4 && other.includes(wanted)) distance = limit + 1;
      else continue;
    }
    found.push({ candidate, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1));
  return found.slice(0, count).map((entry) => entry.candidate);
}
