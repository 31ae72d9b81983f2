// A simulated APNs: a real HTTP/2 server over TLS that checks what Apple's checks and wakes registered devices.
import { once } from 'node:events';
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { PushService } from '../device/types.ts';
import { checkRequest, type Refusal } from './check.ts';

/** A push as it arrived, checked. */
export interface ReceivedPush {
  /** Hex, lower case. */
  readonly token: string;
  readonly topic: string;
  /** The push magic. */
  readonly mdm: string;
  readonly headers: IncomingHttpHeaders;
  /** Counts the pushes of this server from 1. */
  readonly number: number;
}

/** What a script may make of a push. */
export type ScriptedAnswer =
  | { readonly status: number; readonly reason: string; readonly timestamp?: number; readonly retryAfter?: number }
  /** The connection goes away after this request, with GOAWAY. */
  | { readonly goaway: true }
  /** The stream is reset. */
  | { readonly reset: true }
  /** The connection breaks. */
  | { readonly disconnect: true }
  /** Accepted, but the device never hears of it. */
  | { readonly lost: true };

/** Options of {@link createSimulatedApns}. */
export interface SimulatedApnsOptions {
  /** The server's certificate and key (PEM), for the name that clients connect to. */
  readonly certificate: string;
  readonly privateKey: string;
  /** Issuers of the push certificates that are accepted (PEM). */
  readonly clientCa: string | readonly string[];
  /** The only topic; default: the `UID` in the subject of the client's certificate, as Apple has it. */
  readonly topic?: string;
  /** Default: a free port on 127.0.0.1. */
  readonly port?: number;
  readonly host?: string;
  readonly clock?: { now(): number };
}

/** Counters of a simulated APNs. */
export interface ApnsCounters {
  readonly received: number;
  readonly accepted: number;
  /** Reached a registered device. */
  readonly delivered: number;
  /** Kept for a device that was not there. */
  readonly stored: number;
  readonly refused: number;
  readonly connections: number;
}

/** A running simulated APNs. */
export interface SimulatedApns extends PushService {
  /** For `createApnsClient({ origin })`. */
  readonly origin: string;
  readonly port: number;
  readonly counters: ApnsCounters;
  /** All pushes that were accepted, oldest first. */
  readonly pushes: readonly ReceivedPush[];
  /** Scripts what becomes of each push that is in order; `undefined` leaves it to its way. */
  respond(script: ((push: ReceivedPush) => ScriptedAnswer | undefined) | undefined): void;
  close(): Promise<void>;
}

/** The longest payload that Apple takes. */
const maxPayload = 4096;

/**
 * Starts a simulated APNs for MDM pushes: TLS with a client certificate, `POST /3/device/TOKEN`, headers and body
 * checked as Apple documents them. A push to a registered token reaches its device; one that expires later waits for
 * the device, of several the last one.
 *
 * @example
 * const apns = await createSimulatedApns({ certificate, privateKey, clientCa });
 * const phone = createSimulatedDevice({ kind: 'iPhone', apns });
 * apns.respond((push) => (push.number === 1 ? { status: 503, reason: 'ServiceUnavailable' } : undefined));
 */
