// Figures that hold on a busy machine: medians over many short turns, how sure they are, and times counted in steps.

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that a quarter of them stays below: of times, since what else a machine does only ever adds to them. */
export function quarter(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 4)] ?? 0;
}

/** Half the width of the range in which the true median lies with a probability of 95 %, from the order of the values alone. */
export function uncertainty(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  const low = Math.floor((n - 1.96 * Math.sqrt(n)) / 2);
  if (low < 0) return Number.POSITIVE_INFINITY;
  return (sorted[n - 1 - low]! - sorted[low]!) / 2;
}

/** Counts times in steps of 1 %, so that millions of them take no memory. */
export interface TimeCounts {
  add(ms: number): void;
  /** The time that this part (0 to 1) of all is not longer than. */
  quantile(part: number): number;
}

/** Makes an empty one, for times from 100 ns to minutes. */
export function createTimeCounts(): TimeCounts {
  const least = 1e-4;
  const step = Math.log(1.01);
  const counts = new Uint32Array(2_200);
  let total = 0;
  return {
    add(ms) {
      const place = ms <= least ? 0 : Math.round(Math.log(ms / least) / step);
      counts[Math.min(place, counts.length - 1)]!++;
      total++;
    },
    quantile(part) {
      let seen = 0;
      for (const [place, count] of counts.entries()) {
        seen += count;
        if (seen >= total * part && seen > 0) return least * Math.exp(place * step);
      }
      return 0;
    },
  };
}
