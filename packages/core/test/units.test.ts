// Small parts: remembering by reads, locks, the heap.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLocks } from '../src/engine/locks.ts';
import { rememberByReads } from '../src/engine/tracking.ts';
import { DueHeap } from '../src/memory/heap.ts';

describe('remembering by reads', () => {
  it('computes once for inputs that are equal in what was read', () => {
    let calls = 0;
    const remembered = rememberByReads(({ facts }: { facts: Record<string, unknown> }) => {
      calls++;
      return facts['platform'] === 'iOS' ? `iOS ${String(facts['version'])}` : 'other';
    });
    const ask = (platform: string, version: string, serial: string) =>
      remembered({ facts: { platform, version, serial } });
    expect([ask('iOS', '18', 'a'), ask('iOS', '18', 'b'), calls]).toEqual(['iOS 18', 'iOS 18', 1]);
    expect([ask('iOS', '17', 'a'), calls]).toEqual(['iOS 17', 2]);
    // The version is not read on another platform.
    expect([ask('macOS', '15', 'a'), ask('macOS', '14', 'b'), calls]).toEqual(['other', 'other', 3]);
  });

  it('tells absent from null, lists by content, and presence by `in`', () => {
    let calls = 0;
    const remembered = rememberByReads(({ facts }: { facts: Record<string, unknown> }) => {
      calls++;
      return JSON.stringify([facts['x'] ?? 'none', 'y' in facts]);
    });
    for (const facts of [{}, { x: null }, { x: [1] }, { x: [1, 2] }, { x: [1], y: 0 }]) remembered({ facts });
    expect(calls).toBe(5);
    remembered({ facts: { x: [1], z: 3 } });
    expect(calls).toBe(5);
  });

  it('keeps of many combinations those that were used last', () => {
    const computed: number[] = [];
    const remembered = rememberByReads(({ facts }: { facts: Record<string, number> }) => {
      computed.push(facts['x']!);
      return facts['x']! * 2;
    }, 3);
    const ask = (x: number) => remembered({ facts: { x } });
    expect([1, 2, 3, 1, 4, 1, 3, 2, 1].map(ask)).toEqual([2, 4, 6, 2, 8, 2, 6, 4, 2]);
    expect(computed).toEqual([1, 2, 3, 4, 2]);
  });

  it('does not remember what listed keys', () => {
    let calls = 0;
    const remembered = rememberByReads(({ facts }: { facts: Record<string, unknown> }) => {
      calls++;
      return Object.keys(facts).length;
    });
    expect([remembered({ facts: { a: 1 } }), remembered({ facts: { a: 1, b: 2 } }), calls]).toEqual([1, 2, 2]);
  });
});

describe('locks', () => {
  it('run tasks of one key in order, also after one failed, and others at once', async () => {
    const locks = createLocks();
    const log: string[] = [];
    const task =
      (name: string, fails = false) =>
      async () => {
        log.push(`${name} begins`);
        await new Promise((resolve) => setImmediate(resolve));
        log.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      };
    const results = await Promise.allSettled([
      locks.run('k', task('a', true)),
      locks.run('k', task('b')),
      locks.run('other', task('c')),
    ]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(log.indexOf('b begins')).toBeGreaterThan(log.indexOf('a ends'));
    expect(log.indexOf('c begins')).toBeLessThan(log.indexOf('a ends'));
  });
});

describe('the heap', () => {
  it('gives the earliest, whatever was set, changed and removed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.option(fc.nat(100)))), (steps) => {
        const heap = new DueHeap<{ place: number }>();
        const items = Array.from({ length: 21 }, () => ({ place: -1 }));
        const model = new Map<object, number>();
        for (const [index, due] of steps) {
          const item = items[index]!;
          heap.set(item, due);
          if (due === null) model.delete(item);
          else model.set(item, due);
          expect(heap.peek()?.dueAt ?? null).toBe(model.size === 0 ? null : Math.min(...model.values()));
        }
        while (model.size > 0) {
          const top = heap.peek()!;
          expect(top.dueAt).toBe(Math.min(...model.values()));
          expect(model.get(top.item)).toBe(top.dueAt);
          heap.set(top.item, null);
          model.delete(top.item);
        }
        expect(heap.peek()).toBeNull();
      }),
      { seed: 7, numRuns: 200 },
    );
  });
});
