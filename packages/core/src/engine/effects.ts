// What the end of a command changes in the engine: inventory, labels, assignments, lock PINs.
import { readResponse } from '@espalier/apple-mdm';
import type { PlistDict } from '@espalier/plist';
import type { AppleError, Assignment, CommandState } from '../api/records.ts';
import type { AssignmentRecord } from '../contracts/configurations.ts';
import type { InventoryReport } from '../contracts/inventory.ts';
import { CoreError } from '../errors.ts';
import { eraseEnded, RETIRE_ORIGIN, removalEnded } from '../lifecycle/phases.ts';
import { profileArrived } from '../mdm-profile/service.ts';
import { escrowRecoveryKey } from '../recipes/escrow.ts';
import { advanceRecipe, recipeOf } from '../recipes/run.ts';
import type { Context } from './context.ts';
import { queueProfileList, reportOf } from './inventory.ts';
import { configurationCredential } from './issuing.ts';
import type { LabelService } from './labels.ts';
import { locationReceived } from './locations.ts';
import { confirmLockPin } from './lock.ts';
import { isListed } from './plan.ts';
import { assignmentEvent } from './reconciler.ts';
import { RENEWAL_ORIGIN } from './renewal.ts';

/** Applies the ends of commands. Every effect may be applied again without harm. */
export interface Effects {
  /** Applies one end, then marks it done. `end` is what the caller knows of it, `again` says that it may have been applied before. */
  apply(enrolmentId: string, commandUuid: string, end?: AnsweredCommand | null, again?: boolean): Promise<void>;
  /** Takes note that the profile of a command cannot be made for this device: it is planned anew. */
  withheld(enrolmentId: string, commandUuid: string, reason: string): Promise<void>;
  /** Applies those that were left behind (a crash between the result and its effects). Returns how many. */
  applyLeftBehind(olderThanMs: number): Promise<number>;
}

/** A command whose answer was stored just now. */
export interface AnsweredCommand {
  readonly requestType: string;
  readonly origin: string;
  readonly state: CommandState;
  readonly errorChain: readonly AppleError[];
  /** The answer, decoded. */
  readonly value: PlistDict;
}

