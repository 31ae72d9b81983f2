// Which commands a device takes, by what Apple's schema says of platform, version, supervision, enrolment and channel.
import { type AccessRightName, accessRight } from '../profile/access-rights.ts';
import { schema } from '../schema/catalogue.ts';
import type { Platform } from '../schema/model.ts';
import type { Issue } from '../validate/issue.ts';
import type { Target } from '../validate/target.ts';
import { validate } from '../validate/validate.ts';
import type { RawPayload } from './command.ts';

/** How strictly a command is checked. */
export interface CommandCheck {
  /** The device, as far as it is known; without it only the command itself is checked. */
  readonly target?: Target | null;
  /** The mask of `AccessRights` that the enrolment has; absent: not judged. User Enrolments have none. */
  readonly accessRights?: number;
  /** Let pass what the schema does not know: request types, keys, values (a system newer than the catalogue). */
  readonly allowUnknown?: boolean;
}

const unknownCodes: ReadonlySet<string> = new Set(['schema.unknown', 'key.unknown', 'value.list']);

/** The schema has other names for two of the rights in places. `None`, `n/a` and `Special Case` are no right. */
const aliases: Readonly<Record<string, AccessRightName>> = {
  DeviceLockAndRemovePasscode: 'AllowPasscodeRemovalAndLock',
  QueryInstalledApps: 'AllowQueryApplications',
};

/**
 * The access right that a server needs for a command on a platform; `null` where it needs none, or a special one.
 * @example requiredAccessRight('DeviceLock', 'iOS'); // 'AllowPasscodeRemovalAndLock'
 */
export function requiredAccessRight(requestType: string, platform: Platform): AccessRightName | null {
  const word = schema.command(requestType)?.supportedOS?.[platform]?.accessrights;
  if (word === undefined) return null;
  const name = Object.hasOwn(aliases, word) ? aliases[word]! : word;
  return Object.hasOwn(accessRight, name) ? (name as AccessRightName) : null;
}

/**
 * Everything for which a device would refuse a command, or for which the command itself is wrong; empty when nothing
 * speaks against it. The codes that begin with `target.` are about this device, the others about the command.
 *
 * A device leaves out what `DeviceInformation` asks for and it does not have, so those queries are never a reason.
 *
 * @example
 * checkCommand('RestartDevice', {}, { target: { platform: 'iOS', osVersion: '17.2', supervised: false } });
 * // [{ code: 'target.supervised', path: '/', message: 'RestartDevice needs a supervised device', … }]
 */
export function checkCommand(requestType: string, payload: RawPayload, check: CommandCheck = {}): Issue[] {
  const { target = null, accessRights, allowUnknown = false } = check;
  const issues = validate('command', { ...payload, RequestType: requestType }, target).filter((issue) => {
    if (allowUnknown && unknownCodes.has(issue.code)) return false;
    // A key that nobody knows is most likely misspelt, and the device would do without it.
    if (issue.code === 'schema.unknown' || issue.code === 'key.unknown') return true;
    if (issue.severity !== 'error') return false;
    return !(
      requestType === 'DeviceInformation' &&
      issue.path.startsWith('/Queries/') &&
      issue.code.startsWith('target.')
    );
  });
  const right = target === null ? null : requiredAccessRight(requestType, target.platform);
  if (
    right !== null &&
    accessRights !== undefined &&
    target?.enrolment !== 'user' &&
    (accessRights & accessRight[right]) === 0
  ) {
    issues.push({
      path: '/',
      code: 'target.access_rights',
      severity: 'error',
      message: `${requestType} needs the access right ${right}, which the enrolment does not give`,
      remedy: 'Enrol the device with a profile that has the right.',
    });
  }
  return issues;
}

/** Whether a device takes a command, and why not. */
export interface Capability {
  readonly requestType: string;
  readonly supported: boolean;
  /** What speaks against it. */
  readonly reasons: readonly Issue[];
}

/**
 * What a device takes: one row for each command of the schema, whatever its payload.
 *
 * @example
 * commandCapabilities({ platform: 'tvOS', osVersion: '18.0' }).filter(({ supported }) => supported);
 */
export function commandCapabilities(target: Target, accessRights?: number): Capability[] {
  return schema.names('command').map((requestType) => {
    const check = { target, ...(accessRights === undefined ? {} : { accessRights }) };
    // Only what concerns the command as a whole: its keys are missing here, of course.
    const reasons = checkCommand(requestType, {}, check).filter(
      ({ path, code }) => path === '/' && code.startsWith('target.'),
    );
    return { requestType, supported: reasons.length === 0, reasons };
  });
}
