// Arbitrary sequences of actions on the queue.
import fc from 'fast-check';
import type { QueueAction } from '../src/contract/index.ts';

const MINUTE = 60_000;

/** Sequences of up to 60 actions on these enrolments. */
export function queueActions(ids: readonly string[]): fc.Arbitrary<QueueAction[]> {
  const id = fc.constantFrom(...ids);
  const some = fc.subarray([...ids], { minLength: 1 });
  const which = fc.nat({ max: 9 });
  const enqueue = fc.record({
    kind: fc.constant('enqueue' as const),
    ids: some,
    priority: fc.integer({ min: -1, max: 1 }),
    notBeforeIn: fc.constantFrom(null, MINUTE, 5 * MINUTE),
    expiresIn: fc.constantFrom(null, 3 * MINUTE, 30 * MINUTE),
    key: fc.constantFrom(null, 'k', 'l'),
    onDuplicate: fc.constantFrom('replace' as const, 'keep' as const),
    maxAttempts: fc.constantFrom(null, 1, 2),
    onError: fc.constantFrom('fail' as const, 'retry' as const, 'drop-chain' as const),
    chain: fc.constantFrom(1, 1, 3),
    push: fc.boolean(),
  });
  const answer = fc.record({
    kind: fc.constant('answer' as const),
    id,
    which: fc.oneof({ arbitrary: fc.constant('last' as const), weight: 3 }, which),
    status: fc.constantFrom('acknowledged' as const, 'error' as const, 'format-error' as const, 'not-now' as const),
  });
  const action: fc.Arbitrary<QueueAction> = fc.oneof(
    { arbitrary: enqueue, weight: 5 },
    { arbitrary: answer, weight: 7 },
    { arbitrary: fc.record({ kind: fc.constant('idle' as const), id }), weight: 4 },
    fc.record({
      kind: fc.constant('end' as const),
      ids: some,
      what: fc.oneof<fc.Arbitrary<number | string>[]>(which, fc.constantFrom('k', 'all')),
      state: fc.constantFrom('cancelled' as const, 'superseded' as const),
    }),
    fc.record({ kind: fc.constant('requeue' as const), id, which }),
    fc.record({ kind: fc.constant('sweep' as const) }),
    fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, MINUTE, 3 * MINUTE, 20 * MINUTE) }),
  );
  return fc.array(action, { maxLength: 60 });
}
