// The sync of one account with Apple: under a lease with a fencing number, each page with its cursor in one step.
import type {
  AdeProgress,
  AdeSource,
  AdeSourceOutcomes,
  AdeSourcePage,
  AdeSyncOptions,
  AdeSyncResult,
} from '../api/ade.ts';
import type { AdeAccount, AdeSyncState } from '../contracts/ade.ts';
import type { NewEvent } from '../contracts/shared.ts';
import type { Context } from '../engine/context.ts';
import { CoreError } from '../errors.ts';
import { unknownAccount } from './accounts.ts';
import { changesOf } from './changes.ts';
import type { AdeReconciler } from './reconcile.ts';

const LEASE_MS = 60_000;
/** Devices that one statement takes at most. */
const BATCH = 1_000;
/** When an assignment that Apple did not take is tried again, unless Apple says. */
const RETRY_MS = 60 * 60_000;

type Running = { -readonly [K in keyof AdeProgress]: number };

/** The lease went to somebody else. */
class Overtaken extends Error {}

/** Makes the function. */
export function createAdeSync(context: Context, reconciler: AdeReconciler) {
  const { store, clock } = context;

  return async function sync(
    accountId: string,
    source: AdeSource,
    options: AdeSyncOptions = {},
  ): Promise<AdeSyncResult> {
    const { limit = BATCH, leaseMs = LEASE_MS } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > BATCH) {
      throw new CoreError('core.ade.bad_option', 'invalid', 'limit is a whole number from 1 to 1,000');
    }
    if (!Number.isInteger(leaseMs) || leaseMs < 1_000 || leaseMs > 3_600_000) {
      throw new CoreError('core.ade.bad_option', 'invalid', 'leaseMs is a whole number from 1,000 to 3,600,000');
    }
    const account = await store.ade.getAccount(accountId);
    if (account === null) throw unknownAccount();
    const at = clock.now();
    const state = await store.ade.acquire({ accountId, at, until: at + leaseMs });
    const progress: Running = {
      ...{ pages: 0, added: 0, modified: 0, deleted: 0, unchanged: 0 },
      ...{ gone: 0, unusable: 0, assigned: 0, refused: 0 },
    };
    if (state === null) return { outcome: 'busy', ...progress };
    const run = new Run(context, reconciler, account, state, source, { ...options, limit, leaseMs }, progress);
    // Apple may keep us waiting for longer than the lease: it is prolonged while this process lives.
    const heart = setInterval(() => void run.beat(), leaseMs / 3);
    heart.unref();
    const finish = (failure: string | null, finished: boolean): Promise<void> =>
      store.ade.release({ accountId, fence: state.fence, at: clock.now(), failure, finished });
    try {
      const done = await run.all();
      clearInterval(heart);
      await finish(null, done);
      return { outcome: done ? 'done' : 'stopped', ...progress };
    } catch (error) {
      if (error instanceof Overtaken) return { outcome: 'overtaken', ...progress };
      const code: unknown = (error as { readonly code?: unknown }).code;
      const failure = typeof code === 'string' ? code : 'core.ade.failed';
      context.logger.error({ error, accountId }, 'a sync of automated device enrolment failed');
      const event = {
        type: 'ade.sync-failed',
        at: clock.now(),
        enrolmentId: null,
        data: { accountId, failure },
      } as const;
      // A store that is away cannot note it; the lease then ends by itself, and the first error is the one to tell.
      await finish(failure, false).then(
        () => store.events.append([event]),
        (again: unknown) => context.logger.error({ error: again, accountId }, 'the failure could not be noted'),
      );
      throw error;
    } finally {
      clearInterval(heart);
      context.bus.poke();
    }
  };
}

/** One sync under way. */
class Run {
  readonly #context: Context;
  readonly #reconciler: AdeReconciler;
  readonly #account: AdeAccount;
  readonly #state: AdeSyncState;
  readonly #source: AdeSource;
  readonly #options: AdeSyncOptions & { readonly limit: number; readonly leaseMs: number };
  readonly #progress: Running;
  #lost = false;

  constructor(
    context: Context,
    reconciler: AdeReconciler,
    account: AdeAccount,
    state: AdeSyncState,
    source: AdeSource,
    options: AdeSyncOptions & { readonly limit: number; readonly leaseMs: number },
    progress: Running,
  ) {
    this.#context = context;
    this.#reconciler = reconciler;
    this.#account = account;
    this.#state = state;
    this.#source = source;
    this.#options = options;
    this.#progress = progress;
  }

