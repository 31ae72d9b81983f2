// The outbox: follows the event log for each endpoint, by a cursor in the store; at least once, in order for each device.
import { randomBytes } from 'node:crypto';
import type { Engine, EngineEvent, KeyRing, RandomBytes, Store } from '@espalier/core';
import type { Logger } from '../types.ts';
import { silentLogger } from '../types.ts';
import { bodyOf, messageId, wants } from './body.ts';
import { createRegistry, fresh, unknown } from './registry.ts';
import { type Attempt, send } from './send.ts';
import type { Webhook, WebhookStatus, Webhooks } from './types.ts';

/** What webhooks are made of. */
export interface WebhooksOptions {
  readonly engine: Engine;
  /** The engine's store and key ring. */
  readonly store: Store;
  readonly keys: KeyRing;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
  readonly logger?: Logger;
  readonly random?: RandomBytes;
  /** How long an endpoint may take to answer (default 15,000). */
  readonly timeoutMs?: number;
  /** An endpoint that took nothing for so long is disabled (default 5 days). */
  readonly disableAfterMs?: number;
  /** How often the background looks for what is due (default 1,000). */
  readonly intervalMs?: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Pauses after failures, the last one from then on. */
const PAUSES = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR];
const WINDOW = 100;
/** Devices that are told of at once. */
const LANES = 8;

/**
 * Makes the webhooks over an engine's store. Each message is signed as Standard Webhooks has it, and delivered until it was
 * taken: at least once (receivers tell repetitions by `webhook-id`), each device's in order. Any number of processes may
 * run them: one at a time serves an endpoint.
 *
 * @example
 * const webhooks = createWebhooks({ engine, store, keys });
 * const { secret } = await webhooks.create({ url: 'https://example.com/hook', types: ['enrolment.*'] });
 * webhooks.start();
 */
