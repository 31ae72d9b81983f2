// The command service: builds commands, finds their targets, and queues them.
import { commandCapabilities, inventoryCommands, type RawPayload, rawCommand } from '@espalier/apple-mdm';
import type { Commands, EnqueueOptions, Refusals } from '../api/engine.ts';
import type { NewCommand } from '../contracts/queue.ts';
import { CoreError } from '../errors.ts';
import { eraseQueued, replaced } from '../lifecycle/phases.ts';
import { takeBack, UNDER_WAY } from '../lifecycle/take-back.ts';
import { listActivity } from './activity.ts';
import { checkCommandItself, type ProposedCommand, splitByCapability, targetFor, unsupported } from './capabilities.ts';
import { type Context, pageOf, uuid } from './context.ts';
import { lateBody } from './late.ts';
import type { LateValue } from './options.ts';
import { isSecretCommand } from './sensitive.ts';

/** What a command needs to be queued. */
export interface CommandInput extends EnqueueOptions {
  readonly requestType: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly commandUuid?: string;
  readonly followUp?: boolean;
  /** What is put into the payload's profile when a device takes it. */
  readonly late?: readonly LateValue[] | undefined;
}

/** Commands whose results change something in the engine; their ends are kept until that is done. */
const withFollowUp = new Set([...inventoryCommands, 'DeviceLock', 'EraseDevice', 'InstallProfile', 'RemoveProfile']);

/** Builds a command as the queue takes it: bytes, UUID, sealed when it may hold secrets. */
export function buildCommand(context: Context, input: CommandInput): NewCommand {
  const { requestType, payload } = input;
  const commandUuid = input.commandUuid ?? uuid(context.random);
  const bytes =
    input.late === undefined
      ? rawCommand(requestType, payload as RawPayload, { commandUuid }).bytes
      : lateBody(commandUuid, payload['Payload'] as Uint8Array, input.late);
  const sealed = isSecretCommand(requestType);
  return {
    commandUuid,
    requestType,
    body: {
      bytes: sealed ? context.vault.seal(bytes, { kind: 'command', key: [commandUuid] }) : bytes,
      sealed,
    },
    priority: input.priority ?? 0,
    notBefore: input.notBefore ?? null,
    expiresAt: input.expiresAt ?? null,
    dedupeKey: input.dedupeKey ?? null,
    onDuplicate: input.onDuplicate ?? 'replace',
    maxAttempts: input.maxAttempts ?? context.options.maxAttempts,
    onError: input.onError ?? 'fail',
    chain: null,
    origin: input.origin ?? 'admin',
    push: input.push ?? true,
    followUp: input.followUp ?? withFollowUp.has(requestType),
  };
}

/**
 * Queues built commands for enrolments, with an event for each command, and wakes the notifier: not at once with
 * `kick: false`, where the device is there already and will be offered the command in the same session.
 */
export async function enqueueCommands(
  context: Context,
  commands: readonly NewCommand[],
  enrolmentIds: readonly string[],
  options: { readonly kick?: boolean } = {},
): Promise<readonly number[]> {
  if (commands.length === 0 || enrolmentIds.length === 0) return commands.map(() => 0);
  await context.vault.ready();
  const at = context.clock.now();
  const only = enrolmentIds.length === 1 ? enrolmentIds[0]! : null;
  const { queued } = await context.store.queue.enqueue({
    commands,
    enrolmentIds,
    at,
    events: commands.map(({ commandUuid, requestType, origin }) => ({
      type: 'command.queued',
      at,
      enrolmentId: only,
      data: { commandUuid, requestType, origin, targets: enrolmentIds.length },
    })),
  });
  const erase = commands.find(({ requestType }) => requestType === 'EraseDevice');
  if (erase !== undefined) await eraseQueued(context, enrolmentIds, erase.origin);
  if (options.kick !== false && commands.some((command) => command.push)) context.kick.notifier();
  context.bus.poke();
  return queued;
}

/** The enrolments that a target stands for. */
export async function resolveTarget(
  context: Context,
  target: Parameters<Commands['enqueue']>[0],
): Promise<readonly string[]> {
  const { store } = context;
  if ('enrolmentIds' in target) return target.enrolmentIds;
  if ('labelId' in target) {
    if ((await store.labels.get(target.labelId)) === null) {
      throw new CoreError('core.label.unknown', 'not-found', `there is no label ${JSON.stringify(target.labelId)}`);
    }
    return store.labels.memberIds(target.labelId);
  }
  const ids: string[] = [];
  const query = { matching: context.matcher.advanced(target.search), statuses: ['active'] } as const;
  for await (const devices of context.searching.found(query)) {
    for (const device of devices) ids.push(device.enrolmentId);
  }
  return ids;
}

/**
 * Checks commands, and finds who takes them.
 * @throws CoreError `core.command.invalid`, `core.command.unsupported`
 */
