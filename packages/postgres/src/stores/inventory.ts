// Facts and inventory on PostgreSQL.
import type { Enrolment, FactValue, InstalledProfile, InventoryRecord, InventoryStore } from '@espalier/core';
import { sameFact, sameList } from '@espalier/core';
import type { Database } from '../database.ts';
import { cut, type DeviceColumns, deviceColumns, deviceOf, sendEvents } from '../rows.ts';
import { filterClause, filterValues } from './enrolments.ts';
import type { FactTables } from './facts.ts';

/** Inventory over the database. */
export function postgresInventory(db: Database, facts: FactTables): InventoryStore {
  const s = db.schema;
  const record = `i.facts, i.apps, i.profiles, i.certificates, l.inventory_at AS "inventoryAt"
    FROM ${s}.live l JOIN ${s}.inventory i ON i.enrolment_id = l.id`;
  const rowColumns = deviceColumns(s);
  const text = {
    lock: `SELECT l.nr, l.channel, ${record} WHERE l.id = $1 FOR NO KEY UPDATE OF l, i`,
    get: `SELECT ${record} WHERE l.id = $1`,
    update: `UPDATE ${s}.inventory SET facts = coalesce($2::json, facts),
        revision = revision + CASE WHEN $2::json IS NULL THEN 0 ELSE 1 END, apps = coalesce($3::json, apps),
        profiles = coalesce($4::json, profiles), certificates = coalesce($5::json, certificates)
      WHERE enrolment_id = $1`,
    complete: `UPDATE ${s}.live SET inventory_at = $2 WHERE id = $1`,
    rows: `SELECT ${rowColumns} FROM unnest($1::text[]) AS u (id) JOIN ${s}.live l ON l.id = u.id
      JOIN ${s}.enrolment e ON e.id = l.id JOIN ${s}.inventory i ON i.enrolment_id = l.id`,
    scan: `SELECT ${rowColumns} FROM ${s}.live l
      JOIN ${s}.enrolment e ON e.id = l.id JOIN ${s}.inventory i ON i.enrolment_id = l.id
      WHERE ${filterClause} AND l.id > $3 ORDER BY l.id LIMIT $4`,
    profiles: `SELECT i.enrolment_id AS id, i.profiles FROM ${s}.inventory i WHERE i.enrolment_id = ANY ($1::text[])`,
  };

  return {
    async apply(report) {
      const ids = await facts.idsFor((report.rows ?? []).map((row) => row.field));
      return db.transaction(async (q) => {
        const id = report.enrolmentId;
        const [known] = await q.query<InventoryRecord & { nr: number; channel: Enrolment['channel'] }>(
          'inventory.lock',
          text.lock,
          [id],
        );
        if (known === undefined) return null;
        const merged = new Map<string, FactValue>(Object.entries(known.facts));
        const changed: string[] = [];
        for (const [token, value] of Object.entries(report.facts)) {
          if (sameFact(merged.get(token) ?? null, value)) continue;
          changed.push(token);
          if (value === null) merged.delete(token);
          else merged.set(token, value);
        }
        const lists = (['apps', 'profiles', 'certificates'] as const).map((name) => {
          const list = report[name];
          if (list === undefined) return null;
          return sameList(list, known[name]) ? null : JSON.stringify(list);
        });
        const listsChanged = lists.some((list) => list !== null);
        if (changed.length > 0 || listsChanged) {
          const json = changed.length > 0 ? JSON.stringify(Object.fromEntries(merged)) : null;
          q.send('inventory.update', text.update, [id, json, ...lists]);
        }
        if (changed.length > 0 && known.channel === 'device') {
          facts.put(q, known.nr, changed, report.rows ?? [], ids);
        }
        if (report.complete) q.send('inventory.complete', text.complete, [id, report.at]);
        if (report.event !== null && (changed.length > 0 || listsChanged)) sendEvents(q, s, [report.event]);
        return { changed, listsChanged };
      });
    },

    async get(enrolmentId) {
      return (await db.query<InventoryRecord>('inventory.get', text.get, [enrolmentId]))[0] ?? null;
    },

    async rows(ids) {
      return (await db.query<DeviceColumns>('inventory.rows', text.rows, [[...new Set(ids)]])).map(deviceOf);
    },

    async scan(filter, { after, limit }) {
      const values = [...filterValues(filter), after ?? '', limit + 1];
      const rows = await db.query<DeviceColumns>('inventory.scan', text.scan, values);
      return cut(rows, limit, (row) => row.id, deviceOf);
    },

    async profiles(ids) {
      const rows = await db.query<{ id: string; profiles: readonly InstalledProfile[] }>(
        'inventory.profiles',
        text.profiles,
        [[...new Set(ids)]],
      );
      const found = new Map(rows.map((row) => [row.id, row.profiles]));
      return new Map(ids.map((id) => [id, found.get(id) ?? []]));
    },
  };
}
