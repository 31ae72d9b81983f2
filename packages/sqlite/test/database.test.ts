// The connection: batches, failures inside them, other processes' locks, closing.
import { DatabaseSync } from 'node:sqlite';
import { CoreError } from '@espalier/core';
import { afterAll, describe, expect, it } from 'vitest';
import { Database } from '../src/database.ts';
import { openSqliteStore } from '../src/index.ts';
import { temporaryFolder } from './support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

function fresh(name: string) {
  const db = new Database(folder.file(name), { durability: 'normal', busyTimeoutMs: 50 });
  db.exec('CREATE TABLE t (x INTEGER PRIMARY KEY) STRICT');
  const values = () => db.all<{ x: number }>('SELECT x FROM t ORDER BY x').map((row) => row.x);
  return { db, values };
}

describe('writes', () => {
  it('that come together are committed together', async () => {
    const { db, values } = fresh('together.db');
    const other = new DatabaseSync(folder.file('together.db'));
    const seen: number[] = [];
    const writes = [1, 2, 3].map((x) =>
      db.write(() => {
        db.run('INSERT INTO t VALUES (?)', x);
        // Nobody else sees it before the commit.
        seen.push(Number(other.prepare('SELECT count(*) AS n FROM t').get()?.['n']));
      }),
    );
    await Promise.all(writes);
    expect(seen).toEqual([0, 0, 0]);
    expect(values()).toEqual([1, 2, 3]);
    other.close();
    db.close();
  });

  it('of many rows have less memory for pages, and give it back however they end', async () => {
    const { db, values } = fresh('cache.db');
    const size = () => db.get<{ cache_size: number }>('PRAGMA cache_size')?.cache_size;
    const normal = size();
    const insert = (from: number, rows: number, end: () => number | undefined) =>
      db.writeMany(rows, () => {
        db.run(
          'WITH RECURSIVE n (x) AS (VALUES (?1) UNION ALL SELECT x + 1 FROM n WHERE x < ?2) INSERT INTO t SELECT x FROM n',
          from,
          from + rows - 1,
        );
        return end();
      });
    expect(await insert(1, 10, size)).toBe(normal);
    expect(await insert(11, 990, size)).toBe(-8192);
    expect(size()).toBe(normal);
    const stop = () => {
      throw new CoreError('test.stop', 'invalid', 'stop');
    };
    await expect(insert(100_001, 1000, stop)).rejects.toMatchObject({ code: 'test.stop' });
    expect(size()).toBe(normal);
    expect(values().length).toBe(1000);
    db.close();
  });

  it('that fail take nothing of the others with them, and nothing of themselves stays', async () => {
    const { db, values } = fresh('savepoints.db');
    const write = (x: number, y: number) =>
      db.write(() => {
        db.run('INSERT INTO t VALUES (?)', x);
        db.run('INSERT INTO t VALUES (?)', y);
        return x;
      });
    const results = await Promise.allSettled([write(1, 2), write(3, 1), write(4, 5)]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(values()).toEqual([1, 2, 4, 5]);
    await expect(write(6, 1)).rejects.toMatchObject({ code: 'core.store.failed', name: 'CoreError' });
    expect(values()).toEqual([1, 2, 4, 5]);
    db.close();
  });

  it('find the database locked by another process: unavailable, and later it goes on', async () => {
    const { db, values } = fresh('locked.db');
    const other = new DatabaseSync(folder.file('locked.db'));
    other.exec('BEGIN IMMEDIATE');
    const insert = (x: number) => db.write(() => db.run('INSERT INTO t VALUES (?)', x));
    await expect(insert(1)).rejects.toMatchObject({ code: 'core.store.busy', kind: 'unavailable' });
    other.exec('ROLLBACK');
    await insert(2);
    expect(values()).toEqual([2]);
    other.close();
    db.close();
  });

  it('under way are committed before the store closes', async () => {
    const file = folder.file('closing.db');
    const store = openSqliteStore(file);
    const pending = store.settings.set('a', 'b');
    await store.close();
    await pending;
    const again = openSqliteStore(file);
    expect(await again.settings.get('a')).toBe('b');
    await again.close();
  });
});
