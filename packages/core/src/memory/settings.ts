// Settings and leases in memory.
import type { SettingStore } from '../contracts/settings.ts';
import type { MemoryState } from './state.ts';

/** Settings over the state. */
export function memorySettings(state: MemoryState): SettingStore {
  return {
    async get(name) {
      state.open();
      return state.settings.get(name) ?? null;
    },
    async set(name, value) {
      state.open();
      state.settings.set(name, value);
    },
    async setIfAbsent(name, value) {
      state.open();
      const there = state.settings.get(name);
      if (there !== undefined) return there;
      state.settings.set(name, value);
      return value;
    },
    async replace(name, expected, value) {
      state.open();
      if ((state.settings.get(name) ?? null) !== expected) return false;
      state.settings.set(name, value);
      return true;
    },
    async lease({ name, owner, at, until }) {
      state.open();
      const held = state.leases.get(name);
      if (held !== undefined && held.owner !== owner && held.until > at) return false;
      state.leases.set(name, { owner, until });
      return true;
    },
  };
}
