// The suite: sessions, results, and what happens to commands afterwards.
import {
  authenticate,
  bytes,
  command,
  drain,
  enqueue,
  enrol,
  eventTypes,
  HOUR,
  MINUTE,
  next,
  pinOf,
  poll,
  states,
  T0,
} from './fixtures.ts';
import type { Suite } from './runner.ts';

/** Registers the tests. */
export function resultTests({ test, expect }: Suite): void {
  test('refuses to serve without the pin, and changes nothing', async (store) => {
    await enrol(store, 'A', 'B');
    await enqueue(store, ['A'], [command('c1')]);
    const before = await store.enrolments.get('A');
    expect(await poll(store, 'A', { pin: pinOf('B'), at: T0 + HOUR })).toEqual({ outcome: 'identity-mismatch' });
    expect(await poll(store, 'A', { pin: 'x', answer: ['c1', 'acknowledged'] })).toEqual({
      outcome: 'identity-mismatch',
    });
    expect(await poll(store, 'nobody')).toEqual({ outcome: 'unknown' });
    expect(await store.enrolments.get('A')).toEqual(before);
    expect(await states(store, 'A')).toEqual({ c1: 'queued' });
  });

  test('serves a pending enrolment, and touches it, never backwards', async (store) => {
    await authenticate(store, 'A');
    expect(await poll(store, 'A', { at: T0 + HOUR })).toMatchObject({ outcome: 'ok', command: null });
    expect(await poll(store, 'A', { at: T0 + MINUTE })).toMatchObject({ outcome: 'ok' });
    expect(await store.enrolments.get('A')).toMatchObject({ lastSeenAt: T0 + HOUR });
  });

  test('stores a result once, with its answer and its event', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { requestType: 'ProfileList', origin: 'inventory', followUp: true })]);
    await next(store, 'A', { at: T0 + 1 });
    const before = (await eventTypes(store)).length;
    expect(await poll(store, 'A', { at: T0 + 2, answer: ['c1', 'error'] })).toMatchObject({
      result: 'stored',
      resultCommand: { requestType: 'ProfileList', origin: 'inventory', followUp: true },
      command: null,
    });
    expect(await store.queue.get('A', 'c1')).toEqual({
      commandUuid: 'c1',
      enrolmentId: 'A',
      requestType: 'ProfileList',
      state: 'error',
      priority: 0,
      queuedAt: T0,
      sentAt: T0 + 1,
      finishedAt: T0 + 2,
      attempts: 1,
      dedupeKey: null,
      origin: 'inventory',
      errorChain: [{ code: 7, domain: 'Test', description: 'no' }],
      response: { bytes: bytes('error to c1'), sealed: false },
    });
    expect(await poll(store, 'A', { at: T0 + 3, answer: ['c1', 'acknowledged'] })).toMatchObject({
      result: 'repeated',
      command: null,
    });
    expect(await store.queue.get('A', 'c1')).toMatchObject({ state: 'error', finishedAt: T0 + 2 });
    expect((await eventTypes(store)).length).toBe(before + 1);
  });

  test('never offers an acknowledged command again', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1'), command('c2')]);
    expect(await drain(store, 'A')).toEqual(['c1', 'c2']);
    for (let i = 1; i < 5; i++) expect(await next(store, 'A', { at: T0 + i * HOUR })).toBe(null);
  });

  test('an answer to a command that was never sent to this enrolment changes nothing', async (store) => {
    await enrol(store, 'A', 'B');
    await enqueue(store, ['A'], [command('c1')]);
    await enqueue(store, ['B'], [command('c2')]);
    const before = (await eventTypes(store)).length;
    // Queued but not yet sent; of another device; of nobody.
    for (const uuid of ['c1', 'c2', 'c3']) {
      expect(await poll(store, 'A', { answer: [uuid, 'error'] })).toMatchObject({
        result: 'unknown',
        resultCommand: null,
      });
    }
    expect((await store.queue.get('B', 'c2'))?.state).toBe('queued');
    expect(await store.queue.get('A', 'c3')).toBe(null);
    expect((await eventTypes(store)).length).toBe(before);
  });

  test('answers an unknown response with the next command', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    expect(await next(store, 'A', { answer: ['c9', 'acknowledged'] })).toBe('c1');
  });

  test('a command without a result is offered again in the next session, not in this one', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1'), command('c2')]);
    expect(await next(store, 'A')).toBe('c1');
    expect(await next(store, 'A', { answer: ['c9', 'acknowledged'] })).toBe('c2');
    expect(await next(store, 'A', { answer: ['c2', 'acknowledged'] })).toBe(null);
    expect(await next(store, 'A')).toBe('c1');
  });

  test('a repeated result gives again what was sent with the lost answer', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1'), command('c2'), command('c3')]);
    await next(store, 'A');
    expect(await next(store, 'A', { answer: ['c1', 'acknowledged'] })).toBe('c2');
    expect(await next(store, 'A', { answer: ['c1', 'acknowledged'] })).toBe('c2');
    expect(await next(store, 'A', { answer: ['c2', 'acknowledged'] })).toBe('c3');
  });

  test('NotNow: not again in this session, others go on, again with the next Idle', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1'), command('c2'), command('c3')]);
    expect(await next(store, 'A')).toBe('c1');
    expect(await poll(store, 'A', { answer: ['c1', 'not-now'] })).toMatchObject({
      result: 'deferred',
      command: { commandUuid: 'c2' },
    });
    expect(await next(store, 'A', { answer: ['c2', 'not-now'] })).toBe('c3');
    expect(await next(store, 'A', { answer: ['c3', 'acknowledged'] })).toBe(null);
    expect(await states(store, 'A')).toEqual({ c1: 'not-now', c2: 'not-now', c3: 'acknowledged' });
    expect(await next(store, 'A')).toBe('c1');
    expect(await next(store, 'A', { answer: ['c1', 'acknowledged'] })).toBe('c2');
  });

  test('a repeated NotNow changes nothing, and a late result after it counts', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    await next(store, 'A');
    await next(store, 'A', { answer: ['c1', 'not-now'] });
    expect(await poll(store, 'A', { answer: ['c1', 'not-now'] })).toMatchObject({ result: 'repeated', command: null });
    expect(await poll(store, 'A', { answer: ['c1', 'acknowledged'] })).toMatchObject({ result: 'stored' });
    expect(await states(store, 'A')).toEqual({ c1: 'acknowledged' });
  });

  test('NotNow gives the attempt back', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { maxAttempts: 1 })]);
    for (let i = 0; i < 4; i++) {
      expect(await next(store, 'A')).toBe('c1');
      expect(await next(store, 'A', { answer: ['c1', 'not-now'] })).toBe(null);
    }
    expect((await store.queue.get('A', 'c1'))?.attempts).toBe(0);
    expect(await drain(store, 'A')).toEqual(['c1']);
  });

  test('retry offers again after the backoff, until the attempts are used up', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { onError: 'retry', maxAttempts: 3 })]);
    let at = T0;
    for (const wait of [MINUTE, 2 * MINUTE]) {
      expect(await next(store, 'A', { at })).toBe('c1');
      expect(await poll(store, 'A', { at, answer: ['c1', 'error'] })).toMatchObject({
        result: 'retrying',
        command: null,
      });
      expect(await poll(store, 'A', { at, answer: ['c1', 'error'] })).toMatchObject({ result: 'repeated' });
      expect(await next(store, 'A', { at: at + wait - 1 })).toBe(null);
      at += wait;
    }
    expect(await next(store, 'A', { at })).toBe('c1');
    expect(await poll(store, 'A', { at, answer: ['c1', 'error'] })).toMatchObject({ result: 'stored' });
    expect(await store.queue.get('A', 'c1')).toMatchObject({ state: 'error', attempts: 3 });
  });

  test('a format error is not retried', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { onError: 'retry' })]);
    await next(store, 'A');
    expect(await poll(store, 'A', { answer: ['c1', 'format-error'] })).toMatchObject({ result: 'stored' });
    expect(await states(store, 'A')).toEqual({ c1: 'format-error' });
  });

  test('a late result does not overwrite how a command ended', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1'), command('c2', { expiresAt: T0 + HOUR })]);
    await next(store, 'A');
    await store.queue.end({ enrolmentIds: ['A'], commandUuid: 'c1', state: 'cancelled', at: T0 });
    expect(await next(store, 'A', { answer: ['c1', 'acknowledged'] })).toBe('c2');
    await store.queue.sweep({ at: T0 + HOUR, limit: 10 });
    expect(await poll(store, 'A', { answer: ['c2', 'acknowledged'] })).toMatchObject({ result: 'repeated' });
    expect(await states(store, 'A')).toEqual({ c1: 'cancelled', c2: 'expired' });
  });

  test('ends one command, those with a key, or all', async (store) => {
    await enrol(store, 'A', 'B');
    await enqueue(store, ['A', 'B'], [command('c1', { dedupeKey: 'k', followUp: true }), command('c2'), command('c3')]);
    expect(await store.queue.end({ enrolmentIds: ['A'], commandUuid: 'c2', state: 'cancelled', at: T0 })).toEqual([
      { enrolmentId: 'A', commandUuid: 'c2', requestType: 'DeviceInformation', state: 'cancelled', followUp: false },
    ]);
    const byKey = await store.queue.end({ enrolmentIds: ['A', 'B'], dedupeKey: 'k', state: 'superseded', at: T0 });
    expect(byKey.map((ended) => ended.enrolmentId).sort()).toEqual(['A', 'B']);
    expect((await store.queue.end({ enrolmentIds: ['B'], state: 'cancelled', at: T0 })).length).toBe(2);
    expect(await states(store, 'A')).toEqual({ c1: 'superseded', c2: 'cancelled', c3: 'queued' });
    expect(await states(store, 'B')).toEqual({ c1: 'superseded', c2: 'cancelled', c3: 'cancelled' });
    expect((await eventTypes(store)).filter((type) => type === 'command.cancelled').length).toBe(3);
    expect(await store.queue.end({ enrolmentIds: ['A'], commandUuid: 'c2', state: 'cancelled', at: T0 })).toEqual([]);
  });

  test('ends what of a chain is meant as asked, whatever its order, and the rest as cancelled', async (store) => {
    await enrol(store, 'A');
    const link = (index: number, id = 'x') => ({ chain: { id, index }, onError: 'drop-chain' }) as const;
    await enqueue(
      store,
      ['A'],
      [
        command('c0', { ...link(0), notBefore: T0 + HOUR }),
        command('c1', { ...link(1), priority: 5 }),
        command('c2', link(2)),
        command('d0', link(0, 'y')),
        command('d1', link(1, 'y')),
        command('d2', link(2, 'y')),
      ],
    );
    await store.queue.end({ enrolmentIds: ['A'], commandUuid: 'd1', state: 'superseded', at: T0 });
    expect(await states(store, 'A')).toMatchObject({ d0: 'queued', d1: 'superseded', d2: 'cancelled', c0: 'queued' });
    await store.queue.end({ enrolmentIds: ['A'], state: 'superseded', at: T0 });
    const whole = { c0: 'superseded', c1: 'superseded', c2: 'superseded', d0: 'superseded' };
    expect(await states(store, 'A')).toMatchObject(whole);
  });

  test('keeps what the device has, where it is told to', async (store) => {
    await enrol(store, 'A');
    const erase = { requestType: 'EraseDevice' };
    await enqueue(store, ['A'], [command('c1', erase), command('c2', erase), command('c3')]);
    const end = async (more: object) => {
      const which = {
        enrolmentIds: ['A'],
        keepSent: ['RestartDevice', 'EraseDevice'],
        state: 'cancelled',
        at: T0,
      } as const;
      return (await store.queue.end({ ...which, ...more })).map(({ commandUuid }) => commandUuid).sort();
    };
    await next(store, 'A');
    expect(await end({ commandUuid: 'c1' })).toEqual([]);
    expect(await end({ commandUuid: 'c2' })).toEqual(['c2']);
    expect(await states(store, 'A')).toEqual({ c1: 'sent', c2: 'cancelled', c3: 'queued' });
    await poll(store, 'A', { answer: ['c1', 'not-now'] });
    // The device has c3 now, of another type; an erase that could not be done now may go.
    expect(await states(store, 'A')).toMatchObject({ c1: 'not-now', c3: 'sent' });
    expect(await end({})).toEqual(['c1', 'c3']);
    await enqueue(store, ['A'], [command('c4', { ...erase, dedupeKey: 'k' })]);
    await next(store, 'A');
    expect(await end({ dedupeKey: 'k' })).toEqual([]);
    expect(await end({ dedupeKey: 'k', keepSent: [] })).toEqual(['c4']);
  });

  test('requeues a finished command at its old place', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { maxAttempts: 1, expiresAt: T0 + HOUR }), command('c2')]);
    const requeue = (commandUuid: string, at = T0) => store.queue.requeue({ enrolmentId: 'A', commandUuid, at });
    expect(await requeue('c1')).toBe(false);
    expect(await requeue('c9')).toBe(false);
    await next(store, 'A');
    await next(store, 'A', { answer: ['c1', 'error'] });
    expect(await requeue('c1', T0 + 2 * HOUR)).toBe(true);
    expect(await store.queue.get('A', 'c1')).toMatchObject({
      state: 'queued',
      attempts: 0,
      finishedAt: null,
      response: null,
    });
    expect(await drain(store, 'A', T0 + 2 * HOUR)).toEqual(['c1', 'c2']);
  });

  test('does not requeue where the dedupe key is taken', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1', { dedupeKey: 'k' })]);
    await enqueue(store, ['A'], [command('c2', { dedupeKey: 'k' })]);
    expect(await store.queue.requeue({ enrolmentId: 'A', commandUuid: 'c1', at: T0 })).toBe(false);
    expect(await states(store, 'A')).toEqual({ c1: 'superseded', c2: 'queued' });
  });

  test('lists pending and finished, newest first, page by page', async (store) => {
    await enrol(store, 'A');
    for (let i = 0; i < 7; i++) await enqueue(store, ['A'], [command(`c${i}`, { priority: i % 2 })], T0 + i);
    expect(await next(store, 'A', { at: T0 + 9 })).toBe('c1');
    await next(store, 'A', { at: T0 + 9, answer: ['c1', 'acknowledged'] });
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof store.queue.list>> = await store.queue.list(
        'A',
        after === null ? { limit: 3 } : { limit: 3, after },
      );
      seen.push(...page.items.map((entry) => `${entry.commandUuid} ${entry.state}`));
      after = page.next;
    } while (after !== null);
    expect(seen).toEqual([
      'c6 queued',
      'c5 queued',
      'c4 queued',
      'c3 sent',
      'c2 queued',
      'c1 acknowledged',
      'c0 queued',
    ]);
    expect((await store.queue.list('nobody', { limit: 3 })).items).toEqual([]);
    const first = await store.queue.list('A', { limit: 4, pendingOnly: true });
    const rest = await store.queue.list('A', { limit: 4, pendingOnly: true, after: first.next! });
    expect([first, rest].map(({ items }) => items.map(({ commandUuid }) => commandUuid))).toEqual([
      ['c6', 'c5', 'c4', 'c3'],
      ['c2', 'c0'],
    ]);
    expect(rest.next).toBe(null);
  });

  test('follow-ups stay until they are done', async (store) => {
    await enrol(store, 'A');
    await enqueue(
      store,
      ['A'],
      [command('c1', { followUp: true }), command('c2'), command('c3', { followUp: true, dedupeKey: 'k' })],
    );
    await next(store, 'A', { at: T0 + 1 });
    await next(store, 'A', { at: T0 + 2, answer: ['c1', 'acknowledged'] });
    await next(store, 'A', { at: T0 + 3, answer: ['c2', 'acknowledged'] });
    await enqueue(store, ['A'], [command('c4', { followUp: true, dedupeKey: 'k' })], T0 + 4);
    await store.queue.end({ enrolmentIds: ['A'], commandUuid: 'c4', state: 'cancelled', at: T0 + 5 });
    const first = { enrolmentId: 'A', commandUuid: 'c1', at: T0 + 2 };
    expect(await store.queue.followUps({ before: T0 + 2, limit: 10 })).toEqual([first]);
    const second = { enrolmentId: 'A', commandUuid: 'c4', at: T0 + 5 };
    expect(await store.queue.followUps({ before: T0 + HOUR, limit: 10 })).toEqual([first, second]);
    await store.queue.followUpDone('A', 'c1');
    await store.queue.followUpDone('A', 'c1');
    expect(await store.queue.followUps({ before: T0 + HOUR, limit: 10 })).toEqual([second]);
    expect((await store.queue.stats()).followUps).toBe(1);
  });

  test('prunes old history and the bodies that nobody needs', async (store) => {
    await enrol(store, 'A', 'B');
    await enqueue(store, ['A', 'B'], [command('c1')]);
    await enqueue(store, ['A'], [command('c2')]);
    await drain(store, 'A', T0 + MINUTE);
    expect(await store.queue.prune({ before: T0 + MINUTE, limit: 10 })).toBe(0);
    expect(await store.queue.prune({ before: T0 + HOUR, limit: 1 })).toBe(1);
    expect(await store.queue.prune({ before: T0 + HOUR, limit: 10 })).toBe(1);
    expect(await states(store, 'A')).toEqual({});
    expect(await states(store, 'B')).toEqual({ c1: 'queued' });
    expect(await store.queue.body('c2')).toBe(null);
    expect(await drain(store, 'B', T0 + 2 * HOUR)).toEqual(['c1']);
    expect(await store.queue.prune({ before: T0 + 3 * HOUR, limit: 10 })).toBe(1);
    expect(await store.queue.body('c1')).toBe(null);
  });

  test('counts for metrics', async (store) => {
    await enrol(store, 'A');
    expect(await store.queue.stats()).toEqual({ pending: 0, history: 0, followUps: 0, oldestQueuedAt: null });
    await enqueue(store, ['A'], [command('c1')], T0 + 5);
    await enqueue(store, ['A'], [command('c2', { priority: 3 })], T0 + 7);
    expect(await store.queue.stats()).toEqual({ pending: 2, history: 0, followUps: 0, oldestQueuedAt: T0 + 5 });
    await next(store, 'A');
    await next(store, 'A', { answer: ['c2', 'acknowledged'] });
    expect(await store.queue.stats()).toMatchObject({ pending: 1, history: 1 });
    expect(await store.queue.depth()).toEqual({ pending: 1, followUps: 0, oldestQueuedAt: T0 + 5 });
  });

  test('concurrent sessions of many devices lose and double nothing', async (store) => {
    const ids = Array.from({ length: 40 }, (_, i) => `D${i}`);
    await enrol(store, ...ids);
    await enqueue(store, ids, [command('c1'), command('c2'), command('c3')]);
    const seen = await Promise.all(ids.map((id) => drain(store, id)));
    for (const commands of seen) expect(commands).toEqual(['c1', 'c2', 'c3']);
    expect(await store.queue.stats()).toMatchObject({ pending: 0, history: 120 });
  });

  test('one result sent many times at once is stored once', async (store) => {
    await enrol(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    await next(store, 'A');
    const before = (await eventTypes(store)).length;
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => poll(store, 'A', { answer: ['c1', 'acknowledged'] })),
    );
    const results = outcomes.map((outcome) => (outcome.outcome === 'ok' ? outcome.result : null));
    expect(results.filter((result) => result === 'stored').length).toBe(1);
    expect(results.filter((result) => result === 'repeated').length).toBe(9);
    expect((await eventTypes(store)).length).toBe(before + 1);
  });
}
