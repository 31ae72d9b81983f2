// Facts and inventory in memory.
import type { FactValue } from '../api/common.ts';
import type { InventoryStore } from '../contracts/inventory.ts';
import { sameFact, sameList } from '../inventory/compare.ts';
import { matches } from './enrolments.ts';
import { createFactHolders } from './fact-holders.ts';
import { type EnrolmentRow, enrolmentOf, idPage, type MemoryState } from './state.ts';

/** Inventory over the state. */
export function memoryInventory(state: MemoryState): InventoryStore {
  const rowOf = (row: EnrolmentRow) => ({
    enrolment: enrolmentOf(state, row),
    facts: row.facts,
    revision: row.revision,
  });
  const holders = createFactHolders(() => state.enrolments.values());
  return {
    async apply(report) {
      state.open();
      const row = state.enrolments.get(report.enrolmentId);
      if (row === undefined) return null;
      const changed: string[] = [];
      const facts = new Map<string, FactValue>(Object.entries(row.facts));
      for (const [token, value] of Object.entries(report.facts)) {
        if (sameFact(facts.get(token) ?? null, value)) continue;
        changed.push(token);
        holders.changed(row, token, facts.get(token), value);
        if (value === null) facts.delete(token);
        else facts.set(token, value);
      }
      if (changed.length > 0) {
        row.facts = Object.fromEntries(facts);
        row.revision++;
      }
      let listsChanged = false;
      for (const name of ['apps', 'profiles', 'certificates'] as const) {
        const list = report[name];
        if (list === undefined || sameList(list, row[name])) continue;
        Object.assign(row, { [name]: [...list] });
        listsChanged = true;
      }
      if (report.complete) {
        row.inventoryAt = report.at;
        state.withoutInventory.delete(row.id);
      }
      if (report.event !== null && (changed.length > 0 || listsChanged)) state.appendEvents([report.event]);
      return { changed, listsChanged };
    },

    async get(enrolmentId) {
      state.open();
      const row = state.enrolments.get(enrolmentId);
      if (row === undefined) return null;
      const { facts, apps, profiles, certificates, inventoryAt } = row;
      return { facts, apps, profiles, certificates, inventoryAt };
    },

    async rows(ids) {
      state.open();
      return [...new Set(ids)].flatMap((id) => {
        const row = state.enrolments.get(id);
        return row === undefined ? [] : [rowOf(row)];
      });
    },

    async scan(filter, page) {
      state.open();
      return idPage(state.sortedIds(), page, (id) => {
        const row = state.enrolments.get(id);
        return row !== undefined && matches(row, filter) ? rowOf(row) : null;
      });
    },

    async holders({ token, text, limit }) {
      state.open();
      return [...holders.of(token, text)].slice(0, limit);
    },

    async profiles(ids) {
      state.open();
      return new Map(ids.map((id) => [id, state.enrolments.get(id)?.profiles ?? []]));
    },
  };
}
