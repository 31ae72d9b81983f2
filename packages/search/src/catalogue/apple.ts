// The 91 fields of Apple devices. One group named "iOS" holds all of Apple's platforms.
import type { Platform } from '../field.ts';
import { define, type Row } from './define.ts';

const MOBILE: readonly Platform[] = ['iOS', 'iPadOS'];
const MOBILE_MAC: readonly Platform[] = ['iOS', 'iPadOS', 'macOS'];
const MAC: readonly Platform[] = ['macOS'];
const TV: readonly Platform[] = ['tvOS'];
const SHARED: readonly Platform[] = ['iPadOS'];
const mobile = { platforms: MOBILE };
const mobileMac = { platforms: MOBILE_MAC };
const mac = { platforms: MAC };
const shared = (note?: string): { platforms: readonly Platform[]; path: string[]; note?: string } => ({
  platforms: SHARED,
  path: ['Shared iPad'],
  ...(note === undefined ? {} : { note }),
});

// Three subscriptions, each with five fields.
const subscriptions = (): Row[] => {
  const fields: readonly (readonly [string, string, string])[] = [
    ['sim_eid', 'SIM EID', 'EID'],
    ['sim_label', 'SIM Label', 'Label'],
    ['sim_mcc', 'SIM MCC', 'CurrentMCC'],
    ['sim_mnc', 'SIM MNC', 'CurrentMNC'],
    ['sim_phone_number', 'SIM Phone Number', 'PhoneNumber'],
  ];
  return fields.flatMap(([name, title, key]) =>
    [1, 2, 3].map((n): Row => {
      const first =
        n === 1 && key === 'CurrentMCC' ? ' | DI.SIMMCC' : n === 1 && key === 'CurrentMNC' ? ' | DI.SIMMNC' : '';
      const alias = n === 1 && first !== '' ? { aliases: [title] } : {};
      return [
        `${name}_${n}`,
        `${title} ${n}`,
        'str',
        `DI.ServiceSubscriptions[].${key} (subscription ${n})${first}`,
        { ...mobile, path: ['SIM'], ...alias },
      ];
    }),
  );
};

