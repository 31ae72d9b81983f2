// Enrolments in memory.

import type { Enrolment } from '../api/records.ts';
import type { AuthenticateInput, EnrolmentDetails, EnrolmentFilter, EnrolmentStore } from '../contracts/enrolments.ts';
import type { NewEvent } from '../contracts/shared.ts';
import { clearPending, findByKey, hasWork } from './pending.ts';
import { addTo, compare, type EnrolmentRow, enrolmentOf, idPage, isLiving, type MemoryState } from './state.ts';

/** Enrolments over the state. */
export function memoryEnrolments(state: MemoryState): EnrolmentStore {
  return {
    async authenticate(input) {
      state.open();
      const { id, certificateFingerprint, at } = input;
      const reason = refusal(state, input);
      if (reason !== null) return { outcome: 'identity-mismatch', reason };
      const certificate = state.certificates.get(certificateFingerprint);
      const existing = state.enrolments.get(id);
      const fresh = !(existing?.status === 'pending' && existing.pin === certificateFingerprint);
      if (existing !== undefined && fresh) reset(state, existing, at);
      const row = existing ?? newRow(id, 'device', input.kind, null);
      if (existing === undefined) state.addEnrolment(row);
      row.kind = input.kind;
      row.status = 'pending';
      if (fresh) row.phase = null;
      row.pushable = false;
      row.enrolledAt = null;
      row.checkedOutAt = null;
      row.lastSeenAt = at;
      assignDetails(row, input.details);
      state.setPin(row, certificateFingerprint);
      if (fresh) row.invitationId = certificate?.invitationId ?? null;
      if (certificate !== undefined) {
        certificate.enrolmentId = id;
        addTo(state.certificatesOf, id, certificateFingerprint);
      }
      for (const { name, blob } of input.secrets) state.putSecret(id, name, blob);
      state.appendEvents(input.events);
      return { outcome: 'accepted', enrolment: enrolmentOf(state, row), fresh };
    },

    async tokenUpdate(input) {
      state.open();
      const { id, at } = input;
      let row = state.enrolments.get(id);
      if (input.channel === 'user') {
        const parent = input.parent === null ? undefined : state.enrolments.get(input.parent);
        if (parent === undefined || parent.status !== 'active') return { outcome: 'unknown' };
        if (parent.pin !== input.certificateFingerprint) return { outcome: 'identity-mismatch' };
      } else {
        if (row === undefined || row.channel !== 'device') return { outcome: 'unknown' };
        if (row.status !== 'pending' && row.status !== 'active') return { outcome: 'unknown' };
        if (row.pin !== input.certificateFingerprint) return { outcome: 'identity-mismatch' };
      }
      if (row === undefined) {
        row = newRow(id, 'user', input.kind, input.parent);
        state.addEnrolment(row);
      }
      const first = row.status !== 'active';
      if (first) activate(state, row, at);
      state.seen(row, at);
      row.topic = input.topic;
      row.pushable = true;
      assignDetails(row, input.details);
      const next = {
        token: input.token,
        pushMagic: input.pushMagic,
        topic: input.topic,
        attempts: 0,
        lease: null,
        dead: false,
      };
      row.push ??= { enrolment: row, dueAt: null, lastPushedAt: null, place: -1, ...next };
      Object.assign(row.push, next);
      state.setDue(row.push, hasWork(row) ? at : row.push.dueAt);
      for (const { name, blob } of input.secrets) state.putSecret(id, name, blob);
      state.appendEvents(first ? input.firstEvents : input.laterEvents);
      return { outcome: 'updated', first, enrolment: enrolmentOf(state, row) };
    },

    async adopt({ id, certificateFingerprint, at, events }) {
      state.open();
      const row = state.enrolments.get(id);
      const certificate = state.certificates.get(certificateFingerprint);
      const own = certificate?.enrolmentId === id && certificate.status === 'issued';
      if (row?.channel !== 'device' || row.status !== 'active' || row.pin === null || !own) {
        return { outcome: 'refused' };
      }
      for (const fingerprint of state.certificatesOf.get(id) ?? []) {
        const earlier = state.certificates.get(fingerprint);
        if (earlier?.status === 'in-force' || (earlier?.status === 'expired' && fingerprint === row.pin)) {
          earlier.status = 'superseded';
        }
      }
      certificate.status = 'in-force';
      state.setPin(row, certificateFingerprint);
      row.lastSeenAt = Math.max(row.lastSeenAt ?? at, at);
      state.appendEvents(events);
      return { outcome: 'adopted', enrolment: enrolmentOf(state, row) };
    },

    async checkOut({ id, certificateFingerprint, at, events }) {
      state.open();
      const row = state.enrolments.get(id);
      if (row === undefined) return { outcome: 'unknown' };
      if (state.pinOf(row) !== certificateFingerprint) return { outcome: 'identity-mismatch' };
      if (isLiving(row.status)) {
        const status = row.phase === 'retire-pending' ? 'retired' : 'checked-out';
        const left = leaveAll(state, row, at, 'check-out');
        row.status = status;
        state.seen(row, at);
        state.appendEvents([...left, ...events]);
      }
      return { outcome: 'ok', enrolment: enrolmentOf(state, row) };
    },

    async setPhase({ ids, from, to, at, cause }) {
      state.open();
      const moved: string[] = [];
      for (const id of [...new Set(ids)].sort(compare)) {
        const row = state.enrolments.get(id);
        if (row?.channel !== 'device' || row.status !== 'active' || !from.includes(row.phase) || row.phase === to)
          continue;
        const data = { from: row.phase ?? 'none', to: to ?? 'none', cause };
        row.phase = to;
        state.appendEvents([{ type: 'enrolment.phase-changed', at, enrolmentId: id, data }]);
        moved.push(id);
      }
      return moved;
    },

    async end({ id, status, from, at, cause, events }) {
      state.open();
      const row = state.enrolments.get(id);
      if (row?.channel !== 'device' || !from.includes(row.status)) return null;
      const left = leaveAll(state, row, at, cause);
      row.status = status;
      state.appendEvents([...left, ...events]);
      return enrolmentOf(state, row);
    },

    async revive({ id, phase, at, events }) {
      state.open();
      const row = state.enrolments.get(id);
      if (row?.channel !== 'device' || row.status !== 'wiped') return null;
      row.status = 'active';
      row.phase = phase;
      row.checkedOutAt = null;
      if (row.inventoryAt === null) state.withoutInventory.add(id);
      if (row.push !== null) {
        row.pushable = true;
        row.push.dead = false;
        row.push.attempts = 0;
        state.setDue(row.push, at);
      }
      state.appendEvents(events);
      return enrolmentOf(state, row);
    },

    async verify({ id, certificateFingerprint, at, secrets }) {
      state.open();
      const row = state.living(id);
      if (row === null) return { outcome: 'unknown' };
      if (state.pinOf(row) !== certificateFingerprint) return { outcome: 'identity-mismatch' };
      state.seen(row, at);
      for (const { name, blob } of secrets ?? []) state.putSecret(id, name, blob);
      return { outcome: 'ok', enrolment: enrolmentOf(state, row) };
    },

    async get(id) {
      state.open();
      const row = state.enrolments.get(id);
      return row === undefined ? null : enrolmentOf(state, row);
    },

    async getMany(ids) {
      state.open();
      return [...new Set(ids)].flatMap((id) => {
        const row = state.enrolments.get(id);
        return row === undefined ? [] : [enrolmentOf(state, row)];
      });
    },

    async usersOf(deviceIds) {
      state.open();
      return [...new Set(deviceIds)].flatMap((id) =>
        [...(state.children.get(id) ?? [])].filter((child) => state.enrolments.get(child)?.status === 'active'),
      );
    },

    async list(filter, page) {
      state.open();
      return idPage(state.sortedIds(), page, (id) => {
        const row = state.enrolments.get(id);
        return row !== undefined && matches(row, filter) ? enrolmentOf(state, row) : null;
      });
    },

    async count(filter) {
      state.open();
      let count = 0;
      for (const row of state.enrolments.values()) if (matches(row, filter)) count++;
      return count;
    },

    async withoutInventory({ dedupeKey, limit }) {
      state.open();
      const ids: string[] = [];
      const answered = new Set([...state.followUps.values()].map(({ enrolmentId }) => enrolmentId));
      for (const id of state.withoutInventory) {
        if (ids.length >= limit) break;
        const row = state.enrolments.get(id);
        if (row !== undefined && findByKey(row, dedupeKey) === undefined && !answered.has(id)) ids.push(id);
      }
      return ids;
    },
  };
}

