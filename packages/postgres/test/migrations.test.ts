// Migrations: from every earlier version with data in it, by many processes at once, never back.
import { CoreError, type Store } from '@espalier/core';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../src/database.ts';
import { migratePostgres, openPostgresStore, schemaVersion } from '../src/index.ts';
import { migrate } from '../src/migrations/run.ts';
import { startServer, type TestServer } from './server.ts';
import { answer, command, enqueue, enrol, poll } from './support.ts';

let server: TestServer;
let admin: pg.Client;
beforeAll(async () => {
  server = await startServer();
  admin = new pg.Client(server.url);
  await admin.connect();
});
afterAll(async () => {
  await admin?.end();
  await server?.close();
});

/** Brings a new schema to a version, as an earlier release would have. */
async function atVersion(schema: string, version: number): Promise<void> {
  const db = openDatabase(server.url, { schema, maxConnections: 1 });
  await migrate(db, version);
  await db.close();
}

/** What every version so far can hold, written as version 1 had it. */
async function putData(schema: string): Promise<void> {
  await admin.query(`
    INSERT INTO ${schema}.live (id, channel, status, pin, session, last_seen_at, enrolled_at, pushable, has_push)
      VALUES ('OLD', 'device', 'active', 'cert-OLD', 3, 70, 60, true, true);
    INSERT INTO ${schema}.enrolment (id, kind, pin, udid) VALUES ('OLD', 'device', 'cert-OLD', 'udid of OLD');
    INSERT INTO ${schema}.push_token VALUES ('OLD', 'token', 'magic', 'topic');
    INSERT INTO ${schema}.inventory (enrolment_id, facts) VALUES ('OLD', '{"common.platform":"iOS"}');
    INSERT INTO ${schema}.command (uuid, ord, request_type, body, sealed, on_error, origin, push, follow_up, queued_at, refs)
      SELECT u, 0, 'DeviceInformation', 'body', false, 'fail', 'admin', true, false, 50, 1
      FROM unnest(ARRAY['done', 'waiting']) u;
    INSERT INTO ${schema}.history (enrolment_id, seq, state, finished_at, attempts)
      SELECT 'OLD', seq, 'acknowledged', 65, 1 FROM ${schema}.command WHERE uuid = 'done';
    INSERT INTO ${schema}.pending (enrolment_id, ord, seq, state, held, push, attempts, not_now, offered)
      SELECT 'OLD', 0, seq, 'queued', false, true, 0, 0, -1 FROM ${schema}.command WHERE uuid = 'waiting';
    INSERT INTO ${schema}.event (type, happened_at, enrolment_id, data)
      VALUES ('enrolment.active', 60, 'OLD', '{"note":"kept"}');
    INSERT INTO ${schema}.label VALUES ('l', 'Label', '', 'manual', NULL, 1, 1);
    INSERT INTO ${schema}.member VALUES ('l', 'OLD');
    INSERT INTO ${schema}.secret VALUES ('OLD', 'unlock', 'sealed');
  `);
}

for (let version = 1; version <= schemaVersion; version++) {
  test(`from version ${version}, with data`, async () => {
    const schema = `from_${version}`;
    await atVersion(schema, version);
    await putData(schema);
    expect(await migratePostgres(server.url, { schema })).toEqual({ before: version, after: schemaVersion });
    const store = await openPostgresStore(server.url, { schema, migrate: 'check', maxConnections: 2 });
    try {
      expect(await store.enrolments.get('OLD')).toMatchObject({
        udid: 'udid of OLD',
        status: 'active',
        certificateFingerprint: 'cert-OLD',
        enrolledAt: 60,
      });
      expect(await store.queue.get('OLD', 'done')).toMatchObject({ state: 'acknowledged', finishedAt: 65 });
      expect((await store.inventory.get('OLD'))?.facts).toEqual({ 'common.platform': 'iOS' });
      expect(await store.labels.memberIds('l')).toEqual(['OLD']);
      expect(await store.secrets.get('OLD', 'unlock')).toEqual(new TextEncoder().encode('sealed'));
      expect((await store.events.list({ order: 'oldest' }, { limit: 5 })).items).toMatchObject([
        { seq: 1, type: 'enrolment.active', data: { note: 'kept' } },
      ]);
      expect(await poll(store, 'OLD', 80)).toMatchObject({ command: { commandUuid: 'waiting', attempts: 1 } });
      expect(await poll(store, 'OLD', 81, answer('waiting'))).toMatchObject({ result: 'stored', command: null });
    } finally {
      await store.close();
    }
  });
}

