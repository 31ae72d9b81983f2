// Payloads about trust: revocation checks, exemptions from certificate transparency, preferences.
import type { PayloadCommon, ProfilePayload } from '@espalier/apple-mdm';
import { readCertificate, readCertificateFile } from '@espalier/pki';
import { checkedPayload, invalid, reading } from './check.ts';

type Common = Omit<PayloadCommon, 'uuid'>;

/** SHA-256 of a certificate's public key (SubjectPublicKeyInfo), 32 bytes: what Apple's payloads name certificates by. */
export const publicKeySha256 = (certificate: Uint8Array): Uint8Array =>
  Uint8Array.from(Buffer.from(reading('certificate', () => readCertificate(certificate)).publicKeyHash, 'hex'));

/** Certificates by their public keys. */
export interface PublicKeyList {
  /** Files with certificates (PEM, DER, PKCS#7), whose public keys are hashed. */
  readonly certificates?: readonly Uint8Array[];
  /** Hashes made elsewhere: 32 bytes, or base64 of them. */
  readonly hashes?: readonly (Uint8Array | string)[];
}

function hashesOf({ certificates = [], hashes = [] }: PublicKeyList): { Algorithm: 'sha256'; Hash: Uint8Array }[] {
  const all = certificates.flatMap((file, index) =>
    reading(`certificates/${index}`, () => readCertificateFile(file)).map(({ certificate }) =>
      publicKeySha256(certificate),
    ),
  );
  for (const [index, given] of hashes.entries()) {
    const bytes = typeof given === 'string' ? Buffer.from(given, 'base64') : given;
    const exact = typeof given !== 'string' || /^[A-Za-z0-9+/]{43}=$/.test(given);
    if (bytes.length !== 32 || !exact) {
      const remedy = 'Give base64 of the SHA-256 of the public key (SubjectPublicKeyInfo, DER), or the certificate.';
      throw invalid(`hashes/${index}`, 'a hash of a public key has 32 bytes', remedy);
    }
    all.push(Uint8Array.from(bytes));
  }
  const seen = new Map(all.map((hash) => [Buffer.from(hash).toString('hex'), hash]));
  return [...seen.values()].map((Hash) => ({ Algorithm: 'sha256', Hash }));
}

/**
 * Makes a `com.apple.security.certificaterevocation` payload: the device checks the revocation of every certificate below
 * these authorities.
 *
 * @throws PolicyError `policy.credential.invalid`.
 */
export function certificateRevocationPayload(authorities: PublicKeyList, common: Common = {}): ProfilePayload {
  const EnabledForCerts = hashesOf(authorities);
  if (EnabledForCerts.length === 0) throw invalid('certificates', 'there is no authority', 'Name at least one.');
  return checkedPayload('com.apple.security.certificaterevocation', { EnabledForCerts }, common);
}

/** What is exempt from certificate transparency. */
export interface TransparencyExemptions extends PublicKeyList {
  /** `www.example.com`, or `.example.com` with everything below it. */
  readonly domains?: readonly string[];
  /**
   * Tells whether a domain (without its leading dot) is one under which the public registers names, so that nobody
   * exempts all of them. Default: single labels, and the usual second levels (`co.uk`, `com.au`); pass a look-up in the
   * Public Suffix List to know them all.
   */
  readonly isPublicSuffix?: (domain: string) => boolean;
}

const secondLevels = new Set(['ac', 'co', 'com', 'edu', 'gob', 'gov', 'go', 'mil', 'ne', 'net', 'nom', 'or', 'org']);

/** Without a list: a single label, or a usual second level below a country's. */
function looksPublic(domain: string): boolean {
  const labels = domain.split('.');
  return labels.length < 2 || (labels.length === 2 && labels[1]!.length === 2 && secondLevels.has(labels[0]!));
}

const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const domainPattern = new RegExp(`^\\.?${label}(?:\\.${label})*$`);

/**
 * Makes a `com.apple.security.certificatetransparency` payload: domains and public keys for which the device does not ask
 * for signed certificate timestamps.
 *
 * @throws PolicyError `policy.credential.invalid`, e.g. for `.com` and `.co.uk`.
 */
export function certificateTransparencyPayload(exempt: TransparencyExemptions, common: Common = {}): ProfilePayload {
  const { isPublicSuffix = looksPublic } = exempt;
  const DisabledForDomains = (exempt.domains ?? []).map((given, index) => {
    const domain = given.trim().toLowerCase();
    const path = `domains/${index}`;
    if (domain.length > 254 || !domainPattern.test(domain)) {
      throw invalid(
        path,
        `not a domain: ${given.slice(0, 80)}`,
        'Write www.example.com, or .example.com; no wildcards.',
      );
    }
    if (domain.startsWith('.') && isPublicSuffix(domain.slice(1))) {
      throw invalid(path, `${domain} would exempt a whole top-level domain`, 'Name the domain that is yours.');
    }
    return domain;
  });
  const DisabledForCerts = hashesOf(exempt);
  if (DisabledForDomains.length + DisabledForCerts.length === 0) {
    throw invalid('domains', 'nothing is exempt', 'Name a domain or a certificate.');
  }
  const content = {
    ...(DisabledForDomains.length > 0 ? { DisabledForDomains } : {}),
    ...(DisabledForCerts.length > 0 ? { DisabledForCerts } : {}),
  };
  return checkedPayload('com.apple.security.certificatetransparency', content, common);
}

function preference(
  kind: 'certificatepreference' | 'identitypreference',
  name: string,
  uuid: string,
  common: Common,
): ProfilePayload {
  if (name === '') throw invalid('name', 'a preference is for a name', 'Give an e-mail address, a host name or a URL.');
  return checkedPayload(`com.apple.security.${kind}`, { Name: name, PayloadCertificateUUID: uuid }, common);
}

/**
 * Makes a `com.apple.security.certificatepreference` payload (macOS): the certificate that is preferred for a name.
 *
 * @param name e-mail address, host name or URL.
 * @param certificate `reference('…')` to a certificate payload of the same profile, or its UUID.
 * @throws PolicyError `policy.credential.invalid`.
 */
export const certificatePreferencePayload = (name: string, certificate: string, common: Common = {}): ProfilePayload =>
  preference('certificatepreference', name, certificate, common);

/**
 * Makes a `com.apple.security.identitypreference` payload (macOS): the identity that is shown to a name without asking.
 *
 * @param name e-mail address, host name or URL.
 * @param identity `reference('…')` to an identity payload of the same profile, or its UUID.
 * @throws PolicyError `policy.credential.invalid`.
 */
export const identityPreferencePayload = (name: string, identity: string, common: Common = {}): ProfilePayload =>
  preference('identitypreference', name, identity, common);
