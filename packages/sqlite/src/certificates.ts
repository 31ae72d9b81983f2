// The certificate register, challenges and SCEP transactions on SQLite.
import {
  type AttestationRecord,
  type CertificateFilter,
  type CertificateStore,
  type ChallengeRecord,
  type DueOnDevice,
  type DueRenewal,
  type IssuedCertificate,
  type NewCertificate,
  REVOCATIONS_SETTING,
} from '@espalier/core';
import type { Database } from './database.ts';
import { appendEvents, pageOf } from './rows.ts';

interface CertificateRow {
  readonly nr: number;
  readonly fingerprint: string;
  readonly serial_number: string;
  readonly subject: string;
  readonly not_before: number;
  readonly not_after: number;
  readonly certificate: Uint8Array;
  readonly invitation_id: string | null;
  readonly enrolment_id: string | null;
  readonly status: IssuedCertificate['status'];
  readonly authority_key_id: string | null;
  readonly revoked_at: number | null;
  readonly revocation_reason: IssuedCertificate['revocationReason'];
  readonly renewal_at: number | null;
  readonly attestation: string | null;
  readonly delivered_at: number | null;
  readonly credential_id: string | null;
  readonly device_id: string | null;
}

interface ChallengeRow {
  readonly hash: string;
  readonly invitation_id: string | null;
  readonly enrolment_id: string | null;
  readonly subject: string | null;
  readonly created_at: number;
  readonly expires_at: number;
}

