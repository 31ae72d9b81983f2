// Looks at marked channels: what each is to have now, and who has to be told.
import {
  declarationsToken,
  subscribableStatusItems,
  takesDeclarativeManagement,
  tokensResponse,
} from '@espalier/apple-mdm';
import type { DeviceRow } from '../api/records.ts';
import type { ReconcileMark } from '../contracts/configurations.ts';
import type { DeclarationSyncRecord } from '../contracts/declarations.ts';
import { buildCommand, enqueueCommands } from '../engine/commands.ts';
import { type Context, chunks } from '../engine/context.ts';
import { capabilitiesOf, targetOf } from './device.ts';
import { composeSnapshot, type SnapshotItem, withReferences } from './snapshot.ts';

/** The dedupe key of the command: what is pending is replaced, so that a device is told once of many changes. */
export const SYNC_KEY = 'declarations';

const CHUNK = 5_000;
const LEASE_MS = 5 * 60_000;

interface Composed {
  readonly token: string;
  readonly items: readonly SnapshotItem[];
}

/** Works on marked channels. */
export interface DeclarationSyncer {
  /** Works on all marks that are due; returns how many channels it looked at. */
  run(): Promise<number>;
  /** Tells channels to synchronise with the token that they are to have. Returns how many commands were queued. */
  ask(wanted: readonly { readonly enrolmentId: string; readonly token: string }[]): Promise<number>;
}

/** Makes the syncer. */
export function createDeclarationSyncer(context: Context): DeclarationSyncer {
  const { store, clock, options } = context;
  const { declarations } = store;
  const statusItems = () => (options.statusItems === 'all' ? subscribableStatusItems() : options.statusItems);

  /** Composes what channels are to have; channels that are alike share the work. */
  async function compose(
    rows: readonly DeviceRow[],
    desired: ReadonlyMap<string, readonly string[]>,
    syncs: ReadonlyMap<string, DeclarationSyncRecord>,
  ): Promise<ReadonlyMap<string, Composed>> {
    const parents = new Map(
      (await store.inventory.rows([...new Set(rows.flatMap((row) => row.enrolment.parent ?? []))])).map((row) => [
        row.enrolment.id,
        row,
      ]),
    );
    const sets = new Map(
      (await declarations.getSets([...new Set([...desired.values()].flat())])).map((set) => [set.id, set]),
    );
    const known = new Map();
    const alike = new Map<string, Composed>();
    const composed = new Map<string, Composed>();
    for (const row of rows) {
      const { id, parent } = row.enrolment;
      const sync = syncs.get(id);
      const setIds = desired.get(id) ?? [];
      if (sync === undefined && setIds.length === 0) continue;
      const device = parent === null ? row : parents.get(parent);
      if (device === undefined) continue;
      const target = targetOf(row.enrolment, device.enrolment, device.facts);
      if (sync === undefined && target !== null && !takesDeclarativeManagement(target)) continue;
      const capabilities = sync?.capabilities ?? null;
      const key = JSON.stringify([setIds, target, capabilities]);
      let found = alike.get(key);
      if (found === undefined) {
        const identifiers = setIds.flatMap((setId) => sets.get(setId)?.identifiers ?? []);
        const list = await withReferences(identifiers, known, (missing) => declarations.getMany(missing));
        const about = { target, capabilities: capabilitiesOf(capabilities) };
        const items = composeSnapshot(list, about, statusItems());
        found = { token: declarationsToken(items), items };
        alike.set(key, found);
      }
      // A device that never had anything is not bothered with nothing.
      if (sync !== undefined || found.items.length > 0) composed.set(id, found);
    }
    return composed;
  }

  async function work(marks: readonly ReconcileMark[]): Promise<void> {
    const ids = marks.map((mark) => mark.enrolmentId);
    const [found, desired, syncs] = await Promise.all([
      store.inventory.rows(ids),
      declarations.desired(ids),
      declarations.syncs(ids),
    ]);
    const rows = found.filter((row) => row.enrolment.status === 'active');
    const composed = await compose(rows, desired, syncs);
    const snapshots = new Map<string, string>();
    const put: { enrolmentId: string; token: string }[] = [];
    for (const [enrolmentId, { token, items }] of composed) {
      if (syncs.get(enrolmentId)?.token === token) continue;
      snapshots.set(token, JSON.stringify(items));
      put.push({ enrolmentId, token });
    }
    if (put.length > 0) {
      const list = [...snapshots].map(([token, items]) => ({ token, items }));
      await declarations.assign({ snapshots: list, put, at: clock.now() });
    }
    await tell([...composed].map(([enrolmentId, { token }]) => ({ enrolmentId, token, sync: syncs.get(enrolmentId) })));
  }

  async function tell(
    channels: readonly { enrolmentId: string; token: string; sync: DeclarationSyncRecord | undefined }[],
  ): Promise<void> {
    const stale = channels.filter(({ token, sync }) => sync?.askedToken !== token);
    // Back where the device is already: what was to tell it otherwise is taken back.
    const back = stale.filter(({ token, sync }) => sync?.deviceToken === token);
    if (back.length > 0) {
      const enrolmentIds = back.map((one) => one.enrolmentId);
      await store.queue.end({ enrolmentIds, dedupeKey: SYNC_KEY, state: 'superseded', at: clock.now() });
      await declarations.asked({ put: back, at: clock.now() });
    }
    await ask(stale.filter((one) => one.sync?.deviceToken !== one.token));
  }

  async function ask(wanted: readonly { readonly enrolmentId: string; readonly token: string }[]): Promise<number> {
    const groups = new Map<string, string[]>();
    for (const { enrolmentId, token } of wanted) {
      const group = groups.get(token);
      if (group === undefined) groups.set(token, [enrolmentId]);
      else group.push(enrolmentId);
    }
    let count = 0;
    for (const [token, enrolmentIds] of groups) {
      const command = buildCommand(context, {
        requestType: 'DeclarativeManagement',
        payload: { Data: tokensResponse({ declarationsToken: token, timestamp: clock.now() }) },
        dedupeKey: SYNC_KEY,
        onDuplicate: 'replace',
        origin: 'declarations',
      });
      const [queued = 0] = await enqueueCommands(context, [command], enrolmentIds);
      count += queued;
    }
    for (const part of chunks(wanted, CHUNK)) await declarations.asked({ put: part, at: clock.now() });
    return count;
  }

  return {
    ask,
    async run() {
      let total = 0;
      for (;;) {
        // Marks wait a while for others: a burst of changes is one synchronisation.
        const at = clock.now() - options.declarationSettleMs;
        const marks = await declarations.claimMarks({ at, leaseMs: LEASE_MS, limit: CHUNK });
        if (marks.length === 0) return total;
        await context.vault.ready();
        try {
          await work(marks);
        } catch (error) {
          // Given back, so that nobody waits for the lease to end.
          await declarations.mark({ enrolmentIds: marks.map((mark) => mark.enrolmentId), at: clock.now() });
          throw error;
        }
        await declarations.clearMarks(marks);
        total += marks.length;
      }
    },
  };
}
