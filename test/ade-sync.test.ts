// The client of Apple's device enrolment service, the engine's sync and the stores together, against the simulated service:
// a whole list, a list of changes, an expired cursor, a throttled session, profiles assigned.
import { setImmediate as turn } from 'node:timers/promises';
import { createEnrolmentClient, createProfileChooser, createTokenKeyPair, openServerToken } from '@espalier/ade';
import { type AdeSource, createEngine, createKeyRing, createMemoryStore, type Store } from '@espalier/core';
import { createSimulatedEnrolmentService } from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';
import { expect, it } from 'vitest';

const DAY = 86_400_000;
const COUNT = process.env['ESPALIER_NIGHTLY'] === '1' ? 50_000 : 3_000;

async function setting(store: Store) {
  let now = Date.UTC(2026, 0, 1);
  const clock = { now: () => now };
  const apple = createSimulatedEnrolmentService({ clock, count: COUNT, seed: 'sync' });
  const pair = await createTokenKeyPair({ clock });
  const token = openServerToken(apple.downloadToken(pair.certificate), pair);
  const client = createEnrolmentClient({
    token,
    clock,
    fetch: apple.fetch,
    random: () => 0.5,
    sleep: async (ms) => {
      now += ms;
    },
  });
  const keys = createKeyRing({ current: { id: 'k', key: new Uint8Array(32).fill(5) } });
  const engine = createEngine({ store, keys, clock });
  const { profileUuid } = await client.defineProfile({ profile_name: 'All', url: 'https://mdm.example/enrol/ade' });
  const account = await engine.ade.createAccount({
    name: 'Simulated',
    token: JSON.stringify(token),
    tokenExpiresAt: token.accessTokenExpiry.getTime(),
    defaultProfile: profileUuid,
  });
  const source: AdeSource = client;
  const advance = (ms: number): void => {
    now += ms;
  };
  return { apple, engine, account, source, profileUuid, advance, client, now: clock.now };
}

async function updatedAt(store: Store, at: number): Promise<number> {
  let count = 0;
  for (let after: string | null = ''; after !== null; ) {
    const page: Awaited<ReturnType<Store['ade']['devices']>> = await store.ade.devices(
      { presence: 'all' },
      after === '' ? { limit: 1000 } : { limit: 1000, after },
    );
    count += page.items.filter((item) => item.updatedAt === at).length;
    after = page.next;
  }
  return count;
}

const stores = [
  ['memory', createMemoryStore],
  ['SQLite', () => openSqliteStore(':memory:')],
] as const;

it.each(stores)(
  'syncs an account on the %s store, and then touches only what changed',
  async (_, open) => {
    const store = open();
    const { apple, engine, account, source, profileUuid, advance, now } = await setting(store);
    const first = await engine.ade.sync(account.id, source);
    expect(first).toMatchObject({
      outcome: 'done',
      added: COUNT,
      modified: 0,
      deleted: 0,
      assigned: COUNT,
      refused: 0,
    });
    expect(await engine.ade.counts(account.id)).toEqual({ listed: COUNT, due: 0 });
    const someone = apple.organisation.device(17).serialNumber;
    expect(apple.look(someone)).toMatchObject({ profileUuid, status: 'assigned' });

    // What the assignments changed is seen, once.
    await engine.ade.sync(account.id, source);
    await turn();
    advance(DAY);
    const changed = Array.from({ length: 500 }, (_, i) => apple.organisation.device(i * 3).serialNumber);
    const removed = Array.from({ length: 250 }, (_, i) => apple.organisation.device(i * 3 + 1).serialNumber);
    apple.modify(changed);
    apple.remove(removed);
    const bought = apple.add(250);
    advance(DAY);
    const delta = await engine.ade.sync(account.id, { sync: source.sync });
    expect(delta).toMatchObject({ outcome: 'done', pages: 1, added: 250, deleted: 250, gone: 0, assigned: 0 });
    expect(delta.added + delta.modified + delta.deleted + delta.unchanged).toBe(1_000);
    expect(await updatedAt(store, now())).toBe(delta.added + delta.modified + delta.deleted);
    expect(await engine.ade.counts(account.id)).toEqual({ listed: COUNT, due: 250 });

    // A cursor lives for a week; after that the whole list is read, and what went meanwhile is found to be gone.
    apple.remove(bought.slice(0, 10));
    advance(8 * DAY);
    const again = await engine.ade.sync(account.id, source);
    expect(again).toMatchObject({ outcome: 'done', added: 0, gone: 10, assigned: 240 });
    expect(await engine.ade.counts(account.id)).toEqual({ listed: COUNT - 10, due: 0 });
    await store.close();
  },
  60_000,
);

it('gives the profile that a rule chooses', async () => {
  const store = createMemoryStore();
  const { apple, engine, account, source, profileUuid, client } = await setting(store);
  const { profileUuid: forMacs } = await client.defineProfile({ profile_name: 'Macs', url: 'https://mdm.example/ade' });
  const chooser = createProfileChooser({
    rules: [{ profileId: forMacs, families: ['Mac'] }],
    defaultProfileId: profileUuid,
  });
  await engine.ade.sync(account.id, source, { choose: (device) => chooser.choose(device)?.profileId });
  for (let i = 0; i < 40; i++) {
    const device = apple.organisation.device(i);
    const profile = device.kind === 'Mac' ? forMacs : profileUuid;
    expect(apple.look(device.serialNumber)?.profileUuid).toBe(profile);
  }
});
