// An ACME store in memory, for standalone servers and tests.
import { createHash, randomBytes } from 'node:crypto';
import { type Clock, type RandomSource, timeOf } from '../clock.ts';
import type {
  AcmeAccount,
  AcmeAuthorization,
  AcmeCertificate,
  AcmeGrant,
  AcmeIdentifier,
  AcmeOrder,
  AcmeStore,
} from './types.ts';

/** An {@link AcmeStore} in memory that also makes client identifiers. */
export interface MemoryAcmeStore extends AcmeStore {
  /**
   * Makes a single-use identifier for one enrolment: the `ClientIdentifier` of a `com.apple.security.acme` payload.
   * 192 random bits, unless `value` names it.
   */
  createIdentifier(
    grant: AcmeGrant,
    options?: {
      readonly ttlMs?: number;
      readonly type?: 'permanent-identifier' | 'hardware-module';
      readonly value?: string;
    },
  ): string;
  /** All certificates issued, in order. */
  issued(): AcmeCertificate[];
}

/** Bounds of {@link createMemoryAcmeStore}. */
export interface MemoryAcmeStoreOptions {
  readonly clock: Clock;
  readonly random?: RandomSource;
  /** Lifetime of an identifier. Default one hour. */
  readonly identifierTtlMs?: number;
  /** Most nonces, and most accounts and orders without a certificate, that are kept; the oldest go. Default 100,000. */
  readonly maxEntries?: number;
}

interface Entitlement {
  readonly grant: AcmeGrant;
  readonly expires: number;
  readonly used: { readonly accountId: string; readonly publicKeyHash: string; readonly certificateId: string } | null;
}

/**
 * A store that lives as long as the process. Identifiers are kept as SHA-256 digests and found by digest, so that neither
 * a memory dump nor the time of a look-up tells one.
 */
