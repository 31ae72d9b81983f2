// The suite: the order, the dedupe keys, the life and the chains of queued commands.
import {
  codeOf,
  command,
  drain,
  enqueue,
  enrol,
  eventTypes,
  HOUR,
  MINUTE,
  next,
  poll,
  states,
  T0,
} from './fixtures.ts';
import type { Suite } from './runner.ts';

/** Registers the tests. */
export function queueTests({ test, expect }: Suite): void {
  test('gives commands by priority, then in the order of enqueueing', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('low', { priority: -5 })]);
    await enqueue(store, ['A'], [command('first'), command('second')], T0 + 1);
    await enqueue(store, ['A'], [command('third')], T0 + 1);
    await enqueue(store, ['A'], [command('high', { priority: 5 })], T0 + 2);
    expect(await drain(store, 'A', T0 + 3)).toEqual(['high', 'first', 'second', 'third', 'low']);
  });

  test('gives the body as it was queued, with how often it was offered', async (store) => {
    await enrol(store, 'A');
    const sealed = { bytes: Uint8Array.of(0, 1, 2, 255), sealed: true };
    await enqueue(store, ['A'], [command('c1', { body: sealed, requestType: 'EraseDevice' })]);
    const expected = { commandUuid: 'c1', requestType: 'EraseDevice', body: sealed, attempts: 1 };
    expect(await poll(store, 'A')).toMatchObject({ outcome: 'ok', result: null, command: expected });
    expect(await poll(store, 'A')).toMatchObject({ command: { ...expected, attempts: 2 } });
    expect(await store.queue.body('c1')).toEqual(sealed);
    expect(await store.queue.body('c2')).toBe(null);
  });

  test('leaves out enrolments that are unknown or gone, and keeps nothing of a command for nobody', async (store) => {
    await enrol(store, 'A');
    expect(await enqueue(store, ['A', 'A', 'nobody'], [command('c1')])).toEqual([1]);
    expect(await enqueue(store, ['nobody'], [command('c2')])).toEqual([0]);
    expect(await store.queue.body('c2')).toBe(null);
    expect(await enqueue(store, ['A'], [command('c2')])).toEqual([1]);
  });

  test('appends the events of an enqueue only when something was queued', async (store) => {
    await enrol(store, 'A');
    const before = (await eventTypes(store)).length;
    const queued = { type: 'command.queued', at: T0, enrolmentId: null, data: {} } as const;
    await store.queue.enqueue({ commands: [command('c1')], enrolmentIds: ['nobody'], at: T0, events: [queued] });
    expect((await eventTypes(store)).length).toBe(before);
    await store.queue.enqueue({ commands: [command('c1')], enrolmentIds: ['A'], at: T0, events: [queued] });
    expect((await eventTypes(store)).slice(before)).toEqual(['command.queued']);
  });

  test('refuses a UUID that exists, and queues nothing of that call', async (store) => {
    await enrol(store, 'A', 'B');
    await enqueue(store, ['A'], [command('c1')]);
    expect(await codeOf(enqueue(store, ['B'], [command('c2'), command('c1')]))).toBe('core.command.duplicate_uuid');
    expect(await states(store, 'B')).toEqual({});
    expect(await store.queue.body('c2')).toBe(null);
  });

  test('fans out to those of 100,000 ids that are enrolled, in one call, with one body', async (store) => {
    // More ids than any database takes as parameters; few of them enrolled, as enrolling is not what is tested.
    const ids = Array.from({ length: 100_000 }, (_, i) => `D${String(i).padStart(5, '0')}`);
    const enrolled = ids.filter((_, i) => i % 250 === 0 || i === ids.length - 1);
    await Promise.all(enrolled.map((id) => enrol(store, id)));
    expect(await enqueue(store, ids, [command('c1')])).toEqual([enrolled.length]);
    expect(await next(store, 'D00000')).toBe('c1');
    expect(await next(store, 'D99999')).toBe('c1');
    expect((await store.queue.stats()).pending).toBe(enrolled.length);
    const page = await store.queue.withWork({ limit: 2, after: 'D00250' });
    expect(page.items).toEqual(['D00500', 'D00750']);
  });

  test('a dedupe key replaces: the old one ends as superseded, also when it was sent', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('old', { dedupeKey: 'k' }), command('other', { dedupeKey: 'k2' })]);
    expect(await next(store, 'A')).toBe('old');
    await enqueue(store, ['A'], [command('new', { dedupeKey: 'k' })]);
    expect(await states(store, 'A')).toEqual({ old: 'superseded', other: 'queued', new: 'queued' });
    expect(await next(store, 'A', { answer: ['old', 'acknowledged'] })).toBe('other');
    expect(await states(store, 'A')).toEqual({ old: 'superseded', other: 'sent', new: 'queued' });
  });

  test('a dedupe key keeps: the new one is not queued for that enrolment', async (store) => {
    await enrol(store, 'A', 'B');
    await enqueue(store, ['A'], [command('old', { dedupeKey: 'k' })]);
    expect(await enqueue(store, ['A', 'B'], [command('new', { dedupeKey: 'k', onDuplicate: 'keep' })])).toEqual([1]);
    expect(await states(store, 'A')).toEqual({ old: 'queued' });
    expect(await states(store, 'B')).toEqual({ new: 'queued' });
  });

  test('a finished command does not hold its dedupe key', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('old', { dedupeKey: 'k', onDuplicate: 'keep' })]);
    await drain(store, 'A');
    expect(await enqueue(store, ['A'], [command('new', { dedupeKey: 'k', onDuplicate: 'keep' })])).toEqual([1]);
    expect(await states(store, 'A')).toEqual({ old: 'acknowledged', new: 'queued' });
  });

  test('an expired command does not keep its dedupe key', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('old', { dedupeKey: 'k', expiresAt: T0 + MINUTE })]);
    const at = T0 + HOUR;
    expect(await enqueue(store, ['A'], [command('new', { dedupeKey: 'k', onDuplicate: 'keep' })], at)).toEqual([1]);
    expect(await states(store, 'A')).toEqual({ old: 'expired', new: 'queued' });
  });

  test('concurrent enqueues with one key leave one pending', async (store) => {
    await enrol(store, 'A');
    const names = Array.from({ length: 20 }, (_, i) => `c${i}`);
    await Promise.all(names.map((name) => enqueue(store, ['A'], [command(name, { dedupeKey: 'k' })])));
    const all = Object.values(await states(store, 'A'));
    expect(all.filter((state) => state === 'queued').length).toBe(1);
    expect(all.filter((state) => state === 'superseded').length).toBe(19);
  });

  test('a command is not offered before its time', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('later', { notBefore: T0 + HOUR, priority: 9 }), command('now')]);
    expect(await drain(store, 'A')).toEqual(['now']);
    expect(await next(store, 'A', { at: T0 + HOUR - 1 })).toBe(null);
    expect(await next(store, 'A', { at: T0 + HOUR })).toBe('later');
  });

  test('an expired command is not offered, and the sweep ends it with an event', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { expiresAt: T0 + HOUR, followUp: true }), command('c2')]);
    expect(await store.queue.sweep({ at: T0 + HOUR - 1, limit: 10 })).toEqual([]);
    expect(await next(store, 'A', { at: T0 + HOUR })).toBe('c2');
    expect(await store.queue.sweep({ at: T0 + HOUR, limit: 10 })).toEqual([
      { enrolmentId: 'A', commandUuid: 'c1', requestType: 'DeviceInformation', state: 'expired', followUp: true },
    ]);
    expect(await states(store, 'A')).toEqual({ c1: 'expired', c2: 'sent' });
    const [last] = (await store.events.list({ order: 'newest' }, { limit: 1 })).items;
    expect(last).toMatchObject({
      type: 'command.expired',
      enrolmentId: 'A',
      data: { commandUuid: 'c1', state: 'expired' },
    });
    expect(await store.queue.sweep({ at: T0 + HOUR, limit: 10 })).toEqual([]);
  });

  test('of a chain that expires at once, the first link expires and the policy says what becomes of the rest', async (store) => {
    await enrol(store, 'A', 'B');
    const link = (index: number, onError: 'fail' | 'drop-chain') =>
      command(`${onError} ${index}`, { chain: { id: onError, index }, onError, expiresAt: T0 + HOUR });
    await enqueue(store, ['A'], [link(0, 'drop-chain'), link(1, 'drop-chain'), link(2, 'drop-chain')]);
    await enqueue(store, ['B'], [link(0, 'fail'), link(1, 'fail')]);
    await store.queue.sweep({ at: T0 + HOUR, limit: 10 });
    expect(await states(store, 'A')).toEqual({
      'drop-chain 0': 'expired',
      'drop-chain 1': 'cancelled',
      'drop-chain 2': 'cancelled',
    });
    expect(await states(store, 'B')).toEqual({ 'fail 0': 'expired', 'fail 1': 'expired' });
  });

  test('a command that may be offered no more than 0 times ends with the first sweep after a contact', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { maxAttempts: 0 })]);
    expect(await next(store, 'A')).toBe(null);
    expect((await store.queue.sweep({ at: T0, limit: 10 })).map((ended) => ended.state)).toEqual(['exhausted']);
  });

  test('a command whose attempts are used up is not offered again, and the sweep ends it', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { maxAttempts: 2 }), command('c2')]);
    expect(await next(store, 'A')).toBe('c1');
    expect(await next(store, 'A')).toBe('c1');
    expect(await store.queue.sweep({ at: T0, limit: 10 })).toEqual([]);
    expect(await next(store, 'A')).toBe('c2');
    expect((await store.queue.sweep({ at: T0, limit: 10 })).map((ended) => ended.state)).toEqual(['exhausted']);
    expect(await states(store, 'A')).toEqual({ c1: 'exhausted', c2: 'sent' });
  });

  test('the result of the last attempt still counts', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { maxAttempts: 1 })]);
    expect(await next(store, 'A')).toBe('c1');
    expect(await next(store, 'A', { answer: ['c1', 'acknowledged'] })).toBe(null);
    expect(await states(store, 'A')).toEqual({ c1: 'acknowledged' });
  });

  test('a chain goes on only after success', async (store) => {
    await enrol(store, 'A');
    const link = (index: number) => command(`c${index}`, { chain: { id: 'x', index }, onError: 'drop-chain' });
    await enqueue(store, ['A'], [link(0), link(1), link(2), command('free', { priority: -1 })]);
    expect(await next(store, 'A')).toBe('c0');
    expect(await next(store, 'A', { answer: ['c0', 'acknowledged'] })).toBe('c1');
    expect(await next(store, 'A', { answer: ['c1', 'not-now'] })).toBe('free');
    expect(await next(store, 'A', { answer: ['free', 'acknowledged'] })).toBe(null);
    expect(await drain(store, 'A')).toEqual(['c1', 'c2']);
  });

  test('drop-chain cancels the rest, with events', async (store) => {
    await enrol(store, 'A');
    const link = (index: number) => command(`c${index}`, { chain: { id: 'x', index }, onError: 'drop-chain' });
    await enqueue(store, ['A'], [link(0), link(1), link(2)]);
    await next(store, 'A');
    expect(await next(store, 'A', { answer: ['c0', 'error'] })).toBe(null);
    expect(await states(store, 'A')).toEqual({ c0: 'error', c1: 'cancelled', c2: 'cancelled' });
    expect((await eventTypes(store)).filter((type) => type === 'command.cancelled').length).toBe(2);
  });

  test('a chain under fail is held until the failed link is requeued and succeeds', async (store) => {
    await enrol(store, 'A');
    const link = (index: number) => command(`c${index}`, { chain: { id: 'x', index } });
    await enqueue(store, ['A'], [link(0), link(1)]);
    await next(store, 'A');
    expect(await next(store, 'A', { answer: ['c0', 'error'] })).toBe(null);
    expect(await next(store, 'A')).toBe(null);
    expect(await store.queue.requeue({ enrolmentId: 'A', commandUuid: 'c0', at: T0 })).toBe(true);
    expect(await drain(store, 'A')).toEqual(['c0', 'c1']);
  });

  test('refuses a command with both a chain and a dedupe key', async (store) => {
    await enrol(store, 'A');
    const both = command('c1', { chain: { id: 'x', index: 0 }, dedupeKey: 'k' });
    expect(await codeOf(enqueue(store, ['A'], [both]))).toBe('core.command.chain_dedupe');
  });
}
