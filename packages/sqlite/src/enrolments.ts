// Enrolments on SQLite.
import type {
  AuthenticateInput,
  Enrolment,
  EnrolmentDetails,
  EnrolmentFilter,
  EnrolmentStore,
  NewEvent,
  TokenUpdateInput,
} from '@espalier/core';
import type { Database } from './database.ts';
import { dropDeclarations } from './declarations.ts';
import { clearPending } from './pending.ts';
import {
  appendEvents,
  type EnrolmentRow,
  enrolmentColumns,
  enrolmentOf,
  enrolmentTables,
  findEnrolment,
  isLiving,
  pageOf,
  putSecret,
} from './rows.ts';

/** Enrolments over a database. */
export function sqliteEnrolments(db: Database): EnrolmentStore {
  return {
    authenticate: (input) =>
      db.write(() => {
        const reason = refusal(db, input);
        if (reason !== null) return { outcome: 'identity-mismatch', reason };
        const { id, certificateFingerprint, at } = input;
        const existing = findEnrolment(db, id);
        const fresh = !(existing?.status === 'pending' && existing.pin === certificateFingerprint);
        if (existing === undefined) {
          db.run(
            "INSERT INTO enrolments (id, channel, kind, status) VALUES (?, 'device', ?, 'pending')",
            id,
            input.kind,
          );
        } else if (fresh) {
          reset(db, existing, at);
        }
        db.run(
          `UPDATE enrolments SET kind = ?, status = 'pending', pushable = 0, enrolled_at = NULL, checked_out_at = NULL,
             last_seen_at = ?, pin = ? WHERE id = ?`,
          input.kind,
          at,
          certificateFingerprint,
          id,
        );
        if (fresh) {
          db.run(
            'UPDATE enrolments SET phase = NULL, invitation_id = (SELECT invitation_id FROM certificates WHERE fingerprint = ?) WHERE id = ?',
            certificateFingerprint,
            id,
          );
        }
        db.run('UPDATE certificates SET enrolment_id = ? WHERE fingerprint = ?', id, certificateFingerprint);
        assignDetails(db, id, input.details);
        for (const { name, blob } of input.secrets) putSecret(db, id, name, blob, at);
        appendEvents(db, input.events);
        return { outcome: 'accepted', enrolment: enrolmentOf(findEnrolment(db, id)!), fresh };
      }),

    tokenUpdate: (input) => db.write(() => tokenUpdate(db, input)),

    adopt: ({ id, certificateFingerprint, at, events }) =>
      db.write(() => {
        const row = findEnrolment(db, id);
        const own = db.get(
          "SELECT 1 AS one FROM certificates WHERE fingerprint = ? AND enrolment_id = ? AND status = 'issued'",
          certificateFingerprint,
          id,
        );
        if (row?.channel !== 'device' || row.status !== 'active' || row.pin === null || own === undefined) {
          return { outcome: 'refused' };
        }
        db.run(
          `UPDATE certificates SET status = 'superseded'
           WHERE enrolment_id = ?1 AND (status = 'in-force' OR (status = 'expired' AND fingerprint = ?2))`,
          id,
          row.pin,
        );
        db.run("UPDATE certificates SET status = 'in-force' WHERE fingerprint = ?", certificateFingerprint);
        db.run(
          'UPDATE enrolments SET pin = ?1, last_seen_at = max(coalesce(last_seen_at, ?2), ?2) WHERE nr = ?3',
          certificateFingerprint,
          at,
          row.nr,
        );
        appendEvents(db, events);
        return { outcome: 'adopted', enrolment: enrolmentOf(findEnrolment(db, id)!) };
      }),

    checkOut: ({ id, certificateFingerprint, at, events }) =>
      db.write(() => {
        const row = findEnrolment(db, id);
        if (row === undefined) return { outcome: 'unknown' };
        if (row.pin !== certificateFingerprint) return { outcome: 'identity-mismatch' };
        if (row.status === 'pending' || row.status === 'active') {
          const status = row.phase === 'retire-pending' ? 'retired' : 'checked-out';
          const left = leaveAll(db, row, at, 'check-out');
          db.run(
            'UPDATE enrolments SET status = ?1, last_seen_at = max(coalesce(last_seen_at, ?2), ?2) WHERE nr = ?3',
            status,
            at,
            row.nr,
          );
          appendEvents(db, [...left, ...events]);
        }
        return { outcome: 'ok', enrolment: enrolmentOf(findEnrolment(db, id)!) };
      }),

    setPhase: ({ ids, from, to, at, cause }) =>
      db.write(() => {
        const rows = db.all<{ nr: number; id: string; phase: Enrolment['phase'] }>(
          `SELECT nr, id, phase FROM enrolments WHERE id IN (SELECT value FROM json_each(?))
             AND channel = 'device' AND status = 'active' ORDER BY id`,
          JSON.stringify(ids),
        );
        const moving = rows.filter(({ phase }) => phase !== to && from.includes(phase));
        for (const { nr, id, phase } of moving) {
          db.run('UPDATE enrolments SET phase = ? WHERE nr = ?', to, nr);
          const data = { from: phase ?? 'none', to: to ?? 'none', cause };
          appendEvents(db, [{ type: 'enrolment.phase-changed', at, enrolmentId: id, data }]);
        }
        return moving.map(({ id }) => id);
      }),

    end: ({ id, status, from, at, cause, events }) =>
      db.write(() => {
        const row = findEnrolment(db, id);
        if (row?.channel !== 'device' || !from.includes(row.status)) return null;
        const left = leaveAll(db, row, at, cause);
        db.run('UPDATE enrolments SET status = ? WHERE nr = ?', status, row.nr);
        appendEvents(db, [...left, ...events]);
        return enrolmentOf(findEnrolment(db, id)!);
      }),

    revive: ({ id, phase, at, events }) =>
      db.write(() => {
        const row = findEnrolment(db, id);
        if (row?.channel !== 'device' || row.status !== 'wiped') return null;
        db.run(
          `UPDATE enrolments SET status = 'active', phase = ?1, checked_out_at = NULL,
             pushable = EXISTS (SELECT 1 FROM push WHERE nr = ?2) WHERE nr = ?2`,
          phase,
          row.nr,
        );
        db.run('UPDATE push SET dead = 0, attempts = 0, lease = NULL, due_at = ? WHERE nr = ?', at, row.nr);
        appendEvents(db, events);
        return enrolmentOf(findEnrolment(db, id)!);
      }),

    verify: ({ id, certificateFingerprint, at, secrets = [] }) =>
      db.write(() => {
        const row = findEnrolment(db, id);
        if (row === undefined || !isLiving(row)) return { outcome: 'unknown' };
        if (row.pin !== certificateFingerprint) return { outcome: 'identity-mismatch' };
        db.run('UPDATE enrolments SET last_seen_at = max(coalesce(last_seen_at, ?1), ?1) WHERE nr = ?2', at, row.nr);
        for (const { name, blob } of secrets) putSecret(db, id, name, blob, at);
        return { outcome: 'ok', enrolment: enrolmentOf(findEnrolment(db, id)!) };
      }),

    get: (id) =>
      db.read(() => {
        const row = findEnrolment(db, id);
        return row === undefined ? null : enrolmentOf(row);
      }),

    getMany: (ids) =>
      db.read(() =>
        db
          .all<EnrolmentRow>(
            `SELECT ${enrolmentColumns} FROM ${enrolmentTables} WHERE e.id IN (SELECT value FROM json_each(?))`,
            JSON.stringify(ids),
          )
          .map(enrolmentOf),
      ),

    usersOf: (deviceIds) =>
      db.read(() =>
        db
          .all<{ id: string }>(
            `SELECT u.id FROM enrolments d JOIN enrolments u ON u.parent = d.nr AND u.status = 'active'
             WHERE d.id IN (SELECT value FROM json_each(?))`,
            JSON.stringify(deviceIds),
          )
          .map((row) => row.id),
      ),

    list: (filter, { after, limit }) =>
      db.read(() => {
        const rows = db.all<EnrolmentRow>(
          `SELECT ${enrolmentColumns} FROM ${enrolmentTables} WHERE e.id > ? AND ${filterSql(filter)} ORDER BY e.id LIMIT ?`,
          after ?? '',
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.id, enrolmentOf);
      }),

    count: (filter) =>
      db.read(() =>
        Number(db.get<{ n: number }>(`SELECT count(*) AS n FROM enrolments e WHERE ${filterSql(filter)}`)?.n ?? 0),
      ),

    withoutInventory: ({ dedupeKey, limit }) =>
      db.read(() =>
        db
          .all<{ id: string }>(
            `SELECT e.id FROM enrolments e INDEXED BY enrolments_without_inventory
             WHERE e.channel = 'device' AND e.status = 'active' AND e.inventory_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM pending w WHERE w.enrolment = e.nr AND w.dedupe_key = ?)
               AND NOT EXISTS (SELECT 1 FROM follow_ups f WHERE f.enrolment = e.nr)
             ORDER BY e.nr LIMIT ?`,
            dedupeKey,
            limit,
          )
          .map((row) => row.id),
      ),
  };
}

