// One entry for all responses that tell something about the device.
import type { PlistDict } from '../plist.ts';
import { deviceInformationFacts } from './device-information.ts';
import {
  type DeviceLocation,
  type DeviceRestrictions,
  type DeviceUser,
  type ManagedApp,
  type ManagedBook,
  type ProvisioningProfile,
  readLocation,
  readManagedApps,
  readManagedBooks,
  readProvisioningProfiles,
  readRestrictions,
  readUsers,
} from './device-lists.ts';
import {
  type InstalledApp,
  type InstalledCertificate,
  type InstalledProfile,
  readCertificateList,
  readInstalledApps,
  readProfileList,
} from './lists.ts';
import type { ReadList } from './read.ts';
import { securityInfoFacts } from './security-info.ts';
import {
  type AvailableUpdate,
  availableUpdateFacts,
  readAvailableUpdates,
  readUpdateStatus,
  type UpdateStatus,
  updateStatusFacts,
} from './updates.ts';
import type { Facts } from './values.ts';

/** What an inventory response tells; only the parts that its command is about. */
export interface Inventory {
  readonly facts: Facts;
  readonly apps?: ReadList<InstalledApp>;
  readonly profiles?: ReadList<InstalledProfile>;
  readonly certificates?: ReadList<InstalledCertificate>;
  readonly managedApps?: ReadList<ManagedApp>;
  readonly provisioningProfiles?: ReadList<ProvisioningProfile>;
  readonly users?: ReadList<DeviceUser>;
  readonly books?: ReadList<ManagedBook>;
  readonly restrictions?: DeviceRestrictions;
  readonly updates?: ReadList<AvailableUpdate>;
  readonly updateStatus?: ReadList<UpdateStatus>;
  readonly location?: DeviceLocation;
}

const readers: { readonly [requestType: string]: (value: PlistDict) => Inventory } = {
  DeviceInformation: (value) => ({ facts: deviceInformationFacts(value) }),
  SecurityInfo: (value) => ({ facts: securityInfoFacts(value) }),
  InstalledApplicationList: readApps,
  ProfileList: profiles,
  CertificateList: (value) => ({ facts: {}, certificates: readCertificateList(value) }),
  ManagedApplicationList: managedApps,
  ProvisioningProfileList: provisioningProfiles,
  UserList: users,
  ManagedMediaList: (value) => ({ facts: {}, books: readManagedBooks(value) }),
  Restrictions: restrictions,
  AvailableOSUpdates: (value) => {
    const updates = readAvailableUpdates(value);
    return { facts: availableUpdateFacts(updates.items), updates };
  },
  OSUpdateStatus: (value) => {
    const updateStatus = readUpdateStatus(value);
    return { facts: updateStatusFacts(updateStatus.items), updateStatus };
  },
  DeviceLocation: (value) => {
    const location = readLocation(value);
    // Where a device is stays out of the facts, which everybody may search; that it was asked does not.
    if (location === null) return { facts: {} };
    return { facts: location.at === undefined ? {} : { 'common.location_last_captured_at': location.at }, location };
  },
  EnableLostMode: () => ({ facts: { 'ios.IsMDMLostModeEnabled': true } }),
  DisableLostMode: () => ({ facts: { 'ios.IsMDMLostModeEnabled': false } }),
  DeviceConfigured: () => ({ facts: { 'ios.AwaitingConfiguration': false } }),
};

function profiles(value: PlistDict): Inventory {
  const list = readProfileList(value);
  // The profile that enrolled the device: whoever removes it ends the enrolment.
  const enrolment = list.items.find(({ payloads }) => payloads.some(({ type }) => type === 'com.apple.mdm'));
  return {
    facts: enrolment === undefined ? {} : { 'ios.mdm_profile_identifier': enrolment.identifier },
    profiles: list,
  };
}

function managedApps(value: PlistDict): Inventory {
  const apps = readManagedApps(value);
  return {
    facts: {
      'ios.managed_app_identifiers': apps.items.filter((app) => app.status === 'Managed').map((app) => app.bundleId),
      'ios.managed_app_states': apps.items.map((app) => `${app.bundleId}=${app.status}`),
    },
    managedApps: apps,
  };
}

function provisioningProfiles(value: PlistDict): Inventory {
  const profiles = readProvisioningProfiles(value);
  const ends = profiles.items.flatMap(({ expiresAt }) => expiresAt ?? []);
  return {
    facts: {
      'ios.provisioning_profile_uuids': profiles.items.map(({ uuid }) => uuid),
      'ios.provisioning_profile_expires_at': ends.length === 0 ? null : Math.min(...ends),
    },
    provisioningProfiles: profiles,
  };
}

function users(value: PlistDict): Inventory {
  const list = readUsers(value);
  return {
    facts: {
      'ios.users': list.items.map(({ name }) => name),
      'ios.logged_in_users': list.items.filter(({ loggedIn }) => loggedIn).map(({ name }) => name),
      // Only a Shared iPad has a quota for each user; a Mac's accounts are no residents.
      ...(list.items.some(({ dataQuota }) => dataQuota !== undefined)
        ? { 'ios.active_resident_users': list.items.length }
        : {}),
    },
    users: list,
  };
}

function restrictions(value: PlistDict): Inventory {
  const read = readRestrictions(value);
  const names = Object.entries(read.booleans);
  return {
    facts: {
      'ios.restrictions_off': names.flatMap(([name, on]) => (on ? [] : [name])),
      'ios.restrictions_on': names.flatMap(([name, on]) => (on ? [name] : [])),
      'ios.forceEncryptedBackup': read.booleans['forceEncryptedBackup'] ?? null,
    },
    restrictions: read,
  };
}

/** Apps as a list, and their identifiers and names as facts, so that devices can be searched by app. */
function readApps(value: PlistDict): Inventory {
  if (value['InstalledApplicationList'] === undefined) return { facts: {} };
  const apps = readInstalledApps(value);
  return {
    facts: {
      'ios.installed_app_identifiers': apps.items.map((app) => app.bundleId),
      'ios.installed_app_names': apps.items.flatMap((app) => app.name ?? []),
    },
    apps,
  };
}

/** The commands whose responses {@link readInventory} reads. */
export const inventoryCommands: readonly string[] = Object.freeze(Object.keys(readers));

/**
 * Reads the acknowledged response to an inventory command; `null` for other commands.
 *
 * @param requestType The command that was answered: responses themselves seldom name it.
 * @param value The response as decoded (`readResponse(…).value`).
 * @example
 * const inventory = readInventory('ProfileList', response.value);
 * inventory?.profiles?.items.map((profile) => profile.identifier);
 */
export function readInventory(requestType: string, value: PlistDict): Inventory | null {
  return Object.hasOwn(readers, requestType) ? readers[requestType]!(value) : null;
}
