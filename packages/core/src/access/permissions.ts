// What an administrator may be allowed to do (ADE-6, ACT-32, ATTR-11), and what the kinds of work on devices need.
import type { ActionName } from '../api/actions.ts';
import type { RecipeName } from '../api/recipes.ts';

const meanings = {
  'view devices':
    'Read devices, their commands, labels, assignments, certificates and events; never a secret, a place, or a configuration’s contents.',
  'view configurations':
    'Read the contents of configurations, declarations and credential settings, with the passwords in them.',
  'read secrets':
    'Read what unlocks devices: recovery keys, bypass codes, PINs, and answers that may hold such; search by secrets.',
  'locate devices': 'Ask where a device is, and read where it was.',
  'manage devices': 'Refresh and lock devices, run actions and recipes, queue and cancel commands.',
  'wipe devices': 'Erase devices; beside “manage devices”.',
  'manage labels': 'Make, change and delete labels, and their members: what a label assigns follows.',
  'manage configurations': 'Make, change and delete configurations and declarations.',
  'manage certificates': 'Revoke and renew certificates, manage authorities, credential settings and credentials.',
  'enrol devices':
    'Invitations and registrations with their PINs, SCEP challenges and approvals, client identifiers of ACME.',
  'manage device enrolment': 'Everything of Automated Device Enrolment: accounts, devices, profiles.',
  'manage apps and books': 'Everything of Apps and Books: locations, assets, users, assignments.',
  'manage custom attributes': 'Say which attributes there are: the columns of a pre-assignment among it.',
  'manage settings': 'The push certificate, the MDM profile, User Enrolment, webhooks, migration.',
} as const;

/** What an administrator may be allowed to do: a stable text, made for people and for configuration files. */
export type Permission = keyof typeof meanings;

/**
 * Every permission. Whoever has all may do everything; none implies another.
 * @example
 * const readOnly: Permission[] = ['view devices'];
 */
export const permissions: readonly Permission[] = Object.freeze(Object.keys(meanings) as Permission[]);

/** Each permission in a sentence, for people who choose among them. */
export const permissionMeanings: Readonly<Record<Permission, string>> = Object.freeze({ ...meanings });

/** Whether a text is a permission. */
export function isPermission(text: string): text is Permission {
  return Object.hasOwn(meanings, text);
}

const MANAGE: Permission = 'manage devices';

/** What it needs to queue a command: erasing and locating need more than other commands. */
export function permissionsOfCommand(requestType: string): readonly Permission[] {
  if (requestType === 'EraseDevice') return [MANAGE, 'wipe devices'];
  return requestType === 'DeviceLocation' ? [MANAGE, 'locate devices'] : [MANAGE];
}

/** What it needs to run an action (ACT-1). */
export function permissionsOfAction(
  action: ActionName,
  parameters: Readonly<Record<string, unknown>> = {},
): readonly Permission[] {
  if (action === 'wipe') return permissionsOfCommand('EraseDevice');
  return action === 'locate' || (action === 'lost-mode-on' && parameters['locate'] === true)
    ? permissionsOfCommand('DeviceLocation')
    : [MANAGE];
}

/** What it needs to start or to cancel a recipe; a recipe that queues commands of the caller’s needs what they need. */
export function permissionsOfRecipe(
  recipe: RecipeName,
  parameters: Readonly<Record<string, unknown>> = {},
): readonly Permission[] {
  if (recipe === 'erase') return permissionsOfCommand('EraseDevice');
  if (recipe === 'lost-mode-locate' || (recipe === 'lost-mode-on' && parameters['locate'] === true)) {
    return permissionsOfCommand('DeviceLocation');
  }
  const { commands } = parameters;
  if (recipe !== 'release-awaiting' || !Array.isArray(commands)) return [MANAGE];
  const types = commands.map((command: unknown) =>
    typeof command === 'object' && command !== null && 'requestType' in command ? String(command.requestType) : '',
  );
  return [...new Set([MANAGE, ...types.flatMap(permissionsOfCommand)])];
}
