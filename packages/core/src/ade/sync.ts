// The sync of one account with Apple: under a lease with a fencing number, each page with its cursor in one step.
import type {
  AdeProgress,
  AdeSource,
  AdeSourceOutcomes,
  AdeSourcePage,
  AdeSyncOptions,
  AdeSyncResult,
} from '../api/ade.ts';
import type { AdeAccount, AdeProfile, AdeSyncState } from '../contracts/ade.ts';
import type { NewEvent } from '../contracts/shared.ts';
import type { Context } from '../engine/context.ts';
import { CoreError } from '../errors.ts';
import { unknownAccount } from './accounts.ts';
import { type ChosenProfile, changesOf } from './changes.ts';
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
      ...{ gone: 0, unusable: 0, assigned: 0, removed: 0, defined: 0, refused: 0 },
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
  /** The account's profiles, as they were when they were last looked at. */
  readonly #profiles = new Map<string, AdeProfile>();
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
    await this.#publish();
    if (this.#state.unswept) await this.#sweep();
    for await (const page of this.#source.sync(this.#state.next ?? undefined, { limit })) {
      await this.#page(page);
      if (signal?.aborted === true) return false;
    }
    return this.#assign();
  }

  /** Gives Apple what it does not have of the account's profiles, and their devices what Apple has. */
  async #publish(): Promise<void> {
    const { store, clock } = this.#context;
    for (const profile of await store.ade.listProfiles(this.#account.id)) {
      const known = this.#profiles.get(profile.id);
      if (known?.version === profile.version) continue;
      this.#profiles.set(profile.id, profile);
      // What Apple refused it refuses again, until somebody changes it.
      if (profile.appleVersion < profile.version && profile.failure === null) await this.#define(profile);
      for (;;) {
        const step = { ...this.#lease, profileId: profile.id, at: clock.now(), limit: BATCH };
        const moved = await store.ade.followProfile(step);
        if (moved === null) throw new Overtaken();
        if (moved < BATCH) break;
      }
    }
  }

  async #define(profile: AdeProfile): Promise<void> {
    const { store, clock, logger } = this.#context;
    if (this.#source.defineProfile === undefined) return;
    const { compile } = this.#options;
    let said: { readonly uuid: string | null; readonly failure: string | null };
    try {
      const compiled = compile === undefined ? profile.definition : compile(profile, this.#account);
      said = { uuid: (await this.#source.defineProfile(compiled)).profileUuid, failure: null };
    } catch (error) {
      const { kind, code } = error as { readonly kind?: unknown; readonly code?: unknown };
      // One that is wrong must not hold up the others, nor the devices.
      if (kind !== 'invalid' || typeof code !== 'string') throw error;
      logger.warn({ error, profileId: profile.id }, 'an enrolment profile was not taken');
      said = { uuid: null, failure: code };
    }
    const { id, version, accountId } = profile;
    const data = { accountId, profileId: id, version, failure: said.failure };
    const type = said.uuid === null ? 'ade.profile-refused' : 'ade.profile-defined';
    const events: NewEvent[] = [{ type, at: clock.now(), enrolmentId: null, data }];
    const published = await store.ade.publishProfile({ ...this.#lease, profileId: id, version, ...said, events });
    if (!published) throw new Overtaken();
    if (said.uuid !== null) this.#progress.defined++;
    this.#tell();
  }

  async #prepare({ devices }: AdeSourcePage): Promise<void> {
    const { prepare } = this.#options;
    if (prepare === undefined || devices.length === 0) return;
    const serials = devices.map((device) => device.serial_number);
    const enrolled = await this.#context.store.ade.enrolled(serials);
    const byNumber = new Map(enrolled.map((one) => [one.serialNumber, one.enrolmentId]));
    await prepare(serials, byNumber, this.#account);
  }

  #chosen(profile: string | null): ChosenProfile {
    return profile !== null && this.#profiles.has(profile)
      ? { profileId: profile, wantedProfileUuid: null }
      : { profileId: null, wantedProfileUuid: profile };
  }

  async #page(page: AdeSourcePage): Promise<void> {
    const { store, clock } = this.#context;
    const { leaseMs, choose } = this.#options;
    const account = this.#account;
    await this.#prepare(page);
    const { changes, unusable } = changesOf(page.devices, (device) =>
      this.#chosen(choose === undefined ? account.defaultProfile : (choose(device, account) ?? null)),
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
    const accountId = this.#account.id;
    if (source.assignProfile === undefined) return true;
    // Somebody may have changed a profile while the list was read.
    await this.#publish();
    for (;;) {
      const due = await store.ade.dueAssignments({ accountId, at: clock.now(), limit: BATCH });
      const byProfile = Map.groupBy(due, (one) => one.profileUuid);
      for (const [profileUuid, list] of byProfile) {
        const serials = list.map((one) => one.serialNumber);
        const batches =
          profileUuid === null
            ? (source.removeProfile?.(serials) ?? unremovable(serials))
            : source.assignProfile(profileUuid, serials);
        for await (const batch of batches) {
          await this.#settle(profileUuid, batch);
          if (this.#options.signal?.aborted === true) return false;
        }
      }
      if (due.length < BATCH) return true;
    }
  }

  async #settle(profileUuid: string | null, { outcomes, retryAfterMs }: AdeSourceOutcomes): Promise<void> {
    const { store, clock } = this.#context;
    const at = clock.now();
    const held = await store.ade.settleAssignments({
      ...this.#lease,
      at,
      retryAt: at + Math.max(1, retryAfterMs ?? RETRY_MS),
      outcomes: [...outcomes].map(([serialNumber, outcome]) => ({ serialNumber, profileUuid, outcome })),
    });
    if (!held) throw new Overtaken();
    const done = profileUuid === null ? 'removed' : 'assigned';
    for (const outcome of outcomes.values()) this.#progress[outcome === 'SUCCESS' ? done : 'refused']++;
    this.#tell();
  }

  #tell(): void {
    this.#context.bus.poke();
    this.#options.onProgress?.({ ...this.#progress });
  }
}

/** What a source says that cannot take profiles away. */
async function* unremovable(serials: readonly string[]): AsyncGenerator<AdeSourceOutcomes> {
  yield { outcomes: new Map(serials.map((serial) => [serial, 'NOT_SUPPORTED'])) };
}
