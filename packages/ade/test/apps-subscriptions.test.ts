// Subscriptions of Apps and Books: declaring, seats, assignments, administrators, errors, notifications, billing periods.
import { createSimulatedAppsService, type SimulatedAppsOptions } from '@espalier/simulator';
import { describe, expect, it } from 'vitest';
import { type AppsNotification, createAppsClient, readAppsNotification, readContentToken } from '../src/index.ts';
import { all, movingClock } from './apple.ts';

const music = { adamId: 12345, parentAdamId: 54321 };
const day = 86_400_000;

async function setting(options: Partial<SimulatedAppsOptions> = {}, users = 3) {
  const clock = movingClock();
  const heard: AppsNotification[] = [];
  const apple = createSimulatedAppsService({
    clock,
    async notify(request) {
      heard.push(readAppsNotification(await request.text(), request.headers.get('authorization'), 'secret'));
      return new Response();
    },
    ...options,
  });
  const client = createAppsClient({
    token: readContentToken(apple.contentToken),
    clock,
    fetch: apple.fetch,
    sleep: async (ms) => clock.move(ms),
    retry: { attempts: 1 },
  });
  const run = async (events: AsyncIterable<string>) => {
    const outcomes = [];
    for await (const id of events) outcomes.push(await client.finished(id));
    return outcomes;
  };
  const names = Array.from({ length: users }, (_, index) => `user-${index}`);
  await run(client.createUsers(names.map((clientUserId) => ({ clientUserId }))));
  const seats = async () => (await all(client.subscriptionAssignments())).flatMap((page) => page.items);
  const counts = async () => (await all(client.subscriptions())).flatMap((page) => page.items)[0]?.counts;
  return { apple, client, clock, heard, run, names, seats, counts };
}

const refusal = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'nothing was thrown',
    (error: { code: string }) => error.code,
  );

describe('a location', () => {
  it('has subscriptions only where the server has said that it manages them, and stops only without any', async () => {
    const { apple, client } = await setting();
    expect(await apple.subscribe({ ...music, renewing: 5 })).toBe(false);
    expect(await client.enableSubscriptions()).toBe(true);
    expect(await apple.subscribe({ ...music, renewing: 5 })).toBe(true);
    expect(await refusal(client.disableSubscriptions())).toBe('ade.apps.subscriptions_exist');
    expect(await apple.subscribe({ ...music, renewing: 0 })).toBe(true);
    expect((await all(client.subscriptions())).flatMap((page) => page.items)).toMatchObject([
      { ...music, status: 'INACTIVE', counts: { total: { renewing: 0, expiring: 0 } } },
    ]);
    expect(await client.disableSubscriptions()).toBe(false);
  });

  it('lists them in pages by cursor', async () => {
    const { apple, client, run, names } = await setting({ pageSize: 2 }, 5);
    await client.enableSubscriptions();
    for (let adamId = 1; adamId <= 5; adamId++)
      await apple.subscribe({ adamId, parentAdamId: adamId % 2, renewing: 9 });
    const pages = await all(client.subscriptions());
    expect(pages.map((page) => page.items.map((item) => item.adamId))).toEqual([[1, 2], [3, 4], [5]]);
    expect(pages[0]!.versionId).toMatch(/./);
    const odd = (await all(client.subscriptions({ parentAdamId: 1 }))).flatMap((page) => page.items);
    expect(odd.map((item) => item.adamId)).toEqual([1, 3, 5]);
    await run(client.associateSubscriptions({ adamIds: [1, 2], clientUserIds: names, renewing: true }));
    expect((await all(client.subscriptionAssignments({ adamId: 2 }))).map((page) => page.items.length)).toEqual([
      2, 2, 1,
    ]);
    const one = (await all(client.subscriptionAssignments({ clientUserId: 'user-3' }))).flatMap((page) => page.items);
    expect(one).toEqual([1, 2].map((adamId) => ({ adamId, clientUserId: 'user-3', renewing: true })));
    apple.respond(() => Response.json({ subscriptions: [], nextCursor: 'same' }));
    expect(await refusal(all(client.subscriptions()))).toBe('ade.apps.page_loop');
  });
});

