// The enrolment profile: root certificates, the identity that the device gets, and the MDM payload that uses it.
import { MdmError } from '../errors.ts';
import { optional } from '../optional.ts';
import type { PlistInput } from '../plist.ts';
import { allAccessRights, checkAccessRights } from './access-rights.ts';
import { type BuiltProfile, buildProfile, type PayloadContent, type ProfilePayload, payloadUuid } from './build.ts';

/** An identity that the device gets by SCEP (RFC 8894): the payload `com.apple.security.scep`. */
export interface ScepIdentity {
  readonly type?: 'scep';
  readonly url: string;
  /** The challenge password. Use a fresh one for each profile. */
  readonly challenge?: string;
  /**
   * The subject that the device asks for, one pair for each name part, e.g. `[['O', 'Example'], ['CN', 'device']]`.
   * Names: C, L, ST, O, OU, CN, or a dotted OID. Many SCEP servers put their own in its place.
   */
  readonly subject: readonly (readonly [name: string, value: string])[];
  /** `Name`: which CA of the server, where it has several. */
  readonly name?: string;
  /** RSA key size (default 2048). */
  readonly keySize?: 1024 | 2048 | 4096;
  /** `Key Usage`: 1 signing, 4 encryption, 5 both (default 5). */
  readonly keyUsage?: 1 | 4 | 5;
  /** Fingerprint of the CA's certificate (SHA-1: 20 bytes; SHA-256: 32 bytes): lets the device check plain-HTTP SCEP. */
  readonly caFingerprint?: Uint8Array;
  /** How often the device asks again after PENDING (system default 3), and how many seconds it waits (default 10). */
  readonly retries?: number;
  readonly retryDelay?: number;
  readonly subjectAltName?: {
    readonly rfc822Name?: string;
    readonly dNSName?: string;
    readonly uniformResourceIdentifier?: string;
    readonly ntPrincipalName?: string;
  };
  /** macOS: whether the private key can be exported (our default: no). */
  readonly keyIsExtractable?: boolean;
}

/** An identity that the device gets by ACME (RFC 8555): the payload `com.apple.security.acme`, iOS 16 and macOS 13.1 on. */
export interface AcmeIdentity {
  readonly type: 'acme';
  /** Where the ACME directory is. `https:`, see `allowHttp`. */
  readonly directoryUrl: string;
  /** What the server knows the device by; use a fresh one for each profile. */
  readonly clientIdentifier: string;
  /** Default `ECSECPrimeRandom`. */
  readonly keyType?: 'ECSECPrimeRandom' | 'RSA';
  /** EC: 192, 256, 384 or 521 (default 384); RSA: 1024 to 4096 in steps of 8 (default 2048). */
  readonly keySize?: number;
  /** The Secure Enclave makes and keeps the key (default true): EC with 256 or 384 bits only. */
  readonly hardwareBound?: boolean;
  /** The device attests itself and the key to the server (default: as `hardwareBound`, which it needs). */
  readonly attest?: boolean;
  /** The subject that the device asks for, as in {@link ScepIdentity}. */
  readonly subject: readonly (readonly [name: string, value: string])[];
  readonly subjectAltName?: ScepIdentity['subjectAltName'];
  /** `UsageFlags`: 1 signing, 4 encryption, 5 both. */
  readonly usageFlags?: 1 | 4 | 5;
  /** Dotted OIDs. */
  readonly extendedKeyUsage?: readonly string[];
  /** macOS: whether the private key can be exported (our default: no). */
  readonly keyIsExtractable?: boolean;
}

/** An identity that the profile itself carries: the payload `com.apple.security.pkcs12`. A secret: sign and encrypt. */
export interface Pkcs12Identity {
  readonly type: 'pkcs12';
  /** The PKCS#12 file. */
  readonly data: Uint8Array;
  readonly password: string;
}

/** A capability that the server claims in `ServerCapabilities`. */
export type ServerCapability =
  | 'com.apple.mdm.per-user-connections'
  | 'com.apple.mdm.bootstraptoken'
  | 'com.apple.mdm.token';

