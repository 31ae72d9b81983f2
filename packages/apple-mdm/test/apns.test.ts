// The APNs client against a real HTTP/2 server: every answer, every way for a connection to end.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:http2';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type ApnsClient, type ApnsClientOptions, createApnsClient, MdmError, type PushOutcome } from '../src/index.ts';
import { accept, type Received, refuse, startApns, type TestServer } from './apns-server.ts';
import {
  clientCertificate,
  clientKey,
  otherRootCertificate,
  rootCertificate,
  serverCertificate,
  serverKey,
  strangerCertificate,
  strangerKey,
} from './fixtures/apns-pem.ts';

const topic = 'com.apple.mgmt.External.test';
const token = Uint8Array.from({ length: 32 }, (_, i) => i);
const target = { token, pushMagic: 'magic' };
const now = Date.UTC(2026, 0, 1);

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const item of open.splice(0)) await item.close();
});

async function start(options: Parameters<typeof startApns>[0] = {}): Promise<TestServer> {
  const server = await startApns(options);
  open.push(server);
  return server;
}

function connectTo(origin: string, options: Partial<ApnsClientOptions> = {}): ApnsClient {
  const client = createApnsClient({
    origin,
    topic,
    certificate: clientCertificate,
    privateKey: clientKey,
    ca: rootCertificate,
    clock: { now: () => now },
    random: () => 0.5,
    ...options,
  });
  open.unshift(client);
  return client;
}

describe('a push', () => {
  test('has the headers and the body that Apple asks for', async () => {
    const server = await start();
    const result = await connectTo(server.origin).push(target);
    expect(result).toEqual({ outcome: 'delivered', apnsId: 'id-1' });
    const { headers, body, session } = server.received[0]!;
    expect(headers).toMatchObject({
      ':method': 'POST',
      ':path': `/3/device/${Buffer.from(token).toString('hex')}`,
      'apns-topic': topic,
      'apns-push-type': 'mdm',
      'apns-priority': '10',
      'apns-expiration': String(now / 1000 + 7 * 86_400),
    });
    expect(body).toBe('{"mdm":"magic"}');
    const socket = session.socket as unknown as { getPeerCertificate(): { subject: { UID: string } } };
    expect(socket.getPeerCertificate().subject.UID).toBe(topic);
  });

  test('may name its topic, expire at once and have low priority', async () => {
    const server = await start();
    const client = connectTo(server.origin, { expirationSeconds: 0, priority: 5 });
    await client.push({ ...target, token: 'ABCD', topic: 'com.apple.mgmt.External.b' });
    expect(server.received[0]!.headers).toMatchObject({
      ':path': '/3/device/abcd',
      'apns-topic': 'com.apple.mgmt.External.b',
      'apns-priority': '5',
      'apns-expiration': '0',
    });
  });

  test('with something that is no token is never sent', async () => {
    const server = await start();
    const client = connectTo(server.origin);
    for (const bad of ['', 'xyz', 'abc', '../../x', new Uint8Array()]) {
      expect(await client.push({ token: bad, pushMagic: 'm' })).toMatchObject({ outcome: 'token-dead' });
    }
    expect(server.received).toHaveLength(0);
  });

  test('shares one connection with the others, up to the limits of client and server', async () => {
    const server = await start({ maxConcurrent: 7 });
    let running = 0;
    let most = 0;
    const held: (() => void)[] = [];
    server.answer = (request) => {
      running++;
      most = Math.max(most, running);
      held.push(() => {
        running--;
        accept(request);
      });
      if (held.length === 7 || server.received.length > 93) for (const go of held.splice(0)) go();
    };
    const client = connectTo(server.origin);
    const results = await Promise.all(Array.from({ length: 100 }, () => client.push(target)));
    expect(results.every((result) => result.outcome === 'delivered')).toBe(true);
    expect(server.received).toHaveLength(100);
    expect(server.sessions).toHaveLength(1);
    expect(most).toBe(7);
  });

  test('waits for its turn when the client allows one at a time', async () => {
    const server = await start();
    let running = 0;
    server.answer = (request) => {
      expect(++running).toBe(1);
      setImmediate(() => {
        running--;
        accept(request);
      });
    };
    const client = connectTo(server.origin, { concurrency: 1 });
    await Promise.all([client.push(target), client.push(target), client.push(target)]);
    expect(server.received).toHaveLength(3);
  });
});

