// Executes a command as a device would: is it known here, is it allowed, can it be done now.
import type { PlistDict } from '@espalier/plist';
import { compareVersions, type Platform, platformOf } from '../catalogue.ts';
import type { DeviceState } from '../device/state.ts';
import { accountHandlers } from './accounts.ts';
import { appHandlers } from './apps.ts';
import { availability, type Need } from './availability.ts';
import { controlHandlers } from './control.ts';
import { declarationHandlers } from './declarations.ts';
import { equipmentHandlers } from './equipment.ts';
import { type CommandResult, failed, type Handlers, mdmDomain } from './handler.ts';
import { informationHandlers } from './information.ts';
import { inventoryHandlers } from './inventory.ts';
import { mediaHandlers } from './media.ts';
import { profileHandlers } from './profiles.ts';
import { provisioningHandlers } from './provisioning.ts';
import { securityHandlers } from './security.ts';
import { updateHandlers } from './updates.ts';

const handlers: Handlers = {
  ...informationHandlers,
  ...inventoryHandlers,
  ...profileHandlers,
  ...controlHandlers,
  ...declarationHandlers,
  ...appHandlers,
  ...mediaHandlers,
  ...accountHandlers,
  ...securityHandlers,
  ...updateHandlers,
  ...provisioningHandlers,
  ...equipmentHandlers,
};

/** The commands that a simulated device knows. */
export const knownCommands: readonly string[] = Object.freeze(Object.keys(handlers).toSorted());

/** Executes a command; the state changes as the command asks. */
export function execute(
  state: DeviceState,
  requestType: string,
  payload: PlistDict,
  now: number,
  channel: 'device' | 'user' = 'device',
): CommandResult {
  const platform = platformOf(state.kind);
  const handler = Object.hasOwn(handlers, requestType) ? handlers[requestType] : undefined;
  const need = handler === undefined ? undefined : availability[requestType]?.[platform];
  if (handler === undefined || need === undefined || !isKnown(need, state.osVersion)) {
    return failed(mdmDomain, 12021, `“${requestType}” is not a valid request type.`);
  }
  const refusal = refusalOf(state, platform, need, channel);
  if (refusal !== undefined) return refusal;
  if (state.locked && hasDataProtection(platform) && handler.whenLocked !== true) return { status: 'NotNow' };
  return handler.run({ state, platform, payload, now });
}

/** A Mac and an Apple TV do everything while they are locked. */
function hasDataProtection(platform: Platform): boolean {
  return platform === 'iOS' || platform === 'visionOS' || platform === 'watchOS';
}

function refusalOf(
  state: DeviceState,
  platform: Platform,
  need: Need,
  channel: 'device' | 'user',
): CommandResult | undefined {
  if (need.byUser === 'forbidden' && state.mdm?.userEnrolment === true) {
    return failed(mdmDomain, 12021, 'This is not a valid request type in a User Enrolment.');
  }
  const sharedIpad = state.sharedIpad === true;
  if (sharedIpad ? need.sharedIpad === 'forbidden' : need.sharedIpad === 'required') {
    return failed(mdmDomain, 12076, 'Per-user connections not supported');
  }
  // iPhones and iPads have one channel, unless they are shared.
  if (platform === 'macOS' || sharedIpad) {
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

function isKnown({ since, until }: Need, osVersion: string): boolean {
  return compareVersions(osVersion, since) >= 0 && (until === undefined || compareVersions(osVersion, until) < 0);
}
