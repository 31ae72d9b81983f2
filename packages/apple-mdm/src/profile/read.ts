// Reads configuration profiles: unsigned, signed and encrypted. CMS is passed in, since it is another package's work.
import { decode } from '@espalier/plist';
import { MdmError, wrapPlistError } from '../errors.ts';
import { decodeMessage, defaultMessageLimits, Keys, type MessageLimits } from '../keys.ts';
import { optional } from '../optional.ts';
import { isDict, type PlistDict, type PlistValue } from '../plist.ts';

/** Functions and limits for {@link readProfile}. */
export interface ReadProfileOptions {
  /**
   * Opens a signed profile (CMS SignedData, DER): checks the signature and gives the content and, if it is known, the
   * signer's certificate. `verifyCms` of `@espalier/pki` fits. Whether the signer is trusted is for the caller to say.
   */
  readonly openSigned?: (cms: Uint8Array) => { readonly content: Uint8Array; readonly signer?: Uint8Array };
  /** Decrypts the payloads of an encrypted profile (CMS EnvelopedData, DER) with the device's key. */
  readonly decrypt?: (cms: Uint8Array) => Uint8Array;
  readonly limits?: MessageLimits;
}

/** One payload of a profile that was read. */
export interface ReadPayload {
  readonly type: string;
  readonly identifier: string;
  readonly uuid: string;
  readonly version: number;
  readonly displayName?: string;
  readonly description?: string;
  readonly organisation?: string;
  /** The whole payload, common keys included. */
  readonly content: PlistDict;
}

/** A profile that was read. */
export interface ReadProfile {
  readonly identifier: string;
  readonly uuid: string;
  readonly version: number;
  readonly displayName?: string;
  readonly description?: string;
  readonly organisation?: string;
  readonly scope?: string;
  readonly removalDisallowed: boolean;
  /** Empty for an encrypted profile that was not decrypted. */
  readonly payloads: readonly ReadPayload[];
  readonly signed: boolean;
  /** The signer's certificate (DER), when `openSigned` gave one. */
  readonly signer?: Uint8Array;
  readonly encrypted: boolean;
  /** The root dictionary, as decoded. */
  readonly value: PlistDict;
  /** The property list without its signature. */
  readonly plist: Uint8Array;
  /** The bytes as they were given. */
  readonly raw: Uint8Array;
}

const codes = { missing: 'mdm.profile.missing_key', bad: 'mdm.profile.bad_key' } as const;

/**
 * Reads a `.mobileconfig`.
 *
 * @throws MdmError `mdm.not_plist`, `mdm.too_large`, `mdm.too_complex`, `mdm.profile.missing_key`,
 *   `mdm.profile.bad_key`, `mdm.profile.signature` (signed, and nothing to open it with, or the signature does not
 *   hold), `mdm.profile.encrypted` (the payloads cannot be decrypted)
 * @example
 * const profile = readProfile(bytes, { openSigned: verifyCms });
 * for (const payload of profile.payloads) console.log(payload.type, payload.identifier);
 */
export function readProfile(bytes: Uint8Array, options: ReadProfileOptions = {}): ReadProfile {
  const signed = isDer(bytes);
  const opened = signed ? openSigned(bytes, options) : { content: bytes };
  const keys = new Keys(decodeMessage(opened.content, options.limits), codes);
  if (keys.requiredString('PayloadType') !== 'Configuration') {
    throw new MdmError(codes.bad, 'the root\'s PayloadType is not "Configuration"', { at: { path: '/PayloadType' } });
  }
  const encrypted = keys.boolean('IsEncrypted') ?? false;
  const contents = encrypted ? decryptPayloads(keys, options) : (keys.array('PayloadContent') ?? []);
  return {
    ...readCommon(keys),
    ...optional('scope', keys.string('PayloadScope')),
    removalDisallowed: keys.boolean('PayloadRemovalDisallowed') ?? false,
    payloads: contents.map(readPayload),
    signed,
    ...optional('signer', opened.signer),
    encrypted,
    value: keys.dict,
    plist: opened.content,
    raw: bytes,
  };
}

/** DER begins with a SEQUENCE; a property list, XML or binary, never with that byte. */
function isDer(bytes: Uint8Array): boolean {
  return bytes[0] === 0x30;
}

function openSigned(bytes: Uint8Array, options: ReadProfileOptions) {
  const limit = options.limits?.maxBytes ?? defaultMessageLimits.maxBytes;
  if (bytes.length > limit) {
    throw new MdmError('mdm.too_large', `the profile has ${bytes.length} bytes, where at most ${limit} are read`);
  }
  if (options.openSigned === undefined) {
    throw new MdmError('mdm.profile.signature', 'the profile is signed', {
      remedy: 'pass openSigned, e.g. verifyCms of @espalier/pki',
    });
  }
  try {
    return options.openSigned(bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MdmError('mdm.profile.signature', `the profile's signature does not hold: ${reason}`, { cause });
  }
}

function decryptPayloads(keys: Keys, options: ReadProfileOptions): readonly PlistValue[] {
  const cms = keys.requiredData('EncryptedPayloadContent');
  if (options.decrypt === undefined) return [];
  let plain: Uint8Array;
  try {
    plain = options.decrypt(cms);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MdmError('mdm.profile.encrypted', `the payloads cannot be decrypted: ${reason}`, { cause });
  }
  let root: PlistValue;
  try {
    root = decode(plain, { limits: { ...defaultMessageLimits, ...options.limits } });
  } catch (error) {
    throw wrapPlistError(error);
  }
  if (!Array.isArray(root)) throw new MdmError('mdm.profile.encrypted', 'the decrypted payloads are not an array');
  return root;
}

function readPayload(value: PlistValue, index: number): ReadPayload {
  const path = `/PayloadContent/${index}`;
  if (!isDict(value)) throw new MdmError(codes.bad, `${path} is not a dictionary`, { at: { path } });
  const keys = new Keys(value, codes, path);
  return { type: keys.requiredString('PayloadType'), ...readCommon(keys), content: value };
}

function readCommon(keys: Keys) {
  const version = keys.integer('PayloadVersion');
  if (version === undefined) throw keys.missing('PayloadVersion');
  return {
    identifier: keys.requiredString('PayloadIdentifier'),
    uuid: keys.requiredString('PayloadUUID'),
    version,
    ...optional('displayName', keys.string('PayloadDisplayName')),
    ...optional('description', keys.string('PayloadDescription')),
    ...optional('organisation', keys.string('PayloadOrganization')),
  };
}
