// A SCEP store in memory, for standalone servers and tests.
import { createHash, randomBytes } from 'node:crypto';
import { type Clock, type RandomSource, timeOf } from '../clock.ts';
import { parseCertificate, serialHex } from '../x509/certificate.ts';
import type { ScepDecision, ScepGrant, ScepPending, ScepStore } from './types.ts';

/** A {@link ScepStore} in memory that also makes challenges and decides on waiting requests. */
export interface MemoryScepStore extends ScepStore {
  /** Makes a single-use challenge of 192 random bits. */
  createChallenge(grant: ScepGrant, options?: { readonly ttlMs?: number }): string;
  /** Requests that wait for approval. */
  pending(): ScepPending[];
  /** Decides on a waiting request; false when there is none. */
  decide(transactionId: string, decision: ScepDecision): boolean;
  /** All certificates issued, in order. */
  issued(): Uint8Array[];
  hold(request: ScepPending): Promise<void>;
}

/** Bounds of {@link createMemoryScepStore}. */
export interface MemoryScepStoreOptions {
  readonly clock: Clock;
  readonly random?: RandomSource;
  /** Lifetime of a challenge. Default one hour. */
  readonly challengeTtlMs?: number;
  /** Most waiting requests kept; the oldest goes first. Default 1000. */
  readonly maxPending?: number;
}

/**
 * A store that lives as long as the process. Challenges are kept as SHA-256 digests and found by digest, so that
 * neither a memory dump nor the time of a look-up tells one.
 */
export function createMemoryScepStore(options: MemoryScepStoreOptions): MemoryScepStore {
  const { clock, random = randomBytes, challengeTtlMs = 3_600_000, maxPending = 1000 } = options;
  const challenges = new Map<string, { grant: ScepGrant; expires: number }>();
  const transactions = new Map<string, Uint8Array>();
  const certificates = new Map<string, Uint8Array>();
  const waiting = new Map<string, { request: ScepPending; decision: ScepDecision }>();
  const digest = (text: string): string => createHash('sha256').update(text, 'utf8').digest('base64');
  const keyOf = (transactionId: string, publicKeyHash: string): string => `${publicKeyHash}:${transactionId}`;

  function live(challenge: string): { key: string; grant: ScepGrant } | null {
    const key = digest(challenge);
    const entry = challenges.get(key);
    if (!entry) return null;
    if (entry.expires <= timeOf(clock)) {
      challenges.delete(key);
      return null;
    }
    return { key, grant: entry.grant };
  }

  return {
    createChallenge(grant, { ttlMs = challengeTtlMs } = {}) {
      const now = timeOf(clock);
      for (const [key, entry] of challenges) {
        if (entry.expires > now) break; // insertion order: with one lifetime the oldest expire first
        challenges.delete(key);
      }
      const challenge = Buffer.from(random(24)).toString('base64url');
      challenges.set(digest(challenge), { grant, expires: now + ttlMs });
      return challenge;
    },
    pending: () =>
      [...waiting.values()].filter(({ decision }) => decision.decision === 'pending').map(({ request }) => request),
    decide(transactionId, decision) {
      let found = false;
      for (const entry of waiting.values()) {
        if (entry.request.transactionId !== transactionId) continue;
        entry.decision = decision;
        found = true;
      }
      return found;
    },
    issued: () => [...certificates.values()].map((der) => Uint8Array.from(der)),
    async findTransaction(transactionId, publicKeyHash) {
      return transactions.get(keyOf(transactionId, publicKeyHash)) ?? null;
    },
    async findChallenge(challenge) {
      return live(challenge)?.grant ?? null;
    },
    async commit(entry) {
      const key = keyOf(entry.transactionId, entry.publicKeyHash);
      const earlier = transactions.get(key);
      if (earlier) return { outcome: 'replayed', certificate: earlier };
      if (entry.challenge !== null) {
        const found = live(entry.challenge);
        if (!found) return { outcome: 'challenge-used' };
        challenges.delete(found.key);
      }
      transactions.set(key, entry.certificate);
      certificates.set(serialHex(parseCertificate(entry.certificate).serial), entry.certificate);
      if (entry.waited) waiting.delete(keyOf(entry.waited.transactionId, entry.waited.publicKeyHash));
      return { outcome: 'issued', certificate: entry.certificate };
    },
    async hold(request) {
      const key = keyOf(request.transactionId, request.publicKeyHash);
      if (waiting.has(key)) return;
      waiting.set(key, { request, decision: request.decision ?? { decision: 'pending' } });
      if (waiting.size > maxPending) {
        for (const oldest of waiting.keys()) {
          waiting.delete(oldest);
          break;
        }
      }
    },
    async findPending(transactionId, publicKeyHash) {
      const entry = waiting.get(keyOf(transactionId, publicKeyHash));
      if (!entry) return null;
      const { csr, paidByChallenge = false, renews } = entry.request;
      return { csr, decision: entry.decision, paidByChallenge, ...(renews ? { renews } : {}) };
    },
    async findCertificate(serialNumber) {
      return certificates.get(serialNumber) ?? null;
    },
  };
}
