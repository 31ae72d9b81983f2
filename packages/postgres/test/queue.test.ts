import type { PollOutcome, PollResult, Store } from '@espalier/core';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgresStore } from '../src/index.ts';
import { startProxy } from './proxy.ts';
import { startServer, type TestServer } from './server.ts';
import { answer, backoff, bytes, command, enqueue, enrol, event, poll } from './support.ts';

let log: string[] = [];
let server: TestServer;
let admin: pg.Client;

beforeAll(async () => {
  server = await startServer({
    settings: [
      'session_preload_libraries=auto_explain',
      'auto_explain.log_min_duration=0',
      'auto_explain.log_nested_statements=on',
      'auto_explain.log_parameter_max_length=0',
      // On the busy tables only what the test itself does.
      'autovacuum=off',
    ],
    onLog: (line) => log.push(line),
  });
  admin = new pg.Client(server.url);
  await admin.connect();
});
afterAll(async () => {
  await admin?.end();
  await server?.close();
});

test('a poll is one round trip, with or without a result, and so is taking in an enqueue', async () => {
  const proxy = await startProxy(server.url);
  const reported: string[] = [];
  const store = await openPostgresStore(proxy.url, {
    schema: 'trips',
    maxConnections: 1,
    onStatement: ({ name }) => reported.push(name),
  });
  try {
    await enrol(store, 'D');
    const trips = async (step: () => Promise<unknown>): Promise<number> => {
      const before = proxy.roundTrips();
      reported.length = 0;
      await step();
      expect(reported).toHaveLength(proxy.roundTrips() - before);
      return proxy.roundTrips() - before;
    };
    const chain = [0, 1].map((index) => command(`chained-${index}`, { chain: { id: 'c', index }, followUp: true }));
    expect(await trips(() => enqueue(store, [command('one'), ...chain], ['D']))).toBe(1);
    let outcome: PollOutcome | undefined;
    const pollTrips = (at: number, result?: PollResult) =>
      trips(async () => {
        outcome = await poll(store, 'D', at, result);
      });
    expect(await pollTrips(20)).toBe(1);
    expect(outcome).toMatchObject({ result: null, command: { commandUuid: 'one' } });
    // A result goes in, and the next command comes out.
    expect(await pollTrips(21, answer('one', 'not-now'))).toBe(1);
    expect(outcome).toMatchObject({ result: 'deferred', command: { commandUuid: 'chained-0' } });
    expect(await pollTrips(22, answer('chained-0'))).toBe(1);
    expect(outcome).toMatchObject({ result: 'stored', command: { commandUuid: 'chained-1' } });
    expect(await pollTrips(23, answer('chained-1'))).toBe(1);
    expect(outcome).toMatchObject({ result: 'stored', command: null });
    expect(await trips(() => poll(store, 'D', 24, answer('chained-1')))).toBe(1);
    expect(await trips(() => poll(store, 'nobody', 24))).toBe(1);
    expect(
      await trips(() =>
        store.enrolments.verify({
          id: 'D',
          certificateFingerprint: 'cert-D',
          at: 25,
          secrets: [{ name: 'n', blob: bytes('b') }],
        }),
      ),
    ).toBe(1);
    expect(await trips(() => store.push.claim({ lease: 'l', at: 99_999, leaseMs: 1, limit: 5 }))).toBe(1);
    expect(await trips(() => store.queue.sweep({ at: 99_999, limit: 5 }))).toBe(1);
  } finally {
    await store.close();
    await proxy.close();
  }
});

