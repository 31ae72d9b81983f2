// Whose a credential is: users by the facts of their devices, and the devices of users.
import { compare, fold, or, print } from '@espalier/search';
import type { Facts } from '../api/common.ts';
import { allPages, type Context, chunks } from '../engine/context.ts';
import { CoreError } from '../errors.ts';

/** Users that are looked for at once. */
const PART = 50;

/** The key of a user: however it is written. @throws CoreError `core.credential.bad_user` */
export function userKey(userId: string): string {
  const key = fold(userId.trim());
  if (key === '' || key.length > 255) {
    throw new CoreError('core.credential.bad_user', 'invalid', 'a user has an id of 1 to 255 characters');
  }
  return key;
}

/** The user of a device: the first of the fields that is known. */
export function userOf(facts: Facts, fields: readonly string[]): string | null {
  for (const field of fields) {
    const value = facts[field];
    if (typeof value !== 'string') continue;
    const key = fold(value.trim());
    if (key !== '' && key.length <= 255) return key;
  }
  return null;
}

/** The holder of a user's credentials. */
export const userHolder = (key: string): string => `user:${key}`;

/** The holder of a device's credentials. */
export const deviceHolder = (enrolmentId: string): string => `device:${enrolmentId}`;

/** The holder of the identity that all devices of a setting share. */
export const sharedHolder = (settingId: string): string => `setting:${settingId}`;

/** Whether a configuration's settings name this id anywhere. */
export function names(value: unknown, id: string): boolean {
  if (typeof value === 'string') return value === id;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((item) => names(item, id));
}

/** The devices that have, or are to have, a configuration with one of these settings. */
async function devicesWith({ store }: Context, settingIds: ReadonlySet<string>, into: Set<string>): Promise<void> {
  if (settingIds.size === 0) return;
  for (const { id, settings } of await store.configurations.list()) {
    if (![...settingIds].some((settingId) => names(settings, settingId))) continue;
    for await (const rows of allPages((page) => store.configurations.assignments(id, page))) {
      for (const { enrolmentId } of rows) into.add(enrolmentId);
    }
  }
}

/** Active devices of these holders. */
export async function devicesOf(context: Context, holders: readonly string[]): Promise<readonly string[]> {
  const { store, options, matcher, searching } = context;
  const ids = new Set<string>();
  const users = new Set<string>();
  const shared = new Set<string>();
  for (const holder of holders) {
    if (holder.startsWith('device:')) ids.add(holder.slice('device:'.length));
    else if (holder.startsWith('setting:')) shared.add(holder.slice('setting:'.length));
    else users.add(holder.slice('user:'.length));
  }
  await devicesWith(context, shared, ids);
  const fields = options.userFields.filter((field) => matcher.catalogue.get(field) !== undefined);
  for (const part of chunks([...users], PART)) {
    const [first, ...rest] = part.flatMap((user) => fields.map((field) => compare(field, '=', user)));
    if (first === undefined) continue;
    const query = { matching: matcher.advanced(print(or(first, ...rest))), statuses: ['active'] } as const;
    for await (const found of searching.found(query)) {
      for (const row of await store.inventory.rows(found.map(({ enrolmentId }) => enrolmentId))) {
        // An earlier field outweighs the one that was found.
        const user = userOf(row.facts, options.userFields);
        if (user !== null && users.has(user)) ids.add(row.enrolment.id);
      }
    }
  }
  return [...ids];
}

/** Asks for another issued credential in the place of this one. False when there is another already. */
export async function requestReissue(
  context: Context,
  { id, settingId, holder }: { readonly id: string; readonly settingId: string; readonly holder: string },
  by: 'admin' | 'issuer',
): Promise<boolean> {
  const at = context.clock.now();
  const data = { credentialId: id, settingId, holder, by };
  const event = { type: 'credential.reissue-requested', at, enrolmentId: null, data } as const;
  if (!(await context.store.credentials.supersede({ id, at, event }))) return false;
  context.bus.poke();
  await markDevices(context, [holder]);
  return true;
}

/** Has the devices of these holders reconciled: what they are to have may be another one now. */
export async function markDevices(context: Context, holders: readonly string[]): Promise<void> {
  if (holders.length === 0) return;
  const enrolmentIds = await devicesOf(context, holders);
  if (enrolmentIds.length === 0) return;
  await context.store.configurations.mark({ enrolmentIds, at: context.clock.now() });
  context.kick.reconciler();
}
