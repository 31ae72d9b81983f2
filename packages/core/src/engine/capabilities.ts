// Whether devices would take a command: what is known of each is compared with Apple's schema before anything is queued.
import { checkCommand, type Issue, platforms, type RawPayload, type Target } from '@espalier/apple-mdm';
import type { RefusedTarget } from '../api/engine.ts';
import type { DeviceRow, Enrolment } from '../api/records.ts';
import { CoreError } from '../errors.ts';
import { RIGHTS_TOKEN } from '../mdm-profile/service.ts';
import { type Context, chunks } from './context.ts';

/** A command that is about to be queued. */
export interface ProposedCommand {
  readonly requestType: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** How strictly commands are looked at. */
export interface Strictness {
  /** Let pass what the schema does not know. */
  readonly allowUnknown?: boolean;
  /** Queue it also for devices that would refuse it, as far as one can tell. */
  readonly force?: boolean;
}

/** What is known of a device, as the schema's checks take it; `null` when not even the platform is. */
export function targetOf(enrolment: Enrolment, facts: DeviceRow['facts']): Target | null {
  const platform = platforms.find((name) => name === facts['common.platform']);
  if (platform === undefined) return null;
  const flag = <K extends string>(key: K, token: string) => {
    const value = facts[token];
    return (typeof value === 'boolean' ? { [key]: value } : {}) as { readonly [P in K]?: boolean };
  };
  const version = facts['common.os_version'];
  const byUser = enrolment.kind.startsWith('user-enrolment') || facts['ios.apple_user_enrolled_device'] === true;
  return {
    platform,
    ...(typeof version === 'string' && /^\d{1,4}(\.\d{1,4}){0,3}$/.test(version) ? { osVersion: version } : {}),
    enrolment: byUser ? 'user' : 'device',
    channel: enrolment.channel,
    ...flag('supervised', 'ios.Supervised'),
    ...(enrolment.kind === 'shared-ipad-user' ? { sharedIpad: true } : flag('sharedIpad', 'ios.IsMultiUser')),
    ...flag('ade', 'ios.IsDEPEnrolledDevice'),
    ...flag('userApproved', 'ios.UserApprovedEnrollment'),
  };
}

/** The rights that the profile of a device gave (CFG-3), as far as they are known; a User Enrolment has none of them. */
function rightsHeld(
  enrolment: Enrolment,
  facts: DeviceRow['facts'],
  otherwise: Context['accessRights'],
): number | null {
  if (enrolment.kind.startsWith('user-enrolment')) return null;
  const held = facts[RIGHTS_TOKEN];
  return typeof held === 'number' ? held : (otherwise?.(enrolment) ?? null);
}

/** The target of one enrolment: `undefined` when there is none, `null` when too little is known of it. */
export async function targetFor(
  { store, accessRights }: Context,
  enrolmentId: string,
): Promise<{ readonly target: Target; readonly accessRights?: number } | null | undefined> {
  const [row] = await store.inventory.rows([enrolmentId]);
  if (row === undefined) return undefined;
  const { enrolment, facts } = row;
  const [parent] = enrolment.parent === null ? [] : await store.inventory.rows([enrolment.parent]);
  const target = targetOf(enrolment, { ...parent?.facts, ...facts });
  if (target === null) return null;
  const rights = rightsHeld(enrolment, { ...parent?.facts, ...facts }, accessRights);
  return rights === null ? { target } : { target, accessRights: rights };
}

/**
 * Refuses a command that is wrong whatever the device.
 * @throws CoreError `core.command.invalid` (invalid), with the path
 */
export function checkCommandItself(
  { requestType, payload }: ProposedCommand,
  { allowUnknown = false }: Strictness,
): void {
  const [first] = checkCommand(requestType, payload as RawPayload, { allowUnknown });
  if (first === undefined) return;
  const unknown = first.code === 'schema.unknown';
  throw new CoreError(
    'core.command.invalid',
    'invalid',
    unknown ? first.message : `${requestType} ${first.path} ${first.message}`,
    {
      at: { path: first.path },
      remedy: unknown ? `${first.remedy} Set allowUnknown for a command newer than the schema.` : first.remedy,
    },
  );
}

/** Splits the targets into those that take all of the commands and those that would refuse one. */
export async function splitByCapability(
  context: Context,
  enrolmentIds: readonly string[],
  commands: readonly ProposedCommand[],
): Promise<{ readonly allowed: readonly string[]; readonly refused: readonly RefusedTarget[] }> {
  const allowed: string[] = [];
  const refused: RefusedTarget[] = [];
  // A fleet has few kinds of device.
  const known = new Map<string, readonly Issue[]>();
  for (const ids of chunks(enrolmentIds, 1000)) {
    const reasons = await reasonsFor(context, ids, commands, known);
    for (const id of ids) {
      const found = reasons.get(id) ?? [];
      if (found.length === 0) allowed.push(id);
      else
        refused.push({
          enrolmentId: id,
          reasons: found.map(({ code, path, message, remedy }) => ({ code, path, message, remedy })),
        });
    }
  }
  return { allowed, refused };
}

async function reasonsFor(
  context: Context,
  ids: readonly string[],
  commands: readonly ProposedCommand[],
  known: Map<string, readonly Issue[]>,
): Promise<ReadonlyMap<string, readonly Issue[]>> {
  const { store, accessRights } = context;
  const rows = await store.inventory.rows(ids);
  const parentIds = [...new Set(rows.flatMap(({ enrolment }) => enrolment.parent ?? []))];
  const parents = new Map(
    parentIds.length === 0
      ? []
      : (await store.inventory.rows(parentIds)).map((row) => [row.enrolment.id, row] as const),
  );
  const result = new Map<string, readonly Issue[]>();
  for (const { enrolment, facts } of rows) {
    const device = enrolment.parent === null ? facts : { ...parents.get(enrolment.parent)?.facts, ...facts };
    const target = targetOf(enrolment, device);
    if (target === null) continue;
    const rights = rightsHeld(enrolment, device, accessRights);
    const key = JSON.stringify([target, rights]);
    let reasons = known.get(key);
    if (reasons === undefined) {
      reasons = commands.flatMap(({ requestType, payload }) =>
        checkCommand(requestType, payload as RawPayload, {
          target,
          allowUnknown: true,
          ...(rights === null ? {} : { accessRights: rights }),
        }).filter(({ code }) => code.startsWith('target.')),
      );
      known.set(key, reasons);
    }
    result.set(enrolment.id, reasons);
  }
  return result;
}

/**
 * The error for a device that would refuse a command.
 */
export function unsupported(requestType: string, refused: RefusedTarget): CoreError {
  const [first] = refused.reasons;
  return new CoreError(
    'core.command.unsupported',
    'conflict',
    `the device would refuse ${requestType}: ${refused.reasons.map(({ path, message }) => (path === '/' ? message : `${path} ${message}`)).join('; ')}`,
    {
      ...(first === undefined ? {} : { at: { path: first.path } }),
      remedy: `${first?.remedy ?? ''} Set force to queue it all the same.`.trim(),
    },
  );
}
