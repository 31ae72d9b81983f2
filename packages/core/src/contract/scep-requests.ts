// The suite: SCEP requests that wait.
import type { ScepRequestRecord } from '../contracts/scep-requests.ts';
import type { Store } from '../contracts/store.ts';
import { bytes, certificate, event, eventTypes, HOUR, MINUTE, T0 } from './fixtures.ts';
import type { Suite } from './runner.ts';

const request = (id: string, options: Partial<ScepRequestRecord> = {}): ScepRequestRecord => ({
  id,
  transactionId: `transaction-${id}`,
  publicKeyHash: `key-${id}`,
  state: 'pending',
  sealed: bytes(`sealed ${id}`),
  requestedAt: T0,
  decidedAt: null,
  expiresAt: T0 + HOUR,
  ...options,
});

const hold = (store: Store, record: ScepRequestRecord, { most = 100, at = T0 } = {}) =>
  store.scepRequests.hold({ request: record, most, at, event: event('certificate.requested', null, at) });

const decide = (store: Store, id: string, state: 'approved' | 'refused') =>
  store.scepRequests.decide({
    ...{ id, state, sealed: bytes(`${state} ${id}`), at: T0 + MINUTE },
    event: event('certificate.request-decided', null, T0 + MINUTE),
  });

async function listed(store: Store, state?: ScepRequestRecord['state']): Promise<string[]> {
  const { items } = await store.scepRequests.list(state === undefined ? {} : { state }, { limit: 50 });
  return items.map(({ id }) => id);
}