const channels = new Set(['device', 'user']);
const statuses = new Set(['pending', 'active', 'checked-out', 'retired', 'wiped']);

/** The condition of a filter; its values come from fixed sets, so they can stand in the text and the plan fits them. */
export function filterSql({ channel, statuses: wanted }: EnrolmentFilter): string {
  const parts = ['TRUE'];
  if (channel !== undefined) parts.push(channels.has(channel) ? `e.channel = '${channel}'` : 'FALSE');
  if (wanted !== undefined) {
    const known = wanted.filter((status) => statuses.has(status)).map((status) => `'${status}'`);
    parts.push(known.length === 0 ? 'FALSE' : `e.status IN (${known.join(', ')})`);
  }
  return parts.join(' AND ');
}

function refusal(
  db: Database,
  { id, certificateFingerprint }: AuthenticateInput,
): 'pinned-elsewhere' | 'superseded' | 'revoked' | null {
  const other = db.get('SELECT 1 AS one FROM enrolments WHERE pin = ? AND id <> ? LIMIT 1', certificateFingerprint, id);
  if (other !== undefined) return 'pinned-elsewhere';
  const certificate = db.get<{ enrolment_id: string | null; status: string }>(
    'SELECT enrolment_id, status FROM certificates WHERE fingerprint = ?',
    certificateFingerprint,
  );
  if (certificate === undefined) return null;
  if (certificate.enrolment_id !== null && certificate.enrolment_id !== id) return 'pinned-elsewhere';
  return certificate.status === 'superseded' || certificate.status === 'revoked' ? certificate.status : null;
}

