// Devices that are expected, on PostgreSQL.
import type { RegistrationRecord, RegistrationStore } from '@espalier/core';
import type { Database } from '../database.ts';
import { cut, sendEvents } from '../rows.ts';

/** Registrations over the database. */
export function postgresRegistrations(db: Database): RegistrationStore {
  const s = db.schema;
  const columns = `serial_number AS "serialNumber", user_name AS "user", invitation_id AS "invitationId",
    created_at AS "createdAt", claimed_at AS "claimedAt", enrolment_id AS "enrolmentId"`;
  const text = {
    awaited: `SELECT ${columns} FROM ${s}.registration
      WHERE serial_number = ANY ($1::text[]) AND claimed_at IS NULL ORDER BY serial_number FOR UPDATE`,
    put: `INSERT INTO ${s}.registration (serial_number, user_name, invitation_id, created_at, claimed_at, enrolment_id)
      SELECT t.* FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
        AS t (serial_number, user_name, invitation_id, created_at, claimed_at, enrolment_id)
      ORDER BY t.serial_number COLLATE "C"
      ON CONFLICT (serial_number) DO UPDATE SET user_name = excluded.user_name, invitation_id = excluded.invitation_id,
        created_at = excluded.created_at, claimed_at = excluded.claimed_at, enrolment_id = excluded.enrolment_id`,
    get: `SELECT ${columns} FROM ${s}.registration WHERE serial_number = $1`,
    claim: `UPDATE ${s}.registration SET claimed_at = $3, enrolment_id = $2
      WHERE serial_number = $1 AND claimed_at IS NULL RETURNING ${columns}`,
    list: `SELECT ${columns} FROM ${s}.registration WHERE serial_number > $3
        AND ($1::boolean IS NULL OR (claimed_at IS NULL) = $1) AND ($2::text IS NULL OR user_name = $2)
      ORDER BY serial_number LIMIT $4`,
    remove: `DELETE FROM ${s}.registration WHERE serial_number = ANY ($1::text[]) RETURNING ${columns}`,
  };
  const get = async (serialNumber: string): Promise<RegistrationRecord | null> =>
    (await db.query<RegistrationRecord>('registrations.get', text.get, [serialNumber]))[0] ?? null;

  return {
    put: (records, event) =>
      db.transaction(async (q) => {
        const last = [...new Map(records.map((record) => [record.serialNumber, record])).values()];
        const serialNumbers = last.map((record) => record.serialNumber);
        const replaced = q.query<RegistrationRecord>('registrations.awaited', text.awaited, [serialNumbers]);
        q.send('registrations.put', text.put, [
          serialNumbers,
          last.map((record) => record.user),
          last.map((record) => record.invitationId),
          last.map((record) => record.createdAt),
          last.map((record) => record.claimedAt),
          last.map((record) => record.enrolmentId),
        ]);
        sendEvents(q, s, [event]);
        q.commit();
        return await replaced;
      }),

    get,

    async claim({ serialNumber, enrolmentId, at, event }) {
      // Most devices are not expected: one statement for these.
      const known = await get(serialNumber);
      if (known === null) return null;
      if (known.claimedAt !== null) return known.enrolmentId === enrolmentId ? known : null;
      const claimed = await db.transaction(async (q) => {
        const values = [serialNumber, enrolmentId, at];
        const [record] = await q.query<RegistrationRecord>('registrations.claim', text.claim, values);
        if (record !== undefined) sendEvents(q, s, [event]);
        return record;
      });
      if (claimed !== undefined) return claimed;
      // Claimed at this very moment, perhaps by another message of the same device.
      const taken = await get(serialNumber);
      return taken?.enrolmentId === enrolmentId ? taken : null;
    },

    async list({ awaited, user }, { after, limit }) {
      const values = [awaited ?? null, user ?? null, after ?? '', limit + 1];
      const rows = await db.query<RegistrationRecord>('registrations.list', text.list, values);
      return cut(
        rows,
        limit,
        (row) => row.serialNumber,
        (row) => row,
      );
    },

    remove: (serialNumbers) =>
      db.query<RegistrationRecord>('registrations.remove', text.remove, [[...new Set(serialNumbers)]]),
  };
}
