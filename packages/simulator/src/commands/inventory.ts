// SecurityInfo and the lists: what the device says of itself. Keys: Apple's schema, mdm/commands.
import { readCertificate } from '@espalier/pki';
import type { PlistInput } from '@espalier/plist';
import type { SimulatedApp } from '../catalogue.ts';
import { type DeviceState, fromBase64, type StoredProfile } from '../device/state.ts';
import { acknowledged, type CommandContext, type Handlers } from './handler.ts';
import { complies, passcodePolicy } from './passcode.ts';

/** The inventory commands. */
export const inventoryHandlers: Handlers = {
  SecurityInfo: {
    right: 1024,
    run: ({ state, platform }) => acknowledged({ SecurityInfo: securityInfo(state, platform === 'macOS') }),
  },
  InstalledApplicationList: {
    right: 256,
    whenLocked: true,
    run: (context) => acknowledged({ InstalledApplicationList: installedApps(context) }),
  },
  ProfileList: {
    right: 1,
    whenLocked: true,
    run: ({ state, platform, payload }) => {
      const profiles = state.profiles.filter((profile) => payload['ManagedOnly'] !== true || profile.managed);
      return acknowledged({ ProfileList: profiles.map((profile) => describeProfile(profile, platform === 'macOS')) });
    },
  },
  CertificateList: {
    right: 1,
    whenLocked: true,
    run: ({ state, payload }) =>
      acknowledged({ CertificateList: certificates(state, payload['ManagedOnly'] === true) }),
  },
  ProvisioningProfileList: {
    right: 64,
    whenLocked: true,
    run: () => acknowledged({ ProvisioningProfileList: [] }),
  },
  Restrictions: {
    platforms: ['iOS', 'tvOS'],
    right: 512,
    whenLocked: true,
    run: () =>
      acknowledged({ GlobalRestrictions: { restrictedBool: {}, restrictedValue: {} }, ProfileRestrictions: {} }),
  },
  UserList: {
    platforms: ['macOS'],
    run: () =>
      acknowledged({
        Users: [
          {
            FullName: 'Local Account',
            HasSecureToken: true,
            IsLoggedIn: true,
            MobileAccount: false,
            UID: 501,
            UserGUID: '0E1F2A3B-4C5D-4E6F-8A9B-0C1D2E3F4A5B',
            UserName: 'local',
          },
        ],
      }),
  },
  AvailableOSUpdates: { run: () => acknowledged({ AvailableOSUpdates: [] }) },
};

function securityInfo(state: DeviceState, mac: boolean): PlistInput {
  if (mac) {
    return {
      AuthenticatedRootVolumeEnabled: true,
      BootstrapTokenAllowedForAuthentication: 'not supported',
      BootstrapTokenRequiredForKernelExtensionApproval: true,
      BootstrapTokenRequiredForSoftwareUpdate: true,
      FDE_Enabled: state.fileVault,
      FDE_HasInstitutionalRecoveryKey: false,
      FDE_HasPersonalRecoveryKey: state.fileVault,
      FirewallSettings: { Applications: [], BlockAllIncoming: false, FirewallEnabled: false, StealthMode: false },
      IsRecoveryLockEnabled: false,
      ManagementStatus: {
        EnrolledViaDEP: false,
        IsActivationLockManageable: false,
        IsUserEnrollment: false,
        UserApprovedEnrollment: true,
      },
      RemoteDesktopEnabled: false,
      SecureBoot: { ExternalBootLevel: 'not supported', SecureBootLevel: 'full' },
      SystemIntegrityProtectionEnabled: true,
    };
  }
  const policy = passcodePolicy(state);
  const compliant = complies(state.passcode, policy);
  return {
    HardwareEncryptionCaps: 3,
    ManagementStatus: { IsUserEnrollment: false },
    PasscodeCompliant: compliant,
    PasscodeCompliantWithProfiles: compliant,
    PasscodeLockGracePeriod: 0,
    PasscodeLockGracePeriodEnforced: 0,
    PasscodePresent: state.passcode !== null,
  };
}

function installedApps({ state, platform, payload }: CommandContext): PlistInput[] {
  const { Identifiers: wanted, ManagedAppsOnly: managedOnly, Items: items } = payload;
  const keep = Array.isArray(items) && platform !== 'macOS' ? new Set(items.map(String)) : undefined;
  return state.apps
    .filter((app) => !Array.isArray(wanted) || wanted.includes(app.identifier))
    .filter((app) => managedOnly !== true || app.managed === true)
    .map((app) => {
      const entries = Object.entries(describeApp(app, platform === 'macOS'));
      return Object.fromEntries(keep === undefined ? entries : entries.filter(([key]) => keep.has(key)));
    });
}

function describeApp(app: SimulatedApp, mac: boolean): { readonly [key: string]: PlistInput } {
  const common = {
    BundleSize: app.bundleSize,
    Identifier: app.identifier,
    Installing: false,
    Name: app.name,
    ShortVersion: app.shortVersion,
    Version: app.version,
  };
  if (mac) return common;
  return {
    ...common,
    AdHocCodeSigned: false,
    AppStoreVendable: app.appStore === true,
    BetaApp: false,
    DeviceBasedVPP: app.managed === true,
    DynamicSize: Math.round(app.bundleSize / 10),
    HasUpdateAvailable: false,
    IsAppClip: false,
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
  if (state.certificate !== null) list.push(describeCertificate(fromBase64(state.certificate), true));
  return list;
}

function describeCertificate(data: Uint8Array, isIdentity: boolean): PlistInput {
  const { subjectCn, subject } = readCertificate(data);
  return { CommonName: subjectCn ?? subject, Data: data, IsIdentity: isIdentity };
}
