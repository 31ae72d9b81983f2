// Who sent a message: the identifiers that a message carries, and the one normalised identity that they stand for.
import { MdmError } from './errors.ts';
import type { Keys } from './keys.ts';

/** The `UserID` that every Shared iPad user has; the user is told apart by `UserShortName`. Source: Apple, TokenUpdate. */
export const sharedIpadUserId = 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF';

/** The identifiers of a check-in message or a command response, as the device sent them. */
export interface EnrolmentIds {
  /** The device's UDID (`UDID`); never present in a User Enrolment. */
  readonly udid?: string;
  /** The device in a User Enrolment (`EnrollmentID`); new with each enrolment. */
  readonly enrolmentId?: string;
  /** The user of a user channel (`UserID`). */
  readonly userId?: string;
  /** The user of a user channel in a User Enrolment of a Mac (`EnrollmentUserID`). */
  readonly enrolmentUserId?: string;
  /** The account's short name on a Mac; the Managed Apple Account on a Shared iPad (`UserShortName`). */
  readonly userShortName?: string;
  /** The account's full name on a Mac (`UserLongName`). */
  readonly userLongName?: string;
  /** Whether the user is logged in away from the console (`NotOnConsole`, macOS user channel). */
  readonly notOnConsole?: boolean;
}

/** What an enrolment is. */
export type EnrolmentKind = 'device' | 'user' | 'user-enrolment-device' | 'user-enrolment-user' | 'shared-ipad-user';

/** The normalised identity of an enrolment: one per MDM channel. */
export interface ResolvedEnrolment {
  /** The device's identifier, or `device:user` for a user channel. */
  readonly id: string;
  readonly channel: 'device' | 'user';
  readonly kind: EnrolmentKind;
  /** The device channel's id, on a user channel. */
  readonly parent?: string;
}

/** Reads the identifiers out of a message. */
export function readIds(keys: Keys): EnrolmentIds {
  const ids: { -readonly [K in keyof EnrolmentIds]: EnrolmentIds[K] } = {};
  const udid = keys.string('UDID');
  const enrolmentId = keys.string('EnrollmentID');
  const userId = keys.string('UserID');
  const enrolmentUserId = keys.string('EnrollmentUserID');
  const userShortName = keys.string('UserShortName');
  const userLongName = keys.string('UserLongName');
  const notOnConsole = keys.boolean('NotOnConsole');
  if (udid) ids.udid = udid;
  if (enrolmentId) ids.enrolmentId = enrolmentId;
  if (userId) ids.userId = userId;
  if (enrolmentUserId) ids.enrolmentUserId = enrolmentUserId;
  if (userShortName) ids.userShortName = userShortName;
  if (userLongName) ids.userLongName = userLongName;
  if (notOnConsole !== undefined) ids.notOnConsole = notOnConsole;
  return ids;
}

/**
 * Gives the one identity that a message's identifiers stand for.
 *
 * | identifiers | kind | id |
 * |---|---|---|
 * | UDID | `device` | UDID |
 * | UDID and UserID | `user` | `UDID:UserID` |
 * | UDID and the shared UserID, UserShortName | `shared-ipad-user` | `UDID:UserShortName` |
 * | EnrollmentID | `user-enrolment-device` | EnrollmentID |
 * | EnrollmentID and EnrollmentUserID | `user-enrolment-user` | `EnrollmentID:EnrollmentUserID` |
 *
 * A UDID wins over an EnrollmentID when a message has both. Identifiers are compared as they were sent, except that
 * the shared `UserID` is recognised in either case of letters.
 *
 * @throws MdmError `mdm.enrolment.unidentified` when the message names neither, or a Shared iPad user has no name.
 */
export function resolveEnrolment(ids: EnrolmentIds): ResolvedEnrolment {
  if (ids.udid) return resolveWithUdid(ids.udid, ids);
  if (ids.enrolmentId) {
    return ids.enrolmentUserId
      ? user('user-enrolment-user', ids.enrolmentId, ids.enrolmentUserId)
      : { id: ids.enrolmentId, channel: 'device', kind: 'user-enrolment-device' };
  }
  throw new MdmError('mdm.enrolment.unidentified', 'the message has neither UDID nor EnrollmentID');
}

function resolveWithUdid(udid: string, ids: EnrolmentIds): ResolvedEnrolment {
  if (!ids.userId) return { id: udid, channel: 'device', kind: 'device' };
  if (ids.userId.toUpperCase() !== sharedIpadUserId) return user('user', udid, ids.userId);
  if (!ids.userShortName) {
    throw new MdmError('mdm.enrolment.unidentified', 'a Shared iPad user without UserShortName', {
      at: { path: '/UserShortName' },
    });
  }
  return user('shared-ipad-user', udid, ids.userShortName);
}

function user(kind: EnrolmentKind, parent: string, userId: string): ResolvedEnrolment {
  return { id: `${parent}:${userId}`, channel: 'user', kind, parent };
}
