// Many things at once, but not all of them.

/**
 * Runs a task for each item, at most `limit` at once, and gives the results in the items' order.
 * When a task fails no further ones are begun; those under way finish first, then the first error is thrown.
 *
 * @example
 * await runLimited(devices, 16, (device) => device.enrol(profileUrl));
 */
export async function runLimited<T, R>(
  items: readonly T[],
  limit: number,
  task: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let failed = false;
  async function work(): Promise<void> {
    while (next < items.length && !failed) {
      const index = next++;
      try {
        results[index] = await task(items[index]!, index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  }
  const workers = Array.from({ length: Math.max(1, Math.min(limit, items.length)) }, work);
  const settled = await Promise.allSettled(workers);
  for (const worker of settled) if (worker.status === 'rejected') throw worker.reason;
  return results;
}
