// Transactions whose statements do not wait for each other: all or nothing, and the first failure is the one reported.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../src/database.ts';
import { startServer, type TestServer } from './server.ts';

describe('transactions', () => {
  let server: TestServer;
  let db: Database;
  const seen: string[] = [];

  beforeAll(async () => {
    server = await startServer();
    const onStatement = ({ name }: { readonly name: string }) => void seen.push(name);
    db = openDatabase(server.url, { retries: 2, random: () => 0, onStatement });
    await db.query('', 'CREATE TABLE thing (id integer PRIMARY KEY, value integer NOT NULL)');
  }, 60_000);
  afterAll(async () => {
    await db?.close();
    await server?.close();
  });
  beforeEach(async () => {
    await db.query('', 'TRUNCATE thing');
    seen.length = 0;
  });

  const ADD = 'INSERT INTO thing (id, value) VALUES ($1, $2)';
  const things = async () =>
    (await db.query<{ id: number }>('all', 'SELECT id FROM thing ORDER BY id')).map(({ id }) => id);

  it('keeps what was sent, in order, and gives what was asked for', async () => {
    const result = await db.transaction(async (q) => {
      q.send('add', ADD, [1, 10]);
      q.send('double', 'UPDATE thing SET value = value * 2');
      const asked = q.query<{ value: number }>('value', 'SELECT value FROM thing WHERE id = $1', [1]);
      q.send('add', ADD, [2, 20]);
      q.commit();
      return (await asked)[0]?.value;
    });
    expect(result).toBe(20);
    expect(await things()).toEqual([1, 2]);
    expect(seen.filter((name) => name === 'commit').length).toBe(1);
  });

  it('keeps nothing when a statement fails that nobody waited for, and tells of that one', async () => {
    const failed = db.transaction(async (q) => {
      q.send('add', ADD, [1, 10]);
      q.send('nothing', 'INSERT INTO thing (id, value) VALUES ($1, NULL)', [2]);
      // Only says that the transaction is over.
      await q.query('all', 'SELECT id FROM thing ORDER BY id');
    });
    await expect(failed).rejects.toMatchObject({ code: 'core.store.failed', cause: { code: '23502' } });
    expect(await things()).toEqual([]);
  });

  it('is rolled back by the server when the commit was sent behind a statement that fails', async () => {
    const failed = db.transaction(async (q) => {
      q.send('add', ADD, [1, 10]);
      q.send('nothing', 'INSERT INTO thing (id, value) VALUES ($1, NULL)', [2]);
      q.send('add', ADD, [3, 10]);
      q.commit();
    });
    await expect(failed).rejects.toMatchObject({ cause: { code: '23502' } });
    expect(await things()).toEqual([]);
  });

  it('is rolled back when the step gives up, with what was still on its way', async () => {
    const failed = db.transaction(async (q) => {
      q.send('add', ADD, [1, 10]);
      throw new Error('given up');
    });
    await expect(failed).rejects.toThrow();
    expect(await things()).toEqual([]);
    expect(seen).toContain('rollback');
    // The connection is of use to the next one.
    await db.transaction(async (q) => q.send('add', ADD, [5, 1]));
    expect(await things()).toEqual([5]);
  });

  it('is tried again as a whole when the failure of a statement that nobody waited for was a conflict', async () => {
    let tries = 0;
    await db.transaction(async (q) => {
      tries++;
      q.send('add', ADD, [tries, 1]);
      if (tries === 1) q.send('conflict', "DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$");
    });
    expect(tries).toBe(2);
    expect(await things()).toEqual([2]);
  });

  it('leaves no transaction open on any connection', async () => {
    await Promise.allSettled(
      Array.from({ length: 40 }, (_, i) =>
        db.transaction(async (q) => {
          q.send('add', ADD, [i, 1]);
          if (i % 3 === 0) q.send('nothing', 'INSERT INTO thing (id, value) VALUES ($1, NULL)', [1_000 + i]);
          if (i % 3 === 1) q.commit();
        }),
      ),
    );
    expect(await things()).toEqual(Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 3 !== 0));
    const open = await db.query(
      'open',
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
    );
    expect(open).toEqual([]);
  });
});
