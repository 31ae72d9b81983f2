// Which device may enrol in which way, as Apple documents it. Sources: the schema (supportedOS of com.apple.mdm, machineinfo,
// watch.enrollment), "Onboarding users with account-driven enrollment", "Authenticating through web views", and "Over-the-Air
// Profile Delivery and Configuration".
import { compareVersions, platformOf } from '../../catalogue.ts';
import { SimulatorError } from '../../errors.ts';
import type { DeviceState } from '../state.ts';
import type { EnrolmentType } from './types.ts';

type Systems = Partial<Record<ReturnType<typeof platformOf>, string>>;

/** First versions, and up to which (not included) where a way is gone. */
const rules: { readonly [T in EnrolmentType]: { readonly since: Systems; readonly until?: Systems } } = {
  // com.apple.mdm, allowmanualinstall: not on a watch.
  profile: { since: { iOS: '4.0', macOS: '10.7', tvOS: '9.0', visionOS: '1.1' } },
  // A web page and a user to open it: iOS 4, OS X 10.7.
  'profile-service': { since: { iOS: '4.0', macOS: '10.7' } },
  // com.apple.mdm, ManagedAppleID.
  'user-profile': { since: { iOS: '13.1', macOS: '10.15' }, until: { iOS: '18.0', macOS: '15.0' } },
  // MachineInfo.
  ade: { since: { iOS: '7.0', macOS: '10.9', tvOS: '10.2', visionOS: '2.0' } },
  'ade-web': { since: { iOS: '13.0', macOS: '10.15' } },
  // com.apple.mdm, EnrollmentMode.
  'account-user': { since: { iOS: '15.0', macOS: '14.0', visionOS: '1.1' } },
  'account-device': { since: { iOS: '17.0', macOS: '14.0', visionOS: '1.1' } },
  watch: { since: { watchOS: '10.0' } },
};

const names: { readonly [T in EnrolmentType]: string } = {
  profile: 'by a profile that its user installs',
  'profile-service': 'by a profile service',
  'user-profile': 'by a profile for User Enrolment',
  ade: 'by Automated Device Enrolment',
  'ade-web': 'by a web page of Automated Device Enrolment',
  'account-user': 'by account-driven User Enrolment',
  'account-device': 'by account-driven Device Enrolment',
  watch: 'through an iPhone',
};

/** Why a device cannot enrol in a way; `undefined` where it can. */
export function whyNot(state: DeviceState, type: EnrolmentType): string | undefined {
  const platform = platformOf(state.kind);
  const { since, until } = rules[type];
  const first = since[platform];
  const last = until?.[platform];
  if (first === undefined) return `a device with ${platform} does not enrol ${names[type]}`;
  if (compareVersions(state.osVersion, first) < 0)
    return `${platform} ${state.osVersion} does not enrol ${names[type]} yet`;
  if (last !== undefined && compareVersions(state.osVersion, last) >= 0) {
    return `${platform} ${state.osVersion} does not enrol ${names[type]} any more`;
  }
  if (state.sharedIpad === true && type !== 'ade') return `a Shared iPad enrols by Automated Device Enrolment only`;
  return undefined;
}

/** @throws SimulatorError `simulator.unsupported` */
export function assertAllowed(state: DeviceState, type: EnrolmentType): void {
  const reason = whyNot(state, type);
  if (reason !== undefined) throw new SimulatorError('simulator.unsupported', reason);
}
