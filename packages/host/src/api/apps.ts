// Admin API: Apps and Books: locations, assets with counts, assignments and their events.
import { z } from 'zod';
import type { AppsService } from '../apps/types.ts';
import { type Operation, operation } from './operation.ts';
import { idParam } from './schemas.ts';

const tag = 'Apps and Books';
const permission = 'manage apps and books';
const time = z.number().int();
const count = z.number().int();
const id = z.string().min(1).max(200);
const items = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item).readonly() });

const location = z
  .object({
    id: z.string(),
    organisation: z.string(),
    name: z.string().nullable(),
    uId: z.string(),
    linkedAt: time,
    tokenExpiresAt: time,
    state: z.enum(['valid', 'expiring', 'expired']),
    notified: z.boolean().meta({ description: 'Whether Apple sends notifications here.' }),
    refreshedAt: time.nullable(),
    stale: z.boolean(),
    assets: count,
    failure: z.object({ at: time, code: z.string(), message: z.string() }).nullable(),
  })
  .meta({ id: 'AppsLocation' });
const asset = z
  .looseObject({ adamId: z.string(), pricingParam: z.string().optional() })
  .meta({ id: 'AppsAsset', description: 'Keys are Apple’s: `totalCount`, `assignedCount`, `availableCount` …' });
const user = z.looseObject({ clientUserId: z.string(), status: z.string().optional() }).meta({ id: 'AppsUser' });
const event = z
  .looseObject({ eventStatus: z.enum(['PENDING', 'COMPLETE', 'FAILED']), failures: z.array(z.unknown()).readonly() })
  .meta({ id: 'AppsEvent' });
const begun = z
  .object({ eventIds: z.array(z.string()).readonly() })
  .meta({ id: 'AppsEvents', description: 'Apple works on it; each event tells how far it is.' });

const token = z.string().min(1).max(5_000).meta({ description: 'The content token as it was downloaded.' });
const references = z
  .array(z.strictObject({ adamId: id, pricingParam: z.enum(['STDQ', 'PLUS']).exactOptional() }))
  .max(1_000);
const holders = {
  serialNumbers: z.array(id).max(10_000).exactOptional(),
  clientUserIds: z.array(id).max(10_000).exactOptional(),
};
const somebody = (value: {
  readonly serialNumbers?: readonly unknown[];
  readonly clientUserIds?: readonly unknown[];
}) => (value.serialNumbers?.length ?? 0) + (value.clientUserIds?.length ?? 0) > 0;
const nobody = 'Name devices (serialNumbers) or users (clientUserIds).';

