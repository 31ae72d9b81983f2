// The suite: enrolments.
import {
  authenticate,
  bytes,
  command,
  drain,
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

/** Registers the tests. */
export function enrolmentTests({ test, expect }: Suite): void {
  test('Authenticate makes a pending enrolment with its details and pin', async (store) => {
    expect(await authenticate(store, 'A')).toMatchObject({ outcome: 'accepted', fresh: true });
    expect(await store.enrolments.get('A')).toMatchObject({
      id: 'A',
      channel: 'device',
      status: 'pending',
      serialNumber: 'serial-A',
      osVersion: '18.3',
      certificateFingerprint: pinOf('A'),
      pushable: false,
      enrolledAt: null,
      lastSeenAt: T0,
    });
    expect(await eventTypes(store)).toEqual(['enrolment.authenticated']);
  });

  test('a repeated Authenticate is not fresh and keeps pending commands', async (store) => {
    await authenticate(store, 'A');
    await enqueue(store, ['A'], [command('c1')]);
    expect(await authenticate(store, 'A')).toMatchObject({ outcome: 'accepted', fresh: false });
    expect(await states(store, 'A')).toEqual({ c1: 'queued' });
  });

  test('enrolling anew takes away what the device no longer has', async (store) => {
    await enrol(store, 'A');
    await tokenUpdate(store, 'A', { user: 'ann' });
    await store.secrets.put({ scope: 'A', name: 'unlock-token', blob: bytes('sealed'), at: T0 });
    await store.inventory.apply({
      enrolmentId: 'A',
      at: T0,
      facts: { 'common.model': 'x' },
      profiles: [{ identifier: 'p', uuid: 'u', displayName: '', organisation: null, managed: true }],
      complete: true,
      event: null,
    });
    await enqueue(store, ['A', 'A:ann'], [command('c1')]);
    expect(await authenticate(store, 'A', { pin: 'new', at: T0 + HOUR })).toMatchObject({
      outcome: 'accepted',
      fresh: true,
    });
    expect(await states(store, 'A')).toEqual({ c1: 'cancelled' });
    expect(await states(store, 'A:ann')).toEqual({ c1: 'cancelled' });
    expect(await store.secrets.get('A', 'unlock-token')).toBe(null);
    expect(await store.push.get('A')).toBe(null);
    expect(await store.inventory.get('A')).toMatchObject({
      facts: { 'common.model': 'x' },
      profiles: [],
      inventoryAt: null,
    });
    expect(await store.enrolments.get('A')).toMatchObject({
      status: 'pending',
      certificateFingerprint: 'new',
      pushable: false,
      enrolledAt: null,
    });
    expect(await store.enrolments.get('A:ann')).toMatchObject({ status: 'checked-out' });
    expect(await poll(store, 'A')).toEqual({ outcome: 'identity-mismatch' });
  });

  test('a certificate that is pinned to another enrolment is refused and changes nothing', async (store) => {
    await enrol(store, 'A', 'B');
    const before = await store.enrolments.get('A');
    const events = await eventTypes(store);
    expect(await authenticate(store, 'A', { pin: pinOf('B') })).toEqual({
      outcome: 'identity-mismatch',
      reason: 'pinned-elsewhere',
    });
    expect(await authenticate(store, 'C', { pin: pinOf('B') })).toMatchObject({ outcome: 'identity-mismatch' });
    expect(await store.enrolments.get('A')).toEqual(before);
    expect(await store.enrolments.get('C')).toBe(null);
    expect(await eventTypes(store)).toEqual(events);
  });

  test('the first TokenUpdate activates; later ones only update', async (store) => {
    await authenticate(store, 'A');
    expect(await tokenUpdate(store, 'A', { at: T0 + 5 })).toMatchObject({
      outcome: 'updated',
      first: true,
      enrolment: { status: 'active', pushable: true, enrolledAt: T0 + 5, topic: 'topic' },
    });
    expect(await tokenUpdate(store, 'A', { at: T0 + 9 })).toMatchObject({
      outcome: 'updated',
      first: false,
      enrolment: { enrolledAt: T0 + 5, lastSeenAt: T0 + 9 },
    });
    expect(await eventTypes(store)).toEqual(['enrolment.authenticated', 'enrolment.active', 'enrolment.token-updated']);
  });

  test('TokenUpdate is refused without Authenticate, and with another certificate', async (store) => {
    expect(await tokenUpdate(store, 'A')).toEqual({ outcome: 'unknown' });
    await authenticate(store, 'A');
    expect(await tokenUpdate(store, 'A', { pin: 'other' })).toEqual({ outcome: 'identity-mismatch' });
    expect(await store.enrolments.get('A')).toMatchObject({ status: 'pending', pushable: false });
  });

  test('a user channel needs an active device, and answers to the device’s pin', async (store) => {
    await authenticate(store, 'A');
    expect(await tokenUpdate(store, 'A', { user: 'ann' })).toEqual({ outcome: 'unknown' });
    await tokenUpdate(store, 'A');
    expect(await tokenUpdate(store, 'A', { user: 'ann', pin: 'other' })).toEqual({ outcome: 'identity-mismatch' });
    expect(await store.enrolments.get('A:ann')).toBe(null);
    expect(await tokenUpdate(store, 'A', { user: 'ann' })).toMatchObject({ outcome: 'updated', first: true });
    expect(await store.enrolments.get('A:ann')).toMatchObject({
      channel: 'user',
      parent: 'A',
      status: 'active',
      certificateFingerprint: pinOf('A'),
    });
    expect(await poll(store, 'A:ann', { pin: 'other' })).toEqual({ outcome: 'identity-mismatch' });
  });

  test('the two channels have queues of their own', async (store) => {
    await enrol(store, 'A');
    await tokenUpdate(store, 'A', { user: 'ann' });
    await enqueue(store, ['A'], [command('device')]);
    await enqueue(store, ['A:ann'], [command('user')]);
    expect(await drain(store, 'A:ann')).toEqual(['user']);
    expect(await drain(store, 'A')).toEqual(['device']);
  });

  test('CheckOut ends the device and its user channels, once', async (store) => {
    await enrol(store, 'A');
    await tokenUpdate(store, 'A', { user: 'ann' });
    await enqueue(store, ['A', 'A:ann'], [command('c1')]);
    const input = {
      id: 'A',
      certificateFingerprint: pinOf('A'),
      at: T0 + HOUR,
      events: [event('enrolment.checked-out', 'A')],
    };
    expect(await store.enrolments.checkOut({ ...input, certificateFingerprint: 'other' })).toEqual({
      outcome: 'identity-mismatch',
    });
    expect(await store.enrolments.checkOut(input)).toMatchObject({ outcome: 'ok' });
    expect(await store.enrolments.checkOut({ ...input, at: T0 + 2 * HOUR })).toMatchObject({ outcome: 'ok' });
    expect(await store.enrolments.get('A')).toMatchObject({
      status: 'checked-out',
      checkedOutAt: T0 + HOUR,
      pushable: false,
    });
    expect(await store.enrolments.get('A:ann')).toMatchObject({ status: 'checked-out' });
    expect(await states(store, 'A')).toEqual({ c1: 'cancelled' });
    expect(await states(store, 'A:ann')).toEqual({ c1: 'cancelled' });
    expect((await eventTypes(store)).filter((type) => type === 'enrolment.checked-out').length).toBe(1);
    expect(await poll(store, 'A')).toEqual({ outcome: 'unknown' });
    expect(await poll(store, 'A:ann')).toEqual({ outcome: 'unknown' });
    expect(await store.enrolments.checkOut({ ...input, id: 'nobody' })).toEqual({ outcome: 'unknown' });
  });

  test('verify checks the pin, touches, and puts secrets only when it fits', async (store) => {
    await enrol(store, 'A');
    const secrets = [{ name: 'bootstrap-token', blob: bytes('sealed') }];
    const wrong = { id: 'A', certificateFingerprint: 'other', at: T0 + HOUR, secrets };
    expect(await store.enrolments.verify(wrong)).toEqual({ outcome: 'identity-mismatch' });
    expect(await store.secrets.get('A', 'bootstrap-token')).toBe(null);
    expect(await store.enrolments.verify({ ...wrong, id: 'nobody' })).toEqual({ outcome: 'unknown' });
    expect(await store.enrolments.verify({ ...wrong, certificateFingerprint: pinOf('A') })).toMatchObject({
      outcome: 'ok',
      enrolment: { lastSeenAt: T0 + HOUR },
    });
    expect(await store.secrets.get('A', 'bootstrap-token')).toEqual(bytes('sealed'));
  });

  test('lists by id, page by page, filtered', async (store) => {
    await enrol(store, 'C', 'A', 'B');
    await authenticate(store, 'D');
    await tokenUpdate(store, 'A', { user: 'ann' });
    const first = await store.enrolments.list({}, { limit: 2 });
    expect(first.items.map((item) => item.id)).toEqual(['A', 'A:ann']);
    const second = await store.enrolments.list({}, { limit: 3, after: first.next ?? '' });
    expect(second.items.map((item) => item.id)).toEqual(['B', 'C', 'D']);
    expect(second.next).toBe(null);
    const active = { channel: 'device', statuses: ['active'] } as const;
    expect((await store.enrolments.list(active, { limit: 10 })).items.map((item) => item.id)).toEqual(['A', 'B', 'C']);
    expect(await store.enrolments.count(active)).toBe(3);
    expect(await store.enrolments.count({})).toBe(5);
    expect((await store.enrolments.getMany(['B', 'nobody', 'B'])).map((item) => item.id)).toEqual(['B']);
  });

  test('finds active devices without inventory, unless it is on its way', async (store) => {
    await enrol(store, 'A', 'B', 'C');
    await authenticate(store, 'D');
    await enqueue(store, ['B'], [command('c1', { dedupeKey: 'inventory' })]);
    await store.inventory.apply({ enrolmentId: 'C', at: T0, facts: {}, complete: true, event: null });
    expect(await store.enrolments.withoutInventory({ dedupeKey: 'inventory', limit: 10 })).toEqual(['A']);
    await drain(store, 'B');
    expect(await store.enrolments.withoutInventory({ dedupeKey: 'inventory', limit: 10 })).toEqual(['A', 'B']);
    expect(await store.enrolments.withoutInventory({ dedupeKey: 'inventory', limit: 1 })).toEqual(['A']);
    // One whose answer is being applied this very moment is not asked again.
    await enqueue(store, ['B'], [command('c2', { dedupeKey: 'inventory', followUp: true })]);
    await poll(store, 'B');
    await poll(store, 'B', { answer: ['c2', 'acknowledged'] });
    expect(await store.enrolments.withoutInventory({ dedupeKey: 'inventory', limit: 10 })).toEqual(['A']);
    await store.queue.followUpDone('B', 'c2');
    expect(await store.enrolments.withoutInventory({ dedupeKey: 'inventory', limit: 10 })).toEqual(['A', 'B']);
  });
}
