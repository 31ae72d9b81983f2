// Webhooks: signatures, the outbox (at least once, in order for each device), backoff, disabling, MicroMDM's format.
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createKeyRing, createMemoryStore, type Store } from '@espalier/core';
import { decodeDict, encodeXml } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import { createWebhooks, signWebhook, type WebhooksOptions } from '../src/index.ts';
import { testRandom, type World, world } from './world.ts';

interface Received {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  readonly url: string;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read bodies freely
  readonly body: any;
}

const URL_A = 'https://hooks.example.com/a';
const MINUTE = 60_000;

/** A world with webhooks, and a receiver that answers as the test says. */
async function hooked(options: Partial<WebhooksOptions> = {}) {
  const store = createMemoryStore();
  const keys = createKeyRing({ current: { id: 'test', key: new Uint8Array(32).fill(3) } });
  const to = await world({}, { store, keys });
  const received: Received[] = [];
  const receiver = { answer: (_: Received): number | Error => 204 };
  const receive = (async (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    const text = String(init.body);
    const message = {
      id: headers.get('webhook-id') ?? '',
      timestamp: headers.get('webhook-timestamp') ?? '',
      signature: headers.get('webhook-signature') ?? '',
      url,
      text,
      body: JSON.parse(text),
    };
    received.push(message);
    const answer = receiver.answer(message);
    if (answer instanceof Error) throw answer;
    return new Response(null, { status: answer });
  }) as typeof fetch;
  const make = (seed: string) =>
    createWebhooks({ engine: to.engine, store, keys, fetch: receive, random: testRandom(seed), ...options });
  return { to, store, keys, received, receiver, make, webhooks: make('webhooks') };
}

/** Events of several devices, numbered for each. */
async function happen(store: Store, to: World, device: string, from: number, count: number): Promise<void> {
  await store.events.append(
    Array.from({ length: count }, (_, index) => ({
      type: 'inventory.updated' as const,
      at: to.clock.now(),
      enrolmentId: device,
      data: { n: from + index },
    })),
  );
}

