// Facts as rows: written with every report, and the store's own search over them.
import {
  FACT_KEY_LENGTH,
  type FactRow,
  LABEL_ID_TOKEN,
  type SearchStore,
  type SqlSchema,
  type StoreSearch,
  serverColumns,
} from '@espalier/core';
import type { Database } from './database.ts';
import { filterSql } from './enrolments.ts';
import { type DeviceRowColumns, deviceColumns, deviceOf, deviceTables } from './rows.ts';

/** The number that stands for a field, made where there is none; inside a write. */
function fieldFor(db: Database, token: string): number {
  const known = db.get<{ id: number }>('SELECT id FROM fact_fields WHERE token = ?', token);
  return known?.id ?? db.insert('INSERT INTO fact_fields (token) VALUES (?)', token);
}

/** Replaces the rows of some fields of a device, inside a write. */
export function putFactRows(db: Database, nr: number, tokens: readonly string[], rows: readonly FactRow[]): void {
  for (const token of tokens) {
    db.run(
      'DELETE FROM fact_rows WHERE enrolment = ? AND field = (SELECT id FROM fact_fields WHERE token = ?)',
      nr,
      token,
    );
  }
  const changed = new Set(tokens);
  const fields = new Map<string, number>();
  for (const row of rows) {
    if (!changed.has(row.field)) continue;
    const field = fields.get(row.field) ?? fieldFor(db, row.field);
    fields.set(row.field, field);
    db.run(
      'INSERT INTO fact_rows (enrolment, field, ordinal, key, whole, number, version) VALUES (?, ?, ?, ?, ?, ?, ?)',
      nr,
      field,
      row.ordinal,
      row.key,
      row.whole,
      row.number,
      row.version,
    );
  }
}

/** Searches over a database. */
export function sqliteSearch(db: Database): SearchStore {
  // Numbers are given out once and stay; one that is not here yet may have been given out by another process.
  const fields = new Map<string, number>();
  function fieldOf(token: string): number {
    const known = fields.get(token);
    if (known !== undefined) return known;
    const row = db.get<{ id: number }>('SELECT id FROM fact_fields WHERE token = ?', token);
    if (row === undefined) return -1;
    fields.set(token, row.id);
    return row.id;
  }

  const schema: SqlSchema = {
    facts: (token) =>
      token === LABEL_ID_TOKEN
        ? {
            table: '(SELECT enrolment, label AS key, 0 AS field FROM label_members)',
            subject: 'enrolment',
            outer: 'e.nr',
          }
        : {
            table: 'fact_rows',
            subject: 'enrolment',
            outer: 'e.nr',
            whole: { column: 'whole', keyLength: FACT_KEY_LENGTH },
          },
    fieldId: (token) => (token === LABEL_ID_TOKEN ? 0 : fieldOf(token)),
    column: serverColumns({
      status: 'e.status',
      phase: 'e.phase',
      pushable: 'e.pushable = 1',
      enrolledAt: 'e.enrolled_at',
      lastSeenAt: 'e.last_seen_at',
    }),
  };

  /** The condition on `enrolments e`, and its values. */
  function conditionOf({ sql, statuses, label }: StoreSearch): { text: string; values: (string | number)[] } {
    const { text, parameters } = sql({ dialect: 'sqlite', schema });
    const values = parameters.map((value) => (typeof value === 'boolean' ? Number(value) : value));
    const filter = filterSql({ channel: 'device', ...(statuses === undefined ? {} : { statuses }) });
    if (label === undefined) return { text: `${filter} AND ${text}`, values };
    const member = `EXISTS (SELECT 1 FROM label_members m WHERE m.label = ? AND m.enrolment = e.nr)`;
    return {
      text: `${filter} AND ${text} AND ${label.member ? member : `NOT ${member}`}`,
      values: [...values, label.id],
    };
  }

  return {
    page: (search, { after, limit }) =>
      db.read(() => {
        const { text, values } = conditionOf(search);
        const rows = db.query<DeviceRowColumns & { total: number }>(
          `WITH hit AS MATERIALIZED (SELECT e.nr, e.id FROM enrolments e WHERE ${text}),
           total AS (SELECT count(*) AS total FROM hit),
           page AS (SELECT hit.nr FROM hit WHERE hit.id > ? ORDER BY hit.id LIMIT ?),
           device AS (SELECT ${deviceColumns} FROM ${deviceTables} WHERE e.nr IN (SELECT nr FROM page))
           SELECT total.total, device.* FROM total LEFT JOIN device ON TRUE ORDER BY device.id`,
          ...values,
          after ?? '',
          limit + 1,
        );
        const found = rows.filter((row) => row.nr !== null);
        const items = found.slice(0, limit).map(deviceOf);
        return {
          items,
          next: found.length > limit ? (items.at(-1)?.enrolment.id ?? null) : null,
          total: Number(rows[0]?.total ?? 0),
        };
      }),

    ids: (search, { after, limit }) =>
      db.read(() => {
        const { text, values } = conditionOf(search);
        const rows = db.query<{ id: string; revision: number }>(
          `WITH hit AS MATERIALIZED (SELECT e.nr, e.id FROM enrolments e WHERE ${text})
           SELECT hit.id, coalesce(f.revision, 0) AS revision FROM hit LEFT JOIN facts f ON f.nr = hit.nr
           WHERE hit.id > ? ORDER BY hit.id LIMIT ?`,
          ...values,
          after ?? '',
          limit + 1,
        );
        const items = rows.slice(0, limit).map(({ id, revision }) => ({ enrolmentId: id, revision }));
        return { items, next: rows.length > limit ? (items.at(-1)?.enrolmentId ?? null) : null };
      }),

    reindex: (devices) =>
      db.write(() => {
        const changed: string[] = [];
        for (const { enrolmentId, revision, rows } of devices) {
          const row = db.get<{ nr: number; revision: number }>(
            `SELECT e.nr, coalesce(f.revision, 0) AS revision FROM enrolments e LEFT JOIN facts f ON f.nr = e.nr
             WHERE e.id = ?`,
            enrolmentId,
          );
          if (row === undefined) continue;
          if (row.revision !== revision) {
            changed.push(enrolmentId);
            continue;
          }
          db.run('DELETE FROM fact_rows WHERE enrolment = ?', row.nr);
          putFactRows(db, row.nr, [...new Set(rows.map(({ field }) => field))], rows);
        }
        return changed;
      }),
  };
}
