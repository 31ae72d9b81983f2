// The suite: certificates, challenges, invitations, secrets.
import type { InvitationRecord } from '../contracts/invitations.ts';
import type { Store } from '../contracts/store.ts';
import {
  authenticate,
  bytes,
  certificate,
  command,
  drain,
  enqueue,
  enrol,
  event,
  eventTypes,
  HOUR,
  MINUTE,
  next,
  pinOf,
  T0,
  tokenUpdate,
} from './fixtures.ts';
import type { Suite } from './runner.ts';

async function addChallenge(store: Store, hash: string, invitationId: string | null = null): Promise<void> {
  await store.certificates.addChallenge({
    hash,
    invitationId,
    enrolmentId: null,
    subject: null,
    createdAt: T0,
    expiresAt: T0 + HOUR,
  });
}

function commit(
  store: Store,
  challengeHash: string | null,
  name: string,
  options: { at?: number; key?: string; invitation?: string } = {},
) {
  return store.certificates.commitScep({
    challengeHash,
    transactionId: `transaction-${options.key ?? name}`,
    publicKeyHash: `key-${options.key ?? name}`,
    certificate: certificate(name, { invitationId: options.invitation ?? null }),
    at: options.at ?? T0,
    event: event('certificate.issued'),
  });
}

function invitation(id: string, options: Partial<InvitationRecord> = {}): InvitationRecord {
  return {
    id,
    status: 'valid',
    note: `note ${id}`,
    createdAt: T0,
    expiresAt: T0 + HOUR,
    enrolmentId: null,
    sealed: bytes(`sealed ${id}`),
    pinHash: `pin ${id}`,
    tokenHash: `token ${id}`,
    ...options,
  };
}

const invite = (store: Store, record: InvitationRecord, at = T0) =>
  store.invitations.create(record, at, event('invitation.created'));

