// What Apple's documentation shows of Apps and Books, read by our client: pages, events, notifications, errors, and the
// whole course of setting up and assigning content, request by request.
import { describe, expect, it } from 'vitest';
import { type AppsClient, createAppsClient, readAppsNotification } from '../src/index.ts';
import { all, movingClock } from './apple.ts';
import { begun, course, events, notifications, pages, synchronousError, userMade } from './fixtures/apple-apps.ts';

interface Exchange {
  readonly request: string;
  readonly body?: unknown;
  readonly answer: unknown;
  readonly status?: number;
}

/** A client whose service knows these exchanges in order, and nothing else. */
function playing(exchanges: readonly Exchange[]): { readonly client: AppsClient; readonly left: Exchange[] } {
  const left = [...exchanges];
  const clock = movingClock();
  const client = createAppsClient({
    token: { sToken: 'sToken', expires: new Date('2030-11-08T22:33:22Z'), orgName: 'ORG12345' },
    clock,
    random: () => 0.5,
    sleep: async (ms) => clock.move(ms),
    async fetch(request) {
      const url = new URL(request.url);
      const wanted = left.shift();
      expect(`${request.method} ${url.pathname}${url.search}`).toBe(wanted?.request);
      if (wanted?.body !== undefined) expect(await request.json()).toEqual(wanted.body);
      return Response.json(wanted?.answer, { status: wanted?.status ?? 200 });
    },
  });
  return { client, left };
}

const limits = course[0]!;
const read = (notification: unknown) => readAppsNotification(JSON.stringify(notification), 'Bearer t', 't');

describe('lists', () => {
  it('assets', async () => {
    const { client } = playing([{ request: 'GET /mdm/v2/assets', answer: pages.assets }]);
    const { assets, versionId, totalPages } = pages.assets;
    expect(await all(client.assets())).toEqual([{ items: assets, versionId, totalPages }]);
  });

  it('assignments', async () => {
    const { client } = playing([{ request: 'GET /mdm/v2/assignments', answer: pages.assignments }]);
    const { assignments, versionId, totalPages } = pages.assignments;
    expect(await all(client.assignments())).toEqual([{ items: assignments, versionId, totalPages }]);
  });

  it('users', async () => {
    const { client } = playing([{ request: 'GET /mdm/v2/users', answer: pages.users }]);
    const { users, versionId, totalPages } = pages.users;
    expect(await all(client.users())).toEqual([{ items: users, versionId, totalPages }]);
  });
});

describe('events', () => {
  const assets = [{ adamId: '408709785', pricingParam: 'STDQ' }];
  const serialNumbers = ['443d8def-f14b-4422-9997-75c83f595c24'];

  it('begin with an id', async () => {
    const { client, left } = playing([
      limits,
      { request: 'POST /mdm/v2/assets/associate', body: { assets, serialNumbers }, answer: begun.associate },
      { request: 'POST /mdm/v2/assets/disassociate', body: { assets, serialNumbers }, answer: begun.disassociate },
      { request: 'POST /mdm/v2/users/create', answer: begun.create },
    ]);
    expect(await all(client.associate({ assets, serialNumbers }))).toEqual([begun.associate.eventId]);
    expect(await all(client.disassociate({ assets, serialNumbers }))).toEqual([begun.disassociate.eventId]);
    expect(await all(client.createUsers([{ clientUserId: 'client-101' }]))).toEqual([begun.create.eventId]);
    expect(left).toEqual([]);
  });

  it('are waited for until they are complete', async () => {
    const request = `GET /mdm/v2/status?eventId=${begun.associate.eventId}`;
    const { client } = playing([events.pending, events.complete].map((answer) => ({ request, answer })));
    expect(await client.finished(begun.associate.eventId)).toEqual({
      eventStatus: 'COMPLETE',
      eventType: 'ASSOCIATE',
      numCompleted: 16,
      numRequested: 16,
      failures: [],
    });
  });

  it.each([
    [events.failed, { numCompleted: 14, numRequested: 16 }, ['client-4']],
    [events.asynchronous, { numCompleted: 0, numRequested: 2 }, ['user102', 'user101']],
  ])('say who failed', async (answer, counts, clientUserIds) => {
    const { client } = playing([{ request: 'GET /mdm/v2/status?eventId=x', answer }]);
    expect(await client.event('x')).toEqual({
      eventStatus: 'FAILED',
      eventType: 'ASSOCIATE',
      ...counts,
      failures: [{ code: 'ade.apps.user_not_found', errorNumber: 9609, clientUserIds, serialNumbers: [] }],
    });
  });

  it('a synchronous error is told by its number', async () => {
    const { client } = playing([{ request: 'GET /mdm/v2/client/config', answer: synchronousError, status: 405 }]);
    await expect(client.clientConfig()).rejects.toMatchObject({
      code: 'ade.apps.method',
      apple: { status: 405, code: '9726' },
    });
  });
});