/** What an enrolment profile is made of. */
export interface EnrolmentProfileInput {
  /** Shown to the user. */
  readonly organisation: string;
  /** `PayloadIdentifier` of the profile (default `com.espalier.enrolment`); keep it, since it names the enrolment. */
  readonly identifier?: string;
  /** Default: `Device management`. */
  readonly displayName?: string;
  readonly description?: string;
  /** Where the device asks for commands. `https:`, see `allowHttp`. */
  readonly serverUrl: string;
  /** Where the device checks in (default: `serverUrl`). */
  readonly checkInUrl?: string;
  /** The push certificate's topic: `com.apple.mgmt.…`. */
  readonly topic: string;
  /** Default: all rights; none in a User Enrolment. See `accessRights()`. */
  readonly accessRights?: number;
  readonly identity: ScepIdentity | AcmeIdentity | Pkcs12Identity;
  /** DER; the device trusts them for TLS. */
  readonly rootCertificates?: readonly Uint8Array[];
  /** Every message carries `Mdm-Signature` (default true, since few proxies pass TLS client certificates on). */
  readonly signMessage?: boolean;
  /** The device tries to tell when the profile is removed (default true). */
  readonly checkOutWhenRemoved?: boolean;
  /**
   * Default: per-user connections only. Claim `bootstraptoken` and `token` when your server answers those check-ins:
   * devices send `SetBootstrapToken` and `GetToken` only then. Per-user connections cannot change afterwards.
   */
  readonly serverCapabilities?: readonly ServerCapability[];
  /** The user cannot remove the profile (needs a supervised device). */
  readonly removalDisallowed?: boolean;
  /** Account-driven enrolment: `BYOD` is User Enrolment, `ADDE` Device Enrolment. */
  readonly enrolmentMode?: 'BYOD' | 'ADDE';
  /** Account-driven enrolment: the Managed Apple Account. */
  readonly assignedManagedAppleId?: string;
  /** Profile-driven User Enrolment, up to iOS 17 and macOS 14: the Managed Apple Account. */
  readonly managedAppleId?: string;
  /** Account-driven enrolment: the App Store id of an app that needs no consent. */
  readonly requiredAppId?: number;
  /** The device pins the connection to the root certificates of this profile. */
  readonly pinRootCertificates?: boolean;
  /** macOS: the user is asked to allow the bootstrap token where that is needed. */
  readonly promptUserToAllowBootstrapToken?: boolean;
  /** The push certificate is one of the development environment: none from Apple's push certificate portal is. */
  readonly useDevelopmentApns?: boolean;
  /** More payloads, e.g. a Wi-Fi network. */
  readonly payloads?: readonly ProfilePayload[];
  /** Accept `http:` URLs. Devices refuse them: this is for simulators and tests. */
  readonly allowHttp?: boolean;
}

/**
 * Builds an enrolment profile, unsigned. The same input gives the same bytes.
 *
 * @returns The property list. Sign it (`signCms` of `@espalier/pki`) and serve it as `profileContentType`.
 * @throws MdmError `mdm.access_rights`, `mdm.profile.bad_key` (a URL that is not `https:`, a topic that is not Apple's),
 *   `mdm.profile.missing_key`
 * @example
 * const bytes = enrolmentProfile({
 *   organisation: 'Example',
 *   serverUrl: 'https://mdm.example.com/mdm/connect',
 *   checkInUrl: 'https://mdm.example.com/mdm/checkin',
 *   topic: 'com.apple.mgmt.External.0b1c2d',
 *   accessRights: accessRights('AllowInspection', 'AllowInstallationRemoval', 'AllowQueryDeviceInformation'),
 *   identity: { url: 'https://mdm.example.com/scep', challenge, subject: [['O', 'Example'], ['CN', 'device']] },
 *   rootCertificates: [ca.certificate],
 * });
 */
export function enrolmentProfile(input: EnrolmentProfileInput): Uint8Array {
  return buildEnrolmentProfile(input).bytes;
}

