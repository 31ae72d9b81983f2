// InstallProfile and RemoveProfile: the device's profile store.
import { readCertificate } from '@espalier/pki';
import { identityPayloads } from '../device/credentials.ts';
import { openProfile, ProfileProblem, readEnrolment } from '../device/profile.ts';
import { type DeviceState, fromBase64, type StoredIdentity } from '../device/state.ts';
import { SimulatorError } from '../errors.ts';
import {
  acknowledged,
  type CommandResult,
  failed,
  type Handlers,
  installationFailed,
  malformed,
  mdmDomain,
} from './handler.ts';

/** The commands for profiles. */
export const profileHandlers: Handlers = {
  InstallProfile: {
    run: ({ state, payload }) => {
      const { Payload: bytes } = payload;
      return bytes instanceof Uint8Array ? install(state, bytes) : malformed;
    },
  },
  RemoveProfile: {
    run: ({ state, payload }) => {
      const { Identifier: identifier } = payload;
      return typeof identifier === 'string' ? remove(state, identifier) : malformed;
    },
  },
};

function install(state: DeviceState, bytes: Uint8Array): CommandResult {
  try {
    const opened = openProfile(bytes, true);
    const { stored } = opened;
    for (const certificate of stored.certificates) checkCertificate(fromBase64(certificate));
    if (stored.payloads.some((payload) => payload.type === 'com.apple.mdm')) {
      const mdm = readEnrolment(opened);
      if (state.user !== undefined) return failed(mdmDomain, 12001, 'Multiple MDM instances');
      const refusal = updateRefusal(state, mdm);
      if (refusal !== undefined) return refusal;
      const apply = (): void => {
        state.mdm = mdm;
        state.profiles = replaced(state, { ...stored, managed: false });
      };
      // Another identity payload: the certificate is had anew before the profile counts as installed.
      if (mdm.identityUuid !== state.mdm?.identityUuid) return { ...acknowledged(), renewal: { mdm, apply } };
      apply();
      return acknowledged();
    }
    if (stored.identifier === state.mdm?.profileIdentifier) {
      return failed('MCInstallationErrorDomain', 4015, 'Replacement profile does not contain an MDM payload');
    }
    const payloads = identityPayloads(opened.contents);
    if (payloads.length > 0) {
      const apply = (identities: readonly StoredIdentity[]): void => {
        state.profiles = replaced(state, { ...stored, identities });
      };
      return { ...acknowledged(), identities: { payloads, apply } };
    }
    state.profiles = replaced(state, stored);
    return acknowledged();
  } catch (error) {
    if (error instanceof SimulatorError) return failed(mdmDomain, 12009, error.message);
    if (!(error instanceof ProfileProblem)) throw error;
    return installationFailed(error);
  }
}

function replaced(state: DeviceState, profile: DeviceState['profiles'][number]): DeviceState['profiles'] {
  const others = state.profiles.filter((item) => item.identifier !== profile.identifier);
  return [...others, profile];
}

/** What must not change in an MDM payload (schema, com.apple.mdm.yaml). */
function updateRefusal(state: DeviceState, mdm: NonNullable<DeviceState['mdm']>): CommandResult | undefined {
  const now = state.mdm;
  if (now === null || mdm.profileIdentifier !== now.profileIdentifier) {
    return failed(mdmDomain, 12001, 'Multiple MDM instances');
  }
  const widened = (mdm.accessRights & ~now.accessRights) !== 0;
  const moved = mdm.serverUrl !== now.serverUrl || mdm.checkInUrl !== now.checkInUrl || mdm.topic !== now.topic;
  const perUser = 'com.apple.mdm.per-user-connections';
  const rebound =
    mdm.enrolmentMode !== now.enrolmentMode ||
    mdm.managedAppleAccount !== now.managedAppleAccount ||
    mdm.serverCapabilities.includes(perUser) !== now.serverCapabilities.includes(perUser);
  return widened || moved || rebound ? failed(mdmDomain, 12012, 'MDM replacement mismatch') : undefined;
}

function checkCertificate(der: Uint8Array): void {
  try {
    readCertificate(der);
  } catch (error) {
    throw new ProfileProblem('MCCertificateErrorDomain', 9005, error instanceof Error ? error.message : String(error));
  }
}

function remove(state: DeviceState, identifier: string): CommandResult {
  const profile = state.profiles.find((item) => item.identifier === identifier);
  if (profile === undefined) return failed(mdmDomain, 12075, `The profile “${identifier}” is not installed.`);
  if (identifier === state.mdm?.profileIdentifier) return { status: 'Acknowledged', effect: 'leave' };
  if (!profile.managed) return failed(mdmDomain, 12013, `The profile “${identifier}” is not managed by MDM.`);
  state.profiles = state.profiles.filter((item) => item !== profile);
  return acknowledged();
}
