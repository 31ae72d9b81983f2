// DeviceInformation: only what was asked for, only what the platform has, only what the access rights show.
// Keys and availability: Apple's schema, mdm/commands/information.device.yaml.
import { type PlistInput, PlistReal } from '@espalier/plist';
import { compareVersions, isAppleSilicon, type Platform } from '../catalogue.ts';
import type { DeviceState } from '../device/state.ts';
import { acknowledged, type Handlers, malformed } from './handler.ts';

type Read = (state: DeviceState) => PlistInput | undefined;

/** The right to query the device (16) or the network (32), the versions that introduced the key, and its value. */
interface Query {
  readonly right: 16 | 32 | 0;
  readonly since: { readonly [P in Platform]?: string };
  readonly read: Read;
}

/** Keys that the younger platforms have, by the version that brought them. */
const younger: { readonly [P in Platform]?: { readonly [version: string]: string } } = {
  visionOS: {
    '1.1':
      'UDID MDMOptions DeviceName OSVersion BuildVersion SupplementalBuildVersion ModelName ModelNumber ProductName ' +
      'SerialNumber DeviceCapacity AvailableDeviceCapacity BatteryLevel IsSupervised IsDeviceLocatorServiceEnabled ' +
      'IsDoNotDisturbInEffect EASDeviceIdentifier IsCloudBackupEnabled DiagnosticSubmissionEnabled AppAnalyticsEnabled ' +
      'BluetoothMAC WiFiMAC SoftwareUpdateDeviceID',
    '2.0': 'AwaitingConfiguration TimeZone',
  },
  watchOS: {
    '10.0':
      'UDID MDMOptions AwaitingConfiguration iTunesStoreAccountIsActive DeviceName OSVersion BuildVersion ' +
      'SupplementalBuildVersion ModelName Model ModelNumber ProductName SerialNumber DeviceCapacity ' +
      'AvailableDeviceCapacity BatteryLevel IsSupervised IsDeviceLocatorServiceEnabled IsActivationLockEnabled ' +
      'IsDoNotDisturbInEffect IsMDMLostModeEnabled DiagnosticSubmissionEnabled AppAnalyticsEnabled TimeZone WiFiMAC',
  },
};

/** What a User Enrolment does not tell. */
const secret = new Set(
  (
    'UDID ProvisioningUDID AwaitingConfiguration iTunesStoreAccountIsActive SerialNumber IMEI MEID ModemFirmwareVersion ' +
    'IsActivationLockEnabled IsActivationLockSupported IsDoNotDisturbInEffect IsCloudBackupEnabled IsMDMLostModeEnabled ' +
    'PushToken ICCID BluetoothMAC WiFiMAC EthernetMAC CurrentCarrierNetwork SubscriberCarrierNetwork ' +
    'CarrierSettingsVersion PhoneNumber DataRoamingEnabled VoiceRoamingEnabled PersonalHotspotEnabled IsRoaming ' +
    'SubscriberMCC SubscriberMNC CurrentMCC CurrentMNC ServiceSubscriptions SoftwareUpdateDeviceID OSUpdateSettings ' +
    'PINRequiredForEraseDevice PINRequiredForDeviceLock'
  ).split(' '),
);

/** The version that brought a key to a platform. */
function sinceOf(key: string, platform: Platform): string | undefined {
  const versions = younger[platform];
  if (versions === undefined) return queries[key]!.since[platform];
  return Object.keys(versions).find((version) => versions[version]!.split(' ').includes(key));
}

const all = { iOS: '4.0', macOS: '10.7', tvOS: '6.0' };
const phones = { iOS: '4.0' };
const macs = (version: string) => ({ macOS: version });

function query(right: 16 | 32 | 0, since: Query['since'], read: Read): Query {
  return { right, since, read };
}

