// Apps and Books: content tokens, limits, lists, events, another server on the location, notifications.
import { createSimulatedAppsService, type SimulatedAppsOptions } from '@espalier/simulator';
import { describe, expect, it } from 'vitest';
import {
  type AppsClientOptions,
  type AppsNotification,
  appsErrors,
  contentTokenState,
  createAppsClient,
  effectiveLicence,
  isAdeError,
  readAppsNotification,
  readContentToken,
} from '../src/index.ts';
import { all, movingClock } from './apple.ts';
import { codeOf, clock as fixed } from './support.ts';

function setting(options: Partial<SimulatedAppsOptions> = {}, more: Partial<AppsClientOptions> = {}) {
  const clock = movingClock();
  const apple = createSimulatedAppsService({ clock, ...options });
  const waits: number[] = [];
  const client = createAppsClient({
    token: readContentToken(apple.contentToken),
    clock,
    fetch: apple.fetch,
    random: () => 0.5,
    async sleep(ms) {
      waits.push(ms);
      clock.move(ms);
    },
    ...more,
  });
  const run = async (events: AsyncIterable<string>) => {
    const outcomes = [];
    for await (const id of events) outcomes.push(await client.finished(id));
    return outcomes;
  };
  return { apple, client, clock, waits, run };
}

const ids = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

describe('a content token', () => {
  it('is read as Apple’s example is', () => {
    const example =
      'ewogICAgInRva2VuIjogIlZGZHdRbVZWTVZSUldGSktVbGRTTlZkc1pHcGpNR3hIVTI1Q2FrMXRhRzlhUjJ3eldqRkdkVk50ZUd0VFJrWjZVMVZhVDJGSFRuUlNiVGxOVVRCS1ExcEdhRTlOUjBaWVRrUXdQUT09IiwKICAgICJleHBEYXRlIjogIjIwMzAtMTEtMDhUMjI6MzM6MjIrMDAwMCIsCiAgICAib3JnTmFtZSI6ICJPUkcxMjM0NSIKfQ==';
    const token = readContentToken(`\n${example}\n`);
    expect(token).toEqual({ sToken: example, expires: new Date('2030-11-08T22:33:22Z'), orgName: 'ORG12345' });
    expect(contentTokenState(token, fixed)).toBe('valid');
    expect(contentTokenState({ expires: new Date(fixed.now() + 86_400_000) }, fixed)).toBe('expiring');
    expect(contentTokenState({ expires: new Date(fixed.now()) }, fixed)).toBe('expired');
  });

  it('is told from what is none', () => {
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
    const good = { token: 't', expDate: '2030-11-08T22:33:22+0000', orgName: 'o' };
    for (const text of ['', 'hello', '<html>', encode([1]), encode('x'), `${encode(good)}!`]) {
      expect(
        codeOf(() => readContentToken(text)),
        text,
      ).toBe('ade.content_token.invalid');
    }
    for (const key of Object.keys(good)) {
      expect(codeOf(() => readContentToken(encode({ ...good, [key]: undefined })), 'at')).toEqual({ path: key });
    }
    expect(codeOf(() => readContentToken(encode({ ...good, expDate: 'soon' })))).toBe('ade.content_token.field');
    expect(codeOf(() => readContentToken('A'.repeat(1025)))).toBe('ade.content_token.too_large');
  });

  it('that has expired or was revoked is said so', async () => {
    const { apple, client, clock } = setting();
    apple.revoked = true;
    await expect(client.clientConfig()).rejects.toMatchObject({
      code: 'ade.apps.token_revoked',
      kind: 'unauthenticated',
    });
    clock.move(366 * 86_400_000);
    const before = apple.counters.get('GET /mdm/v2/client/config');
    await expect(client.clientConfig()).rejects.toMatchObject({ code: 'ade.apps.token_expired' });
    expect(apple.counters.get('GET /mdm/v2/client/config')).toBe(before);
  });
});

describe('licences', () => {
  it('are by user in a User Enrolment, by device on a Shared iPad', () => {
    expect(effectiveLicence({ userEnrolment: true }, 'device')).toBe('user');
    expect(effectiveLicence({ sharedIpad: true }, 'user')).toBe('device');
    expect(effectiveLicence({}, 'user')).toBe('user');
    expect(effectiveLicence({ userEnrolment: false }, 'device')).toBe('device');
  });
});