/** Makes the effects. */
export function createEffects(context: Context, labels: LabelService): Effects {
  const { store, clock, vault } = context;

  async function inventory(enrolmentId: string, requestType: string, value: PlistDict, again: boolean): Promise<void> {
    const report = reportOf(enrolmentId, requestType, value, clock.now());
    if (report === null) return;
    const first = report.complete && (await store.inventory.get(enrolmentId))?.inventoryAt === null;
    const applied = await store.inventory.apply(report);
    if (applied === null) return;
    context.bus.poke();
    // Where it may have been cut off before, the facts are there already and nobody knows which of them changed.
    if (first || again) await labels.evaluateDevices([enrolmentId], null, requestType);
    else if (applied.changed.length > 0) await labels.evaluateDevices([enrolmentId], applied.changed, requestType);
    // A compiled configuration may depend on any fact (an OS version, supervision), not only through labels.
    if (first || applied.changed.length > 0) await markAssigned(enrolmentId);
    if (requestType === 'ProfileList') await verify(enrolmentId);
  }

  async function markAssigned(enrolmentId: string): Promise<void> {
    const marked = await store.configurations.markConcerned({ enrolmentIds: [enrolmentId], at: clock.now() });
    if (marked) context.kick.reconciler();
  }

  async function assignmentsOf(enrolmentId: string): Promise<readonly AssignmentRecord[]> {
    return (await store.configurations.assignmentsOf([enrolmentId])).get(enrolmentId) ?? [];
  }

  async function move(
    from: AssignmentRecord,
    change: { readonly status: Assignment['status']; readonly detail: string | null } | null,
  ): Promise<void> {
    const at = clock.now();
    const to = change === null ? null : { ...from, ...change, updatedAt: at };
    if (to !== null && to.status === from.status && to.detail === from.detail) return;
    const { enrolmentId, configurationId, commandUuid: expectedCommandUuid } = from;
    const events = to === null ? [] : [assignmentEvent(to, at)];
    await store.configurations.transition({ enrolmentId, configurationId, expectedCommandUuid, to, events });
    context.bus.poke();
    if (to === null) await markAssigned(enrolmentId);
  }

  /** Compares assignments with a fresh ProfileList. */
  async function verify(enrolmentId: string): Promise<void> {
    const installed = (await store.inventory.get(enrolmentId))?.profiles ?? [];
    for (const assignment of await assignmentsOf(enrolmentId)) {
      const listed = isListed(assignment, installed);
      const there = installed.some((profile) => profile.identifier === assignment.profileIdentifier);
      const { status, verifiable } = assignment;
      if (status === 'removal-pending' && !there) await move(assignment, null);
      else if ((status === 'sent' || status === 'partially-applied') && listed) {
        await move(assignment, { status: 'applied', detail: null });
      } else if (status === 'sent' && verifiable) {
        await move(assignment, { status: 'partially-applied', detail: 'the device does not list the profile' });
      } else if (status === 'applied' && verifiable && !listed) await markAssigned(enrolmentId);
    }
  }

  async function profileCommand(
    enrolmentId: string,
    commandUuid: string,
    requestType: string,
    state: CommandState,
    errorChain: readonly AppleError[],
  ): Promise<void> {
    const assignment = (await assignmentsOf(enrolmentId)).find((record) => record.commandUuid === commandUuid);
    if (assignment === undefined) return;
    const detail = state === 'acknowledged' ? null : describe(state, errorChain);
    if (state === 'acknowledged') {
      // What the device asked for by this profile is what it has, and what it had before is over.
      const credentialId = configurationCredential(assignment.configurationId);
      const installed = requestType === 'InstallProfile';
      await store.certificates.settleOnDevice({ deviceId: enrolmentId, credentialId, installed });
    }
    if (requestType === 'InstallProfile') {
      if (state !== 'acknowledged') await move(assignment, { status: 'partially-applied', detail });
      else await move(assignment, { status: assignment.verifiable ? 'sent' : 'applied', detail });
    } else if (state === 'acknowledged') {
      await move(assignment, null);
    } else {
      await move(assignment, { status: 'removal-pending', detail });
    }
    await queueProfileList(context, enrolmentId);
  }

  async function applyEnd(
    enrolmentId: string,
    commandUuid: string,
    known: AnsweredCommand | null,
    again: boolean,
  ): Promise<void> {
    const end = known ?? (await stored(enrolmentId, commandUuid));
    if (end === null) return;
    const { requestType, state, errorChain, origin } = end;
    const answer = (): PlistDict => end.value ?? {};
    const recipe = recipeOf(origin);
    const advance = async (value: PlistDict): Promise<void> => {
      const ended = { enrolmentId, commandUuid, requestType, state };
      if (recipe !== null) await advanceRecipe(context, recipe, ended, describe(state, errorChain), value);
    };
    if (requestType === 'EraseDevice') {
      // Last: whatever follows from the answer belongs to a device that is still there.
      await advance(state === 'acknowledged' ? answer() : {});
      await eraseEnded(context, { enrolmentId, state });
      return;
    }
    if (origin === RENEWAL_ORIGIN) {
      if (state === 'acknowledged') await profileArrived(context, enrolmentId);
    } else if (origin === RETIRE_ORIGIN) await removalEnded(context, { enrolmentId, state });
    else if (requestType === 'InstallProfile' || requestType === 'RemoveProfile') {
      await profileCommand(enrolmentId, commandUuid, requestType, state, errorChain);
    } else if (state !== 'acknowledged') {
      // Asked and not answered: without this, housekeeping would ask again for ever.
      if (requestType === 'DeviceInformation') await store.inventory.apply(emptyReport(enrolmentId, clock.now()));
    } else if (requestType === 'DeviceLock') {
      await confirmLockPin(context, enrolmentId, commandUuid);
    } else if (end.value !== null) {
      await inventory(enrolmentId, requestType, answer(), again);
      if (requestType === 'SecurityInfo') await escrowRecoveryKey(context, enrolmentId, answer());
      if (requestType === 'DeviceLocation') await locationReceived(context, enrolmentId, commandUuid, answer());
    }
    await advance(state === 'acknowledged' ? answer() : {});
  }

  /** An end as it was stored; `null` where there is none. */
  async function stored(enrolmentId: string, commandUuid: string) {
    const outcome = await store.queue.get(enrolmentId, commandUuid);
    if (outcome === null || outcome.finishedAt === null) return null;
    const ref = { kind: 'response', key: [enrolmentId, commandUuid] } as const;
    const value = outcome.response === null ? null : readResponse(vault.read(outcome.response, ref)).value;
    return { ...outcome, value };
  }

  async function apply(
    enrolmentId: string,
    commandUuid: string,
    end: AnsweredCommand | null = null,
    again = false,
  ): Promise<void> {
    try {
      await applyEnd(enrolmentId, commandUuid, end, again);
    } catch (error) {
      // What the store could not do is tried again. What the engine cannot do it could not do the next time either, and
      // it must not keep the device, or other results, from going on.
      if (error instanceof CoreError && error.kind === 'unavailable') throw error;
      context.logger.error({ error, enrolmentId, commandUuid }, 'the result of a command could not be applied');
    }
    await store.queue.followUpDone(enrolmentId, commandUuid);
  }

  return {
    apply,

    async withheld(enrolmentId, commandUuid, reason) {
      const assignment = (await assignmentsOf(enrolmentId)).find((record) => record.commandUuid === commandUuid);
      if (assignment === undefined) return;
      // An update leaves what is on the device there; anything else was never installed.
      const update = assignment.status === 'update-pending' || assignment.status === 'sent';
      await move(assignment, update ? { status: 'partially-applied', detail: reason } : null);
      await markAssigned(enrolmentId);
    },

    async applyLeftBehind(olderThanMs) {
      let count = 0;
      for (;;) {
        const left = await store.queue.followUps({ before: clock.now() - olderThanMs, limit: 200 });
        for (const { enrolmentId, commandUuid } of left) {
          await apply(enrolmentId, commandUuid, null, true);
          count++;
        }
        if (left.length < 200) return count;
      }
    },
  };
}

function emptyReport(enrolmentId: string, at: number): InventoryReport {
  return { enrolmentId, at, facts: {}, complete: true, event: null };
}

function describe(state: CommandState, chain: readonly AppleError[]): string {
  if (chain.length === 0) return `the command ended as ${state}`;
  return chain
    .map(({ domain, code, description }) => `${description} (${domain} ${code})`)
    .join('; ')
    .slice(0, 1_000);
}
