// The command queue on SQLite.
import type { AppleError, CommandEntry, CommandState, EndedCommand, QueueDepth, QueueStore } from '@espalier/core';
import type { Database } from './database.ts';
import { checkCommands, enqueueOne, requeue } from './enqueue.ts';
import { cancelEvents, finish, isPending, type PendingRow, pendingColumns } from './pending.ts';
import { poll } from './poll.ts';
import { appendEvents, pageOf, setTargets, storedBytes } from './rows.ts';

/** The queue over a database. */
export function sqliteQueue(db: Database): QueueStore {
  return {
    enqueue: ({ commands, enrolmentIds, at, events }) =>
      db.write(() => {
        checkCommands(commands);
        setTargets(db, enrolmentIds, "status IN ('pending', 'active')");
        const queued = commands.map((command) => enqueueOne(db, command, at));
        if (queued.some((count) => count > 0)) appendEvents(db, events);
        return { queued };
      }),

    poll: (input) => db.write(() => poll(db, input)),

    end: ({ enrolmentIds, commandUuid, dedupeKey, keepSent = [], state, at }) =>
      db.write(() => {
        setTargets(db, enrolmentIds);
        const rows = db.all<PendingRow>(
          `SELECT ${pendingColumns}
           FROM temp.targets t
             CROSS JOIN pending w ON w.enrolment = t.nr
             JOIN commands c ON c.seq = w.seq
             JOIN enrolments e ON e.nr = w.enrolment
           WHERE (?1 IS NULL OR c.uuid = ?1) AND (?2 IS NULL OR w.dedupe_key = ?2)
             AND (w.state <> 'sent' OR c.request_type NOT IN (SELECT value FROM json_each(?3)))
           ORDER BY w.enrolment, c.chain_index DESC, w.rank, w.seq`,
          commandUuid ?? null,
          dedupeKey ?? null,
          JSON.stringify(keepSent),
        );
        const ended = rows.flatMap((row) => (isPending(db, row) ? finish(db, row, state, at) : []));
        cancelEvents(db, ended, at);
        return ended;
      }),

    requeue: ({ enrolmentId, commandUuid, at }) => db.write(() => requeue(db, enrolmentId, commandUuid, at)),

    sweep: ({ at, limit }) => db.write(() => sweep(db, at, limit)),

    prune: ({ before, limit }) =>
      db.write(() => {
        const rows = db.all<{ seq: number }>(
          `DELETE FROM history
           WHERE nr IN (SELECT nr FROM history WHERE finished_at < ? ORDER BY finished_at LIMIT ?) RETURNING seq`,
          before,
          limit,
        );
        const counts = new Map<number, number>();
        for (const { seq } of rows) counts.set(seq, (counts.get(seq) ?? 0) + 1);
        for (const [seq, count] of counts) {
          const left = db.get<{ refs: number }>(
            'UPDATE commands SET refs = refs - ? WHERE seq = ? RETURNING refs',
            count,
            seq,
          );
          if (left?.refs === 0) db.run('DELETE FROM commands WHERE seq = ?', seq);
        }
        return rows.length;
      }),

    list: (enrolmentId, { after, limit, pendingOnly = false }) =>
      db.read(() => {
        const below = after === undefined ? Number.MAX_SAFE_INTEGER : Number(after);
        const enrolment = nrOf(db, enrolmentId);
        const rows = db.all<EntryRow>(
          `SELECT * FROM (
             SELECT w.seq, w.state, w.sent_at, NULL AS finished_at, w.attempts, NULL AS error_chain
             FROM pending w WHERE w.enrolment = ?1 AND w.seq < ?2${pendingOnly ? '' : finishedToo}
           ) JOIN commands c USING (seq) ORDER BY seq DESC LIMIT ?3`,
          enrolment,
          below,
          limit + 1,
        );
        return pageOf(
          rows,
          limit,
          (row) => row.seq,
          (row) => entryOf(row, enrolmentId),
        );
      }),

    get: (enrolmentId, commandUuid) =>
      db.read(() => {
        const command = db.get<{ seq: number; rank: number }>(
          'SELECT seq, -priority AS rank FROM commands WHERE uuid = ?',
          commandUuid,
        );
        if (command === undefined) return null;
        const enrolment = nrOf(db, enrolmentId);
        const pending = db.get<EntryRow>(
          `SELECT c.*, w.seq, w.state, w.sent_at, NULL AS finished_at, w.attempts, NULL AS error_chain
           FROM pending w JOIN commands c ON c.seq = w.seq WHERE w.enrolment = ? AND w.rank = ? AND w.seq = ?`,
          enrolment,
          command.rank,
          command.seq,
        );
        if (pending !== undefined) return { ...entryOf(pending, enrolmentId), response: null };
        const done = db.get<EntryRow & { response: Uint8Array | null; response_sealed: number }>(
          `SELECT c.*, h.seq, h.state, h.sent_at, h.finished_at, h.attempts, h.error_chain, h.response,
             h.sealed AS response_sealed
           FROM history h JOIN commands c ON c.seq = h.seq WHERE h.enrolment = ? AND h.seq = ?`,
          enrolment,
          command.seq,
        );
        if (done === undefined) return null;
        const response = done.response === null ? null : storedBytes(done.response, done.response_sealed);
        return { ...entryOf(done, enrolmentId), response };
      }),

    body: (commandUuid) =>
      db.read(() => {
        const row = db.get<{ body: Uint8Array; sealed: number }>(
          'SELECT body, sealed FROM commands WHERE uuid = ?',
          commandUuid,
        );
        return row === undefined ? null : storedBytes(row.body, row.sealed);
      }),

    followUps: ({ before, limit }) =>
      db.read(() =>
        db
          .all<{ enrolment_id: string; uuid: string; at: number }>(
            `SELECT e.id AS enrolment_id, c.uuid, f.at
             FROM follow_ups f JOIN enrolments e ON e.nr = f.enrolment JOIN commands c ON c.seq = f.seq
             WHERE f.at <= ? ORDER BY f.at LIMIT ?`,
            before,
            limit,
          )
          .map(({ enrolment_id: enrolmentId, uuid: commandUuid, at }) => ({ enrolmentId, commandUuid, at })),
      ),

    followUpDone: (enrolmentId, commandUuid) =>
      db.write(() => {
        db.run(
          `DELETE FROM follow_ups WHERE enrolment = (SELECT nr FROM enrolments WHERE id = ?)
             AND seq = (SELECT seq FROM commands WHERE uuid = ?)`,
          enrolmentId,
          commandUuid,
        );
      }),

    withWork: ({ after, limit }) =>
      db.read(() => {
        const rows = db.all<{ id: string }>(
          `SELECT e.id FROM enrolments e
           WHERE e.id > ? AND EXISTS (SELECT 1 FROM pending w WHERE w.enrolment = e.nr) ORDER BY e.id LIMIT ?`,
          after ?? '',
          limit + 1,
        );
        return pageOf(
          rows,
          limit,
          (row) => row.id,
          (row) => row.id,
        );
      }),

    depth: () => db.read(() => depthOf(db)),

    stats: () => db.read(() => ({ ...depthOf(db), history: count(db, 'history') })),
  };
}

