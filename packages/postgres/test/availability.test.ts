// When the database is away the store says so, never hangs, and works again by itself.
import { CoreError, type Store } from '@espalier/core';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgresStore } from '../src/index.ts';
import { startProxy } from './proxy.ts';
import { startServer, type TestServer } from './server.ts';
import { answer, command, enqueue, enrol, event, poll } from './support.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.close());

const unavailable = { code: 'core.store.unavailable', kind: 'unavailable' };

/** How many connections wait for a lock; asked on a connection of its own, since a transaction sees one answer only. */
async function waitingForLocks(): Promise<number> {
  const client = new pg.Client(server.url);
  await client.connect();
  const { rows } = await client.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`);
  await client.end();
  return rows.length;
}

async function failure(step: Promise<unknown>): Promise<unknown> {
  return step.then(
    () => 'no error',
    (error: unknown) => error,
  );
}

/** Runs `step` until it succeeds; every failure on the way must be one of the store being away. */
async function untilItWorks(step: () => Promise<unknown>): Promise<void> {
  for (const end = Date.now() + 20_000; ; ) {
    const error = await failure(step());
    if (error === 'no error') return;
    expect(error).toBeInstanceOf(CoreError);
    expect(error).toMatchObject(unavailable);
    if (Date.now() > end) throw error;
  }
}

test('stopped and started under load', { timeout: 60_000 }, async () => {
  const store = await openPostgresStore(server.url, { maxConnections: 4 });
  const devices = Array.from({ length: 8 }, (_, i) => `D${i}`);
  for (const id of devices) await enrol(store, id);
  const failures: unknown[] = [];
  const acknowledged: [id: string, uuid: string][] = [];
  let stop = false;
  let succeeded = 0;
  const work = devices.map(async (id) => {
    for (let i = 0; !stop; i++) {
      const uuid = `${id}-${i}`;
      try {
        await enqueue(store, [command(uuid)], [id], 10);
        await poll(store, id, 20);
        const answered = await poll(store, id, 21, answer(uuid));
        if (answered.outcome === 'ok' && answered.result === 'stored') acknowledged.push([id, uuid]);
        succeeded++;
      } catch (error) {
        failures.push(error);
        // What is left of a round that failed goes with the next one.
        await new Promise((done) => setImmediate(done));
      }
    }
  });
  await expect.poll(() => succeeded, { timeout: 20_000 }).toBeGreaterThan(20);
  await server.stop();
  await expect.poll(() => failures.length, { timeout: 20_000 }).toBeGreaterThan(20);
  const before = succeeded;
  await server.start();
  await expect.poll(() => succeeded, { timeout: 20_000 }).toBeGreaterThan(before + 20);
  stop = true;
  await Promise.all(work);
  for (const error of failures) expect(error).toMatchObject(unavailable);
  for (const [id, uuid] of acknowledged.slice(-200)) {
    expect(await store.queue.get(id, uuid)).toMatchObject({ state: 'acknowledged' });
  }
  await store.close();
});

test('the server ends the connection, or the network does, in the middle of a transaction', async () => {
  const proxy = await startProxy(server.url);
  const store = await openPostgresStore(proxy.url, { schema: 'ended', maxConnections: 2 });
  const admin = new pg.Client(server.url);
  await admin.connect();
  try {
    await enrol(store, 'D');
    // The row is held, so that the transactions wait inside the server.
    const breaks: (() => unknown)[] = [
      () =>
        admin.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE application_name = 'espalier' AND pid <> pg_backend_pid()`,
        ),
      () => proxy.cut(),
    ];
    for (const breakIt of breaks) {
      await admin.query('BEGIN');
      await admin.query(`SELECT FROM ended.live WHERE id = 'D' FOR UPDATE`);
      const waiting = [
        failure(store.inventory.apply({ enrolmentId: 'D', at: 5, facts: { a: 1 }, complete: true, event: null })),
        failure(poll(store, 'D', 6)),
      ];
      await expect.poll(waitingForLocks, { timeout: 10_000 }).toBe(2);
      await breakIt();
      for (const error of await Promise.all(waiting)) expect(error).toMatchObject(unavailable);
      await admin.query('ROLLBACK');
      await untilItWorks(() => poll(store, 'D', 7));
      expect((await store.inventory.get('D'))?.facts).toEqual({});
    }
  } finally {
    await admin.end();
    await store.close();
    await proxy.close();
  }
});

