// Builds configuration profiles: payloads typed by Apple's schema, identifiers and UUIDs stable from run to run.
import { encodePlist } from '../command/command.ts';
import { MdmError } from '../errors.ts';
import type { ProfilePayloads } from '../generated/types-profiles.ts';
import type { PlistInput } from '../plist.ts';
import { uuidFrom } from './uuid.ts';

/** A payload's own keys, without the common ones. */
export type PayloadContent = { readonly [key: string]: PlistInput | undefined };

/** The keys that every payload has; what is left out is derived. */
export interface PayloadCommon {
  /** `PayloadIdentifier`; default: the profile's identifier, the type's last part, and a number from the second on. */
  readonly identifier?: string;
  /** `PayloadUUID`; default: from the identifier, the type and the content. */
  readonly uuid?: string;
  readonly displayName?: string;
  readonly description?: string;
  readonly organisation?: string;
}

/** One payload of a profile. */
export interface ProfilePayload extends PayloadCommon {
  /** `PayloadType`, e.g. `com.apple.wifi.managed`. */
  readonly type: string;
  readonly content: PayloadContent;
}

/**
 * A payload whose content is checked by the compiler.
 * @example
 * payload('com.apple.mobiledevice.passwordpolicy', { minLength: 6, forcePIN: true }, { displayName: 'Passcode' });
 */
export function payload<T extends keyof ProfilePayloads & string>(
  type: T,
  content: ProfilePayloads[T],
  common: PayloadCommon = {},
): ProfilePayload {
  return { ...common, type, content: content as PayloadContent };
}

/** What a profile is made of. */
export interface ProfileInput {
  /** `PayloadIdentifier`, in reverse DNS: a profile with the same one is replaced. */
  readonly identifier: string;
  readonly displayName: string;
  readonly description?: string;
  readonly organisation?: string;
  /** `PayloadUUID`; default: from everything that is in the profile. */
  readonly uuid?: string;
  /** `PayloadScope`: macOS only. */
  readonly scope?: 'System' | 'User';
  /** `PayloadRemovalDisallowed`: needs a supervised device on iOS. */
  readonly removalDisallowed?: boolean;
  /** `RemovalDate`: the device removes the profile then. */
  readonly removalDate?: Date;
  /** `TargetDeviceType`: 1 iPhone and iPad, 2 Watch, 3 HomePod, 4 Apple TV, 5 Mac, 6 Vision Pro. */
  readonly targetDeviceType?: 0 | 1 | 2 | 3 | 4 | 5 | 6;
  /** `ConsentText`: by BCP 47 language, and `default`. */
  readonly consentText?: { readonly [language: string]: string };
  readonly payloads: readonly ProfilePayload[];
}

/** A profile that was built. */
export interface BuiltProfile {
  /** The property list's root. */
  readonly value: { readonly [key: string]: PlistInput };
  /** The property list, XML, unsigned. */
  readonly bytes: Uint8Array;
  /** The profile's `PayloadUUID`. */
  readonly uuid: string;
  readonly identifier: string;
  /** Identifier, type and UUID of each payload, in order. */
  readonly payloads: readonly { readonly type: string; readonly identifier: string; readonly uuid: string }[];
}

/**
 * Builds a profile. The same input gives the same bytes: nothing is random, and UUIDs come from the content, whatever
 * the order of the keys. A payload that did not change keeps its UUID, which lets the device keep it in place.
 *
 * @throws MdmError `mdm.profile.missing_key` (no identifier, no type), `mdm.profile.duplicate`, `mdm.profile.bad_key`
 *   (a common key inside a payload's content), `mdm.not_plist` (a value that no property list can hold)
 * @example
 * const { bytes } = buildProfile({
 *   identifier: 'com.example.passcode',
 *   displayName: 'Passcode',
 *   payloads: [payload('com.apple.mobiledevice.passwordpolicy', { minLength: 6, forcePIN: true })],
 * });
 */
