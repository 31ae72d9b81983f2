// Credential settings: what they may say, their changes, and what names them.
import type { CredentialSetting, Credentials } from '../api/credentials.ts';
import { type Context, uuid } from '../engine/context.ts';
import { CoreError } from '../errors.ts';
import { names } from './holders.ts';

type Settings = Pick<Credentials, 'createSetting' | 'updateSetting' | 'deleteSetting' | 'settings' | 'setting'>;

const MOST_OPTION_CHARACTERS = 20_000;

/** Whose the identities are that somebody uploads. */
const scopes: Readonly<Partial<Record<CredentialSetting['source'], CredentialSetting['scope']>>> = {
  'user-provided': 'user',
  'single-file': 'shared',
};

/** Makes the part of the service that is about settings. */
export function createCredentialSettings(context: Context): Settings {
  const { store, clock, bus } = context;

  const changed = ({ id, name, version }: CredentialSetting, change: string) =>
    ({
      type: 'credential-setting.changed',
      at: clock.now(),
      enrolmentId: null,
      data: { settingId: id, name, version, change },
    }) as const;

  return {
    async createSetting(input) {
      const at = clock.now();
      const setting = checked({
        id: uuid(context.random).toLowerCase(),
        name: input.name,
        description: input.description ?? '',
        displayName: input.displayName ?? input.name,
        source: input.source,
        scope: scopes[input.source] ?? input.scope ?? 'device',
        requirePassword: input.requirePassword ?? true,
        deleteKeysAfterDays: input.deleteKeysAfterDays ?? null,
        generation: input.generation ?? 'on-demand',
        expiryWindowDays: input.expiryWindowDays ?? 60,
        revokeOnCheckOut: input.revokeOnCheckOut ?? false,
        options: input.options ?? {},
        version: 1,
        createdAt: at,
        updatedAt: at,
      });
      if ((await store.credentials.createSetting(setting, changed(setting, 'created'))) === 'name-taken') {
        throw nameTaken(setting.name);
      }
      bus.poke();
      return setting;
    },

    async updateSetting(id, change) {
      for (let attempt = 0; attempt < 5; attempt++) {
        const old = await store.credentials.setting(id);
        if (old === null) throw unknownSetting();
        const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
        const { source, scope } = old;
        const next = checked({ ...old, ...given, source, scope, version: old.version + 1, updatedAt: clock.now() });
        const outcome = await store.credentials.updateSetting(next, old.version, changed(next, 'updated'));
        if (outcome === 'name-taken') throw nameTaken(next.name);
        if (outcome === 'unknown') throw unknownSetting();
        if (outcome === 'conflict') continue;
        bus.poke();
        return next;
      }
      throw new CoreError('core.credential.conflict', 'conflict', 'the setting is being changed by others', {
        remedy: 'read it again and repeat the change',
      });
    },

    async deleteSetting(id) {
      const setting = await store.credentials.setting(id);
      if (setting === null) return;
      const user = (await store.configurations.list()).find(({ settings }) => names(settings, id));
      if (user !== undefined) {
        const message = `the configuration ${JSON.stringify(user.name)} uses this setting`;
        throw new CoreError('core.credential.in_use', 'conflict', message, {
          remedy: 'Take it out of the configuration first.',
        });
      }
      await store.credentials.deleteSetting(id, changed(setting, 'deleted'));
      bus.poke();
    },

    settings: () => store.credentials.settings(),
    setting: (id) => store.credentials.setting(id),
  };
}

/** @throws CoreError `core.credential.bad_setting` */
function checked(setting: CredentialSetting): CredentialSetting {
  const { name, description, displayName, source, scope, generation, deleteKeysAfterDays: days } = setting;
  const bad = (path: string, message: string): CoreError =>
    new CoreError('core.credential.bad_setting', 'invalid', message, { at: { path: `/${path}` } });
  const wholeIn = (value: number, most: number): boolean => Number.isInteger(value) && value >= 1 && value <= most;
  if (name.trim() === '' || name.length > 255) throw bad('name', 'a setting has a name of 1 to 255 characters');
  if (description.length > 2_000) throw bad('description', 'a description has at most 2,000 characters');
  if (displayName.trim() === '' || displayName.length > 255) {
    throw bad('displayName', 'a display name has 1 to 255 characters');
  }
  if (!['user-provided', 'single-file', 'issued'].includes(source)) {
    throw bad('source', 'it is user-provided, single-file or issued');
  }
  if (source === 'issued' && scope !== 'user' && scope !== 'device') {
    throw bad('scope', 'what is issued is of a user or of a device');
  }
  if (generation !== 'early' && generation !== 'on-demand') throw bad('generation', 'it is early or on-demand');
  if (days !== null && !wholeIn(days, 3_650)) {
    throw bad('deleteKeysAfterDays', 'keys are deleted after 1 to 3,650 whole days, or kept');
  }
  if (!wholeIn(setting.expiryWindowDays, 270)) throw bad('expiryWindowDays', 'the window has 1 to 270 whole days');
  if (JSON.stringify(setting.options).length > MOST_OPTION_CHARACTERS) {
    throw bad('options', `the options have at most ${MOST_OPTION_CHARACTERS} characters as JSON`);
  }
  return setting;
}

function nameTaken(name: string): CoreError {
  const message = `there is a credential setting ${JSON.stringify(name)} already`;
  return new CoreError('core.credential.name_taken', 'conflict', message);
}

/** The error for a setting that is not there. */
export function unknownSetting(): CoreError {
  return new CoreError('core.credential.unknown_setting', 'not-found', 'there is no such credential setting');
}
