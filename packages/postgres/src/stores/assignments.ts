// Assignments of configurations to devices, and the marks for reconciling, on PostgreSQL.
import type { AssignmentRecord, ConfigurationStore, ReconcileMark } from '@espalier/core';
import type { Database, Value } from '../database.ts';
import { cut, freeText, sendEvents } from '../rows.ts';

/** The part of the configuration store that is about devices. */
export function postgresAssignments(
  db: Database,
): Pick<
  ConfigurationStore,
  | 'assignmentsOf'
  | 'assignments'
  | 'putAssignments'
  | 'transition'
  | 'mark'
  | 'markConcerned'
  | 'claimMarks'
  | 'clearMarks'
> {
  const s = db.schema;
  const columns = `enrolment_id AS "enrolmentId", configuration_id AS "configurationId",
    configuration_name AS "configurationName", profile_identifier AS "profileIdentifier", status, version,
    command_uuid AS "commandUuid", detail, updated_at AS "updatedAt", profile_uuid AS "profileUuid", verifiable`;
  const text = {
    ofMany: `SELECT ${columns} FROM ${s}.assignment
      WHERE enrolment_id = ANY ($1::text[]) ORDER BY enrolment_id, configuration_id`,
    list: `SELECT ${columns} FROM ${s}.assignment
      WHERE configuration_id = $1 AND enrolment_id > $2 ORDER BY enrolment_id LIMIT $3`,
    remove: `DELETE FROM ${s}.assignment a USING unnest($1::text[], $2::text[]) AS t (enrolment_id, configuration_id)
      WHERE a.enrolment_id = t.enrolment_id AND a.configuration_id = t.configuration_id`,
    put: `INSERT INTO ${s}.assignment (enrolment_id, configuration_id, configuration_name, profile_identifier, status,
        version, command_uuid, detail, updated_at, profile_uuid, verifiable)
      SELECT t.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[],
        $8::text[], $9::bigint[], $10::text[], $11::boolean[])
        AS t (enrolment_id, configuration_id, configuration_name, profile_identifier, status, version, command_uuid,
          detail, updated_at, profile_uuid, verifiable)
      ORDER BY t.enrolment_id COLLATE "C", t.configuration_id COLLATE "C"
      ON CONFLICT (enrolment_id, configuration_id) DO UPDATE SET configuration_name = excluded.configuration_name,
        profile_identifier = excluded.profile_identifier, status = excluded.status, version = excluded.version,
        command_uuid = excluded.command_uuid, detail = excluded.detail, updated_at = excluded.updated_at,
        profile_uuid = excluded.profile_uuid, verifiable = excluded.verifiable`,
    lock: `SELECT 1 FROM ${s}.assignment
      WHERE enrolment_id = $1 AND configuration_id = $2 AND command_uuid IS NOT DISTINCT FROM $3 FOR UPDATE`,
    mark: `SELECT FROM ${s}.mark_enrolments($1::text[], $2)`,
    markConcerned: `WITH concerned AS MATERIALIZED (
        SELECT array_agg(u.id) AS ids FROM unnest($1::text[]) AS u (id)
        WHERE EXISTS (SELECT FROM ${s}.assignment a WHERE a.enrolment_id = u.id)
          OR EXISTS (SELECT FROM ${s}.member m JOIN ${s}.configuration_label c ON c.label_id = m.label_id
            WHERE m.enrolment_id = u.id)
      )
      SELECT 1, ${s}.mark_enrolments(c.ids, $2) FROM concerned c WHERE c.ids IS NOT NULL`,
    claim: `WITH due AS MATERIALIZED (
        SELECT m.enrolment_id, m.mark, m.due_at FROM ${s}.mark m
        WHERE m.due_at <= $1 AND ($4::text[] IS NULL OR m.enrolment_id = ANY ($4))
        ORDER BY m.due_at, m.mark LIMIT $3 FOR UPDATE SKIP LOCKED
      ), leased AS (
        UPDATE ${s}.mark m SET due_at = $1 + $2 FROM due WHERE m.enrolment_id = due.enrolment_id
        RETURNING m.enrolment_id, m.mark, due.due_at
      )
      SELECT enrolment_id AS "enrolmentId", mark FROM leased ORDER BY due_at, mark`,
    clear: `WITH gone AS MATERIALIZED (
        SELECT m.enrolment_id FROM ${s}.mark m JOIN unnest($1::text[], $2::bigint[]) AS t (id, mark)
          ON m.enrolment_id = t.id AND m.mark = t.mark
        ORDER BY m.enrolment_id FOR UPDATE OF m
      )
      DELETE FROM ${s}.mark m USING gone WHERE m.enrolment_id = gone.enrolment_id`,
  };

  return {
    async assignmentsOf(enrolmentIds) {
      const rows = await db.query<AssignmentRecord>('assignments.ofMany', text.ofMany, [[...new Set(enrolmentIds)]]);
      const found = new Map<string, AssignmentRecord[]>();
      for (const row of rows) {
        const list = found.get(row.enrolmentId);
        if (list === undefined) found.set(row.enrolmentId, [row]);
        else list.push(row);
      }
      return found;
    },

    async assignments(id, { after, limit }) {
      const rows = await db.query<AssignmentRecord>('assignments.list', text.list, [id, after ?? '', limit + 1]);
      return cut(
        rows,
        limit,
        (row) => row.enrolmentId,
        (row) => row,
      );
    },

    async putAssignments({ put, remove, events }) {
      // Of two records for one place the last counts; one statement may write each only once.
      const records = [
        ...new Map(put.map((one) => [JSON.stringify([one.enrolmentId, one.configurationId]), one])).values(),
      ];
      await db.transaction(async (q) => {
        if (remove.length > 0) {
          q.send('assignments.remove', text.remove, [
            remove.map((one) => one.enrolmentId),
            remove.map((one) => one.configurationId),
          ]);
        }
        if (records.length > 0) {
          q.send('assignments.put', text.put, columnsOf(records));
        }
        sendEvents(q, s, events);
      });
    },

    transition: ({ enrolmentId, configurationId, expectedCommandUuid, to, events }) =>
      db.transaction(async (q) => {
        const key = [enrolmentId, configurationId];
        const found = await q.query('assignments.lock', text.lock, [...key, expectedCommandUuid]);
        if (found.length === 0) return false;
        if (to === null) q.send('assignments.remove', text.remove, [[enrolmentId], [configurationId]]);
        else q.send('assignments.put', text.put, columnsOf([to]));
        sendEvents(q, s, events);
        return true;
      }),

    async mark({ enrolmentIds, at }) {
      await db.query('marks.mark', text.mark, [[...new Set(enrolmentIds)], at]);
    },

    async markConcerned({ enrolmentIds, at }) {
      const ids = [...new Set(enrolmentIds)];
      return (await db.query('marks.markConcerned', text.markConcerned, [ids, at])).length > 0;
    },

    async claimMarks({ at, leaseMs, limit, enrolmentIds }) {
      const values = [at, leaseMs, limit, enrolmentIds === undefined ? null : [...new Set(enrolmentIds)]];
      return db.query<ReconcileMark>('marks.claim', text.claim, values);
    },

    async clearMarks(marks) {
      if (marks.length === 0) return;
      await db.query('marks.clear', text.clear, [marks.map((one) => one.enrolmentId), marks.map((one) => one.mark)]);
    },
  };
}

function columnsOf(records: readonly AssignmentRecord[]): Value[] {
  return [
    records.map((one) => one.enrolmentId),
    records.map((one) => one.configurationId),
    records.map((one) => one.configurationName),
    records.map((one) => one.profileIdentifier),
    records.map((one) => one.status),
    records.map((one) => one.version),
    records.map((one) => one.commandUuid),
    records.map((one) => (one.detail === null ? null : freeText(one.detail))),
    records.map((one) => one.updatedAt),
    records.map((one) => one.profileUuid),
    records.map((one) => one.verifiable),
  ];
}
