// The simulated device's ACME client at a real host: an authority that takes its time, nonces that were used, refusals.
import { createEngine, createKeyRing, createMemoryStore, type Engine } from '@espalier/core';
import { createHost, type Host } from '@espalier/host';
import { type CertificateAuthority, createRootCa, openCa, PkiError, readCertificate } from '@espalier/pki';
import { createSimulatedAttestation, createSimulatedDevice, type SimulatedDevice } from '@espalier/simulator';
import { beforeAll, describe, expect, it } from 'vitest';

const START = Date.UTC(2026, 0, 15, 12);
const ORIGIN = 'https://mdm.example.com';
const clock = { now: () => START };

let root: CertificateAuthority;
let attestation: Awaited<ReturnType<typeof createSimulatedAttestation>>;
beforeAll(async () => {
  const made = await createRootCa({ subject: 'CN=Test root', key: { type: 'rsa', bits: 2048 }, clock });
  root = await openCa({ ...made, clock });
  attestation = await createSimulatedAttestation({ clock });
});

interface World {
  readonly engine: Engine;
  readonly host: Host;
  readonly pauses: number[];
  /** Requests to ACME: method and path without ids. */
  readonly requests: string[];
  enrol(through?: (request: Request, next: Host['fetch']) => Promise<Response>): Promise<SimulatedDevice>;
}

/** A host over an authority that answers as `moods` say, one mood a request, the last one for ever. */
async function world(moods: readonly ('pending' | 'ready' | 'refusing')[] = ['ready']): Promise<World> {
  let asked = 0;
  const ca: CertificateAuthority = {
    ...root,
    async issue(request) {
      const mood = moods[Math.min(asked++, moods.length - 1)];
      if (mood === 'ready') return await root.issue(request);
      if (mood === 'refusing') throw new PkiError('pki.ca.refused', 'not this one', { kind: 'invalid' });
      throw new PkiError('pki.ca.pending', 'wait', { kind: 'unavailable' });
    },
  };
  const keys = createKeyRing({ current: { id: 'test', key: new Uint8Array(32).fill(1) } });
  const engine = createEngine({ store: createMemoryStore(), keys, clock });
  const host = createHost({
    engine,
    ca,
    identity: { anchors: [ca.certificate] },
    profile: {
      ...{ organisation: 'Example', topic: 'com.apple.mgmt.External.test', sign: (bytes) => bytes },
      identity: 'acme',
    },
    publicUrl: ORIGIN,
    acme: { roots: [attestation.root] },
  });
  const pauses: number[] = [];
  const requests: string[] = [];
  return {
    engine,
    host,
    pauses,
    requests,
    async enrol(through = (request, next) => next(request)) {
      const device = createSimulatedDevice({
        ...{ kind: 'iPhone', seed: 'acme', clock, attestation, retry: { attempts: 3 } },
        fetch: (request) => {
          const { pathname } = new URL(request.url);
          if (pathname.startsWith('/acme/')) requests.push(`${request.method} ${pathname.split('/')[2]}`);
          return through(request, host.fetch);
        },
        sleep: async (ms) => {
          pauses.push(ms);
        },
      });
      const { token } = await engine.enrolling.invite();
      await device.enrol(`${ORIGIN}/enrol/${token}`);
      return device;
    },
  };
}

const problem = (status: number, type: string, headers: Record<string, string>): Response =>
  new Response(JSON.stringify({ type: `urn:ietf:params:acme:error:${type}` }), {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  });

