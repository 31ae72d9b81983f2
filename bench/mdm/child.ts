// Processes of a benchmark that are asked things, and answer or fail.
import { type ChildProcess, fork } from 'node:child_process';

/** A process that was started. */
export interface Child<R extends { readonly ask: string }> {
  readonly pid: number;
  /** Asks, and gives the answer. Rejects with what failed there. */
  ask<T>(request: R): Promise<T>;
  /** Ends it, in order where that is possible. */
  end(): Promise<void>;
}

interface Question<R> {
  readonly id: number;
  readonly request: R;
}

interface Answer {
  readonly id: number;
  readonly ok?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** Starts a process on a file that calls {@link serve}. `node` are options of Node.js. */
export function startChild<R extends { readonly ask: string }>(file: string, node: readonly string[] = []): Child<R> {
  const child: ChildProcess = fork(file, {
    execArgv: ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning', ...node],
    serialization: 'advanced',
  });
  const waiting = new Map<number, Waiting>();
  let ids = 0;
  child.on('message', ({ id, ok, error }: Answer) => {
    const { resolve, reject } = waiting.get(id)!;
    waiting.delete(id);
    if (error === undefined) resolve(ok as never);
    else reject(new Error(error));
  });
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`a process of the benchmark ended with ${code}`));
    waiting.clear();
  });
  const ask = <T>(request: R | { readonly ask: 'end' }): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const id = ids++;
      waiting.set(id, { resolve, reject });
      child.send({ id, request } satisfies Question<R | { readonly ask: 'end' }>);
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
  process.on('message', async ({ id, request }: Question<R>) => {
    try {
      process.send?.({ id, ok: await answer(request) } satisfies Answer);
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.send?.({ id, error: text } satisfies Answer);
    }
    if (request.ask === 'end') process.disconnect();
  });
}
