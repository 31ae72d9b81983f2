// Declarative management in memory.
import type { DeclarationSet } from '../api/declarations.ts';
import type { ReconcileMark } from '../contracts/configurations.ts';
import type { DeclarationStore } from '../contracts/declarations.ts';
import { addTo, compare, idPage, isLiving, type MemoryState, mapIn, pageOf } from './state.ts';

/** Marks a device and its user channels. */
export function markChannels(state: MemoryState, enrolmentId: string, at: number): void {
  if (state.enrolments.has(enrolmentId)) state.markDeclarations(enrolmentId, at);
  for (const child of state.children.get(enrolmentId) ?? []) state.markDeclarations(child, at);
}

/** Declarations over the state. */
export function memoryDeclarations(state: MemoryState): DeclarationStore {
  const markConcerned = (set: DeclarationSet, at: number): void => {
    const concerned = new Set(state.setMembers.get(set.id));
    for (const labelId of set.labelIds) for (const id of state.members.get(labelId) ?? []) concerned.add(id);
    for (const id of concerned) markChannels(state, id, at);
  };
  const sorted = (ids: readonly string[]): string => JSON.stringify([...ids].sort());

  return {
    async put(declaration, expectedVersion, { concerning, at, event }) {
      state.open();
      const old = state.declarations.get(declaration.identifier);
      if ((old?.version ?? null) !== expectedVersion) return 'conflict';
      state.declarations.set(declaration.identifier, declaration);
      for (const set of state.declarationSets.values()) {
        if (set.identifiers.some((identifier) => concerning.includes(identifier))) markConcerned(set, at);
      }
      state.appendEvents([event]);
      return 'written';
    },

    async delete(identifier, event) {
      state.open();
      if (!state.declarations.has(identifier)) return 'unknown';
      if ([...state.declarationSets.values()].some((set) => set.identifiers.includes(identifier))) return 'in-use';
      state.declarations.delete(identifier);
      state.appendEvents([event]);
      return 'deleted';
    },

    async getMany(identifiers) {
      state.open();
      return [...new Set(identifiers)].flatMap((identifier) => state.declarations.get(identifier) ?? []);
    },

    async list(page) {
      state.open();
      const ids = [...state.declarations.keys()].sort(compare);
      return idPage(ids, page, (id) => state.declarations.get(id) ?? null);
    },

    async putSet(set, expectedVersion, at, event) {
      state.open();
      const old = state.declarationSets.get(set.id);
      if ((old?.version ?? null) !== expectedVersion) return 'conflict';
      const taken = [...state.declarationSets.values()].some((one) => one.id !== set.id && one.name === set.name);
      if (taken) return 'name-taken';
      if (!set.identifiers.every((identifier) => state.declarations.has(identifier))) return 'unknown-declaration';
      state.declarationSets.set(set.id, set);
      const same =
        old !== undefined &&
        old.channel === set.channel &&
        sorted(old.identifiers) === sorted(set.identifiers) &&
        sorted(old.labelIds) === sorted(set.labelIds);
      if (!same) for (const one of old === undefined ? [set] : [old, set]) markConcerned(one, at);
      state.appendEvents([event]);
      return 'written';
    },

    async deleteSet(id, at, event) {
      state.open();
      const set = state.declarationSets.get(id);
      if (set === undefined) return false;
      markConcerned(set, at);
      for (const member of state.setMembers.get(id) ?? []) state.setsOf.get(member)?.delete(id);
      state.setMembers.delete(id);
      state.declarationSets.delete(id);
      state.appendEvents([event]);
      return true;
    },

    async getSets(ids) {
      state.open();
      return [...new Set(ids)].flatMap((id) => state.declarationSets.get(id) ?? []);
    },

    async listSets() {
      state.open();
      return [...state.declarationSets.values()]
        .sort((a, b) => compare(a.name, b.name))
        .map((set) => ({ ...set, memberCount: state.setMembers.get(set.id)?.size ?? 0 }));
    },

    async members(setId, page) {
      state.open();
      const ids = [...(state.setMembers.get(setId) ?? [])].sort(compare);
      return pageOf(ids, (id) => id, page);
    },

    async changeMembers({ setId, add, remove, at, event }) {
      state.open();
      if (!state.declarationSets.has(setId)) return null;
      const members = state.setMembers.get(setId);
      let removed = 0;
      for (const id of remove) {
        if (members?.delete(id) !== true) continue;
        state.setsOf.get(id)?.delete(setId);
        markChannels(state, id, at);
        removed++;
      }
      let added = 0;
      for (const id of add) {
        const row = state.enrolments.get(id);
        if (row === undefined || !isLiving(row.status) || state.setMembers.get(setId)?.has(id)) continue;
        addTo(state.setMembers, setId, id);
        addTo(state.setsOf, id, setId);
        markChannels(state, id, at);
        added++;
      }
      if (added + removed > 0) state.appendEvents([{ ...event, data: { ...event.data, added, removed } }]);
      return { added, removed };
    },

    async desired(enrolmentIds) {
      state.open();
      const found = new Map<string, readonly string[]>();
      for (const id of enrolmentIds) {
        const row = state.enrolments.get(id);
        if (row === undefined) continue;
        const owner = row.parent ?? id;
        const labels = state.labelsOf.get(owner);
        const direct = [state.setsOf.get(id), state.setsOf.get(owner)];
        const ids = [...state.declarationSets.values()]
          .filter((set) => set.channel === row.channel)
          .filter((set) => direct.some((one) => one?.has(set.id)) || set.labelIds.some((one) => labels?.has(one)))
          .map((set) => set.id)
          .sort(compare);
        if (ids.length > 0) found.set(id, ids);
      }
      return found;
    },

    async mark({ enrolmentIds, at }) {
      state.open();
      for (const id of enrolmentIds) if (state.enrolments.has(id)) state.markDeclarations(id, at);
    },

    async claimMarks({ at, leaseMs, limit }) {
      state.open();
      return [...state.declarationMarks]
        .filter(([, entry]) => entry.dueAt <= at)
        .sort(([, a], [, b]) => a.dueAt - b.dueAt || a.mark - b.mark)
        .slice(0, limit)
        .map(([enrolmentId, entry]): ReconcileMark => {
          entry.dueAt = at + leaseMs;
          return { enrolmentId, mark: entry.mark };
        });
    },

    async clearMarks(marks) {
      state.open();
      for (const { enrolmentId, mark } of marks) {
        if (state.declarationMarks.get(enrolmentId)?.mark === mark) state.declarationMarks.delete(enrolmentId);
      }
    },

    async assign({ snapshots, put, at }) {
      state.open();
      for (const { token, items } of snapshots) state.snapshots.set(token, { items, at });
      for (const { enrolmentId, token } of put) {
        if (!state.enrolments.has(enrolmentId)) continue;
        const sync = state.declarationSyncs.get(enrolmentId);
        if (sync !== undefined) {
          if (sync.token !== token) Object.assign(sync, { token, tokenAt: at });
          continue;
        }
        state.declarationSyncs.set(enrolmentId, {
          token,
          tokenAt: at,
          deviceToken: null,
          fetchedAt: null,
          askedToken: null,
          askedAt: null,
          reports: 0,
          reportedAt: null,
          capabilities: null,
          status: null,
        });
      }
    },

    async asked({ put, at }) {
      state.open();
      for (const { enrolmentId, token } of put) {
        const sync = state.declarationSyncs.get(enrolmentId);
        if (sync !== undefined) Object.assign(sync, { askedToken: token, askedAt: at });
      }
    },

    async syncs(enrolmentIds) {
      state.open();
      return new Map(
        enrolmentIds.flatMap((id) => {
          const sync = state.declarationSyncs.get(id);
          if (sync === undefined) return [];
          const { status: _, ...record } = sync;
          return [[id, record] as const];
        }),
      );
    },

    async snapshot(token) {
      state.open();
      return state.snapshots.get(token)?.items ?? null;
    },

    async fetched({ enrolmentId, token, at, event }) {
      state.open();
      const sync = state.declarationSyncs.get(enrolmentId);
      if (sync === undefined) return;
      if (sync.deviceToken !== token) state.appendEvents([event]);
      sync.deviceToken = token;
      sync.fetchedAt = at;
    },

    async report({ enrolmentId, expectedReports, at, status, capabilities, states, events }) {
      state.open();
      const sync = state.declarationSyncs.get(enrolmentId);
      if (sync === undefined || sync.reports !== expectedReports) return false;
      Object.assign(sync, { status, reportedAt: at, reports: sync.reports + 1 });
      if (capabilities !== null) sync.capabilities = capabilities;
      state.declarationStates.delete(enrolmentId);
      for (const record of states) mapIn(state.declarationStates, enrolmentId).set(record.identifier, record);
      state.appendEvents(events);
      return true;
    },

    async status(enrolmentId) {
      state.open();
      return state.declarationSyncs.get(enrolmentId)?.status ?? null;
    },

    async statesOf(enrolmentId) {
      state.open();
      const states = [...(state.declarationStates.get(enrolmentId)?.values() ?? [])];
      return states.sort((a, b) => compare(a.identifier, b.identifier));
    },

    async statesOn(identifier, page) {
      state.open();
      const ids = [...state.declarationStates.keys()].sort(compare);
      return idPage(ids, page, (id) => state.declarationStates.get(id)?.get(identifier) ?? null);
    },

    async outdated({ before, limit }) {
      state.open();
      return [...state.declarationSyncs]
        .filter(([id, sync]) => state.enrolments.get(id)?.status === 'active' && sync.token !== sync.deviceToken)
        .filter(([, sync]) => sync.askedAt !== null && sync.askedAt < before)
        .map(([id]) => id)
        .sort(compare)
        .slice(0, limit);
    },

    async holders(certificateFingerprint) {
      state.open();
      const devices = [...(state.byPin.get(certificateFingerprint) ?? [])];
      return devices
        .flatMap((id) => [id, ...(state.children.get(id) ?? [])])
        .flatMap((enrolmentId) => {
          const token = state.living(enrolmentId) === null ? undefined : state.declarationSyncs.get(enrolmentId)?.token;
          return token === undefined ? [] : [{ enrolmentId, token }];
        });
    },

    async prune({ before, limit }) {
      state.open();
      const used = new Set([...state.declarationSyncs.values()].map((sync) => sync.token));
      const unused = [...state.snapshots].filter(([token, { at }]) => at < before && !used.has(token)).slice(0, limit);
      for (const [token] of unused) state.snapshots.delete(token);
      return unused.length;
    },
  };
}
