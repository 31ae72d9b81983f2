// SCEP requests that wait, in memory.
import type { ScepRequestStore } from '../contracts/scep-requests.ts';
import { type MemoryState, pageOf } from './state.ts';

/** Waiting requests over the state. */
export function memoryScepRequests(state: MemoryState): ScepRequestStore {
  return {
    async hold({ request, most, at, event }) {
      state.open();
      const all = [...state.scepRequests.values()];
      const { transactionId, publicKeyHash } = request;
      const same = all.find((held) => held.transactionId === transactionId && held.publicKeyHash === publicKeyHash);
      if (same !== undefined && same.expiresAt > at) return 'held-before';
      const undecided = all.filter((held) => held.state === 'pending' && held.expiresAt > at).length;
      if (request.state === 'pending' && undecided >= most) return 'full';
      if (same !== undefined) state.scepRequests.delete(same.id);
      state.scepRequests.set(request.id, request);
      state.appendEvents([event]);
      return 'held';
    },

    async find(transactionId, publicKeyHash, at) {
      state.open();
      for (const held of state.scepRequests.values()) {
        if (held.transactionId !== transactionId || held.publicKeyHash !== publicKeyHash) continue;
        return held.expiresAt > at ? held : null;
      }
      return null;
    },

    async get(id) {
      state.open();
      return state.scepRequests.get(id) ?? null;
    },

    async list(filter, page) {
      state.open();
      const all = [...state.scepRequests.values()].reverse();
      return pageOf(
        all.filter((held) => filter.state === undefined || held.state === filter.state),
        (held) => held.id,
        page,
      );
    },

    async decide({ id, state: decided, sealed, at, event }) {
      state.open();
      const held = state.scepRequests.get(id);
      if (held?.state !== 'pending') return false;
      state.scepRequests.set(id, { ...held, state: decided, sealed, decidedAt: at });
      state.appendEvents([event]);
      return true;
    },

    async prune({ before, limit }) {
      state.open();
      let pruned = 0;
      for (const [id, held] of state.scepRequests) {
        if (pruned >= limit) break;
        if (held.expiresAt >= before) continue;
        state.scepRequests.delete(id);
        pruned++;
      }
      return pruned;
    },
  };
}
