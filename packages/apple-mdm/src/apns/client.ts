// The APNs client: wakes devices. One multiplexed connection, made again when it breaks; each push has one outcome.
import type { SecureContext } from 'node:tls';
import { tls } from '../builtins.ts';
import { MdmError } from '../errors.ts';
import { type ConnectFailure, Connection, type Timers } from './connection.ts';
import { outcomeOf, type PushOutcome, type PushRetry } from './outcome.ts';

/** How the client reaches APNs and who it is. */
export interface ApnsClientOptions {
  /** The push certificate (PEM), its chain after it if there is one. */
  readonly certificate: string;
  /** Its private key (PEM). */
  readonly privateKey: string;
  /** The topic of the certificate: `com.apple.mgmt.…`. A push may name another. */
  readonly topic: string;
  /** Default: `https://api.push.apple.com`. Port 2197 is Apple's alternative to 443. */
  readonly origin?: string;
  /** Trusted roots (PEM) in place of the system's; for tests, and for networks that break TLS open. */
  readonly ca?: string | readonly string[];
  /** Requests at once, at most; the server's own limit holds besides (default 500). */
  readonly concurrency?: number;
  /** How long Apple keeps the push for a device that is offline (default 7 days; 0: deliver now or never). */
  readonly expirationSeconds?: number;
  /** 10 at once (default), 5 with regard to the device's battery. */
  readonly priority?: 5 | 10;
  /** Milliseconds until a connection counts as failed (default 10,000). */
  readonly connectTimeoutMs?: number;
  /** Milliseconds until an answer counts as lost (default 15,000). */
  readonly requestTimeoutMs?: number;
  /** An idle connection is asked for a sign of life after so many milliseconds (default 600,000; 0: never). */
  readonly pingIntervalMs?: number;
  /** First and longest pause after failed connections (default 1,000 and 60,000; doubling in between, with jitter). */
  readonly backoffMs?: { readonly first: number; readonly longest: number };
  /** Hears of connections made and lost. */
  readonly onEvent?: (event: ApnsEvent) => void;
  readonly clock?: { now(): number };
  /** From 0 up to 1, for the jitter. */
  readonly random?: () => number;
  readonly timers?: Timers;
}

/** A change of the connection. */
export type ApnsEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected'; readonly reason: string }
  | { readonly type: 'connect-failed'; readonly reason: string; readonly retryInMs: number };

/** Whom to wake: the values of the device's last `TokenUpdate`. */
export interface PushTarget {
  /** The token, as bytes or in hexadecimal. */
  readonly token: Uint8Array | string;
  readonly pushMagic: string;
  /** Default: the client's topic. */
  readonly topic?: string;
}

/** Sends MDM pushes. */
export interface ApnsClient {
  /** Sends one push; resolves when its outcome is known, and never rejects. */
  push(target: PushTarget): Promise<PushOutcome>;
  /** Lets what is under way finish, refuses what comes after, and closes. */
  close(): Promise<void>;
}

interface Job {
  readonly headers: { readonly [name: string]: string | number };
  readonly body: string;
  resends: number;
  readonly resolve: (outcome: PushOutcome) => void;
}

/** A push that certainly was not processed goes out again so often before the caller has to decide. */
const maxResends = 3;

/**
 * Makes a client of the Apple Push Notification service for MDM pushes, with a certificate.
 *
 * - The connection is made with the first push, shared by all, and made again after it broke, with growing pauses.
 *   During a pause pushes get `retry` at once.
 * - A push that the server provably did not process (`GOAWAY`, `REFUSED_STREAM`, no connection yet) is sent again here.
 *   One that may have been processed is not: it gets `retry` with `mayHaveBeenDelivered`.
 *
 * @throws MdmError `mdm.apns.option`
 * @example
 * const apns = createApnsClient({ certificate, privateKey, topic: 'com.apple.mgmt.External.0b1c2d' });
 * const result = await apns.push({ token, pushMagic });
 * if (result.outcome === 'token-dead') forget(token);
 */
export function createApnsClient(options: ApnsClientOptions): ApnsClient {
  const client = new Client(options);
  return { push: (target) => client.push(target), close: () => client.close() };
}

const nodeTimers: Timers = {
  setTimeout: (run, ms) => {
    const timer = setTimeout(run, ms);
    timer.unref(); // a pause must not keep the process alive
    return timer;
  },
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};

class Client {
  readonly #options: ApnsClientOptions;
  readonly #clock: { now(): number };
  readonly #random: () => number;
  readonly #concurrency: number;
  readonly #secureContext: SecureContext;
  readonly #backoff: { readonly first: number; readonly longest: number };
  readonly #waiting: Job[] = [];
  #connection: Connection | undefined;
  #connecting = false;
  #active = 0;
  #failures = 0;
  #pausedUntil = 0;
  #closed = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: ApnsClientOptions) {
    this.#options = options;
    this.#clock = options.clock ?? { now: () => Date.now() };
    this.#random = options.random ?? Math.random;
    this.#concurrency = options.concurrency ?? 500;
    this.#backoff = options.backoffMs ?? { first: 1_000, longest: 60_000 };
    if (!Number.isInteger(this.#concurrency) || this.#concurrency < 1) {
      throw new MdmError('mdm.apns.option', 'concurrency must be a whole number from 1');
    }
    this.#secureContext = secureContext(options);
    const origin = options.origin ?? defaultOrigin;
    if (!URL.canParse(origin) || new URL(origin).protocol !== 'https:') {
      throw new MdmError('mdm.apns.option', 'origin must be an https: URL');
    }
  }

