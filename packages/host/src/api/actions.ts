// Admin API: device actions (ACT-1), with a result for each device.
import { type ActionName, type ActionParameters, actionNames, type Engine, permissionsOfAction } from '@espalier/core';
import { z } from 'zod';
import { invalid, type Operation, operation } from './operation.ts';
import { recipeParameters } from './recipes.ts';
import * as shape from './schemas.ts';

const nothing = z.strictObject({});
const data = z
  .base64()
  .transform((base64) => new Uint8Array(Buffer.from(base64, 'base64')))
  .exactOptional();
const flag = z.boolean();
const maybe = flag.exactOptional();

/** What each action takes, as JSON. */
const parameters = {
  lock: z.strictObject({
    message: z.string().min(1).max(500).exactOptional(),
    phoneNumber: z.string().min(1).max(50).exactOptional(),
    pin: z.string().max(6).exactOptional(),
  }),
  unlock: nothing,
  'encryption-status': nothing,
  wipe: recipeParameters.erase,
  'cancel-wipe': nothing,
  retire: nothing,
  'force-retire': nothing,
  lost: nothing,
  found: nothing,
  'check-in': nothing,
  'lost-mode-on': recipeParameters['lost-mode-on'],
  'lost-mode-off': nothing,
  'lost-mode-sound': nothing,
  locate: nothing,
  hotspot: z.strictObject({ enabled: flag }),
  bluetooth: z.strictObject({ enabled: flag }),
  'time-zone': z.strictObject({ timeZone: z.string().min(1).max(100) }),
  wallpaper: z.strictObject({ image: data, home: data, lock: data }),
  'system-apps': z.strictObject({ bundleIds: z.array(z.string().min(1).max(200)).min(1).max(100) }),
  restart: z.strictObject({ clearPasscode: maybe, notifyUser: maybe }),
  'shut-down': z.strictObject({ clearPasscode: maybe }),
  'os-update': recipeParameters['software-update'],
  'list-users': recipeParameters['user-list'],
  'log-out-user': recipeParameters['log-out-user'],
  'delete-users': recipeParameters['delete-users'],
} satisfies { [N in ActionName]: z.ZodType };

const name = z.enum(actionNames as [ActionName]);
const description = z.object({
  action: name,
  bulk: z.boolean(),
  destructive: z.boolean(),
  notifies: z.enum(['always', 'on', 'off']),
  statuses: z.array(z.string()).readonly(),
});
const result = z
  .object({
    enrolmentId: z.string(),
    outcome: z.enum(['queued', 'done', 'refused']),
    commandUuids: z.array(z.string()).readonly(),
    code: z.string().optional(),
    message: z.string().optional(),
    remedy: z.string().optional(),
    warnings: z.array(z.string()).readonly(),
  })
  .meta({ id: 'ActionResult' });
const request = z.strictObject({
  target: shape.target,
  action: name,
  parameters: z.record(z.string(), z.unknown()).exactOptional().meta({
    description: 'What the action takes; images as base64.',
  }),
  options: z
    .strictObject({
      note: z.string().max(1000).exactOptional().meta({ description: 'Why; for the audit log.' }),
      actor: z.string().min(1).max(200).exactOptional(),
      notifyUser: maybe,
      force: maybe.meta({
        description: 'Do it also where a rule of this server, or what is known of the device, speaks against it.',
      }),
    })
    .exactOptional(),
});

/** The operations on actions. */
export function actionOperations({ actions }: Engine): Operation[] {
  const tag = 'Actions';
  return [
    operation({
      id: 'listActions',
      permission: 'view devices',
      method: 'GET',
      path: '/actions',
      tag,
      summary: 'All device actions: for many devices or one, destructive or not, for which statuses.',
      response: z.object({ items: z.array(description).readonly() }),
      handle: async () => ({ items: actions.list }),
    }),
    operation({
      id: 'runAction',
      permission: 'manage devices',
      method: 'POST',
      path: '/actions',
      tag,
      summary: 'Runs an action on devices, on the members of a label, or on what a search finds; a result for each.',
      body: request,
      large: true,
      status: 202,
      response: z.object({ items: z.array(result).readonly() }),
      refusals: [404, 413],
      needs: ({ body: { action, parameters: given } }) => permissionsOfAction(action, given),
      handle: async ({ body: { target, action, parameters: given = {}, options = {} } }) => ({
        items: await actions.run(target, action, readParameters(action, given), options),
      }),
    }),
    operation({
      id: 'listDeviceActions',
      permission: 'view devices',
      method: 'GET',
      path: '/devices/{id}/actions',
      tag,
      summary: 'Which actions the device may be asked for now, and what speaks against the others.',
      params: shape.idParam,
      response: z.object({
        items: z.array(z.object({ action: name, allowed: z.boolean(), reason: z.string().nullable() })).readonly(),
      }),
      refusals: [404],
      handle: async ({ params: { id } }) => ({ items: await actions.available(id) }),
    }),
  ];
}

function readParameters(action: ActionName, given: Record<string, unknown>): ActionParameters[ActionName] {
  const read = parameters[action].safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw invalid(
    issue?.message ?? 'The parameters make no sense.',
    ['body', 'parameters', ...(issue?.path ?? [])].join('.'),
  );
}