/** Registers the tests. */
export function scepRequestTests({ test, expect }: Suite): void {
  test('a request is found by transaction and key, and by its id, until it expires', async (store) => {
    expect(await hold(store, request('a'))).toBe('held');
    expect(await store.scepRequests.find('transaction-a', 'key-a', T0)).toEqual(request('a'));
    expect(await store.scepRequests.get('a')).toEqual(request('a'));
    expect(await store.scepRequests.find('transaction-a', 'key-b', T0)).toBe(null);
    expect(await store.scepRequests.find('transaction-b', 'key-a', T0)).toBe(null);
    expect(await store.scepRequests.find('transaction-a', 'key-a', T0 + HOUR)).toBe(null);
    expect(await store.scepRequests.get('b')).toBe(null);
    expect(await eventTypes(store)).toEqual(['certificate.requested']);
  });

  test('one that waits already stays; one that expired makes way', async (store) => {
    await hold(store, request('a'));
    const again = request('again', {
      transactionId: 'transaction-a',
      publicKeyHash: 'key-a',
      expiresAt: T0 + 3 * HOUR,
    });
    expect(await hold(store, again)).toBe('held-before');
    expect(await listed(store)).toEqual(['a']);
    expect(await eventTypes(store)).toEqual(['certificate.requested']);
    expect(await hold(store, again, { at: T0 + HOUR })).toBe('held');
    expect(await listed(store)).toEqual(['again']);
    expect(await store.scepRequests.find('transaction-a', 'key-a', T0 + HOUR)).toEqual(again);
    expect(await hold(store, request('other', { transactionId: 'transaction-a' }))).toBe('held');
  });

  test('of the same request many times at once, one is kept', async (store) => {
    const same = { transactionId: 't', publicKeyHash: 'k' };
    const outcomes = await Promise.all(Array.from({ length: 8 }, (_, i) => hold(store, request(`r${i}`, same))));
    expect(outcomes.filter((outcome) => outcome === 'held').length).toBe(1);
    expect((await listed(store)).length).toBe(1);
    expect((await eventTypes(store)).length).toBe(1);
  });

  test('no more undecided requests are kept than are allowed', async (store) => {
    await hold(store, request('a'));
    await hold(store, request('b', { expiresAt: T0 + 2 * HOUR }));
    expect(await hold(store, request('c'), { most: 2 })).toBe('full');
    expect(await store.scepRequests.get('c')).toBe(null);
    // Nobody has to decide on this one.
    expect(await hold(store, request('decided', { state: 'approved', decidedAt: T0 }), { most: 2 })).toBe('held');
    expect(await hold(store, request('late', { expiresAt: T0 + 3 * HOUR }), { most: 2, at: T0 + HOUR })).toBe('held');
    await decide(store, 'b', 'refused');
    expect(await hold(store, request('c', { expiresAt: T0 + 3 * HOUR }), { most: 2, at: T0 + HOUR })).toBe('held');
  });

  test('a decision is made once', async (store) => {
    await hold(store, request('a'));
    await hold(store, request('b'));
    const outcomes = await Promise.all([decide(store, 'a', 'approved'), decide(store, 'a', 'approved')]);
    expect(outcomes.filter(Boolean).length).toBe(1);
    expect(await decide(store, 'a', 'refused')).toBe(false);
    expect(await decide(store, 'nothing', 'refused')).toBe(false);
    const decided = request('a', { state: 'approved', sealed: bytes('approved a'), decidedAt: T0 + MINUTE });
    expect(await store.scepRequests.get('a')).toEqual(decided);
    expect(await store.scepRequests.get('b')).toEqual(request('b'));
    expect((await eventTypes(store)).filter((type) => type === 'certificate.request-decided').length).toBe(1);
  });

  test('requests are listed newest first, by state, in pages', async (store) => {
    for (const id of ['a', 'b', 'c', 'd']) await hold(store, request(id));
    await decide(store, 'b', 'refused');
    expect(await listed(store)).toEqual(['d', 'c', 'b', 'a']);
    expect(await listed(store, 'pending')).toEqual(['d', 'c', 'a']);
    expect(await listed(store, 'refused')).toEqual(['b']);
    const first = await store.scepRequests.list({ state: 'pending' }, { limit: 2 });
    expect(first.items.map(({ id }) => id)).toEqual(['d', 'c']);
    const rest = await store.scepRequests.list({ state: 'pending' }, { limit: 2, after: first.next! });
    expect([rest.items.map(({ id }) => id), rest.next]).toEqual([['a'], null]);
  });

  test('the certificate ends the waiting, all or nothing', async (store) => {
    await hold(store, request('a'));
    await hold(store, request('b', { transactionId: 'transaction-a' }));
    const commit = (challengeHash: string | null) =>
      store.certificates.commitScep({
        ...{ challengeHash, transactionId: 't', publicKeyHash: 'k', certificate: certificate('one'), at: T0 },
        waited: { transactionId: 'transaction-a', publicKeyHash: 'key-a' },
        event: event('certificate.issued'),
      });
    expect((await commit('unknown')).outcome).toBe('challenge-used');
    expect(await listed(store)).toEqual(['b', 'a']);
    expect((await commit(null)).outcome).toBe('issued');
    expect(await listed(store)).toEqual(['b']);
  });

  test('expired requests are pruned', async (store) => {
    for (const id of ['a', 'b']) await hold(store, request(id));
    await hold(store, request('late', { expiresAt: T0 + 2 * HOUR }));
    expect(await store.scepRequests.prune({ before: T0 + HOUR, limit: 10 })).toBe(0);
    expect(await store.scepRequests.prune({ before: T0 + HOUR + 1, limit: 1 })).toBe(1);
    expect(await store.scepRequests.prune({ before: T0 + HOUR + 1, limit: 10 })).toBe(1);
    expect(await listed(store)).toEqual(['late']);
  });

  test('what is sealed of a request is found and resealed', async (store) => {
    await hold(store, request('a'));
    const { items } = await store.secrets.sealed({ limit: 10 });
    const ref = { kind: 'scep-request', key: ['a'] } as const;
    expect(items.map((item) => [item.ref, item.blob])).toEqual([[ref, bytes('sealed a')]]);
    expect(await store.secrets.reseal({ ref, expected: bytes('sealed a'), blob: bytes('new') })).toBe(true);
    expect((await store.scepRequests.get('a'))?.sealed).toEqual(bytes('new'));
  });
}
