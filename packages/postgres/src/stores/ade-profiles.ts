// Enrolment profiles on PostgreSQL: kept, published, followed by their devices, deleted in bounded steps.
import type { AdeProfile, AdeProfileUse, AdeStore } from '@espalier/core';
import type { Database, Queryable } from '../database.ts';
import { freeText, jsonText, sendEvents } from '../rows.ts';
import type { adeTexts } from './ade-texts.ts';

/** The functions. Whatever moves devices holds the account's sync row, so that it never meets a page. */
export function postgresAdeProfiles(
  db: Database,
  text: ReturnType<typeof adeTexts>,
): Pick<
  AdeStore,
  'putProfile' | 'getProfile' | 'listProfiles' | 'profileUse' | 'publishProfile' | 'followProfile' | 'deleteProfile'
> {
  const s = db.schema;
  const own = async (q: Queryable, accountId: string, id: string): Promise<AdeProfile | undefined> =>
    (await q.query<AdeProfile>('ade.ownProfile', text.ownProfile, [id, accountId]))[0];
  const held = async (q: Queryable, accountId: string, fence: number): Promise<boolean> =>
    (await q.query('ade.held', text.held, [accountId, fence])).length > 0;

  return {
    putProfile: (profile, expectedVersion, event) =>
      db.transaction(async (q) => {
        const there = await q.query('ade.accountThere', text.accountThere, [profile.accountId]);
        if (there.length === 0) return 'conflict';
        const [old] = await q.query<{ version: number }>('ade.profileVersion', text.profileVersion, [profile.id]);
        if ((old?.version ?? null) !== expectedVersion) return 'conflict';
        const { id, version, failure, updatedAt } = profile;
        const [name, description] = [freeText(profile.name), freeText(profile.description)];
        const definition = jsonText(profile.definition);
        const written =
          old === undefined
            ? await q.query('ade.addProfile', text.addProfile, [
                ...[id, profile.accountId, name, description, definition, version, profile.appleUuid],
                ...[profile.appleVersion, failure, profile.createdAt, updatedAt],
              ])
            : await q.query('ade.changeProfile', text.changeProfile, [
                ...[id, name, description, definition, version, failure, updatedAt],
              ]);
        // Somebody added it at this very moment.
        if (written.length === 0) return 'conflict';
        sendEvents(q, s, [event]);
        return 'written';
      }),
    async getProfile(id) {
      return (await db.query<AdeProfile>('ade.profile', text.profile, [id]))[0] ?? null;
    },
    listProfiles: (accountId) => db.query<AdeProfile>('ade.profiles', text.profiles, [accountId]),
    profileUse: (accountId) => db.query<AdeProfileUse>('ade.profileUse', text.profileUse, [accountId]),
    publishProfile: ({ accountId, fence, profileId, version, uuid, failure, events }) =>
      db.transaction(async (q) => {
        if (!(await held(q, accountId, fence))) return false;
        const values = [profileId, accountId, uuid, version, failure];
        const touched = await q.query('ade.publish', text.publish, values);
        if (touched.length > 0) sendEvents(q, s, events);
        return true;
      }),
    followProfile: ({ accountId, fence, profileId, at, limit }) =>
      db.transaction(async (q) => {
        if (!(await held(q, accountId, fence))) return null;
        const uuid = (await own(q, accountId, profileId))?.appleUuid ?? null;
        if (uuid === null) return 0;
        return (await q.query('ade.follow', text.follow, [profileId, uuid, at, accountId, limit])).length;
      }),
    deleteProfile: ({ accountId, profileId, successor, at, limit, event }) =>
      db.transaction(async (q) => {
        await q.query('ade.lock', text.lock, [accountId]);
        if ((await own(q, accountId, profileId)) === undefined) return { moved: 0, done: true };
        await q.query('ade.otherDefault', text.otherDefault, [successor, at, accountId, profileId]);
        const next = successor === null ? undefined : await own(q, accountId, successor);
        const to = [next?.id ?? null, next?.appleUuid ?? null];
        const moved = (await q.query('ade.leave', text.leave, [...to, at, accountId, profileId, limit])).length;
        const done = moved < limit;
        if (done) {
          await q.query('ade.deleteProfile', text.deleteProfile, [profileId]);
          sendEvents(q, s, [event]);
        }
        return { moved, done };
      }),
  };
}