/** Like {@link enrolmentProfile}, with the identifiers and UUIDs next to the bytes. */
export function buildEnrolmentProfile(input: EnrolmentProfileInput): BuiltProfile {
  const rights = rightsOf(input);
  checkUrl('ServerURL', input.serverUrl, input.allowHttp);
  if (input.checkInUrl !== undefined) checkUrl('CheckInURL', input.checkInUrl, input.allowHttp);
  if (!input.topic.startsWith('com.apple.mgmt.')) {
    throw new MdmError('mdm.profile.bad_key', 'Topic does not begin with com.apple.mgmt.', {
      at: { path: '/Topic' },
      remedy: "take it from the push certificate's subject (UID)",
    });
  }
  const identifier = input.identifier ?? 'com.espalier.enrolment';
  const roots = (input.rootCertificates ?? []).map((der, index) => rootPayload(identifier, der, index));
  const identity = identityPayload(identifier, input);
  const identityUuid = payloadUuid(identity.type, identity.identifier!, identity.content);
  const pinned = input.pinRootCertificates
    ? roots.map((root) => payloadUuid(root.type, root.identifier!, root.content))
    : undefined;
  return buildProfile({
    identifier,
    displayName: input.displayName ?? 'Device management',
    organisation: input.organisation,
    ...optional('description', input.description),
    ...optional('removalDisallowed', input.removalDisallowed),
    payloads: [
      ...roots,
      ...(input.payloads ?? []),
      identity,
      {
        type: 'com.apple.mdm',
        identifier: `${identifier}.mdm`,
        displayName: 'Device management',
        organisation: input.organisation,
        content: mdmContent(input, rights, identityUuid, pinned),
      },
    ],
  });
}

/** A User Enrolment has fixed rights: a device cancels it where the key is there. */
function rightsOf(input: EnrolmentProfileInput): number | undefined {
  if (input.enrolmentMode === 'BYOD' || input.managedAppleId !== undefined) {
    if (input.accessRights === undefined) return undefined;
    throw new MdmError('mdm.access_rights', 'a User Enrolment has no access rights', {
      at: { path: '/AccessRights' },
      remedy: 'leave accessRights out',
    });
  }
  const rights = input.accessRights ?? allAccessRights;
  checkAccessRights(rights);
  return rights;
}

function mdmContent(
  input: EnrolmentProfileInput,
  rights: number | undefined,
  identityUuid: string,
  pinned: readonly string[] | undefined,
): PayloadContent {
  return {
    IdentityCertificateUUID: identityUuid,
    Topic: input.topic,
    ServerURL: input.serverUrl,
    CheckInURL: input.checkInUrl,
    SignMessage: input.signMessage ?? true,
    AccessRights: rights,
    ManagedAppleID: input.managedAppleId,
    CheckOutWhenRemoved: input.checkOutWhenRemoved ?? true,
    ServerCapabilities: input.serverCapabilities ?? ['com.apple.mdm.per-user-connections'],
    EnrollmentMode: input.enrolmentMode,
    AssignedManagedAppleID: input.assignedManagedAppleId,
    RequiredAppIDForMDM: input.requiredAppId,
    UseDevelopmentAPNS: input.useDevelopmentApns,
    PromptUserToAllowBootstrapTokenForAuthentication: input.promptUserToAllowBootstrapToken,
    ServerURLPinningCertificateUUIDs: pinned,
    CheckInURLPinningCertificateUUIDs: pinned,
  };
}

function rootPayload(identifier: string, der: Uint8Array, index: number): ProfilePayload {
  return {
    type: 'com.apple.security.root',
    identifier: `${identifier}.root${index === 0 ? '' : `.${index + 1}`}`,
    displayName: 'Root certificate',
    content: { PayloadCertificateFileName: `root${index === 0 ? '' : `-${index + 1}`}.cer`, PayloadContent: der },
  };
}