/** Registers the tests. */
export function identityTests({ test, expect }: Suite): void {
  test('a challenge is found until it expires', async (store) => {
    await addChallenge(store, 'h', 'inv');
    const found = {
      hash: 'h',
      invitationId: 'inv',
      enrolmentId: null,
      subject: null,
      createdAt: T0,
      expiresAt: T0 + HOUR,
    };
    expect(await store.certificates.findChallenge('h', T0)).toEqual(found);
    expect(await store.certificates.findChallenge('h', T0 + HOUR)).toBe(null);
    expect(await store.certificates.findChallenge('other', T0)).toBe(null);
  });

  test('a challenge pays for one certificate', async (store) => {
    await addChallenge(store, 'h');
    expect(await commit(store, 'h', 'one')).toEqual({ outcome: 'issued', certificate: bytes('certificate one') });
    expect(await store.certificates.findChallenge('h', T0)).toBe(null);
    expect(await commit(store, 'h', 'two')).toEqual({ outcome: 'challenge-used' });
    expect(await store.certificates.get('two')).toBe(null);
    expect(await store.certificates.findTransaction('transaction-two', 'key-two')).toBe(null);
    expect(await eventTypes(store)).toEqual(['certificate.issued']);
  });

  test('of many requests with one challenge at once, one gets a certificate', async (store) => {
    await addChallenge(store, 'h');
    const outcomes = await Promise.all(Array.from({ length: 10 }, (_, i) => commit(store, 'h', `c${i}`)));
    expect(outcomes.filter((outcome) => outcome.outcome === 'issued').length).toBe(1);
    expect((await store.certificates.list({}, { limit: 20 })).items.length).toBe(1);
  });

  test('an expired challenge pays for nothing', async (store) => {
    await addChallenge(store, 'h');
    expect(await commit(store, 'h', 'one', { at: T0 + HOUR })).toEqual({ outcome: 'challenge-used' });
  });

  test('a repeated transaction gets the certificate of the first time', async (store) => {
    await addChallenge(store, 'h');
    await commit(store, 'h', 'one');
    expect(await store.certificates.findTransaction('transaction-one', 'key-one')).toEqual(bytes('certificate one'));
    expect(await store.certificates.findTransaction('transaction-one', 'another key')).toBe(null);
    expect(await commit(store, 'h', 'again', { key: 'one' })).toEqual({
      outcome: 'replayed',
      certificate: bytes('certificate one'),
    });
    expect(await store.certificates.get('again')).toBe(null);
  });

  test('a renewal needs no challenge', async (store) => {
    expect(await commit(store, null, 'one')).toMatchObject({ outcome: 'issued' });
  });

  test('registers certificates that came another way, once', async (store) => {
    await store.certificates.register(certificate('one'), event('certificate.issued'));
    await store.certificates.register(certificate('one', { invitationId: 'inv' }), event('certificate.issued'));
    const fresh = { status: 'issued', revokedAt: null, revocationReason: null, renewalAt: null };
    expect(await store.certificates.get('one')).toEqual({ ...certificate('one'), ...fresh });
    expect(await eventTypes(store)).toEqual(['certificate.issued']);
  });

  test('at enrolment a certificate comes into force, and the earlier one is superseded', async (store) => {
    for (const name of ['one', 'two']) {
      await addChallenge(store, name);
      await commit(store, name, name);
    }
    await authenticate(store, 'A', { pin: 'one' });
    expect(await store.certificates.get('one')).toMatchObject({ enrolmentId: 'A', status: 'issued' });
    await tokenUpdate(store, 'A', { pin: 'one' });
    expect(await store.certificates.get('one')).toMatchObject({ status: 'in-force' });
    expect(await authenticate(store, 'B', { pin: 'one' })).toMatchObject({ reason: 'pinned-elsewhere' });
    await authenticate(store, 'A', { pin: 'two' });
    await tokenUpdate(store, 'A', { pin: 'two' });
    const { items } = await store.certificates.list({ enrolmentId: 'A' }, { limit: 10 });
    expect(items.map((item) => [item.fingerprint, item.status])).toEqual([
      ['two', 'in-force'],
      ['one', 'superseded'],
    ]);
    expect(await authenticate(store, 'A', { pin: 'one' })).toMatchObject({ reason: 'superseded' });
    expect(await authenticate(store, 'B', { pin: 'one' })).toMatchObject({ outcome: 'identity-mismatch' });
  });

  test('a revoked certificate does not enrol', async (store) => {
    await store.certificates.register(certificate('one'), event('certificate.issued'));
    const revoke = (fingerprint: string) =>
      store.certificates.revoke({ fingerprint, reason: 'superseded', at: T0, event: event('certificate.revoked') });
    expect(await revoke('one')).toBe('revoked');
    expect(await revoke('one')).toBe('already-revoked');
    expect(await revoke('other')).toBe('unknown');
    expect(await authenticate(store, 'A', { pin: 'one' })).toEqual({ outcome: 'identity-mismatch', reason: 'revoked' });
  });

  test('lists certificates newest first, page by page', async (store) => {
    for (const name of ['a', 'c', 'b'])
      await store.certificates.register(certificate(name), event('certificate.issued'));
    const first = await store.certificates.list({}, { limit: 2 });
    expect(first.items.map((item) => item.fingerprint)).toEqual(['b', 'c']);
    const second = await store.certificates.list({}, { limit: 2, after: first.next ?? '' });
    expect(second.items.map((item) => item.fingerprint)).toEqual(['a']);
    expect(second.next).toBe(null);
  });

  test('prunes expired challenges', async (store) => {
    await addChallenge(store, 'h');
    expect(await store.certificates.prune({ before: T0 + HOUR, limit: 10 })).toBe(0);
    expect(await store.certificates.prune({ before: T0 + HOUR + 1, limit: 10 })).toBe(1);
  });

  test('invitations are found by id, token and PIN', async (store) => {
    expect(await invite(store, invitation('i'))).toBe('created');
    expect(await store.invitations.get('i')).toEqual(invitation('i'));
    expect(await store.invitations.findByToken('token i')).toEqual(invitation('i'));
    expect(await store.invitations.findByPin('pin i')).toEqual(invitation('i'));
    expect(await store.invitations.findByPin('token i')).toBe(null);
    expect(await eventTypes(store)).toEqual(['invitation.created']);
  });

  test('a live PIN is unique; a dead one may be used again', async (store) => {
    await invite(store, invitation('i', { pinHash: 'p' }));
    expect(await invite(store, invitation('j', { pinHash: 'p' }))).toBe('pin-taken');
    expect(await store.invitations.get('j')).toBe(null);
    const later = invitation('k', { pinHash: 'p', createdAt: T0 + HOUR, expiresAt: T0 + 2 * HOUR });
    expect(await invite(store, later, T0 + HOUR)).toBe('created');
    expect((await store.invitations.findByPin('p'))?.id).toBe('k');
    await store.invitations.revoke('k');
    expect(await invite(store, invitation('l', { pinHash: 'p', expiresAt: T0 + 3 * HOUR }), T0 + HOUR)).toBe('created');
  });

  test('of many invitations with one PIN at once, one is made', async (store) => {
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, i) => invite(store, invitation(`i${i}`, { pinHash: 'p' }))),
    );
    expect(outcomes.filter((outcome) => outcome === 'created').length).toBe(1);
  });

  test('the first TokenUpdate consumes the invitation that the certificate was issued for', async (store) => {
    await invite(store, invitation('i'));
    await addChallenge(store, 'h', 'i');
    await commit(store, 'h', 'one', { invitation: 'i' });
    await authenticate(store, 'A', { pin: 'one' });
    expect(await store.enrolments.get('A')).toMatchObject({ invitationId: 'i' });
    expect(await store.invitations.get('i')).toMatchObject({ status: 'valid', enrolmentId: null });
    await tokenUpdate(store, 'A', { pin: 'one' });
    expect(await store.invitations.get('i')).toMatchObject({ status: 'consumed', enrolmentId: 'A' });
    expect((await eventTypes(store)).filter((type) => type === 'invitation.consumed').length).toBe(1);
    expect(await store.invitations.revoke('i')).toBe(false);
  });

  test('invitations expire in the sweep, and are listed newest first', async (store) => {
    for (const id of ['a', 'c', 'b']) await invite(store, invitation(id));
    await store.invitations.revoke('c');
    expect(await store.invitations.revoke('c')).toBe(false);
    expect(await store.invitations.sweep({ at: T0 + HOUR - 1, limit: 10 })).toBe(0);
    expect(await store.invitations.sweep({ at: T0 + HOUR, limit: 10 })).toBe(2);
    const first = await store.invitations.list({ limit: 2 });
    expect(first.items.map((item) => [item.id, item.status])).toEqual([
      ['b', 'expired'],
      ['c', 'revoked'],
    ]);
    const second = await store.invitations.list({ limit: 2, after: first.next ?? '' });
    expect(second.items.map((item) => item.id)).toEqual(['a']);
  });

  test('secrets are put, overwritten, read and deleted by scope and name', async (store) => {
    await store.secrets.put({ scope: 's', name: 'n', blob: bytes('one'), at: T0 });
    await store.secrets.put({ scope: 's', name: 'n', blob: bytes('two'), at: T0 });
    expect(await store.secrets.get('s', 'n')).toEqual(bytes('two'));
    expect(await store.secrets.get('n', 's')).toBe(null);
    expect(await store.secrets.delete('s', 'n')).toBe(true);
    expect(await store.secrets.delete('s', 'n')).toBe(false);
  });

  test('every sealed value is listed and can be resealed, unless it changed', async (store) => {
    await enrol(store, 'A');
    await store.secrets.put({ scope: 'A', name: 'n', blob: bytes('secret'), at: T0 });
    await invite(store, invitation('i'));
    const order = {
      id: 'o',
      accountId: 'a',
      authorizations: [],
      expires: T0,
      certificateId: null,
      publicKeyHash: null,
    };
    await store.acme.addOrder({ ...order, sealed: bytes('identifiers') }, []);
    const sealed = { bytes: bytes('sealed body'), sealed: true };
    await enqueue(store, ['A'], [command('c1', { body: sealed }), command('plain')]);
    await next(store, 'A');
    await store.queue.poll({
      enrolmentId: 'A',
      certificateFingerprint: pinOf('A'),
      at: T0,
      backoff: { baseMs: MINUTE, maxMs: HOUR },
      result: { commandUuid: 'c1', status: 'acknowledged', response: sealed, errorChain: [], event: null },
    });
    await drain(store, 'A');
    const refs: string[] = [];
    let after: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof store.secrets.sealed>> = await store.secrets.sealed(
        after === null ? { limit: 2 } : { limit: 2, after },
      );
      for (const { ref, blob } of page.items) {
        refs.push(JSON.stringify([ref.kind, ...ref.key]));
        expect(await store.secrets.reseal({ ref, expected: bytes('other'), blob: bytes('new') })).toBe(false);
        expect(await store.secrets.reseal({ ref, expected: blob, blob: bytes(`new ${ref.kind}`) })).toBe(true);
      }
      after = page.next;
    } while (after !== null);
    expect(refs.sort()).toEqual([
      '["acme-order","o"]',
      '["command","c1"]',
      '["invitation","i"]',
      '["push-magic","A"]',
      '["response","A","c1"]',
      '["secret","A","n"]',
    ]);
    expect(await store.secrets.get('A', 'n')).toEqual(bytes('new secret'));
    expect((await store.invitations.get('i'))?.sealed).toEqual(bytes('new invitation'));
    expect((await store.acme.findOrder('o'))?.sealed).toEqual(bytes('new acme-order'));
    expect(await store.queue.body('c1')).toEqual({ bytes: bytes('new command'), sealed: true });
    expect((await store.queue.get('A', 'c1'))?.response).toEqual({ bytes: bytes('new response'), sealed: true });
    await store.push.request({ enrolmentIds: ['A'], at: T0 });
    const [target] = await store.push.claim({ lease: 'me', at: T0, leaseMs: MINUTE, limit: 1 });
    expect(target?.pushMagic).toEqual(bytes('new push-magic'));
  });
}
