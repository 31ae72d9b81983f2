// The suite: devices that are expected.
import type { RegistrationRecord } from '../contracts/registrations.ts';
import type { Store } from '../contracts/store.ts';
import { event, eventTypes, MINUTE, T0 } from './fixtures.ts';
import type { Suite } from './runner.ts';

const registration = (serialNumber: string, options: Partial<RegistrationRecord> = {}): RegistrationRecord => ({
  serialNumber,
  user: `user of ${serialNumber}`,
  invitationId: null,
  createdAt: T0,
  claimedAt: null,
  enrolmentId: null,
  ...options,
});

const put = (store: Store, ...records: readonly RegistrationRecord[]) =>
  store.registrations.put(records, event('registration.imported'));

const claim = (store: Store, serialNumber: string, enrolmentId: string, at = T0 + MINUTE) =>
  store.registrations.claim({ serialNumber, enrolmentId, at, event: event('registration.claimed', enrolmentId, at) });

const listed = async (store: Store, filter: { awaited?: boolean; user?: string } = {}) =>
  (await store.registrations.list(filter, { limit: 50 })).items.map(({ serialNumber }) => serialNumber);

/** Registers the tests. */
export function registrationTests({ test, expect }: Suite): void {
  test('the first enrolment claims a registration, and has it for good', async (store) => {
    await put(store, registration('A', { invitationId: 'i' }), registration('B'));
    const claimed = registration('A', { invitationId: 'i', claimedAt: T0 + MINUTE, enrolmentId: 'one' });
    expect(await claim(store, 'A', 'one')).toEqual(claimed);
    expect(await claim(store, 'A', 'two')).toBe(null);
    expect(await claim(store, 'A', 'one', T0 + 2 * MINUTE)).toEqual(claimed);
    expect(await claim(store, 'C', 'one')).toBe(null);
    expect(await store.registrations.get('A')).toEqual(claimed);
    expect(await store.registrations.get('B')).toEqual(registration('B'));
    expect(await store.registrations.get('C')).toBe(null);
    expect(await eventTypes(store)).toEqual(['registration.imported', 'registration.claimed']);
  });

  test('of those who claim at once one gets it', async (store) => {
    await put(store, registration('A'));
    const ids = Array.from({ length: 8 }, (_, i) => `enrolment ${i}`);
    const outcomes = await Promise.all(ids.map((id) => claim(store, 'A', id)));
    expect(outcomes.filter((outcome) => outcome !== null).length).toBe(1);
    expect((await store.registrations.get('A'))?.enrolmentId).toBe(outcomes.find(Boolean)?.enrolmentId);
    expect((await eventTypes(store)).filter((type) => type === 'registration.claimed').length).toBe(1);
  });

  test('a new one takes the place of the old one, also of one that was claimed', async (store) => {
    await put(store, registration('A', { invitationId: 'i' }), registration('B'));
    await claim(store, 'B', 'one');
    const again = registration('A', { user: 'somebody else', createdAt: T0 + 1 });
    const replaced = await put(store, registration('A', { user: 'nobody' }), again, registration('B'));
    expect(replaced).toEqual([registration('A', { invitationId: 'i' })]);
    expect(await store.registrations.get('A')).toEqual(again);
    expect((await claim(store, 'B', 'two'))?.enrolmentId).toBe('two');
  });

  test('lists in pages by serial number, those that are awaited, those of a user; removes', async (store) => {
    await put(store, ...['C', 'A', 'D', 'B'].map((serial) => registration(serial, { user: serial > 'B' ? 'x' : 'y' })));
    await claim(store, 'D', 'one');
    expect(await listed(store)).toEqual(['A', 'B', 'C', 'D']);
    expect(await listed(store, { awaited: true })).toEqual(['A', 'B', 'C']);
    expect(await listed(store, { awaited: false })).toEqual(['D']);
    expect(await listed(store, { user: 'x' })).toEqual(['C', 'D']);
    expect(await listed(store, { user: 'x', awaited: true })).toEqual(['C']);
    const first = await store.registrations.list({}, { limit: 3 });
    expect(first.items.map(({ serialNumber }) => serialNumber)).toEqual(['A', 'B', 'C']);
    const rest = await store.registrations.list({}, { limit: 3, after: first.next ?? '' });
    expect(rest.items.map(({ serialNumber }) => serialNumber)).toEqual(['D']);
    expect(rest.next).toBe(null);
    const removed = await store.registrations.remove(['A', 'D', 'A', 'nothing']);
    expect(removed.map(({ serialNumber }) => serialNumber).sort()).toEqual(['A', 'D']);
    expect(await listed(store)).toEqual(['B', 'C']);
  });
}
