// One thing at a time for each key, within this process.

/** Runs tasks of the same key one after the other. */
export interface Locks {
  run<T>(key: string, task: () => Promise<T>): Promise<T>;
}

/** Makes the locks. */
export function createLocks(): Locks {
  const tails = new Map<string, Promise<unknown>>();
  return {
    run(key, task) {
      const before = tails.get(key) ?? Promise.resolve();
      // The next task runs whether or not this one fails; the failure goes to this one's caller alone.
      const result = before.then(task, task);
      tails.set(key, result);
      const clean = () => {
        if (tails.get(key) === result) tails.delete(key);
      };
      result.then(clean, clean);
      return result;
    },
  };
}