describe('lists', () => {
  it('come in pages, with the first page’s version', async () => {
    const { client, run } = setting({ pageSize: 40, assets: [{ adamId: '1', totalCount: 500 }] });
    const [asset] = (await all(client.assets())).flatMap((page) => page.items);
    expect(asset).toMatchObject({
      adamId: '1',
      pricingParam: 'STDQ',
      totalCount: 500,
      availableCount: 500,
      revocable: true,
    });
    await run(client.associate({ assets: [{ adamId: '1' }], serialNumbers: ids('S', 100) }));
    const pages = await all(client.assignments());
    expect(pages.map((page) => page.items.length)).toEqual([40, 40, 20]);
    expect(new Set(pages.map((page) => page.versionId)).size).toBe(1);
    expect(pages[0]!.totalPages).toBe(3);
    const since = pages[0]!.versionId!;
    expect((await all(client.assignments({ sinceVersionId: since }))).flatMap((page) => page.items)).toEqual([]);
    await run(client.associate({ assets: [{ adamId: '1' }], serialNumbers: ['NEW'] }));
    expect((await all(client.assignments({ sinceVersionId: since }))).flatMap((page) => page.items)).toEqual([
      { adamId: '1', pricingParam: 'STDQ', serialNumber: 'NEW' },
    ]);
    expect((await all(client.assignments({ serialNumber: 'S7' }))).flatMap((page) => page.items)).toHaveLength(1);
    await expect(all(client.assignments({ sinceVersionId: 'x' }))).rejects.toMatchObject({
      code: 'ade.apps.version_id',
    });
    expect((await all(client.assets({ productType: 'Book' }))).flatMap((page) => page.items)).toEqual([]);
  });

  it('that change while they are read keep the version of their beginning', async () => {
    const { apple, client } = setting();
    apple.respond(({ number }) =>
      Response.json({ users: [], versionId: `v-${number}`, ...(number < 3 && { nextPageIndex: number }) }),
    );
    expect((await all(client.users())).map((page) => page.versionId)).toEqual(['v-1', 'v-1', 'v-1']);
  });

  it('do not go round for ever', async () => {
    const { apple, client } = setting();
    apple.respond(() => Response.json({ assets: [], nextPageIndex: 0 }));
    await expect(all(client.assets())).rejects.toMatchObject({ code: 'ade.apps.page_loop' });
  });
});

