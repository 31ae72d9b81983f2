// What every ACME store must do, run on the one in memory.
import { describe, expect, it } from 'vitest';
import {
  type AcmeAccount,
  type AcmeAuthorization,
  type AcmeCommit,
  type AcmeOrder,
  type AcmeStore,
  createMemoryAcmeStore,
  type MemoryAcmeStore,
} from '../src/index.ts';
import { now } from './support.ts';

const accountOf = (id: string, thumbprint = `print-${id}`): AcmeAccount => ({
  ...{ id, thumbprint, status: 'valid', contact: [], termsOfServiceAgreed: false, createdAt: now },
  jwk: { kty: 'OKP', crv: 'Ed25519', x: thumbprint },
});
const partOf = (id: string, orderId: string, accountId = 'a'): AcmeAuthorization => ({
  ...{ id, orderId, accountId, identifier: { type: 'permanent-identifier', value: 'one' }, challenges: [] },
  ...{ expires: now + 1000, deactivated: false, settlement: null },
});
const orderOf = (id: string, accountId = 'a'): AcmeOrder => ({
  ...{ id, accountId, identifiers: [{ type: 'permanent-identifier', value: 'one' }], authorizations: [`p-${id}`] },
  ...{ expires: now + 1000, certificateId: null, publicKeyHash: null },
});
const commitOf = (orderId: string, value: string, key = 'key', accountId = 'a'): AcmeCommit => ({
  ...{ orderId, accountId, publicKeyHash: key, certificateId: `cert-${orderId}-${key}` },
  consumes: value === '' ? [] : [{ type: 'permanent-identifier', value }],
  ...{ certificate: Uint8Array.of(orderId.charCodeAt(0), key.length), grant: { reference: 'r' } },
});