describe('notifications', () => {
  it('a test', () => {
    const { notification, ...rest } = notifications.test;
    expect(read(notifications.test)).toEqual(rest);
  });

  it('counts', () => {
    expect(read(notifications.count)).toMatchObject({ adamId: '408709785', countDelta: -12, pricingParam: 'STDQ' });
  });

  it.each(['associate', 'disassociate', 'revoke'] as const)('assignments: %s', (name) => {
    const { notification, ...rest } = notifications[name];
    const { result, ...content } = notification;
    expect(read(notifications[name])).toEqual({ ...rest, ...content, success: true });
  });

  it.each(['create', 'update', 'retire'] as const)('users: %s', (name) => {
    const { notification, ...rest } = notifications[name];
    const { result, ...content } = notification;
    expect(read(notifications[name])).toEqual({ ...rest, ...content, success: true });
  });

  it('a user who has accepted', () => {
    const { notification, ...rest } = notifications.associated;
    expect(read(notifications.associated)).toEqual({ ...rest, users: notification.associatedUsers });
  });

  it('a failure', () => {
    expect(read(notifications.failed)).toMatchObject({
      success: false,
      type: 'ASSOCIATE',
      assignments: notifications.failed.notification.assignments,
      failure: { code: 'ade.apps.not_enough', errorNumber: 9709 },
    });
  });

  it('seats of a subscription, and who has them', () => {
    const { notification: count, ...counted } = notifications.subscriptionCount;
    expect(read(notifications.subscriptionCount)).toEqual({ ...counted, subscription: count });
    const { notification, ...rest } = notifications.subscription;
    const { result, ...content } = notification;
    expect(read(notifications.subscription)).toEqual({ ...rest, ...content, success: true });
  });
});

it('the course of setting up and assigning content', async () => {
  const { client, left } = playing(course);
  const [, config, creation, , , association] = course;
  expect(await client.limits()).toEqual({
    maxAssets: 25,
    maxClientUserIds: 1000,
    maxSerialNumbers: 1000,
    maxRevokeClientUserIds: 100,
    maxRevokeSerialNumbers: 100,
    maxUsers: 100,
    maxSubscriptions: 25,
    maxSubscriptionClientUserIds: 1000,
  });
  const change = config!.body as Parameters<AppsClient['setClientConfig']>[0];
  expect(await client.setClientConfig(change)).toEqual({
    uId: '2049025000431439',
    mdmInfo: change.mdmInfo,
    notificationUrl: change.notificationUrl,
    subscribedNotificationTypes: change.notificationTypes,
  });

  const { users } = creation!.body as { users: Parameters<AppsClient['createUsers']>[0] };
  const [made] = await all(client.createUsers(users));
  expect(await client.finished(made!)).toMatchObject({ eventStatus: 'COMPLETE', eventType: 'CREATE' });
  const user = userMade.notification.users[0]!;
  expect(read(userMade)).toMatchObject({ eventId: made, success: true, users: [user] });
  expect(await all(client.users({ clientUserId: 'user-1' }))).toMatchObject([{ items: [user] }]);

  const [assigned] = await all(client.associate(association!.body as Parameters<AppsClient['associate']>[0]));
  expect(await client.finished(assigned!)).toMatchObject({ eventStatus: 'COMPLETE', numCompleted: 1, failures: [] });
  expect(await all(client.assignments({ adamId: '361309726', clientUserId: 'user-1' }))).toMatchObject([
    { items: [{ adamId: '361309726', clientUserId: 'user-1', pricingParam: 'STDQ' }] },
  ]);
  expect(left).toEqual([]);
});