async function takers(
  context: Context,
  enrolmentIds: readonly string[],
  commands: readonly ProposedCommand[],
  options: EnqueueOptions,
): Promise<{ readonly allowed: readonly string[]; readonly refused: Refusals }> {
  for (const command of commands) checkCommandItself(command, options);
  if (options.force === true) return { allowed: enrolmentIds, refused: { count: 0, devices: [] } };
  const { allowed, refused } = await splitByCapability(context, enrolmentIds, commands);
  if (enrolmentIds.length === 1 && refused[0] !== undefined) {
    throw unsupported(commands.map(({ requestType }) => requestType).join(', '), refused[0]);
  }
  return { allowed, refused: { count: refused.length, devices: refused.slice(0, 1000) } };
}

/** Makes the command service. */
export function createCommands(context: Context): Commands {
  const { store, vault, clock } = context;
  return {
    async enqueue(target, requestType, payload, options = {}) {
      checkOptions(options);
      await vault.ready();
      const enrolmentIds = await resolveTarget(context, target);
      if (
        'enrolmentIds' in target &&
        enrolmentIds.length === 1 &&
        (await store.enrolments.get(enrolmentIds[0]!)) === null
      ) {
        throw new CoreError('core.enrolment.unknown', 'not-found', 'there is no such enrolment');
      }
      const { allowed, refused } = await takers(context, enrolmentIds, [{ requestType, payload }], options);
      const command = buildCommand(context, { ...options, requestType, payload });
      const [queued = 0] = await enqueueCommands(context, [command], allowed);
      // What had this key may have been an erase, or the removal of the profile.
      if (command.dedupeKey !== null && command.onDuplicate === 'replace') await replaced(context, allowed);
      return { commandUuid: command.commandUuid, queued, refused };
    },

    async cancel(enrolmentId, commandUuid) {
      const ended = await takeBack(context, enrolmentId, commandUuid);
      if (ended === null) {
        throw new CoreError('core.command.too_late', 'conflict', 'the device has fetched the erase already', {
          remedy: 'If it comes back by a restored backup, cancel the wipe then.',
        });
      }
      await context.commandsEnded(ended);
      context.bus.poke();
      return ended.length > 0;
    },

    async clear(enrolmentId, dedupeKey) {
      const which = {
        enrolmentIds: [enrolmentId],
        keepSent: UNDER_WAY,
        ...(dedupeKey === undefined ? {} : { dedupeKey }),
      };
      const ended = await store.queue.end({ ...which, state: 'cancelled', at: clock.now() });
      await context.commandsEnded(ended);
      context.bus.poke();
      return ended.length;
    },

    async requeue(enrolmentId, commandUuid) {
      const done = await store.queue.requeue({ enrolmentId, commandUuid, at: clock.now() });
      if (done) context.kick.notifier();
      return done;
    },

    async enqueueChain(enrolmentIds, commands, options = {}) {
      checkOptions(options);
      await vault.ready();
      const id = uuid(context.random);
      const built = commands.map(({ requestType, payload }, index) => ({
        ...buildCommand(context, { ...options, requestType, payload, onError: options.onError ?? 'drop-chain' }),
        chain: { id, index },
      }));
      const { allowed, refused } = await takers(context, enrolmentIds, commands, options);
      await enqueueCommands(context, built, allowed);
      return { commandUuids: built.map((command) => command.commandUuid), refused };
    },

    async capabilities(enrolmentId) {
      const target = await targetFor(context, enrolmentId);
      if (target === undefined) {
        throw new CoreError('core.enrolment.unknown', 'not-found', 'there is no such enrolment');
      }
      return target === null ? [] : commandCapabilities(target.target, target.accessRights);
    },

    history: (enrolmentId, page) => store.queue.list(enrolmentId, pageOf(page)),
    activity: (enrolmentId, query = {}) => listActivity(context, enrolmentId, query),

    async get(enrolmentId, commandUuid) {
      const outcome = await store.queue.get(enrolmentId, commandUuid);
      if (outcome === null) return null;
      const { response, ...entry } = outcome;
      const ref = { kind: 'response', key: [enrolmentId, commandUuid] } as const;
      return { ...entry, response: response === null ? null : vault.read(response, ref) };
    },

    stats: () => store.queue.stats(),
  };
}

function checkOptions(options: EnqueueOptions): void {
  const { priority, maxAttempts, notBefore, expiresAt } = options;
  if (priority !== undefined && (!Number.isInteger(priority) || Math.abs(priority) > 1_000_000)) {
    throw new CoreError('core.command.bad_option', 'invalid', 'priority is a whole number of at most a million');
  }
  if (maxAttempts !== undefined && (!Number.isInteger(maxAttempts) || maxAttempts < 1)) {
    throw new CoreError('core.command.bad_option', 'invalid', 'maxAttempts is a whole number from 1');
  }
  for (const [name, time] of Object.entries({ notBefore, expiresAt })) {
    if (time !== undefined && !Number.isSafeInteger(time)) {
      throw new CoreError('core.command.bad_option', 'invalid', `${name} is a time in milliseconds`);
    }
  }
}