  push(target: PushTarget): Promise<PushOutcome> {
    if (this.#closed) return Promise.resolve(retry('the client is closed', 0));
    const token = tokenHex(target.token);
    if (token === undefined) return Promise.resolve({ outcome: 'token-dead', reason: 'not a device token' });
    const pause = this.#pausedUntil - this.#clock.now();
    if (pause > 0) return Promise.resolve(retry('no connection to APNs', pause));
    return new Promise((resolve) => {
      const expiration = this.#options.expirationSeconds ?? 7 * 86_400;
      this.#waiting.push({
        headers: {
          ':method': 'POST',
          ':path': `/3/device/${token}`,
          'apns-topic': target.topic ?? this.#options.topic,
          'apns-push-type': 'mdm',
          'apns-priority': this.#options.priority ?? 10,
          'apns-expiration': expiration === 0 ? 0 : Math.floor(this.#clock.now() / 1000) + expiration,
        },
        body: JSON.stringify({ mdm: target.pushMagic }),
        resends: 0,
        resolve,
      });
      this.#drain();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#active > 0 || this.#waiting.length > 0) {
      await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    }
    this.#connection?.retire('the client is closed');
  }

  #drain(): void {
    if (this.#waiting.length > 0 && !this.#connection?.usable) {
      this.#reconnect();
      return;
    }
    const connection = this.#connection;
    while (connection?.usable && this.#waiting.length > 0) {
      if (this.#active >= Math.min(this.#concurrency, Math.max(1, connection.maxConcurrent))) return;
      this.#run(connection, this.#waiting.shift()!);
    }
    if (this.#active === 0 && this.#waiting.length === 0) for (const done of this.#whenIdle.splice(0)) done();
  }

  #run(connection: Connection, job: Job): void {
    this.#active++;
    void connection.send(job.headers, job.body).then((result) => {
      this.#active--;
      if (result.kind === 'answer') {
        const outcome = outcomeOf(result.answer);
        if (outcome.outcome === 'retry' && outcome.reason === 'Shutdown') connection.retire('the server shuts down');
        job.resolve(outcome);
      } else if (result.kind === 'unknown') {
        job.resolve({
          outcome: 'retry',
          reason: result.reason,
          afterMs: this.#backoff.first,
          mayHaveBeenDelivered: true,
        });
      } else if (job.resends < maxResends) {
        job.resends++;
        this.#waiting.unshift(job);
      } else {
        job.resolve(retry(result.reason, this.#backoff.first));
      }
      this.#drain();
    });
  }

  #reconnect(): void {
    if (this.#connecting) return;
    this.#connecting = true;
    void Connection.open({
      origin: this.#options.origin ?? defaultOrigin,
      secureContext: this.#secureContext,
      timers: this.#options.timers ?? nodeTimers,
      connectTimeoutMs: this.#options.connectTimeoutMs ?? 10_000,
      requestTimeoutMs: this.#options.requestTimeoutMs ?? 15_000,
      pingIntervalMs: this.#options.pingIntervalMs ?? 600_000,
      pingTimeoutMs: this.#options.connectTimeoutMs ?? 10_000,
      onRetired: (reason) => this.#options.onEvent?.({ type: 'disconnected', reason }),
    }).then((opened) => {
      this.#connecting = false;
      if (opened instanceof Connection) this.#connected(opened);
      else this.#connectFailed(opened);
      this.#drain();
    });
  }

  #connected(connection: Connection): void {
    this.#connection = connection;
    this.#failures = 0;
    this.#pausedUntil = 0;
    this.#options.onEvent?.({ type: 'connected' });
  }

  #connectFailed({ reason, tls }: ConnectFailure): void {
    const whole = Math.min(this.#backoff.longest, this.#backoff.first * 2 ** Math.min(this.#failures, 30));
    const retryInMs = Math.round(whole * (0.75 + 0.5 * this.#random()));
    this.#failures++;
    this.#pausedUntil = this.#clock.now() + retryInMs;
    this.#options.onEvent?.({ type: 'connect-failed', reason, retryInMs });
    for (const job of this.#waiting.splice(0)) {
      job.resolve(tls ? { outcome: 'refused', reason } : retry(reason, retryInMs));
    }
  }
}

function secureContext({ certificate, privateKey, ca }: ApnsClientOptions): SecureContext {
  try {
    return tls().createSecureContext({
      cert: certificate,
      key: privateKey,
      ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
    });
  } catch (cause) {
    throw new MdmError('mdm.apns.option', 'the push certificate and its key are not a PEM pair that TLS can use', {
      cause,
      remedy: 'check that the private key belongs to the certificate and is not encrypted',
    });
  }
}

const defaultOrigin = 'https://api.push.apple.com';

function retry(reason: string, afterMs: number): PushRetry {
  return { outcome: 'retry', reason, afterMs, mayHaveBeenDelivered: false };
}

function tokenHex(token: Uint8Array | string): string | undefined {
  const hex = typeof token === 'string' ? token.toLowerCase() : Buffer.from(token).toString('hex');
  return /^(?:[0-9a-f]{2}){1,256}$/.test(hex) ? hex : undefined;
}
