// The command queue in memory.

import type {
  DueCommand,
  EndedCommand,
  NewCommand,
  PollInput,
  QueueDepth,
  QueueStore,
  ResultOutcome,
} from '../contracts/queue.ts';
import { CoreError } from '../errors.ts';
import { backoffDelay } from '../queue/backoff.ts';
import {
  addCommand,
  addPending,
  allPending,
  cancelEvents,
  deathOf,
  findByKey,
  findDone,
  findPending,
  finish,
  followUpKey,
  hasLife,
  hasWork,
  historyEntry,
  isUsedUp,
  ownRow,
  pendingEntry,
  pendingRow,
  promote,
} from './pending.ts';
import {
  type CommandRow,
  type EnrolmentRow,
  idPage,
  isLiving,
  type MemoryState,
  type PendingRow,
  pageOf,
} from './state.ts';

/** The queue over the state. */
export function memoryQueue(state: MemoryState): QueueStore {
  return {
    async enqueue({ commands, enrolmentIds, at, events }) {
      state.open();
      checkCommands(state, commands);
      const enrolments: EnrolmentRow[] = [];
      for (const id of new Set(enrolmentIds)) {
        const row = state.enrolments.get(id);
        if (row !== undefined && isLiving(row.status)) enrolments.push(row);
      }
      const queued = commands.map((command) => enqueueOne(state, command, enrolments, at));
      if (queued.some((count) => count > 0)) state.appendEvents(events);
      return { queued };
    },

    async poll(input) {
      state.open();
      const row = state.living(input.enrolmentId);
      if (row === null) return { outcome: 'unknown' };
      if (state.pinOf(row) !== input.certificateFingerprint) return { outcome: 'identity-mismatch' };
      state.seen(row, input.at);
      let result: ResultOutcome | null = null;
      let resultCommand: CommandRow | null = null;
      if (input.result === undefined) row.session++;
      else ({ result, resultCommand } = takeResult(state, row, input, input.result));
      const command = offerNext(state, row, input.at, result === 'repeated');
      if (command === null) settleDue(state, row, input);
      return {
        outcome: 'ok',
        result,
        resultCommand:
          resultCommand === null
            ? null
            : {
                requestType: resultCommand.requestType,
                origin: resultCommand.origin,
                followUp: resultCommand.followUp,
              },
        command,
      };
    },

    async end({ enrolmentIds, commandUuid, dedupeKey, keepSent = [], state: end, at }) {
      state.open();
      const ended: EndedCommand[] = [];
      for (const id of new Set(enrolmentIds)) {
        const enrolment = state.enrolments.get(id);
        if (enrolment === undefined) continue;
        const rows = allPending(enrolment).filter(
          (row) =>
            (commandUuid === undefined || row.command.commandUuid === commandUuid) &&
            (dedupeKey === undefined || row.command.dedupeKey === dedupeKey) &&
            !(row.state === 'sent' && keepSent.includes(row.command.requestType)),
        );
        // Of a chain the last first: it ends as it was asked, not as what goes with the one before.
        for (const row of rows.sort((a, b) => (b.command.chain?.index ?? -1) - (a.command.chain?.index ?? -1))) {
          if (findPending(enrolment, row.command.commandUuid) === row)
            ended.push(...finish(state, enrolment, row, end, at));
        }
      }
      cancelEvents(state, ended, at);
      return ended;
    },

    async requeue({ enrolmentId, commandUuid, at }) {
      state.open();
      const enrolment = state.enrolments.get(enrolmentId);
      if (enrolment === undefined || !isLiving(enrolment.status)) return false;
      const done = findDone(state, enrolment, commandUuid);
      if (done === undefined) return false;
      const { command } = done;
      if (command.dedupeKey !== null && findByKey(enrolment, command.dedupeKey) !== undefined) return false;
      state.history.takeBack(enrolment, command);
      state.followUps.delete(followUpKey(enrolmentId, commandUuid));
      addPending(state, enrolment, {
        ...pendingRow(enrolment, command),
        notBefore: null,
        expiresAt: command.expiresAt !== null && command.expiresAt <= at ? null : command.expiresAt,
        ready: true,
      });
      if (command.push) wantPush(state, enrolment, at);
      return true;
    },

    async sweep({ at, limit }) {
      state.open();
      const ended: EndedCommand[] = [];
      for (const row of takeExpired(state, at, limit)) {
        if (findPending(row.enrolment, row.command.commandUuid) !== row) continue;
        if (ended.length < limit) ended.push(...finish(state, row.enrolment, row, 'expired', at));
        else state.expiring.set(row, row.expiresAt);
      }
      for (const row of state.usedUp) {
        if (ended.length >= limit) break;
        const death = deathOf(row.enrolment, row, at);
        if (death !== null) ended.push(...finish(state, row.enrolment, row, death, at));
      }
      for (const { enrolmentId, commandUuid, requestType, state: end } of ended) {
        if (end === 'cancelled') continue;
        state.appendEvents([
          { type: 'command.expired', at, enrolmentId, data: { commandUuid, requestType, state: end } },
        ]);
      }
      cancelEvents(state, ended, at);
      return ended;
    },

    async prune({ before, limit }) {
      state.open();
      let pruned = 0;
      while (pruned < limit) {
        const command = state.history.takeFirst(before);
        if (command === null) break;
        pruned++;
        command.refs--;
        if (command.refs === 0) state.commands.delete(command.commandUuid);
      }
      return pruned;
    },

    async list(enrolmentId, page) {
      state.open();
      const enrolment = state.enrolments.get(enrolmentId);
      if (enrolment === undefined) return { items: [], next: null };
      const all = [
        ...allPending(enrolment).map((row) => ({ seq: row.command.seq, entry: pendingEntry(enrolment, row) })),
        ...(page.pendingOnly === true ? [] : [...state.history.of(enrolment)]).map((row) => ({
          seq: row.command.seq,
          entry: historyEntry(enrolment, row),
        })),
      ].sort((a, b) => b.seq - a.seq);
      // The cursor is a place in the order, so that it stays good when the row it names is pruned.
      const rest = page.after === undefined ? all : all.filter((item) => item.seq < Number(page.after));
      const { items, next } = pageOf(rest, (item) => String(item.seq), { limit: page.limit });
      return { items: items.map((item) => item.entry), next };
    },

    async get(enrolmentId, commandUuid) {
      state.open();
      const enrolment = state.enrolments.get(enrolmentId);
      if (enrolment === undefined) return null;
      const pending = findPending(enrolment, commandUuid);
      if (pending !== undefined) return { ...pendingEntry(enrolment, pending), response: null };
      const done = findDone(state, enrolment, commandUuid);
      return done === undefined ? null : { ...historyEntry(enrolment, done), response: done.response };
    },

    async body(commandUuid) {
      state.open();
      return state.commands.get(commandUuid)?.body ?? null;
    },

    async followUps({ before, limit }) {
      state.open();
      const found: { enrolmentId: string; commandUuid: string; at: number }[] = [];
      for (const followUp of state.followUps.values()) {
        if (found.length >= limit) break;
        if (followUp.at <= before) found.push({ ...followUp });
      }
      return found;
    },

    async followUpDone(enrolmentId, commandUuid) {
      state.open();
      state.followUps.delete(followUpKey(enrolmentId, commandUuid));
    },

    async withWork(page) {
      state.open();
      return idPage(state.sortedIds(), page, (id) => {
        const row = state.enrolments.get(id);
        return row !== undefined && hasWork(row) ? id : null;
      });
    },

    async depth() {
      state.open();
      return depthOf(state);
    },

    async stats() {
      state.open();
      return { ...depthOf(state), history: state.history.size };
    },
  };
}

