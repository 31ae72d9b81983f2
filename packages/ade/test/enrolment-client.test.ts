// The device enrolment client with the simulated service: every endpoint, sessions, limits, throttling.
import { describe, expect, it } from 'vitest';
import { checkRenewal, createEnrolmentClient, escrowKeyOf, openServerToken } from '../src/index.ts';
import { all, keyPair, setting } from './apple.ts';
import { codeOf } from './support.ts';

const profile = { profile_name: 'Office', url: 'https://mdm.example.com/enrol' };

describe('sessions', () => {
  it('start once for many requests, and take the renewed token from answers', async () => {
    const { apple, client } = await setting({ count: 5, sessionRequests: 3 });
    await Promise.all([client.account(), client.account(), client.betaTokens()]);
    for (let call = 0; call < 20; call++) await client.account();
    expect(apple.counters.get('GET /session')).toBe(1);
  });

  it('start again when Apple ended them: 401 after a pause, 403 after a restart', async () => {
    const { apple, client, clock } = await setting();
    await client.account();
    clock.move(200_000);
    await client.account();
    expect(apple.counters.get('GET /session')).toBe(2);
    apple.endSessions();
    await Promise.all([client.account(), client.account(), client.account()]);
    expect(apple.counters.get('GET /session')).toBe(3);
  });

  it('are not started again without end', async () => {
    const { apple, client } = await setting();
    apple.respond(() => new Response('UNAUTHORIZED', { status: 401 }));
    await expect(client.account()).rejects.toMatchObject({
      code: 'ade.enrolment.unauthorized',
      kind: 'unauthenticated',
      apple: { service: 'device-enrolment', status: 401, code: 'UNAUTHORIZED' },
    });
    expect(apple.counters.get('GET /session')).toBe(2);
    expect(apple.counters.get('GET /account')).toBe(2);
  });

  it('end with a newer server token, and before its expiry no request goes out', async () => {
    const { apple, client, clock, token } = await setting();
    await client.account();
    apple.downloadToken((await keyPair()).certificate);
    await expect(client.account()).rejects.toMatchObject({ code: 'ade.enrolment.unauthorized' });
    clock.move(token.accessTokenExpiry.getTime() - clock.now());
    const before = apple.counters.get('GET /session');
    await expect(client.account()).rejects.toMatchObject({ code: 'ade.token.expired', kind: 'unauthenticated' });
    expect(apple.counters.get('GET /session')).toBe(before);
  });

  it('tell terms that are not signed, and a server that is closed, from a session that ended', async () => {
    const { apple, client } = await setting();
    await client.account();
    apple.termsSigned = false;
    await expect(client.account()).rejects.toMatchObject({ code: 'ade.enrolment.t_c_not_signed', kind: 'forbidden' });
    apple.endSessions();
    await expect(client.account()).rejects.toMatchObject({ code: 'ade.enrolment.t_c_not_signed' });
    apple.termsSigned = true;
    apple.accessAllowed = false;
    await expect(client.account()).rejects.toMatchObject({ code: 'ade.enrolment.access_denied' });
    apple.accessAllowed = true;
    await client.account();
  });

  it('need the right clock and a User-Agent', async () => {
    const { clock, another } = await setting();
    const wrong = { now: () => clock.now() - 3_600_000 };
    await expect(another({ clock: wrong }).account()).rejects.toMatchObject({ code: 'ade.enrolment.unauthorized' });
    await expect(another({ userAgent: '' }).account()).rejects.toMatchObject({
      code: 'ade.enrolment.user_agent_missing',
    });
    await expect(another({ userAgent: 'x'.repeat(300) }).account()).rejects.toMatchObject({
      code: 'ade.enrolment.user_agent_invalid',
    });
  });
});

describe('several accounts', () => {
  it('with one key pair are apart: sessions, devices, tokens', async () => {
    const first = await setting({ count: 3, seed: 'one', serverName: 'One' });
    const second = await setting({ count: 2, seed: 'two', serverName: 'Two' });
    const names = [await first.client.account(), await second.client.account()].map((account) => account.server_name);
    expect(names).toEqual(['One', 'Two']);
    const [[one], [two]] = [await all(first.client.sync()), await all(second.client.sync())];
    expect([one!.devices.length, two!.devices.length]).toEqual([3, 2]);
    // A token of the one is nothing to the other.
    await expect(second.another({ token: first.token }).account()).rejects.toMatchObject({
      code: 'ade.enrolment.unauthorized',
    });
    const [present, other] = [
      { token: first.token, account: await first.client.account() },
      { token: second.token, account: await second.client.account() },
    ];
    checkRenewal(present, { ...present }, first.clock);
    expect(codeOf(() => checkRenewal(present, other, first.clock))).toBe('ade.token.wrong_account');
    // The token of the same server, downloaded again, takes its place.
    const pair = await keyPair();
    first.clock.move(86_400_000);
    const renewed = openServerToken(first.apple.downloadToken(pair.certificate), pair);
    checkRenewal(present, { token: renewed }, first.clock);
    const account = await first.another({ token: renewed }).account();
    checkRenewal(present, { token: renewed, account }, first.clock);
  });
});

