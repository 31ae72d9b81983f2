// Bulk registration by CSV (ADE-2): which user a device belongs to when it enrols, found by its serial number.
import { type PreAssignmentProblem, readPreAssignment } from './pre-assign.ts';

/** A device that is expected, and whose it is going to be. */
export interface DeviceRegistration {
  readonly serial: string;
  /** The user, as the file names them. */
  readonly user: string;
  /** Whether the user is to get a PIN for automated device enrolment. */
  readonly registrationPin: boolean;
}

/** What a file is checked against. */
export interface RegistrationOptions {
  /** Heading of the column with the user. Default `User`. */
  readonly userHeading?: string;
  /** Headings of columns that are there for others, and are passed over. */
  readonly otherHeadings?: readonly string[];
  /** Whether a user is registered with a single device already, which excludes a bulk registration. */
  readonly hasSingleDevice?: (user: string) => boolean;
  /** Whether there is such a user. Left out: every one is. */
  readonly isKnownUser?: (user: string) => boolean;
  /** Rows of a file. Default 5,000. */
  readonly maxDevices?: number;
}

/** The whole file, or why none of it. */
export type RegistrationResult =
  | { readonly ok: true; readonly registrations: readonly DeviceRegistration[] }
  | { readonly ok: false; readonly problems: readonly PreAssignmentProblem[]; readonly more: number };

const pinHeading = 'Include DEP Only Registration Pin';

/**
 * Reads a file of bulk registrations: the serial number in the first column, the user in the column `User`, and where it
 * is there `Include DEP Only Registration Pin` with TRUE or FALSE. A file is taken whole or not at all.
 *
 * @param file CSV in UTF-8.
 * @example
 * const result = readRegistrations(bytes, { hasSingleDevice: (user) => single.has(user) });
 * if (!result.ok) show(result.problems); // each with row, column and message
 */
export function readRegistrations(file: Uint8Array | string, options: RegistrationOptions = {}): RegistrationResult {
  const { userHeading = 'User', otherHeadings = [], maxDevices } = options;
  const result = readPreAssignment(file, {
    attributes: [
      { name: userHeading, type: 'string' },
      { name: pinHeading, type: 'boolean' },
      ...otherHeadings.map((name) => ({ name, type: 'string' as const })),
    ],
    required: [userHeading],
    check(attribute, value) {
      if (attribute !== userHeading) return undefined;
      const user = String(value);
      if (options.isKnownUser?.(user) === false) return 'there is no such user';
      return options.hasSingleDevice?.(user) === true
        ? 'the user is registered with a single device already; remove that registration first'
        : undefined;
    },
    ...(maxDevices !== undefined && { maxDevices }),
  });
  if (!result.ok) return result;
  const registrations = result.devices.map(({ serial, set }) => ({
    serial,
    user: String(set.get(userHeading)),
    registrationPin: set.get(pinHeading) === true,
  }));
  return { ok: true, registrations };
}

/** Registrations that no device has claimed yet. */
export interface PendingRegistrations {
  /**
   * The registration of a device that enrols, which it claims: the next device with this serial number finds none.
   * @param serialNumber `SerialNumber` of the check-in, or `SERIAL` of the machine information.
   */
  claim(serialNumber: string): DeviceRegistration | undefined;
  /** What is still expected, in the order in which it came. */
  pending(): readonly DeviceRegistration[];
}

/** Keeps registrations until their devices come. Of two with one serial number, the later counts. */
export function createPendingRegistrations(registrations: Iterable<DeviceRegistration>): PendingRegistrations {
  const waiting = new Map<string, DeviceRegistration>();
  for (const registration of registrations) waiting.set(registration.serial.toUpperCase(), registration);
  return {
    claim(serialNumber) {
      const key = serialNumber.toUpperCase();
      const found = waiting.get(key);
      waiting.delete(key);
      return found;
    },
    pending: () => [...waiting.values()],
  };
}
