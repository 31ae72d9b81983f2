// The suite: certificates that devices have for their configurations, and when those are due.
import type { NewCertificate } from '../contracts/certificates.ts';
import type { Store } from '../contracts/store.ts';
import { authenticate, certificate, event, eventTypes, HOUR, MINUTE, T0, tokenUpdate } from './fixtures.ts';
import type { Suite } from './runner.ts';

const CONFIGURATION = 'configuration:c';

const add = (store: Store, name: string, deviceId: string | null, options: Partial<NewCertificate> = {}) =>
  store.certificates.register(
    certificate(name, { credentialId: CONFIGURATION, deviceId, ...options }),
    event('certificate.issued', deviceId),
  );

const settle = (store: Store, deviceId: string, installed = true, credentialId = CONFIGURATION) =>
  store.certificates.settleOnDevice({ deviceId, credentialId, installed });

async function enrolled(store: Store, ...ids: string[]): Promise<void> {
  for (const id of ids) {
    await authenticate(store, id);
    await tokenUpdate(store, id);
  }
}

const statusOf = async (store: Store, name: string) => (await store.certificates.get(name))?.status;

/** Registers the tests. */
export function deviceCertificateTests({ test, expect }: Suite): void {
  test('what a device has for a configuration is found by device, and is no renewal of its enrolment', async (store) => {
    await enrolled(store, 'A');
    await add(store, 'a', 'A');
    await add(store, 'b', 'B');
    await add(store, 'other', 'A', { credentialId: 'configuration:d' });
    expect(await store.certificates.get('a')).toMatchObject({ deviceId: 'A', enrolmentId: null });
    const listed = async (filter: Parameters<Store['certificates']['list']>[0]) => {
      const first = await store.certificates.list(filter, { limit: 1 });
      const { next } = first;
      const rest = next === null ? [] : (await store.certificates.list(filter, { limit: 5, after: next })).items;
      return [...first.items, ...rest].map(({ fingerprint, deviceId }) => `${fingerprint}/${deviceId}`);
    };
    expect(await listed({ deviceId: 'A' })).toEqual(['other/A', 'a/A']);
    expect(await listed({ credentialId: CONFIGURATION })).toEqual(['b/B', 'a/A']);
    expect(await listed({ credentialId: CONFIGURATION, deviceId: 'A' })).toEqual(['a/A']);
    expect(await listed({ enrolmentId: 'A' })).toEqual([]);
    const adopted = { id: 'A', certificateFingerprint: 'a', at: T0, events: [] };
    expect(await store.enrolments.adopt(adopted)).toEqual({ outcome: 'refused' });
  });

  test('the newest that a device asked for is in force once it has it, and those before are over', async (store) => {
    await add(store, 'one', 'A');
    await settle(store, 'A');
    expect(await statusOf(store, 'one')).toBe('in-force');
    await add(store, 'two', 'A');
    await add(store, 'b', 'B');
    await add(store, 'other', 'A', { credentialId: 'configuration:d' });
    expect([await statusOf(store, 'one'), await statusOf(store, 'two')]).toEqual(['in-force', 'issued']);
    await settle(store, 'A');
    await settle(store, 'A');
    expect([await statusOf(store, 'one'), await statusOf(store, 'two')]).toEqual(['superseded', 'in-force']);
    expect([await statusOf(store, 'b'), await statusOf(store, 'other')]).toEqual(['issued', 'issued']);
    await store.certificates.expire({ at: T0 + HOUR, limit: 10 });
    await add(store, 'three', 'A', { notAfter: T0 + 9 * HOUR });
    const revocation = { fingerprint: 'three', reason: 'keyCompromise', at: T0 } as const;
    await store.certificates.revoke({ ...revocation, event: event('certificate.revoked') });
    await add(store, 'four', 'A', { notAfter: T0 + 9 * HOUR });
    await settle(store, 'A');
    expect([await statusOf(store, 'two'), await statusOf(store, 'three')]).toEqual(['superseded', 'revoked']);
    expect(await statusOf(store, 'four')).toBe('in-force');
    await settle(store, 'A', false);
    expect([await statusOf(store, 'three'), await statusOf(store, 'four')]).toEqual(['revoked', 'superseded']);
  });

  test('names what is due on devices: in the window, not twice at once, and of no device that is lost', async (store) => {
    const due = async (at: number, more: { windowMs?: number; endsAfter?: number; retryBefore?: number } = {}) => {
      const input = { windowMs: 20 * MINUTE, endsAfter: 0, retryBefore: 0, ...more };
      const found = await store.certificates.dueOnDevices({ credentialId: CONFIGURATION, at, limit: 10, ...input });
      return found.map((row) => `${row.fingerprint}/${row.deviceId}/${row.notAfter - T0}`);
    };
    await enrolled(store, 'A', 'B', 'C', 'D');
    await add(store, 'b', 'B');
    await add(store, 'a', 'A', { notAfter: T0 + 50 * MINUTE });
    await add(store, 'shared', null);
    await add(store, 'unknown', 'Z');
    await add(store, 'other', 'A', { credentialId: 'configuration:d' });
    await add(store, 'c', 'C');
    await add(store, 'd', 'D');
    expect(await due(T0 + 40 * MINUTE)).toEqual([]);
    for (const id of ['A', 'B', 'C', 'D', 'Z']) await settle(store, id);
    await settle(store, 'A', true, 'configuration:d');
    const lost = { ids: ['C'], from: [null], to: 'lost', at: T0, cause: 'test' } as const;
    await store.enrolments.setPhase(lost);
    await store.enrolments.checkOut({ id: 'D', certificateFingerprint: 'pin-of-D', at: T0, events: [] });
    const [a, b] = [`a/A/${50 * MINUTE}`, `b/B/${HOUR}`];
    expect(await due(T0 + 29 * MINUTE)).toEqual([]);
    expect(await due(T0 + 30 * MINUTE)).toEqual([a]);
    expect(await due(T0 + 40 * MINUTE)).toEqual([a, b]);
    expect(await due(T0 + 40 * MINUTE, { endsAfter: T0 + 50 * MINUTE })).toEqual([b]);
    // Never more than three quarters of the lifetime.
    expect(await due(T0 + 12 * MINUTE, { windowMs: HOUR })).toEqual([]);
    expect(await due(T0 + 15 * MINUTE, { windowMs: HOUR })).toEqual([a, b]);
    await store.certificates.renewalBegun('a', T0 + 40 * MINUTE, event('certificate.renewal-begun', 'A'));
    expect(await due(T0 + 41 * MINUTE)).toEqual([b]);
    expect(await due(T0 + 45 * MINUTE, { retryBefore: T0 + 40 * MINUTE })).toEqual([a, b]);
    await store.certificates.expire({ at: T0 + HOUR, limit: 10 });
    expect(await due(T0 + 2 * HOUR, { retryBefore: T0 + HOUR })).toEqual([a, b]);
    await store.enrolments.setPhase({ ...lost, from: ['lost'], to: null });
    expect(await due(T0 + 2 * HOUR)).toEqual([b, `c/C/${HOUR}`]);
  });

  test('tells identities of enrolments that end soon from those that do not', async (store) => {
    for (const id of ['A', 'B']) {
      const notAfter = T0 + (id === 'A' ? HOUR : 4 * HOUR);
      await store.certificates.register(certificate(id, { notAfter }), event('certificate.issued'));
      await authenticate(store, id, { pin: id });
      await tokenUpdate(store, id, { pin: id });
    }
    await add(store, 'other', 'A');
    await settle(store, 'A');
    await store.certificates.register(certificate('new'), event('certificate.issued'));
    const listed = async (
      are: boolean,
      at: number,
      windowMs: number,
      more: { statuses?: readonly ['in-force'] } = {},
    ) => {
      const { items } = await store.certificates.list({ expiring: { are, at, windowMs }, ...more }, { limit: 9 });
      return items.map(({ fingerprint }) => fingerprint);
    };
    const inForce = { statuses: ['in-force'] } as const;
    const half = T0 + HOUR / 2;
    expect(await listed(true, half - 1, HOUR / 2, inForce)).toEqual([]);
    expect(await listed(true, half, HOUR / 2, inForce)).toEqual(['A']);
    expect(await listed(false, half, HOUR / 2, inForce)).toEqual(['other', 'B']);
    expect(await listed(true, half, HOUR / 2)).toEqual(['new', 'A']);
    // Never more than three quarters of the lifetime.
    expect(await listed(true, T0 + HOUR / 4 - 1, 9 * HOUR, inForce)).toEqual([]);
    expect(await listed(true, T0 + HOUR / 4, 9 * HOUR, inForce)).toEqual(['A']);
    expect(await listed(true, T0 + HOUR, 9 * HOUR, inForce)).toEqual(['B', 'A']);
  });

  test('keeps whose issuer is to be told of a revocation, and until when', async (store) => {
    const at = T0;
    const revoke = (fingerprint: string, more: { tellAt?: number } = {}) =>
      store.certificates.revoke({
        ...{ fingerprint, reason: 'keyCompromise', at, event: event('certificate.revoked') },
        ...more,
      });
    for (const name of ['one', 'two', 'quiet']) await add(store, name, null);
    await revoke('one', { tellAt: T0 + 2 });
    await revoke('two', { tellAt: T0 + 1 });
    await revoke('quiet');
    await revoke('quiet', { tellAt: T0 });
    const untold = (when: number, limit = 10) => store.certificates.untold({ at: when, limit });
    expect([await untold(T0), await untold(T0 + 1), await untold(T0 + 2)]).toEqual([[], ['two'], ['two', 'one']]);
    expect(await untold(T0 + 2, 1)).toEqual(['two']);
    const told = (fingerprint: string, tellAt: number | null, type: 'certificate.revocation-told' | null = null) =>
      store.certificates.told({ fingerprint, tellAt, event: type === null ? null : event(type) });
    expect(await told('two', T0 + HOUR)).toBe(true);
    expect(await untold(T0 + 2)).toEqual(['one']);
    expect(await told('one', null, 'certificate.revocation-told')).toBe(true);
    expect(await told('one', null, 'certificate.revocation-told')).toBe(false);
    expect(await told('quiet', T0, 'certificate.revocation-told')).toBe(false);
    expect((await eventTypes(store)).filter((type) => type === 'certificate.revocation-told').length).toBe(1);
    expect(await untold(T0 + 2 * HOUR)).toEqual(['two']);
    await store.certificates.purge({ before: T0 + 2 * HOUR, limit: 10 });
    expect(await untold(T0 + 2 * HOUR)).toEqual([]);
  });
}
