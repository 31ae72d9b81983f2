// The daily maintenance of a register of issued certificates: what expires, is renewed, deactivated, or leaves.
import { DAY_MS } from '../clock.ts';
import { PkiError } from '../errors.ts';
import { type CertificateDates, type RenewalPolicy, renewalDue } from './renewal.ts';

/** One row of a register, as far as maintenance looks at it. */
export interface RegisteredCertificate extends CertificateDates {
  /** Superseded by a later certificate. */
  readonly inactive?: boolean;
  readonly revokedAt?: Date | number | null;
  /**
   * When it reached its device; null for one made ahead and not delivered yet. Absent where that is not known, as with
   * devices that enrol themselves.
   */
  readonly deliveredAt?: Date | number | null;
  /** When it was made. Default notBefore. */
  readonly createdAt?: Date | number;
  /** When its private key was stored here, e.g. uploaded by a user; null or absent where there is none (any more). */
  readonly keyStoredAt?: Date | number | null;
}

/** What a row's state is, worst first in the order in which they are decided. */
export type RegisteredState = 'revoked' | 'expired' | 'inactive' | 'expiring' | 'active';

/** How a register is maintained. */
export interface MaintenancePolicy extends RenewalPolicy {
  /** A certificate counts as expiring this long before its end. Default 60 days. */
  readonly expiringDays?: number;
  /** Renew certificates whose window is open. Default true. Otherwise it is for a person. */
  readonly autoRenew?: boolean;
  /** A certificate made ahead is deleted when it was not delivered for so long. Default 14 days. */
  readonly undeliveredDays?: number;
  /** Private keys that users uploaded are deleted after so long; null keeps them. Default null. */
  readonly deleteKeysAfterDays?: number | null;
  /** Inactive rows that ended or were revoked stay for this long all the same. Default 0. */
  readonly retentionDays?: number;
}

/** The state of a row at a time. */
export function registeredState(
  row: RegisteredCertificate,
  policy: MaintenancePolicy,
  now: Date | number,
): RegisteredState {
  const at = Number(now);
  if (isSet(row.revokedAt)) return 'revoked';
  if (at > Number(row.notAfter)) return 'expired';
  if (row.inactive) return 'inactive';
  return at >= Number(row.notAfter) - (policy.expiringDays ?? 60) * DAY_MS ? 'expiring' : 'active';
}

/** What maintenance does with a row. */
export interface MaintenanceDecision {
  readonly state: RegisteredState;
  /** Ask for a new certificate: the window is open, or the grace still runs. */
  readonly renew: boolean;
  /** Its key and certificate were made ahead and never delivered: delete them; they are made again on demand. */
  readonly discard: boolean;
  /** The row may go: it is inactive or revoked, and its certificate has ended or was revoked. */
  readonly purge: boolean;
  /** Delete the stored private key; the certificate and the row stay. */
  readonly deleteKey: boolean;
  /** The device did not renew in time and has to enrol again. */
  readonly lapsed: boolean;
}

/**
 * Decides on one row. A row is purged only when it is inactive (or revoked) AND its certificate has ended or is revoked, so
 * that no certificate that somebody could still use leaves the register.
 *
 * @throws PkiError `pki.renewal.policy`.
 */
export function maintain(
  row: RegisteredCertificate,
  policy: MaintenancePolicy,
  now: Date | number,
): MaintenanceDecision {
  const at = Number(now);
  const state = registeredState(row, policy, at);
  const renewal = renewalDue(row, policy, at).state;
  const live = !row.inactive && state !== 'revoked';
  const discard =
    live &&
    row.deliveredAt === null &&
    at > Number(row.createdAt ?? row.notBefore) + (policy.undeliveredDays ?? 14) * DAY_MS;
  const { deleteKeysAfterDays = null } = policy;
  const deleteKey =
    isSet(row.keyStoredAt) &&
    deleteKeysAfterDays !== null &&
    at >= Number(row.keyStoredAt) + deleteKeysAfterDays * DAY_MS;
  const over = isSet(row.revokedAt) ? Number(row.revokedAt) : at > Number(row.notAfter) ? Number(row.notAfter) : null;
  return {
    state,
    renew: live && !discard && (policy.autoRenew ?? true) && (renewal === 'due' || renewal === 'grace'),
    discard,
    deleteKey,
    purge: !live && over !== null && at >= over + (policy.retentionDays ?? 0) * DAY_MS,
    lapsed: live && renewal === 'lapsed',
  };
}

/**
 * Rows whose renewal is due, the soonest to end first: for a listing, or for work in order.
 *
 * @param limit at most so many. Default all.
 */
export function listDue<T extends RegisteredCertificate>(
  rows: Iterable<T>,
  policy: MaintenancePolicy,
  now: Date | number,
  limit = Number.POSITIVE_INFINITY,
): T[] {
  const due = [...rows].filter((row) => maintain(row, { ...policy, autoRenew: true }, now).renew);
  return due.sort((a, b) => Number(a.notAfter) - Number(b.notAfter)).slice(0, limit);
}

/** When maintenance runs. */
export interface MaintenanceSchedule {
  /** Default 3. */
  readonly hour?: number;
  /** Default 45. */
  readonly minute?: number;
  /** Minutes that local time is ahead of UTC. Default 0. */
  readonly offsetMinutes?: number;
}

/**
 * The next time at which the daily maintenance runs, strictly after `now`; epoch milliseconds.
 *
 * @throws PkiError `pki.renewal.policy` for a time that no day has.
 */
export function nextMaintenance(now: Date | number, schedule: MaintenanceSchedule = {}): number {
  const { hour = 3, minute = 45, offsetMinutes = 0 } = schedule;
  const whole = [hour, minute, offsetMinutes].every(Number.isInteger);
  if (!whole || hour < 0 || hour > 23 || minute < 0 || minute > 59 || Math.abs(offsetMinutes) > 24 * 60) {
    throw new PkiError('pki.renewal.policy', 'not a time of day');
  }
  const local = Number(now) + offsetMinutes * 60_000;
  const start = Math.floor(local / DAY_MS) * DAY_MS + (hour * 60 + minute) * 60_000;
  return (start > local ? start : start + DAY_MS) - offsetMinutes * 60_000;
}

const isSet = (value: Date | number | null | undefined): value is Date | number =>
  value !== null && value !== undefined;
