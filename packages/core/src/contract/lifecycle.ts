// The suite: phases, and enrolments that the server ends.

import type { Store } from '../contracts/store.ts';
import {
  authenticate,
  codeOf,
  command,
  enqueue,
  enrol,
  event,
  eventTypes,
  HOUR,
  pinOf,
  poll,
  states,
  T0,
  tokenUpdate,
} from './fixtures.ts';
import type { Suite } from './runner.ts';

const at = T0 + HOUR;
const end = (store: Store, id: string, status: 'retired' | 'wiped') =>
  store.enrolments.end({
    id,
    status,
    from: ['pending', 'active', 'checked-out', 'wiped'],
    at,
    cause: status,
    events: [event(`enrolment.${status}`, id, at)],
  });

/** Registers the tests. */
export function lifecycleTests({ test, expect }: Suite): void {
  test('the active user channels of devices are known', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    for (const user of ['ann', 'bob']) await tokenUpdate(store, 'A', { user });
    await tokenUpdate(store, 'B', { user: 'cem' });
    await tokenUpdate(store, 'C', { user: 'dan' });
    await store.enrolments.checkOut({ id: 'A:bob', certificateFingerprint: pinOf('A'), at, events: [] });
    expect([...(await store.enrolments.usersOf(['A', 'B', 'A', 'nobody']))].sort()).toEqual(['A:ann', 'B:cem']);
    expect(await store.enrolments.usersOf([])).toEqual([]);
  });

  test('a phase is set on active devices that are in one of the phases given', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    await authenticate(store, 'D');
    await tokenUpdate(store, 'A', { user: 'ann' });
    const set = (ids: string[], from: (null | 'lost')[], to: null | 'lost' | 'wipe-pending') =>
      store.enrolments.setPhase({ ids, from, to, at, cause: 'test' });
    expect(await set(['B', 'A', 'D', 'A:ann', 'nobody'], [null], 'lost')).toEqual(['A', 'B']);
    expect(await set(['A', 'C'], ['lost'], 'wipe-pending')).toEqual(['A']);
    expect(await set(['A'], ['lost'], null)).toEqual([]);
    expect(await set(['B'], [null, 'lost'], 'lost')).toEqual([]);
    const phases = (await store.enrolments.getMany(['A', 'B', 'C', 'D'])).map(({ id, phase }) => [id, phase]);
    expect(Object.fromEntries(phases)).toEqual({ A: 'wipe-pending', B: 'lost', C: null, D: null });
    const changes = (await store.events.since(0, 100)).filter(({ type }) => type === 'enrolment.phase-changed');
    expect(changes.map(({ enrolmentId, data }) => [enrolmentId, data])).toEqual([
      ['A', { from: 'none', to: 'lost', cause: 'test' }],
      ['B', { from: 'none', to: 'lost', cause: 'test' }],
      ['A', { from: 'lost', to: 'wipe-pending', cause: 'test' }],
    ]);
  });

  test('a device that is ended has no commands, labels or pushes, and keeps its pin', async (store) => {
    await enrol(store, 'A');
    await tokenUpdate(store, 'A', { user: 'ann' });
    const label = {
      id: 'L',
      name: 'Sales',
      kind: 'manual' as const,
      description: '',
      expression: null,
      createdAt: T0,
      updatedAt: T0,
    };
    await store.labels.create(label);
    await store.labels.change({
      changes: [{ labelId: 'L', enrolmentId: 'A', member: true }],
      looks: [],
      at: T0,
      cause: 'test',
    });
    await enqueue(store, ['A', 'A:ann'], [command('c1')]);
    await store.enrolments.setPhase({ ids: ['A'], from: [null], to: 'wipe-pending', at, cause: 'test' });
    expect(await end(store, 'A', 'wiped')).toMatchObject({
      status: 'wiped',
      phase: null,
      pushable: false,
      checkedOutAt: at,
      certificateFingerprint: pinOf('A'),
    });
    expect(await states(store, 'A')).toEqual({ c1: 'cancelled' });
    expect(await states(store, 'A:ann')).toEqual({ c1: 'cancelled' });
    expect(await store.enrolments.get('A:ann')).toMatchObject({ status: 'checked-out' });
    expect(await store.labels.of('A')).toEqual([]);
    expect(await poll(store, 'A')).toEqual({ outcome: 'unknown' });
    expect(await store.push.claim({ lease: 'l', at: at + HOUR, leaseMs: 1, limit: 9 })).toEqual([]);
    const all = await store.events.since(0, 100);
    expect(all.find(({ type }) => type === 'label.left')?.data).toEqual({
      labelId: 'L',
      label: 'Sales',
      cause: 'wiped',
    });
    expect(all.at(-1)?.type).toBe('enrolment.wiped');
  });

  test('an end happens from the states given only, and on device channels only', async (store) => {
    await enrol(store, 'A');
    await tokenUpdate(store, 'A', { user: 'ann' });
    const input = { status: 'retired', from: ['wiped'], at, cause: 'test', events: [] } as const;
    expect(await store.enrolments.end({ id: 'A', ...input })).toBe(null);
    expect(await store.enrolments.end({ id: 'nobody', ...input })).toBe(null);
    expect(await store.enrolments.end({ id: 'A:ann', ...input, from: ['active'] })).toBe(null);
    expect(await end(store, 'A', 'wiped')).toMatchObject({ status: 'wiped' });
    expect(await store.enrolments.end({ id: 'A', ...input })).toMatchObject({ status: 'retired' });
    expect(await end(store, 'A', 'retired')).toBe(null);
  });

  test('a wipe is taken back with its push token', async (store) => {
    await enrol(store, 'A');
    expect(await store.enrolments.revive({ id: 'A', phase: null, at, events: [] })).toBe(null);
    await end(store, 'A', 'wiped');
    const revived = await store.enrolments.revive({
      id: 'A',
      phase: null,
      at: at + 1,
      events: [event('enrolment.wipe-cancelled', 'A', at)],
    });
    expect(revived).toMatchObject({ status: 'active', phase: null, pushable: true, checkedOutAt: null });
    expect(await store.push.claim({ lease: 'l', at: at + 1, leaseMs: 1, limit: 9 })).toMatchObject([
      { enrolmentId: 'A' },
    ]);
    expect(await poll(store, 'A', { at: at + 2 })).toMatchObject({ outcome: 'ok' });
    expect((await eventTypes(store)).at(-1)).toBe('enrolment.wipe-cancelled');
  });

  test('a device that checks out while it is to retire is retired; one that has ended stays so', async (store) => {
    await enrol(store, 'A', 'B');
    await store.enrolments.setPhase({ ids: ['A'], from: [null], to: 'retire-pending', at, cause: 'test' });
    const out = (id: string) =>
      store.enrolments.checkOut({
        id,
        certificateFingerprint: pinOf(id),
        at,
        events: [event('enrolment.checked-out', id)],
      });
    expect(await out('A')).toMatchObject({ outcome: 'ok', enrolment: { status: 'retired', phase: null } });
    const count = (await eventTypes(store)).length;
    expect(await out('A')).toMatchObject({ outcome: 'ok', enrolment: { status: 'retired' } });
    await end(store, 'B', 'wiped');
    expect(await out('B')).toMatchObject({ outcome: 'ok', enrolment: { status: 'wiped' } });
    expect((await eventTypes(store)).length).toBe(count + 1);
    expect(await codeOf(out('B'))).toBe('nothing was thrown');
  });

  test('enrolling anew ends the phase and the wipe', async (store) => {
    await enrol(store, 'A', 'B');
    await store.enrolments.setPhase({ ids: ['A'], from: [null], to: 'wipe-pending', at, cause: 'test' });
    await end(store, 'B', 'wiped');
    for (const id of ['A', 'B']) {
      await authenticate(store, id, { pin: `new-${id}`, at });
      await tokenUpdate(store, id, { pin: `new-${id}`, at });
      expect(await store.enrolments.get(id)).toMatchObject({ status: 'active', phase: null });
    }
  });
}
