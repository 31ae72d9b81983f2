// How values go into statements and rows come out of them.
import type { Enrolment, Facts, NewEvent, StoredDevice } from '@espalier/core';
import type { Queryable, Transaction, Value } from './database.ts';

/** The columns of an {@link Enrolment}, from "live" as `l` and "enrolment" as `e`. */
export const enrolmentColumns = (s: string): string => `l.id, l.channel, e.kind, l.parent, l.status, l.phase, e.udid,
  e.serial_number AS "serialNumber", e.model, e.product_name AS "productName", e.os_version AS "osVersion",
  e.device_name AS "deviceName", e.topic,
  CASE WHEN l.parent IS NULL THEN l.pin ELSE (SELECT parent.pin FROM ${s}.live parent WHERE parent.id = l.parent) END
    AS "certificateFingerprint",
  l.pushable, l.enrolled_at AS "enrolledAt", l.last_seen_at AS "lastSeenAt", e.checked_out_at AS "checkedOutAt",
  e.invitation_id AS "invitationId"`;

/** Splits a row of {@link enrolmentColumns} and more into the enrolment and the rest's owner. */
export function enrolmentOf(row: Enrolment): Enrolment {
  return {
    id: row.id,
    channel: row.channel,
    kind: row.kind,
    parent: row.parent,
    status: row.status,
    phase: row.phase,
    udid: row.udid,
    serialNumber: row.serialNumber,
    model: row.model,
    productName: row.productName,
    osVersion: row.osVersion,
    deviceName: row.deviceName,
    topic: row.topic,
    certificateFingerprint: row.certificateFingerprint,
    pushable: row.pushable,
    enrolledAt: row.enrolledAt,
    lastSeenAt: row.lastSeenAt,
    checkedOutAt: row.checkedOutAt,
    invitationId: row.invitationId,
  };
}

/** A row of {@link deviceColumns}. */
export type DeviceColumns = Enrolment & { readonly facts: Facts; readonly revision: number };

/** The columns of a device with its facts, from "live" as `l`, "enrolment" as `e` and "inventory" as `i`. */
export const deviceColumns = (s: string): string => `${enrolmentColumns(s)}, i.facts, i.revision`;

/** The device of a row. */
export function deviceOf(row: DeviceColumns): StoredDevice {
  return { enrolment: enrolmentOf(row), facts: row.facts, revision: row.revision };
}

/** Text that a device or a person wrote, as PostgreSQL can hold it: NUL and half surrogate pairs become U+FFFD. */
export function freeText(value: string): string {
  return Buffer.from(value.replaceAll('\0', '\uFFFD'), 'utf8').toString('utf8');
}

/** JSON text that PostgreSQL can hold: looking at each text is slow, and hardly ever needed. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  if (!/\\u(?:0000|d[89a-f])/.test(text)) return text;
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'string' ? freeText(one) : one));
}

/** The four arrays that the routines take events as. */
export function eventArrays(events: readonly NewEvent[]): Value[] {
  return [
    events.map((event) => event.type),
    events.map((event) => event.at),
    events.map((event) => event.enrolmentId),
    events.map((event) => JSON.stringify(event.data)),
  ];
}

const append = (s: string) =>
  `SELECT seq FROM ${s}.append_events($1::text[], $2::bigint[], $3::text[], $4::text[]) AS t (seq)`;

/** Appends events by themselves. */
export async function appendEvents(db: Queryable, s: string, events: readonly NewEvent[]): Promise<number[]> {
  if (events.length === 0) return [];
  const rows = await db.query<{ seq: number }>('events.append', append(s), eventArrays(events));
  return rows.map((row) => row.seq);
}

/** Appends events in a transaction. Call it last: from then until the commit, followers of events wait. */
export function sendEvents(q: Transaction, s: string, events: readonly NewEvent[]): void {
  if (events.length > 0) q.send('events.append', append(s), eventArrays(events));
}

/** Cuts one row more than asked for off a page, and tells where the next begins. */
export function cut<R, T>(
  rows: readonly R[],
  limit: number,
  cursorOf: (row: R) => string,
  itemOf: (row: R) => T,
): { items: T[]; next: string | null } {
  const taken = rows.slice(0, limit);
  const last = taken.at(-1);
  return { items: taken.map(itemOf), next: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}
