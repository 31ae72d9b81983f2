// Invitations on SQLite.
import type { InvitationRecord, InvitationStore } from '@espalier/core';
import type { Database } from './database.ts';
import { appendEvents, pageOf } from './rows.ts';

interface InvitationRow {
  readonly nr: number;
  readonly id: string;
  readonly status: InvitationRecord['status'];
  readonly note: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly enrolment_id: string | null;
  readonly sealed: Uint8Array;
  readonly pin_hash: string;
  readonly token_hash: string;
}

/** Invitations over a database. */
export function sqliteInvitations(db: Database): InvitationStore {
  const one = (row: InvitationRow | undefined): InvitationRecord | null =>
    row === undefined ? null : invitationOf(row);
  return {
    create: (invitation, at, event) =>
      db.write(() => {
        const taken = db.get(
          "SELECT 1 AS one FROM invitations WHERE pin_hash = ? AND status = 'valid' AND expires_at > ?",
          invitation.pinHash,
          at,
        );
        if (taken !== undefined) return 'pin-taken';
        db.run(
          `INSERT INTO invitations (id, status, note, created_at, expires_at, enrolment_id, sealed, pin_hash, token_hash)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          invitation.id,
          invitation.status,
          invitation.note,
          invitation.createdAt,
          invitation.expiresAt,
          invitation.enrolmentId,
          invitation.sealed,
          invitation.pinHash,
          invitation.tokenHash,
        );
        appendEvents(db, [event]);
        return 'created';
      }),

    get: (id) => db.read(() => one(db.get<InvitationRow>('SELECT * FROM invitations WHERE id = ?', id))),
    findByToken: (tokenHash) =>
      db.read(() => one(db.get<InvitationRow>('SELECT * FROM invitations WHERE token_hash = ?', tokenHash))),
    findByPin: (pinHash) =>
      db.read(() =>
        one(db.get<InvitationRow>('SELECT * FROM invitations WHERE pin_hash = ? ORDER BY nr DESC LIMIT 1', pinHash)),
      ),

    list: ({ after, limit }) =>
      db.read(() => {
        const below = after === undefined ? Number.MAX_SAFE_INTEGER : Number(after);
        const rows = db.all<InvitationRow>(
          'SELECT * FROM invitations WHERE nr < ? ORDER BY nr DESC LIMIT ?',
          below,
          limit + 1,
        );
        return pageOf(rows, limit, (row) => row.nr, invitationOf);
      }),

    revoke: (id) =>
      db.write(() => db.run("UPDATE invitations SET status = 'revoked' WHERE id = ? AND status = 'valid'", id) > 0),

    sweep: ({ at, limit }) =>
      db.write(() =>
        db.run(
          `UPDATE invitations SET status = 'expired' WHERE nr IN (
             SELECT nr FROM invitations WHERE status = 'valid' AND expires_at <= ? LIMIT ?)`,
          at,
          limit,
        ),
      ),
  };
}

function invitationOf(row: InvitationRow): InvitationRecord {
  return {
    id: row.id,
    status: row.status,
    note: row.note,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    enrolmentId: row.enrolment_id,
    sealed: new Uint8Array(row.sealed),
    pinHash: row.pin_hash,
    tokenHash: row.token_hash,
  };
}
