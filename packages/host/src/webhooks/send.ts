// One attempt: a signed POST, and what its answer means.
import { signWebhook } from './signature.ts';

/** How an attempt went. */
export type Attempt =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'failed'; readonly error: string; readonly retryAfterMs?: number }
  /** 410: the receiver wants nothing more. */
  | { readonly outcome: 'gone' };

/** Sends a message. Never throws. */
export async function send(
  message: { readonly id: string; readonly body: string; readonly url: string; readonly secrets: readonly string[] },
  options: { readonly fetch: typeof fetch; readonly now: () => number; readonly timeoutMs: number },
): Promise<Attempt> {
  const { id, body, url, secrets } = message;
  const timestamp = Math.floor(options.now() / 1000);
  try {
    const response = await options.fetch(url, {
      method: 'POST',
      // Followed, a redirect would lead what is signed for one receiver to another.
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'espalier-webhooks',
        'webhook-id': id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': secrets.map((secret) => signWebhook({ id, timestamp, body }, secret)).join(' '),
      },
      body,
      signal: AbortSignal.timeout(options.timeoutMs),
    });
    await response.body?.cancel();
    if (response.ok) return { outcome: 'delivered' };
    if (response.status === 410) return { outcome: 'gone' };
    const after = response.headers.get('retry-after') ?? '';
    return {
      outcome: 'failed',
      error: `HTTP ${response.status}`,
      ...(/^\d{1,5}$/.test(after) ? { retryAfterMs: Number(after) * 1000 } : {}),
    };
  } catch (error) {
    // Any failure of the connection is one and the same to the outbox: the message stays.
    const { cause, name } = error as { readonly cause?: { readonly code?: unknown }; readonly name?: string };
    return { outcome: 'failed', error: typeof cause?.code === 'string' ? cause.code : (name ?? 'failed') };
  }
}
