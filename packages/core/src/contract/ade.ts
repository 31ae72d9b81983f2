// The suite: accounts of automated device enrolment, their devices page by page, assignments, staged attributes.
import type { AdeAccount, AdeChange, AdeCursor, AdeProfile, AdeStore } from '../contracts/ade.ts';
import { authenticate, bytes, event, HOUR, MINUTE, T0 } from './fixtures.ts';
import type { Suite } from './runner.ts';

const account = (id: string, options: Partial<AdeAccount> = {}): AdeAccount => ({
  ...{ id, name: `Account ${id}`, details: { org_name: 'Ärzte & Söhne' }, tokenExpiresAt: T0 + HOUR },
  ...{ defaultProfile: 'P1', rules: [{ profileId: 'P2', models: ['iPad'] }] },
  ...{ version: 1, createdAt: T0, updatedAt: T0 },
  ...options,
});
const create = (ade: AdeStore, id: string) =>
  ade.putAccount(account(id), null, {
    secrets: [{ name: 'token', blob: bytes(`sealed ${id}`) }],
    event: event('ade.account-changed'),
  });
const device = (serialNumber: string, options: Partial<AdeChange> = {}): AdeChange => ({
  ...{ serialNumber, deleted: false, at: null, record: { model: 'iPad', color: 'blue' } },
  ...{ profileUuid: null, profileStatus: 'empty', profileId: null, wantedProfileUuid: 'P1' },
  ...options,
});
const at = (cursor: string, phase: AdeCursor['phase'] = 'sync'): AdeCursor => ({ phase, cursor });

interface PageOptions {
  readonly fence?: number;
  readonly at?: number;
  readonly restarted?: boolean;
  readonly complete?: boolean;
  readonly next?: AdeCursor;
}
const page = (ade: AdeStore, changes: readonly AdeChange[], options: PageOptions = {}) =>
  ade.commitPage({
    ...{ accountId: 'a', fence: 1, at: T0, until: T0 + HOUR, restarted: false, complete: false },
    ...{ next: at('c'), changes, events: [event('ade.page-synced')] },
    ...options,
  });
const none = { added: 0, modified: 0, deleted: 0, unchanged: 0 };

const profile = (id: string, options: Partial<AdeProfile> = {}): AdeProfile => ({
  ...{ id, accountId: 'a', name: `Profile ${id}`, description: 'Ä', definition: { apple: { is_supervised: true } } },
  ...{ version: 1, appleUuid: null, appleVersion: 0, failure: null, createdAt: T0, updatedAt: T0 },
  ...options,
});
const put = (ade: AdeStore, id: string, options: Partial<AdeProfile> = {}, expected: number | null = null) =>
  ade.putProfile(profile(id, options), expected, event('ade.profile-changed'));

/** An account whose lease is held with fencing number 1. */
async function leased(ade: AdeStore, id = 'a'): Promise<void> {
  await create(ade, id);
  await ade.acquire({ accountId: id, at: T0, until: T0 + HOUR });
}
const serials = async (ade: AdeStore, presence: 'listed' | 'gone' | 'all' = 'listed') =>
  (await ade.devices({ presence }, { limit: 100 })).items.map((item) => item.serialNumber);

