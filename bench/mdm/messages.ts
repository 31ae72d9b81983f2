// What the benchmark's devices say, and the two commands that they are given.
import { rawCommand } from '@espalier/apple-mdm';
import { encodeXml, type PlistDict } from '@espalier/plist';

/** The topic of all devices. */
export const TOPIC = 'com.apple.mgmt.External.00000000-0000-4000-8000-0000000bec40';

/** What a device is asked for. */
export type Work = 'plain' | 'inventory';

const answers: PlistDict = {
  ActiveManagedUsers: [],
  AvailableDeviceCapacity: 83.4,
  BatteryLevel: 0.87,
  BluetoothMAC: 'f0:99:b6:01:02:03',
  BuildVersion: '22G86',
  CellularTechnology: 1,
  DataRoamingEnabled: false,
  DeviceCapacity: 128,
  DeviceName: 'iPhone of the benchmark',
  DiagnosticSubmissionEnabled: true,
  EASDeviceIdentifier: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  IsActivationLockEnabled: false,
  IsAppleIntelligenceAvailable: false,
  IsCloudBackupEnabled: false,
  IsDeviceLocatorServiceEnabled: false,
  IsDoNotDisturbInEffect: false,
  IsMDMLostModeEnabled: false,
  IsNetworkTethered: false,
  IsRoaming: false,
  IsSupervised: true,
  Languages: ['en-GB'],
  Locales: ['en_GB'],
  Model: 'MTP03QN/A',
  ModelName: 'iPhone',
  ModelNumber: 'MTP03QN/A',
  ModemFirmwareVersion: '3.10.00',
  OSVersion: '18.6',
  OrganizationInfo: { OrganizationName: 'Example Ltd' },
  PersonalHotspotEnabled: false,
  ProductName: 'iPhone15,4',
  ServiceSubscriptions: [
    { CarrierSettingsVersion: '62.0', CurrentMCC: '262', CurrentMNC: '01', IsDataPreferred: true, IsRoaming: false },
  ],
  SupplementalBuildVersion: '22G86',
  SupplementalOSVersionExtra: '',
  TimeZone: 'Europe/Berlin',
  VoiceRoamingEnabled: false,
  WiFiMAC: 'f0:99:b6:01:02:04',
  iTunesStoreAccountIsActive: false,
};

/** The request types of both kinds of work; the answer to `inventory` becomes facts. */
export const requestTypes: Readonly<Record<Work, string>> = {
  plain: 'RestartDevice',
  inventory: 'DeviceInformation',
};

/** The command, as any server sends it. */
export function commandBytes(work: Work, commandUuid: string): Uint8Array {
  const payload = work === 'plain' ? {} : { Queries: [...Object.keys(answers), 'SerialNumber', 'UDID'] };
  return rawCommand(requestTypes[work], payload, { commandUuid }).bytes;
}

/** The name of a device. */
export const udidOf = (i: number): string => `00008120-00${String(i).padStart(14, '0')}`;

/** What the `i`th device sends. */
export const messages = {
  authenticate: (i: number): Uint8Array =>
    encodeXml({
      BuildVersion: '22G86',
      MessageType: 'Authenticate',
      OSVersion: '18.6',
      ProductName: 'iPhone15,4',
      SerialNumber: `BENCH${i}`,
      Topic: TOPIC,
      UDID: udidOf(i),
    }),
  tokenUpdate: (i: number): Uint8Array =>
    encodeXml({
      MessageType: 'TokenUpdate',
      PushMagic: `magic-${i}`,
      Token: new Uint8Array(32).fill(i % 256),
      Topic: TOPIC,
      UDID: udidOf(i),
    }),
  idle: (i: number): Uint8Array => encodeXml({ Status: 'Idle', UDID: udidOf(i) }),
  acknowledged: (i: number, work: Work, commandUuid: string): Uint8Array =>
    encodeXml({
      CommandUUID: commandUuid,
      ...(work === 'plain' ? {} : { QueryResponses: { ...answers, SerialNumber: `BENCH${i}`, UDID: udidOf(i) } }),
      Status: 'Acknowledged',
      UDID: udidOf(i),
    }),
};