export function createWebhooks(options: WebhooksOptions): Webhooks {
  const { engine, store, keys, logger = silentLogger } = options;
  const random = options.random ?? ((length: number) => new Uint8Array(randomBytes(length)));
  const now = () => engine.clock.now();
  const registry = createRegistry({ store, keys, random, now });
  const owner = Buffer.from(random(8)).toString('hex');
  const sending = { fetch: options.fetch ?? fetch, now, timeoutMs: options.timeoutMs ?? 15 * SECOND };
  // Longer than any attempt, before each of which it is prolonged: nobody else can begin meanwhile.
  const leaseMs = Math.max(MINUTE, 3 * sending.timeoutMs);
  const disableAfterMs = options.disableAfterMs ?? 120 * HOUR;
  const attempts = engine.metrics.counter({
    name: 'espalier_webhook_attempts_total',
    help: 'Attempts to deliver webhooks by outcome: delivered, failed, gone.',
    labels: ['outcome'],
  });
  /** What was delivered above the cursor: not again, unless this process ends. */
  const ahead = new Map<string, Set<number>>();

  const holdsLease = (id: string): Promise<boolean> => {
    const at = now();
    return store.settings.lease({ name: `webhook.${id}`, owner, at, until: at + leaseMs });
  };

  /** Tells one device's events in order, up to the first that is not taken. */
  async function lane(webhook: Webhook, events: readonly EngineEvent[], done: Set<number>): Promise<Attempt | null> {
    for (const event of events) {
      if (done.has(event.seq)) continue;
      const body = wants(webhook, event) ? await bodyOf({ engine, store, keys }, webhook, event) : null;
      if (body !== null) {
        // Another process may have taken over while this one was slow.
        if (!(await holdsLease(webhook.id))) return null;
        const secrets = await registry.secrets(webhook.id);
        const attempt = await send({ id: messageId(webhook, event), body, url: webhook.url, secrets }, sending);
        attempts.add({ outcome: attempt.outcome });
        if (attempt.outcome !== 'delivered') return attempt;
      }
      done.add(event.seq);
    }
    return null;
  }

  /** One window of events for one endpoint; returns how many of them are done, and whether there may be more. */
  async function round(webhook: Webhook): Promise<{ readonly count: number; readonly more: boolean }> {
    const none = { count: 0, more: false };
    const due = await registry.status(webhook.id);
    if (due === null || due.disabledAt !== null || due.nextAt > now() || !(await holdsLease(webhook.id))) return none;
    // Read again: the process that held the lease may just have moved on.
    const status = await registry.status(webhook.id);
    if (status === null) return none;
    const events = await store.events.since(status.cursor, WINDOW);
    if (events.length === 0) return none;
    const done = ahead.get(webhook.id) ?? new Set<number>();
    ahead.set(webhook.id, done);
    // Another process may have come past these meanwhile.
    for (const seq of done) if (seq <= status.cursor) done.delete(seq);
    const before = done.size;
    const failure = await inLanes(webhook, events, done);
    const count = done.size - before;
    let cursor = status.cursor;
    for (const { seq } of events) {
      if (!done.delete(seq)) break;
      cursor = seq;
    }
    const next = failure === null ? { ...fresh, cursor } : failed(status, cursor, count > 0, failure);
    if (!(await registry.move(webhook.id, status, next))) return none; // enabled meanwhile: what was delivered may repeat
    if (next.disabledAt !== null) await disabled(webhook, next);
    return { count, more: failure === null && events.length === WINDOW };
  }

  async function inLanes(webhook: Webhook, events: readonly EngineEvent[], done: Set<number>): Promise<Attempt | null> {
    const byDevice = Map.groupBy(events, ({ enrolmentId }) => enrolmentId);
    const lanes = [...byDevice.values()];
    let failure: Attempt | null = null;
    const work = async (): Promise<void> => {
      for (let next = lanes.shift(); next !== undefined && failure === null; next = lanes.shift()) {
        failure = (await lane(webhook, next, done)) ?? failure;
      }
    };
    await Promise.all(Array.from({ length: LANES }, work));
    return failure;
  }

  function failed(status: WebhookStatus, cursor: number, progress: boolean, attempt: Attempt): WebhookStatus {
    const at = now();
    const failures = progress ? 1 : status.failures + 1;
    const failingSince = progress ? at : (status.failingSince ?? at);
    const pause = PAUSES[Math.min(failures, PAUSES.length) - 1] ?? HOUR;
    // Up to a tenth longer, so that endpoints which failed together do not come back together.
    const jittered = Math.round(pause * (1 + (random(1)[0] ?? 0) / 2560));
    const asked = attempt.outcome === 'failed' ? Math.min(attempt.retryAfterMs ?? 0, 6 * HOUR) : 0;
    const over = attempt.outcome === 'gone' || at - failingSince >= disableAfterMs;
    return {
      cursor,
      failures,
      failingSince,
      nextAt: at + Math.max(jittered, asked),
      lastError: attempt.outcome === 'failed' ? attempt.error : 'HTTP 410',
      disabledAt: over ? at : null,
    };
  }

  async function disabled({ id, url }: Webhook, { failures, lastError }: WebhookStatus): Promise<void> {
    const data = { webhookId: id, host: new URL(url).host, failures, error: lastError };
    await store.events.append([{ type: 'webhook.disabled', at: now(), enrolmentId: null, data }]);
    logger.warn(data, 'a webhook was disabled');
  }

  async function run(): Promise<number> {
    const list = await registry.list();
    const counts = await Promise.all(
      list.map(async (webhook) => {
        let total = 0;
        for (;;) {
          const { count, more } = await round(webhook);
          total += count;
          if (!more) return total;
        }
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  let timer: NodeJS.Timeout | null = null;
  let running: Promise<unknown> | null = null;

  async function find(id: string): Promise<Webhook> {
    const webhook = (await registry.list()).find((item) => item.id === id);
    if (webhook === undefined) throw unknown();
    return webhook;
  }

  return {
    create: (webhook) => registry.add(webhook),
    async list() {
      const list = await registry.list();
      return await Promise.all(
        list.map(async (webhook) => ({
          ...webhook,
          ...((await registry.status(webhook.id)) ?? { ...fresh, cursor: 0 }),
        })),
      );
    },
    delete: (id) => registry.remove(id),
    async enable(id) {
      await find(id);
      for (;;) {
        const status = await registry.status(id);
        if (status === null) throw unknown();
        if (await registry.move(id, status, { ...fresh, cursor: status.cursor })) return;
      }
    },
    async rotateSecret(id) {
      await find(id);
      return { secret: await registry.rotate(id) };
    },
    run,
    start() {
      timer ??= setInterval(() => {
        running ??= run()
          .catch((error: unknown) => logger.error({ err: error }, 'webhooks could not be delivered'))
          .finally(() => {
            running = null;
          });
      }, options.intervalMs ?? SECOND);
      timer.unref();
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await running;
    },
  };
}