// Status and reason: Apple, "Handling notification responses from APNs", tables of status codes and error strings.
describe('an answer of APNs', () => {
  const cases: [number, string, Partial<PushOutcome>][] = [
    [400, 'BadDeviceToken', { outcome: 'token-dead' }],
    [400, 'DeviceTokenNotForTopic', { outcome: 'token-dead' }],
    [400, 'BadTopic', { outcome: 'refused' }],
    [400, 'MissingTopic', { outcome: 'refused' }],
    [400, 'TopicDisallowed', { outcome: 'refused' }],
    [400, 'BadExpirationDate', { outcome: 'failed' }],
    [400, 'BadPriority', { outcome: 'failed' }],
    [400, 'InvalidPushType', { outcome: 'failed' }],
    [400, 'PayloadEmpty', { outcome: 'failed' }],
    [400, 'IdleTimeout', { outcome: 'retry', afterMs: 0 }],
    [403, 'BadCertificate', { outcome: 'refused' }],
    [403, 'BadCertificateEnvironment', { outcome: 'refused' }],
    [403, 'ExpiredProviderToken', { outcome: 'refused' }],
    [403, 'Forbidden', { outcome: 'refused' }],
    [404, 'BadPath', { outcome: 'failed' }],
    [405, 'MethodNotAllowed', { outcome: 'failed' }],
    [410, 'ExpiredToken', { outcome: 'token-dead' }],
    [410, 'Unregistered', { outcome: 'token-dead' }],
    [413, 'PayloadTooLarge', { outcome: 'failed' }],
    [429, 'TooManyRequests', { outcome: 'retry', afterMs: 60_000 }],
    [500, 'InternalServerError', { outcome: 'retry', afterMs: 900_000 }],
    [503, 'ServiceUnavailable', { outcome: 'retry', afterMs: 900_000 }],
    [503, 'Shutdown', { outcome: 'retry', afterMs: 1000 }],
  ];

  test('has one meaning each, and no push is sent twice for it', async () => {
    const server = await start();
    server.answer = (request, n) => refuse(cases[n]![0], { reason: cases[n]![1] })(request);
    const client = connectTo(server.origin);
    for (const [status, reason, expected] of cases) {
      expect(await client.push(target), `${status} ${reason}`).toMatchObject({ ...expected, reason });
    }
    expect(server.received).toHaveLength(cases.length);
  });

  test('says since when a token is dead, and how long to wait', async () => {
    const server = await start();
    const client = connectTo(server.origin);
    server.answer = refuse(410, { reason: 'Unregistered', timestamp: 1_700_000_000_000 });
    expect(await client.push(target)).toEqual({
      outcome: 'token-dead',
      reason: 'Unregistered',
      since: 1_700_000_000_000,
    });
    server.answer = refuse(503, { reason: 'ServiceUnavailable' }, { 'retry-after': '30' });
    expect(await client.push(target)).toMatchObject({ outcome: 'retry', afterMs: 30_000 });
  });

  test('that is not JSON goes by its status', async () => {
    const server = await start();
    const client = connectTo(server.origin);
    server.answer = (request) => {
      request.stream.respond({ ':status': 502 });
      request.stream.end('<html>');
    };
    expect(await client.push(target)).toMatchObject({ outcome: 'retry', reason: 'status 502' });
    server.answer = (request) => {
      request.stream.respond({ ':status': 418 });
      request.stream.end('x'.repeat(100_000));
    };
    expect(await client.push(target)).toEqual({ outcome: 'failed', reason: 'status 418' });
  });

  test('Shutdown leads to a new connection', async () => {
    const server = await start();
    const client = connectTo(server.origin);
    server.answer = refuse(503, { reason: 'Shutdown' });
    await client.push(target);
    server.answer = accept;
    expect(await client.push(target)).toMatchObject({ outcome: 'delivered' });
    expect(server.sessions).toHaveLength(2);
  });
});

