// Profiles as a device reads them: the signature, the payloads, and what an enrolment profile asks of it.
import { verifyCms } from '@espalier/pki';
import { decodeDict, type PlistDict, PlistReal, PlistUid, type PlistValue } from '@espalier/plist';
import { SimulatorError } from '../errors.ts';
import {
  type AcmeSettings,
  type MdmSettings,
  type ScepSettings,
  type StoredPayload,
  type StoredProfile,
  toBase64,
} from './state.ts';

/** A profile that can be installed. */
export interface OpenedProfile {
  readonly stored: StoredProfile;
  /** The payload dictionaries, in order. */
  readonly contents: readonly PlistDict[];
}

/** Why a profile cannot be installed, in Apple's terms. */
export class ProfileProblem extends Error {
  readonly domain: string;
  readonly code: number;

  constructor(domain: string, code: number, message: string) {
    super(message);
    this.domain = domain;
    this.code = code;
  }
}

const profileDomain = 'MCProfileErrorDomain';

/**
 * Opens a profile: checks the signature if there is one, and what every profile must have.
 * @throws ProfileProblem with Apple's domain and code.
 */
export function openProfile(bytes: Uint8Array, managed: boolean): OpenedProfile {
  let plist = bytes;
  let signers: readonly Uint8Array[] = [];
  if (bytes[0] === 0x30) {
    try {
      const opened = verifyCms(bytes);
      plist = opened.content;
      signers = [opened.signer, ...opened.certificates.filter((der) => !same(der, opened.signer))];
    } catch (error) {
      throw new ProfileProblem(profileDomain, 1004, `Bad signature: ${textOf(error)}`);
    }
  }
  let root: PlistDict;
  try {
    root = decodeDict(plist);
  } catch (error) {
    throw new ProfileProblem(profileDomain, 1000, `Malformed profile: ${textOf(error)}`);
  }
  if (root['PayloadType'] !== 'Configuration') throw new ProfileProblem(profileDomain, 1000, 'Malformed profile');
  if (root['PayloadVersion'] !== 1) throw new ProfileProblem(profileDomain, 1001, 'Unsupported profile version');
  const content = root['PayloadContent'];
  if (!Array.isArray(content)) throw new ProfileProblem(profileDomain, 1002, 'Missing required field PayloadContent');
  if (content.length === 0) throw new ProfileProblem(profileDomain, 1005, 'Empty profile');
  const contents = content.map((item) => {
    if (!isDict(item)) throw new ProfileProblem(profileDomain, 1003, 'Bad data type in field PayloadContent');
    return item;
  });
  const payloads = contents.map(readPayload);
  if (new Set(payloads.map((item) => item.uuid)).size < payloads.length) {
    throw new ProfileProblem(profileDomain, 1007, 'Non-unique UUIDs');
  }
  if (new Set(payloads.map((item) => item.identifier)).size < payloads.length) {
    throw new ProfileProblem(profileDomain, 1008, 'Non-unique payload identifiers');
  }
  return {
    contents,
    stored: {
      identifier: required(root, 'PayloadIdentifier'),
      uuid: required(root, 'PayloadUUID'),
      version: 1,
      ...named('displayName', root['PayloadDisplayName']),
      ...named('organisation', root['PayloadOrganization']),
      ...named('description', root['PayloadDescription']),
      removalDisallowed: root['PayloadRemovalDisallowed'] === true,
      encrypted: root['IsEncrypted'] === true,
      managed,
      signers: signers.map(toBase64),
      payloads,
      plist: toBase64(plist),
      certificates: contents.flatMap(certificateOf).map(toBase64),
    },
  };
}

function readPayload(content: PlistDict): StoredPayload {
  const version = content['PayloadVersion'];
  if (typeof version !== 'number') throw new ProfileProblem('MCPayloadErrorDomain', 2002, 'Missing PayloadVersion');
  return {
    type: required(content, 'PayloadType'),
    identifier: required(content, 'PayloadIdentifier'),
    uuid: required(content, 'PayloadUUID'),
    version,
    ...named('displayName', content['PayloadDisplayName']),
  };
}

