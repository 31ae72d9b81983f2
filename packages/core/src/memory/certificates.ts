// The certificate register, challenges and SCEP transactions in memory.
import type { IssuedCertificate } from '../api/records.ts';
import { type CertificateFilter, type CertificateStore, REVOCATIONS_SETTING } from '../contracts/certificates.ts';
import { dropKey } from './credentials.ts';
import { isLiving, type MemoryState, pageOf } from './state.ts';

/** Certificates over the state. */
export function memoryCertificates(state: MemoryState): CertificateStore {
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
      return state.transactions.get(transactionKey(transactionId, publicKeyHash))?.certificate ?? null;
    },

    async commitScep({ challengeHash, transactionId, publicKeyHash, certificate, waited, at, event }) {
      state.open();
      const key = transactionKey(transactionId, publicKeyHash);
      const issued = state.transactions.get(key);
      if (issued !== undefined) return { outcome: 'replayed', certificate: issued.certificate };
      if (challengeHash !== null) {
        const challenge = state.challenges.get(challengeHash);
        if (challenge === undefined || challenge.expiresAt <= at) return { outcome: 'challenge-used' };
        state.challenges.delete(challengeHash);
      }
      state.transactions.set(key, { fingerprint: certificate.fingerprint, certificate: certificate.certificate });
      state.addCertificate(certificate);
      for (const [id, held] of state.scepRequests) {
        const fits = held.transactionId === waited?.transactionId && held.publicKeyHash === waited.publicKeyHash;
        if (fits) state.scepRequests.delete(id);
      }
      state.appendEvents([event]);
      return { outcome: 'issued', certificate: certificate.certificate };
    },

    async register(certificate, event) {
      state.open();
      if (state.addCertificate(certificate)) state.appendEvents([event]);
    },

    async get(fingerprint) {
      state.open();
      const certificate = state.certificates.get(fingerprint);
      return certificate === undefined ? null : { ...certificate };
    },

    async findBySerial(serialNumber, authorityKeyId) {
      state.open();
      const found = [...state.certificates.values()].findLast(
        (certificate) =>
          certificate.serialNumber === serialNumber &&
          (authorityKeyId === undefined || certificate.authorityKeyId === authorityKeyId),
      );
      return found === undefined ? null : { ...found };
    },

    async list(filter, page) {
      state.open();
      const all: IssuedCertificate[] = [...state.certificates.values()]
        .filter((certificate) => fits(certificate, filter))
        .reverse()
        .map(({ invitationId: _, ...certificate }) => certificate);
      return pageOf(all, (certificate) => certificate.fingerprint, page);
    },

    async inUse(at) {
      state.open();
      const counts = new Map<string | null, number>();
      for (const { authorityKeyId, status, notAfter } of state.certificates.values()) {
        if ((status !== 'issued' && status !== 'in-force') || notAfter <= at) continue;
        counts.set(authorityKeyId, (counts.get(authorityKeyId) ?? 0) + 1);
      }
      return [...counts].map(([authorityKeyId, count]) => ({ authorityKeyId, count }));
    },

    async revoke({ fingerprint, reason, at, tellAt, event }) {
      state.open();
      const certificate = state.certificates.get(fingerprint);
      if (certificate === undefined) return 'unknown';
      if (certificate.status === 'revoked') return 'already-revoked';
      Object.assign(certificate, { status: 'revoked', revokedAt: at, revocationReason: reason });
      for (const id of [...(state.byPin.get(fingerprint) ?? [])]) state.setPin(state.enrolments.get(id)!, null);
      const credential =
        certificate.credentialId === null ? undefined : state.credentials.get(certificate.credentialId);
      if (credential !== undefined) {
        dropKey(credential, at, 'revoked');
        credential.status = 'revoked';
      }
      const counted = Number(state.settings.get(REVOCATIONS_SETTING) ?? 0) + 1;
      state.settings.set(REVOCATIONS_SETTING, String(counted));
      if (tellAt !== undefined) state.untold.set(fingerprint, tellAt);
      state.appendEvents([event]);
      return 'revoked';
    },

    async untold({ at, limit }) {
      state.open();
      const due = [...state.untold].filter(([, tellAt]) => tellAt <= at).sort(([, a], [, b]) => a - b);
      return due.slice(0, limit).map(([fingerprint]) => fingerprint);
    },

    async told({ fingerprint, tellAt, event }) {
      state.open();
      if (!state.untold.has(fingerprint)) return false;
      if (tellAt === null) state.untold.delete(fingerprint);
      else state.untold.set(fingerprint, tellAt);
      if (event !== null) state.appendEvents([event]);
      return true;
    },

    async dueForRenewal({ at, windowMs, endsAfter, retryBefore, limit }) {
      state.open();
      return [...state.certificates.values()]
        .flatMap((certificate) => {
          const { fingerprint, enrolmentId, notAfter, notBefore, status, renewalAt } = certificate;
          const enrolment = enrolmentId === null ? undefined : state.enrolments.get(enrolmentId);
          const window = Math.min(windowMs, Math.trunc(((notAfter - notBefore) * 3) / 4));
          const due =
            (status === 'in-force' || status === 'expired') &&
            enrolment?.status === 'active' &&
            enrolment.pin === fingerprint &&
            notAfter <= at + window &&
            notAfter > endsAfter &&
            (renewalAt === null || renewalAt <= retryBefore);
          return due ? [{ fingerprint, enrolmentId: enrolment.id, notAfter }] : [];
        })
        .sort((a, b) => a.notAfter - b.notAfter)
        .slice(0, limit);
    },

    async lapsed({ before, at, limit }) {
      state.open();
      return [...state.certificates.values()]
        .filter(({ notAfter, status }) => notAfter < before && status !== 'revoked')
        .flatMap(({ fingerprint, notAfter }) =>
          [...(state.byPin.get(fingerprint) ?? [])].map((enrolmentId) => ({ fingerprint, enrolmentId, notAfter })),
        )
        .filter(({ enrolmentId }) => {
          const row = state.enrolments.get(enrolmentId);
          if (row?.channel !== 'device' || !isLiving(row.status)) return false;
          return ![...(state.certificatesOf.get(enrolmentId) ?? [])].some((fingerprint) => {
            const other = state.certificates.get(fingerprint);
            return other?.status === 'issued' && other.notAfter > at;
          });
        })
        .sort((a, b) => a.notAfter - b.notAfter)
        .slice(0, limit);
    },

    async dueOnDevices({ credentialId, at, windowMs, endsAfter, retryBefore, limit }) {
      state.open();
      return [...state.certificates.values()]
        .flatMap(({ fingerprint, deviceId, notAfter, notBefore, status, renewalAt, ...certificate }) => {
          const enrolment = deviceId === null ? undefined : state.enrolments.get(deviceId);
          const window = Math.min(windowMs, Math.trunc(((notAfter - notBefore) * 3) / 4));
          const due =
            certificate.credentialId === credentialId &&
            (status === 'in-force' || status === 'expired') &&
            enrolment?.status === 'active' &&
            enrolment.phase === null &&
            notAfter <= at + window &&
            notAfter > endsAfter &&
            (renewalAt === null || renewalAt <= retryBefore);
          return due ? [{ fingerprint, deviceId: enrolment.id, notAfter }] : [];
        })
        .sort((a, b) => a.notAfter - b.notAfter)
        .slice(0, limit);
    },

    async settleOnDevice({ deviceId, credentialId, installed }) {
      state.open();
      const all = [...state.certificates.values()].filter(
        (certificate) =>
          certificate.deviceId === deviceId &&
          certificate.credentialId === credentialId &&
          certificate.status !== 'revoked',
      );
      const newest = installed ? all.pop() : undefined;
      if (newest?.status === 'issued') newest.status = 'in-force';
      for (const certificate of all) certificate.status = 'superseded';
    },

    async renewalBegun(fingerprint, at, event) {
      state.open();
      const certificate = state.certificates.get(fingerprint);
      if (certificate === undefined) return;
      certificate.renewalAt = at;
      state.appendEvents([event]);
    },

    async expire({ at, limit }) {
      state.open();
      let count = 0;
      for (const certificate of state.certificates.values()) {
        if (count >= limit) break;
        const { fingerprint, serialNumber, enrolmentId, status, notAfter } = certificate;
        if (notAfter > at || (status !== 'issued' && status !== 'in-force')) continue;
        certificate.status = 'expired';
        state.appendEvents([{ type: 'certificate.expired', at, enrolmentId, data: { fingerprint, serialNumber } }]);
        count++;
      }
      return count;
    },

    async purge({ before, limit }) {
      state.open();
      let count = 0;
      for (const { fingerprint, notAfter, revokedAt, enrolmentId } of state.certificates.values()) {
        if (count >= limit) break;
        if (notAfter >= before || (revokedAt !== null && revokedAt >= before)) continue;
        state.certificates.delete(fingerprint);
        state.untold.delete(fingerprint);
        if (enrolmentId !== null) state.certificatesOf.get(enrolmentId)?.delete(fingerprint);
        forgetIssuance(state, fingerprint);
        count++;
      }
      return count;
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

/** What led to a certificate goes with it. */
function forgetIssuance(state: MemoryState, fingerprint: string): void {
  for (const [key, transaction] of state.transactions) {
    if (transaction.fingerprint === fingerprint) state.transactions.delete(key);
  }
  for (const [hash, { used }] of state.acmeIdentifiers) {
    if (used?.fingerprint === fingerprint) state.acmeIdentifiers.delete(hash);
  }
  for (const [id, order] of state.acmeOrders) {
    if (order.certificateId !== fingerprint) continue;
    state.acmeOrders.delete(id);
    for (const part of order.authorizations) state.acmeAuthorizations.delete(part);
  }
  state.acmeIssuances.delete(fingerprint);
}

function fits(certificate: IssuedCertificate, filter: CertificateFilter): boolean {
  const { enrolmentId, deviceId, credentialId, statuses, expiresBefore, expiresFrom, expiring } = filter;
  if (expiring !== undefined && certificate.status === 'in-force') {
    const window = Math.min(expiring.windowMs, Math.trunc(((certificate.notAfter - certificate.notBefore) * 3) / 4));
    const due = certificate.credentialId === null && certificate.notAfter - window <= expiring.at;
    if (due !== expiring.are) return false;
  }
  return (
    (enrolmentId === undefined || certificate.enrolmentId === enrolmentId) &&
    (deviceId === undefined || certificate.deviceId === deviceId) &&
    (credentialId === undefined || certificate.credentialId === credentialId) &&
    (statuses === undefined || statuses.includes(certificate.status)) &&
    (expiresBefore === undefined || certificate.notAfter < expiresBefore) &&
    (expiresFrom === undefined || certificate.notAfter >= expiresFrom)
  );
}
