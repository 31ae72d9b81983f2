// Runs recipes: starts them, takes them a step further with each command's end, ends them. A run survives crashes: its
// next step is stored before it is queued, and what was stored and not queued is queued when the last end is applied again.
import { createHash } from 'node:crypto';
import type { PlistDict } from '@espalier/plist';
import type { RecipeName, RecipeParameters, RecipeRun, RecipeStatus, Recipes } from '../api/recipes.ts';
import type { CommandOutcome, Enrolment } from '../api/records.ts';
import { checkCommandItself, splitByCapability, unsupported } from '../engine/capabilities.ts';
import { buildCommand, enqueueCommands } from '../engine/commands.ts';
import { type Context, uuid } from '../engine/context.ts';
import { CoreError } from '../errors.ts';
import { takeBack } from '../lifecycle/take-back.ts';
import {
  activationLockClear,
  activationLockEscrow,
  clearPasscode,
  clearPasscodeRestart,
  releaseAwaiting,
} from './device.ts';
import { erase } from './erase.ts';
import { lostModeLocate, lostModeOff, lostModeOn } from './lost-mode.ts';
import {
  fileVaultEscrow,
  fileVaultRotate,
  recoveryLockClear,
  recoveryLockSet,
  recoveryLockVerify,
} from './mac-secrets.ts';
import { softwareUpdate } from './software-update.ts';
import { publicRun, type RunRecord, readRun, writeRun } from './state.ts';
import { toolsFor } from './tools.ts';
import type { Decision, Recipe, RecipeBook, RecipeTools, StepOutcome } from './types.ts';
import { deleteUsers, logOutUser, userList } from './users.ts';

const book: RecipeBook = {
  'lost-mode-on': lostModeOn,
  'lost-mode-locate': lostModeLocate,
  'lost-mode-off': lostModeOff,
  'clear-passcode': clearPasscode,
  'clear-passcode-restart': clearPasscodeRestart,
  'filevault-escrow': fileVaultEscrow,
  'filevault-rotate': fileVaultRotate,
  'recovery-lock-set': recoveryLockSet,
  'recovery-lock-verify': recoveryLockVerify,
  'recovery-lock-clear': recoveryLockClear,
  'software-update': softwareUpdate,
  'release-awaiting': releaseAwaiting,
  'activation-lock-escrow': activationLockEscrow,
  'activation-lock-clear': activationLockClear,
  erase,
  'user-list': userList,
  'log-out-user': logOutUser,
  'delete-users': deleteUsers,
};

/** The names of all recipes. */
export const recipeNames: readonly RecipeName[] = Object.freeze(Object.keys(book) as RecipeName[]);

const PREFIX = 'recipe:';

/** The recipe that a command belongs to, by its origin. */
export function recipeOf(origin: string): RecipeName | null {
  const name = origin.startsWith(PREFIX) ? origin.slice(PREFIX.length) : '';
  return Object.hasOwn(book, name) ? (name as RecipeName) : null;
}

// Each recipe is only ever given its own parameters: they are stored with the run, under the recipe's name.
const recipeFor = (name: RecipeName): Recipe<PlistDict> => book[name] as unknown as Recipe<PlistDict>;

