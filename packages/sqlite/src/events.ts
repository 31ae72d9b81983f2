// Events on SQLite. Writers take turns, so events become visible in the order of their `seq`.
import type { EngineEvent, EventStore } from '@espalier/core';
import type { Database } from './database.ts';
import { appendEvents, pageOf } from './rows.ts';

interface EventRow {
  readonly seq: number;
  readonly type: EngineEvent['type'];
  readonly at: number;
  readonly enrolment_id: string | null;
  readonly data: string;
}

/** Events over a database. */
export function sqliteEvents(db: Database): EventStore {
  return {
    append: (events) => db.write(() => appendEvents(db, events)),

    list: ({ enrolmentId, type, order }, { after, limit }) =>
      db.read(() => {
        const conditions: string[] = [];
        const values: (string | number)[] = [];
        if (after !== undefined) {
          conditions.push(order === 'newest' ? 'seq < ?' : 'seq > ?');
          values.push(Number(after));
        }
        if (enrolmentId !== undefined) {
          conditions.push('enrolment_id = ?');
          values.push(enrolmentId);
        }
        if (type !== undefined) {
          conditions.push('type = ?');
          values.push(type);
        }
        const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
        const rows = db.all<EventRow>(
          `SELECT * FROM events ${where} ORDER BY seq ${order === 'newest' ? 'DESC' : 'ASC'} LIMIT ?`,
          ...values,
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.seq, eventOf);
      }),

    lastSeq: () =>
      db.read(() => Number(db.get<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'events'")?.seq ?? 0)),

    since: (seq, limit) =>
      db.read(() =>
        db.all<EventRow>('SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?', seq, limit).map(eventOf),
      ),

    prune: ({ before, limit }) =>
      db.write(() =>
        db.run(
          'DELETE FROM events WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM events ORDER BY seq LIMIT ?) WHERE at < ?)',
          limit,
          before,
        ),
      ),
  };
}

function eventOf({ seq, type, at, enrolment_id: enrolmentId, data }: EventRow): EngineEvent {
  return { seq, type, at, enrolmentId, data: JSON.parse(data) as EngineEvent['data'] };
}