test('many processes open a new schema at once', async () => {
  const options = { schema: 'crowd', maxConnections: 2 };
  const stores = await Promise.all(Array.from({ length: 8 }, () => openPostgresStore(server.url, options)));
  try {
    await Promise.all(stores.map((store, i) => enrol(store, `D${i}`)));
    expect(await stores[0]?.enrolments.count({})).toBe(8);
    const { rows } = await admin.query('SELECT version FROM crowd.migration ORDER BY version');
    expect(rows).toEqual(Array.from({ length: schemaVersion }, (_, i) => ({ version: i + 1 })));
  } finally {
    await Promise.all(stores.map((store) => store.close()));
  }
});

test('a migration that fails leaves nothing behind', async () => {
  await atVersion('broken', 2);
  // Something is where the next migration wants to make its own.
  await admin.query(`CREATE FUNCTION broken.event_horizon() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'`);
  const failure = await migratePostgres(server.url, { schema: 'broken' }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CoreError);
  const { rows } = await admin.query('SELECT max(version) AS version FROM broken.migration');
  expect(rows).toEqual([{ version: 2 }]);
  await admin.query('DROP FUNCTION broken.event_horizon()');
  expect(await migratePostgres(server.url, { schema: 'broken' })).toEqual({ before: 2, after: schemaVersion });
});

const codeOf = (opening: Promise<Store>): Promise<unknown> =>
  opening.then(
    async (store) => {
      await store.close();
      return 'opened';
    },
    (error: unknown) => (error instanceof CoreError ? [error.code, error.kind] : error),
  );

test('a newer schema is refused, an older one only where that was asked for', async () => {
  await atVersion('ages', 2);
  expect(await codeOf(openPostgresStore(server.url, { schema: 'ages', migrate: 'check' }))).toEqual([
    'core.store.older_schema',
    'conflict',
  ]);
  expect(await codeOf(openPostgresStore(server.url, { schema: 'ages' }))).toBe('opened');
  await admin.query(`INSERT INTO ages.migration (version) VALUES (${schemaVersion + 1})`);
  const newer = ['core.store.newer_schema', 'conflict'];
  expect(await codeOf(openPostgresStore(server.url, { schema: 'ages' }))).toEqual(newer);
  expect(await codeOf(openPostgresStore(server.url, { schema: 'ages', migrate: 'check' }))).toEqual(newer);
});

test('a user that owns nothing can serve with the rights that the documentation lists', async () => {
  await migratePostgres(server.url, { schema: 'granted' });
  await admin.query(`
    CREATE ROLE serving LOGIN PASSWORD 'serving';
    GRANT USAGE ON SCHEMA granted TO serving;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA granted TO serving;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA granted TO serving;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA granted TO serving`);
  const place = { host: '127.0.0.1', port: server.port, database: 'espalier', user: 'serving', password: 'serving' };
  const store = await openPostgresStore(place, { schema: 'granted', migrate: 'check' });
  try {
    await enrol(store, 'D');
    await enqueue(store, [command('c', { dedupeKey: 'k' })], ['D']);
    expect(await poll(store, 'D', 20)).toMatchObject({ command: { commandUuid: 'c' } });
    expect(await poll(store, 'D', 21, answer('c'))).toMatchObject({ result: 'stored' });
    expect(await store.events.since(0, 5)).toHaveLength(1);
  } finally {
    await store.close();
  }
  // And one that was given nothing is told so.
  await admin.query(`CREATE ROLE stranger LOGIN PASSWORD 'stranger'`);
  const stranger = { ...place, user: 'stranger', password: 'stranger' };
  const opening = openPostgresStore(stranger, { schema: 'granted', migrate: 'check' });
  expect(await codeOf(opening)).toEqual(['core.store.permission', 'internal']);
});

test('what cannot be a store is refused with a reason', async () => {
  const config = ['core.store.config', 'invalid'];
  expect(await codeOf(openPostgresStore('mysql://host/db'))).toEqual(config);
  expect(await codeOf(openPostgresStore('postgres://host:port/db'))).toEqual(config);
  expect(await codeOf(openPostgresStore(server.url, { schema: 'Robert"; DROP' }))).toEqual(config);
  const { port } = server;
  const place = { host: '127.0.0.1', port, database: 'espalier', user: 'espalier' };
  expect(await codeOf(openPostgresStore({ ...place, password: 'wrong' }))).toEqual([
    'core.store.refused',
    'unavailable',
  ]);
  expect(await codeOf(openPostgresStore({ ...place, password: async () => 'espalier' }))).toBe('opened');
  await admin.query(`CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'`);
  expect(await codeOf(openPostgresStore({ ...place, database: 'latin', password: 'espalier' }))).toEqual([
    'core.store.server',
    'invalid',
  ]);
});
