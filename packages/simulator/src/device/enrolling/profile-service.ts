// Enrolment over the air: the profile service asks for the device's attributes, signed; the answer is the enrolment profile,
// or first an identity with which the device signs once more. Source: Apple, "Over-the-Air Profile Delivery and Configuration".
import { decryptCms, PkiError, verifyCms } from '@espalier/pki';
import { decode, decodeDict, encodeXml, type PlistDict, PlistError, type PlistInput } from '@espalier/plist';
import { SimulatorError } from '../../errors.ts';
import { isDict, openProfile, ProfileProblem, readIdentity } from '../profile.ts';
import type { MdmSettings } from '../state.ts';
import type { WayContext } from './account.ts';
import { deviceAttributes, signed } from './machine-info.ts';

type Pair = { readonly certificate: Uint8Array; readonly privateKey: Uint8Array };

/** What a profile service asks for. */
export interface ProfileService {
  readonly url: string;
  readonly attributes: readonly string[];
  readonly challenge?: string;
}

/**
 * The service that a file holds; `undefined` when it is another kind of profile, or none.
 */
export function readProfileService(bytes: Uint8Array): ProfileService | undefined {
  let root: PlistDict;
  try {
    root = decodeDict(bytes[0] === 0x30 ? verifyCms(bytes).content : bytes);
  } catch (error) {
    if (error instanceof PkiError || error instanceof PlistError) return undefined; // told when it is opened as a profile
    throw error;
  }
  if (root['PayloadType'] !== 'Profile Service') return undefined;
  const content = root['PayloadContent'];
  if (!isDict(content)) throw problem('the profile service has no PayloadContent');
  const { URL: url, DeviceAttributes: attributes, Challenge: challenge } = content;
  if (typeof url !== 'string' || !URL.canParse(url)) throw problem('the profile service has no URL');
  return {
    url,
    attributes: Array.isArray(attributes) ? attributes.filter((item) => typeof item === 'string') : [],
    ...(challengeText(challenge) === undefined ? {} : { challenge: challengeText(challenge)! }),
  };
}

function challengeText(value: PlistDict[string] | undefined): string | undefined {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : undefined;
}

/**
 * Answers the service until it gives the enrolment profile.
 * @param getIdentity Gets the identity that a profile of the second phase asks for.
 * @throws SimulatorError `simulator.refused`, `simulator.profile`, `simulator.unreachable`
 */
export async function serviceProfile(
  service: ProfileService,
  context: WayContext,
  getIdentity: (settings: Pick<MdmSettings, 'scep' | 'acme'>) => Promise<Pair>,
): Promise<Uint8Array> {
  const first = await answer(service, await context.identity(), context);
  const settings = identityOnly(first);
  if (settings === undefined) return first;
  const pair = await getIdentity(settings);
  return decrypted(await answer(service, pair, context), pair);
}

async function answer(service: ProfileService, identity: Pair, context: WayContext): Promise<Uint8Array> {
  const attributes = deviceAttributes(context.state, service.attributes, service.challenge);
  const body = signed(attributes, identity, context.now());
  const headers = { 'content-type': 'application/pkcs7-signature', accept: '*/*' };
  const response = await context.request({ method: 'POST', url: service.url, headers, body });
  if (response.status === 200) return response.body;
  throw new SimulatorError('simulator.refused', `the profile service answered HTTP ${response.status}`, {
    status: response.status,
  });
}

/** The identity of a profile that brings one and nothing to manage the device: the second phase. */
function identityOnly(bytes: Uint8Array): Pick<MdmSettings, 'scep' | 'acme'> | undefined {
  try {
    const { contents } = openProfile(bytes, false);
    if (contents.some((content) => content['PayloadType'] === 'com.apple.mdm')) return undefined;
    const identity = contents.find((content) =>
      ['com.apple.security.scep', 'com.apple.security.acme'].includes(String(content['PayloadType'])),
    );
    return identity === undefined ? undefined : readIdentity(identity);
  } catch (error) {
    if (error instanceof ProfileProblem) return undefined; // told when it is installed
    throw error;
  }
}

/** A profile whose payloads are encrypted to the identity, with them in the clear. */
function decrypted(bytes: Uint8Array, pair: Pair): Uint8Array {
  let root: PlistDict;
  try {
    root = decodeDict(bytes[0] === 0x30 ? verifyCms(bytes).content : bytes);
  } catch (error) {
    if (error instanceof PkiError || error instanceof PlistError) return bytes; // told when it is installed
    throw error;
  }
  const sealed = root['EncryptedPayloadContent'];
  if (!(sealed instanceof Uint8Array)) return bytes;
  try {
    const { EncryptedPayloadContent: _, ...rest } = root;
    return encodeXml({ ...rest, PayloadContent: decode(decryptCms(sealed, pair)) } as PlistInput);
  } catch (error) {
    if (!(error instanceof PkiError) && !(error instanceof PlistError)) throw error;
    throw problem(`the encrypted payloads cannot be read: ${error.message}`);
  }
}

function problem(message: string): SimulatorError {
  return new SimulatorError('simulator.profile', message);
}
