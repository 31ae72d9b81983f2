// The MDM protocol: check-in messages and the command loop, bytes in and bytes out.
import { type Checkin, type CommandResponse, readCheckin, readResponse, resolveEnrolment } from '@espalier/apple-mdm';
import type { AdeReconciler } from '../ade/reconcile.ts';
import type { DeviceIdentity, Protocol } from '../api/engine.ts';
import type { PollInput, PollOutcome, PollResult } from '../contracts/queue.ts';
import type { DeclarationEngine } from '../declarations/index.ts';
import { authenticate, checkOut, getBootstrapToken, setBootstrapToken, tokenUpdate } from './checkin.ts';
import type { Context } from './context.ts';
import type { Effects } from './effects.ts';
import type { LabelService } from './labels.ts';
import { isLate, type LateBinder, type Withheld } from './late.ts';
import type { Renewals } from './renewal.ts';
import { isSecretResponse } from './sensitive.ts';
import { declarativeManagement, getToken, returnToService } from './services.ts';
import { withRefusedSettings } from './settings-answer.ts';
import { checkAuthToken, userAuthenticate } from './users.ts';

/** How many commands in a row may turn out to be none: whatever is left comes with the next connection. */
const MOST_WITHHELD = 20;

/** Makes the protocol. */
export function createProtocol(
  context: Context,
  labels: LabelService,
  effects: Effects,
  renewals: Renewals,
  declarations: DeclarationEngine,
  ade: AdeReconciler,
  late: LateBinder,
): Protocol {
  const { store, vault, clock, options, hooks } = context;

  async function handle(message: Checkin, identity: DeviceIdentity): Promise<Uint8Array | null> {
    context.meters.checkins.add({ type: message.messageType });
    switch (message.messageType) {
      case 'Authenticate':
        return authenticate(context, message, identity);
      case 'TokenUpdate':
        return tokenUpdate(context, labels, ade, message, identity);
      case 'CheckOut':
        return checkOut(context, message, identity);
      case 'SetBootstrapToken':
        return setBootstrapToken(context, message, identity);
      case 'GetBootstrapToken':
        return getBootstrapToken(context, message, identity);
      case 'UserAuthenticate':
        return userAuthenticate(context, message, identity);
      case 'GetToken':
        return getToken(context, message, identity);
      case 'ReturnToService':
        return returnToService(context, message, identity);
      case 'DeclarativeManagement':
        return declarativeManagement(context, declarations, message, identity);
    }
  }

  function resultOf(response: CommandResponse, enrolmentId: string, at: number): PollResult | undefined {
    if (response.status === 'Idle') return undefined;
    const { commandUuid, raw } = response;
    const errorChain = response.errorChain.map(({ code, domain, description }) => ({ code, domain, description }));
    const status = statuses[response.status];
    const ref = { kind: 'response', key: [enrolmentId, commandUuid] } as const;
    const sealed = isSecretResponse(response.value);
    const first = errorChain[0];
    return {
      commandUuid,
      status,
      response: { bytes: sealed ? vault.seal(raw, ref) : raw, sealed },
      errorChain,
      event: {
        type: eventTypes[status],
        at,
        enrolmentId,
        data:
          first === undefined
            ? { commandUuid, status }
            : { commandUuid, status, error: `${first.domain} ${first.code}` },
      },
    };
  }

  /** Records and applies what the answer means; true when it was a command with effects. */
  async function afterPoll(
    outcome: Extract<PollOutcome, { outcome: 'ok' }>,
    response: CommandResponse,
    enrolmentId: string,
    at: number,
  ): Promise<boolean> {
    if (response.status === 'Idle') return false;
    // Named by the device, so not to be trusted with its length.
    const commandUuid = response.commandUuid.slice(0, 100);
    context.meters.results.add({ status: statuses[response.status], outcome: outcome.result ?? 'none' });
    if (outcome.result === 'unknown') {
      const data = { commandUuid, status: response.status };
      await store.events.append([{ type: 'command.unknown-response', at, enrolmentId, data }]);
      context.logger.warn({ enrolmentId, commandUuid }, 'a response to a command that was never sent');
    }
    // Also of a repeated result: the first time, its effects may have been cut off together with our answer.
    const taken = outcome.result === 'stored' || outcome.result === 'repeated';
    const known = taken && outcome.resultCommand?.followUp === true ? outcome.resultCommand : null;
    if (known !== null && outcome.result === 'stored' && response.status !== 'NotNow') {
      const { requestType, origin } = known;
      const { errorChain, value } = response;
      const state = statuses[response.status];
      await effects.apply(enrolmentId, commandUuid, { requestType, origin, state, errorChain, value });
    } else if (known !== null) await effects.apply(enrolmentId, commandUuid, null, true);
    context.bus.poke();
    return known !== null;
  }

  async function complete(enrolmentId: string, commandUuid: string, body: Uint8Array) {
    try {
      return await late.complete(enrolmentId, body);
    } catch (error) {
      // An authority that is away must not keep the device from its other commands.
      context.logger.error({ error, enrolmentId, commandUuid }, 'a profile could not be completed');
      return { outcome: 'hold', reason: 'it could not be completed' } as const;
    }
  }

  /** Sets a command aside that the device does not get (now), and gives the next one. */
  async function withhold(input: PollInput, commandUuid: string, { outcome, reason }: Withheld): Promise<PollOutcome> {
    const { enrolmentId, at } = input;
    const event = { type: 'credential.withheld', at, enrolmentId, data: { commandUuid, outcome, reason } } as const;
    if (outcome === 'hold') {
      // As if the device had said NotNow: offered again later, with growing pauses.
      const result = { commandUuid, status: 'not-now', response: null, errorChain: [], event } as const;
      return store.queue.poll({ ...input, result });
    }
    await effects.withheld(enrolmentId, commandUuid, reason);
    await store.queue.end({ enrolmentIds: [enrolmentId], commandUuid, state: 'cancelled', at });
    await effects.apply(enrolmentId, commandUuid);
    await store.events.append([event]);
    return store.queue.poll(input);
  }

  return {
    refused: (refusal) => context.doorLog.refused(refusal),

    async checkin(body, identity) {
      const message = readCheckin(body);
      await vault.ready();
      await hooks.before?.(message, identity);
      const answer = await handle(message, identity);
      context.bus.poke();
      try {
        await hooks.after?.(message, resolveEnrolment(message.ids).id);
      } catch (error) {
        context.logger.error({ error, messageType: message.messageType }, 'a hook failed after a check-in');
      }
      return answer;
    },

    async connect(body, identity) {
      const response = withRefusedSettings(readResponse(body));
      await vault.ready();
      const resolved = resolveEnrolment(response.ids);
      const enrolmentId = resolved.id;
      await checkAuthToken(context, resolved, response.ids.userId, response.value['AuthToken']);
      const at = clock.now();
      if (identity.expired === true) {
        const verified = { id: enrolmentId, certificateFingerprint: identity.fingerprint, at };
        const step = () => store.enrolments.verify(verified);
        const { enrolment } = await context.door.pass(resolved, identity, step, { expired: true });
        return await renewals.offer(enrolment, response);
      }
      const result = resultOf(response, enrolmentId, at);
      const input = {
        enrolmentId,
        certificateFingerprint: identity.fingerprint,
        at,
        backoff: options.backoff,
        ...(result === undefined ? {} : { result }),
      };
      const answers = result !== undefined;
      const outcome = await context.door.pass(resolved, identity, () => store.queue.poll(input), { answers });
      const followedUp = await afterPoll(outcome, response, enrolmentId, at);
      // A device that erases itself takes nothing more.
      const erasing = response.status === 'Acknowledged' && outcome.resultCommand?.requestType === 'EraseDevice';
      if (erasing && followedUp) return null;
      let next = outcome.command;
      if (next === null && followedUp) {
        // The result may have led to new commands (a profile to be verified): the device is still there to take them.
        const again = await store.queue.poll(input);
        if (again.outcome === 'ok') next = again.command;
        context.kick.notifier();
      }
      for (let tries = 0; next !== null && tries < MOST_WITHHELD; tries++) {
        const stored = vault.read(next.body, { kind: 'command', key: [next.commandUuid] });
        if (!isLate(stored)) return stored;
        const completed = await complete(enrolmentId, next.commandUuid, stored);
        if (completed.outcome === 'ready') return completed.bytes;
        const again = await withhold(input, next.commandUuid, completed);
        next = again.outcome === 'ok' ? again.command : null;
      }
      return null;
    },
  };
}

const statuses = {
  Acknowledged: 'acknowledged',
  Error: 'error',
  CommandFormatError: 'format-error',
  NotNow: 'not-now',
} as const;

const eventTypes = {
  acknowledged: 'command.acknowledged',
  error: 'command.failed',
  'format-error': 'command.failed',
  'not-now': 'command.not-now',
} as const;