describe('seats', () => {
  it('are given for good or for a period, and taken now or at its end', async () => {
    const { apple, client, clock, run, seats, counts } = await setting();
    await client.enableSubscriptions();
    await apple.subscribe({ ...music, renewing: 3, expiring: 1, periodEnd: clock.now() + 20 * day });
    const change = { adamIds: [music.adamId], clientUserIds: ['user-0', 'user-1'] };
    expect(await run(client.associateSubscriptions({ ...change, renewing: true }))).toMatchObject([
      { eventStatus: 'COMPLETE', eventType: 'ASSOCIATE', numCompleted: 2, numRequested: 2 },
    ]);
    await run(client.associateSubscriptions({ ...change, clientUserIds: ['user-2'], renewing: false }));
    expect(await counts()).toEqual({
      assigned: { renewing: 2, expiring: 1 },
      available: { renewing: 1, expiring: 0 },
      total: { renewing: 3, expiring: 1 },
    });
    await run(client.disassociateSubscriptions({ ...change, clientUserIds: ['user-0'] }));
    await run(client.disassociateSubscriptions({ ...change, clientUserIds: ['user-1'], deferred: true }));
    expect((await seats()).map((seat) => seat.clientUserId)).toEqual(['user-1', 'user-2']);
    clock.move(20 * day);
    expect(await seats()).toEqual([]);
    expect(await counts()).toEqual({
      assigned: { renewing: 0, expiring: 0 },
      available: { renewing: 3, expiring: 0 },
      total: { renewing: 3, expiring: 0 },
    });
  });

  it('are split within the limits, and end', async () => {
    const { apple, client, run } = await setting({ limits: { maxSubscriptions: 1, maxSubscriptionClientUserIds: 2 } });
    await client.enableSubscriptions();
    await apple.subscribe({ ...music, renewing: 1 });
    await apple.subscribe({ adamId: 2, parentAdamId: 3, renewing: 9 });
    const wanted = { adamIds: [12345, 2, 2], clientUserIds: ['user-0', 'user-1', 'user-2', 'user-0'], renewing: true };
    const outcomes = await run(client.associateSubscriptions(wanted));
    expect(outcomes.map((outcome) => outcome.eventStatus)).toEqual(['FAILED', 'FAILED', 'COMPLETE', 'COMPLETE']);
    expect(outcomes[0]!.failures).toEqual([
      { code: 'ade.apps.not_enough', errorNumber: 9709, clientUserIds: ['user-1'], serialNumbers: [] },
    ]);
  });

  it('are refused with the reason', async () => {
    const { apple, client, run } = await setting();
    await client.enableSubscriptions();
    await apple.subscribe({ ...music, renewing: 5, groupUsers: ['user-1'] });
    const associate = (adamId: number, user: string): Promise<string> =>
      refusal(run(client.associateSubscriptions({ adamIds: [adamId], clientUserIds: [user], renewing: true })));
    expect(await associate(1, 'user-0')).toBe('ade.apps.adam_id');
    expect(await associate(12345, 'nobody')).toBe('ade.apps.associated_user');
    expect(await associate(12345, 'user-1')).toBe('ade.apps.group_subscription');
    const change = { adamIds: [12345], clientUserIds: ['user-0'] };
    expect(await refusal(run(client.disassociateSubscriptions(change)))).toBe('ade.apps.not_assigned');
    const post = async (path: string, body: object): Promise<unknown> => {
      const headers = { Authorization: `Bearer ${apple.contentToken}`, 'Content-Type': 'application/json' };
      const url = `https://vpp.itunes.apple.com/mdm/v2/subscriptions${path}`;
      const answer = await apple.fetch(new Request(url, { method: 'POST', headers, body: JSON.stringify(body) }));
      return ((await answer.json()) as { errorNumber: unknown }).errorNumber;
    };
    expect(await post('/associate', { ...change, adamIds: [] })).toBe(9811);
    expect(await post('/associate', { ...change, adamIds: Array(26).fill(12345) })).toBe(9816);
    const list = new Request('https://vpp.itunes.apple.com/mdm/v2/subscriptions?cursor=x', {
      headers: { Authorization: `Bearer ${apple.contentToken}` },
    });
    expect(await (await apple.fetch(list)).json()).toMatchObject({ errorNumber: 9812 });
  });
});

