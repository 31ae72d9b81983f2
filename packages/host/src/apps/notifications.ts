// Where Apple sends notifications of Apps and Books; what it sends carries the secret of the location.
import { type BodyLimits, readBody } from '../http/body.ts';
import { empty } from '../http/respond.ts';
import type { Route } from '../http/router.ts';
import type { AppsService } from './types.ts';

/** A notification has a hundred elements at most. */
const MAX_BYTES = 256 * 1024;

/** `POST /apps/notifications/:id` */
export function appsRoutes(service: AppsService, limits: BodyLimits): Route[] {
  return [
    {
      methods: ['POST'],
      path: '/apps/notifications/:id',
      handle: async ({ request, params }) => {
        const body = await readBody(request, { ...limits, maxBytes: Math.min(limits.maxBytes, MAX_BYTES) });
        const authorization = request.headers.get('authorization');
        await service.notification(params['id'] as string, new TextDecoder().decode(body), authorization);
        return empty(200);
      },
    },
  ];
}
