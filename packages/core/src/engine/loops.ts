// The loops: what `start` repeats, what `tick` does once, what `stop` waits for.
import type { Logger } from './options.ts';

/** One job that is repeated. */
export interface Loop {
  /** Begins to repeat. */
  start(): void;
  /** Runs soon, if it was started. */
  kick(): void;
  /** Ends, after what is running is done. */
  stop(): Promise<void>;
}

/** Makes a loop: never two runs at once; a kick during a run leads to one more. */
export function createLoop(name: string, intervalMs: number, job: () => Promise<unknown>, logger: Logger): Loop {
  let timer: NodeJS.Timeout | null = null;
  let soon: NodeJS.Immediate | null = null;
  let running: Promise<void> | null = null;
  let again = false;

  async function repeat(): Promise<void> {
    do {
      again = false;
      try {
        await job();
      } catch (error) {
        // The next run tries again: a store that was away comes back.
        logger.error({ error, loop: name }, 'a background job failed');
      }
    } while (again && timer !== null);
  }

  function run(): void {
    if (running !== null) {
      again = true;
      return;
    }
    running = repeat().finally(() => {
      running = null;
    });
  }

  return {
    start() {
      if (timer !== null) return;
      timer = setInterval(run, intervalMs);
      timer.unref();
      run();
    },
    kick() {
      if (timer === null || soon !== null) return;
      soon = setImmediate(() => {
        soon = null;
        run();
      });
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      if (soon !== null) clearImmediate(soon);
      timer = null;
      soon = null;
      await running;
    },
  };
}
