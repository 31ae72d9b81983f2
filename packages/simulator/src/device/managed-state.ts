// What management has left on a device beyond its profiles and apps: accounts, locks, keys, updates. Plain JSON.
import { createHash } from 'node:crypto';
import type { DeviceState } from './state.ts';

/** An account on a Mac or a Shared iPad. */
export interface SimulatedUser {
  userName: string;
  fullName: string;
  uid: number;
  /** UUID. */
  guid: string;
  loggedIn: boolean;
  /** Shared iPads: something is not in the cloud yet. */
  dataToSync: boolean;
  admin: boolean;
  /** Too many wrong passwords. */
  lockedOut: boolean;
}

/** An installed provisioning profile. */
export interface StoredProvisioningProfile {
  readonly uuid: string;
  readonly name: string;
  /** Epoch milliseconds. */
  readonly expires: number | null;
}

/** A managed book. */
export interface StoredBook {
  /** The store's number, or what the server chose. */
  readonly id: string;
  readonly storeId?: number;
  readonly kind: string;
  readonly title?: string;
}

/** A software update under way. */
export interface UpdateInProgress {
  readonly productKey: string;
  readonly version: string;
  readonly action: 'DownloadOnly' | 'InstallASAP';
  /** From 0 to 100; each look at the status finds it further. */
  percent: number;
}

/** What commands have set. */
export interface ManagedState {
  users: SimulatedUser[];
  provisioningProfiles: StoredProvisioningProfile[];
  books: StoredBook[];
  /** `null`: none, or the server has cleared it. */
  activationLockBypassCode: string | null;
  /** Apple silicon. */
  recoveryLock: string | null;
  /** Macs with Intel processors. */
  firmwarePassword: string | null;
  /** FileVault's personal recovery key. */
  recoveryKey: string;
  remoteDesktop: boolean;
  mirroring: boolean;
  collectingLogs: boolean;
  update: UpdateInProgress | null;
  /** Property lists by app, base64. */
  appConfigurations: { [identifier: string]: string };
  appAttributes: { [identifier: string]: string };
}

/** The managed state of a device; at first, what a new device of its kind has. */
export function managedOf(state: DeviceState): ManagedState {
  state.managed ??= {
    users: firstUsers(state),
    provisioningProfiles: [],
    books: [],
    activationLockBypassCode: groups(drawn(state, 'bypass'), [5, 5, 4, 4, 4, 4]),
    recoveryLock: null,
    firmwarePassword: null,
    recoveryKey: newRecoveryKey(state, 'first'),
    remoteDesktop: false,
    mirroring: false,
    collectingLogs: false,
    update: null,
    appConfigurations: {},
    appAttributes: {},
  };
  return state.managed;
}

/** A recovery key as FileVault makes them, from the device and a purpose. */
export function newRecoveryKey(state: DeviceState, purpose: string): string {
  return groups(drawn(state, `recovery ${purpose}`), [4, 4, 4, 4, 4, 4]);
}

function firstUsers(state: DeviceState): SimulatedUser[] {
  const common = { dataToSync: false, lockedOut: false };
  if (state.kind === 'Mac') {
    return [
      {
        ...common,
        userName: 'local',
        fullName: 'Local Account',
        uid: 501,
        guid: '0E1F2A3B-4C5D-4E6F-8A9B-0C1D2E3F4A5B',
        loggedIn: true,
        admin: true,
      },
    ];
  }
  if (state.sharedIpad !== true) return [];
  return ['ada', 'alan'].map((name, index) => ({
    ...common,
    userName: `${name}@example.com`,
    fullName: name === 'ada' ? 'Ada Pupil' : 'Alan Pupil',
    uid: 501 + index,
    guid: uuidOf(state, name),
    loggedIn: index === 0,
    dataToSync: index === 1,
    admin: false,
  }));
}

/** A UUID from the device and a purpose. */
export function uuidOf(state: DeviceState, purpose: string): string {
  const hex = hash(state, purpose).toString('hex').toUpperCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const alphabet = '0123456789ACDEFGHJKLMNPQRTUVWXYZ';

function drawn(state: DeviceState, purpose: string): string {
  return [...hash(state, purpose)].map((byte) => alphabet[byte % alphabet.length]).join('');
}

function hash(state: DeviceState, purpose: string): Buffer {
  return createHash('sha256').update(`${state.udid}/${state.pushMagic}/${purpose}`).digest();
}

/** The text in groups of the given lengths, with hyphens. */
function groups(text: string, lengths: readonly number[]): string {
  const ends = lengths.map((_, index) => lengths.slice(0, index + 1).reduce((sum, length) => sum + length, 0));
  return ends.map((end, index) => text.slice(end - lengths[index]!, end)).join('-');
}
