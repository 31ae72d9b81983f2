// Apple's Managed Device Attestation: the certificate in which Apple vouches for a device and a key.
import { createHash, timingSafeEqual } from 'node:crypto';
import { contentOf, integerOf, readRoot } from '../der/reader.ts';
import { isStringTag, stringOf } from '../der/strings.ts';
import { BOOLEAN, INTEGER, OCTET_STRING } from '../der/tags.ts';
import { isPkiError, PkiError } from '../errors.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { verifyTrust } from '../x509/trust.ts';
import { readCbor } from './cbor.ts';

const apple = '1.2.840.113635.100.8';

/** OIDs of the extensions in Apple's attestation certificates. */
export const appleAttestationOids = {
  serialNumber: `${apple}.9.1`,
  udid: `${apple}.9.2`,
  softwareUpdateDeviceId: `${apple}.9.4`,
  osVersion: `${apple}.10.1`,
  sepOsVersion: `${apple}.10.2`,
  llbVersion: `${apple}.10.3`,
  freshness: `${apple}.11.1`,
  sipStatus: `${apple}.13.1`,
  secureBootStatus: `${apple}.13.2`,
  kernelExtensionsAllowed: `${apple}.13.3`,
} as const;

/**
 * What Apple attests. A property is absent where Apple left it out or blank: serial number and UDID for user
 * enrolments, the last three except on macOS 14.2 and later.
 */
export interface AppleAttestedProperties {
  readonly serialNumber?: string;
  /** On a Mac the provisioning UDID, not the UDID of the MDM protocol. */
  readonly udid?: string;
  /** Model identifier of Apple's update catalogue. */
  readonly softwareUpdateDeviceId?: string;
  readonly osVersion?: string;
  /** Version of the Secure Enclave's system. */
  readonly sepOsVersion?: string;
  /** Version of the low-level boot loader. */
  readonly llbVersion?: string;
  /** `0`: system integrity protection is on; `1`: off. */
  readonly sipStatus?: string;
  /** `Full Security`, `Reduced Security`, `Permissive Security`, or the number that stands for it. */
  readonly secureBootStatus?: string;
  /** `0`: no third-party kernel extensions. */
  readonly kernelExtensionsAllowed?: string;
}

/** A verified attestation. */
export interface AppleAttestation {
  /** The attestation certificate. */
  readonly certificate: Certificate;
  /** Leaf first, anchor last, DER. */
  readonly chain: readonly Uint8Array[];
  /** SubjectPublicKeyInfo DER of the attested key. */
  readonly publicKey: Uint8Array;
  /** Lower-case hex SHA-256 of `publicKey`. */
  readonly publicKeyHash: string;
  /** The freshness code, where Apple put one in. */
  readonly freshness?: Uint8Array;
  readonly properties: AppleAttestedProperties;
}

/** How to judge an attestation. */
export interface VerifyAttestationOptions {
  /** Trusted roots, DER; {@link appleEnterpriseAttestationRoot}, or a test's own. */
  readonly roots: readonly Uint8Array[];
  /** Epoch milliseconds, or a Date. */
  readonly now: number | Date;
  /**
   * The freshness code that must be in the certificate: for ACME the SHA-256 of the challenge's token, for the
   * `DeviceInformation` command the `DeviceAttestationNonce`. Null accepts any (a cached attestation).
   */
  readonly freshness: Uint8Array | null;
  /** How far ahead of this clock the attestation may begin. Default 5 minutes. */
  readonly clockSkewMs?: number;
}

const maxChain = 4;
const refuse = (code: string, message: string): PkiError =>
  new PkiError(`pki.attestation.${code}`, message, { kind: 'unauthenticated' });

/**
 * Verifies a chain of attestation certificates, leaf first, as a device sends them in `x5c` or in the
 * `DevicePropertiesAttestation` of a `DeviceInformation` result. Every certificate must be part of the one path from the
 * leaf to a configured root.
 *
 * @throws PkiError kind `unauthenticated`: `pki.attestation.chain`, `.expired`, `.freshness`, `.leaf`; `pki.der.invalid`
 * and the like for what is no certificate.
 * @example
 * const { properties } = verifyAppleAttestation(result.DevicePropertiesAttestation, {
 *   roots: [appleEnterpriseAttestationRoot], now: Date.now(), freshness: null,
 * });
 */
