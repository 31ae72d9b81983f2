// Inventory: queues the batch, and turns responses into facts and lists.
import { createHash } from 'node:crypto';
import { readInventory } from '@espalier/apple-mdm';
import type { PlistDict } from '@espalier/plist';
import type { FactValue } from '../api/common.ts';
import type { InventoryReport } from '../contracts/inventory.ts';
import type { NewCommand } from '../contracts/queue.ts';
import { buildCommand, enqueueCommands } from './commands.ts';
import type { Context } from './context.ts';

/** The dedupe key of an inventory command. */
export function inventoryKey(requestType: string): string {
  return `inventory:${requestType}`;
}

/** What DeviceInformation is asked for: every query that the facts readers use; a device leaves out what it does not know. */
const deviceQueries: readonly string[] = Object.freeze([
  'UDID',
  'DeviceName',
  'OSVersion',
  'SupplementalOSVersionExtra',
  'BuildVersion',
  'SupplementalBuildVersion',
  'ModelName',
  'Model',
  'ModelNumber',
  'ProductName',
  'SerialNumber',
  'DeviceCapacity',
  'AvailableDeviceCapacity',
  'BatteryLevel',
  'CellularTechnology',
  'IMEI',
  'MEID',
  'ModemFirmwareVersion',
  'IsSupervised',
  'IsMultiUser',
  'IsDeviceLocatorServiceEnabled',
  'IsActivationLockEnabled',
  'IsDoNotDisturbInEffect',
  'IsMDMLostModeEnabled',
  'IsCloudBackupEnabled',
  'LastCloudBackupDate',
  'IsAppleSilicon',
  'IsRoaming',
  'IsNetworkTethered',
  'iTunesStoreAccountIsActive',
  'iTunesStoreAccountHash',
  'ServiceSubscriptions',
  'CarrierSettingsVersion',
  'CurrentCarrierNetwork',
  'SubscriberCarrierNetwork',
  'CurrentMCC',
  'CurrentMNC',
  'SubscriberMCC',
  'SubscriberMNC',
  'ICCID',
  'PhoneNumber',
  'DataRoamingEnabled',
  'VoiceRoamingEnabled',
  'PersonalHotspotEnabled',
  'WiFiMAC',
  'BluetoothMAC',
  'EthernetMAC',
  'OrganizationInfo',
  'TimeZone',
  'Languages',
  'Locales',
  'MaximumResidentUsers',
  'EstimatedResidentUsers',
  'ResidentUsers',
  'QuotaSize',
  'UserSessionTimeout',
  'TemporarySessionTimeout',
  'TemporarySessionOnly',
]);

const batch: readonly (readonly [requestType: string, payload: Readonly<Record<string, unknown>>])[] = [
  ['DeviceInformation', { Queries: deviceQueries }],
  ['SecurityInfo', {}],
  ['InstalledApplicationList', {}],
  ['ProfileList', {}],
  ['CertificateList', {}],
];

function inventoryCommand(context: Context, requestType: string): NewCommand {
  const payload = batch.find(([name]) => name === requestType)?.[1] ?? {};
  return buildCommand(context, {
    requestType,
    payload,
    dedupeKey: inventoryKey(requestType),
    onDuplicate: 'keep',
    origin: 'inventory',
  });
}

/** Queues the whole batch; what is pending already stays. */
export async function queueInventory(context: Context, enrolmentIds: readonly string[]): Promise<void> {
  const commands = batch.map(([requestType]) => inventoryCommand(context, requestType));
  await enqueueCommands(context, commands, enrolmentIds);
}

/** Queues a ProfileList for a device that is there, unless one is pending. */
export async function queueProfileList(context: Context, enrolmentId: string): Promise<void> {
  await enqueueCommands(context, [inventoryCommand(context, 'ProfileList')], [enrolmentId], { kick: false });
}

/**
 * Turns an acknowledged response into a report; `null` when its command is not about inventory.
 */
export function reportOf(
  enrolmentId: string,
  requestType: string,
  value: PlistDict,
  at: number,
): InventoryReport | null {
  const inventory = readInventory(requestType, value);
  if (inventory === null) return null;
  const { facts, apps, profiles, certificates } = inventory;
  return {
    enrolmentId,
    at,
    facts: facts as Readonly<Record<string, FactValue>>,
    ...(apps === undefined
      ? {}
      : {
          apps: apps.items.map((app) => ({
            identifier: app.bundleId,
            name: app.name ?? app.bundleId,
            version: app.build ?? '',
            shortVersion: app.version ?? null,
            bundleSize: app.bundleSize ?? null,
            managed: null,
          })),
        }),
    ...(profiles === undefined
      ? {}
      : {
          profiles: profiles.items.map((profile) => ({
            identifier: profile.identifier,
            uuid: profile.uuid,
            displayName: profile.displayName ?? '',
            organisation: profile.organisation ?? null,
            managed: profile.managed ?? false,
          })),
        }),
    ...(certificates === undefined
      ? {}
      : {
          certificates: certificates.items.map(({ commonName, isIdentity, data }) => ({
            commonName,
            isIdentity,
            fingerprint: createHash('sha256').update(data).digest('hex'),
          })),
        }),
    complete: requestType === 'DeviceInformation',
    event: { type: 'inventory.updated', at, enrolmentId, data: { requestType } },
  };
}
