// Admin API: devices, their commands, and commands to many.
import { type Engine, type Permission, permissionsOfCommand } from '@espalier/core';
import { decode } from '@espalier/plist';
import { z } from 'zod';
import { HostError, isEspalierError } from '../errors.ts';
import { deviceTable } from './device-table.ts';
import { invalid, type Operation, operation } from './operation.ts';
import { payloadFromJson } from './payload.ts';
import * as shape from './schemas.ts';
import { placeTold, readableDevice, readableResponse } from './secrecy.ts';

/** What is answered where a device is not known. */
export function unknown(what: string): HostError {
  return new HostError('not-found', 'host.not_found', `There is no such ${what}.`);
}

type DeviceQuery = NonNullable<Parameters<Engine['devices']['list']>[0]>;

/** The engine's query for the parameters of a search. */
function deviceQuery({
  q,
  search,
  label,
  excludeRetired,
  sensitive,
}: z.output<typeof shape.deviceSearch>): DeviceQuery {
  if (q !== undefined && search !== undefined) throw invalid('Give q or search, not both.', 'query.search');
  return {
    ...(q === undefined || q === '' ? {} : { basic: q }),
    ...(search === undefined || search === '' ? {} : { expression: search }),
    ...(label === undefined ? {} : { labelId: label }),
    ...(excludeRetired === undefined ? {} : { excludeRetired: excludeRetired === 'true' }),
    ...(sensitive === undefined ? {} : { sensitive: sensitive === 'true' }),
  };
}

/** Whoever searches by secrets finds them out. */
const bySecrets = ({ query }: { readonly query: z.output<typeof shape.deviceSearch> }): Permission[] =>
  query.sensitive === 'true' ? ['read secrets'] : [];

