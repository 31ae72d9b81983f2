// The configuration types: which payload each compiles to, and what its settings imply.
import type { ProfilePayloads } from '@espalier/apple-mdm';
import type { FileVaultEscrowSettings } from './filevault-escrow.ts';
import type { IdentitySettings } from './identity.ts';

/** Settings of a passcode configuration: Apple's own keys, each optional. */
export type PasscodeSettings = ProfilePayloads['com.apple.mobiledevice.passwordpolicy'];

/** Settings of a restrictions configuration: Apple's own keys; a key that is left out is left to the user (SET-12). */
export type RestrictionsSettings = ProfilePayloads['com.apple.applicationaccess'];

/** The settings of each configuration type. */
export interface SettingsByType {
  readonly passcode: PasscodeSettings;
  readonly restrictions: RestrictionsSettings;
  readonly identity: IdentitySettings;
  readonly 'filevault-escrow': FileVaultEscrowSettings;
}

/** One setting that follows from another, because the device treats it so anyway (SET-12). */
export interface Implication {
  readonly if: { readonly key: string; readonly is: boolean };
  readonly sets: { readonly key: string; readonly is: boolean };
}

/** A configuration type. */
export interface ConfigurationType {
  readonly name: string;
  readonly title: string;
  /** Apple's PayloadType. */
  readonly payloadType: keyof ProfilePayloads & string;
  readonly implications: readonly Implication[];
  /** Whether `ProfileList` shows that the configuration is on the device (CFG-5). */
  readonly verifiable: boolean;
}

const off = (key: string, ...followers: readonly string[]): Implication[] =>
  followers.map((follower) => ({ if: { key, is: false }, sets: { key: follower, is: false } }));

const passcode: ConfigurationType = {
  name: 'passcode',
  title: 'Passcode',
  payloadType: 'com.apple.mobiledevice.passwordpolicy',
  implications: [],
  verifiable: true,
};

const restrictions: ConfigurationType = {
  name: 'restrictions',
  title: 'Restrictions',
  payloadType: 'com.apple.applicationaccess',
  implications: [
    ...off('allowCamera', 'allowVideoConferencing'),
    ...off('allowScreenShot', 'allowRemoteScreenObservation'),
    ...off('allowAppInstallation', 'allowUIAppInstallation', 'allowAutomaticAppDownloads'),
    ...off('allowPasscodeModification', 'allowFingerprintModification'),
    ...off('allowGameCenter', 'allowMultiplayerGaming', 'allowAddingGameCenterFriends'),
    { if: { key: 'forceAirDropUnmanaged', is: true }, sets: { key: 'allowOpenFromManagedToUnmanaged', is: false } },
  ],
  verifiable: true,
};

/** Several payloads: see identity.ts. */
const identity: ConfigurationType = {
  name: 'identity',
  title: 'Identity',
  payloadType: 'com.apple.security.pkcs12',
  implications: [],
  verifiable: true,
};

/** Another payload before macOS 10.13: see filevault-escrow.ts. */
const fileVaultEscrow: ConfigurationType = {
  name: 'filevault-escrow',
  title: 'FileVault recovery key escrow',
  payloadType: 'com.apple.security.FDERecoveryKeyEscrow',
  implications: [],
  verifiable: true,
};

const types: ReadonlyMap<string, ConfigurationType> = new Map(
  [passcode, restrictions, identity, fileVaultEscrow].map((type) => [type.name, type] as const),
);

/** Every configuration type, in the order in which a form would offer them. */
export const configurationTypes: readonly ConfigurationType[] = [...types.values()];

/** The configuration type of this name; `undefined` when there is none. */
export function configurationType(name: string): ConfigurationType | undefined {
  return types.get(name);
}