/** 2,000 devices, each with 100 finished commands and 20 pending ones, put in directly. */
async function fill(schema: string): Promise<void> {
  await admin.query(`
    INSERT INTO ${schema}.live (id, channel, status, pin, enrolled_at, pushable, has_push, due_at)
      SELECT 'F' || n, 'device', 'active', 'cert-F' || n, n, true, true, n FROM generate_series(1, 2000) n;
    INSERT INTO ${schema}.enrolment (id, kind) SELECT 'F' || n, 'device' FROM generate_series(1, 2000) n;
    INSERT INTO ${schema}.push_token SELECT 'F' || n, 'token', 'magic', 'topic' FROM generate_series(1, 2000) n;
    INSERT INTO ${schema}.command (uuid, ord, request_type, body, sealed, on_error, origin, push, follow_up, queued_at, refs)
      SELECT 'fill-' || c, 0, 'ProfileList', 'body', false, 'fail', 'admin', true, c % 10 = 0, c, 2000
      FROM generate_series(1, 120) c;
    INSERT INTO ${schema}.command (uuid, ord, request_type, body, sealed, on_error, origin, push, follow_up, queued_at, refs)
      SELECT 'other-' || c, 0, 'ProfileList', 'body', false, 'fail', 'admin', true, false, c, 1
      FROM generate_series(1, 5000) c;
    INSERT INTO ${schema}.follow_up (enrolment_id, uuid, seq, ended_at)
      SELECT 'F' || n, c.uuid, c.seq, n FROM generate_series(10, 2000) n, ${schema}.command c WHERE c.uuid = 'fill-10';
    INSERT INTO ${schema}.history (enrolment_id, seq, state, finished_at, attempts)
      SELECT 'F' || n, c.seq, 'acknowledged', n, 1 FROM generate_series(1, 2000) n, ${schema}.command c
      WHERE c.uuid LIKE 'fill-%' AND c.queued_at <= 100;
    INSERT INTO ${schema}.pending (enrolment_id, ord, seq, state, held, push, attempts, not_now, offered)
      SELECT 'F' || n, 0, c.seq, 'queued', false, true, 0, 0, -1 FROM generate_series(1, 2000) n, ${schema}.command c
      WHERE c.uuid LIKE 'fill-%' AND c.queued_at > 100;
    INSERT INTO ${schema}.event (type, happened_at, enrolment_id, data)
      SELECT 'command.acknowledged', n, 'F' || n % 2000, '{}' FROM generate_series(1, 20000) n;
  `);
}

/** Everything that a device waits for, and what the background does often. */
async function hotSteps(store: Store, id: string): Promise<void> {
  await poll(store, id, 50_000);
  await poll(store, id, 50_001, answer('fill-101'));
  await poll(store, id, 50_002, answer('fill-102', 'not-now'));
  await poll(store, id, 50_003, answer('fill-103', 'error'));
  await poll(store, id, 50_004, answer('fill-7'));
  await poll(store, id, 50_005, answer('never-sent'));
  const chain = [0, 1, 2].map((index) =>
    command(`${id}-chain-${index}`, { chain: { id: `${id}-c`, index }, onError: 'drop-chain', priority: 9 }),
  );
  await enqueue(store, [...chain, command(`${id}-key`, { dedupeKey: 'k', expiresAt: 60_000 })], [id], 50_006);
  await enqueue(store, [command(`${id}-again`, { dedupeKey: 'k', onDuplicate: 'replace' })], [id], 50_007);
  await poll(store, id, 50_008, answer('fill-104'));
  await poll(store, id, 50_009, answer(`${id}-chain-0`));
  await poll(store, id, 50_010, answer(`${id}-chain-1`, 'error'));
  await store.queue.end({ enrolmentIds: [id], commandUuid: 'fill-110', state: 'cancelled', at: 50_011 });
  await store.queue.end({ enrolmentIds: [id], dedupeKey: 'k', state: 'superseded', at: 50_012 });
  await store.queue.requeue({ enrolmentId: id, commandUuid: 'fill-9', at: 50_013 });
  await store.queue.sweep({ at: 70_000, limit: 100 });
  await store.queue.prune({ before: 3, limit: 10 });
  await store.queue.get(id, 'fill-8');
  await store.queue.list(id, { limit: 20 });
  await store.queue.withWork({ limit: 50 });
  await store.queue.followUps({ before: 50_000, limit: 10 });
  await store.queue.followUpDone(id, 'fill-110');
  const targets = await store.push.claim({ lease: id, at: 50_000, leaseMs: 1_000, limit: 20 });
  expect(targets).toHaveLength(20);
  const settled = targets.map(({ enrolmentId }) => ({
    enrolmentId,
    lease: id,
    outcome: 'sent' as const,
    dueAt: 90_000,
  }));
  await store.push.settle({ at: 50_001, settlements: settled });
  await store.push.nextDueAt();
  await store.enrolments.verify({ id, certificateFingerprint: `cert-${id}`, at: 50_014 });
  await store.events.since(100, 50);
  await store.events.list({ enrolmentId: id, order: 'newest' }, { limit: 20 });
}