describe('waiting', () => {
  it('follows Retry-After for 429 and 503, and backs off without it', async () => {
    const { apple, client, waits } = await setting();
    apple.respond(({ number }) =>
      number === 1
        ? new Response('', { status: 429, headers: { 'Retry-After': '30' } })
        : number === 2
          ? new Response('', {
              status: 503,
              headers: { 'Retry-After': new Date(Date.UTC(2026, 2, 1, 0, 2)).toUTCString() },
            })
          : number <= 4
            ? new Response('', { status: 502 })
            : undefined,
    );
    expect((await client.account()).org_name).toBe('Example Ltd');
    expect(waits).toEqual([30_000, 90_000, 3_000, 6_000]);
  });

  it('gives up after the attempts, and at once when Apple asks for too long', async () => {
    const { apple, client, waits, another } = await setting();
    apple.respond(() => new Response('', { status: 503 }));
    await expect(client.account()).rejects.toMatchObject({ code: 'ade.enrolment.unavailable', kind: 'unavailable' });
    expect(waits).toHaveLength(4);
    apple.respond(() => new Response('', { status: 429, headers: { 'Retry-After': '7200' } }));
    await expect(client.account()).rejects.toMatchObject({
      code: 'ade.enrolment.throttled',
      apple: { retryAfterMs: 7_200_000 },
    });
    expect(waits).toHaveLength(4);
    await expect(another({ retry: { attempts: 1 } }).account()).rejects.toMatchObject({
      code: 'ade.enrolment.throttled',
    });
  });

  it('tries again when there is no answer, but defines no profile twice', async () => {
    const { apple, another, waits } = await setting();
    let failures = 2;
    const client = another({
      async fetch(request) {
        if (!request.url.endsWith('/session') && failures-- > 0) throw new TypeError('fetch failed');
        return apple.fetch(request);
      },
    });
    await client.account();
    expect(waits).toHaveLength(2);
    failures = 1;
    await expect(client.defineProfile(profile)).rejects.toMatchObject({ code: 'ade.http.unreachable' });
    failures = 99;
    await expect(client.account()).rejects.toMatchObject({ code: 'ade.http.unreachable', kind: 'unavailable' });
  });

  it('ends with the signal', async () => {
    const stop = new AbortController();
    const { apple, token, clock } = await setting();
    apple.respond(() => new Response('', { status: 503, headers: { 'Retry-After': '60' } }));
    const client = createEnrolmentClient({ token, clock, fetch: apple.fetch, signal: stop.signal });
    const call = client.account();
    const failed = expect(call).rejects.toThrow('enough');
    await new Promise((resolve) => setImmediate(resolve));
    stop.abort(new Error('enough'));
    await failed;
  });
});

