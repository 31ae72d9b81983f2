// The certificate register, challenges and SCEP transactions on PostgreSQL.
import type { CertificateStore, ChallengeRecord, IssuedCertificate, NewCertificate } from '@espalier/core';
import type { Database, Value } from '../database.ts';
import { appendEvents, cut, freeText } from '../rows.ts';

/** Certificates over the database. */
export function postgresCertificates(db: Database): CertificateStore {
  const s = db.schema;
  const columns = `fingerprint, serial_number AS "serialNumber", subject, not_before AS "notBefore",
    not_after AS "notAfter", enrolment_id AS "enrolmentId", status, certificate`;
  const text = {
    addChallenge: `INSERT INTO ${s}.challenge (hash, invitation_id, subject, created_at, expires_at)
      VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (hash) DO UPDATE SET invitation_id = excluded.invitation_id, subject = excluded.subject,
        created_at = excluded.created_at, expires_at = excluded.expires_at`,
    findChallenge: `SELECT hash, invitation_id AS "invitationId", subject, created_at AS "createdAt",
        expires_at AS "expiresAt"
      FROM ${s}.challenge WHERE hash = $1 AND expires_at > $2`,
    findTransaction: `SELECT certificate FROM ${s}.scep_transaction WHERE transaction_id = $1 AND public_key_hash = $2`,
    // A transaction sent twice at the same moment: the second waits here and then finds the first one's certificate.
    lock: `SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))`,
    takeChallenge: `DELETE FROM ${s}.challenge WHERE hash = $1 AND expires_at > $2 RETURNING 1`,
    addTransaction: `INSERT INTO ${s}.scep_transaction (transaction_id, public_key_hash, certificate) VALUES ($1, $2, $3)`,
    add: `INSERT INTO ${s}.certificate
        (fingerprint, serial_number, subject, not_before, not_after, status, certificate, invitation_id)
      VALUES ($1, $2, $3, $4, $5, 'issued', $6, $7) ON CONFLICT (fingerprint) DO NOTHING RETURNING 1`,
    get: `SELECT ${columns}, invitation_id AS "invitationId" FROM ${s}.certificate WHERE fingerprint = $1`,
    list: `SELECT ${columns} FROM ${s}.certificate
      WHERE ($1::text IS NULL OR enrolment_id = $1)
        AND ($2::text IS NULL OR n < (SELECT n FROM ${s}.certificate WHERE fingerprint = $2))
      ORDER BY n DESC LIMIT $3`,
    revoke: `UPDATE ${s}.certificate SET status = 'revoked' WHERE fingerprint = $1 RETURNING 1`,
    prune: `WITH old AS MATERIALIZED (
        SELECT hash FROM ${s}.challenge WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
      ), gone AS (DELETE FROM ${s}.challenge c USING old WHERE c.hash = old.hash RETURNING 1)
      SELECT count(*) AS count FROM gone`,
  };
  const valuesOf = (certificate: NewCertificate): Value[] => [
    certificate.fingerprint,
    certificate.serialNumber,
    freeText(certificate.subject),
    certificate.notBefore,
    certificate.notAfter,
    certificate.certificate,
    certificate.invitationId,
  ];
  return {
    async addChallenge({ hash, invitationId, subject, createdAt, expiresAt }) {
      const values = [hash, invitationId, subject, createdAt, expiresAt];
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

    commitScep: ({ challengeHash, transactionId, publicKeyHash, certificate, at, event }) =>
      db.transaction(async (q) => {
        const key = [transactionId, publicKeyHash];
        await q.query('certificates.lock', text.lock, [`${db.schemaName}.scep`, key.join('\n')]);
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
        await q.query('certificates.addTransaction', text.addTransaction, [...key, certificate.certificate]);
        await q.query('certificates.add', text.add, valuesOf(certificate));
        await appendEvents(q, s, [event]);
        return { outcome: 'issued', certificate: certificate.certificate };
      }),

    register: (certificate, event) =>
      db.transaction(async (q) => {
        const added = await q.query('certificates.add', text.add, valuesOf(certificate));
        if (added.length > 0) await appendEvents(q, s, [event]);
      }),

    async get(fingerprint) {
      const rows = await db.query<IssuedCertificate & { readonly invitationId: string | null }>(
        'certificates.get',
        text.get,
        [fingerprint],
      );
      return rows[0] ?? null;
    },

    async list({ enrolmentId }, { after, limit }) {
      const values = [enrolmentId ?? null, after ?? null, limit + 1];
      const rows = await db.query<IssuedCertificate>('certificates.list', text.list, values);
      return cut(
        rows,
        limit,
        (row) => row.fingerprint,
        (row) => row,
      );
    },

    async revoke(fingerprint) {
      return (await db.query('certificates.revoke', text.revoke, [fingerprint])).length > 0;
    },

    async prune({ before, limit }) {
      const [row] = await db.query<{ count: number }>('certificates.prune', text.prune, [before, limit]);
      return row?.count ?? 0;
    },
  };
}
