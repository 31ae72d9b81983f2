// The device that a value is meant for, and its short written form.
import { type Platform, platforms } from '../schema/model.ts';

/** A device as far as it is known: a fact that is absent is not judged. */
export interface Target {
  /** iPadOS is `iOS`. */
  readonly platform: Platform;
  /** As `17.4` or `10.15.7`. */
  readonly osVersion?: string;
  readonly supervised?: boolean;
  /** `user` is User Enrolment (account- or profile-driven), `device` every other enrolment, `local` no MDM server. */
  readonly enrolment?: 'device' | 'user' | 'local';
  /** The MDM channel that it goes over. */
  readonly channel?: 'device' | 'user';
  readonly sharedIpad?: boolean;
  /** Enrolled with Automated Device Enrolment. */
  readonly ade?: boolean;
  /** User-approved MDM enrolment (macOS). */
  readonly userApproved?: boolean;
  /** Installed by hand instead of by an MDM server. */
  readonly manual?: boolean;
}

/** What `parseTarget` gives: the target, or what is wrong with the text. */
export type ParsedTarget =
  | { readonly target: Target; readonly problem?: undefined }
  | { readonly target?: undefined; readonly problem: string };

type Facts = { -readonly [K in keyof Target]?: Target[K] };

const platformNames: Readonly<Record<string, Platform>> = {
  ...Object.fromEntries(platforms.map((platform) => [platform.toLowerCase(), platform])),
  ipados: 'iOS',
  ipad: 'iOS',
  iphone: 'iOS',
  mac: 'macOS',
  osx: 'macOS',
  appletv: 'tvOS',
  vision: 'visionOS',
  xros: 'visionOS',
  watch: 'watchOS',
};

const words: Readonly<Record<string, Facts>> = {
  supervised: { supervised: true },
  unsupervised: { supervised: false },
  'device-enrolment': { enrolment: 'device' },
  'user-enrolment': { enrolment: 'user' },
  local: { enrolment: 'local' },
  'device-channel': { channel: 'device' },
  'user-channel': { channel: 'user' },
  'shared-ipad': { sharedIpad: true },
  'not-shared-ipad': { sharedIpad: false },
  ade: { ade: true },
  'not-ade': { ade: false },
  'user-approved': { userApproved: true },
  'not-user-approved': { userApproved: false },
  manual: { manual: true },
  mdm: { manual: false },
};

/** The words that `parseTarget` takes after the platform. */
export const targetWords: readonly string[] = Object.keys(words);

const versionPattern = /^\d{1,4}(\.\d{1,4}){0,3}$/;

/** True for a version that can be compared, as `17`, `17.4` or `10.15.7`. */
export function isVersion(text: string): boolean {
  return versionPattern.test(text);
}

/**
 * Reads a target written as `platform[:version][,word…]`. Words: `supervised`, `user-enrolment`, `user-channel`,
 * `shared-ipad`, `ade`, `user-approved`, `manual`, and their opposites (see `targetWords`).
 *
 * @example
 * parseTarget('ios:17.4,supervised').target; // { platform: 'iOS', osVersion: '17.4', supervised: true }
 */
export function parseTarget(text: string): ParsedTarget {
  const [head = '', ...rest] = text.split(',').map((part) => part.trim().toLowerCase());
  const [name = '', version, ...more] = head.split(':');
  const platform = Object.hasOwn(platformNames, name) ? platformNames[name] : undefined;
  if (platform === undefined) {
    return { problem: `${name === '' ? 'no platform' : `unknown platform '${name}'`}: use ${platforms.join(', ')}` };
  }
  if (more.length > 0 || (version !== undefined && !isVersion(version))) {
    return { problem: `'${head.slice(name.length + 1)}' is not an OS version such as 17.4` };
  }
  const target: Facts & { platform: Platform } = { platform };
  if (version !== undefined) target.osVersion = version;
  for (const word of rest) {
    const spelled = word.replace(/enrollment/, 'enrolment').replaceAll('_', '-');
    if (!Object.hasOwn(words, spelled)) {
      return { problem: `unknown word '${word}': use ${targetWords.join(', ')}` };
    }
    Object.assign(target, words[spelled]);
  }
  return { target };
}

/**
 * The written form of a target, as `parseTarget` reads it.
 *
 * @example
 * formatTarget({ platform: 'iOS', osVersion: '17.4', supervised: true }); // 'ios:17.4,supervised'
 */
export function formatTarget(target: Target): string {
  const head = target.platform.toLowerCase() + (target.osVersion === undefined ? '' : `:${target.osVersion}`);
  const said = Object.entries(words).filter(([, facts]) =>
    Object.entries(facts).every(([fact, value]) => target[fact as keyof Target] === value),
  );
  return [head, ...said.map(([word]) => word)].join(',');
}

/** A target of only well-formed facts: whatever else is in it is taken as not specified. `null`: no platform. */
export function readTarget(value: unknown): Target | null {
  if (typeof value !== 'object' || value === null) return null;
  const raw = value as Record<string, unknown>;
  if (!Object.hasOwn(raw, 'platform') || !(platforms as readonly unknown[]).includes(raw['platform'])) return null;
  const target: Facts & { platform: Platform } = { platform: raw['platform'] as Platform };
  const own = (name: string): unknown => (Object.hasOwn(raw, name) ? raw[name] : undefined);
  const version = own('osVersion');
  if (typeof version === 'string' && isVersion(version)) target.osVersion = version;
  for (const fact of ['supervised', 'sharedIpad', 'ade', 'userApproved', 'manual'] as const) {
    const given = own(fact);
    if (typeof given === 'boolean') target[fact] = given;
  }
  const enrolment = own('enrolment');
  if (enrolment === 'device' || enrolment === 'user' || enrolment === 'local') target.enrolment = enrolment;
  const channel = own('channel');
  if (channel === 'device' || channel === 'user') target.channel = channel;
  return target;
}

/**
 * Compares two OS versions by their numbers: negative when `a` is older, 0 when equal (`17` equals `17.0`).
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = Number(left[i] ?? 0) - Number(right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
