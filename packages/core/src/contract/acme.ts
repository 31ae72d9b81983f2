// The suite: the state of the ACME server.
import type {
  AcmeAccountRecord,
  AcmeAuthorizationRecord,
  AcmeIdentifierRecord,
  AcmeOrderRecord,
} from '../contracts/acme.ts';
import type { Store } from '../contracts/store.ts';
import { bytes, certificate, event, eventTypes, HOUR, MINUTE, T0 } from './fixtures.ts';
import type { Suite } from './runner.ts';

const account = (id: string, thumbprint = `print-${id}`): AcmeAccountRecord => ({
  ...{ id, thumbprint, status: 'valid', contact: [], termsOfServiceAgreed: false, createdAt: T0 },
  jwk: { kty: 'OKP', crv: 'Ed25519', x: thumbprint },
});
const part = (id: string, orderId: string, accountId = 'a'): AcmeAuthorizationRecord => ({
  ...{ id, orderId, accountId, index: 0 },
  challenges: [{ id: 'c', type: 'device-attest-01', token: 't' }],
  ...{ expires: T0 + HOUR, deactivated: false, settlement: null },
});
const order = (id: string, accountId = 'a', expires = T0 + HOUR): AcmeOrderRecord => ({
  ...{ id, accountId, sealed: bytes(`sealed ${id}`), authorizations: [`p-${id}`] },
  ...{ expires, certificateId: null, publicKeyHash: null },
});
const identifier = (hash: string, options: Partial<AcmeIdentifierRecord> = {}): AcmeIdentifierRecord => ({
  ...{ hash, invitationId: 'i', enrolmentId: null, subject: 'CN=one', device: { serialNumber: 'C02' } },
  ...{ createdAt: T0, expiresAt: T0 + HOUR },
  ...options,
});

const addOrder = (store: Store, id: string, accountId = 'a', expires = T0 + HOUR) =>
  store.acme.addOrder(order(id, accountId, expires), [part(`p-${id}`, id, accountId)]);

const commit = (store: Store, orderId: string, hashes: string[], key = 'key', accountId = 'a', at = T0) =>
  store.acme.commit({
    ...{ orderId, accountId, consumes: hashes, publicKeyHash: key, at },
    certificate: certificate(`cert-${orderId}-${key}`),
    event: event('certificate.issued'),
  });

