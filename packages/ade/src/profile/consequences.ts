// What a change of profiles or accounts means for devices, before it is done (ADE-10, ADE-19).
import { AdeError } from '../errors.ts';

/** A device with the profile that this server gave it. */
export interface ProfiledDevice {
  readonly serial_number: string;
  /** Id of the profile here; absent for none. */
  readonly profileId?: string;
  /** Apple's `profile_status`. `pushed`: the device has fetched its profile. */
  readonly profile_status?: string;
}

/** An account's profiles and devices. */
export interface ProfileState {
  readonly profileIds: readonly string[];
  readonly defaultProfileId?: string;
  readonly devices: Iterable<ProfiledDevice>;
}

/** A change that somebody wants. */
export type ProfileChange =
  /** Another default, or none. */
  | { readonly type: 'set-default'; readonly profileId: string | undefined }
  /** The profile's settings change. */
  | { readonly type: 'edit'; readonly profileId: string }
  /** Devices get a profile, whatever they had. */
  | { readonly type: 'assign'; readonly profileId: string; readonly serials: readonly string[] }
  | { readonly type: 'remove'; readonly serials: readonly string[] }
  /** `newDefault` is needed where the default itself is deleted: a profile, or `null` for none. */
  | { readonly type: 'delete'; readonly profileId: string; readonly newDefault?: string | null }
  | { readonly type: 'delete-account' };

/** What has to be done at Apple, in this order. */
export type ProfileStep =
  /** Define the profile anew: Apple's profiles never change, and the old UUID is left behind. */
  | { readonly do: 'define'; readonly profileId: string }
  | { readonly do: 'assign'; readonly profileId: string; readonly serials: readonly string[] }
  | { readonly do: 'remove'; readonly serials: readonly string[] };

/** The consequences of a change. */
export interface ChangePlan {
  readonly steps: readonly ProfileStep[];
  /** Devices that the change reaches the next time they are set up, which they have not been: at once. */
  readonly atSetup: readonly string[];
  /** Devices that are set up: nothing changes on them until they are erased. */
  readonly afterErase: readonly string[];
  /** The default after it. */
  readonly defaultProfileId?: string;
  /** Devices that the account knows nothing of. */
  readonly unknown: readonly string[];
}

/**
 * Works out what a change means. Nothing is done.
 *
 * - A new default is for devices that are added later; those that are there keep what they have.
 * - An edited profile is defined anew and assigned to its devices.
 * - The devices of a deleted profile get the default, or none where there is none.
 * - Deleting an account changes nothing at Apple.
 *
 * @throws AdeError `ade.change.unknown_profile`; `ade.change.default` when the default is deleted without a new one.
 */
export function planProfileChange(state: ProfileState, change: ProfileChange): ChangePlan {
  const need = (id: string): void => {
    if (state.profileIds.includes(id)) return;
    throw new AdeError('ade.change.unknown_profile', 'the account has no such profile', { kind: 'not-found' });
  };
  const keep = state.defaultProfileId;
  switch (change.type) {
    case 'set-default':
      if (change.profileId !== undefined) need(change.profileId);
      return plan([], [], change.profileId);
    case 'delete-account':
      return plan([], [], undefined);
    case 'edit': {
      need(change.profileId);
      const devices = [...state.devices].filter((device) => device.profileId === change.profileId);
      return plan([{ do: 'define', profileId: change.profileId }, ...assign(change.profileId, devices)], devices, keep);
    }
    case 'assign': {
      need(change.profileId);
      const { found, unknown } = pick(state.devices, change.serials);
      const moved = found.filter((device) => device.profileId !== change.profileId);
      return plan(assign(change.profileId, moved), moved, keep, unknown);
    }
    case 'remove': {
      const { found, unknown } = pick(state.devices, change.serials);
      const moved = found.filter((device) => device.profileId !== undefined);
      return plan(remove(moved), moved, keep, unknown);
    }
    case 'delete':
      return planDeletion(state, change, need);
  }
}

function planDeletion(
  state: ProfileState,
  change: Extract<ProfileChange, { type: 'delete' }>,
  need: (id: string) => void,
): ChangePlan {
  need(change.profileId);
  let successor = state.defaultProfileId;
  if (change.profileId === state.defaultProfileId) {
    if (change.newDefault === undefined || change.newDefault === change.profileId) {
      throw new AdeError('ade.change.default', 'the default profile can be deleted only when another takes its place', {
        kind: 'conflict',
        remedy: 'Name the new default, or say that there is to be none.',
      });
    }
    if (change.newDefault !== null) need(change.newDefault);
    successor = change.newDefault ?? undefined;
  }
  const devices = [...state.devices].filter((device) => device.profileId === change.profileId);
  return plan(successor === undefined ? remove(devices) : assign(successor, devices), devices, successor);
}

const serialsOf = (devices: readonly ProfiledDevice[]): string[] => devices.map((device) => device.serial_number);

function assign(profileId: string, devices: readonly ProfiledDevice[]): ProfileStep[] {
  return devices.length === 0 ? [] : [{ do: 'assign', profileId, serials: serialsOf(devices) }];
}

function remove(devices: readonly ProfiledDevice[]): ProfileStep[] {
  return devices.length === 0 ? [] : [{ do: 'remove', serials: serialsOf(devices) }];
}

function pick(
  devices: Iterable<ProfiledDevice>,
  serials: readonly string[],
): { readonly found: readonly ProfiledDevice[]; readonly unknown: readonly string[] } {
  const left = new Set(serials);
  const found = [...devices].filter((device) => left.delete(device.serial_number));
  return { found, unknown: [...left] };
}

function plan(
  steps: readonly ProfileStep[],
  devices: readonly ProfiledDevice[],
  defaultProfileId: string | undefined,
  unknown: readonly string[] = [],
): ChangePlan {
  const setUp = (device: ProfiledDevice): boolean => device.profile_status === 'pushed';
  return {
    steps,
    atSetup: serialsOf(devices.filter((device) => !setUp(device))),
    afterErase: serialsOf(devices.filter(setUp)),
    unknown,
    ...(defaultProfileId !== undefined && { defaultProfileId }),
  };
}
