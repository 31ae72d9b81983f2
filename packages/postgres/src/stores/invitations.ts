// Invitations on PostgreSQL.
import type { InvitationRecord, InvitationStore } from '@espalier/core';
import type { Database } from '../database.ts';
import { cut, sendEvents } from '../rows.ts';

/** Invitations over the database. */
export function postgresInvitations(db: Database): InvitationStore {
  const s = db.schema;
  const columns = `id, status, note, created_at AS "createdAt", expires_at AS "expiresAt", enrolment_id AS "enrolmentId",
    sealed, pin_hash AS "pinHash", token_hash AS "tokenHash"`;
  const text = {
    // Two invitations with one PIN at the same moment: the second waits here and then sees the first.
    lock: `SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))`,
    taken: `SELECT 1 FROM ${s}.invitation WHERE pin_hash = $1 AND status = 'valid' AND expires_at > $2 LIMIT 1`,
    create: `INSERT INTO ${s}.invitation
        (id, status, note, created_at, expires_at, enrolment_id, sealed, pin_hash, token_hash)
      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    get: `SELECT ${columns} FROM ${s}.invitation WHERE id = $1`,
    byToken: `SELECT ${columns} FROM ${s}.invitation WHERE token_hash = $1 ORDER BY n DESC LIMIT 1`,
    byPin: `SELECT ${columns} FROM ${s}.invitation WHERE pin_hash = $1 ORDER BY n DESC LIMIT 1`,
    list: `SELECT ${columns} FROM ${s}.invitation
      WHERE $1::text IS NULL OR n < (SELECT n FROM ${s}.invitation WHERE id = $1) ORDER BY n DESC LIMIT $2`,
    revoke: `UPDATE ${s}.invitation SET status = 'revoked' WHERE id = $1 AND status = 'valid' RETURNING 1`,
    sweep: `WITH old AS MATERIALIZED (
        SELECT id FROM ${s}.invitation WHERE status = 'valid' AND expires_at <= $1
        ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
      ), done AS (UPDATE ${s}.invitation i SET status = 'expired' FROM old WHERE i.id = old.id RETURNING 1)
      SELECT count(*) AS count FROM done`,
  };
  const one = async (name: string, sql: string, value: string): Promise<InvitationRecord | null> =>
    (await db.query<InvitationRecord>(name, sql, [value]))[0] ?? null;
  return {
    create: (invitation, at, event) =>
      db.transaction(async (q) => {
        q.send('invitations.lock', text.lock, [`${db.schemaName}.pin`, invitation.pinHash]);
        const taken = await q.query('invitations.taken', text.taken, [invitation.pinHash, at]);
        if (taken.length > 0) return 'pin-taken';
        q.send('invitations.create', text.create, [
          invitation.id,
          invitation.status,
          invitation.note,
          invitation.createdAt,
          invitation.expiresAt,
          invitation.enrolmentId,
          invitation.sealed,
          invitation.pinHash,
          invitation.tokenHash,
        ]);
        sendEvents(q, s, [event]);
        return 'created';
      }),
    get: (id) => one('invitations.get', text.get, id),
    findByToken: (tokenHash) => one('invitations.byToken', text.byToken, tokenHash),
    findByPin: (pinHash) => one('invitations.byPin', text.byPin, pinHash),
    async list({ after, limit }) {
      const rows = await db.query<InvitationRecord>('invitations.list', text.list, [after ?? null, limit + 1]);
      return cut(
        rows,
        limit,
        (row) => row.id,
        (row) => row,
      );
    },
    async revoke(id) {
      return (await db.query('invitations.revoke', text.revoke, [id])).length > 0;
    },
    async sweep({ at, limit }) {
      const [row] = await db.query<{ count: number }>('invitations.sweep', text.sweep, [at, limit]);
      return row?.count ?? 0;
    },
  };
}
