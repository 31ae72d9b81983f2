// Admin API: recipes (flows of several commands on one device), and the secrets in escrow.
import { type Engine, permissionsOfRecipe, type RecipeParameters, recipeNames } from '@espalier/core';
import { z } from 'zod';
import { unknown } from './devices.ts';
import { invalid, type Operation, operation } from './operation.ts';
import { payloadFromJson } from './payload.ts';
import * as shape from './schemas.ts';
import { actorOf, placeTold, readableRun } from './secrecy.ts';

const text = (max: number) => z.string().min(1).max(max).exactOptional();
const nothing = z.strictObject({});
const data = z
  .base64()
  .transform((base64) => new Uint8Array(Buffer.from(base64, 'base64')))
  .exactOptional();

/** What each recipe takes, as JSON. */
export const recipeParameters = {
  'lost-mode-on': z.strictObject({
    message: text(1000),
    phoneNumber: text(50),
    footnote: text(1000),
    sound: z.boolean().exactOptional(),
    locate: z.boolean().exactOptional(),
  }),
  'lost-mode-locate': nothing,
  'lost-mode-off': nothing,
  'clear-passcode': nothing,
  'clear-passcode-restart': z.strictObject({ operation: z.enum(['restart', 'shutdown']).exactOptional() }),
  'filevault-escrow': nothing,
  'filevault-rotate': z.strictObject({ password: text(500) }),
  'recovery-lock-set': z.strictObject({ password: text(500), currentPassword: text(500) }),
  'recovery-lock-verify': nothing,
  'recovery-lock-clear': z.strictObject({ currentPassword: text(500) }),
  'software-update': z.strictObject({
    version: text(50),
    build: text(50),
    action: z
      .enum(['Default', 'DownloadOnly', 'InstallASAP', 'NotifyOnly', 'InstallLater', 'InstallForceRestart'])
      .exactOptional(),
    maxDeferrals: z.number().int().min(0).max(1000).exactOptional(),
    deadline: text(50),
    detailsUrl: z.url().max(2000).exactOptional(),
  }),
  'release-awaiting': z.strictObject({
    commands: z
      .array(z.strictObject({ requestType: z.string().min(1).max(100), payload: z.record(z.string(), z.unknown()) }))
      .max(100)
      .exactOptional(),
  }),
  'activation-lock-escrow': nothing,
  'activation-lock-clear': z.strictObject({ withoutEscrow: z.boolean().exactOptional() }),
  erase: z.strictObject({
    pin: text(6),
    preserveDataPlan: z.boolean().exactOptional(),
    disallowProximitySetup: z.boolean().exactOptional(),
    obliterationBehavior: z.enum(['Default', 'DoNotObliterate', 'ObliterateWithWarning', 'Always']).exactOptional(),
    returnToService: z.strictObject({ wifiProfile: data, mdmProfile: data }).exactOptional(),
  }),
  'user-list': z.strictObject({ requireNetworkTether: z.boolean().exactOptional() }),
  'log-out-user': z.strictObject({ requireNetworkTether: z.boolean().exactOptional() }),
  'delete-users': z.strictObject({
    users: z.array(z.string().min(1).max(500)).min(1).max(100).exactOptional(),
    all: z.boolean().exactOptional(),
    force: z.boolean().exactOptional(),
    requireNetworkTether: z.boolean().exactOptional(),
  }),
} satisfies { [N in keyof RecipeParameters]: z.ZodType };

const name = z.enum(recipeNames as [keyof RecipeParameters]);
const recipeParams = shape.idParam.extend({ recipe: name });
const time = z.number().int();
const run = z.object({
  recipe: name,
  runId: z.string(),
  enrolmentId: z.string(),
  status: z.enum(['running', 'succeeded', 'failed', 'cancelled']),
  step: z.object({ number: z.number().int(), requestType: z.string(), commandUuid: z.string() }).nullable(),
  startedAt: time,
  updatedAt: time,
  reason: z.string().nullable(),
  result: z.record(z.string(), z.unknown()),
});

const place = z.object({
  latitude: z.number(),
  longitude: z.number(),
  horizontalAccuracy: z.number().exactOptional(),
  verticalAccuracy: z.number().exactOptional(),
  altitude: z.number().exactOptional(),
  speed: z.number().exactOptional(),
  course: z.number().exactOptional(),
  at: time.exactOptional(),
});

