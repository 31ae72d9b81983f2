// Settings and leases on PostgreSQL.
import type { SettingStore } from '@espalier/core';
import type { Database } from '../database.ts';

/** Settings over the database. */
export function postgresSettings(db: Database): SettingStore {
  const s = db.schema;
  const text = {
    get: `SELECT value FROM ${s}.setting WHERE name = $1`,
    set: `INSERT INTO ${s}.setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    // The update that changes nothing makes the row that is there come back, even one inserted at this very moment.
    setIfAbsent: `INSERT INTO ${s}.setting AS t (name, value) VALUES ($1, $2)
      ON CONFLICT (name) DO UPDATE SET value = t.value RETURNING value`,
    add: `INSERT INTO ${s}.setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING 1`,
    replace: `UPDATE ${s}.setting SET value = $2 WHERE name = $1 AND value = $3 RETURNING 1`,
    lease: `INSERT INTO ${s}.lease AS t (name, owner, until) VALUES ($1, $2, $4)
      ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
      WHERE t.owner = excluded.owner OR t.until <= $3 RETURNING owner`,
  };
  return {
    async get(name) {
      const [row] = await db.query<{ value: string }>('settings.get', text.get, [name]);
      return row?.value ?? null;
    },
    async set(name, value) {
      await db.query('settings.set', text.set, [name, value]);
    },
    async setIfAbsent(name, value) {
      const [row] = await db.query<{ value: string }>('settings.setIfAbsent', text.setIfAbsent, [name, value]);
      return row?.value ?? value;
    },
    async replace(name, expected, value) {
      const rows =
        expected === null
          ? await db.query('settings.add', text.add, [name, value])
          : await db.query('settings.replace', text.replace, [name, value, expected]);
      return rows.length > 0;
    },
    async lease({ name, owner, at, until }) {
      return (await db.query('settings.lease', text.lease, [name, owner, at, until])).length > 0;
    },
  };
}
