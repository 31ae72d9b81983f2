// Whether a device has what a command, or one setting, needs.
import { compareVersions, type Platform } from '../catalogue.ts';
import type { DeviceState } from '../device/state.ts';
import type { Need } from './availability.ts';
import { type CommandResult, failed, mdmDomain } from './handler.ts';

/** Whether this version of the system knows it. */
export function isKnown({ since, until }: Need, osVersion: string): boolean {
  return compareVersions(osVersion, since) >= 0 && (until === undefined || compareVersions(osVersion, until) < 0);
}

/** Why the device refuses it. `channel`: of the command; a single setting is not asked for it. */
export function refusalOf(
  state: DeviceState,
  platform: Platform,
  need: Need,
  channel?: 'device' | 'user',
): CommandResult | undefined {
  if (need.byUser === 'forbidden' && state.mdm?.userEnrolment === true) {
    return failed(mdmDomain, 12021, 'This is not a valid request type in a User Enrolment.');
  }
  const sharedIpad = state.sharedIpad === true;
  if (sharedIpad ? need.sharedIpad === 'forbidden' : need.sharedIpad === 'required') {
    return failed(mdmDomain, 12076, 'Per-user connections not supported');
  }
  // iPhones and iPads have one channel, unless they are shared.
  if (channel !== undefined && (platform === 'macOS' || sharedIpad)) {
    const over = need.channel ?? 'device';
    if (over !== 'both' && over !== channel) {
      return failed(mdmDomain, 12021, `This is not a valid request type on the ${channel} channel.`);
    }
  }
  if (need.right !== undefined && ((state.mdm?.accessRights ?? 0) & need.right) === 0) {
    return failed(mdmDomain, 12007, 'Not authorized');
  }
  // A Mac whose enrolment its user approved counts as supervised.
  if (need.supervised && !state.supervised && platform !== 'macOS') {
    return failed('MCChaperoneErrorDomain', 29000, 'Device not supervised');
  }
  if (need.ade && state.ade !== true) return failed(mdmDomain, 12007, 'Not authorized');
  return undefined;
}
