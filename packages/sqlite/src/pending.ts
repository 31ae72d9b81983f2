// Ending pending commands: moving rows to the history, with chains, follow-ups and events.
import type { AppleError, CommandState, EndedCommand, StoredBytes } from '@espalier/core';
import type { Database } from './database.ts';
import { appendEvents } from './rows.ts';

/** A pending row with what its command says. */
export interface PendingRow {
  readonly enrolment: number;
  readonly enrolment_id: string;
  readonly rank: number;
  readonly seq: number;
  readonly uuid: string;
  readonly request_type: string;
  readonly state: 'queued' | 'sent' | 'not-now';
  readonly attempts: number;
  readonly not_now: number;
  readonly max_attempts: number | null;
  readonly on_error: 'fail' | 'retry' | 'drop-chain';
  readonly chain_id: string | null;
  readonly chain_index: number | null;
  readonly follow_up: number;
}

/** The columns of a {@link PendingRow}, for tables `w` (pending), `c` (commands), `e` (enrolments). */
export const pendingColumns = `
  w.enrolment, e.id AS enrolment_id, w.rank, w.seq, c.uuid, c.request_type, w.state, w.attempts, w.not_now, w.max_attempts,
  c.on_error, c.chain_id, c.chain_index, c.follow_up`;

/** How a command ended that the device answered. */
export interface Answer {
  readonly errorChain: readonly AppleError[];
  readonly response: StoredBytes | null;
}

/** Moves a row to the history; frees or drops the rest of its chain. Returns the row and what was dropped with it. */
export function finish(
  db: Database,
  row: PendingRow,
  state: CommandState,
  at: number,
  answer?: Answer,
): EndedCommand[] {
  db.run(
    `INSERT INTO history (enrolment, seq, state, sent_at, finished_at, attempts, error_chain, response, sealed)
     SELECT enrolment, seq, ?, sent_at, ?, attempts, ?, ?, ? FROM pending WHERE enrolment = ? AND rank = ? AND seq = ?`,
    state,
    at,
    answer === undefined || answer.errorChain.length === 0 ? null : JSON.stringify(answer.errorChain),
    answer?.response?.bytes ?? null,
    answer?.response?.sealed === true ? 1 : 0,
    row.enrolment,
    row.rank,
    row.seq,
  );
  db.run('DELETE FROM pending WHERE enrolment = ? AND rank = ? AND seq = ?', row.enrolment, row.rank, row.seq);
  if (row.follow_up === 1 && state !== 'superseded') {
    db.run('INSERT OR REPLACE INTO follow_ups (enrolment, seq, at) VALUES (?, ?, ?)', row.enrolment, row.seq, at);
  }
  const ended: EndedCommand[] = [
    {
      enrolmentId: row.enrolment_id,
      commandUuid: row.uuid,
      requestType: row.request_type,
      state,
      followUp: row.follow_up === 1,
    },
  ];
  if (row.chain_id !== null) ended.push(...endChain(db, row, state, at));
  return ended;
}

function endChain(db: Database, row: PendingRow, state: CommandState, at: number): EndedCommand[] {
  const rest = db.all<PendingRow>(
    `SELECT ${pendingColumns}
     FROM pending w JOIN commands c ON c.seq = w.seq JOIN enrolments e ON e.nr = w.enrolment
     WHERE w.enrolment = ? AND c.chain_id = ? AND c.chain_index > ? ORDER BY c.chain_index`,
    row.enrolment,
    row.chain_id,
    row.chain_index,
  );
  if (state === 'acknowledged') {
    const next = rest[0];
    if (next?.chain_index !== Number(row.chain_index) + 1) return [];
    db.run(
      'UPDATE pending SET ready = 1 WHERE enrolment = ? AND rank = ? AND seq = ?',
      next.enrolment,
      next.rank,
      next.seq,
    );
    return [];
  }
  if (row.on_error !== 'drop-chain') return [];
  // Ended without their chain: the loop ends the whole rest.
  return rest.flatMap((other) => finish(db, { ...other, chain_id: null }, 'cancelled', at));
}

/** Appends an event for each command that was cancelled. */
export function cancelEvents(db: Database, ended: readonly EndedCommand[], at: number): void {
  appendEvents(
    db,
    ended
      .filter((command) => command.state === 'cancelled')
      .map(({ enrolmentId, commandUuid, requestType }) => ({
        type: 'command.cancelled',
        at,
        enrolmentId,
        data: { commandUuid, requestType },
      })),
  );
}

/** The pending rows of one enrolment. */
export function pendingRows(db: Database, enrolment: number): PendingRow[] {
  return db.all<PendingRow>(
    `SELECT ${pendingColumns}
     FROM pending w JOIN commands c ON c.seq = w.seq JOIN enrolments e ON e.nr = w.enrolment
     WHERE w.enrolment = ? ORDER BY w.rank, w.seq`,
    enrolment,
  );
}

/** Whether a pending row is still there (its chain may have ended it). */
export function isPending(db: Database, { enrolment, rank, seq }: PendingRow): boolean {
  return (
    db.get('SELECT 1 AS one FROM pending WHERE enrolment = ? AND rank = ? AND seq = ?', enrolment, rank, seq) !==
    undefined
  );
}

/** Cancels everything pending of an enrolment. */
export function clearPending(db: Database, enrolment: number, at: number): void {
  const ended = pendingRows(db, enrolment).flatMap((row) => finish(db, { ...row, chain_id: null }, 'cancelled', at));
  cancelEvents(db, ended, at);
}
