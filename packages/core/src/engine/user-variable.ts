// $MANAGED_APPLE_ID$ in configurations (ABM-30): whose account it is, and on which channel such a configuration goes.
import type { Configuration, DeviceRow } from '../api/records.ts';
import type { CompiledConfiguration } from './options.ts';

/** The variable: the account of the user who is signed in on a Shared iPad, or who enrolled a device of their own. */
export const MANAGED_APPLE_ID = '$MANAGED_APPLE_ID$';

/** Whether a configuration speaks of the user. */
export function speaksOfUser({ settings }: Pick<Configuration, 'settings'>): boolean {
  return JSON.stringify(settings, (_, value: unknown) => (value instanceof Uint8Array ? null : value)).includes(
    MANAGED_APPLE_ID,
  );
}

/**
 * The configuration for one user; or why there is none: it never goes out with an empty value. It goes to the users of a Shared iPad,
 * each with their own account, and not to the device.
 */
export function forUser(
  configuration: Configuration,
  { enrolment, facts }: DeviceRow,
): Configuration | Extract<CompiledConfiguration, { applicable: false }> {
  if (enrolment.kind !== 'shared-ipad-user' && facts['ios.IsMultiUser'] === true) {
    return {
      applicable: false,
      reason: `it speaks of ${MANAGED_APPLE_ID}, and so goes to the users of the Shared iPad`,
    };
  }
  const ownAccount = enrolment.kind === 'shared-ipad-user' || enrolment.kind === 'user-enrolment-device';
  const account = ownAccount ? facts['ios.managed_apple_id'] : undefined;
  if (typeof account !== 'string' || account === '') {
    return { applicable: false, reason: `NO_MANAGED_APPLE_ID: the device has no account for ${MANAGED_APPLE_ID}` };
  }
  return { ...configuration, settings: replaceIn(configuration.settings, account) as Configuration['settings'] };
}

function replaceIn(value: unknown, account: string): unknown {
  if (typeof value === 'string') return value.replaceAll(MANAGED_APPLE_ID, () => account);
  if (Array.isArray(value)) return value.map((item) => replaceIn(item, account));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaceIn(item, account)]));
}
