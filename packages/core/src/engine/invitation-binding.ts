// For whom an invitation is: what it is bound to, and what follows from that when a device enrols with its certificate.
import type { Authenticate } from '@espalier/apple-mdm';
import type { Enrolment, EnrolmentAccount, InvitationBinding } from '../api/records.ts';
import type { CertificateRecord } from '../contracts/certificates.ts';
import type { InvitationRecord } from '../contracts/invitations.ts';
import { CoreError } from '../errors.ts';
import type { Context } from './context.ts';

/** What is sealed with an invitation. */
export interface SealedInvitation {
  readonly pin: string;
  readonly token: string;
  readonly binding?: InvitationBinding;
}

/** Opens what is sealed with an invitation. */
export function openInvitation({ vault }: Context, { id, sealed }: InvitationRecord): SealedInvitation {
  // Sealed by this engine, and bound to its place: its shape is known.
  return JSON.parse(vault.openText(sealed, { kind: 'invitation', key: [id] })) as SealedInvitation;
}

/** A binding without what is absent; `null` when nothing is left. */
export function checkInvitationBinding(wanted: InvitationBinding): InvitationBinding | null {
  const { serialNumber, udid, user, only, account, managedAppleAccount, accessRights, checkOutWhenRemoved } = wanted;
  for (const [name, text] of Object.entries({
    serialNumber,
    udid,
    user,
    managedAppleAccount,
    account: account?.managedAppleAccount,
  })) {
    if (text !== undefined && (text.trim() === '' || text.length > 320)) {
      throw new CoreError('core.invitation.bad_option', 'invalid', `${name} has 1 to 320 characters`, {
        at: { path: `/${name}` },
      });
    }
  }
  const binding = {
    ...(serialNumber === undefined ? {} : { serialNumber: serialNumber.trim() }),
    ...(udid === undefined ? {} : { udid: udid.trim() }),
    ...(user === undefined ? {} : { user: user.trim() }),
    ...(only === undefined ? {} : { only }),
    ...(account === undefined ? {} : { account }),
    ...(managedAppleAccount === undefined ? {} : { managedAppleAccount: managedAppleAccount.trim() }),
    ...(accessRights === undefined ? {} : { accessRights }),
    ...(checkOutWhenRemoved === undefined ? {} : { checkOutWhenRemoved }),
  };
  return Object.keys(binding).length === 0 ? null : binding;
}

/**
 * Both bindings at once.
 * @throws CoreError `core.invitation.bound` (conflict) where it is for another device or account
 */
export function mergeBinding(before: InvitationBinding | null, more: InvitationBinding): InvitationBinding {
  const differs = (key: 'serialNumber' | 'udid'): boolean =>
    before?.[key] !== undefined && more[key] !== undefined && !same(before[key], more[key]);
  const accounts = [before?.account, more.account].flatMap((account) => account?.managedAppleAccount ?? []);
  if (differs('serialNumber') || differs('udid') || (accounts[1] !== undefined && !same(accounts[0], accounts[1]))) {
    throw new CoreError('core.invitation.bound', 'conflict', 'the invitation is for another device', {
      remedy: 'Invite this device.',
    });
  }
  return { ...before, ...more };
}

/** Binds an invitation. @throws CoreError `core.invitation.unknown`, `core.invitation.bound` */
export async function bindInvitation(
  context: Context,
  invitationId: string,
  wanted: InvitationBinding,
): Promise<InvitationBinding> {
  const { store, vault } = context;
  await vault.ready();
  for (;;) {
    const record = await store.invitations.get(invitationId);
    if (record === null) throw new CoreError('core.invitation.unknown', 'not-found', 'there is no such invitation');
    const { binding, ...secrets } = openInvitation(context, record);
    const next = mergeBinding(binding ?? null, checkInvitationBinding(wanted) ?? {});
    if (JSON.stringify(next) === JSON.stringify(binding)) return next;
    const ref = { kind: 'invitation', key: [invitationId] } as const;
    const blob = vault.seal(JSON.stringify({ ...secrets, binding: next }), ref);
    // Somebody else may bind it at the same moment: then what both want has to fit.
    if (await store.secrets.reseal({ ref, expected: record.sealed, blob })) return next;
  }
}

const same = (a: string | undefined, b: string | undefined): boolean => a?.toLowerCase() === b?.toLowerCase();

/** The binding of the invitation that a certificate was issued for. */
export async function bindingFor(
  context: Context,
  issued: Pick<CertificateRecord, 'invitationId'> | null,
): Promise<InvitationBinding | null> {
  if (issued?.invitationId == null) return null;
  const record = await context.store.invitations.get(issued.invitationId);
  return record === null ? null : (openInvitation(context, record).binding ?? null);
}

/** Whether a device that says who it is fits a binding: `none` where the binding names no device. */
export function fits(binding: InvitationBinding | null, message: Authenticate): 'yes' | 'no' | 'none' {
  if (binding?.serialNumber !== undefined) return same(binding.serialNumber, message.serialNumber) ? 'yes' : 'no';
  if (binding?.udid !== undefined) return same(binding.udid, message.ids.udid) ? 'yes' : 'no';
  return 'none';
}

/** By whose account the enrolment of a certificate is, or will be; `null` for every other. */
export async function accountOf(context: Context, fingerprint: string): Promise<EnrolmentAccount | null> {
  const { store, vault } = context;
  const issued = await store.certificates.get(fingerprint);
  if (issued === null) return null;
  await vault.ready();
  const invited = (await bindingFor(context, issued))?.account;
  if (invited !== undefined) return invited;
  // A renewal was issued to the enrolment, without an invitation.
  if (issued.enrolmentId === null) return null;
  return accountIn((await store.inventory.get(issued.enrolmentId))?.facts);
}

/** The account in the facts of an enrolment. */
function accountIn(facts: Readonly<Record<string, unknown>> | undefined): EnrolmentAccount | null {
  const mode = facts?.['ios.account_driven'];
  const managedAppleAccount = facts?.['ios.managed_apple_id'];
  if ((mode !== 'BYOD' && mode !== 'ADDE') || typeof managedAppleAccount !== 'string') return null;
  return { mode, managedAppleAccount };
}

/** What is known of a device from the invitation that let it in; `null` forgets what an earlier enrolment left. */
export function factsOf(
  binding: InvitationBinding | null,
  kind: Enrolment['kind'],
): Readonly<Record<string, string | number | boolean | null>> {
  const account = binding?.account;
  return {
    'ios.account_driven': account === undefined ? null : kind === 'user-enrolment-device' ? 'BYOD' : 'ADDE',
    ...(account === undefined ? {} : { 'ios.managed_apple_id': account.managedAppleAccount }),
    ...(binding?.managedAppleAccount === undefined ? {} : { 'ios.managed_apple_id': binding.managedAppleAccount }),
    ...(binding?.user === undefined ? {} : { 'user.user_id': binding.user }),
    'ios.mdm_access_rights': kind === 'user-enrolment-device' ? null : (binding?.accessRights ?? null),
    'ios.mdm_check_out_when_removed': binding?.checkOutWhenRemoved ?? null,
    'ios.mdm_profile_offered': null,
    'ios.superseded_by': null,
  };
}
