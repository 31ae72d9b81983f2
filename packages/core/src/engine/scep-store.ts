// SCEP over the certificate register: single-use challenges, renewals, and the same certificate for a repeated request.
import type { Certificate, ScepGrant, ScepStore } from '@espalier/pki';
import type { Context } from './context.ts';
import { bindingOf, configurationOf, issuedEvent, referenceOf, registerEntry } from './issuing.ts';
import type { ScepRequests } from './scep-requests.ts';

/** Renewals of one enrolment that were issued and not used: no device needs more, and none may fill the register. */
const MOST_WAITING = 10;

/** What a challenge is good for; null when it is unknown, used or expired. */
export async function findGrant({ store, vault, clock }: Context, challenge: string): Promise<ScepGrant | null> {
  const record = await store.certificates.findChallenge(await vault.hash('scep-challenge', challenge), clock.now());
  if (record === null) return null;
  const reference = referenceOf({ ...record, ...configurationOf(challenge) });
  return record.subject === null ? { reference } : { reference, subject: record.subject };
}

/** The store of a SCEP server. */
export function createScepStore(context: Context, { hold, findPending }: ScepRequests): ScepStore {
  const { store, vault, clock } = context;
  return {
    findTransaction: (transactionId, publicKeyHash) => store.certificates.findTransaction(transactionId, publicKeyHash),

    findChallenge: (challenge) => findGrant(context, challenge),
    hold,
    findPending,

    async commit({ challenge, transactionId, publicKeyHash, certificate, grant, waited }) {
      const at = clock.now();
      const binding = bindingOf(grant.reference);
      const entry = registerEntry(certificate, binding, at);
      const outcome = await store.certificates.commitScep({
        challengeHash: challenge === null ? null : await vault.hash('scep-challenge', challenge),
        transactionId,
        publicKeyHash,
        certificate: entry,
        ...(waited === undefined ? {} : { waited }),
        at,
        event: issuedEvent(entry, at, binding),
      });
      if (outcome.outcome === 'issued') context.bus.poke();
      return outcome;
    },

    async findCertificate(serialNumber, authorityKeyId) {
      const found =
        (await store.certificates.findBySerial(serialNumber, authorityKeyId)) ??
        (await store.certificates.findBySerial(serialNumber));
      return found?.certificate ?? null;
    },
  };
}

/** What a renewal signed with this certificate may get. */
export async function authoriseRenewal({ store }: Context, certificate: Certificate): Promise<ScepGrant | null> {
  const found = await store.certificates.get(certificate.fingerprintSha256);
  if (found?.enrolmentId == null || (found.status !== 'in-force' && found.status !== 'expired')) return null;
  const enrolment = await store.enrolments.get(found.enrolmentId);
  if (enrolment?.status !== 'active' || enrolment.certificateFingerprint !== found.fingerprint) return null;
  const filter = { enrolmentId: enrolment.id, statuses: ['issued'] } as const;
  const { items } = await store.certificates.list(filter, { limit: MOST_WAITING });
  if (items.length >= MOST_WAITING) return null;
  return { reference: referenceOf({ invitationId: null, enrolmentId: enrolment.id }) };
}
