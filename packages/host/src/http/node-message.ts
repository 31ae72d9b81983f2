// A request of Node's servers as the host takes it: the body straight from the socket, web objects only on demand.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import { HostError } from '../errors.ts';
import { aborted, type BodyLimits, checkAnnounced, late, tooLarge } from './body.ts';
import type { IncomingRequest } from './message.ts';

/** The request; `null` where it has no usable address. */
export function fromNode(incoming: IncomingMessage, outgoing: ServerResponse): IncomingRequest | null {
  const url = urlOf(incoming);
  if (!URL.canParse(url)) return null;
  let made: Request | undefined;
  return {
    method: incoming.method ?? 'GET',
    url,
    headers: {
      get: (name) => headerOf(incoming, name),
      has: (name) => headerOf(incoming, name) !== null,
    },
    body: (limits) => readNodeBody(incoming, limits),
    web() {
      made ??= toRequest(incoming, outgoing, url);
      return made;
    },
  };
}

function urlOf(incoming: IncomingMessage): string {
  const secure = incoming.socket instanceof TLSSocket;
  const host = incoming.headers.host ?? (incoming.headers[':authority'] as string | undefined) ?? 'localhost';
  // Express keeps the whole address here when it mounts a handler below a path.
  const target = (incoming as { originalUrl?: string }).originalUrl ?? incoming.url ?? '/';
  return target.startsWith('/') ? `${secure ? 'https' : 'http'}://${host}${target}` : target;
}

/** By its name in any case, as `Headers` has it. */
function headerOf(incoming: IncomingMessage, name: string): string | null {
  const value = incoming.headers[name.toLowerCase()];
  return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
}

/** @throws HostError `host.request.malformed` */
function toRequest(incoming: IncomingMessage, outgoing: ServerResponse, url: string): Request {
  const method = incoming.method ?? 'GET';
  const headers = new Headers();
  const gone = new AbortController();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort();
  });
  try {
    for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
      const name = incoming.rawHeaders[index] as string;
      if (!name.startsWith(':')) headers.append(name, incoming.rawHeaders[index + 1] as string);
    }
    const bodiless = method === 'GET' || method === 'HEAD';
    return new Request(url, {
      method,
      headers,
      signal: gone.signal,
      ...(bodiless ? {} : { body: streamOf(incoming), duplex: 'half' as const }),
    });
  } catch (cause) {
    // A method that fetch forbids (TRACE), a header with bytes that HTTP does not have.
    throw new HostError('invalid', 'host.request.malformed', 'This is no request in the sense of HTTP.', { cause });
  }
}

/** The whole body, within limits, and never more of it than that and one chunk. */
function readNodeBody(incoming: IncomingMessage, limits: BodyLimits): Promise<Uint8Array> {
  checkAnnounced(headerOf(incoming, 'content-length'), limits);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const end = (): void => {
      clearTimeout(timer);
      incoming.off('data', onData);
      incoming.off('end', onEnd);
      incoming.off('error', onLost);
      incoming.off('close', onLost);
    };
    const refuse = (error: HostError): void => {
      end();
      // What is left of it is the adapter's affair, after the answer.
      incoming.pause();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.byteLength;
      if (length > limits.maxBytes) refuse(tooLarge(limits));
      else chunks.push(chunk);
    };
    const onEnd = (): void => {
      end();
      const whole = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);
      resolve(new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength));
    };
    const onLost = (error?: Error): void => refuse(aborted(error));
    const timer = setTimeout(() => refuse(late(limits)), limits.timeoutMs);
    incoming.on('data', onData);
    incoming.on('end', onEnd);
    incoming.on('error', onLost);
    incoming.on('close', onLost);
    if (incoming.destroyed) onLost();
  });
}

/** The body as a stream that only reads from the socket when somebody reads from it. */
function streamOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
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
