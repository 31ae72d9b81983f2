// SecurityInfo and the lists: what the device says of itself. Keys: Apple's schema, mdm/commands.
import { readCertificate } from '@espalier/pki';
import type { PlistInput } from '@espalier/plist';
import { compareVersions, isAppleSilicon, type SimulatedApp } from '../catalogue.ts';
import { managedOf } from '../device/managed-state.ts';
import { type DeviceState, fromBase64, type StoredProfile } from '../device/state.ts';
import { escrowedKey } from './escrow.ts';
import { acknowledged, type CommandContext, type Handlers } from './handler.ts';
import { complies, passcodePolicy } from './passcode.ts';

/** The inventory commands. */
export const inventoryHandlers: Handlers = {
  SecurityInfo: {
    run: ({ state, platform }) => acknowledged({ SecurityInfo: securityInfo(state, platform === 'macOS') }),
  },
  InstalledApplicationList: {
    whenLocked: true,
    run: (context) => acknowledged({ InstalledApplicationList: installedApps(context) }),
  },
  ProfileList: {
    whenLocked: true,
    run: ({ state, platform, payload }) => {
      const profiles = state.profiles.filter((profile) => payload['ManagedOnly'] !== true || profile.managed);
      return acknowledged({ ProfileList: profiles.map((profile) => describeProfile(profile, platform === 'macOS')) });
    },
  },
  CertificateList: {
    whenLocked: true,
    run: ({ state, payload }) =>
      acknowledged({ CertificateList: certificates(state, payload['ManagedOnly'] === true) }),
  },
  Restrictions: {
    whenLocked: true,
    run: () =>
      acknowledged({ GlobalRestrictions: { restrictedBool: {}, restrictedValue: {} }, ProfileRestrictions: {} }),
  },
};

function securityInfo(state: DeviceState, mac: boolean): PlistInput {
  if (mac) {
    const managed = managedOf(state);
    const intel = !isAppleSilicon(state.productName);
    return {
      AuthenticatedRootVolumeEnabled: true,
      BootstrapTokenAllowedForAuthentication: 'not supported',
      BootstrapTokenRequiredForKernelExtensionApproval: true,
      BootstrapTokenRequiredForSoftwareUpdate: true,
      FDE_Enabled: state.fileVault,
      FDE_HasInstitutionalRecoveryKey: false,
      FDE_HasPersonalRecoveryKey: state.fileVault,
      ...(state.fileVault ? escrowedKey(state) : {}),
      FirewallSettings: { Applications: [], BlockAllIncoming: false, FirewallEnabled: false, StealthMode: false },
      ...(intel ? { FirmwarePasswordStatus: { PasswordExists: managed.firmwarePassword !== null } } : {}),
      IsRecoveryLockEnabled: managed.recoveryLock !== null,
      ManagementStatus: {
        EnrolledViaDEP: state.ade === true,
        IsActivationLockManageable: false,
        IsUserEnrollment: state.mdm?.userEnrolment === true,
        UserApprovedEnrollment: true,
      },
      RemoteDesktopEnabled: managed.remoteDesktop,
      SecureBoot: { ExternalBootLevel: 'not supported', SecureBootLevel: 'full' },
      SystemIntegrityProtectionEnabled: true,
    };
  }
  const policy = passcodePolicy(state);
  const compliant = complies(state.passcode, policy);
  return {
    HardwareEncryptionCaps: 3,
    ManagementStatus: { IsUserEnrollment: state.mdm?.userEnrolment === true },
    PasscodeCompliant: compliant,
    PasscodeCompliantWithProfiles: compliant,
    PasscodeLockGracePeriod: 0,
    PasscodeLockGracePeriodEnforced: 0,
    PasscodePresent: state.passcode !== null,
  };
}

function installedApps(context: CommandContext): PlistInput[] {
  const { state, platform, payload } = context;
  const { Identifiers: wanted, ManagedAppsOnly: managedOnly, Items: items } = payload;
  const keep = Array.isArray(items) && platform !== 'macOS' ? new Set(items.map(String)) : undefined;
  return state.apps
    .filter((app) => !Array.isArray(wanted) || wanted.includes(app.identifier))
    .filter((app) => managedOnly !== true || app.managed === true)
    .map((app) => {
      const entries = Object.entries(describeApp(app, context));
      return Object.fromEntries(keep === undefined ? entries : entries.filter(([key]) => keep.has(key)));
    });
}

function describeApp(app: SimulatedApp, { state, platform }: CommandContext): { readonly [key: string]: PlistInput } {
  const common = {
    BundleSize: app.bundleSize,
    Identifier: app.identifier,
    Installing: false,
    Name: app.name,
    ShortVersion: app.shortVersion,
    Version: app.version,
  };
  if (platform === 'macOS') return common;
  return {
    ...common,
    AdHocCodeSigned: false,
    AppStoreVendable: app.appStore === true,
    BetaApp: false,
    DeviceBasedVPP: app.managed === true,
    DynamicSize: Math.round(app.bundleSize / 10),
    HasUpdateAvailable: false,
    ...(platform === 'iOS' && compareVersions(state.osVersion, '16.0') >= 0 ? { IsAppClip: false } : {}),
    IsValidated: true,
  };
}

function describeProfile(profile: StoredProfile, mac: boolean): PlistInput {
  return {
    HasRemovalPasscode: false,
    IsEncrypted: profile.encrypted,
    ...(mac ? {} : { IsManaged: profile.managed }),
    PayloadContent: profile.payloads.map((payload) => ({
      ...(payload.displayName === undefined ? {} : { PayloadDisplayName: payload.displayName }),
      PayloadIdentifier: payload.identifier,
      PayloadType: payload.type,
      PayloadUUID: payload.uuid,
      PayloadVersion: payload.version,
    })),
    ...(profile.description === undefined ? {} : { PayloadDescription: profile.description }),
    ...(profile.displayName === undefined ? {} : { PayloadDisplayName: profile.displayName }),
    PayloadIdentifier: profile.identifier,
    ...(profile.organisation === undefined ? {} : { PayloadOrganization: profile.organisation }),
    PayloadRemovalDisallowed: profile.removalDisallowed,
    PayloadUUID: profile.uuid,
    PayloadVersion: profile.version,
    ...(profile.signers.length === 0 ? {} : { SignerCertificates: profile.signers.map(fromBase64) }),
  };
}

function certificates(state: DeviceState, managedOnly: boolean): PlistInput[] {
  const roots = state.profiles
    .filter((profile) => !managedOnly || profile.managed)
    .flatMap((profile) => profile.certificates);
  const list = [...new Set(roots)].map((text) => describeCertificate(fromBase64(text), false));
  for (const { managed, identities = [] } of state.profiles) {
    if (managedOnly && !managed) continue;
    for (const { certificate } of identities) list.push(describeCertificate(fromBase64(certificate), true));
  }
  if (state.certificate !== null) list.push(describeCertificate(fromBase64(state.certificate), true));
  return list;
}

function describeCertificate(data: Uint8Array, isIdentity: boolean): PlistInput {
  const { subjectCn, subject } = readCertificate(data);
  return { CommonName: subjectCn ?? subject, Data: data, IsIdentity: isIdentity };
}
