// SCEP requests that wait, on PostgreSQL.
import type { ScepRequestRecord, ScepRequestStore } from '@espalier/core';
import type { Database } from '../database.ts';
import { cut, sendEvents } from '../rows.ts';

/** Waiting requests over the database. */
export function postgresScepRequests(db: Database): ScepRequestStore {
  const s = db.schema;
  const columns = `id, transaction_id AS "transactionId", public_key_hash AS "publicKeyHash", state, sealed,
    requested_at AS "requestedAt", decided_at AS "decidedAt", expires_at AS "expiresAt"`;
  const text = {
    undecided: `SELECT count(*) AS count FROM (
        SELECT 1 FROM ${s}.scep_request WHERE state = 'pending' AND expires_at > $1 LIMIT $2
      ) t`,
    // One that has expired makes way; one that waits stays, and nothing is returned.
    hold: `INSERT INTO ${s}.scep_request AS t
        (id, public_key_hash, transaction_id, state, sealed, requested_at, decided_at, expires_at)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
      ON CONFLICT (public_key_hash, transaction_id) DO UPDATE SET id = excluded.id, state = excluded.state,
        sealed = excluded.sealed, requested_at = excluded.requested_at, decided_at = excluded.decided_at,
        expires_at = excluded.expires_at
      WHERE t.expires_at <= $9 RETURNING 1`,
    find: `SELECT ${columns} FROM ${s}.scep_request
      WHERE public_key_hash = $1 AND transaction_id = $2 AND expires_at > $3`,
    get: `SELECT ${columns} FROM ${s}.scep_request WHERE id = $1`,
    list: `SELECT ${columns} FROM ${s}.scep_request WHERE ($1::text IS NULL OR state = $1)
        AND ($2::text IS NULL OR n < (SELECT n FROM ${s}.scep_request WHERE id = $2))
      ORDER BY n DESC LIMIT $3`,
    decide: `UPDATE ${s}.scep_request SET state = $2, sealed = $3, decided_at = $4
      WHERE id = $1 AND state = 'pending' RETURNING 1`,
    prune: `WITH old AS MATERIALIZED (
        SELECT id FROM ${s}.scep_request WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
      ), gone AS (DELETE FROM ${s}.scep_request r USING old WHERE r.id = old.id RETURNING 1)
      SELECT count(*) AS count FROM gone`,
  };
  return {
    hold: ({ request, most, at, event }) =>
      db.transaction(async (q) => {
        const { id, publicKeyHash, transactionId, state, sealed, requestedAt, decidedAt, expiresAt } = request;
        const [same] = await q.query('scepRequests.find', text.find, [publicKeyHash, transactionId, at]);
        if (same !== undefined) return 'held-before';
        const [undecided] = await q.query<{ count: number }>('scepRequests.undecided', text.undecided, [at, most]);
        if (state === 'pending' && (undecided?.count ?? 0) >= most) return 'full';
        const values = [id, publicKeyHash, transactionId, state, sealed, requestedAt, decidedAt, expiresAt, at];
        const held = await q.query('scepRequests.hold', text.hold, values);
        if (held.length === 0) return 'held-before';
        sendEvents(q, s, [event]);
        return 'held';
      }),

    async find(transactionId, publicKeyHash, at) {
      const values = [publicKeyHash, transactionId, at];
      return (await db.query<ScepRequestRecord>('scepRequests.find', text.find, values))[0] ?? null;
    },

    async get(id) {
      return (await db.query<ScepRequestRecord>('scepRequests.get', text.get, [id]))[0] ?? null;
    },

    async list({ state }, { after, limit }) {
      const values = [state ?? null, after ?? null, limit + 1];
      const rows = await db.query<ScepRequestRecord>('scepRequests.list', text.list, values);
      return cut(
        rows,
        limit,
        (row) => row.id,
        (row) => row,
      );
    },

    decide: ({ id, state, sealed, at, event }) =>
      db.transaction(async (q) => {
        const decided = await q.query('scepRequests.decide', text.decide, [id, state, sealed, at]);
        if (decided.length > 0) sendEvents(q, s, [event]);
        return decided.length > 0;
      }),

    async prune({ before, limit }) {
      const [row] = await db.query<{ count: number }>('scepRequests.prune', text.prune, [before, limit]);
      return row?.count ?? 0;
    },
  };
}
