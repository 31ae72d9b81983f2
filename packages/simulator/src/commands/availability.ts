// Which commands a platform knows, since when, and what they need. Facts: Apple's schema, mdm/commands, levels 18.3 and 27.
import type { Platform } from '../catalogue.ts';

/** What a command needs on a platform. */
export interface Need {
  /** The version that introduced it. */
  readonly since: string;
  /** The version that no longer has it. */
  readonly until?: string;
  /** The access right, by its bit. */
  readonly right?: number;
  readonly supervised?: true;
  /** Automated Device Enrolment. */
  readonly ade?: true;
  /** Whether it is for Shared iPads only, or never for them. */
  readonly sharedIpad?: 'required' | 'forbidden';
  /** It is not for User Enrolments. */
  readonly byUser?: 'forbidden';
  /** Default: the device channel. For iPads it is that of Shared iPads. */
  readonly channel?: 'user' | 'both';
}

function on(since: string, more: Omit<Need, 'since'> = {}): Need {
  return { since, ...more };
}

/** Needs by request type and platform; a platform that is absent does not know the command. */
export const availability: { readonly [requestType: string]: { readonly [P in Platform]?: Need } } = {
  AccountConfiguration: { macOS: on('10.11', { ade: true, byUser: 'forbidden' }) },
  ActivationLockBypassCode: {
    iOS: on('7.1', { supervised: true, sharedIpad: 'forbidden', byUser: 'forbidden' }),
    macOS: on('10.15', { supervised: true, byUser: 'forbidden' }),
    visionOS: on('2.0', { supervised: true, byUser: 'forbidden' }),
  },
  ActiveNSExtensions: { macOS: on('10.13', { right: 256, channel: 'user', byUser: 'forbidden' }) },
  ApplyRedemptionCode: { iOS: on('5.0', { right: 4096, sharedIpad: 'forbidden', byUser: 'forbidden' }) },
  AvailableOSUpdates: {
    iOS: on('9.0', { until: '27.0', right: 4096, supervised: true, byUser: 'forbidden' }),
    macOS: on('10.11', { until: '27.0', byUser: 'forbidden' }),
    tvOS: on('12.0', { until: '27.0', right: 4096, supervised: true }),
  },
  CancelEnhancedLogCollection: {
    iOS: on('27.0', { supervised: true, byUser: 'forbidden' }),
    macOS: on('27.0', { supervised: true, channel: 'user', byUser: 'forbidden' }),
    tvOS: on('27.0', { supervised: true }),
  },
  CertificateList: {
    iOS: on('4.0', { right: 1 }),
    macOS: on('10.7', { right: 1, channel: 'both' }),
    tvOS: on('9.0', { right: 1 }),
    visionOS: on('1.1', { right: 1 }),
    watchOS: on('10.0', { right: 1 }),
  },
  ClearActivationLockBypassCode: {
    iOS: on('7.1', { supervised: true, sharedIpad: 'forbidden', byUser: 'forbidden' }),
    macOS: on('10.15', { supervised: true, byUser: 'forbidden' }),
    visionOS: on('2.0', { supervised: true, byUser: 'forbidden' }),
  },
  ClearPasscode: {
    iOS: on('4.0', { right: 4, sharedIpad: 'forbidden', byUser: 'forbidden' }),
    visionOS: on('1.1', { right: 4, byUser: 'forbidden' }),
    watchOS: on('10.0', { right: 4 }),
  },
  ClearRestrictionsPassword: { iOS: on('8.0', { supervised: true, sharedIpad: 'forbidden', byUser: 'forbidden' }) },
  ContentCachingInformation: { macOS: on('10.15.4', { right: 32, byUser: 'forbidden' }) },
  DeclarativeManagement: {
    iOS: on('15.0', { channel: 'both' }),
    macOS: on('13.0', { channel: 'both' }),
    tvOS: on('16.0'),
    visionOS: on('1.1'),
    watchOS: on('10.0'),
  },
  DeleteUser: {
    iOS: on('9.3', { sharedIpad: 'required', byUser: 'forbidden' }),
    macOS: on('10.13', { supervised: true, byUser: 'forbidden' }),
  },
  DeviceConfigured: {
    iOS: on('9.0', { supervised: true, ade: true, byUser: 'forbidden' }),
    macOS: on('10.11', { ade: true, byUser: 'forbidden' }),
    tvOS: on('10.2', { supervised: true }),
    visionOS: on('2.0', { supervised: true, ade: true, byUser: 'forbidden' }),
  },
  DeviceInformation: {
    iOS: on('4.0', { channel: 'both' }),
    macOS: on('10.7', { channel: 'both' }),
    tvOS: on('9.0'),
    visionOS: on('1.1'),
    watchOS: on('10.0'),
  },
  DeviceLocation: { iOS: on('9.3', { supervised: true, byUser: 'forbidden' }) },
  DeviceLock: {
    iOS: on('4.0', { right: 4 }),
    macOS: on('10.7', { right: 4, byUser: 'forbidden' }),
    visionOS: on('2.0', { right: 4 }),
    watchOS: on('10.0', { right: 4 }),
  },
  DisableLostMode: { iOS: on('9.3', { supervised: true, byUser: 'forbidden' }) },
  DisableRemoteDesktop: { macOS: on('10.14.4', { supervised: true, byUser: 'forbidden' }) },
  EnableLostMode: { iOS: on('9.3', { supervised: true, byUser: 'forbidden' }) },
  EnableRemoteDesktop: { macOS: on('10.14.4', { supervised: true, byUser: 'forbidden' }) },
  EraseDevice: {
    iOS: on('4.0', { right: 8, byUser: 'forbidden' }),
    macOS: on('10.7', { right: 8, byUser: 'forbidden' }),
    tvOS: on('10.2', { right: 8 }),
    visionOS: on('1.1', { right: 8, byUser: 'forbidden' }),
    watchOS: on('10.0', { right: 8 }),
  },
  InstallApplication: {
    iOS: on('5.0', { right: 4096 }),
    macOS: on('10.9', { right: 4096, channel: 'both' }),
    tvOS: on('10.2', { right: 4096 }),
    visionOS: on('1.1', { right: 4096 }),
    watchOS: on('10.0', { right: 4096 }),
  },
  InstallEnterpriseApplication: { macOS: on('10.13.6', { right: 4096 }) },
  InstallMedia: {
    iOS: on('8.0', { right: 4096 }),
    macOS: on('10.9', { right: 4096, channel: 'user', byUser: 'forbidden' }),
  },
  InstallProfile: {
    iOS: on('4.0', { right: 2, channel: 'both' }),
    macOS: on('10.7', { right: 2, channel: 'both' }),
    tvOS: on('9.0', { right: 2 }),
    visionOS: on('1.1', { right: 2 }),
    watchOS: on('10.0', { right: 2 }),
  },
  InstallProvisioningProfile: {
    iOS: on('4.0', { right: 128 }),
    macOS: on('11.0'),
    tvOS: on('10.2', { right: 128 }),
    visionOS: on('1.1', { right: 128 }),
    watchOS: on('10.0', { right: 128 }),
  },
  InstalledApplicationList: {
    iOS: on('5.0', { right: 256 }),
    macOS: on('10.7', { right: 256, channel: 'both', byUser: 'forbidden' }),
    tvOS: on('10.2', { right: 256 }),
    visionOS: on('1.1', { right: 256 }),
    watchOS: on('10.0', { right: 256 }),
  },
  InviteToProgram: {
    iOS: on('7.0', { right: 4096, channel: 'user', byUser: 'forbidden' }),
    macOS: on('10.9', { channel: 'user', byUser: 'forbidden' }),
  },
  LOMDeviceRequest: { macOS: on('11.0', { right: 4, byUser: 'forbidden' }) },
  LOMSetupRequest: { macOS: on('11.0', { right: 4, byUser: 'forbidden' }) },
  LogOutUser: { iOS: on('9.3', { sharedIpad: 'required', byUser: 'forbidden' }) },
  ManagedApplicationAttributes: {
    iOS: on('7.0', { right: 4096 }),
    tvOS: on('10.2', { right: 4096 }),
    visionOS: on('1.1', { right: 4096 }),
    watchOS: on('10.0', { right: 4096 }),
  },
  ManagedApplicationConfiguration: {
    iOS: on('7.0', { right: 4096 }),
    macOS: on('10.15', { right: 4096 }),
    tvOS: on('10.2', { right: 4096 }),
    visionOS: on('1.1', { right: 4096 }),
    watchOS: on('10.0', { right: 4096 }),
  },
  ManagedApplicationFeedback: {
    iOS: on('7.0', { right: 4096 }),
    macOS: on('11.0', { right: 4096, channel: 'user', byUser: 'forbidden' }),
    tvOS: on('10.2', { right: 4096 }),
    visionOS: on('1.1', { right: 4096 }),
  },
  ManagedApplicationList: {
    iOS: on('5.0', { right: 4096 }),
    macOS: on('11.0', { right: 4096, channel: 'both' }),
    tvOS: on('10.2', { right: 4096 }),
    visionOS: on('1.1', { right: 4096 }),
    watchOS: on('10.0', { right: 4096 }),
  },
  ManagedMediaList: { iOS: on('8.0', { right: 4096 }) },
  NSExtensionMappings: { macOS: on('10.13', { right: 256, channel: 'user', byUser: 'forbidden' }) },
  OSUpdateStatus: {
    iOS: on('9.0', { until: '27.0', right: 4096, supervised: true, byUser: 'forbidden' }),
    macOS: on('10.11.5', { until: '27.0', supervised: true, byUser: 'forbidden' }),
    tvOS: on('12.0', { until: '27.0', right: 4096, supervised: true }),
  },
  PlayLostModeSound: { iOS: on('10.3', { supervised: true, byUser: 'forbidden' }) },
  ProfileList: {
    iOS: on('4.0', { right: 1, channel: 'both' }),
    macOS: on('10.7', { right: 1, channel: 'both' }),
    tvOS: on('9.0', { right: 1 }),
    visionOS: on('1.1', { right: 1 }),
    watchOS: on('10.0', { right: 1 }),
  },
  ProvisioningProfileList: {
    iOS: on('4.0', { right: 64 }),
    macOS: on('11.0'),
    tvOS: on('10.2', { right: 64 }),
    visionOS: on('1.1', { right: 64 }),
    watchOS: on('10.0', { right: 64 }),
  },
  RefreshCellularPlans: { iOS: on('13.0', { byUser: 'forbidden' }) },
  RemoveApplication: {
    iOS: on('5.0', { right: 4096 }),
    macOS: on('11.0', { right: 4096, byUser: 'forbidden' }),
    tvOS: on('10.2', { right: 4096 }),
    visionOS: on('1.1', { right: 4096 }),
    watchOS: on('10.0', { right: 4096 }),
  },
  RemoveMedia: { iOS: on('8.0', { right: 4096 }) },
  RemoveProfile: {
    iOS: on('4.0', { right: 2, channel: 'both' }),
    macOS: on('10.7', { right: 2, channel: 'both' }),
    tvOS: on('9.0', { right: 2 }),
    visionOS: on('1.1', { right: 2 }),
    watchOS: on('10.0', { right: 2 }),
  },
  RemoveProvisioningProfile: {
    iOS: on('4.0', { right: 128 }),
    macOS: on('11.0'),
    tvOS: on('10.2', { right: 128 }),
    visionOS: on('1.1', { right: 128 }),
    watchOS: on('10.0', { right: 128 }),
  },
  RequestMirroring: { iOS: on('7.0'), macOS: on('10.10') },
  RequestUnlockToken: { iOS: on('5.0', { supervised: true, sharedIpad: 'forbidden', byUser: 'forbidden' }) },
  RestartDevice: {
    iOS: on('10.3', { right: 4, supervised: true, byUser: 'forbidden' }),
    macOS: on('10.13', { right: 4, byUser: 'forbidden' }),
    tvOS: on('10.2', { right: 4, supervised: true }),
  },
  Restrictions: {
    iOS: on('4.0', { right: 512, channel: 'both', byUser: 'forbidden' }),
    tvOS: on('9.0', { right: 512 }),
    visionOS: on('1.1', { right: 512, byUser: 'forbidden' }),
    watchOS: on('10.0', { right: 512 }),
  },
  RotateFileVaultKey: { macOS: on('10.9', { right: 4, byUser: 'forbidden' }) },
  ScheduleOSUpdate: {
    iOS: on('9.0', { until: '27.0', right: 4096, supervised: true, byUser: 'forbidden' }),
    macOS: on('10.11', { until: '27.0', supervised: true, byUser: 'forbidden' }),
    tvOS: on('12.0', { until: '27.0', right: 4096, supervised: true }),
  },
  ScheduleOSUpdateScan: { macOS: on('10.11', { until: '27.0', supervised: true, byUser: 'forbidden' }) },
  SecurityInfo: {
    iOS: on('4.0', { right: 1024 }),
    macOS: on('10.7', { right: 1024, channel: 'both' }),
    tvOS: on('9.0', { right: 1024 }),
    visionOS: on('1.1', { right: 1024 }),
    watchOS: on('10.0', { right: 1024 }),
  },
  SetAutoAdminPassword: { macOS: on('10.11', { ade: true, byUser: 'forbidden' }) },
  SetFirmwarePassword: { macOS: on('10.13', { right: 4, byUser: 'forbidden' }) },
  SetRecoveryLock: { macOS: on('11.5', { right: 4, byUser: 'forbidden' }) },
  Settings: {
    iOS: on('5.0', { right: 2048, channel: 'both' }),
    macOS: on('10.9', { right: 2048, channel: 'both' }),
    tvOS: on('9.0', { right: 2048 }),
    visionOS: on('1.1', { right: 2048 }),
    watchOS: on('10.0', { right: 2048 }),
  },
  ShutDownDevice: {
    iOS: on('10.3', { right: 4, supervised: true, byUser: 'forbidden' }),
    macOS: on('10.13', { right: 4, byUser: 'forbidden' }),
  },
  StopMirroring: {
    iOS: on('7.0', { supervised: true, byUser: 'forbidden' }),
    macOS: on('10.10', { byUser: 'forbidden' }),
  },
  TriggerEnhancedLogCollection: {
    iOS: on('27.0', { supervised: true, byUser: 'forbidden' }),
    macOS: on('27.0', { supervised: true, channel: 'user', byUser: 'forbidden' }),
    tvOS: on('27.0', { supervised: true }),
  },
  UnlockUserAccount: { macOS: on('10.13', { right: 4, byUser: 'forbidden' }) },
  UserConfigured: { iOS: on('17.0', { supervised: true, ade: true, channel: 'user', byUser: 'forbidden' }) },
  UserList: {
    iOS: on('9.3', { sharedIpad: 'required', byUser: 'forbidden' }),
    macOS: on('10.13', { supervised: true, byUser: 'forbidden' }),
  },
  ValidateApplications: {
    iOS: on('9.2', { right: 4096 }),
    tvOS: on('10.2', { right: 4096 }),
    visionOS: on('1.1', { right: 4096 }),
  },
  VerifyFirmwarePassword: { macOS: on('10.13', { byUser: 'forbidden' }) },
  VerifyRecoveryLock: { macOS: on('11.5', { right: 4, byUser: 'forbidden' }) },
};
