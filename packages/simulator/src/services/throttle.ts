// How often a simulated service lets itself be asked.

/** Counts a request; how many seconds to wait where it is one too many, undefined where it is not. */
export type Throttle = () => number | undefined;

/** Makes a throttle of so many requests in each span of time; without a number, none. */
export function createThrottle(requests: number | undefined, spanMs: number, now: () => number): Throttle {
  let span = Number.NEGATIVE_INFINITY;
  let count = 0;
  return () => {
    if (requests === undefined) return undefined;
    const current = Math.floor(now() / spanMs);
    if (current !== span) [span, count] = [current, 0];
    return ++count <= requests ? undefined : Math.max(1, Math.ceil(((current + 1) * spanMs - now()) / 1000));
  };
}