const certificateTypes = ['com.apple.security.root', 'com.apple.security.pkcs1', 'com.apple.security.pem'];

function certificateOf(content: PlistDict): readonly Uint8Array[] {
  const data = content['PayloadContent'];
  return certificateTypes.includes(String(content['PayloadType'])) && data instanceof Uint8Array ? [data] : [];
}

/**
 * Reads what an enrolment profile asks of the device.
 * @throws SimulatorError `simulator.profile`
 */
export function readEnrolment(profile: OpenedProfile): MdmSettings {
  const mdm = profile.contents.find((content) => content['PayloadType'] === 'com.apple.mdm');
  if (mdm === undefined) throw problem('the profile has no payload com.apple.mdm');
  const identityUuid = text(mdm, 'IdentityCertificateUUID');
  const identity = profile.contents.find((content) => content['PayloadUUID'] === identityUuid);
  if (identity === undefined) throw problem('IdentityCertificateUUID names no payload of the profile');
  const serverUrl = text(mdm, 'ServerURL');
  const rights = mdm['AccessRights'];
  const capabilities = mdm['ServerCapabilities'];
  const mode = mdm['EnrollmentMode'];
  const owner = mdm['AssignedManagedAppleID'] ?? mdm['ManagedAppleID'];
  const byUser = mode === 'BYOD' || typeof mdm['ManagedAppleID'] === 'string';
  return {
    profileIdentifier: profile.stored.identifier,
    serverUrl,
    checkInUrl: typeof mdm['CheckInURL'] === 'string' ? mdm['CheckInURL'] : serverUrl,
    topic: text(mdm, 'Topic'),
    // A User Enrolment has fixed rights, whatever the payload says.
    accessRights: byUser ? allRights : typeof rights === 'number' ? rights : 0,
    ...(byUser ? { userEnrolment: true } : {}),
    ...(mode === 'BYOD' || mode === 'ADDE' ? { enrolmentMode: mode } : {}),
    ...named('managedAppleAccount', owner),
    signMessage: mdm['SignMessage'] === true,
    checkOutWhenRemoved: mdm['CheckOutWhenRemoved'] === true,
    serverCapabilities: Array.isArray(capabilities) ? capabilities.filter((item) => typeof item === 'string') : [],
    identityUuid,
    ...readIdentity(identity),
  };
}

const allRights = 8191;

/**
 * Reads how an identity payload gets its certificate.
 * @throws SimulatorError `simulator.profile`
 */
export function readIdentity(identity: PlistDict): Pick<MdmSettings, 'scep' | 'acme'> {
  const type = identity['PayloadType'];
  if (type === 'com.apple.security.scep') return { scep: readScep(identity['PayloadContent']) };
  if (type === 'com.apple.security.acme') return { scep: null, acme: readAcme(identity) };
  throw problem(`the identity is a ${String(type)}, where the simulator knows SCEP and ACME`);
}

/** The rules are the schema's (com.apple.security.acme.yaml). */
function readAcme(content: PlistDict): AcmeSettings {
  const keyType = content['KeyType'];
  const keySize = content['KeySize'];
  const hardwareBound = content['HardwareBound'];
  const attest = content['Attest'] === true;
  if (keyType !== 'RSA' && keyType !== 'ECSECPrimeRandom') throw problem('KeyType is no type of key');
  if (typeof keySize !== 'number' || typeof hardwareBound !== 'boolean')
    throw problem('KeySize or HardwareBound is missing');
  const fits =
    keyType === 'RSA' ? keySize % 8 === 0 && keySize >= 1024 && keySize <= 4096 : [256, 384, 521].includes(keySize);
  if (!fits) throw problem(`a key of type ${keyType} has no ${keySize} bits`);
  if (hardwareBound && !(keyType === 'ECSECPrimeRandom' && keySize !== 521))
    throw problem('such a key cannot be bound');
  if (attest && !hardwareBound) throw problem('Attest needs HardwareBound');
  const names = content['SubjectAltName'];
  const dns = isDict(names) ? names['dNSName'] : undefined;
  return {
    directoryUrl: text(content, 'DirectoryURL'),
    clientIdentifier: text(content, 'ClientIdentifier'),
    keyType,
    keySize,
    hardwareBound,
    attest,
    subject: readSubject(content['Subject']),
    dnsNames: [dns].flat().filter((item) => typeof item === 'string'),
    ...otherNames(names),
  };
}

