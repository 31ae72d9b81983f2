// The ACME server's state on PostgreSQL.
import type {
  AcmeAccountRecord,
  AcmeAuthorizationRecord,
  AcmeIdentifierRecord,
  AcmeOrderRecord,
  AcmeStateStore,
} from '@espalier/core';
import type { Database, Queryable } from '../database.ts';
import { sendEvents } from '../rows.ts';
import { addCertificate } from './certificates.ts';

interface OrderRow {
  readonly body: Omit<AcmeOrderRecord, 'sealed'>;
  readonly sealed: Uint8Array;
  readonly certificateId: string | null;
  readonly publicKeyHash: string | null;
}

interface IdentifierRow {
  readonly body: AcmeIdentifierRecord;
  readonly usedBy: string | null;
  readonly usedKey: string | null;
  readonly usedFor: string | null;
}

interface Body<T> {
  readonly body: T;
}

/** ACME's state over the database. */
export function postgresAcme(db: Database): AcmeStateStore {
  const s = db.schema;
  const order = `SELECT body, sealed, certificate AS "certificateId", public_key_hash AS "publicKeyHash" FROM ${s}.acme_order`;
  const identifier = `SELECT body, used_by AS "usedBy", used_key AS "usedKey", used_for AS "usedFor"
    FROM ${s}.acme_identifier WHERE hash = ANY ($1::text[]) AND (used_by IS NOT NULL OR expires > $2)`;
  const text = {
    addNonce: `INSERT INTO ${s}.acme_nonce (nonce, expires) VALUES ($1, $2)
      ON CONFLICT (nonce) DO UPDATE SET expires = excluded.expires`,
    takeNonce: `DELETE FROM ${s}.acme_nonce WHERE nonce = $1 AND expires > $2 RETURNING 1`,
    addAccount: `INSERT INTO ${s}.acme_account (id, thumbprint, created_at, body) VALUES ($1, $2, $3, $4)
      ON CONFLICT (thumbprint) DO NOTHING`,
    account: `SELECT body FROM ${s}.acme_account WHERE id = $1`,
    lockAccount: `SELECT body FROM ${s}.acme_account WHERE id = $1 FOR UPDATE`,
    byThumbprint: `SELECT body FROM ${s}.acme_account WHERE thumbprint = $1`,
    putAccount: `UPDATE ${s}.acme_account SET thumbprint = $2, body = $3 WHERE id = $1`,
    addIdentifier: `INSERT INTO ${s}.acme_identifier (hash, expires, body) VALUES ($1, $2, $3)
      ON CONFLICT (hash) DO UPDATE SET expires = excluded.expires, body = excluded.body,
        used_by = NULL, used_key = NULL, used_for = NULL`,
    identifier,
    lockIdentifiers: `${identifier} ORDER BY hash FOR UPDATE`,
    useIdentifiers: `UPDATE ${s}.acme_identifier SET used_by = $2, used_key = $3, used_for = $4
      WHERE hash = ANY ($1::text[])`,
    addOrder: `INSERT INTO ${s}.acme_order (id, account, expires, certificate, public_key_hash, sealed, body)
      VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    addAuthorizations: `INSERT INTO ${s}.acme_authorization (id, order_id, body)
      SELECT t.id, $1, t.body::json FROM unnest($2::text[], $3::text[]) AS t (id, body)`,
    order: `${order} WHERE id = $1`,
    lockOrder: `${order} WHERE id = $1 FOR UPDATE`,
    orders: `${order} WHERE account = $1 ORDER BY n DESC LIMIT $2`,
    holdOrder: `UPDATE ${s}.acme_order
      SET sealed = $2, expires = $3::bigint, body = jsonb_set(body::jsonb, '{expires}', to_jsonb($3::bigint))::json
      WHERE id = $1 AND certificate IS NULL RETURNING 1`,
    markOrder: `UPDATE ${s}.acme_order SET certificate = $2, public_key_hash = $3 WHERE id = $1`,
    authorization: `SELECT body FROM ${s}.acme_authorization WHERE id = $1`,
    lockAuthorization: `SELECT body FROM ${s}.acme_authorization WHERE id = $1 FOR UPDATE`,
    putAuthorization: `UPDATE ${s}.acme_authorization SET body = $2 WHERE id = $1`,
    certificate: `SELECT certificate FROM ${s}.certificate WHERE fingerprint = $1`,
    proven: `UPDATE ${s}.acme_account SET proven = true WHERE id = $1`,
    issuance: `SELECT id AS "orderId", account AS "accountId" FROM ${s}.acme_order
      WHERE certificate = $1 ORDER BY n LIMIT 1`,
    pruneNonces: `WITH old AS MATERIALIZED (
        SELECT nonce FROM ${s}.acme_nonce WHERE expires <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
      ), gone AS (DELETE FROM ${s}.acme_nonce t USING old WHERE t.nonce = old.nonce RETURNING 1)
      SELECT count(*) AS count FROM gone`,
    pruneIdentifiers: `WITH old AS MATERIALIZED (
        SELECT hash FROM ${s}.acme_identifier WHERE used_by IS NULL AND expires <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
      ), gone AS (DELETE FROM ${s}.acme_identifier t USING old WHERE t.hash = old.hash RETURNING 1)
      SELECT count(*) AS count FROM gone`,
    pruneOrders: `WITH old AS MATERIALIZED (
        SELECT id FROM ${s}.acme_order WHERE certificate IS NULL AND expires <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
      ), parts AS (DELETE FROM ${s}.acme_authorization t USING old WHERE t.order_id = old.id),
      gone AS (DELETE FROM ${s}.acme_order t USING old WHERE t.id = old.id RETURNING 1)
      SELECT count(*) AS count FROM gone`,
    pruneAccounts: `WITH old AS MATERIALIZED (
        SELECT a.id FROM ${s}.acme_account a WHERE NOT a.proven AND a.created_at < $1
          AND NOT EXISTS (SELECT FROM ${s}.acme_order o WHERE o.account = a.id)
        LIMIT $2 FOR UPDATE SKIP LOCKED
      ), gone AS (DELETE FROM ${s}.acme_account t USING old WHERE t.id = old.id RETURNING 1)
      SELECT count(*) AS count FROM gone`,
  };

  const account = async (q: Queryable, name: 'account' | 'lockAccount' | 'byThumbprint', key: string) =>
    (await q.query<Body<AcmeAccountRecord>>(`acme.${name}`, text[name], [key]))[0]?.body ?? null;
  const putAccount = async (q: Queryable, changed: AcmeAccountRecord): Promise<AcmeAccountRecord> => {
    await q.query('acme.putAccount', text.putAccount, [changed.id, changed.thumbprint, JSON.stringify(changed)]);
    return changed;
  };
  const authorization = async (q: Queryable, name: 'authorization' | 'lockAuthorization', id: string) =>
    (await q.query<Body<AcmeAuthorizationRecord>>(`acme.${name}`, text[name], [id]))[0]?.body ?? null;
  const putAuthorization = async (q: Queryable, changed: AcmeAuthorizationRecord): Promise<AcmeAuthorizationRecord> => {
    await q.query('acme.putAuthorization', text.putAuthorization, [changed.id, JSON.stringify(changed)]);
    return changed;
  };
  const prune = async (
    name: 'pruneNonces' | 'pruneIdentifiers' | 'pruneOrders' | 'pruneAccounts',
    before: number,
    limit: number,
  ): Promise<number> => (await db.query<{ count: number }>(`acme.${name}`, text[name], [before, limit]))[0]?.count ?? 0;

  return {
    async addNonce(nonce, expires) {
      await db.query('acme.addNonce', text.addNonce, [nonce, expires]);
    },
    takeNonce: async (nonce, at) => (await db.query('acme.takeNonce', text.takeNonce, [nonce, at])).length > 0,

    async addAccount(wanted) {
      const values = [wanted.id, wanted.thumbprint, wanted.createdAt, JSON.stringify(wanted)];
      await db.query('acme.addAccount', text.addAccount, values);
      return (await account(db, 'byThumbprint', wanted.thumbprint))!;
    },
    findAccount: (id) => account(db, 'account', id),
    findAccountByThumbprint: (thumbprint) => account(db, 'byThumbprint', thumbprint),
    updateAccount: (id, change) =>
      db.transaction(async (q) => {
        const found = await account(q, 'lockAccount', id);
        return found?.status === 'valid' ? putAccount(q, { ...found, ...change }) : null;
      }),
    changeAccountKey: (id, from, to) =>
      db.transaction(async (q) => {
        const found = await account(q, 'lockAccount', id);
        if (found?.thumbprint !== from) return 'stale';
        const other = await account(q, 'byThumbprint', to.thumbprint);
        if (other !== null) return { conflict: other.id };
        await putAccount(q, { ...found, ...to });
        return 'changed';
      }),

    async addIdentifier(record) {
      await db.query('acme.addIdentifier', text.addIdentifier, [record.hash, record.expiresAt, JSON.stringify(record)]);
    },
    async findIdentifier(hash, at) {
      const [row] = await db.query<IdentifierRow>('acme.identifier', text.identifier, [[hash], at]);
      return row === undefined ? null : { ...row.body, usedBy: row.usedBy };
    },

    addOrder: (wanted, parts) =>
      db.transaction(async (q) => {
        const { sealed, ...body } = wanted;
        const { id, accountId, expires, certificateId, publicKeyHash } = body;
        const values = [id, accountId, expires, certificateId, publicKeyHash, sealed, JSON.stringify(body)];
        await q.query('acme.addOrder', text.addOrder, values);
        const bodies = parts.map((part) => JSON.stringify(part));
        await q.query('acme.addAuthorizations', text.addAuthorizations, [id, parts.map((part) => part.id), bodies]);
      }),
    async holdOrder({ id, sealed, expires }) {
      return (await db.query('acme.holdOrder', text.holdOrder, [id, sealed, expires])).length > 0;
    },
    async findOrder(id) {
      const [row] = await db.query<OrderRow>('acme.order', text.order, [id]);
      return row === undefined ? null : orderOf(row);
    },
    findOrders: async (accountId, limit) =>
      (await db.query<OrderRow>('acme.orders', text.orders, [accountId, limit])).map(orderOf),
    findAuthorization: (id) => authorization(db, 'authorization', id),
    settleAuthorization: (id, settlement) =>
      db.transaction(async (q) => {
        const found = await authorization(q, 'lockAuthorization', id);
        if (found === null || found.settlement !== null || found.deactivated) return found;
        return putAuthorization(q, { ...found, settlement });
      }),
    deactivateAuthorization: (id) =>
      db.transaction(async (q) => {
        const found = await authorization(q, 'lockAuthorization', id);
        return found === null ? null : putAuthorization(q, { ...found, deactivated: true });
      }),

    commit: ({ orderId, accountId, consumes, publicKeyHash, certificate, at, event }) =>
      db.transaction(async (q) => {
        const [found] = await q.query<OrderRow>('acme.lockOrder', text.lockOrder, [orderId]);
        if (found === undefined) return { outcome: 'order-used' };
        let earlier = found.certificateId;
        if (earlier !== null && found.publicKeyHash !== publicKeyHash) return { outcome: 'order-used' };
        const hashes = [...new Set(consumes)];
        const rows = await q.query<IdentifierRow>('acme.lockIdentifiers', text.lockIdentifiers, [hashes, at]);
        const foreign = ({ usedBy, usedKey }: IdentifierRow) =>
          usedBy !== null && (usedBy !== accountId || usedKey !== publicKeyHash);
        if (rows.length < hashes.length || rows.some(foreign)) return { outcome: 'identifier-used' };
        for (const row of rows) earlier ??= row.usedFor;
        const certificateId = earlier ?? certificate.fingerprint;
        const [known] =
          earlier === null
            ? []
            : await q.query<{ certificate: Uint8Array }>('acme.certificate', text.certificate, [earlier]);
        // Its certificate is no longer kept.
        if (earlier !== null && known === undefined) return { outcome: 'order-used' };
        await q.query('acme.markOrder', text.markOrder, [orderId, certificateId, publicKeyHash]);
        if (known !== undefined) return { outcome: 'replayed', certificateId, certificate: known.certificate };
        await q.query('acme.useIdentifiers', text.useIdentifiers, [hashes, accountId, publicKeyHash, certificateId]);
        await q.query('acme.proven', text.proven, [accountId]);
        if (await addCertificate(q, s, certificate)) sendEvents(q, s, [event]);
        return { outcome: 'issued', certificateId, certificate: certificate.certificate };
      }),
    async findIssuance(fingerprint) {
      const rows = await db.query<{ orderId: string; accountId: string }>('acme.issuance', text.issuance, [
        fingerprint,
      ]);
      return rows[0] ?? null;
    },

    async prune({ at, idleBefore, limit }) {
      const gone = [
        await prune('pruneNonces', at, limit),
        await prune('pruneIdentifiers', at, limit),
        await prune('pruneOrders', at, limit),
        await prune('pruneAccounts', idleBefore, limit),
      ];
      return Math.max(...gone);
    },
  };
}

function orderOf({ body, sealed, certificateId, publicKeyHash }: OrderRow): AcmeOrderRecord {
  return { ...body, sealed, certificateId, publicKeyHash };
}