/** A step's UUID follows from the run, so that what is done again after a crash is the same command. */
function stepUuid(runId: string, number: number): string {
  const hex = createHash('sha256').update(`${runId}:${number}`).digest('hex').toUpperCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-A${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** The run after a decision, stored; its command queued. */
async function decide(context: Context, enrolmentId: string, run: RunRecord, decision: Decision): Promise<RunRecord> {
  const at = context.clock.now();
  const result = { ...run.result, ...decision.result };
  if (decision.do !== 'command') {
    const failed = decision.do === 'fail';
    return end(
      context,
      enrolmentId,
      { ...run, result },
      failed ? 'failed' : 'succeeded',
      failed ? decision.reason : null,
    );
  }
  const number = (run.step?.number ?? 0) + 1;
  const { requestType, payload, memo } = decision;
  const step = { number, requestType, payload, commandUuid: stepUuid(run.runId, number) };
  const next: RunRecord = {
    ...run,
    step,
    result,
    updatedAt: at,
    memo: { ...run.memo, ...(memo as PlistDict | undefined) },
  };
  await writeRun(context, enrolmentId, next);
  await queueStep(context, enrolmentId, next);
  return next;
}

async function queueStep(context: Context, enrolmentId: string, run: RunRecord): Promise<void> {
  const { step, recipe, runId } = run;
  if (step === null) return;
  const { requestType, payload, commandUuid, number } = step;
  const command = buildCommand(context, {
    requestType,
    payload,
    commandUuid,
    origin: `${PREFIX}${recipe}`,
    followUp: true,
    // The one who waits for a device in lost mode waits for this, not for its inventory.
    priority: recipe === 'release-awaiting' ? -100 : 50,
  });
  await enqueueCommands(context, [command], [enrolmentId]);
  await tell(context, enrolmentId, number === 1 ? 'recipe.started' : 'recipe.step', {
    recipe,
    runId,
    step: number,
    requestType,
  });
}

async function end(
  context: Context,
  enrolmentId: string,
  run: RunRecord,
  status: Exclude<RecipeStatus, 'running'>,
  reason: string | null,
): Promise<RunRecord> {
  // Nobody needs the secrets of a run that is over.
  const step = run.step === null ? null : { ...run.step, payload: {} };
  const over: RunRecord = { ...run, status, reason, step, parameters: {}, memo: {}, updatedAt: context.clock.now() };
  await writeRun(context, enrolmentId, over);
  const { recipe, runId } = run;
  const data = { recipe, runId, ...(reason === null ? {} : { reason: reason.slice(0, 500) }) };
  await tell(context, enrolmentId, `recipe.${status}`, data);
  return over;
}

async function tell(
  { store, clock, bus }: Context,
  enrolmentId: string,
  type: 'recipe.started' | 'recipe.step' | 'recipe.succeeded' | 'recipe.failed' | 'recipe.cancelled',
  data: Readonly<Record<string, string | number>>,
): Promise<void> {
  await store.events.append([{ type, at: clock.now(), enrolmentId, data }]);
  bus.poke();
}

/** Whether a run's command still has to come to an end. */
async function isUnderWay({ store }: Context, enrolmentId: string, run: RunRecord | null): Promise<boolean> {
  if (run?.status !== 'running' || run.step === null) return false;
  const outcome = await store.queue.get(enrolmentId, run.step.commandUuid);
  return outcome !== null && outcome.finishedAt === null;
}

/** Takes a run further with the end of one of its commands. May be called again for the same end without harm. */
export async function advanceRecipe(
  context: Context,
  recipe: RecipeName,
  outcome: Pick<CommandOutcome, 'enrolmentId' | 'commandUuid' | 'requestType' | 'state'>,
  problem: string,
  value: PlistDict,
): Promise<void> {
  const { enrolmentId, commandUuid, requestType, state } = outcome;
  const run = await readRun(context, enrolmentId, recipe);
  if (run === null || run.status !== 'running' || run.step === null) return;
  if (run.step.commandUuid !== commandUuid) {
    // A crash came between storing the next step and queueing it.
    const known = await context.store.queue.get(enrolmentId, run.step.commandUuid);
    if (known === null && stepUuid(run.runId, run.step.number - 1) === commandUuid)
      await queueStep(context, enrolmentId, run);
    return;
  }
  const tools = await toolsFor(context, enrolmentId, run.memo);
  const ended: StepOutcome = { requestType, state, problem, value };
  let decision: Decision | null;
  try {
    decision = await decisionFor(recipeFor(recipe), ended, run.parameters, tools);
  } catch (error) {
    // A store that is away comes back; what a recipe cannot do ends the run.
    if (!(error instanceof CoreError) || error.kind === 'unavailable') throw error;
    decision = { do: 'fail', reason: error.message };
  }
  if (decision === null) {
    const cancelled = state === 'cancelled' || state === 'superseded';
    await end(context, enrolmentId, run, cancelled ? 'cancelled' : 'failed', `${requestType}: ${problem}`);
  } else {
    await decide(context, enrolmentId, run, decision);
  }
}

async function decisionFor(
  recipe: Recipe<PlistDict>,
  ended: StepOutcome,
  parameters: PlistDict,
  tools: RecipeTools,
): Promise<Decision | null> {
  if (ended.state === 'acknowledged') return recipe.next(ended, parameters, tools);
  return (await recipe.failed?.(ended, parameters, tools)) ?? null;
}

/**
 * Starts the release of a channel that waits in Setup Assistant, where the product says that it shall go on: once, since
 * a device that enrols anew has no runs.
 */
export async function releaseWaiting(context: Context, enrolment: Enrolment): Promise<void> {
  const { store, clock, hooks } = context;
  const { id, channel } = enrolment;
  if ((await readRun(context, id, 'release-awaiting')) !== null) return;
  const event = {
    type: 'enrolment.awaiting-configuration',
    at: clock.now(),
    enrolmentId: id,
    data: { channel },
  } as const;
  await store.events.append([event]);
  const parameters = (await hooks.awaitingConfiguration?.(enrolment)) ?? null;
  if (parameters !== null) await createRecipes(context).start(id, 'release-awaiting', parameters, { origin: 'engine' });
}

/** Makes the recipe service. */
export function createRecipes(context: Context): Recipes {
  async function start(
    enrolmentId: string,
    name: RecipeName,
    parameters: RecipeParameters[RecipeName],
    options: { readonly origin?: string; readonly force?: boolean } = {},
  ): Promise<RecipeRun> {
    if (!Object.hasOwn(book, name)) {
      throw new CoreError('core.recipe.unknown', 'not-found', 'there is no such recipe', {
        remedy: `known are ${recipeNames.join(', ')}`,
      });
    }
    await context.vault.ready();
    const before = await readRun(context, enrolmentId, name);
    if (await isUnderWay(context, enrolmentId, before)) {
      throw new CoreError('core.recipe.running', 'conflict', `${name} is running on this device`, {
        remedy: 'wait, or cancel it',
      });
    }
    const recipe = recipeFor(name);
    // A copy without absent keys, as a property list holds it.
    const given = Object.fromEntries(
      Object.entries(parameters).filter(([, value]) => value !== undefined),
    ) as PlistDict;
    const tools = await toolsFor(context, enrolmentId, {});
    if (tools.enrolment.status !== 'active') {
      throw new CoreError('core.recipe.unavailable', 'conflict', 'the device is not enrolled', {
        remedy: 'enrol it first',
      });
    }
    const commands = recipe.commands(given, tools).map((requestType) => ({ requestType, payload: {} }));
    if (options.force !== true && commands.length > 0) {
      const { refused } = await splitByCapability(context, [enrolmentId], commands);
      if (refused[0] !== undefined) throw unsupported(name, refused[0]);
    }
    const decision = await recipe.start(given, tools);
    if (decision.do === 'command') {
      checkCommandItself(decision, {});
      // With its keys: some are for one platform or version only.
      const { refused } =
        options.force === true ? { refused: [] } : await splitByCapability(context, [enrolmentId], [decision]);
      if (refused[0] !== undefined) throw unsupported(name, refused[0]);
    }
    const at = context.clock.now();
    const run: RunRecord = {
      recipe: name,
      runId: uuid(context.random).toLowerCase(),
      status: 'running',
      step: null,
      startedAt: at,
      updatedAt: at,
      reason: null,
      // Where the device was is shown until it is known anew (ACT-20).
      result: before?.result.location === undefined ? {} : { location: before.result.location },
      parameters: given,
      memo: {},
      origin: options.origin ?? 'admin',
    };
    return publicRun(enrolmentId, await decide(context, enrolmentId, run, decision));
  }

  return {
    start,
    async get(enrolmentId, recipe) {
      await context.vault.ready();
      const run = await readRun(context, enrolmentId, recipe);
      return run === null ? null : publicRun(enrolmentId, run);
    },
    async list(enrolmentId) {
      await context.vault.ready();
      const runs = await Promise.all(recipeNames.map((name) => readRun(context, enrolmentId, name)));
      return runs
        .flatMap((run) => (run === null ? [] : [publicRun(enrolmentId, run)]))
        .sort((a, b) => b.startedAt - a.startedAt);
    },
    async cancel(enrolmentId, recipe) {
      await context.vault.ready();
      const run = await readRun(context, enrolmentId, recipe);
      if (run?.status !== 'running' || run.step === null) return false;
      const { commandUuid } = run.step;
      const ended = await takeBack(context, enrolmentId, commandUuid);
      if (ended === null) return false;
      // What is with the device may still come back; nothing follows from it.
      await end(context, enrolmentId, run, 'cancelled', 'withdrawn');
      await context.commandsEnded(ended);
      return true;
    },
  };
}