/** Runs the contract on stores that `make` makes; `invite` gives out an identifier that lives for `ttlMs`. */
function acmeStoreContract(
  name: string,
  make: (clock: () => number) => { store: AcmeStore; invite(value: string, ttlMs: number): Promise<void> },
): void {
  describe(`${name} as an ACME store`, () => {
    it('takes a nonce once, and not too late', async () => {
      let time = now;
      const { store } = make(() => time);
      await store.addNonce('n1', now + 1000);
      await store.addNonce('n2', now + 1000);
      const taken = await Promise.all([1, 2, 3].map(() => store.takeNonce('n1')));
      expect(taken.filter(Boolean).length).toBe(1);
      time += 1000;
      expect(await store.takeNonce('n2')).toBe(false);
      for (const unknown of ['', 'n3', '__proto__', 'constructor']) expect(await store.takeNonce(unknown)).toBe(false);
    });

    it('keeps one account for a key', async () => {
      const { store } = make(() => now);
      const [first, second] = await Promise.all([
        store.addAccount(accountOf('a', 'same')),
        store.addAccount(accountOf('b', 'same')),
      ]);
      expect(first!.id).toBe(second!.id);
      expect(await store.findAccountByThumbprint('same')).toEqual(first);
      expect(await store.findAccount(first!.id)).toEqual(first);
      expect(await store.findAccount('constructor')).toBeNull();
      expect(await store.findAccountByThumbprint('__proto__')).toBeNull();
    });

    it('changes valid accounts only', async () => {
      const { store } = make(() => now);
      await store.addAccount(accountOf('a'));
      const changed = await store.updateAccount('a', { contact: ['mailto:a@b'], termsOfServiceAgreed: true });
      expect(changed).toMatchObject({ contact: ['mailto:a@b'], termsOfServiceAgreed: true, status: 'valid' });
      expect((await store.updateAccount('a', { status: 'deactivated' }))?.contact).toEqual(['mailto:a@b']);
      expect(await store.updateAccount('a', { contact: [] })).toBeNull();
      expect(await store.updateAccount('z', { contact: [] })).toBeNull();
      expect((await store.findAccount('a'))?.status).toBe('deactivated');
    });

    it('changes a key once, to one that is free', async () => {
      const { store } = make(() => now);
      await store.addAccount(accountOf('a'));
      await store.addAccount(accountOf('b'));
      const { jwk } = accountOf('x', 'next');
      const to = { jwk, thumbprint: 'next' };
      expect(await store.changeAccountKey('a', 'print-a', { jwk, thumbprint: 'print-b' })).toEqual({ conflict: 'b' });
      const outcomes = await Promise.all([1, 2].map(() => store.changeAccountKey('a', 'print-a', to)));
      expect(outcomes).toEqual(['changed', 'stale']);
      expect((await store.findAccountByThumbprint('next'))?.id).toBe('a');
      expect(await store.findAccountByThumbprint('print-a')).toBeNull();
    });

    it('settles an authorization once', async () => {
      const { store } = make(() => now);
      await store.addOrder(orderOf('o'), [partOf('p-o', 'o')]);
      const base = { challengeId: 'c', at: now };
      const settled = await Promise.all([
        store.settleAuthorization('p-o', { ...base, status: 'valid' }),
        store.settleAuthorization('p-o', { ...base, status: 'invalid' }),
      ]);
      expect(settled[0]?.settlement?.status).toBe('valid');
      expect(settled[1]?.settlement?.status).toBe('valid');
      expect((await store.deactivateAuthorization('p-o'))?.deactivated).toBe(true);
      expect((await store.findAuthorization('p-o'))?.deactivated).toBe(true);
      expect(await store.settleAuthorization('none', { ...base, status: 'valid' })).toBeNull();
      expect(await store.deactivateAuthorization('none')).toBeNull();
      await store.addOrder(orderOf('q'), [partOf('p-q', 'q')]);
      await store.deactivateAuthorization('p-q');
      expect((await store.settleAuthorization('p-q', { ...base, status: 'valid' }))?.settlement).toBeNull();
    });

    it('lists the orders of an account, newest first', async () => {
      const { store } = make(() => now);
      for (const id of ['1', '2', '3']) await store.addOrder(orderOf(id), [partOf(`p-${id}`, id)]);
      await store.addOrder(orderOf('4', 'b'), [partOf('p-4', '4', 'b')]);
      expect((await store.findOrders('a', 2)).map(({ id }) => id)).toEqual(['3', '2']);
      expect(await store.findOrders('c', 2)).toEqual([]);
    });

    it('uses an identifier up with the first commit, and replays that for the same key', async () => {
      let time = now;
      const { store, invite } = make(() => time);
      await invite('one', 1000);
      await invite('late', 1000);
      for (const [id, account] of [
        ['o', 'a'],
        ['p', 'a'],
        ['q', 'b'],
        ['r', 'a'],
      ] as const) {
        await store.addOrder(orderOf(id, account), [partOf(`p-${id}`, id, account)]);
      }
      const identifier = { type: 'permanent-identifier', value: 'one' };
      expect(await store.findIdentifier(identifier)).toMatchObject({ usedBy: null });
      expect(await store.findIdentifier({ type: 'hardware-module', value: 'one' })).toBeNull();
      const first = await store.commit(commitOf('o', 'one'));
      expect(first).toMatchObject({ outcome: 'issued', certificateId: 'cert-o-key' });
      expect(await store.findOrder('o')).toMatchObject({ certificateId: 'cert-o-key', publicKeyHash: 'key' });
      expect(await store.findIdentifier(identifier)).toMatchObject({ usedBy: 'a' });
      expect(await store.commit(commitOf('o', 'one'))).toEqual({ ...first, outcome: 'replayed' });
      expect(await store.commit(commitOf('p', 'one'))).toEqual({ ...first, outcome: 'replayed' });
      expect(await store.findOrder('p')).toMatchObject({ certificateId: 'cert-o-key' });
      expect(await store.commit(commitOf('o', 'one', 'another'))).toEqual({ outcome: 'order-used' });
      expect(await store.commit(commitOf('r', 'one', 'another'))).toEqual({ outcome: 'identifier-used' });
      expect(await store.commit(commitOf('q', 'one', 'key', 'b'))).toEqual({ outcome: 'identifier-used' });
      expect(await store.commit(commitOf('q', 'unknown', 'key', 'b'))).toEqual({ outcome: 'identifier-used' });
      expect((await store.findOrder('q'))?.certificateId).toBeNull();
      time += 1000;
      expect(await store.findIdentifier({ type: 'permanent-identifier', value: 'late' })).toBeNull();
      expect(await store.commit(commitOf('r', 'late'))).toEqual({ outcome: 'identifier-used' });
      // What is used does not expire: the answer may have been lost.
      expect(await store.findIdentifier(identifier)).toMatchObject({ usedBy: 'a' });
    });

    it('lets one of many commits at once win', async () => {
      const { store, invite } = make(() => now);
      await invite('one', 1000);
      const ids = ['1', '2', '3', '4'];
      for (const id of ids) await store.addOrder(orderOf(id), [partOf(`p-${id}`, id)]);
      const outcomes = await Promise.all(ids.map((id) => store.commit(commitOf(id, 'one', `key ${id}`))));
      expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual([
        ...['identifier-used', 'identifier-used', 'identifier-used', 'issued'],
      ]);
    });

    it('revokes a certificate once', async () => {
      const { store } = make(() => now);
      await store.addOrder(orderOf('o'), [partOf('p-o', 'o')]);
      await store.commit(commitOf('o', ''));
      expect(await store.findCertificate('cert-o-key')).toMatchObject({ accountId: 'a', orderId: 'o', revoked: null });
      const revoked = await Promise.all([1, 2].map(() => store.revokeCertificate('cert-o-key', 'superseded', now)));
      expect(revoked).toEqual([true, false]);
      expect((await store.findCertificate('cert-o-key'))?.revoked).toEqual({ reason: 'superseded', at: now });
      expect(await store.revokeCertificate('none', 'superseded', now)).toBe(false);
      expect(await store.findCertificate('none')).toBeNull();
    });
  });
}

