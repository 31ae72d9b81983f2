// The suite: credential settings, and the identities of users and devices.
import type { CredentialSetting } from '../api/credentials.ts';
import type { CredentialRecord } from '../contracts/credentials.ts';
import type { Store } from '../contracts/store.ts';
import { bytes, certificate, event, eventTypes, HOUR, MINUTE, T0 } from './fixtures.ts';
import type { Suite } from './runner.ts';

const DAY = 24 * HOUR;

const setting = (id: string, options: Partial<CredentialSetting> = {}): CredentialSetting => ({
  id,
  name: `setting ${id}`,
  description: 'for “mail”',
  displayName: id,
  source: 'user-provided',
  scope: 'user',
  requirePassword: true,
  deleteKeysAfterDays: null,
  generation: 'on-demand',
  expiryWindowDays: 60,
  revokeOnCheckOut: false,
  options: { template: { subject: 'CN=x' } },
  version: 1,
  createdAt: T0,
  updatedAt: T0,
  ...options,
});

const credential = (id: string, options: Partial<CredentialRecord> = {}): CredentialRecord => ({
  id,
  settingId: 's',
  holder: 'user:ann',
  status: 'active',
  revision: 1,
  origin: 'user',
  fingerprint: `fingerprint ${id}`,
  serialNumber: '0a',
  subject: `CN=${id}`,
  issuer: 'CN=issuer',
  notBefore: T0,
  notAfter: T0 + 365 * DAY,
  publicKeyHash: `key ${id}`,
  certificate: bytes(`certificate ${id}`),
  createdAt: T0,
  deliveredAt: null,
  keyDeletedAt: null,
  keyDeletedBy: null,
  sealed: bytes(`sealed ${id}`),
  ...options,
});

const addSetting = (store: Store, id = 's', options: Partial<CredentialSetting> = {}) =>
  store.credentials.createSetting(setting(id, options), event('credential-setting.changed'));

const put = (store: Store, row: CredentialRecord, expectedId: string | null = null) =>
  store.credentials.put({ credential: row, expectedId, events: [event('credential.uploaded')] });

/** One that was issued, with its certificate in the register. */
const putIssued = (store: Store, row: CredentialRecord, expectedId: string | null = null) =>
  store.credentials.put({
    credential: { ...row, origin: 'issued' },
    expectedId,
    certificate: certificate(row.fingerprint, { deliveredAt: null, credentialId: row.id, notAfter: row.notAfter }),
    events: [event('credential.issued')],
  });

const deleteKey = (store: Store, id: string) =>
  store.credentials.deleteKey({ id, at: T0 + MINUTE, by: 'user', event: event('credential.key-deleted') });

const delivered = (store: Store, id: string, at = T0 + MINUTE) =>
  store.credentials.delivered({ id, at, event: event('credential.delivered', null, at) });

const statusOf = async (store: Store, id: string) => (await store.credentials.get(id))?.status ?? null;
const registerOf = async (store: Store, fingerprint: string) => {
  const found = await store.certificates.get(fingerprint);
  return found === null ? null : [found.status, found.deliveredAt, found.credentialId];
};

async function listed(store: Store, filter: Parameters<Store['credentials']['list']>[0]): Promise<string[]> {
  return (await store.credentials.list(filter, { limit: 50 })).items.map(({ id }) => id);
}

