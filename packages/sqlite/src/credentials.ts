// Credential settings and credentials on SQLite.
import type {
  ChangedCredential,
  Credential,
  CredentialFilter,
  CredentialRecord,
  CredentialSetting,
  CredentialStore,
  CredentialSummary,
} from '@espalier/core';
import { addCertificate } from './certificates.ts';
import type { Database } from './database.ts';
import { appendEvents, pageOf } from './rows.ts';

interface CredentialRow {
  readonly nr: number;
  readonly id: string;
  readonly setting_id: string;
  readonly holder: string;
  readonly revision: number;
  readonly status: Credential['status'];
  readonly origin: Credential['origin'];
  readonly fingerprint: string;
  readonly serial_number: string;
  readonly subject: string;
  readonly issuer: string;
  readonly not_before: number;
  readonly not_after: number;
  readonly public_key_hash: string;
  readonly certificate: Uint8Array;
  readonly created_at: number;
  readonly delivered_at: number | null;
  readonly key_deleted_at: number | null;
  readonly key_deleted_by: Credential['keyDeletedBy'];
  readonly sealed: Uint8Array | null;
}

const DAY = 86_400_000;
const CURRENT = "('active', 'expiring', 'expired', 'revoked')";

/** Credentials over a database. */
export function sqliteCredentials(db: Database): CredentialStore {
  const settingRow = (setting: CredentialSetting) =>
    [
      setting.name,
      setting.version,
      setting.deleteKeysAfterDays,
      setting.expiryWindowDays,
      JSON.stringify(setting),
      setting.id,
    ] as const;
  const settingOf = ({ body }: { readonly body: string }) => JSON.parse(body) as CredentialSetting;
  const nameTaken = ({ name, id }: CredentialSetting): boolean =>
    db.get('SELECT 1 AS one FROM credential_settings WHERE name = ? AND id <> ?', name, id) !== undefined;
  const newest = (settingId: string, holder: string): CredentialRow | undefined =>
    db.get<CredentialRow>(
      'SELECT * FROM credentials WHERE holder = ? AND setting_id = ? ORDER BY revision DESC LIMIT 1',
      holder,
      settingId,
    );
  const dropKey = (id: string, at: number, by: string): number =>
    db.run(
      `UPDATE credentials SET sealed = NULL, key_deleted_at = ?, key_deleted_by = ?
       WHERE id = ? AND sealed IS NOT NULL`,
      at,
      by,
      id,
    );
  /** The key goes, and the certificate in the register is of no use any more. */
  const end = (id: string, at: number, by: string): void => {
    dropKey(id, at, by);
    db.run(
      `UPDATE certificates SET status = 'superseded' WHERE credential_id = ?1 AND status IN ('issued', 'in-force')
         AND fingerprint = (SELECT fingerprint FROM credentials WHERE id = ?1)`,
      id,
    );
  };

  return {
    createSetting: (setting, event) =>
      db.write(() => {
        if (nameTaken(setting)) return 'name-taken';
        db.run(
          `INSERT INTO credential_settings (name, version, delete_keys_after_days, expiry_window_days, body, id)
           VALUES (?, ?, ?, ?, ?, ?)`,
          ...settingRow(setting),
        );
        appendEvents(db, [event]);
        return 'created';
      }),

    updateSetting: (setting, expectedVersion, event) =>
      db.write(() => {
        const old = db.get<{ version: number }>('SELECT version FROM credential_settings WHERE id = ?', setting.id);
        if (old === undefined) return 'unknown';
        if (old.version !== expectedVersion) return 'conflict';
        if (nameTaken(setting)) return 'name-taken';
        db.run(
          `UPDATE credential_settings SET name = ?, version = ?, delete_keys_after_days = ?, expiry_window_days = ?, body = ?
           WHERE id = ?`,
          ...settingRow(setting),
        );
        appendEvents(db, [event]);
        return 'updated';
      }),

    deleteSetting: (id, event) =>
      db.write(() => {
        if (db.run('DELETE FROM credential_settings WHERE id = ?', id) === 0) return false;
        db.run(
          `UPDATE certificates SET status = 'superseded' WHERE status IN ('issued', 'in-force') AND fingerprint IN (
             SELECT c.fingerprint FROM credentials c WHERE c.setting_id = ? AND c.id = certificates.credential_id)`,
          id,
        );
        db.run('DELETE FROM credentials WHERE setting_id = ?', id);
        appendEvents(db, [event]);
        return true;
      }),

    settings: () =>
      db.read(() => db.all<{ body: string }>('SELECT body FROM credential_settings ORDER BY name').map(settingOf)),

    setting: (id) =>
      db.read(() => {
        const row = db.get<{ body: string }>('SELECT body FROM credential_settings WHERE id = ?', id);
        return row === undefined ? null : settingOf(row);
      }),

    put: ({ credential, expectedId, certificate, events }) =>
      db.write(() => {
        const { settingId, holder } = credential;
        if (db.get('SELECT 1 AS one FROM credential_settings WHERE id = ?', settingId) === undefined) return 'unknown';
        const before = newest(settingId, holder);
        if ((before?.id ?? null) !== expectedId) return 'conflict';
        if (before !== undefined) {
          end(before.id, credential.createdAt, 'replaced');
          db.run(`UPDATE credentials SET status = 'superseded' WHERE id = ? AND status IN ${CURRENT}`, before.id);
        }
        add(db, credential);
        if (certificate !== undefined) addCertificate(db, certificate);
        appendEvents(db, events);
        return 'stored';
      }),

    get: (id) =>
      db.read(() => {
        const row = db.get<CredentialRow>('SELECT * FROM credentials WHERE id = ?', id);
        return row === undefined ? null : recordOf(row);
      }),

    newest: (settingId, holder) =>
      db.read(() => {
        const row = newest(settingId, holder);
        return row === undefined ? null : recordOf(row);
      }),

    newestOf: (holders) =>
      db.read(() =>
        db
          .all<Omit<CredentialSummary, 'keyStored'> & { readonly keyStored: number }>(
            // With max() alone, SQLite takes the other columns from the row that has it.
            `SELECT id, setting_id AS settingId, holder, max(revision) AS revision, status,
               sealed IS NOT NULL AS keyStored, fingerprint
             FROM credentials WHERE holder IN (SELECT value FROM json_each(?)) GROUP BY holder, setting_id`,
            JSON.stringify(holders),
          )
          .map((row) => ({ ...row, keyStored: row.keyStored === 1 })),
      ),

    list: (filter, { after, limit }) =>
      db.read(() => {
        const { where, values } = conditions(filter);
        const rows = db.all<CredentialRow>(
          `SELECT * FROM credentials WHERE ${where} AND nr < ? ORDER BY nr DESC LIMIT ?`,
          ...values,
          after === undefined ? Number.MAX_SAFE_INTEGER : Number(after),
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.nr, credentialOf);
      }),

    deleteKey: ({ id, at, by, event }) =>
      db.write(() => {
        if (dropKey(id, at, by) === 0) return false;
        appendEvents(db, [event]);
        return true;
      }),

    delivered: ({ id, at, event }) =>
      db.write(() => {
        const changed = db.run(
          'UPDATE credentials SET delivered_at = ? WHERE id = ? AND delivered_at IS NULL AND sealed IS NOT NULL',
          at,
          id,
        );
        if (changed === 0) return false;
        db.run(
          `UPDATE certificates SET delivered_at = ?1, status = CASE status WHEN 'issued' THEN 'in-force' ELSE status END
           WHERE credential_id = ?2 AND fingerprint = (SELECT fingerprint FROM credentials WHERE id = ?2)`,
          at,
          id,
        );
        appendEvents(db, [event]);
        return true;
      }),

    supersede: ({ id, at, event }) =>
      db.write(() => {
        const changed = db.run(
          `UPDATE credentials SET status = 'superseded' WHERE id = ? AND status IN ${CURRENT}`,
          id,
        );
        if (changed === 0) return false;
        end(id, at, 'replaced');
        appendEvents(db, [event]);
        return true;
      }),

    deleteOldKeys: ({ at, limit }) =>
      db.write(() => {
        const rows = db.all<ChangedCredential>(
          `SELECT c.id, c.setting_id AS settingId, c.holder
           FROM credential_settings s JOIN credentials c ON c.setting_id = s.id
           WHERE s.delete_keys_after_days IS NOT NULL AND c.sealed IS NOT NULL
             AND c.created_at <= ? - s.delete_keys_after_days * ${DAY} LIMIT ?`,
          at,
          limit,
        );
        for (const { id, settingId, holder } of rows) {
          dropKey(id, at, 'age');
          const data = { credentialId: id, settingId, holder, by: 'age' };
          appendEvents(db, [{ type: 'credential.key-deleted', at, enrolmentId: null, data }]);
        }
        return rows.map(plain);
      }),

    discard: ({ before, at, limit }) =>
      db.write(() => {
        const rows = db.all<ChangedCredential & { readonly fingerprint: string }>(
          `SELECT id, setting_id AS settingId, holder, fingerprint FROM credentials
           WHERE delivered_at IS NULL AND origin = 'issued' AND status IN ('active', 'expiring', 'expired')
             AND created_at < ? LIMIT ?`,
          before,
          limit,
        );
        for (const { id, settingId, holder, fingerprint } of rows) {
          end(id, at, 'undelivered');
          db.run("UPDATE credentials SET status = 'discarded' WHERE id = ?", id);
          const data = { credentialId: id, settingId, holder, fingerprint };
          appendEvents(db, [{ type: 'credential.discarded', at, enrolmentId: null, data }]);
        }
        return rows.map(plain);
      }),

    age: ({ at, limit }) =>
      db.write(() => {
        const rows = db.all<
          ChangedCredential & { readonly fingerprint: string; readonly notAfter: number; readonly ended: number }
        >(
          `SELECT c.id, c.setting_id AS settingId, c.holder, c.fingerprint, c.not_after AS notAfter, c.not_after <= ?1 AS ended
           FROM credentials c LEFT JOIN credential_settings s ON s.id = c.setting_id
           WHERE c.status IN ('active', 'expiring') AND c.not_after <= ?1 + 270 * ${DAY} AND (c.not_after <= ?1 OR
             c.status = 'active' AND c.not_after <= ?1 +
               min(coalesce(s.expiry_window_days, 0) * ${DAY}, (c.not_after - c.not_before) * 3 / 4))
           LIMIT ?2`,
          at,
          limit,
        );
        for (const { id, settingId, holder, fingerprint, notAfter, ended } of rows) {
          const status = ended === 1 ? 'expired' : 'expiring';
          db.run('UPDATE credentials SET status = ? WHERE id = ?', status, id);
          const data = { credentialId: id, settingId, holder, fingerprint, notAfter };
          appendEvents(db, [{ type: `credential.${status}`, at, enrolmentId: null, data }]);
        }
        return rows.map(plain);
      }),

    purge: ({ before, limit }) =>
      db.write(() =>
        db.run(
          `DELETE FROM credentials WHERE nr IN (
             SELECT c.nr FROM credentials c
             WHERE c.status IN ('superseded', 'discarded', 'revoked') AND c.not_after < ? AND EXISTS (
               SELECT 1 FROM credentials n
               WHERE n.holder = c.holder AND n.setting_id = c.setting_id AND n.revision > c.revision)
             LIMIT ?)`,
          before,
          limit,
        ),
      ),
  };
}

