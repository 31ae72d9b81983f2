// Devices that are expected, on SQLite.
import type { RegistrationRecord, RegistrationStore } from '@espalier/core';
import type { Database } from './database.ts';
import { appendEvents, pageOf } from './rows.ts';

const columns = `serial_number AS serialNumber, user, invitation_id AS invitationId, created_at AS createdAt,
  claimed_at AS claimedAt, enrolment_id AS enrolmentId`;

/** Registrations over a database. */
export function sqliteRegistrations(db: Database): RegistrationStore {
  const get = (serialNumber: string): RegistrationRecord | undefined =>
    db.get<RegistrationRecord>(`SELECT ${columns} FROM registrations WHERE serial_number = ?`, serialNumber);

  return {
    put: (records, event) =>
      db.write(() => {
        const replaced: RegistrationRecord[] = [];
        const last = new Map(records.map((record) => [record.serialNumber, record]));
        for (const [serialNumber, record] of last) {
          const before = get(serialNumber);
          if (before?.claimedAt === null) replaced.push({ ...before });
          db.run(
            `INSERT OR REPLACE INTO registrations
               (serial_number, user, invitation_id, created_at, claimed_at, enrolment_id) VALUES (?, ?, ?, ?, ?, ?)`,
            serialNumber,
            record.user,
            record.invitationId,
            record.createdAt,
            record.claimedAt,
            record.enrolmentId,
          );
        }
        appendEvents(db, [event]);
        return replaced;
      }),

    get: (serialNumber) =>
      db.read(() => {
        const found = get(serialNumber);
        return found === undefined ? null : { ...found };
      }),

    async claim({ serialNumber, enrolmentId, at, event }) {
      // Most devices are not expected: these are not to wait for the lock.
      const known = await db.read(() => get(serialNumber));
      if (known === undefined) return null;
      return db.write(() => {
        const record = get(serialNumber);
        if (record === undefined) return null;
        if (record.claimedAt !== null) return record.enrolmentId === enrolmentId ? { ...record } : null;
        db.run(
          'UPDATE registrations SET claimed_at = ?, enrolment_id = ? WHERE serial_number = ?',
          at,
          enrolmentId,
          serialNumber,
        );
        appendEvents(db, [event]);
        return { ...record, claimedAt: at, enrolmentId };
      });
    },

    list: ({ awaited, user }, { after, limit }) =>
      db.read(() => {
        const conditions = [
          'serial_number > ?',
          ...(user === undefined ? [] : ['user = ?']),
          ...(awaited === undefined ? [] : [`claimed_at IS ${awaited ? '' : 'NOT '}NULL`]),
        ];
        const rows = db.all<RegistrationRecord>(
          `SELECT ${columns} FROM registrations WHERE ${conditions.join(' AND ')} ORDER BY serial_number LIMIT ?`,
          after ?? '',
          ...(user === undefined ? [] : [user]),
          limit + 1,
        );
        return pageOf(
          rows,
          limit,
          (row) => row.serialNumber,
          (row) => ({ ...row }),
        );
      }),

    remove: (serialNumbers) =>
      db.write(() =>
        [...new Set(serialNumbers)].flatMap((serialNumber) => {
          const record = get(serialNumber);
          if (record === undefined) return [];
          db.run('DELETE FROM registrations WHERE serial_number = ?', serialNumber);
          return [{ ...record }];
        }),
      ),
  };
}
