// The certificate register, challenges and SCEP transactions in memory.
import type { IssuedCertificate } from '../api/records.ts';
import type { CertificateStore, NewCertificate } from '../contracts/certificates.ts';
import { type MemoryState, pageOf } from './state.ts';

/** Certificates over the state. */
export function memoryCertificates(state: MemoryState): CertificateStore {
  const add = (certificate: NewCertificate): void => {
    state.certificates.set(certificate.fingerprint, { ...certificate, enrolmentId: null, status: 'issued' });
  };
  const transactionKey = (transactionId: string, publicKeyHash: string): string => `${publicKeyHash}\n${transactionId}`;
  return {
    async addChallenge(challenge) {
      state.open();
      state.challenges.set(challenge.hash, challenge);
    },

    async findChallenge(hash, at) {
      state.open();
      const challenge = state.challenges.get(hash);
      return challenge !== undefined && challenge.expiresAt > at ? challenge : null;
    },

    async findTransaction(transactionId, publicKeyHash) {
      state.open();
      return state.transactions.get(transactionKey(transactionId, publicKeyHash)) ?? null;
    },

    async commitScep({ challengeHash, transactionId, publicKeyHash, certificate, at, event }) {
      state.open();
      const key = transactionKey(transactionId, publicKeyHash);
      const issued = state.transactions.get(key);
      if (issued !== undefined) return { outcome: 'replayed', certificate: issued };
      if (challengeHash !== null) {
        const challenge = state.challenges.get(challengeHash);
        if (challenge === undefined || challenge.expiresAt <= at) return { outcome: 'challenge-used' };
        state.challenges.delete(challengeHash);
      }
      state.transactions.set(key, certificate.certificate);
      add(certificate);
      state.appendEvents([event]);
      return { outcome: 'issued', certificate: certificate.certificate };
    },

    async register(certificate, event) {
      state.open();
      if (state.certificates.has(certificate.fingerprint)) return;
      add(certificate);
      state.appendEvents([event]);
    },

    async get(fingerprint) {
      state.open();
      const certificate = state.certificates.get(fingerprint);
      return certificate === undefined ? null : { ...certificate };
    },

    async list({ enrolmentId }, page) {
      state.open();
      const all: IssuedCertificate[] = [...state.certificates.values()]
        .filter((certificate) => enrolmentId === undefined || certificate.enrolmentId === enrolmentId)
        .reverse()
        .map(({ invitationId: _, ...certificate }) => certificate);
      return pageOf(all, (certificate) => certificate.fingerprint, page);
    },

    async revoke(fingerprint) {
      state.open();
      const certificate = state.certificates.get(fingerprint);
      if (certificate !== undefined) certificate.status = 'revoked';
      return certificate !== undefined;
    },

    async prune({ before, limit }) {
      state.open();
      let pruned = 0;
      for (const [hash, challenge] of state.challenges) {
        if (pruned >= limit) break;
        if (challenge.expiresAt >= before) continue;
        state.challenges.delete(hash);
        pruned++;
      }
      return pruned;
    },
  };
}
