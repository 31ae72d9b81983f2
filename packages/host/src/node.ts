// @espalier/host/node: the fetch handler as a listener for node:http and node:https.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Metrics } from '@espalier/core';
import { HostError } from './errors.ts';
import { type Answer, directOf, type IncomingRequest } from './http/message.ts';
import { fromNode } from './http/node-message.ts';
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
  const direct = directOf(fetch);
  return async (incoming, outgoing) => {
    try {
      const request = fromNode(incoming, outgoing);
      if (request === null) {
        refuse(outgoing);
        return;
      }
      const info = connectionOf(incoming);
      if (direct !== undefined) {
        await send(await direct(request, info), incoming, outgoing);
        return;
      }
      const whole = webRequest(request);
      if (whole === null) refuse(outgoing);
      else await send(await fetch(whole, info), incoming, outgoing);
    } catch {
      // The handler itself answers every fault, so what fails here is the connection: there is nobody left to tell.
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(500, { connection: 'close' }).end();
    }
  };
}

/** For what is no request at all. */
function refuse(outgoing: ServerResponse): void {
  outgoing.writeHead(400, { connection: 'close' }).end();
}

function webRequest(request: IncomingRequest): Request | null {
  try {
    return request.web();
  } catch (error) {
    if (error instanceof HostError) return null;
    throw error;
  }
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

/** By connection: it keeps the certificate with which it began, and asking for it costs more than all the rest of a poll. */
const certificates = new WeakMap<TLSSocket, Uint8Array>();

function peerCertificate(socket: TLSSocket): Uint8Array | undefined {
  const known = certificates.get(socket);
  if (known !== undefined) return known;
  // None where the client sent no certificate, and none once the socket is closed.
  const raw = socket.getPeerX509Certificate()?.raw;
  if (raw === undefined) return undefined;
  const certificate = new Uint8Array(raw);
  certificates.set(socket, certificate);
  return certificate;
}

async function send(response: Response | Answer, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  if (!(response instanceof Response)) {
    outgoing.writeHead(response.status, response.headers);
    if (incoming.complete) {
      outgoing.end(response.body);
      return;
    }
    if (response.body === null) outgoing.flushHeaders();
    else outgoing.write(response.body);
    await linger(incoming);
    outgoing.end();
    return;
  }
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
