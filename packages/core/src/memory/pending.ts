// Steps on the memory store's pending set: finding, adding, ending, freeing chains.
import type { AppleError, CommandEntry, CommandState } from '../api/records.ts';
import type { EndedCommand } from '../contracts/queue.ts';
import type { StoredBytes } from '../contracts/shared.ts';
import {
  type CommandRow,
  type HistoryRow,
  type MemoryState,
  mapIn,
  type PendingRow,
  type PendingSet,
} from './state.ts';

/** The enrolment's pending set, made when there is none. */
export function pendingOf(state: MemoryState, enrolmentId: string): PendingSet {
  const found = state.pending.get(enrolmentId);
  if (found !== undefined) return found;
  const set: PendingSet = { rows: [], later: [], byKey: new Map() };
  state.pending.set(enrolmentId, set);
  return set;
}

/** Finds a pending row. */
export function findPending(state: MemoryState, enrolmentId: string, commandUuid: string): PendingRow | undefined {
  const set = state.pending.get(enrolmentId);
  const isIt = (row: PendingRow): boolean => row.command.commandUuid === commandUuid;
  return set?.rows.find(isIt) ?? set?.later.find(isIt);
}

/** All pending rows of an enrolment, in no particular order. */
export function allPending(state: MemoryState, enrolmentId: string): PendingRow[] {
  const set = state.pending.get(enrolmentId);
  return set === undefined ? [] : [...set.rows, ...set.later];
}

/** Puts the rows whose time has come where they are offered from. */
export function promote(set: PendingSet, at: number): void {
  while ((set.later[0]?.notBefore ?? at + 1) <= at) insert(set.rows, set.later.shift()!, before);
}

function before(a: PendingRow, b: PendingRow): boolean {
  const [x, y] = [a.command, b.command];
  return x.priority !== y.priority ? x.priority > y.priority : x.seq < y.seq;
}

function earlier(a: PendingRow, b: PendingRow): boolean {
  return (a.notBefore ?? 0) < (b.notBefore ?? 0);
}

/** Inserts into a sorted list. */
function insert(rows: PendingRow[], row: PendingRow, precedes: (a: PendingRow, b: PendingRow) => boolean): void {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (precedes(row, rows[middle]!)) high = middle;
    else low = middle + 1;
  }
  rows.splice(low, 0, row);
}

/** Adds a row at its place. */
export function addPending(state: MemoryState, row: PendingRow): void {
  const set = pendingOf(state, row.enrolmentId);
  if (row.notBefore === null) insert(set.rows, row, before);
  else insert(set.later, row, earlier);
  if (row.command.dedupeKey !== null) set.byKey.set(row.command.dedupeKey, row);
  if (row.expiresAt !== null) state.mortal.add(row);
  state.pendingSize++;
}

function removePending(state: MemoryState, row: PendingRow): void {
  const set = state.pending.get(row.enrolmentId);
  if (set === undefined) return;
  const rows = set.rows.includes(row) ? set.rows : set.later;
  rows.splice(rows.indexOf(row), 1);
  if (row.command.dedupeKey !== null) set.byKey.delete(row.command.dedupeKey);
  if (set.rows.length + set.later.length === 0) state.pending.delete(row.enrolmentId);
  state.mortal.delete(row);
  state.pendingSize--;
}

/** Not expired, and with attempts left. */
export function hasLife(row: PendingRow, at: number): boolean {
  return (row.expiresAt === null || row.expiresAt > at) && !isUsedUp(row);
}

/** Whether it was offered as often as it may be. */
export function isUsedUp(row: PendingRow): boolean {
  return row.command.maxAttempts !== null && row.attempts >= row.command.maxAttempts;
}