const queries: { readonly [key: string]: Query } = {
  UDID: query(0, all, (d) => d.udid),
  ProvisioningUDID: query(0, macs('11.3'), (d) => d.udid),
  MDMOptions: query(0, { iOS: '7.0', macOS: '11.0', tvOS: '9.0' }, () => ({})),
  AwaitingConfiguration: query(0, { iOS: '9.0', macOS: '10.11', tvOS: '10.2' }, (d) => d.awaitingConfiguration),
  iTunesStoreAccountIsActive: query(0, { iOS: '7.0', macOS: '10.9', tvOS: '9.0' }, () => false),
  DeviceName: query(16, all, (d) => d.deviceName),
  OSVersion: query(16, all, (d) => d.osVersion),
  BuildVersion: query(16, all, (d) => d.buildVersion),
  SupplementalBuildVersion: query(16, { iOS: '16.1', macOS: '13.0', tvOS: '16.1' }, (d) => d.buildVersion),
  ModelName: query(16, all, (d) => d.modelName),
  Model: query(16, all, (d) => d.model),
  ModelNumber: query(16, { iOS: '16.4', macOS: '13.3', tvOS: '16.4' }, (d) => `${d.model}/A`),
  IsAppleSilicon: query(16, macs('12.0'), (d) => isAppleSilicon(d.productName)),
  ProductName: query(16, all, (d) => d.productName),
  SerialNumber: query(16, all, (d) => d.serialNumber),
  DeviceCapacity: query(16, { iOS: '4.0', macOS: '10.7' }, (d) => new PlistReal(d.capacity)),
  AvailableDeviceCapacity: query(16, { iOS: '4.0', macOS: '10.7' }, (d) => new PlistReal(d.freeCapacity)),
  IMEI: query(16, phones, (d) => d.imei || undefined),
  MEID: query(16, phones, (d) => d.meid || undefined),
  ModemFirmwareVersion: query(16, phones, (d) => (d.cellular ? '2.20.03' : undefined)),
  CellularTechnology: query(16, phones, (d) => (d.cellular ? 3 : 0)),
  BatteryLevel: query(16, { iOS: '5.0', macOS: '13.3' }, (d) => new PlistReal(d.batteryLevel)),
  HasBattery: query(16, macs('13.3'), (d) => d.modelName !== 'Mac mini'),
  IsSupervised: query(16, { iOS: '6.0', macOS: '10.15', tvOS: '9.0' }, (d) => d.supervised || d.kind === 'Mac'),
  IsMultiUser: query(16, { iOS: '9.3' }, (d) => d.sharedIpad === true),
  IsDeviceLocatorServiceEnabled: query(16, { iOS: '7.0' }, () => false),
  IsActivationLockEnabled: query(16, { iOS: '7.0', macOS: '10.15' }, () => false),
  IsActivationLockSupported: query(16, macs('10.15'), () => true),
  IsDoNotDisturbInEffect: query(16, { iOS: '7.0' }, () => false),
  DeviceID: query(16, { tvOS: '9.0' }, (d) => d.wifiMac),
  EASDeviceIdentifier: query(16, { iOS: '7.0' }, (d) => d.serialNumber.padEnd(26, 'X')),
  IsCloudBackupEnabled: query(16, { iOS: '7.1' }, () => false),
  OSUpdateSettings: query(16, macs('10.11'), () => ({ AutoCheckEnabled: true, IsDefaultCatalog: true })),
  LocalHostName: query(16, macs('10.11'), (d) => d.deviceName.replaceAll(/[^A-Za-z0-9]+/g, '-')),
  HostName: query(16, macs('10.11'), (d) =>
    String(d.settings['HostName'] ?? `${d.deviceName.replaceAll(/[^A-Za-z0-9]+/g, '-')}.local`),
  ),
  SystemIntegrityProtectionEnabled: query(16, macs('10.12'), () => true),
  SupportsLOMDevice: query(16, macs('11.0'), (d) => d.modelName === 'Mac mini'),
  IsMDMLostModeEnabled: query(16, { iOS: '9.3' }, (d) => d.lostMode !== null),
  DiagnosticSubmissionEnabled: query(16, { iOS: '9.3' }, (d) => d.settings['DiagnosticSubmission'] === true),
  AppAnalyticsEnabled: query(16, { iOS: '9.3' }, (d) => d.settings['AppAnalytics'] === true),
  TimeZone: query(16, { iOS: '14.0', tvOS: '14.0' }, (d) => String(d.settings['TimeZone'] ?? 'Europe/Berlin')),
  PINRequiredForEraseDevice: query(16, macs('11.0'), () => false),
  PINRequiredForDeviceLock: query(16, macs('11.0'), () => true),
  SupportsiOSAppInstalls: query(16, macs('11.0'), () => true),
  SoftwareUpdateDeviceID: query(16, { iOS: '15.0', macOS: '12.0' }, (d) => d.productName),
  PushToken: query(16, { iOS: '9.3', macOS: '10.12' }, (d) => new Uint8Array(Buffer.from(d.pushToken, 'hex'))),
  BluetoothMAC: query(32, all, (d) => d.bluetoothMac),
  WiFiMAC: query(32, all, (d) => d.wifiMac),
  EthernetMAC: query(32, macs('10.7'), (d) => d.ethernetMac || undefined),
  ICCID: query(32, phones, (d) => (d.cellular ? '8901 0100 0000 0000 0001' : undefined)),
  CurrentCarrierNetwork: query(32, phones, (d) => (d.cellular ? 'Carrier' : undefined)),
  SubscriberCarrierNetwork: query(32, { iOS: '5.0' }, (d) => (d.cellular ? 'Carrier' : undefined)),
  CarrierSettingsVersion: query(32, phones, (d) => (d.cellular ? '61.0' : undefined)),
  PhoneNumber: query(32, phones, (d) => (d.cellular ? '+15550100' : undefined)),
  DataRoamingEnabled: query(32, { iOS: '5.0' }, (d) => (d.cellular ? d.settings['DataRoaming'] === true : undefined)),
  VoiceRoamingEnabled: query(32, { iOS: '5.0' }, (d) => (d.cellular ? d.settings['VoiceRoaming'] === true : undefined)),
  PersonalHotspotEnabled: query(32, { iOS: '7.0' }, (d) =>
    d.cellular ? d.settings['PersonalHotspot'] === true : undefined,
  ),
  IsNetworkTethered: query(32, { iOS: '10.3' }, () => false),
  IsRoaming: query(32, { iOS: '4.2' }, (d) => (d.cellular ? false : undefined)),
  SubscriberMCC: query(32, { iOS: '4.2.6' }, (d) => (d.cellular ? '001' : undefined)),
  SubscriberMNC: query(32, { iOS: '4.2.6' }, (d) => (d.cellular ? '01' : undefined)),
  CurrentMCC: query(32, phones, (d) => (d.cellular ? '001' : undefined)),
  CurrentMNC: query(32, phones, (d) => (d.cellular ? '01' : undefined)),
  ServiceSubscriptions: query(32, { iOS: '12.0' }, (d) => (d.cellular ? [subscription(d)] : undefined)),
};

