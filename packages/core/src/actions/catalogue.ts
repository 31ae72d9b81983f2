// All actions: what each is, and the ones that are a recipe or a flag.
import type { ActionDescription, ActionName, ActionParameters } from '../api/actions.ts';
import type { RecipeName, RecipeParameters } from '../api/recipes.ts';
import type { EnrolmentPhase } from '../api/records.ts';
import { queueInventory } from '../engine/inventory.ts';
import { lockDevice } from '../engine/lock.ts';
import { changePhase } from '../lifecycle/phases.ts';
import { createRecipes } from '../recipes/run.ts';
import { cancelWipe, forceRetire, retire, wipe } from './ending.ts';
import {
  bluetooth,
  encryption,
  hotspot,
  installSystemApps,
  restart,
  shutDown,
  timeZone,
  wallpaper,
} from './settings.ts';
import { type ActionDefinition, badParameters, REACHABLE } from './types.ts';

/** An action that is a recipe. */
function byRecipe<N extends RecipeName>(
  recipe: N,
  more: Partial<Pick<ActionDescription, 'bulk' | 'destructive'>>,
  needs: readonly string[],
): ActionDefinition<RecipeParameters[N]> {
  return {
    bulk: true,
    destructive: false,
    notifies: 'off',
    statuses: REACHABLE,
    ...more,
    needs: () => needs,
    async run(context, { enrolment }, parameters, { actor = 'admin', force = false }) {
      const run = await createRecipes(context).start(enrolment.id, recipe, parameters, { origin: actor, force });
      return run.step === null ? { done: true } : { commandUuids: [run.step.commandUuid] };
    },
  };
}

/** An action that is a flag of this server. */
function flag(from: EnrolmentPhase | null, to: EnrolmentPhase | null): ActionDefinition<Record<never, never>> {
  return {
    bulk: true,
    destructive: false,
    notifies: 'off',
    statuses: [from === null ? 'Active' : 'Lost'],
    async run(context, { enrolment }) {
      await changePhase(context, [enrolment.id], [from], to, to ?? 'found');
      return { done: true };
    },
  };
}

const lock: ActionDefinition<ActionParameters['lock']> = {
  bulk: true,
  destructive: false,
  notifies: 'always',
  statuses: REACHABLE,
  needs: () => ['DeviceLock'],
  check({ message, pin }) {
    if (message !== undefined && message.length > 500)
      throw badParameters('a message has at most 500 characters', '/message');
    if (pin !== undefined && !/^[0-9]{6}$/.test(pin)) throw badParameters('a PIN has six digits', '/pin');
  },
  warn: ({ facts }, { message, phoneNumber }) =>
    facts['ios.PasscodePresent'] === false && (message !== undefined || phoneNumber !== undefined)
      ? ['The device has no passcode, so it shows neither message nor number.']
      : [],
  async run(context, { enrolment }, parameters) {
    return { commandUuids: [(await lockDevice(context, enrolment.id, parameters)).commandUuid] };
  },
};

const unlock: ActionDefinition<ActionParameters['unlock']> = {
  ...byRecipe('clear-passcode', { destructive: true }, ['ClearPasscode']),
  warn: ({ enrolment, facts }) =>
    enrolment.phase === 'lost' || facts['ios.IsMDMLostModeEnabled'] === true
      ? ['The device is lost: without a passcode, whoever has it can use it.']
      : [],
};

const checkIn: ActionDefinition<ActionParameters['check-in']> = {
  bulk: true,
  destructive: false,
  notifies: 'off',
  statuses: REACHABLE,
  async run(context, { enrolment }) {
    const { store, clock } = context;
    await queueInventory(context, [enrolment.id]);
    await store.push.request({ enrolmentIds: [enrolment.id], at: clock.now() });
    context.kick.notifier();
    return {};
  },
};

const lostModeSound: ActionDefinition<ActionParameters['lost-mode-sound']> = {
  bulk: true,
  destructive: false,
  notifies: 'off',
  statuses: REACHABLE,
  sample: {},
  commands: () => [{ requestType: 'PlayLostModeSound', payload: {} }],
};

/** Every action, by name. */
export const definitions: { readonly [N in ActionName]: ActionDefinition<ActionParameters[N]> } = {
  lock,
  unlock,
  'encryption-status': encryption,
  wipe,
  'cancel-wipe': cancelWipe,
  retire,
  'force-retire': forceRetire,
  lost: flag(null, 'lost'),
  found: flag('lost', null),
  'check-in': checkIn,
  'lost-mode-on': byRecipe('lost-mode-on', {}, ['EnableLostMode']),
  'lost-mode-off': byRecipe('lost-mode-off', {}, ['DisableLostMode']),
  'lost-mode-sound': lostModeSound,
  locate: byRecipe('lost-mode-locate', {}, ['DeviceLocation']),
  hotspot,
  bluetooth,
  'time-zone': timeZone,
  wallpaper,
  'system-apps': installSystemApps,
  restart,
  'shut-down': shutDown,
  'os-update': byRecipe('software-update', { bulk: false }, []),
  'list-users': byRecipe('user-list', {}, ['UserList']),
  'log-out-user': byRecipe('log-out-user', {}, ['LogOutUser']),
  'delete-users': byRecipe('delete-users', { bulk: false, destructive: true }, ['DeleteUser']),
};

/** The names of all actions. */
export const actionNames: readonly ActionName[] = Object.freeze(Object.keys(definitions) as ActionName[]);

/** What there is to know of each action before it is run. */
export const actions: readonly ActionDescription[] = Object.freeze(
  actionNames.map((action) => {
    const { bulk, destructive, notifies, statuses } = definitions[action];
    return { action, bulk, destructive, notifies, statuses };
  }),
);
