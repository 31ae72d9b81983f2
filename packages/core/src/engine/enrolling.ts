// Enrolling: invitations with PIN and token, SCEP challenges and ACME client identifiers.
import type { AcmeDeviceFacts } from '@espalier/pki';
import type { Certificates, Enrolling } from '../api/engine.ts';
import type { Invitation } from '../api/records.ts';
import type { InvitationRecord } from '../contracts/invitations.ts';
import { CoreError } from '../errors.ts';
import { addClientIdentifier, createAcmeStore } from './acme-store.ts';
import { type Context, pageOf, randomDigits, randomWord, uuid } from './context.ts';
import { accountOf, bindInvitation, checkInvitationBinding, openInvitation } from './invitation-binding.ts';
import { checkBinding, configurationOf, secretFor } from './issuing.ts';
import { createScepRequests, grantOf } from './scep-requests.ts';
import { authoriseRenewal, createScepStore, findGrant } from './scep-store.ts';

/** Makes the enrolling service. */
export function createEnrolling(context: Context, certificates: Pick<Certificates, 'list'>): Enrolling {
  const { store, vault, clock, random } = context;
  const requests = createScepRequests(context, (challenge) => findGrant(context, challenge));

  function shown(record: InvitationRecord): Invitation {
    const { sealed, pinHash: _, tokenHash: __, ...rest } = record;
    const { pin, token, binding = null } = openInvitation(context, record);
    const expired = rest.status === 'valid' && rest.expiresAt <= clock.now();
    return { ...rest, status: expired ? 'expired' : rest.status, pin, token, binding };
  }

  return {
    async invite({ note = '', pinLength = 6, ttlHours = 24, ...wanted } = {}) {
      const binding = checkInvitationBinding(wanted);
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
          sealed: vault.seal(JSON.stringify({ pin, token, ...(binding === null ? {} : { binding }) }), {
            kind: 'invitation',
            key: [id],
          }),
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

    bind: (invitationId, wanted) => bindInvitation(context, invitationId, wanted),

    accountOf: (fingerprint) => accountOf(context, fingerprint),

    async revoke(invitationId) {
      if (await store.invitations.revoke(invitationId)) return;
      if ((await store.invitations.get(invitationId)) === null) {
        throw new CoreError('core.invitation.unknown', 'not-found', 'there is no such invitation');
      }
    },

    async challenge({ subject, configurationId, challenge: given, ...options } = {}) {
      checkConfiguration(configurationId, options.enrolmentId, given);
      const challenge = given ?? secretFor(randomWord(random, 24), configurationId);
      // Only what is made here says itself what it is for.
      const claims = given !== undefined && configurationOf(given).configurationId !== undefined;
      if (claims || challenge.length < 8 || challenge.length > 256) {
        throw new CoreError('core.challenge.bad_option', 'invalid', 'a challenge has 8 to 256 characters');
      }
      await vault.ready();
      const binding = await checkBinding(context, options);
      const hash = await vault.hash('scep-challenge', challenge);
      if ((await store.certificates.findChallenge(hash, clock.now())) !== null) {
        throw new CoreError('core.challenge.known', 'conflict', 'this challenge was given to somebody already', {
          remedy: 'have a fresh one made for each device (NDES: no single password for all)',
        });
      }
      await store.certificates.addChallenge({ ...binding, hash, subject: subject ?? null });
      return { challenge, expiresAt: binding.expiresAt };
    },

    async clientIdentifier({ subject, device, configurationId, ...options } = {}) {
      checkConfiguration(configurationId, options.enrolmentId);
      await vault.ready();
      const binding = await checkBinding(context, options);
      const clientIdentifier = secretFor(randomWord(random, 24), configurationId);
      await addClientIdentifier(context, clientIdentifier, {
        ...binding,
        subject: subject ?? null,
        device: device ?? (await knownDevice(context, binding.enrolmentId)),
      });
      return { clientIdentifier, expiresAt: binding.expiresAt };
    },

    grant: (options = {}) => grantOf(context, options),

    requests: requests.list,
    decide: requests.decide,
    scepStore: createScepStore(context, requests),
    acmeStore: createAcmeStore(context),
    authoriseRenewal: (certificate) => authoriseRenewal(context, certificate),

    certificates: (query) => certificates.list(query),
  };
}

function checkConfiguration(configurationId?: string, enrolmentId?: string, challenge?: string): void {
  if (configurationId === undefined) return;
  const message =
    enrolmentId === undefined
      ? 'what is for a configuration is for an enrolment'
      : challenge !== undefined
        ? 'a challenge of somebody else is for no configuration'
        : /^[0-9a-f-]{36}$/.test(configurationId)
          ? null
          : 'a configuration has a UUID';
  if (message !== null) throw new CoreError('core.challenge.bad_option', 'invalid', message);
}

/** What an attestation of this enrolment's device must say. The UDID of a Mac that is attested is another one than MDM's. */
async function knownDevice({ store }: Context, enrolmentId: string | null): Promise<AcmeDeviceFacts | null> {
  const enrolment = enrolmentId === null ? null : await store.enrolments.get(enrolmentId);
  // Apple attests no identifiers of devices that their users enrolled.
  if (enrolment?.kind !== 'device' || enrolment.serialNumber === null) return null;
  return { serialNumber: enrolment.serialNumber };
}