/** Registers the tests. */
export function acmeTests({ test, expect }: Suite): void {
  test('takes a nonce once, and not too late', async ({ acme }) => {
    await acme.addNonce('n1', T0 + 1000);
    await acme.addNonce('n2', T0 + 1000);
    const taken = await Promise.all([1, 2, 3].map(() => acme.takeNonce('n1', T0)));
    expect(taken.filter(Boolean).length).toBe(1);
    expect(await acme.takeNonce('n1', T0)).toBe(false);
    expect(await acme.takeNonce('n2', T0 + 1000)).toBe(false);
    for (const unknown of ['', 'n3', '__proto__', 'constructor']) expect(await acme.takeNonce(unknown, T0)).toBe(false);
  });

  test('keeps one account for a key', async ({ acme }) => {
    const [first, second] = await Promise.all([
      acme.addAccount(account('a', 'same')),
      acme.addAccount(account('b', 'same')),
    ]);
    expect(first.id).toBe(second.id);
    expect(await acme.findAccountByThumbprint('same')).toEqual(first);
    expect(await acme.findAccount(first.id)).toEqual(first);
    expect(await acme.findAccount('constructor')).toBe(null);
    expect(await acme.findAccountByThumbprint('__proto__')).toBe(null);
  });

  test('changes valid accounts only', async ({ acme }) => {
    await acme.addAccount(account('a'));
    const changed = await acme.updateAccount('a', { contact: ['mailto:a@b'], termsOfServiceAgreed: true });
    expect(changed).toEqual({ ...account('a'), contact: ['mailto:a@b'], termsOfServiceAgreed: true });
    expect((await acme.updateAccount('a', { status: 'deactivated' }))?.contact).toEqual(['mailto:a@b']);
    expect(await acme.updateAccount('a', { contact: [] })).toBe(null);
    expect(await acme.updateAccount('z', { contact: [] })).toBe(null);
    expect((await acme.findAccount('a'))?.status).toBe('deactivated');
  });

  test('changes a key once, to one that is free', async ({ acme }) => {
    await acme.addAccount(account('a'));
    await acme.addAccount(account('b'));
    const { jwk } = account('x', 'next');
    const to = { jwk, thumbprint: 'next' };
    expect(await acme.changeAccountKey('a', 'print-a', { jwk, thumbprint: 'print-b' })).toEqual({ conflict: 'b' });
    const outcomes = await Promise.all([1, 2].map(() => acme.changeAccountKey('a', 'print-a', to)));
    expect([...outcomes].sort()).toEqual(['changed', 'stale']);
    expect(await acme.findAccountByThumbprint('next')).toEqual({ ...account('a'), ...to });
    expect(await acme.findAccountByThumbprint('print-a')).toBe(null);
    expect(await acme.changeAccountKey('z', 'print-z', to)).toBe('stale');
  });

  test('settles an authorization once', async (store) => {
    const { acme } = store;
    await addOrder(store, 'o');
    expect(await acme.findAuthorization('p-o')).toEqual(part('p-o', 'o'));
    const base = { challengeId: 'c', at: T0 };
    const attestation = { chain: ['AAEC'], publicKeyHash: 'ab', properties: { serialNumber: 'C02' } };
    const settled = await Promise.all([
      acme.settleAuthorization('p-o', { ...base, status: 'valid', attestation }),
      acme.settleAuthorization('p-o', { ...base, status: 'valid', attestation }),
    ]);
    for (const one of settled) expect(one?.settlement).toEqual({ ...base, status: 'valid', attestation });
    expect((await acme.settleAuthorization('p-o', { ...base, status: 'invalid' }))?.settlement?.status).toBe('valid');
    expect((await acme.deactivateAuthorization('p-o'))?.deactivated).toBe(true);
    expect((await acme.findAuthorization('p-o'))?.deactivated).toBe(true);
    expect(await acme.settleAuthorization('none', { ...base, status: 'valid' })).toBe(null);
    expect(await acme.deactivateAuthorization('none')).toBe(null);
    await addOrder(store, 'q');
    await acme.deactivateAuthorization('p-q');
    expect((await acme.settleAuthorization('p-q', { ...base, status: 'valid' }))?.settlement).toBe(null);
  });

  test('lists the orders of an account, newest first', async (store) => {
    for (const id of ['1', '2', '3']) await addOrder(store, id);
    await addOrder(store, '4', 'b');
    expect((await store.acme.findOrders('a', 2)).map(({ id }) => id)).toEqual(['3', '2']);
    expect(await store.acme.findOrders('c', 2)).toEqual([]);
    expect(await store.acme.findOrder('4')).toEqual(order('4', 'b'));
    expect(await store.acme.findOrder('5')).toBe(null);
  });

  test('uses an identifier up with the first commit, and replays that for the same key', async (store) => {
    const { acme } = store;
    await acme.addIdentifier(identifier('one'));
    await acme.addIdentifier(identifier('late', { expiresAt: T0 + MINUTE }));
    for (const [id, owner] of [
      ['o', 'a'],
      ['p', 'a'],
      ['q', 'b'],
      ['r', 'a'],
    ] as const) {
      await addOrder(store, id, owner);
    }
    expect(await acme.findIdentifier('one', T0)).toEqual({ ...identifier('one'), usedBy: null });
    expect(await acme.findIdentifier('other', T0)).toBe(null);
    const first = await commit(store, 'o', ['one']);
    const { certificate: der } = certificate('cert-o-key');
    expect(first).toEqual({ outcome: 'issued', certificateId: 'cert-o-key', certificate: der });
    expect(await acme.findOrder('o')).toMatchObject({ certificateId: 'cert-o-key', publicKeyHash: 'key' });
    expect(await acme.findIdentifier('one', T0)).toEqual({ ...identifier('one'), usedBy: 'a' });
    expect(await store.certificates.get('cert-o-key')).toMatchObject({ status: 'issued' });
    expect(await acme.findIssuance('cert-o-key')).toEqual({ orderId: 'o', accountId: 'a' });
    expect(await commit(store, 'o', ['one'])).toEqual({ ...first, outcome: 'replayed' });
    expect(await commit(store, 'p', ['one'])).toEqual({ ...first, outcome: 'replayed' });
    expect(await acme.findOrder('p')).toMatchObject({ certificateId: 'cert-o-key' });
    expect(await acme.findIssuance('cert-o-key')).toEqual({ orderId: 'o', accountId: 'a' });
    expect(await commit(store, 'o', ['one'], 'another')).toEqual({ outcome: 'order-used' });
    expect(await commit(store, 'r', ['one'], 'another')).toEqual({ outcome: 'identifier-used' });
    expect(await commit(store, 'q', ['one'], 'key', 'b')).toEqual({ outcome: 'identifier-used' });
    expect(await commit(store, 'q', ['unknown'], 'key', 'b')).toEqual({ outcome: 'identifier-used' });
    expect(await commit(store, 'none', ['one'])).toEqual({ outcome: 'order-used' });
    expect((await acme.findOrder('q'))?.certificateId).toBe(null);
    expect(await acme.findIdentifier('late', T0 + MINUTE)).toBe(null);
    expect(await commit(store, 'r', ['late'], 'key', 'a', T0 + MINUTE)).toEqual({ outcome: 'identifier-used' });
    // What is used does not expire: the answer may have been lost.
    expect(await acme.findIdentifier('one', T0 + 9 * HOUR)).toMatchObject({ usedBy: 'a' });
    expect(await eventTypes(store)).toEqual(['certificate.issued']);
    expect((await store.certificates.list({}, { limit: 10 })).items.length).toBe(1);
  });

  test('lets one of many commits at once win', async (store) => {
    await store.acme.addIdentifier(identifier('one'));
    const ids = ['1', '2', '3', '4'];
    for (const id of ids) await addOrder(store, id);
    const outcomes = await Promise.all(ids.map((id) => commit(store, id, ['one'], `key ${id}`)));
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual([
      ...['identifier-used', 'identifier-used', 'identifier-used', 'issued'],
    ]);
    expect((await store.certificates.list({}, { limit: 10 })).items.length).toBe(1);
  });

  test('keeps an order that waits, unless it has its certificate', async (store) => {
    await addOrder(store, 'o');
    const held = { id: 'o', sealed: bytes('with a request'), expires: T0 + 9 * HOUR };
    expect(await store.acme.holdOrder(held)).toBe(true);
    expect(await store.acme.holdOrder({ ...held, id: 'none' })).toBe(false);
    expect(await store.acme.findOrder('o')).toEqual({ ...order('o'), ...held });
    await store.acme.prune({ at: T0 + 2 * HOUR, idleBefore: T0, limit: 10 });
    expect((await store.acme.findAuthorization('p-o'))?.orderId).toBe('o');
    expect((await commit(store, 'o', [])).outcome).toBe('issued');
    expect(await store.acme.holdOrder({ ...held, sealed: bytes('late') })).toBe(false);
    expect((await store.acme.findOrder('o'))?.sealed).toEqual(bytes('with a request'));
  });

  test('gives the same order no second certificate, also without identifiers', async (store) => {
    await addOrder(store, 'o');
    const outcomes = await Promise.all([commit(store, 'o', [], 'k'), commit(store, 'o', [], 'k')]);
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['issued', 'replayed']);
    expect(await commit(store, 'o', [], 'other')).toEqual({ outcome: 'order-used' });
    expect(await store.acme.findIssuance('none')).toBe(null);
  });

  test('forgets what led to a certificate together with it', async (store) => {
    const { acme, certificates } = store;
    await acme.addAccount(account('a'));
    await acme.addIdentifier(identifier('one'));
    await addOrder(store, 'o');
    await commit(store, 'o', ['one']);
    const scep = { challengeHash: null, transactionId: 't', publicKeyHash: 'k', at: T0 };
    await certificates.commitScep({ ...scep, certificate: certificate('scep'), event: event('certificate.issued') });
    expect(await certificates.purge({ before: T0 + HOUR, limit: 10 })).toBe(0);
    expect(await certificates.purge({ before: T0 + HOUR + 1, limit: 10 })).toBe(2);
    expect(await acme.findIdentifier('one', T0)).toBe(null);
    expect(await acme.findOrder('o')).toBe(null);
    expect(await acme.findAuthorization('p-o')).toBe(null);
    expect(await acme.findIssuance('cert-o-key')).toBe(null);
    expect(await certificates.findTransaction('t', 'k')).toBe(null);
    expect((await acme.findAccount('a'))?.id).toBe('a');
  });

  test('forgets what expired and what nobody used, and keeps what has a certificate', async (store) => {
    const { acme } = store;
    for (const id of ['idle', 'ordering', 'proven']) await acme.addAccount(account(id));
    for (const hash of ['unused', 'used']) await acme.addIdentifier(identifier(hash));
    await acme.addNonce('n', T0 + HOUR);
    await addOrder(store, 'done', 'proven');
    await commit(store, 'done', ['used'], 'key', 'proven');
    await addOrder(store, 'open', 'proven');
    await addOrder(store, 'later', 'ordering', T0 + 9 * HOUR);
    expect(await acme.prune({ at: T0 + HOUR - 1, idleBefore: T0, limit: 10 })).toBe(0);
    expect(await acme.prune({ at: T0 + HOUR, idleBefore: T0 + 1, limit: 10 })).toBe(1);
    expect(await acme.prune({ at: T0 + HOUR, idleBefore: T0 + 1, limit: 10 })).toBe(0);
    expect(await acme.takeNonce('n', T0)).toBe(false);
    expect(await acme.findIdentifier('unused', T0)).toBe(null);
    expect(await acme.findOrder('open')).toBe(null);
    expect(await acme.findAuthorization('p-open')).toBe(null);
    expect(await acme.findAccount('idle')).toBe(null);
    expect(await acme.findAccountByThumbprint('print-idle')).toBe(null);
    expect((await acme.findAccount('ordering'))?.id).toBe('ordering');
    expect((await acme.findAccount('proven'))?.id).toBe('proven');
    expect(await acme.findIdentifier('used', T0)).toMatchObject({ usedBy: 'proven' });
    expect((await acme.findOrder('done'))?.certificateId).toBe('cert-done-key');
    expect((await acme.findAuthorization('p-done'))?.id).toBe('p-done');
  });
}