  get #lease() {
    return { accountId: this.#account.id, fence: this.#state.fence };
  }

  /** Prolongs the lease. */
  async beat(): Promise<void> {
    const { store, clock, logger } = this.#context;
    try {
      const held = await store.ade.prolong({ ...this.#lease, until: clock.now() + this.#options.leaseMs });
      if (!held) this.#lost = true;
    } catch (error) {
      // The next beat tries again; when none gets through, somebody else takes over and the fence keeps us out.
      logger.warn({ error, accountId: this.#account.id }, 'the lease of a sync was not prolonged');
    }
  }

  /** Everything; false when the signal stopped it. */
  async all(): Promise<boolean> {
    const { signal, limit } = this.#options;
    if (this.#state.unswept) await this.#sweep();
    for await (const page of this.#source.sync(this.#state.next ?? undefined, { limit })) {
      await this.#page(page);
      if (signal?.aborted === true) return false;
    }
    return this.#assign();
  }

  async #page(page: AdeSourcePage): Promise<void> {
    const { store, clock } = this.#context;
    const { leaseMs, choose } = this.#options;
    const account = this.#account;
    const { changes, unusable } = changesOf(page.devices, (device) =>
      choose === undefined ? account.defaultProfileUuid : (choose(device, account) ?? null),
    );
    for (const listed of [true, false]) {
      const serials = changes.filter((change) => change.deleted !== listed).map((change) => change.serialNumber);
      await this.#reconciler.listed(account.id, serials, listed);
    }
    const restarted = page.restarted !== undefined;
    const at = clock.now();
    const data = { accountId: account.id, restarted: page.restarted ?? null, complete: page.complete };
    const event: NewEvent = { type: 'ade.page-synced', at, enrolmentId: null, data };
    const counts = await store.ade.commitPage({
      ...this.#lease,
      at,
      until: at + leaseMs,
      restarted,
      complete: page.complete,
      next: page.next,
      changes,
      events: changes.length > 0 || restarted || page.complete ? [event] : [],
    });
    if (counts === null || this.#lost) throw new Overtaken();
    this.#progress.pages++;
    this.#progress.unusable += unusable;
    for (const key of ['added', 'modified', 'deleted', 'unchanged'] as const) this.#progress[key] += counts[key];
    this.#tell();
    if (page.complete) await this.#sweep();
  }

  /** Marks what the whole list did not have. */
  async #sweep(): Promise<void> {
    const { store, clock } = this.#context;
    for (;;) {
      const swept = await store.ade.sweep({ ...this.#lease, at: clock.now(), limit: BATCH });
      if (swept === null) throw new Overtaken();
      await this.#reconciler.listed(this.#account.id, swept.gone, false);
      this.#progress.gone += swept.gone.length;
      if (swept.gone.length > 0) this.#tell();
      if (swept.done) return;
    }
  }

  /** Does the assignments that are due; false when the signal stopped it. */
  async #assign(): Promise<boolean> {
    const { store, clock } = this.#context;
    const source = this.#source;
    if (source.assignProfile === undefined) return true;
    const accountId = this.#account.id;
    for (;;) {
      const due = await store.ade.dueAssignments({ accountId, at: clock.now(), limit: BATCH });
      const byProfile = Map.groupBy(due, (one) => one.profileUuid);
      for (const [profileUuid, list] of byProfile) {
        const serials = list.map((one) => one.serialNumber);
        for await (const batch of source.assignProfile(profileUuid, serials)) {
          await this.#settle(profileUuid, batch);
          if (this.#options.signal?.aborted === true) return false;
        }
      }
      if (due.length < BATCH) return true;
    }
  }

  async #settle(profileUuid: string, { outcomes, retryAfterMs }: AdeSourceOutcomes): Promise<void> {
    const { store, clock } = this.#context;
    const at = clock.now();
    const held = await store.ade.settleAssignments({
      ...this.#lease,
      at,
      retryAt: at + Math.max(1, retryAfterMs ?? RETRY_MS),
      outcomes: [...outcomes].map(([serialNumber, outcome]) => ({ serialNumber, profileUuid, outcome })),
    });
    if (!held) throw new Overtaken();
    for (const outcome of outcomes.values()) this.#progress[outcome === 'SUCCESS' ? 'assigned' : 'refused']++;
    this.#tell();
  }

  #tell(): void {
    this.#context.bus.poke();
    this.#options.onProgress?.({ ...this.#progress });
  }
}
