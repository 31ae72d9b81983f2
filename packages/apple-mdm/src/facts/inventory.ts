// One entry for all responses that tell something about the device.
import type { PlistDict } from '../plist.ts';
import { deviceInformationFacts } from './device-information.ts';
import {
  type InstalledApp,
  type InstalledCertificate,
  type InstalledProfile,
  type ReadList,
  readCertificateList,
  readInstalledApps,
  readProfileList,
} from './lists.ts';
import { securityInfoFacts } from './security-info.ts';
import type { Facts } from './values.ts';

/** What an inventory response tells; only the parts that its command is about. */
export interface Inventory {
  readonly facts: Facts;
  readonly apps?: ReadList<InstalledApp>;
  readonly profiles?: ReadList<InstalledProfile>;
  readonly certificates?: ReadList<InstalledCertificate>;
}

const readers: { readonly [requestType: string]: (value: PlistDict) => Inventory } = {
  DeviceInformation: (value) => ({ facts: deviceInformationFacts(value) }),
  SecurityInfo: (value) => ({ facts: securityInfoFacts(value) }),
  InstalledApplicationList: readApps,
  ProfileList: (value) => ({ facts: {}, profiles: readProfileList(value) }),
  CertificateList: (value) => ({ facts: {}, certificates: readCertificateList(value) }),
};

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
