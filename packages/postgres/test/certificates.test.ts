// The register when it is large: what runs by itself, and every SCEP request, looks at a few rows only.
import type { Store } from '@espalier/core';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPostgresStore } from '../src/index.ts';
import { startServer, type TestServer } from './server.ts';

let server: TestServer;
let admin: pg.Client;
let store: Store;
const END = 1_000_000;

beforeAll(async () => {
  server = await startServer();
  admin = new pg.Client(server.url);
  await admin.connect();
  store = await openPostgresStore(server.url, { schema: 'register' });
  // As a register is after years: almost all of it has ended, a few end now, the rest lasts.
  await admin.query(`
    INSERT INTO register.certificate (fingerprint, serial_number, subject, not_before, not_after, status, certificate)
    SELECT 'f' || i, 's' || i, 'CN=device', 0, CASE WHEN i <= 30000 THEN i ELSE ${END} * 2 END,
      CASE WHEN i <= 29990 THEN 'expired' ELSE 'in-force' END, ''
    FROM generate_series(1, 40000) AS t (i)`);
  await admin.query(`
    INSERT INTO register.scep_request (id, public_key_hash, transaction_id, state, sealed, requested_at, expires_at)
    SELECT 'r' || i, 'k' || i, 't' || i, CASE WHEN i <= 19995 THEN 'refused' ELSE 'pending' END, '', 0, ${END} * 2
    FROM generate_series(1, 20000) AS t (i)`);
  await admin.query('ANALYZE');
}, 60_000);

afterAll(async () => {
  await store?.close();
  await admin?.end();
  await server?.close();
});

/** Which indexes a query walks. */
async function indexes(sql: string): Promise<string[]> {
  const { rows } = await admin.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).not.toContain('Seq Scan');
  return [...plan.matchAll(/(?:using|on) ((?:certificate|scep_request)_\w+)/g)].map((match) => match[1]!);
}

test('expiry finds those that end now by the index of the living', async () => {
  const living = `SELECT fingerprint FROM register.certificate WHERE not_after <= ${END}
    AND status IN ('issued', 'in-force') LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED`;
  expect(await indexes(living)).toEqual(['certificate_living']);
  expect(await store.certificates.expire({ at: END, limit: 500 })).toBe(10);
  expect(await store.certificates.expire({ at: END, limit: 500 })).toBe(0);
});

test('waiting requests are found and counted by index', async () => {
  const undecided = `SELECT 1 FROM register.scep_request WHERE state = 'pending' AND expires_at > 0 LIMIT 1000`;
  expect(await indexes(undecided)).toEqual(['scep_request_state']);
  const own = `SELECT id FROM register.scep_request WHERE public_key_hash = 'k7' AND transaction_id = 't7'`;
  expect(await indexes(own)).toEqual(['scep_request_transaction']);
  const { items } = await store.scepRequests.list({ state: 'pending' }, { limit: 50 });
  expect(items.map(({ id }) => id)).toEqual(['r20000', 'r19999', 'r19998', 'r19997', 'r19996']);
});
