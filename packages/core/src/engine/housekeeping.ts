// Housekeeping: finds what a crash left behind, ends what expired, forgets what is old.
import { type Context, uuid } from './context.ts';
import type { Effects } from './effects.ts';
import type { FactIndex } from './fact-index.ts';
import { inventoryKey, queueInventory } from './inventory.ts';
import type { LabelService } from './labels.ts';
import type { Renewals } from './renewal.ts';

/** The work between requests that is not pushing or reconciling. */
export interface Housekeeping {
  /** Does what is due. `leftBehindMs`: how old an unapplied result must be to count as left behind. */
  run(leftBehindMs: number): Promise<void>;
}

const BATCH = 1_000;
/** Anybody can make an account; one that got no certificate in a day is forgotten. */
const IDLE_ACCOUNT_MS = 86_400_000;
/** How long a process may take over one part of the search index. */
const INDEX_LEASE_MS = 60_000;

/** Makes the housekeeping. */
export function createHousekeeping(
  context: Context,
  effects: Effects,
  labels: LabelService,
  index: FactIndex,
  renewals: Renewals,
  declarations: () => Promise<void>,
): Housekeeping {
  const { store, clock, options } = context;
  const owner = uuid(context.random);
  let rebuilt = false;

  /** Repeats a step that takes a batch at a time until it finds no full batch. */
  async function drain(step: () => Promise<number>): Promise<void> {
    while ((await step()) >= BATCH);
  }

  /** Once for each process: a process of another release, with other fields, may be of another opinion. */
  async function rebuildIndex(): Promise<void> {
    if (rebuilt) return;
    const goOn = (): Promise<boolean> => {
      const at = clock.now();
      return store.settings.lease({ name: 'search-index', owner, at, until: at + INDEX_LEASE_MS });
    };
    if (!(await goOn())) return;
    const count = await index.rebuild(goOn);
    rebuilt = (await index.search()) !== null || store.search === undefined;
    if (count > 0) context.logger.info({ devices: count }, 'the facts of all devices were made ready for searching');
  }

  return {
    async run(leftBehindMs) {
      const now = clock.now();
      // What a crash left behind does not wait for a lease: the process that held it may be the one that crashed, and
      // doing this twice does no harm.
      await effects.applyLeftBehind(leftBehindMs);
      await drain(async () => {
        const dedupeKey = inventoryKey('DeviceInformation');
        const ids = await store.enrolments.withoutInventory({ dedupeKey, limit: BATCH });
        await queueInventory(context, ids);
        return ids.length;
      });
      await rebuildIndex();
      const until = now + Math.max(60_000, 2 * options.housekeepingIntervalMs);
      if (!(await store.settings.lease({ name: 'housekeeping', owner, at: now, until }))) return;
      await drain(async () => (await store.queue.sweep({ at: clock.now(), limit: BATCH })).length);
      await drain(() => store.invitations.sweep({ at: clock.now(), limit: BATCH }));
      await drain(() => store.certificates.prune({ before: clock.now(), limit: BATCH }));
      await drain(() => store.scepRequests.prune({ before: clock.now(), limit: BATCH }));
      const idleBefore = clock.now() - IDLE_ACCOUNT_MS;
      await drain(() => store.acme.prune({ at: clock.now(), idleBefore, limit: BATCH }));
      await drain(() => store.certificates.expire({ at: clock.now(), limit: BATCH }));
      await drain(() =>
        store.certificates.purge({ before: clock.now() - options.certificateRetentionMs, limit: BATCH }),
      );
      await renewals.run();
      await declarations();
      const { historyRetentionMs, eventRetentionMs } = options;
      await drain(() => store.queue.prune({ before: clock.now() - historyRetentionMs, limit: BATCH }));
      await drain(() => store.events.prune({ before: clock.now() - eventRetentionMs, limit: BATCH }));
      await labels.evaluation.leftBehind();
      context.bus.poke();
    },
  };
}
