// SecurityInfo to facts. Keys: Apple's schema, mdm/commands/information.security.yaml.
import { isDict, type PlistDict } from '../plist.ts';
import { type Conversion, type FactSink, type Facts, flag, number, text } from './values.ts';

const keys: readonly (readonly [key: string, token: string, convert: Conversion])[] = [
  ['HardwareEncryptionCaps', 'ios.HardwareEncryptionCaps', number],
  ['PasscodePresent', 'ios.PasscodePresent', flag],
  ['PasscodeCompliant', 'ios.PasscodeIsCompliant', flag],
  ['PasscodeCompliantWithProfiles', 'ios.PasscodeIsCompliantWithProfiles', flag],
  ['FDE_Enabled', 'ios.FDE_Enabled', flag],
  ['FDE_HasPersonalRecoveryKey', 'ios.FDE_HasPersonalRecoveryKey', flag],
  ['FDE_HasInstitutionalRecoveryKey', 'ios.FDE_HasInstitutionalRecoveryKey', flag],
  ['SystemIntegrityProtectionEnabled', 'ios.SystemIntegrityProtectionEnabled', flag],
  ['IsRecoveryLockEnabled', 'ios.RecoveryLockEnabled', flag],
  ['RemoteDesktopEnabled', 'ios.RemoteDesktopEnabled', flag],
  ['AuthenticatedRootVolumeEnabled', 'ios.AuthenticatedRootVolumeEnabled', flag],
];

/** The same for keys of the dictionaries inside. */
const inner: readonly (readonly [dictionary: string, key: string, token: string, convert: Conversion])[] = [
  ['ManagementStatus', 'EnrolledViaDEP', 'ios.IsDEPEnrolledDevice', flag],
  ['ManagementStatus', 'IsUserEnrollment', 'ios.apple_user_enrolled_device', flag],
  ['ManagementStatus', 'UserApprovedEnrollment', 'ios.UserApprovedEnrollment', flag],
  ['ManagementStatus', 'IsActivationLockManageable', 'ios.IsActivationLockManageable', flag],
  ['FirewallSettings', 'FirewallEnabled', 'ios.FirewallEnabled', flag],
  ['FirewallSettings', 'BlockAllIncoming', 'ios.FirewallBlockAllIncoming', flag],
  ['FirewallSettings', 'StealthMode', 'ios.FirewallStealthMode', flag],
  ['SecureBoot', 'SecureBootLevel', 'ios.SecureBootLevel', text],
  ['SecureBoot', 'ExternalBootLevel', 'ios.ExternalBootLevel', text],
  ['FirmwarePasswordStatus', 'PasswordExists', 'ios.FirmwarePasswordExists', flag],
];

/**
 * Reads a `SecurityInfo` response. A Mac counts as encrypted when FileVault is on, other devices when they encrypt
 * files and blocks and have a passcode, which is Apple's condition for data protection.
 *
 * @param value The response as decoded (`readResponse(…).value`).
 */
export function securityInfoFacts(value: PlistDict): Facts {
  const { SecurityInfo: info } = value;
  if (!isDict(info)) return {};
  const facts: FactSink = {};
  for (const [key, token, convert] of keys) {
    const answer = info[key];
    const fact = answer === undefined ? undefined : convert(answer);
    if (fact !== undefined) facts[token] = fact;
  }
  for (const [dictionary, key, token, convert] of inner) {
    const dict = info[dictionary];
    const answer = isDict(dict) ? dict[key] : undefined;
    const fact = answer === undefined ? undefined : convert(answer);
    if (fact !== undefined) facts[token] = fact;
  }
  const caps = facts['ios.HardwareEncryptionCaps'];
  const passcode = facts['ios.PasscodePresent'];
  const fileVault = facts['ios.FDE_Enabled'];
  if (typeof fileVault === 'boolean') {
    facts['common.device_encrypted'] = fileVault;
  } else if (typeof caps === 'number' && typeof passcode === 'boolean') {
    facts['ios.data_protection'] = caps === 3 && passcode;
    facts['common.device_encrypted'] = caps === 3 && passcode;
  }
  const status = encryptionStatus(facts);
  if (status !== null) facts['common.encryption_status'] = status;
  return facts;
}

/**
 * How a device is encrypted, by the names that administrators know (ACT-10): `Active`, `Inactive` (FileVault is off, or an iPhone
 * has no passcode, without which its files are not protected), `Unsupported` (the device does not encrypt both files and
 * blocks); `null` where the device told too little.
 *
 * @param facts What the device told: `ios.FDE_Enabled`, or `ios.HardwareEncryptionCaps` and `ios.PasscodePresent`.
 */
export function encryptionStatus(facts: Facts): 'Active' | 'Inactive' | 'Unsupported' | null {
  const fileVault = facts['ios.FDE_Enabled'];
  if (typeof fileVault === 'boolean') return fileVault ? 'Active' : 'Inactive';
  const caps = facts['ios.HardwareEncryptionCaps'];
  if (typeof caps !== 'number') return null;
  if (caps !== 3) return 'Unsupported';
  const passcode = facts['ios.PasscodePresent'];
  return typeof passcode === 'boolean' ? (passcode ? 'Active' : 'Inactive') : null;
}
