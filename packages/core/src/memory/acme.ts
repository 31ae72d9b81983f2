// The ACME server's state in memory.
import type { AcmeAccountRecord, AcmeAuthorizationRecord, AcmeStateStore } from '../contracts/acme.ts';
import type { MemoryState } from './state.ts';

/** ACME's state over the store's. */
export function memoryAcme(state: MemoryState): AcmeStateStore {
  const { acmeIdentifiers: identifiers, acmeOrders: orders, acmeAuthorizations: authorizations } = state;
  const nonces = new Map<string, number>();
  const accounts = new Map<string, AcmeAccountRecord>();
  const byThumbprint = new Map<string, string>();
  /** Accounts that got a certificate. */
  const proven = new Set<string>();

  const live = (hash: string, at: number) => {
    const entry = identifiers.get(hash);
    return entry !== undefined && (entry.used !== null || entry.record.expiresAt > at) ? entry : undefined;
  };
  const change = (id: string, part: Partial<AcmeAuthorizationRecord>): AcmeAuthorizationRecord => {
    const changed = { ...authorizations.get(id)!, ...part };
    authorizations.set(id, changed);
    return changed;
  };

  return {
    async addNonce(nonce, expires) {
      state.open();
      nonces.set(nonce, expires);
    },
    async takeNonce(nonce, at) {
      state.open();
      const expires = nonces.get(nonce);
      return nonces.delete(nonce) && expires !== undefined && expires > at;
    },
    async addAccount(account) {
      state.open();
      const known = byThumbprint.get(account.thumbprint);
      if (known !== undefined) return accounts.get(known)!;
      accounts.set(account.id, account);
      byThumbprint.set(account.thumbprint, account.id);
      return account;
    },
    async findAccount(id) {
      state.open();
      return accounts.get(id) ?? null;
    },
    async findAccountByThumbprint(thumbprint) {
      state.open();
      return accounts.get(byThumbprint.get(thumbprint) ?? '') ?? null;
    },
    async updateAccount(id, update) {
      state.open();
      const account = accounts.get(id);
      if (account?.status !== 'valid') return null;
      const changed = { ...account, ...update };
      accounts.set(id, changed);
      return changed;
    },
    async changeAccountKey(id, from, to) {
      state.open();
      const account = accounts.get(id);
      if (account?.thumbprint !== from) return 'stale';
      const other = byThumbprint.get(to.thumbprint);
      if (other !== undefined) return { conflict: other };
      byThumbprint.delete(from);
      byThumbprint.set(to.thumbprint, id);
      accounts.set(id, { ...account, ...to });
      return 'changed';
    },

    async addIdentifier(record) {
      state.open();
      identifiers.set(record.hash, { record, used: null });
    },
    async findIdentifier(hash, at) {
      state.open();
      const entry = live(hash, at);
      return entry === undefined ? null : { ...entry.record, usedBy: entry.used?.accountId ?? null };
    },

    async addOrder(order, parts) {
      state.open();
      orders.set(order.id, order);
      for (const part of parts) authorizations.set(part.id, part);
    },
    async holdOrder({ id, sealed, expires }) {
      state.open();
      const order = orders.get(id);
      if (order?.certificateId !== null) return false;
      orders.set(id, { ...order, sealed, expires });
      return true;
    },
    async findOrder(id) {
      state.open();
      return orders.get(id) ?? null;
    },
    async findOrders(accountId, limit) {
      state.open();
      return [...orders.values()]
        .filter((order) => order.accountId === accountId)
        .reverse()
        .slice(0, limit);
    },
    async findAuthorization(id) {
      state.open();
      return authorizations.get(id) ?? null;
    },
    async settleAuthorization(id, settlement) {
      state.open();
      const found = authorizations.get(id);
      if (found === undefined || found.settlement !== null || found.deactivated) return found ?? null;
      return change(id, { settlement });
    },
    async deactivateAuthorization(id) {
      state.open();
      return authorizations.has(id) ? change(id, { deactivated: true }) : null;
    },

    async commit({ orderId, accountId, consumes, publicKeyHash, certificate, at, event }) {
      state.open();
      const order = orders.get(orderId);
      if (order === undefined) return { outcome: 'order-used' };
      let earlier = order.certificateId;
      if (earlier !== null && order.publicKeyHash !== publicKeyHash) return { outcome: 'order-used' };
      for (const hash of consumes) {
        const entry = live(hash, at);
        const used = entry?.used ?? null;
        const own = used?.accountId === accountId && used.publicKeyHash === publicKeyHash;
        if (entry === undefined || (used !== null && !own)) return { outcome: 'identifier-used' };
        earlier ??= used?.fingerprint ?? null;
      }
      const certificateId = earlier ?? certificate.fingerprint;
      const known = earlier === null ? undefined : state.certificates.get(earlier);
      if (earlier !== null && known === undefined) return { outcome: 'order-used' };
      orders.set(orderId, { ...order, certificateId, publicKeyHash });
      if (known !== undefined) return { outcome: 'replayed', certificateId, certificate: known.certificate };
      for (const hash of consumes) {
        const { record } = identifiers.get(hash)!;
        identifiers.set(hash, { record, used: { accountId, publicKeyHash, fingerprint: certificateId } });
      }
      proven.add(accountId);
      state.acmeIssuances.set(certificateId, { orderId, accountId });
      if (state.addCertificate(certificate)) state.appendEvents([event]);
      return { outcome: 'issued', certificateId, certificate: certificate.certificate };
    },
    async findIssuance(fingerprint) {
      state.open();
      return state.acmeIssuances.get(fingerprint) ?? null;
    },

    async prune({ at, idleBefore, limit }) {
      state.open();
      const gone = [
        removeSome(nonces, limit, (expires) => expires <= at),
        removeSome(identifiers, limit, ({ record, used }) => used === null && record.expiresAt <= at),
        removeSome(
          orders,
          limit,
          (order) => order.certificateId === null && order.expires <= at,
          (order) => {
            for (const part of order.authorizations) authorizations.delete(part);
          },
        ),
      ];
      const busy = new Set([...orders.values()].map((order) => order.accountId));
      const idle = ({ id, createdAt }: AcmeAccountRecord) => createdAt < idleBefore && !proven.has(id) && !busy.has(id);
      gone.push(removeSome(accounts, limit, idle, ({ thumbprint }) => byThumbprint.delete(thumbprint)));
      return Math.max(...gone);
    },
  };
}

function removeSome<T>(
  map: Map<string, T>,
  limit: number,
  isGone: (value: T) => boolean,
  after: (value: T) => void = () => undefined,
): number {
  let count = 0;
  for (const [key, value] of map) {
    if (count >= limit) break;
    if (!isGone(value)) continue;
    map.delete(key);
    after(value);
    count++;
  }
  return count;
}
