// The suite: push state and who is due.
import type { Store } from '../contracts/store.ts';
import {
  authenticate,
  backoff,
  bytes,
  command,
  drain,
  enqueue,
  enrol,
  HOUR,
  MINUTE,
  next,
  T0,
  tokenUpdate,
} from './fixtures.ts';
import type { Suite } from './runner.ts';

const claim = async (store: Store, at: number, options: { lease?: string; limit?: number } = {}) =>
  (await store.push.claim({ lease: options.lease ?? 'me', at, leaseMs: MINUTE, limit: options.limit ?? 100 })).map(
    (target) => target.enrolmentId,
  );

/** Registers the tests. */
export function pushTests({ test, expect }: Suite): void {
  test('nothing is due without work', async (store) => {
    await enrol(store, 'A');
    expect(await claim(store, T0 + HOUR)).toEqual([]);
    expect(await store.push.nextDueAt()).toBe(null);
    expect(await store.push.get('A')).toEqual({
      topic: 'topic',
      pushable: true,
      dueAt: null,
      attempts: 0,
      lastPushedAt: null,
    });
    expect(await store.push.get('nobody')).toBe(null);
  });

  test('an enqueue makes a push due, with all that it needs', async (store) => {
    await enrol(store, 'A', 'B');
    await enqueue(store, ['A'], [command('c1')]);
    expect(await store.push.nextDueAt()).toBe(T0);
    expect(await store.push.claim({ lease: 'me', at: T0, leaseMs: MINUTE, limit: 10 })).toEqual([
      { enrolmentId: 'A', token: bytes('token-A'), pushMagic: bytes('magic-A'), topic: 'topic', attempts: 0 },
    ]);
  });

  test('a quiet command makes none due', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { push: false })]);
    expect(await store.push.nextDueAt()).toBe(null);
  });

  test('a push is due when the command is, and the earliest counts', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { notBefore: T0 + HOUR })]);
    expect(await claim(store, T0 + HOUR - 1)).toEqual([]);
    await enqueue(store, ['A'], [command('c2', { notBefore: T0 + 2 * HOUR })]);
    expect(await store.push.nextDueAt()).toBe(T0 + HOUR);
    await enqueue(store, ['A'], [command('c3')]);
    expect(await store.push.nextDueAt()).toBe(T0);
  });

  test('earliest first, as many as asked for, each to one caller', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    await enqueue(store, ['B'], [command('c1')], T0 + 1);
    await enqueue(store, ['A'], [command('c2')], T0 + 2);
    await enqueue(store, ['C'], [command('c3')], T0 + 3);
    const at = T0 + HOUR;
    const parts = await Promise.all([
      claim(store, at, { lease: 'one', limit: 1 }),
      claim(store, at, { lease: 'two', limit: 1 }),
      claim(store, at, { lease: 'three', limit: 5 }),
    ]);
    expect(parts.flat().sort()).toEqual(['A', 'B', 'C']);
    expect(await claim(store, at + MINUTE - 1)).toEqual([]);
    expect((await claim(store, at + MINUTE)).sort()).toEqual(['A', 'B', 'C']);
  });

  test('after a push the device is due at the time given, counted, and left alone by further enqueues', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    await claim(store, T0);
    await enqueue(store, ['A'], [command('c2')]);
    expect(await claim(store, T0 + 1)).toEqual([]);
    const settlement = { enrolmentId: 'A', lease: 'me', outcome: 'sent', dueAt: T0 + HOUR } as const;
    await store.push.settle({ at: T0 + 1, settlements: [settlement] });
    expect(await store.push.get('A')).toMatchObject({ dueAt: T0 + HOUR, attempts: 1, lastPushedAt: T0 + 1 });
    await enqueue(store, ['A'], [command('c3')], T0 + 2);
    expect(await claim(store, T0 + HOUR - 1)).toEqual([]);
    expect((await store.push.claim({ lease: 'me', at: T0 + HOUR, leaseMs: MINUTE, limit: 1 }))[0]?.attempts).toBe(1);
  });

  test('a device that empties its queue is no longer due, and starts anew', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    await claim(store, T0);
    await store.push.settle({
      at: T0,
      settlements: [{ enrolmentId: 'A', lease: 'me', outcome: 'sent', dueAt: T0 + HOUR }],
    });
    await drain(store, 'A', T0 + 1);
    expect(await store.push.get('A')).toMatchObject({ dueAt: null, attempts: 0 });
    await enqueue(store, ['A'], [command('c2')], T0 + 2);
    expect(await claim(store, T0 + 2)).toEqual(['A']);
  });

  test('a poll during a push makes its settlement void', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    await claim(store, T0);
    await drain(store, 'A', T0 + 1);
    await store.push.settle({
      at: T0 + 2,
      settlements: [{ enrolmentId: 'A', lease: 'me', outcome: 'sent', dueAt: T0 + HOUR }],
    });
    expect(await store.push.get('A')).toMatchObject({ dueAt: null, attempts: 0 });
  });

  test('a failed push is due again, too', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    await claim(store, T0);
    await store.push.settle({
      at: T0,
      settlements: [{ enrolmentId: 'A', lease: 'me', outcome: 'failed', dueAt: T0 + MINUTE }],
    });
    expect(await store.push.get('A')).toMatchObject({ dueAt: T0 + MINUTE, attempts: 1, lastPushedAt: null });
  });

  test('a postponed push is due again at the time given, and does not count', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    await enqueue(store, ['A', 'B', 'C'], [command('c1')]);
    await claim(store, T0);
    const settlement = { lease: 'me', outcome: 'postponed', dueAt: T0 + MINUTE } as const;
    await store.push.settle({
      at: T0,
      settlements: [
        { enrolmentId: 'A', ...settlement },
        { enrolmentId: 'B', ...settlement, outcome: 'sent', dueAt: T0 + HOUR },
        { enrolmentId: 'C', ...settlement, lease: 'not mine' },
      ],
    });
    expect(await store.push.get('A')).toMatchObject({ dueAt: T0 + MINUTE, attempts: 0, lastPushedAt: null });
    expect(await store.push.get('B')).toMatchObject({ dueAt: T0 + HOUR, attempts: 1, lastPushedAt: T0 });
    expect(await store.push.get('C')).toMatchObject({ attempts: 0, lastPushedAt: null });
    expect((await claim(store, T0 + MINUTE)).sort()).toEqual(['A', 'C']);
    await store.push.settle({ at: T0, settlements: [{ enrolmentId: 'A', ...settlement, dueAt: T0 + HOUR }] });
    expect(await store.push.get('A')).toMatchObject({ dueAt: T0 + HOUR, attempts: 0 });
    await store.push.settle({ at: T0, settlements: [] });
  });

  test('a dead token is not pushed until the next TokenUpdate', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    await claim(store, T0);
    await store.push.settle({
      at: T0,
      settlements: [{ enrolmentId: 'A', lease: 'me', outcome: 'token-dead', dueAt: T0 }],
    });
    expect(await store.enrolments.get('A')).toMatchObject({ pushable: false });
    await enqueue(store, ['A'], [command('c2')], T0 + 1);
    expect(await claim(store, T0 + HOUR)).toEqual([]);
    expect(await store.push.nextDueAt()).toBe(null);
    expect(await store.push.request({ enrolmentIds: ['A'], at: T0 + 1 })).toBe(0);
    await tokenUpdate(store, 'A', { at: T0 + HOUR });
    expect(await store.enrolments.get('A')).toMatchObject({ pushable: true });
    expect(await claim(store, T0 + HOUR)).toEqual(['A']);
  });

  test('a TokenUpdate during a push makes a dead token void', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    await claim(store, T0);
    await tokenUpdate(store, 'A', { at: T0 + 1 });
    await store.push.settle({
      at: T0,
      settlements: [{ enrolmentId: 'A', lease: 'me', outcome: 'token-dead', dueAt: T0 }],
    });
    expect(await store.enrolments.get('A')).toMatchObject({ pushable: true });
  });

  test('commands that wait for the first TokenUpdate make a push due with it', async (store) => {
    await authenticate(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    expect(await claim(store, T0)).toEqual([]);
    await tokenUpdate(store, 'A', { at: T0 + 5 });
    expect(await claim(store, T0 + 5)).toEqual(['A']);
  });

  test('NotNow is pushed again with a growing backoff', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    for (const wait of [1, 2, 4, 8, 8]) {
      await next(store, 'A', { at: T0 });
      await next(store, 'A', { at: T0, answer: ['c1', 'not-now'] });
      expect(await store.push.get('A')).toMatchObject({ dueAt: T0 + wait * MINUTE, attempts: 0 });
    }
  });

  test('what is left without a result is pushed again', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1'), command('c2', { notBefore: T0 + HOUR })]);
    await next(store, 'A');
    expect(await next(store, 'A', { answer: ['c9', 'acknowledged'] })).toBe(null);
    expect(await store.push.get('A')).toMatchObject({ dueAt: T0 + backoff.baseMs });
    await next(store, 'A', { answer: ['c1', 'acknowledged'] });
    expect(await store.push.get('A')).toMatchObject({ dueAt: T0 + HOUR });
  });

  test('a request is due at once, whatever was planned', async (store) => {
    await enrol(store, 'A', 'B');
    await enqueue(store, ['A'], [command('c1')]);
    await claim(store, T0);
    await store.push.settle({
      at: T0,
      settlements: [{ enrolmentId: 'A', lease: 'me', outcome: 'sent', dueAt: T0 + HOUR }],
    });
    expect(await store.push.request({ enrolmentIds: ['A', 'B', 'nobody'], at: T0 + 1 })).toBe(2);
    expect((await claim(store, T0 + 1)).sort()).toEqual(['A', 'B']);
  });
}