/** Whether an enrolment is one that a filter asks for. */
export function matches(row: EnrolmentRow, { channel, statuses }: EnrolmentFilter): boolean {
  return (
    (channel === undefined || row.channel === channel) && (statuses === undefined || statuses.includes(row.status))
  );
}

function refusal(
  state: MemoryState,
  { id, certificateFingerprint }: AuthenticateInput,
): 'pinned-elsewhere' | 'superseded' | 'revoked' | null {
  const holders = state.byPin.get(certificateFingerprint) ?? new Set<string>();
  for (const holder of holders) if (holder !== id) return 'pinned-elsewhere';
  const certificate = state.certificates.get(certificateFingerprint);
  if (certificate === undefined) return null;
  if (certificate.enrolmentId !== null && certificate.enrolmentId !== id) return 'pinned-elsewhere';
  return certificate.status === 'superseded' || certificate.status === 'revoked' ? certificate.status : null;
}

function newRow(
  id: string,
  channel: Enrolment['channel'],
  kind: Enrolment['kind'],
  parent: string | null,
): EnrolmentRow {
  return {
    id,
    channel,
    kind,
    parent,
    status: 'pending',
    phase: null,
    udid: null,
    serialNumber: null,
    model: null,
    productName: null,
    osVersion: null,
    deviceName: null,
    topic: null,
    pushable: false,
    enrolledAt: null,
    lastSeenAt: null,
    checkedOutAt: null,
    invitationId: null,
    pin: null,
    session: 0,
    facts: {},
    apps: [],
    profiles: [],
    certificates: [],
    inventoryAt: null,
    push: null,
    work: null,
    lastDone: -1,
    revision: 0,
    labelsDueAt: null,
    awaitsContact: false,
    place: -1,
  };
}

