// Payloads that give a device an identity: PKCS#12, SCEP, ACME.
import type { PayloadCommon, ProfilePayload } from '@espalier/apple-mdm';
import {
  type AlternativeName,
  createPkcs12,
  type FileIdentity,
  type NameInput,
  type RandomSource,
  readCertificate,
  readPkcs12,
} from '@espalier/pki';
import { asPolicyError, checkedPayload, defined, invalid } from './check.ts';
import { appleSubject, appleSubjectAltName } from './names.ts';

type Common = Omit<PayloadCommon, 'uuid'>;

/** A PKCS#12 payload. */
export interface Pkcs12PayloadOptions {
  /** A file, which is read with the password to see that it holds one identity; or the identity itself. */
  readonly identity: Uint8Array | FileIdentity;
  /** Of the file; for an identity, what its file is encrypted with: make a fresh one for each delivery. */
  readonly password: string;
  /** For an identity: `legacy` is read by old systems, too. Default `modern`. */
  readonly encryption?: 'modern' | 'legacy';
  readonly random?: RandomSource;
  readonly fileName?: string;
  /** macOS: whether the private key can be exported. Default false. */
  readonly keyIsExtractable?: boolean;
  /** macOS: whether all apps may use the private key. Default: the system's (no). */
  readonly allowAllAppsAccess?: boolean;
  readonly common?: Common;
}

/**
 * Makes a `com.apple.security.pkcs12` payload. Issuers in the file are not reliably used by devices: send them with
 * `certificatePayloads` in the same profile. The profile holds a private key: sign it, and encrypt it to the device.
 *
 * @throws PolicyError `policy.credential.invalid`.
 */
export async function pkcs12Payload(options: Pkcs12PayloadOptions): Promise<ProfilePayload> {
  const { identity, password } = options;
  if (password === '')
    throw invalid('password', 'an identity needs a password', 'Make a random one for each delivery.');
  try {
    const file =
      identity instanceof Uint8Array
        ? identity
        : await createPkcs12({
            ...identity,
            password,
            ...defined({ encryption: options.encryption, random: options.random }),
          });
    const { certificate } = identity instanceof Uint8Array ? await readPkcs12(file, password) : identity;
    const { subjectCn } = readCertificate(certificate);
    const content = {
      PayloadContent: file,
      Password: password,
      PayloadCertificateFileName: options.fileName ?? 'identity.p12',
      KeyIsExtractable: options.keyIsExtractable ?? false,
      ...defined({ AllowAllAppsAccess: options.allowAllAppsAccess }),
    };
    return checkedPayload('com.apple.security.pkcs12', content, {
      ...(subjectCn === undefined ? {} : { displayName: subjectCn }),
      ...options.common,
    });
  } catch (error) {
    throw asPolicyError('identity', error);
  }
}

/** What a certificate is for. */
export type KeyUse = 'signing' | 'encryption' | 'both';
const useBits = { signing: 1, encryption: 4, both: 5 } as const;

/** A SCEP payload. */
export interface ScepPayloadOptions {
  readonly url: string;
  /** Which authority of the server, where it has several. */
  readonly name?: string;
  /** Text leaf first, or a name as `resolveSubject` gives it. */
  readonly subject?: Exclude<NameInput, Uint8Array>;
  readonly sans?: readonly AlternativeName[];
  /** Make a fresh one for each delivery: profiles wait for devices, and challenges expire. */
  readonly challenge?: string;
  /** Devices know RSA keys of these sizes only. Default 2048. */
  readonly keySize?: 1024 | 2048 | 4096;
  /** Some issuers refuse `both`. Default `both`. */
  readonly use?: KeyUse;
  /** Fingerprint of the authority's certificate, as bytes or hex (colons allowed): 16, 20, 32 or 64 bytes. */
  readonly caFingerprint?: Uint8Array | string;
  /** How often the device asks again while the server has not decided. The system's default is 3. */
  readonly retries?: number;
  /** Seconds between two of them. The system's default is 10. */
  readonly retryDelay?: number;
  /** macOS: whether the private key can be exported. Default false. */
  readonly keyIsExtractable?: boolean;
  readonly allowAllAppsAccess?: boolean;
  readonly common?: Common;
}

/**
 * Makes a `com.apple.security.scep` payload: the device makes its key and asks for the certificate itself.
 *
 * @throws PolicyError `policy.credential.invalid`.
 */
export function scepPayload(options: ScepPayloadOptions): ProfilePayload {
  if (!/^https?:$/.test(URL.parse(options.url)?.protocol ?? '')) {
    throw invalid('url', 'the address of the SCEP server is no web address', 'Give an http or https address.');
  }
  for (const key of ['retries', 'retryDelay'] as const) {
    const value = options[key];
    if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value <= 86_400)) {
      throw invalid(key, `${key} is a whole number from 0 to 86400`, 'Leave it out for the system’s default.');
    }
  }
  const use = options.use ?? 'both';
  if (!Object.hasOwn(useBits, use))
    throw invalid('use', 'a key is for signing, encryption, or both', 'Use one of these.');
  const content = {
    URL: options.url,
    ...defined({
      Name: options.name,
      Subject: options.subject === undefined ? undefined : appleSubject(options.subject),
      SubjectAltName: appleSubjectAltName(options.sans ?? []),
      Challenge: options.challenge,
      CAFingerprint: options.caFingerprint === undefined ? undefined : fingerprint(options.caFingerprint),
      Retries: options.retries,
      RetryDelay: options.retryDelay,
      AllowAllAppsAccess: options.allowAllAppsAccess,
    }),
    Keysize: options.keySize ?? 2048,
    'Key Type': 'RSA',
    'Key Usage': useBits[use],
    KeyIsExtractable: options.keyIsExtractable ?? false,
  };
  return checkedPayload(
    'com.apple.security.scep',
    { PayloadContent: content },
    { displayName: 'SCEP', ...options.common },
  );
}

