// The profile service: a profile that makes a device send its attributes, signed, and take what it gets in answer.
// Source: Apple, "Over-the-Air Profile Delivery and Configuration".

import { encodePlist } from '../command/command.ts';
import { MdmError } from '../errors.ts';
import { uuidFrom } from '../profile/uuid.ts';

/** An attribute that the profile service may ask for. */
export type DeviceAttribute =
  | 'UDID'
  | 'VERSION'
  | 'PRODUCT'
  | 'SERIAL'
  | 'IMEI'
  | 'MEID'
  | 'ICCID'
  | 'MAC_ADDRESS_EN0'
  | 'DEVICE_NAME'
  | 'COMPROMISED';

/** What a profile service is made of. */
export interface ProfileServiceInput {
  /** Where the device posts its attributes (`application/pkcs7-signature`). `https:`, see `allowHttp`. */
  readonly url: string;
  /** Comes back as `CHALLENGE`: ties the answer to this profile. */
  readonly challenge: string;
  readonly organisation: string;
  readonly displayName?: string;
  readonly description?: string;
  readonly identifier?: string;
  /** Default: UDID, VERSION, PRODUCT, SERIAL, IMEI, MEID. VERSION and PRODUCT, without which no answer is read, are added. */
  readonly attributes?: readonly DeviceAttribute[];
  /** Accept `http:`: for simulators and tests. */
  readonly allowHttp?: boolean;
}

const usual: readonly DeviceAttribute[] = ['UDID', 'VERSION', 'PRODUCT', 'SERIAL', 'IMEI', 'MEID'];

/** What `readMachineInfo` needs. */
const needed: readonly DeviceAttribute[] = ['VERSION', 'PRODUCT'];

/**
 * Builds the profile, unsigned; sign it and serve it as `profileContentType`. The same input gives the same bytes.
 * @throws MdmError `mdm.profile.bad_key`
 */
export function profileService(input: ProfileServiceInput): Uint8Array {
  const protocol = URL.canParse(input.url) ? new URL(input.url).protocol : '';
  if (protocol !== 'https:' && !(input.allowHttp === true && protocol === 'http:')) {
    throw new MdmError('mdm.profile.bad_key', 'URL is not an https: URL', { at: { path: '/PayloadContent/URL' } });
  }
  const identifier = input.identifier ?? 'com.espalier.profile-service';
  const attributes = [...new Set([...(input.attributes ?? usual), ...needed])];
  const content = { URL: input.url, DeviceAttributes: attributes, Challenge: input.challenge };
  return encodePlist({
    PayloadContent: content,
    PayloadOrganization: input.organisation,
    PayloadDisplayName: input.displayName ?? 'Device enrolment',
    ...(input.description === undefined ? {} : { PayloadDescription: input.description }),
    PayloadVersion: 1,
    PayloadUUID: uuidFrom(identifier, JSON.stringify(content)),
    PayloadIdentifier: identifier,
    PayloadType: 'Profile Service',
  });
}