export async function createSimulatedApns(options: SimulatedApnsOptions): Promise<SimulatedApns> {
  const now = (): number => options.clock?.now() ?? Date.now();
  const server = createSecureServer({
    cert: options.certificate,
    key: options.privateKey,
    ca: typeof options.clientCa === 'string' ? options.clientCa : [...options.clientCa],
    requestCert: true,
    rejectUnauthorized: true,
  });
  const listeners = new Map<string, Parameters<PushService['register']>[0]>();
  /** The topic of every token that was ever registered. */
  const topics = new Map<string, string>();
  const dead = new Map<string, number>();
  const waiting = new Map<string, { readonly mdm: string; readonly expires: number }>();
  const sessions = new Set<ServerHttp2Session>();
  const counters = { received: 0, accepted: 0, delivered: 0, stored: 0, refused: 0, connections: 0 };
  const pushes: ReceivedPush[] = [];
  let script: Parameters<SimulatedApns['respond']>[0];

  server.on('session', (session) => {
    counters.connections++;
    sessions.add(session);
    session.on('error', () => {}); // clients may leave as they like
    session.on('close', () => sessions.delete(session));
  });
  server.on('sessionError', () => {});
  server.on('tlsClientError', () => {});
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const chunks: Buffer[] = [];
    let length = 0;
    stream.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= 2 * maxPayload) chunks.push(chunk);
    });
    stream.on('end', () => receive(stream, headers, Buffer.concat(chunks).toString('utf8'), length));
  });

  function receive(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: string, length: number): void {
    counters.received++;
    const push = checkRequest(headers, body, length, options.topic ?? topicOf(stream));
    if ('reason' in push) {
      refuse(stream, push);
      return;
    }
    const received: ReceivedPush = { ...push, headers, number: counters.received };
    const scripted = script?.(received);
    if (scripted !== undefined && !('lost' in scripted)) {
      playScript(stream, scripted);
      return;
    }
    const refusal = judgeToken(push.token, push.topic);
    if (refusal !== undefined) {
      refuse(stream, refusal);
      return;
    }
    counters.accepted++;
    pushes.push(received);
    const id = headers['apns-id'];
    stream.respond({ ':status': 200, 'apns-id': typeof id === 'string' ? id : newId() }, { endStream: true });
    if (scripted === undefined) hand(received);
  }

  /** Is the token one that a device has registered for this topic, and still alive? */
  function judgeToken(token: string, topic: string): Refusal | undefined {
    const died = dead.get(token);
    if (died !== undefined) return { status: 410, reason: 'Unregistered', timestamp: died };
    const registered = topics.get(token);
    if (registered === undefined) return { status: 400, reason: 'BadDeviceToken' };
    return registered === topic ? undefined : { status: 400, reason: 'DeviceTokenNotForTopic' };
  }

  function hand(push: ReceivedPush): void {
    const listener = listeners.get(push.token);
    if (listener !== undefined) {
      counters.delivered++;
      setImmediate(() => listener.onPush({ mdm: push.mdm })); // the answer goes out first, as over the real network
      return;
    }
    const expires = Number(push.headers['apns-expiration'] ?? 0) * 1000;
    if (expires <= now()) return;
    counters.stored++;
    waiting.set(push.token, { mdm: push.mdm, expires });
  }

  function refuse(stream: ServerHttp2Stream, { status, reason, timestamp, retryAfter }: Refusal): void {
    counters.refused++;
    stream.respond({
      ':status': status,
      'apns-id': newId(),
      'content-type': 'application/json',
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    });
    stream.end(JSON.stringify(timestamp === undefined ? { reason } : { reason, timestamp }));
  }

  function playScript(stream: ServerHttp2Stream, answer: Exclude<ScriptedAnswer, { readonly lost: true }>): void {
    const session = stream.session as ServerHttp2Session | undefined;
    if ('status' in answer) {
      refuse(stream, answer);
      return;
    }
    counters.refused++;
    if ('reset' in answer)
      stream.close(2); // INTERNAL_ERROR
    else if ('goaway' in answer) sayGoaway(stream, session);
    else session?.socket.destroy();
  }

  let ids = 0;
  const newId = (): string => `00000000-0000-4000-8000-${(++ids).toString(16).padStart(12, '0')}`;

  server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    origin: `https://localhost:${port}`,
    port,
    counters,
    pushes,
    register(registration) {
      const token = registration.token.toLowerCase();
      listeners.set(token, registration);
      topics.set(token, registration.topic);
      dead.delete(token);
      const stored = waiting.get(token);
      waiting.delete(token);
      if (stored !== undefined && stored.expires > now()) {
        counters.delivered++;
        setImmediate(() => registration.onPush({ mdm: stored.mdm }));
      }
    },
    disconnect(token) {
      listeners.delete(token.toLowerCase());
    },
    unregister(token) {
      const key = token.toLowerCase();
      if (topics.has(key)) dead.set(key, now());
      listeners.delete(key);
      waiting.delete(key);
    },
    respond(next) {
      script = next;
    },
    async close() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The connection ends; this stream was not processed. The first stream of a connection cannot lie above the last one. */
function sayGoaway(stream: ServerHttp2Stream, session: ServerHttp2Session | undefined): void {
  const id = stream.id ?? 1;
  if (id > 1) session?.goaway(0, id - 2);
  stream.close(7); // REFUSED_STREAM
  session?.close();
}

function topicOf(stream: ServerHttp2Stream): string | undefined {
  const socket = stream.session?.socket as TLSSocket | undefined;
  const subject = socket?.getPeerCertificate().subject as { readonly UID?: string } | undefined;
  return subject?.UID;
}
