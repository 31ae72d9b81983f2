// `espalier store migrate`, `stats` and `rewrap`.
import { createEngine, type EnrolmentStatus, type QueueStats } from '@espalier/core';
import { CliError } from '../errors.ts';
import type { StoreAddress } from './address.ts';
import { type GivenKeys, ringOf } from './keys.ts';
import { postgresOptions, withStore } from './open.ts';
import { canaryKeyId, sealedByKey } from './sealed.ts';

/** Schema versions; `null` where a store has none. */
export interface Migrated {
  readonly before: number | null;
  readonly after: number | null;
}

/** Makes a store, or brings its schema up to date. @throws CoreError as the store has it */
export async function migrateStore(address: StoreAddress): Promise<Migrated> {
  if (address.kind === 'memory') return { before: null, after: null };
  if (address.kind === 'postgres') {
    const { migratePostgres } = await import('@espalier/postgres');
    return migratePostgres(address.url, postgresOptions(address));
  }
  const [{ inspectSqlite, sqliteFileExists }, { openSqliteStore }] = await Promise.all([
    import('./sqlite-file.ts'),
    import('@espalier/sqlite'),
  ]);
  const before = sqliteFileExists(address.file) ? inspectSqlite(address.file).version : 0;
  await openSqliteStore(address.file).close();
  return { before, after: inspectSqlite(address.file).version };
}

/** What `stats` counts. */
export interface StoreStats {
  readonly queue: QueueStats & {
    /** Milliseconds since the oldest pending command was queued; `null` without one. */
    readonly oldestPendingAgeMs: number | null;
  };
  /** Device channels by status, without those of which there are none. */
  readonly devices: Readonly<Partial<Record<EnrolmentStatus, number>>>;
  readonly userChannels: number;
  readonly labels: number;
  readonly configurations: number;
}

const statuses: readonly EnrolmentStatus[] = ['pending', 'active', 'checked-out', 'retired', 'wiped'];

/** Counts what a store holds. @throws CoreError as the store has it */
export function statsOf(address: StoreAddress, now: number): Promise<StoreStats> {
  return withStore(address, async (store) => {
    const queue = await store.queue.stats();
    const devices: Partial<Record<EnrolmentStatus, number>> = {};
    for (const status of statuses) {
      const count = await store.enrolments.count({ channel: 'device', statuses: [status] });
      if (count > 0) devices[status] = count;
    }
    const { oldestQueuedAt } = queue;
    return {
      queue: { ...queue, oldestPendingAgeMs: oldestQueuedAt === null ? null : Math.max(0, now - oldestQueuedAt) },
      devices,
      userChannels: await store.enrolments.count({ channel: 'user' }),
      labels: (await store.labels.list()).length,
      configurations: (await store.configurations.list()).length,
    };
  });
}

/** What `rewrap` did. */
export interface Rewrapped {
  /** How many values were sealed anew. */
  readonly resealed: number;
  /** The id of the key that everything is sealed with now. */
  readonly keyId: string;
}

/**
 * Seals with the present key what earlier keys sealed. May run while the service does, and again after it was broken off.
 * @throws CliError `cli.store` before anything is changed, when a key is missing; CoreError `core.keys.wrong_key`
 */
export function rewrapStore(address: StoreAddress, keys: GivenKeys): Promise<Rewrapped> {
  return withStore(address, async (store) => {
    const ring = ringOf(keys);
    const canary = await canaryKeyId(store);
    if (canary === null) return { resealed: 0, keyId: ring.currentId };
    const known = new Set([keys.current, ...keys.earlier].map(({ id }) => id));
    const missing = [...new Set([canary, ...(await sealedByKey(store)).keys()])].filter((id) => !known.has(id));
    if (missing.length > 0) {
      throw new CliError(
        'cli.store',
        `there are values sealed with ${missing.join(', ')}, and no such key is given; nothing was changed`,
        'Give it with --earlier-key-file FILE, or ID=FILE when your program names its keys itself.',
      );
    }
    const engine = createEngine({ store, keys: ring });
    await engine.ready();
    return { resealed: await engine.rewrap(), keyId: ring.currentId };
  });
}
