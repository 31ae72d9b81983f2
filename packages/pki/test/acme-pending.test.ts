// ACME over an authority that takes its time: the order is processing, and completed when the client asks again.
import { describe, expect, it } from 'vitest';
import {
  type CertificateAuthority,
  createMemoryAcmeStore,
  fingerprintSha256,
  fromPem,
  PkiError,
  readCertificate,
} from '../src/index.ts';
import { b64, csrOf, enrol, type Fixture, fixture, newKeys } from './acme-support.ts';
import { now, testCa } from './support.ts';

type Mood = 'pending' | 'ready' | 'refusing';

/** A server over an authority in a mood, with a clock that moves. */
async function slow(): Promise<Fixture & { mood: Mood; time: number; asked: number; identifier(): string }> {
  const { ca } = await testCa({ type: 'ec', curve: 'P-256' });
  const state = { mood: 'pending' as Mood, time: now, asked: 0 };
  const behind: CertificateAuthority = {
    ...ca,
    async issue(request) {
      state.asked += 1;
      if (state.mood === 'pending') throw new PkiError('pki.ca.pending', 'wait', { kind: 'unavailable' });
      if (state.mood === 'refusing') throw new PkiError('pki.ca.refused', 'not this one', { kind: 'invalid' });
      return await ca.issue(request);
    },
  };
  const clock = () => state.time;
  const store = createMemoryAcmeStore({ clock, identifierTtlMs: 30 * 86_400_000 });
  const made = await fixture({ ca: behind, store, clock });
  const identifier = () => store.createIdentifier({ reference: 'r', subject: 'CN=device' });
  return Object.assign(state, made, { store, identifier });
}

describe('an order whose authority has not decided', () => {
  it('is processing, and gets its certificate later, once', async () => {
    const own = await slow();
    const { url, client, finalized, order, csr } = await enrol(own, own.identifier());
    expect(finalized.status, finalized.text).toBe(200);
    expect(finalized.body).toMatchObject({ status: 'processing' });
    expect(finalized.body.certificate).toBeUndefined();
    expect(Number(finalized.headers.get('retry-after'))).toBeGreaterThan(0);
    const again = await client.post(url, '');
    expect([again.body.status, again.headers.has('retry-after')]).toEqual(['processing', true]);

    // Long after the authorizations have ended.
    own.time += 3 * 86_400_000;
    client.nonce = null;
    expect((await client.post(url, '')).body.status).toBe('processing');
    const other = b64(await csrOf(await newKeys()));
    expect((await client.post(order.body.finalize, { csr: other })).body.type).toContain('orderNotReady');

    own.mood = 'ready';
    const done = await client.post(url, '');
    expect(done.body.status, done.text).toBe('valid');
    expect(done.headers.has('retry-after')).toBe(false);
    const chain = await client.post(done.body.certificate, '');
    const leaf = fromPem(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/.exec(chain.text)![0]);
    expect(readCertificate(leaf).subject).toBe('CN=device');
    const { asked } = own;
    expect((await client.post(url, '')).body).toEqual(done.body);
    expect((await client.post(order.body.finalize, { csr: b64(csr) })).body).toEqual(done.body);
    expect(own.asked).toBe(asked);
    expect(own.store.issued().map(({ certificate }) => fingerprintSha256(certificate))).toEqual([
      fingerprintSha256(leaf),
    ]);
    expect(own.events.map(({ type }) => type)).toEqual(expect.arrayContaining(['processing', 'issued']));
  });

  it('is completed by the same request as well', async () => {
    const own = await slow();
    const { client, order, csr } = await enrol(own, own.identifier());
    expect((await client.post(order.body.finalize, { csr: b64(csr) })).body.status).toBe('processing');
    own.mood = 'ready';
    expect((await client.post(order.body.finalize, { csr: b64(csr) })).body.status).toBe('valid');
  });

  it('is invalid when the authority refuses, with its reason, and when it waited too long', async () => {
    const own = await slow();
    const { url, client } = await enrol(own, own.identifier());
    own.mood = 'refusing';
    expect((await client.post(url, '')).body).toMatchObject({
      status: 'invalid',
      error: { type: 'urn:ietf:params:acme:error:badCSR', detail: 'not this one' },
    });
    own.mood = 'ready';
    own.time += 7 * 86_400_000;
    client.nonce = null;
    expect((await client.post(url, '')).body.status).toBe('invalid');
    expect(own.store.issued()).toEqual([]);
  });

  it('is an error of the server where the store keeps no such orders', async () => {
    const own = await slow();
    const { holdOrder: _, ...store } = own.store;
    const { ca } = await testCa({ type: 'ec', curve: 'P-256' });
    const issue = async () => {
      throw new PkiError('pki.ca.pending', 'wait', { kind: 'unavailable' });
    };
    const without = await fixture({ store, clock: () => own.time, ca: { ...ca, issue } }, own.apple);
    const { finalized } = await enrol(without, own.identifier());
    expect(finalized.status).toBeGreaterThanOrEqual(500);
  });
});
