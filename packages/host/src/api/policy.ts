// Admin API: labels and their members, configurations and where they stand.
import type { Engine } from '@espalier/core';
import { configurationType, credentialConfigurationType, validateSettings } from '@espalier/policy';
import { z } from 'zod';
import type { ConfiguredIdentities } from '../ca/configured.ts';
import { HostError } from '../errors.ts';
import { unknown } from './devices.ts';
import { type Operation, operation } from './operation.ts';
import * as shape from './schemas.ts';
import { watchList } from './watchlist.ts';

/** The operations on labels. */
export function labelOperations({ labels }: Engine): Operation[] {
  const tag = 'Labels';

  async function known(id: string) {
    const label = await labels.get(id);
    if (label === null) throw unknown('label');
    return label;
  }

  return [
    operation({
      id: 'listLabels',
      permission: 'view devices',
      method: 'GET',
      path: '/labels',
      tag,
      summary: 'All labels.',
      response: z.object({ items: z.array(shape.label).readonly() }),
      handle: async () => ({ items: await labels.list() }),
    }),
    operation({
      id: 'createLabel',
      permission: 'manage labels',
      method: 'POST',
      path: '/labels',
      tag,
      summary: 'Makes a label: dynamic with an expression, manual without.',
      body: shape.newLabel,
      status: 201,
      response: shape.label,
      refusals: [409],
      handle: async ({ body }) => await labels.create(body),
    }),
    operation({
      id: 'saveSearch',
      permission: 'manage labels',
      method: 'POST',
      path: '/labels/saved-search',
      tag,
      summary: 'Makes a search a label.',
      body: shape.savedSearch,
      status: 201,
      response: shape.label,
      refusals: [409],
      handle: async ({ body }) => await labels.saveSearch(body),
    }),
    operation({
      id: 'previewLabel',
      permission: 'view devices',
      method: 'POST',
      path: '/labels/preview',
      tag,
      summary: 'Who would join and who would leave a label with this expression; changes nothing.',
      body: shape.labelPreviewQuery,
      response: shape.labelPreview,
      refusals: [404, 409],
      handle: async ({ body }) => await labels.preview(body),
    }),
    operation({
      id: 'getLabel',
      permission: 'view devices',
      method: 'GET',
      path: '/labels/{id}',
      tag,
      summary: 'One label.',
      params: shape.idParam,
      response: shape.label,
      refusals: [404],
      handle: async ({ params: { id } }) => await known(id),
    }),
    operation({
      id: 'updateLabel',
      permission: 'manage labels',
      method: 'PATCH',
      path: '/labels/{id}',
      tag,
      summary: 'Changes a label.',
      params: shape.idParam,
      body: shape.labelChange,
      response: shape.label,
      refusals: [404, 409],
      handle: async ({ params: { id }, body }) => await labels.update(id, body),
    }),
    operation({
      id: 'deleteLabel',
      permission: 'manage labels',
      method: 'DELETE',
      path: '/labels/{id}',
      tag,
      summary: 'Deletes a label; what it assigned is removed from its members.',
      params: shape.idParam,
      status: 204,
      refusals: [404, 409],
      handle: async ({ params: { id } }) => {
        await known(id);
        await labels.delete(id);
        return undefined;
      },
    }),
    operation({
      id: 'listLabelMembers',
      permission: 'view devices',
      method: 'GET',
      path: '/labels/{id}/members',
      tag,
      summary: 'The devices that have the label.',
      params: shape.idParam,
      query: shape.pageQuery,
      response: shape.pageOf(shape.enrolment),
      refusals: [404],
      handle: async ({ params: { id }, query }) => {
        await known(id);
        return await labels.members(id, query);
      },
    }),
    operation({
      id: 'changeLabelMembers',
      permission: 'manage labels',
      method: 'POST',
      path: '/labels/{id}/members',
      tag,
      summary: 'Puts devices into a manual label, or takes them out.',
      params: shape.idParam,
      body: shape.memberChange,
      status: 204,
      refusals: [404, 409],
      handle: async ({ params: { id }, body }) => {
        await labels.setMembers(id, body);
        return undefined;
      },
    }),
  ];
}