export function createMemoryAcmeStore(options: MemoryAcmeStoreOptions): MemoryAcmeStore {
  const { clock, random = randomBytes, identifierTtlMs = 3_600_000, maxEntries = 100_000 } = options;
  const nonces = new Map<string, number>();
  const accounts = new Map<string, AcmeAccount>();
  const byThumbprint = new Map<string, string>();
  /** Accounts without a certificate, oldest first: anybody can make them. */
  const idle = new Set<string>();
  const identifiers = new Map<string, Entitlement>();
  /** These stay: whoever used one may have to ask for the certificate again. */
  const usedIdentifiers = new Map<string, Entitlement>();
  const orders = new Map<string, AcmeOrder>();
  /** Orders without a certificate, oldest first. */
  const open = new Set<string>();
  const authorizations = new Map<string, AcmeAuthorization>();
  const certificates = new Map<string, AcmeCertificate>();
  const digest = ({ type, value }: AcmeIdentifier): string =>
    createHash('sha256')
      .update(JSON.stringify([type, value]))
      .digest('base64');

  function live(identifier: AcmeIdentifier): Entitlement | null {
    const key = digest(identifier);
    const entry = usedIdentifiers.get(key) ?? identifiers.get(key);
    return entry && (entry.used || entry.expires > timeOf(clock)) ? entry : null;
  }

  function dropOldOrders(): void {
    const now = timeOf(clock);
    for (const id of open) {
      const order = orders.get(id)!;
      if (open.size <= maxEntries && order.expires > now) break;
      open.delete(id);
      orders.delete(id);
      for (const part of order.authorizations) authorizations.delete(part);
    }
  }

  return {
    createIdentifier(grant, { ttlMs = identifierTtlMs, type = 'permanent-identifier', value } = {}) {
      const now = timeOf(clock);
      for (const [key, entry] of identifiers) {
        if (entry.expires > now) break; // insertion order: with one lifetime the oldest expire first
        identifiers.delete(key);
      }
      const text = value ?? Buffer.from(random(24)).toString('base64url');
      identifiers.set(digest({ type, value: text }), { grant, expires: now + ttlMs, used: null });
      return text;
    },
    issued: () => [...certificates.values()],
    async addNonce(nonce, expires) {
      nonces.set(nonce, expires);
      const now = timeOf(clock);
      for (const [oldest, end] of nonces) {
        if (nonces.size <= maxEntries && end > now) break;
        nonces.delete(oldest);
      }
    },
    async takeNonce(nonce) {
      const expires = nonces.get(nonce);
      return nonces.delete(nonce) && expires !== undefined && expires > timeOf(clock);
    },
    async addAccount(account) {
      const known = byThumbprint.get(account.thumbprint);
      if (known !== undefined) return accounts.get(known)!;
      accounts.set(account.id, account);
      byThumbprint.set(account.thumbprint, account.id);
      idle.add(account.id);
      for (const oldest of idle) {
        if (idle.size <= maxEntries) break;
        idle.delete(oldest);
        byThumbprint.delete(accounts.get(oldest)!.thumbprint);
        accounts.delete(oldest);
      }
      return account;
    },
    async findAccount(id) {
      return accounts.get(id) ?? null;
    },
    async findAccountByThumbprint(thumbprint) {
      const id = byThumbprint.get(thumbprint);
      return id === undefined ? null : (accounts.get(id) ?? null);
    },
    async updateAccount(id, change) {
      const account = accounts.get(id);
      if (account?.status !== 'valid') return null;
      const changed = { ...account, ...change };
      accounts.set(id, changed);
      return changed;
    },
    async changeAccountKey(id, from, to) {
      const account = accounts.get(id);
      if (account?.thumbprint !== from) return 'stale';
      const other = byThumbprint.get(to.thumbprint);
      if (other !== undefined) return { conflict: other };
      byThumbprint.delete(from);
      byThumbprint.set(to.thumbprint, id);
      accounts.set(id, { ...account, ...to });
      return 'changed';
    },
    async findIdentifier(identifier) {
      const entry = live(identifier);
      return entry && { grant: entry.grant, usedBy: entry.used?.accountId ?? null };
    },
    async addOrder(order, parts) {
      orders.set(order.id, order);
      open.add(order.id);
      for (const part of parts) authorizations.set(part.id, part);
      dropOldOrders();
    },
    async findOrder(id) {
      return orders.get(id) ?? null;
    },
    async findOrders(accountId, limit) {
      return [...orders.values()]
        .filter((order) => order.accountId === accountId)
        .reverse()
        .slice(0, limit);
    },
    async findAuthorization(id) {
      return authorizations.get(id) ?? null;
    },
    async settleAuthorization(id, settlement) {
      const found = authorizations.get(id);
      if (!found || found.settlement || found.deactivated) return found ?? null;
      const settled = { ...found, settlement };
      authorizations.set(id, settled);
      return settled;
    },
    async deactivateAuthorization(id) {
      const found = authorizations.get(id);
      if (!found) return null;
      const changed = { ...found, deactivated: true };
      authorizations.set(id, changed);
      return changed;
    },
    async holdOrder(id, { csr, expires }) {
      const order = orders.get(id);
      if (order?.certificateId === null) orders.set(id, { ...order, heldCsr: csr, expires });
    },
    async commit(entry) {
      const order = orders.get(entry.orderId);
      if (!order) return { outcome: 'order-used' };
      let earlier = order.certificateId;
      if (earlier !== null && order.publicKeyHash !== entry.publicKeyHash) return { outcome: 'order-used' };
      for (const identifier of entry.consumes) {
        const found = live(identifier);
        const { used } = found ?? {};
        const own = used?.accountId === entry.accountId && used.publicKeyHash === entry.publicKeyHash;
        if (!found || (used && !own)) return { outcome: 'identifier-used' };
        earlier ??= used?.certificateId ?? null;
      }
      const { certificateId: newId, certificate, orderId, accountId, publicKeyHash } = entry;
      const certificateId = earlier ?? newId;
      orders.set(order.id, { ...order, certificateId, publicKeyHash });
      open.delete(order.id);
      if (earlier !== null) {
        return { outcome: 'replayed', certificateId, certificate: certificates.get(earlier)!.certificate };
      }
      idle.delete(accountId);
      for (const identifier of entry.consumes) {
        const key = digest(identifier);
        usedIdentifiers.set(key, { ...identifiers.get(key)!, used: { accountId, publicKeyHash, certificateId } });
        identifiers.delete(key);
      }
      certificates.set(certificateId, { id: certificateId, orderId, accountId, certificate, revoked: null });
      return { outcome: 'issued', certificateId, certificate };
    },
    async findCertificate(id) {
      return certificates.get(id) ?? null;
    },
    async revokeCertificate(id, reason, at) {
      const found = certificates.get(id);
      if (!found || found.revoked) return false;
      certificates.set(id, { ...found, revoked: { reason, at } });
      return true;
    },
  };
}
