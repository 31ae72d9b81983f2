// The credential service: uploads, deletion of keys, and what users and administrators see.
import type { Credential, Credentials, UserCredential } from '../api/credentials.ts';
import type { CredentialRecord } from '../contracts/credentials.ts';
import { type Context, pageOf } from '../engine/context.ts';
import { CoreError } from '../errors.ts';
import { deviceHolder, markDevices, requestReissue, sharedHolder, userHolder, userKey, userOf } from './holders.ts';
import { type KeptIdentity, newCredential, publicCredential } from './keep.ts';
import { createCredentialSettings, unknownSetting } from './settings.ts';
import { readFiles, readUpload } from './upload.ts';

/** Makes the service. */
export function createCredentials(context: Context): Credentials {
  const { store, clock, bus, options } = context;

  async function found(id: string): Promise<CredentialRecord> {
    const credential = await store.credentials.get(id);
    if (credential === null) {
      throw new CoreError('core.credential.unknown', 'not-found', 'there is no such credential');
    }
    return credential;
  }

  async function dropKey(row: Pick<CredentialRecord, 'id' | 'settingId' | 'holder'>, by: 'user' | 'admin') {
    const at = clock.now();
    const data = { credentialId: row.id, settingId: row.settingId, holder: row.holder, by };
    const event = { type: 'credential.key-deleted', at, enrolmentId: null, data } as const;
    const done = await store.credentials.deleteKey({ id: row.id, at, by, event });
    if (done) bus.poke();
    return done;
  }

  /** Keeps an uploaded identity in the place of the one before; the devices that are to have it get it. */
  async function keep(
    settingId: string,
    holder: string,
    by: 'user' | 'admin',
    identity: KeptIdentity,
  ): Promise<Credential> {
    const before = await store.credentials.newest(settingId, holder);
    const credential = newCredential(context, { settingId, holder, origin: by }, before, identity);
    const { id, fingerprint, subject, notAfter, createdAt: at } = credential;
    const data = { credentialId: id, settingId, holder, fingerprint, subject, notAfter, by };
    const events = [{ type: 'credential.uploaded', at, enrolmentId: null, data } as const];
    const outcome = await store.credentials.put({ credential, expectedId: before?.id ?? null, events });
    if (outcome === 'unknown') throw unknownSetting();
    if (outcome === 'conflict') {
      throw new CoreError('core.credential.conflict', 'conflict', 'another file was uploaded at the same moment', {
        remedy: 'Look at what is there now, and upload again if it is not the right one.',
      });
    }
    bus.poke();
    await markDevices(context, [holder]);
    return publicCredential(credential);
  }

  return {
    ...createCredentialSettings(context),

    async upload({ settingId, userId, file, password, by = 'admin' }) {
      await context.vault.ready();
      const setting = await store.credentials.setting(settingId);
      if (setting === null) throw unknownSetting();
      if (setting.source !== 'user-provided') {
        throw new CoreError('core.credential.not_uploaded', 'conflict', 'users upload nothing for this setting');
      }
      const holder = userHolder(userKey(userId));
      const identity = await readUpload(setting, file, password, clock.now());
      return await keep(setting.id, holder, by, identity);
    },

    async uploadFiles({ settingId, files }) {
      await context.vault.ready();
      const setting = await store.credentials.setting(settingId);
      if (setting === null) throw unknownSetting();
      if (setting.source !== 'single-file') {
        throw new CoreError('core.credential.not_uploaded', 'conflict', 'this setting takes no file for all devices');
      }
      return await keep(setting.id, sharedHolder(setting.id), 'admin', await readFiles(files, clock.now()));
    },

    async deleteKey(id, by = 'admin') {
      return await dropKey(await found(id), by);
    },

    async reissue(id) {
      const row = await found(id);
      if (row.origin === 'issued') return await requestReissue(context, row, 'admin');
      throw new CoreError('core.credential.not_issued', 'conflict', 'users upload these identities themselves');
    },

    async deleteKeysOf(userId) {
      let count = 0;
      for (const row of await store.credentials.newestOf([userHolder(userKey(userId))])) {
        if (row.keyStored && (await dropKey(row, 'admin'))) count++;
      }
      return count;
    },

    async get(id) {
      const credential = await store.credentials.get(id);
      return credential === null ? null : publicCredential(credential);
    },

    async list({ settingId, userId, enrolmentId, statuses, expiresBefore, expiresFrom, ...page } = {}) {
      if (userId !== undefined && enrolmentId !== undefined) {
        throw new CoreError('core.credential.two_holders', 'invalid', 'name a user or a device, not both');
      }
      const holder =
        userId !== undefined
          ? userHolder(userKey(userId))
          : enrolmentId === undefined
            ? undefined
            : deviceHolder(enrolmentId);
      return store.credentials.list(
        {
          ...(settingId === undefined ? {} : { settingId }),
          ...(holder === undefined ? {} : { holder }),
          ...(statuses === undefined ? {} : { statuses }),
          ...(expiresBefore === undefined ? {} : { expiresBefore }),
          ...(expiresFrom === undefined ? {} : { expiresFrom }),
        },
        pageOf(page),
      );
    },

    async ofUser(userId) {
      const holder = userHolder(userKey(userId));
      const newest = new Map((await store.credentials.newestOf([holder])).map((row) => [row.settingId, row]));
      const shown: UserCredential[] = [];
      for (const setting of await store.credentials.settings()) {
        if (setting.source !== 'user-provided') continue;
        const row = newest.get(setting.id);
        const credential = row === undefined ? null : await store.credentials.get(row.id);
        shown.push({
          settingId: setting.id,
          displayName: setting.displayName,
          requirePassword: setting.requirePassword,
          deleteKeysAfterDays: setting.deleteKeysAfterDays,
          credential: credential === null ? null : publicCredential(credential),
          state: row === undefined ? 'missing' : row.keyStored ? 'stored' : 'key-deleted',
        });
      }
      return shown;
    },

    userOf: (facts) => userOf(facts, options.userFields),
  };
}
