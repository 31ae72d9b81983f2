// Devices that are expected, in memory.
import type { RegistrationRecord, RegistrationStore } from '../contracts/registrations.ts';
import { compare, type MemoryState } from './state.ts';

/** Registrations over the state. */
export function memoryRegistrations(state: MemoryState): RegistrationStore {
  const { registrations } = state;
  return {
    async put(records, event) {
      state.open();
      const replaced: RegistrationRecord[] = [];
      const last = new Map(records.map((record) => [record.serialNumber, record]));
      for (const [serialNumber, record] of last) {
        const before = registrations.get(serialNumber);
        if (before?.claimedAt === null) replaced.push(before);
        registrations.set(serialNumber, record);
      }
      state.appendEvents([event]);
      return replaced;
    },

    async get(serialNumber) {
      state.open();
      return registrations.get(serialNumber) ?? null;
    },

    async claim({ serialNumber, enrolmentId, at, event }) {
      state.open();
      const record = registrations.get(serialNumber);
      if (record === undefined) return null;
      if (record.claimedAt !== null) return record.enrolmentId === enrolmentId ? record : null;
      const claimed = { ...record, claimedAt: at, enrolmentId };
      registrations.set(serialNumber, claimed);
      state.appendEvents([event]);
      return claimed;
    },

    async list({ awaited, user }, { after, limit }) {
      state.open();
      const all = [...registrations.values()]
        .filter((one) => awaited === undefined || (one.claimedAt === null) === awaited)
        .filter((one) => user === undefined || one.user === user)
        .filter((one) => after === undefined || one.serialNumber > after)
        .sort((a, b) => compare(a.serialNumber, b.serialNumber));
      const items = all.slice(0, limit);
      return { items, next: all.length > limit ? (items.at(-1)?.serialNumber ?? null) : null };
    },

    async remove(serialNumbers) {
      state.open();
      const removed = [...new Set(serialNumbers)].flatMap((serialNumber) => registrations.get(serialNumber) ?? []);
      for (const { serialNumber } of removed) registrations.delete(serialNumber);
      return removed;
    },
  };
}