/** The operations on devices. */
export function deviceOperations(engine: Engine): Operation[] {
  const { devices, commands } = engine;
  const tag = 'Devices';

  async function known(id: string): Promise<void> {
    if ((await devices.get(id)) === null) throw unknown('device');
  }

  return [
    operation({
      id: 'listDevices',
      permission: 'view devices',
      method: 'GET',
      path: '/devices',
      tag,
      summary: 'All devices, or those that a search finds.',
      query: shape.pageQuery.extend(shape.deviceSearch.shape),
      response: shape.pageOf(shape.deviceRow).extend({ total: z.number().int() }),
      refusals: [404],
      needs: bySecrets,
      handle: async ({ query: { limit, after, ...search }, access }) => {
        const found = await devices.list({
          ...deviceQuery(search),
          ...(limit === undefined ? {} : { limit }),
          ...(after === undefined ? {} : { after }),
        });
        return { ...found, items: found.items.map((device) => readableDevice(device, access)) };
      },
    }),
    operation({
      id: 'exportDevices',
      permission: 'view devices',
      method: 'GET',
      path: '/devices.csv',
      tag,
      summary: 'All devices, or all that a search finds, as CSV.',
      query: shape.deviceSearch,
      responseType: 'text/csv',
      refusals: [404],
      needs: bySecrets,
      handle: async ({ query }) => ({
        bytes: new TextEncoder().encode(await deviceTable(engine, deviceQuery(query))),
        type: 'text/csv; charset=utf-8',
        headers: { 'content-disposition': 'attachment; filename="DeviceSearchResult.csv"' },
      }),
    }),
    operation({
      id: 'getDevice',
      permission: 'view devices',
      method: 'GET',
      path: '/devices/{id}',
      tag,
      summary: 'All that is known of one device.',
      params: shape.idParam,
      response: shape.deviceDetail,
      refusals: [404],
      handle: async ({ params: { id }, access }) => {
        const device = await devices.get(id);
        if (device === null) throw unknown('device');
        return readableDevice(device, access);
      },
    }),
    operation({
      id: 'refreshDevice',
      permission: 'manage devices',
      method: 'POST',
      path: '/devices/{id}/refresh',
      tag,
      summary: 'Asks the device for its inventory.',
      params: shape.idParam,
      status: 202,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        await known(id);
        await devices.refresh([id]);
        return undefined;
      },
    }),
    operation({
      id: 'lockDevice',
      permission: 'manage devices',
      method: 'POST',
      path: '/devices/{id}/lock',
      tag,
      summary: 'Locks the device; a Mac gets a PIN.',
      params: shape.idParam,
      body: shape.lockOptions,
      status: 202,
      response: shape.queued,
      refusals: [404, 409],
      handle: async ({ params: { id }, body }) => {
        await known(id);
        return await devices.lock(id, body);
      },
    }),
    operation({
      id: 'getLockPin',
      permission: 'read secrets',
      method: 'GET',
      path: '/devices/{id}/lock-pin',
      tag,
      summary: 'The PIN of the last lock of a Mac.',
      params: shape.idParam,
      response: z.object({ pin: z.string() }),
      refusals: [404],
      handle: async ({ params: { id } }) => {
        const pin = await devices.lockPin(id);
        if (pin === null) throw unknown('lock PIN');
        return { pin };
      },
    }),
    operation({
      id: 'getCapabilities',
      permission: 'view devices',
      method: 'GET',
      path: '/devices/{id}/capabilities',
      tag: 'Commands',
      summary: "Which commands of Apple's schema the device takes, and what speaks against the others.",
      params: shape.idParam,
      response: z.object({ items: z.array(shape.capability).readonly() }),
      refusals: [404],
      handle: async ({ params: { id } }) => ({ items: await commands.capabilities(id) }),
    }),
    operation({
      id: 'listCommands',
      permission: 'view devices',
      method: 'GET',
      path: '/devices/{id}/commands',
      tag: 'Commands',
      summary: 'Pending and finished commands of one device, newest first.',
      params: shape.idParam,
      query: shape.pageQuery,
      response: shape.pageOf(shape.commandEntry),
      refusals: [404],
      handle: async ({ params: { id }, query }) => {
        await known(id);
        return await commands.history(id, query);
      },
    }),
    operation({
      id: 'listActivity',
      permission: 'view devices',
      method: 'GET',
      path: '/devices/{id}/activity',
      tag: 'Commands',
      summary:
        'The activity log of one device: its commands by time, state and kind, with what went wrong and what helps.',
      params: shape.idParam,
      query: shape.activityQuery,
      response: shape.pageOf(shape.activityEntry),
      refusals: [404],
      handle: async ({ params: { id }, query: { state, action, ...query } }) => {
        await known(id);
        return await commands.activity(id, {
          ...query,
          ...(state === undefined ? {} : { states: state }),
          ...(action === undefined ? {} : { requestType: action }),
        });
      },
    }),
    operation({
      id: 'getCommand',
      permission: 'view devices',
      method: 'GET',
      path: '/devices/{id}/commands/{commandUuid}',
      tag: 'Commands',
      summary: "One command and the device's answer.",
      params: shape.commandParams,
      response: shape.commandOutcome,
      refusals: [404],
      handle: async ({ params: { id, commandUuid }, access }) => {
        const found = await commands.get(id, commandUuid);
        if (found === null) throw unknown('command');
        const outcome = readableResponse(found, access);
        await placeTold(engine, id, access, outcome);
        return { ...outcome, answer: outcome.response === null ? null : readable(outcome.response) };
      },
    }),
    operation({
      id: 'cancelCommand',
      permission: 'manage devices',
      method: 'DELETE',
      path: '/devices/{id}/commands/{commandUuid}',
      tag: 'Commands',
      summary: 'Cancels a command that is still pending.',
      params: shape.commandParams,
      status: 204,
      refusals: [404, 409],
      handle: async ({ params: { id, commandUuid } }) => {
        if (await commands.cancel(id, commandUuid)) return undefined;
        if ((await commands.get(id, commandUuid)) === null) throw unknown('command');
        throw new HostError('conflict', 'host.conflict', 'The command has already ended.');
      },
    }),
    operation({
      id: 'enqueueCommand',
      permission: 'manage devices',
      method: 'POST',
      path: '/commands',
      tag: 'Commands',
      summary: 'Queues one command for devices, for the members of a label, or for what a search finds.',
      body: shape.newCommand,
      status: 202,
      response: shape.enqueued,
      refusals: [404, 409],
      needs: ({ body: { requestType } }) => permissionsOfCommand(requestType),
      handle: async ({ body: { target, requestType, payload, options } }) =>
        await commands.enqueue(target, requestType, payloadFromJson(requestType, payload ?? {}), {
          origin: 'admin',
          ...options,
        }),
    }),
  ];
}

/** The decoded answer; the bytes stand next to it, so one that cannot be decoded is `null` here. */
function readable(response: Uint8Array): unknown {
  try {
    return decode(response);
  } catch (error) {
    if (isEspalierError(error)) return null;
    throw error;
  }
}
