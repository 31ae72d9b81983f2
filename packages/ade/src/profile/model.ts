// An enrolment profile: what goes to Apple, and what the server does itself.

/** The properties of a profile as Apple takes them. Source: Apple, Device Management, `Profile`. */
export interface AppleProfile {
  /** 1 to 125 characters. */
  readonly profile_name: string;
  /** Where the device asks for its MDM profile: `https`, at most 2,000 characters. */
  readonly url: string;
  /** Web page that devices show in place of the plain prompt (iOS 13, macOS 10.15): `https`. */
  readonly configuration_web_url?: string;
  /** Shown to the user. 1 to 125 characters. */
  readonly department?: string;
  /** 1 to 50 characters. */
  readonly support_phone_number?: string;
  /** 1 to 250 characters. */
  readonly support_email_address?: string;
  /** Names the services of one organisation. 1 to 256 characters. */
  readonly org_magic?: string;
  /** Default true here, false at Apple; iOS 13 and later supervise always. */
  readonly is_supervised?: boolean;
  /** Default true here, false at Apple; iOS 13 and later always enrol. */
  readonly is_mandatory?: boolean;
  /** Default true. False needs supervision. */
  readonly is_mdm_removable?: boolean;
  /** Default true. Without effect from iOS 13 on. */
  readonly allow_pairing?: boolean;
  /** Shared iPad. */
  readonly is_multi_user?: boolean;
  readonly await_device_configured?: boolean;
  /** tvOS, macOS 11. */
  readonly auto_advance_setup?: boolean;
  /** ISO 639-1 (or 639-2), as `en`. */
  readonly language?: string;
  /** ISO 3166-1, as `GB`. */
  readonly region?: string;
  /** Trusted roots for `url`: base64 of DER. */
  readonly anchor_certs?: readonly string[];
  /** Hosts that may pair although `allow_pairing` is false: base64 of DER. */
  readonly supervising_host_certs?: readonly string[];
  readonly skip_setup_items?: readonly string[];
  /** iOS 26, visionOS 26. */
  readonly is_return_to_service?: boolean;
  /** iOS 26, visionOS 26. */
  readonly do_not_use_profile_from_backup?: boolean;
  /** Serial numbers that are assigned at once. */
  readonly devices?: readonly string[];
}

/** How users prove who they are (ADE-11). */
export interface EnrolmentAuthentication {
  readonly type: 'password' | 'pin' | 'anonymous';
  /** By the identity provider's web page: `configuration_web_url` is the server's own. */
  readonly saml?: boolean;
}

/** Shared iPad's settings; keys as in `SharedDeviceConfiguration` of the `Settings` command (ADE-15). */
export interface SharedIpadSettings {
  /** Guests only: what they leave is deleted. */
  readonly TemporarySessionOnly?: boolean;
  /** Seconds; 0: never. At most 1,800. */
  readonly TemporarySessionTimeout?: number;
  /** Seconds; 0: never. At most 1,800. */
  readonly UserSessionTimeout?: number;
  /** Users whose data stay on the device: 1 to 32. Either this or `QuotaSize`. */
  readonly ResidentUsers?: number;
  /** Megabytes for each user. Either this or `ResidentUsers`. */
  readonly QuotaSize?: number;
  /** Days without a sign-in at Apple. iPadOS 16. */
  readonly OnlineAuthenticationGracePeriod?: number;
  /** Domains that the keyboard offers. iPadOS 16. */
  readonly ManagedAppleIDDefaultDomains?: readonly string[];
}

/** Accounts that are made while a Mac awaits its configuration (ADE-17). */
export interface MacAccountSettings {
  /**
   * `regular`: the user makes a standard account, beside a managed administrator. `administrator`: the user makes an
   * administrator. `skip`: the user makes none; there is a managed administrator only.
   */
  readonly primary: 'regular' | 'administrator' | 'skip';
  readonly administrator?: {
    /** 1 to 31 of a–z, 0–9, `_`, `-`, `.`, beginning with a letter or `_`. */
    readonly shortName: string;
    readonly fullName: string;
    readonly hidden?: boolean;
  };
}

/** An enrolment profile of an account. */
export interface EnrolmentProfile {
  /** What Apple gets. Certificates may be PEM or DER here: {@link compileEnrolmentProfile} converts them. */
  readonly apple: Omit<AppleProfile, 'anchor_certs' | 'supervising_host_certs' | 'skip_setup_items'> & {
    readonly anchor_certs?: readonly (string | Uint8Array)[];
    readonly supervising_host_certs?: readonly (string | Uint8Array)[];
    /** `all`: every pane of the targets. */
    readonly skip_setup_items?: readonly string[] | 'all';
  };
  readonly description?: string;
  /** Default password. */
  readonly authentication?: EnrolmentAuthentication;
  /** Shown where users sign in. At most 50 characters. */
  readonly loginText?: string;
  /** When a device that awaits its configuration is released whatever is missing: 1 to 10 minutes. */
  readonly awaitMinutes?: number;
  readonly sharedIpad?: SharedIpadSettings;
  readonly macAccounts?: MacAccountSettings;
}