describe('answers that are not what they should be', () => {
  it('are refused, without their content', async () => {
    const { apple, client } = await setting();
    const answers = ['<html>secret</html>', '[1]', '', 'null', '"secret"'];
    for (const body of answers) {
      apple.respond(() => new Response(body, { status: 200 }));
      const error = await client.account().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'ade.http.answer', kind: 'unavailable' });
      expect(String(error)).not.toContain('secret');
    }
    apple.respond(() => new Response('', { status: 302, headers: { Location: 'https://elsewhere.example' } }));
    await expect(client.account()).rejects.toMatchObject({ code: 'ade.enrolment.unexpected' });
    const endless = (): Response =>
      new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(4 * 1024 * 1024)) }), {
        status: 200,
      });
    apple.respond(endless);
    await expect(client.account()).rejects.toMatchObject({ code: 'ade.http.answer_too_large' });
  });

  it('with a key named __proto__ change nothing', async () => {
    const { apple, client } = await setting();
    apple.respond(() => new Response('{"org_name":"A","__proto__":{"polluted":true},"urls":[{"__proto__":1}]}'));
    expect(await client.account()).toEqual({ org_name: 'A', urls: [] });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('endpoints', () => {
  it('tell of the account', async () => {
    const { client } = await setting({ serverName: 'Berlin', organisationType: 'edu' });
    const account = await client.account();
    expect(account).toMatchObject({ server_name: 'Berlin', org_type: 'edu', admin_id: 'admin@example.com' });
    expect(account.server_uuid).toMatch(/^[0-9A-F-]{36}$/);
    expect(account.urls.find((url) => url.uri === '/profile/devices')?.limit).toEqual({ default: 100, maximum: 1000 });
  });

  it('define, read, assign and remove profiles, in batches', async () => {
    const { apple, client } = await setting({ count: 2500 });
    const serials = Array.from({ length: 2500 }, (_, index) => apple.organisation.device(index).serialNumber);
    const { profileUuid, devices } = await client.defineProfile({ ...profile, devices: [serials[0]!, 'STRANGER'] });
    expect([...devices.outcomes]).toEqual([
      [serials[0], 'SUCCESS'],
      ['STRANGER', 'NOT_ACCESSIBLE'],
    ]);
    expect(await client.profile(profileUuid)).toMatchObject({ ...profile, profile_uuid: profileUuid });
    expect(await client.profile('nobody')).toBeUndefined();
    const batches = await all(client.assignProfile(profileUuid, serials));
    expect(batches.map((batch) => batch.outcomes.size)).toEqual([1000, 1000, 500]);
    expect(new Set(batches.flatMap((batch) => [...batch.outcomes.values()]))).toEqual(new Set(['SUCCESS']));
    expect(apple.look(serials[2499]!)).toMatchObject({ status: 'assigned', profileUuid });
    await all(client.removeProfile(serials.slice(0, 3)));
    expect(apple.look(serials[0]!)).toMatchObject({ status: 'removed' });
    await expect(all(client.assignProfile('nobody', serials.slice(0, 1)))).rejects.toMatchObject({
      code: 'ade.enrolment.profile_not_found',
      kind: 'not-found',
    });
  });

  it('follow the limits that the account names', async () => {
    const { apple, client } = await setting({ count: 100, maxPage: 40 });
    const serials = Array.from({ length: 100 }, (_, index) => apple.organisation.device(index).serialNumber);
    await client.account();
    expect((await all(client.details(serials))).map((found) => found.size)).toEqual([40, 40, 20]);
  });

  it('tell which devices are throttled, and for how long', async () => {
    const { apple, client, clock } = await setting({ count: 2, throttleAssignmentMs: 60_000 });
    const serials = [0, 1].map((number) => apple.organisation.device(number).serialNumber);
    const { profileUuid } = await client.defineProfile({ ...profile, devices: [serials[0]!] });
    const [batch] = await all(client.assignProfile(profileUuid, serials));
    expect([...batch!.outcomes.values()]).toEqual(['THROTTLED', 'SUCCESS']);
    expect(batch!.retryAfterMs).toBe(60_000);
    clock.move(60_000);
    expect([...(await all(client.assignProfile(profileUuid, serials)))[0]!.outcomes.values()]).toEqual([
      'SUCCESS',
      'SUCCESS',
    ]);
  });

  it('give details of devices, also of those that are not there', async () => {
    const { apple, client } = await setting({ devices: [{ serialNumber: 'GIVEN1', kind: 'iPad' }] });
    const [found] = await all(client.details(['GIVEN1', 'STRANGER']));
    expect(found!.get('GIVEN1')).toMatchObject({
      serial_number: 'GIVEN1',
      device_family: 'iPad',
      os: 'iPadOS',
      profile_status: 'empty',
      response_status: 'SUCCESS',
    });
    expect(found!.get('STRANGER')).toEqual({ serial_number: 'STRANGER', response_status: 'NOT_ACCESSIBLE' });
    expect(apple.counters.get('POST /devices')).toBe(1);
    expect(await all(client.details([]))).toEqual([]);
  });

  it('speak the protocol version that is asked for', async () => {
    const { another } = await setting({ devices: [{ serialNumber: 'GIVEN1', kind: 'iPad' }] });
    const device = async (protocolVersion: number) =>
      (await all(another({ protocolVersion }).details(['GIVEN1'])))[0]!.get('GIVEN1')!;
    expect(await device(1)).not.toHaveProperty('os');
    expect((await device(3)).os).toBe('iOS');
    expect((await device(7)).os).toBe('iPadOS');
    expect(await device(9)).not.toHaveProperty('wifi_mac_address');
    expect((await device(10)).wifi_mac_address).toMatch(/^([0-9A-F]{2}:){5}/);
  });

  it('release devices only where that was allowed and confirmed', async () => {
    const { apple, client, another } = await setting({ count: 2 });
    const serial = apple.organisation.device(0).serialNumber;
    expect(codeOf(() => client.disown([serial], { irreversible: true }))).toBe('ade.disown.not_allowed');
    const bold = another({ allowDisown: true });
    expect(codeOf(() => bold.disown([serial], {} as { irreversible: true }))).toBe('ade.disown.unconfirmed');
    const [batch] = await all(bold.disown([serial, 'STRANGER'], { irreversible: true }));
    expect([...batch!.outcomes.values()]).toEqual(['SUCCESS', 'NOT_ACCESSIBLE']);
    expect(apple.look(serial)).toBeUndefined();
  });

  it('lock devices to the organisation', async () => {
    const { client } = await setting({
      devices: [
        { serialNumber: 'PHONE', kind: 'iPhone' },
        { serialNumber: 'TV', kind: 'AppleTV' },
      ],
    });
    const escrow_key = await escrowKeyOf('3UM43-PUYVY-QYD1-UVCC-HEHJ-FKA4');
    const lock = (device: string) => client.activationLock({ device, escrow_key, lost_message: 'Call us' });
    expect(await lock('PHONE')).toBe('SUCCESS');
    expect(await lock('PHONE')).toBe('DEVICE_ALREADY_LOCKED');
    expect(await lock('TV')).toBe('DEVICE_NOT_SUPPORTED');
    expect(await lock('STRANGER')).toBe('NOT_ACCESSIBLE');
    await expect(client.activationLock({ device: 'PHONE', escrow_key: 'short' })).rejects.toMatchObject({
      code: 'ade.enrolment.malformed_request_body',
    });
  });

  it('know replacements', async () => {
    const { apple, client } = await setting({
      devices: [
        { serialNumber: 'OLD', kind: 'Mac' },
        { serialNumber: 'NEW', kind: 'Mac' },
      ],
    });
    apple.replace('OLD', 'NEW');
    expect(await client.replacement('NEW')).toEqual({
      serial_number: 'NEW',
      original_device_serial_number: 'OLD',
      replacement_date: '2026-03-01',
    });
    expect(await client.replacement('OLD')).toBeUndefined();
    await expect(client.replacement('')).rejects.toMatchObject({ code: 'ade.enrolment.device_id_required' });
  });

  it('list beta programmes', async () => {
    const { apple, client } = await setting();
    expect((await client.betaTokens()).map((token) => token.os)).toEqual(['iOS', 'OSX', 'tvOS']);
    apple.seedForIt = false;
    await expect(client.betaTokens()).rejects.toMatchObject({ code: 'ade.enrolment.apple_seed_for_it_turned_off' });
  });

  it('set, read and remove the discovery URL', async () => {
    const { apple, client } = await setting();
    expect(await client.serviceDiscovery()).toBeUndefined();
    const url = 'https://mdm.example.com/.well-known/com.apple.remotemanagement';
    await client.setServiceDiscovery(url);
    expect(await client.serviceDiscovery()).toEqual({ url, updated: '2026-03-01T00:00:00.000Z' });
    await client.removeServiceDiscovery();
    expect(await client.serviceDiscovery()).toBeUndefined();
    await expect(client.setServiceDiscovery('')).rejects.toMatchObject({
      code: 'ade.enrolment.mdm_service_discovery_url_required',
    });
    await expect(client.setServiceDiscovery('http://a.example')).rejects.toMatchObject({
      code: 'ade.enrolment.mdm_service_discovery_url_not_valid',
    });
    apple.discoverySupported = false;
    await expect(client.serviceDiscovery()).rejects.toMatchObject({ code: 'ade.enrolment.org_not_supported' });
  });

  it('refuse options that make no sense', async () => {
    const { another } = await setting();
    expect(codeOf(() => another({ origin: 'nowhere' }))).toBe('ade.option');
    expect(codeOf(() => another({ batchSize: 1001 }))).toBe('ade.option');
    await expect(all(another().sync(undefined, { limit: 0 }))).rejects.toMatchObject({ code: 'ade.option' });
  });
});