describe('a connection that ends', () => {
  test('by GOAWAY in mid-stream: what was not processed is sent again, what was is not', async () => {
    const server = await start();
    const held: Received[] = [];
    server.answer = (request, n) => {
      if (n >= 6) return accept(request);
      held.push(request);
      if (held.length < 6) return;
      // Streams 1, 3, 5 are processed; 7, 9, 11 lie above the last one.
      request.session.goaway(constants.NGHTTP2_NO_ERROR, 5);
      for (const earlier of held.slice(0, 3)) accept(earlier);
    };
    const client = connectTo(server.origin);
    const results = await Promise.all(Array.from({ length: 6 }, () => client.push(target)));
    expect(results.map((result) => result.outcome)).toEqual(Array(6).fill('delivered'));
    expect(server.received).toHaveLength(9); // three of them twice on the wire, never twice processed
    expect(server.sessions).toHaveLength(2);
  });

  test('by GOAWAY with an error: nobody knows of the streams below, and the client does not send them again', async () => {
    const server = await start();
    server.answer = (request, n) => {
      if (n === 0) request.session.goaway(constants.NGHTTP2_INTERNAL_ERROR, request.stream.id);
      else accept(request);
    };
    const client = connectTo(server.origin);
    expect(await client.push(target)).toMatchObject({ outcome: 'retry', mayHaveBeenDelivered: true });
    expect(server.received).toHaveLength(1);
    expect(await client.push(target)).toMatchObject({ outcome: 'delivered' });
  });

  test('by a reset of the socket', async () => {
    const events: string[] = [];
    const server = await start();
    server.answer = (request, n) => {
      if (n === 0) request.session.socket.destroy();
      else accept(request);
    };
    const client = connectTo(server.origin, { onEvent: (event) => events.push(event.type) });
    expect(await client.push(target)).toMatchObject({ outcome: 'retry', mayHaveBeenDelivered: true });
    expect(await client.push(target)).toMatchObject({ outcome: 'delivered' });
    expect(server.received).toHaveLength(2);
    expect(events).toEqual(['connected', 'disconnected', 'connected']);
  });

  test('a refused stream is sent again, but not for ever', async () => {
    const server = await start();
    server.answer = (request, n) => {
      if (n < 2) request.stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else accept(request);
    };
    const client = connectTo(server.origin);
    expect(await client.push(target)).toMatchObject({ outcome: 'delivered' });
    expect(server.received).toHaveLength(3);
    server.answer = (request) => request.stream.close(constants.NGHTTP2_REFUSED_STREAM);
    expect(await client.push(target)).toMatchObject({ outcome: 'retry', mayHaveBeenDelivered: false });
    expect(server.received).toHaveLength(7);
  });

  test('a reset stream may have been processed', async () => {
    const server = await start();
    server.answer = (request) => request.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    const client = connectTo(server.origin);
    expect(await client.push(target)).toMatchObject({ outcome: 'retry', mayHaveBeenDelivered: true });
    expect(server.received).toHaveLength(1);
  });

  test('an answer that does not come in time is unknown, and the next push gets a new connection', async () => {
    const server = await start();
    const timers = manualTimers();
    server.answer = (request, n) => (n === 0 ? timers.fire(15_000) : accept(request));
    const client = connectTo(server.origin, { timers });
    expect(await client.push(target)).toMatchObject({ outcome: 'retry', mayHaveBeenDelivered: true });
    expect(await client.push(target)).toMatchObject({ outcome: 'delivered' });
    expect(server.sessions).toHaveLength(2);
  });

  test('an idle connection without an answer to a ping is dropped', async () => {
    const server = await start();
    const timers = manualTimers();
    let tell: (reason: string) => void = () => {};
    const lost = new Promise<string>((resolve) => {
      tell = resolve;
    });
    const client = connectTo(server.origin, {
      timers,
      onEvent: (event) => event.type === 'disconnected' && tell(event.reason),
    });
    await client.push(target);
    timers.fire(600_000); // the ping goes out,
    timers.fire(10_000); // and its time is over before the answer can have come
    expect(await lost).toBe('no answer to a ping');
    expect(await client.push(target)).toMatchObject({ outcome: 'delivered' });
  });
});

