// A reference model of the queue: the table of docs/queue.md as plainly as it can be written, slow and obvious.
import type { CommandState } from '../api/records.ts';
import type { NewCommand, ResultOutcome } from '../contracts/queue.ts';

const MINUTE = 60_000;
/** The backoff that the model and the store under test are given. */
export const MODEL_BACKOFF = { baseMs: MINUTE, maxMs: 8 * MINUTE };

/** One command of one enrolment in the model. */
export interface ModelEntry {
  readonly command: NewCommand;
  readonly order: number;
  state: CommandState;
  notBefore: number;
  expiresAt: number;
  attempts: number;
  notNow: number;
  offeredIn: number;
  held: boolean;
}

/** One enrolment in the model. */
export class ModelEnrolment {
  readonly entries: ModelEntry[] = [];
  session = 0;
  due: number | null = null;

  get pending(): ModelEntry[] {
    return this.entries.filter(({ state }) => state === 'queued' || state === 'sent' || state === 'not-now');
  }

  find(uuid: string): ModelEntry | undefined {
    return this.entries.find((entry) => entry.command.commandUuid === uuid);
  }

  enqueue(command: NewCommand, order: number, at: number): boolean {
    const rival = this.pending.find(
      (entry) => command.dedupeKey !== null && entry.command.dedupeKey === command.dedupeKey,
    );
    if (rival !== undefined) {
      const over = this.overBy(rival, at);
      if (command.onDuplicate === 'keep' && over === null) return false;
      this.end(rival, command.onDuplicate === 'replace' || over === null ? 'superseded' : over);
    }
    this.entries.push({
      command,
      order,
      state: 'queued',
      notBefore: command.notBefore ?? 0,
      expiresAt: command.expiresAt ?? Number.POSITIVE_INFINITY,
      attempts: 0,
      notNow: 0,
      offeredIn: -1,
      held: command.chain !== null && command.chain.index > 0,
    });
    if (command.push) this.want(Math.max(at, command.notBefore ?? at));
    return true;
  }

  /** The next command to offer, or nothing; `answer` is absent for Idle. */
  poll(at: number, answer?: { readonly uuid: string; readonly status: string }): [ResultOutcome | null, string | null] {
    let result: ResultOutcome | null = null;
    if (answer === undefined) this.session++;
    else result = this.take(at, answer.uuid, answer.status);
    const ready = this.pending
      .filter((entry) => !entry.held && this.usable(entry, at) && entry.notBefore <= at)
      .filter((entry) => {
        if (entry.state === 'queued') return true;
        return entry.offeredIn < this.session || (entry.state === 'sent' && result === 'repeated');
      })
      .sort((a, b) => b.command.priority - a.command.priority || a.order - b.order);
    const next = ready[0];
    if (next === undefined) {
      this.due = this.whenToWake(at);
      return [result, null];
    }
    next.state = 'sent';
    next.attempts++;
    next.offeredIn = this.session;
    return [result, next.command.commandUuid];
  }

  take(at: number, uuid: string, status: string): ResultOutcome {
    const entry = this.find(uuid);
    if (entry === undefined) return 'unknown';
    if (entry.state === 'queued') return entry.attempts === 0 ? 'unknown' : 'repeated';
    if (entry.state !== 'sent' && entry.state !== 'not-now') return 'repeated';
    if (status === 'not-now') {
      if (entry.state === 'not-now') return 'repeated';
      entry.state = 'not-now';
      entry.notNow++;
      entry.attempts--;
      return 'deferred';
    }
    const left = entry.command.maxAttempts === null || entry.attempts < entry.command.maxAttempts;
    if (status === 'error' && entry.command.onError === 'retry' && left) {
      entry.state = 'queued';
      entry.notBefore = at + delay(entry.attempts - 1);
      return 'retrying';
    }
    this.end(entry, status as CommandState);
    return 'stored';
  }

  end(entry: ModelEntry, state: CommandState): void {
    entry.state = state;
    const { chain, onError } = entry.command;
    if (chain === null) return;
    const rest = this.pending.filter(
      (other) => other.command.chain?.id === chain.id && other.command.chain.index > chain.index,
    );
    for (const other of rest) {
      if (state === 'acknowledged') {
        if (other.command.chain?.index === chain.index + 1) other.held = false;
      } else if (onError === 'drop-chain') other.state = 'cancelled';
    }
  }

  endSome(state: 'cancelled' | 'superseded', pick: (entry: ModelEntry) => boolean): void {
    const last = (entry: ModelEntry): number => entry.command.chain?.index ?? -1;
    const chosen = this.pending.filter(pick).sort((a, b) => last(b) - last(a));
    for (const entry of chosen) if (this.pending.includes(entry)) this.end(entry, state);
  }

  requeue(uuid: string, at: number): boolean {
    const entry = this.find(uuid);
    if (entry === undefined || this.pending.includes(entry)) return false;
    const key = entry.command.dedupeKey;
    if (key !== null && this.pending.some((other) => other.command.dedupeKey === key)) return false;
    entry.state = 'queued';
    entry.attempts = 0;
    entry.notNow = 0;
    entry.notBefore = 0;
    entry.offeredIn = -1;
    entry.held = false;
    const expiry = entry.command.expiresAt ?? Number.POSITIVE_INFINITY;
    entry.expiresAt = expiry <= at ? Number.POSITIVE_INFINITY : expiry;
    if (entry.command.push) this.want(at);
    return true;
  }

  sweep(at: number): void {
    for (const entry of this.pending) {
      const over = this.overBy(entry, at);
      if (over !== null && this.pending.includes(entry)) this.end(entry, over);
    }
  }

  private overBy(entry: ModelEntry, at: number): 'expired' | 'exhausted' | null {
    if (entry.expiresAt <= at) return 'expired';
    return usedUp(entry) && entry.offeredIn < this.session ? 'exhausted' : null;
  }

  private usable(entry: ModelEntry, at: number): boolean {
    return entry.expiresAt > at && !usedUp(entry);
  }

  private whenToWake(at: number): number | null {
    const times = this.pending
      .filter((entry) => entry.command.push && !entry.held && this.usable(entry, at))
      .map((entry) => {
        if (entry.state === 'queued') return Math.max(entry.notBefore, 0);
        return at + (entry.state === 'not-now' ? delay(entry.notNow - 1) : MODEL_BACKOFF.baseMs);
      });
    return times.length === 0 ? null : Math.min(...times);
  }

  private want(at: number): void {
    this.due = this.due === null ? at : Math.min(this.due, at);
  }
}

function usedUp({ command, attempts }: ModelEntry): boolean {
  return command.maxAttempts !== null && attempts >= command.maxAttempts;
}

function delay(n: number): number {
  return Math.min(MODEL_BACKOFF.maxMs, MODEL_BACKOFF.baseMs * 2 ** n);
}
