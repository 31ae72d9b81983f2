// One request and its answer: time limits, size limits, and waiting as the service asks.
import { type Clock, timeOf } from '../clock.ts';
import { AdeError } from '../errors.ts';

/** How requests are sent; the global `fetch` fits. */
export type FetchFunction = (request: Request) => Promise<Response>;

/** Waits; rejects when the signal aborts. */
export type SleepFunction = (ms: number, signal?: AbortSignal) => Promise<void>;

/** How often and how long a client tries. */
export interface RetryPolicy {
  /** Tries of one request, the first included. Default 5. */
  readonly attempts?: number;
  /** Pause after the first failure, in milliseconds; it doubles, with jitter. Default 1,000. */
  readonly firstMs?: number;
  /** The longest pause of the client's own. Default 60,000. */
  readonly longestMs?: number;
  /** The longest `Retry-After` that is waited for inside a call; one beyond it fails the call. Default 300,000. */
  readonly longestRetryAfterMs?: number;
}

/** What all clients of this package take. */
export interface HttpOptions {
  /** Default: the global `fetch`. */
  readonly fetch?: FetchFunction;
  readonly clock: Clock;
  /** Default: a timer. */
  readonly sleep?: SleepFunction;
  /** From 0 up to 1, for the jitter. Default `Math.random`. */
  readonly random?: () => number;
  /** Milliseconds until an answer counts as lost. Default 60,000. */
  readonly timeoutMs?: number;
  readonly retry?: RetryPolicy;
  /** Ends every request and wait. */
  readonly signal?: AbortSignal;
}

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Largest answer that is read. A page of 1,000 devices has about half a megabyte. */
const maxAnswerBytes = 16 * 1024 * 1024;

/** A request that can be sent again. */
export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly headers: () => Headers;
  readonly body?: string;
  /** Whether it may go out again when it is not known if the service has acted on it. */
  readonly repeatable: boolean;
}

/** Sends requests by one client's options. */
export interface Sender {
  /**
   * Sends a request, again after failures that pass: no answer, 429, 500, 502, 503, 504.
   *
   * @returns the last answer, whatever its status.
   * @throws AdeError `ade.http.unreachable`, `ade.http.answer_too_large`; an abort's own reason.
   */
  send(exchange: Exchange): Promise<Answer>;
  readonly now: () => number;
  readonly sleep: SleepFunction;
  readonly signal: AbortSignal | undefined;
}

/** Makes the sender of a client. */
export function createSender(options: HttpOptions): Sender {
  const { attempts = 5, firstMs = 1_000, longestMs = 60_000, longestRetryAfterMs = 300_000 } = options.retry ?? {};
  const { clock, signal, timeoutMs = 60_000, random = Math.random, sleep = pause } = options;
  const fetch = options.fetch ?? ((request: Request) => globalThis.fetch(request));
  const now = (): number => timeOf(clock);

  async function attempt(exchange: Exchange): Promise<Answer> {
    // Not `AbortSignal.timeout`: its timer would outlive the request, and keep the answer in memory.
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(new DOMException('no answer in time', 'TimeoutError')), timeoutMs);
    const request = new Request(exchange.url, {
      method: exchange.method,
      headers: exchange.headers(),
      ...(exchange.body === undefined ? {} : { body: exchange.body }),
      redirect: 'manual', // credentials go to nobody else
      signal: signal ? AbortSignal.any([signal, limit.signal]) : limit.signal,
    });
    try {
      const response = await fetch(request);
      return { status: response.status, headers: response.headers, text: await readText(response) };
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    now,
    sleep,
    signal,
    async send(exchange) {
      for (let number = 1; ; number++) {
        const last = number >= attempts;
        const backoff = Math.min(longestMs, firstMs * 2 ** (number - 1)) * (0.5 + random() / 2);
        let answer: Answer | undefined;
        try {
          answer = await attempt(exchange);
        } catch (error) {
          signal?.throwIfAborted();
          if (error instanceof AdeError) throw error;
          if (last || !exchange.repeatable) {
            throw new AdeError('ade.http.unreachable', `no answer from ${exchange.url.host}`, {
              kind: 'unavailable',
              cause: error,
            });
          }
        }
        if (answer !== undefined) {
          const asked = retryAfterMs(answer.headers, now());
          // Throttled requests were not acted on; after another failure of the server nobody knows.
          const passing =
            answer.status === 429 || (exchange.repeatable && [500, 502, 503, 504].includes(answer.status));
          if (!passing || last || (asked ?? 0) > longestRetryAfterMs) return answer;
          await sleep(Math.max(asked ?? 0, backoff), signal);
        } else await sleep(backoff, signal);
      }
    },
  };
}

/** The `Retry-After` of an answer: seconds or a date (RFC 9110, 10.2.3), in milliseconds from now. */
export function retryAfterMs(headers: Headers, now: number): number | undefined {
  const value = headers.get('retry-after')?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = /^[A-Za-z]{3},? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

async function readText(response: Response): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxAnswerBytes) {
      throw new AdeError('ade.http.answer_too_large', `an answer of more than ${maxAnswerBytes} bytes`, {
        kind: 'unavailable',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
