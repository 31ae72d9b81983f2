// Remembers what a pure function read of its input, so that its result can be used again for inputs equal in just that.

type Path = readonly [part: string, key: string];

interface Remembered<R> {
  readonly reads: readonly { readonly path: Path; readonly value: string }[];
  readonly result: R;
}

/** An object whose properties (the parts) are flat records. */
export type TrackedInput = object;

/**
 * Wraps a pure function of flat records: its result is computed once for each combination of the values that it read.
 * Of many combinations those that were used last are kept.
 * A function that lists keys is not remembered for the part that it listed, but computed each time.
 */
export function rememberByReads<I extends TrackedInput, R>(compute: (input: I) => R, most = 100): (input: I) => R {
  const remembered: Remembered<R>[] = [];
  return (input) => {
    for (const [index, entry] of remembered.entries()) {
      if (!entry.reads.every(({ path, value }) => read(input, path) === value)) continue;
      if (index > 0) {
        remembered.splice(index, 1);
        remembered.unshift(entry);
      }
      return entry.result;
    }
    const reads = new Map<string, { path: Path; value: string }>();
    let listed = false;
    const tracked = Object.fromEntries(
      Object.entries(input).map(([part, record]) => [
        part,
        new Proxy(record, {
          get(target, key) {
            if (typeof key === 'string') {
              const path: Path = [part, key];
              reads.set(`${part}\n${key}`, { path, value: read(input, path) });
            }
            return Reflect.get(target, key);
          },
          has(target, key) {
            if (typeof key === 'string')
              reads.set(`${part}\n${key}`, { path: [part, key], value: read(input, [part, key]) });
            return Reflect.has(target, key);
          },
          getOwnPropertyDescriptor(target, key) {
            if (typeof key === 'string')
              reads.set(`${part}\n${key}`, { path: [part, key], value: read(input, [part, key]) });
            return Reflect.getOwnPropertyDescriptor(target, key);
          },
          ownKeys(target) {
            listed = true;
            return Reflect.ownKeys(target);
          },
        }),
      ]),
    ) as I;
    const result = compute(tracked);
    if (!listed) {
      remembered.unshift({ reads: [...reads.values()], result });
      // Where every input differs, looking through all that is remembered would cost more than computing.
      if (remembered.length > most) remembered.pop();
    }
    return result;
  };
}

function read(input: TrackedInput, [part, key]: Path): string {
  const record: unknown = Reflect.get(input, part);
  const value: unknown = typeof record === 'object' && record !== null ? Reflect.get(record, key) : undefined;
  return value === undefined ? 'absent' : JSON.stringify(value);
}