const plain = ({ id, settingId, holder }: ChangedCredential): ChangedCredential => ({ id, settingId, holder });

function add(db: Database, credential: CredentialRecord): void {
  db.run(
    `INSERT INTO credentials (id, setting_id, holder, revision, status, origin, fingerprint, serial_number, subject, issuer,
       not_before, not_after, public_key_hash, certificate, created_at, delivered_at, key_deleted_at, key_deleted_by, sealed)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    credential.id,
    credential.settingId,
    credential.holder,
    credential.revision,
    credential.status,
    credential.origin,
    credential.fingerprint,
    credential.serialNumber,
    credential.subject,
    credential.issuer,
    credential.notBefore,
    credential.notAfter,
    credential.publicKeyHash,
    credential.certificate,
    credential.createdAt,
    credential.deliveredAt,
    credential.keyDeletedAt,
    credential.keyDeletedBy,
    credential.sealed,
  );
}

function credentialOf(row: CredentialRow): Credential {
  return {
    id: row.id,
    settingId: row.setting_id,
    holder: row.holder,
    revision: row.revision,
    status: row.status,
    origin: row.origin,
    fingerprint: row.fingerprint,
    serialNumber: row.serial_number,
    subject: row.subject,
    issuer: row.issuer,
    notBefore: row.not_before,
    notAfter: row.not_after,
    publicKeyHash: row.public_key_hash,
    certificate: new Uint8Array(row.certificate),
    createdAt: row.created_at,
    deliveredAt: row.delivered_at,
    keyDeletedAt: row.key_deleted_at,
    keyDeletedBy: row.key_deleted_by,
  };
}

function recordOf(row: CredentialRow): CredentialRecord {
  return { ...credentialOf(row), sealed: row.sealed === null ? null : new Uint8Array(row.sealed) };
}

function conditions(filter: CredentialFilter): {
  readonly where: string;
  readonly values: readonly (string | number)[];
} {
  const parts: readonly (readonly [condition: string, value: string | number | undefined])[] = [
    ['setting_id = ?', filter.settingId],
    ['holder = ?', filter.holder],
    [
      'status IN (SELECT value FROM json_each(?))',
      filter.statuses === undefined ? undefined : JSON.stringify(filter.statuses),
    ],
    ['not_after < ?', filter.expiresBefore],
    ['not_after >= ?', filter.expiresFrom],
  ];
  const given = parts.filter(([, value]) => value !== undefined);
  return {
    where: ['TRUE', ...given.map(([condition]) => condition)].join(' AND '),
    values: given.map(([, value]) => value!),
  };
}
