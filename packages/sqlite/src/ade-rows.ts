// Rows of automated device enrolment: what they are read into and written from.
import type { AdeAccount, AdeChange, AdeDevice, AdeProfile, AdeSyncState } from '@espalier/core';

/** A row of "ade_accounts". */
export interface AccountRow {
  readonly id: string;
  readonly name: string;
  readonly details: string;
  readonly token_expires_at: number;
  readonly default_profile: string | null;
  readonly rules: string;
  readonly version: number;
  readonly created_at: number;
  readonly updated_at: number;
}

/** The account of a row. */
export function accountOf(row: AccountRow): AdeAccount {
  return {
    id: row.id,
    name: row.name,
    details: JSON.parse(row.details),
    tokenExpiresAt: row.token_expires_at,
    defaultProfile: row.default_profile,
    rules: JSON.parse(row.rules),
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** A row of "ade_profiles". */
export interface ProfileRow {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly description: string;
  readonly definition: string;
  readonly version: number;
  readonly apple_uuid: string | null;
  readonly apple_version: number;
  readonly failure: string | null;
  readonly created_at: number;
  readonly updated_at: number;
}

/** The profile of a row. */
export function profileOf(row: ProfileRow): AdeProfile {
  return {
    id: row.id,
    accountId: row.account,
    name: row.name,
    description: row.description,
    definition: JSON.parse(row.definition),
    version: row.version,
    appleUuid: row.apple_uuid,
    appleVersion: row.apple_version,
    failure: row.failure,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** A row of "ade_syncs". */
export interface SyncRow {
  readonly phase: 'fetch' | 'sync' | null;
  readonly cursor: string | null;
  readonly generation: number;
  readonly unswept: number;
  readonly pages: number;
  readonly progressed_at: number | null;
  readonly finished_at: number | null;
  readonly failure: string | null;
  readonly fence: number;
  readonly leased_until: number;
}

/** The state of a row. */
export function syncOf(row: SyncRow): AdeSyncState {
  const { phase, cursor } = row;
  return {
    next: phase === null || cursor === null ? null : { phase, cursor },
    generation: row.generation,
    unswept: row.unswept === 1,
    pages: row.pages,
    progressedAt: row.progressed_at,
    finishedAt: row.finished_at,
    failure: row.failure,
    fence: row.fence,
    leasedUntil: row.leased_until,
  };
}

/** A row of {@link deviceColumns}. */
export interface DeviceRow {
  readonly account: string;
  readonly serial: string;
  readonly record: string;
  readonly profile_uuid: string | null;
  readonly profile_status: string;
  readonly profile: string | null;
  readonly wanted: string | null;
  readonly assign_at: number | null;
  readonly attempts: number;
  readonly outcome: string | null;
  readonly added_at: number;
  readonly updated_at: number;
  readonly gone_at: number | null;
  readonly enrolment_id: string | null;
}

/** A device, from "ade_devices" as `d`. */
export const deviceColumns = `d.account, d.serial, d.record, d.profile_uuid, d.profile_status, d.profile, d.wanted,
  d.assign_at, d.attempts, d.outcome, d.added_at, d.updated_at, d.gone_at,
  (SELECT e.id FROM enrolments e
   WHERE e.serial_number = d.serial AND e.channel = 'device' AND e.status IN ('pending', 'active')
   ORDER BY coalesce(e.last_seen_at, 0) DESC, e.id LIMIT 1) AS enrolment_id`;

/** The device of a row. */
export function deviceOf(row: DeviceRow): AdeDevice {
  return {
    accountId: row.account,
    serialNumber: row.serial,
    record: JSON.parse(row.record),
    profileUuid: row.profile_uuid,
    profileStatus: row.profile_status,
    profileId: row.profile,
    wantedProfileUuid: row.wanted,
    assignAt: row.assign_at,
    assignAttempts: row.attempts,
    assignOutcome: row.outcome,
    addedAt: row.added_at,
    updatedAt: row.updated_at,
    goneAt: row.gone_at,
    enrolmentId: row.enrolment_id,
  };
}

/** Changes as the statements read them with `json_each`: arrays, records with their keys in order so that equal ones are equal text. */
export function changeRows(changes: readonly AdeChange[]): string {
  const sort = keySorter();
  return JSON.stringify(
    changes.map((change) => [
      change.serialNumber,
      JSON.stringify(inOrder(change.record, sort)),
      change.profileUuid,
      change.profileStatus,
      change.wantedProfileUuid,
      change.at,
      change.deleted ? 1 : 0,
      change.profileId,
    ]),
  );
}

/** The record with its keys in order. */
function inOrder(
  record: Readonly<Record<string, unknown>>,
  sort: (keys: readonly string[]) => readonly string[],
): Readonly<Record<string, unknown>> {
  const sorted: Record<string, unknown> = {};
  for (const key of sort(Object.keys(record))) {
    if (key === '__proto__') Object.defineProperty(sorted, key, { value: record[key], enumerable: true });
    else sorted[key] = record[key];
  }
  return sorted;
}

/** Sorts keys; those of one record after the other are mostly the same, and sorting them was most of a sync's garbage. */
function keySorter(): (keys: readonly string[]) => readonly string[] {
  let last: readonly string[] = [];
  let sorted: readonly string[] = [];
  return (keys) => {
    if (keys.length !== last.length || keys.some((key, i) => key !== last[i])) {
      last = keys;
      sorted = keys.toSorted();
    }
    return sorted;
  };
}
