// Account-driven enrolment as Settings does it: service discovery, sign-in, the enrolment profile.
// Source: Apple, "Implementing the simple authentication account-driven enrollment flow".
import { compareVersions, platformOf } from '../../catalogue.ts';
import { SimulatorError } from '../../errors.ts';
import type { DeviceRequest, DeviceResponse } from '../../net/transport.ts';
import type { DeviceState } from '../state.ts';
import { readChallenge } from './challenge.ts';
import { machineInfo, signed } from './machine-info.ts';
import { assertAllowed } from './rules.ts';
import { type AccountToken, signInForToken, type TokenContext } from './tokens.ts';
import type { AccountEnrolment } from './types.ts';

/** What asking for a profile needs. */
export interface WayContext extends TokenContext {
  readonly state: DeviceState;
  /** The identity from the factory. */
  identity(): Promise<{ readonly certificate: Uint8Array; readonly privateKey: Uint8Array }>;
}

/** A profile, and the token for it. */
export interface AccountProfile {
  readonly profile: Uint8Array;
  readonly mode: 'BYOD' | 'ADDE';
  readonly token: AccountToken | null;
}

const wellKnown = '/.well-known/com.apple.remotemanagement';
const versions = { 'mdm-byod': 'BYOD', 'mdm-adde': 'ADDE' } as const;

/** As Apple's `model-family`. */
const families = {
  iPhone: 'iPhone',
  iPad: 'iPad',
  Mac: 'Mac',
  AppleTV: 'AppleTV',
  Watch: 'Watch',
  VisionPro: 'RealityDevice',
} as const;

/**
 * Gets the enrolment profile for an account.
 * @throws SimulatorError `simulator.discovery`, `simulator.sign_in`, `simulator.refused`, `simulator.unreachable`,
 *   `simulator.unsupported`
 */
export async function accountProfile(enrolment: AccountEnrolment, context: WayContext): Promise<AccountProfile> {
  const { mode, baseUrl } = await discover(enrolment, context);
  const { state } = context;
  assertAllowed(state, mode === 'BYOD' ? 'account-user' : 'account-device');
  const info = machineInfo(state, { anonymous: mode === 'BYOD' });
  const body = signed(info, await context.identity(), context.now());
  const ask = (token: AccountToken | null): Promise<DeviceResponse> => {
    const headers: { [name: string]: string } = { 'content-type': 'application/pkcs7-signature', accept: '*/*' };
    if (token !== null) headers['authorization'] = `Bearer ${token.accessToken}`;
    return context.request({ method: 'POST', url: baseUrl, headers, body });
  };
  let answer = await ask(null);
  let token: AccountToken | null = null;
  if (answer.status === 401) {
    const challenge = readChallenge(answer.headers['www-authenticate']);
    token = await signInForToken(challenge, enrolment.user, enrolment.signIn, context);
    answer = await ask(token);
  }
  if (answer.status === 200) return { profile: answer.body, mode, token };
  throw new SimulatorError('simulator.refused', `the server answered HTTP ${answer.status} for the profile`, {
    status: answer.status,
  });
}

interface Discovered {
  readonly mode: 'BYOD' | 'ADDE';
  readonly baseUrl: string;
}

async function discover(enrolment: AccountEnrolment, context: WayContext): Promise<Discovered> {
  const { state } = context;
  const { user } = enrolment;
  // At the last @, as Apple takes it apart.
  const [, name, domain] = /^(.+)@([^@]+)$/s.exec(user) ?? [];
  if (name === undefined || domain === undefined || !/^[a-z0-9.-]+\.[a-z0-9-]+$/i.test(domain)) {
    throw new SimulatorError('simulator.option', `${user} is not of the form user@domain`);
  }
  const origin = enrolment.discovery ?? `https://${domain}`;
  const fallback = followsApple(state) ? enrolment.fallback : undefined;
  const family = families[state.kind];
  const ask = (address: string): Promise<DeviceResponse> => {
    const url = new URL(address);
    url.searchParams.set('user-identifier', user);
    url.searchParams.set('model-family', family);
    return follow({ method: 'GET', url: url.href, headers: { accept: 'application/json' } }, context);
  };
  let answer: DeviceResponse | undefined;
  try {
    answer = await ask(new URL(wellKnown, origin).href);
  } catch (error) {
    const away = error instanceof SimulatorError && error.code === 'simulator.unreachable';
    if (!away || fallback === undefined) throw error;
  }
  let found = answer === undefined ? null : read(answer);
  // A refusal that the server means is one; anything else may be a domain that does not know of the service.
  if (found === null && fallback !== undefined && !isRefusal(answer)) {
    answer = await ask(fallback);
    found = read(answer);
  }
  if (found !== null) return found;
  const status = answer?.status ?? 0;
  throw new SimulatorError('simulator.discovery', `no enrolment for ${user} on an ${family} (HTTP ${status})`, {
    status,
  });
}

/** Schema, mdm/errors/well-known.failed.yaml. */
function isRefusal(answer: DeviceResponse | undefined): boolean {
  return answer?.status === 403 && Buffer.from(answer.body).includes('com.apple.well-known.failed');
}

function followsApple(state: DeviceState): boolean {
  const since = { iOS: '18.2', macOS: '15.2', visionOS: '2.2', tvOS: undefined, watchOS: undefined }[
    platformOf(state.kind)
  ];
  return since !== undefined && compareVersions(state.osVersion, since) >= 0;
}

/** The first server whose version the device knows. */
function read(answer: DeviceResponse): Discovered | null {
  if (answer.status !== 200) return null;
  let servers: unknown;
  try {
    servers = (JSON.parse(new TextDecoder().decode(answer.body)) as { readonly Servers?: unknown } | null)?.Servers;
  } catch {
    return null; // an answer that is no JSON is none
  }
  if (!Array.isArray(servers)) return null;
  for (const server of servers as readonly ({ readonly Version?: unknown; readonly BaseURL?: unknown } | null)[]) {
    const version = server?.Version;
    const baseUrl = server?.BaseURL;
    if (version !== 'mdm-byod' && version !== 'mdm-adde') continue;
    if (typeof baseUrl === 'string' && URL.canParse(baseUrl)) return { mode: versions[version], baseUrl };
  }
  return null;
}

/** Follows redirects, as discovery may be answered with. */
async function follow(request: DeviceRequest, context: WayContext): Promise<DeviceResponse> {
  let { url } = request;
  for (let step = 0; ; step++) {
    const answer = await context.request({ ...request, url });
    const { location } = answer.headers;
    const moved = answer.status >= 300 && answer.status < 400 && location !== undefined && URL.canParse(location, url);
    if (!moved || step >= 10) return answer;
    url = new URL(location, url).href;
  }
}
