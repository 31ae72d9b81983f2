// The three adapters over real sockets: one suite, run against node:http(s), Express and Koa.
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { generateKeyPair, toPem } from '@espalier/pki';
import { encodeXml } from '@espalier/plist';
import express from 'express';
import Koa from 'koa';
import { afterEach, describe, expect, it } from 'vitest';
import { toExpress } from '../src/express.ts';
import type { FetchHandler } from '../src/index.ts';
import { toKoa } from '../src/koa.ts';
import { toNodeListener } from '../src/node.ts';
import { authority, device, messages, world } from './world.ts';

const adapters: Record<string, (fetch: FetchHandler) => http.RequestListener> = {
  node: (fetch) => (request, response) => void toNodeListener(fetch)(request, response),
  express: (fetch) => {
    const app = express();
    app.use(toExpress(fetch));
    return app;
  },
  koa: (fetch) => {
    const app = new Koa();
    // Koa prints lost connections otherwise.
    app.silent = true;
    app.use(toKoa(fetch));
    return app.callback();
  },
};

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function serve(server: http.Server | https.Server): Promise<number> {
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

function ask(options: https.RequestOptions, body?: Uint8Array | string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = (options.protocol === 'https:' ? https : http).request({
      agent: false,
      host: '127.0.0.1',
      ...options,
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.end(body);
  });
}

async function secure(listener: http.RequestListener): Promise<{ port: number; ca: string }> {
  const ca = await authority();
  const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const certificate = await ca.issue({
    publicKey,
    subject: 'CN=localhost',
    sans: [{ type: 'ip', value: '127.0.0.1' }],
    template: 'tls-server',
  });
  const options = {
    key: toPem(privateKey, 'PRIVATE KEY'),
    cert: toPem(certificate),
    requestCert: true,
    rejectUnauthorized: false,
  };
  return { port: await serve(https.createServer(options, listener)), ca: toPem(ca.certificate) };
}

describe.each(Object.keys(adapters))('%s', (name) => {
  const adapt = (fetch: FetchHandler) => (adapters[name] as (typeof adapters)[string])(fetch);
  const plain = (fetch: FetchHandler) => serve(http.createServer(adapt(fetch)));

  it('passes on method, address, headers and body, and the answer back', async () => {
    const port = await plain(async (request, info) => {
      const body = new Uint8Array(await request.arrayBuffer());
      const headers = new Headers({ 'x-two': request.headers.get('x-two') ?? '' });
      headers.append('set-cookie', 'a=1');
      headers.append('set-cookie', 'b=2');
      return new Response(
        JSON.stringify({ method: request.method, url: request.url, length: body.byteLength, last: body.at(-1), info }),
        { status: 201, headers },
      );
    });
    const body = new Uint8Array(300_000).fill(9);
    const answer = await ask(
      { port, method: 'POST', path: '/a%2Fb//c?x=1&y=%20', headers: { 'x-two': ['1', '2'] } },
      body,
    );
    expect(answer.status).toBe(201);
    expect(answer.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect(answer.headers['x-two']).toBe('1, 2');
    expect(JSON.parse(answer.text)).toEqual({
      method: 'POST',
      url: `http://127.0.0.1:${port}/a%2Fb//c?x=1&y=%20`,
      length: 300_000,
      last: 9,
      info: { remoteAddress: '127.0.0.1' },
    });
  });

  it('hands on the TLS client certificate: let in with the device’s own, 403 with another’s, 401 without', async () => {
    const to = await world();
    const { port, ca } = await secure(adapt(to.host.fetch));
    const [phone, other] = [await device('A1', to.ca), await device('B2', to.ca)];
    const send = (path: string, message: ReturnType<typeof messages.idle>, from: typeof phone | null) =>
      ask(
        {
          protocol: 'https:',
          port,
          path,
          method: 'PUT',
          ca,
          ...(from ? { cert: toPem(from.certificate), key: toPem(from.privateKey, 'PRIVATE KEY') } : {}),
        },
        encodeXml(message),
      );
    expect(await send('/mdm/checkin', messages.authenticate('A1'), phone)).toMatchObject({ status: 200, text: '' });
    expect((await send('/mdm/checkin', messages.tokenUpdate('A1'), phone)).status).toBe(200);
    expect((await send('/mdm/connect', messages.idle('A1'), phone)).text).toContain('<plist');
    expect((await send('/mdm/connect', messages.idle('A1'), other)).status).toBe(403);
    expect((await send('/mdm/connect', messages.idle('A1'), null)).status).toBe(401);
    const stranger = await device('A1', await authority('Other'));
    expect((await send('/mdm/connect', messages.idle('A1'), stranger)).status).toBe(401);
  });

  it('finds the certificate that a proxy hands on, however the header is spelled', async () => {
    const ca = await authority();
    const to = await world({
      trustedProxies: ['127.0.0.1'],
      identity: {
        anchors: [ca.certificate],
        sources: ['forwarded'],
        forwarded: { header: 'X-SSL-Client-Cert', format: 'pem' },
      },
    });
    const port = await plain(to.host.fetch);
    const phone = await device('A1', ca);
    const headers = { 'x-Ssl-client-CERT': encodeURIComponent(toPem(phone.certificate)) };
    const options = { port, path: '/mdm/checkin', method: 'PUT' };
    const body = encodeXml(messages.authenticate('A1'));
    expect((await ask({ ...options, headers }, body)).status).toBe(200);
    expect((await ask(options, body)).status).toBe(401);
  });

  it('answers HEAD without a body', async () => {
    const to = await world();
    const port = await plain(to.host.fetch);
    const answer = await ask({ port, method: 'HEAD', path: '/health' });
    expect([answer.status, answer.text, answer.headers['content-length']]).toEqual([200, '', '15']);
  });

  it('refuses a body over the limit, and the client gets to see the answer while it still sends', async () => {
    const to = await world({ limits: { mdmBytes: 1000 } });
    const port = await plain(to.host.fetch);
    const options = { port, method: 'PUT', path: '/mdm/connect', headers: { 'mdm-signature': 'AAAA' } };
    for (const headers of [{ 'transfer-encoding': 'chunked' }, {}]) {
      const answer = await ask({ ...options, headers: { ...options.headers, ...headers } }, new Uint8Array(4_000_000));
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.text)).toMatchObject({ code: 'host.body.too_large' });
    }
  });

  it('answers a body that does not come with 408, and knows each of a connection’s requests by its certificate', async () => {
    const to = await world({ limits: { bodyTimeoutMs: 60 } });
    const { port, ca } = await secure(adapt(to.host.fetch));
    const phone = await device('A1', to.ca);
    const identity = { cert: toPem(phone.certificate), key: toPem(phone.privateKey, 'PRIVATE KEY') };
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca, ...identity });
    closing.push(async () => agent.destroy());
    const send = (path: string, message: ReturnType<typeof messages.idle>) =>
      ask({ protocol: 'https:', port, path, method: 'PUT', agent }, encodeXml(message));
    expect((await send('/mdm/checkin', messages.authenticate('A1'))).status).toBe(200);
    expect((await send('/mdm/checkin', messages.tokenUpdate('A1'))).status).toBe(200);
    expect((await send('/mdm/connect', messages.idle('A1'))).text).toContain('<plist');
    expect((await send('/mdm/connect', messages.idle('A2'))).status).toBe(403);
    const slow = https.request({ host: '127.0.0.1', port, path: '/mdm/connect', method: 'PUT', agent });
    slow.setHeader('content-length', '10');
    slow.on('error', () => {});
    slow.write('x');
    const [answer] = (await once(slow, 'response')) as [http.IncomingMessage];
    expect([answer.statusCode, answer.headers.connection]).toEqual([408, 'close']);
    slow.destroy();
  });

  it('reads no faster than the handler', async () => {
    let seen = 0;
    let release = () => {};
    const wait = new Promise<void>((resolve) => {
      release = resolve;
    });
    const port = await plain(async (request) => {
      const reader = (request.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      await wait;
      for (let step = await reader.read(); !step.done; step = await reader.read()) seen += step.value.byteLength;
      return new Response(null, { status: 204 });
    });
    const socket = connect(port, '127.0.0.1');
    closing.push(async () => void socket.destroy());
    const size = 64 * 1024 * 1024;
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
    // The socket takes what the system buffers and the one chunk that was read; the rest waits here.
    const block = Buffer.alloc(size);
    socket.write(block);
    await once(socket, 'connect');
    for (let quiet = 0, before = -1; quiet < 3; ) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      quiet = socket.bytesWritten - socket.writableLength === before ? quiet + 1 : 0;
      before = socket.bytesWritten - socket.writableLength;
    }
    expect(socket.writableLength).toBeGreaterThan(size / 2);
    release();
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toContain('204');
    expect(seen).toBeGreaterThan(size / 2);
  });

  it('tells the handler when the client goes away, in the body and in the answer', async () => {
    let broken: unknown;
    let cancelled = () => {};
    const gone = new Promise<void>((resolve) => {
      cancelled = resolve;
    });
    const finished: Promise<unknown>[] = [];
    const port = await plain((request) => {
      const work = (async () => {
        if (request.method === 'POST') {
          await request.arrayBuffer().catch((error: unknown) => {
            broken = error;
            expect(request.signal.aborted).toBe(true);
          });
          return new Response(null);
        }
        const body = new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
          cancel: cancelled,
        });
        return new Response(body);
      })();
      finished.push(work);
      return work;
    });
    const half = connect(port, '127.0.0.1');
    half.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc');
    await once(half, 'connect');
    while (finished.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    half.destroy();
    await finished[0];
    expect(broken).toBeInstanceOf(Error);

    const reader = connect(port, '127.0.0.1');
    reader.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(reader, 'data');
    reader.destroy();
    await gone;
  });

  it('answers 400 to a host that is none, and 500 when the handler itself fails', async () => {
    const port = await plain(() => Promise.reject(new Error('broken')));
    expect((await ask({ port, headers: { host: 'a b' } })).status).toBe(400);
    expect((await ask({ port, method: 'TRACE' })).status).toBe(400);
    expect((await ask({ port })).status).toBe(500);
  });
});

it('express: a mount path stays in the address', async () => {
  const app = express();
  app.use(
    '/below',
    toExpress(async (request) => new Response(new URL(request.url).pathname)),
  );
  const port = await serve(http.createServer(app));
  expect((await ask({ port, path: '/below/x' })).text).toBe('/below/x');
});
