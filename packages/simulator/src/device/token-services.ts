// The check-ins by which a device hands tokens over, or asks for them.
import { decodeDict, type PlistDict, PlistError } from '@espalier/plist';
import { compareVersions, platformOf } from '../catalogue.ts';
import type { DeviceResponse } from '../net/transport.ts';
import type { Channel } from './channel.ts';
import { getBootstrapTokenMessage, getTokenMessage, setBootstrapTokenMessage } from './messages.ts';
import { type DeviceState, toBase64 } from './state.ts';

/** Whether the enrolment profile says that the server has a capability. */
export function serverHas(state: DeviceState, capability: string): boolean {
  return state.mdm?.serverCapabilities.includes(capability) === true;
}

/** Whether a Mac hands its bootstrap token to this server. Source: the schema, ServerCapabilities and setbootstraptoken.yaml. */
function escrows(state: DeviceState): boolean {
  return (
    state.kind === 'Mac' &&
    compareVersions(state.osVersion, '11.0') >= 0 &&
    state.mdm?.userEnrolment !== true &&
    serverHas(state, 'com.apple.mdm.bootstraptoken')
  );
}

/** A Mac escrows its bootstrap token once a user has one: as soon as Setup Assistant does not wait any more. */
export async function escrowBootstrapToken(
  state: DeviceState,
  channel: Channel,
  bytes: (length: number) => Uint8Array,
): Promise<void> {
  if (state.bootstrapToken !== undefined || state.awaitingConfiguration || !escrows(state)) return;
  const token = bytes(32);
  const message = setBootstrapTokenMessage(state, token);
  const { status } = await channel.deliver({ kind: 'bootstrap-token' }, message, channel.plan('bootstrap-token'));
  if (status === 200) state.bootstrapToken = toBase64(token);
}

/** A Mac asks for its bootstrap token: when a directory user logs in, who shall get a secure token. `null`: there is none. */
export async function fetchBootstrapToken(state: DeviceState, channel: Channel): Promise<Uint8Array | null> {
  if (!escrows(state)) return null;
  const message = getBootstrapTokenMessage(state);
  const answer = await channel.deliver({ kind: 'bootstrap-token' }, message, channel.plan('bootstrap-token'));
  const token = readDict(answer)?.['BootstrapToken'];
  return token instanceof Uint8Array && token.length > 0 ? token : null;
}

/** `GetToken`, where server and device know it; `null` when there is no token. */
export async function fetchToken(
  state: DeviceState,
  channel: Channel,
  service: string,
  parameters: { readonly [key: string]: string } = {},
): Promise<Uint8Array | null> {
  const since = { iOS: '17.0', macOS: '14.0', visionOS: '1.1', tvOS: undefined, watchOS: undefined }[
    platformOf(state.kind)
  ];
  if (since === undefined || compareVersions(state.osVersion, since) < 0) return null;
  if (!serverHas(state, 'com.apple.mdm.token')) return null;
  const message = getTokenMessage(state, service, parameters);
  const answer = await channel.deliver({ kind: 'get-token' }, message, channel.plan('get-token'));
  const token = readDict(answer)?.['TokenData'];
  return token instanceof Uint8Array ? token : null;
}

/** The property list of an answer; `null` for a refusal, and for what is none. */
export function readDict(answer: DeviceResponse): PlistDict | null {
  if (answer.status !== 200 || answer.body.length === 0) return null;
  try {
    return decodeDict(answer.body);
  } catch (error) {
    if (error instanceof PlistError) return null; // the device cannot make anything of it
    throw error;
  }
}
