// The list responses, structured: installed apps, profiles and certificates. Keys: Apple's schema, mdm/commands.
import { optional } from '../optional.ts';
import type { PlistDict } from '../plist.ts';
import { flag, integer, type ReadList, readList, text } from './read.ts';

/** An app on the device (`InstalledApplicationList`). Items that the device did not report are absent. */
export interface InstalledApp {
  readonly bundleId: string;
  readonly name?: string;
  /** `ShortVersion`: the version that people see. */
  readonly version?: string;
  /** `Version`: the build. */
  readonly build?: string;
  /** Bytes of the app, and of its data. */
  readonly bundleSize?: number;
  readonly dynamicSize?: number;
  /** App Store's identifier of the installed version. */
  readonly externalVersionId?: number;
  readonly installing?: boolean;
  /** A developer app whose provisioning profile is validated. */
  readonly validated?: boolean;
  readonly appStore?: boolean;
  readonly betaApp?: boolean;
  readonly adHocSigned?: boolean;
  readonly updateAvailable?: boolean;
  readonly appClip?: boolean;
  /** `declaration` and the like, on systems that tell. */
  readonly source?: string;
}

/** A profile on the device (`ProfileList`). */
export interface InstalledProfile {
  readonly identifier: string;
  readonly uuid: string;
  readonly version?: number;
  readonly displayName?: string;
  readonly organisation?: string;
  readonly description?: string;
  readonly removalDisallowed: boolean;
  readonly hasRemovalPasscode: boolean;
  readonly encrypted: boolean;
  /** Whether MDM installed it; absent on macOS. */
  readonly managed?: boolean;
  readonly source?: string;
  /** Certificates of the signer (DER), the signer's first. */
  readonly signerCertificates: readonly Uint8Array[];
  readonly payloads: readonly {
    readonly type: string;
    readonly identifier: string;
    readonly uuid?: string;
    readonly version?: number;
    readonly displayName?: string;
  }[];
}

/** A certificate on the device (`CertificateList`). */
export interface InstalledCertificate {
  readonly commonName: string;
  /** The device has its private key. */
  readonly isIdentity: boolean;
  /** DER. */
  readonly data: Uint8Array;
}

/** Reads an `InstalledApplicationList` response. */
export function readInstalledApps(value: PlistDict): ReadList<InstalledApp> {
  return readList(value['InstalledApplicationList'], (app) => {
    const bundleId = text(app['Identifier']);
    if (bundleId === undefined || bundleId === '') return undefined;
    return {
      bundleId,
      ...optional('name', text(app['Name'])),
      ...optional('version', text(app['ShortVersion'])),
      ...optional('build', text(app['Version'])),
      ...optional('bundleSize', integer(app['BundleSize'])),
      ...optional('dynamicSize', integer(app['DynamicSize'])),
      ...optional('externalVersionId', integer(app['ExternalVersionIdentifier'])),
      ...optional('installing', flag(app['Installing'])),
      ...optional('validated', flag(app['IsValidated'])),
      ...optional('appStore', flag(app['AppStoreVendable'])),
      ...optional('betaApp', flag(app['BetaApp'])),
      ...optional('adHocSigned', flag(app['AdHocCodeSigned'])),
      ...optional('updateAvailable', flag(app['HasUpdateAvailable'])),
      ...optional('appClip', flag(app['IsAppClip'])),
      ...optional('source', text(app['Source'])),
    };
  });
}

/** Reads a `ProfileList` response. */
export function readProfileList(value: PlistDict): ReadList<InstalledProfile> {
  return readList(value['ProfileList'], (profile) => {
    const identifier = text(profile['PayloadIdentifier']);
    const uuid = text(profile['PayloadUUID']);
    if (identifier === undefined || uuid === undefined) return undefined;
    const signers = profile['SignerCertificates'];
    return {
      identifier,
      uuid,
      ...optional('version', integer(profile['PayloadVersion'])),
      ...optional('displayName', text(profile['PayloadDisplayName'])),
      ...optional('organisation', text(profile['PayloadOrganization'])),
      ...optional('description', text(profile['PayloadDescription'])),
      removalDisallowed: profile['PayloadRemovalDisallowed'] === true,
      hasRemovalPasscode: profile['HasRemovalPasscode'] === true,
      encrypted: profile['IsEncrypted'] === true,
      ...optional('managed', flag(profile['IsManaged'])),
      ...optional('source', text(profile['Source'])),
      signerCertificates: Array.isArray(signers) ? signers.filter((item) => item instanceof Uint8Array) : [],
      payloads: readList(profile['PayloadContent'], readListedPayload).items,
    };
  });
}

function readListedPayload(payload: PlistDict): InstalledProfile['payloads'][number] | undefined {
  const type = text(payload['PayloadType']);
  const identifier = text(payload['PayloadIdentifier']);
  if (type === undefined || identifier === undefined) return undefined;
  return {
    type,
    identifier,
    ...optional('uuid', text(payload['PayloadUUID'])),
    ...optional('version', integer(payload['PayloadVersion'])),
    ...optional('displayName', text(payload['PayloadDisplayName'])),
  };
}

/** Reads a `CertificateList` response. */
export function readCertificateList(value: PlistDict): ReadList<InstalledCertificate> {
  return readList(value['CertificateList'], (certificate) => {
    const data = certificate['Data'];
    if (!(data instanceof Uint8Array)) return undefined;
    return {
      commonName: text(certificate['CommonName']) ?? '',
      isIdentity: certificate['IsIdentity'] === true,
      data,
    };
  });
}