export function verifyAppleAttestation(
  certificates: readonly Uint8Array[],
  options: VerifyAttestationOptions,
): AppleAttestation {
  const [leaf, ...others] = certificates;
  if (!leaf || certificates.length > maxChain) {
    throw refuse('chain', `an attestation has 1 to ${maxChain} certificates`);
  }
  const chain = pathOf(leaf, others, options);
  // Nothing beside the path: whoever adds certificates of their own hopes that somebody trusts one of them.
  for (const [i, certificate] of certificates.entries()) {
    if (!chain[i] || Buffer.compare(chain[i], certificate) !== 0) {
      throw refuse('chain', 'the attestation holds a certificate that is not on the path to the root');
    }
  }
  const certificate = readCertificate(leaf);
  if (chain.length < 2 || certificate.basicConstraints?.ca) {
    throw refuse('leaf', 'an attestation is made by an authority of Apple, it is not one');
  }
  const freshness = freshnessOf(certificate);
  if (options.freshness !== null && !(freshness && sameBytes(freshness, options.freshness))) {
    throw refuse('freshness', freshness ? 'the freshness code is another one' : 'there is no freshness code');
  }
  return {
    certificate,
    chain,
    publicKey: certificate.publicKey,
    publicKeyHash: certificate.publicKeyHash,
    ...(freshness ? { freshness } : {}),
    properties: propertiesOf(certificate),
  };
}

function pathOf(leaf: Uint8Array, others: readonly Uint8Array[], options: VerifyAttestationOptions): Uint8Array[] {
  const now = Number(options.now);
  const verify = (at: number): Uint8Array[] =>
    verifyTrust(leaf, {
      anchors: options.roots,
      intermediates: others,
      now: at,
      criticalExtensions: Object.values(appleAttestationOids),
    });
  try {
    try {
      return verify(now);
    } catch (error) {
      if (!isPkiError(error, 'pki.trust.not_yet_valid')) throw error;
      return verify(now + (options.clockSkewMs ?? 5 * 60_000));
    }
  } catch (error) {
    if (!(error instanceof PkiError) || !error.code.startsWith('pki.trust.')) throw error;
    const timely = error.code === 'pki.trust.expired' || error.code === 'pki.trust.not_yet_valid';
    throw refuse(timely ? 'expired' : 'chain', error.message);
  }
}

/** Both lengths are public; the content is compared in constant time. */
const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

const extensionValue = (certificate: Certificate, oid: string): Uint8Array | undefined =>
  certificate.extensions.find((extension) => extension.oid === oid)?.value;

/** Apple writes the bare code into the extension; an OCTET STRING around it is understood as well. */
function freshnessOf(certificate: Certificate): Uint8Array | undefined {
  const value = extensionValue(certificate, appleAttestationOids.freshness);
  if (!value || value.length === 0) return undefined;
  return value.length === 34 && value[0] === 0x04 && value[1] === 32 ? value.subarray(2) : value;
}

function propertiesOf(certificate: Certificate): AppleAttestedProperties {
  const properties: Record<string, string> = {};
  for (const [name, oid] of Object.entries(appleAttestationOids)) {
    const value = name === 'freshness' ? undefined : extensionValue(certificate, oid);
    const text = value && textOf(value);
    if (text) properties[name] = text; // blank means: Apple's servers could not tell
  }
  return properties;
}

/** Apple writes some values as bare text and some as DER; printable text is never DER of a type used here. */
function textOf(value: Uint8Array): string | undefined {
  if (value.length > 256) return undefined;
  const bare = Buffer.from(value).toString('latin1');
  if (/^[\x20-\x7e]*$/.test(bare)) return bare;
  try {
    const node = readRoot(value);
    if (node.tag === INTEGER) return BigInt(`0x${Buffer.from(integerOf(node)).toString('hex')}`).toString();
    if (node.tag === BOOLEAN) return contentOf(node)[0] === 0 ? '0' : '1';
    if (node.tag === OCTET_STRING) return textOf(contentOf(node));
    return isStringTag(node.tag) ? stringOf(node) : undefined;
  } catch (error) {
    // Apple may write a property in a form of tomorrow: it is then not known here, and whoever needs it refuses.
    if (error instanceof PkiError) return undefined;
    throw error;
  }
}

/**
 * Verifies the attestation object of a `device-attest-01` response (`attObj`, CBOR): format `apple`, then the chain in
 * `attStmt.x5c` as {@link verifyAppleAttestation} does, with the SHA-256 of the challenge's token as freshness.
 *
 * @throws PkiError `pki.cbor.invalid`, `pki.attestation.format`, and what {@link verifyAppleAttestation} throws.
 */
export function verifyAttestationObject(
  attestationObject: Uint8Array,
  options: Omit<VerifyAttestationOptions, 'freshness'> & { readonly token: string },
): AppleAttestation {
  const object = readCbor(attestationObject);
  if (!(object instanceof Map)) throw refuse('format', 'the attestation object is not a map');
  if (object.get('fmt') !== 'apple') throw refuse('format', 'the format of the attestation is not apple');
  const statement: unknown = object.get('attStmt');
  const certificates: unknown = statement instanceof Map ? statement.get('x5c') : undefined;
  if (!isByteStrings(certificates)) throw refuse('format', 'the attestation statement has no x5c of byte strings');
  const freshness = createHash('sha256').update(options.token, 'utf8').digest();
  return verifyAppleAttestation(certificates, { ...options, freshness });
}

const isByteStrings = (value: unknown): value is Uint8Array[] =>
  Array.isArray(value) && value.every((item) => item instanceof Uint8Array);
