// The default settings of the MDM profile (CFG-3): what enrolments ask for, and how far each device is.

/** What the MDM payload of an enrolment says. */
export interface MdmProfileContent {
  /** The mask of `AccessRights`, 1 to 8191. */
  readonly accessRights: number;
  /** The device tells when the profile is removed; not guaranteed, so that hearing nothing proves nothing. */
  readonly checkOutWhenRemoved: boolean;
}

/** The settings. */
export interface MdmProfileSettings extends MdmProfileContent {
  /**
   * Users shall be told where only they can bring the profile up to date: the event `mdm-profile.user-needed` for each device. The
   * product tells them; MDM itself has no message.
   */
  readonly notifyUsers: boolean;
}

/** The settings as they are kept. */
export interface MdmProfileRecord extends MdmProfileSettings {
  /** Grows by one with each change. */
  readonly version: number;
  readonly updatedAt: number;
}

/**
 * How far a device is:
 * - `up-to-date`: its profile is as the settings want it;
 * - `updating`: fewer rights, or the other change, reach it by themselves: its profile is sent again;
 * - `awaiting-user`: it lacks rights, which no update may add; the user was told (`notifyUsers`);
 * - `blocked-until-reenrolment`: it lacks rights, and gets them when it enrols anew;
 * - `unknown`: nobody knows what its profile says (it enrolled before this was kept, or elsewhere);
 * - `not-applicable`: a User Enrolment, whose rights are Apple's.
 */
export type MdmProfileState =
  | 'up-to-date'
  | 'updating'
  | 'awaiting-user'
  | 'blocked-until-reenrolment'
  | 'unknown'
  | 'not-applicable';

/** How one device stands. */
export interface MdmProfileStatus {
  readonly state: MdmProfileState;
  /** What its profile says; `null` where nobody knows. */
  readonly held: MdmProfileContent | null;
  /** Rights that it lacks, and those that it is to lose: masks. */
  readonly missing: number;
  readonly surplus: number;
}

/** The default MDM profile. */
export interface MdmProfiles {
  /** The settings; `null` until they were set: the host's options count. */
  get(): Promise<MdmProfileRecord | null>;
  /**
   * Changes the settings. Devices whose profile says more get it again, a few hundred with each round of the housekeeping; what
   * a device lacks it gets when it enrols anew.
   * @throws CoreError `core.mdm_profile.bad_rights` (invalid): no right at all, an unknown one, or one without the one that it needs
   */
  set(change: Partial<MdmProfileSettings>): Promise<MdmProfileRecord>;
  /** @throws CoreError `core.enrolment.unknown` (not-found) */
  of(enrolmentId: string): Promise<MdmProfileStatus>;
  /** How many active devices are in each state: looks at every device. */
  summary(): Promise<Readonly<Record<MdmProfileState, number>>>;
  /**
   * For whoever makes enrolment profiles: what the profile is to say, by the settings or else the defaults given. For an invitation it is
   * kept, so that the device's rights are known; for a renewal nothing is added to what the device has, since devices refuse that.
   */
  content(
    purpose: { readonly invitationId: string } | { readonly enrolmentId: string },
    defaults: MdmProfileContent,
  ): Promise<MdmProfileContent>;
}
