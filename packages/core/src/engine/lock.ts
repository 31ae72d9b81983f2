// Locking a device (ACT-9), and the PINs that unlock Macs.
import type { Devices } from '../api/engine.ts';
import { CoreError } from '../errors.ts';
import { splitByCapability, unsupported } from './capabilities.ts';
import { buildCommand, enqueueCommands } from './commands.ts';
import { type Context, randomDigits, uuid } from './context.ts';

const CONFIRMED = 'lock-pin';
const REQUESTED = 'lock-pin.requested';

function pinName(commandUuid: string): string {
  return `lock-pin:${commandUuid}`;
}

/** Queues a lock. */
export async function lockDevice(
  context: Context,
  enrolmentId: string,
  options: Parameters<Devices['lock']>[1] = {},
): Promise<{ readonly commandUuid: string }> {
  const { store, vault, clock, random } = context;
  await vault.ready();
  const [row] = await store.inventory.rows([enrolmentId]);
  if (row === undefined) throw new CoreError('core.enrolment.unknown', 'not-found', 'there is no such enrolment');
  const platform = row.facts['common.platform'];
  if (platform === 'tvOS') throw new CoreError('core.lock.unsupported', 'conflict', 'an Apple TV cannot be locked');
  const { message, phoneNumber, pin } = options;
  if (message !== undefined && message.length > 500) {
    throw new CoreError('core.lock.message_too_long', 'invalid', 'a lock message has at most 500 characters');
  }
  if (pin !== undefined && !/^[0-9]{6}$/.test(pin)) {
    throw new CoreError('core.lock.bad_pin', 'invalid', 'a lock PIN has six digits');
  }
  // Without the PIN, which not every platform has: whether the device takes a lock at all.
  const lock = { requestType: 'DeviceLock', payload: {} };
  const { refused } = await splitByCapability(context, [enrolmentId], [lock]);
  if (refused[0] !== undefined) throw unsupported(lock.requestType, refused[0]);
  const commandUuid = uuid(random);
  const payload: Record<string, unknown> = {};
  if (message !== undefined) payload['Message'] = message;
  if (phoneNumber !== undefined) payload['PhoneNumber'] = phoneNumber;
  if (platform === 'macOS') {
    const code = pin ?? randomDigits(random, 6);
    payload['PIN'] = code;
    // Kept before the command can reach the Mac: a lock whose PIN nobody knows is worse than a PIN without a lock.
    const at = clock.now();
    for (const name of [pinName(commandUuid), REQUESTED]) {
      const blob = vault.seal(code, { kind: 'secret', key: [enrolmentId, name] });
      await store.secrets.put({ scope: enrolmentId, name, blob, at });
    }
  }
  const command = buildCommand(context, { requestType: 'DeviceLock', payload, commandUuid, priority: 100 });
  await enqueueCommands(context, [command], [enrolmentId]);
  return { commandUuid };
}

/** The lock was acknowledged: its PIN is the one in force. */
export async function confirmLockPin(
  { store, vault, clock }: Context,
  scope: string,
  commandUuid: string,
): Promise<void> {
  const name = pinName(commandUuid);
  const blob = await store.secrets.get(scope, name);
  if (blob === null) return;
  const pin = vault.open(blob, { kind: 'secret', key: [scope, name] });
  const again = vault.seal(pin, { kind: 'secret', key: [scope, CONFIRMED] });
  await store.secrets.put({ scope, name: CONFIRMED, blob: again, at: clock.now() });
  await store.secrets.delete(scope, name);
}

/** The PIN of the last acknowledged lock; before any was acknowledged, that of the last one requested. */
export async function readLockPin({ store, vault }: Context, scope: string): Promise<string | null> {
  for (const name of [CONFIRMED, REQUESTED]) {
    const blob = await store.secrets.get(scope, name);
    if (blob !== null) return vault.openText(blob, { kind: 'secret', key: [scope, name] });
  }
  return null;
}