/** Registers the tests. */
export function adeTests({ test, expect }: Suite): void {
  test('keeps accounts with their sealed tokens, and deletes all of one', async ({ ade, secrets, events }) => {
    expect(await create(ade, 'b')).toBe('written');
    expect(await create(ade, 'a')).toBe('written');
    expect(await create(ade, 'a')).toBe('conflict');
    expect(await ade.getAccount('a')).toEqual(account('a'));
    expect((await ade.listAccounts()).map((item) => item.id)).toEqual(['a', 'b']);
    expect(await secrets.get('ade:a', 'token')).toEqual(bytes('sealed a'));
    const renewed = account('a', { version: 2, name: 'Other', defaultProfile: null, rules: [] });
    const change = { secrets: [{ name: 'token', blob: bytes('new') }], event: event('ade.account-changed') };
    expect(await ade.putAccount(renewed, 7, change)).toBe('conflict');
    expect(await secrets.get('ade:a', 'token')).toEqual(bytes('sealed a'));
    expect(await ade.putAccount(renewed, 1, change)).toBe('written');
    expect(await ade.getAccount('a')).toEqual(renewed);
    expect(await secrets.get('ade:a', 'token')).toEqual(bytes('new'));
    await ade.acquire({ accountId: 'a', at: T0, until: T0 + 1 });
    await page(ade, [device('S1')]);
    expect(await ade.deleteAccount('a', event('ade.account-changed'))).toBe(true);
    expect(await ade.deleteAccount('a', event('ade.account-changed'))).toBe(false);
    expect(await ade.getAccount('a')).toBe(null);
    expect(await ade.syncState('a')).toBe(null);
    expect(await secrets.get('ade:a', 'token')).toBe(null);
    expect(await secrets.get('ade:b', 'token')).toEqual(bytes('sealed b'));
    expect(await serials(ade, 'all')).toEqual([]);
    expect((await events.since(0, 10)).length).toBe(5);
    for (const unknown of ['', '__proto__', 'constructor']) expect(await ade.getAccount(unknown)).toBe(null);
  });

  test('lets one at a time sync an account, and fences off who was overtaken', async ({ ade, events }) => {
    await create(ade, 'a');
    const taken = await Promise.all(
      [1, 2, 3, 4].map(() => ade.acquire({ accountId: 'a', at: T0, until: T0 + MINUTE })),
    );
    expect(taken.filter((state) => state !== null).map((state) => state?.fence)).toEqual([1]);
    expect(await ade.acquire({ accountId: 'nobody', at: T0, until: T0 + 1 })).toBe(null);
    expect(await page(ade, [device('S1')], { next: at('c1', 'fetch') })).toEqual({ ...none, added: 1 });
    // The page prolonged the lease: somebody else gets it only once that has ended.
    expect(await ade.acquire({ accountId: 'a', at: T0 + HOUR - 1, until: T0 + 2 * HOUR })).toBe(null);
    const second = await ade.acquire({ accountId: 'a', at: T0 + HOUR, until: T0 + 2 * HOUR });
    expect(second).toMatchObject({ fence: 2, next: at('c1', 'fetch'), pages: 1 });
    const before = (await events.since(0, 100)).length;
    expect(await page(ade, [device('S2')], { next: at('stale') })).toBe(null);
    expect(await ade.sweep({ accountId: 'a', fence: 1, at: T0, limit: 10 })).toBe(null);
    expect(await ade.prolong({ accountId: 'a', fence: 1, until: T0 + 9 * HOUR })).toBe(false);
    const outcome = { serialNumber: 'S1', profileUuid: 'P1', outcome: 'SUCCESS' };
    const settlement = { accountId: 'a', at: T0, retryAt: T0, outcomes: [outcome] };
    expect(await ade.settleAssignments({ ...settlement, fence: 1 })).toBe(false);
    await ade.release({ accountId: 'a', fence: 1, at: T0, failure: 'late', finished: true });
    expect(await ade.syncState('a')).toEqual(second);
    expect(await serials(ade)).toEqual(['S1']);
    expect((await events.since(0, 100)).length).toBe(before);
    expect(await ade.prolong({ accountId: 'a', fence: 2, until: T0 + 3 * HOUR })).toBe(true);
    await ade.release({ accountId: 'a', fence: 2, at: T0 + 5, failure: null, finished: true });
    const third = await ade.acquire({ accountId: 'a', at: T0 + 6, until: T0 + HOUR });
    expect(third).toMatchObject({ fence: 3, finishedAt: T0 + 5, failure: null });
  });

  test('takes a page and its cursor in one step, with counts', async ({ ade, events }) => {
    await leased(ade);
    const list = [device('S1'), device('S2', { profileUuid: 'P1', profileStatus: 'pushed' }), device('S3')];
    expect(await page(ade, list, { restarted: true, next: at('c1', 'fetch') })).toEqual({ ...none, added: 3 });
    expect(await ade.syncState('a')).toMatchObject({
      next: at('c1', 'fetch'),
      generation: 1,
      unswept: false,
      pages: 1,
    });
    const second = [device('S3'), device('S4')];
    expect(await page(ade, second, { complete: true, at: T0 + 1 })).toEqual({ ...none, added: 1, unchanged: 1 });
    expect(await ade.syncState('a')).toMatchObject({ next: at('c'), unswept: true, pages: 2, progressedAt: T0 + 1 });
    expect(await ade.sweep({ accountId: 'a', fence: 1, at: T0 + 2, limit: 10 })).toEqual({ gone: [], done: true });
    const found = await ade.findDevice('S2');
    expect(found.length).toBe(1);
    expect(found[0]).toMatchObject({
      ...{ accountId: 'a', serialNumber: 'S2', record: { model: 'iPad', color: 'blue' }, profileUuid: 'P1' },
      ...{ profileStatus: 'pushed', wantedProfileUuid: 'P1', assignAt: null, addedAt: T0, updatedAt: T0, goneAt: null },
    });
    expect(await ade.counts('a')).toEqual({ listed: 4, due: 3 });
    const last = (await events.since(0, 100)).at(-1);
    expect(last?.data).toEqual({ note: 'contract', ...none, added: 1, unchanged: 1 });
  });

  test('takes a page of a thousand as one, wherever in it a change is', async ({ ade }) => {
    await leased(ade);
    const name = (i: number): string => `S${String(i).padStart(4, '0')}`;
    const list = Array.from({ length: 1000 }, (_, i) => device(name(i)));
    expect(await page(ade, list.slice(0, 900))).toEqual({ ...none, added: 900 });
    // From 0 on: every third is gone, of the others every second has changed.
    const changes = list.map(({ serialNumber }, i) =>
      device(serialNumber, {
        at: T0 + 1,
        ...(i % 3 === 0 ? { deleted: true } : i % 2 === 0 ? { record: { model: 'Mac' } } : {}),
      }),
    );
    const [added, modified, deleted] = [66, 300, 300];
    expect(await page(ade, changes, { fence: 7 })).toBe(null);
    expect(await page(ade, changes)).toEqual({
      added,
      modified,
      deleted,
      unchanged: 1000 - added - modified - deleted,
    });
    expect((await ade.counts('a')).listed).toBe(900 + added - deleted);
    for (const i of [99, 100, 101, 898, 998]) {
      const [found] = await ade.findDevice(name(i));
      expect([i, found?.goneAt !== null, found?.record['model']]).toEqual([
        i,
        i % 3 === 0,
        i % 6 > 1 && i % 2 === 0 ? 'Mac' : 'iPad',
      ]);
    }
  });

  test('changes only what a list of changes names', async ({ ade }) => {
    await leased(ade);
    await page(
      ade,
      ['S1', 'S2', 'S3', 'S4', 'S5'].map((serial) => device(serial)),
      { restarted: true, complete: true },
    );
    const later = T0 + MINUTE;
    const changes = [
      device('S1', { at: 10, record: { model: 'iPad', color: 'red' } }),
      device('S2', { at: 10, deleted: true }),
      device('S4', { at: 10 }),
      device('S6', { at: 10 }),
      device('S7', { at: 10, deleted: true }),
    ];
    const counts = { added: 1, modified: 1, deleted: 1, unchanged: 2 };
    expect(await page(ade, changes, { at: later })).toEqual(counts);
    expect(await serials(ade)).toEqual(['S1', 'S3', 'S4', 'S5', 'S6']);
    expect(await serials(ade, 'gone')).toEqual(['S2']);
    const all = (await ade.devices({ accountId: 'a', presence: 'all' }, { limit: 10 })).items;
    expect(all.filter((item) => item.updatedAt === later).map((item) => item.serialNumber)).toEqual(['S1', 'S2', 'S6']);
    // The same page again changes nothing.
    expect(await page(ade, changes, { at: later + 1 })).toEqual({ ...none, unchanged: 5 });
    expect((await ade.findDevice('S1'))[0]).toMatchObject({
      updatedAt: later,
      record: { model: 'iPad', color: 'red' },
    });
  });

  test('an earlier change at Apple than the one that is known changes nothing', async ({ ade }) => {
    await leased(ade);
    await page(ade, [device('S1', { at: 20 }), device('S2', { at: 20, record: { color: 'new' } })]);
    const old = [device('S1', { at: 10, deleted: true }), device('S2', { at: 19, record: { color: 'old' } })];
    expect(await page(ade, old)).toEqual({ ...none, unchanged: 2 });
    expect((await ade.findDevice('S2'))[0]?.record).toEqual({ color: 'new' });
    expect(await page(ade, [device('S1', { at: 21, deleted: true })])).toEqual({ ...none, deleted: 1 });
    // Back again: as new, and it wants its profile again.
    expect(await page(ade, [device('S1', { at: 22, wantedProfileUuid: 'P9' })], { at: T0 + 9 })).toEqual({
      ...none,
      added: 1,
    });
    expect((await ade.findDevice('S1'))[0]).toMatchObject({ wantedProfileUuid: 'P9', addedAt: T0 + 9, goneAt: null });
  });

  test('a whole list read anew takes away what is not in it, in bounded steps', async ({ ade }) => {
    await leased(ade);
    await page(
      ade,
      ['S1', 'S2', 'S3', 'S4', 'S5'].map((serial) => device(serial)),
      { restarted: true, complete: true },
    );
    await ade.sweep({ accountId: 'a', fence: 1, at: T0, limit: 10 });
    await page(ade, [device('S1')], { restarted: true, next: at('f', 'fetch') });
    // Before the list is complete, nothing is gone.
    expect(await ade.sweep({ accountId: 'a', fence: 1, at: T0, limit: 10 })).toEqual({ gone: [], done: true });
    await page(ade, [device('S4')], { complete: true });
    const first = await ade.sweep({ accountId: 'a', fence: 1, at: T0 + 1, limit: 2 });
    expect(first?.done).toBe(false);
    expect((await ade.syncState('a'))?.unswept).toBe(true);
    const second = await ade.sweep({ accountId: 'a', fence: 1, at: T0 + 1, limit: 2 });
    expect(second?.done).toBe(true);
    expect([...(first?.gone ?? []), ...(second?.gone ?? [])].sort()).toEqual(['S2', 'S3', 'S5']);
    expect(first?.gone.length).toBe(2);
    expect((await ade.syncState('a'))?.unswept).toBe(false);
    expect(await serials(ade)).toEqual(['S1', 'S4']);
    expect(await ade.counts('a')).toEqual({ listed: 2, due: 2 });
  });

  test('takes pages of a thousand, and lists them in pages', async ({ ade }) => {
    await leased(ade);
    await leased(ade, 'b');
    const serial = (i: number): string => `S${String(i).padStart(4, '0')}`;
    const many = Array.from({ length: 1000 }, (_, i) => device(serial(i), { record: { description: `"'\\ ü ${i}` } }));
    expect(await page(ade, many)).toEqual({ ...none, added: 1000 });
    expect(
      await ade.commitPage({
        ...{ accountId: 'b', fence: 1, at: T0, until: T0, restarted: true, complete: false, next: at('x') },
        ...{ changes: many.slice(0, 2), events: [] },
      }),
    ).toEqual({ ...none, added: 2 });
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const got: Awaited<ReturnType<AdeStore['devices']>> = await ade.devices(
        { accountId: 'a' },
        after === null ? { limit: 333 } : { limit: 333, after },
      );
      seen.push(...got.items.map((item) => item.serialNumber));
      after = got.next;
    } while (after !== null);
    expect(seen).toEqual(many.map((item) => item.serialNumber));
    expect((await ade.findDevice('S0001')).map((item) => item.accountId)).toEqual(['a', 'b']);
    expect((await ade.findDevice('S0001'))[0]?.record).toEqual({ description: `"'\\ ü 1` });
    expect(await ade.counts('b')).toEqual({ listed: 2, due: 2 });
    expect((await ade.devices({}, { limit: 1000 })).items.length).toBe(1000);
  });

  test('assigns profiles: due, done, refused and tried again, taken over by another wish', async ({ ade }) => {
    await leased(ade);
    await page(
      ade,
      ['S1', 'S2', 'S3'].map((serial) => device(serial, { wantedProfileUuid: serial === 'S3' ? null : 'P1' })),
    );
    const due = (now = T0) => ade.dueAssignments({ accountId: 'a', at: now, limit: 10 });
    const wish = (serialNumber: string, profileUuid = 'P1') => ({ serialNumber, profileUuid });
    expect(await due()).toEqual([wish('S1'), wish('S2')]);
    expect(await due(T0 - 1)).toEqual([]);
    const outcomes = [
      { ...wish('S1'), outcome: 'SUCCESS' },
      { ...wish('S2'), outcome: 'THROTTLED' },
    ];
    const settle = (list: typeof outcomes) =>
      ade.settleAssignments({ accountId: 'a', fence: 1, at: T0 + 1, retryAt: T0 + MINUTE, outcomes: list });
    expect(await settle(outcomes)).toBe(true);
    expect((await ade.findDevice('S1'))[0]).toMatchObject({
      profileUuid: 'P1',
      profileStatus: 'assigned',
      assignAt: null,
    });
    expect((await ade.findDevice('S2'))[0]).toMatchObject({
      profileUuid: null,
      assignAttempts: 1,
      assignOutcome: 'THROTTLED',
    });
    expect(await due(T0 + MINUTE)).toEqual([wish('S2')]);
    const events = [event('ade.assignment-requested')];
    const asked = { accountId: 'a', profileId: null, profileUuid: 'P2', at: T0 + 2, events, staging: [] };
    const staging = [{ serialNumber: 'S2', set: { cart: 'C1' }, clear: [] }];
    // All of them or none.
    expect(await ade.assign({ ...asked, serialNumbers: ['S2', 'S9', 'S3'], staging })).toEqual(['S9']);
    expect(await due(T0 + MINUTE)).toEqual([wish('S2')]);
    expect(await ade.staged('S2')).toEqual({});
    expect(await ade.assign({ ...asked, serialNumbers: ['S2', 'S3', 'S2'], staging })).toEqual([]);
    expect(await ade.staged('S2')).toEqual({ cart: 'C1' });
    expect(await due(T0 + 2)).toEqual([wish('S2', 'P2'), wish('S3', 'P2')]);
    // The answer to the wish before does not settle this one.
    await settle([{ ...wish('S2'), outcome: 'SUCCESS' }]);
    expect(await due(T0 + 2)).toEqual([wish('S2', 'P2'), wish('S3', 'P2')]);
    // Apple lists it with the profile that it is to have.
    await page(ade, [device('S2', { at: 30, profileUuid: 'P2', profileStatus: 'pushed' })]);
    expect(await due(T0 + 2)).toEqual([wish('S3', 'P2')]);
    expect(await ade.assign({ ...asked, serialNumbers: ['S2'], at: T0 + 3 })).toEqual([]);
    expect(await due(T0 + 9)).toEqual([wish('S3', 'P2')]);
  });

  test('keeps profiles, each change once, and deletes them with their account', async ({ ade, events }) => {
    await create(ade, 'a');
    await create(ade, 'b');
    expect(await put(ade, 'F2')).toBe('written');
    expect(await put(ade, 'F1')).toBe('written');
    expect(await put(ade, 'F1')).toBe('conflict');
    expect(await put(ade, 'F3', { accountId: 'nobody' })).toBe('conflict');
    expect(await put(ade, 'F4', { accountId: 'b' })).toBe('written');
    expect(await ade.getProfile('F1')).toEqual(profile('F1'));
    expect(await ade.getProfile('F3')).toBe(null);
    for (const unknown of ['', '__proto__', 'constructor']) expect(await ade.getProfile(unknown)).toBe(null);
    expect((await ade.listProfiles('a')).map((item) => item.id)).toEqual(['F1', 'F2']);
    const changed = { name: 'ü"', definition: { apple: { url: '\u0001' } }, version: 2, updatedAt: T0 + 1 };
    expect(await put(ade, 'F1', changed, 2)).toBe('conflict');
    expect(await put(ade, 'F1', changed, 1)).toBe('written');
    expect(await ade.getProfile('F1')).toEqual(profile('F1', changed));
    expect((await events.since(0, 100)).length).toBe(6);
    await ade.deleteAccount('a', event('ade.account-changed'));
    expect(await ade.listProfiles('a')).toEqual([]);
    expect((await ade.listProfiles('b')).map((item) => item.id)).toEqual(['F4']);
  });

  test('a profile is published, and its devices follow it in bounded steps', async ({ ade, events }) => {
    await leased(ade);
    await put(ade, 'F1');
    const serialNumbers = ['S1', 'S2', 'S3', 'S4', 'S5'];
    const stored = { profileId: 'F1', wantedProfileUuid: null };
    await page(ade, [...serialNumbers.slice(0, 4).map((serial) => device(serial, stored)), device('S5')]);
    // The profile of another account, or of none, is none.
    await page(ade, [device('S6', { profileId: 'F9', wantedProfileUuid: null })]);
    expect((await ade.findDevice('S1'))[0]).toMatchObject({ profileId: 'F1', wantedProfileUuid: null, assignAt: null });
    expect((await ade.findDevice('S6'))[0]).toMatchObject({ profileId: null, wantedProfileUuid: null, assignAt: null });
    expect(await ade.counts('a')).toEqual({ listed: 6, due: 1 });
    const base = { accountId: 'a', fence: 1, profileId: 'F1' };
    const publish = (version: number, uuid: string | null, failure: string | null = null, fence = 1) =>
      ade.publishProfile({ ...base, fence, version, uuid, failure, events: [event('ade.profile-defined')] });
    const follow = (limit: number, fence = 1) => ade.followProfile({ ...base, fence, at: T0 + 5, limit });
    expect(await follow(10)).toBe(0);
    expect(await publish(1, 'U1', null, 2)).toBe(false);
    expect(await follow(10, 2)).toBe(null);
    const before = (await events.since(0, 100)).length;
    expect(await publish(1, 'U1')).toBe(true);
    expect((await events.since(0, 100)).length).toBe(before + 1);
    expect(await ade.getProfile('F1')).toEqual(profile('F1', { appleUuid: 'U1', appleVersion: 1 }));
    expect(await follow(3)).toBe(3);
    expect(await follow(3)).toBe(1);
    expect(await follow(3)).toBe(0);
    const due = () => ade.dueAssignments({ accountId: 'a', at: T0 + 9, limit: 10 });
    const wish = (serialNumber: string, profileUuid: string | null = 'U1') => ({ serialNumber, profileUuid });
    expect((await due()).slice(1)).toEqual(serialNumbers.slice(0, 4).map((serial) => wish(serial)));
    // A device that appears now wants what Apple has.
    await page(ade, [device('S7', stored), device('S8', { ...stored, profileUuid: 'U1' })]);
    expect((await ade.findDevice('S7'))[0]).toMatchObject({ profileId: 'F1', wantedProfileUuid: 'U1', assignAt: T0 });
    expect((await ade.findDevice('S8'))[0]).toMatchObject({ profileId: 'F1', wantedProfileUuid: 'U1', assignAt: null });
    // Of a version that is not the present one a refusal says nothing.
    await put(ade, 'F1', { version: 2 }, 1);
    expect(await ade.getProfile('F1')).toEqual(profile('F1', { version: 2, appleUuid: 'U1', appleVersion: 1 }));
    await publish(1, null, 'ade.enrolment.old');
    expect((await ade.getProfile('F1'))?.failure).toBe(null);
    await publish(2, null, 'ade.enrolment.config_url_invalid');
    expect(await ade.getProfile('F1')).toMatchObject({ appleUuid: 'U1', failure: 'ade.enrolment.config_url_invalid' });
    await put(ade, 'F1', { version: 3 }, 2);
    expect((await ade.getProfile('F1'))?.failure).toBe(null);
    await publish(3, 'U0');
    // Both sides of the UUID's order are found, and those that are assigned are due again.
    const settled = { accountId: 'a', fence: 1, at: T0 + 6, retryAt: T0 + 7 };
    await ade.settleAssignments({ ...settled, outcomes: [{ ...wish('S1'), outcome: 'SUCCESS' }] });
    expect(await follow(10)).toBe(6);
    expect((await ade.findDevice('S1'))[0]).toMatchObject({
      profileUuid: 'U1',
      wantedProfileUuid: 'U0',
      assignAt: T0 + 5,
    });
    expect(await publish(1, 'U9')).toBe(true);
    expect(
      await ade.publishProfile({ ...base, profileId: 'F9', version: 1, uuid: 'X', failure: null, events: [] }),
    ).toBe(true);
  });

  test('tells how many devices a profile is meant for, and moves them when it is deleted', async ({ ade, events }) => {
    await leased(ade);
    for (const id of ['F1', 'F2', 'F3']) await put(ade, id);
    for (const [profileId, uuid] of [
      ['F1', 'U1'],
      ['F2', 'U2'],
    ] as const) {
      const base = { accountId: 'a', fence: 1, profileId, version: 1, uuid, failure: null, events: [] };
      await ade.publishProfile(base);
    }
    const stored = { profileId: 'F1', wantedProfileUuid: null };
    await page(ade, [
      device('S1', { ...stored, profileUuid: 'U1', profileStatus: 'pushed' }),
      device('S2', stored),
      device('S3', { ...stored, profileUuid: 'U1', profileStatus: 'assigned' }),
      device('S4', { profileId: 'F2', wantedProfileUuid: null, profileUuid: 'U2', profileStatus: 'pushed' }),
      device('S5', { ...stored }),
    ]);
    await page(ade, [device('S5', { at: 3, deleted: true })]);
    expect(await ade.profileUse('a')).toEqual([
      { profileId: 'F1', devices: 3, setUp: 1 },
      { profileId: 'F2', devices: 1, setUp: 1 },
    ]);
    expect(await ade.profileUse('b')).toEqual([]);
    await ade.putAccount(account('a', { version: 2, defaultProfile: 'F1' }), 1, {
      secrets: [],
      event: event('ade.account-changed'),
    });
    const before = (await events.since(0, 100)).length;
    const leave = (profileId: string, successor: string | null, limit = 10) =>
      ade.deleteProfile({
        accountId: 'a',
        profileId,
        successor,
        at: T0 + 8,
        limit,
        event: event('ade.profile-changed'),
      });
    expect(await leave('F1', 'F2', 2)).toEqual({ moved: 2, done: false });
    // The default is another one from the first step on: no device comes to it any more.
    expect(await ade.getAccount('a')).toMatchObject({ defaultProfile: 'F2', version: 3, updatedAt: T0 + 8 });
    expect((await ade.getProfile('F1'))?.id).toBe('F1');
    expect(await leave('F1', 'F2', 2)).toEqual({ moved: 1, done: true });
    expect(await leave('F1', 'F2', 2)).toEqual({ moved: 0, done: true });
    expect(await ade.getProfile('F1')).toBe(null);
    expect((await events.since(0, 100)).length).toBe(before + 1);
    const due = () => ade.dueAssignments({ accountId: 'a', at: T0 + 9, limit: 10 });
    const wish = (serialNumber: string, profileUuid: string | null) => ({ serialNumber, profileUuid });
    expect(await due()).toEqual(['S1', 'S2', 'S3'].map((serial) => wish(serial, 'U2')));
    // Without a successor they are to lose theirs, if they have one.
    expect(await leave('F2', null)).toEqual({ moved: 4, done: true });
    expect(await ade.getAccount('a')).toMatchObject({ defaultProfile: null });
    expect(await due()).toEqual([wish('S1', null), wish('S3', null), wish('S4', null)]);
    const outcomes = [
      { ...wish('S1', null), outcome: 'SUCCESS' },
      { ...wish('S3', 'U2'), outcome: 'SUCCESS' },
      { ...wish('S4', null), outcome: 'FAILED' },
    ];
    await ade.settleAssignments({ accountId: 'a', fence: 1, at: T0 + 9, retryAt: T0 + 9, outcomes });
    expect((await ade.findDevice('S1'))[0]).toMatchObject({
      profileUuid: null,
      profileStatus: 'removed',
      assignAt: null,
    });
    expect(await due()).toEqual([wish('S3', null), wish('S4', null)]);
    // Apple lists it without: there is nothing left to do.
    await page(ade, [device('S3', { at: 5, profileUuid: null, profileStatus: 'removed' })]);
    expect(await due()).toEqual([wish('S4', null)]);
    // By hand: none, a stored one that Apple does not have yet, one that is not there.
    const asked = { accountId: 'a', profileUuid: null, at: T0 + 2, events: [], staging: [] };
    expect(await ade.assign({ ...asked, profileId: 'F9', serialNumbers: ['S4'] })).toBe('unknown-profile');
    expect(await ade.assign({ ...asked, profileId: 'F3', serialNumbers: ['S4'] })).toEqual([]);
    expect((await ade.findDevice('S4'))[0]).toMatchObject({ profileId: 'F3', wantedProfileUuid: null, assignAt: null });
    expect(await due()).toEqual([]);
    expect(await ade.assign({ ...asked, profileId: null, serialNumbers: ['S4', 'S2'] })).toEqual([]);
    expect(await due()).toEqual([wish('S4', null)]);
  });

  test('tells the living enrolment of a device', async (store) => {
    const { ade } = store;
    await leased(ade);
    await page(ade, [device('serial-D1'), device('S2')]);
    expect((await ade.findDevice('serial-D1'))[0]?.enrolmentId).toBe(null);
    await authenticate(store, 'D1');
    expect((await ade.findDevice('serial-D1'))[0]?.enrolmentId).toBe('D1');
    const enrolled = [{ serialNumber: 'serial-D1', enrolmentId: 'D1' }];
    expect(await ade.enrolled(['S2', 'serial-D1', 'S3'])).toEqual(enrolled);
    const { items } = await ade.devices({ accountId: 'a' }, { limit: 10 });
    expect(items.map((item) => item.enrolmentId)).toEqual([null, 'D1']);
  });

  test('stages attributes: set, cleared, left alone', async ({ ade }) => {
    const stage = (...items: Parameters<AdeStore['stage']>[0]) => ade.stage(items);
    await stage({ serialNumber: 'S1', set: { a: 'x', b: 2, c: true }, clear: [] });
    await stage({ serialNumber: 'S1', set: { a: 'ü"' }, clear: ['b'] }, { serialNumber: 'S2', set: {}, clear: ['z'] });
    expect(await ade.staged('S1')).toEqual({ a: 'ü"', b: null, c: true });
    expect(await ade.staged('S2')).toEqual({ z: null });
    expect(await ade.staged('S3')).toEqual({});
    await stage({ serialNumber: 'S1', set: { b: false }, clear: [] });
    expect(await ade.staged('S1')).toEqual({ a: 'ü"', b: false, c: true });
  });
}
