// Events in memory: an array in order of `seq`.
import type { EngineEvent } from '../api/records.ts';
import type { EventStore } from '../contracts/events.ts';
import type { MemoryState } from './state.ts';

/** Events over the state. */
export function memoryEvents(state: MemoryState): EventStore {
  /** Index of the first event with `seq` above this one. */
  const indexAfter = (seq: number): number => {
    let low = 0;
    let high = state.events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (state.events[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    async append(events) {
      state.open();
      return state.appendEvents(events);
    },

    async list({ enrolmentId, type, order }, { after, limit }) {
      state.open();
      const step = order === 'oldest' ? 1 : -1;
      let i: number;
      if (after === undefined) i = order === 'oldest' ? 0 : state.events.length - 1;
      else i = order === 'oldest' ? indexAfter(Number(after)) : indexAfter(Number(after) - 1) - 1;
      const items: EngineEvent[] = [];
      for (; i >= 0 && i < state.events.length; i += step) {
        const event = state.events[i]!;
        if (enrolmentId !== undefined && event.enrolmentId !== enrolmentId) continue;
        if (type !== undefined && event.type !== type) continue;
        if (items.length === limit) return { items, next: String(items.at(-1)?.seq ?? 0) };
        items.push(event);
      }
      return { items, next: null };
    },

    async lastSeq() {
      state.open();
      return state.nextSeq - 1;
    },

    async since(seq, limit) {
      state.open();
      const start = indexAfter(seq);
      return state.events.slice(start, start + limit);
    },

    async prune({ before, limit }) {
      state.open();
      let count = 0;
      while (count < limit && (state.events[count]?.at ?? before) < before) count++;
      state.events.splice(0, count);
      return count;
    },
  };
}
