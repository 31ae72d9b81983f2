// Enrolling: invitations with PIN and token, SCEP challenges, and the register of issued certificates.
import { readCertificate, type ScepStore } from '@espalier/pki';
import type { Enrolling } from '../api/engine.ts';
import type { Invitation } from '../api/records.ts';
import type { NewCertificate } from '../contracts/certificates.ts';
import type { InvitationRecord } from '../contracts/invitations.ts';
import { CoreError } from '../errors.ts';
import { type Context, pageOf, randomDigits, randomWord, uuid } from './context.ts';

/** A grant's reference: the invitation, or none. */
const NO_INVITATION = 'none';

/** Makes the enrolling service. */
export function createEnrolling(context: Context): Enrolling {
  const { store, vault, clock, random } = context;

  function shown(record: InvitationRecord): Invitation {
    const { sealed, pinHash: _, tokenHash: __, ...rest } = record;
    const { pin, token } = JSON.parse(vault.openText(sealed, { kind: 'invitation', key: [record.id] })) as {
      readonly pin: string;
      readonly token: string;
    };
    const expired = rest.status === 'valid' && rest.expiresAt <= clock.now();
    return { ...rest, status: expired ? 'expired' : rest.status, pin, token };
  }

  return {
    async invite({ note = '', pinLength = 6, ttlHours = 24 } = {}) {
      if (!Number.isInteger(pinLength) || pinLength < 6 || pinLength > 12) {
        throw new CoreError('core.invitation.bad_option', 'invalid', 'a PIN has 6 to 12 digits');
      }
      if (!(ttlHours > 0 && ttlHours <= 24 * 366)) {
        throw new CoreError('core.invitation.bad_option', 'invalid', 'an invitation lasts between 0 and 8,784 hours');
      }
      await vault.ready();
      const at = clock.now();
      // Live PINs are unique, because a PIN alone may identify the device; a taken one is drawn again.
      for (let attempt = 0; attempt < 20; attempt++) {
        const id = uuid(random).toLowerCase();
        const pin = randomDigits(random, pinLength);
        const token = randomWord(random, 24);
        const record: InvitationRecord = {
          id,
          status: 'valid',
          note,
          createdAt: at,
          expiresAt: at + Math.round(ttlHours * 3_600_000),
          enrolmentId: null,
          sealed: vault.seal(JSON.stringify({ pin, token }), { kind: 'invitation', key: [id] }),
          pinHash: await vault.hash('invitation-pin', pin),
          tokenHash: await vault.hash('invitation-token', token),
        };
        const event = { type: 'invitation.created', at, enrolmentId: null, data: { invitationId: id } } as const;
        if ((await store.invitations.create(record, at, event)) === 'pin-taken') continue;
        context.bus.poke();
        return shown(record);
      }
      throw new CoreError('core.invitation.no_pin', 'unavailable', `no free PIN of ${pinLength} digits was found`, {
        remedy: 'use longer PINs, or revoke invitations that are not needed',
      });
    },

    async invitations(page) {
      await vault.ready();
      const { items, next } = await store.invitations.list(pageOf(page));
      return { items: items.map(shown), next };
    },

    async redeem(credential) {
      await vault.ready();
      const record =
        'token' in credential
          ? await store.invitations.findByToken(await vault.hash('invitation-token', credential.token))
          : await store.invitations.findByPin(await vault.hash('invitation-pin', credential.pin));
      if (record === null || record.status === 'revoked') {
        throw new CoreError('core.invitation.unknown', 'not-found', 'there is no such invitation');
      }
      const invitation = shown(record);
      if (invitation.status === 'consumed') {
        throw new CoreError('core.invitation.used', 'conflict', 'the invitation was used');
      }
      if (invitation.status === 'expired') {
        throw new CoreError('core.invitation.expired', 'forbidden', 'the invitation has expired', {
          remedy: 'ask for a new invitation',
        });
      }
      return invitation;
    },

    async revoke(invitationId) {
      if (await store.invitations.revoke(invitationId)) return;
      if ((await store.invitations.get(invitationId)) === null) {
        throw new CoreError('core.invitation.unknown', 'not-found', 'there is no such invitation');
      }
    },

    async challenge({ invitationId, ttlMinutes = 60, subject } = {}) {
      if (!(ttlMinutes > 0 && ttlMinutes <= 60 * 24 * 366)) {
        throw new CoreError('core.challenge.bad_option', 'invalid', 'a challenge lasts between 0 and 527,040 minutes');
      }
      await vault.ready();
      const at = clock.now();
      let expiresAt = at + Math.round(ttlMinutes * 60_000);
      if (invitationId !== undefined) {
        const invitation = await store.invitations.get(invitationId);
        if (invitation === null) {
          throw new CoreError('core.invitation.unknown', 'not-found', 'there is no such invitation');
        }
        if (invitation.status !== 'valid' || invitation.expiresAt <= at) {
          throw new CoreError('core.invitation.expired', 'forbidden', 'the invitation is not valid any more');
        }
        expiresAt = Math.min(expiresAt, invitation.expiresAt);
      }
      const challenge = randomWord(random, 24);
      await store.certificates.addChallenge({
        hash: await vault.hash('scep-challenge', challenge),
        invitationId: invitationId ?? null,
        subject: subject ?? null,
        createdAt: at,
        expiresAt,
      });
      return { challenge, expiresAt };
    },

    scepStore: createScepStore(context),

    certificates: ({ enrolmentId, ...page } = {}) =>
      store.certificates.list(enrolmentId === undefined ? {} : { enrolmentId }, pageOf(page)),
  };
}

/** SCEP over the certificate register: single-use challenges, and the same certificate for a repeated request. */
function createScepStore(context: Context): ScepStore {
  const { store, vault, clock } = context;
  return {
    findTransaction: (transactionId, publicKeyHash) => store.certificates.findTransaction(transactionId, publicKeyHash),

    async findChallenge(challenge) {
      const record = await store.certificates.findChallenge(await vault.hash('scep-challenge', challenge), clock.now());
      if (record === null) return null;
      const reference = record.invitationId ?? NO_INVITATION;
      return record.subject === null ? { reference } : { reference, subject: record.subject };
    },

    async commit({ challenge, transactionId, publicKeyHash, certificate, grant }) {
      const at = clock.now();
      const entry = registerEntry(certificate, grant.reference === NO_INVITATION ? null : grant.reference);
      const { fingerprint, serialNumber, subject, invitationId } = entry;
      const data = { fingerprint, serialNumber, subject, invitationId };
      const outcome = await store.certificates.commitScep({
        challengeHash: challenge === null ? null : await vault.hash('scep-challenge', challenge),
        transactionId,
        publicKeyHash,
        certificate: entry,
        at,
        event: { type: 'certificate.issued', at, enrolmentId: null, data },
      });
      if (outcome.outcome === 'issued') context.bus.poke();
      return outcome;
    },
  };
}

function registerEntry(der: Uint8Array, invitationId: string | null): NewCertificate {
  const read = readCertificate(der);
  return {
    fingerprint: read.fingerprintSha256,
    serialNumber: read.serialNumber,
    subject: read.subject,
    notBefore: read.notBefore.getTime(),
    notAfter: read.notAfter.getTime(),
    certificate: der,
    invitationId,
  };
}
