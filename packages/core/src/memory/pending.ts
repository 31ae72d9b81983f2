// Steps on the memory store's pending set: finding, adding, ending, freeing chains.
import type { AppleError, CommandEntry } from '../api/records.ts';
import type { EndedCommand } from '../contracts/queue.ts';
import type { StoredBytes } from '../contracts/shared.ts';
import type { FinalState, HistoryRow } from './history.ts';
import type { CommandRow, EnrolmentRow, MemoryState, PendingItem, PendingRow, PendingSet } from './state.ts';

/** Finds a pending row. */
export function findPending({ work }: EnrolmentRow, commandUuid: string): PendingItem | undefined {
  const isIt = (row: PendingItem): boolean => row.command.commandUuid === commandUuid;
  return work?.rows.find(isIt) ?? work?.later.find(isIt);
}

/** Finds a pending row by its dedupe key. */
export function findByKey({ work }: EnrolmentRow, dedupeKey: string): PendingItem | undefined {
  return work?.byKey?.get(dedupeKey);
}

/** Whether anything is pending. */
export function hasWork({ work }: EnrolmentRow): boolean {
  return work !== null && work.rows.length + work.later.length > 0;
}

/** All pending rows of an enrolment, in no particular order. */
export function allPending({ work }: EnrolmentRow): PendingItem[] {
  return work === null ? [] : [...work.rows, ...work.later];
}

/** Finds a finished row: looks at the newest first. */
export function findDone(state: MemoryState, enrolment: EnrolmentRow, commandUuid: string): HistoryRow | undefined {
  const command = state.commands.get(commandUuid);
  return command === undefined ? undefined : state.history.find(enrolment, command);
}

/** Puts the rows whose time has come where they are offered from. */
export function promote(set: PendingSet, at: number): void {
  while ((set.later[0]?.notBefore ?? at + 1) <= at) insert(set.rows, set.later.shift()!, before);
}

function before(a: PendingItem, b: PendingItem): boolean {
  const [x, y] = [a.command, b.command];
  return x.priority !== y.priority ? x.priority > y.priority : x.seq < y.seq;
}

function earlier(a: PendingItem, b: PendingItem): boolean {
  return (a.notBefore ?? 0) < (b.notBefore ?? 0);
}

/** Inserts into a sorted list. */
function insert(rows: PendingItem[], row: PendingItem, precedes: (a: PendingItem, b: PendingItem) => boolean): void {
  let low = 0;
  let high = rows.length;
  if (high === 0 || !precedes(row, rows[high - 1]!)) {
    rows.push(row);
    return;
  }
  while (low < high) {
    const middle = (low + high) >> 1;
    if (precedes(row, rows[middle]!)) high = middle;
    else low = middle + 1;
  }
  rows.splice(low, 0, row);
}

/** Whether something has happened to it, or its row is pointed at. */
function isRow(item: PendingItem): item is PendingRow {
  return item !== item.command;
}

/** Whether a command can be in the place of a row until something happens to it. */
function isPlain({ chain, expiresAt, maxAttempts }: CommandRow): boolean {
  return chain === null && expiresAt === null && (maxAttempts === null || maxAttempts > 0);
}

/** A row of its own for a command of an enrolment. */
export function pendingRow(enrolment: EnrolmentRow, command: CommandRow): PendingRow {
  return {
    command,
    enrolment,
    state: 'queued',
    notBefore: command.notBefore,
    expiresAt: command.expiresAt,
    sentAt: null,
    attempts: 0,
    notNow: 0,
    offered: -1,
    ready: command.chain === null || command.chain.index === 0,
    place: -1,
  };
}

/** The row of a pending command to which something happens. */
export function ownRow(enrolment: EnrolmentRow, item: PendingItem): PendingRow {
  if (isRow(item)) return item;
  const row = pendingRow(enrolment, item.command);
  const { work } = enrolment;
  if (work === null) return row;
  const place = work.rows.indexOf(item);
  if (place >= 0) work.rows[place] = row;
  else work.later[work.later.indexOf(item)] = row;
  if (row.command.dedupeKey !== null) work.byKey?.set(row.command.dedupeKey, row);
  return row;
}

/** Adds a command to an enrolment's pending ones. */
export function addCommand(state: MemoryState, enrolment: EnrolmentRow, command: CommandRow): void {
  addPending(state, enrolment, isPlain(command) ? command : pendingRow(enrolment, command));
}

