// A new device's state: everything that the caller leaves open comes from the seed.
import {
  appCatalogue,
  buildOf,
  compareVersions,
  type DeviceKind,
  modelNamed,
  modelsOf,
  type Platform,
  platformOf,
  type SimulatedApp,
  versionsOf,
} from '../catalogue.ts';
import type { Random } from '../random.ts';
import { type DeviceState, toBase64 } from './state.ts';

/** What a device is; whatever is left out comes from the seed. */
export interface DeviceTraits {
  readonly kind: DeviceKind;
  /** A product name of the kind, e.g. `iPhone15,2`. */
  readonly model?: string;
  readonly osVersion?: string;
  readonly serialNumber?: string;
  readonly udid?: string;
  readonly deviceName?: string;
  /** Default: no. */
  readonly supervised?: boolean;
  readonly apps?: readonly SimulatedApp[];
  /** `null` for none; default: six digits, none on an Apple TV. */
  readonly passcode?: string | null;
  /** The device is locked: it answers `NotNow` where Apple's devices do. Default: no. */
  readonly locked?: boolean;
  /** It waits for `DeviceConfigured` before Setup Assistant goes on. Default: no. */
  readonly awaitingConfiguration?: boolean;
  /** It enrols by Automated Device Enrolment, which some commands need. Default: as `awaitingConfiguration`. */
  readonly ade?: boolean;
  /** An iPad that several users share. Default: no. */
  readonly sharedIpad?: boolean;
}

/** Apple's serial numbers leave out what can be mistaken. */
const serialAlphabet = '23456789CDFGHJKLMNPQRTVWXY';
const hexDigits = '0123456789ABCDEF';

/** Makes the state of a device that has never been enrolled. */
export function createState(traits: DeviceTraits, random: Random): DeviceState {
  const { kind } = traits;
  const platform = platformOf(kind);
  const model =
    traits.model === undefined
      ? random.pick(modelsOf(kind).filter((item) => item.intel !== true))
      : modelNamed(kind, traits.model);
  const versions = versionsOf(platform).filter((version) => compareVersions(version, model.firstVersion) >= 0);
  const osVersion = traits.osVersion ?? random.pick(versions);
  const capacity = random.pick(model.capacities);
  const serialNumber = traits.serialNumber ?? random.text(10, serialAlphabet);
  const imei = `35 ${random.text(6, '0123456789')} ${random.text(6, '0123456789')} ${random.int(10)}`;
  const state: DeviceState = {
    version: 1,
    kind,
    productName: model.productName,
    model: model.model,
    modelName: model.modelName,
    cellular: model.cellular,
    osVersion,
    buildVersion: buildOf(platform, osVersion),
    udid: traits.udid ?? newUdid(kind, random),
    serialNumber,
    imei: model.cellular ? imei : '',
    meid: model.cellular ? imei.replaceAll(' ', '').slice(0, 14) : '',
    wifiMac: newMac(random),
    bluetoothMac: newMac(random),
    ethernetMac: kind === 'Mac' ? newMac(random) : '',
    deviceName: traits.deviceName ?? `${model.modelName} ${serialNumber.slice(-4)}`,
    supervised: traits.supervised ?? false,
    capacity,
    freeCapacity: Math.round(capacity * (0.2 + 0.6 * random.next()) * 10) / 10,
    batteryLevel: Math.round((0.1 + 0.9 * random.next()) * 100) / 100,
    apps: [...(traits.apps ?? someApps(platform, random))],
    passcode:
      traits.passcode === undefined ? (kind === 'AppleTV' ? null : random.text(6, '0123456789')) : traits.passcode,
    locked: traits.locked ?? false,
    lockPin: null,
    lostMode: null,
    fileVault: kind === 'Mac' && random.next() < 0.7,
    settings: { TimeZone: 'Europe/Berlin' },
    phase: 'none',
    mdm: null,
    profiles: [],
    privateKey: null,
    certificate: null,
    pushToken: Buffer.from(random.bytes(32)).toString('hex'),
    pushMagic: random.uuid(),
    unlockToken: toBase64(random.bytes(256)),
    awaitingConfiguration: traits.awaitingConfiguration ?? false,
    ...((traits.ade ?? traits.awaitingConfiguration) ? { ade: true } : {}),
    ...(traits.sharedIpad ? { sharedIpad: true } : {}),
    restarts: 0,
    messages: 0,
  };
  return state;
}

/** Macs have UUIDs, today's iPhones and iPads 8 and 16 hexadecimal digits, Apple TVs forty. */
function newUdid(kind: DeviceKind, random: Random): string {
  if (kind === 'Mac') return random.uuid();
  if (kind === 'AppleTV') return random.text(40, hexDigits.toLowerCase());
  return `0000${random.pick(['8030', '8101', '8110', '8120'])}-00${random.text(14, hexDigits)}`;
}

function newMac(random: Random): string {
  const rest = random.bytes(3);
  return `f0:99:b6:${Buffer.from(rest)
    .toString('hex')
    .replace(/(..)(..)(..)/, '$1:$2:$3')}`;
}

function someApps(platform: Platform, random: Random): SimulatedApp[] {
  return appCatalogue[platform].filter(() => random.next() < 0.6);
}
