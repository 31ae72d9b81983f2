// The notifier: wakes devices that have work, paced over time, leased between processes, with a backoff for each device.
import type { PushSettlement, PushTarget } from '../contracts/push.ts';
import type { NewEvent } from '../contracts/shared.ts';
import { backoffDelay } from '../queue/backoff.ts';
import { type Context, uuid } from './context.ts';
import type { Pusher, PushResult } from './options.ts';
import { createPushDoubt } from './push-doubt.ts';
import { reviewAccounts } from './superseding.ts';

/** Sends due pushes. */
export interface Notifier {
  /** Sends up to `most` of the pushes that are due; returns how many it sent out. */
  run(most: number): Promise<number>;
}

const BATCH = 500;
const TELL_AGAIN_MS = 3_600_000;

/** Makes the notifier; without a pusher nobody is woken. */
export function createNotifier(context: Context, pusher: Pusher | undefined): Notifier {
  const { store, vault, clock, options, logger, meters } = context;

  const doubt = createPushDoubt();
  const toldAt = new Map<string, number>();

  async function send(target: PushTarget): Promise<PushResult> {
    const { enrolmentId, token, topic } = target;
    try {
      const pushMagic = vault.openText(target.pushMagic, { kind: 'push-magic', key: [enrolmentId] });
      return await pusher!.push({ token, pushMagic, topic });
    } catch (error) {
      logger.error({ error, enrolmentId }, 'a push could not be sent');
      return { outcome: 'failed', reason: error instanceof Error ? error.message : 'unknown' };
    }
  }

  function settlement(
    target: PushTarget,
    lease: string,
    result: PushResult,
    dead: boolean,
    at: number,
  ): PushSettlement {
    const { enrolmentId, attempts } = target;
    const later = at + backoffDelay(options.repush, attempts);
    switch (result.outcome) {
      case 'delivered':
        return { enrolmentId, lease, outcome: 'sent', dueAt: later };
      case 'token-dead':
        // Doubted: the device is tried again, later each time, and is as it was when the doubt is gone.
        return dead
          ? { enrolmentId, lease, outcome: 'token-dead', dueAt: at }
          : { enrolmentId, lease, outcome: 'failed', dueAt: later };
      case 'retry':
        // Nothing about this device: when the push service is back, its backoff is where it was.
        return { enrolmentId, lease, outcome: 'postponed', dueAt: at + Math.max(result.afterMs, 1_000) };
      case 'refused':
        // The push certificate has to be mended, and no device can help that: none waits longer for it afterwards.
        return { enrolmentId, lease, outcome: 'postponed', dueAt: at + options.repush.baseMs };
      default:
        return { enrolmentId, lease, outcome: 'failed', dueAt: later };
    }
  }

  async function tell(
    topic: string,
    counts: { readonly bad: number; readonly delivered: number },
    at: number,
  ): Promise<void> {
    if ((toldAt.get(topic) ?? Number.NEGATIVE_INFINITY) > at - TELL_AGAIN_MS) return;
    toldAt.set(topic, at);
    logger.error({ topic, ...counts }, 'Apple calls most device tokens bad: is this the right push service?');
    await store.events.append([{ type: 'push.tokens-doubted', at, enrolmentId: null, data: { topic, ...counts } }]);
  }

  async function batch(limit: number): Promise<number> {
    const lease = uuid(context.random);
    const targets = await store.push.claim({ lease, at: clock.now(), leaseMs: options.pushLeaseMs, limit });
    if (targets.length === 0) return 0;
    const results = await Promise.all(targets.map(send));
    for (const { outcome } of results) meters.pushes.add({ outcome });
    const { dead, doubted } = doubt.judge(targets.map(({ topic }, i) => ({ topic, result: results[i]! })));
    const at = clock.now();
    await store.push.settle({
      at,
      settlements: targets.map((target, i) => settlement(target, lease, results[i]!, dead[i]!, at)),
    });
    await store.events.append(targets.map((target, i) => pushEvent(target, results[i]!, dead[i]!, at)));
    for (const { topic, ...counts } of doubted) await tell(topic, counts, at);
    const gone = targets.flatMap(({ enrolmentId }, i) => (dead[i] ? [enrolmentId] : []));
    if (gone.length > 0) {
      await context.statusChanged(gone);
      await reviewAccounts(context, gone, { ask: false });
    }
    context.bus.poke();
    return targets.length;
  }

  return {
    async run(most) {
      if (pusher === undefined) return 0;
      await vault.ready();
      let sent = 0;
      while (sent < most) {
        const count = await batch(Math.min(BATCH, most - sent));
        if (count === 0) break;
        sent += count;
      }
      return sent;
    },
  };
}

function pushEvent({ enrolmentId, attempts }: PushTarget, result: PushResult, dead: boolean, at: number): NewEvent {
  const data = { attempt: attempts + 1 };
  if (result.outcome === 'delivered') return { type: 'push.sent', at, enrolmentId, data };
  const type = dead ? 'push.token-dead' : 'push.failed';
  return { type, at, enrolmentId, data: { ...data, outcome: result.outcome, reason: result.reason } };
}
