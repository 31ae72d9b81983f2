// Enrolment profiles on SQLite: kept, published, followed by their devices, deleted in bounded steps.
import type { AdeStore } from '@espalier/core';
import { type ProfileRow, profileOf } from './ade-rows.ts';
import type { Database } from './database.ts';
import { appendEvents } from './rows.ts';

/** What the rest of the store lends. */
interface Shared {
  held(accountId: string, fence: number): boolean;
  ownProfile(accountId: string, id: string): ProfileRow | undefined;
  /** Assignments of an UPDATE of "ade_devices": the stored profile ?1, its UUID ?2, the time ?3. */
  readonly want: string;
}

/** The functions. */
export function sqliteAdeProfiles(
  db: Database,
  { held, ownProfile, want }: Shared,
): Pick<
  AdeStore,
  'putProfile' | 'getProfile' | 'listProfiles' | 'profileUse' | 'publishProfile' | 'followProfile' | 'deleteProfile'
> {
  return {
    putProfile: (profile, expectedVersion, event) =>
      db.write(() => {
        const old = db.get<{ version: number }>('SELECT version FROM ade_profiles WHERE id = ?', profile.id);
        if ((old?.version ?? null) !== expectedVersion) return 'conflict';
        if (db.get('SELECT 1 FROM ade_accounts WHERE id = ?', profile.accountId) === undefined) return 'conflict';
        db.run(
          `INSERT INTO ade_profiles
             (id, account, name, description, definition, version, apple_uuid, apple_version, failure, created_at, updated_at)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description,
             definition = excluded.definition, version = excluded.version, failure = excluded.failure,
             updated_at = excluded.updated_at`,
          profile.id,
          profile.accountId,
          profile.name,
          profile.description,
          JSON.stringify(profile.definition),
          profile.version,
          profile.appleUuid,
          profile.appleVersion,
          profile.failure,
          profile.createdAt,
          profile.updatedAt,
        );
        appendEvents(db, [event]);
        return 'written';
      }),
    getProfile: (id) =>
      db.read(() => {
        const row = db.get<ProfileRow>('SELECT * FROM ade_profiles WHERE id = ?', id);
        return row === undefined ? null : profileOf(row);
      }),
    listProfiles: (accountId) =>
      db.read(() =>
        db.all<ProfileRow>('SELECT * FROM ade_profiles WHERE account = ? ORDER BY id', accountId).map(profileOf),
      ),
    profileUse: (accountId) =>
      db
        .read(() =>
          db.all<{ profileId: string; devices: number; setUp: number }>(
            `SELECT profile AS profileId, count(*) AS devices, sum(profile_status = 'pushed') AS setUp FROM ade_devices
           WHERE account = ? AND profile IS NOT NULL AND gone_at IS NULL GROUP BY profile ORDER BY profile`,
            accountId,
          ),
        )
        .then((rows) => rows.map((row) => ({ ...row }))),
    publishProfile: ({ accountId, fence, profileId, version, uuid, failure, events }) =>
      db.write(() => {
        if (!held(accountId, fence)) return false;
        // Of a version that was changed since nothing is known.
        const touched = db.run(
          `UPDATE ade_profiles SET apple_uuid = coalesce(?3, apple_uuid), apple_version = iif(?3 IS NULL, apple_version, ?4),
             failure = iif(version = ?4, ?5, failure)
           WHERE id = ?1 AND account = ?2`,
          profileId,
          accountId,
          uuid,
          version,
          failure,
        );
        if (touched > 0) appendEvents(db, events);
        return true;
      }),
    followProfile: ({ accountId, fence, profileId, at, limit }) =>
      db.write(() => {
        if (!held(accountId, fence)) return null;
        const uuid = ownProfile(accountId, profileId)?.apple_uuid ?? null;
        if (uuid === null) return 0;
        // Each of the three walks the index: those that want it already are not looked at.
        const others = ['d.wanted IS NULL', 'd.wanted < ?2', 'd.wanted > ?2'].map(
          (which) => `SELECT * FROM (SELECT d.serial FROM ade_devices d
            WHERE d.account = ?4 AND d.profile = ?1 AND d.gone_at IS NULL AND ${which} LIMIT ?5)`,
        );
        return db.run(
          `UPDATE ade_devices SET ${want} WHERE account = ?4 AND serial IN (
             SELECT serial FROM (${others.join(' UNION ALL ')}) LIMIT ?5)`,
          profileId,
          uuid,
          at,
          accountId,
          limit,
        );
      }),
    deleteProfile: ({ accountId, profileId, successor, at, limit, event }) =>
      db.write(() => {
        if (ownProfile(accountId, profileId) === undefined) return { moved: 0, done: true };
        db.run(
          `UPDATE ade_accounts SET default_profile = ?1, version = version + 1, updated_at = ?2
           WHERE id = ?3 AND default_profile = ?4`,
          successor,
          at,
          accountId,
          profileId,
        );
        const next = successor === null ? undefined : ownProfile(accountId, successor);
        const moved = db.run(
          `UPDATE ade_devices SET ${want} WHERE account = ?4 AND serial IN (
             SELECT serial FROM ade_devices WHERE account = ?4 AND profile = ?5 AND gone_at IS NULL LIMIT ?6)`,
          next?.id ?? null,
          next?.apple_uuid ?? null,
          at,
          accountId,
          profileId,
          limit,
        );
        const done = moved < limit;
        if (done) {
          db.run('DELETE FROM ade_profiles WHERE id = ?', profileId);
          appendEvents(db, [event]);
        }
        return { moved, done };
      }),
  };
}