/** Certificates over a database. */
export function sqliteCertificates(db: Database): CertificateStore {
  const findChallenge = (hash: string, at: number): ChallengeRecord | null => {
    const row = db.get<ChallengeRow>('SELECT * FROM challenges WHERE hash = ? AND expires_at > ?', hash, at);
    if (row === undefined) return null;
    return {
      hash: row.hash,
      invitationId: row.invitation_id,
      enrolmentId: row.enrolment_id,
      subject: row.subject,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
    };
  };
  const findTransaction = (transactionId: string, publicKeyHash: string): Uint8Array | null => {
    const row = db.get<{ certificate: Uint8Array }>(
      'SELECT certificate FROM scep_transactions WHERE public_key_hash = ? AND transaction_id = ?',
      publicKeyHash,
      transactionId,
    );
    return row === undefined ? null : new Uint8Array(row.certificate);
  };

  return {
    addChallenge: (challenge) =>
      db.write(() => {
        db.run(
          `INSERT OR REPLACE INTO challenges (hash, invitation_id, enrolment_id, subject, created_at, expires_at)
           VALUES (?, ?, ?, ?, ?, ?)`,
          challenge.hash,
          challenge.invitationId,
          challenge.enrolmentId,
          challenge.subject,
          challenge.createdAt,
          challenge.expiresAt,
        );
      }),

    findChallenge: (hash, at) => db.read(() => findChallenge(hash, at)),
    findTransaction: (transactionId, publicKeyHash) => db.read(() => findTransaction(transactionId, publicKeyHash)),

    commitScep: ({ challengeHash, transactionId, publicKeyHash, certificate, waited, at, event }) =>
      db.write(() => {
        const issued = findTransaction(transactionId, publicKeyHash);
        if (issued !== null) return { outcome: 'replayed', certificate: issued };
        if (challengeHash !== null) {
          const used = db.run('DELETE FROM challenges WHERE hash = ? AND expires_at > ?', challengeHash, at);
          if (used === 0) return { outcome: 'challenge-used' };
        }
        db.run(
          `INSERT INTO scep_transactions (public_key_hash, transaction_id, certificate, fingerprint)
           VALUES (?, ?, ?, ?)`,
          publicKeyHash,
          transactionId,
          certificate.certificate,
          certificate.fingerprint,
        );
        addCertificate(db, certificate);
        if (waited !== undefined) {
          db.run(
            'DELETE FROM scep_requests WHERE public_key_hash = ? AND transaction_id = ?',
            waited.publicKeyHash,
            waited.transactionId,
          );
        }
        appendEvents(db, [event]);
        return { outcome: 'issued', certificate: certificate.certificate };
      }),

    register: (certificate, event) =>
      db.write(() => {
        if (addCertificate(db, certificate)) appendEvents(db, [event]);
      }),

    get: (fingerprint) =>
      db.read(() => {
        const row = db.get<CertificateRow>('SELECT * FROM certificates WHERE fingerprint = ?', fingerprint);
        return row === undefined ? null : { ...certificateOf(row), invitationId: row.invitation_id };
      }),

    findBySerial: (serialNumber, authorityKeyId) =>
      db.read(() => {
        const row = db.get<CertificateRow>(
          `SELECT * FROM certificates WHERE serial_number = ?1 AND (?2 IS NULL OR authority_key_id = ?2)
           ORDER BY nr DESC LIMIT 1`,
          serialNumber,
          authorityKeyId ?? null,
        );
        return row === undefined ? null : { ...certificateOf(row), invitationId: row.invitation_id };
      }),

    list: (filter, { after, limit }) =>
      db.read(() => {
        const { where, values } = conditions(filter);
        const rows = db.all<CertificateRow>(
          `SELECT * FROM certificates WHERE ${where} AND nr < ? ORDER BY nr DESC LIMIT ?`,
          ...values,
          after === undefined ? Number.MAX_SAFE_INTEGER : Number(after),
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.nr, certificateOf);
      }),

    inUse: (at) =>
      db.read(() =>
        db.all<{ authorityKeyId: string | null; count: number }>(
          `SELECT authority_key_id AS authorityKeyId, count(*) AS count FROM certificates
           WHERE status IN ('issued', 'in-force') AND not_after > ? GROUP BY authority_key_id`,
          at,
        ),
      ),

    revoke: ({ fingerprint, reason, at, tellAt, event }) =>
      db.write(() => {
        const row = db.get<{ status: string }>('SELECT status FROM certificates WHERE fingerprint = ?', fingerprint);
        if (row === undefined) return 'unknown';
        if (row.status === 'revoked') return 'already-revoked';
        db.run(
          `UPDATE certificates SET status = 'revoked', revoked_at = ?, revocation_reason = ?, tell_at = ?
           WHERE fingerprint = ?`,
          at,
          reason,
          tellAt ?? null,
          fingerprint,
        );
        db.run('UPDATE enrolments SET pin = NULL WHERE pin = ?', fingerprint);
        db.run(
          `UPDATE credentials SET status = 'revoked',
             key_deleted_at = CASE WHEN sealed IS NULL THEN key_deleted_at ELSE ?1 END,
             key_deleted_by = CASE WHEN sealed IS NULL THEN key_deleted_by ELSE 'revoked' END, sealed = NULL
           WHERE id = (SELECT credential_id FROM certificates WHERE fingerprint = ?2)`,
          at,
          fingerprint,
        );
        db.run(
          `INSERT INTO settings (name, value) VALUES (?, '1')
           ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)`,
          REVOCATIONS_SETTING,
        );
        appendEvents(db, [event]);
        return 'revoked';
      }),

    untold: ({ at, limit }) =>
      db.read(() =>
        db
          .all<{ fingerprint: string }>(
            'SELECT fingerprint FROM certificates WHERE tell_at <= ? ORDER BY tell_at LIMIT ?',
            at,
            limit,
          )
          .map(({ fingerprint }) => fingerprint),
      ),

    told: ({ fingerprint, tellAt, event }) =>
      db.write(() => {
        const changed = db.run(
          'UPDATE certificates SET tell_at = ? WHERE fingerprint = ? AND tell_at IS NOT NULL',
          tellAt,
          fingerprint,
        );
        if (changed > 0 && event !== null) appendEvents(db, [event]);
        return changed > 0;
      }),

    dueForRenewal: ({ at, windowMs, endsAfter, retryBefore, limit }) =>
      db.read(() =>
        db.all<DueRenewal>(
          `SELECT c.fingerprint, c.enrolment_id AS enrolmentId, c.not_after AS notAfter
           FROM certificates c JOIN enrolments e ON e.id = c.enrolment_id
           WHERE c.not_after > ?1 AND c.not_after <= ?2 AND c.status IN ('in-force', 'expired')
             AND c.not_after - min(?3, (c.not_after - c.not_before) * 3 / 4) <= ?4
             AND (c.renewal_at IS NULL OR c.renewal_at <= ?5) AND e.status = 'active' AND e.pin = c.fingerprint
           ORDER BY c.not_after LIMIT ?6`,
          endsAfter,
          at + windowMs,
          windowMs,
          at,
          retryBefore,
          limit,
        ),
      ),

    lapsed: ({ before, at, limit }) =>
      db.read(() =>
        db.all<DueRenewal>(
          `SELECT c.fingerprint, e.id AS enrolmentId, c.not_after AS notAfter
           FROM certificates c JOIN enrolments e ON e.pin = c.fingerprint
           WHERE c.not_after < ? AND c.status <> 'revoked' AND e.channel = 'device' AND e.status IN ('pending', 'active')
             AND NOT EXISTS (SELECT 1 FROM certificates n
               WHERE n.enrolment_id = e.id AND n.status = 'issued' AND n.not_after > ?)
           ORDER BY c.not_after LIMIT ?`,
          before,
          at,
          limit,
        ),
      ),

    dueOnDevices: ({ credentialId, at, windowMs, endsAfter, retryBefore, limit }) =>
      db.read(() =>
        db.all<DueOnDevice>(
          `SELECT c.fingerprint, c.device_id AS deviceId, c.not_after AS notAfter
           FROM certificates c JOIN enrolments e ON e.id = c.device_id
           WHERE c.credential_id = ?1 AND c.device_id IS NOT NULL AND c.not_after > ?2 AND c.not_after <= ?3
             AND c.status IN ('in-force', 'expired')
             AND c.not_after - min(?4, (c.not_after - c.not_before) * 3 / 4) <= ?5
             AND (c.renewal_at IS NULL OR c.renewal_at <= ?6) AND e.status = 'active' AND e.phase IS NULL
           ORDER BY c.not_after LIMIT ?7`,
          ...[credentialId, endsAfter, at + windowMs, windowMs, at, retryBefore, limit],
        ),
      ),

    settleOnDevice: ({ deviceId, credentialId, installed }) =>
      db.write(() => {
        const rows = db.all<{ nr: number; status: string }>(
          `SELECT nr, status FROM certificates WHERE device_id = ? AND credential_id = ? AND status <> 'revoked'
           ORDER BY nr`,
          deviceId,
          credentialId,
        );
        const newest = installed ? rows.pop() : undefined;
        if (newest?.status === 'issued') db.run("UPDATE certificates SET status = 'in-force' WHERE nr = ?", newest.nr);
        for (const { nr, status } of rows) {
          if (status !== 'superseded') db.run("UPDATE certificates SET status = 'superseded' WHERE nr = ?", nr);
        }
      }),

    renewalBegun: (fingerprint, at, event) =>
      db.write(() => {
        const changed = db.run('UPDATE certificates SET renewal_at = ? WHERE fingerprint = ?', at, fingerprint);
        if (changed > 0) appendEvents(db, [event]);
      }),

    expire: ({ at, limit }) =>
      db.write(() => {
        const rows = db.all<Pick<CertificateRow, 'nr' | 'fingerprint' | 'serial_number' | 'enrolment_id'>>(
          `SELECT nr, fingerprint, serial_number, enrolment_id FROM certificates
           WHERE not_after <= ? AND status IN ('issued', 'in-force') LIMIT ?`,
          at,
          limit,
        );
        for (const { nr } of rows) db.run("UPDATE certificates SET status = 'expired' WHERE nr = ?", nr);
        appendEvents(
          db,
          rows.map(({ fingerprint, serial_number: serialNumber, enrolment_id: enrolmentId }) => ({
            type: 'certificate.expired',
            at,
            enrolmentId,
            data: { fingerprint, serialNumber },
          })),
        );
        return rows.length;
      }),

    purge: ({ before, limit }) =>
      db.write(() => {
        const rows = db.all<{ nr: number; fingerprint: string }>(
          `SELECT nr, fingerprint FROM certificates
           WHERE not_after < ?1 AND (revoked_at IS NULL OR revoked_at < ?1) LIMIT ?2`,
          before,
          limit,
        );
        for (const { nr, fingerprint } of rows) {
          db.run('DELETE FROM certificates WHERE nr = ?', nr);
          db.run('DELETE FROM scep_transactions WHERE fingerprint = ?', fingerprint);
          db.run('DELETE FROM acme_identifiers WHERE used_for = ?', fingerprint);
          db.run(
            'DELETE FROM acme_authorizations WHERE order_id IN (SELECT id FROM acme_orders WHERE certificate = ?)',
            fingerprint,
          );
          db.run('DELETE FROM acme_orders WHERE certificate = ?', fingerprint);
        }
        return rows.length;
      }),

    prune: ({ before, limit }) =>
      db.write(() =>
        db.run(
          'DELETE FROM challenges WHERE hash IN (SELECT hash FROM challenges WHERE expires_at < ? LIMIT ?)',
          before,
          limit,
        ),
      ),
  };
}

