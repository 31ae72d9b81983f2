// One HTTP/2 connection to APNs. It tells apart what was answered, what was certainly not processed, and what is unknown.
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import type { SecureContext, TLSSocket } from 'node:tls';
import { http2, net, tls } from '../builtins.ts';
import type { ApnsAnswer } from './outcome.ts';

/** Timers, so that tests own them. */
export interface Timers {
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** What became of one request on one connection. */
export type SendResult =
  | { readonly kind: 'answer'; readonly answer: ApnsAnswer }
  /** The server has certainly not processed it: it may be sent again. */
  | { readonly kind: 'unprocessed'; readonly reason: string }
  /** It went out, and nobody knows what became of it. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Why a connection could not be made. */
export interface ConnectFailure {
  readonly reason: string;
  /** The TLS layer refused: our certificate, or theirs. Trying again does not help. */
  readonly tls: boolean;
}

export interface ConnectionOptions {
  readonly origin: string;
  readonly secureContext: SecureContext;
  readonly timers: Timers;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** Called once, when no further request can be sent on this connection. */
  readonly onRetired: (reason: string) => void;
}

/** Error codes of HTTP/2 (RFC 9113, section 7). */
const refusedStream = 7;
const cancel = 8;

/** Answers longer than this are cut: APNs answers with some dozen bytes of JSON. */
const maxAnswerLength = 8192;

/** An open connection. Requests go out only after the server's SETTINGS: whatever fails earlier was never sent. */
export class Connection {
  readonly #session: ClientHttp2Session;
  readonly #options: ConnectionOptions;
  #lastStreamId = Number.POSITIVE_INFINITY;
  #usable = false;
  #retired = false;
  #error: Error | undefined;
  #pingTimer: unknown;
  readonly #pending = new Set<() => void>();

  private constructor(session: ClientHttp2Session, options: ConnectionOptions) {
    this.#session = session;
    this.#options = options;
  }

