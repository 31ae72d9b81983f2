// The shape of facts, and the conversions from what Apple sends to what a fact holds.
import type { Authenticate, TokenUpdate } from '../checkin/messages.ts';
import { isDict, numberOf, type PlistValue } from '../plist.ts';

/** One value of a device fact. Dates are milliseconds since the Unix epoch; `null` says that the device has none. */
export type FactValue = string | number | boolean | null | readonly (string | number | boolean)[];

/** Facts of one device, keyed by search token (`common.platform`, `ios.Supervised` …). Absent means unknown. */
export type Facts = { readonly [token: string]: FactValue };

/** Facts while they are collected. */
export type FactSink = { [token: string]: FactValue };

/** Turns a value of a response into a fact; `undefined` when it is not what Apple's schema says, which is then left out. */
export type Conversion = (value: PlistValue) => FactValue | undefined;

export const text: Conversion = (value) => (typeof value === 'string' ? value : undefined);
export const flag: Conversion = (value) => (typeof value === 'boolean' ? value : undefined);
export const number: Conversion = (value) => numberOf(value);
export const instant: Conversion = (value) => (value instanceof Date ? value.getTime() : undefined);
export const texts: Conversion = (value) =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : undefined;

/** 0 to 1 becomes 0 to 100; -1 says that the device does not know. */
export const percent: Conversion = (value) => {
  const level = numberOf(value);
  if (level === undefined || Number.isNaN(level)) return undefined;
  return level < 0 ? null : Math.round(level * 100);
};

/** A name in a dictionary, or the text itself. */
export function nameIn(key: string): Conversion {
  return (value) => {
    const name = isDict(value) ? value[key] : value;
    return name === undefined ? undefined : text(name);
  };
}

const families: readonly (readonly [prefix: string, platform: string])[] = [
  ['iPhone', 'iOS'],
  ['iPod', 'iOS'],
  ['iPad', 'iOS'],
  ['AppleTV', 'tvOS'],
  ['AudioAccessory', 'tvOS'],
  ['Watch', 'watchOS'],
  ['RealityDevice', 'visionOS'],
  ['Mac', 'macOS'],
  ['iMac', 'macOS'],
  ['VirtualMac', 'macOS'],
  ['Xserve', 'macOS'],
];

/**
 * The operating system that a product name stands for: `iPhone15,2` gives `iOS`, `Mac14,7` gives `macOS`. iPads count
 * as `iOS`, as the search language has it. `null` when the name is not known.
 */
export function platformOf(productName: string): 'iOS' | 'macOS' | 'tvOS' | 'watchOS' | 'visionOS' | null {
  for (const [prefix, platform] of families) {
    if (productName.startsWith(prefix)) return platform as 'iOS';
  }
  return null;
}

/** Platform, its name with the version, and the manufacturer. */
export function addPlatform(facts: FactSink, productName: string | undefined, osVersion: string | undefined): void {
  facts['common.manufacturer'] = 'Apple';
  const platform = productName === undefined ? null : platformOf(productName);
  if (platform === null) return;
  facts['common.platform'] = platform;
  if (osVersion !== undefined) facts['common.platform_name'] = `${platform} ${osVersion}`;
}

/** The facts that an enrolment begins with. */
export function authenticateFacts(message: Authenticate): Facts {
  const facts: FactSink = {};
  addPlatform(facts, message.productName, message.osVersion);
  const add = (token: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') facts[token] = value;
  };
  add('ios.UDID', message.ids.udid);
  add('ios.EnrollmentID', message.ids.enrolmentId);
  add('common.serial_number', message.serialNumber);
  add('common.os_version', message.osVersion);
  add('ios.BuildVersion', message.buildVersion);
  add('ios.iPhone VERSION', message.buildVersion);
  add('ios.ProductName', message.productName);
  add('ios.iPhone PRODUCT', message.productName);
  add('common.imei', message.imei);
  add('ios.MEID', message.meid);
  add('ios.DeviceName', message.deviceName);
  add('common.model', message.model);
  add('common.model_name', message.modelName);
  return facts;
}

/** The facts that a `TokenUpdate` brings: the user on a user channel, whether Setup Assistant waits on the device channel. */
export function tokenUpdateFacts(message: TokenUpdate, kind: 'user' | 'shared-ipad-user' | 'device'): Facts {
  const { userId, userShortName, userLongName } = message.ids;
  if (kind === 'shared-ipad-user') return userShortName === undefined ? {} : { 'ios.managed_apple_id': userShortName };
  if (kind === 'device') return { 'ios.AwaitingConfiguration': message.awaitingConfiguration };
  return {
    ...(userId === undefined ? {} : { 'ios.macos_user_id': userId }),
    ...(userShortName === undefined ? {} : { 'ios.macos_user_short_name': userShortName }),
    ...(userLongName === undefined ? {} : { 'ios.macos_user_long_name': userLongName }),
  };
}