function assignDetails(row: EnrolmentRow, details: EnrolmentDetails): void {
  for (const [key, value] of Object.entries(details)) {
    if (value !== undefined) row[key as keyof EnrolmentDetails] = value;
  }
}

function activate(state: MemoryState, row: EnrolmentRow, at: number): void {
  row.status = 'active';
  row.enrolledAt = at;
  row.checkedOutAt = null;
  if (row.channel !== 'device') return;
  if (row.inventoryAt === null) state.withoutInventory.add(row.id);
  for (const fingerprint of state.certificatesOf.get(row.id) ?? []) {
    const certificate = state.certificates.get(fingerprint);
    if (certificate === undefined) continue;
    if (certificate.fingerprint === row.pin) certificate.status = 'in-force';
    else if (certificate.status === 'in-force' || certificate.status === 'issued') certificate.status = 'superseded';
  }
  const invitation = row.invitationId === null ? undefined : state.invitations.get(row.invitationId);
  if (invitation?.status !== 'valid') return;
  state.invitations.set(invitation.id, { ...invitation, status: 'consumed', enrolmentId: row.id });
  state.appendEvents([{ type: 'invitation.consumed', at, enrolmentId: row.id, data: { invitationId: invitation.id } }]);
}

/** What a device no longer has when it enrols anew. */
function reset(state: MemoryState, row: EnrolmentRow, at: number): void {
  clearPending(state, row, at);
  if (row.push !== null) state.due.set(row.push, null);
  row.push = null;
  state.secrets.delete(row.id);
  dropAssignments(state, row.id);
  state.marks.delete(row.id);
  state.dropDeclarations(row.id);
  state.withoutInventory.delete(row.id);
  row.profiles = [];
  row.inventoryAt = null;
  for (const child of state.children.get(row.id) ?? []) {
    const user = state.enrolments.get(child);
    if (user !== undefined && user.status !== 'checked-out') leave(state, user, at);
  }
}

/** A device leaves with its user channels; the events of the labels that it was in. */
function leaveAll(state: MemoryState, row: EnrolmentRow, at: number, cause: string): NewEvent[] {
  const left = [...(state.labelsOf.get(row.id) ?? [])].sort(compare).map((labelId) => ({
    type: 'label.left' as const,
    at,
    enrolmentId: row.id,
    data: { labelId, label: state.labels.get(labelId)?.name ?? '', cause },
  }));
  leave(state, row, at);
  for (const child of state.children.get(row.id) ?? []) {
    const user = state.enrolments.get(child);
    if (user !== undefined && user.status !== 'checked-out') leave(state, user, at);
  }
  return left;
}

function leave(state: MemoryState, row: EnrolmentRow, at: number): void {
  row.status = 'checked-out';
  row.phase = null;
  row.checkedOutAt = at;
  row.pushable = false;
  clearPending(state, row, at);
  const { push } = row;
  if (push !== null) {
    push.lease = null;
    push.dead = true;
    state.setDue(push, null);
  }
  for (const labelId of state.labelsOf.get(row.id) ?? []) state.members.get(labelId)?.delete(row.id);
  state.labelsOf.delete(row.id);
  row.awaitsContact = false;
  state.setLabelsDue(row, null);
  dropAssignments(state, row.id);
  state.marks.delete(row.id);
  state.dropDeclarations(row.id);
  for (const setId of state.setsOf.get(row.id) ?? []) state.setMembers.get(setId)?.delete(row.id);
  state.setsOf.delete(row.id);
  state.withoutInventory.delete(row.id);
}

function dropAssignments(state: MemoryState, id: string): void {
  for (const configurationId of state.assignments.get(id)?.keys() ?? []) {
    state.assigned.get(configurationId)?.delete(id);
  }
  state.assignments.delete(id);
}