function count(db: Database, table: 'follow_ups' | 'history'): number {
  return Number(db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n ?? 0);
}

function depthOf(db: Database): QueueDepth {
  // One pass over what is pending.
  const pending = db.get<{ n: number; seq: number | null }>('SELECT count(*) AS n, min(seq) AS seq FROM pending');
  const oldest = db.get<{ at: number }>('SELECT queued_at AS at FROM commands WHERE seq = ?', pending?.seq ?? null);
  return { pending: pending?.n ?? 0, followUps: count(db, 'follow_ups'), oldestQueuedAt: oldest?.at ?? null };
}

const finishedToo = `
             UNION ALL
             SELECT * FROM (
               SELECT h.seq, h.state, h.sent_at, h.finished_at, h.attempts, h.error_chain
               FROM history h WHERE h.enrolment = ?1 AND h.seq < ?2 ORDER BY h.seq DESC LIMIT ?3)`;

interface EntryRow {
  readonly seq: number;
  readonly uuid: string;
  readonly request_type: string;
  readonly state: CommandState;
  readonly priority: number;
  readonly queued_at: number;
  readonly sent_at: number | null;
  readonly finished_at: number | null;
  readonly attempts: number;
  readonly dedupe_key: string | null;
  readonly origin: string;
  readonly error_chain: string | null;
}

function entryOf(row: EntryRow, enrolmentId: string): CommandEntry {
  return {
    commandUuid: row.uuid,
    enrolmentId,
    requestType: row.request_type,
    state: row.state,
    priority: row.priority,
    queuedAt: row.queued_at,
    sentAt: row.sent_at,
    finishedAt: row.finished_at,
    attempts: row.attempts,
    dedupeKey: row.dedupe_key,
    origin: row.origin,
    errorChain: row.error_chain === null ? [] : (JSON.parse(row.error_chain) as readonly AppleError[]),
  };
}

/** An enrolment's row number; -1, which no row has, when there is none. */
function nrOf(db: Database, enrolmentId: string): number {
  return db.get<{ nr: number }>('SELECT nr FROM enrolments WHERE id = ?', enrolmentId)?.nr ?? -1;
}

function sweep(db: Database, at: number, limit: number): EndedCommand[] {
  const from = 'JOIN commands c ON c.seq = w.seq JOIN enrolments e ON e.nr = w.enrolment';
  const expired = db.all<PendingRow>(
    `SELECT ${pendingColumns} FROM pending w ${from} WHERE w.expires_at <= ? ORDER BY w.expires_at LIMIT ?`,
    at,
    limit,
  );
  const exhausted = db.all<PendingRow>(
    `SELECT ${pendingColumns} FROM pending w INDEXED BY pending_used_up ${from}
     WHERE w.max_attempts IS NOT NULL AND w.attempts >= w.max_attempts AND w.offered < e.session LIMIT ?`,
    limit - expired.length,
  );
  const ended: EndedCommand[] = [];
  for (const [rows, state] of [
    [expired, 'expired'],
    [exhausted, 'exhausted'],
  ] as const) {
    for (const row of rows) if (isPending(db, row)) ended.push(...finish(db, row, state, at));
  }
  appendEvents(
    db,
    ended
      .filter((command) => command.state !== 'cancelled')
      .map(({ enrolmentId, commandUuid, requestType, state }) => ({
        type: 'command.expired',
        at,
        enrolmentId,
        data: { commandUuid, requestType, state },
      })),
  );
  cancelEvents(db, ended, at);
  return ended;
}
