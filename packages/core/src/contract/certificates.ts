// The suite: how certificates are renewed, revoked, found, expired and purged.
import { type NewCertificate, REVOCATIONS_SETTING } from '../contracts/certificates.ts';
import type { Store } from '../contracts/store.ts';
import { authenticate, certificate, event, eventTypes, HOUR, MINUTE, next, poll, T0, tokenUpdate } from './fixtures.ts';
import type { Suite } from './runner.ts';

const add = (store: Store, name: string, options: Partial<NewCertificate> = {}) =>
  store.certificates.register(certificate(name, options), event('certificate.issued'));

async function enrolWith(store: Store, id: string, name: string, options: Partial<NewCertificate> = {}): Promise<void> {
  await add(store, name, options);
  await authenticate(store, id, { pin: name });
  await tokenUpdate(store, id, { pin: name });
}

const adopt = (store: Store, id: string, name: string) =>
  store.enrolments.adopt({
    id,
    certificateFingerprint: name,
    at: T0 + MINUTE,
    events: [event('certificate.renewed', id)],
  });

const revoke = (store: Store, name: string, at = T0) =>
  store.certificates.revoke({
    fingerprint: name,
    reason: 'keyCompromise',
    at,
    event: event('certificate.revoked', null, at),
  });

const statusOf = async (store: Store, name: string) => (await store.certificates.get(name))?.status;

async function listed(store: Store, filter: Parameters<Store['certificates']['list']>[0]): Promise<string[]> {
  const { items } = await store.certificates.list(filter, { limit: 50 });
  return items.map(({ fingerprint }) => fingerprint);
}

