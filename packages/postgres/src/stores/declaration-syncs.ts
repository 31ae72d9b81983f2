// What channels are to have, were told and fetched, and what they said, on PostgreSQL.
import type { DeclarationStateRecord, DeclarationStore, DeclarationSyncRecord, ReconcileMark } from '@espalier/core';
import type { Database, Value } from '../database.ts';
import { cut, freeText, sendEvents } from '../rows.ts';

/** The part of the store that is about channels. */
export function declarationSyncs(
  db: Database,
): Omit<
  DeclarationStore,
  | 'put'
  | 'delete'
  | 'getMany'
  | 'list'
  | 'putSet'
  | 'deleteSet'
  | 'getSets'
  | 'listSets'
  | 'members'
  | 'changeMembers'
  | 'desired'
> {
  const s = db.schema;
  const stateColumns = `enrolment_id AS "enrolmentId", identifier, kind, server_token AS "serverToken", active, valid,
    reasons, reported_at AS "reportedAt"`;
  const text = {
    mark: `SELECT FROM ${s}.mark_declarations($1::text[], $2)`,
    claim: `WITH due AS MATERIALIZED (
        SELECT m.enrolment_id, m.mark, m.due_at FROM ${s}.declaration_mark m
        WHERE m.due_at <= $1 ORDER BY m.due_at, m.mark LIMIT $3 FOR UPDATE SKIP LOCKED
      ), leased AS (
        UPDATE ${s}.declaration_mark m SET due_at = $1 + $2 FROM due WHERE m.enrolment_id = due.enrolment_id
        RETURNING m.enrolment_id, m.mark, due.due_at
      )
      SELECT enrolment_id AS "enrolmentId", mark FROM leased ORDER BY due_at, mark`,
    clear: `WITH gone AS MATERIALIZED (
        SELECT m.enrolment_id FROM ${s}.declaration_mark m JOIN unnest($1::text[], $2::bigint[]) AS t (id, mark)
          ON m.enrolment_id = t.id AND m.mark = t.mark
        ORDER BY m.enrolment_id FOR UPDATE OF m
      )
      DELETE FROM ${s}.declaration_mark m USING gone WHERE m.enrolment_id = gone.enrolment_id`,
    // The time is written also where there is one already: who prunes meanwhile then sees that it is in use.
    keep: `INSERT INTO ${s}.declaration_snapshot AS p (token, items, kept_at)
      SELECT t.token, t.items, $3 FROM unnest($1::text[], $2::text[]) AS t (token, items) ORDER BY t.token COLLATE "C"
      ON CONFLICT (token) DO UPDATE SET kept_at = greatest(p.kept_at, excluded.kept_at)`,
    assign: `INSERT INTO ${s}.declaration_sync AS c (enrolment_id, token, token_at)
      SELECT l.id, t.token, $3 FROM unnest($1::text[], $2::text[]) AS t (id, token) JOIN ${s}.live l ON l.id = t.id
      ORDER BY l.id
      ON CONFLICT (enrolment_id) DO UPDATE SET token = excluded.token, token_at = excluded.token_at
        WHERE c.token <> excluded.token`,
    asked: `WITH held AS MATERIALIZED (
        SELECT c.enrolment_id, t.token FROM unnest($1::text[], $2::text[]) AS t (id, token)
        JOIN ${s}.declaration_sync c ON c.enrolment_id = t.id ORDER BY c.enrolment_id FOR UPDATE OF c
      )
      UPDATE ${s}.declaration_sync c SET asked_token = held.token, asked_at = $3 FROM held
      WHERE c.enrolment_id = held.enrolment_id`,
    syncs: `SELECT enrolment_id AS id, token, token_at AS "tokenAt", device_token AS "deviceToken",
        fetched_at AS "fetchedAt", asked_token AS "askedToken", asked_at AS "askedAt", reports,
        reported_at AS "reportedAt", capabilities
      FROM ${s}.declaration_sync WHERE enrolment_id = ANY ($1::text[])`,
    snapshot: `SELECT items FROM ${s}.declaration_snapshot WHERE token = $1`,
    lock: `SELECT device_token AS "deviceToken", reports FROM ${s}.declaration_sync WHERE enrolment_id = $1 FOR UPDATE`,
    fetched: `UPDATE ${s}.declaration_sync SET device_token = $2, fetched_at = $3 WHERE enrolment_id = $1`,
    report: `WITH old AS (DELETE FROM ${s}.declaration_state WHERE enrolment_id = $1)
      UPDATE ${s}.declaration_sync SET status = $2, capabilities = coalesce($3, capabilities), reported_at = $4,
        reports = reports + 1 WHERE enrolment_id = $1`,
    states: `INSERT INTO ${s}.declaration_state (enrolment_id, identifier, kind, server_token, active, valid, reasons,
        reported_at)
      SELECT $1, t.* FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::json[], $8::bigint[])
        AS t (identifier, kind, server_token, active, valid, reasons, reported_at)`,
    status: `SELECT status FROM ${s}.declaration_sync WHERE enrolment_id = $1`,
    statesOf: `SELECT ${stateColumns} FROM ${s}.declaration_state WHERE enrolment_id = $1 ORDER BY identifier`,
    statesOn: `SELECT ${stateColumns} FROM ${s}.declaration_state
      WHERE identifier = $1 AND enrolment_id > $2 ORDER BY enrolment_id LIMIT $3`,
    outdated: `SELECT c.enrolment_id AS id FROM ${s}.declaration_sync c JOIN ${s}.live l ON l.id = c.enrolment_id
      WHERE c.device_token IS DISTINCT FROM c.token AND c.asked_at < $1 AND l.status = 'active'
      ORDER BY c.enrolment_id LIMIT $2`,
    holders: `WITH device AS MATERIALIZED (
        SELECT l.id FROM ${s}.enrolment e JOIN ${s}.live l ON l.id = e.id
        WHERE e.pin = $1 AND l.pin = $1 AND l.status IN ('pending', 'active')
      ), channel AS (
        SELECT d.id FROM device d
        UNION ALL SELECT l.id FROM device d JOIN ${s}.live l ON l.parent = d.id AND l.parent IS NOT NULL
          WHERE l.status IN ('pending', 'active')
      )
      SELECT c.enrolment_id AS "enrolmentId", c.token FROM channel JOIN ${s}.declaration_sync c ON c.enrolment_id = channel.id`,
    prune: `DELETE FROM ${s}.declaration_snapshot WHERE token IN (
        SELECT p.token FROM ${s}.declaration_snapshot p
        WHERE p.kept_at < $1 AND NOT EXISTS (SELECT FROM ${s}.declaration_sync c WHERE c.token = p.token) LIMIT $2
      ) AND kept_at < $1 RETURNING 1`,
  };
  const columnsOf = (put: readonly { readonly enrolmentId: string; readonly token: string }[]): Value[] => {
    // Of two for one channel the last counts; one statement may write each only once.
    const last = new Map(put.map((one) => [one.enrolmentId, one.token]));
    return [[...last.keys()], [...last.values()]];
  };

  return {
    async mark({ enrolmentIds, at }) {
      await db.query('declarations.marks', text.mark, [[...new Set(enrolmentIds)], at]);
    },

    claimMarks: ({ at, leaseMs, limit }) =>
      db.query<ReconcileMark>('declarations.claim', text.claim, [at, leaseMs, limit]),

    async clearMarks(marks) {
      if (marks.length === 0) return;
      const values = [marks.map((one) => one.enrolmentId), marks.map((one) => one.mark)];
      await db.query('declarations.clear', text.clear, values);
    },

    assign: ({ snapshots, put, at }) =>
      db.transaction(async (q) => {
        const items = new Map(snapshots.map((one) => [one.token, one.items]));
        await q.query('declarations.keep', text.keep, [[...items.keys()], [...items.values()], at]);
        await q.query('declarations.assign', text.assign, [...columnsOf(put), at]);
      }),

    async asked({ put, at }) {
      await db.query('declarations.asked', text.asked, [...columnsOf(put), at]);
    },

    async syncs(enrolmentIds) {
      const rows = await db.query<DeclarationSyncRecord & { readonly id: string }>('declarations.syncs', text.syncs, [
        [...new Set(enrolmentIds)],
      ]);
      return new Map(rows.map(({ id, ...record }) => [id, record]));
    },

    async snapshot(token) {
      const [row] = await db.query<{ items: string }>('declarations.snapshot', text.snapshot, [token]);
      return row?.items ?? null;
    },

    fetched: ({ enrolmentId, token, at, event }) =>
      db.transaction(async (q) => {
        const [old] = await q.query<{ deviceToken: string | null }>('declarations.lockSync', text.lock, [enrolmentId]);
        if (old === undefined) return;
        await q.query('declarations.fetched', text.fetched, [enrolmentId, token, at]);
        if (old.deviceToken !== token) sendEvents(q, s, [event]);
      }),

    report: ({ enrolmentId, expectedReports, at, status, capabilities, states, events }) =>
      db.transaction(async (q) => {
        const [old] = await q.query<{ reports: number }>('declarations.lockSync', text.lock, [enrolmentId]);
        if (old?.reports !== expectedReports) return false;
        await q.query('declarations.report', text.report, [enrolmentId, status, capabilities, at]);
        await q.query('declarations.states', text.states, stateValues(enrolmentId, states));
        sendEvents(q, s, events);
        return true;
      }),

    async status(enrolmentId) {
      const rows = await db.query<{ status: string | null }>('declarations.status', text.status, [enrolmentId]);
      return rows[0]?.status ?? null;
    },

    statesOf: (enrolmentId) => db.query<DeclarationStateRecord>('declarations.statesOf', text.statesOf, [enrolmentId]),

    async statesOn(identifier, { after, limit }) {
      const values = [identifier, after ?? '', limit + 1];
      const rows = await db.query<DeclarationStateRecord>('declarations.statesOn', text.statesOn, values);
      return cut(
        rows,
        limit,
        (row) => row.enrolmentId,
        (row) => row,
      );
    },

    async outdated({ before, limit }) {
      const rows = await db.query<{ id: string }>('declarations.outdated', text.outdated, [before, limit]);
      return rows.map((row) => row.id);
    },

    holders: (certificateFingerprint) =>
      db.query<{ enrolmentId: string; token: string }>('declarations.holders', text.holders, [certificateFingerprint]),

    async prune({ before, limit }) {
      return (await db.query('declarations.prune', text.prune, [before, limit])).length;
    },
  };
}

/** What devices wrote, as PostgreSQL can hold it; of two states under one name the last counts. */
function stateValues(enrolmentId: string, states: readonly DeclarationStateRecord[]): Value[] {
  const list = [...new Map(states.map((state) => [freeText(state.identifier), state]))];
  return [
    enrolmentId,
    list.map(([identifier]) => identifier),
    list.map(([, state]) => state.kind),
    list.map(([, state]) => freeText(state.serverToken)),
    list.map(([, state]) => state.active),
    list.map(([, state]) => state.valid),
    list.map(([, state]) => JSON.stringify(state.reasons)),
    list.map(([, state]) => state.reportedAt),
  ];
}
