// Admin API: webhooks.
import { z } from 'zod';
import type { Webhooks } from '../webhooks/types.ts';
import { type Operation, operation } from './operation.ts';
import { idParam } from './schemas.ts';

const time = z.number().int().meta({ description: 'Milliseconds since the Unix epoch.' });
const format = z.enum(['standard', 'micromdm']);
const webhook = {
  id: z.string(),
  url: z.string(),
  format,
  types: z.array(z.string()).readonly(),
  createdAt: time,
};
const created = z.object({ webhook: z.object(webhook), secret: z.string() }).meta({ id: 'NewWebhook' });
const row = z
  .object({
    ...webhook,
    cursor: z.number().int().meta({ description: 'Everything up to this event was delivered.' }),
    failures: z.number().int(),
    failingSince: time.nullable(),
    nextAt: time,
    lastError: z.string().nullable(),
    disabledAt: time.nullable(),
  })
  .meta({ id: 'Webhook' });
const input = z.strictObject({
  url: z.string().min(1).max(2000),
  format: format.exactOptional(),
  types: z.array(z.string().max(100)).max(100).exactOptional(),
});

/** The operations on webhooks. */
export function webhookOperations(webhooks: Webhooks): Operation[] {
  const tag = 'Webhooks';
  return [
    operation({
      id: 'createWebhook',
      permission: 'manage settings',
      method: 'POST',
      path: '/webhooks',
      tag,
      summary: 'Adds an endpoint that hears of events from now on; its secret is shown this once.',
      body: input,
      status: 201,
      response: created,
      refusals: [409],
      handle: async ({ body }) => await webhooks.create(body),
    }),
    operation({
      id: 'listWebhooks',
      permission: 'manage settings',
      method: 'GET',
      path: '/webhooks',
      tag,
      summary: 'All endpoints, and how each does.',
      response: z.object({ items: z.array(row).readonly() }),
      handle: async () => ({ items: await webhooks.list() }),
    }),
    operation({
      id: 'deleteWebhook',
      permission: 'manage settings',
      method: 'DELETE',
      path: '/webhooks/{id}',
      tag,
      summary: 'Removes an endpoint.',
      params: idParam,
      status: 204,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        await webhooks.delete(id);
        return undefined;
      },
    }),
    operation({
      id: 'enableWebhook',
      permission: 'manage settings',
      method: 'POST',
      path: '/webhooks/{id}/enable',
      tag,
      summary: 'Tries an endpoint again at once; it goes on where it was left.',
      params: idParam,
      status: 204,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        await webhooks.enable(id);
        return undefined;
      },
    }),
    operation({
      id: 'rotateWebhookSecret',
      permission: 'manage settings',
      method: 'POST',
      path: '/webhooks/{id}/rotate-secret',
      tag,
      summary: 'Makes another secret; for a day messages are signed with both.',
      params: idParam,
      response: z.object({ secret: z.string() }),
      refusals: [404],
      handle: async ({ params: { id } }) => await webhooks.rotateSecret(id),
    }),
  ];
}
