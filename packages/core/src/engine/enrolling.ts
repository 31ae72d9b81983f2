// Enrolling: invitations with PIN and token, SCEP challenges and ACME client identifiers.
import type { AcmeDeviceFacts } from '@espalier/pki';
import type { Certificates, Enrolling } from '../api/engine.ts';
import type { Invitation } from '../api/records.ts';
import type { InvitationRecord } from '../contracts/invitations.ts';
import { CoreError } from '../errors.ts';
import { addClientIdentifier, createAcmeStore } from './acme-store.ts';
import { type Context, pageOf, randomWord } from './context.ts';
import { accountOf, bindInvitation, checkInvitationBinding } from './invitation-binding.ts';
import { createInvitation, shownInvitation } from './invitations.ts';
import { checkBinding, configurationOf, secretFor } from './issuing.ts';
import type { RegistrationService } from './registrations.ts';
import { createScepRequests, grantOf } from './scep-requests.ts';
import { authoriseRenewal, createScepStore, findGrant } from './scep-store.ts';

/** Makes the enrolling service. */
export function createEnrolling(
  context: Context,
  certificates: Pick<Certificates, 'list'>,
  registrations: RegistrationService,
): Enrolling {
  const { store, vault, clock, random } = context;
  const requests = createScepRequests(context, (challenge) => findGrant(context, challenge));

  const shown = (record: InvitationRecord): Invitation => shownInvitation(context, record);

  return {
    async invite(options = {}) {
      const binding = checkInvitationBinding(options);
      // Whoever signs in to enrol is let in with whatever device is theirs.
      const signedIn =
        binding?.only === 'ade' || binding?.account !== undefined || binding?.managedAppleAccount !== undefined;
      const user = signedIn ? undefined : binding?.user;
      if (user !== undefined) await registrations.checkSingle(user);
      const invitation = await createInvitation(context, options);
      if (user !== undefined) await registrations.keepSingle(user, invitation.id);
      return invitation;
    },

    async invitations(page) {
      await vault.ready();
      const { items, next } = await store.invitations.list(pageOf(page));
      return { items: items.map(shown), next };
    },

    async redeem(credential, { automated = false } = {}) {
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
      // The link is given to nobody but who is in Setup Assistant already (its web page); the PIN is told to a person.
      if ('pin' in credential && invitation.binding?.only === 'ade' && !automated) {
        throw new CoreError(
          'core.invitation.ade_only',
          'forbidden',
          'the PIN is for automated device enrolment alone',
          {
            remedy: 'Enrol in Setup Assistant, or ask for an invitation.',
          },
        );
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