  /** Connects and waits for the server's SETTINGS. */
  static open(options: ConnectionOptions): Promise<Connection | ConnectFailure> {
    return new Promise((resolve) => {
      const socket = connectTls(options);
      const session = http2().connect(options.origin, { createConnection: () => socket });
      const connection = new Connection(session, options);
      const timer = options.timers.setTimeout(() => {
        connection.#error ??= new Error('no connection in time');
        session.destroy();
        socket.destroy();
        end();
      }, options.connectTimeoutMs);
      function end(): void {
        options.timers.clearTimeout(timer);
        const reason = reasonOf(connection.#error) ?? 'closed by the server';
        if (connection.#usable) connection.#lost(reason);
        else resolve({ reason, tls: isTlsError(connection.#error) });
      }
      session.once('remoteSettings', () => {
        options.timers.clearTimeout(timer);
        connection.#usable = true;
        connection.#schedulePing();
        resolve(connection);
      });
      session.on('goaway', (code: number, lastStreamId: number) => {
        connection.#lastStreamId = lastStreamId;
        connection.retire(`GOAWAY ${code}`);
      });
      session.on('error', (error: Error) => {
        connection.#error ??= error;
      });
      session.once('close', end);
      // Node tells the session of a TLS alert that comes after the handshake neither by `error` nor by `close`; and that
      // is how a server refuses a client certificate in TLS 1.3. Streams get their turn to report first.
      socket.on('error', (error: Error) => {
        connection.#error ??= error;
      });
      socket.once('close', () => setImmediate(end));
    });
  }

  /** Whether requests can be sent. */
  get usable(): boolean {
    return this.#usable && !this.#retired && !this.#session.closed && !this.#session.destroyed;
  }

  /** How many requests the server lets run at once. */
  get maxConcurrent(): number {
    return this.#session.remoteSettings?.maxConcurrentStreams ?? 1;
  }

  /** Sends one request and tells what became of it; never throws. */
  send(headers: OutgoingHttpHeaders, body: string): Promise<SendResult> {
    if (!this.usable) return Promise.resolve({ kind: 'unprocessed', reason: 'the connection is closed' });
    return new Promise((resolve) => {
      this.#options.timers.clearTimeout(this.#pingTimer);
      const stream = this.#session.request(headers);
      const request = new Pending(stream);
      const timer = this.#options.timers.setTimeout(() => {
        request.timedOut = true;
        this.retire('a request timed out');
        stream.close(cancel);
        stream.destroy(); // does not wait for a peer that takes nothing any more
      }, this.#options.requestTimeoutMs);
      const settle = (): void => {
        if (!this.#pending.delete(settle)) return;
        this.#options.timers.clearTimeout(timer);
        if (this.#pending.size === 0) this.#schedulePing();
        resolve(request.result(this.#lastStreamId, reasonOf(this.#error)));
      };
      this.#pending.add(settle);
      stream.once('close', settle);
      stream.end(body);
    });
  }

  /** Takes no further requests; those under way may finish. */
  retire(reason: string): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#options.timers.clearTimeout(this.#pingTimer);
    if (!this.#session.closed) this.#session.close();
    this.#options.onRetired(reason);
  }

  /** The connection is gone: whatever is still waiting will not be answered. */
  #lost(reason: string): void {
    this.retire(reason);
    for (const settle of [...this.#pending]) settle();
  }

  #schedulePing(): void {
    const { timers, pingIntervalMs } = this.#options;
    timers.clearTimeout(this.#pingTimer);
    if (!this.usable || pingIntervalMs <= 0) return;
    this.#pingTimer = timers.setTimeout(() => this.#ping(), pingIntervalMs);
  }

  /** An idle connection may be dead without either side knowing: ask, and drop it when no answer comes. */
  #ping(): void {
    if (!this.usable) return;
    const timer = this.#options.timers.setTimeout(() => {
      this.#error ??= new Error('no answer to a ping');
      this.#session.destroy();
    }, this.#options.pingTimeoutMs);
    const sent = this.#session.ping(() => {
      this.#options.timers.clearTimeout(timer);
      if (this.#pending.size === 0) this.#schedulePing();
    });
    if (!sent) this.#options.timers.clearTimeout(timer);
  }
}

/** A request under way. */
class Pending {
  timedOut = false;
  readonly #stream: ClientHttp2Stream;
  #status: number | undefined;
  #apnsId = '';
  #retryAfter: string | undefined;
  #body = '';
  #ended = false;
  #error: Error | undefined;

  constructor(stream: ClientHttp2Stream) {
    this.#stream = stream;
    stream.setEncoding('utf8');
    stream.on('response', (headers) => {
      this.#status = headers[':status'];
      this.#apnsId = String(headers['apns-id'] ?? '');
      const retryAfter = headers['retry-after'];
      if (retryAfter !== undefined) this.#retryAfter = String(retryAfter);
    });
    stream.on('data', (text: string) => {
      if (this.#body.length < maxAnswerLength) this.#body += text;
    });
    stream.on('end', () => {
      this.#ended = true;
    });
    stream.on('error', (error: Error) => {
      this.#error = error;
    });
  }

  result(lastStreamId: number, connectionReason: string | undefined): SendResult {
    // A status is Apple's word on the push, even if the rest of the answer got lost.
    if (this.#status !== undefined && (this.#ended || this.#status === 200)) {
      return {
        kind: 'answer',
        answer: {
          status: this.#status,
          apnsId: this.#apnsId,
          body: this.#body,
          ...(this.#retryAfter === undefined ? {} : { retryAfter: this.#retryAfter }),
        },
      };
    }
    if (this.timedOut) return { kind: 'unknown', reason: 'no answer in time' };
    const reason = connectionReason ?? reasonOf(this.#error) ?? `stream closed with code ${this.#stream.rstCode}`;
    const { id } = this.#stream;
    // RFC 9113, 6.8 and 8.7: streams above the GOAWAY's, and refused ones, were not processed.
    if (this.#stream.rstCode === refusedStream || id === undefined || id > lastStreamId) {
      return { kind: 'unprocessed', reason };
    }
    return { kind: 'unknown', reason };
  }
}

function connectTls({ origin, secureContext }: ConnectionOptions): TLSSocket {
  const { hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, '');
  return tls().connect({
    host,
    port: port === '' ? 443 : Number(port),
    ALPNProtocols: ['h2'],
    secureContext,
    ...(net().isIP(host) === 0 ? { servername: host } : {}),
  });
}

function reasonOf(error: Error | undefined): string | undefined {
  if (error === undefined) return undefined;
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' ? code : error.message;
}

const tlsCodes = /^(ERR_SSL_|ERR_TLS_|CERT_|EPROTO|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA|HOSTNAME_MISMATCH)/;

function isTlsError(error: Error | undefined): boolean {
  return tlsCodes.test(reasonOf(error) ?? '');
}