test('a server that falls silent, or is too busy, is given up on', { timeout: 30_000 }, async () => {
  const admin = new pg.Client(server.url);
  await admin.connect();
  const proxy = await startProxy(server.url);
  const limits = { schema: 'busy', connectTimeoutMs: 400, statementTimeoutMs: 300, lockTimeoutMs: 200 };
  const store = await openPostgresStore(server.url, { ...limits, maxConnections: 1 });
  let silent: Store | undefined;
  try {
    await enrol(store, 'D');
    await admin.query('BEGIN');
    await admin.query(`SELECT FROM busy.live WHERE id = 'D' FOR UPDATE`);
    // One waits for the lock, the other for the only connection.
    const both = await Promise.all([failure(poll(store, 'D', 5)), failure(poll(store, 'D', 5))]);
    for (const error of both) expect([unavailable.code, 'no error']).toContain((error as CoreError).code ?? error);
    expect(both).toContainEqual(expect.objectContaining(unavailable));
    await admin.query('ROLLBACK');
    expect(await poll(store, 'D', 6)).toMatchObject({ outcome: 'ok' });

    // A connection that breaks off without a word: the client's own limit ends the wait (5 s above the server's).
    silent = await openPostgresStore(proxy.url, { ...limits, maxConnections: 1 });
    await silent.settings.set('a', 'b');
    proxy.fallSilent();
    const before = Date.now();
    expect(await failure(silent.settings.get('a'))).toMatchObject(unavailable);
    expect(await failure(silent.settings.get('a'))).toMatchObject(unavailable);
    expect(Date.now() - before).toBeLessThan(10_000);
  } finally {
    await admin.end();
    await store.close();
    await silent?.close();
    await proxy.close();
  }
});

test('no server at all, and a store that was closed', async () => {
  expect(await failure(openPostgresStore('postgres://u:p@127.0.0.1:1/db'))).toMatchObject(unavailable);
  const store = await openPostgresStore(server.url, { schema: 'closed' });
  await store.close();
  await store.close();
  expect(await failure(store.settings.get('a'))).toMatchObject({ code: 'core.store.closed', kind: 'unavailable' });
});

test('a deadlock with somebody else is tried again', async () => {
  const store = await openPostgresStore(server.url, { schema: 'deadlock' });
  const other = new pg.Client(server.url);
  await other.connect();
  try {
    await enrol(store, 'A');
    await enrol(store, 'B');
    // Somebody takes B and then A; the store takes them in order, A and then B.
    await other.query(`SET deadlock_timeout = '10s'; BEGIN; SELECT FROM deadlock.live WHERE id = 'B' FOR UPDATE`);
    const queued = enqueue(store, [command('both')], ['B', 'A'], 10);
    await expect.poll(waitingForLocks, { timeout: 10_000 }).toBe(1);
    await other.query(`SELECT FROM deadlock.live WHERE id = 'A' FOR UPDATE`);
    await other.query('COMMIT');
    expect(await queued).toEqual({ queued: [2] });
    expect((await store.queue.stats()).pending).toBe(2);
  } finally {
    await other.end();
    await store.close();
  }
});

test('a follower never sees an event before one with a lower number', async () => {
  const store = await openPostgresStore(server.url, { schema: 'follow' });
  const slow = new pg.Client(server.url);
  await slow.connect();
  try {
    const append = (at: number) => store.events.append([event('push.sent', at, null)]);
    await append(1);
    // A transaction that has its number but is not through yet.
    await slow.query(
      `BEGIN; SELECT follow.append_events(ARRAY['push.sent'], ARRAY[2::bigint], ARRAY[NULL::text], ARRAY['{}'])`,
    );
    expect((await append(3)).map((one) => one.seq)).toEqual([3]);
    const seen = async (after: number) => (await store.events.since(after, 10)).map((one) => one.seq);
    expect(await seen(0)).toEqual([1]);
    expect(await store.events.lastSeq()).toBe(1);
    await slow.query('COMMIT');
    expect(await seen(1)).toEqual([2, 3]);
    expect(await store.events.lastSeq()).toBe(3);
    // One that gives up leaves a gap that nobody waits for.
    await slow.query(
      `BEGIN; SELECT follow.append_events(ARRAY['push.sent'], ARRAY[4::bigint], ARRAY[NULL::text], ARRAY['{}'])`,
    );
    await append(5);
    expect(await seen(3)).toEqual([]);
    await slow.query('ROLLBACK');
    expect(await seen(3)).toEqual([5]);
  } finally {
    await slow.end();
    await store.close();
  }
});
