// Credential settings and credentials in memory.
import type { Credential } from '../api/credentials.ts';
import type { CredentialRecord, CredentialStore } from '../contracts/credentials.ts';
import { compare, type MemoryState, type Mutable, pageOf } from './state.ts';

const DAY = 86_400_000;

/** Credentials over the state. */
export function memoryCredentials(state: MemoryState): CredentialStore {
  const nameTaken = (name: string, id: string): boolean =>
    [...state.credentialSettings.values()].some((other) => other.id !== id && other.name === name);

  /** By setting and holder, then the newest. */
  function newest(settingId: string, holder: string): Mutable<CredentialRecord> | null {
    let found: Mutable<CredentialRecord> | null = null;
    for (const id of state.credentialsOf.get(holder) ?? []) {
      const row = state.credentials.get(id)!;
      if (row.settingId === settingId && (found === null || row.revision > found.revision)) found = row;
    }
    return found;
  }

  /** The certificate in the register that was issued for a credential. */
  function registered(row: CredentialRecord) {
    const certificate = state.certificates.get(row.fingerprint);
    return certificate?.credentialId === row.id ? certificate : undefined;
  }

  function end(row: Mutable<CredentialRecord>, at: number, by: NonNullable<Credential['keyDeletedBy']>): void {
    dropKey(row, at, by);
    const certificate = registered(row);
    if (certificate?.status === 'issued' || certificate?.status === 'in-force') certificate.status = 'superseded';
  }

  function remove(row: CredentialRecord): void {
    state.credentials.delete(row.id);
    state.credentialsOf.get(row.holder)?.delete(row.id);
  }

  return {
    async createSetting(setting, event) {
      state.open();
      if (nameTaken(setting.name, setting.id)) return 'name-taken';
      state.credentialSettings.set(setting.id, setting);
      state.appendEvents([event]);
      return 'created';
    },

    async updateSetting(setting, expectedVersion, event) {
      state.open();
      const old = state.credentialSettings.get(setting.id);
      if (old === undefined) return 'unknown';
      if (old.version !== expectedVersion) return 'conflict';
      if (nameTaken(setting.name, setting.id)) return 'name-taken';
      state.credentialSettings.set(setting.id, setting);
      state.appendEvents([event]);
      return 'updated';
    },

    async deleteSetting(id, event) {
      state.open();
      if (!state.credentialSettings.delete(id)) return false;
      for (const row of [...state.credentials.values()]) {
        if (row.settingId !== id) continue;
        end(row, event.at, 'replaced');
        remove(row);
      }
      state.appendEvents([event]);
      return true;
    },

    async settings() {
      state.open();
      return [...state.credentialSettings.values()].sort((a, b) => compare(a.name, b.name));
    },

    async setting(id) {
      state.open();
      return state.credentialSettings.get(id) ?? null;
    },

    async put({ credential, expectedId, certificate, events }) {
      state.open();
      if (!state.credentialSettings.has(credential.settingId)) return 'unknown';
      const before = newest(credential.settingId, credential.holder);
      if ((before?.id ?? null) !== expectedId) return 'conflict';
      if (before !== null) {
        end(before, credential.createdAt, 'replaced');
        if (isCurrent(before)) before.status = 'superseded';
      }
      state.credentials.set(credential.id, { ...credential });
      state.addCredentialOf(credential);
      if (certificate !== undefined) state.addCertificate(certificate);
      state.appendEvents(events);
      return 'stored';
    },

    async get(id) {
      state.open();
      const row = state.credentials.get(id);
      return row === undefined ? null : { ...row };
    },

    async newest(settingId, holder) {
      state.open();
      const row = newest(settingId, holder);
      return row === null ? null : { ...row };
    },

    async newestOf(holders) {
      state.open();
      return [...new Set(holders)].flatMap((holder) => {
        const rows = [...(state.credentialsOf.get(holder) ?? [])].map((id) => state.credentials.get(id)!);
        const settings = new Set(rows.map(({ settingId }) => settingId));
        return [...settings].map((settingId) => {
          const { id, revision, status, sealed, fingerprint } = newest(settingId, holder)!;
          return { id, settingId, holder, revision, status, keyStored: sealed !== null, fingerprint };
        });
      });
    },

    async list(filter, page) {
      state.open();
      const { settingId, holder, statuses, expiresBefore, expiresFrom } = filter;
      const found: Credential[] = [...state.credentials.values()]
        .filter(
          (row) =>
            (settingId === undefined || row.settingId === settingId) &&
            (holder === undefined || row.holder === holder) &&
            (statuses === undefined || statuses.includes(row.status)) &&
            (expiresBefore === undefined || row.notAfter < expiresBefore) &&
            (expiresFrom === undefined || row.notAfter >= expiresFrom),
        )
        .reverse()
        .map(({ sealed: _, ...row }) => row);
      return pageOf(found, ({ id }) => id, page);
    },

    async deleteKey({ id, at, by, event }) {
      state.open();
      const row = state.credentials.get(id);
      if (row === undefined || row.sealed === null) return false;
      dropKey(row, at, by);
      state.appendEvents([event]);
      return true;
    },

    async delivered({ id, at, event }) {
      state.open();
      const row = state.credentials.get(id);
      if (row === undefined || row.deliveredAt !== null || row.sealed === null) return false;
      row.deliveredAt = at;
      const certificate = registered(row);
      if (certificate !== undefined) {
        certificate.deliveredAt = at;
        if (certificate.status === 'issued') certificate.status = 'in-force';
      }
      state.appendEvents([event]);
      return true;
    },

    async supersede({ id, at, event }) {
      state.open();
      const row = state.credentials.get(id);
      if (row === undefined || !isCurrent(row)) return false;
      end(row, at, 'replaced');
      row.status = 'superseded';
      state.appendEvents([event]);
      return true;
    },

    async deleteOldKeys({ at, limit }) {
      state.open();
      const old = [...state.credentials.values()].filter((row) => {
        const days = state.credentialSettings.get(row.settingId)?.deleteKeysAfterDays ?? null;
        return row.sealed !== null && days !== null && row.createdAt + days * DAY <= at;
      });
      return old.slice(0, limit).map((row) => {
        dropKey(row, at, 'age');
        const data = { credentialId: row.id, settingId: row.settingId, holder: row.holder, by: 'age' };
        state.appendEvents([{ type: 'credential.key-deleted', at, enrolmentId: null, data }]);
        return changed(row);
      });
    },

    async discard({ before, at, limit }) {
      state.open();
      const old = [...state.credentials.values()].filter(
        (row) =>
          row.origin === 'issued' &&
          row.deliveredAt === null &&
          isCurrent(row) &&
          row.status !== 'revoked' &&
          row.createdAt < before,
      );
      return old.slice(0, limit).map((row) => {
        end(row, at, 'undelivered');
        row.status = 'discarded';
        const { id, settingId, holder, fingerprint } = row;
        const data = { credentialId: id, settingId, holder, fingerprint };
        state.appendEvents([{ type: 'credential.discarded', at, enrolmentId: null, data }]);
        return changed(row);
      });
    },

    async age({ at, limit }) {
      state.open();
      const aged: { readonly row: Mutable<CredentialRecord>; readonly status: 'expiring' | 'expired' }[] = [];
      for (const row of state.credentials.values()) {
        if (aged.length >= limit) break;
        const { notBefore, notAfter, status } = row;
        if (status !== 'active' && status !== 'expiring') continue;
        const days = state.credentialSettings.get(row.settingId)?.expiryWindowDays ?? 0;
        const window = Math.min(days * DAY, Math.trunc(((notAfter - notBefore) * 3) / 4));
        if (notAfter <= at) aged.push({ row, status: 'expired' });
        else if (status === 'active' && notAfter <= at + window) aged.push({ row, status: 'expiring' });
      }
      return aged.map(({ row, status }) => {
        row.status = status;
        const { id, settingId, holder, fingerprint, notAfter } = row;
        const data = { credentialId: id, settingId, holder, fingerprint, notAfter };
        state.appendEvents([{ type: `credential.${status}`, at, enrolmentId: null, data }]);
        return changed(row);
      });
    },

    async purge({ before, limit }) {
      state.open();
      const over = [...state.credentials.values()].filter(
        ({ status, notAfter }) =>
          (status === 'superseded' || status === 'discarded' || status === 'revoked') && notAfter < before,
      );
      // The newest of its holder stays: it says which revision comes next.
      const gone = over.filter((row) => newest(row.settingId, row.holder) !== row).slice(0, limit);
      for (const row of gone) remove(row);
      return gone.length;
    },
  };
}

const isCurrent = ({ status }: CredentialRecord): boolean =>
  status === 'active' || status === 'expiring' || status === 'expired' || status === 'revoked';

const changed = ({ id, settingId, holder }: CredentialRecord) => ({ id, settingId, holder });

/** Deletes the key of a row, where there is one. */
export function dropKey(row: Mutable<CredentialRecord>, at: number, by: NonNullable<Credential['keyDeletedBy']>): void {
  if (row.sealed === null) return;
  Object.assign(row, { sealed: null, keyDeletedAt: at, keyDeletedBy: by });
}
