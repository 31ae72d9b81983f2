// Runs actions: looks at each device for itself, and tells what happened to each (ACT-1).
import type {
  ActionName,
  ActionOptions,
  ActionParameters,
  ActionResult,
  Actions,
  ActionTarget,
} from '../api/actions.ts';
import type { NewEvent } from '../contracts/shared.ts';
import { checkCommandItself, splitByCapability, unsupported } from '../engine/capabilities.ts';
import { buildCommand, enqueueCommands, resolveTarget } from '../engine/commands.ts';
import { type Context, chunks } from '../engine/context.ts';
import { allFacts, statusName } from '../engine/facts.ts';
import { CoreError } from '../errors.ts';
import { actions, definitions } from './catalogue.ts';
import type { ActionDefinition, ActionDevice, Done } from './types.ts';

const MAX_NOTE = 1_000;
const MAX_ACTOR = 200;

type Definition = ActionDefinition<ActionParameters[ActionName]>;

/** The definition of an action; each is only ever given its own parameters. */
function definitionOf(action: ActionName): Definition {
  if (Object.hasOwn(definitions, action)) return definitions[action] as Definition;
  throw new CoreError('core.action.unknown', 'not-found', 'there is no such action', {
    remedy: `known are ${Object.keys(definitions).join(', ')}`,
  });
}

function checkOptions({ note, actor }: ActionOptions, required: boolean): void {
  if (required && (note === undefined || note.trim() === '')) {
    throw new CoreError('core.action.note_required', 'invalid', 'a note is needed: why is this done?', {
      at: { path: '/note' },
    });
  }
  for (const [name, text, most] of [
    ['note', note, MAX_NOTE],
    ['actor', actor, MAX_ACTOR],
  ] as const) {
    if (text !== undefined && text.length > most) {
      throw new CoreError('core.action.bad_option', 'invalid', `${name} has at most ${most} characters`, {
        at: { path: `/${name}` },
      });
    }
  }
}

async function devicesOf(context: Context, ids: readonly string[]): Promise<Map<string, ActionDevice>> {
  const found = new Map<string, ActionDevice>();
  for (const part of chunks(ids, 1_000)) {
    for (const row of await context.store.inventory.rows(part)) {
      found.set(row.enrolment.id, { enrolment: row.enrolment, facts: allFacts(row) });
    }
  }
  return found;
}

/** What speaks against an action on a device before its parameters are known: what it is, and where it stands. */
function statusProblem(action: ActionName, { enrolment }: ActionDevice): CoreError | null {
  if (enrolment.channel !== 'device') {
    return new CoreError('core.action.channel', 'conflict', 'actions are for devices, not for a channel of a user');
  }
  const { statuses } = definitions[action];
  const status = statusName(enrolment);
  if (statuses.includes(status)) return null;
  const remedy = `It is for devices that are ${statuses.join(', ')}.`;
  return new CoreError('core.action.status', 'conflict', `the device is ${status}`, { remedy });
}