/** Fields of the category `ios`. */
export const APPLE_FIELDS = /* @__PURE__ */ define(
  'ios',
  [
    ['activation_lock_bypass_code', 'Activation Lock Bypass Code', 'secret', 'AL.ActivationLockBypassCode'],
    ['IsActivationLockEnabled', 'Activation Lock is Enabled', 'bool', 'DI.IsActivationLockEnabled', mobile],
    ['apns_token', 'APNS Token', 'secret', "AG (the agent's token, not that of the MDM client)", mobile],
    ['iPhone MAC_ADDRESS_EN0', 'Apple Device Mac Address', 'mac', 'PS.MAC_ADDRESS_EN0 | DI.WiFiMAC', mobileMac],
    ['iPhone VERSION', 'Apple Device Version', 'str', 'PS.VERSION | DI.BuildVersion', mobileMac],
    ['osUpdateProductKey', 'Apple OS Update Product Key', 'str', 'AU.ProductKey', mobileMac],
    [
      'osUpdateProductVersion',
      'Apple OS Update Product Version',
      'ver',
      'AU.Version | ST.softwareupdate.pending-version',
      mobileMac,
    ],
    [
      'osUpdateStatus',
      'Apple OS Update Status',
      'enum',
      'US.Status | ST.softwareupdate.install-state',
      { ...mobileMac, values: ['Idle', 'Downloading', 'Installing'] },
    ],
    [
      'apple_user_enrolled_device',
      'Apple User Enrolled Device',
      'bool',
      'SI.ManagementStatus.IsUserEnrollment | CI.EnrollmentID',
    ],
    ['BluetoothMAC', 'Bluetooth MAC', 'mac', 'DI.BluetoothMAC', mobileMac],
    [
      'BuildVersion',
      'Build Version',
      'str',
      'DI.BuildVersion | CI.BuildVersion | ST.device.operating-system.build-version',
      mobileMac,
    ],
    [
      'CarrierSettingsVersion',
      'Carrier Settings Version',
      'ver',
      'DI.CarrierSettingsVersion | DI.ServiceSubscriptions[].CarrierSettingsVersion',
      mobile,
    ],
    [
      'Current MCC',
      'Current Mobile Country Code',
      'str',
      'DI.CurrentMCC',
      { ...mobile, note: 'text: leading zeros count' },
    ],
    [
      'Current MNC',
      'Current Mobile Network Code',
      'str',
      'DI.CurrentMNC',
      { ...mobile, note: 'text: leading zeros count' },
    ],
    [
      'data_protection',
      'Data Protection',
      'bool',
      'SI.HardwareEncryptionCaps (3) | SI.PasscodePresent',
      { ...mobile, aliases: ['common.data_protection_enabled'] },
    ],
    ['DataRoamingEnabled', 'Data Roaming Enabled', 'bool', 'DI.DataRoamingEnabled', mobile],
    [
      'dep_device',
      'DEP Device',
      'bool',
      'AD (the serial number is in the list of the service)',
      { platforms: [...MOBILE_MAC, ...TV] },
    ],
    ['IsDEPEnrolledDevice', 'DEP Enrolled', 'bool', 'SI.ManagementStatus.EnrolledViaDEP', mobile],
    [
      'IsDeviceLocatorServiceEnabled',
      'Device Locator Service is Enabled',
      'bool',
      'DI.IsDeviceLocatorServiceEnabled',
      mobile,
    ],
    [
      'DeviceName',
      'Device Name',
      'str',
      'DI.DeviceName | CI.DeviceName',
      { ...mobileMac, note: 'a user can rename a device, and it then leaves a label that is based on the name' },
    ],
    ['IsDoNotDisturbInEffect', 'Do Not Disturb is in Effect', 'bool', 'DI.IsDoNotDisturbInEffect', mobile],
    [
      'forceEncryptedBackup',
      'Force Encrypted Backup',
      'bool',
      'RS.GlobalRestrictions.restrictedBool.forceEncryptedBackup',
      mobile,
    ],
    [
      'FDE_Enabled',
      'Full Disk Encryption Enabled',
      'bool',
      'SI.FDE_Enabled | ST.diskmanagement.filevault.enabled',
      mac,
    ],
    [
      'FDE_HasInstitutionalRecoveryKey',
      'Full Disk Encryption Has Institutional Recovery Key',
      'bool',
      'SI.FDE_HasInstitutionalRecoveryKey',
      mac,
    ],
    [
      'FDE_HasPersonalRecoveryKey',
      'Full Disk Encryption Has Personal Recovery Key',
      'bool',
      'SI.FDE_HasPersonalRecoveryKey',
      mac,
    ],
    [
      'HardwareEncryptionCaps',
      'Hardware Encryption Caps',
      'int',
      'SI.HardwareEncryptionCaps',
      { ...mobile, note: '1 block, 2 file, 3 both' },
    ],
    ['iCloud Backup Is Enabled', 'iCloud Backup is Enabled', 'bool', 'DI.IsCloudBackupEnabled', mobile],
    ['iOSBackgroundStatus', 'iOS Background Status', 'bool', 'AG', mobile],
    ['iPhone ICCID', 'iOS ICCID', 'str', 'DI.ICCID | DI.ServiceSubscriptions[].ICCID | PS.ICCID', mobile],
    ['it_policy_result', 'IT Policy Result', 'str', 'NO', mobile],
    ['iTunesStoreAccountHash', 'iTunes Store Account Hash', 'str', 'DI.iTunesStoreAccountHash', mobile],
    ['iTunesStoreAccountIsActive', 'iTunes Store Account is Active', 'bool', 'DI.iTunesStoreAccountIsActive', mobile],
    ['Languages', 'Languages', 'str[]', "DI.Languages (Apple TV; no longer in Apple's schema)", { platforms: TV }],
    [
      'last_acknowledged_lock_pin',
      'Last Acknowledged Lock PIN',
      'secret',
      'SV (PIN of the acknowledged DeviceLock command)',
      mac,
    ],
    [
      'last_acknowledged_wipe_pin',
      'Last Acknowledged Wipe PIN',
      'secret',
      'SV (PIN of the acknowledged EraseDevice command)',
      mac,
    ],
    ['LastCloudBackupDate', 'Last iCloud Backup Date', 'ts', 'DI.LastCloudBackupDate', mobile],
    ['last_mtd_sync_time', 'Last MTD Sync Time', 'ts', 'EX', mobile],
    ['Locales', 'Locales', 'str[]', "DI.Locales (Apple TV; no longer in Apple's schema)", { platforms: TV }],
    ['macos_user_id', 'macOS User ID', 'str', 'CI.UserID (user channel)', mac],
    ['macos_user_long_name', 'macOS User Long Name', 'str', 'CI.UserLongName (user channel)', mac],
    ['macos_user_short_name', 'macOS User Short Name', 'str', 'CI.UserShortName (user channel)', mac],
    [
      'managed_apple_id',
      'Managed Apple ID',
      'str',
      'RG (User Enrolment) | CI.UserShortName (user channel of a Shared iPad)',
    ],
    ['IsMDMLostModeEnabled', 'MDM Lost Mode Enabled', 'bool', 'DI.IsMDMLostModeEnabled', mobile],
    ['IsMDMServiceEnrolledDevice', 'MDM Service Enrolled', 'bool', 'RG (through Apple Configurator)', mobile],
    ['MEID', 'MEID', 'str', 'DI.MEID | DI.ServiceSubscriptions[].MEID | CI.MEID | PS.MEID', mobile],
    ['ModemFirmwareVersion', 'Modem Firmware Version', 'str', 'DI.ModemFirmwareVersion', mobile],
    ['IsNetworkTethered', 'Network Tethered', 'bool', 'DI.IsNetworkTethered', mobileMac],
    ['OrganizationInfo', 'Organization Info', 'str', 'DI.OrganizationInfo.OrganizationName', mobile],
    ['PasscodeIsCompliant', 'Passcode Compliant', 'bool', 'SI.PasscodeCompliant | ST.passcode.is-compliant', mobile],
    [
      'PasscodeIsCompliantWithProfiles',
      'Passcode Compliant with Profiles',
      'bool',
      'SI.PasscodeCompliantWithProfiles',
      mobile,
    ],
    ['PasscodePresent', 'Passcode Present', 'bool', 'SI.PasscodePresent | ST.passcode.is-present', mobile],
    ['Personal Hotspot Enabled', 'Personal Hotspot Enabled', 'bool', 'DI.PersonalHotspotEnabled', mobile],
    ['iPhone PRODUCT', 'Product Code', 'str', 'PS.PRODUCT | DI.ProductName', mobileMac],
    ['ProductName', 'Product Name', 'str', 'DI.ProductName | CI.ProductName | ST.device.model.identifier', mobileMac],
    [
      'SupplementalBuildVersion',
      'SupplementalBuildVersion',
      'str',
      'DI.SupplementalBuildVersion | ST.device.operating-system.supplemental.build-version',
      { ...mobileMac, path: ['Rapid Security Response'] },
    ],
    [
      'SupplementalOSVersionExtra',
      'SupplementalOSVersionExtra',
      'str',
      'DI.SupplementalOSVersionExtra | ST.device.operating-system.supplemental.extra-version',
      { ...mobileMac, path: ['Rapid Security Response'] },
    ],
    ['security_reason_code', 'Security Reason Code', 'enum', 'AG', mobile],
    ['active_resident_users', 'Active Resident Users', 'int', 'DI.ResidentUsers | UL.Users (their number)', shared()],
    ['allocated_resident_users', 'Allocated Resident Users', 'int', 'DI.EstimatedResidentUsers', shared()],
    ['temporary_session_only', 'Guest/Temporary Session Only', 'bool', 'DI.TemporarySessionOnly', shared()],
    [
      'temporary_session_timeout',
      'Guest/Temporary Session Timeout',
      'int',
      'DI.TemporarySessionTimeout',
      shared('seconds; 0 is none'),
    ],
    ['IsMultiUser', 'Is Multi User', 'bool', 'DI.IsMultiUser', shared()],
    ['MaximumResidentUsers', 'Maximum Resident Users', 'int', 'DI.MaximumResidentUsers', shared()],
    ['QuotaSize', 'Quota Size (MB)', 'int', 'DI.QuotaSize', shared('megabytes per user')],
    ['UserSessionTimeout', 'User Session Timeout', 'int', 'DI.UserSessionTimeout', shared('seconds')],
    ...subscriptions(),
    ['sims', 'SIMs', 'int', 'DI.ServiceSubscriptions (their number)', mobile],
    [
      'Subscriber Carrier Network',
      'Subscriber Carrier Network',
      'str',
      'DI.SubscriberCarrierNetwork | DI.SIMCarrierNetwork | DI.ServiceSubscriptions[].SubscriberCarrierNetwork',
      mobile,
    ],
    ['subscriber_mcc', 'Subscriber MCC', 'str', 'DI.SubscriberMCC | DI.SIMMCC', mobile],
    ['subscriber_mnc', 'Subscriber MNC', 'str', 'DI.SubscriberMNC | DI.SIMMNC', mobile],
    ['Supervised', 'Supervised', 'bool', 'DI.IsSupervised', { aliases: ['IsSupervised'] }],
    ['TimeZone', 'Time Zone', 'str', 'DI.TimeZone', { platforms: [...MOBILE, ...TV] }],
    ['TrustedDevices', 'Trusted Device', 'bool', 'SV (the user says so in the portal)', mobile],
    ['UDID', 'UDID', 'udid', 'CI.UDID | DI.UDID | ST.device.identifier.udid | PS.UDID', { aliases: ['iPhone UDID'] }],
    ['Voice Roaming Enabled', 'Voice Roaming Enabled', 'bool', 'DI.VoiceRoamingEnabled', mobile],
    ['vpn_ip_address', 'VPN IP Address', 'ip', 'NO', { platforms: [...MOBILE, ...TV] }],
    ['wakeup_status', 'Wakeup Status', 'enum', 'SV (result of the last push)', mobile],
  ],
  ['iOS', 'iPadOS', 'macOS', 'tvOS'],
);