function readScep(content: PlistValue | undefined): ScepSettings {
  if (!isDict(content)) throw problem('the SCEP payload has no PayloadContent');
  const fingerprint = content['CAFingerprint'];
  const names = content['SubjectAltName'];
  const dns = isDict(names) ? names['dNSName'] : undefined;
  return {
    url: text(content, 'URL'),
    ...(typeof content['Name'] === 'string' ? { name: content['Name'] } : {}),
    ...(typeof content['Challenge'] === 'string' ? { challenge: content['Challenge'] } : {}),
    subject: readSubject(content['Subject']),
    keySize: typeof content['Keysize'] === 'number' ? content['Keysize'] : 1024,
    ...(fingerprint instanceof Uint8Array ? { caFingerprint: Buffer.from(fingerprint).toString('hex') } : {}),
    dnsNames: [dns].flat().filter((item) => typeof item === 'string'),
    ...otherNames(names),
    retries: typeof content['Retries'] === 'number' ? content['Retries'] : 3,
    retryDelaySeconds: typeof content['RetryDelay'] === 'number' ? content['RetryDelay'] : 10,
  };
}

const nameKeys = { rfc822Name: 'email', uniformResourceIdentifier: 'uri', ntPrincipalName: 'upn' } as const;

/** Alternative names besides those of hosts. */
function otherNames(names: PlistValue | undefined): Pick<ScepSettings, 'otherNames'> {
  if (!isDict(names)) return {};
  const found = Object.entries(nameKeys).flatMap(([key, type]) => {
    const value = names[key];
    return [value].flat().flatMap((item) => (typeof item === 'string' ? [{ type, value: item }] : []));
  });
  return found.length === 0 ? {} : { otherNames: found };
}

/** An array of relative names, each an array of pairs. */
function readSubject(value: PlistValue | undefined): (readonly [string, string])[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((rdn) =>
    Array.isArray(rdn)
      ? rdn.flatMap((pair) =>
          Array.isArray(pair) && typeof pair[0] === 'string' && typeof pair[1] === 'string'
            ? [[pair[0], pair[1]] as const]
            : [],
        )
      : [],
  );
}

function text(dict: PlistDict, key: string): string {
  const value = dict[key];
  if (typeof value !== 'string' || value === '') throw problem(`${key} is missing`);
  return value;
}

function required(dict: PlistDict, key: string): string {
  const value = dict[key];
  if (value === undefined) throw new ProfileProblem(profileDomain, 1002, `Missing required field ${key}`);
  if (typeof value !== 'string') throw new ProfileProblem(profileDomain, 1003, `Bad data type in field ${key}`);
  return value;
}

function named<K extends string>(key: K, value: PlistValue | undefined): { readonly [P in K]?: string } {
  return (typeof value === 'string' ? { [key]: value } : {}) as { readonly [P in K]?: string };
}

function problem(message: string): SimulatorError {
  return new SimulatorError('simulator.profile', message);
}

/** Whether a decoded value is a dictionary. */
export function isDict(value: PlistValue | undefined): value is PlistDict {
  return (
    typeof value === 'object' &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date) &&
    !(value instanceof PlistReal) &&
    !(value instanceof PlistUid)
  );
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
