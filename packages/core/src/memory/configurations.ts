// Configurations, assignments and reconcile marks in memory.
import type { Configuration } from '../api/records.ts';
import type { ConfigurationStore, ReconcileMark } from '../contracts/configurations.ts';
import { addTo, compare, duplicateId, idPage, type MemoryState, mapIn } from './state.ts';

/** Configurations over the state. */
export function memoryConfigurations(state: MemoryState): ConfigurationStore {
  const nameTaken = ({ id, name }: Configuration): boolean =>
    [...state.configurations.values()].some((other) => other.id !== id && other.name === name);
  const markConcerned = (id: string, labelIds: Iterable<string>, at: number): void => {
    const concerned = new Set(state.assigned.get(id));
    for (const labelId of labelIds) for (const member of state.members.get(labelId) ?? []) concerned.add(member);
    for (const enrolmentId of concerned) state.markReconcile(enrolmentId, at);
  };
  return {
    async create(configuration, at, event) {
      state.open();
      if ([...state.configurations.values()].some(({ name }) => name === configuration.name)) return 'name-taken';
      if (state.configurations.has(configuration.id)) throw duplicateId('configuration', configuration.id);
      state.configurations.set(configuration.id, configuration);
      markConcerned(configuration.id, configuration.labelIds, at);
      state.appendEvents([event]);
      return 'created';
    },

    async update(configuration, expectedVersion, at, event) {
      state.open();
      const old = state.configurations.get(configuration.id);
      if (old === undefined) return 'unknown';
      if (old.version !== expectedVersion) return 'conflict';
      if (nameTaken(configuration)) return 'name-taken';
      state.configurations.set(configuration.id, configuration);
      const sameLabels =
        JSON.stringify([...old.labelIds].sort()) === JSON.stringify([...configuration.labelIds].sort());
      if (configuration.version !== old.version || !sameLabels) {
        markConcerned(configuration.id, new Set([...old.labelIds, ...configuration.labelIds]), at);
      }
      state.appendEvents([event]);
      return 'updated';
    },

    async delete(id, at, event) {
      state.open();
      if (!state.configurations.delete(id)) return false;
      markConcerned(id, [], at);
      state.appendEvents([event]);
      return true;
    },

    async list() {
      state.open();
      return [...state.configurations.values()]
        .sort((a, b) => compare(a.name, b.name))
        .map((configuration) => {
          let applied = 0;
          let waiting = 0;
          for (const enrolmentId of state.assigned.get(configuration.id) ?? []) {
            const status = state.assignments.get(enrolmentId)?.get(configuration.id)?.status;
            if (status === 'applied') applied++;
            else if (status === 'pending' || status === 'sent' || status === 'update-pending') waiting++;
          }
          return { ...configuration, applied, waiting };
        });
    },

    async get(id) {
      state.open();
      return state.configurations.get(id) ?? null;
    },

    async desired(enrolmentIds) {
      state.open();
      const result = new Map<string, readonly string[]>();
      for (const id of enrolmentIds) {
        const labels = state.labelsOf.get(id);
        if (labels === undefined || labels.size === 0) continue;
        const ids = [...state.configurations.values()]
          .filter((configuration) => configuration.labelIds.some((labelId) => labels.has(labelId)))
          .map((configuration) => configuration.id)
          .sort(compare);
        if (ids.length > 0) result.set(id, ids);
      }
      return result;
    },

    async assignmentsOf(enrolmentIds) {
      state.open();
      const found = enrolmentIds.map((id) => [id, [...(state.assignments.get(id)?.values() ?? [])]] as const);
      return new Map(found.filter(([, records]) => records.length > 0));
    },

    async assignments(id, page) {
      state.open();
      const ids = [...(state.assigned.get(id) ?? [])].sort(compare);
      return idPage(ids, page, (enrolmentId) => state.assignments.get(enrolmentId)?.get(id) ?? null);
    },

    async putAssignments({ put, remove, events }) {
      state.open();
      for (const { enrolmentId, configurationId } of remove) {
        const records = state.assignments.get(enrolmentId);
        records?.delete(configurationId);
        if (records?.size === 0) state.assignments.delete(enrolmentId);
        state.assigned.get(configurationId)?.delete(enrolmentId);
      }
      for (const record of put) {
        mapIn(state.assignments, record.enrolmentId).set(record.configurationId, record);
        addTo(state.assigned, record.configurationId, record.enrolmentId);
      }
      state.appendEvents(events);
    },

    async transition({ enrolmentId, configurationId, expectedCommandUuid, to, events }) {
      state.open();
      const records = state.assignments.get(enrolmentId);
      if (records?.get(configurationId) === undefined) return false;
      if (records.get(configurationId)?.commandUuid !== expectedCommandUuid) return false;
      if (to !== null) {
        records.set(configurationId, to);
      } else {
        records.delete(configurationId);
        if (records.size === 0) state.assignments.delete(enrolmentId);
        state.assigned.get(configurationId)?.delete(enrolmentId);
      }
      state.appendEvents(events);
      return true;
    },

    async mark({ enrolmentIds, at }) {
      state.open();
      for (const id of enrolmentIds) if (state.enrolments.has(id)) state.markReconcile(id, at);
    },

    async markConcerned({ enrolmentIds, at }) {
      state.open();
      const desired = await this.desired(enrolmentIds);
      const concerned = [...new Set(enrolmentIds)].filter(
        (id) => state.enrolments.has(id) && (state.assignments.has(id) || desired.has(id)),
      );
      for (const id of concerned) state.markReconcile(id, at);
      return concerned.length > 0;
    },

    async claimMarks({ at, leaseMs, limit, enrolmentIds }) {
      state.open();
      const candidates = enrolmentIds === undefined ? [...state.marks.keys()] : [...new Set(enrolmentIds)];
      const due = candidates
        .map((id) => ({ id, entry: state.marks.get(id) }))
        .filter(({ entry }) => entry !== undefined && entry.dueAt <= at)
        .sort((a, b) => a.entry!.dueAt - b.entry!.dueAt || a.entry!.mark - b.entry!.mark)
        .slice(0, limit);
      return due.map(({ id, entry }): ReconcileMark => {
        entry!.dueAt = at + leaseMs;
        return { enrolmentId: id, mark: entry!.mark };
      });
    },

    async clearMarks(marks) {
      state.open();
      for (const { enrolmentId, mark } of marks) {
        if (state.marks.get(enrolmentId)?.mark === mark) state.marks.delete(enrolmentId);
      }
    },
  };
}