function fingerprint(value: Uint8Array | string): Uint8Array {
  const hex = typeof value === 'string' ? value.replaceAll(/[:\s]/g, '') : Buffer.from(value).toString('hex');
  if (![32, 40, 64, 128].includes(hex.length) || !/^[0-9a-fA-F]*$/.test(hex)) {
    throw invalid('caFingerprint', 'not a fingerprint', 'Give the SHA-1 or SHA-256 of the certificate in hex.');
  }
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** An ACME payload. */
export interface AcmePayloadOptions {
  /** https only. */
  readonly directoryUrl: string;
  /** Single-use, made for this device: see `store.createIdentifier` of the ACME server. */
  readonly clientIdentifier: string;
  /** `ECSECPrimeRandom`: 192, 256, 384 or 521; `RSA`: 1024 to 4096, a multiple of 8. Default EC with 384 bits. */
  readonly keyType?: 'RSA' | 'ECSECPrimeRandom';
  readonly keySize?: number;
  /** The key never leaves the device (EC with 256 or 384 bits only). Default: whatever the key allows. */
  readonly hardwareBound?: boolean;
  /** Ask the device to attest itself and the key; needs `hardwareBound`. Default: as `hardwareBound`. */
  readonly attest?: boolean;
  readonly subject: Exclude<NameInput, Uint8Array>;
  readonly sans?: readonly AlternativeName[];
  readonly use?: KeyUse;
  /** Dotted OIDs. */
  readonly extendedKeyUsage?: readonly string[];
  /** macOS; a hardware-bound key cannot be exported anyway. Default false. */
  readonly keyIsExtractable?: boolean;
  readonly allowAllAppsAccess?: boolean;
  readonly common?: Common;
}

/**
 * Makes a `com.apple.security.acme` payload: the device makes its key, in hardware if that is asked for, attests it, and
 * asks the ACME server for the certificate.
 *
 * @throws PolicyError `policy.credential.invalid`, with the option in `at.path`.
 */
export function acmePayload(options: AcmePayloadOptions): ProfilePayload {
  if (URL.parse(options.directoryUrl)?.protocol !== 'https:') {
    throw invalid('directoryUrl', 'the directory of the ACME server needs https', 'Give an https address.');
  }
  if (options.clientIdentifier === '') {
    throw invalid('clientIdentifier', 'there is no client identifier', 'Make a single-use one for each device.');
  }
  const { keyType = 'ECSECPrimeRandom', keySize = keyType === 'RSA' ? 2048 : 384 } = options;
  const forHardware = keyType === 'ECSECPrimeRandom' && (keySize === 256 || keySize === 384);
  const hardwareBound = options.hardwareBound ?? forHardware;
  const attest = options.attest ?? hardwareBound;
  checkKey(keyType, keySize);
  if (hardwareBound && !forHardware) {
    throw invalid(
      'hardwareBound',
      'a hardware-bound key is an EC key of 256 or 384 bits',
      'Choose one, or do not bind it.',
    );
  }
  if (attest && !hardwareBound) {
    throw invalid('attest', 'only a hardware-bound key can be attested', 'Bind the key to the hardware, too.');
  }
  for (const [index, oid] of (options.extendedKeyUsage ?? []).entries()) {
    if (!/^[0-2](\.(0|[1-9]\d{0,14})){1,31}$/.test(oid)) {
      throw invalid(
        `extendedKeyUsage/${index}`,
        `not an object identifier: ${oid.slice(0, 80)}`,
        'Use dotted numbers.',
      );
    }
  }
  const { use } = options;
  if (use !== undefined && !Object.hasOwn(useBits, use)) {
    throw invalid('use', 'a key is for signing, encryption, or both', 'Use one of these.');
  }
  const content = {
    DirectoryURL: options.directoryUrl,
    ClientIdentifier: options.clientIdentifier,
    KeyType: keyType,
    KeySize: keySize,
    HardwareBound: hardwareBound,
    Attest: attest,
    Subject: appleSubject(options.subject),
    KeyIsExtractable: options.keyIsExtractable ?? false,
    ...defined({
      SubjectAltName: appleSubjectAltName(options.sans ?? []),
      UsageFlags: use === undefined ? undefined : useBits[use],
      ExtendedKeyUsage: options.extendedKeyUsage === undefined ? undefined : [...options.extendedKeyUsage],
      AllowAllAppsAccess: options.allowAllAppsAccess,
    }),
  };
  return checkedPayload('com.apple.security.acme', content, { displayName: 'ACME', ...options.common });
}

function checkKey(type: string, size: number): void {
  if (type === 'RSA') {
    if (Number.isInteger(size) && size >= 1024 && size <= 4096 && size % 8 === 0) return;
    throw invalid('keySize', 'an RSA key has 1024 to 4096 bits, a multiple of 8', 'Use 2048 or more.');
  }
  if (type !== 'ECSECPrimeRandom') throw invalid('keyType', 'a key is RSA or ECSECPrimeRandom', 'Use one of these.');
  if (![192, 256, 384, 521].includes(size)) {
    throw invalid('keySize', 'an EC key has 192, 256, 384 or 521 bits', 'Use 256 or 384.');
  }
}