describe('assignments', () => {
  it('know the limits, and ask for them every five minutes', async () => {
    const { apple, client, clock } = setting({ limits: { maxAssets: 7 } });
    const asked = () => apple.counters.get('GET /mdm/v2/service/config');
    expect(await client.limits()).toMatchObject({ maxAssets: 7, maxSerialNumbers: 1000 });
    clock.move(299_000);
    await client.limits();
    expect(asked()).toBe(1);
    clock.move(2_000);
    await client.limits();
    expect(asked()).toBe(2);
    apple.respond(() => Response.json({ limits: { maxAssets: 0, maxUsers: 'many' } }));
    clock.move(300_000);
    expect(await client.limits()).toMatchObject({ maxAssets: 25, maxUsers: 100 });
  });

  it('are split within the service’s limits, and awaited', async () => {
    const { apple, client, run, waits } = setting({
      limits: { maxAssets: 2, maxSerialNumbers: 10, maxClientUserIds: 5 },
      assets: ['1', '2', '3'].map((adamId) => ({ adamId, totalCount: 100 })),
    });
    await run(
      client.createUsers(ids('u', 12).map((clientUserId) => ({ clientUserId, email: `${clientUserId}@example.com` }))),
    );
    waits.length = 0;
    const assets = ['1', '2', '3', '1'].map((adamId) => ({ adamId }));
    const outcomes = await run(
      client.associate({ assets, serialNumbers: [...ids('S', 25), 'S0'], clientUserIds: ids('u', 12) }),
    );
    // Two parts of assets, each for three parts of users and three of devices.
    expect(outcomes).toHaveLength(12);
    expect(outcomes.every((event) => event.eventStatus === 'COMPLETE')).toBe(true);
    expect(waits.every((ms) => ms === 30_000)).toBe(true);
    expect((await all(client.assignments())).flatMap((page) => page.items)).toHaveLength(3 * (25 + 12));
    expect(apple.counters.get('GET /mdm/v2/service/config')).toBeGreaterThan(0);
    expect((await run(client.revoke({ serialNumbers: ids('S', 25) }))).map((event) => event.eventType)).toEqual([
      'REVOKE',
    ]);
    expect((await all(client.assignments())).flatMap((page) => page.items)).toHaveLength(3 * 12);
    await run(client.disassociate({ assets: [{ adamId: '1' }], clientUserIds: ids('u', 12) }));
    expect((await all(client.assignments())).flatMap((page) => page.items)).toHaveLength(2 * 12);
  });

  it('that fail say for whom and why', async () => {
    const { client, run } = setting({ assets: [{ adamId: '1', totalCount: 3 }] });
    const [event] = await run(client.associate({ assets: [{ adamId: '1' }], serialNumbers: ids('S', 5) }));
    expect(event).toMatchObject({
      eventStatus: 'FAILED',
      numRequested: 5,
      numCompleted: 3,
      failures: [{ code: 'ade.apps.not_enough', errorNumber: 9709, serialNumbers: ['S3', 'S4'], clientUserIds: [] }],
    });
    const [unknown] = await run(client.associate({ assets: [{ adamId: '1' }], clientUserIds: ['nobody'] }));
    expect(unknown!.failures).toMatchObject([{ code: 'ade.apps.user_not_found', clientUserIds: ['nobody'] }]);
  });

  it('that cannot be are refused at once', async () => {
    const { client, run } = setting();
    const refused = (events: AsyncIterable<string>) =>
      run(events).catch((error: unknown) => isAdeError(error) && error.code);
    expect(await refused(client.associate({ assets: [{ adamId: '490152466' }], serialNumbers: ['S'] }))).toBe(
      'ade.apps.not_device_assignable',
    );
    expect(await refused(client.disassociate({ assets: [{ adamId: '490152466' }], clientUserIds: ['u'] }))).toBe(
      'ade.apps.not_revocable',
    );
    expect(await refused(client.associate({ assets: [{ adamId: '7' }], serialNumbers: ['S'] }))).toBe(
      'ade.apps.invalid_argument',
    );
    expect(await run(client.associate({ assets: [], serialNumbers: ['S'] }))).toEqual([]);
    await expect(client.event('nothing')).rejects.toMatchObject({ code: 'ade.apps.event_not_found' });
  });

  it('are given up after ten minutes', async () => {
    const { client, waits } = setting({ eventMs: 3_600_000 });
    const [id] = await all(client.associate({ assets: [{ adamId: '361309726' }], serialNumbers: ['S'] }));
    await expect(client.finished(id!)).rejects.toMatchObject({ code: 'ade.apps.event_timeout', kind: 'unavailable' });
    expect(waits).toHaveLength(20);
  });
});

describe('users', () => {
  it('are registered, changed, associated and retired', async () => {
    const { apple, client, run } = setting();
    await run(
      client.createUsers([
        { clientUserId: 'a', email: 'a@example.com' },
        { clientUserId: 'b', managedAppleId: 'b@example.com' },
      ]),
    );
    const users = async (query = {}) => (await all(client.users(query))).flatMap((page) => page.items);
    expect(await users()).toMatchObject([
      { clientUserId: 'a', status: 'Registered', inviteCode: expect.any(String) },
      { clientUserId: 'b', status: 'Associated', managedAppleId: 'b@example.com', idHash: expect.any(String) },
    ]);
    await apple.accept('a');
    await run(client.updateUsers([{ clientUserId: 'a', email: 'new@example.com' }]));
    expect(await users({ clientUserId: 'a' })).toMatchObject([{ status: 'Associated', email: 'new@example.com' }]);
    await run(client.retireUsers(['b']));
    expect(await users({ activeOnly: true })).toHaveLength(1);
    expect(await users({ retiredOnly: true })).toMatchObject([{ clientUserId: 'b', status: 'Retired' }]);
    const [twice] = await run(client.createUsers([{ clientUserId: 'a' }]));
    expect(twice!.failures).toMatchObject([{ code: 'ade.apps.user_exists', clientUserIds: ['a'] }]);
    await expect(run(client.createUsers([{ clientUserId: 'c', email: 'none' }]))).rejects.toMatchObject({
      code: 'ade.apps.email',
    });
  });
});

