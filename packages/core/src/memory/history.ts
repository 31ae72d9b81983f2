// The finished commands of all enrolments, as they finished, each with the number of its enrolment's one before.
import type { AppleError, CommandState } from '../api/records.ts';
import type { StoredBytes } from '../contracts/shared.ts';
import { CHUNK, Log, slotOf } from './log.ts';
import type { CommandRow, EnrolmentRow } from './state.ts';

/** A finished command of one enrolment. */
export interface HistoryRow {
  readonly command: CommandRow;
  readonly state: CommandState;
  readonly sentAt: number | null;
  readonly finishedAt: number;
  readonly attempts: number;
  readonly errorChain: readonly AppleError[];
  readonly response: StoredBytes | null;
}

const STATES = ['acknowledged', 'error', 'format-error', 'expired', 'cancelled', 'superseded', 'exhausted'] as const;
/** The state of a command that is over. */
export type FinalState = (typeof STATES)[number];

/** In the place of a state: it was taken back, and is pending again. */
const REQUEUED = 255;
const NONE: readonly AppleError[] = [];

interface Columns {
  readonly command: (CommandRow | null)[];
  readonly response: (StoredBytes | null)[];
  /** Of those that have one. */
  readonly errorChain: Map<number, readonly AppleError[]>;
  readonly state: Uint8Array;
  readonly attempts: Uint32Array;
  /** NaN where it was never sent. */
  readonly sentAt: Float64Array;
  readonly finishedAt: Float64Array;
  /** The row of the same enrolment that finished before it; -1, or the number of one that was pruned, when there is none. */
  readonly before: Float64Array;
}

const makeColumns = (): Columns => ({
  command: [],
  response: [],
  errorChain: new Map(),
  state: new Uint8Array(CHUNK),
  attempts: new Uint32Array(CHUNK),
  sentAt: new Float64Array(CHUNK),
  finishedAt: new Float64Array(CHUNK),
  before: new Float64Array(CHUNK),
});

/** Finished commands. */
export class History {
  readonly #log = new Log(makeColumns);
  /** How many there are. */
  size = 0;

  /** Adds one to an enrolment's. */
  add(enrolment: EnrolmentRow, done: HistoryRow & { readonly state: FinalState }): void {
    const row = this.#log.add();
    const columns = this.#log.columns(row);
    const slot = slotOf(row);
    columns.command[slot] = done.command;
    columns.response[slot] = done.response;
    if (done.errorChain.length > 0) columns.errorChain.set(slot, done.errorChain);
    columns.state[slot] = STATES.indexOf(done.state);
    columns.attempts[slot] = done.attempts;
    columns.sentAt[slot] = done.sentAt ?? Number.NaN;
    columns.finishedAt[slot] = done.finishedAt;
    columns.before[slot] = enrolment.lastDone;
    enrolment.lastDone = row;
    this.size++;
  }

  /** An enrolment's, the newest first. */
  *of(enrolment: EnrolmentRow): Generator<HistoryRow> {
    for (const row of this.#rows(enrolment)) yield this.#read(row);
  }

  /** What became of a command of an enrolment. */
  find(enrolment: EnrolmentRow, command: CommandRow): HistoryRow | undefined {
    const row = this.#find(enrolment, command);
    return row === undefined ? undefined : this.#read(row);
  }

  /** Takes a command of an enrolment back out. */
  takeBack(enrolment: EnrolmentRow, command: CommandRow): void {
    const row = this.#find(enrolment, command);
    if (row === undefined) return;
    this.#log.columns(row).state[slotOf(row)] = REQUEUED;
    this.#clear(row);
    this.size--;
  }

  /** Puts another response in the place of that of a command of an enrolment. */
  setResponse(enrolment: EnrolmentRow, command: CommandRow, response: StoredBytes): void {
    const row = this.#find(enrolment, command);
    if (row !== undefined) this.#log.columns(row).response[slotOf(row)] = response;
  }

  /** Takes the oldest out if it finished before a time; returns its command, or `null` when none did. */
  takeFirst(before: number): CommandRow | null {
    while (this.#log.first < this.#log.end) {
      const row = this.#log.first;
      const columns = this.#log.columns(row);
      const slot = slotOf(row);
      if (columns.finishedAt[slot]! >= before) return null;
      const command = columns.command[slot]!;
      const isThere = columns.state[slot] !== REQUEUED;
      this.#clear(row);
      this.#log.take();
      if (!isThere) continue;
      this.size--;
      return command;
    }
    return null;
  }

  *#rows(enrolment: EnrolmentRow): Generator<number> {
    let row = enrolment.lastDone;
    while (row >= this.#log.first) {
      const columns = this.#log.columns(row);
      const slot = slotOf(row);
      if (columns.state[slot] !== REQUEUED) yield row;
      row = columns.before[slot]!;
    }
  }

  #find(enrolment: EnrolmentRow, command: CommandRow): number | undefined {
    for (const row of this.#rows(enrolment)) {
      if (this.#log.columns(row).command[slotOf(row)] === command) return row;
    }
    return undefined;
  }

  /** Lets go of what a row that is over refers to. */
  #clear(row: number): void {
    const columns = this.#log.columns(row);
    const slot = slotOf(row);
    columns.command[slot] = null;
    columns.response[slot] = null;
    columns.errorChain.delete(slot);
  }

  #read(row: number): HistoryRow {
    const columns = this.#log.columns(row);
    const slot = slotOf(row);
    const sentAt = columns.sentAt[slot]!;
    return {
      command: columns.command[slot]!,
      state: STATES[columns.state[slot]!]!,
      sentAt: Number.isNaN(sentAt) ? null : sentAt,
      finishedAt: columns.finishedAt[slot]!,
      attempts: columns.attempts[slot]!,
      errorChain: columns.errorChain.get(slot) ?? NONE,
      response: columns.response[slot]!,
    };
  }
}
