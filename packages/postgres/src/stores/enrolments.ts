// Enrolments on PostgreSQL: reading, and the messages that only touch one; beginning and ending are in lifecycle.ts.
import type { Enrolment, EnrolmentFilter, EnrolmentStore } from '@espalier/core';
import type { Database, Value } from '../database.ts';
import { cut, enrolmentColumns } from '../rows.ts';
import { postgresLifecycle } from './lifecycle.ts';

/** The filter's two values for {@link filterClause}. */
export function filterValues({ channel, statuses }: EnrolmentFilter): readonly Value[] {
  return [channel ?? null, statuses ?? null];
}

/** Picks rows of "live" as `l` by channel ($1) and statuses ($2). */
export const filterClause = `($1::text IS NULL OR l.channel = $1) AND ($2::text[] IS NULL OR l.status = ANY ($2))`;

/** Enrolments over the database. */
export function postgresEnrolments(db: Database): EnrolmentStore {
  const s = db.schema;
  const columns = enrolmentColumns(s);
  const text = {
    verify: `WITH l AS (
        UPDATE ${s}.live l SET last_seen_at = greatest(l.last_seen_at, $3)
        WHERE l.id = $1 AND l.status IN ('pending', 'active')
          AND $2 = CASE WHEN l.parent IS NULL THEN l.pin ELSE (
      SELECT parent.pin FROM ${s}.live parent WHERE parent.id = l.parent AND parent.status IN ('pending', 'active')
    ) END
        RETURNING *
      ), put AS (
        INSERT INTO ${s}.secret (scope, name, blob)
        SELECT l.id, t.name, t.blob FROM l, unnest($4::text[], $5::bytea[]) AS t (name, blob)
        ON CONFLICT (scope, name) DO UPDATE SET blob = excluded.blob
      )
      SELECT ${columns} FROM l JOIN ${s}.enrolment e ON e.id = l.id`,
    refusal: `SELECT ${s}.refusal($1) AS outcome`,
    getMany: `SELECT ${columns} FROM unnest($1::text[]) AS u (id)
      JOIN ${s}.live l ON l.id = u.id JOIN ${s}.enrolment e ON e.id = l.id`,
    usersOf: `SELECT l.id FROM ${s}.live l WHERE l.parent = ANY ($1::text[]) AND l.status = 'active'`,
    list: `SELECT ${columns} FROM ${s}.live l JOIN ${s}.enrolment e ON e.id = l.id
      WHERE ${filterClause} AND l.id > $3 ORDER BY l.id LIMIT $4`,
    count: `SELECT count(*) AS count FROM ${s}.live l WHERE ${filterClause}`,
    withoutInventory: `SELECT l.id FROM ${s}.live l
      LEFT JOIN LATERAL (
        SELECT true AS there FROM ${s}.pending p WHERE p.enrolment_id = l.id AND p.dedupe_key = $1 LIMIT 1
      ) p ON true
      WHERE l.inventory_at IS NULL AND l.status = 'active' AND l.channel = 'device' AND p.there IS NULL
        AND NOT EXISTS (SELECT FROM ${s}.follow_up f WHERE f.enrolment_id = l.id)
      ORDER BY l.enrolled_at, l.id LIMIT $2`,
  };
  const getMany = (ids: readonly string[]): Promise<Enrolment[]> =>
    db.query<Enrolment>('enrolments.getMany', text.getMany, [[...new Set(ids)]]);

  return {
    ...postgresLifecycle(db),

    async verify({ id, certificateFingerprint, at, secrets = [] }) {
      // Of two blobs under one name the last counts; one statement may write each only once.
      const blobs = new Map(secrets.map(({ name, blob }) => [name, blob]));
      const values = [id, certificateFingerprint, at, [...blobs.keys()], [...blobs.values()]];
      const [enrolment] = await db.query<Enrolment>('enrolments.verify', text.verify, values);
      if (enrolment !== undefined) return { outcome: 'ok', enrolment };
      const [row] = await db.query<{ outcome: 'unknown' | 'identity-mismatch' }>('enrolments.refusal', text.refusal, [
        id,
      ]);
      return { outcome: row?.outcome ?? 'unknown' };
    },

    get: async (id) => (await getMany([id]))[0] ?? null,
    getMany,

    async usersOf(deviceIds) {
      if (deviceIds.length === 0) return [];
      const rows = await db.query<{ id: string }>('enrolments.usersOf', text.usersOf, [[...new Set(deviceIds)]]);
      return rows.map((row) => row.id);
    },

    async list(filter, { after, limit }) {
      const values = [...filterValues(filter), after ?? '', limit + 1];
      const rows = await db.query<Enrolment>('enrolments.list', text.list, values);
      return cut(
        rows,
        limit,
        (row) => row.id,
        (row) => row,
      );
    },

    async count(filter) {
      const [row] = await db.query<{ count: number }>('enrolments.count', text.count, filterValues(filter));
      return row?.count ?? 0;
    },

    async withoutInventory({ dedupeKey, limit }) {
      const rows = await db.query<{ id: string }>('enrolments.withoutInventory', text.withoutInventory, [
        dedupeKey,
        limit,
      ]);
      return rows.map((row) => row.id);
    },
  };
}
