// Installs an enrolment profile: what it asks for becomes the device's settings; and tells who signed it.
import { readCertificate, verifyTrust } from '@espalier/pki';
import { SimulatorError } from '../../errors.ts';
import { openProfile, ProfileProblem, readEnrolment } from '../profile.ts';
import { type DeviceState, fromBase64 } from '../state.ts';
import type { EnrolResult } from '../types.ts';
import type { Obtained } from './obtain.ts';
import { assertAllowed } from './rules.ts';

/**
 * Installs the profile; from here an interrupted enrolment goes on.
 * @param forget What an earlier enrolment has left goes, once the profile is known to be good.
 * @throws SimulatorError `simulator.profile`, `simulator.signature`, `simulator.unsupported`
 */
export function installEnrolment(
  state: DeviceState,
  { profile, type, apply }: Obtained,
  forget: () => void,
  newId: () => string,
): void {
  try {
    const opened = openProfile(profile, false);
    const mdm = readEnrolment(opened);
    const byUser = type === 'profile' && mdm.userEnrolment === true;
    if (byUser) assertAllowed(state, 'user-profile');
    forget();
    state.mdm = mdm;
    apply(state);
    if (mdm.userEnrolment === true) state.enrolmentId = newId();
    state.enrolledBy = byUser ? 'user-profile' : type;
    state.profiles = [opened.stored];
    state.phase = 'profile';
  } catch (error) {
    if (!(error instanceof ProfileProblem)) throw error;
    const code = error.code === 1004 ? 'simulator.signature' : 'simulator.profile';
    throw new SimulatorError(code, `${error.domain} ${error.code}: ${error.message}`, { cause: error });
  }
}

/** Who signed the enrolment profile; `undefined` where nobody did. */
export function enrolmentSigner(
  state: DeviceState,
  anchors: readonly Uint8Array[],
  now: number,
): EnrolResult['signer'] {
  const profile = state.profiles.find((item) => item.identifier === state.mdm?.profileIdentifier);
  const [first, ...intermediates] = (profile?.signers ?? []).map(fromBase64);
  if (first === undefined) return undefined;
  let trusted = true;
  try {
    verifyTrust(first, { anchors, intermediates, now });
  } catch {
    trusted = false; // the device shows such a profile as not verified, and installs it all the same
  }
  return { certificate: first, subject: readCertificate(first).subject, trusted };
}
