// Facts and inventory on SQLite.
import {
  type DeviceCertificate,
  type FactValue,
  type InstalledApp,
  type InstalledProfile,
  type InventoryStore,
  sameFact,
  sameList,
} from '@espalier/core';
import type { Database } from './database.ts';
import { filterSql } from './enrolments.ts';
import { putFactRows } from './facts.ts';
import {
  appendEvents,
  type DeviceRowColumns,
  deviceColumns,
  deviceOf,
  deviceTables,
  pageOf,
  parseFacts,
} from './rows.ts';

const listNames = ['apps', 'profiles', 'certificates'] as const;

/** Inventory over a database. */
export function sqliteInventory(db: Database): InventoryStore {
  const list = <T>(nr: number, name: (typeof listNames)[number]): readonly T[] => {
    const row = db.get<{ body: string }>('SELECT body FROM inventory_lists WHERE nr = ? AND name = ?', nr, name);
    return row === undefined ? [] : (JSON.parse(row.body) as readonly T[]);
  };
  const rowsFrom = `SELECT ${deviceColumns} FROM ${deviceTables}`;

  return {
    apply: (report) =>
      db.write(() => {
        const row = db.get<{ nr: number; channel: string; facts: string | null }>(
          'SELECT e.nr, e.channel, f.facts FROM enrolments e LEFT JOIN facts f ON f.nr = e.nr WHERE e.id = ?',
          report.enrolmentId,
        );
        if (row === undefined) return null;
        const facts = new Map<string, FactValue>(Object.entries(parseFacts(row.facts)));
        const changed: string[] = [];
        for (const [token, value] of Object.entries(report.facts)) {
          if (sameFact(facts.get(token), value)) continue;
          changed.push(token);
          if (value === null) facts.delete(token);
          else facts.set(token, value);
        }
        if (changed.length > 0) {
          db.run(
            `INSERT INTO facts (nr, facts, revision) VALUES (?, ?, 1)
             ON CONFLICT (nr) DO UPDATE SET facts = excluded.facts, revision = revision + 1`,
            row.nr,
            JSON.stringify(Object.fromEntries(facts)),
          );
          if (row.channel === 'device') putFactRows(db, row.nr, changed, report.rows ?? []);
        }
        let listsChanged = false;
        for (const name of listNames) {
          const next: readonly unknown[] | undefined = report[name];
          if (next === undefined || sameList(next, list(row.nr, name))) continue;
          listsChanged = true;
          db.run(
            `INSERT INTO inventory_lists (nr, name, body) VALUES (?, ?, ?)
             ON CONFLICT (nr, name) DO UPDATE SET body = excluded.body`,
            row.nr,
            name,
            JSON.stringify(next),
          );
        }
        if (report.complete) db.run('UPDATE enrolments SET inventory_at = ? WHERE nr = ?', report.at, row.nr);
        if (report.event !== null && (changed.length > 0 || listsChanged)) appendEvents(db, [report.event]);
        return { changed, listsChanged };
      }),

    get: (enrolmentId) =>
      db.read(() => {
        const row = db.get<{ nr: number; facts: string | null; inventory_at: number | null }>(
          'SELECT e.nr, f.facts, e.inventory_at FROM enrolments e LEFT JOIN facts f ON f.nr = e.nr WHERE e.id = ?',
          enrolmentId,
        );
        if (row === undefined) return null;
        return {
          facts: parseFacts(row.facts),
          apps: list<InstalledApp>(row.nr, 'apps'),
          profiles: list<InstalledProfile>(row.nr, 'profiles'),
          certificates: list<DeviceCertificate>(row.nr, 'certificates'),
          inventoryAt: row.inventory_at,
        };
      }),

    rows: (ids) =>
      db.read(() =>
        db
          .all<DeviceRowColumns>(`${rowsFrom} WHERE e.id IN (SELECT value FROM json_each(?))`, JSON.stringify(ids))
          .map(deviceOf),
      ),

    scan: (filter, { after, limit }) =>
      db.read(() => {
        const rows = db.all<DeviceRowColumns>(
          `${rowsFrom} WHERE e.id > ? AND ${filterSql(filter)} ORDER BY e.id LIMIT ?`,
          after ?? '',
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.id, deviceOf);
      }),

    profiles: (ids) =>
      db.read(() => {
        const rows = db.all<{ id: string; body: string | null }>(
          `SELECT e.id, l.body FROM enrolments e LEFT JOIN inventory_lists l ON l.nr = e.nr AND l.name = 'profiles'
           WHERE e.id IN (SELECT value FROM json_each(?))`,
          JSON.stringify(ids),
        );
        const found = new Map(
          rows.map(({ id, body }) => [id, body === null ? [] : (JSON.parse(body) as readonly InstalledProfile[])]),
        );
        return new Map(ids.map((id) => [id, found.get(id) ?? []]));
      }),
  };
}