/** Registers the tests. */
export function certificateTests({ test, expect }: Suite): void {
  test('an enrolment adopts a certificate that was issued to it, and the earlier one opens nothing more', async (store) => {
    await enrolWith(store, 'A', 'old');
    await tokenUpdate(store, 'A', { pin: 'old', user: 'u' });
    await add(store, 'new', { enrolmentId: 'A' });
    expect(await next(store, 'A', { pin: 'new' })).toBe('refused: identity-mismatch');
    expect(await next(store, 'A', { pin: 'old' })).toBe(null);
    expect(await adopt(store, 'A', 'new')).toMatchObject({
      outcome: 'adopted',
      enrolment: { id: 'A', status: 'active', certificateFingerprint: 'new' },
    });
    expect(await next(store, 'A', { pin: 'new' })).toBe(null);
    expect(await next(store, 'A:u', { pin: 'new' })).toBe(null);
    expect(await next(store, 'A', { pin: 'old' })).toBe('refused: identity-mismatch');
    expect([await statusOf(store, 'old'), await statusOf(store, 'new')]).toEqual(['superseded', 'in-force']);
    expect(await authenticate(store, 'A', { pin: 'old' })).toMatchObject({ reason: 'superseded' });
    expect((await eventTypes(store)).at(-1)).toBe('certificate.renewed');
    expect(await adopt(store, 'A', 'new')).toEqual({ outcome: 'refused' });
  });

  test('an enrolment adopts nothing else', async (store) => {
    await enrolWith(store, 'A', 'a');
    await enrolWith(store, 'B', 'b');
    await add(store, 'for-b', { enrolmentId: 'B' });
    await add(store, 'for-nobody');
    await add(store, 'for-a', { enrolmentId: 'A' });
    await revoke(store, 'for-a');
    for (const name of ['for-b', 'for-nobody', 'for-a', 'b', 'unknown']) {
      expect(await adopt(store, 'A', name)).toEqual({ outcome: 'refused' });
    }
    await store.enrolments.checkOut({ id: 'B', certificateFingerprint: 'b', at: T0, events: [] });
    expect(await adopt(store, 'B', 'for-b')).toEqual({ outcome: 'refused' });
    expect(await adopt(store, 'C', 'for-b')).toEqual({ outcome: 'refused' });
    expect((await store.enrolments.get('A'))?.certificateFingerprint).toBe('a');
  });

  test('of many adoptions of one certificate at once, one happens', async (store) => {
    await enrolWith(store, 'A', 'old');
    await add(store, 'new', { enrolmentId: 'A' });
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => adopt(store, 'A', 'new')));
    expect(outcomes.filter(({ outcome }) => outcome === 'adopted').length).toBe(1);
    expect((await eventTypes(store)).filter((type) => type === 'certificate.renewed').length).toBe(1);
  });

  test('a device that enrols anew leaves what was issued to it before', async (store) => {
    await enrolWith(store, 'A', 'one');
    await add(store, 'renewal', { enrolmentId: 'A' });
    await enrolWith(store, 'A', 'two');
    expect(await statusOf(store, 'renewal')).toBe('superseded');
    expect(await adopt(store, 'A', 'renewal')).toEqual({ outcome: 'refused' });
  });

  test('a revoked certificate opens nothing from that moment on, and its renewals neither', async (store) => {
    await enrolWith(store, 'A', 'one');
    await add(store, 'renewal', { enrolmentId: 'A' });
    expect(await revoke(store, 'one', T0 + MINUTE)).toBe('revoked');
    expect(await poll(store, 'A', { pin: 'one' })).toEqual({ outcome: 'identity-mismatch' });
    expect(await tokenUpdate(store, 'A', { pin: 'one' })).toEqual({ outcome: 'identity-mismatch' });
    expect(await store.enrolments.verify({ id: 'A', certificateFingerprint: 'one', at: T0 })).toEqual({
      outcome: 'identity-mismatch',
    });
    expect(await adopt(store, 'A', 'renewal')).toEqual({ outcome: 'refused' });
    expect(await store.certificates.get('one')).toMatchObject({
      status: 'revoked',
      revokedAt: T0 + MINUTE,
      revocationReason: 'keyCompromise',
      enrolmentId: 'A',
    });
    expect(await store.enrolments.get('A')).toMatchObject({ status: 'active', certificateFingerprint: null });
    expect((await eventTypes(store)).filter((type) => type === 'certificate.revoked').length).toBe(1);
    await enrolWith(store, 'A', 'two');
    expect(await next(store, 'A', { pin: 'two' })).toBe(null);
  });

  test('counts revocations, each once', async (store) => {
    const count = () => store.settings.get(REVOCATIONS_SETTING);
    expect(await count()).toBe(null);
    for (const name of ['one', 'two', 'three']) await add(store, name);
    await revoke(store, 'one');
    expect(await count()).toBe('1');
    await Promise.all(['one', 'two', 'two', 'three', 'unknown'].map((name) => revoke(store, name)));
    expect(await count()).toBe('3');
    await store.certificates.purge({ before: T0 + 9 * HOUR, limit: 10 });
    expect(await count()).toBe('3');
  });

  test('finds a certificate by serial number, of one authority', async (store) => {
    await add(store, 'one', { serialNumber: '01' });
    await add(store, 'two', { serialNumber: '01', authorityKeyId: 'other' });
    expect((await store.certificates.findBySerial('01'))?.fingerprint).toBe('two');
    expect((await store.certificates.findBySerial('01', 'ca'))?.fingerprint).toBe('one');
    expect(await store.certificates.findBySerial('01', 'none')).toBe(null);
    expect(await store.certificates.findBySerial('02')).toBe(null);
  });

  test('counts what lives of each authority', async (store) => {
    const inUse = async (at: number) => {
      const rows = await store.certificates.inUse(at);
      return rows.map(({ authorityKeyId, count }) => `${authorityKeyId} ${count}`).sort();
    };
    expect(await inUse(T0)).toEqual([]);
    await enrolWith(store, 'A', 'a');
    await add(store, 'b', { notAfter: T0 + 2 * HOUR });
    await add(store, 'other', { authorityKeyId: 'other' });
    await add(store, 'unknown', { authorityKeyId: null });
    await add(store, 'revoked', { authorityKeyId: 'other' });
    await revoke(store, 'revoked');
    expect(await inUse(T0)).toEqual(['ca 2', 'null 1', 'other 1']);
    expect(await inUse(T0 + HOUR)).toEqual(['ca 1']);
  });

  test('lists by enrolment, status and expiry', async (store) => {
    await enrolWith(store, 'A', 'a');
    await add(store, 'b', { notAfter: T0 + 2 * HOUR });
    await add(store, 'c', { notAfter: T0 + 3 * HOUR });
    await revoke(store, 'c');
    expect(await listed(store, {})).toEqual(['c', 'b', 'a']);
    expect(await listed(store, { enrolmentId: 'A' })).toEqual(['a']);
    expect(await listed(store, { statuses: ['revoked', 'issued'] })).toEqual(['c', 'b']);
    expect(await listed(store, { expiresBefore: T0 + 2 * HOUR })).toEqual(['a']);
    expect(await listed(store, { expiresFrom: T0 + 2 * HOUR })).toEqual(['c', 'b']);
    expect(await listed(store, { statuses: ['issued'], expiresFrom: T0, expiresBefore: T0 + 9 * HOUR })).toEqual(['b']);
    expect(await listed(store, { statuses: [] })).toEqual([]);
  });

  test('names what is due for renewal: in its window, not twice at once, and only where a device uses it', async (store) => {
    const due = async (at: number, retryBefore = 0, windowMs = 20 * MINUTE, endsAfter = 0) => {
      const found = await store.certificates.dueForRenewal({ at, windowMs, endsAfter, retryBefore, limit: 10 });
      return found.map(({ fingerprint, enrolmentId }) => `${fingerprint}/${enrolmentId}`);
    };
    await enrolWith(store, 'A', 'a');
    await enrolWith(store, 'B', 'b', { notAfter: T0 + 50 * MINUTE });
    await add(store, 'nobody');
    await enrolWith(store, 'C', 'c');
    await revoke(store, 'c');
    await enrolWith(store, 'D', 'd');
    await store.enrolments.checkOut({ id: 'D', certificateFingerprint: 'd', at: T0, events: [] });
    expect(await due(T0 + 29 * MINUTE)).toEqual([]);
    expect(await due(T0 + 30 * MINUTE)).toEqual(['b/B']);
    expect(await due(T0 + 40 * MINUTE)).toEqual(['b/B', 'a/A']);
    // A window as long as the certificate would renew for ever.
    expect(await due(T0 + 12 * MINUTE, 0, HOUR)).toEqual([]);
    expect(await due(T0 + 15 * MINUTE, 0, HOUR)).toEqual(['b/B', 'a/A']);
    await store.certificates.renewalBegun('b', T0 + 40 * MINUTE, event('certificate.renewal-begun', 'B'));
    expect((await store.certificates.get('b'))?.renewalAt).toBe(T0 + 40 * MINUTE);
    expect(await due(T0 + 41 * MINUTE)).toEqual(['a/A']);
    expect(await due(T0 + 45 * MINUTE, T0 + 40 * MINUTE)).toEqual(['b/B', 'a/A']);
    // Also after the end, for as long as there is a grace.
    await store.certificates.expire({ at: T0 + HOUR, limit: 10 });
    expect(await due(T0 + HOUR, T0 + HOUR, 20 * MINUTE, T0 + 55 * MINUTE)).toEqual(['a/A']);
    const first = await store.certificates.dueForRenewal({
      ...{ at: T0 + HOUR, windowMs: HOUR, endsAfter: 0, retryBefore: T0 + HOUR, limit: 1 },
    });
    expect(first.map(({ fingerprint }) => fingerprint)).toEqual(['b']);
  });

  test('names devices whose certificate ended, unless another one waits for them', async (store) => {
    const lapsed = async (before: number, limit = 10) =>
      (await store.certificates.lapsed({ before, at: before, limit })).map(
        (row) => `${row.fingerprint}/${row.enrolmentId}`,
      );
    await enrolWith(store, 'A', 'a', { notAfter: T0 + 2 * HOUR });
    await tokenUpdate(store, 'A', { pin: 'a', user: 'u' });
    await add(store, 'b');
    await authenticate(store, 'B', { pin: 'b' });
    await enrolWith(store, 'C', 'c');
    await add(store, 'renewal', { enrolmentId: 'C', notAfter: T0 + 4 * HOUR });
    await enrolWith(store, 'D', 'd');
    await revoke(store, 'd');
    await enrolWith(store, 'E', 'e');
    await store.enrolments.checkOut({ id: 'E', certificateFingerprint: 'e', at: T0, events: [] });
    await add(store, 'nobody');
    expect(await lapsed(T0 + HOUR)).toEqual([]);
    expect(await lapsed(T0 + HOUR + 1)).toEqual(['b/B']);
    await store.certificates.expire({ at: T0 + 3 * HOUR, limit: 10 });
    expect(await lapsed(T0 + 3 * HOUR)).toEqual(['b/B', 'a/A']);
    expect(await lapsed(T0 + 3 * HOUR, 1)).toEqual(['b/B']);
    expect((await lapsed(T0 + 5 * HOUR)).sort()).toEqual(['a/A', 'b/B', 'c/C']);
  });

  test('an expired certificate is superseded by the renewal that follows it', async (store) => {
    await enrolWith(store, 'A', 'old');
    expect(await store.certificates.expire({ at: T0 + HOUR, limit: 10 })).toBe(1);
    await add(store, 'new', { enrolmentId: 'A', notAfter: T0 + 5 * HOUR });
    expect(await adopt(store, 'A', 'new')).toMatchObject({ outcome: 'adopted' });
    expect([await statusOf(store, 'old'), await statusOf(store, 'new')]).toEqual(['superseded', 'in-force']);
  });

  test('certificates expire once, with an event each', async (store) => {
    await enrolWith(store, 'A', 'a');
    await add(store, 'b');
    await add(store, 'later', { notAfter: T0 + 2 * HOUR });
    await add(store, 'revoked');
    await revoke(store, 'revoked');
    expect(await store.certificates.expire({ at: T0 + HOUR - 1, limit: 10 })).toBe(0);
    expect(await store.certificates.expire({ at: T0 + HOUR, limit: 1 })).toBe(1);
    expect(await store.certificates.expire({ at: T0 + HOUR, limit: 10 })).toBe(1);
    expect(await store.certificates.expire({ at: T0 + HOUR, limit: 10 })).toBe(0);
    expect(await listed(store, { statuses: ['expired'] })).toEqual(['b', 'a']);
    const events = (await store.events.since(0, 100)).filter(({ type }) => type === 'certificate.expired');
    const told = events.map(({ enrolmentId, data }) => `${enrolmentId} ${data['fingerprint']} ${data['serialNumber']}`);
    expect(told.sort()).toEqual(['A a serial-a', 'null b serial-b']);
  });

  test('purges what ended long ago, but no revocation that is younger', async (store) => {
    await add(store, 'a');
    await add(store, 'revoked');
    await revoke(store, 'revoked', T0 + 3 * HOUR);
    await add(store, 'later', { notAfter: T0 + 2 * HOUR });
    expect(await store.certificates.purge({ before: T0 + HOUR, limit: 10 })).toBe(0);
    expect(await store.certificates.purge({ before: T0 + HOUR + 1, limit: 10 })).toBe(1);
    expect(await listed(store, {})).toEqual(['later', 'revoked']);
    expect(await store.certificates.purge({ before: T0 + 4 * HOUR, limit: 1 })).toBe(1);
    expect(await store.certificates.purge({ before: T0 + 4 * HOUR, limit: 10 })).toBe(1);
    expect(await listed(store, {})).toEqual([]);
  });

  test('keeps what was attested of the device', async (store) => {
    const attestation = { at: T0, properties: { serialNumber: 'C02', osVersion: '18.3' }, chain: ['AAEC'] };
    await add(store, 'one', { attestation });
    expect((await store.certificates.get('one'))?.attestation).toEqual(attestation);
    expect((await store.certificates.list({}, { limit: 1 })).items[0]?.attestation).toEqual(attestation);
  });
}
