// The record that searches and labels see: what the device reported, and what the server knows of its enrolment.
import type { Facts, FactValue } from '../api/common.ts';
import type { DeviceRow, Enrolment } from '../api/records.ts';

/** How the statuses are called in searches (the catalogue's `common.status`). */
const statusNames: Readonly<Record<Enrolment['status'], string>> = {
  pending: 'Pending',
  active: 'Active',
  'checked-out': 'Retired',
  retired: 'Retired',
  wiped: 'Wiped',
};

/** What the server knows of an enrolment, as facts; they are not stored, so that a poll does not rewrite them. */
export function serverFacts(enrolment: Enrolment): Facts {
  const facts: Record<string, FactValue> = {
    'common.status': statusNames[enrolment.status],
    'common.mdm_managed': enrolment.status === 'active',
    'common.retired': statusNames[enrolment.status] === 'Retired',
  };
  if (enrolment.enrolledAt !== null) facts['common.registration_date'] = enrolment.enrolledAt;
  if (enrolment.lastSeenAt !== null) {
    facts['common.last_connected_at'] = enrolment.lastSeenAt;
    facts['common.mdm_last_checkin'] = enrolment.lastSeenAt;
  }
  return facts;
}

/** All facts of a device. */
export function allFacts({ enrolment, facts }: DeviceRow): Facts {
  return { ...facts, ...serverFacts(enrolment) };
}