test('no hot statement scans a table, planned before the tables were filled or after', async () => {
  const store = await openPostgresStore(server.url, { schema: 'plans', maxConnections: 1 });
  let later: Store | undefined;
  try {
    // Plans made while everything was empty are kept by this connection.
    await enrol(store, 'F0');
    for (let i = 0; i < 8; i++) {
      await enqueue(store, [command(`early-${i}`, { dedupeKey: 'early' })], ['F0'], 10);
      await poll(store, 'F0', 20 + i);
      await poll(store, 'F0', 20 + i, answer(`early-${i}`));
      await store.queue.sweep({ at: 30, limit: 10 });
      await store.queue.list('F0', { limit: 20 });
      await store.queue.get('F0', 'early-0');
      await store.events.since(0, 5);
      await store.push.claim({ lease: 'x', at: 5, leaseMs: 1, limit: 5 });
    }
    await fill('plans');
    log = [];
    await hotSteps(store, 'F1');
    await admin.query('VACUUM ANALYZE');
    await hotSteps(store, 'F2');
    later = await openPostgresStore(server.url, { schema: 'plans', maxConnections: 1 });
    await hotSteps(later, 'F3');
    await admin.query('SELECT count(response) FROM plans.history');
    // The control: a scan does show in the log.
    await expect.poll(() => log.join('')).toContain('Seq Scan on history');
    const scans = [...log.join('').matchAll(/Seq Scan on (?:plans\.)?(\w+)/g)]
      .map((match) => match[1])
      // One row each, whatever is stored; and the server's own tables, when a store is opened.
      .filter((table) => table !== 'event_seq' && table !== 'migration' && table?.startsWith('pg_') === false);
    expect(scans).toEqual(['history']);
    expect(log.join('')).toContain('Index Scan using pending_pkey');
  } finally {
    await store.close();
    await later?.close();
  }
});

// How long it takes is measured by `npm run bench -- queue`.
test('one command for 100,000 enrolments is one call', { timeout: 120_000 }, async () => {
  await admin.query('ALTER ROLE espalier SET auto_explain.log_min_duration = -1');
  const store = await openPostgresStore(server.url, { schema: 'fleet', maxConnections: 1, applicationName: 'fleet' });
  try {
    const size = 100_000;
    await admin.query('SET auto_explain.log_min_duration = -1');
    await admin.query(`
      INSERT INTO fleet.live (id, channel, status, pin, enrolled_at, inventory_at, pushable, has_push)
        SELECT 'D' || n, 'device', 'active', 'cert-D' || n, 1, 1, true, true FROM generate_series(1, ${size}) n;
      INSERT INTO fleet.enrolment (id, kind) SELECT 'D' || n, 'device' FROM generate_series(1, ${size}) n`);
    await admin.query('VACUUM ANALYZE fleet.live');
    const ids = Array.from({ length: size }, (_, i) => `D${size - i}`);
    expect(await store.queue.stats()).toMatchObject({ pending: 0 });
    for (let round = 0; round < 3; round++) {
      const commands = [command(`fleet-${round}`, { dedupeKey: `k${round}` })];
      const { queued } = await store.queue.enqueue({
        commands,
        enrolmentIds: ids,
        at: 10,
        events: [event('command.queued', 10, null)],
      });
      expect(queued).toEqual([size]);
    }
    expect((await store.queue.stats()).pending).toBe(3 * size);
    const again = await store.queue.enqueue({
      commands: [command('kept', { dedupeKey: 'k0' })],
      enrolmentIds: ids,
      at: 11,
      events: [],
    });
    expect(again.queued).toEqual([0]);
    expect(await store.queue.body('kept')).toBeNull();
    const ended = await store.queue.end({ enrolmentIds: ids, dedupeKey: 'k2', state: 'superseded', at: 12 });
    expect(ended).toHaveLength(size);
  } finally {
    await store.close();
  }
});

test('two processes that poll for one enrolment at once get one session after the other', async () => {
  const [one, two] = await Promise.all(
    [1, 2].map(() => openPostgresStore(server.url, { schema: 'twins', maxConnections: 8 })),
  );
  try {
    await enrol(one!, 'D');
    await enqueue(
      one!,
      Array.from({ length: 20 }, (_, i) => command(`c${i}`)),
      ['D'],
    );
    const offered = await Promise.all(
      Array.from({ length: 16 }, (_, i) => poll(i % 2 === 0 ? one! : two!, 'D', 20 + i)),
    );
    // Each Idle is a session of its own, and a session is offered the first command again: none skips ahead.
    const attempts = offered.map((outcome) => {
      if (outcome.outcome !== 'ok' || outcome.command === null) throw new Error('nothing offered');
      expect(outcome.command.commandUuid).toBe('c0');
      return outcome.command.attempts;
    });
    expect(attempts.sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
    // The same answer sixteen times at once is stored once.
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) => poll(i % 2 === 0 ? one! : two!, 'D', 50, answer('c0'))),
    );
    const results = answers.map((outcome) => (outcome.outcome === 'ok' ? outcome.result : outcome.outcome));
    expect(results.filter((result) => result === 'stored')).toHaveLength(1);
    expect(results.filter((result) => result === 'repeated')).toHaveLength(15);
    expect((await one!.events.list({ order: 'newest' }, { limit: 50 })).items).toHaveLength(1);
    expect((await one!.enrolments.get('D'))?.lastSeenAt).toBe(50);
    expect(backoff.baseMs).toBeGreaterThan(0);
  } finally {
    await one?.close();
    await two?.close();
  }
});