function identityPayload(identifier: string, input: EnrolmentProfileInput): ProfilePayload {
  const { identity } = input;
  const common = { identifier: `${identifier}.identity`, displayName: 'Device identity' };
  if (identity.type === 'pkcs12') {
    return {
      ...common,
      type: 'com.apple.security.pkcs12',
      content: {
        PayloadCertificateFileName: 'identity.p12',
        PayloadContent: identity.data,
        Password: identity.password,
      },
    };
  }
  if (identity.type === 'acme') {
    return { ...common, type: 'com.apple.security.acme', content: acmeContent(identity, input.allowHttp) };
  }
  return { ...common, type: 'com.apple.security.scep', content: scepContent(identity) };
}

const curveSizes = [192, 256, 384, 521];

function acmeContent(acme: AcmeIdentity, allowHttp: boolean | undefined): PayloadContent {
  checkUrl('DirectoryURL', acme.directoryUrl, allowHttp);
  const keyType = acme.keyType ?? 'ECSECPrimeRandom';
  const ec = keyType === 'ECSECPrimeRandom';
  const keySize = acme.keySize ?? (ec ? 384 : 2048);
  const hardwareBound = acme.hardwareBound ?? ec;
  const attest = acme.attest ?? hardwareBound;
  const fits = ec ? curveSizes.includes(keySize) : keySize % 8 === 0 && keySize >= 1024 && keySize <= 4096;
  if (!fits) throw badKey('KeySize', `${keySize} is no size of a key of type ${keyType}`);
  if (hardwareBound && !(ec && (keySize === 256 || keySize === 384))) {
    throw badKey('HardwareBound', 'only EC keys of 256 and 384 bits can be bound to the hardware');
  }
  if (attest && !hardwareBound) throw badKey('Attest', 'only a key that is bound to the hardware is attested');
  if (acme.clientIdentifier === '') throw badKey('ClientIdentifier', 'ClientIdentifier is empty');
  return {
    DirectoryURL: acme.directoryUrl,
    ClientIdentifier: acme.clientIdentifier,
    KeyType: keyType,
    KeySize: keySize,
    HardwareBound: hardwareBound,
    Attest: attest,
    Subject: acme.subject.map(([name, value]) => [[name, value]]),
    SubjectAltName: acme.subjectAltName,
    UsageFlags: acme.usageFlags,
    ExtendedKeyUsage: acme.extendedKeyUsage,
    // A key that is bound to the hardware cannot be exported, and iOS does not know the key.
    KeyIsExtractable: acme.keyIsExtractable ?? (hardwareBound ? undefined : false),
  };
}

function badKey(key: string, message: string): MdmError {
  return new MdmError('mdm.profile.bad_key', message, { at: { path: `/${key}` } });
}

const fingerprintLengths = [16, 20, 32, 64];

function scepContent(scep: ScepIdentity): PayloadContent {
  checkUrl('PayloadContent/URL', scep.url, true);
  if (scep.caFingerprint !== undefined && !fingerprintLengths.includes(scep.caFingerprint.length)) {
    throw new MdmError(
      'mdm.profile.bad_key',
      `a fingerprint of ${scep.caFingerprint.length} bytes is of no known hash`,
      {
        at: { path: '/PayloadContent/CAFingerprint' },
      },
    );
  }
  const content: { [key: string]: PlistInput | undefined } = {
    URL: scep.url,
    Name: scep.name,
    // Apple wants a list of relative distinguished names, each a list of pairs.
    Subject: scep.subject.map(([name, value]) => [[name, value]]),
    Challenge: scep.challenge,
    Keysize: scep.keySize ?? 2048,
    'Key Type': 'RSA',
    'Key Usage': scep.keyUsage ?? 5,
    CAFingerprint: scep.caFingerprint,
    Retries: scep.retries,
    RetryDelay: scep.retryDelay,
    SubjectAltName: scep.subjectAltName,
    KeyIsExtractable: scep.keyIsExtractable ?? false,
  };
  return { PayloadContent: content };
}

function checkUrl(key: string, url: string, allowHttp: boolean | undefined): void {
  const protocol = URL.canParse(url) ? new URL(url).protocol : '';
  if (protocol === 'https:' || (allowHttp === true && protocol === 'http:')) return;
  throw new MdmError('mdm.profile.bad_key', `${key} is not an https: URL`, { at: { path: `/${key}` } });
}