/** What no device could get is not saved. Types that a product adds to its compiler are its own to check. */
function checkSettings(type: string, settings: Readonly<Record<string, unknown>>): void {
  if (configurationType(type) === undefined && credentialConfigurationType(type) === undefined) return;
  const wrong = validateSettings(type, settings).find(({ severity }) => severity === 'error');
  if (wrong === undefined) return;
  const path = `/settings${wrong.path === '/' ? '' : wrong.path}`;
  throw new HostError('invalid', 'host.input.invalid', wrong.message, { at: { path }, remedy: wrong.remedy });
}

/** The operations on configurations. */
export function configurationOperations(engine: Engine, configured: Pick<ConfiguredIdentities, 'test'>): Operation[] {
  const { configurations } = engine;
  const tag = 'Configurations';

  async function known(id: string) {
    const configuration = await configurations.get(id);
    if (configuration === null) throw unknown('configuration');
    return configuration;
  }

  return [
    operation({
      id: 'listConfigurations',
      permission: 'view configurations',
      method: 'GET',
      path: '/configurations',
      tag,
      summary: 'All configurations, with how many devices have them and how many wait.',
      response: z.object({ items: z.array(shape.configurationRow).readonly() }),
      handle: async () => ({ items: await configurations.list() }),
    }),
    operation({
      id: 'createConfiguration',
      permission: 'manage configurations',
      method: 'POST',
      path: '/configurations',
      tag,
      summary: 'Makes a configuration and assigns it to labels.',
      body: shape.newConfiguration,
      status: 201,
      response: shape.configuration,
      refusals: [404, 409],
      handle: async ({ body }) => {
        checkSettings(body.type, body.settings);
        return await configurations.create(body);
      },
    }),
    operation({
      id: 'getConfiguration',
      permission: 'view configurations',
      method: 'GET',
      path: '/configurations/{id}',
      tag,
      summary: 'One configuration.',
      params: shape.idParam,
      response: shape.configuration,
      refusals: [404],
      handle: async ({ params: { id } }) => await known(id),
    }),
    operation({
      id: 'updateConfiguration',
      permission: 'manage configurations',
      method: 'PATCH',
      path: '/configurations/{id}',
      tag,
      summary: 'Changes a configuration; changed settings go to every device that has it.',
      params: shape.idParam,
      body: shape.configurationChange,
      response: shape.configuration,
      refusals: [404, 409],
      handle: async ({ params: { id }, body }) => {
        if (body.settings !== undefined) checkSettings((await known(id)).type, body.settings);
        return await configurations.update(id, body);
      },
    }),
    operation({
      id: 'deleteConfiguration',
      permission: 'manage configurations',
      method: 'DELETE',
      path: '/configurations/{id}',
      tag,
      summary: 'Deletes a configuration; its profiles are removed from the devices.',
      params: shape.idParam,
      status: 204,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        await known(id);
        await configurations.delete(id);
        return undefined;
      },
    }),
    operation({
      id: 'testCertificate',
      permission: 'manage configurations',
      method: 'POST',
      path: '/configurations/{id}/test-certificate',
      tag,
      summary:
        'What a device’s certificate of a scep or acme configuration would say, and whether the authority can be reached.',
      params: shape.idParam,
      body: z.strictObject({ enrolmentId: z.string().min(1).max(300) }),
      response: z.object({
        subject: z.string(),
        sans: z.array(z.object({ type: z.string(), value: z.string() })).readonly(),
        microsoftSid: z.boolean(),
      }),
      refusals: [404],
      handle: async ({ params: { id }, body }) => await configured.test(id, body.enrolmentId),
    }),
    operation({
      id: 'listAssignments',
      permission: 'view devices',
      method: 'GET',
      path: '/configurations/{id}/assignments',
      tag,
      summary: 'How the configuration stands on each device.',
      params: shape.idParam,
      query: shape.pageQuery,
      response: shape.pageOf(shape.assignment),
      refusals: [404],
      handle: async ({ params: { id }, query }) => {
        await known(id);
        return await configurations.assignments(id, query);
      },
    }),
    operation({
      id: 'exportWatchList',
      permission: 'view devices',
      method: 'GET',
      path: '/configurations/{id}/watchlist.csv',
      tag,
      summary: 'The devices it is queued for and not yet delivered to, as CSV.',
      params: shape.idParam,
      responseType: 'text/csv',
      refusals: [404],
      handle: async ({ params: { id } }) => {
        await known(id);
        return {
          bytes: new TextEncoder().encode(await watchList(engine, id)),
          type: 'text/csv; charset=utf-8',
          headers: { 'content-disposition': 'attachment; filename="watchlist.csv"' },
        };
      },
    }),
  ];
}
