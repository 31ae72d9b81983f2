// Events in memory.
import type { EngineEvent } from '../api/records.ts';
import type { EventStore } from '../contracts/events.ts';
import type { MemoryState } from './state.ts';

/** Events over the state. */
export function memoryEvents(state: MemoryState): EventStore {
  const log = state.events;
  return {
    async append(events) {
      state.open();
      return state.appendEvents(events).map((seq) => log.get(seq));
    },

    async list({ enrolmentId, type, order }, { after, limit }) {
      state.open();
      const step = order === 'oldest' ? 1 : -1;
      let seq: number;
      if (after === undefined) seq = order === 'oldest' ? log.firstSeq : log.lastSeq;
      else if (order === 'oldest') seq = Math.max(log.firstSeq, Number(after) + 1);
      else seq = Math.min(log.lastSeq, Number(after) - 1);
      const items: EngineEvent[] = [];
      for (; seq >= log.firstSeq && seq <= log.lastSeq; seq += step) {
        if (!log.matches(seq, enrolmentId, type)) continue;
        if (items.length === limit) return { items, next: String(items.at(-1)?.seq ?? 0) };
        items.push(log.get(seq));
      }
      return { items, next: null };
    },

    async lastSeq() {
      state.open();
      return log.lastSeq;
    },

    async since(seq, limit) {
      state.open();
      const items: EngineEvent[] = [];
      for (let next = Math.max(log.firstSeq, seq + 1); next <= log.lastSeq && items.length < limit; next++) {
        items.push(log.get(next));
      }
      return items;
    },

    async prune({ before, limit }) {
      state.open();
      let count = 0;
      while (count < limit && log.takeFirst(before)) count++;
      return count;
    },
  };
}