export function buildProfile(input: ProfileInput): BuiltProfile {
  if (input.identifier === '') throw new MdmError('mdm.profile.missing_key', 'a profile needs an identifier');
  const identifiers = new Set<string>();
  const uuids = new Set<string>();
  const built = input.payloads.map((item, index) => {
    const identifier = item.identifier ?? payloadIdentifier(input.identifier, item.type, identifiers);
    const whole = buildPayload(item, identifier, index);
    claim(identifiers, identifier, index, 'identifier');
    claim(uuids, whole.PayloadUUID, index, 'UUID');
    return whole;
  });
  const content = {
    PayloadContent: built,
    ...defined({
      PayloadDescription: input.description,
      PayloadOrganization: input.organisation,
      PayloadScope: input.scope,
      PayloadRemovalDisallowed: input.removalDisallowed,
      RemovalDate: input.removalDate,
      TargetDeviceType: input.targetDeviceType,
      ConsentText: input.consentText,
    }),
    PayloadDisplayName: input.displayName,
    PayloadIdentifier: input.identifier,
    PayloadType: 'Configuration',
    PayloadVersion: 1,
  };
  const uuid = input.uuid ?? uuidFrom('profile', encodePlist(content, { sortKeys: true }));
  const value = { ...content, PayloadUUID: uuid };
  return {
    value,
    bytes: encodePlist(value),
    uuid,
    identifier: input.identifier,
    payloads: built.map((item) => ({
      type: item.PayloadType,
      identifier: item.PayloadIdentifier,
      uuid: item.PayloadUUID,
    })),
  };
}

const commonKeys = ['PayloadType', 'PayloadIdentifier', 'PayloadUUID', 'PayloadVersion'];

function buildPayload(item: ProfilePayload, identifier: string, index: number) {
  if (item.type === '') throw new MdmError('mdm.profile.missing_key', `payload ${index} has no type`, at(index));
  for (const key of commonKeys) {
    if (item.content[key] !== undefined) {
      throw new MdmError('mdm.profile.bad_key', `payload ${index}: ${key} does not belong into the content`, at(index));
    }
  }
  return {
    ...defined(item.content),
    ...defined({
      PayloadDescription: item.description,
      PayloadDisplayName: item.displayName,
      PayloadOrganization: item.organisation,
    }),
    PayloadIdentifier: identifier,
    PayloadType: item.type,
    PayloadUUID: item.uuid ?? payloadUuid(item.type, identifier, item.content),
    PayloadVersion: 1,
  };
}

/**
 * The `PayloadUUID` that {@link buildProfile} derives: for payloads that have to name another one, as an MDM payload
 * names the payload of its identity.
 */
export function payloadUuid(type: string, identifier: string, content: PayloadContent): string {
  return uuidFrom('payload', type, identifier, encodePlist(content, { sortKeys: true }));
}

/**
 * The `PayloadIdentifier` that {@link buildProfile} derives for a payload without one, given those taken before it: for
 * payloads whose UUIDs have to be known before the profile is built.
 */
export function payloadIdentifier(profile: string, type: string, taken: ReadonlySet<string>): string {
  const short = type.split('.').at(-1) ?? type;
  let identifier = `${profile}.${short}`;
  for (let n = 2; taken.has(identifier); n++) identifier = `${profile}.${short}.${n}`;
  return identifier;
}

function claim(taken: Set<string>, value: string, index: number, what: string): void {
  if (taken.has(value)) {
    throw new MdmError('mdm.profile.duplicate', `payload ${index} has the same ${what} as an earlier one`, {
      ...at(index),
      remedy: 'devices refuse such a profile (MCProfileErrorDomain 1007, 1008): give it its own',
    });
  }
  taken.add(value);
}

function at(index: number): { readonly at: { readonly path: string } } {
  return { at: { path: `/PayloadContent/${index}` } };
}

function defined(record: PayloadContent): { [key: string]: PlistInput } {
  const result: { [key: string]: PlistInput } = {};
  for (const [key, value] of Object.entries(record)) if (value !== undefined) result[key] = value;
  return result;
}
