// The certificate register, challenges and SCEP transactions on SQLite.
import type { CertificateStore, ChallengeRecord, IssuedCertificate, NewCertificate } from '@espalier/core';
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
}

interface ChallengeRow {
  readonly hash: string;
  readonly invitation_id: string | null;
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
  const add = (certificate: NewCertificate): number =>
    db.run(
      `INSERT INTO certificates (fingerprint, serial_number, subject, not_before, not_after, certificate, invitation_id, status)
       VALUES (?, ?, ?, ?, ?, ?, ?, 'issued') ON CONFLICT (fingerprint) DO NOTHING`,
      certificate.fingerprint,
      certificate.serialNumber,
      certificate.subject,
      certificate.notBefore,
      certificate.notAfter,
      certificate.certificate,
      certificate.invitationId,
    );

  return {
    addChallenge: (challenge) =>
      db.write(() => {
        db.run(
          `INSERT OR REPLACE INTO challenges (hash, invitation_id, subject, created_at, expires_at) VALUES (?, ?, ?, ?, ?)`,
          challenge.hash,
          challenge.invitationId,
          challenge.subject,
          challenge.createdAt,
          challenge.expiresAt,
        );
      }),

    findChallenge: (hash, at) => db.read(() => findChallenge(hash, at)),
    findTransaction: (transactionId, publicKeyHash) => db.read(() => findTransaction(transactionId, publicKeyHash)),

    commitScep: ({ challengeHash, transactionId, publicKeyHash, certificate, at, event }) =>
      db.write(() => {
        const issued = findTransaction(transactionId, publicKeyHash);
        if (issued !== null) return { outcome: 'replayed', certificate: issued };
        if (challengeHash !== null) {
          const used = db.run('DELETE FROM challenges WHERE hash = ? AND expires_at > ?', challengeHash, at);
          if (used === 0) return { outcome: 'challenge-used' };
        }
        db.run(
          'INSERT INTO scep_transactions (public_key_hash, transaction_id, certificate) VALUES (?, ?, ?)',
          publicKeyHash,
          transactionId,
          certificate.certificate,
        );
        add(certificate);
        appendEvents(db, [event]);
        return { outcome: 'issued', certificate: certificate.certificate };
      }),

    register: (certificate, event) =>
      db.write(() => {
        if (add(certificate) > 0) appendEvents(db, [event]);
      }),

    get: (fingerprint) =>
      db.read(() => {
        const row = db.get<CertificateRow>('SELECT * FROM certificates WHERE fingerprint = ?', fingerprint);
        return row === undefined ? null : { ...certificateOf(row), invitationId: row.invitation_id };
      }),

    list: ({ enrolmentId }, { after, limit }) =>
      db.read(() => {
        const below = after === undefined ? Number.MAX_SAFE_INTEGER : Number(after);
        const rows =
          enrolmentId === undefined
            ? db.all<CertificateRow>(
                'SELECT * FROM certificates WHERE nr < ? ORDER BY nr DESC LIMIT ?',
                below,
                limit + 1,
              )
            : db.all<CertificateRow>(
                'SELECT * FROM certificates WHERE enrolment_id = ? AND nr < ? ORDER BY nr DESC LIMIT ?',
                enrolmentId,
                below,
                limit + 1,
              );
        return pageOf(rows, limit, (row) => row.nr, certificateOf);
      }),

    revoke: (fingerprint) =>
      db.write(() => db.run("UPDATE certificates SET status = 'revoked' WHERE fingerprint = ?", fingerprint) > 0),

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
    certificate: new Uint8Array(row.certificate),
  };
}
