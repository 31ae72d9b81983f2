// Whether an enrolment may be taken over by another certificate.
import type { DeviceIdentity } from '../api/engine.ts';
import type { ReenrolmentPolicy } from '../api/hooks.ts';
import type { Context } from './context.ts';
import { refuse } from './refuse.ts';

/**
 * Refuses an `Authenticate` whose certificate is not the one that the enrolment is pinned to, unless the policy allows
 * it. An enrolment that has ended may begin anew with any certificate that the door trusts.
 * @throws CoreError `core.enrolment.identity_mismatch` (forbidden)
 */
export async function checkReenrolment(context: Context, id: string, identity: DeviceIdentity): Promise<void> {
  const { store } = context;
  const enrolment = await store.enrolments.get(id);
  if (enrolment === null || (enrolment.status !== 'active' && enrolment.status !== 'pending')) return;
  if (enrolment.certificateFingerprint === null || enrolment.certificateFingerprint === identity.fingerprint) return;
  const entry = await store.certificates.get(identity.fingerprint);
  const issued = entry?.status === 'issued' && (entry.enrolmentId === null || entry.enrolmentId === id);
  // What was superseded, revoked or is pinned elsewhere is told by the store, whatever the policy says.
  if (entry !== null && !issued) return;
  const policy: ReenrolmentPolicy = context.hooks.reenrolment ?? 'issued';
  const allowed =
    typeof policy === 'function'
      ? await policy({ enrolment, identity, issued })
      : policy === 'allow' || (policy === 'issued' && issued);
  if (allowed) return;
  throw await refuse(context, 'reenrolment', id, identity);
}
