// Admin API: declarations, sets and their members, and how they stand on devices.
import type { DeclarationInput, Engine } from '@espalier/core';
import { z } from 'zod';
import type { PublicUrls } from '../enrol/profile.ts';
import { HostError } from '../errors.ts';
import type { Context } from '../http/router.ts';
import { contentPath } from '../mdm/content.ts';
import { unknown } from './devices.ts';
import { type Operation, operation } from './operation.ts';
import * as shape from './schemas.ts';

const time = z.number().int();
const kind = z.enum(['activation', 'asset', 'configuration', 'management']);
const payload = z.record(z.string(), z.unknown());

const declaration = z
  .object({
    identifier: z.string(),
    type: z.string(),
    kind,
    description: z.string(),
    payload: payload.readonly(),
    serverToken: z.string(),
    content: z.object({ contentType: z.string(), size: z.number().int(), sha256: z.string() }).nullable(),
    version: z.number().int(),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Declaration' });

const setFields = {
  id: z.string(),
  name: z.string(),
  description: z.string(),
  channel: z.enum(['device', 'user']),
  identifiers: z.array(z.string()).readonly(),
  labelIds: z.array(z.string()).readonly(),
  version: z.number().int(),
  createdAt: time,
  updatedAt: time,
};
const set = z.object(setFields).meta({ id: 'DeclarationSet' });
const setRow = z.object({ ...setFields, memberCount: z.number().int() }).meta({ id: 'DeclarationSetRow' });

const deviceDeclaration = z
  .object({
    enrolmentId: z.string(),
    identifier: z.string(),
    kind,
    type: z.string().nullable(),
    wantedToken: z.string().nullable(),
    serverToken: z.string().nullable(),
    status: z.enum(['waiting', 'applied', 'inactive', 'failed', 'leaving']),
    active: z.boolean(),
    valid: z.enum(['valid', 'invalid', 'unknown']),
    reasons: z
      .array(
        z.object({
          code: z.string(),
          description: z.string().exactOptional(),
          details: payload.readonly().exactOptional(),
        }),
      )
      .readonly(),
    reportedAt: time.nullable(),
  })
  .meta({ id: 'DeviceDeclaration' });

const sync = z
  .object({
    token: z.string(),
    tokenAt: time,
    deviceToken: z.string().nullable(),
    fetchedAt: time.nullable(),
    askedAt: time.nullable(),
    reportedAt: time.nullable(),
  })
  .meta({ id: 'DeclarationSync' });

const problem = z
  .object({
    identifier: z.string(),
    path: z.string(),
    code: z.enum(['duplicate', 'missing', 'wrong-type', 'not-referenced']),
    severity: z.enum(['error', 'warning']),
    message: z.string(),
  })
  .meta({ id: 'DeclarationProblem' });

const identifiers = z.array(z.string().min(1).max(64)).max(5_000);
const ids = z.array(z.string().min(1).max(500)).max(100_000);
const name = z.string().trim().min(1).max(200);
const description = z.string().max(2000);

const newDeclaration = z.strictObject({
  type: z.string().min(1).max(200),
  payload: payload.meta({ description: 'Apple’s Payload. What `content` fills in is left out.' }),
  description: description.exactOptional(),
  content: z
    .strictObject({
      data: z.base64().max(64 * 1024 * 1024),
      contentType: z.string().regex(/^[\w.+-]+\/[\w.+-]+$/, 'A content type is one such as text/plain.'),
    })
    .exactOptional()
    .meta({ description: 'Bytes that this server serves for a legacy profile or an asset, to devices that have it.' }),
});

const newSet = z.strictObject({
  name,
  description: description.exactOptional(),
  channel: z.enum(['device', 'user']).exactOptional(),
  identifiers: identifiers.exactOptional(),
  labelIds: ids.exactOptional(),
});
const setChange = z.strictObject({
  name: name.exactOptional(),
  description: description.exactOptional(),
  identifiers: identifiers.exactOptional(),
  labelIds: ids.exactOptional(),
});

/** The operations on declarations and their sets. */
export function declarationOperations({ declarations }: Engine, urls: (context: Context) => PublicUrls): Operation[] {
  const tag = 'Declarations';

  function inputOf(identifier: string, body: z.output<typeof newDeclaration>, context: Context): DeclarationInput {
    const { content, ...rest } = body;
    if (content === undefined) return { identifier, ...rest };
    const bytes = new Uint8Array(Buffer.from(content.data, 'base64'));
    if (bytes.length === 0) throw new HostError('invalid', 'host.input.invalid', 'The content is empty.');
    const { base } = urls(context);
    const url = (what: { readonly identifier: string; readonly sha256: string }) => base + contentPath(what);
    return { identifier, ...rest, content: { bytes, contentType: content.contentType, url } };
  }

  return [
    operation({
      id: 'listDeclarations',
      permission: 'view configurations',
      method: 'GET',
      path: '/declarations',
      tag,
      summary: 'All declarations.',
      query: shape.pageQuery,
      response: shape.pageOf(declaration),
      handle: ({ query }) => declarations.list(query),
    }),
    operation({
      id: 'checkDeclarations',
      permission: 'view configurations',
      method: 'POST',
      path: '/declarations/check',
      tag,
      summary: 'What is wrong between declarations that go to a device together.',
      body: z.strictObject({ identifiers }),
      response: z.object({ problems: z.array(problem).readonly() }),
      handle: async ({ body }) => ({ problems: await declarations.check(body.identifiers) }),
    }),
    operation({
      id: 'putDeclaration',
      permission: 'manage configurations',
      method: 'PUT',
      path: '/declarations/{id}',
      tag,
      summary: 'Writes a declaration, new or changed; devices that have it are told.',
      params: shape.idParam,
      body: newDeclaration,
      response: declaration,
      refusals: [409, 413],
      handle: ({ params: { id }, body, context }) => declarations.put(inputOf(id, body, context)),
    }),
    operation({
      id: 'getDeclaration',
      permission: 'view configurations',
      method: 'GET',
      path: '/declarations/{id}',
      tag,
      summary: 'One declaration.',
      params: shape.idParam,
      response: declaration,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        const found = await declarations.get(id);
        if (found === null) throw unknown('declaration');
        return found;
      },
    }),
    operation({
      id: 'deleteDeclaration',
      permission: 'manage configurations',
      method: 'DELETE',
      path: '/declarations/{id}',
      tag,
      summary: 'Deletes a declaration that no set holds and no other one names.',
      params: shape.idParam,
      status: 204,
      refusals: [404, 409],
      handle: async ({ params: { id } }) => {
        await declarations.delete(id);
        return undefined;
      },
    }),
    operation({
      id: 'listDeclarationDevices',
      permission: 'view devices',
      method: 'GET',
      path: '/declarations/{id}/devices',
      tag,
      summary: 'What devices said of a declaration.',
      params: shape.idParam,
      query: shape.pageQuery,
      response: shape.pageOf(deviceDeclaration),
      handle: ({ params: { id }, query }) => declarations.onDevices(id, query),
    }),
  ];
}

/** The operations on sets. */
export function declarationSetOperations({ declarations }: Engine): Operation[] {
  const tag = 'Declarations';
  return [
    operation({
      id: 'listDeclarationSets',
      permission: 'view devices',
      method: 'GET',
      path: '/declaration-sets',
      tag,
      summary: 'All sets, with how many enrolments are members by hand.',
      response: z.object({ items: z.array(setRow).readonly() }),
      handle: async () => ({ items: await declarations.listSets() }),
    }),
    operation({
      id: 'createDeclarationSet',
      permission: 'manage configurations',
      method: 'POST',
      path: '/declaration-sets',
      tag,
      summary: 'Makes a set of declarations for labels and single devices.',
      body: newSet,
      status: 201,
      response: set,
      refusals: [404, 409],
      handle: ({ body }) => declarations.createSet(body),
    }),
    operation({
      id: 'getDeclarationSet',
      permission: 'view devices',
      method: 'GET',
      path: '/declaration-sets/{id}',
      tag,
      summary: 'One set.',
      params: shape.idParam,
      response: set,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        const found = await declarations.getSet(id);
        if (found === null) throw unknown('declaration set');
        return found;
      },
    }),
    operation({
      id: 'updateDeclarationSet',
      permission: 'manage configurations',
      method: 'PATCH',
      path: '/declaration-sets/{id}',
      tag,
      summary: 'Changes a set; its devices are told.',
      params: shape.idParam,
      body: setChange,
      response: set,
      refusals: [404, 409],
      handle: ({ params: { id }, body }) => declarations.updateSet(id, body),
    }),
    operation({
      id: 'deleteDeclarationSet',
      permission: 'manage configurations',
      method: 'DELETE',
      path: '/declaration-sets/{id}',
      tag,
      summary: 'Deletes a set; its declarations leave the devices that have them by it alone.',
      params: shape.idParam,
      status: 204,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        await declarations.deleteSet(id);
        return undefined;
      },
    }),
    operation({
      id: 'listDeclarationSetMembers',
      permission: 'view devices',
      method: 'GET',
      path: '/declaration-sets/{id}/members',
      tag,
      summary: 'Ids of the enrolments that are members by hand.',
      params: shape.idParam,
      query: shape.pageQuery,
      response: shape.pageOf(z.string()),
      refusals: [404],
      handle: ({ params: { id }, query }) => declarations.members(id, query),
    }),
    operation({
      id: 'changeDeclarationSetMembers',
      permission: 'manage configurations',
      method: 'POST',
      path: '/declaration-sets/{id}/members',
      tag,
      summary: 'Puts enrolments into a set by hand, or takes them out.',
      params: shape.idParam,
      body: shape.memberChange,
      response: z.object({ added: z.number().int(), removed: z.number().int() }),
      refusals: [404],
      handle: ({ params: { id }, body }) => declarations.setMembers(id, body),
    }),
  ];
}

