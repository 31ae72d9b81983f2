// The access rights of an MDM payload: names, bits, and the combinations that devices refuse.
// Source: Apple's schema, mdm/profiles/com.apple.mdm.yaml (AccessRights) and the `accessrights` of each command.
import { MdmError } from '../errors.ts';

/** Each access right by the name that Apple's schema gives it, with its bit. */
export const accessRight = Object.freeze({
  /** Inspect installed configuration profiles. */
  AllowInspection: 1,
  /** Install and remove configuration profiles; needs `AllowInspection`. */
  AllowInstallationRemoval: 2,
  /** Lock the device and remove its passcode. */
  AllowPasscodeRemovalAndLock: 4,
  /** Erase the device. */
  AllowDeviceErase: 8,
  /** Query the device: capacity, serial number. */
  AllowQueryDeviceInformation: 16,
  /** Query the network: phone and SIM numbers, MAC addresses. */
  AllowQueryNetworkInformation: 32,
  /** Inspect installed provisioning profiles. */
  AllowProvisioningInspection: 64,
  /** Install and remove provisioning profiles; needs `AllowProvisioningInspection`. */
  AllowProvisioningInstallationRemoval: 128,
  /** Inspect installed apps. */
  AllowQueryApplications: 256,
  /** Restriction-related queries. */
  AllowQueryRestrictions: 512,
  /** Security-related queries. */
  AllowQuerySecurity: 1024,
  /** Change settings. */
  AllowSettings: 2048,
  /** Manage apps. */
  AllowAppInstallation: 4096,
} as const);

/** The name of an access right. */
export type AccessRightName = keyof typeof accessRight;

/** Every access right: 8191. */
export const allAccessRights: number = 8191;

const names = Object.keys(accessRight) as AccessRightName[];

const needs: readonly (readonly [AccessRightName, AccessRightName])[] = [
  ['AllowInstallationRemoval', 'AllowInspection'],
  ['AllowProvisioningInstallationRemoval', 'AllowProvisioningInspection'],
];

/**
 * Adds rights up to the mask of `AccessRights`, and checks it.
 * @throws MdmError `mdm.access_rights`
 * @example
 * accessRights('AllowInspection', 'AllowInstallationRemoval'); // 3
 */
export function accessRights(...rights: readonly AccessRightName[]): number {
  let mask = 0;
  for (const right of rights) mask |= accessRight[right];
  checkAccessRights(mask);
  return mask;
}

/** The names of the rights in a mask, in the order of their bits. Unknown bits are left out. */
export function accessRightNames(mask: number): AccessRightName[] {
  return names.filter((name) => (mask & accessRight[name]) !== 0);
}

/**
 * Refuses a mask that devices refuse: none at all, unknown bits, a right without the one that it needs.
 * @throws MdmError `mdm.access_rights`
 */
export function checkAccessRights(mask: number): void {
  const at = { path: '/AccessRights' };
  if (!Number.isInteger(mask) || mask < 1 || mask > allAccessRights) {
    throw new MdmError('mdm.access_rights', `access rights are a whole number from 1 to ${allAccessRights}`, { at });
  }
  for (const [right, needed] of needs) {
    if ((mask & accessRight[right]) !== 0 && (mask & accessRight[needed]) === 0) {
      throw new MdmError('mdm.access_rights', `${right} needs ${needed}`, { at, remedy: `add ${needed}` });
    }
  }
}

/**
 * What a change of access rights means for enrolled devices: rights can be taken away by an update of the profile over
 * MDM; an update that adds any right is refused by the device, so that it has to enrol anew (schema, `AccessRights`).
 */
export function compareAccessRights(
  from: number,
  to: number,
): { readonly added: AccessRightName[]; readonly removed: AccessRightName[]; readonly updatable: boolean } {
  const added = accessRightNames(to & ~from);
  return { added, removed: accessRightNames(from & ~to), updatable: added.length === 0 };
}
