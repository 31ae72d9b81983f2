// Brings a store into a state at once: by statements of many rows, or where there are none by the store's own methods.
import { DatabaseSync } from 'node:sqlite';
import type { Store } from '@espalier/core';
import pg from 'pg';
import { command, EACH, having, idOf, KEPT, LATER, POLLED, type State, T0 } from './states.ts';

/** Brings a store into a state through its own methods: quick enough for the memory store only. */
export async function seedByStore(store: Store, state: State, devices: number): Promise<void> {
  for (let i = 0; i < devices + POLLED; i++) {
    const token = new Uint8Array(32);
    const shared = { id: idOf(i), kind: 'device', certificateFingerprint: idOf(i), at: T0, details: { udid: idOf(i) } };
    const enrolling = { ...shared, kind: 'device', secrets: [] } as const;
    await store.enrolments.authenticate({ ...enrolling, events: [] });
    const push = { channel: 'device', parent: null, token, pushMagic: token, topic: 'topic' } as const;
    await store.enrolments.tokenUpdate({ ...enrolling, ...push, firstEvents: [], laterEvents: [] });
  }
  const [from, to] = having(state, devices);
  const ids = Array.from({ length: to - from }, (_, i) => idOf(from + i));
  for (let i = 0; i < EACH && ids.length > 0; i++) {
    const notBefore = state === 'own' ? LATER : null;
    // In a history, each takes the place of the one before, which is finished so.
    // What is finished wakes nobody, as in the databases.
    const finished = state === 'history';
    const seed = command(`seed-${i}`, { notBefore, dedupeKey: finished ? 'seed' : null, push: !finished });
    await store.queue.enqueue({ commands: [seed], enrolmentIds: ids, at: T0 - 1, events: [] });
  }
  if (state === 'history') await store.queue.end({ enrolmentIds: ids, state: 'superseded', at: T0 - 1 });
}

/** Brings a SQLite file, which the store has made, into a state. */
export function seedSqlite(file: string, state: State, devices: number): void {
  const db = new DatabaseSync(file);
  const [from, to] = having(state, devices);
  const series = (first: number, last: number): string =>
    `WITH RECURSIVE n(n) AS (SELECT ${first} UNION ALL SELECT n + 1 FROM n WHERE n < ${last})`;
  const id = "'DEVICE-' || substr('0000000' || n, -8)";
  db.exec('PRAGMA synchronous = OFF');
  db.exec('BEGIN');
  db.exec(`${series(0, devices + POLLED - 1)}
    INSERT INTO enrolments (nr, id, channel, kind, status, udid, topic, pin, pushable, enrolled_at)
    SELECT n + 1, ${id}, 'device', 'device', 'active', ${id}, 'topic', ${id}, 1, ${T0} FROM n`);
  db.exec(`INSERT INTO push (nr, token, push_magic, topic, due_at)
    SELECT nr, zeroblob(32), zeroblob(32), 'topic',
      ${state === 'empty' || state === 'history' ? 'NULL' : `CASE WHEN nr > ${from} AND nr <= ${to} THEN ${state === 'own' ? LATER : T0} END`}
    FROM enrolments`);
  db.exec(`${series(1, state === 'empty' ? 0 : EACH)}
    INSERT INTO commands (uuid, request_type, body, sealed, priority, max_attempts, on_error, origin, push, follow_up, queued_at, refs)
    SELECT 'seed-' || n, 'DeviceInformation', zeroblob(2000), 0, 0, 20, 'fail', 'bench', 1, 0, ${T0 - 1}, ${devices} FROM n
    WHERE n <= ${state === 'empty' ? 0 : EACH}`);
  if (state === 'history') {
    db.exec(`INSERT INTO history (enrolment, seq, state, sent_at, finished_at, attempts, response)
      SELECT e.nr, c.seq, 'acknowledged', ${T0 - 1}, ${KEPT}, 1, zeroblob(300) FROM commands c CROSS JOIN enrolments e
      WHERE e.nr > ${from} AND e.nr <= ${to}`);
  } else if (state !== 'empty') {
    db.exec(`INSERT INTO pending (enrolment, rank, seq, ready, push, max_attempts, not_before)
      SELECT e.nr, 0, c.seq, 1, 1, 20, ${state === 'own' ? LATER : 'NULL'} FROM enrolments e CROSS JOIN commands c
      WHERE e.nr > ${from} AND e.nr <= ${to}`);
  }
  db.exec('COMMIT');
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
}

/** Brings a PostgreSQL schema, which the store has made, into a state. */
export async function seedPostgres(url: string, s: string, state: State, devices: number): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  const [from, to] = having(state, devices);
  const id = (n: string): string => `'DEVICE-' || lpad((${n})::text, 8, '0')`;
  const all = `generate_series(0, ${devices + POLLED - 1}) n`;
  const some = `generate_series(${from}, ${to - 1}) n`;
  const due = state === 'own' ? LATER : T0;
  const isDue =
    state === 'backlog' || state === 'own' ? `CASE WHEN n >= ${from} AND n < ${to} THEN ${due} END` : 'NULL';
  try {
    await client.query(`SET synchronous_commit = off; BEGIN;
      INSERT INTO ${s}.live (id, channel, status, pin, enrolled_at, inventory_at, pushable, has_push, due_at)
        SELECT ${id('n')}, 'device', 'active', ${id('n')}, ${T0}, ${T0}, true, true, ${isDue} FROM ${all};
      INSERT INTO ${s}.enrolment (id, kind, pin, udid) SELECT ${id('n')}, 'device', ${id('n')}, ${id('n')} FROM ${all};
      INSERT INTO ${s}.push_token SELECT ${id('n')}, ''::bytea, ''::bytea, 'topic' FROM ${all};`);
    if (state !== 'empty') {
      await client.query(`INSERT INTO ${s}.command
        (uuid, ord, request_type, body, sealed, max_attempts, on_error, origin, push, follow_up, queued_at, refs)
        SELECT 'seed-' || n, 0, 'DeviceInformation', convert_to(repeat(' ', 2000), 'UTF8'), false, 20, 'fail', 'bench', true,
          false, ${T0 - 1}, ${devices} FROM generate_series(1, ${EACH}) n`);
    }
    if (state === 'history') {
      await client.query(`INSERT INTO ${s}.history (enrolment_id, seq, state, sent_at, finished_at, attempts, response)
        SELECT ${id('n')}, c.seq, 'acknowledged', ${T0 - 1}, ${KEPT}, 1, convert_to(repeat(' ', 300), 'UTF8')
        FROM ${s}.command c, ${some}`);
    } else if (state !== 'empty') {
      await client.query(`INSERT INTO ${s}.pending
        (enrolment_id, ord, seq, state, held, push, not_before, max_attempts, attempts, not_now, offered)
        SELECT ${id('n')}, 0, c.seq, 'queued', false, true, ${state === 'own' ? LATER : 'NULL::bigint'}, 20, 0, 0, -1
        FROM ${some}, ${s}.command c`);
    }
    await client.query('COMMIT');
    for (const table of ['live', 'enrolment', 'push_token', 'command', 'history', 'pending', 'event']) {
      await client.query(`VACUUM (ANALYZE) ${s}.${table}`);
    }
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
}