describe('the location', () => {
  const mine = { id: 'server-1', name: 'Espalier', metadata: '1.0' };

  it('belongs to one server: another is noticed', async () => {
    const { apple, client } = setting({}, { mdmId: mine.id });
    expect(await client.claim(mine)).toMatchObject({ mdmInfo: mine, locationName: 'West Coast' });
    await client.claim(mine);
    await all(client.assets());
    apple.takeOver({ id: 'server-2', name: 'Other', metadata: '' });
    await expect(all(client.assets())).rejects.toMatchObject({ code: 'ade.apps.other_mdm', kind: 'conflict' });
    await expect(client.claim(mine)).rejects.toMatchObject({ code: 'ade.apps.other_mdm' });
    await client.claim(mine, { takeOver: true });
    await all(client.assets());
  });

  it('has settings with bounds', async () => {
    const { client } = setting();
    const code = (change: Parameters<typeof client.setClientConfig>[0]) =>
      client.setClientConfig(change).catch((error: unknown) => isAdeError(error) && error.code);
    expect(await code({ mdmInfo: { ...mine, id: 'x'.repeat(101) } })).toBe('ade.apps.mdm_id_length');
    expect(await code({ mdmInfo: { ...mine, name: 'x'.repeat(101) } })).toBe('ade.apps.mdm_name_length');
    expect(await code({ mdmInfo: { ...mine, metadata: 'x'.repeat(256) } })).toBe('ade.apps.mdm_metadata_length');
    expect(await code({ notificationUrl: 'https://a.example' })).toBe('ade.apps.notification_incomplete');
    expect(await code({ notificationUrl: 'http://a.example', notificationAuthToken: 't' })).toBe(
      'ade.apps.notification_url',
    );
    expect(await code({ notificationUrl: 'https://a.example', notificationAuthToken: 't' })).toBe(
      'ade.apps.notification_unreachable',
    );
    expect(await code({ notificationUrl: 'https://a.example', notificationAuthToken: 'x'.repeat(513) })).toBe(
      'ade.apps.notification_length',
    );
  });
});

describe('notifications', () => {
  it('arrive, are authenticated and read', async () => {
    const heard: AppsNotification[] = [];
    const { apple, client, clock } = setting({
      assets: [{ adamId: '1', totalCount: 150 }],
      async notify(request) {
        heard.push(readAppsNotification(await request.text(), request.headers.get('authorization'), 'secret'));
        return new Response(null, { status: 204 });
      },
    });
    await client.setClientConfig({
      notificationUrl: 'https://mdm.example.com/apps',
      notificationAuthToken: 'secret',
      notificationTypes: ['ASSET_MANAGEMENT', 'USER_MANAGEMENT', 'USER_ASSOCIATED', 'ASSET_COUNT'],
    });
    await all(client.createUsers([{ clientUserId: 'a' }]));
    const [id] = await all(client.associate({ assets: [{ adamId: '1' }], serialNumbers: ids('S', 160) }));
    clock.move(10_000);
    await apple.settle();
    await apple.accept('a');
    await apple.buy('1', 5);
    expect(heard.map((item) => item.notificationType)).toEqual([
      'TEST_NOTIFICATION',
      'USER_MANAGEMENT',
      'ASSET_MANAGEMENT',
      'ASSET_MANAGEMENT',
      'ASSET_MANAGEMENT',
      'USER_ASSOCIATED',
      'ASSET_COUNT',
    ]);
    expect(heard[1]).toMatchObject({
      type: 'CREATE',
      success: true,
      users: [{ clientUserId: 'a', status: 'Registered' }],
    });
    expect(heard[2]).toMatchObject({ eventId: id, type: 'ASSOCIATE', success: true });
    expect(heard.slice(2, 4).map((item) => 'assignments' in item && item.assignments.length)).toEqual([100, 50]);
    expect(heard[4]).toMatchObject({ success: false, failure: { code: 'ade.apps.not_enough', errorNumber: 9709 } });
    expect(heard[5]).toMatchObject({ users: [{ clientUserId: 'a', status: 'Associated' }] });
    expect(heard[6]).toMatchObject({ adamId: '1', countDelta: 5 });
  });

  it('without the right token, or broken, are refused; unknown ones are not', () => {
    const body = (value: object): string => JSON.stringify({ notificationId: 'n', uId: 'u', ...value });
    const code = (text: string, header: string | null = 'Bearer secret') =>
      codeOf(() => readAppsNotification(text, header, 'secret'));
    const test = body({ notificationType: 'TEST_NOTIFICATION' });
    for (const header of [null, '', 'Bearer', 'Bearer wrong', 'Basic secret', 'Bearer secret2']) {
      expect(code(test, header)).toBe('ade.notification.unauthenticated');
    }
    for (const text of ['', '[]', 'null', '{}', body({}), body({ notificationType: 'ASSET_COUNT' })]) {
      expect(code(text)).toBe('ade.notification.invalid');
    }
    expect(code(body({ notificationType: 'ASSET_MANAGEMENT', notification: {} }))).toBe('ade.notification.invalid');
    expect(code('x'.repeat(300_000))).toBe('ade.notification.too_large');
    expect(readAppsNotification(body({ notificationType: 'SOMETHING_NEW' }), 'bearer secret', 'secret')).toEqual({
      notificationId: 'n',
      uId: 'u',
      notificationType: 'OTHER',
      type: 'SOMETHING_NEW',
    });
  });
});

