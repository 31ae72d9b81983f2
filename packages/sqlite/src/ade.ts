// Automated device enrolment on SQLite: a page is committed whole, in statements for a hundred devices each.
import type { AdeDeviceFilter, AdePageCounts, AdeStaging, AdeStore, FactValue } from '@espalier/core';
import { sqliteAdeProfiles } from './ade-profiles.ts';
import {
  type AccountRow,
  accountOf,
  changeRows,
  type DeviceRow,
  deviceColumns,
  deviceOf,
  type ProfileRow,
  type SyncRow,
  syncOf,
} from './ade-rows.ts';
import type { Database } from './database.ts';
import { appendEvents, pageOf, putSecret } from './rows.ts';

/** What a slice of a page says (parameter 1, see `changeRows`). What is older than what is known of a device counts as nothing. */
const PAGE = `SELECT p.value ->> 0 AS serial, p.value ->> 1 AS record, p.value ->> 6 AS deleted,
    p.value ->> 5 AS changed_at FROM json_each(?1) p`;

const COUNT = `WITH page AS (${PAGE})
  SELECT
    sum(NOT page.deleted AND (d.serial IS NULL OR d.gone_at IS NOT NULL)) AS added,
    sum(NOT page.deleted AND d.serial IS NOT NULL AND d.gone_at IS NULL AND d.record <> page.record) AS modified,
    sum(page.deleted AND d.serial IS NOT NULL AND d.gone_at IS NULL) AS deleted
  FROM page LEFT JOIN ade_devices d ON d.account = ?2 AND d.serial = page.serial
  WHERE NOT coalesce(page.changed_at < d.changed_at, FALSE)`;

const UPSERT = `INSERT INTO ade_devices
    (account, serial, record, profile_uuid, profile_status, profile, wanted, assign_at, generation, changed_at, added_at, updated_at)
  SELECT ?2, v ->> 0, v ->> 1, v ->> 2, v ->> 3, profile, wish, iif(wish IS NULL OR wish = v ->> 2, NULL, ?3), ?4, v ->> 5,
    ?3, ?3
  FROM (SELECT p.value AS v, f.id AS profile, iif(p.value ->> 7 IS NULL, p.value ->> 4, f.apple_uuid) AS wish
    FROM json_each(?1) p LEFT JOIN ade_profiles f ON f.id = p.value ->> 7 AND f.account = ?2)
  WHERE NOT v ->> 6
  ON CONFLICT (account, serial) DO UPDATE SET
    record = excluded.record, profile_uuid = excluded.profile_uuid, profile_status = excluded.profile_status,
    generation = excluded.generation, changed_at = excluded.changed_at, gone_at = NULL,
    profile = iif(gone_at IS NULL, profile, excluded.profile),
    wanted = iif(gone_at IS NULL, wanted, excluded.wanted),
    assign_at = CASE WHEN gone_at IS NOT NULL THEN excluded.assign_at
      WHEN wanted IS excluded.profile_uuid THEN NULL ELSE assign_at END,
    attempts = iif(gone_at IS NULL, attempts, 0),
    outcome = iif(gone_at IS NULL, outcome, NULL),
    added_at = iif(gone_at IS NULL, added_at, excluded.added_at),
    updated_at = iif(gone_at IS NULL AND record = excluded.record, updated_at, excluded.updated_at)
  WHERE NOT coalesce(excluded.changed_at < ade_devices.changed_at, FALSE)`;

const DELETE = `WITH page AS MATERIALIZED (SELECT * FROM (${PAGE}) WHERE deleted)
  UPDATE ade_devices SET gone_at = ?3, updated_at = ?3, assign_at = NULL,
    changed_at = (SELECT page.changed_at FROM page WHERE page.serial = ade_devices.serial)
  WHERE account = ?2 AND gone_at IS NULL AND serial IN (
    SELECT page.serial FROM page JOIN ade_devices d ON d.account = ?2 AND d.serial = page.serial
    WHERE NOT coalesce(page.changed_at < d.changed_at, FALSE))`;

/** Changes that one statement takes: their texts, and what SQLite notes to undo the statement, are memory. */
const SLICE = 100;

