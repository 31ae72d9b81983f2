// What became of a push, and how Apple's answers map to it.
// Source: Apple, "Handling notification responses from APNs" (status codes and error strings).

/** The push was accepted for delivery. */
export interface PushDelivered {
  readonly outcome: 'delivered';
  /** Apple's identifier of the notification. */
  readonly apnsId: string;
}

/** The token will never work again for this topic: stop until the device sends another `TokenUpdate`. */
export interface PushTokenDead {
  readonly outcome: 'token-dead';
  readonly reason: string;
  /** Epoch milliseconds when Apple found the token inactive. A newer `TokenUpdate` makes this answer void. */
  readonly since?: number;
}

/** The push did not get through: send it again after `afterMs`. */
export interface PushRetry {
  readonly outcome: 'retry';
  readonly reason: string;
  /** Milliseconds to wait at least. */
  readonly afterMs: number;
  /** The connection broke after the request had gone out, so Apple may have accepted it. MDM pushes may repeat. */
  readonly mayHaveBeenDelivered: boolean;
}

/** No push can work until somebody mends the certificate or the topic. */
export interface PushRefused {
  readonly outcome: 'refused';
  readonly reason: string;
}

/** Apple refuses this very request; sending it again would not help. */
export interface PushFailed {
  readonly outcome: 'failed';
  readonly reason: string;
}

/** What became of a push. Nothing is thrown, and nothing is sent twice by the client itself. */
export type PushOutcome = PushDelivered | PushTokenDead | PushRetry | PushRefused | PushFailed;

/** An answer of APNs, as much of it as matters. */
export interface ApnsAnswer {
  readonly status: number;
  readonly apnsId: string;
  readonly retryAfter?: string;
  readonly body: string;
}

const deadTokens = new Set(['BadDeviceToken', 'DeviceTokenNotForTopic', 'Unregistered', 'ExpiredToken']);
const refusals = new Set(['BadTopic', 'MissingTopic', 'TopicDisallowed']);

/** Apple asks for a pause of 15 minutes before what got a 5xx is sent again. */
const serverErrorPause = 15 * 60_000;
/** 429 says that this device has had too many pushes. */
const tooManyPause = 60_000;
/** The server that answered is going away; the next connection leads to another. */
const shutdownPause = 1_000;

/** Maps an answer of APNs to what it means for the push. */
export function outcomeOf(answer: ApnsAnswer): PushOutcome {
  const { status, apnsId } = answer;
  if (status === 200) return { outcome: 'delivered', apnsId };
  const { reason, timestamp } = readBody(answer.body);
  const name = reason ?? `status ${status}`;
  if (status === 410 || deadTokens.has(name)) {
    return { outcome: 'token-dead', reason: name, ...(timestamp === undefined ? {} : { since: timestamp }) };
  }
  if (status === 403 || refusals.has(name)) return { outcome: 'refused', reason: name };
  if (name === 'IdleTimeout') return retry(name, 0);
  if (name === 'Shutdown') return retry(name, shutdownPause);
  if (status === 429) return retry(name, pauseOf(answer.retryAfter) ?? tooManyPause);
  if (status >= 500) return retry(name, pauseOf(answer.retryAfter) ?? serverErrorPause);
  return { outcome: 'failed', reason: name };
}

function retry(reason: string, afterMs: number): PushRetry {
  return { outcome: 'retry', reason, afterMs, mayHaveBeenDelivered: false };
}

function pauseOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}

function readBody(body: string): { readonly reason?: string; readonly timestamp?: number } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return {}; // the status alone decides; a proxy's error page is not JSON
  }
  if (typeof parsed !== 'object' || parsed === null) return {};
  const { reason, timestamp } = parsed as { readonly reason?: unknown; readonly timestamp?: unknown };
  return {
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(typeof timestamp === 'number' ? { timestamp } : {}),
  };
}
