// What a compiler knows of the device that it compiles for.
import type { Platform, Target } from '@espalier/apple-mdm';
import { platforms } from '@espalier/apple-mdm';

/** One value of a device fact, as the engine keeps it. */
export type FactValue = string | number | boolean | null | readonly (string | number | boolean)[];

/** A device as the compilers see it: its facts, keyed by search token, and its enrolment. */
export interface PolicyDevice {
  readonly facts: Readonly<Record<string, FactValue>>;
  readonly enrolment: {
    readonly kind: string;
    readonly channel: 'device' | 'user';
    readonly osVersion?: string | null;
  };
}

/**
 * The target that a device is, for `validate`. Facts that are not known are left open, so that a key is left out only
 * when the device is known not to take it. `null` when even the platform is unknown.
 */
export function targetOf(device: PolicyDevice): Target | null {
  const { facts, enrolment } = device;
  const platform = facts['common.platform'];
  if (!isPlatform(platform)) return null;
  const version = facts['common.os_version'] ?? enrolment.osVersion;
  const flag = (token: string): boolean | undefined => {
    const value = facts[token];
    return typeof value === 'boolean' ? value : undefined;
  };
  const supervised = flag('ios.Supervised');
  const ade = flag('ios.IsDEPEnrolledDevice');
  const userEnrolled = enrolment.kind.startsWith('user-enrolment') || flag('ios.apple_user_enrolled_device') === true;
  return {
    platform,
    enrolment: userEnrolled ? 'user' : 'device',
    channel: enrolment.channel,
    ...(typeof version === 'string' && version !== '' ? { osVersion: version } : {}),
    ...(supervised === undefined ? {} : { supervised }),
    ...(ade === undefined ? {} : { ade }),
    ...(enrolment.kind === 'shared-ipad-user' ? { sharedIpad: true } : {}),
  };
}

function isPlatform(value: FactValue | undefined): value is Platform {
  return (platforms as readonly unknown[]).includes(value);
}
