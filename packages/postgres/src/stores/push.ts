// Push state on PostgreSQL.
import type { PushStore } from '@espalier/core';
import type { Database } from '../database.ts';

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
      if (settlements.length === 0) return;
      await db.query('push.settle', text.settle, [
        at,
        settlements.map((one) => one.enrolmentId),
        settlements.map((one) => one.lease),
        settlements.map((one) => one.outcome),
        settlements.map((one) => one.dueAt),
      ]);
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