/** Adds an item at its place. */
export function addPending(state: MemoryState, enrolment: EnrolmentRow, row: PendingItem): void {
  const { command } = row;
  enrolment.work ??= { rows: [], later: [], byKey: null };
  const { work } = enrolment;
  if (row.notBefore === null) insert(work.rows, row, before);
  else insert(work.later, row, earlier);
  if (command.dedupeKey !== null) {
    work.byKey ??= new Map();
    work.byKey.set(command.dedupeKey, row);
  }
  if (isRow(row)) {
    if (row.expiresAt !== null) state.expiring.set(row, row.expiresAt);
    if (isUsedUp(row)) state.usedUp.add(row);
  }
  if (command.waiting++ === 0) state.waiting.add(command);
  state.pendingSize++;
}

function removePending(state: MemoryState, { work }: EnrolmentRow, row: PendingItem): void {
  const { command } = row;
  if (work === null) return;
  const place = work.rows.indexOf(row);
  if (place >= 0) work.rows.splice(place, 1);
  else work.later.splice(work.later.indexOf(row), 1);
  if (command.dedupeKey !== null && work.byKey !== null) {
    work.byKey.delete(command.dedupeKey);
    if (work.byKey.size === 0) work.byKey = null;
  }
  if (--command.waiting === 0) state.waiting.delete(command);
  state.pendingSize--;
  if (!isRow(row)) return;
  state.expiring.set(row, null);
  state.usedUp.delete(row);
}

/** Not expired, and with attempts left. */
export function hasLife(row: PendingItem, at: number): boolean {
  return (row.expiresAt === null || row.expiresAt > at) && !isUsedUp(row);
}

/** Whether it was offered as often as it may be. */
export function isUsedUp(row: PendingItem): boolean {
  return row.command.maxAttempts !== null && row.attempts >= row.command.maxAttempts;
}

/** Why a pending row is over by itself; `null` while it is not. */
export function deathOf({ session }: EnrolmentRow, row: PendingItem, at: number): 'expired' | 'exhausted' | null {
  if (row.expiresAt !== null && row.expiresAt <= at) return 'expired';
  if (!isUsedUp(row)) return null;
  return row.offered < session ? 'exhausted' : null;
}

/** Moves a row to the history; frees or drops the rest of its chain. Returns the row and what was dropped with it. */
export function finish(
  state: MemoryState,
  enrolment: EnrolmentRow,
  row: PendingItem,
  end: FinalState,
  at: number,
  answer: { readonly errorChain: readonly AppleError[]; readonly response: StoredBytes | null } = {
    errorChain: [],
    response: null,
  },
): EndedCommand[] {
  removePending(state, enrolment, row);
  state.history.add(enrolment, {
    command: row.command,
    state: end,
    sentAt: row.sentAt,
    finishedAt: at,
    attempts: row.attempts,
    errorChain: answer.errorChain,
    response: answer.response,
  });
  const { commandUuid, requestType, followUp, chain } = row.command;
  const enrolmentId = enrolment.id;
  if (followUp && end !== 'superseded') {
    state.followUps.set(followUpKey(enrolmentId, commandUuid), { enrolmentId, commandUuid, at });
  }
  const ended: EndedCommand[] = [{ enrolmentId, commandUuid, requestType, state: end, followUp }];
  if (chain === null) return ended;
  const rest = allPending(enrolment).filter(
    (other) => other.command.chain?.id === chain.id && other.command.chain.index > chain.index,
  );
  if (end === 'acknowledged') {
    for (const next of rest) {
      if (next.command.chain?.index === chain.index + 1) ownRow(enrolment, next).ready = true;
    }
  } else if (row.command.onError === 'drop-chain') {
    for (const other of rest) {
      // The rest is ended one by one; each finds its own rest gone or ends it, so nothing is ended twice.
      if (findPending(enrolment, other.command.commandUuid) !== undefined) {
        ended.push(...finish(state, enrolment, other, 'cancelled', at));
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
export function clearPending(state: MemoryState, enrolment: EnrolmentRow, at: number): void {
  for (;;) {
    const row = enrolment.work?.rows[0] ?? enrolment.work?.later[0];
    if (row === undefined) return;
    cancelEvents(state, finish(state, enrolment, row, 'cancelled', at), at);
  }
}

/** The key of a follow-up. */
export function followUpKey(enrolmentId: string, commandUuid: string): string {
  return `${enrolmentId}\n${commandUuid}`;
}

/** How a pending row is shown. */
export function pendingEntry({ id: enrolmentId }: EnrolmentRow, row: PendingItem): CommandEntry {
  return {
    ...shared(row.command),
    enrolmentId,
    state: row.state,
    sentAt: row.sentAt,
    finishedAt: null,
    attempts: row.attempts,
    errorChain: [],
  };
}

/** How a finished row is shown. */
export function historyEntry({ id: enrolmentId }: EnrolmentRow, row: HistoryRow): CommandEntry {
  return {
    ...shared(row.command),
    enrolmentId,
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