/** Why a pending row is over by itself; `null` while it is not. */
export function deathOf(state: MemoryState, row: PendingRow, at: number): 'expired' | 'exhausted' | null {
  if (row.expiresAt !== null && row.expiresAt <= at) return 'expired';
  if (!isUsedUp(row)) return null;
  const session = state.enrolments.get(row.enrolmentId)?.session ?? 0;
  return row.offered < session ? 'exhausted' : null;
}

/** Moves a row to the history; frees or drops the rest of its chain. Returns the row and what was dropped with it. */
export function finish(
  state: MemoryState,
  row: PendingRow,
  end: CommandState,
  at: number,
  answer: { readonly errorChain: readonly AppleError[]; readonly response: StoredBytes | null } = {
    errorChain: [],
    response: null,
  },
): EndedCommand[] {
  removePending(state, row);
  const done: HistoryRow = {
    command: row.command,
    enrolmentId: row.enrolmentId,
    state: end,
    sentAt: row.sentAt,
    finishedAt: at,
    attempts: row.attempts,
    errorChain: answer.errorChain,
    response: answer.response,
  };
  mapIn(state.history, row.enrolmentId).set(row.command.commandUuid, done);
  state.finished.push(done);
  state.historySize++;
  const { commandUuid, requestType, followUp, chain } = row.command;
  const { enrolmentId } = row;
  if (followUp && end !== 'superseded') {
    state.followUps.set(followUpKey(enrolmentId, commandUuid), { enrolmentId, commandUuid, at });
  }
  const ended: EndedCommand[] = [{ enrolmentId, commandUuid, requestType, state: end, followUp }];
  if (chain === null) return ended;
  const rest = allPending(state, enrolmentId).filter(
    (other) => other.command.chain?.id === chain.id && other.command.chain.index > chain.index,
  );
  if (end === 'acknowledged') {
    for (const next of rest) if (next.command.chain?.index === chain.index + 1) next.ready = true;
  } else if (row.command.onError === 'drop-chain') {
    for (const other of rest) {
      // The rest is ended one by one; each finds its own rest gone or ends it, so nothing is ended twice.
      if (findPending(state, enrolmentId, other.command.commandUuid) !== undefined) {
        ended.push(...finish(state, other, 'cancelled', at));
      }
    }
  }
  return ended;
}

/** The events that go with commands that were cancelled. */
export function cancelEvents(state: MemoryState, ended: readonly EndedCommand[], at: number): void {
  for (const { enrolmentId, commandUuid, requestType, state: end } of ended) {
    if (end !== 'cancelled') continue;
    state.appendEvents([{ type: 'command.cancelled', at, enrolmentId, data: { commandUuid, requestType } }]);
  }
}

/** Cancels all pending commands of an enrolment. */
export function clearPending(state: MemoryState, enrolmentId: string, at: number): void {
  for (;;) {
    const set = state.pending.get(enrolmentId);
    const row = set?.rows[0] ?? set?.later[0];
    if (row === undefined) return;
    cancelEvents(state, finish(state, row, 'cancelled', at), at);
  }
}

/** The key of a follow-up. */
export function followUpKey(enrolmentId: string, commandUuid: string): string {
  return `${enrolmentId}\n${commandUuid}`;
}

/** How a pending row is shown. */
export function pendingEntry(row: PendingRow): CommandEntry {
  return {
    ...shared(row.command),
    enrolmentId: row.enrolmentId,
    state: row.state,
    sentAt: row.sentAt,
    finishedAt: null,
    attempts: row.attempts,
    errorChain: [],
  };
}

/** How a finished row is shown. */
export function historyEntry(row: HistoryRow): CommandEntry {
  return {
    ...shared(row.command),
    enrolmentId: row.enrolmentId,
    state: row.state,
    sentAt: row.sentAt,
    finishedAt: row.finishedAt,
    attempts: row.attempts,
    errorChain: row.errorChain,
  };
}

function shared({ commandUuid, requestType, priority, queuedAt, dedupeKey, origin }: CommandRow) {
  return { commandUuid, requestType, priority, queuedAt, dedupeKey, origin };
}
