// Rows as they are stored, and the records that they stand for.
import type {
  AssignmentRecord,
  Configuration,
  EngineEvent,
  Enrolment,
  Facts,
  NewEvent,
  StoredBytes,
  StoredDevice,
} from '@espalier/core';
import type { Database } from './database.ts';

/** A row of `enrolments`, with the pin that it answers to and its parent's id. */
export interface EnrolmentRow {
  readonly nr: number;
  readonly id: string;
  readonly channel: Enrolment['channel'];
  readonly kind: Enrolment['kind'];
  readonly parent_id: string | null;
  readonly status: Enrolment['status'];
  readonly phase: Enrolment['phase'];
  readonly parent_status: Enrolment['status'] | null;
  readonly udid: string | null;
  readonly serial_number: string | null;
  readonly model: string | null;
  readonly product_name: string | null;
  readonly os_version: string | null;
  readonly device_name: string | null;
  readonly topic: string | null;
  readonly pin: string | null;
  readonly pushable: number;
  readonly enrolled_at: number | null;
  readonly last_seen_at: number | null;
  readonly checked_out_at: number | null;
  readonly invitation_id: string | null;
}

/** The columns of an {@link EnrolmentRow}. */
export const enrolmentColumns = `
  e.nr, e.id, e.channel, e.kind, p.id AS parent_id, e.status, e.phase, p.status AS parent_status, e.udid, e.serial_number, e.model,
  e.product_name, e.os_version, e.device_name, e.topic, CASE WHEN e.parent IS NULL THEN e.pin ELSE p.pin END AS pin,
  e.pushable, e.enrolled_at, e.last_seen_at, e.checked_out_at, e.invitation_id`;

/** The tables of an {@link EnrolmentRow}. */
export const enrolmentTables = 'enrolments e LEFT JOIN enrolments p ON p.nr = e.parent';

/** The record of a row. */
export function enrolmentOf(row: EnrolmentRow): Enrolment {
  return {
    id: row.id,
    channel: row.channel,
    kind: row.kind,
    parent: row.parent_id,
    status: row.status,
    phase: row.phase,
    udid: row.udid,
    serialNumber: row.serial_number,
    model: row.model,
    productName: row.product_name,
    osVersion: row.os_version,
    deviceName: row.device_name,
    topic: row.topic,
    certificateFingerprint: row.pin,
    pushable: row.pushable === 1,
    enrolledAt: row.enrolled_at,
    lastSeenAt: row.last_seen_at,
    checkedOutAt: row.checked_out_at,
    invitationId: row.invitation_id,
  };
}

/** An enrolment with its facts. */
export interface DeviceRowColumns extends EnrolmentRow {
  readonly facts: string | null;
  readonly revision: number;
}

/** The columns of {@link DeviceRowColumns}. */
export const deviceColumns = `${enrolmentColumns}, f.facts, coalesce(f.revision, 0) AS revision`;

/** The tables of {@link DeviceRowColumns}. */
export const deviceTables = `${enrolmentTables} LEFT JOIN facts f ON f.nr = e.nr`;

/** The device of a row. */
export function deviceOf(row: DeviceRowColumns): StoredDevice {
  return { enrolment: enrolmentOf(row), facts: parseFacts(row.facts), revision: row.revision };
}

/** Facts from their text. */
export function parseFacts(text: string | null): Facts {
  return text === null ? {} : (JSON.parse(text) as Facts);
}

/** Finds an enrolment. */
export function findEnrolment(db: Database, id: string): EnrolmentRow | undefined {
  return db.get<EnrolmentRow>(`SELECT ${enrolmentColumns} FROM ${enrolmentTables} WHERE e.id = ?`, id);
}

/** Whether an enrolment, and its parent where it has one, may talk to us. */
export function isLiving(row: Pick<EnrolmentRow, 'status' | 'parent_status'>): boolean {
  const living = (status: Enrolment['status']): boolean => status === 'pending' || status === 'active';
  return living(row.status) && (row.parent_status === null || living(row.parent_status));
}

/** Appends events, inside a write. */
export function appendEvents(db: Database, events: readonly NewEvent[]): EngineEvent[] {
  return events.map((event) => {
    const seq = db.insert(
      'INSERT INTO events (type, at, enrolment_id, data) VALUES (?, ?, ?, ?)',
      event.type,
      event.at,
      event.enrolmentId,
      JSON.stringify(event.data),
    );
    return { seq, ...event };
  });
}

/** Puts a sealed secret, inside a write. */
export function putSecret(db: Database, scope: string, name: string, blob: Uint8Array, at: number): void {
  db.run(
    `INSERT INTO secrets (scope, name, blob, at) VALUES (?, ?, ?, ?)
     ON CONFLICT (scope, name) DO UPDATE SET blob = excluded.blob, at = excluded.at`,
    scope,
    name,
    blob,
    at,
  );
}

/** Fills the temporary table of targets with the row numbers of enrolments, inside a write. */
export function setTargets(db: Database, ids: readonly string[], condition = 'TRUE'): void {
  db.run('DELETE FROM temp.targets');
  db.run(
    `INSERT INTO temp.targets
     SELECT nr FROM enrolments WHERE id IN (SELECT value FROM json_each(?)) AND ${condition}`,
    JSON.stringify(ids),
  );
}

/** Bytes that may be sealed, from their columns. */
export function storedBytes(bytes: Uint8Array, sealed: number): StoredBytes {
  return { bytes: new Uint8Array(bytes), sealed: sealed === 1 };
}

/** A row of `configurations`. */
export interface ConfigurationRow {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly settings: string;
  readonly version: number;
  readonly label_ids: string;
  readonly created_at: number;
  readonly updated_at: number;
}

/** The record of a configuration's row. */
export function configurationOf(row: ConfigurationRow): Configuration {
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    description: row.description,
    settings: JSON.parse(row.settings) as Configuration['settings'],
    version: row.version,
    labelIds: JSON.parse(row.label_ids) as readonly string[],
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** A row of `assignments`, with the enrolment's id. */
export interface AssignmentRow {
  readonly enrolment_id: string;
  readonly configuration: string;
  readonly configuration_name: string;
  readonly profile_identifier: string;
  readonly profile_uuid: string | null;
  readonly verifiable: number;
  readonly status: AssignmentRecord['status'];
  readonly version: number;
  readonly command_uuid: string | null;
  readonly detail: string | null;
  readonly updated_at: number;
}

/** The record of an assignment's row. */
export function assignmentOf(row: AssignmentRow): AssignmentRecord {
  return {
    enrolmentId: row.enrolment_id,
    configurationId: row.configuration,
    configurationName: row.configuration_name,
    profileIdentifier: row.profile_identifier,
    profileUuid: row.profile_uuid,
    verifiable: row.verifiable === 1,
    status: row.status,
    version: row.version,
    commandUuid: row.command_uuid,
    detail: row.detail,
    updatedAt: row.updated_at,
  };
}

/** Makes a page of rows that were read one more than asked for. */
export function pageOf<R, T>(
  rows: readonly R[],
  limit: number,
  keyOf: (row: R) => string | number,
  toItem: (row: R) => T,
): { items: T[]; next: string | null } {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  return { items: kept.map(toItem), next: rows.length > limit && last !== undefined ? String(keyOf(last)) : null };
}
