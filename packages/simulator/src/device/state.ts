// Everything that a simulated device remembers, as plain JSON: it can be saved, moved and restored.
import type { DeviceKind, SimulatedApp } from '../catalogue.ts';
import { SimulatorError } from '../errors.ts';
import type { DeclarativeState } from './declarations/state.ts';
import type { AccountToken } from './enrolling/tokens.ts';
import type { EnrolmentType } from './enrolling/types.ts';
import type { ManagedState } from './managed-state.ts';

/** How far an enrolment has come; each step is kept, so that an interrupted one goes on where it was. */
export type EnrolmentPhase =
  | 'none'
  /** The profile is installed. */
  | 'profile'
  /** The identity is there. */
  | 'identity'
  /** The server has accepted Authenticate. */
  | 'authenticated'
  /** The server has accepted TokenUpdate. */
  | 'enrolled'
  /** The profile was removed, and the server told. */
  | 'checked-out'
  /** The server does not want the device any more. */
  | 'unenrolled'
  /** EraseDevice: nothing is left. */
  | 'erased';

/** How the device gets its identity by ACME. */
export interface AcmeSettings {
  readonly directoryUrl: string;
  readonly clientIdentifier: string;
  readonly keyType: 'ECSECPrimeRandom' | 'RSA';
  readonly keySize: number;
  readonly hardwareBound: boolean;
  readonly attest: boolean;
  /** Name and value of each part of the subject, root first. */
  readonly subject: readonly (readonly [name: string, value: string])[];
  readonly dnsNames: readonly string[];
  /** Other alternative names that it asks for. */
  readonly otherNames?: readonly { readonly type: 'email' | 'uri' | 'upn'; readonly value: string }[];
}

/** How the device gets its identity by SCEP. */
export interface ScepSettings {
  readonly url: string;
  readonly name?: string;
  readonly challenge?: string;
  /** Name and value of each part of the subject, root first. */
  readonly subject: readonly (readonly [name: string, value: string])[];
  readonly keySize: number;
  /** Lower-case hex. */
  readonly caFingerprint?: string;
  readonly dnsNames: readonly string[];
  /** Other alternative names that it asks for. */
  readonly otherNames?: readonly { readonly type: 'email' | 'uri' | 'upn'; readonly value: string }[];
  readonly retries: number;
  readonly retryDelaySeconds: number;
}

/** The MDM payload, as the device goes by it. */
export interface MdmSettings {
  readonly profileIdentifier: string;
  readonly serverUrl: string;
  readonly checkInUrl: string;
  readonly topic: string;
  readonly accessRights: number;
  /** Data of the organisation is kept apart; the device does not tell which one it is. */
  readonly userEnrolment?: true;
  /** How an account-driven enrolment is meant: User or Device Enrolment. */
  readonly enrolmentMode?: 'BYOD' | 'ADDE';
  /** Whose enrolment it is, where a user's account belongs to it. */
  readonly managedAppleAccount?: string;
  readonly signMessage: boolean;
  readonly checkOutWhenRemoved: boolean;
  readonly serverCapabilities: readonly string[];
  readonly identityUuid: string;
  /** `null` where the identity comes by ACME. */
  readonly scep: ScepSettings | null;
  readonly acme?: AcmeSettings;
}

/** One payload of an installed profile. */
export interface StoredPayload {
  readonly type: string;
  readonly identifier: string;
  readonly uuid: string;
  readonly version: number;
  readonly displayName?: string;
}

/** An installed profile. */
export interface StoredProfile {
  readonly identifier: string;
  readonly uuid: string;
  readonly version: number;
  readonly displayName?: string;
  readonly organisation?: string;
  readonly description?: string;
  readonly removalDisallowed: boolean;
  readonly encrypted: boolean;
  /** Installed by MDM. */
  readonly managed: boolean;
  /** The signer's certificate and its chain, base64 DER. */
  readonly signers: readonly string[];
  readonly payloads: readonly StoredPayload[];
  /** The profile without its signature, base64. */
  readonly plist: string;
  /** Certificates that it brought, base64 DER. */
  readonly certificates: readonly string[];
  /** Identities that the device got for it. */
  readonly identities?: readonly StoredIdentity[];
}

