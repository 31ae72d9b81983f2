// Settings and leases on SQLite.
import type { SettingStore } from '@espalier/core';
import type { Database } from './database.ts';

/** Settings over a database. */
export function sqliteSettings(db: Database): SettingStore {
  const read = (name: string): string | null =>
    db.get<{ value: string }>('SELECT value FROM settings WHERE name = ?', name)?.value ?? null;
  return {
    get: (name) => db.read(() => read(name)),
    set: (name, value) =>
      db.write(() => {
        db.run(
          'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
          name,
          value,
        );
      }),
    setIfAbsent: (name, value) =>
      db.write(() => {
        db.run('INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING', name, value);
        return read(name) ?? value;
      }),
    replace: (name, expected, value) =>
      db.write(() => {
        if (expected !== null) {
          return db.run('UPDATE settings SET value = ? WHERE name = ? AND value = ?', value, name, expected) > 0;
        }
        return (
          db.run('INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING', name, value) > 0
        );
      }),
    lease: ({ name, owner, at, until }) =>
      db.write(
        () =>
          db.run(
            `INSERT INTO leases (name, owner, until) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
             WHERE leases.owner = excluded.owner OR leases.until <= ?4`,
            name,
            owner,
            until,
            at,
          ) > 0,
      ),
  };
}