/** Makes the service. */
export function createActions(context: Context): Actions {
  const { store, clock, hooks, options: limits } = context;

  /** Throws for what speaks against the action on this device. */
  async function admit(
    action: ActionName,
    device: ActionDevice | undefined,
    parameters: ActionParameters[ActionName],
    options: ActionOptions,
  ): Promise<ActionDevice> {
    if (device === undefined) throw new CoreError('core.enrolment.unknown', 'not-found', 'there is no such enrolment');
    const definition = definitionOf(action);
    const problem = statusProblem(action, device);
    if (problem !== null) throw problem;
    await hooks.action?.({ action, enrolment: device.enrolment, options });
    const guarded = options.force === true ? null : (definition.guard?.(device, parameters) ?? null);
    if (guarded !== null) throw guarded;
    return device;
  }

  async function settle(
    action: ActionName,
    id: string,
    options: ActionOptions,
    known: ActionDevice | undefined,
    warnings: readonly string[],
    work: () => Promise<Done>,
  ): Promise<ActionResult> {
    let result: ActionResult;
    try {
      const { commandUuids = [], done = false } = await work();
      result = { enrolmentId: id, outcome: done ? 'done' : 'queued', commandUuids, warnings };
    } catch (error) {
      // A store that is away is no answer of one device.
      if (!(error instanceof CoreError) || error.kind === 'unavailable' || error.kind === 'internal') throw error;
      const { code, message, remedy } = error;
      const told = remedy === undefined ? {} : { remedy };
      result = { enrolmentId: id, outcome: 'refused', commandUuids: [], code, message, ...told, warnings: [] };
    }
    await store.events.append([eventOf(action, result, options, known !== undefined)]);
    return result;
  }

  function eventOf(action: ActionName, result: ActionResult, options: ActionOptions, known: boolean): NewEvent {
    const { enrolmentId, outcome, code, commandUuids } = result;
    const { actor = 'admin', note } = options;
    const { notifies } = definitions[action];
    const notifyUser = notifies === 'always' || (options.notifyUser ?? notifies === 'on');
    return {
      type: outcome === 'refused' ? 'action.refused' : 'action.done',
      at: clock.now(),
      enrolmentId: known ? enrolmentId : null,
      data: {
        action,
        actor,
        outcome,
        ...(note === undefined ? {} : { note }),
        ...(code === undefined ? {} : { code }),
        ...(outcome === 'refused' ? {} : { notifyUser, commandUuids }),
        ...(known ? {} : { enrolmentId: enrolmentId.slice(0, 200) }),
      },
    };
  }

  /** The same commands for all: their bodies are kept once, however many devices there are. */
  async function runShared(
    action: ActionName,
    ids: readonly string[],
    devices: ReadonlyMap<string, ActionDevice>,
    parameters: ActionParameters[ActionName],
    options: ActionOptions,
  ): Promise<ActionResult[]> {
    const definition = definitionOf(action);
    const proposed = definition.commands?.(parameters) ?? [];
    for (const command of proposed) checkCommandItself(command, {});
    const problems = new Map<string, unknown>();
    const admitted: string[] = [];
    for (const id of ids) {
      try {
        await admit(action, devices.get(id), parameters, options);
        admitted.push(id);
      } catch (error) {
        problems.set(id, error);
      }
    }
    const { allowed, refused } =
      options.force === true
        ? { allowed: admitted, refused: [] }
        : await splitByCapability(context, admitted, proposed);
    const requestTypes = [...new Set(proposed.map(({ requestType }) => requestType))].join(', ');
    for (const target of refused) problems.set(target.enrolmentId, unsupported(requestTypes, target));
    const built = proposed.map((command) => buildCommand(context, { ...command, origin: options.actor ?? 'admin' }));
    await enqueueCommands(context, built, allowed);
    const commandUuids = built.map((command) => command.commandUuid);
    const results: ActionResult[] = [];
    for (const id of ids) {
      const device = devices.get(id);
      const warnings = device === undefined ? [] : (definition.warn?.(device, parameters) ?? []);
      results.push(
        await settle(action, id, options, device, warnings, async () => {
          if (problems.has(id)) throw problems.get(id);
          return { commandUuids };
        }),
      );
    }
    return results;
  }

  async function targets(target: ActionTarget, bulk: boolean): Promise<readonly string[]> {
    const ids = [...new Set(await resolveTarget(context, target))];
    const most = bulk ? limits.actionLimit : 1;
    if (ids.length <= most) return ids;
    const problem = bulk
      ? `at most ${most} devices at once, not ${ids.length}`
      : 'this action is for one device at a time';
    throw new CoreError('core.action.too_many', 'too-large', problem, {
      remedy: bulk ? 'Do it in parts, or raise actionLimit.' : 'Name one device.',
    });
  }

  return {
    list: actions,

    async run(target, action, parameters, options = {}) {
      const definition = definitionOf(action);
      checkOptions(options, limits.requireActionNotes);
      definition.check?.(parameters);
      await context.vault.ready();
      const ids = await targets(target, definition.bulk);
      const devices = await devicesOf(context, ids);
      let results: ActionResult[];
      if (definition.commands !== undefined && definition.commands(parameters) !== null) {
        results = await runShared(action, ids, devices, parameters, options);
      } else {
        results = [];
        for (const id of ids) {
          const known = devices.get(id);
          const warnings = known === undefined ? [] : (definition.warn?.(known, parameters) ?? []);
          const work = async (): Promise<Done> => {
            const device = await admit(action, known, parameters, options);
            await capable(device);
            return await definition.run!(context, device, parameters, options);
          };
          const capable = async (device: ActionDevice): Promise<void> => {
            const needs = (definition.needs?.(parameters) ?? []).map((requestType) => ({ requestType, payload: {} }));
            if (options.force === true || needs.length === 0 || device.enrolment.status !== 'active') return;
            const { refused } = await splitByCapability(context, [id], needs);
            if (refused[0] !== undefined) throw unsupported(action, refused[0]);
          };
          results.push(await settle(action, id, options, known, warnings, work));
        }
      }
      context.bus.poke();
      return results;
    },

    async available(enrolmentId) {
      const device = (await devicesOf(context, [enrolmentId])).get(enrolmentId);
      if (device === undefined)
        throw new CoreError('core.enrolment.unknown', 'not-found', 'there is no such enrolment');
      const rows: { action: ActionName; allowed: boolean; reason: string | null }[] = [];
      for (const { action } of actions) {
        const definition = definitionOf(action);
        const problem = statusProblem(action, device) ?? guardOf(definition, device);
        const needs =
          definition.sample === undefined
            ? (definition.needs?.({}) ?? []).map((requestType) => ({ requestType, payload: {} }))
            : (definition.commands?.(definition.sample) ?? []);
        const { refused } =
          problem !== null || needs.length === 0
            ? { refused: [] }
            : await splitByCapability(context, [enrolmentId], needs);
        const reason = problem?.message ?? refused[0]?.reasons[0]?.message ?? null;
        rows.push({ action, allowed: reason === null, reason });
      }
      return rows;
    },
  };
}

/** The guards look at the device alone, whatever the parameters. */
function guardOf(definition: Definition, device: ActionDevice): CoreError | null {
  return definition.guard?.(device, {}) ?? null;
}