function tokenUpdate(db: Database, input: TokenUpdateInput): Awaited<ReturnType<EnrolmentStore['tokenUpdate']>> {
  const { id, at } = input;
  const row = findEnrolment(db, id);
  let parent: number | null = null;
  if (input.channel === 'user') {
    const device = input.parent === null ? undefined : findEnrolment(db, input.parent);
    if (device === undefined || device.status !== 'active') return { outcome: 'unknown' };
    if (device.pin !== input.certificateFingerprint) return { outcome: 'identity-mismatch' };
    parent = device.nr;
  } else {
    if (row === undefined || row.channel !== 'device') return { outcome: 'unknown' };
    if (row.status !== 'pending' && row.status !== 'active') return { outcome: 'unknown' };
    if (row.pin !== input.certificateFingerprint) return { outcome: 'identity-mismatch' };
  }
  if (row === undefined) {
    db.run(
      "INSERT INTO enrolments (id, channel, kind, parent, status) VALUES (?, 'user', ?, ?, 'pending')",
      id,
      input.kind,
      parent,
    );
  }
  const before = row ?? findEnrolment(db, id)!;
  const first = before.status !== 'active';
  if (first) activate(db, before, at);
  db.run(
    'UPDATE enrolments SET last_seen_at = max(coalesce(last_seen_at, ?1), ?1), topic = ?2, pushable = 1 WHERE nr = ?3',
    at,
    input.topic,
    before.nr,
  );
  assignDetails(db, id, input.details);
  db.run(
    `INSERT INTO push (nr, token, push_magic, topic) VALUES (?, ?, ?, ?)
     ON CONFLICT (nr) DO UPDATE SET token = excluded.token, push_magic = excluded.push_magic, topic = excluded.topic,
       attempts = 0, lease = NULL, dead = 0`,
    before.nr,
    input.token,
    input.pushMagic,
    input.topic,
  );
  db.run(
    'UPDATE push SET due_at = ?1 WHERE nr = ?2 AND EXISTS (SELECT 1 FROM pending WHERE enrolment = ?2)',
    at,
    before.nr,
  );
  for (const { name, blob } of input.secrets) putSecret(db, id, name, blob, at);
  appendEvents(db, first ? input.firstEvents : input.laterEvents);
  return { outcome: 'updated', first, enrolment: enrolmentOf(findEnrolment(db, id)!) };
}

