// The certificate register, challenges and SCEP transactions on PostgreSQL.
import {
  type CertificateRecord,
  type CertificateStore,
  type ChallengeRecord,
  type DueOnDevice,
  type DueRenewal,
  type IssuedCertificate,
  type NewCertificate,
  REVOCATIONS_SETTING,
} from '@espalier/core';
import type { Database, Queryable } from '../database.ts';
import { cut, freeText, sendEvents } from '../rows.ts';

/** Certificates over the database. */
export function postgresCertificates(db: Database): CertificateStore {
  const s = db.schema;
  const columns = `fingerprint, serial_number AS "serialNumber", subject, not_before AS "notBefore",
    not_after AS "notAfter", authority_key_id AS "authorityKeyId", enrolment_id AS "enrolmentId", status,
    revoked_at AS "revokedAt", revocation_reason AS "revocationReason", renewal_at AS "renewalAt",
    delivered_at AS "deliveredAt", credential_id AS "credentialId", device_id AS "deviceId", attestation, certificate`;
  const text = {
    addChallenge: `INSERT INTO ${s}.challenge (hash, invitation_id, enrolment_id, subject, created_at, expires_at)
      VALUES ($1, $2, $3, $4, $5, $6)
      ON CONFLICT (hash) DO UPDATE SET invitation_id = excluded.invitation_id,
        enrolment_id = excluded.enrolment_id, subject = excluded.subject,
        created_at = excluded.created_at, expires_at = excluded.expires_at`,
    findChallenge: `SELECT hash, invitation_id AS "invitationId", enrolment_id AS "enrolmentId", subject, created_at AS "createdAt",
        expires_at AS "expiresAt"
      FROM ${s}.challenge WHERE hash = $1 AND expires_at > $2`,
    findTransaction: `SELECT certificate FROM ${s}.scep_transaction WHERE transaction_id = $1 AND public_key_hash = $2`,
    // A transaction sent twice at the same moment: the second waits here and then finds the first one's certificate.
    lock: `SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))`,
    takeChallenge: `DELETE FROM ${s}.challenge WHERE hash = $1 AND expires_at > $2 RETURNING 1`,
    addTransaction: `INSERT INTO ${s}.scep_transaction (transaction_id, public_key_hash, certificate, fingerprint)
      VALUES ($1, $2, $3, $4)`,
    settle: `DELETE FROM ${s}.scep_request WHERE public_key_hash = $1 AND transaction_id = $2 RETURNING 1`,
    get: `SELECT ${columns}, invitation_id AS "invitationId" FROM ${s}.certificate WHERE fingerprint = $1`,
    findBySerial: `SELECT ${columns}, invitation_id AS "invitationId" FROM ${s}.certificate
      WHERE serial_number = $1 AND ($2::text IS NULL OR authority_key_id = $2) ORDER BY n DESC LIMIT 1`,
    list: `SELECT ${columns} FROM ${s}.certificate
      WHERE ($1::text IS NULL OR enrolment_id = $1) AND ($2::text[] IS NULL OR status = ANY ($2))
        AND ($3::bigint IS NULL OR not_after < $3) AND ($4::bigint IS NULL OR not_after >= $4)
        AND ($5::text IS NULL OR device_id = $5) AND ($6::text IS NULL OR credential_id = $6)
        AND ($9::bigint IS NULL OR status <> 'in-force' OR $11::boolean =
          (credential_id IS NULL AND not_after - least($9::bigint, (not_after - not_before) * 3 / 4) <= $10::bigint))
        AND ($7::text IS NULL OR n < (SELECT n FROM ${s}.certificate WHERE fingerprint = $7))
      ORDER BY n DESC LIMIT $8`,
    inUse: `SELECT authority_key_id AS "authorityKeyId", count(*) AS count FROM ${s}.certificate
      WHERE status IN ('issued', 'in-force') AND not_after > $1 GROUP BY authority_key_id`,
    // In the order in which everybody takes locks: the enrolment before its certificate.
    lockHolders: `SELECT l.id FROM ${s}.live l WHERE l.id IN (SELECT e.id FROM ${s}.enrolment e WHERE e.pin = $1)
      ORDER BY l.id FOR NO KEY UPDATE`,
    lockCertificate: `SELECT status FROM ${s}.certificate WHERE fingerprint = $1 FOR NO KEY UPDATE`,
    revoke: `UPDATE ${s}.certificate SET status = 'revoked', revoked_at = $2, revocation_reason = $3, tell_at = $4
      WHERE fingerprint = $1`,
    unpin: `WITH live AS (UPDATE ${s}.live l SET pin = NULL FROM ${s}.enrolment e WHERE e.pin = $1 AND l.id = e.id)
      UPDATE ${s}.enrolment SET pin = NULL WHERE pin = $1`,
    endCredential: `UPDATE ${s}.credential SET status = 'revoked', sealed = NULL,
        key_deleted_at = CASE WHEN sealed IS NULL THEN key_deleted_at ELSE $2 END,
        key_deleted_by = CASE WHEN sealed IS NULL THEN key_deleted_by ELSE 'revoked' END
      WHERE id = (SELECT credential_id FROM ${s}.certificate WHERE fingerprint = $1)`,
    count: `INSERT INTO ${s}.setting AS t (name, value) VALUES ($1, '1')
      ON CONFLICT (name) DO UPDATE SET value = (t.value::bigint + 1)::text`,
    untold: `SELECT fingerprint FROM ${s}.certificate WHERE tell_at <= $1 ORDER BY tell_at LIMIT $2`,
    told: `UPDATE ${s}.certificate SET tell_at = $2 WHERE fingerprint = $1 AND tell_at IS NOT NULL RETURNING 1`,
    dueForRenewal: `SELECT c.fingerprint, c.enrolment_id AS "enrolmentId", c.not_after AS "notAfter"
      FROM ${s}.certificate c JOIN ${s}.live l ON l.id = c.enrolment_id
      WHERE c.not_after > $1 AND c.not_after <= $4::bigint + $2::bigint AND c.status IN ('in-force', 'expired')
        AND c.not_after - least($2::bigint, (c.not_after - c.not_before) * 3 / 4) <= $4::bigint
        AND (c.renewal_at IS NULL OR c.renewal_at <= $3) AND l.status = 'active' AND l.pin = c.fingerprint
      ORDER BY c.not_after LIMIT $5`,
    lapsed: `SELECT c.fingerprint, l.id AS "enrolmentId", c.not_after AS "notAfter"
      FROM ${s}.certificate c JOIN ${s}.enrolment e ON e.pin = c.fingerprint JOIN ${s}.live l ON l.id = e.id
      WHERE c.not_after < $1 AND c.status <> 'revoked' AND l.channel = 'device' AND l.status IN ('pending', 'active')
        AND NOT EXISTS (SELECT FROM ${s}.certificate n
          WHERE n.enrolment_id = l.id AND n.status = 'issued' AND n.not_after > $2)
      ORDER BY c.not_after LIMIT $3`,
    dueOnDevices: `SELECT c.fingerprint, c.device_id AS "deviceId", c.not_after AS "notAfter"
      FROM ${s}.certificate c JOIN ${s}.live l ON l.id = c.device_id
      WHERE c.credential_id = $1 AND c.device_id IS NOT NULL AND c.not_after > $2
        AND c.not_after <= $5::bigint + $3::bigint AND c.status IN ('in-force', 'expired')
        AND c.not_after - least($3::bigint, (c.not_after - c.not_before) * 3 / 4) <= $5::bigint
        AND (c.renewal_at IS NULL OR c.renewal_at <= $4) AND l.status = 'active' AND l.phase IS NULL
      ORDER BY c.not_after LIMIT $6`,
    settleOnDevice: `WITH held AS (
        SELECT n FROM ${s}.certificate WHERE device_id = $1 AND credential_id = $2 AND status <> 'revoked'
      ), newest AS (SELECT max(n) AS n FROM held WHERE $3::boolean)
      UPDATE ${s}.certificate c SET status = CASE WHEN c.n = newest.n THEN 'in-force' ELSE 'superseded' END
      FROM held, newest
      WHERE c.n = held.n AND CASE WHEN c.n = newest.n THEN c.status = 'issued' ELSE c.status NOT IN ('superseded', 'revoked') END`,
    renewalBegun: `UPDATE ${s}.certificate SET renewal_at = $2 WHERE fingerprint = $1 RETURNING 1`,
    expire: `WITH old AS MATERIALIZED (
        SELECT fingerprint FROM ${s}.certificate WHERE not_after <= $1 AND status IN ('issued', 'in-force')
        LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
      )
      UPDATE ${s}.certificate c SET status = 'expired' FROM old WHERE c.fingerprint = old.fingerprint
      RETURNING c.fingerprint, c.serial_number AS "serialNumber", c.enrolment_id AS "enrolmentId"`,
    purge: `WITH old AS MATERIALIZED (
        SELECT fingerprint FROM ${s}.certificate WHERE not_after < $1 AND (revoked_at IS NULL OR revoked_at < $1)
        LIMIT $2 FOR UPDATE SKIP LOCKED
      ), gone AS (DELETE FROM ${s}.certificate c USING old WHERE c.fingerprint = old.fingerprint RETURNING 1),
      transactions AS (DELETE FROM ${s}.scep_transaction t USING old WHERE t.fingerprint = old.fingerprint),
      identifiers AS (DELETE FROM ${s}.acme_identifier i USING old WHERE i.used_for = old.fingerprint),
      orders AS (DELETE FROM ${s}.acme_order o USING old WHERE o.certificate = old.fingerprint RETURNING o.id),
      parts AS (DELETE FROM ${s}.acme_authorization a USING orders WHERE a.order_id = orders.id)
      SELECT count(*) AS count FROM gone`,
    prune: `WITH old AS MATERIALIZED (
        SELECT hash FROM ${s}.challenge WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
      ), gone AS (DELETE FROM ${s}.challenge c USING old WHERE c.hash = old.hash RETURNING 1)
      SELECT count(*) AS count FROM gone`,
  };
  return {
    async addChallenge({ hash, invitationId, enrolmentId, subject, createdAt, expiresAt }) {
      const values = [hash, invitationId, enrolmentId, subject, createdAt, expiresAt];
      await db.query('certificates.addChallenge', text.addChallenge, values);
    },

    async findChallenge(hash, at) {
      const rows = await db.query<ChallengeRecord>('certificates.findChallenge', text.findChallenge, [hash, at]);
      return rows[0] ?? null;
    },

    async findTransaction(transactionId, publicKeyHash) {
      const rows = await db.query<{ certificate: Uint8Array }>('certificates.findTransaction', text.findTransaction, [
        transactionId,
        publicKeyHash,
      ]);
      return rows[0]?.certificate ?? null;
    },

    commitScep: ({ challengeHash, transactionId, publicKeyHash, certificate, waited, at, event }) =>
      db.transaction(async (q) => {
        const key = [transactionId, publicKeyHash];
        q.send('certificates.lock', text.lock, [`${db.schemaName}.scep`, key.join('\n')]);
        const [issued] = await q.query<{ certificate: Uint8Array }>(
          'certificates.findTransaction',
          text.findTransaction,
          key,
        );
        if (issued !== undefined) return { outcome: 'replayed', certificate: issued.certificate };
        if (challengeHash !== null) {
          const taken = await q.query('certificates.takeChallenge', text.takeChallenge, [challengeHash, at]);
          if (taken.length === 0) return { outcome: 'challenge-used' };
        }
        q.send('certificates.addTransaction', text.addTransaction, [
          ...key,
          certificate.certificate,
          certificate.fingerprint,
        ]);
        const added = addCertificate(q, s, certificate);
        if (waited !== undefined) {
          q.send('certificates.settle', text.settle, [waited.publicKeyHash, waited.transactionId]);
        }
        sendEvents(q, s, [event]);
        q.commit();
        await added;
        return { outcome: 'issued', certificate: certificate.certificate };
      }),

    register: (certificate, event) =>
      db.transaction(async (q) => {
        if (await addCertificate(q, s, certificate)) sendEvents(q, s, [event]);
      }),

    async get(fingerprint) {
      const rows = await db.query<CertificateRecord>('certificates.get', text.get, [fingerprint]);
      return rows[0] ?? null;
    },

    async findBySerial(serialNumber, authorityKeyId) {
      const values = [serialNumber, authorityKeyId ?? null];
      return (await db.query<CertificateRecord>('certificates.findBySerial', text.findBySerial, values))[0] ?? null;
    },

    async list(
      { enrolmentId, deviceId, credentialId, statuses, expiresBefore, expiresFrom, expiring },
      { after, limit },
    ) {
      const filter = [enrolmentId ?? null, statuses ?? null, expiresBefore ?? null, expiresFrom ?? null];
      const page = [deviceId ?? null, credentialId ?? null, after ?? null, limit + 1];
      const values = [...filter, ...page, expiring?.windowMs ?? null, expiring?.at ?? null, expiring?.are ?? null];
      const rows = await db.query<IssuedCertificate>('certificates.list', text.list, values);
      return cut(
        rows,
        limit,
        (row) => row.fingerprint,
        (row) => row,
      );
    },

    inUse: (at) => db.query<{ authorityKeyId: string | null; count: number }>('certificates.inUse', text.inUse, [at]),

    revoke: ({ fingerprint, reason, at, tellAt, event }) =>
      db.transaction(async (q) => {
        q.send('certificates.lockHolders', text.lockHolders, [fingerprint]);
        const [row] = await q.query<{ status: string }>('certificates.lockCertificate', text.lockCertificate, [
          fingerprint,
        ]);
        if (row === undefined) return 'unknown';
        if (row.status === 'revoked') return 'already-revoked';
        q.send('certificates.revoke', text.revoke, [fingerprint, at, reason, tellAt ?? null]);
        q.send('certificates.unpin', text.unpin, [fingerprint]);
        q.send('certificates.endCredential', text.endCredential, [fingerprint, at]);
        q.send('certificates.count', text.count, [REVOCATIONS_SETTING]);
        sendEvents(q, s, [event]);
        return 'revoked';
      }),

    async untold({ at, limit }) {
      const rows = await db.query<{ fingerprint: string }>('certificates.untold', text.untold, [at, limit]);
      return rows.map(({ fingerprint }) => fingerprint);
    },

    told: ({ fingerprint, tellAt, event }) =>
      db.transaction(async (q) => {
        const changed = await q.query('certificates.told', text.told, [fingerprint, tellAt]);
        if (changed.length > 0 && event !== null) sendEvents(q, s, [event]);
        return changed.length > 0;
      }),

    dueForRenewal: ({ at, windowMs, endsAfter, retryBefore, limit }) =>
      db.query<DueRenewal>('certificates.dueForRenewal', text.dueForRenewal, [
        endsAfter,
        windowMs,
        retryBefore,
        at,
        limit,
      ]),

    lapsed: ({ before, at, limit }) => db.query<DueRenewal>('certificates.lapsed', text.lapsed, [before, at, limit]),

    dueOnDevices: ({ credentialId, at, windowMs, endsAfter, retryBefore, limit }) =>
      db.query<DueOnDevice>('certificates.dueOnDevices', text.dueOnDevices, [
        ...[credentialId, endsAfter, windowMs, retryBefore, at, limit],
      ]),

    async settleOnDevice({ deviceId, credentialId, installed }) {
      await db.query('certificates.settleOnDevice', text.settleOnDevice, [deviceId, credentialId, installed]);
    },

    renewalBegun: (fingerprint, at, event) =>
      db.transaction(async (q) => {
        const changed = await q.query('certificates.renewalBegun', text.renewalBegun, [fingerprint, at]);
        if (changed.length > 0) sendEvents(q, s, [event]);
      }),

    expire: ({ at, limit }) =>
      db.transaction(async (q) => {
        const rows = await q.query<{ fingerprint: string; serialNumber: string; enrolmentId: string | null }>(
          'certificates.expire',
          text.expire,
          [at, limit],
        );
        const events = rows.map(({ fingerprint, serialNumber, enrolmentId }) => ({
          type: 'certificate.expired' as const,
          at,
          enrolmentId,
          data: { fingerprint, serialNumber },
        }));
        sendEvents(q, s, events);
        return rows.length;
      }),

    async purge({ before, limit }) {
      const [row] = await db.query<{ count: number }>('certificates.purge', text.purge, [before, limit]);
      return row?.count ?? 0;
    },

    async prune({ before, limit }) {
      const [row] = await db.query<{ count: number }>('certificates.prune', text.prune, [before, limit]);
      return row?.count ?? 0;
    },
  };
}

/** Registers a certificate, inside a transaction; false when it is registered already. */
export async function addCertificate(q: Queryable, s: string, certificate: NewCertificate): Promise<boolean> {
  const added = await q.query(
    'certificates.add',
    `INSERT INTO ${s}.certificate (fingerprint, serial_number, subject, not_before, not_after, status, certificate,
        invitation_id, enrolment_id, authority_key_id, attestation, delivered_at, credential_id, device_id)
      VALUES ($1, $2, $3, $4, $5, 'issued', $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (fingerprint) DO NOTHING RETURNING 1`,
    [
      certificate.fingerprint,
      certificate.serialNumber,
      freeText(certificate.subject),
      certificate.notBefore,
      certificate.notAfter,
      certificate.certificate,
      certificate.invitationId,
      certificate.enrolmentId,
      certificate.authorityKeyId,
      certificate.attestation === null ? null : JSON.stringify(certificate.attestation),
      certificate.deliveredAt,
      certificate.credentialId,
      certificate.deviceId,
    ],
  );
  return added.length > 0;
}
