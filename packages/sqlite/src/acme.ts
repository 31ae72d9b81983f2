// The ACME server's state on SQLite.
import type {
  AcmeAccountRecord,
  AcmeAuthorizationRecord,
  AcmeIdentifierRecord,
  AcmeOrderRecord,
  AcmeStateStore,
} from '@espalier/core';
import { addCertificate } from './certificates.ts';
import type { Database } from './database.ts';
import { appendEvents } from './rows.ts';

interface OrderRow {
  readonly body: string;
  readonly sealed: Uint8Array;
  readonly certificate: string | null;
  readonly public_key_hash: string | null;
}

interface IdentifierRow {
  readonly body: string;
  readonly used_by: string | null;
  readonly used_key: string | null;
  readonly used_for: string | null;
}

/** ACME's state over a database. */
export function sqliteAcme(db: Database): AcmeStateStore {
  const account = (where: 'id' | 'thumbprint', value: string): AcmeAccountRecord | null => {
    const row = db.get<{ body: string }>(`SELECT body FROM acme_accounts WHERE ${where} = ?`, value);
    return row === undefined ? null : (JSON.parse(row.body) as AcmeAccountRecord);
  };
  const putAccount = (changed: AcmeAccountRecord): AcmeAccountRecord => {
    const { id, thumbprint, status } = changed;
    db.run(
      'UPDATE acme_accounts SET thumbprint = ?, status = ?, body = ? WHERE id = ?',
      thumbprint,
      status,
      JSON.stringify(changed),
      id,
    );
    return changed;
  };
  const order = (id: string): AcmeOrderRecord | null => {
    const row = db.get<OrderRow>('SELECT body, sealed, certificate, public_key_hash FROM acme_orders WHERE id = ?', id);
    return row === undefined ? null : orderOf(row);
  };
  const identifier = (hash: string, at: number): IdentifierRow | undefined =>
    db.get<IdentifierRow>(
      'SELECT * FROM acme_identifiers WHERE hash = ? AND (used_by IS NOT NULL OR expires > ?)',
      hash,
      at,
    );
  const authorization = (id: string): AcmeAuthorizationRecord | null => {
    const row = db.get<{ body: string }>('SELECT body FROM acme_authorizations WHERE id = ?', id);
    return row === undefined ? null : (JSON.parse(row.body) as AcmeAuthorizationRecord);
  };
  const putAuthorization = (changed: AcmeAuthorizationRecord): AcmeAuthorizationRecord => {
    db.run('UPDATE acme_authorizations SET body = ? WHERE id = ?', JSON.stringify(changed), changed.id);
    return changed;
  };

  return {
    addNonce: (nonce, expires) =>
      db.write(() => {
        db.run('INSERT OR REPLACE INTO acme_nonces (nonce, expires) VALUES (?, ?)', nonce, expires);
      }),
    takeNonce: (nonce, at) =>
      db.write(() => db.run('DELETE FROM acme_nonces WHERE nonce = ? AND expires > ?', nonce, at) > 0),

    addAccount: (wanted) =>
      db.write(() => {
        const { id, thumbprint, status, createdAt } = wanted;
        db.run(
          `INSERT INTO acme_accounts (id, thumbprint, status, created_at, body) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (thumbprint) DO NOTHING`,
          id,
          thumbprint,
          status,
          createdAt,
          JSON.stringify(wanted),
        );
        return account('thumbprint', thumbprint)!;
      }),
    findAccount: (id) => db.read(() => account('id', id)),
    findAccountByThumbprint: (thumbprint) => db.read(() => account('thumbprint', thumbprint)),
    updateAccount: (id, change) =>
      db.write(() => {
        const found = account('id', id);
        return found?.status === 'valid' ? putAccount({ ...found, ...change }) : null;
      }),
    changeAccountKey: (id, from, to) =>
      db.write(() => {
        const found = account('id', id);
        if (found?.thumbprint !== from) return 'stale';
        const other = account('thumbprint', to.thumbprint);
        if (other !== null) return { conflict: other.id };
        putAccount({ ...found, ...to });
        return 'changed';
      }),

    addIdentifier: (record) =>
      db.write(() => {
        db.run(
          'INSERT OR REPLACE INTO acme_identifiers (hash, expires, body) VALUES (?, ?, ?)',
          record.hash,
          record.expiresAt,
          JSON.stringify(record),
        );
      }),
    findIdentifier: (hash, at) =>
      db.read(() => {
        const row = identifier(hash, at);
        return row === undefined ? null : { ...(JSON.parse(row.body) as AcmeIdentifierRecord), usedBy: row.used_by };
      }),

    addOrder: (wanted, parts) =>
      db.write(() => {
        const { sealed, ...body } = wanted;
        db.run(
          `INSERT INTO acme_orders (id, account, expires, certificate, public_key_hash, sealed, body)
           VALUES (?, ?, ?, ?, ?, ?, ?)`,
          wanted.id,
          wanted.accountId,
          wanted.expires,
          wanted.certificateId,
          wanted.publicKeyHash,
          sealed,
          JSON.stringify(body),
        );
        for (const part of parts) {
          db.run(
            'INSERT INTO acme_authorizations (id, order_id, body) VALUES (?, ?, ?)',
            part.id,
            wanted.id,
            JSON.stringify(part),
          );
        }
      }),
    holdOrder: ({ id, sealed, expires }) =>
      db.write(
        () =>
          db.run(
            `UPDATE acme_orders SET sealed = ?1, expires = ?2, body = json_set(body, '$.expires', ?2)
             WHERE id = ?3 AND certificate IS NULL`,
            sealed,
            expires,
            id,
          ) > 0,
      ),
    findOrder: (id) => db.read(() => order(id)),
    findOrders: (accountId, limit) =>
      db.read(() =>
        db
          .all<OrderRow>(
            'SELECT body, sealed, certificate, public_key_hash FROM acme_orders WHERE account = ? ORDER BY nr DESC LIMIT ?',
            accountId,
            limit,
          )
          .map(orderOf),
      ),
    findAuthorization: (id) => db.read(() => authorization(id)),
    settleAuthorization: (id, settlement) =>
      db.write(() => {
        const found = authorization(id);
        if (found === null || found.settlement !== null || found.deactivated) return found;
        return putAuthorization({ ...found, settlement });
      }),
    deactivateAuthorization: (id) =>
      db.write(() => {
        const found = authorization(id);
        return found === null ? null : putAuthorization({ ...found, deactivated: true });
      }),

    commit: ({ orderId, accountId, consumes, publicKeyHash, certificate, at, event }) =>
      db.write(() => {
        const found = order(orderId);
        if (found === null) return { outcome: 'order-used' };
        let earlier = found.certificateId;
        if (earlier !== null && found.publicKeyHash !== publicKeyHash) return { outcome: 'order-used' };
        for (const hash of consumes) {
          const row = identifier(hash, at);
          const used = row?.used_by != null;
          if (row === undefined || (used && (row.used_by !== accountId || row.used_key !== publicKeyHash))) {
            return { outcome: 'identifier-used' };
          }
          earlier ??= row.used_for;
        }
        const certificateId = earlier ?? certificate.fingerprint;
        const known =
          earlier === null
            ? undefined
            : db.get<{ certificate: Uint8Array }>(
                'SELECT certificate FROM certificates WHERE fingerprint = ?',
                earlier,
              );
        // Its certificate is no longer kept.
        if (earlier !== null && known === undefined) return { outcome: 'order-used' };
        db.run(
          'UPDATE acme_orders SET certificate = ?, public_key_hash = ? WHERE id = ?',
          certificateId,
          publicKeyHash,
          orderId,
        );
        if (known !== undefined) {
          return { outcome: 'replayed', certificateId, certificate: new Uint8Array(known.certificate) };
        }
        for (const hash of consumes) {
          db.run(
            'UPDATE acme_identifiers SET used_by = ?, used_key = ?, used_for = ? WHERE hash = ?',
            accountId,
            publicKeyHash,
            certificateId,
            hash,
          );
        }
        db.run('UPDATE acme_accounts SET proven = 1 WHERE id = ?', accountId);
        if (addCertificate(db, certificate)) appendEvents(db, [event]);
        return { outcome: 'issued', certificateId, certificate: certificate.certificate };
      }),
    findIssuance: (fingerprint) =>
      db.read(
        () =>
          db.get<{ orderId: string; accountId: string }>(
            'SELECT id AS orderId, account AS accountId FROM acme_orders WHERE certificate = ? ORDER BY nr LIMIT 1',
            fingerprint,
          ) ?? null,
      ),

    prune: ({ at, idleBefore, limit }) =>
      db.write(() => {
        const open = 'SELECT nr FROM acme_orders WHERE certificate IS NULL AND expires <= ? LIMIT ?';
        db.run(
          `DELETE FROM acme_authorizations WHERE order_id IN (SELECT id FROM acme_orders WHERE nr IN (${open}))`,
          at,
          limit,
        );
        return Math.max(
          db.run(
            'DELETE FROM acme_nonces WHERE nonce IN (SELECT nonce FROM acme_nonces WHERE expires <= ? LIMIT ?)',
            at,
            limit,
          ),
          db.run(
            `DELETE FROM acme_identifiers WHERE hash IN (
               SELECT hash FROM acme_identifiers WHERE used_by IS NULL AND expires <= ? LIMIT ?)`,
            at,
            limit,
          ),
          db.run(`DELETE FROM acme_orders WHERE nr IN (${open})`, at, limit),
          db.run(
            `DELETE FROM acme_accounts WHERE id IN (
               SELECT a.id FROM acme_accounts a WHERE a.proven = 0 AND a.created_at < ?
                 AND NOT EXISTS (SELECT 1 FROM acme_orders o WHERE o.account = a.id) LIMIT ?)`,
            idleBefore,
            limit,
          ),
        );
      }),
  };
}

function orderOf(row: OrderRow): AcmeOrderRecord {
  const { certificate: certificateId, public_key_hash: publicKeyHash } = row;
  const body = JSON.parse(row.body) as Omit<AcmeOrderRecord, 'sealed'>;
  return { ...body, sealed: new Uint8Array(row.sealed), certificateId, publicKeyHash };
}