/** The operations. */
export function appsOperations(service: AppsService): Operation[] {
  return [
    operation({
      id: 'listAppsLocations',
      permission,
      method: 'GET',
      path: '/apps/locations',
      tag,
      summary: 'The locations of Apps and Books, their tokens’ state, and when their assets were read.',
      response: items(location),
      handle: async () => ({ items: await service.locations() }),
    }),
    operation({
      id: 'linkAppsLocation',
      permission,
      method: 'POST',
      path: '/apps/locations',
      tag,
      summary: 'Links a location by its content token; `takeOver` takes it from another server.',
      body: z.strictObject({ token, takeOver: z.boolean().exactOptional() }),
      status: 201,
      response: location,
      refusals: [409],
      handle: async ({ body: { token: text, ...options } }) => service.link(text, options),
    }),
    operation({
      id: 'getAppsLocation',
      permission,
      method: 'GET',
      path: '/apps/locations/{id}',
      tag,
      summary: 'One location.',
      params: idParam,
      response: location,
      refusals: [404],
      handle: async ({ params }) => service.location(params.id),
    }),
    operation({
      id: 'renewAppsLocation',
      permission,
      method: 'PUT',
      path: '/apps/locations/{id}/token',
      tag,
      summary: 'Gives a location a new content token; `takeOver` takes it back from another server.',
      params: idParam,
      body: z.strictObject({ token, takeOver: z.boolean().exactOptional() }),
      response: location,
      refusals: [404, 409],
      handle: async ({ params, body: { token: text, ...options } }) => service.renew(params.id, text, options),
    }),
    operation({
      id: 'unlinkAppsLocation',
      permission,
      method: 'DELETE',
      path: '/apps/locations/{id}',
      tag,
      summary: 'Forgets a location. At Apple nothing changes.',
      params: idParam,
      status: 204,
      refusals: [404],
      handle: async ({ params }) => {
        await service.unlink(params.id);
        return undefined;
      },
    }),
    operation({
      id: 'refreshAppsLocation',
      permission,
      method: 'POST',
      path: '/apps/locations/{id}/refresh',
      tag,
      summary: 'Reads a location’s assets anew.',
      params: idParam,
      response: location,
      refusals: [404, 409],
      handle: async ({ params }) => service.refresh(params.id),
    }),
    operation({
      id: 'listAppsAssets',
      permission,
      method: 'GET',
      path: '/apps/locations/{id}/assets',
      tag,
      summary: 'A location’s apps and books with their counts, as they were when they were read.',
      params: idParam,
      response: items(asset).extend({ refreshedAt: time.nullable() }),
      refusals: [404],
      handle: async ({ params }) => {
        const found = await service.assets(params.id);
        return { ...found, items: found.items.map((item) => ({ ...item })) };
      },
    }),
    operation({
      id: 'assignApps',
      permission,
      method: 'POST',
      path: '/apps/locations/{id}/assignments',
      tag,
      summary: 'Assigns apps and books to devices and to registered users.',
      params: idParam,
      body: z.strictObject({ assets: references.min(1), ...holders }).refine(somebody, nobody),
      status: 202,
      response: begun,
      refusals: [404, 409],
      handle: async ({ params, body }) => ({ eventIds: await service.assign(params.id, body) }),
    }),
    operation({
      id: 'revokeApps',
      permission,
      method: 'POST',
      path: '/apps/locations/{id}/revocations',
      tag,
      summary: 'Takes apps from devices and users; without `assets`, all that can be taken.',
      params: idParam,
      body: z.strictObject({ assets: references.min(1).exactOptional(), ...holders }).refine(somebody, nobody),
      status: 202,
      response: begun,
      refusals: [404, 409],
      handle: async ({ params, body }) => ({ eventIds: await service.revoke(params.id, body) }),
    }),
    operation({
      id: 'listAppsUsers',
      permission,
      method: 'GET',
      path: '/apps/locations/{id}/users',
      tag,
      summary: 'The users whom a location knows.',
      params: idParam,
      response: items(user),
      refusals: [404, 409],
      handle: async ({ params }) => ({ items: (await service.users(params.id)).map((one) => ({ ...one })) }),
    }),
    operation({
      id: 'registerAppsUsers',
      permission,
      method: 'POST',
      path: '/apps/locations/{id}/users',
      tag,
      summary: 'Registers users with a location, which assignments to users need.',
      params: idParam,
      body: z.strictObject({
        users: z
          .array(
            z.strictObject({
              clientUserId: id,
              email: z.string().max(320).exactOptional(),
              managedAppleId: z.string().max(320).exactOptional(),
            }),
          )
          .min(1)
          .max(10_000),
      }),
      status: 202,
      response: begun,
      refusals: [404, 409],
      handle: async ({ params, body }) => ({ eventIds: await service.register(params.id, body.users) }),
    }),
    operation({
      id: 'retireAppsUser',
      permission,
      method: 'DELETE',
      path: '/apps/locations/{id}/users/{clientUserId}',
      tag,
      summary: 'Retires a user; what the user has and can be taken goes back.',
      params: idParam.extend({ clientUserId: id }),
      status: 202,
      response: begun,
      refusals: [404, 409],
      handle: async ({ params }) => ({ eventIds: await service.retire(params.id, [params.clientUserId]) }),
    }),
    operation({
      id: 'getAppsEvent',
      permission,
      method: 'GET',
      path: '/apps/locations/{id}/events/{eventId}',
      tag,
      summary: 'How far Apple is with an event, and what failed.',
      params: idParam.extend({ eventId: id }),
      response: event,
      refusals: [404, 409],
      handle: async ({ params }) => ({ ...(await service.event(params.id, params.eventId)) }),
    }),
  ];
}
