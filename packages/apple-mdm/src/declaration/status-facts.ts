// Status items to facts, under the same tokens as the responses to commands.
import { encryptionStatus } from '../facts/security-info.ts';
import type { FactSink, Facts, FactValue } from '../facts/values.ts';

const tokens: readonly (readonly [item: string, token: string, type: 'string' | 'boolean'])[] = [
  ['device.identifier.serial-number', 'common.serial_number', 'string'],
  ['device.identifier.udid', 'ios.UDID', 'string'],
  ['device.model.identifier', 'ios.ProductName', 'string'],
  ['device.model.identifier', 'ios.iPhone PRODUCT', 'string'],
  ['device.model.number', 'ios.ModelNumber', 'string'],
  ['device.operating-system.version', 'common.os_version', 'string'],
  ['device.operating-system.build-version', 'ios.BuildVersion', 'string'],
  ['device.operating-system.build-version', 'ios.iPhone VERSION', 'string'],
  ['device.operating-system.supplemental.build-version', 'ios.SupplementalBuildVersion', 'string'],
  ['device.operating-system.supplemental.extra-version', 'ios.SupplementalOSVersionExtra', 'string'],
  ['diskmanagement.filevault.enabled', 'ios.FDE_Enabled', 'boolean'],
  ['diskmanagement.filevault.enabled', 'common.device_encrypted', 'boolean'],
  ['mdm.is-awaiting-configuration', 'ios.AwaitingConfiguration', 'boolean'],
  ['mdm.is-shared-ipad', 'ios.IsMultiUser', 'boolean'],
  ['passcode.is-compliant', 'ios.PasscodeIsCompliant', 'boolean'],
  ['passcode.is-present', 'ios.PasscodePresent', 'boolean'],
  ['softwareupdate.device-id', 'ios.SoftwareUpdateDeviceID', 'string'],
];

/** `device.operating-system.family` as the search language calls it: iPads count as iOS. */
const families: Readonly<Record<string, string>> = {
  iOS: 'iOS',
  iPadOS: 'iOS',
  macOS: 'macOS',
  tvOS: 'tvOS',
  visionOS: 'visionOS',
  watchOS: 'watchOS',
};

/**
 * Reads what status items tell into facts, keyed as `readInventory` keys them. Items of a wrong type are left out.
 *
 * @param reported The items that were reported now.
 * @param known All items that are known of the device, for facts that are made of two (default: the reported ones).
 * @example
 * statusFacts(report.items)['common.os_version']; // '18.3'
 */
export function statusFacts(
  reported: ReadonlyMap<string, unknown>,
  known: ReadonlyMap<string, unknown> = reported,
): Facts {
  const facts: FactSink = {};
  for (const [item, token, type] of tokens) {
    const value = reported.get(item);
    if (typeof value === type) facts[token] = value as FactValue;
  }
  const encryption = encryptionStatus(facts);
  if (encryption !== null) facts['common.encryption_status'] = encryption;
  const family = known.get('device.operating-system.family');
  const platform = typeof family === 'string' && Object.hasOwn(families, family) ? families[family] : undefined;
  const version = known.get('device.operating-system.version');
  const told = reported.has('device.operating-system.family') || reported.has('device.operating-system.version');
  if (told && platform !== undefined) {
    facts['common.platform'] = platform;
    if (typeof version === 'string') facts['common.platform_name'] = `${platform} ${version}`;
  }
  return facts;
}

/** The status items that {@link statusFacts} reads. */
export const factStatusItems: readonly string[] = Object.freeze([
  ...new Set([...tokens.map(([item]) => item), 'device.operating-system.family']),
]);
