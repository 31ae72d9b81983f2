// Enrolment profiles of accounts: kept here, given to Apple by the sync, deleted with what that means for devices.
import type { Ade, NewAdeProfile } from '../api/ade.ts';
import type { AdeProfile } from '../contracts/ade.ts';
import type { NewEvent } from '../contracts/shared.ts';
import { type Context, uuid } from '../engine/context.ts';
import { CoreError } from '../errors.ts';
import { unknownAccount } from './accounts.ts';

/** Devices that one step moves. */
const BATCH = 1_000;
const MOST_CHARACTERS = 512 * 1024;

/** The error for a profile that there is not. */
export function unknownProfile(): CoreError {
  return new CoreError('core.ade.unknown_profile', 'not-found', 'the account has no such profile');
}

/** Makes the functions. */
export function createAdeProfiles(
  context: Context,
): Pick<Ade, 'createProfile' | 'updateProfile' | 'deleteProfile' | 'profiles' | 'profile'> {
  const { store, clock, random } = context;

  const changed = ({ accountId, id }: Pick<AdeProfile, 'accountId' | 'id'>, change: string): NewEvent => ({
    type: 'ade.profile-changed',
    at: clock.now(),
    enrolmentId: null,
    data: { accountId, profileId: id, change },
  });

  async function put(profile: AdeProfile, expected: number | null, change: string): Promise<AdeProfile> {
    if ((await store.ade.putProfile(profile, expected, changed(profile, change))) === 'conflict') {
      throw new CoreError('core.ade.changed_meanwhile', 'conflict', 'the profile was changed by somebody else', {
        remedy: 'read it again, and repeat the change',
      });
    }
    context.bus.poke();
    return profile;
  }

  return {
    async createProfile(accountId, input) {
      check(input);
      if ((await store.ade.getAccount(accountId)) === null) throw unknownAccount();
      const at = clock.now();
      const { name, description = '', definition } = input;
      const id = uuid(random).toLowerCase();
      const apple = { appleUuid: null, appleVersion: 0, failure: null };
      const times = { createdAt: at, updatedAt: at };
      return put({ id, accountId, name, description, definition, version: 1, ...apple, ...times }, null, 'created');
    },

    async updateProfile(id, change, { expectedVersion } = {}) {
      const old = await store.ade.getProfile(id);
      if (old === null) throw unknownProfile();
      check({ ...old, ...change });
      const version = expectedVersion ?? old.version;
      const profile = { ...old, ...change, version: version + 1, failure: null, updatedAt: clock.now() };
      return put(profile, version, 'updated');
    },

    async deleteProfile(id, { newDefault } = {}) {
      const profile = await store.ade.getProfile(id);
      const account = profile && (await store.ade.getAccount(profile.accountId));
      if (profile === null || account === null) throw unknownProfile();
      if (account.rules.some((rule) => rule['profileId'] === id)) {
        throw new CoreError('core.ade.profile_in_rules', 'conflict', 'a rule of the account gives this profile', {
          remedy: 'take the rule away, or let it give another profile',
        });
      }
      let successor = account.defaultProfile;
      if (successor === id) {
        if (newDefault === undefined || newDefault === id) {
          throw new CoreError('core.ade.default_profile', 'conflict', 'this profile is the account’s default', {
            remedy: 'name the new default, or say that there is to be none',
          });
        }
        successor = newDefault;
      }
      const next = successor === null ? null : await store.ade.getProfile(successor);
      // A default that is not kept here is one at Apple: devices cannot be told to follow it.
      if (successor !== null && next?.accountId !== account.id) throw unknownProfile();
      const event = changed(profile, 'deleted');
      let devices = 0;
      for (;;) {
        const step = { accountId: account.id, profileId: id, successor, at: clock.now(), limit: BATCH, event };
        const { moved, done } = await store.ade.deleteProfile(step);
        devices += moved;
        if (done) break;
      }
      context.bus.poke();
      return { devices };
    },

    async profiles(accountId) {
      if ((await store.ade.getAccount(accountId)) === null) throw unknownAccount();
      const uses = new Map((await store.ade.profileUse(accountId)).map((use) => [use.profileId, use]));
      return (await store.ade.listProfiles(accountId))
        .map((profile) => {
          const { devices = 0, setUp = 0 } = uses.get(profile.id) ?? {};
          return { ...profile, devices, setUp };
        })
        .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    },
    profile: (id) => store.ade.getProfile(id),
  };
}

function check({ name, description = '', definition }: NewAdeProfile): void {
  const wrong = (path: string, message: string): CoreError =>
    new CoreError('core.ade.bad_profile', 'invalid', message, { at: { path } });
  if (name.trim() === '' || name.length > 125) throw wrong('name', 'a profile has a name of at most 125 characters');
  if (description.length > 2_000) throw wrong('description', 'a description has at most 2,000 characters');
  if (JSON.stringify(definition).length > MOST_CHARACTERS) {
    throw wrong('definition', 'a definition has at most 512 KB of JSON');
  }
}