function depthOf(state: MemoryState): QueueDepth {
  let oldestQueuedAt: number | null = null;
  for (const { queuedAt } of state.waiting) {
    if (oldestQueuedAt === null || queuedAt < oldestQueuedAt) oldestQueuedAt = queuedAt;
  }
  return { pending: state.pendingSize, followUps: state.followUps.size, oldestQueuedAt };
}

function checkCommands(state: MemoryState, commands: readonly NewCommand[]): void {
  const seen = new Set<string>();
  for (const { commandUuid, chain, dedupeKey } of commands) {
    if (state.commands.has(commandUuid) || seen.has(commandUuid)) {
      throw new CoreError('core.command.duplicate_uuid', 'conflict', `a command ${commandUuid} exists already`);
    }
    seen.add(commandUuid);
    if (chain !== null && dedupeKey !== null) {
      throw new CoreError('core.command.chain_dedupe', 'invalid', 'a command of a chain cannot have a dedupe key');
    }
  }
}

function commandRow(command: NewCommand, seq: number, queuedAt: number): CommandRow {
  const untouched = { state: 'queued', sentAt: null, attempts: 0, notNow: 0, offered: -1, ready: true } as const;
  const row: Omit<CommandRow, 'command'> & { command: CommandRow | null } = {
    ...command,
    ...untouched,
    command: null,
    seq,
    queuedAt,
    refs: 0,
    waiting: 0,
  };
  row.command = row as CommandRow;
  return row.command;
}

