// A sync of automated device enrolment is killed at random points, on SQLite and on PostgreSQL: nothing is lost, nothing comes
// twice, whoever comes next goes on within the lease, and the changes that follow touch only what changed.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { AdeDevice, AdeSyncResult, Store } from '@espalier/core';
import { afterAll, expect, test } from 'vitest';
import { startServer } from '../packages/postgres/test/server.ts';
import { openAdeStore, startAdeApple, startAdeWorker } from './support/ade.ts';
import { folder } from './support/tools.ts';

const NIGHTLY = process.env['ESPALIER_NIGHTLY'] === '1';
const ROUNDS = NIGHTLY ? 50 : 2;
/** Devices a page, and pages a round on average, so that the list is as long as the rounds need. */
const LIMIT = 100;
const PAGES = 4;
const COUNT = LIMIT * PAGES * ROUNDS;
const CHANGES = 400;
const LEASE_MS = 1_000;

const place = folder();
afterAll(() => place.remove());

/** Numbers from 0 to 1, the same in each run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Progress {
  pages: number;
  /** From the start to the first page; with a lease to wait for, that is in it. */
  firstPageMs: number | null;
  result: AdeSyncResult | null;
}

/** Starts a process that syncs, as often as the account is busy. `until` says when it is to be killed, if at all. */
async function round(
  task: { readonly store: string; readonly accountId: string; readonly origin: string },
  until: (progress: Progress) => boolean,
): Promise<Progress> {
  const progress: Progress = { pages: 0, firstPageMs: null, result: null };
  let started = 0;
  let child: ChildProcess | undefined;
  const finished = new Promise<void>((resolve) => {
    const die = (): void => {
      if (!until(progress)) return;
      child?.kill('SIGKILL');
      resolve();
    };
    void startAdeWorker({ ...task, leaseMs: LEASE_MS, limit: LIMIT, assign: true }, (report) => {
      if (report.kind === 'page') {
        progress.firstPageMs ??= performance.now() - started;
        progress.pages++;
        die();
      }
      if (report.kind !== 'done') return;
      if (report.result.outcome === 'busy') {
        void pause(20).then(() => child?.connected && child.send('go'));
        return;
      }
      progress.result = report.result;
      resolve();
    }).then((one) => {
      child = one;
      started = performance.now();
      one.send('go');
      die();
    });
  });
  await finished;
  const ended = child!.exitCode === null && child!.signalCode === null ? once(child!, 'exit') : null;
  if (child!.connected && !child!.killed) child!.disconnect();
  await ended;
  return progress;
}

async function allDevices(store: Store): Promise<Map<string, AdeDevice>> {
  const found = new Map<string, AdeDevice>();
  for (let after: string | null = ''; after !== null; ) {
    const page: Awaited<ReturnType<Store['ade']['devices']>> = await store.ade.devices(
      { presence: 'all' },
      after === '' ? { limit: 1000 } : { limit: 1000, after },
    );
    for (const device of page.items) {
      expect(found.has(device.serialNumber)).toBe(false);
      found.set(device.serialNumber, device);
    }
    after = page.next;
  }
  return found;
}

/** What the committed pages say that they did, from the log. */
async function told(store: Store) {
  const sums = { added: 0, modified: 0, deleted: 0, restarts: 0 };
  for (let after = 0; ; ) {
    const events = await store.events.since(after, 1000);
    if (events.length === 0) return sums;
    for (const { seq, type, data } of events) {
      after = seq;
      if (type !== 'ade.page-synced') continue;
      for (const key of ['added', 'modified', 'deleted'] as const) sums[key] += Number(data[key]);
      if (data['restarted'] !== null) sums.restarts++;
    }
  }
}

