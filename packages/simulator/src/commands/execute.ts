// Executes a command as a device would: is it known here, is it allowed, can it be done now.
import type { PlistDict } from '@espalier/plist';
import { platformOf } from '../catalogue.ts';
import type { DeviceState } from '../device/state.ts';
import { controlHandlers } from './control.ts';
import { declarationHandlers } from './declarations.ts';
import { type CommandResult, failed, type Handlers, mdmDomain } from './handler.ts';
import { informationHandlers } from './information.ts';
import { inventoryHandlers } from './inventory.ts';
import { profileHandlers } from './profiles.ts';

const handlers: Handlers = {
  ...informationHandlers,
  ...inventoryHandlers,
  ...profileHandlers,
  ...controlHandlers,
  ...declarationHandlers,
};

/** The commands that a simulated device knows. */
export const knownCommands: readonly string[] = Object.freeze(Object.keys(handlers).toSorted());

/** Executes a command; the state changes as the command asks. */
export function execute(state: DeviceState, requestType: string, payload: PlistDict, now: number): CommandResult {
  const platform = platformOf(state.kind);
  const handler = Object.hasOwn(handlers, requestType) ? handlers[requestType]! : undefined;
  if (handler === undefined || (handler.platforms !== undefined && !handler.platforms.includes(platform))) {
    return failed(mdmDomain, 12021, `“${requestType}” is not a valid request type.`);
  }
  if (handler.right !== undefined && ((state.mdm?.accessRights ?? 0) & handler.right) === 0) {
    return failed(mdmDomain, 12007, 'Not authorized');
  }
  if (handler.supervised?.includes(platform) && !state.supervised) {
    return failed('MCChaperoneErrorDomain', 29000, 'Device not supervised');
  }
  if (state.locked && platform === 'iOS' && handler.whenLocked !== true) return { status: 'NotNow' };
  return handler.run({ state, platform, payload, now });
}