function subscription(state: DeviceState): PlistInput {
  return {
    CarrierSettingsVersion: '61.0',
    CurrentCarrierNetwork: 'Carrier',
    CurrentMCC: '001',
    CurrentMNC: '01',
    ICCID: '8901 0100 0000 0000 0001',
    IMEI: state.imei,
    IsDataPreferred: true,
    IsRoaming: false,
    IsVoicePreferred: true,
    Label: 'Primary',
    LabelID: '00000000-0000-0000-0000-000000000001',
    MEID: state.meid,
    PhoneNumber: '+15550100',
    Slot: 'CTSubscriptionSlotOne',
  };
}

/** `DeviceInformation`. */
export const informationHandlers: Handlers = {
  DeviceInformation: {
    whenLocked: true,
    run({ state, platform, payload }) {
      const { Queries: asked } = payload;
      if (!Array.isArray(asked)) return malformed;
      const answers: { [key: string]: PlistInput } = {};
      const rights = state.mdm?.accessRights ?? 0;
      for (const key of asked) {
        if (typeof key !== 'string' || !Object.hasOwn(queries, key)) continue;
        const { right, read } = queries[key]!;
        const introduced = sinceOf(key, platform);
        if (state.mdm?.userEnrolment === true && secret.has(key)) continue;
        if (introduced === undefined || compareVersions(state.osVersion, introduced) < 0) continue;
        if (right !== 0 && (rights & right) === 0) continue;
        const value = read(state);
        if (value !== undefined) answers[key] = value;
      }
      return acknowledged({ QueryResponses: answers });
    },
  },
};
