// The MDM protocol: check-in messages and the command loop, bytes in and bytes out.
import { type Checkin, type CommandResponse, readCheckin, readResponse, resolveEnrolment } from '@espalier/apple-mdm';
import type { AdeReconciler } from '../ade/reconcile.ts';
import type { DeviceIdentity, Protocol } from '../api/engine.ts';
import type { PollOutcome, PollResult } from '../contracts/queue.ts';
import type { DeclarationEngine } from '../declarations/index.ts';
import { authenticate, checkOut, getBootstrapToken, setBootstrapToken, tokenUpdate } from './checkin.ts';
import type { Context } from './context.ts';
import type { Effects } from './effects.ts';
import type { LabelService } from './labels.ts';
import type { Renewals } from './renewal.ts';
import { isSecretResponse } from './sensitive.ts';
import { declarativeManagement, getToken, returnToService } from './services.ts';
import { checkAuthToken, userAuthenticate } from './users.ts';

/** Makes the protocol. */
export function createProtocol(
  context: Context,
  labels: LabelService,
  effects: Effects,
  renewals: Renewals,
  declarations: DeclarationEngine,
  ade: AdeReconciler,
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
    const hasEffects = taken && outcome.resultCommand?.followUp === true;
    if (hasEffects) {
      await effects.apply(enrolmentId, response.commandUuid, response.value, outcome.result === 'repeated');
    }
    context.bus.poke();
    return hasEffects;
  }

  return {
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
      const response = readResponse(body);
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
      if (next === null) return null;
      return vault.read(next.body, { kind: 'command', key: [next.commandUuid] });
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
