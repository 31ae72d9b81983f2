// Executes a command as a device would: is it known here, is it allowed, can it be done now.
import type { PlistDict } from '@espalier/plist';
import { type Platform, platformOf } from '../catalogue.ts';
import type { DeviceState } from '../device/state.ts';
import { accountHandlers } from './accounts.ts';
import { appHandlers } from './apps.ts';
import { availability } from './availability.ts';
import { controlHandlers } from './control.ts';
import { declarationHandlers } from './declarations.ts';
import { equipmentHandlers } from './equipment.ts';
import { type CommandResult, failed, type Handlers, mdmDomain } from './handler.ts';
import { informationHandlers } from './information.ts';
import { inventoryHandlers } from './inventory.ts';
import { mediaHandlers } from './media.ts';
import { isKnown, refusalOf } from './needs.ts';
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
