// Processes of a benchmark that are asked one thing after the other, and answer or fail.
import { type ChildProcess, fork } from 'node:child_process';

/** A process that was started. */
export interface Child<R extends { readonly ask: string }> {
  readonly pid: number;
  /** Asks, and gives the answer. Rejects with what failed there. */
  ask<T>(request: R): Promise<T>;
  /** Ends it, in order where that is possible. */
  end(): Promise<void>;
}

interface Answer {
  readonly ok?: unknown;
  readonly error?: string;
}

/** Starts a process on a file that calls {@link serve}. `node` are options of Node.js. */
export function startChild<R extends { readonly ask: string }>(file: string, node: readonly string[] = []): Child<R> {
  const child: ChildProcess = fork(file, {
    execArgv: ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning', ...node],
    serialization: 'advanced',
  });
  const ask = <T>(request: R | { readonly ask: 'end' }): Promise<T> =>
    new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`a process of the benchmark ended with ${code}`));
      child.once('exit', ended);
      child.once('message', ({ ok, error }: Answer) => {
        child.off('exit', ended);
        if (error === undefined) resolve(ok as T);
        else reject(new Error(error));
      });
      child.send(request);
    });
  return {
    pid: child.pid ?? 0,
    ask,
    async end() {
      if (!child.connected) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      await ask({ ask: 'end' }).catch(() => child.kill());
      await gone;
    },
  };
}

/** What a process of {@link startChild} does: answers, until it is asked to end or its parent is gone. */
export function serve<R extends { readonly ask: string }>(answer: (request: R) => Promise<unknown>): void {
  process.on('disconnect', () => process.exit());
  process.on('message', async (request: R) => {
    try {
      process.send?.({ ok: await answer(request) } satisfies Answer);
    } catch (error) {
      process.send?.({
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      } satisfies Answer);
    }
    if (request.ask === 'end') process.disconnect();
  });
}
