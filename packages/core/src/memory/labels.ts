// Labels and members in memory.
import type { LabelDefinition, LabelLook, LabelStore } from '../contracts/labels.ts';
import { markChannels } from './declarations.ts';
import { addTo, compare, duplicateId, type EnrolmentRow, enrolmentOf, idPage, type MemoryState } from './state.ts';

/** Labels over the state. */
export function memoryLabels(state: MemoryState): LabelStore {
  const nameTaken = (label: LabelDefinition): boolean =>
    [...state.labels.values()].some((other) => other.id !== label.id && other.name === label.name);
  const counted = (label: LabelDefinition) => ({ ...label, memberCount: state.members.get(label.id)?.size ?? 0 });
  const byName = (): LabelDefinition[] => [...state.labels.values()].sort((a, b) => compare(a.name, b.name));
  const onConfiguration = (labelId: string): boolean =>
    [...state.configurations.values()].some((configuration) => configuration.labelIds.includes(labelId));
  const onSet = (labelId: string): boolean =>
    [...state.declarationSets.values()].some((set) => set.labelIds.includes(labelId));
  return {
    async create(label) {
      state.open();
      if (byName().some(({ name }) => name === label.name)) return 'name-taken';
      if (state.labels.has(label.id)) throw duplicateId('label', label.id);
      state.labels.set(label.id, label);
      state.labelsVersion++;
      if (label.expression !== null) state.unevaluated.add(label.id);
      return 'created';
    },

    async update(label) {
      state.open();
      const old = state.labels.get(label.id);
      if (old === undefined) return 'unknown';
      if (nameTaken(label)) return 'name-taken';
      state.labels.set(label.id, label);
      state.labelsVersion++;
      if (label.expression === null) state.unevaluated.delete(label.id);
      else if (label.expression !== old.expression) state.unevaluated.add(label.id);
      return 'updated';
    },

    async delete(id, at) {
      state.open();
      const label = state.labels.get(id);
      if (label === undefined) return false;
      const data = { labelId: id, label: label.name, cause: 'label-deleted' };
      const left = [...(state.members.get(id) ?? [])].sort(compare);
      state.appendEvents(left.map((enrolmentId) => ({ type: 'label.left', at, enrolmentId, data })));
      const used = onConfiguration(id);
      const sets = [...state.declarationSets.values()].filter((set) => set.labelIds.includes(id));
      for (const member of state.members.get(id) ?? []) {
        state.labelsOf.get(member)?.delete(id);
        if (used) state.markReconcile(member, at);
        if (sets.length > 0) markChannels(state, member, at);
      }
      for (const set of sets) {
        const labelIds = set.labelIds.filter((labelId) => labelId !== id);
        state.declarationSets.set(set.id, { ...set, labelIds });
      }
      state.members.delete(id);
      state.labels.delete(id);
      state.unevaluated.delete(id);
      state.labelsVersion++;
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

    async version() {
      state.open();
      return state.labelsVersion;
    },

    async unevaluated() {
      state.open();
      return [...state.unevaluated].sort(compare);
    },

    async evaluated(id, expression) {
      state.open();
      if (state.labels.get(id)?.expression === expression) state.unevaluated.delete(id);
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

    async look(ids) {
      state.open();
      return [...new Set(ids)].flatMap((id) => {
        const row = state.enrolments.get(id);
        if (row?.channel !== 'device') return [];
        const { facts, revision, labelsDueAt, awaitsContact } = row;
        const labelIds = [...(state.labelsOf.get(id) ?? [])].sort(compare);
        return [{ enrolment: enrolmentOf(state, row), facts, revision, labelIds, labelsDueAt, awaitsContact }];
      });
    },

    async change({ changes, at, cause, looks = [] }) {
      state.open();
      const outdated = new Set(looks.flatMap((look) => (settle(state, look, at) ? [] : [look.enrolmentId])));
      const real = changes.filter(({ labelId, enrolmentId, member }) => {
        const label = state.labels.get(labelId);
        const enrolment = state.enrolments.get(enrolmentId);
        const members = state.members.get(labelId);
        if (label === undefined || enrolment === undefined || outdated.has(enrolmentId)) return false;
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
      const onSets = new Map<string, boolean>();
      for (const { labelId, enrolmentId } of real) {
        if (!used.has(labelId)) used.set(labelId, onConfiguration(labelId));
        if (used.get(labelId)) state.markReconcile(enrolmentId, at);
        if (!onSets.has(labelId)) onSets.set(labelId, onSet(labelId));
        if (onSets.get(labelId)) markChannels(state, enrolmentId, at);
      }
      return real;
    },

    async takeDue({ at, leaseMs, limit }) {
      state.open();
      const ids: string[] = [];
      while (ids.length < limit) {
        const first = state.labelsDue.peek();
        if (first === null || first.dueAt > at) break;
        const row = first.item;
        const active = row.status === 'active' && row.channel === 'device';
        state.setLabelsDue(row, active ? at + leaseMs : null);
        if (active) ids.push(row.id);
      }
      return ids;
    },

    async dueAll(at) {
      state.open();
      for (const row of state.enrolments.values()) {
        if (row.status === 'active' && row.channel === 'device') dueBy(state, row, at);
      }
    },
  };
}

function dueBy(state: MemoryState, row: EnrolmentRow, at: number): void {
  state.setLabelsDue(row, Math.min(row.labelsDueAt ?? at, at));
}

/** Notes what a look came to; false when the facts are no longer those that were looked at. */
function settle(state: MemoryState, look: LabelLook, at: number): boolean {
  const row = state.enrolments.get(look.enrolmentId);
  if (row === undefined) return false;
  const sameFacts = row.revision === look.revision;
  const { next } = look;
  if (next !== undefined && sameFacts) {
    const untouched = row.labelsDueAt === look.labelsDueAt;
    const earlier = [row.labelsDueAt, next.dueAt].filter((time) => time !== null);
    row.awaitsContact = next.awaitsContact;
    state.setLabelsDue(row, untouched ? next.dueAt : earlier.length === 0 ? null : Math.min(...earlier));
  }
  const seen = next?.awaitsContact === true && row.lastSeenAt !== look.lastSeenAt;
  if (seen) row.awaitsContact = false;
  if (!sameFacts || seen) dueBy(state, row, at);
  return sameFacts;
}
