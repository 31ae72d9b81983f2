// Searches in the database, over the tables of facts.
import {
  FACT_KEY_LENGTH,
  LABEL_ID_TOKEN,
  type SearchStore,
  type SqlSchema,
  type StoreSearch,
  serverColumns,
} from '@espalier/core';
import type { Database, Value } from '../database.ts';
import { type DeviceColumns, deviceColumns, deviceOf } from '../rows.ts';
import type { FactTables } from './facts.ts';

/** Searches over the database. */
export function postgresSearch(db: Database, facts: FactTables): SearchStore {
  const s = db.schema;
  const column = serverColumns({
    status: 'l.status',
    phase: 'l.phase',
    pushable: 'l.pushable',
    enrolledAt: 'l.enrolled_at',
    lastSeenAt: 'l.last_seen_at',
    lastSeenDay: 'l.seen_day',
  });
  const text = {
    lock: `SELECT l.id, l.nr, i.revision FROM ${s}.live l JOIN ${s}.inventory i ON i.enrolment_id = l.id
      WHERE l.id = ANY ($1::text[]) ORDER BY l.id FOR NO KEY UPDATE OF l`,
  };

  function schemaOver(ids: ReadonlyMap<string, number>, missing: Set<string>): SqlSchema {
    return {
      facts: (token) =>
        token === LABEL_ID_TOKEN
          ? {
              table: `(SELECT enrolment_id, label_id AS key, 0 AS field FROM ${s}.member)`,
              subject: 'enrolment_id',
              outer: 'l.id',
            }
          : {
              table: `${s}.fact`,
              subject: 'nr',
              outer: 'l.nr',
              whole: { column: 'whole', keyLength: FACT_KEY_LENGTH },
            },
      fieldId: (token) => {
        if (token === LABEL_ID_TOKEN) return 0;
        const id = ids.get(token);
        if (id === undefined) missing.add(token);
        return id ?? -1;
      },
      column,
    };
  }

  /** The devices that a search finds, as a FROM clause, and its values. */
  async function hitsOf({ sql, statuses, label }: StoreSearch): Promise<{ hits: string; values: Value[] }> {
    const missing = new Set<string>();
    let condition = sql({ dialect: 'postgres', schema: schemaOver(await facts.known([]), missing) });
    if (missing.size > 0) {
      // A field that another process has begun to keep meanwhile.
      const ids = await facts.known([...missing]);
      condition = sql({ dialect: 'postgres', schema: schemaOver(ids, new Set()) });
    }
    const values: Value[] = [...condition.parameters];
    const bind = (value: Value): string => `$${values.push(value)}`;
    const parts = [`l.channel = 'device'`, condition.text];
    if (statuses !== undefined) parts.push(`l.status = ANY (${bind([...statuses])}::text[])`);
    if (label !== undefined) {
      const member = `EXISTS (SELECT FROM ${s}.member m WHERE m.label_id = ${bind(label.id)} AND m.enrolment_id = l.id)`;
      parts.push(label.member ? member : `NOT ${member}`);
    }
    return { hits: `${s}.live l WHERE ${parts.join(' AND ')}`, values };
  }

  return {
    async page(search, { after, limit }) {
      const { hits, values } = await hitsOf(search);
      const n = values.length;
      // Not prepared: the plan fits the values, and there are too many different ones to keep.
      const rows = await db.query<Partial<DeviceColumns> & { total: number }>(
        '',
        `WITH hit AS MATERIALIZED (SELECT l.id FROM ${hits}),
          page AS (SELECT hit.id FROM hit WHERE hit.id > $${n + 1} ORDER BY hit.id LIMIT $${n + 2}),
          device AS (
            SELECT ${deviceColumns(s)} FROM page JOIN ${s}.live l ON l.id = page.id
              JOIN ${s}.enrolment e ON e.id = l.id JOIN ${s}.inventory i ON i.enrolment_id = l.id
          )
        SELECT t.total, d.* FROM (SELECT count(*) AS total FROM hit) t LEFT JOIN device d ON true ORDER BY d.id`,
        [...values, after ?? '', limit + 1],
      );
      const found = rows.filter((row): row is DeviceColumns & { total: number } => typeof row.id === 'string');
      const items = found.slice(0, limit).map(deviceOf);
      return {
        items,
        next: found.length > limit ? (items.at(-1)?.enrolment.id ?? null) : null,
        total: rows[0]?.total ?? 0,
      };
    },

    async ids(search, { after, limit }) {
      const { hits, values } = await hitsOf(search);
      const n = values.length;
      const rows = await db.query<{ enrolmentId: string; revision: number }>(
        '',
        `SELECT l.id AS "enrolmentId", i.revision FROM (SELECT l.id FROM ${hits} AND l.id > $${n + 1}) l
          JOIN ${s}.inventory i ON i.enrolment_id = l.id ORDER BY l.id LIMIT $${n + 2}`,
        [...values, after ?? '', limit + 1],
      );
      const items = rows.slice(0, limit);
      return { items, next: rows.length > limit ? (items.at(-1)?.enrolmentId ?? null) : null };
    },

    async reindex(devices) {
      const ids = await facts.idsFor(devices.flatMap(({ rows }) => rows.map((row) => row.field)));
      return db.transaction(async (q) => {
        const locked = await q.query<{ id: string; nr: number; revision: number }>('search.lock', text.lock, [
          devices.map(({ enrolmentId }) => enrolmentId),
        ]);
        const byId = new Map(locked.map((row) => [row.id, row]));
        const same = devices.filter(({ enrolmentId, revision }) => byId.get(enrolmentId)?.revision === revision);
        if (same.length > 0) {
          const rows = same.map((device) => ({ nr: byId.get(device.enrolmentId)!.nr, rows: device.rows }));
          facts.replace(q, rows, ids);
        }
        return devices
          .filter(({ enrolmentId, revision }) => {
            const now = byId.get(enrolmentId);
            return now !== undefined && now.revision !== revision;
          })
          .map(({ enrolmentId }) => enrolmentId);
      });
    },
  };
}
