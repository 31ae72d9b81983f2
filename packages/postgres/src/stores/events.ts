// Events on PostgreSQL.
import type { EngineEvent, EventStore } from '@espalier/core';
import type { Database } from '../database.ts';
import { appendEvents, cut } from '../rows.ts';

/** Events over the database. */
export function postgresEvents(db: Database): EventStore {
  const s = db.schema;
  const text = {
    list: `SELECT seq, type, happened_at AS at, enrolment_id AS "enrolmentId", data
      FROM ${s}.events($1, $2, $3, $4, $5)`,
    last: `SELECT ${s}.event_horizon() AS seq`,
    prune: `WITH old AS MATERIALIZED (
        SELECT seq FROM ${s}.event WHERE happened_at < $1 ORDER BY happened_at, seq LIMIT $2 FOR UPDATE SKIP LOCKED
      ), gone AS (DELETE FROM ${s}.event e USING old WHERE e.seq = old.seq RETURNING 1)
      SELECT count(*) AS count FROM gone`,
  };
  return {
    async append(events) {
      const seqs = await appendEvents(db, s, events);
      return events.map((event, i) => ({ seq: seqs[i]!, ...event }));
    },

    async list({ enrolmentId, type, order }, { after, limit }) {
      const rows = await db.query<EngineEvent>('events.list', text.list, [
        enrolmentId ?? null,
        type ?? null,
        order === 'oldest',
        after === undefined ? null : Number(after),
        limit + 1,
      ]);
      return cut(
        rows,
        limit,
        (row) => String(row.seq),
        (row) => row,
      );
    },

    async lastSeq() {
      const [row] = await db.query<{ seq: number }>('events.last', text.last);
      return row?.seq ?? 0;
    },

    since: (seq, limit) => db.query<EngineEvent>('events.list', text.list, [null, null, true, seq, limit]),

    async prune({ before, limit }) {
      const [row] = await db.query<{ count: number }>('events.prune', text.prune, [before, limit]);
      return row?.count ?? 0;
    },
  };
}
