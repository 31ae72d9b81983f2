// A progress bar on stderr, for what takes minutes.

/** Where the work is. */
export interface Progress {
  /** The step that begins now; `part` is how much of all was done before it, from 0 to 1. */
  at(part: number, step: string): void;
  end(): void;
}

/** A bar with a title; where stderr is no terminal, a line for each step. */
export function createProgress(title: string): Progress {
  const { stderr } = process;
  const width = 30;
  const began = performance.now();
  let last = '';
  return {
    at(part, step) {
      const done = Math.round(Math.min(1, part) * width);
      const bar = `${title} [${'#'.repeat(done)}${'.'.repeat(width - done)}] ${Math.round((performance.now() - began) / 1_000)} s: ${step}`;
      if (stderr.isTTY) stderr.write(`\r\u001B[K${bar.slice(0, (stderr.columns ?? 80) - 1)}`);
      else if (step !== last) stderr.write(`${bar}\n`);
      last = step;
    },
    end() {
      if (stderr.isTTY) stderr.write('\r\u001B[K');
    },
  };
}