/** Registers the tests. */
export function credentialTests({ test, expect }: Suite): void {
  test('settings are kept under unique names, changed by version, and deleted with what is theirs', async (store) => {
    expect(await addSetting(store, 's')).toBe('created');
    expect(await addSetting(store, 'other', { name: 'setting s' })).toBe('name-taken');
    expect(await addSetting(store, 'a', { name: 'a', deleteKeysAfterDays: 30 })).toBe('created');
    expect(await store.credentials.setting('s')).toEqual(setting('s'));
    expect((await store.credentials.settings()).map(({ id }) => id)).toEqual(['a', 's']);
    const update = (change: Partial<CredentialSetting>, expected: number) =>
      store.credentials.updateSetting(setting('s', change), expected, event('credential-setting.changed'));
    expect(await update({ name: 'a', version: 2 }, 1)).toBe('name-taken');
    expect(await update({ version: 3 }, 2)).toBe('conflict');
    expect(await update({ displayName: 'new', version: 2 }, 1)).toBe('updated');
    expect((await store.credentials.setting('s'))?.displayName).toBe('new');
    await put(store, credential('c'));
    expect(await store.credentials.deleteSetting('s', event('credential-setting.changed'))).toBe(true);
    expect(await store.credentials.deleteSetting('s', event('credential-setting.changed'))).toBe(false);
    expect([await store.credentials.setting('s'), await store.credentials.get('c')]).toEqual([null, null]);
    expect(await update({}, 2)).toBe('unknown');
    expect((await eventTypes(store)).filter((type) => type === 'credential-setting.changed').length).toBe(4);
  });

  test('a credential takes the place of the one that it expects, whose key is deleted', async (store) => {
    expect(await put(store, credential('one'))).toBe('unknown');
    await addSetting(store);
    expect(await put(store, credential('one'))).toBe('stored');
    expect(await store.credentials.get('one')).toEqual(credential('one'));
    expect(await put(store, credential('two', { revision: 2 }))).toBe('conflict');
    const two = credential('two', { revision: 2, createdAt: T0 + HOUR });
    expect(await put(store, two, 'one')).toBe('stored');
    expect(await store.credentials.newest('s', 'user:ann')).toEqual(two);
    expect(await store.credentials.get('one')).toEqual(
      credential('one', {
        ...{ status: 'superseded', sealed: null, keyDeletedAt: T0 + HOUR, keyDeletedBy: 'replaced' },
      }),
    );
    expect(await store.credentials.newest('s', 'user:bob')).toBe(null);
    expect((await eventTypes(store)).filter((type) => type === 'credential.uploaded').length).toBe(2);
  });

  test('of many that are put at once, one is', async (store) => {
    await addSetting(store);
    const outcomes = await Promise.all(Array.from({ length: 8 }, (_, i) => put(store, credential(`c${i}`))));
    expect(outcomes.filter((outcome) => outcome === 'stored').length).toBe(1);
    expect((await listed(store, {})).length).toBe(1);
  });

  test('tells the newest of each holder and setting', async (store) => {
    await addSetting(store);
    await addSetting(store, 't');
    await put(store, credential('one'));
    await put(store, credential('two', { revision: 2 }), 'one');
    await put(store, credential('mine', { settingId: 't' }));
    await put(store, credential('device', { holder: 'device:D' }));
    await deleteKey(store, 'mine');
    const found = await store.credentials.newestOf(['user:ann', 'user:nobody', 'device:D', 'user:ann']);
    const shown = found.map((row) => `${row.settingId} ${row.holder} ${row.id} ${row.revision} ${row.keyStored}`);
    expect(shown.sort()).toEqual(['s device:D device 1 true', 's user:ann two 2 true', 't user:ann mine 1 false']);
    expect(await store.credentials.newestOf([])).toEqual([]);
    expect(found.find(({ id }) => id === 'two')).toEqual({
      ...{ id: 'two', settingId: 's', holder: 'user:ann', revision: 2, status: 'active', keyStored: true },
      fingerprint: 'fingerprint two',
    });
  });

  test('lists newest first, by setting, holder, status and end, in pages, without keys', async (store) => {
    await addSetting(store);
    await addSetting(store, 't');
    await put(store, credential('a'));
    await put(store, credential('b', { settingId: 't', notAfter: T0 + DAY }));
    await put(store, credential('c', { holder: 'user:bob' }));
    await put(store, credential('d', { holder: 'user:bob', revision: 2 }), 'c');
    expect(await listed(store, {})).toEqual(['d', 'c', 'b', 'a']);
    expect(await listed(store, { settingId: 't' })).toEqual(['b']);
    expect(await listed(store, { holder: 'user:bob' })).toEqual(['d', 'c']);
    expect(await listed(store, { statuses: ['superseded'] })).toEqual(['c']);
    expect(await listed(store, { statuses: [] })).toEqual([]);
    expect(await listed(store, { expiresBefore: T0 + 2 * DAY })).toEqual(['b']);
    expect(await listed(store, { expiresFrom: T0 + 2 * DAY, holder: 'user:ann' })).toEqual(['a']);
    const first = await store.credentials.list({}, { limit: 3 });
    expect(first.items.some((item) => 'sealed' in item)).toBe(false);
    const rest = await store.credentials.list({}, { limit: 3, after: first.next! });
    expect([rest.items.map(({ id }) => id), rest.next]).toEqual([['a'], null]);
  });

  test('a key is deleted once; certificate and row stay', async (store) => {
    await addSetting(store);
    await put(store, credential('a'));
    const done = await Promise.all([deleteKey(store, 'a'), deleteKey(store, 'a')]);
    expect(done.filter(Boolean).length).toBe(1);
    expect(await deleteKey(store, 'nothing')).toBe(false);
    const without = { sealed: null, keyDeletedAt: T0 + MINUTE, keyDeletedBy: 'user' } as const;
    expect(await store.credentials.get('a')).toEqual(credential('a', without));
    expect((await eventTypes(store)).filter((type) => type === 'credential.key-deleted').length).toBe(1);
  });

  test('keys are deleted by age, as their setting says', async (store) => {
    await addSetting(store, 's', { deleteKeysAfterDays: 30 });
    await addSetting(store, 'kept');
    await put(store, credential('a'));
    await put(store, credential('b', { holder: 'user:bob', createdAt: T0 + DAY }));
    await put(store, credential('c', { settingId: 'kept' }));
    const due = (at: number, limit = 10) => store.credentials.deleteOldKeys({ at, limit });
    expect(await due(T0 + 30 * DAY - 1)).toEqual([]);
    expect(await due(T0 + 30 * DAY)).toEqual([{ id: 'a', settingId: 's', holder: 'user:ann' }]);
    expect(await due(T0 + 30 * DAY)).toEqual([]);
    expect((await due(T0 + 99 * DAY)).map(({ id }) => id)).toEqual(['b']);
    expect((await store.credentials.get('a'))?.keyDeletedBy).toBe('age');
    expect((await store.credentials.get('c'))?.sealed).toEqual(bytes('sealed c'));
    const [told] = (await store.events.since(0, 100)).filter(({ type }) => type === 'credential.key-deleted');
    expect(told?.data).toEqual({ credentialId: 'a', settingId: 's', holder: 'user:ann', by: 'age' });
  });

  test('the first delivery is noted, in the register, too', async (store) => {
    await addSetting(store);
    await putIssued(store, credential('a'));
    expect(await registerOf(store, 'fingerprint a')).toEqual(['issued', null, 'a']);
    expect(await delivered(store, 'a')).toBe(true);
    expect(await delivered(store, 'a', T0 + HOUR)).toBe(false);
    expect((await store.credentials.get('a'))?.deliveredAt).toBe(T0 + MINUTE);
    expect(await registerOf(store, 'fingerprint a')).toEqual(['in-force', T0 + MINUTE, 'a']);
    await putIssued(store, credential('b', { revision: 2 }), 'a');
    expect(await registerOf(store, 'fingerprint a')).toEqual(['superseded', T0 + MINUTE, 'a']);
    await deleteKey(store, 'b');
    expect(await delivered(store, 'b')).toBe(false);
    expect(await delivered(store, 'nothing')).toBe(false);
    expect((await eventTypes(store)).filter((type) => type === 'credential.delivered').length).toBe(1);
  });

  test('what was issued and never delivered is discarded, and what was delivered or uploaded is not', async (store) => {
    await addSetting(store);
    await putIssued(store, credential('a'));
    await putIssued(store, credential('b', { holder: 'user:bob' }));
    await delivered(store, 'b');
    await put(store, credential('uploaded', { holder: 'user:carl' }));
    await putIssued(store, credential('young', { holder: 'user:dora', createdAt: T0 + HOUR }));
    const discard = (before: number) => store.credentials.discard({ before, at: T0 + 2 * HOUR, limit: 10 });
    expect(await discard(T0)).toEqual([]);
    expect(await discard(T0 + HOUR)).toEqual([{ id: 'a', settingId: 's', holder: 'user:ann' }]);
    expect(await discard(T0 + HOUR)).toEqual([]);
    expect(await store.credentials.get('a')).toMatchObject({
      ...{ status: 'discarded', sealed: null, keyDeletedAt: T0 + 2 * HOUR, keyDeletedBy: 'undelivered' },
    });
    expect(await registerOf(store, 'fingerprint a')).toEqual(['superseded', null, 'a']);
    expect(await statusOf(store, 'young')).toBe('active');
    const [told] = (await store.events.since(0, 100)).filter(({ type }) => type === 'credential.discarded');
    const data = { credentialId: 'a', settingId: 's', holder: 'user:ann', fingerprint: 'fingerprint a' };
    expect(told?.data).toEqual(data);
    // The next one follows on it.
    expect(await putIssued(store, credential('c', { revision: 2 }), 'a')).toBe('stored');
    expect(await statusOf(store, 'a')).toBe('discarded');
  });

  test('ends are foreseen by the setting’s window, and come, each once', async (store) => {
    await addSetting(store);
    await put(store, credential('year'));
    await put(store, credential('month', { holder: 'user:bob', notAfter: T0 + 40 * DAY }));
    await put(store, credential('old', { holder: 'user:carl' }));
    await put(store, credential('new', { holder: 'user:carl', revision: 2, notAfter: T0 + 900 * DAY }), 'old');
    const aged = async (days: number) => {
      const changed = await store.credentials.age({ at: T0 + days * DAY, limit: 10 });
      return changed.map(({ id }) => id).sort();
    };
    // A window that is longer than three quarters of the lifetime would never be closed.
    expect(await aged(9)).toEqual([]);
    expect(await aged(10)).toEqual(['month']);
    expect(await statusOf(store, 'month')).toBe('expiring');
    expect(await aged(39)).toEqual([]);
    expect(await aged(40)).toEqual(['month']);
    expect(await aged(304)).toEqual([]);
    expect(await aged(305)).toEqual(['year']);
    expect(await aged(365)).toEqual(['year']);
    expect(await aged(366)).toEqual([]);
    expect([await statusOf(store, 'year'), await statusOf(store, 'old')]).toEqual(['expired', 'superseded']);
    const told = (await store.events.since(0, 100)).filter(({ type }) => /^credential\.expir/.test(type));
    expect(told.map(({ type, data }) => `${type} ${data['credentialId']} ${data['notAfter']}`)).toEqual([
      `credential.expiring month ${T0 + 40 * DAY}`,
      `credential.expired month ${T0 + 40 * DAY}`,
      `credential.expiring year ${T0 + 365 * DAY}`,
      `credential.expired year ${T0 + 365 * DAY}`,
    ]);
  });

  test('one is superseded though nothing follows it yet', async (store) => {
    await addSetting(store);
    await putIssued(store, credential('a'));
    await putIssued(store, credential('b', { holder: 'user:bob' }));
    const revoked = { fingerprint: 'fingerprint b', reason: 'keyCompromise', at: T0 } as const;
    await store.certificates.revoke({ ...revoked, event: event('certificate.revoked') });
    const supersede = (id: string) =>
      store.credentials.supersede({ id, at: T0 + HOUR, event: event('credential.reissue-requested') });
    expect([await supersede('a'), await supersede('b'), await supersede('none')]).toEqual([true, true, false]);
    expect(await supersede('a')).toBe(false);
    expect(await store.credentials.get('a')).toMatchObject({
      ...{ status: 'superseded', sealed: null, keyDeletedAt: T0 + HOUR, keyDeletedBy: 'replaced' },
    });
    expect(await store.credentials.get('b')).toMatchObject({ status: 'superseded', keyDeletedBy: 'revoked' });
    expect((await registerOf(store, 'fingerprint a'))?.[0]).toBe('superseded');
    expect((await registerOf(store, 'fingerprint b'))?.[0]).toBe('revoked');
    expect(await putIssued(store, credential('c', { revision: 2 }), 'a')).toBe('stored');
    expect((await eventTypes(store)).filter((type) => type === 'credential.reissue-requested').length).toBe(2);
  });

  test('a revoked certificate takes its credential along', async (store) => {
    await addSetting(store);
    await putIssued(store, credential('a'));
    const input = { fingerprint: 'fingerprint a', reason: 'keyCompromise', at: T0 + HOUR } as const;
    expect(await store.certificates.revoke({ ...input, event: event('certificate.revoked') })).toBe('revoked');
    expect(await store.credentials.get('a')).toMatchObject({
      ...{ status: 'revoked', sealed: null, keyDeletedAt: T0 + HOUR, keyDeletedBy: 'revoked' },
    });
    expect(await putIssued(store, credential('b', { revision: 2 }), 'a')).toBe('stored');
    expect(await registerOf(store, 'fingerprint a')).toEqual(['revoked', null, 'a']);
  });

  test('what nobody can use any more is purged, but not the newest of its holder', async (store) => {
    await addSetting(store);
    await put(store, credential('a', { notAfter: T0 + DAY }));
    await put(store, credential('b', { revision: 2, notAfter: T0 + DAY }), 'a');
    await put(store, credential('c', { revision: 3 }), 'b');
    await putIssued(store, credential('lost', { holder: 'user:bob', notAfter: T0 + DAY }));
    await store.credentials.discard({ before: T0 + HOUR, at: T0 + HOUR, limit: 10 });
    const purge = (before: number, limit = 10) => store.credentials.purge({ before, limit });
    expect(await purge(T0 + DAY)).toBe(0);
    expect(await purge(T0 + 2 * DAY, 1)).toBe(1);
    expect(await purge(T0 + 2 * DAY)).toBe(1);
    expect(await purge(T0 + 2 * DAY)).toBe(0);
    expect(await listed(store, {})).toEqual(['lost', 'c']);
  });

  test('what is sealed of a credential is found and resealed', async (store) => {
    await addSetting(store);
    await put(store, credential('a'));
    await put(store, credential('b', { holder: 'user:bob' }));
    await deleteKey(store, 'b');
    const { items } = await store.secrets.sealed({ limit: 10 });
    const ref = { kind: 'credential', key: ['a'] } as const;
    expect(items.map((item) => [item.ref, item.blob])).toEqual([[ref, bytes('sealed a')]]);
    expect(await store.secrets.reseal({ ref, expected: bytes('sealed a'), blob: bytes('new') })).toBe(true);
    expect(await store.secrets.reseal({ ref, expected: bytes('sealed a'), blob: bytes('newer') })).toBe(false);
    expect((await store.credentials.get('a'))?.sealed).toEqual(bytes('new'));
  });
}
