// Contract: devices that are expected, and whose they will be (ADE-2).
import type { Page } from '../api/common.ts';
import type { NewEvent, StorePage } from './shared.ts';

/** A device that is expected. At most one for each serial number. */
export interface RegistrationRecord {
  /** In upper case. */
  readonly serialNumber: string;
  /** Whose it will be. */
  readonly user: string;
  /** The invitation whose PIN lets this user enrol it; `null` without one. */
  readonly invitationId: string | null;
  readonly createdAt: number;
  /** When a device with the serial number enrolled; `null` while it is awaited. */
  readonly claimedAt: number | null;
  /** The enrolment that claimed it. */
  readonly enrolmentId: string | null;
}

/** Registrations, by serial number. */
export interface RegistrationStore {
  /**
   * Puts registrations and appends the event, all or nothing. One replaces what its serial number had, claimed or not; of two
   * with one serial number the later counts. Returns those that were replaced while they were awaited.
   */
  put(records: readonly RegistrationRecord[], event: NewEvent): Promise<readonly RegistrationRecord[]>;
  get(serialNumber: string): Promise<RegistrationRecord | null>;
  /**
   * Gives a registration to the first enrolment that asks, and appends the event. `null` (nothing changed) when there is none, or another
   * enrolment has it. The enrolment that has it gets it again, without a further event.
   */
  claim(input: {
    readonly serialNumber: string;
    readonly enrolmentId: string;
    readonly at: number;
    readonly event: NewEvent;
  }): Promise<RegistrationRecord | null>;
  /** By serial number. */
  list(
    filter: { readonly awaited?: boolean; readonly user?: string },
    page: StorePage,
  ): Promise<Page<RegistrationRecord>>;
  /** Removes registrations, claimed or not. Returns those that there were. */
  remove(serialNumbers: readonly string[]): Promise<readonly RegistrationRecord[]>;
}
