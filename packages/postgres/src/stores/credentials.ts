// Credential settings and credentials on PostgreSQL.
import type {
  ChangedCredential,
  Credential,
  CredentialRecord,
  CredentialSetting,
  CredentialStore,
  CredentialSummary,
} from '@espalier/core';
import type { Database, Queryable } from '../database.ts';
import { cut, freeText, sendEvents } from '../rows.ts';
import { addCertificate } from './certificates.ts';

const DAY = 86_400_000;
const CURRENT = "('active', 'expiring', 'expired', 'revoked')";

type Ended = ChangedCredential & { readonly fingerprint: string };
type Aged = Ended & { readonly notAfter: number; readonly status: 'expiring' | 'expired' };

/** Credentials over the database. */
export function postgresCredentials(db: Database): CredentialStore {
  const s = db.schema;
  const columns = `id, setting_id AS "settingId", holder, status, revision, origin, fingerprint,
    serial_number AS "serialNumber", subject, issuer, not_before AS "notBefore", not_after AS "notAfter",
    public_key_hash AS "publicKeyHash", certificate, created_at AS "createdAt", delivered_at AS "deliveredAt",
    key_deleted_at AS "keyDeletedAt", key_deleted_by AS "keyDeletedBy"`;
  const changed = `c.id, c.setting_id AS "settingId", c.holder`;
  const supersede = `UPDATE ${s}.certificate r SET status = 'superseded' FROM ended
    WHERE r.fingerprint = ended.fingerprint AND r.credential_id = ended.id AND r.status IN ('issued', 'in-force')`;
  const text = {
    lock: `SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))`,
    taken: `SELECT 1 FROM ${s}.credential_setting WHERE name = $1 AND id <> $2`,
    version: `SELECT version FROM ${s}.credential_setting WHERE id = $1 FOR UPDATE`,
    addSetting: `INSERT INTO ${s}.credential_setting (name, version, delete_keys_after_days, expiry_window_days, body, id)
      VALUES ($1, $2, $3, $4, $5, $6)`,
    writeSetting: `UPDATE ${s}.credential_setting SET name = $1, version = $2, delete_keys_after_days = $3,
        expiry_window_days = $4, body = $5 WHERE id = $6`,
    removeSetting: `DELETE FROM ${s}.credential_setting WHERE id = $1 RETURNING 1`,
    removeCredentials: `WITH ended AS (DELETE FROM ${s}.credential WHERE setting_id = $1 RETURNING id, fingerprint)
      ${supersede}`,
    settings: `SELECT body FROM ${s}.credential_setting ORDER BY name`,
    setting: `SELECT body FROM ${s}.credential_setting WHERE id = $1`,
    known: `SELECT 1 FROM ${s}.credential_setting WHERE id = $1 FOR KEY SHARE`,
    newest: `SELECT ${columns}, sealed FROM ${s}.credential WHERE holder = $1 AND setting_id = $2
      ORDER BY revision DESC LIMIT 1`,
    replace: `WITH ended AS (
        UPDATE ${s}.credential SET status = CASE WHEN status IN ${CURRENT} THEN 'superseded' ELSE status END,
          key_deleted_at = CASE WHEN sealed IS NULL THEN key_deleted_at ELSE $2 END,
          key_deleted_by = CASE WHEN sealed IS NULL THEN key_deleted_by ELSE 'replaced' END, sealed = NULL
        WHERE id = $1 RETURNING id, fingerprint
      ) ${supersede}`,
    supersede: `WITH ended AS (
        UPDATE ${s}.credential SET status = 'superseded',
          key_deleted_at = CASE WHEN sealed IS NULL THEN key_deleted_at ELSE $2 END,
          key_deleted_by = CASE WHEN sealed IS NULL THEN key_deleted_by ELSE 'replaced' END, sealed = NULL
        WHERE id = $1 AND status IN ${CURRENT} RETURNING id, fingerprint
      ), registered AS (${supersede})
      SELECT id FROM ended`,
    get: `SELECT ${columns}, sealed FROM ${s}.credential WHERE id = $1`,
    newestOf: `SELECT DISTINCT ON (holder, setting_id) id, setting_id AS "settingId", holder, revision, status,
        sealed IS NOT NULL AS "keyStored", fingerprint
      FROM ${s}.credential WHERE holder = ANY ($1::text[]) ORDER BY holder, setting_id, revision DESC`,
    list: `SELECT ${columns} FROM ${s}.credential
      WHERE ($1::text IS NULL OR setting_id = $1) AND ($2::text IS NULL OR holder = $2)
        AND ($3::text[] IS NULL OR status = ANY ($3)) AND ($4::bigint IS NULL OR not_after < $4)
        AND ($5::bigint IS NULL OR not_after >= $5)
        AND ($6::text IS NULL OR n < (SELECT n FROM ${s}.credential WHERE id = $6))
      ORDER BY n DESC LIMIT $7`,
    deleteKey: `UPDATE ${s}.credential SET sealed = NULL, key_deleted_at = $2, key_deleted_by = $3
      WHERE id = $1 AND sealed IS NOT NULL RETURNING 1`,
    delivered: `WITH sent AS (
        UPDATE ${s}.credential SET delivered_at = $2 WHERE id = $1 AND delivered_at IS NULL AND sealed IS NOT NULL
        RETURNING id, fingerprint
      ), registered AS (
        UPDATE ${s}.certificate r SET delivered_at = $2,
          status = CASE r.status WHEN 'issued' THEN 'in-force' ELSE r.status END
        FROM sent WHERE r.fingerprint = sent.fingerprint AND r.credential_id = sent.id
      ) SELECT id FROM sent`,
    deleteOldKeys: `WITH old AS MATERIALIZED (
        SELECT c.id FROM ${s}.credential_setting t JOIN ${s}.credential c ON c.setting_id = t.id
        WHERE t.delete_keys_after_days IS NOT NULL AND c.sealed IS NOT NULL
          AND c.created_at <= $1::bigint - t.delete_keys_after_days * ${DAY} LIMIT $2 FOR UPDATE OF c SKIP LOCKED
      )
      UPDATE ${s}.credential c SET sealed = NULL, key_deleted_at = $1, key_deleted_by = 'age' FROM old
      WHERE c.id = old.id RETURNING ${changed}`,
    discard: `WITH old AS MATERIALIZED (
        SELECT id FROM ${s}.credential
        WHERE delivered_at IS NULL AND origin = 'issued' AND status IN ('active', 'expiring', 'expired')
          AND created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
      ), ended AS (
        UPDATE ${s}.credential c SET status = 'discarded',
          key_deleted_at = CASE WHEN c.sealed IS NULL THEN c.key_deleted_at ELSE $3 END,
          key_deleted_by = CASE WHEN c.sealed IS NULL THEN c.key_deleted_by ELSE 'undelivered' END, sealed = NULL
        FROM old WHERE c.id = old.id RETURNING ${changed}, c.fingerprint
      ), registered AS (${supersede})
      SELECT * FROM ended`,
    age: `WITH old AS MATERIALIZED (
        SELECT c.id FROM ${s}.credential c LEFT JOIN ${s}.credential_setting t ON t.id = c.setting_id
        WHERE c.status IN ('active', 'expiring') AND c.not_after <= $1::bigint + 270 * ${DAY}::bigint
          AND (c.not_after <= $1::bigint OR c.status = 'active' AND c.not_after <= $1::bigint +
            least(coalesce(t.expiry_window_days, 0) * ${DAY}, (c.not_after - c.not_before) * 3 / 4))
        LIMIT $2 FOR UPDATE OF c SKIP LOCKED
      )
      UPDATE ${s}.credential c SET status = CASE WHEN c.not_after <= $1 THEN 'expired' ELSE 'expiring' END FROM old
      WHERE c.id = old.id RETURNING ${changed}, c.fingerprint, c.not_after AS "notAfter", c.status`,
    purge: `WITH old AS MATERIALIZED (
        SELECT c.id FROM ${s}.credential c
        WHERE c.status IN ('superseded', 'discarded', 'revoked') AND c.not_after < $1 AND EXISTS (
          SELECT 1 FROM ${s}.credential m
          WHERE m.holder = c.holder AND m.setting_id = c.setting_id AND m.revision > c.revision)
        LIMIT $2 FOR UPDATE SKIP LOCKED
      ), gone AS (DELETE FROM ${s}.credential c USING old WHERE c.id = old.id RETURNING 1)
      SELECT count(*) AS count FROM gone`,
  };

  const settingValues = (setting: CredentialSetting) => {
    const { id, name, version, deleteKeysAfterDays, expiryWindowDays } = setting;
    return [freeText(name), version, deleteKeysAfterDays, expiryWindowDays, JSON.stringify(setting), id];
  };
  const isTaken = async (q: Queryable, { id, name }: CredentialSetting): Promise<boolean> => {
    // Two of one name at the same moment: the second waits here.
    await q.query('credentials.lock', text.lock, [`${db.schemaName}.credential-setting`, freeText(name)]);
    return (await q.query('credentials.taken', text.taken, [freeText(name), id])).length > 0;
  };

  return {
    createSetting: (setting, event) =>
      db.transaction(async (q) => {
        if (await isTaken(q, setting)) return 'name-taken';
        await q.query('credentials.addSetting', text.addSetting, settingValues(setting));
        sendEvents(q, s, [event]);
        return 'created';
      }),

    updateSetting: (setting, expectedVersion, event) =>
      db.transaction(async (q) => {
        const taken = await isTaken(q, setting);
        const [old] = await q.query<{ version: number }>('credentials.version', text.version, [setting.id]);
        if (old === undefined) return 'unknown';
        if (old.version !== expectedVersion) return 'conflict';
        if (taken) return 'name-taken';
        await q.query('credentials.writeSetting', text.writeSetting, settingValues(setting));
        sendEvents(q, s, [event]);
        return 'updated';
      }),

    deleteSetting: (id, event) =>
      db.transaction(async (q) => {
        if ((await q.query('credentials.removeSetting', text.removeSetting, [id])).length === 0) return false;
        await q.query('credentials.removeCredentials', text.removeCredentials, [id]);
        sendEvents(q, s, [event]);
        return true;
      }),

    async settings() {
      const rows = await db.query<{ body: CredentialSetting }>('credentials.settings', text.settings);
      return rows.map(({ body }) => body);
    },

    async setting(id) {
      const [row] = await db.query<{ body: CredentialSetting }>('credentials.setting', text.setting, [id]);
      return row?.body ?? null;
    },

    put: ({ credential, expectedId, certificate, events }) =>
      db.transaction(async (q) => {
        const { settingId, holder, createdAt } = credential;
        if ((await q.query('credentials.known', text.known, [settingId])).length === 0) return 'unknown';
        await q.query('credentials.lock', text.lock, [`${db.schemaName}.credential`, `${settingId}\n${holder}`]);
        const [before] = await q.query<CredentialRecord>('credentials.newest', text.newest, [holder, settingId]);
        if ((before?.id ?? null) !== expectedId) return 'conflict';
        if (before !== undefined) await q.query('credentials.replace', text.replace, [before.id, createdAt]);
        await add(q, s, credential);
        if (certificate !== undefined) await addCertificate(q, s, certificate);
        sendEvents(q, s, events);
        return 'stored';
      }),

    async get(id) {
      return (await db.query<CredentialRecord>('credentials.get', text.get, [id]))[0] ?? null;
    },

    async newest(settingId, holder) {
      return (await db.query<CredentialRecord>('credentials.newest', text.newest, [holder, settingId]))[0] ?? null;
    },

    newestOf: (holders) => db.query<CredentialSummary>('credentials.newestOf', text.newestOf, [holders]),

    async list({ settingId, holder, statuses, expiresBefore, expiresFrom }, { after, limit }) {
      const filter = [settingId ?? null, holder ?? null, statuses ?? null, expiresBefore ?? null, expiresFrom ?? null];
      const values = [...filter, after ?? null, limit + 1];
      const rows = await db.query<Credential>('credentials.list', text.list, values);
      return cut(
        rows,
        limit,
        (row) => row.id,
        (row) => row,
      );
    },

    deleteKey: ({ id, at, by, event }) =>
      db.transaction(async (q) => {
        if ((await q.query('credentials.deleteKey', text.deleteKey, [id, at, by])).length === 0) return false;
        sendEvents(q, s, [event]);
        return true;
      }),

    delivered: ({ id, at, event }) =>
      db.transaction(async (q) => {
        if ((await q.query('credentials.delivered', text.delivered, [id, at])).length === 0) return false;
        sendEvents(q, s, [event]);
        return true;
      }),

    supersede: ({ id, at, event }) =>
      db.transaction(async (q) => {
        if ((await q.query('credentials.supersede', text.supersede, [id, at])).length === 0) return false;
        sendEvents(q, s, [event]);
        return true;
      }),

    deleteOldKeys: ({ at, limit }) =>
      db.transaction(async (q) => {
        const rows = await q.query<ChangedCredential>('credentials.deleteOldKeys', text.deleteOldKeys, [at, limit]);
        const events = rows.map(({ id, settingId, holder }) => ({
          ...{ type: 'credential.key-deleted' as const, at, enrolmentId: null },
          data: { credentialId: id, settingId, holder, by: 'age' },
        }));
        sendEvents(q, s, events);
        return rows;
      }),

    discard: ({ before, at, limit }) =>
      db.transaction(async (q) => {
        const rows = await q.query<Ended>('credentials.discard', text.discard, [before, limit, at]);
        const events = rows.map(({ id, settingId, holder, fingerprint }) => ({
          ...{ type: 'credential.discarded' as const, at, enrolmentId: null },
          data: { credentialId: id, settingId, holder, fingerprint },
        }));
        sendEvents(q, s, events);
        return rows.map(plain);
      }),

    age: ({ at, limit }) =>
      db.transaction(async (q) => {
        const rows = await q.query<Aged>('credentials.age', text.age, [at, limit]);
        const events = rows.map(({ id, settingId, holder, fingerprint, notAfter, status }) => ({
          ...{ type: `credential.${status}` as const, at, enrolmentId: null },
          data: { credentialId: id, settingId, holder, fingerprint, notAfter },
        }));
        sendEvents(q, s, events);
        return rows.map(plain);
      }),

    async purge({ before, limit }) {
      const [row] = await db.query<{ count: number }>('credentials.purge', text.purge, [before, limit]);
      return row?.count ?? 0;
    },
  };
}

const plain = ({ id, settingId, holder }: ChangedCredential): ChangedCredential => ({ id, settingId, holder });

async function add(q: Queryable, s: string, credential: CredentialRecord): Promise<void> {
  await q.query(
    'credentials.add',
    `INSERT INTO ${s}.credential (id, setting_id, holder, revision, status, origin, fingerprint, serial_number, subject,
        issuer, not_before, not_after, public_key_hash, certificate, created_at, delivered_at, key_deleted_at,
        key_deleted_by, sealed)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
    [
      credential.id,
      credential.settingId,
      credential.holder,
      credential.revision,
      credential.status,
      credential.origin,
      credential.fingerprint,
      credential.serialNumber,
      freeText(credential.subject),
      freeText(credential.issuer),
      credential.notBefore,
      credential.notAfter,
      credential.publicKeyHash,
      credential.certificate,
      credential.createdAt,
      credential.deliveredAt,
      credential.keyDeletedAt,
      credential.keyDeletedBy,
      credential.sealed,
    ],
  );
}