describe('an authority that takes its time', () => {
  it('has the device wait as long as the server says, and look again until the certificate is there', async () => {
    const to = await world(['pending', 'pending', 'pending', 'ready']);
    const device = await to.enrol();
    expect(device.phase).toBe('enrolled');
    expect(to.pauses).toEqual([30_000, 30_000, 30_000]);
    expect((await to.engine.certificates.list()).items).toMatchObject([{ status: 'in-force' }]);
    expect((await device.poll()).ended).toBe('idle');
  });

  it('that refuses in the end leaves the device with the reason', async () => {
    const to = await world(['pending', 'refusing']);
    await expect(to.enrol()).rejects.toMatchObject({
      code: 'simulator.acme',
      message: expect.stringContaining('not this one'),
    });
    expect(to.pauses).toEqual([30_000]);
  });

  it('is not waited for without end', async () => {
    const to = await world(['pending']);
    await expect(to.enrol()).rejects.toMatchObject({
      code: 'simulator.acme',
      message: expect.stringContaining('waiting: processing'),
    });
    expect(to.pauses).toHaveLength(10);
  });

  it('may name a date, or nothing, or nonsense', async () => {
    const given = [new Date(START + 90_000).toUTCString(), null, 'soon', '0', '99999999'];
    const to = await world([...given.map(() => 'pending' as const), 'ready']);
    await to.enrol(async (request, next) => {
      const answer = await next(request);
      if (answer.headers.has('retry-after')) {
        const value = given.shift();
        if (value == null) answer.headers.delete('retry-after');
        else answer.headers.set('retry-after', value);
      }
      return answer;
    });
    expect(to.pauses).toEqual([90_000, 5_000, 5_000, 1_000, 600_000]);
  });
});

describe('nonces', () => {
  it('come with each answer: only the first is asked for', async () => {
    const to = await world();
    await to.enrol();
    expect(to.requests.filter((line) => line === 'HEAD new-nonce')).toHaveLength(1);
  });

  it('that were used before are replaced by the one of the refusal', async () => {
    const to = await world();
    const used: number[] = [];
    await to.enrol(async (request, next) => {
      if (request.method !== 'POST' || !request.url.includes('/acme/')) return next(request);
      // Somebody in between sends each third request twice, and the device sees the second answer.
      const again = request.clone();
      const answer = await next(request);
      if (used.push(answer.status) % 3 !== 0) return answer;
      const second = await next(again);
      expect(await second.clone().json()).toMatchObject({ type: 'urn:ietf:params:acme:error:badNonce' });
      return second;
    });
    expect(to.requests.filter((line) => line === 'HEAD new-nonce')).toHaveLength(1);
    expect((await to.engine.certificates.list()).items).toMatchObject([{ status: 'in-force' }]);
  });

  it('that are never good are not asked for without end', async () => {
    const to = await world();
    const through = async (request: Request, next: Host['fetch']) =>
      request.url.endsWith('/new-order') ? problem(400, 'badNonce', { 'replay-nonce': 'never' }) : next(request);
    await expect(to.enrol(through)).rejects.toMatchObject({
      code: 'simulator.acme',
      message: expect.stringContaining('badNonce'),
    });
    expect(to.requests.filter((line) => line === 'POST new-order')).toHaveLength(5);
  });
});

describe('what else RFC 8555 has servers say', () => {
  it('a limit on the rate is kept to', async () => {
    const to = await world();
    let left = 2;
    await to.enrol(async (request, next) => {
      if (!request.url.endsWith('/finalize') || left-- <= 0) return next(request);
      return problem(429, 'rateLimited', { 'retry-after': '7' });
    });
    expect(to.pauses).toEqual([7_000, 7_000]);
    const [entry] = (await to.engine.certificates.list()).items;
    expect(readCertificate(entry!.certificate).subject).toContain('O=Example');
  });

  it('a challenge may be validated later', async () => {
    const to = await world();
    let left = 1;
    await to.enrol(async (request, next) => {
      const answer = await next(request);
      const { pathname } = new URL(request.url);
      // The server answers as if it had not come to it yet.
      const early = pathname.includes('/challenge/') || (pathname.includes('/authorization/') && left-- === 0);
      if (!early) return answer;
      const body = { ...((await answer.json()) as object), status: 'pending' };
      return new Response(JSON.stringify(body), { status: 200, headers: answer.headers });
    });
    expect(to.pauses).toEqual([5_000]);
    expect((await to.engine.certificates.list()).items).toHaveLength(1);
  });
});
