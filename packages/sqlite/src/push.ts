// Push state on SQLite.
import type { PushStore, PushTarget } from '@espalier/core';
import type { Database } from './database.ts';
import { setTargets } from './rows.ts';

interface TargetRow {
  readonly nr: number;
  readonly id: string;
  readonly token: Uint8Array;
  readonly push_magic: Uint8Array;
  readonly topic: string;
  readonly attempts: number;
}

/** Push state over a database. */
export function sqlitePush(db: Database): PushStore {
  return {
    claim: ({ lease, at, leaseMs, limit }) =>
      db.write(() => {
        const rows = db.all<TargetRow>(
          `SELECT u.nr, e.id, u.token, u.push_magic, u.topic, u.attempts
           FROM push u INDEXED BY push_due JOIN enrolments e ON e.nr = u.nr
           WHERE u.due_at <= ? AND u.due_at IS NOT NULL AND u.dead = 0 AND e.pushable = 1 AND e.status = 'active'
           ORDER BY u.due_at LIMIT ?`,
          at,
          limit,
        );
        for (const row of rows)
          db.run('UPDATE push SET due_at = ?, lease = ? WHERE nr = ?', at + leaseMs, lease, row.nr);
        return rows.map(
          (row): PushTarget => ({
            enrolmentId: row.id,
            token: new Uint8Array(row.token),
            pushMagic: new Uint8Array(row.push_magic),
            topic: row.topic,
            attempts: row.attempts,
          }),
        );
      }),

    settle: ({ at, settlements }) =>
      db.write(() => {
        for (const { enrolmentId, lease, outcome, dueAt } of settlements) {
          const row = db.get<{ nr: number }>(
            'SELECT u.nr FROM enrolments e JOIN push u ON u.nr = e.nr WHERE e.id = ? AND u.lease = ?',
            enrolmentId,
            lease,
          );
          if (row === undefined) continue;
          if (outcome === 'token-dead') {
            db.run('UPDATE push SET lease = NULL, due_at = NULL, dead = 1 WHERE nr = ?', row.nr);
            db.run('UPDATE enrolments SET pushable = 0 WHERE nr = ?', row.nr);
            continue;
          }
          db.run(
            `UPDATE push SET lease = NULL, attempts = attempts + ?, due_at = ?,
               last_pushed_at = CASE WHEN ? THEN ? ELSE last_pushed_at END WHERE nr = ?`,
            outcome === 'postponed' ? 0 : 1,
            dueAt,
            outcome === 'sent' ? 1 : 0,
            at,
            row.nr,
          );
        }
      }),

    request: ({ enrolmentIds, at }) =>
      db.write(() => {
        setTargets(db, enrolmentIds, "pushable = 1 AND status = 'active'");
        return db.run(
          'UPDATE push SET due_at = ?, attempts = 0, lease = NULL WHERE nr IN (SELECT nr FROM temp.targets)',
          at,
        );
      }),

    nextDueAt: () =>
      db.read(() => {
        const row = db.get<{ due_at: number }>(
          `SELECT u.due_at FROM push u INDEXED BY push_due JOIN enrolments e ON e.nr = u.nr
           WHERE u.due_at IS NOT NULL AND u.dead = 0 AND e.pushable = 1 AND e.status = 'active' ORDER BY u.due_at LIMIT 1`,
        );
        return row?.due_at ?? null;
      }),

    get: (enrolmentId) =>
      db.read(() => {
        const row = db.get<{
          topic: string;
          pushable: number;
          due_at: number | null;
          attempts: number;
          last_pushed_at: number | null;
        }>(
          `SELECT u.topic, (e.pushable = 1 AND e.status = 'active') AS pushable, u.due_at, u.attempts, u.last_pushed_at
           FROM enrolments e JOIN push u ON u.nr = e.nr WHERE e.id = ?`,
          enrolmentId,
        );
        if (row === undefined) return null;
        const { topic, due_at: dueAt, attempts, last_pushed_at: lastPushedAt } = row;
        return { topic, pushable: row.pushable === 1, dueAt, attempts, lastPushedAt };
      }),
  };
}
