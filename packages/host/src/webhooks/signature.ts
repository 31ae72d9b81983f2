// Signatures of webhooks. Source: Standard Webhooks 1.0.0 (standardwebhooks.com), "Verifying webhook authenticity".
import { createHmac } from 'node:crypto';
import type { RandomBytes } from '@espalier/core';
import { HostError } from '../errors.ts';

const PREFIX = 'whsec_';

/** Makes a secret: `whsec_` and 32 random bytes in base64. */
export function createWebhookSecret(random: RandomBytes): string {
  return PREFIX + Buffer.from(random(32)).toString('base64');
}

/**
 * Signs one message: the value of `webhook-signature`, HMAC-SHA-256 of id, timestamp and body.
 *
 * @param message `id` is the same for each attempt; `timestamp` is that of the attempt, in seconds since the Unix epoch.
 * @param secret `whsec_` and 24 to 64 bytes in base64; the prefix may be left out.
 * @throws HostError `host.webhook.secret`
 * @example
 * signWebhook({ id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1614265330, body }, secret); // 'v1,g0hM9SsE…'
 */
export function signWebhook(
  message: { readonly id: string; readonly timestamp: number; readonly body: string },
  secret: string,
): string {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  const key = Buffer.from(text, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || key.length < 24 || key.length > 64) {
    throw new HostError('invalid', 'host.webhook.secret', 'A webhook secret is whsec_ and 24 to 64 bytes in base64.');
  }
  const { id, timestamp, body } = message;
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`, 'utf8').digest('base64')}`;
}
