// What a device says of itself before it is enrolled, signed with the identity that it left the factory with.
// Keys: Apple's schema, other/machineinfo.yaml. Attributes of the profile service: "Over-the-Air Profile Delivery".

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { type CertificateAuthority, createRootCa, openCa, signCms } from '@espalier/pki';
import { encodeXml, type PlistInput } from '@espalier/plist';
import { compareVersions, platformOf } from '../../catalogue.ts';
import type { KeyPool } from '../../key-pool.ts';
import { type DeviceState, fromBase64, toBase64 } from '../state.ts';

/** Whoever gives devices the identity that they have from the factory. */
export interface DeviceAuthority {
  /** The certificate for a device's key (SubjectPublicKeyInfo, DER), DER. */
  issue(publicKey: Uint8Array, device: { readonly udid: string }): Promise<Uint8Array>;
}

/** A simulated Apple iPhone Device CA. */
export interface SimulatedDeviceAuthority extends DeviceAuthority {
  /** What a server must be told to trust in place of Apple's, DER. */
  readonly certificate: Uint8Array;
  /** PKCS#8, DER: to have the same authority again, by the options. */
  readonly privateKey: Uint8Array;
}

/**
 * Makes an authority that stands in for the one whose certificates Apple's devices have from the factory.
 *
 * @example
 * const deviceAuthority = await createSimulatedDeviceAuthority();
 * const ipad = createSimulatedDevice({ kind: 'iPad', deviceAuthority });
 * const host = createHost({ ...options, ade: { anchors: [deviceAuthority.certificate] } });
 */
export async function createSimulatedDeviceAuthority(
  options: {
    readonly clock?: { now(): number };
    /** One that was made before. */
    readonly authority?: Pick<SimulatedDeviceAuthority, 'certificate' | 'privateKey'>;
  } = {},
): Promise<SimulatedDeviceAuthority> {
  const { clock = Date } = options;
  const key = { type: 'ec', curve: 'P-256' } as const;
  const root = options.authority ?? (await createRootCa({ subject: 'CN=Simulated iPhone Device CA', key, clock }));
  const ca: CertificateAuthority = await openCa({ ...root, clock });
  return {
    certificate: root.certificate,
    privateKey: root.privateKey,
    issue: (publicKey, { udid }) =>
      ca.issue({ publicKey, subject: `CN=${udid}`, template: 'device', validityDays: 365 }),
  };
}

/** The identity from the factory; made when it is needed first. */
export async function factoryIdentity(
  state: DeviceState,
  authority: DeviceAuthority,
  keyPool: KeyPool,
): Promise<{ readonly certificate: Uint8Array; readonly privateKey: Uint8Array }> {
  if (state.factory === undefined) {
    const privateKey = await keyPool.take();
    const key = createPublicKey(createPrivateKey({ key: Buffer.from(privateKey), type: 'pkcs8', format: 'der' }));
    const publicKey = new Uint8Array(key.export({ type: 'spki', format: 'der' }));
    const certificate = await authority.issue(publicKey, state);
    state.factory = { certificate: toBase64(certificate), privateKey: toBase64(privateKey) };
  }
  const { certificate, privateKey } = state.factory;
  return { certificate: fromBase64(certificate), privateKey: fromBase64(privateKey) };
}

/** What `MachineInfo` may have besides what the device is. */
export interface MachineInfoExtras {
  /** In Setup Assistant, where the server may ask for an update first. */
  readonly setupAssistant?: boolean;
  /** An account-driven User Enrolment: nothing that tells which device it is. */
  readonly anonymous?: boolean;
  readonly pairingToken?: Uint8Array;
}

/** `MachineInfo`. */
export function machineInfo(
  state: DeviceState,
  extras: MachineInfoExtras = {},
): { readonly [key: string]: PlistInput } {
  const platform = platformOf(state.kind);
  const from = (version: { readonly [P in typeof platform]?: string }): boolean =>
    version[platform] !== undefined && compareVersions(state.osVersion, version[platform]) >= 0;
  const known = from({ iOS: '17.0', macOS: '14.0', tvOS: '17.0', visionOS: '1.1', watchOS: '10.0' });
  return {
    LANGUAGE: 'en-GB',
    PRODUCT: state.productName,
    VERSION: state.buildVersion,
    ...(known ? { OS_VERSION: state.osVersion } : {}),
    ...(from({ iOS: '17.4', macOS: '14.4', visionOS: '1.1' }) ? { SOFTWARE_UPDATE_DEVICE_ID: state.productName } : {}),
    ...(extras.anonymous === true ? {} : identifiers(state)),
    ...(extras.setupAssistant === true && from({ iOS: '17.0', macOS: '14.0' })
      ? { MDM_CAN_REQUEST_SOFTWARE_UPDATE: true }
      : {}),
    ...(extras.pairingToken === undefined ? {} : { PAIRING_TOKEN: extras.pairingToken }),
  };
}

function identifiers(state: DeviceState): { readonly [key: string]: PlistInput } {
  const phone = state.cellular ? { IMEI: state.imei, MEID: state.meid } : {};
  return { UDID: state.udid, SERIAL: state.serialNumber, ...phone };
}

/** The attributes that a profile service asks for; what the device does not have is left out. */
export function deviceAttributes(
  state: DeviceState,
  asked: readonly string[],
  challenge: string | undefined,
): { readonly [key: string]: PlistInput } {
  const known: { readonly [name: string]: string | undefined } = {
    UDID: state.udid,
    VERSION: state.buildVersion,
    PRODUCT: state.productName,
    SERIAL: state.serialNumber,
    IMEI: state.imei || undefined,
    MEID: state.meid || undefined,
    ICCID: state.cellular ? '8901 0100 0000 0000 0001' : undefined,
    MAC_ADDRESS_EN0: state.kind === 'Mac' ? state.ethernetMac : state.wifiMac,
    DEVICE_NAME: state.deviceName,
  };
  const told: { [name: string]: PlistInput } = {};
  for (const name of asked) {
    const value = Object.hasOwn(known, name) ? known[name] : undefined;
    if (value !== undefined) told[name] = value;
  }
  return challenge === undefined ? told : { ...told, CHALLENGE: challenge };
}

/** A property list, signed as devices sign it. */
export function signed(
  value: { readonly [key: string]: PlistInput },
  identity: { readonly certificate: Uint8Array; readonly privateKey: Uint8Array },
  now: number,
): Uint8Array {
  return signCms(encodeXml(value), { ...identity, signingTime: now });
}