function enqueueOne(state: MemoryState, command: NewCommand, enrolments: readonly EnrolmentRow[], at: number): number {
  const row = commandRow(command, state.nextCommand++, at);
  for (const enrolment of enrolments) {
    if (command.dedupeKey !== null) {
      const old = findByKey(enrolment, command.dedupeKey);
      if (old !== undefined) {
        const death = deathOf(enrolment, old, at);
        if (command.onDuplicate === 'keep' && death === null) continue;
        finish(state, enrolment, old, command.onDuplicate === 'replace' ? 'superseded' : (death ?? 'superseded'), at);
      }
    }
    addCommand(state, enrolment, row);
    row.refs++;
    if (command.push) wantPush(state, enrolment, Math.max(at, command.notBefore ?? at));
  }
  if (row.refs > 0) state.commands.set(row.commandUuid, row);
  return row.refs;
}

/** Takes what has expired out of the heap, at least so many if there are, in the order of enqueueing: a chain from its first link. */
function takeExpired(state: MemoryState, at: number, least: number): PendingRow[] {
  const rows: PendingRow[] = [];
  for (let top = state.expiring.peek(); top !== null && top.dueAt <= at; top = state.expiring.peek()) {
    // What expires together is looked at together.
    if (rows.length >= least && top.dueAt !== rows.at(-1)?.expiresAt) break;
    state.expiring.set(top.item, null);
    rows.push(top.item);
  }
  return rows.sort((a, b) => a.command.seq - b.command.seq);
}

/** Makes a push due, unless one is on its way or unanswered. */
function wantPush(state: MemoryState, { push }: EnrolmentRow, at: number): void {
  if (push === null) return;
  if (push.dueAt !== null && (push.attempts > 0 || push.lease !== null || push.dueAt <= at)) return;
  state.setDue(push, at);
}

function takeResult(
  state: MemoryState,
  enrolment: EnrolmentRow,
  { at, backoff }: PollInput,
  answer: NonNullable<PollInput['result']>,
): { result: ResultOutcome; resultCommand: CommandRow | null } {
  const item = findPending(enrolment, answer.commandUuid);
  if (item === undefined) {
    const done = findDone(state, enrolment, answer.commandUuid);
    return done === undefined
      ? { result: 'unknown', resultCommand: null }
      : { result: 'repeated', resultCommand: done.command };
  }
  const { command } = item;
  if (item.state === 'queued') {
    return item.attempts === 0
      ? { result: 'unknown', resultCommand: null }
      : { result: 'repeated', resultCommand: command };
  }
  const row = ownRow(enrolment, item);
  if (row.state === 'not-now' && answer.status === 'not-now') return { result: 'repeated', resultCommand: command };
  if (answer.event !== null) state.appendEvents([answer.event]);
  if (answer.status === 'not-now') {
    row.state = 'not-now';
    row.notNow++;
    row.attempts--;
    state.usedUp.delete(row);
    return { result: 'deferred', resultCommand: command };
  }
  if (answer.status === 'error' && command.onError === 'retry' && !isUsedUp(row)) {
    row.state = 'queued';
    row.notBefore = at + backoffDelay(backoff, row.attempts - 1);
    return { result: 'retrying', resultCommand: command };
  }
  const ended = finish(state, enrolment, row, answer.status, at, {
    errorChain: answer.errorChain,
    response: answer.response,
  });
  cancelEvents(state, ended, at);
  return { result: 'stored', resultCommand: command };
}

function offerNext(state: MemoryState, enrolment: EnrolmentRow, at: number, resend: boolean): DueCommand | null {
  const set = enrolment.work;
  if (set === null) return null;
  promote(set, at);
  for (const item of set.rows) {
    if (!item.ready || !hasLife(item, at) || (item.notBefore !== null && item.notBefore > at)) continue;
    const again = item.offered < enrolment.session || (resend && item.state === 'sent');
    if (item.state !== 'queued' && !again) continue;
    const row = ownRow(enrolment, item);
    row.state = 'sent';
    row.sentAt = at;
    row.attempts++;
    row.offered = enrolment.session;
    if (isUsedUp(row)) state.usedUp.add(row);
    const { commandUuid, requestType, body } = row.command;
    return { commandUuid, requestType, body, attempts: row.attempts };
  }
  return null;
}

function settleDue(state: MemoryState, { push, work: set }: EnrolmentRow, { at, backoff }: PollInput): void {
  if (push === null) return;
  let due: number | null = null;
  for (const row of set?.rows ?? []) {
    if (!row.command.push || !row.ready || !hasLife(row, at)) continue;
    const when =
      row.state === 'queued'
        ? (row.notBefore ?? at)
        : at + (row.state === 'not-now' ? backoffDelay(backoff, row.notNow - 1) : backoff.baseMs);
    if (due === null || when < due) due = when;
  }
  const first = set?.later.find((row) => row.command.push && row.ready && hasLife(row, at));
  if (first?.notBefore != null && (due === null || first.notBefore < due)) due = first.notBefore;
  push.attempts = 0;
  push.lease = null;
  state.setDue(push, due);
}
