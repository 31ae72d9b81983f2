// @espalier/host/node: the fetch handler as a listener for node:http and node:https.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Metrics } from '@espalier/core';
import { createMetricsHandler } from './metrics.ts';
import { listen, type ServerOptions } from './serve.ts';
import type { ConnectionInfo, FetchHandler } from './types.ts';

export {
  listen,
  type PushOptions,
  parseServerArguments,
  type RunningServer,
  runFromCommandLine,
  type ServerOptions,
} from './serve.ts';

/** A request listener of `node:http`, `node:https` or the compatibility side of `node:http2`. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** How much of a body that nobody wants is still read after the answer, so that the client gets to see the answer. */
const LINGER_BYTES = 16 * 1024 * 1024;
const LINGER_MS = 5_000;

/**
 * Makes a listener of a fetch handler. Bodies stream both ways with backpressure; a client that goes away aborts the
 * request's signal. The listener never rejects.
 *
 * For device certificates run the TLS server with `requestCert: true, rejectUnauthorized: false`: the certificate is
 * then handed on unverified, and the host verifies it.
 *
 * @example
 * https.createServer({ key, cert, requestCert: true, rejectUnauthorized: false }, toNodeListener(host.fetch)).listen(8443);
 */
export function toNodeListener(fetch: FetchHandler): NodeListener {
  return async (incoming, outgoing) => {
    try {
      const gone = new AbortController();
      outgoing.once('close', () => {
        if (!outgoing.writableFinished) gone.abort();
      });
      const request = toRequest(incoming, gone.signal);
      if (request === null) {
        outgoing.writeHead(400, { connection: 'close' }).end();
        return;
      }
      await send(await fetch(request, connectionOf(incoming)), incoming, outgoing);
    } catch {
      // The handler itself answers every fault, so what fails here is the connection: there is nobody left to tell.
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(500, { connection: 'close' }).end();
    }
  };
}

/**
 * Serves metrics on the loopback interface, over plain HTTP, to whoever is on this machine; `null` without `metricsPort`.
 * @throws the system's error, e.g. `EADDRINUSE`
 */
export async function listenForMetrics(
  metrics: Metrics,
  { metricsPort }: Pick<ServerOptions, 'metricsPort'>,
): Promise<{ readonly port: number; close(): Promise<void> } | null> {
  if (metricsPort === undefined) return null;
  const server = createServer(toNodeListener(createMetricsHandler(metrics)));
  return await listen(server, { port: metricsPort, address: '127.0.0.1' });
}

/** The peer's certificate and address, as the socket tells them. */
function connectionOf(incoming: IncomingMessage): ConnectionInfo {
  const { socket } = incoming;
  const { remoteAddress } = socket;
  const raw = socket instanceof TLSSocket ? peerCertificate(socket) : undefined;
  return {
    ...(raw === undefined ? {} : { clientCertificate: raw }),
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
  };
}

function peerCertificate(socket: TLSSocket): Uint8Array | undefined {
  // An object without fields where the client sent no certificate, and none at all once the socket is closed.
  const certificate = socket.getPeerCertificate() as { raw?: Buffer } | null;
  return certificate?.raw === undefined ? undefined : new Uint8Array(certificate.raw);
}

/** The request in web terms; `null` where it has no usable address. */
function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request | null {
  const method = incoming.method ?? 'GET';
  const secure = incoming.socket instanceof TLSSocket;
  const host = incoming.headers.host ?? (incoming.headers[':authority'] as string | undefined) ?? 'localhost';
  // Express keeps the whole address here when it mounts a handler below a path.
  const target = (incoming as { originalUrl?: string }).originalUrl ?? incoming.url ?? '/';
  const url = target.startsWith('/') ? `${secure ? 'https' : 'http'}://${host}${target}` : target;
  const headers = new Headers();
  try {
    for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
      const name = incoming.rawHeaders[index] as string;
      if (!name.startsWith(':')) headers.append(name, incoming.rawHeaders[index + 1] as string);
    }
    const bodiless = method === 'GET' || method === 'HEAD';
    return new Request(url, {
      method,
      headers,
      signal,
      ...(bodiless ? {} : { body: bodyOf(incoming), duplex: 'half' as const }),
    });
  } catch {
    // A host header that is no host, a method that fetch forbids (TRACE), a header with bytes that HTTP does not have.
    return null;
  }
}

/** The body as a stream that only reads from the socket when somebody reads from it. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let started = false;
  let detach = () => {};
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (!started) {
          started = true;
          detach = follow(incoming, controller);
        }
        incoming.resume();
      },
      cancel() {
        detach();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Hands on one chunk for each `resume`; returns what takes the listeners off again. */
function follow(incoming: IncomingMessage, controller: ReadableStreamDefaultController<Uint8Array>): () => void {
  const detach = () => {
    incoming.off('data', onData);
    incoming.off('end', onEnd);
    incoming.off('error', onLost);
    incoming.off('close', onLost);
  };
  const onData = (chunk: Buffer) => {
    incoming.pause();
    controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  };
  const onEnd = () => {
    detach();
    controller.close();
  };
  const onLost = (error?: Error) => {
    detach();
    controller.error(error ?? new Error('the connection was closed'));
  };
  incoming.on('data', onData);
  incoming.on('end', onEnd);
  incoming.on('error', onLost);
  incoming.on('close', onLost);
  if (incoming.destroyed) onLost();
  return detach;
}

async function send(response: Response, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) if (name !== 'set-cookie') outgoing.setHeader(name, value);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) outgoing.setHeader('set-cookie', cookies);

  if (response.body === null || incoming.method === 'HEAD') {
    await response.body?.cancel();
    outgoing.flushHeaders();
  } else {
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (outgoing.destroyed) {
        await reader.cancel();
        return;
      }
      if (!outgoing.write(value)) await drained(outgoing);
    }
  }
  if (!incoming.complete) await linger(incoming);
  outgoing.end();
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      outgoing.off('drain', done);
      outgoing.off('close', done);
      resolve();
    };
    outgoing.on('drain', done);
    outgoing.on('close', done);
  });
}

/** Closing a socket with unread input resets it, and the client may lose the answer: so the rest is read, for a while. */
function linger(incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let left = LINGER_BYTES;
    const done = () => {
      clearTimeout(timer);
      incoming.off('data', onData);
      incoming.off('end', done);
      incoming.off('close', done);
      resolve();
    };
    const onData = (chunk: Buffer) => {
      left -= chunk.byteLength;
      if (left < 0) {
        done();
        incoming.destroy();
      }
    };
    const timer = setTimeout(() => {
      done();
      incoming.destroy();
    }, LINGER_MS);
    incoming.on('data', onData);
    incoming.on('end', done);
    incoming.on('close', done);
    incoming.resume();
    if (incoming.readableEnded || incoming.destroyed) done();
  });
}