describe('a connection that cannot be made', () => {
  test('gives every waiting push a retry, then a growing pause', async () => {
    const port = await freePort();
    let time = now;
    const client = connectTo(`https://localhost:${port}`, { clock: { now: () => time } });
    const results = await Promise.all([client.push(target), client.push(target)]);
    expect(results).toEqual(
      Array(2).fill({ outcome: 'retry', reason: 'ECONNREFUSED', afterMs: 1000, mayHaveBeenDelivered: false }),
    );
    expect(await client.push(target)).toMatchObject({ reason: 'no connection to APNs', afterMs: 1000 });
    time += 1000;
    expect(await client.push(target)).toMatchObject({ reason: 'ECONNREFUSED', afterMs: 2000 });
    time += 2000;
    expect(await client.push(target)).toMatchObject({ reason: 'ECONNREFUSED', afterMs: 4000 });
  });

  test('because the server is not trusted is a refusal', async () => {
    const server = await start();
    const client = connectTo(server.origin, { ca: otherRootCertificate });
    expect(await client.push(target)).toMatchObject({ outcome: 'refused' });
    expect(server.received).toHaveLength(0);
  });

  test('because our certificate is not accepted loses nothing', async () => {
    const server = await start();
    const client = connectTo(server.origin, { certificate: strangerCertificate, privateKey: strangerKey });
    const result = await client.push(target);
    expect(['refused', 'retry']).toContain(result.outcome);
    expect(result).not.toMatchObject({ mayHaveBeenDelivered: true });
    expect(server.received).toHaveLength(0);
  });

  test('because the server refuses the certificate by a TLS alert is a refusal', { skip: !openssl() }, async () => {
    const server = await startOpenssl();
    open.push(server);
    const client = connectTo(server.origin, { certificate: strangerCertificate, privateKey: strangerKey });
    expect(await client.push(target)).toEqual({
      outcome: 'refused',
      reason: expect.stringMatching(/^ERR_SSL_.*ALERT/),
    });
  });

  test('because the server never speaks ends in time', async () => {
    const silent = createServer(() => timers.fire(10_000));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const timers = manualTimers();
    const { port } = silent.address() as { port: number };
    const client = connectTo(`https://127.0.0.1:${port}`, { timers });
    expect(await client.push(target)).toMatchObject({ outcome: 'retry', mayHaveBeenDelivered: false });
    silent.close();
  });
});

describe('the client', () => {
  test('finishes what is under way when it is closed, and takes nothing more', async () => {
    const server = await start();
    const client = connectTo(server.origin, { concurrency: 1 });
    const pushes = [client.push(target), client.push(target), client.push(target)];
    await client.close();
    expect((await Promise.all(pushes)).map((result) => result.outcome)).toEqual(Array(3).fill('delivered'));
    expect(await client.push(target)).toMatchObject({ outcome: 'retry', reason: 'the client is closed' });
  });

  test('refuses options that make no sense', () => {
    const good = { topic, certificate: clientCertificate, privateKey: clientKey };
    for (const bad of [
      { ...good, privateKey: 'nonsense' },
      { ...good, privateKey: strangerKey },
      { ...good, concurrency: 0 },
      { ...good, origin: 'http://api.push.apple.com' },
    ]) {
      expect(() => createApnsClient(bad)).toThrow(expect.objectContaining({ code: 'mdm.apns.option' }));
      expect(() => createApnsClient(bad)).toThrow(MdmError);
    }
  });
});

/** Timers that only fire when told to, by their delay. */
function manualTimers() {
  const pending = new Map<object, { run: () => void; ms: number }>();
  return {
    setTimeout(run: () => void, ms: number): unknown {
      const handle = {};
      pending.set(handle, { run, ms });
      return handle;
    },
    clearTimeout(handle: unknown): void {
      pending.delete(handle as object);
    },
    fire(ms: number): void {
      for (const [handle, timer] of pending) {
        if (timer.ms !== ms) continue;
        pending.delete(handle);
        timer.run();
      }
    },
  };
}

function openssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    console.log('skipped: openssl is not installed');
    return false;
  }
}

/** `openssl s_server`, which sends the alert that Node's own server does not: it wants a certificate of the root. */
async function startOpenssl(): Promise<{ readonly origin: string; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'apns-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const port = await freePort();
  const child = spawn('openssl', [
    ...['s_server', '-accept', `127.0.0.1:${port}`, '-alpn', 'h2', '-Verify', '2', '-verify_return_error'],
    ...['-cert', file('cert', serverCertificate), '-key', file('key', serverKey)],
    ...['-CAfile', file('ca', rootCertificate)],
  ]);
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('ACCEPT')) resolve();
    });
  });
  return {
    origin: `https://localhost:${port}`,
    async close() {
      child.kill();
      await once(child, 'exit');
      rmSync(folder, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