acmeStoreContract('the store in memory', (clock) => {
  const store = createMemoryAcmeStore({ clock });
  return {
    store,
    invite: async (value, ttlMs) => void store.createIdentifier({ reference: 'r' }, { value, ttlMs }),
  };
});

describe('the store in memory', () => {
  it('stays within its bounds, and keeps what has a certificate', async () => {
    const store: MemoryAcmeStore = createMemoryAcmeStore({ clock: () => now, maxEntries: 10 });
    await store.addAccount(accountOf('kept'));
    await store.addOrder(orderOf('kept', 'kept'), [partOf('p-kept', 'kept', 'kept')]);
    await store.commit(commitOf('kept', '', 'key', 'kept'));
    for (let i = 0; i < 50; i++) {
      await store.addNonce(`n${i}`, now + 1000);
      await store.addAccount(accountOf(`a${i}`));
      await store.addOrder(orderOf(`o${i}`), [partOf(`p-o${i}`, `o${i}`)]);
    }
    expect(await store.takeNonce('n39')).toBe(false);
    expect(await store.takeNonce('n40')).toBe(true);
    expect(await store.findAccount('a39')).toBeNull();
    expect(await store.findAccountByThumbprint('print-a39')).toBeNull();
    expect(await store.findAccount('a40')).not.toBeNull();
    expect(await store.findOrder('o39')).toBeNull();
    expect(await store.findAuthorization('p-o39')).toBeNull();
    expect(await store.findOrder('o40')).not.toBeNull();
    expect(await store.findOrder('kept')).not.toBeNull();
    expect(await store.findAccount('kept')).not.toBeNull();
    expect(store.issued().length).toBe(1);
  });

  it('makes identifiers that nobody guesses', () => {
    const store = createMemoryAcmeStore({ clock: () => now });
    const made = new Set(Array.from({ length: 100 }, () => store.createIdentifier({ reference: 'r' })));
    expect(made.size).toBe(100);
    for (const identifier of made) expect(identifier).toMatch(/^[\w-]{32}$/);
  });
});
