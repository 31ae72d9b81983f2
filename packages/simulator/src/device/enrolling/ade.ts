// Automated Device Enrolment and watches as Setup Assistant does it: machine information, the software update that a server
// may ask for first, a web page to sign in at, a name and a password.
// Sources: Apple, "Authenticating through web views"; the schema, mdm/errors and other/machineinfo.yaml.
import { buildOf, compareVersions, platformOf } from '../../catalogue.ts';
import { SimulatorError } from '../../errors.ts';
import type { DeviceResponse } from '../../net/transport.ts';
import type { DeviceState } from '../state.ts';
import type { WayContext } from './account.ts';
import { browse } from './browser.ts';
import { type MachineInfoExtras, machineInfo, signed } from './machine-info.ts';
import { whyNot } from './rules.ts';
import type { AdeEnrolment } from './types.ts';

/** Gets the enrolment profile. @throws SimulatorError `simulator.refused`, `simulator.sign_in`, `simulator.unreachable` */
export async function adeProfile(enrolment: AdeEnrolment, context: WayContext): Promise<Uint8Array> {
  const { profile, credentials } = enrolment;
  const page = profile.configuration_web_url;
  // Older systems go to `url` all the same.
  if (page !== undefined && whyNot(context.state, 'ade-web') === undefined)
    return await byWebPage(page, enrolment, context);
  return await ask(profile.url, context, { setupAssistant: true }, credentials);
}

async function byWebPage(page: string, enrolment: AdeEnrolment, context: WayContext): Promise<Uint8Array> {
  const info = machineInfo(context.state, { setupAssistant: true });
  const header = Buffer.from(signed(info, await context.identity(), context.now())).toString('base64');
  const end = await browse(page, enrolment.signIn, context, { 'x-apple-aspen-deviceinfo': header });
  if (end.type !== 'profile') throw new SimulatorError('simulator.sign_in', 'the page did not end in a profile');
  if (siteOf(end.url) !== siteOf(page)) {
    throw new SimulatorError('simulator.sign_in', `the profile came from ${new URL(end.url).host}, another domain`);
  }
  return end.body;
}

/** The last two parts of the host's name; an address as it is. */
function siteOf(url: string): string {
  const { hostname } = new URL(url);
  return /^[\d.]+$|^\[/.test(hostname) ? hostname : hostname.split('.').slice(-2).join('.');
}

/** A watch: the profile from the address that its iPhone's declaration names. */
export async function watchProfile(
  url: string,
  context: WayContext,
  pairingToken: (securityToken: string) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  return await ask(url, context, {}, undefined, pairingToken);
}

async function ask(
  url: string,
  context: WayContext,
  given: MachineInfoExtras,
  credentials?: AdeEnrolment['credentials'],
  pairingToken?: (securityToken: string) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const { state } = context;
  const headers: { [name: string]: string } = { 'content-type': 'application/pkcs7-signature', accept: '*/*' };
  let extras = given;
  // At most once each: an update, a password, a pairing token.
  for (let left = 4; ; left--) {
    const body = signed(machineInfo(state, extras), await context.identity(), context.now());
    const answer = await context.request({ method: 'POST', url, headers, body });
    if (answer.status === 200) return answer.body;
    const { code, details } = refusalOf(answer);
    if (left > 1 && answer.status === 401 && credentials !== undefined && headers['authorization'] === undefined) {
      if (!/^basic\b/i.test(answer.headers['www-authenticate'] ?? '')) throw refused(answer, code);
      const pair = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
      headers['authorization'] = `Basic ${pair}`;
      continue;
    }
    if (left > 1 && code === 'com.apple.softwareupdate.required' && extras.setupAssistant === true) {
      if (update(state, details)) continue;
    }
    const securityToken = details['security-token'];
    const wanted = code === 'com.apple.watch.pairing.token.missing' && typeof securityToken === 'string';
    if (left > 1 && wanted && pairingToken !== undefined && extras.pairingToken === undefined) {
      extras = { ...extras, pairingToken: await pairingToken(securityToken) };
      continue;
    }
    throw refused(answer, code);
  }
}

/** Updates the system; false where that is not possible, or would change nothing. */
function update(state: DeviceState, details: { readonly [key: string]: unknown }): boolean {
  const { OSVersion: wanted, BuildVersion: build } = details;
  const platform = platformOf(state.kind);
  const since = { iOS: '17.0', macOS: '14.0', tvOS: undefined, visionOS: undefined, watchOS: undefined }[platform];
  if (since === undefined || compareVersions(state.osVersion, since) < 0 || typeof wanted !== 'string') return false;
  // `17.5 (a)` names a supplement, too.
  const version = wanted.split(' ')[0]!;
  if (!/^\d+(\.\d+)*$/.test(version) || compareVersions(version, state.osVersion) <= 0) return false;
  state.osVersion = version;
  state.buildVersion = typeof build === 'string' ? build : buildOf(platform, version);
  state.restarts++;
  return true;
}

/** The body of a 403, which is JSON or a property list; devices take both, this one JSON. */
function refusalOf(answer: DeviceResponse): {
  readonly code?: string;
  readonly details: { readonly [key: string]: unknown };
} {
  if (answer.status !== 403) return { details: {} };
  try {
    const value = JSON.parse(new TextDecoder().decode(answer.body)) as { code?: unknown; details?: unknown } | null;
    const details = typeof value?.details === 'object' && value.details !== null ? value.details : {};
    return {
      ...(typeof value?.code === 'string' ? { code: value.code } : {}),
      details: details as { [key: string]: unknown },
    };
  } catch {
    return { details: {} }; // a refusal without a reason
  }
}

function refused(answer: DeviceResponse, code: string | undefined): SimulatorError {
  const reason = code === undefined ? '' : ` (${code})`;
  return new SimulatorError('simulator.refused', `the server answered HTTP ${answer.status} for the profile${reason}`, {
    status: answer.status,
  });
}
