// ReturnToService: the device asks the server whether it shall erase itself and enrol anew.
// Source: the schema, mdm/checkin/returntoservice.yaml.
import { compareVersions, platformOf } from '../catalogue.ts';
import { SimulatorError } from '../errors.ts';
import type { Channel } from './channel.ts';
import { returnToServiceMessage } from './messages.ts';
import { isDict } from './profile.ts';
import type { DeviceState } from './state.ts';
import { readDict } from './token-services.ts';

/** Asks. @throws SimulatorError `simulator.unsupported`, `simulator.unreachable` */
export async function returnToService(
  state: DeviceState,
  channel: Channel,
): Promise<{ readonly enabled: boolean; readonly profile?: Uint8Array }> {
  const known = ['iOS', 'visionOS'].includes(platformOf(state.kind)) && compareVersions(state.osVersion, '26.0') >= 0;
  if (!known || !state.supervised || state.ade !== true) {
    const needed = 'iOS or visionOS 26, supervision and Automated Device Enrolment';
    throw new SimulatorError('simulator.unsupported', `returning to service needs ${needed}`);
  }
  const message = returnToServiceMessage(state);
  const answer = readDict(
    await channel.deliver({ kind: 'return-to-service' }, message, channel.plan('return-to-service')),
  )?.['ReturnToService'];
  if (!isDict(answer) || answer['Enabled'] !== true) return { enabled: false };
  const profile = answer['MDMProfileData'];
  return { enabled: true, ...(profile instanceof Uint8Array ? { profile } : {}) };
}