describe('errors', () => {
  it('come of a service that refuses everything, and of asking too often', async () => {
    const { apple, client } = setting({}, { retry: { attempts: 1 } });
    for (const [number, name] of [
      [9603, 'internal'],
      [9634, 'service_removed'],
      [9637, 'facilitator'],
      [9647, 'legacy_token'],
      [9729, 'unavailable'],
    ] as const) {
      apple.refusal = number;
      await expect(client.clientConfig()).rejects.toMatchObject({ code: `ade.apps.${name}` });
    }
    const hasty = setting({ requestsPerSecond: 2 });
    for (let time = 0; time < 3; time++) await hasty.client.clientConfig();
    expect(hasty.waits).toEqual([1000]);
  });

  it('come of maintenance', async () => {
    const { apple, client, run } = setting();
    apple.maintenance = true;
    const [outcome] = await run(client.createUsers([{ clientUserId: 'a' }]));
    expect(outcome).toMatchObject({ eventStatus: 'FAILED', failures: [{ code: 'ade.apps.maintenance' }] });
  });

  it('come of an Apple Account that another user or organisation has', async () => {
    const { client, run } = setting({ accountDomains: ['example.com'] });
    const foreign = [{ clientUserId: 'c', managedAppleId: 'grace@other.example' }];
    const [refused] = await run(client.createUsers(foreign));
    expect(refused!.failures).toMatchObject([{ code: 'ade.apps.account_association', clientUserIds: ['c'] }]);
    const managedAppleId = 'ada@example.com';
    const [first] = await run(client.createUsers([{ clientUserId: 'a', managedAppleId }, { clientUserId: 'b' }]));
    expect(first).toMatchObject({ eventStatus: 'COMPLETE' });
    const [second] = await run(client.updateUsers([{ clientUserId: 'b', managedAppleId }]));
    expect(second!.failures).toMatchObject([{ code: 'ade.apps.account_taken', clientUserIds: ['b'] }]);
    await run(client.retireUsers(['a']));
    expect(await run(client.updateUsers([{ clientUserId: 'b', managedAppleId }]))).toMatchObject([
      { eventStatus: 'COMPLETE' },
    ]);
  });

  it('have a code for each number that Apple documents, with any status', async () => {
    const { apple, client } = setting({}, { retry: { attempts: 1 } });
    for (const [number, facts] of Object.entries(appsErrors)) {
      for (const status of [facts.status || 400, 200]) {
        apple.respond(() => Response.json({ errorNumber: Number(number), errorMessage: 'secret' }, { status }));
        const error = await client.clientConfig().catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({
          code: `ade.apps.${facts.name}`,
          kind: facts.kind,
          apple: { code: number, status },
        });
        expect(String(error)).not.toContain('secret');
      }
    }
    const names = Object.values(appsErrors).map((facts) => facts.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('that nobody knows are told, and passing ones waited for', async () => {
    const { apple, client, waits } = setting();
    apple.respond(() => Response.json({ errorNumber: 9999 }, { status: 400 }));
    await expect(client.clientConfig()).rejects.toMatchObject({
      code: 'ade.apps.unknown',
      kind: 'invalid',
      apple: { code: '9999' },
    });
    apple.respond(() => new Response('<html>', { status: 403 }));
    await expect(client.clientConfig()).rejects.toMatchObject({ code: 'ade.apps.unknown', kind: 'forbidden' });
    apple.respond(() => Response.json({ nothing: 1 }));
    await expect(client.event('x')).rejects.toMatchObject({ code: 'ade.http.answer', at: { path: 'eventStatus' } });
    waits.length = 0;
    let left = 2;
    apple.respond(() =>
      left-- > 0 ? Response.json({ errorNumber: 9646 }, { status: 429, headers: { 'Retry-After': '10' } }) : undefined,
    );
    await client.clientConfig();
    expect(waits).toEqual([10_000, 10_000]);
  });
});