/** An identity that a profile brought. */
export interface StoredIdentity {
  /** Of the payload. */
  readonly uuid: string;
  /** Base64 DER. */
  readonly certificate: string;
  /** Base64, PKCS#8 DER. */
  readonly privateKey: string;
}

/** The MDM channel of a user: of a Mac, or of a Shared iPad. */
export interface UserChannelState {
  /** A GUID on Macs; on Shared iPads the same for everybody. */
  readonly userId: string;
  /** The account's short name; on Shared iPads the Managed Apple Account. */
  readonly shortName: string;
  readonly longName: string;
  /** In place of `userId` in a User Enrolment. */
  readonly enrolmentUserId?: string;
  /** The Mac's own managed user, in contrast to those of a directory. */
  readonly local?: boolean;
  loggedIn: boolean;
  /** The server has accepted TokenUpdate. */
  enrolled: boolean;
  /** What a directory user's login was answered with. */
  authToken?: string;
  pushToken: string;
  pushMagic: string;
  profiles: StoredProfile[];
  declarative?: DeclarativeState;
  /** Shared iPads: the user's Setup Assistant waits for `UserConfigured`. */
  awaitingConfiguration: boolean;
}

/** What a device remembers. Bytes are base64. */
export interface DeviceState {
  version: 1;
  kind: DeviceKind;
  productName: string;
  model: string;
  modelName: string;
  cellular: boolean;
  osVersion: string;
  buildVersion: string;
  udid: string;
  serialNumber: string;
  imei: string;
  meid: string;
  wifiMac: string;
  bluetoothMac: string;
  ethernetMac: string;
  deviceName: string;
  supervised: boolean;
  /** Gigabytes. */
  capacity: number;
  freeCapacity: number;
  batteryLevel: number;
  apps: SimulatedApp[];
  /** `null`: none is set. */
  passcode: string | null;
  locked: boolean;
  /** A Mac that was locked with this PIN does nothing until it is unlocked. */
  lockPin: string | null;
  lostMode: { message: string; phoneNumber: string; footnote: string } | null;
  fileVault: boolean;
  settings: { [item: string]: string | boolean | number };
  phase: EnrolmentPhase;
  mdm: MdmSettings | null;
  profiles: StoredProfile[];
  /** The private key of the identity, also before there is a certificate (PKCS#8). */
  privateKey: string | null;
  certificate: string | null;
  pushToken: string;
  pushMagic: string;
  unlockToken: string;
  awaitingConfiguration: boolean;
  /** Absent until the server turns declarative management on. */
  declarative?: DeclarativeState;
  /** Enrolled by Automated Device Enrolment. */
  ade?: boolean;
  sharedIpad?: boolean;
  /** How the device came in. */
  enrolledBy?: EnrolmentType;
  /** The device in a User Enrolment, new with each one. */
  enrolmentId?: string;
  /** Who has signed in for an account-driven enrolment, and the token that each request carries. */
  account?: { user: string; token: AccountToken | null };
  /** The identity from the factory; absent until it is needed. */
  factory?: { certificate: string; privateKey: string };
  /** Channels of users. */
  userChannels?: UserChannelState[];
  /** Whose channel it is: only in what a user's channel sees of the device. */
  user?: UserChannelState;
  /** A Mac's bootstrap token (base64), once the server has it. */
  bootstrapToken?: string;
  /** Absent until a command needs it. */
  managed?: ManagedState;
  restarts: number;
  messages: number;
}

/**
 * Checks a saved state.
 * @throws SimulatorError `simulator.state`
 */
export function checkState(value: unknown): DeviceState {
  const state = value as Partial<DeviceState> | null;
  const whole =
    typeof state === 'object' &&
    state !== null &&
    state.version === 1 &&
    typeof state.udid === 'string' &&
    typeof state.phase === 'string' &&
    Array.isArray(state.profiles);
  if (!whole) throw new SimulatorError('simulator.state', 'not a state that device.state() has given');
  return structuredClone(state) as DeviceState;
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

export function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
