// The APNs client in bad weather: every documented answer and every way to break a connection at once, on many pushes; and
// certificates that are renewed meanwhile.
import { constants } from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import { type ApnsClientOptions, createApnsClient, createApnsPool, MdmError, type PushOutcome } from '../src/index.ts';
import { accept, type Received, refuse, startApns, type TestServer } from './apns-server.ts';
import { clientCertificate, clientKey, rootCertificate } from './fixtures/apns-pem.ts';

const topic = 'com.apple.mgmt.External.test';
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const item of open.splice(0)) await item.close();
});

async function start(): Promise<TestServer> {
  const server = await startApns();
  open.push(server);
  return server;
}

const shared = (server: TestServer): Omit<ApnsClientOptions, 'topic' | 'certificate' | 'privateKey'> => ({
  origin: server.origin,
  ca: rootCertificate,
  random: () => 0.5,
});
const identity = { certificate: clientCertificate, privateKey: clientKey, topic };

/** What the server does to one request. */
type Play = (request: Received) => void;

/** The highest stream of a connection that was processed; after GOAWAY none above it may be. */
const highest = new WeakMap<object, number>();
const gone = new WeakSet<object>();

function goAway({ session, stream }: Received): void {
  session.goaway(constants.NGHTTP2_NO_ERROR, highest.get(session) ?? 0);
  gone.add(session);
  stream.close(constants.NGHTTP2_REFUSED_STREAM);
  session.close();
}

const troubles: readonly Play[] = [
  refuse(429, { reason: 'TooManyRequests' }),
  refuse(500, { reason: 'InternalServerError' }),
  refuse(503, { reason: 'ServiceUnavailable' }),
  refuse(503, { reason: 'Shutdown' }),
  ({ stream }) => stream.close(constants.NGHTTP2_REFUSED_STREAM),
  ({ stream }) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
  goAway,
  ({ session }) => session.socket.destroy(),
];

const ends: readonly { readonly play: Play; readonly outcome: PushOutcome['outcome'] }[] = [
  { play: accept, outcome: 'delivered' },
  { play: accept, outcome: 'delivered' },
  { play: accept, outcome: 'delivered' },
  { play: refuse(400, { reason: 'BadDeviceToken' }), outcome: 'token-dead' },
  { play: refuse(410, { reason: 'Unregistered', timestamp: 1 }), outcome: 'token-dead' },
  { play: refuse(413, { reason: 'PayloadTooLarge' }), outcome: 'failed' },
  { play: refuse(403, { reason: 'BadCertificate' }), outcome: 'refused' },
  { play: refuse(403, { reason: 'ExpiredProviderToken' }), outcome: 'refused' },
];

/** Numbers that look random and are the same in every run. */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 16) % below;
  };
}

describe('many pushes through every trouble at once', () => {
  test.each([1, 2, 3])('none is lost silently, none is doubled without notice (seed %i)', async (seed) => {
    const draw = sequence(seed);
    const server = await start();
    const plans = Array.from({ length: 150 }, () => ({
      troubles: Array.from({ length: draw(4) }, () => troubles[draw(troubles.length)]!),
      end: ends[draw(ends.length)]!,
      met: 0,
      accepted: 0,
    }));
    server.answer = (request) => {
      const token = String(request.headers[':path']).slice('/3/device/'.length);
      const plan = plans[Number.parseInt(token, 16)]!;
      const play = plan.troubles[plan.met++] ?? plan.end.play;
      if (request.stream.destroyed) return;
      const { session, stream } = request;
      const id = stream.id ?? 0;
      if (gone.has(session) && id > (highest.get(session) ?? 0)) {
        stream.close(constants.NGHTTP2_REFUSED_STREAM);
        plan.met--;
        return;
      }
      if (play !== goAway) highest.set(session, Math.max(id, highest.get(session) ?? 0));
      if (play === accept) plan.accepted++;
      play(request);
    };
    const client = createApnsClient({ ...identity, ...shared(server), concurrency: 20 });
    open.unshift(client);

    /** What the notifier does: pushes again, after a pause, for as long as it is told to. */
    async function persist(index: number): Promise<{ readonly last: PushOutcome; readonly warned: number }> {
      let warned = 0;
      for (let round = 0; round < 100; round++) {
        const last = await client.push({ token: index.toString(16).padStart(64, '0'), pushMagic: 'magic' });
        if (last.outcome !== 'retry') return { last, warned };
        if (last.mayHaveBeenDelivered) warned++;
      }
      throw new Error('never ended');
    }

    const results = await Promise.all(plans.map((_, index) => persist(index)));
    for (const [index, { last, warned }] of results.entries()) {
      const plan = plans[index]!;
      expect(last.outcome, `push ${index}`).toBe(plan.end.outcome);
      if (last.outcome === 'delivered') expect(plan.accepted, `push ${index}`).toBeGreaterThanOrEqual(1);
      // Accepted more than once only where the client had said that it may have been.
      expect(plan.accepted, `push ${index}`).toBeLessThanOrEqual(1 + warned);
    }
    expect(results.filter(({ last }) => last.outcome === 'delivered').length).toBeGreaterThan(30);
    expect(server.sessions.length).toBeGreaterThan(5);
  });
});

describe('a pool', () => {
  test('has one connection for each topic', async () => {
    const server = await start();
    const other = 'com.apple.mgmt.External.other';
    const pool = createApnsPool({ ...shared(server), identities: [identity, { ...identity, topic: other }] });
    open.unshift(pool);
    expect(pool.topics()).toEqual([topic, other]);
    await Promise.all(
      [topic, other, topic, other].map((name) => pool.push({ token: 'ab', pushMagic: 'm', topic: name })),
    );
    expect(server.sessions).toHaveLength(2);
    const bySession = server.sessions.map((session) =>
      server.received.filter((request) => request.session === session).map(({ headers }) => headers['apns-topic']),
    );
    expect(bySession.map((topics) => [...new Set(topics)])).toEqual(expect.arrayContaining([[topic], [other]]));
    expect(await pool.push({ token: 'ab', pushMagic: 'm', topic: 'com.apple.mgmt.External.none' })).toMatchObject({
      outcome: 'refused',
    });
    expect(server.received).toHaveLength(4);
  });

  test('takes a renewed certificate while pushes are under way, and loses none of them', async () => {
    const server = await start();
    const held: Received[] = [];
    server.answer = (request) => held.push(request);
    const pool = createApnsPool({ ...shared(server), identities: [identity] });
    open.unshift(pool);
    const before = pool.push({ token: 'ab', pushMagic: 'm', topic });
    await expect.poll(() => held.length).toBe(1);
    pool.use(identity);
    server.answer = accept;
    expect(await pool.push({ token: 'cd', pushMagic: 'm', topic })).toMatchObject({ outcome: 'delivered' });
    accept(held[0]!);
    expect(await before).toMatchObject({ outcome: 'delivered' });
    expect(server.sessions).toHaveLength(2);
    expect(server.received).toHaveLength(2);
  });

  test('keeps what it has when the new certificate is no good, and takes nothing after it was closed', async () => {
    const server = await start();
    const pool = createApnsPool({ ...shared(server), identities: [identity] });
    expect(() => pool.use({ ...identity, privateKey: 'nonsense' })).toThrow(MdmError);
    expect(await pool.push({ token: 'ab', pushMagic: 'm', topic })).toMatchObject({ outcome: 'delivered' });
    await pool.close();
    expect(await pool.push({ token: 'ab', pushMagic: 'm', topic })).toMatchObject({ outcome: 'retry' });
  });
});
