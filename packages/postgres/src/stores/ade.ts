// Automated device enrolment on PostgreSQL: however long a page is, it is a handful of statements.
import type {
  AdeAccount,
  AdeChange,
  AdeCursor,
  AdeDevice,
  AdePageCounts,
  AdeProfile,
  AdeStaging,
  AdeStore,
  AdeSyncState,
  FactValue,
} from '@espalier/core';
import type { Database, Queryable, Value } from '../database.ts';
import { cut, freeText, jsonText, sendEvents } from '../rows.ts';
import { postgresAdeProfiles } from './ade-profiles.ts';
import { adeTexts } from './ade-texts.ts';

type SyncRow = Omit<AdeSyncState, 'next'> & {
  readonly phase: AdeCursor['phase'] | null;
  readonly cursor: string | null;
};

function syncOf({ phase, cursor, ...rest }: SyncRow): AdeSyncState {
  return { next: phase === null || cursor === null ? null : { phase, cursor }, ...rest };
}

/** Automated device enrolment over the database. */
export function postgresAde(db: Database): AdeStore {
  const s = db.schema;
  const text = adeTexts(s);

  async function stage(q: Queryable, items: readonly AdeStaging[]): Promise<void> {
    if (items.length === 0) return;
    const merged = new Map<string, Readonly<Record<string, FactValue>>>();
    for (const { serialNumber, set, clear } of items) {
      const cleared = Object.fromEntries(clear.map((name) => [name, null]));
      merged.set(serialNumber, { ...merged.get(serialNumber), ...set, ...cleared });
    }
    await q.query('ade.stage', text.stage, [[...merged.keys()], [...merged.values()].map(jsonText)]);
  }

  return {
    ...postgresAdeProfiles(db, text),

    putAccount: (account, expectedVersion, { secrets, event }) =>
      db.transaction(async (q) => {
        const [old] = await q.query<{ version: number }>('ade.version', text.version, [account.id]);
        if ((old?.version ?? null) !== expectedVersion) return 'conflict';
        const [name, sql] = old === undefined ? ['ade.add', text.add] : ['ade.change', text.change];
        const written = await q.query(name, sql, accountValues(account));
        // Somebody added it at this very moment.
        if (written.length === 0) return 'conflict';
        await q.query('ade.addSync', text.addSync, [account.id]);
        for (const secret of secrets) {
          await q.query('ade.secret', text.secret, [`ade:${account.id}`, secret.name, secret.blob]);
        }
        sendEvents(q, s, [event]);
        return 'written';
      }),

    deleteAccount: (id, event) =>
      db.transaction(async (q) => {
        await q.query('ade.deleteSync', text.deleteSync, [id]);
        if ((await q.query('ade.deleteAccount', text.deleteAccount, [id])).length === 0) return false;
        await q.query('ade.deleteDevices', text.deleteDevices, [id]);
        await q.query('ade.deleteProfiles', text.deleteProfiles, [id]);
        await q.query('ade.deleteSecrets', text.deleteSecrets, [`ade:${id}`]);
        sendEvents(q, s, [event]);
        return true;
      }),

    async getAccount(id) {
      return (await db.query<AdeAccount>('ade.get', text.get, [id]))[0] ?? null;
    },
    listAccounts: () => db.query<AdeAccount>('ade.list', text.list),
    async syncState(accountId) {
      const [row] = await db.query<SyncRow>('ade.sync', text.sync, [accountId]);
      return row === undefined ? null : syncOf(row);
    },

    async acquire({ accountId, at, until }) {
      const [row] = await db.query<SyncRow>('ade.acquire', text.acquire, [accountId, until, at]);
      return row === undefined ? null : syncOf(row);
    },
    async prolong({ accountId, fence, until }) {
      return (await db.query('ade.prolong', text.prolong, [accountId, fence, until])).length > 0;
    },
    async release({ accountId, fence, at, failure, finished }) {
      await db.query('ade.release', text.release, [accountId, fence, failure, finished, at]);
    },

    commitPage: ({ accountId, fence, at, until, restarted, complete, next, changes, events }) =>
      db.transaction(async (q) => {
        const [sync] = await q.query<{ generation: number }>('ade.advance', text.advance, [
          accountId,
          fence,
          next.phase,
          next.cursor,
          restarted,
          complete,
          at,
          until,
        ]);
        if (sync === undefined) return null;
        const values = [pageText(changes), accountId, at, sync.generation];
        const [row] = await q.query<Omit<AdePageCounts, 'unchanged'>>('ade.page', text.page, values);
        const { added, modified, deleted } = row ?? { added: 0, modified: 0, deleted: 0 };
        const counts = { added, modified, deleted, unchanged: changes.length - added - modified - deleted };
        const counted = events.map((event) => ({ ...event, data: { ...event.data, ...counts } }));
        sendEvents(q, s, counted);
        return counts;
      }),

    sweep: ({ accountId, fence, at, limit }) =>
      db.transaction(async (q) => {
        const [sync] = await q.query<SyncRow>('ade.held', text.held, [accountId, fence]);
        if (sync === undefined) return null;
        if (!sync.unswept) return { gone: [], done: true };
        const values = [accountId, sync.generation, at, limit];
        const gone = await q.query<{ serial: string }>('ade.sweep', text.sweep, values);
        const done = gone.length < limit;
        if (done) await q.query('ade.swept', text.swept, [accountId]);
        return { gone: gone.map((row) => row.serial), done };
      }),

    assign: ({ accountId, serialNumbers, profileId, profileUuid, staging, at, events }) =>
      db.transaction(async (q) => {
        // Neither a page, nor a profile that is published or deleted, comes in between.
        await q.query('ade.lock', text.lock, [accountId]);
        const [stored] =
          profileId === null
            ? []
            : await q.query<AdeProfile>('ade.ownProfile', text.ownProfile, [profileId, accountId]);
        if (profileId !== null && stored === undefined) return 'unknown-profile';
        const serials = [...new Set(serialNumbers)];
        const missing = await q.query<{ serial: string }>('ade.missing', text.missing, [accountId, serials]);
        if (missing.length > 0) return missing.map((row) => row.serial);
        const uuid = stored === undefined ? profileUuid : stored.appleUuid;
        await q.query('ade.assign', text.assign, [profileId, uuid, at, accountId, serials]);
        await stage(q, staging);
        sendEvents(q, s, events);
        return [];
      }),
    dueAssignments: ({ accountId, at, limit }) => db.query('ade.due', text.due, [accountId, at, limit]),
    settleAssignments: ({ accountId, fence, at, retryAt, outcomes }) =>
      db.transaction(async (q) => {
        const held = await q.query('ade.held', text.held, [accountId, fence]);
        if (held.length === 0) return false;
        await q.query('ade.settle', text.settle, [
          accountId,
          outcomes.map((one) => one.serialNumber),
          outcomes.map((one) => one.profileUuid),
          outcomes.map((one) => one.outcome),
          retryAt,
          at,
        ]);
        return true;
      }),

    async devices({ accountId, presence = 'listed' }, { after, limit }) {
      const [account, serial] = after === undefined ? ['', ''] : (JSON.parse(after) as [string, string]);
      const values = [account, serial, limit + 1, accountId ?? null];
      const rows = await db.query<AdeDevice>(`ade.devices.${presence}`, text.devices[presence], values);
      return cut(
        rows,
        limit,
        (row) => JSON.stringify([row.accountId, row.serialNumber]),
        (row) => row,
      );
    },
    findDevice: (serialNumber) => db.query<AdeDevice>('ade.find', text.find, [serialNumber]),
    async counts(accountId) {
      const [row] = await db.query<{ listed: number; due: number }>('ade.counts', text.counts, [accountId]);
      return row ?? { listed: 0, due: 0 };
    },

    enrolled: (serialNumbers) => db.query('ade.enrolled', text.enrolled, [jsonText(serialNumbers)]),

    stage: (items) => stage(db, items),
    async staged(serialNumber) {
      const [row] = await db.query<{ attributes: Readonly<Record<string, FactValue>> }>('ade.staged', text.staged, [
        serialNumber,
      ]);
      return row?.attributes ?? {};
    },
  };
}

function accountValues(account: AdeAccount): Value[] {
  return [
    account.id,
    freeText(account.name),
    jsonText(account.details),
    account.tokenExpiresAt,
    account.defaultProfile,
    jsonText(account.rules),
    account.version,
    account.createdAt,
    account.updatedAt,
  ];
}

/** A page as its statement takes it: one text, since arrays of many texts cost several times as much memory on the way. */
function pageText(changes: readonly AdeChange[]): string {
  return jsonText(
    changes.map((change) => [
      change.serialNumber,
      change.at,
      change.deleted,
      change.record,
      change.profileUuid,
      change.profileStatus,
      change.wantedProfileUuid,
      change.profileId,
    ]),
  );
}
