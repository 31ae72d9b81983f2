// The states between active and gone (ACT-1, ACT-4, ACT-12): what the commands that end a device's management mean for it.

import type { DeviceIdentity } from '../api/engine.ts';
import type { CommandEntry, Enrolment, EnrolmentPhase } from '../api/records.ts';
import type { EndedCommand } from '../contracts/queue.ts';
import type { NewEvent } from '../contracts/shared.ts';
import { allPages, type Context, chunks } from '../engine/context.ts';
import type { Caller } from '../engine/door.ts';
import { CoreError } from '../errors.ts';
import { createRecipes } from '../recipes/run.ts';

/** The origin of commands that the life of a device asks for. */
export const LIFECYCLE_ORIGIN = 'lifecycle';

/** The origin of the command that removes an enrolment profile. */
export const RETIRE_ORIGIN = 'retire';

/** Moves devices between phases; labels follow. Returns those that moved. */
export async function changePhase(
  context: Context,
  ids: readonly string[],
  from: readonly (EnrolmentPhase | null)[],
  to: EnrolmentPhase | null,
  cause: string,
): Promise<readonly string[]> {
  const moved = await context.store.enrolments.setPhase({ ids, from, to, at: context.clock.now(), cause });
  if (moved.length === 0) return moved;
  context.bus.poke();
  await context.statusChanged(moved);
  return moved;
}

/** Takes a wipe back: the device is active again; labels follow. */
export async function revive(
  context: Context,
  id: string,
  phase: EnrolmentPhase | null,
  event: NewEvent,
): Promise<boolean> {
  const { store, clock } = context;
  if ((await store.enrolments.revive({ id, phase, at: clock.now(), events: [event] })) === null) return false;
  context.bus.poke();
  await context.statusChanged([id]);
  return true;
}

/** Erases were queued: the devices wait to be wiped. Of a user channel, or of a device that is gone, nothing follows. */
export async function eraseQueued(context: Context, enrolmentIds: readonly string[], cause: string): Promise<void> {
  await changePhase(context, enrolmentIds, [null, 'lost', 'retire-pending'], 'wipe-pending', cause);
}

/** An erase came to its end: the device is wiped, or, when none is left to come, back where it was. */
export async function eraseEnded(
  context: Context,
  { enrolmentId, state }: Pick<EndedCommand, 'enrolmentId' | 'state'>,
): Promise<void> {
  const { store, clock } = context;
  const at = clock.now();
  if (state === 'acknowledged') {
    await store.enrolments.end({
      id: enrolmentId,
      status: 'wiped',
      from: ['pending', 'active'],
      at,
      cause: 'wiped',
      events: [{ type: 'enrolment.wiped', at, enrolmentId, data: {} }],
    });
  } else if ((await pendingOf(context, enrolmentId, 'EraseDevice')).length === 0) {
    await changePhase(context, [enrolmentId], ['wipe-pending'], null, `erase ${state}`);
  }
}

/**
 * The removal of the enrolment profile came to its end: the device is retired, or what was asked was withdrawn. After an
 * error the device stays where it is: it is retired by force, or asked again.
 */
export async function removalEnded(
  context: Context,
  { enrolmentId, state }: Pick<EndedCommand, 'enrolmentId' | 'state'>,
): Promise<void> {
  if (state === 'acknowledged') await retire(context, enrolmentId, 'removed');
  else if (state === 'cancelled') {
    await changePhase(context, [enrolmentId], ['retire-pending'], null, 'removal cancelled');
  }
}

/**
 * Something else took the place of pending commands: a device that no erase, and no removal, is pending for any more goes back
 * to where it was.
 */
export async function replaced(context: Context, enrolmentIds: readonly string[]): Promise<void> {
  for (const part of chunks(enrolmentIds, 1_000)) {
    for (const { id, phase } of await context.store.enrolments.getMany(part)) {
      if (phase === 'wipe-pending' && (await pendingOf(context, id, 'EraseDevice')).length === 0) {
        await changePhase(context, [id], ['wipe-pending'], null, 'erase superseded');
      } else if (phase === 'retire-pending') {
        const removals = await pendingOf(context, id, 'RemoveProfile');
        if (removals.some(({ origin }) => origin === RETIRE_ORIGIN)) continue;
        await changePhase(context, [id], ['retire-pending'], null, 'removal superseded');
      }
    }
  }
}

/** Archives a device: nothing is asked of it any more. False when it is retired already, or there is none. */
export async function retire(context: Context, enrolmentId: string, cause: string): Promise<boolean> {
  const { store, clock, bus } = context;
  const at = clock.now();
  const ended = await store.enrolments.end({
    id: enrolmentId,
    status: 'retired',
    from: ['pending', 'active', 'checked-out', 'wiped'],
    at,
    cause: 'retired',
    events: [{ type: 'enrolment.retired', at, enrolmentId, data: { cause } }],
  });
  bus.poke();
  if (ended !== null) await context.ended(enrolmentId);
  return ended !== null;
}

/** Pending commands, of one kind where it is given, newest first. */
export async function pendingOf(
  { store }: Pick<Context, 'store'>,
  enrolmentId: string,
  requestType?: string,
): Promise<readonly CommandEntry[]> {
  const found: CommandEntry[] = [];
  const pages = allPages((page) => store.queue.list(enrolmentId, { ...page, pendingOnly: true }), 200);
  for await (const page of pages) {
    found.push(...page.filter((entry) => requestType === undefined || entry.requestType === requestType));
  }
  return found;
}

/**
 * A device that was wiped comes back without enrolling: a backup was restored (ACT-12). With `rewipe` it is erased again;
 * true when it may be let in for that.
 */
export async function cameBack(context: Context, caller: Caller, identity: DeviceIdentity): Promise<boolean> {
  if (!context.options.rewipe) return false;
  const { store, clock } = context;
  const id = caller.parent ?? caller.id;
  const enrolment = await store.enrolments.get(id);
  if (enrolment?.status !== 'wiped' || enrolment.certificateFingerprint !== identity.fingerprint) return false;
  const at = clock.now();
  const data = { from: 'wiped', to: 'wipe-pending', cause: 'came back' };
  const event = { type: 'enrolment.phase-changed', at, enrolmentId: id, data } as const;
  if (!(await revive(context, id, 'wipe-pending', event))) return false;
  await createRecipes(context).start(id, 'erase', {}, { origin: LIFECYCLE_ORIGIN, force: true });
  return true;
}

/** Why an enrolment that has ended is not let in, where the server ended it and the device proves to be it. */
export async function endedHere(
  { store }: Context,
  enrolmentId: string,
  identity: DeviceIdentity,
): Promise<'retired' | 'wiped' | null> {
  const enrolment: Enrolment | null = await store.enrolments.get(enrolmentId);
  const device = enrolment?.parent == null ? enrolment : await store.enrolments.get(enrolment.parent);
  if (device === null || device.certificateFingerprint !== identity.fingerprint) return null;
  return device.status === 'retired' || device.status === 'wiped' ? device.status : null;
}

/** The profile that enrolled a device: what it listed, else what the product says. */
export async function enrolmentProfileOf(context: Context, enrolment: Enrolment): Promise<string> {
  const listed = (await context.store.inventory.get(enrolment.id))?.facts['ios.mdm_profile_identifier'];
  const identifier = typeof listed === 'string' ? listed : context.options.enrolmentProfileIdentifier;
  if (identifier !== '') return identifier;
  throw new CoreError('core.action.no_profile', 'conflict', 'the identifier of the enrolment profile is not known', {
    remedy: 'Refresh the inventory of the device, or set the option enrolmentProfileIdentifier.',
  });
}