/** The operations on one device's declarations. */
export function deviceDeclarationOperations(engine: Engine): Operation[] {
  const { declarations } = engine;
  const tag = 'Devices';

  async function known(id: string): Promise<void> {
    if ((await engine.devices.get(id)) === null) throw unknown('device');
  }

  return [
    operation({
      id: 'listDeviceDeclarations',
      permission: 'view devices',
      method: 'GET',
      path: '/devices/{id}/declarations',
      tag,
      summary: 'The declarations that a device is to have and says it has.',
      params: shape.idParam,
      response: z.object({ sync: sync.nullable(), items: z.array(deviceDeclaration).readonly() }),
      refusals: [404],
      handle: async ({ params: { id } }) => {
        await known(id);
        return { sync: await declarations.sync(id), items: await declarations.ofDevice(id) };
      },
    }),
    operation({
      id: 'syncDeviceDeclarations',
      permission: 'manage devices',
      method: 'POST',
      path: '/devices/{id}/declarations/sync',
      tag,
      summary: 'Tells a device to synchronise its declarations, although nothing changed.',
      params: shape.idParam,
      status: 202,
      response: z.object({ queued: z.number().int() }),
      refusals: [404],
      handle: async ({ params: { id } }) => {
        await known(id);
        return { queued: await declarations.ask([id]) };
      },
    }),
    operation({
      id: 'getDeviceStatus',
      permission: 'view devices',
      method: 'GET',
      path: '/devices/{id}/status',
      tag,
      summary: 'The status items of a device as last reported, by name.',
      params: shape.idParam,
      response: z.record(z.string(), z.unknown()),
      refusals: [404],
      handle: async ({ params: { id } }) => {
        await known(id);
        return await declarations.status(id);
      },
    }),
  ];
}
