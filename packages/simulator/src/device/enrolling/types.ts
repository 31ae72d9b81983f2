// The ways in that Apple documents besides a profile's link or file, and what each needs of its surroundings.
import type { SimulatedDevice } from '../types.ts';
import type { SignIn } from './browser.ts';

/**
 * What Apple's activation service tells a device that is assigned to an organisation, by the names of Apple's `Profile`
 * object (device assignment services).
 */
export interface AdeProfile {
  /** Where the device asks for its enrolment profile. */
  readonly url: string;
  /** In place of `url`: a page to sign in at, which ends in the enrolment profile. iOS 13, macOS 10.15. */
  readonly configuration_web_url?: string;
  /** Setup Assistant waits for `DeviceConfigured`. */
  readonly await_device_configured?: boolean;
  /** Up to iOS 12: whether the device becomes supervised. Later ones always do. */
  readonly is_supervised?: boolean;
  /** A Shared iPad. */
  readonly is_multi_user?: boolean;
  /** Roots that the device trusts for these addresses: base64 DER. */
  readonly anchor_certs?: readonly string[];
}

/** Automated Device Enrolment: in Setup Assistant. */
export interface AdeEnrolment {
  readonly type: 'ade';
  readonly profile: AdeProfile;
  /** Who signs in at `configuration_web_url`. */
  readonly signIn?: SignIn;
  /** Who answers when `url` asks for a name and a password (HTTP Basic). */
  readonly credentials?: { readonly username: string; readonly password: string };
}

/** Account-driven enrolment: in Settings, with an account of the organisation. */
export interface AccountEnrolment {
  readonly type: 'account';
  /** What the user types: `ann@example.com`. Its domain is asked where to enrol. */
  readonly user: string;
  /** The user at the sign-in page. Asked again whenever the server no longer takes the token. */
  readonly signIn: SignIn;
  /** The origin that is asked in place of `https://` and the account's domain. */
  readonly discovery?: string;
  /** Where Apple forwards to when the domain has no answer: what the organisation's server registered. iOS 18.2, macOS 15.2. */
  readonly fallback?: string;
}

/** Apple Watch: while it is paired, where its iPhone has the declaration `com.apple.configuration.watch.enrollment`. */
export interface WatchEnrolment {
  readonly type: 'watch';
  readonly phone: SimulatedDevice;
}

/** A way to enrol besides a link and a file. */
export type EnrolmentWay = AdeEnrolment | AccountEnrolment | WatchEnrolment;

/** The names of all ways: a link or file that holds the profile itself or a profile service, and those of {@link EnrolmentWay}. */
export type EnrolmentType =
  | 'profile'
  | 'profile-service'
  | 'user-profile'
  | 'ade'
  | 'ade-web'
  | 'account-user'
  | 'account-device'
  | 'watch';