/** A device is to have the stored profile ?1 and so the one at Apple ?2, from ?3 on; what Apple does not have yet waits. */
const WANT = `profile = ?1, wanted = ?2, attempts = 0, outcome = NULL,
  assign_at = iif(profile_uuid IS ?2 OR (?1 IS NOT NULL AND ?2 IS NULL), NULL, ?3)`;

/** Automated device enrolment over a database. */
export function sqliteAde(db: Database): AdeStore {
  const readSync = (accountId: string): SyncRow | undefined =>
    db.get<SyncRow>('SELECT * FROM ade_syncs WHERE account = ?', accountId);
  const held = (accountId: string, fence: number): SyncRow | null => {
    const row = readSync(accountId);
    return row?.fence === fence ? row : null;
  };

  const ownProfile = (accountId: string, id: string): ProfileRow | undefined =>
    db.get<ProfileRow>('SELECT * FROM ade_profiles WHERE id = ? AND account = ?', id, accountId);

  function devicesWhere({ accountId, presence = 'listed' }: AdeDeviceFilter): string {
    const parts = [accountId === undefined ? '(d.account, d.serial) > (?1, ?2)' : 'd.account = ?1 AND d.serial > ?2'];
    if (presence !== 'all') parts.push(`d.gone_at IS ${presence === 'listed' ? '' : 'NOT '}NULL`);
    return `SELECT ${deviceColumns} FROM ade_devices d WHERE ${parts.join(' AND ')}
      ORDER BY d.account, d.serial LIMIT ?3`;
  }

  /** Merges, inside a write. */
  function stage(items: readonly AdeStaging[]): void {
    if (items.length === 0) return;
    const rows = db.all<{ serial: string; attributes: string }>(
      'SELECT serial, attributes FROM ade_staged WHERE serial IN (SELECT value FROM json_each(?))',
      JSON.stringify(items.map((item) => item.serialNumber)),
    );
    const merged = new Map<string, Readonly<Record<string, FactValue>>>(
      rows.map((row) => [row.serial, JSON.parse(row.attributes)]),
    );
    for (const { serialNumber, set, clear } of items) {
      const cleared = Object.fromEntries(clear.map((name) => [name, null]));
      merged.set(serialNumber, { ...merged.get(serialNumber), ...set, ...cleared });
    }
    db.run(
      'INSERT OR REPLACE INTO ade_staged (serial, attributes) SELECT value ->> 0, value ->> 1 FROM json_each(?)',
      JSON.stringify([...merged].map(([serial, attributes]) => [serial, JSON.stringify(attributes)])),
    );
  }

  return {
    ...sqliteAdeProfiles(db, { held: (accountId, fence) => held(accountId, fence) !== null, ownProfile, want: WANT }),

    putAccount: (account, expectedVersion, { secrets, event }) =>
      db.write(() => {
        const old = db.get<{ version: number }>('SELECT version FROM ade_accounts WHERE id = ?', account.id);
        if ((old?.version ?? null) !== expectedVersion) return 'conflict';
        db.run(
          `INSERT OR REPLACE INTO ade_accounts
             (id, name, details, token_expires_at, default_profile, rules, version, created_at, updated_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          account.id,
          account.name,
          JSON.stringify(account.details),
          account.tokenExpiresAt,
          account.defaultProfile,
          JSON.stringify(account.rules),
          account.version,
          account.createdAt,
          account.updatedAt,
        );
        db.run('INSERT INTO ade_syncs (account) VALUES (?) ON CONFLICT (account) DO NOTHING', account.id);
        for (const { name, blob } of secrets) putSecret(db, `ade:${account.id}`, name, blob, account.updatedAt);
        appendEvents(db, [event]);
        return 'written';
      }),

    deleteAccount: (id, event) =>
      db.write(() => {
        if (db.run('DELETE FROM ade_accounts WHERE id = ?', id) === 0) return false;
        db.run('DELETE FROM ade_syncs WHERE account = ?', id);
        db.run('DELETE FROM ade_devices WHERE account = ?', id);
        db.run('DELETE FROM ade_profiles WHERE account = ?', id);
        db.run('DELETE FROM secrets WHERE scope = ?', `ade:${id}`);
        appendEvents(db, [event]);
        return true;
      }),

    getAccount: (id) =>
      db.read(() => {
        const row = db.get<AccountRow>('SELECT * FROM ade_accounts WHERE id = ?', id);
        return row === undefined ? null : accountOf(row);
      }),
    listAccounts: () => db.read(() => db.all<AccountRow>('SELECT * FROM ade_accounts ORDER BY id').map(accountOf)),
    syncState: (accountId) =>
      db.read(() => {
        const row = readSync(accountId);
        return row === undefined ? null : syncOf(row);
      }),

    acquire: ({ accountId, at, until }) =>
      db.write(() => {
        const row = db.get<SyncRow>(
          'UPDATE ade_syncs SET fence = fence + 1, leased_until = ?1 WHERE account = ?2 AND leased_until <= ?3 RETURNING *',
          until,
          accountId,
          at,
        );
        return row === undefined ? null : syncOf(row);
      }),
    prolong: ({ accountId, fence, until }) =>
      db.write(
        () =>
          db.run('UPDATE ade_syncs SET leased_until = ? WHERE account = ? AND fence = ?', until, accountId, fence) > 0,
      ),
    release: ({ accountId, fence, at, failure, finished }) =>
      db.write(() => {
        db.run(
          `UPDATE ade_syncs SET leased_until = 0, failure = ?1, finished_at = iif(?2, ?3, finished_at)
           WHERE account = ?4 AND fence = ?5`,
          failure,
          finished ? 1 : 0,
          at,
          accountId,
          fence,
        );
      }),

    commitPage({ accountId, fence, at, until, restarted, complete, next, changes, events }) {
      const commit = (): AdePageCounts | null => {
        const sync = db.get<SyncRow>(
          `UPDATE ade_syncs SET phase = ?1, cursor = ?2, generation = generation + ?3, pages = pages + 1,
             unswept = iif(?4, 1, iif(?3, 0, unswept)), progressed_at = ?5, leased_until = ?6
           WHERE account = ?7 AND fence = ?8 RETURNING *`,
          next.phase,
          next.cursor,
          restarted ? 1 : 0,
          complete ? 1 : 0,
          at,
          until,
          accountId,
          fence,
        );
        if (sync === undefined) return null;
        let [added, modified, deleted] = [0, 0, 0];
        for (let from = 0; from < changes.length; from += SLICE) {
          const slice = changeRows(changes.slice(from, from + SLICE));
          const row = db.get<Record<'added' | 'modified' | 'deleted', number | null>>(COUNT, slice, accountId);
          db.run(UPSERT, slice, accountId, at, sync.generation);
          if ((row?.deleted ?? 0) > 0) db.run(DELETE, slice, accountId, at);
          added += row?.added ?? 0;
          modified += row?.modified ?? 0;
          deleted += row?.deleted ?? 0;
        }
        const unchanged = changes.length - added - modified - deleted;
        const counts: AdePageCounts = { added, modified, deleted, unchanged };
        appendEvents(
          db,
          events.map((event) => ({ ...event, data: { ...event.data, ...counts } })),
        );
        return counts;
      };
      return db.writeMany(changes.length, commit);
    },

    sweep: ({ accountId, fence, at, limit }) =>
      db.writeMany(limit, () => {
        const sync = held(accountId, fence);
        if (sync === null) return null;
        if (sync.unswept === 0) return { gone: [], done: true };
        const gone = db.all<{ serial: string }>(
          `UPDATE ade_devices SET gone_at = ?1, updated_at = ?1, assign_at = NULL
           WHERE account = ?2 AND serial IN (
             SELECT serial FROM ade_devices WHERE account = ?2 AND gone_at IS NULL AND generation < ?3 LIMIT ?4)
           RETURNING serial`,
          at,
          accountId,
          sync.generation,
          limit,
        );
        const done = gone.length < limit;
        if (done) db.run('UPDATE ade_syncs SET unswept = 0 WHERE account = ?', accountId);
        return { gone: gone.map((row) => row.serial), done };
      }),

    assign: ({ accountId, serialNumbers, profileId, profileUuid, staging, at, events }) =>
      db.write(() => {
        const stored = profileId === null ? undefined : ownProfile(accountId, profileId);
        if (profileId !== null && stored === undefined) return 'unknown-profile';
        const serials = JSON.stringify([...new Set(serialNumbers)]);
        const missing = db.all<{ serial: string }>(
          `SELECT p.value AS serial FROM json_each(?1) p LEFT JOIN ade_devices d
             ON d.account = ?2 AND d.serial = p.value AND d.gone_at IS NULL
           WHERE d.serial IS NULL ORDER BY 1`,
          serials,
          accountId,
        );
        if (missing.length > 0) return missing.map((row) => row.serial);
        db.run(
          `UPDATE ade_devices SET ${WANT}
           WHERE account = ?4 AND gone_at IS NULL AND serial IN (SELECT value FROM json_each(?5))`,
          profileId,
          stored === undefined ? profileUuid : stored.apple_uuid,
          at,
          accountId,
          serials,
        );
        stage(staging);
        appendEvents(db, events);
        return [];
      }),

    dueAssignments: ({ accountId, at, limit }) =>
      db.read(() =>
        db
          .all<{ serial: string; wanted: string | null }>(
            `SELECT serial, wanted FROM ade_devices WHERE account = ? AND assign_at <= ?
             ORDER BY assign_at, serial LIMIT ?`,
            accountId,
            at,
            limit,
          )
          .map((row) => ({ serialNumber: row.serial, profileUuid: row.wanted })),
      ),

    settleAssignments: ({ accountId, fence, at, retryAt, outcomes }) =>
      db.writeMany(outcomes.length, () => {
        if (held(accountId, fence) === null) return false;
        const rows = outcomes.map((one) => [one.serialNumber, one.profileUuid, one.outcome]);
        db.run(
          `UPDATE ade_devices AS d SET
             outcome = p.value ->> 2,
             profile_uuid = iif(p.value ->> 2 = 'SUCCESS', d.wanted, d.profile_uuid),
             profile_status = CASE WHEN p.value ->> 2 <> 'SUCCESS' THEN d.profile_status
               WHEN d.wanted IS NULL THEN 'removed' ELSE 'assigned' END,
             assign_at = iif(p.value ->> 2 = 'SUCCESS', NULL, ?3),
             attempts = iif(p.value ->> 2 = 'SUCCESS', 0, d.attempts + 1),
             updated_at = iif(p.value ->> 2 = 'SUCCESS', ?4, d.updated_at)
           FROM json_each(?1) p
           WHERE d.account = ?2 AND d.serial = p.value ->> 0 AND d.wanted IS p.value ->> 1 AND d.assign_at IS NOT NULL`,
          JSON.stringify(rows),
          accountId,
          retryAt,
          at,
        );
        return true;
      }),

    devices: (filter, { after, limit }) =>
      db.read(() => {
        const [account, serial] = after === undefined ? ['', ''] : (JSON.parse(after) as [string, string]);
        const rows = db.all<DeviceRow>(devicesWhere(filter), filter.accountId ?? account, serial, limit + 1);
        return pageOf(rows, limit, (row) => JSON.stringify([row.account, row.serial]), deviceOf);
      }),
    findDevice: (serialNumber) =>
      db.read(() =>
        db
          .all<DeviceRow>(
            `SELECT ${deviceColumns} FROM ade_devices d WHERE d.serial = ? ORDER BY d.gone_at IS NOT NULL, d.account`,
            serialNumber,
          )
          .map(deviceOf),
      ),
    counts: (accountId) =>
      db.read(() => {
        const row = db.get<{ listed: number; due: number }>(
          `SELECT (SELECT count(*) FROM ade_devices WHERE account = ?1 AND gone_at IS NULL) AS listed,
             (SELECT count(*) FROM ade_devices WHERE account = ?1 AND assign_at IS NOT NULL) AS due`,
          accountId,
        );
        return { listed: row?.listed ?? 0, due: row?.due ?? 0 };
      }),

    enrolled: (serialNumbers) =>
      db.read(() =>
        db
          .all<{ serial: string; id: string }>(
            `SELECT e.serial_number AS serial, e.id FROM enrolments e
             WHERE e.serial_number IN (SELECT value FROM json_each(?)) AND e.channel = 'device'
               AND e.status IN ('pending', 'active')`,
            JSON.stringify(serialNumbers),
          )
          .map((row) => ({ serialNumber: row.serial, enrolmentId: row.id })),
      ),

    stage: (items) => db.write(() => stage(items)),
    staged: (serialNumber) =>
      db.read(() => {
        const row = db.get<{ attributes: string }>('SELECT attributes FROM ade_staged WHERE serial = ?', serialNumber);
        return row === undefined ? {} : JSON.parse(row.attributes);
      }),
  };
}
