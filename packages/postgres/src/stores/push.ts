// Push state on PostgreSQL.
import type { PushSettlement, PushStore } from '@espalier/core';
import type { Database, Queryable } from '../database.ts';

interface ClaimRow {
  readonly o_enrolment: string;
  readonly o_token: Uint8Array;
  readonly o_magic: Uint8Array;
  readonly o_topic: string;
  readonly o_attempts: number;
}

/** Push state over the database. */
export function postgresPush(db: Database): PushStore {
  const s = db.schema;
  const text = {
    claim: `SELECT * FROM ${s}.claim_pushes($1, $2, $3, $4)`,
    settle: `SELECT FROM ${s}.settle_pushes($1, $2::text[], $3::text[], $4::text[], $5::bigint[])`,
    // The rows are locked in order of id, as by everybody else.
    postpone: `WITH locked AS MATERIALIZED (
        SELECT l.id FROM ${s}.live l WHERE l.id = ANY ($1::text[]) ORDER BY l.id FOR NO KEY UPDATE
      ) UPDATE ${s}.live l SET lease = NULL, due_at = t.due_at
      FROM locked, unnest($1::text[], $2::text[], $3::bigint[]) AS t (id, lease, due_at)
      WHERE l.id = locked.id AND l.id = t.id AND l.lease = t.lease`,
    request: `SELECT ${s}.request_pushes($1::text[], $2) AS count`,
    next: `SELECT min(due_at) AS due FROM ${s}.live WHERE pushable AND due_at IS NOT NULL`,
    get: `SELECT t.topic, l.pushable, l.due_at AS "dueAt", l.push_attempts AS attempts, l.last_pushed_at AS "lastPushedAt"
      FROM ${s}.live l JOIN ${s}.push_token t ON t.enrolment_id = l.id WHERE l.id = $1`,
  };
  return {
    async claim({ lease, at, leaseMs, limit }) {
      const rows = await db.query<ClaimRow>('push.claim', text.claim, [lease, at, leaseMs, limit]);
      return rows.map((row) => ({
        enrolmentId: row.o_enrolment,
        token: row.o_token,
        pushMagic: row.o_magic,
        topic: row.o_topic,
        attempts: row.o_attempts,
      }));
    },

    async settle({ at, settlements }) {
      const postponed = settlements.filter((one) => one.outcome === 'postponed');
      const settled = settlements.filter((one) => one.outcome !== 'postponed');
      const keys = (list: readonly PushSettlement[]) => [
        list.map((one) => one.enrolmentId),
        list.map((one) => one.lease),
      ];
      const settle = (q: Queryable) =>
        q.query('push.settle', text.settle, [
          at,
          ...keys(settled),
          settled.map((one) => one.outcome),
          settled.map((one) => one.dueAt),
        ]);
      const postpone = (q: Queryable) =>
        q.query('push.postpone', text.postpone, [...keys(postponed), postponed.map((one) => one.dueAt)]);
      if (postponed.length === 0 && settled.length === 0) return;
      if (postponed.length === 0) await settle(db);
      else if (settled.length === 0) await postpone(db);
      else {
        await db.transaction(async (q) => {
          await settle(q);
          await postpone(q);
        });
      }
    },

    async request({ enrolmentIds, at }) {
      const values = [[...new Set(enrolmentIds)], at];
      const [row] = await db.query<{ count: number }>('push.request', text.request, values);
      return row?.count ?? 0;
    },

    async nextDueAt() {
      const [row] = await db.query<{ due: number | null }>('push.next', text.next);
      return row?.due ?? null;
    },

    async get(enrolmentId) {
      const [row] = await db.query<{
        topic: string;
        pushable: boolean;
        dueAt: number | null;
        attempts: number;
        lastPushedAt: number | null;
      }>('push.get', text.get, [enrolmentId]);
      return row ?? null;
    },
  };
}
