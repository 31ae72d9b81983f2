// Automated device enrolment in memory.
import { isDeepStrictEqual } from 'node:util';
import type { AdeChange, AdeDevice, AdeStaging, AdeStore, AdeSyncState } from '../contracts/ade.ts';
import { type AdeDeviceRow, compare, isLiving, type MemoryState, mapIn, pageOf } from './state.ts';

const fresh: AdeSyncState = {
  next: null,
  generation: 0,
  unswept: false,
  pages: 0,
  progressedAt: null,
  finishedAt: null,
  failure: null,
  fence: 0,
  leasedUntil: 0,
};

/** Automated device enrolment over the state. */
export function memoryAde(state: MemoryState): AdeStore {
  const rowsOf = (accountId: string) => mapIn(state.adeDevices, accountId);

  function enrolmentOf(serialNumber: string): string | null {
    let found: { readonly id: string; readonly seen: number } | null = null;
    for (const row of state.enrolments.values()) {
      if (row.serialNumber !== serialNumber || row.channel !== 'device' || !isLiving(row.status)) continue;
      const seen = row.lastSeenAt ?? 0;
      if (found === null || seen > found.seen || (seen === found.seen && row.id < found.id))
        found = { id: row.id, seen };
    }
    return found?.id ?? null;
  }

  function shown({ generation: _, changedAt: __, ...device }: AdeDeviceRow): AdeDevice {
    return { ...device, enrolmentId: enrolmentOf(device.serialNumber) };
  }

  /** The sync's state, if the lease is this one. */
  function held(accountId: string, fence: number) {
    const sync = state.adeSyncs.get(accountId);
    return sync?.fence === fence ? sync : null;
  }

  function profileOf(accountId: string, id: string) {
    const profile = state.adeProfiles.get(id);
    return profile?.accountId === accountId ? profile : undefined;
  }

  /** The device is to have another profile: a stored one, one at Apple, or none. */
  function want(row: AdeDeviceRow, profileId: string | null, uuid: string | null, at: number): void {
    const waits = profileId !== null && uuid === null;
    const assignAt = waits || row.profileUuid === uuid ? null : at;
    Object.assign(row, { profileId, wantedProfileUuid: uuid, assignAt, assignAttempts: 0, assignOutcome: null });
  }

  /** Up to `limit` listed devices that are meant to have a profile. */
  const meantFor = (accountId: string, profileId: string): AdeDeviceRow[] =>
    [...rowsOf(accountId).values()].filter((row) => row.profileId === profileId && row.goneAt === null);

  function take(accountId: string, change: AdeChange, at: number, generation: number): keyof typeof zero {
    const rows = rowsOf(accountId);
    const old = rows.get(change.serialNumber);
    if (old !== undefined && old.changedAt !== null && change.at !== null && change.at < old.changedAt)
      return 'unchanged';
    if (change.deleted) {
      if (old === undefined || old.goneAt !== null) return 'unchanged';
      Object.assign(old, { goneAt: at, updatedAt: at, assignAt: null, changedAt: change.at });
      return 'deleted';
    }
    const { serialNumber, record, profileUuid, profileStatus } = change;
    const seen = { record, profileUuid, profileStatus, changedAt: change.at };
    if (old === undefined || old.goneAt !== null) {
      const stored = change.profileId === null ? undefined : profileOf(accountId, change.profileId);
      const wantedProfileUuid = change.profileId === null ? change.wantedProfileUuid : (stored?.appleUuid ?? null);
      const due = wantedProfileUuid !== null && wantedProfileUuid !== profileUuid;
      const assigning = {
        ...{ profileId: stored?.id ?? null, wantedProfileUuid, assignAt: due ? at : null },
        ...{ assignAttempts: 0, assignOutcome: null },
      };
      const times = { addedAt: at, updatedAt: at, goneAt: null };
      rows.set(serialNumber, { accountId, serialNumber, generation, ...seen, ...assigning, ...times });
      return 'added';
    }
    const same = isDeepStrictEqual(old.record, record);
    Object.assign(old, seen, { generation, updatedAt: same ? old.updatedAt : at });
    if (old.wantedProfileUuid === profileUuid) old.assignAt = null;
    return same ? 'unchanged' : 'modified';
  }

  function stage(items: readonly AdeStaging[]): void {
    for (const { serialNumber, set, clear } of items) {
      const cleared = Object.fromEntries(clear.map((name) => [name, null]));
      state.adeStaged.set(serialNumber, { ...state.adeStaged.get(serialNumber), ...set, ...cleared });
    }
  }

  return {
    async putAccount(account, expectedVersion, { secrets, event }) {
      state.open();
      if ((state.adeAccounts.get(account.id)?.version ?? null) !== expectedVersion) return 'conflict';
      state.adeAccounts.set(account.id, account);
      if (!state.adeSyncs.has(account.id)) state.adeSyncs.set(account.id, { ...fresh });
      for (const { name, blob } of secrets) state.putSecret(`ade:${account.id}`, name, blob);
      state.appendEvents([event]);
      return 'written';
    },
    async deleteAccount(id, event) {
      state.open();
      if (!state.adeAccounts.delete(id)) return false;
      state.adeSyncs.delete(id);
      state.adeDevices.delete(id);
      for (const profile of state.adeProfiles.values()) {
        if (profile.accountId === id) state.adeProfiles.delete(profile.id);
      }
      state.secrets.delete(`ade:${id}`);
      state.appendEvents([event]);
      return true;
    },
    async getAccount(id) {
      state.open();
      return state.adeAccounts.get(id) ?? null;
    },
    async listAccounts() {
      state.open();
      return [...state.adeAccounts.values()].sort((a, b) => compare(a.id, b.id));
    },
    async syncState(accountId) {
      state.open();
      const sync = state.adeSyncs.get(accountId);
      return sync === undefined ? null : { ...sync };
    },

    async acquire({ accountId, at, until }) {
      state.open();
      const sync = state.adeSyncs.get(accountId);
      if (sync === undefined || sync.leasedUntil > at) return null;
      sync.fence++;
      sync.leasedUntil = until;
      return { ...sync };
    },
    async prolong({ accountId, fence, until }) {
      state.open();
      const sync = held(accountId, fence);
      if (sync !== null) sync.leasedUntil = until;
      return sync !== null;
    },
    async release({ accountId, fence, at, failure, finished }) {
      state.open();
      const sync = held(accountId, fence);
      if (sync === null) return;
      Object.assign(sync, { leasedUntil: 0, failure, finishedAt: finished ? at : sync.finishedAt });
    },
    async commitPage({ accountId, fence, at, until, restarted, complete, next, changes, events }) {
      state.open();
      const sync = held(accountId, fence);
      if (sync === null) return null;
      if (restarted) sync.generation++;
      Object.assign(sync, { next, progressedAt: at, leasedUntil: until, pages: sync.pages + 1 });
      // A list that begins anew makes the sweep of the one before it pointless.
      sync.unswept = complete || (sync.unswept && !restarted);
      const counts = { ...zero };
      for (const change of changes) counts[take(accountId, change, at, sync.generation)]++;
      state.appendEvents(events.map((event) => ({ ...event, data: { ...event.data, ...counts } })));
      return counts;
    },
    async sweep({ accountId, fence, at, limit }) {
      state.open();
      const sync = held(accountId, fence);
      if (sync === null) return null;
      if (!sync.unswept) return { gone: [], done: true };
      const old = [...rowsOf(accountId).values()]
        .filter((row) => row.goneAt === null && row.generation < sync.generation)
        .slice(0, limit);
      for (const row of old) Object.assign(row, { goneAt: at, updatedAt: at, assignAt: null });
      const done = old.length < limit;
      if (done) sync.unswept = false;
      return { gone: old.map((row) => row.serialNumber), done };
    },

    async putProfile(profile, expectedVersion, event) {
      state.open();
      const old = state.adeProfiles.get(profile.id);
      if ((old?.version ?? null) !== expectedVersion || !state.adeAccounts.has(profile.accountId)) return 'conflict';
      const { appleUuid, appleVersion } = old ?? profile;
      state.adeProfiles.set(profile.id, { ...profile, appleUuid, appleVersion });
      state.appendEvents([event]);
      return 'written';
    },
    async getProfile(id) {
      state.open();
      return state.adeProfiles.get(id) ?? null;
    },
    async listProfiles(accountId) {
      state.open();
      return [...state.adeProfiles.values()]
        .filter((profile) => profile.accountId === accountId)
        .sort((a, b) => compare(a.id, b.id));
    },
    async profileUse(accountId) {
      state.open();
      const listed = [...(state.adeDevices.get(accountId)?.values() ?? [])].filter((row) => row.goneAt === null);
      return [...Map.groupBy(listed, (row) => row.profileId)]
        .flatMap(([profileId, rows]) =>
          profileId === null
            ? []
            : [{ profileId, devices: rows.length, setUp: rows.filter((row) => row.profileStatus === 'pushed').length }],
        )
        .sort((a, b) => compare(a.profileId, b.profileId));
    },
    async publishProfile({ accountId, fence, profileId, version, uuid, failure, events }) {
      state.open();
      if (held(accountId, fence) === null) return false;
      const profile = profileOf(accountId, profileId);
      if (profile === undefined) return true;
      const apple = uuid === null ? {} : { appleUuid: uuid, appleVersion: version };
      // Of a version that was changed since nothing is known.
      const said = profile.version === version ? { failure } : {};
      state.adeProfiles.set(profileId, { ...profile, ...apple, ...said });
      state.appendEvents(events);
      return true;
    },
    async followProfile({ accountId, fence, profileId, at, limit }) {
      state.open();
      if (held(accountId, fence) === null) return null;
      const uuid = profileOf(accountId, profileId)?.appleUuid ?? null;
      if (uuid === null) return 0;
      const rows = meantFor(accountId, profileId)
        .filter((row) => row.wantedProfileUuid !== uuid)
        .slice(0, limit);
      for (const row of rows) want(row, profileId, uuid, at);
      return rows.length;
    },
    async deleteProfile({ accountId, profileId, successor, at, limit, event }) {
      state.open();
      if (profileOf(accountId, profileId) === undefined) return { moved: 0, done: true };
      const account = state.adeAccounts.get(accountId);
      if (account?.defaultProfile === profileId) {
        const version = account.version + 1;
        state.adeAccounts.set(accountId, { ...account, defaultProfile: successor, version, updatedAt: at });
      }
      const next = successor === null ? undefined : profileOf(accountId, successor);
      const rows = meantFor(accountId, profileId).slice(0, limit);
      for (const row of rows) want(row, next?.id ?? null, next?.appleUuid ?? null, at);
      const done = rows.length < limit;
      if (done) {
        state.adeProfiles.delete(profileId);
        state.appendEvents([event]);
      }
      return { moved: rows.length, done };
    },

    async assign({ accountId, serialNumbers, profileId, profileUuid, staging, at, events }) {
      state.open();
      const rows = state.adeDevices.get(accountId);
      const stored = profileId === null ? undefined : profileOf(accountId, profileId);
      if (profileId !== null && stored === undefined) return 'unknown-profile';
      const serials = [...new Set(serialNumbers)];
      const missing = serials.filter((serial) => rows?.get(serial)?.goneAt !== null);
      if (missing.length > 0) return missing.sort(compare);
      for (const serial of serials) {
        want(rows!.get(serial)!, profileId, stored === undefined ? profileUuid : stored.appleUuid, at);
      }
      stage(staging);
      state.appendEvents(events);
      return [];
    },
    async dueAssignments({ accountId, at, limit }) {
      state.open();
      return [...(state.adeDevices.get(accountId)?.values() ?? [])]
        .filter((row) => row.assignAt !== null && row.assignAt <= at)
        .sort((a, b) => a.assignAt! - b.assignAt! || compare(a.serialNumber, b.serialNumber))
        .slice(0, limit)
        .map((row) => ({ serialNumber: row.serialNumber, profileUuid: row.wantedProfileUuid }));
    },
    async settleAssignments({ accountId, fence, at, retryAt, outcomes }) {
      state.open();
      if (held(accountId, fence) === null) return false;
      for (const { serialNumber, profileUuid, outcome } of outcomes) {
        const row = state.adeDevices.get(accountId)?.get(serialNumber);
        if (row === undefined || row.assignAt === null || row.wantedProfileUuid !== profileUuid) continue;
        row.assignOutcome = outcome;
        if (outcome === 'SUCCESS') {
          Object.assign(row, {
            profileUuid,
            profileStatus: profileUuid === null ? 'removed' : 'assigned',
            assignAt: null,
            assignAttempts: 0,
            updatedAt: at,
          });
        } else Object.assign(row, { assignAt: retryAt, assignAttempts: row.assignAttempts + 1 });
      }
      return true;
    },

    async devices({ accountId, presence = 'listed' }, page) {
      state.open();
      const key = (row: AdeDeviceRow) => JSON.stringify([row.accountId, row.serialNumber]);
      const all = [...state.adeDevices.values()]
        .flatMap((rows) => [...rows.values()])
        .filter((row) => accountId === undefined || row.accountId === accountId)
        .filter((row) => presence === 'all' || (row.goneAt === null) === (presence === 'listed'))
        .sort((a, b) => compare(a.accountId, b.accountId) || compare(a.serialNumber, b.serialNumber));
      const { items, next } = pageOf(all, key, page);
      return { items: items.map(shown), next };
    },
    async findDevice(serialNumber) {
      state.open();
      return [...state.adeDevices.values()]
        .flatMap((rows) => rows.get(serialNumber) ?? [])
        .sort((a, b) => Number(a.goneAt !== null) - Number(b.goneAt !== null) || compare(a.accountId, b.accountId))
        .map(shown);
    },
    async counts(accountId) {
      state.open();
      const listed = [...(state.adeDevices.get(accountId)?.values() ?? [])].filter((row) => row.goneAt === null);
      return { listed: listed.length, due: listed.filter((row) => row.assignAt !== null).length };
    },

    async enrolled(serialNumbers) {
      state.open();
      const wanted = new Set(serialNumbers);
      return [...state.enrolments.values()].flatMap(({ id, serialNumber, channel, status }) =>
        serialNumber !== null && wanted.has(serialNumber) && channel === 'device' && isLiving(status)
          ? [{ serialNumber, enrolmentId: id }]
          : [],
      );
    },
    async stage(items) {
      state.open();
      stage(items);
    },
    async staged(serialNumber) {
      state.open();
      return { ...state.adeStaged.get(serialNumber) };
    },
  };
}

const zero = { added: 0, modified: 0, deleted: 0, unchanged: 0 };