function certificateOf(row: CertificateRow): IssuedCertificate {
  return {
    fingerprint: row.fingerprint,
    serialNumber: row.serial_number,
    subject: row.subject,
    notBefore: row.not_before,
    notAfter: row.not_after,
    enrolmentId: row.enrolment_id,
    status: row.status,
    authorityKeyId: row.authority_key_id,
    revokedAt: row.revoked_at,
    revocationReason: row.revocation_reason,
    renewalAt: row.renewal_at,
    deliveredAt: row.delivered_at,
    credentialId: row.credential_id,
    deviceId: row.device_id,
    attestation: row.attestation === null ? null : (JSON.parse(row.attestation) as AttestationRecord),
    certificate: new Uint8Array(row.certificate),
  };
}

/** Registers a certificate, inside a write; false when it is registered already. */
export function addCertificate(db: Database, certificate: NewCertificate): boolean {
  const added = db.run(
    `INSERT INTO certificates (fingerprint, serial_number, subject, not_before, not_after, certificate, invitation_id,
       enrolment_id, authority_key_id, attestation, delivered_at, credential_id, device_id, status)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'issued') ON CONFLICT (fingerprint) DO NOTHING`,
    certificate.fingerprint,
    certificate.serialNumber,
    certificate.subject,
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
  );
  return added > 0;
}

function conditions(filter: CertificateFilter): {
  readonly where: string;
  readonly values: readonly (string | number)[];
} {
  const parts: readonly (readonly [condition: string, value: string | number | undefined])[] = [
    ['enrolment_id = ?', filter.enrolmentId],
    ['device_id = ?', filter.deviceId],
    ['credential_id = ?', filter.credentialId],
    [
      'status IN (SELECT value FROM json_each(?))',
      filter.statuses === undefined ? undefined : JSON.stringify(filter.statuses),
    ],
    ['not_after < ?', filter.expiresBefore],
    ['not_after >= ?', filter.expiresFrom],
  ];
  const given = parts.filter(([, value]) => value !== undefined);
  const { expiring } = filter;
  const soon = `(status <> 'in-force' OR
    (credential_id IS NULL AND not_after - min(?, (not_after - not_before) * 3 / 4) <= ?) = ?)`;
  const window = expiring === undefined ? [] : [expiring.windowMs, expiring.at, expiring.are ? 1 : 0];
  return {
    where: ['TRUE', ...given.map(([condition]) => condition), ...(expiring === undefined ? [] : [soon])].join(' AND '),
    values: [...given.map(([, value]) => value!), ...window],
  };
}