test.each(['SQLite', 'PostgreSQL'])(
  `%s: ${ROUNDS} times SIGKILL during a sync of ${COUNT} devices`,
  { timeout: NIGHTLY ? 900_000 : 120_000 },
  async (name) => {
    const server = name === 'PostgreSQL' ? await startServer() : null;
    const url = server?.url ?? join(place.path, 'kill.sqlite');
    const store = await openAdeStore(url);
    const { apple, engine, account, client, profileUuid, origin, close } = await startAdeApple(store, {
      count: COUNT,
      seed: name,
    });
    const task = { store: url, accountId: account.id, origin };
    const random = numbers(name.length);
    try {
      let kills = 0;
      let slowest = 0;
      let last: Progress;
      do {
        const killing = kills < ROUNDS;
        // Some die before their first page, others between two, each a little later than a page was told.
        const after = Math.floor(random() * PAGES * 2);
        const lateMs = random() * 8;
        last = await round(task, ({ pages }) => {
          if (!killing || pages < after) return false;
          const end = performance.now() + lateMs;
          while (performance.now() < end);
          return true;
        });
        if (last.result === null) kills++;
        else if (killing) {
          // Done before its time: there is more to do for the next ones.
          apple.add(LIMIT * PAGES);
        }
        if (last.firstPageMs !== null) slowest = Math.max(slowest, last.firstPageMs);
      } while (last.result === null || kills < ROUNDS);
      // Whoever came next waited for no more than the lease of the one that was killed.
      expect(slowest).toBeLessThan(LEASE_MS + 10_000);

      const size = apple.organisation.size;
      const devices = await allDevices(store);
      const serials = Array.from({ length: size }, (_, i) => apple.organisation.device(i).serialNumber);
      expect([...devices.keys()].sort()).toEqual(serials.sort());
      // Each page counted once: no page was taken again after its commit, and the list was begun once.
      expect(await told(store)).toMatchObject({ added: size, deleted: 0, restarts: 1 });
      expect([...devices.values()].filter((device) => device.profileUuid !== profileUuid)).toEqual([]);
      expect(await store.ade.counts(account.id)).toEqual({ listed: size, due: 0 });
      for (const serial of serials) expect(apple.look(serial)?.status).toBe('assigned');

      // What the assignments changed at Apple comes as changes, once.
      await engine.ade.sync(account.id, client);
      const before = await allDevices(store);
      const sums = await told(store);
      const changed = serials.slice(0, CHANGES / 2);
      const removed = serials.slice(CHANGES / 2, CHANGES);
      apple.modify(changed);
      apple.remove(removed);
      await round(task, ({ pages }) => pages >= 2);
      await pause(LEASE_MS);
      expect((await engine.ade.sync(account.id, client)).outcome).toBe('done');
      const now = await allDevices(store);
      const touched = [...now.values()].filter(
        (device) => device.updatedAt !== before.get(device.serialNumber)?.updatedAt,
      );
      for (const { serialNumber } of touched) expect([...changed, ...removed]).toContain(serialNumber);
      expect(
        [...now.values()]
          .filter((device) => device.goneAt !== null)
          .map((device) => device.serialNumber)
          .sort(),
      ).toEqual([...removed].sort());
      const after = await told(store);
      expect(after.deleted - sums.deleted).toBe(CHANGES / 2);
      expect(after.added).toBe(sums.added);
      if (NIGHTLY)
        console.log(`${name}: ${kills} kills, ${size} devices, at most ${Math.round(slowest)} ms to the next page`);
    } finally {
      await close();
      await store.close();
      await server?.close();
    }
  },
);

test('two processes on one account: one syncs, the other takes over within the lease', {
  timeout: 120_000,
}, async () => {
  const url = join(place.path, 'two.sqlite');
  const store = await openAdeStore(url);
  const { account, origin, close } = await startAdeApple(store, { count: 3_000, seed: 'two' });
  const task = { store: url, accountId: account.id, origin };
  try {
    let killedAt = 0;
    let second: Promise<Progress> | null = null;
    const first = await round(task, ({ pages }) => {
      if (pages === 5) second = round(task, () => false);
      if (pages < 15) return false;
      killedAt = performance.now();
      return true;
    });
    expect(first.result).toBe(null);
    const { result, pages } = await second!;
    expect(result).toMatchObject({ outcome: 'done' });
    // It did the rest, and nothing of what the first had done.
    expect(pages).toBeLessThanOrEqual(30 - 15 + 10);
    expect((await told(store)).added).toBe(3_000);
    expect(performance.now() - killedAt).toBeLessThan(LEASE_MS + 45_000);
  } finally {
    await close();
    await store.close();
  }
});
