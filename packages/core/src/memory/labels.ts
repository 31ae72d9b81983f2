// Labels and members in memory.
import type { LabelDefinition, LabelStore } from '../contracts/labels.ts';
import { addTo, compare, duplicateId, enrolmentOf, idPage, type MemoryState } from './state.ts';

/** Labels over the state. */
export function memoryLabels(state: MemoryState): LabelStore {
  const nameTaken = (label: LabelDefinition): boolean =>
    [...state.labels.values()].some((other) => other.id !== label.id && other.name === label.name);
  const counted = (label: LabelDefinition) => ({ ...label, memberCount: state.members.get(label.id)?.size ?? 0 });
  const byName = (): LabelDefinition[] => [...state.labels.values()].sort((a, b) => compare(a.name, b.name));
  const onConfiguration = (labelId: string): boolean =>
    [...state.configurations.values()].some((configuration) => configuration.labelIds.includes(labelId));
  return {
    async create(label) {
      state.open();
      if (byName().some(({ name }) => name === label.name)) return 'name-taken';
      if (state.labels.has(label.id)) throw duplicateId('label', label.id);
      state.labels.set(label.id, label);
      return 'created';
    },

    async update(label) {
      state.open();
      if (!state.labels.has(label.id)) return 'unknown';
      if (nameTaken(label)) return 'name-taken';
      state.labels.set(label.id, label);
      return 'updated';
    },

    async delete(id, at) {
      state.open();
      if (!state.labels.has(id)) return false;
      const used = onConfiguration(id);
      for (const member of state.members.get(id) ?? []) {
        state.labelsOf.get(member)?.delete(id);
        if (used) state.markReconcile(member, at);
      }
      state.members.delete(id);
      state.labels.delete(id);
      for (const [key, configuration] of state.configurations) {
        if (!configuration.labelIds.includes(id)) continue;
        const labelIds = configuration.labelIds.filter((labelId) => labelId !== id);
        state.configurations.set(key, { ...configuration, labelIds });
      }
      return true;
    },

    async list() {
      state.open();
      return byName().map(counted);
    },

    async definitions() {
      state.open();
      return byName();
    },

    async get(id) {
      state.open();
      const label = state.labels.get(id);
      return label === undefined ? null : counted(label);
    },

    async members(id, page) {
      state.open();
      const ids = [...(state.members.get(id) ?? [])].sort(compare);
      return idPage(ids, page, (member) => {
        const row = state.enrolments.get(member);
        return row === undefined ? null : enrolmentOf(state, row);
      });
    },

    async memberIds(id) {
      state.open();
      return [...(state.members.get(id) ?? [])].sort(compare);
    },

    async of(enrolmentId) {
      state.open();
      const ids = state.labelsOf.get(enrolmentId) ?? new Set<string>();
      return byName().filter((label) => ids.has(label.id));
    },

    async ofMany(enrolmentIds) {
      state.open();
      return new Map(enrolmentIds.map((id) => [id, [...(state.labelsOf.get(id) ?? [])]]));
    },

    async change({ changes, at, cause }) {
      state.open();
      const real = changes.filter(({ labelId, enrolmentId, member }) => {
        const label = state.labels.get(labelId);
        const enrolment = state.enrolments.get(enrolmentId);
        const members = state.members.get(labelId);
        if (label === undefined || enrolment === undefined) return false;
        if ((members?.has(enrolmentId) ?? false) === member) return false;
        if (member && (enrolment.channel !== 'device' || enrolment.status !== 'active')) return false;
        if (member) {
          addTo(state.members, labelId, enrolmentId);
          addTo(state.labelsOf, enrolmentId, labelId);
        } else {
          members?.delete(enrolmentId);
          state.labelsOf.get(enrolmentId)?.delete(labelId);
        }
        const type = member ? 'label.joined' : 'label.left';
        state.appendEvents([{ type, at, enrolmentId, data: { labelId, label: label.name, cause } }]);
        return true;
      });
      const used = new Map<string, boolean>();
      for (const { labelId, enrolmentId } of real) {
        if (!used.has(labelId)) used.set(labelId, onConfiguration(labelId));
        if (used.get(labelId)) state.markReconcile(enrolmentId, at);
      }
      return real;
    },
  };
}
