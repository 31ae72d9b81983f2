// Fields outside the main tables: education, software update, and what Apple devices report beyond the old lists.
import type { Field, Platform } from '../field.ts';
import { define } from './define.ts';

const MAC: readonly Platform[] = ['macOS'];
const mac = { platforms: MAC };
const update = { platforms: ['iOS', 'iPadOS', 'macOS'] as const, path: ['Software Update'] };
const apps = { platforms: ['iOS', 'iPadOS', 'macOS', 'tvOS'] as const, path: ['Installed Apps'] };

/** Fields of the category `apple_education`, from the school's roster. */
export const EDUCATION_FIELDS = /* @__PURE__ */ define(
  'apple_education',
  [
    ['apple_education_in_use', 'Apple Education Enabled', 'bool', 'RO (the device is in a class)'],
    ['class_id', 'Class ID', 'str[]', 'RO'],
    ['course_id', 'Course ID', 'str[]', 'RO'],
    ['location_id', 'Location ID', 'str[]', 'RO', { note: 'a list of one may be written with brackets: "[CA12@314]"' }],
    ['role', 'Apple Education Role', 'enum', 'RO', { values: ['Teacher', 'Student', 'Student (MultiUser)', 'None'] }],
  ],
  ['iPadOS'],
);

/** Fields that other parts of the specification name, and facts of Apple's responses that no list has. */
export const MORE_FIELDS: readonly Field[] = /* @__PURE__ */ [
  ...define('common', [
    ['label', 'Label', 'str[]', 'SV (labels that the device is in)'],
    [
      'encryption_status',
      'Encryption Status',
      'enum',
      'SI.HardwareEncryptionCaps | SI.PasscodePresent | SI.FDE_Enabled (macOS)',
      { values: ['Active', 'Inactive', 'Unsupported'] },
    ],
    ['data_protection_reasons', 'Data Protection Reasons', 'str[]', 'AG'],
    ['location_last_captured_at', 'Location Last Captured', 'ts', 'SV (answer to the DeviceLocation command) | AG'],
  ]),
  ...define(
    'ios',
    [
      ['superseded_by', 'Superseded By', 'str', 'SV (the later record of the same device and account)'],
      ['EnhancedLoggingEnabled', 'Enhanced Logging', 'bool', 'AG', { note: 'absent is unknown, never false' }],
      ['osUpdateName', 'Apple OS Update Name', 'str', 'AU.HumanReadableName', update],
      [
        'osUpdateDownloadProgress',
        'Apple OS Update Download Progress',
        'pct',
        'US.DownloadPercentComplete (times 100)',
        update,
      ],
      [
        'osUpdateDeferralsRemaining',
        'Apple OS Update Deferrals Remaining',
        'int',
        'US.DeferralsRemaining',
        { ...update, ...mac },
      ],
      ['osUpdateMaxDeferrals', 'Apple OS Update Maximum Deferrals', 'int', 'US.MaxDeferrals', { ...update, ...mac }],
      [
        'osUpdateNextScheduledInstall',
        'Apple OS Update Next Scheduled Install',
        'ts',
        'US.NextScheduledInstall',
        { ...update, ...mac },
      ],
      ['osUpdateFailureReason', 'Apple OS Update Failure Reason', 'str', 'ST.softwareupdate.failure-reason', update],
      [
        'SystemIntegrityProtectionEnabled',
        'System Integrity Protection Enabled',
        'bool',
        'SI.SystemIntegrityProtectionEnabled | DI.SystemIntegrityProtectionEnabled',
        mac,
      ],
      ['FirewallEnabled', 'Firewall Enabled', 'bool', 'SI.FirewallSettings.FirewallEnabled', mac],
      ['FirewallBlockAllIncoming', 'Firewall Blocks All Incoming', 'bool', 'SI.FirewallSettings.BlockAllIncoming', mac],
      ['FirewallStealthMode', 'Firewall Stealth Mode', 'bool', 'SI.FirewallSettings.StealthMode', mac],
      [
        'SecureBootLevel',
        'Secure Boot Level',
        'enum',
        'SI.SecureBoot.SecureBootLevel',
        { ...mac, values: ['off', 'medium', 'full', 'not supported'] },
      ],
      [
        'ExternalBootLevel',
        'External Boot Level',
        'enum',
        'SI.SecureBoot.ExternalBootLevel',
        { ...mac, values: ['allowed', 'disallowed', 'not supported'] },
      ],
      ['RecoveryLockEnabled', 'Recovery Lock Enabled', 'bool', 'SI.IsRecoveryLockEnabled', mac],
      ['RemoteDesktopEnabled', 'Remote Desktop Enabled', 'bool', 'SI.RemoteDesktopEnabled', mac],
      [
        'AuthenticatedRootVolumeEnabled',
        'Authenticated Root Volume Enabled',
        'bool',
        'SI.AuthenticatedRootVolumeEnabled',
        mac,
      ],
      ['FirmwarePasswordExists', 'Firmware Password Exists', 'bool', 'SI.FirmwarePasswordStatus.PasswordExists', mac],
      ['UserApprovedEnrollment', 'User Approved Enrolment', 'bool', 'SI.ManagementStatus.UserApprovedEnrollment', mac],
      [
        'IsActivationLockManageable',
        'Activation Lock is Manageable',
        'bool',
        'SI.ManagementStatus.IsActivationLockManageable',
      ],
      ['IsActivationLockSupported', 'Activation Lock is Supported', 'bool', 'DI.IsActivationLockSupported'],
      [
        'AwaitingConfiguration',
        'Awaiting Configuration',
        'bool',
        'DI.AwaitingConfiguration | CI.AwaitingConfiguration',
      ],
      ['IsAppleSilicon', 'Apple Silicon', 'bool', 'DI.IsAppleSilicon', mac],
      ['HasBattery', 'Has Battery', 'bool', 'DI.HasBattery'],
      ['BatteryHealth', 'Battery Health', 'str', 'ST.device.power.battery-health'],
      ['ModelNumber', 'Model Number', 'str', 'DI.ModelNumber | ST.device.model.number'],
      ['LocalHostName', 'Local Host Name', 'str', 'DI.LocalHostName', mac],
      ['HostName', 'Host Name', 'str', 'DI.HostName', mac],
      ['EASDeviceIdentifier', 'EAS Device Identifier', 'str', 'DI.EASDeviceIdentifier'],
      [
        'SoftwareUpdateDeviceID',
        'Software Update Device ID',
        'str',
        'DI.SoftwareUpdateDeviceID | ST.softwareupdate.device-id',
      ],
      ['DiagnosticSubmissionEnabled', 'Diagnostic Submission Enabled', 'bool', 'DI.DiagnosticSubmissionEnabled'],
      ['AppAnalyticsEnabled', 'App Analytics Enabled', 'bool', 'DI.AppAnalyticsEnabled'],
      ['EnrollmentID', 'Enrolment ID', 'str', 'CI.EnrollmentID (User Enrolment)'],
      ['installed_app_identifiers', 'Installed App Identifiers', 'str[]', 'IA.Identifier', apps],
      ['installed_app_names', 'Installed App Names', 'str[]', 'IA.Name', apps],
    ],
    ['iOS', 'iPadOS', 'macOS', 'tvOS'],
  ),
];
