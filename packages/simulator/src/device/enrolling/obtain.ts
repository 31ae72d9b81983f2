// From whatever a device is told to enrol by, to the enrolment profile that it installs.
import { SimulatorError } from '../../errors.ts';
import type { DeviceResponse } from '../../net/transport.ts';
import type { DeviceState, MdmSettings } from '../state.ts';
import type { SimulatedDevice } from '../types.ts';
import { accountProfile, type WayContext } from './account.ts';
import { adeProfile, watchProfile } from './ade.ts';
import { readProfileService, serviceProfile } from './profile-service.ts';
import { assertAllowed } from './rules.ts';
import type { AccountToken } from './tokens.ts';
import type { EnrolmentType, EnrolmentWay } from './types.ts';

/** An enrolment profile, and how the device came to it. */
export interface Obtained {
  readonly profile: Uint8Array;
  readonly type: EnrolmentType;
  /** What else the device is from now on. */
  apply(state: DeviceState): void;
}

/** What getting a profile needs of the device. */
export interface ObtainContext extends WayContext {
  download(url: string): Promise<DeviceResponse>;
  getIdentity(
    settings: Pick<MdmSettings, 'scep' | 'acme'>,
  ): Promise<{ readonly certificate: Uint8Array; readonly privateKey: Uint8Array }>;
  /** Trusts these roots until the profile is installed. */
  anchor(roots: readonly string[]): void;
}

const nothing = (): void => {};

/** Gets the profile. @throws SimulatorError as {@link SimulatedDevice.enrol} */
export async function obtainProfile(
  source: string | URL | Uint8Array | EnrolmentWay,
  context: ObtainContext,
): Promise<Obtained> {
  if (typeof source === 'string' || source instanceof URL || source instanceof Uint8Array) {
    return await fromProfile(source, context);
  }
  if (source.type === 'account') {
    const { profile, mode, token } = await accountProfile(source, context);
    const apply = (state: DeviceState): void => bindAccount(state, source.user, mode, token);
    return { profile, type: mode === 'BYOD' ? 'account-user' : 'account-device', apply };
  }
  if (source.type === 'watch') {
    const apply = (state: DeviceState): void => {
      state.supervised = true; // schema, com.apple.mdm: watches are
    };
    return { ...(await fromPhone(source.phone, context)), type: 'watch', apply };
  }
  assertAllowed(context.state, 'ade');
  const { profile: told } = source;
  context.anchor(told.anchor_certs ?? []);
  const type = told.configuration_web_url === undefined ? 'ade' : 'ade-web';
  const profile = await adeProfile(source, context);
  return {
    profile,
    type,
    apply(state) {
      state.ade = true;
      if (state.kind !== 'Mac')
        state.supervised = told.is_supervised !== false || Number.parseInt(state.osVersion, 10) >= 13;
      if (state.kind === 'iPad' && told.is_multi_user === true) state.sharedIpad = true;
      state.awaitingConfiguration = told.await_device_configured === true;
    },
  };
}

async function fromProfile(source: string | URL | Uint8Array, context: ObtainContext): Promise<Obtained> {
  const bytes = source instanceof Uint8Array ? source : await download(String(source), context);
  const service = readProfileService(bytes);
  if (service === undefined) {
    assertAllowed(context.state, 'profile');
    return { profile: bytes, type: 'profile', apply: nothing };
  }
  assertAllowed(context.state, 'profile-service');
  const profile = await serviceProfile(service, context, (settings) => context.getIdentity(settings));
  return { profile, type: 'profile-service', apply: nothing };
}

async function download(url: string, context: ObtainContext): Promise<Uint8Array> {
  const response = await context.download(url);
  if (response.status === 200) return response.body;
  throw new SimulatorError('simulator.refused', `the server answered HTTP ${response.status} for the profile`, {
    status: response.status,
  });
}

function bindAccount(state: DeviceState, user: string, mode: 'BYOD' | 'ADDE', token: AccountToken | null): void {
  if (state.mdm?.enrolmentMode !== mode) {
    throw new SimulatorError('simulator.profile', `EnrollmentMode is not ${mode}, which was discovered`);
  }
  if (state.mdm.managedAppleAccount === undefined) {
    throw new SimulatorError('simulator.profile', 'AssignedManagedAppleID is missing');
  }
  state.account = { user, token };
}

/** The declaration on the iPhone names the address; the watch asks there, and again with a pairing token. */
async function fromPhone(phone: SimulatedDevice, context: ObtainContext): Promise<Pick<Obtained, 'profile'>> {
  assertAllowed(context.state, 'watch');
  const active = new Set(
    (await phone.declarations()).filter((one) => one.active && one.valid === 'valid').map((one) => one.identifier),
  );
  const { declarative, supervised } = phone.state();
  const declaration = declarative?.declarations.find(
    ({ type, identifier }) => type === 'com.apple.configuration.watch.enrollment' && active.has(identifier),
  );
  const url = declaration?.payload['EnrollmentProfileURL'];
  if (phone.kind !== 'iPhone' || !supervised || typeof url !== 'string') {
    const needed = 'a supervised iPhone with an active declaration com.apple.configuration.watch.enrollment';
    throw new SimulatorError('simulator.unsupported', `a watch enrols while it is paired with ${needed}`);
  }
  const profile = await watchProfile(url, context, async (securityToken) => {
    const parameters = { SecurityToken: securityToken, PhoneUDID: phone.udid, WatchUDID: context.state.udid };
    const token = await phone.getToken('com.apple.watch.pairing', parameters);
    if (token !== null) return token;
    throw new SimulatorError('simulator.refused', 'the server gave the iPhone no pairing token');
  });
  return { profile };
}
