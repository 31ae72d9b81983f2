// Admin API: what happened.
import type { Engine, EventType } from '@espalier/core';
import { z } from 'zod';
import { type Operation, operation } from './operation.ts';
import * as shape from './schemas.ts';

/** The operations on events. */
export function eventOperations(engine: Engine): Operation[] {
  return [
    operation({
      id: 'listEvents',
      permission: 'view devices',
      method: 'GET',
      path: '/events',
      tag: 'Events',
      summary: 'Events, newest first.',
      query: shape.pageQuery.extend({
        enrolmentId: z.string().max(500).exactOptional(),
        type: z
          .string()
          .regex(/^[a-z-]+\.[a-z-]+$/, 'An event type is two names with a dot between, such as command.queued.')
          .exactOptional(),
      }),
      response: shape.pageOf(shape.event),
      // A type that does not exist finds nothing, as one without events does.
      handle: async ({ query: { type, ...query } }) =>
        await engine.events.list({ ...query, ...(type === undefined ? {} : { type: type as EventType }) }),
    }),
  ];
}