describe('administrators', () => {
  it('are added, listed and removed', async () => {
    const { apple, client } = await setting();
    await client.enableSubscriptions();
    await apple.subscribe({ ...music, renewing: 5 });
    const change = { adamIds: [music.adamId], clientUserIds: ['user-0', 'user-1'] };
    await client.addSubscriptionAdmins(change);
    const admins = async (includeUserState: boolean) =>
      (await all(client.subscriptionAdmins({ adamId: music.adamId, includeUserState }))).flatMap((page) => page.items);
    expect(await admins(false)).toEqual(
      change.clientUserIds.map((clientUserId) => ({ adamId: 12345, clientUserId, idHash: `hash-${clientUserId}` })),
    );
    expect(await admins(true)).toMatchObject([{ userStatus: 'Registered' }, { userStatus: 'Registered' }]);
    await client.removeSubscriptionAdmins({ ...change, clientUserIds: ['user-0'] });
    expect((await admins(false)).map((admin) => admin.clientUserId)).toEqual(['user-1']);
    expect(await refusal(client.removeSubscriptionAdmins({ ...change, clientUserIds: ['user-0'] }))).toBe(
      'ade.apps.not_assigned',
    );
    expect(await refusal(client.addSubscriptionAdmins({ ...change, adamIds: [7] }))).toBe('ade.apps.adam_id');
  });
});

describe('notifications', () => {
  it('tell of seats and assignments, of a deferred one when the period ends', async () => {
    const { apple, client, clock, heard, run } = await setting();
    await client.enableSubscriptions();
    await client.setClientConfig({
      notificationUrl: 'https://mdm.example/n',
      notificationAuthToken: 'secret',
      notificationTypes: ['SUBSCRIPTION_MANAGEMENT', 'SUBSCRIPTION_COUNT'],
    });
    heard.length = 0;
    await apple.subscribe({ ...music, renewing: 3, periodEnd: clock.now() + day });
    const counts = { available: { renewing: 3, expiring: 0 }, total: { renewing: 3, expiring: 0 } };
    expect(heard.pop()).toMatchObject({ notificationType: 'SUBSCRIPTION_COUNT', subscription: { ...music, counts } });
    const change = { adamIds: [music.adamId], clientUserIds: ['user-0'] };
    const [seat] = [{ adamId: 12345, clientUserId: 'user-0', renewing: true }];
    await run(client.associateSubscriptions({ ...change, renewing: true }));
    const told = { notificationType: 'SUBSCRIPTION_MANAGEMENT', success: true, assignments: [seat] };
    expect(heard.pop()).toMatchObject({ ...told, type: 'ASSOCIATE' });
    const [id] = await all(client.disassociateSubscriptions({ ...change, deferred: true }));
    expect(await client.finished(id!)).toMatchObject({ eventStatus: 'COMPLETE' });
    expect(heard).toEqual([]);
    clock.move(day);
    await apple.settle();
    expect(heard).toMatchObject([
      { ...told, type: 'DISASSOCIATE', eventId: id },
      { notificationType: 'SUBSCRIPTION_COUNT', subscription: { counts } },
    ]);
  });

  it('of seats without a subscription are none', () => {
    const body = {
      notification: { counts: {} },
      notificationId: 'n',
      notificationType: 'SUBSCRIPTION_COUNT',
      uId: 'u',
    };
    expect(() => readAppsNotification(JSON.stringify(body), 'Bearer t', 't')).toThrow('notification.adamId');
  });
});
