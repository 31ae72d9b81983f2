// What the engine measures.
import type { Clock } from '../api/common.ts';
import type { Protocol } from '../api/engine.ts';
import type { Store } from '../contracts/store.ts';
import type { Counter, Gauge, Histogram, Metrics } from '../metrics/types.ts';
import type { Logger } from './options.ts';

/** The engine's instruments. */
export interface Instruments {
  readonly checkins: Counter;
  readonly results: Counter;
  readonly pushes: Counter;
  readonly labelEvaluations: Counter;
  readonly reconciled: Counter;
  readonly resealed: Counter;
  readonly rotating: Gauge;
  readonly reconcileDuration: Histogram;
  /** Measures one run of a background job. */
  job<T>(name: string, run: () => Promise<T>): Promise<T>;
  /** Measures polls, and counts refusals. */
  protocol(protocol: Protocol): Protocol;
}

/** Counting what is pending takes a look at all of it: not done more often than this, nor for more than a hundredth of the time. */
const DEPTH_MAX_AGE_MS = 10_000;
const DEPTH_SHARE = 100;

/** Makes the instruments. */
export function createInstruments(metrics: Metrics): Instruments {
  const checkins = metrics.counter({
    name: 'espalier_checkins_total',
    help: 'Check-in messages that were decoded, by message type.',
    labels: ['type'],
  });
  const results = metrics.counter({
    name: 'espalier_results_total',
    help: 'Answers to commands, by status and by what became of them.',
    labels: ['status', 'outcome'],
  });
  const pushes = metrics.counter({
    name: 'espalier_pushes_total',
    help: 'Pushes by outcome: delivered, token-dead, retry, refused, failed.',
    labels: ['outcome'],
  });
  const refusals = metrics.counter({
    name: 'espalier_refusals_total',
    help: 'Messages of devices that were not taken, by kind of message and code of the error.',
    labels: ['message', 'code'],
  });
  const polls = metrics.histogram({
    name: 'espalier_poll_duration_seconds',
    help: 'Time from a connect message to its answer, by outcome: command, empty, refused, failed.',
    labels: ['outcome'],
  });
  const jobs = metrics.histogram({
    name: 'espalier_job_duration_seconds',
    help: 'Time that runs of background jobs took, by job and outcome (ok, failed).',
    labels: ['job', 'outcome'],
    buckets: [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
  });

  async function counted(message: string, answer: Promise<Uint8Array | null>): Promise<Uint8Array | null> {
    try {
      return await answer;
    } catch (error) {
      refusals.add({ message, code: codeOf(error) });
      throw error;
    }
  }

  return {
    checkins,
    results,
    pushes,
    labelEvaluations: metrics.counter({
      name: 'espalier_label_evaluations_total',
      help: 'How often the expression of a label was evaluated for a device.',
    }),
    reconciled: metrics.counter({
      name: 'espalier_reconciled_devices_total',
      help: 'Devices whose desired state was compared with the installed one.',
    }),
    resealed: metrics.counter({
      name: 'espalier_resealed_total',
      help: 'Sealed values that a change of the master key looked at: resealed, current, unopened.',
      labels: ['outcome'],
    }),
    rotating: metrics.gauge({
      name: 'espalier_key_rotation_active',
      help: 'Whether this process is sealing with the present master key what earlier ones sealed.',
    }),
    reconcileDuration: metrics.histogram({
      name: 'espalier_reconcile_duration_seconds',
      help: 'Time that runs of the reconciler took that found devices to reconcile.',
      buckets: [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60],
    }),

    async job(name, run) {
      const seconds = metrics.time();
      try {
        const result = await run();
        jobs.record(seconds(), { job: name, outcome: 'ok' });
        return result;
      } catch (error) {
        jobs.record(seconds(), { job: name, outcome: 'failed' });
        throw error;
      }
    },

    protocol(protocol) {
      return {
        ...protocol,
        checkin: (body, identity) => counted('checkin', protocol.checkin(body, identity)),
        async connect(body, identity) {
          const seconds = metrics.time();
          try {
            const answer = await counted('connect', protocol.connect(body, identity));
            polls.record(seconds(), { outcome: answer === null ? 'empty' : 'command' });
            return answer;
          } catch (error) {
            polls.record(seconds(), { outcome: isOurs(error) && error.kind !== 'unavailable' ? 'refused' : 'failed' });
            throw error;
          }
        },
      };
    },
  };
}

/** Gauges of the queue, counted when somebody reads them, at most every ten seconds, and less often where it takes long. */
export function measureQueue(metrics: Metrics, store: Store, clock: Clock, logger: Logger): void {
  const pending = metrics.gauge({
    name: 'espalier_queue_depth',
    help: 'Pending commands, over all devices and processes.',
  });
  const oldest = metrics.gauge({
    name: 'espalier_queue_oldest_pending_seconds',
    help: 'Age of the oldest pending command; 0 without one.',
  });
  const followUps = metrics.gauge({
    name: 'espalier_queue_follow_ups',
    help: 'Ends of commands whose effects are to be applied yet.',
  });
  const up = metrics.gauge({ name: 'espalier_store_up', help: 'Whether the store answered (1) or not (0).' });
  let countedAt: number | null = null;
  let maxAgeMs = DEPTH_MAX_AGE_MS;
  let oldestQueuedAt: number | null = null;
  let running: Promise<void> | null = null;

  async function count(): Promise<void> {
    const seconds = metrics.time();
    try {
      const depth = await store.queue.depth();
      maxAgeMs = Math.max(DEPTH_MAX_AGE_MS, DEPTH_SHARE * 1000 * seconds());
      pending.set(depth.pending);
      followUps.set(depth.followUps);
      oldestQueuedAt = depth.oldestQueuedAt;
      countedAt = clock.now();
      up.set(1);
    } catch (error) {
      // Better no figure than one from before.
      for (const gauge of [pending, followUps, oldest]) gauge.clear();
      countedAt = null;
      up.set(0);
      logger.warn({ error }, 'the queue could not be counted');
    }
  }

  metrics.onCollect(async () => {
    if (countedAt === null || clock.now() - countedAt >= maxAgeMs) {
      running ??= count().finally(() => {
        running = null;
      });
      await running;
    }
    if (countedAt !== null) {
      oldest.set(oldestQueuedAt === null ? 0 : Math.max(0, clock.now() - oldestQueuedAt) / 1000);
    }
  });
}

function isOurs(error: unknown): error is { readonly code: string; readonly kind: string } {
  return error instanceof Error && Symbol.for('espalier.error') in error;
}

function codeOf(error: unknown): string {
  return isOurs(error) ? error.code : 'unexpected';
}
