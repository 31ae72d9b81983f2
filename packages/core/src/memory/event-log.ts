// What happened, by `seq`.
import type { EngineEvent, EventType } from '../api/records.ts';
import type { NewEvent } from '../contracts/shared.ts';
import { CHUNK, Log, slotOf } from './log.ts';

interface Columns {
  readonly type: (EventType | null)[];
  readonly enrolmentId: (string | null)[];
  readonly data: (NewEvent['data'] | null)[];
  readonly at: Float64Array;
}

const makeColumns = (): Columns => ({ type: [], enrolmentId: [], data: [], at: new Float64Array(CHUNK) });

/** Events; `seq` is the number of the row, from 1. */
export class EventLog {
  readonly #log = new Log(makeColumns);

  /** The `seq` of the first event that is there. */
  get firstSeq(): number {
    return this.#log.first + 1;
  }

  /** The `seq` of the last event that ever was; 0 before the first. */
  get lastSeq(): number {
    return this.#log.end;
  }

  add({ type, at, enrolmentId, data }: NewEvent): number {
    const row = this.#log.add();
    const columns = this.#log.columns(row);
    const slot = slotOf(row);
    columns.type[slot] = type;
    columns.enrolmentId[slot] = enrolmentId;
    columns.data[slot] = data;
    columns.at[slot] = at;
    return row + 1;
  }

  /** The event with this `seq`, which must be there. */
  get(seq: number): EngineEvent {
    const columns = this.#log.columns(seq - 1);
    const slot = slotOf(seq - 1);
    return {
      seq,
      type: columns.type[slot]!,
      at: columns.at[slot]!,
      enrolmentId: columns.enrolmentId[slot]!,
      data: columns.data[slot]!,
    };
  }

  /** Whether an event is of this type and of this enrolment, where they are given; it must be there. */
  matches(seq: number, enrolmentId: string | null | undefined, type: string | undefined): boolean {
    const columns = this.#log.columns(seq - 1);
    const slot = slotOf(seq - 1);
    if (enrolmentId !== undefined && columns.enrolmentId[slot] !== enrolmentId) return false;
    return type === undefined || columns.type[slot] === type;
  }

  /** Takes the first event out if it happened before a time. */
  takeFirst(before: number): boolean {
    const row = this.#log.first;
    if (row >= this.#log.end) return false;
    const columns = this.#log.columns(row);
    const slot = slotOf(row);
    if (columns.at[slot]! >= before) return false;
    columns.data[slot] = null;
    columns.enrolmentId[slot] = null;
    this.#log.take();
    return true;
  }
}
