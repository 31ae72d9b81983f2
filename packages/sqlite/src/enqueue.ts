// Putting commands into the pending set on SQLite: for the enrolments in `temp.targets`, set by set.
import { CoreError, type NewCommand } from '@espalier/core';
import type { Database } from './database.ts';
import { finish, type PendingRow, pendingColumns } from './pending.ts';

/** Refuses what the contract does not allow. */
export function checkCommands(commands: readonly NewCommand[]): void {
  for (const { chain, dedupeKey } of commands) {
    if (chain !== null && dedupeKey !== null) {
      throw new CoreError('core.command.chain_dedupe', 'invalid', 'a command of a chain cannot have a dedupe key');
    }
  }
}

/** Queues one command for the enrolments in `temp.targets`. */
export function enqueueOne(db: Database, command: NewCommand, at: number): number {
  const seq = insertCommand(db, command, at);
  let targets = 'temp.targets';
  if (command.dedupeKey !== null) {
    makeRoom(db, command.dedupeKey, command.onDuplicate, at);
    if (command.onDuplicate === 'keep') {
      targets = 'temp.chosen';
      db.run('DELETE FROM temp.chosen');
      db.run(
        `INSERT INTO temp.chosen SELECT t.nr FROM temp.targets t
         WHERE NOT EXISTS (SELECT 1 FROM pending w WHERE w.enrolment = t.nr AND w.dedupe_key = ?)`,
        command.dedupeKey,
      );
    }
  }
  const ready = command.chain === null || command.chain.index === 0;
  const queued = db.run(
    `INSERT INTO pending (enrolment, rank, seq, ready, push, max_attempts, not_before, expires_at, dedupe_key)
     SELECT t.nr, ?, ?, ?, ?, ?, ?, ?, ? FROM ${targets} t`,
    0 - command.priority,
    seq,
    ready ? 1 : 0,
    command.push ? 1 : 0,
    command.maxAttempts,
    command.notBefore,
    command.expiresAt,
    command.dedupeKey,
  );
  if (queued === 0) {
    db.run('DELETE FROM commands WHERE seq = ?', seq);
    return 0;
  }
  db.run('UPDATE commands SET refs = ? WHERE seq = ?', queued, seq);
  if (command.push) wantPush(db, targets, Math.max(at, command.notBefore ?? at));
  return queued;
}

function insertCommand(db: Database, command: NewCommand, at: number): number {
  const { commandUuid, body, chain } = command;
  const row = db.get<{ seq: number }>(
    `INSERT INTO commands (uuid, request_type, body, sealed, priority, expires_at, dedupe_key, max_attempts, on_error,
       chain_id, chain_index, origin, push, follow_up, queued_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uuid) DO NOTHING RETURNING seq`,
    commandUuid,
    command.requestType,
    body.bytes,
    body.sealed ? 1 : 0,
    command.priority,
    command.expiresAt,
    command.dedupeKey,
    command.maxAttempts,
    command.onError,
    chain?.id ?? null,
    chain?.index ?? null,
    command.origin,
    command.push ? 1 : 0,
    command.followUp ? 1 : 0,
    at,
  );
  if (row === undefined) {
    throw new CoreError('core.command.duplicate_uuid', 'conflict', `a command ${commandUuid} exists already`);
  }
  return row.seq;
}

/** Ends what the new command replaces, or what has the key but is over by itself. */
function makeRoom(db: Database, key: string, onDuplicate: 'replace' | 'keep', at: number): void {
  if (onDuplicate === 'replace') {
    db.run(
      `INSERT INTO history (enrolment, seq, state, sent_at, finished_at, attempts)
       SELECT w.enrolment, w.seq, 'superseded', w.sent_at, ?, w.attempts
       FROM temp.targets t CROSS JOIN pending w ON w.enrolment = t.nr AND w.dedupe_key = ?`,
      at,
      key,
    );
    db.run(
      `DELETE FROM pending WHERE (enrolment, rank, seq) IN (
         SELECT w.enrolment, w.rank, w.seq FROM temp.targets t CROSS JOIN pending w ON w.enrolment = t.nr AND w.dedupe_key = ?)`,
      key,
    );
    return;
  }
  const over = db.all<PendingRow & { expired: number }>(
    `SELECT ${pendingColumns}, coalesce(w.expires_at <= ?1, 0) AS expired
     FROM temp.targets t
       CROSS JOIN pending w ON w.enrolment = t.nr AND w.dedupe_key = ?2
       JOIN commands c ON c.seq = w.seq
       JOIN enrolments e ON e.nr = w.enrolment
     WHERE w.expires_at <= ?1 OR (w.attempts >= w.max_attempts AND w.offered < e.session)`,
    at,
    key,
  );
  for (const row of over) finish(db, row, row.expired === 1 ? 'expired' : 'exhausted', at);
}

/** Makes a push due, unless one is on its way or unanswered. */
function wantPush(db: Database, targets: string, at: number): void {
  db.run(
    `UPDATE push SET due_at = ?1 WHERE nr IN (SELECT nr FROM ${targets})
       AND (due_at IS NULL OR (attempts = 0 AND lease IS NULL AND due_at > ?1))`,
    at,
  );
}

/** Puts a finished command back. */
export function requeue(db: Database, enrolmentId: string, commandUuid: string, at: number): boolean {
  const row = db.get<{ enrolment: number; seq: number; push: number }>(
    `SELECT h.enrolment, h.seq, c.push FROM commands c
       JOIN enrolments e ON e.id = ?2 AND e.status IN ('pending', 'active')
       JOIN history h ON h.enrolment = e.nr AND h.seq = c.seq
     WHERE c.uuid = ?1 AND NOT EXISTS (
       SELECT 1 FROM pending w WHERE w.enrolment = e.nr AND w.dedupe_key = c.dedupe_key)`,
    commandUuid,
    enrolmentId,
  );
  if (row === undefined) return false;
  const { enrolment, seq } = row;
  db.run(
    `INSERT INTO pending (enrolment, rank, seq, ready, push, max_attempts, expires_at, dedupe_key)
     SELECT ?, -priority, seq, 1, push, max_attempts, CASE WHEN expires_at > ? THEN expires_at END, dedupe_key
     FROM commands WHERE seq = ?`,
    enrolment,
    at,
    seq,
  );
  db.run('DELETE FROM history WHERE enrolment = ? AND seq = ?', enrolment, seq);
  db.run('DELETE FROM follow_ups WHERE enrolment = ? AND seq = ?', enrolment, seq);
  if (row.push === 1) {
    db.run('DELETE FROM temp.targets');
    db.run('INSERT INTO temp.targets VALUES (?)', enrolment);
    wantPush(db, 'temp.targets', at);
  }
  return true;
}
