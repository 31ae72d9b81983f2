// Splitting what a request names into as many requests as the service's limits ask for.

/** Each item once, by what `key` says of it; of equal ones the last. */
export function unique<T>(items: readonly T[], key: (item: T) => unknown = (item) => item): readonly T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}

/** The items in parts of `size` at most. */
export function* batches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
