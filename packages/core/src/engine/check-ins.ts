// Devices that were not heard of for a while are woken and asked for their inventory (ACT-18), spread over the interval.
import type { Context } from './context.ts';
import { queueInventory } from './inventory.ts';

const SETTING = 'core.check-ins';
/** What one run asks at most: after a standstill the fleet must not come all at once. */
const MOST = 2_000;

/** One round through the fleet. */
interface Round {
  readonly startedAt: number;
  readonly total: number;
  readonly visited: number;
  /** The last device that was looked at; `null` at the beginning, and when all were. */
  readonly after: string | null;
  readonly done: boolean;
}

/** Makes the job: called with each housekeeping, it looks at the part of the fleet whose turn has come. */
export function createCheckIns(context: Context): () => Promise<void> {
  const { store, clock, options } = context;
  const filter = { channel: 'device', statuses: ['active'] } as const;

  async function current(now: number): Promise<Round> {
    const text = await store.settings.get(SETTING);
    const round = text === null ? null : (JSON.parse(text) as Round);
    if (round !== null && !(round.done && now - round.startedAt >= options.checkInIntervalMs)) return round;
    return { startedAt: now, total: await store.enrolments.count(filter), visited: 0, after: null, done: false };
  }

  return async () => {
    const interval = options.checkInIntervalMs;
    if (interval <= 0) return;
    const now = clock.now();
    const round = await current(now);
    if (round.done) return;
    const turn = Math.ceil(round.total * Math.min(1, (now - round.startedAt) / interval));
    // At the end of the round also those who came meanwhile.
    const limit = now - round.startedAt >= interval ? MOST : Math.min(MOST, turn - round.visited);
    if (limit <= 0) {
      await store.settings.set(SETTING, JSON.stringify(round));
      return;
    }
    const page = await store.enrolments.list(
      filter,
      round.after === null ? { limit: Math.min(limit, 1_000) } : { after: round.after, limit: Math.min(limit, 1_000) },
    );
    const silent = page.items.filter(
      ({ pushable, lastSeenAt }) => pushable && (lastSeenAt === null || now - lastSeenAt >= interval / 2),
    );
    const ids = silent.map(({ id }) => id);
    if (ids.length > 0) await queueInventory(context, ids);
    const visited = round.visited + page.items.length;
    const next = { ...round, visited, after: page.next, done: page.next === null };
    await store.settings.set(SETTING, JSON.stringify(next));
  };
}
