// Opening files: new, migrated, newer, somebody else's; by several at once.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { Database } from '../src/database.ts';
import { openSqliteStore, schemaVersion } from '../src/index.ts';
import { migrate, versionOf } from '../src/migrate.ts';
import { migrations } from '../src/schema.ts';
import { enrol, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

const open = (file: string) => new Database(file, { durability: 'normal', busyTimeoutMs: 5_000 });

describe('opening a file', () => {
  it('creates it, and keeps what is in it', async () => {
    const file = folder.file('new.db');
    const store = openSqliteStore(file);
    await enrol(store, 'A');
    await store.close();
    const again = openSqliteStore(file);
    expect(await again.enrolments.get('A')).toMatchObject({ id: 'A', status: 'active' });
    await again.close();
    const raw = new DatabaseSync(file);
    expect(raw.prepare('PRAGMA user_version').get()).toEqual({ user_version: schemaVersion });
    expect(raw.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    const loose = raw.prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE '%STRICT%'",
    );
    expect(loose.all()).toEqual([]);
    raw.close();
  });

  it('refuses a newer schema, and leaves it alone', () => {
    const file = folder.file('newer.db');
    openSqliteStore(file).close();
    const raw = new DatabaseSync(file);
    raw.exec(`PRAGMA user_version = ${schemaVersion + 1}`);
    raw.close();
    expect(() => openSqliteStore(file)).toThrow(
      expect.objectContaining({ code: 'core.store.newer_schema', kind: 'conflict' }),
    );
    const after = new DatabaseSync(file);
    expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: schemaVersion + 1 });
    after.close();
  });

  it('refuses another program’s database, and files that are none', () => {
    const other = folder.file('other.db');
    const raw = new DatabaseSync(other);
    raw.exec('CREATE TABLE theirs (x)');
    raw.close();
    expect(() => openSqliteStore(other)).toThrow(expect.objectContaining({ code: 'core.store.not_ours' }));
    const text = folder.file('text.db');
    writeFileSync(text, 'this is not a database, and long enough to be looked at. '.repeat(50));
    expect(() => openSqliteStore(text)).toThrow(expect.objectContaining({ code: 'core.store.corrupt' }));
    expect(() => openSqliteStore(folder.file('no/such/folder.db'))).toThrow(
      expect.objectContaining({ code: 'core.store.cannot_open', kind: 'unavailable' }),
    );
  });
});

describe('migrations', () => {
  const steps = [
    ...migrations,
    'CREATE TABLE later (x INTEGER) STRICT; INSERT INTO later SELECT count(*) FROM enrolments;',
    'ALTER TABLE later ADD COLUMN y TEXT;',
  ];

  it('go forward from every earlier version, with the data in it', async () => {
    for (let from = 1; from < steps.length; from++) {
      const file = folder.file(`from-${from}.db`);
      const db = open(file);
      migrate(db, steps.slice(0, from));
      db.run("INSERT INTO enrolments (id, channel, kind, status) VALUES ('A', 'device', 'device', 'active')");
      migrate(db, steps);
      expect(versionOf(db)).toBe(steps.length);
      expect(db.get('SELECT id FROM enrolments')).toEqual({ id: 'A' });
      migrate(db, steps);
      db.close();
    }
  });

  it('happen wholly or not at all', () => {
    const file = folder.file('broken.db');
    const db = open(file);
    const broken = [...migrations, 'CREATE TABLE half (x INTEGER) STRICT; CREATE TABLE half (x INTEGER) STRICT;'];
    expect(() => migrate(db, broken)).toThrow(expect.objectContaining({ code: 'core.store.failed' }));
    expect(versionOf(db)).toBe(migrations.length);
    expect(db.get("SELECT 1 FROM sqlite_schema WHERE name = 'half'")).toBeUndefined();
    db.close();
  });

  it('are safe when several processes open a new file at once', async () => {
    const file = folder.file('race.db');
    const child = fileURLToPath(new URL('./open-child.ts', import.meta.url));
    const codes = await Promise.all(
      Array.from(
        { length: 6 },
        () =>
          new Promise<string>((resolve) => {
            const run = spawn(
              process.execPath,
              ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning', child, file],
              { stdio: ['ignore', 'pipe', 'pipe'] },
            );
            let said = '';
            run.stdout.on('data', (chunk) => (said += String(chunk)));
            run.stderr.on('data', (chunk) => (said += String(chunk)));
            run.on('close', (code) => resolve(`${code} ${said.trim()}`));
          }),
      ),
    );
    expect(codes).toEqual(Array.from({ length: 6 }, () => '0 open'));
    const store = openSqliteStore(file);
    expect(await store.enrolments.count({})).toBe(6);
    await store.close();
  });
});
