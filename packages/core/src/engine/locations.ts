// Where devices are (ACT-20): that an answer came, who read it, and that it is forgotten in time.
import { type DeviceLocation, readLocation } from '@espalier/apple-mdm';
import { decodeDict, type PlistDict } from '@espalier/plist';
import type { Locations } from '../api/locations.ts';
import { LOCATING, placesBefore, readRun, writeRun } from '../recipes/state.ts';
import type { Context } from './context.ts';
import { withoutSecrets } from './sensitive.ts';

/** Tells that a device answered where it is, without telling where. */
export async function locationReceived(
  { store, clock, bus }: Context,
  enrolmentId: string,
  commandUuid: string,
  value: PlistDict,
): Promise<void> {
  if (readLocation(value) === null) return;
  await store.events.append([{ type: 'location.received', at: clock.now(), enrolmentId, data: { commandUuid } }]);
  bus.poke();
}

/** Makes the service. */
export function createLocations(context: Context): Locations {
  const { store, clock, bus } = context;
  const told: Locations['told'] = async (enrolmentId, { actor, commandUuid }) => {
    const data = { actor, ...(commandUuid === undefined ? {} : { commandUuid }) };
    await store.events.append([{ type: 'location.read', at: clock.now(), enrolmentId, data }]);
    bus.poke();
  };
  return {
    told,
    async read(enrolmentId, { actor }) {
      await context.vault.ready();
      let newest: DeviceLocation | null = null;
      for (const recipe of LOCATING) {
        const location = (await readRun(context, enrolmentId, recipe))?.result.location;
        if (location !== undefined && (location.at ?? 0) >= (newest?.at ?? 0)) newest = location;
      }
      if (newest !== null) await told(enrolmentId, { actor });
      return newest;
    },
  };
}

const CURSOR = 'core.locations.forgotten';
const INTERVAL_MS = 3_600_000;
const BATCH = 100;

/** Forgets places that are too old: in runs of recipes, and in the answers that the history keeps. For housekeeping. */
export function createLocationRetention(context: Context): () => Promise<void> {
  const { store, vault, clock } = context;
  let nextAt = Number.NEGATIVE_INFINITY;
  let done = 0;

  async function forgetAnswer(enrolmentId: string, commandUuid: string): Promise<void> {
    // Twice, where a new master key comes in between.
    for (let attempt = 0; attempt < 2; attempt++) {
      const response = (await store.queue.get(enrolmentId, commandUuid))?.response ?? null;
      if (response === null || !response.sealed) return;
      const ref = { kind: 'response', key: [enrolmentId, commandUuid] } as const;
      const bytes = vault.read(response, ref);
      if (readLocation(decodeDict(bytes)) === null) return;
      const blob = vault.seal(withoutSecrets(bytes), ref);
      if (await store.secrets.reseal({ ref, expected: response.bytes, blob })) return;
    }
  }

  async function forgetRuns(enrolmentId: string): Promise<void> {
    for (const recipe of LOCATING) {
      const run = await readRun(context, enrolmentId, recipe, { raw: true });
      // One that is under way is not written by two: its place is not shown any more, and goes with its next step.
      if (run?.result.location === undefined || run.status === 'running') continue;
      await writeRun(context, enrolmentId, run);
    }
  }

  return async () => {
    const now = clock.now();
    if (now < nextAt) return;
    await vault.ready();
    const before = placesBefore(context);
    let after = await store.settings.get(CURSOR);
    for (;;) {
      const page = await store.events.list(
        { type: 'location.received', order: 'oldest' },
        { limit: BATCH, ...(after === null ? {} : { after }) },
      );
      const old = page.items.filter(({ at }) => at < before);
      for (const { seq, enrolmentId, data } of old) {
        if (seq <= done || enrolmentId === null) continue;
        await forgetAnswer(enrolmentId, String(data['commandUuid']));
        await forgetRuns(enrolmentId);
        done = seq;
      }
      if (old.length < page.items.length || page.next === null) break;
      after = page.next;
      await store.settings.set(CURSOR, after);
    }
    nextAt = now + INTERVAL_MS;
  };
}
