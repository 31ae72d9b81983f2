// The hot path: take a result, touch the enrolment, offer the next command.
import {
  backoffDelay,
  type DueCommand,
  type PollInput,
  type PollOutcome,
  type ResultCommand,
  type ResultOutcome,
} from '@espalier/core';
import type { Database } from './database.ts';
import { cancelEvents, finish, type PendingRow, pendingColumns } from './pending.ts';
import { appendEvents, type EnrolmentRow, isLiving, storedBytes } from './rows.ts';

/** Of the pending rows `w`: not expired, with attempts left, not held by a chain. */
const ALIVE = `w.ready = 1 AND (w.expires_at IS NULL OR w.expires_at > :at)
  AND (w.max_attempts IS NULL OR w.attempts < w.max_attempts)`;

interface PollRow {
  readonly nr: number;
  readonly status: EnrolmentRow['status'];
  readonly parent_status: EnrolmentRow['parent_status'];
  readonly pin: string | null;
  readonly session: number;
}

/** One poll, inside a write. */
export function poll(db: Database, input: PollInput): PollOutcome {
  const { at, result } = input;
  const row = db.get<PollRow>(
    `SELECT e.nr, e.status, p.status AS parent_status, e.session, CASE WHEN e.parent IS NULL THEN e.pin ELSE p.pin END AS pin
     FROM enrolments e LEFT JOIN enrolments p ON p.nr = e.parent WHERE e.id = ?`,
    input.enrolmentId,
  );
  if (row === undefined || !isLiving(row)) return { outcome: 'unknown' };
  if (row.pin !== input.certificateFingerprint) return { outcome: 'identity-mismatch' };
  const session = result === undefined ? row.session + 1 : row.session;
  db.run(
    'UPDATE enrolments SET last_seen_at = max(coalesce(last_seen_at, ?), ?), session = ? WHERE nr = ?',
    at,
    at,
    session,
    row.nr,
  );
  const taken = result === undefined ? null : takeResult(db, row.nr, input, result);
  const command = offerNext(db, row.nr, session, at, taken?.result === 'repeated');
  if (command === null) settleDue(db, row.nr, input);
  return {
    outcome: 'ok',
    result: taken?.result ?? null,
    resultCommand: taken?.command ?? null,
    command,
  };
}

interface Taken {
  readonly result: ResultOutcome;
  readonly command: ResultCommand | null;
}

function takeResult(
  db: Database,
  enrolment: number,
  { enrolmentId, at, backoff }: PollInput,
  answer: NonNullable<PollInput['result']>,
): Taken {
  const command = db.get<{ seq: number; rank: number; request_type: string; origin: string; follow_up: number }>(
    'SELECT seq, -priority AS rank, request_type, origin, follow_up FROM commands WHERE uuid = ?',
    answer.commandUuid,
  );
  if (command === undefined) return { result: 'unknown', command: null };
  const known = { requestType: command.request_type, origin: command.origin, followUp: command.follow_up === 1 };
  const row = db.get<PendingRow>(
    `SELECT ${pendingColumns.replace('e.id', '?')} FROM pending w JOIN commands c ON c.seq = w.seq
     WHERE w.enrolment = ? AND w.rank = ? AND w.seq = ?`,
    enrolmentId,
    enrolment,
    command.rank,
    command.seq,
  );
  if (row === undefined) {
    const done = db.get('SELECT 1 AS one FROM history WHERE enrolment = ? AND seq = ?', enrolment, command.seq);
    return done === undefined ? { result: 'unknown', command: null } : { result: 'repeated', command: known };
  }
  if (row.state === 'queued') {
    return row.attempts === 0 ? { result: 'unknown', command: null } : { result: 'repeated', command: known };
  }
  if (row.state === 'not-now' && answer.status === 'not-now') return { result: 'repeated', command: known };
  if (answer.event !== null) appendEvents(db, [answer.event]);
  const place = [row.enrolment, row.rank, row.seq] as const;
  if (answer.status === 'not-now') {
    db.run(
      `UPDATE pending SET state = 'not-now', not_now = not_now + 1, attempts = attempts - 1
       WHERE enrolment = ? AND rank = ? AND seq = ?`,
      ...place,
    );
    return { result: 'deferred', command: known };
  }
  const usedUp = row.max_attempts !== null && row.attempts >= row.max_attempts;
  if (answer.status === 'error' && row.on_error === 'retry' && !usedUp) {
    db.run(
      "UPDATE pending SET state = 'queued', not_before = ? WHERE enrolment = ? AND rank = ? AND seq = ?",
      at + backoffDelay(backoff, row.attempts - 1),
      ...place,
    );
    return { result: 'retrying', command: known };
  }
  cancelEvents(db, finish(db, row, answer.status, at, answer), at);
  return { result: 'stored', command: known };
}

function offerNext(db: Database, enrolment: number, session: number, at: number, resend: boolean): DueCommand | null {
  const next = db.get<{ rank: number; seq: number; attempts: number }>(
    `SELECT w.rank, w.seq, w.attempts FROM pending w
     WHERE w.enrolment = ? AND (w.not_before IS NULL OR w.not_before <= ?) AND ${ALIVE.replace(':at', '?')}
       AND (w.state = 'queued' OR w.offered < ? OR (? AND w.state = 'sent'))
     ORDER BY w.rank, w.seq LIMIT 1`,
    enrolment,
    at,
    at,
    session,
    resend ? 1 : 0,
  );
  if (next === undefined) return null;
  db.run(
    `UPDATE pending SET state = 'sent', sent_at = ?, attempts = attempts + 1, offered = ?
     WHERE enrolment = ? AND rank = ? AND seq = ?`,
    at,
    session,
    enrolment,
    next.rank,
    next.seq,
  );
  const command = db.get<{ uuid: string; request_type: string; body: Uint8Array; sealed: number }>(
    'SELECT uuid, request_type, body, sealed FROM commands WHERE seq = ?',
    next.seq,
  );
  if (command === undefined) return null;
  return {
    commandUuid: command.uuid,
    requestType: command.request_type,
    body: storedBytes(command.body, command.sealed),
    attempts: next.attempts + 1,
  };
}

/** The device is done for now: when to wake it for what is left. Nothing is written where nothing changes. */
function settleDue(db: Database, enrolment: number, { at, backoff }: PollInput): void {
  db.run(
    `UPDATE push SET due_at = d.due, attempts = 0, lease = NULL
     FROM (
       SELECT min(CASE w.state
         WHEN 'queued' THEN coalesce(w.not_before, ?1)
         WHEN 'not-now' THEN ?1 + min(?3, ?2 * (1 << min(max(w.not_now - 1, 0), 20)))
         ELSE ?1 + ?2 END) AS due
       FROM pending w WHERE w.enrolment = ?4 AND w.push = 1 AND ${ALIVE.replace(':at', '?1')}
     ) d
     WHERE push.nr = ?4 AND (push.due_at IS NOT d.due OR push.attempts <> 0 OR push.lease IS NOT NULL)`,
    at,
    backoff.baseMs,
    backoff.maxMs,
    enrolment,
  );
}