describe('the signature', () => {
  it('is the one of Standard Webhooks’ published example', () => {
    const message = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1_614_265_330, body: '{"test": 2432232314}' };
    const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
    expect(signWebhook(message, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')).toBe(signature);
    expect(signWebhook(message, 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')).toBe(signature);
    for (const bad of ['', 'whsec_', 'whsec_c2hvcnQ=', 'whsec_!!!!', `whsec_${'A'.repeat(200)}`]) {
      expect(() => signWebhook(message, bad)).toThrow(expect.objectContaining({ code: 'host.webhook.secret' }));
    }
  });

  it('of what goes over the wire is verified by Python', async () => {
    try {
      execFileSync('python3', ['--version'], { stdio: 'ignore' });
    } catch (error) {
      if (process.env['CI'] === 'true') throw error;
      console.log('skipped: python3 is not installed');
      return;
    }
    const caught: { headers: Record<string, unknown>; body: string }[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        caught.push({ headers: request.headers, body: Buffer.concat(chunks).toString('base64') });
        response.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { to, store, webhooks } = await hooked({ fetch });
    const { webhook, secret } = await webhooks.create({ url: `http://127.0.0.1:${port}/hook` });
    const rotated = await webhooks.rotateSecret(webhook.id);
    await happen(store, to, 'Gerät', 0, 3);
    expect(await webhooks.run()).toBe(3);
    server.close();
    server.closeAllConnections();
    const script = `
import base64, hashlib, hmac, json, sys
d = json.load(sys.stdin)
for secret in d['secrets']:
    assert secret.startswith('whsec_')
    key = base64.b64decode(secret[6:], validate=True)
    for m in d['messages']:
        h = m['headers']
        signed = h['webhook-id'].encode() + b'.' + h['webhook-timestamp'].encode() + b'.' + base64.b64decode(m['body'])
        good = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert ('v1,' + good) in h['webhook-signature'].split(' '), h
        assert h['content-type'] == 'application/json'
print(len(d['messages']))
`;
    const input = JSON.stringify({ secrets: [secret, rotated.secret], messages: caught });
    expect(String(execFileSync('python3', ['-c', script], { input })).trim()).toBe('3');
  });
});

describe('delivery', () => {
  it('tells of what happens after the endpoint was added, of the types it asked for', async () => {
    const { to, store, webhooks, received } = await hooked();
    await happen(store, to, 'D1', 0, 2);
    await webhooks.create({ url: URL_A, types: ['inventory.updated', 'enrolment.*'] });
    await happen(store, to, 'D1', 2, 1);
    await store.events.append([
      { type: 'enrolment.active', at: to.clock.now(), enrolmentId: 'D1', data: {} },
      { type: 'command.queued', at: to.clock.now(), enrolmentId: 'D1', data: {} },
    ]);
    expect(await webhooks.run()).toBe(3); // the one it did not ask for is passed over
    expect(received.map(({ body }) => body)).toMatchObject([
      { type: 'inventory.updated', timestamp: '2026-01-15T12:00:00.000Z', data: { seq: 3, enrolmentId: 'D1', n: 2 } },
      { type: 'enrolment.active', data: { enrolmentId: 'D1' } },
    ]);
    expect(await webhooks.run()).toBe(0);
    expect(received).toHaveLength(2);
  });

  it.each([1, 2, 3, 4])('is at least once and in order for each device, whatever fails (seed %i)', async (seed) => {
    const { to, store, make, received, receiver } = await hooked();
    let webhooks = make('first');
    await webhooks.create({ url: URL_A });
    const draw = testRandom(`flaky ${seed}`);
    const chance = (of: number): boolean => (draw(1)[0] ?? 0) < of;
    const taken: Received[] = [];
    receiver.answer = (message) => {
      if (chance(40)) return 503;
      if (chance(20)) return new TypeError('connection reset');
      taken.push(message);
      // Taken, and yet the answer is lost.
      return chance(20) ? new TypeError('connection reset') : 200;
    };
    const made = new Map<string, number>();
    for (let step = 0; step < 40; step++) {
      const device = `D${(draw(1)[0] ?? 0) % 5}`;
      const from = made.get(device) ?? 0;
      await happen(store, to, device, from, 8);
      made.set(device, from + 8);
      // A process that ends loses what it remembered, and nothing else.
      if (chance(50)) webhooks = make(`process ${step}`);
      await webhooks.run();
      to.clock.advance(2 * MINUTE);
    }
    receiver.answer = (message) => {
      taken.push(message);
      return 200;
    };
    to.clock.advance(400 * MINUTE);
    for (let round = 0; round < 10; round++) await webhooks.run();
    expect(received.length).toBeGreaterThan(taken.length);
    for (const [device, count] of made) {
      const numbers = taken
        .filter(({ body }) => body.data.enrolmentId === device)
        .map(({ body }) => body.data.n as number);
      const firstTimes = [...new Set(numbers)];
      expect(firstTimes).toEqual(Array.from({ length: count }, (_, n) => n));
    }
    // Repetitions are told by their id.
    const ids = new Map(taken.map(({ id, text }) => [id, text]));
    expect(ids.size).toBe([...made.values()].reduce((sum, count) => sum + count, 0));
    for (const { id, text } of taken) expect(ids.get(id)).toBe(text);
  });

  it('is done by one process at a time', async () => {
    const { to, store, make, received } = await hooked();
    const processes = [make('a'), make('b'), make('c')];
    await processes[0]!.create({ url: URL_A });
    await happen(store, to, 'D1', 0, 250);
    await Promise.all(processes.map((webhooks) => webhooks.run()));
    to.clock.advance(2 * MINUTE);
    await Promise.all(processes.map((webhooks) => webhooks.run()));
    expect(received.map(({ body }) => body.data.n)).toEqual(Array.from({ length: 250 }, (_, n) => n));
  });

  it('waits longer and longer for an endpoint that fails, and ends after five days, with an event', async () => {
    const { to, store, webhooks, received, receiver } = await hooked();
    const { webhook } = await webhooks.create({ url: URL_A });
    const { webhook: other } = await webhooks.create({ url: 'https://hooks.example.com/b', types: ['webhook.*'] });
    receiver.answer = ({ url }) => (url === URL_A ? 500 : 200);
    await happen(store, to, 'D1', 0, 1);
    const start = to.clock.now();
    const times: number[] = [];
    for (let step = 0; step < 6 * 24 * 60; step++) {
      const before = received.length;
      await webhooks.run();
      if (received.length > before && received.at(-1)?.url === URL_A) times.push((to.clock.now() - start) / MINUTE);
      to.clock.advance(MINUTE);
    }
    expect(times.slice(0, 4)).toEqual([0, 1, 2, expect.closeTo(5, -1)]);
    expect(times.length).toBeLessThan(40);
    const list = await webhooks.list();
    expect(list.find(({ id }) => id === webhook.id)).toMatchObject({
      disabledAt: expect.any(Number),
      lastError: 'HTTP 500',
    });
    expect((await to.engine.events.list({ type: 'webhook.disabled' })).items).toMatchObject([
      { data: { webhookId: webhook.id, host: 'hooks.example.com', error: 'HTTP 500' } },
    ]);
    expect(received.at(-1)).toMatchObject({ url: other.url, body: { type: 'webhook.disabled' } });
    // Nothing was lost: it goes on where it was.
    receiver.answer = () => 200;
    await webhooks.enable(webhook.id);
    expect(await webhooks.run()).toBeGreaterThan(0);
    expect(received.some(({ url, body }) => url === URL_A && body.data.n === 0)).toBe(true);
  });

  it('ends at once where the receiver says that it is gone, and does as Retry-After says', async () => {
    const { to, store, webhooks, receiver, received } = await hooked();
    await webhooks.create({ url: URL_A });
    await happen(store, to, 'D1', 0, 1);
    receiver.answer = () => 410;
    await webhooks.run();
    expect(await webhooks.list()).toMatchObject([{ disabledAt: to.clock.now(), lastError: 'HTTP 410' }]);
    to.clock.advance(10 * 24 * 60 * MINUTE);
    await webhooks.run();
    expect(received).toHaveLength(1);
    const patient = await hooked({
      fetch: (async () => new Response(null, { status: 429, headers: { 'retry-after': '600' } })) as typeof fetch,
    });
    await patient.webhooks.create({ url: URL_A });
    await happen(patient.store, patient.to, 'D1', 0, 1);
    await patient.webhooks.run();
    expect(await patient.webhooks.list()).toMatchObject([{ nextAt: patient.to.clock.now() + 600_000 }]);
  });

  it('survives a change of the master key', async () => {
    const { to, store, keys, webhooks } = await hooked();
    const { webhook } = await webhooks.create({ url: URL_A });
    const blob = await store.secrets.get('webhook', webhook.id);
    expect(keys.open(blob!, ['secret', 'webhook', webhook.id])).toBeDefined();
    const page = await store.secrets.sealed({ limit: 1000 });
    expect(page.items.map(({ ref }) => ref)).toContainEqual({ kind: 'secret', key: ['webhook', webhook.id] });
    expect(JSON.stringify(to.lines)).not.toContain('whsec_');
  });
});

describe('MicroMDM’s format', () => {
  it('has the four topics, the identifiers and the raw message, without what is secret in it', async () => {
    const { to, webhooks, received } = await hooked();
    await webhooks.create({ url: URL_A, format: 'micromdm' });
    const identity = { fingerprint: 'ab'.repeat(32), certificate: new Uint8Array([1]), source: 'tls' as const };
    const ids = { UDID: 'U-1', Topic: 'com.apple.mgmt.External.test' };
    const checkin = (message: object) => to.engine.protocol.checkin(encodeXml({ ...ids, ...message }), identity);
    await checkin({ MessageType: 'Authenticate', SerialNumber: 'S1', Model: 'M', OSVersion: '18.3' });
    const token = {
      Token: new Uint8Array(32),
      PushMagic: 'magic-words',
      UnlockToken: new TextEncoder().encode('unlock-me'),
    };
    await checkin({ MessageType: 'TokenUpdate', AwaitingConfiguration: false, ...token });
    const { commandUuid } = await to.engine.commands.enqueue({ enrolmentIds: ['U-1'] }, 'SecurityInfo', {});
    const connect = async (status: string, message: object = {}) => {
      const answer = await to.engine.protocol.connect(encodeXml({ UDID: 'U-1', Status: status, ...message }), identity);
      return answer === null ? null : String(decodeDict(answer)['CommandUUID']);
    };
    let next = await connect('Idle');
    for (let round = 0; next !== null && round < 20; round++) {
      next = await connect('Acknowledged', {
        CommandUUID: next,
        SecurityInfo: { FDE_PersonalRecoveryKey: 'recovery-key' },
      });
    }
    await checkin({ MessageType: 'CheckOut' });
    await webhooks.run();
    const bodies = received.map(({ body }) => body);
    expect(new Set(bodies.map(({ topic }) => topic))).toEqual(
      new Set(['mdm.Authenticate', 'mdm.TokenUpdate', 'mdm.Connect', 'mdm.CheckOut']),
    );
    const raw = (event: { raw_payload: string }) => decodeDict(Buffer.from(event.raw_payload, 'base64'));
    expect(bodies[0]).toMatchObject({
      topic: 'mdm.Authenticate',
      event_id: received[0]!.id,
      created_at: '2026-01-15T12:00:00.000Z',
      checkin_event: { udid: 'U-1', url_params: {} },
    });
    expect(raw(bodies[0].checkin_event)).toMatchObject({
      MessageType: 'Authenticate',
      UDID: 'U-1',
      SerialNumber: 'S1',
    });
    expect(raw(bodies[1].checkin_event)).toEqual({ MessageType: 'TokenUpdate', ...ids, AwaitingConfiguration: false });
    const connects = bodies
      .filter(({ topic }) => topic === 'mdm.Connect')
      .map(({ acknowledge_event }) => acknowledge_event);
    const security = connects.find(({ command_uuid }) => command_uuid === commandUuid);
    expect(security).toMatchObject({ udid: 'U-1', status: 'Acknowledged' });
    expect(raw(security)).toEqual({ UDID: 'U-1', Status: 'Acknowledged', CommandUUID: commandUuid });
    expect(raw(bodies.at(-1).checkin_event)).toMatchObject({ MessageType: 'CheckOut', UDID: 'U-1' });
    const everything = bodies.map(
      (body) => JSON.stringify(body) + atob((body.checkin_event ?? body.acknowledge_event).raw_payload),
    );
    for (const secret of ['magic-words', 'unlock-me', btoa('unlock-me'), 'recovery-key']) {
      expect(everything.join('\n')).not.toContain(secret);
    }
  });
});

describe('the admin API', () => {
  it('adds, lists, enables, rotates and removes endpoints, and shows secrets once', async () => {
    const { to: first, store, keys } = await hooked();
    const webhooks = createWebhooks({ engine: first.engine, store, keys });
    const to = await world({ webhooks });
    const call = async (method: string, path: string, body?: unknown) => {
      const response = await to.api(method, path, body);
      const text = await response.text();
      return { status: response.status, body: text === '' ? null : JSON.parse(text) };
    };
    const made = await call('POST', '/webhooks', { url: URL_A, types: ['enrolment.*'] });
    expect(made).toMatchObject({
      status: 201,
      body: { secret: expect.stringMatching(/^whsec_/), webhook: { url: URL_A } },
    });
    const listed = await call('GET', '/webhooks');
    expect(listed.body.items).toMatchObject([{ url: URL_A, failures: 0, disabledAt: null }]);
    expect(JSON.stringify(listed)).not.toContain('whsec_');
    const { id } = made.body.webhook;
    expect(await call('POST', `/webhooks/${id}/enable`)).toMatchObject({ status: 204 });
    const rotated = await call('POST', `/webhooks/${id}/rotate-secret`);
    expect(rotated.body.secret).not.toBe(made.body.secret);
    for (const url of [
      'http://example.com/',
      'ftp://x',
      'https://user:word@example.com/',
      'nonsense',
      'file:///etc/passwd',
    ]) {
      expect(await call('POST', '/webhooks', { url })).toMatchObject({
        status: 400,
        body: { code: 'host.webhook.url' },
      });
    }
    expect(await call('POST', '/webhooks', { url: URL_A, types: ['*'] })).toMatchObject({ status: 400 });
    expect(await call('DELETE', `/webhooks/${id}`)).toMatchObject({ status: 204 });
    for (const [method, path] of [
      ['DELETE', ''],
      ['POST', '/enable'],
      ['POST', '/rotate-secret'],
    ] as const) {
      expect(await call(method, `/webhooks/${id}${path}`)).toMatchObject({ status: 404 });
    }
    for (let count = 0; count < 50; count++) await webhooks.create({ url: URL_A });
    expect(await call('POST', '/webhooks', { url: URL_A })).toMatchObject({ status: 409 });
  });
});