function activate(db: Database, row: EnrolmentRow, at: number): void {
  db.run("UPDATE enrolments SET status = 'active', enrolled_at = ?, checked_out_at = NULL WHERE nr = ?", at, row.nr);
  if (row.channel !== 'device') return;
  db.run(
    "UPDATE certificates SET status = 'superseded' WHERE enrolment_id = ? AND status IN ('issued', 'in-force') AND fingerprint <> ?",
    row.id,
    row.pin,
  );
  db.run("UPDATE certificates SET status = 'in-force' WHERE enrolment_id = ? AND fingerprint = ?", row.id, row.pin);
  if (row.invitation_id === null) return;
  const consumed = db.run(
    "UPDATE invitations SET status = 'consumed', enrolment_id = ? WHERE id = ? AND status = 'valid'",
    row.id,
    row.invitation_id,
  );
  if (consumed === 0) return;
  const data = { invitationId: row.invitation_id };
  appendEvents(db, [{ type: 'invitation.consumed', at, enrolmentId: row.id, data }]);
}

function assignDetails(db: Database, id: string, details: EnrolmentDetails): void {
  const columns: Readonly<Record<keyof EnrolmentDetails, string>> = {
    udid: 'udid',
    serialNumber: 'serial_number',
    model: 'model',
    productName: 'product_name',
    osVersion: 'os_version',
    deviceName: 'device_name',
    topic: 'topic',
  };
  for (const [key, column] of Object.entries(columns)) {
    const value = details[key as keyof EnrolmentDetails];
    if (value !== undefined) db.run(`UPDATE enrolments SET ${column} = ? WHERE id = ?`, value, id);
  }
}

function childrenOf(db: Database, nr: number): number[] {
  return db
    .all<{ nr: number }>("SELECT nr FROM enrolments WHERE parent = ? AND status <> 'checked-out'", nr)
    .map((row) => row.nr);
}

/** What a device no longer has when it enrols anew. */
function reset(db: Database, row: EnrolmentRow, at: number): void {
  clearPending(db, row.nr, at);
  db.run('DELETE FROM push WHERE nr = ?', row.nr);
  db.run('DELETE FROM secrets WHERE scope = ?', row.id);
  db.run('DELETE FROM assignments WHERE enrolment = ?', row.nr);
  db.run('DELETE FROM reconcile_marks WHERE enrolment = ?', row.nr);
  dropDeclarations(db, row.nr);
  db.run("DELETE FROM inventory_lists WHERE nr = ? AND name = 'profiles'", row.nr);
  db.run('UPDATE enrolments SET inventory_at = NULL WHERE nr = ?', row.nr);
  for (const nr of childrenOf(db, row.nr)) leave(db, nr, at);
}

/** A device leaves with its user channels; the events of the labels that it was in. */
function leaveAll(db: Database, { nr, id }: EnrolmentRow, at: number, cause: string): NewEvent[] {
  const labels = db.all<{ id: string; name: string }>(
    'SELECT l.id, l.name FROM label_members m JOIN labels l ON l.id = m.label WHERE m.enrolment = ? ORDER BY l.id',
    nr,
  );
  leave(db, nr, at);
  for (const child of childrenOf(db, nr)) leave(db, child, at);
  return labels.map((label) => ({
    type: 'label.left' as const,
    at,
    enrolmentId: id,
    data: { labelId: label.id, label: label.name, cause },
  }));
}

function leave(db: Database, nr: number, at: number): void {
  db.run(
    "UPDATE enrolments SET status = 'checked-out', phase = NULL, checked_out_at = ?, pushable = 0 WHERE nr = ?",
    at,
    nr,
  );
  clearPending(db, nr, at);
  db.run('UPDATE push SET due_at = NULL, lease = NULL, dead = 1 WHERE nr = ?', nr);
  db.run('DELETE FROM label_members WHERE enrolment = ?', nr);
  db.run('UPDATE enrolments SET labels_due_at = NULL, awaits_contact = 0 WHERE nr = ?', nr);
  db.run('DELETE FROM assignments WHERE enrolment = ?', nr);
  db.run('DELETE FROM reconcile_marks WHERE enrolment = ?', nr);
  dropDeclarations(db, nr);
  db.run('DELETE FROM declaration_set_members WHERE enrolment = ?', nr);
}
