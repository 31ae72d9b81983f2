// Push state in memory.
import type { PushStore, PushTarget } from '../contracts/push.ts';
import type { MemoryState, PushRow } from './state.ts';

/** Push state over the state. */
export function memoryPush(state: MemoryState): PushStore {
  const pushable = ({ enrolment }: PushRow): boolean => enrolment.pushable && enrolment.status === 'active';
  return {
    async claim({ lease, at, leaseMs, limit }) {
      state.open();
      const rows: PushRow[] = [];
      while (rows.length < limit) {
        const top = state.due.peek();
        if (top === null || top.dueAt > at) break;
        const row = top.item;
        // Taken out until all are found, so that a lease that ends at once is not found again.
        state.due.set(row, null);
        rows.push(row);
      }
      return rows.map((row): PushTarget => {
        row.lease = lease;
        state.setDue(row, at + leaseMs);
        const { enrolment, token, pushMagic, topic, attempts } = row;
        return { enrolmentId: enrolment.id, token, pushMagic, topic, attempts };
      });
    },

    async settle({ at, settlements }) {
      state.open();
      for (const { enrolmentId, lease, outcome, dueAt } of settlements) {
        const row = state.enrolments.get(enrolmentId)?.push ?? null;
        if (row === null || row.lease !== lease) continue;
        row.lease = null;
        if (outcome === 'token-dead') {
          row.dead = true;
          state.setDue(row, null);
          row.enrolment.pushable = false;
          continue;
        }
        if (outcome !== 'postponed') row.attempts++;
        if (outcome === 'sent') row.lastPushedAt = at;
        state.setDue(row, dueAt);
      }
    },

    async request({ enrolmentIds, at }) {
      state.open();
      let count = 0;
      for (const id of new Set(enrolmentIds)) {
        const row = state.enrolments.get(id)?.push ?? null;
        if (row === null || !pushable(row)) continue;
        row.attempts = 0;
        row.lease = null;
        state.setDue(row, at);
        count++;
      }
      return count;
    },

    async nextDueAt() {
      state.open();
      return state.due.peek()?.dueAt ?? null;
    },

    async get(enrolmentId) {
      state.open();
      const row = state.enrolments.get(enrolmentId)?.push ?? null;
      if (row === null) return null;
      const { topic, dueAt, attempts, lastPushedAt } = row;
      return { topic, pushable: pushable(row), dueAt, attempts, lastPushedAt };
    },
  };
}
