// What goes on in the background: each account is synced now and then, and whoever waits in Setup Assistant is let go on.
import { type AssignmentRule, createProfileChooser, type EnrolmentClient } from '@espalier/ade';
import type { AdeAccount, AdeProgress, AdeSourceDevice, AdeSyncResult } from '@espalier/core';
import type { Logger } from '../types.ts';
import { compiled } from './profiles.ts';
import { type ReleaseContext, releaseWaiting } from './release.ts';
import type { AdeServiceOptions } from './types.ts';

const MINUTE = 60_000;

/** What the jobs work with. */
export interface AdeJobsContext extends Omit<AdeServiceOptions, 'logger'>, ReleaseContext {
  readonly logger: Logger;
  clientOf(accountId: string): Promise<EnrolmentClient>;
}

/** The jobs. */
export interface AdeJobs {
  /** Syncs, or waits for the sync that runs here. */
  sync(accountId: string): Promise<AdeSyncResult>;
  /** Syncs in a moment, if the jobs were started. */
  soon(accountId: string): void;
  progress(accountId: string): AdeProgress | null;
  release(): Promise<number>;
  start(): void;
  stop(): Promise<void>;
}

interface Running {
  readonly done: Promise<AdeSyncResult>;
  progress: AdeProgress | null;
}

/** Makes them. */
export function createAdeJobs(context: AdeJobsContext): AdeJobs {
  const { engine, logger, syncIntervalMs = 15 * MINUTE, releaseIntervalMs = 5_000 } = context;
  const running = new Map<string, Running>();
  const asked = new Set<string>();
  /** When this process was last at an account. */
  const tried = new Map<string, number>();
  const pauseMs = Math.min(syncIntervalMs, 5 * MINUTE);
  let abort = new AbortController();
  let timers: NodeJS.Timeout[] = [];
  let work: Promise<unknown> = Promise.resolve();

  async function syncNow(accountId: string, tell: (progress: AdeProgress) => void): Promise<AdeSyncResult> {
    const account = (await engine.ade.accounts()).find((one) => one.id === accountId);
    const client = await context.clientOf(accountId);
    const chooser = await chooserOf(account?.rules ?? [], account?.defaultProfile ?? null);
    return engine.ade.sync(accountId, client, {
      ...(context.pageSize === undefined ? {} : { limit: context.pageSize }),
      prepare: chooser.prepare,
      choose: chooser.choose,
      compile: (profile, of) => compiled(context, profile, of),
      onProgress: tell,
      signal: abort.signal,
    });
  }

  /** Rules by order and label need what the device's record does not tell: it is fetched page by page. */
  async function chooserOf(stored: AdeAccount['rules'], defaultProfileId: string | null) {
    const rules = stored as unknown as readonly AssignmentRule[];
    const chooser = createProfileChooser({ rules, ...(defaultProfileId === null ? {} : { defaultProfileId }) });
    const [byOrder, byLabel] = [rules.some((rule) => rule.orders), rules.some((rule) => rule.labels)];
    let orders: ReadonlyMap<string, string> = new Map();
    const labels = new Map<string, ReadonlySet<string>>();
    return {
      async prepare(serialNumbers: readonly string[], enrolled: ReadonlyMap<string, string>): Promise<void> {
        orders = (byOrder && (await context.orders?.(serialNumbers))) || new Map();
        labels.clear();
        for (const [serialNumber, enrolmentId] of byLabel ? enrolled : []) {
          const device = await engine.devices.get(enrolmentId);
          labels.set(serialNumber, new Set(device?.labels.map((label) => label.id)));
        }
      },
      choose(device: AdeSourceDevice): string | null {
        const orderNumber = orders.get(device.serial_number);
        const own = labels.get(device.serial_number);
        const known = { ...device, ...(orderNumber && { orderNumber }), ...(own && { labels: own }) };
        return chooser.choose(known)?.profileId ?? null;
      },
    };
  }

  function sync(accountId: string): Promise<AdeSyncResult> {
    const there = running.get(accountId);
    if (there !== undefined) return there.done;
    const entry: { -readonly [K in keyof Running]: Running[K] } = {
      progress: null,
      done: syncNow(accountId, (progress) => {
        entry.progress = progress;
      }).finally(() => running.delete(accountId)),
    };
    running.set(accountId, entry);
    return entry.done;
  }

  /**
   * Those that somebody asked for, and those whose time has come, whichever process was at them last. What was not finished is
   * due at once, but for what this process tried just now.
   */
  async function round(): Promise<void> {
    const now = engine.clock.now();
    for (const { id, sync: state } of await engine.ade.accounts()) {
      const finished = state.finishedAt ?? Number.NEGATIVE_INFINITY;
      const unfinished = (state.progressedAt ?? 0) > finished || state.failure !== null;
      const due = (unfinished || finished + syncIntervalMs <= now) && (tried.get(id) ?? 0) + pauseMs <= now;
      if (!asked.delete(id) && !due) continue;
      tried.set(id, now);
      try {
        const { outcome } = await sync(id);
        if (outcome === 'stopped') tried.delete(id);
      } catch (error) {
        // The engine has noted it with the account; a later round tries again.
        logger.warn({ error, accountId: id }, 'an account of automated device enrolment was not synced');
      }
      if (abort.signal.aborted) return;
    }
  }

  /** One after the other, and what fails is tried again the next time. */
  function then(name: string, job: () => Promise<unknown>): void {
    work = work.then(job).catch((error: unknown) => {
      logger.error({ error, job: name }, 'a background job failed');
    });
  }

  let releasing: Promise<unknown> | null = null;
  return {
    sync,
    soon(accountId) {
      asked.add(accountId);
      if (timers.length > 0) then('ade-sync', round);
    },
    progress: (accountId) => running.get(accountId)?.progress ?? null,
    release: () => releaseWaiting(context),
    start() {
      if (timers.length > 0) return;
      abort = new AbortController();
      then('ade-sync', round);
      timers = [
        setInterval(() => then('ade-sync', round), Math.min(syncIntervalMs, MINUTE)),
        // Not behind the sync, which may take minutes while somebody stands before a device.
        setInterval(() => {
          releasing ??= releaseWaiting(context)
            .catch((error: unknown) => logger.error({ error, job: 'ade-release' }, 'a background job failed'))
            .finally(() => {
              releasing = null;
            });
        }, releaseIntervalMs),
      ];
      for (const timer of timers) timer.unref();
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      timers = [];
      abort.abort();
      await work;
      await releasing;
    },
  };
}
