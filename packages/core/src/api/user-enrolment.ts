// User Enrolment as a whole (ABM-20): its switch, and what is still missing before a first device can enrol.

/** The switch. */
export interface UserEnrolmentSettings {
  /** Off: nobody new enrols a device of their own; who has enrolled stays. On until it is turned off. */
  readonly enabled: boolean;
  /** `null` before it was first set. */
  readonly updatedAt: number | null;
}

/** One line of the checklist. */
export interface UserEnrolmentCheck {
  /**
   * - `enabled`: the switch;
   * - `push-certificate`: a push certificate that is valid now;
   * - `server-token`: an account of Apple Business or School Manager, where Managed Apple Accounts come from, with a token that
   *   has not ended. Federated accounts do without this server knowing of it: then it is `unchecked`.
   *
   * Whoever hosts the engine may have lines of its own.
   */
  readonly check: string;
  /** `unchecked`: the engine cannot know. */
  readonly state: 'ok' | 'missing' | 'unchecked';
  readonly message: string;
  /** What helps; `null` where nothing is missing. */
  readonly remedy: string | null;
}

/** User Enrolment as a whole. */
export interface UserEnrolments {
  get(): Promise<UserEnrolmentSettings>;
  /**
   * Turns it on or off; the event is `user-enrolment.changed`.
   * @throws CoreError `core.user_enrolment.not_ready` (conflict) for on, where no device could be woken: the push certificate is
   *   missing or has ended
   */
  set(change: { readonly enabled: boolean }): Promise<UserEnrolmentSettings>;
  /** What is there and what is missing, in the order in which it is to be done. */
  checklist(): Promise<readonly UserEnrolmentCheck[]>;
  /** The Managed Apple Account of a user, as the product knows the user; `null` where there is none yet. */
  account(userId: string): Promise<string | null>;
  /**
   * Says that this user enrols with this account: the first one becomes the user's, and every later enrolment is with it (ABM-27).
   * Upper and lower case are one. The event of the first is `user-enrolment.account-assigned`.
   * @returns the account in the spelling in which it was assigned
   * @throws CoreError `core.user_enrolment.other_account` (forbidden), `core.user_enrolment.bad_account` (invalid)
   */
  claimAccount(claim: { readonly userId: string; readonly managedAppleAccount: string }): Promise<string>;
  /**
   * Assigns an account, in the place of another one, or takes it away (`null`): then the next one that the user enrols with
   * becomes theirs. Devices that are enrolled stay as they are.
   * @throws CoreError `core.user_enrolment.bad_account` (invalid)
   */
  assignAccount(userId: string, managedAppleAccount: string | null): Promise<void>;
}