/** The operations on recipes and escrow. */
export function recipeOperations(engine: Engine): Operation[] {
  const { recipes, devices, escrow, locations } = engine;
  async function known(id: string): Promise<void> {
    if ((await devices.get(id)) === null) throw unknown('device');
  }
  const shown = (made: Awaited<ReturnType<typeof recipes.start>>) => ({ ...made, result: { ...made.result } });

  return [
    operation({
      id: 'startRecipe',
      permission: 'manage devices',
      method: 'POST',
      path: '/devices/{id}/recipes/{recipe}',
      tag: 'Recipes',
      summary: 'Starts a flow of several commands on one device.',
      params: recipeParams,
      body: z.record(z.string(), z.unknown()).meta({ description: 'What the recipe takes; an empty object for most.' }),
      status: 202,
      response: run,
      refusals: [404, 409],
      needs: ({ params: { recipe }, body }) => permissionsOfRecipe(recipe, body),
      handle: async ({ params: { id, recipe }, body, access }) => {
        const started = readableRun(shown(await recipes.start(id, recipe, readParameters(recipe, body))), access);
        await placeTold(engine, id, access, { runs: [started] });
        return started;
      },
    }),
    operation({
      id: 'listRecipes',
      permission: 'view devices',
      method: 'GET',
      path: '/devices/{id}/recipes',
      tag: 'Recipes',
      summary: 'The last run of each recipe on one device, newest first.',
      params: shape.idParam,
      response: z.object({ items: z.array(run) }),
      refusals: [404],
      handle: async ({ params: { id }, access }) => {
        await known(id);
        const runs = (await recipes.list(id)).map((run) => readableRun(shown(run), access));
        await placeTold(engine, id, access, { runs });
        return { items: runs };
      },
    }),
    operation({
      id: 'readLocation',
      permission: 'locate devices',
      method: 'GET',
      path: '/devices/{id}/location',
      tag: 'Recipes',
      summary:
        'Where the device was when a recipe last asked it; `null` where that is not known, or not kept any more. An event.',
      params: shape.idParam,
      response: z.object({ location: place.nullable() }),
      refusals: [404],
      handle: async ({ params: { id }, access }) => {
        await known(id);
        return { location: await locations.read(id, { actor: actorOf(access) }) };
      },
    }),
    operation({
      id: 'cancelRecipe',
      permission: 'manage devices',
      method: 'DELETE',
      path: '/devices/{id}/recipes/{recipe}',
      tag: 'Recipes',
      summary: 'Withdraws what is pending of a recipe.',
      params: recipeParams,
      status: 204,
      refusals: [404],
      handle: async ({ params: { id, recipe } }) => {
        if (!(await recipes.cancel(id, recipe))) throw unknown('run');
        return undefined;
      },
    }),
    operation({
      id: 'readEscrow',
      permission: 'read secrets',
      method: 'GET',
      path: '/devices/{id}/escrow/{kind}',
      tag: 'Recipes',
      summary: 'A secret that unlocks the device, newest first. Each reading is an event.',
      params: shape.idParam.extend({
        kind: z.enum(['filevault-key', 'recovery-lock', 'activation-lock-bypass', 'erase-pin']),
      }),
      response: z.object({ items: z.array(z.object({ value: z.string(), at: time })).readonly() }),
      refusals: [404],
      handle: async ({ params: { id, kind } }) => {
        await known(id);
        return { items: await escrow.read(id, kind) };
      },
    }),
  ];
}

function readParameters(
  recipe: keyof RecipeParameters,
  body: Record<string, unknown>,
): RecipeParameters[typeof recipe] {
  const read = recipeParameters[recipe].safeParse(body);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw invalid(issue?.message ?? 'The parameters make no sense.', ['body', ...(issue?.path ?? [])].join('.'));
  }
  if (recipe !== 'release-awaiting') return read.data;
  const { commands = [] } = read.data as RecipeParameters['release-awaiting'];
  return {
    commands: commands.map(({ requestType, payload }) => ({
      requestType,
      payload: payloadFromJson(requestType, payload),
    })),
  };
}
