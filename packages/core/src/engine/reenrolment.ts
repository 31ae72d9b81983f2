// Whether an enrolment may be taken over by another certificate.
import type { Authenticate } from '@espalier/apple-mdm';
import type { DeviceIdentity } from '../api/engine.ts';
import type { ReenrolmentPolicy } from '../api/hooks.ts';
import type { InvitationBinding } from '../api/records.ts';
import type { CertificateRecord } from '../contracts/certificates.ts';
import type { Context } from './context.ts';
import { fits } from './invitation-binding.ts';
import { refuse } from './refuse.ts';

/**
 * Refuses an `Authenticate` whose certificate was issued for another device, and one whose certificate is not the one that the
 * enrolment is pinned to, unless the policy allows it. An enrolment that has ended may begin anew with any certificate
 * that the door trusts and that is not for another device.
 * @throws CoreError `core.enrolment.identity_mismatch`, `core.enrolment.other_device` (forbidden)
 */
export async function checkReenrolment(
  context: Context,
  id: string,
  message: Authenticate,
  identity: DeviceIdentity,
  entry: CertificateRecord | null,
  binding: InvitationBinding | null,
): Promise<void> {
  const { store } = context;
  const device = fits(binding, message);
  if (device === 'no') throw await refuse(context, 'other-device', id, identity);
  const enrolment = await store.enrolments.get(id);
  if (enrolment === null || (enrolment.status !== 'active' && enrolment.status !== 'pending')) return;
  if (enrolment.certificateFingerprint === null || enrolment.certificateFingerprint === identity.fingerprint) return;
  const issued = entry?.status === 'issued' && (entry.enrolmentId === null || entry.enrolmentId === id);
  // What was superseded, revoked or is pinned elsewhere is told by the store, whatever the policy says.
  if (entry !== null && !issued) return;
  const attested = entry?.attestation?.properties['serialNumber'] !== undefined;
  const bound = issued && (device === 'yes' || attested || entry?.enrolmentId === id);
  // Nobody is there to be robbed: it never finished, or Apple says that the device has left it.
  const abandoned = enrolment.status === 'pending' || !enrolment.pushable;
  const policy: ReenrolmentPolicy = context.hooks.reenrolment ?? 'bound';
  const allowed =
    typeof policy === 'function'
      ? await policy({ enrolment, identity, issued, bound })
      : policy === 'allow' ||
        (policy === 'issued' && issued) ||
        (policy === 'bound' && (bound || (issued && abandoned)));
  if (allowed) return;
  throw await refuse(context, 'reenrolment', id, identity);
}
