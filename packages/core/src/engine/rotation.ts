// Changing the master key in the background: what earlier keys sealed is sealed anew, a batch at a time.
import type { KeyRing } from '../keys/ring.ts';
import { type Context, uuid } from './context.ts';

/** The change of the master key. */
export interface Rotation {
  /** Works on one batch, if this process is to; returns whether anything is left to do for it. */
  run(): Promise<boolean>;
  /** Does everything at once, since somebody asked for it: this key is the newest from now on. Returns how many values. */
  all(): Promise<number>;
}

/** How far the change is, as a setting. */
interface Progress {
  /** The key that everything is sealed with in the end. */
  readonly keyId: string;
  /** Where the next batch begins; `null` at the beginning of a pass. */
  readonly after: string | null;
  readonly passStartedAt: number;
  /** Whether another pass is needed: this one found something, or somebody else may have sealed behind its back. */
  readonly dirty: boolean;
  /** Over all passes. */
  readonly resealed: number;
  /** In this pass: values whose key nobody gave, or that are damaged. */
  readonly unopened: number;
  readonly done: boolean;
}

const PROGRESS = 'core.key-rotation';
/** Ids of the keys that were ever the current one, oldest first: nobody goes back from a later one to an earlier one. */
const SEEN = 'core.keys-seen';
const LEASE_MS = 60_000;

/**
 * Makes the rotation. It has work only where the ring holds earlier keys. One process at a time works, under a lease, and
 * whoever comes next goes on where it stopped; even without the lease nothing could be lost, since a value is only replaced
 * if it still is what was read. It is done when a whole pass, begun after this process started, found nothing to do.
 */
export function createRotation(context: Context, keys: KeyRing): Rotation {
  const { store, vault, clock, options, logger, meters, bus } = context;
  const owner = uuid(context.random);
  const startedAt = clock.now();
  let finished = keys.ids.length < 2;
  let joined = false;

  async function read<T>(name: string): Promise<T | null> {
    const text = await store.settings.get(name);
    return text === null ? null : (JSON.parse(text) as T);
  }

  async function seenKeys(): Promise<readonly string[]> {
    // A store that never changed its key knows it by what sealed the index key.
    return (await read<readonly string[]>(SEEN)) ?? [await vault.indexKeyId()];
  }

  /** Whether this process has the key that came last. */
  async function isNewest(): Promise<boolean> {
    const seen = await seenKeys();
    if (seen.includes(keys.currentId)) return seen.at(-1) === keys.currentId;
    await store.settings.set(SEEN, JSON.stringify([...seen, keys.currentId]));
    return true;
  }

  const newPass = (resealed: number): Progress => ({
    keyId: keys.currentId,
    after: null,
    passStartedAt: clock.now(),
    dirty: false,
    resealed,
    unopened: 0,
    done: false,
  });

  async function begin(): Promise<Progress | null> {
    const progress = await read<Progress>(PROGRESS);
    if (progress === null || progress.keyId !== keys.currentId) {
      await tell('keys.rotation-started', { keyId: keys.currentId });
      return newPass(0);
    }
    // A pass that was under way before this process came may be past what the process sealed with its old key.
    const coversUs = progress.passStartedAt >= startedAt;
    if (progress.done) return coversUs ? null : newPass(progress.resealed);
    return coversUs || joined ? progress : { ...progress, dirty: true };
  }

  async function tell(
    type: 'keys.rotation-started' | 'keys.rotation-finished',
    data: Readonly<Record<string, string | number>>,
  ): Promise<void> {
    await store.events.append([{ type, at: clock.now(), enrolmentId: null, data }]);
    logger.info(data, type === 'keys.rotation-started' ? 'changing the master key' : 'the master key is changed');
    bus.poke();
  }

  async function step(progress: Progress): Promise<Progress> {
    if (progress.after === null && (await vault.rewrapIndexKey())) meters.resealed.add({ outcome: 'resealed' });
    const batch = await vault.rewrapBatch(progress.after, options.rewrapBatch);
    for (const outcome of ['resealed', 'current', 'unopened'] as const)
      meters.resealed.add({ outcome }, batch[outcome]);
    const resealed = progress.resealed + batch.resealed;
    const unopened = progress.unopened + batch.unopened;
    const dirty = progress.dirty || batch.resealed > 0;
    if (batch.next !== null) return { ...progress, after: batch.next, resealed, unopened, dirty };
    if (dirty) return newPass(resealed);
    if (unopened > 0) {
      logger.warn({ unopened }, 'some sealed values were sealed with a key that is not given, or are damaged');
    }
    await tell('keys.rotation-finished', { keyId: keys.currentId, resealed, unopened });
    return { ...progress, after: null, resealed, unopened, done: true };
  }

  /** One batch; returns whether this process is through. */
  async function work(): Promise<boolean> {
    if (!(await isNewest())) {
      logger.warn({ keyId: keys.currentId }, 'another master key came later: what it sealed stays sealed with it');
      return true;
    }
    const progress = await begin();
    if (progress === null) return true;
    joined = true;
    meters.rotating.set(1);
    const next = await step(progress);
    await store.settings.set(PROGRESS, JSON.stringify(next));
    return next.done;
  }

  return {
    async all() {
      await vault.ready();
      const others = (await seenKeys()).filter((id) => id !== keys.currentId);
      const count = await vault.rewrap();
      await store.settings.set(SEEN, JSON.stringify([...others, keys.currentId]));
      return count;
    },

    async run() {
      if (finished) return false;
      await vault.ready();
      const at = clock.now();
      const lease = (until: number) => store.settings.lease({ name: 'key-rotation', owner, at, until });
      if (!(await lease(at + Math.max(LEASE_MS, 3 * options.rewrapIntervalMs)))) return true;
      finished = await work();
      if (!finished) return true;
      meters.rotating.set(0);
      // The others need not wait for the lease to run out.
      await lease(at);
      return false;
    },
  };
}
