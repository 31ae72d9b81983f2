// Making invitations, and opening them for those who may see them.
import type { Invitation, InvitationBinding } from '../api/records.ts';
import type { InvitationRecord } from '../contracts/invitations.ts';
import { CoreError } from '../errors.ts';
import { type Context, randomDigits, randomWord, uuid } from './context.ts';
import { checkInvitationBinding, openInvitation } from './invitation-binding.ts';

/** What an invitation is made with. */
export interface InvitationOptions extends InvitationBinding {
  readonly note?: string;
  readonly pinLength?: number;
  readonly ttlHours?: number;
}

/** An invitation with what is sealed in it, and its status at this moment. */
export function shownInvitation(context: Context, record: InvitationRecord): Invitation {
  const { sealed: _, pinHash: __, tokenHash: ___, ...rest } = record;
  const { pin, token, binding = null } = openInvitation(context, record);
  const expired = rest.status === 'valid' && rest.expiresAt <= context.clock.now();
  return { ...rest, status: expired ? 'expired' : rest.status, pin, token, binding };
}

/**
 * Makes an invitation.
 * @throws CoreError `core.invitation.bad_option`, `core.invitation.no_pin`
 */
export async function createInvitation(context: Context, options: InvitationOptions): Promise<Invitation> {
  const { store, vault, clock, random } = context;
  const { note = '', pinLength = 6, ttlHours = 24, ...wanted } = options;
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
    return shownInvitation(context, record);
  }
  throw new CoreError('core.invitation.no_pin', 'unavailable', `no free PIN of ${pinLength} digits was found`, {
    remedy: 'use longer PINs, or revoke invitations that are not needed',
  });
}
