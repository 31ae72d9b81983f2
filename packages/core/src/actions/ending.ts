// The actions that end a device's management, and take that back (ACT-4, ACT-11, ACT-12, ABM-18).
import type { ActionParameters } from '../api/actions.ts';
import type { CommandEntry } from '../api/records.ts';
import { buildCommand, enqueueCommands } from '../engine/commands.ts';
import type { Context } from '../engine/context.ts';
import { CoreError } from '../errors.ts';
import {
  retire as archive,
  changePhase,
  enrolmentProfileOf,
  pendingOf,
  RETIRE_ORIGIN,
  revive,
} from '../lifecycle/phases.ts';
import { takeBack } from '../lifecycle/take-back.ts';
import { createRecipes } from '../recipes/run.ts';
import { type ActionDefinition, type ActionDevice, against, type Done } from './types.ts';

const inLostMode = ({ facts }: ActionDevice): boolean => facts['ios.IsMDMLostModeEnabled'] === true;

/** Erase. */
export const wipe: ActionDefinition<ActionParameters['wipe']> = {
  bulk: true,
  destructive: true,
  notifies: 'on',
  statuses: ['Active', 'Lost', 'Retire Pending'],
  needs: () => ['EraseDevice'],
  warn: (device) => (inLostMode(device) ? ['A device in lost mode cannot be located any more once it is wiped.'] : []),
  async run(context, { enrolment }, parameters, { actor = 'admin', force = false }) {
    const run = await createRecipes(context).start(enrolment.id, 'erase', parameters, { origin: actor, force });
    return { commandUuids: run.step === null ? [] : [run.step.commandUuid] };
  },
};

async function withdraw(context: Context, { enrolment: { id } }: ActionDevice): Promise<Done> {
  const { store, clock } = context;
  const at = clock.now();
  const erases = () => pendingOf(context, id, 'EraseDevice');
  const pending = await erases();
  const isSent = ({ state }: CommandEntry): boolean => state === 'sent';
  // None of them is withdrawn where the device has one already.
  if (!pending.some(isSent)) {
    await createRecipes(context).cancel(id, 'erase');
    for (const { commandUuid } of pending) {
      await context.commandsEnded((await takeBack(context, id, commandUuid)) ?? []);
    }
  }
  const left = await erases();
  // Delivered is delivered: to say that it was withdrawn would be a lie. Not now means that the device did not erase.
  if (left.some(isSent)) {
    throw new CoreError('core.action.too_late', 'conflict', 'the device has fetched the erase already', {
      remedy: 'If it comes back by a restored backup, cancel the wipe then.',
    });
  }
  if (left.length > 0) {
    throw new CoreError('core.action.too_late', 'conflict', 'another erase was asked for meanwhile');
  }
  await changePhase(context, [id], ['wipe-pending'], null, 'wipe cancelled');
  await store.events.append([{ type: 'enrolment.wipe-cancelled', at, enrolmentId: id, data: { was: 'wipe-pending' } }]);
  return { done: true };
}

/** Take a wipe back. */
export const cancelWipe: ActionDefinition<ActionParameters['cancel-wipe']> = {
  bulk: true,
  destructive: false,
  notifies: 'on',
  statuses: ['Wipe Pending', 'Wiped'],
  async run(context, device) {
    const { id, status } = device.enrolment;
    if (status !== 'wiped') return withdraw(context, device);
    const { store, clock } = context;
    const at = clock.now();
    const event = { type: 'enrolment.wipe-cancelled', at, enrolmentId: id, data: { was: 'wiped' } } as const;
    if (!(await revive(context, id, null, event))) {
      throw new CoreError('core.action.too_late', 'conflict', 'the device is not wiped any more');
    }
    // A restored device has what it had when its backup was made: everything is looked at anew.
    await store.configurations.mark({ enrolmentIds: [id], at });
    await store.declarations.mark({ enrolmentIds: [id], at });
    context.kick.reconciler();
    context.kick.notifier();
    return { done: true };
  },
};

function guardRetire(device: ActionDevice): CoreError | null {
  if (inLostMode(device)) {
    return against(
      'lost_mode',
      'the device is in lost mode, which nobody could turn off any more',
      'Turn lost mode off first.',
    );
  }
  // A Shared iPad cannot be erased by hand: without management it would be stranded (ABM-18).
  if (device.facts['ios.IsMultiUser'] === true && device.enrolment.status !== 'wiped') {
    return against(
      'shared_ipad_wipe_first',
      'a Shared iPad that is retired before it is wiped can only be mended with Apple Configurator',
      'Wipe it, wait until it is wiped, then retire it.',
    );
  }
  return null;
}

/** Have the device remove its enrolment. */
export const retire: ActionDefinition<ActionParameters['retire']> = {
  bulk: true,
  destructive: true,
  notifies: 'on',
  statuses: ['Active', 'Lost', 'Wiped'],
  needs: () => ['RemoveProfile'],
  guard: guardRetire,
  async run(context, { enrolment }) {
    const { id } = enrolment;
    if (enrolment.status === 'wiped') {
      await archive(context, id, 'wiped');
      return { done: true };
    }
    const Identifier = await enrolmentProfileOf(context, enrolment);
    const command = buildCommand(context, {
      requestType: 'RemoveProfile',
      payload: { Identifier },
      origin: RETIRE_ORIGIN,
      dedupeKey: RETIRE_ORIGIN,
      onDuplicate: 'keep',
      // After what was asked before: nothing can be asked afterwards.
      priority: -1_000,
      maxAttempts: 1_000,
    });
    await changePhase(context, [id], [null, 'lost'], 'retire-pending', 'retire');
    await enqueueCommands(context, [command], [id]);
    return { commandUuids: [command.commandUuid] };
  },
};

/** Retired at once. */
export const forceRetire: ActionDefinition<ActionParameters['force-retire']> = {
  bulk: true,
  destructive: true,
  notifies: 'on',
  statuses: ['Pending', 'Active', 'Lost', 'Wipe Pending', 'Retire Pending', 'Wiped'],
  guard: guardRetire,
  async run(context, { enrolment }) {
    if (await archive(context, enrolment.id, 'forced')) return { done: true };
    throw new CoreError('core.action.status', 'conflict', 'the device is retired already');
  },
};
