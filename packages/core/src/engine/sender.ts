// Who sent a message: the enrolment behind an identity, or the refusal.
import { type EnrolmentIds, resolveEnrolment } from '@espalier/apple-mdm';
import type { DeviceIdentity } from '../api/engine.ts';
import type { Enrolment } from '../api/records.ts';
import type { NamedSecret } from '../contracts/shared.ts';
import type { Context } from './context.ts';
import type { Caller } from './door.ts';

/**
 * The enrolment that sent a message: it is enrolled, and the certificate is its own. Secrets that came with the message
 * are stored in the same step.
 * @throws CoreError `core.enrolment.unknown`, `core.enrolment.identity_mismatch`
 */
export async function senderOf(
  context: Context,
  ids: EnrolmentIds,
  identity: DeviceIdentity,
  secrets?: (enrolmentId: string) => readonly NamedSecret[],
): Promise<Enrolment> {
  const caller = resolveEnrolment(ids);
  return enrolmentOf(context, caller, identity, secrets?.(caller.id));
}

/** The same for an enrolment that is named otherwise. */
export async function enrolmentOf(
  context: Context,
  caller: Caller,
  identity: DeviceIdentity,
  secrets?: readonly NamedSecret[],
): Promise<Enrolment> {
  const { store, clock } = context;
  const input = {
    id: caller.id,
    certificateFingerprint: identity.fingerprint,
    at: clock.now(),
    ...(secrets === undefined || secrets.length === 0 ? {} : { secrets }),
  };
  return (await context.door.pass(caller, identity, () => store.enrolments.verify(input))).enrolment;
}

/** A sealed secret to be stored with an enrolment. */
export function sealedSecret(
  { vault }: Context,
  enrolmentId: string,
  name: string,
  value: Uint8Array | string,
): NamedSecret {
  return { name, blob: vault.seal(value, { kind: 'secret', key: [enrolmentId, name] }) };
}

/** A sealed secret of an enrolment, opened; `null` where there is none. */
export async function openSecret(
  { store, vault }: Context,
  enrolmentId: string,
  name: string,
): Promise<Uint8Array | null> {
  const blob = await store.secrets.get(enrolmentId, name);
  return blob === null ? null : vault.open(blob, { kind: 'secret', key: [enrolmentId, name] });
}
