// Devices that are expected, and whose they will be (ADE-2): found by their serial numbers when they enrol.
import type { RegistrationRecord } from '../contracts/registrations.ts';
import type { Page, PageRequest } from './common.ts';

/** A device that is to be expected. */
export interface NewRegistration {
  readonly serialNumber: string;
  /** Whose it will be: what the fact `user.user_id` of the device becomes. 1 to 320 characters. */
  readonly user: string;
  /** Whether the user gets a PIN for automated device enrolment, and for nothing else (ADE-11). */
  readonly registrationPin?: boolean;
}

/** A registration as an administrator sees it. */
export interface Registration extends RegistrationRecord {
  /** The PIN, while it can be used. */
  readonly pin: string | null;
}

/**
 * Registrations by serial number. The first device that enrols with the serial number, in whatever way, claims its registration: it is
 * that user's from then on (unless somebody signed in to enrol it), its labels are evaluated with it, and the event `registration.claimed` tells.
 */
export interface Registrations {
  /**
   * Expects devices, all or none of them. A serial number that is registered already is registered anew: its PIN is void, and the next
   * enrolment claims it. Returns how many.
   * @throws CoreError `core.registration.bad_option` (invalid, `at.path`), `core.registration.single_device` (conflict, `at.path`): the
   *   user has a valid invitation of their own, and a user is registered with one device or by a list, not both
   */
  add(
    registrations: readonly NewRegistration[],
    options?: {
      /** Hours until the PINs expire (default 720). */
      readonly ttlHours?: number;
    },
  ): Promise<number>;
  /** By serial number. */
  list(query?: PageRequest & { readonly awaited?: boolean; readonly user?: string }): Promise<Page<Registration>>;
  /** Removes registrations; PINs that were not used are void. Devices that claimed theirs keep their users. Returns how many there were. */
  remove(serialNumbers: readonly string[]): Promise<number>;
  /** Those of `users` who have a valid invitation of their own. */
  singleDeviceUsers(users: Iterable<string>): Promise<ReadonlySet<string>>;
}
