// SCEP requests that wait, on SQLite.
import type { ScepRequestRecord, ScepRequestState, ScepRequestStore } from '@espalier/core';
import type { Database } from './database.ts';
import { appendEvents, pageOf } from './rows.ts';

interface RequestRow {
  readonly nr: number;
  readonly id: string;
  readonly public_key_hash: string;
  readonly transaction_id: string;
  readonly state: ScepRequestState;
  readonly sealed: Uint8Array;
  readonly requested_at: number;
  readonly decided_at: number | null;
  readonly expires_at: number;
}

/** Waiting requests over a database. */
export function sqliteScepRequests(db: Database): ScepRequestStore {
  return {
    hold: ({ request, most, at, event }) =>
      db.write(() => {
        const { transactionId, publicKeyHash } = request;
        const same = db.get<{ expires_at: number }>(
          'SELECT expires_at FROM scep_requests WHERE public_key_hash = ? AND transaction_id = ?',
          publicKeyHash,
          transactionId,
        );
        if (same !== undefined && same.expires_at > at) return 'held-before';
        const undecided = db.get<{ count: number }>(
          `SELECT count(*) AS count FROM
             (SELECT 1 FROM scep_requests WHERE state = 'pending' AND expires_at > ? LIMIT ?)`,
          at,
          most,
        );
        if (request.state === 'pending' && (undecided?.count ?? 0) >= most) return 'full';
        db.run(
          `INSERT OR REPLACE INTO scep_requests
             (id, public_key_hash, transaction_id, state, sealed, requested_at, decided_at, expires_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
          request.id,
          publicKeyHash,
          transactionId,
          request.state,
          request.sealed,
          request.requestedAt,
          request.decidedAt,
          request.expiresAt,
        );
        appendEvents(db, [event]);
        return 'held';
      }),

    find: (transactionId, publicKeyHash, at) =>
      db.read(() => {
        const row = db.get<RequestRow>(
          'SELECT * FROM scep_requests WHERE public_key_hash = ? AND transaction_id = ? AND expires_at > ?',
          publicKeyHash,
          transactionId,
          at,
        );
        return row === undefined ? null : requestOf(row);
      }),

    get: (id) =>
      db.read(() => {
        const row = db.get<RequestRow>('SELECT * FROM scep_requests WHERE id = ?', id);
        return row === undefined ? null : requestOf(row);
      }),

    list: ({ state }, { after, limit }) =>
      db.read(() => {
        const rows = db.all<RequestRow>(
          `SELECT * FROM scep_requests WHERE ${state === undefined ? 'TRUE' : 'state = ?'} AND nr < ?
           ORDER BY nr DESC LIMIT ?`,
          ...(state === undefined ? [] : [state]),
          after === undefined ? Number.MAX_SAFE_INTEGER : Number(after),
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.nr, requestOf);
      }),

    decide: ({ id, state, sealed, at, event }) =>
      db.write(() => {
        const changed = db.run(
          "UPDATE scep_requests SET state = ?, sealed = ?, decided_at = ? WHERE id = ? AND state = 'pending'",
          state,
          sealed,
          at,
          id,
        );
        if (changed > 0) appendEvents(db, [event]);
        return changed > 0;
      }),

    prune: ({ before, limit }) =>
      db.write(() =>
        db.run(
          'DELETE FROM scep_requests WHERE nr IN (SELECT nr FROM scep_requests WHERE expires_at < ? LIMIT ?)',
          before,
          limit,
        ),
      ),
  };
}

function requestOf(row: RequestRow): ScepRequestRecord {
  return {
    id: row.id,
    transactionId: row.transaction_id,
    publicKeyHash: row.public_key_hash,
    state: row.state,
    sealed: new Uint8Array(row.sealed),
    requestedAt: row.requested_at,
    decidedAt: row.decided_at,
    expiresAt: row.expires_at,
  };
}
