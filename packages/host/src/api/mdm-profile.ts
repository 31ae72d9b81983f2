// Admin API: the default MDM profile (CFG-3): its settings, and how far the devices are.
import { type AccessRightName, accessRight, accessRightNames } from '@espalier/apple-mdm';
import type { Engine } from '@espalier/core';
import { z } from 'zod';
import { unknown } from './devices.ts';
import { type Operation, operation } from './operation.ts';
import * as shape from './schemas.ts';

const right = z.enum(Object.keys(accessRight) as [AccessRightName]);
const rights = z.array(right).readonly().meta({ description: "Access rights by their names in Apple's schema." });
const time = z.number().int().meta({ description: 'Milliseconds since the Unix epoch.' });
const settings = z
  .object({
    accessRights: rights,
    checkOutWhenRemoved: z.boolean(),
    notifyUsers: z.boolean(),
    version: z.number().int(),
    updatedAt: time,
  })
  .meta({ id: 'MdmProfileSettings' });
const change = z.strictObject({
  accessRights: z.array(right).min(1).exactOptional(),
  checkOutWhenRemoved: z.boolean().exactOptional(),
  notifyUsers: z.boolean().exactOptional().meta({ description: 'Tell the users of devices that lack rights.' }),
});
const states = [
  'up-to-date',
  'updating',
  'awaiting-user',
  'blocked-until-reenrolment',
  'unknown',
  'not-applicable',
] as const;
const status = z.object({
  state: z.enum(states),
  held: z.object({ accessRights: rights, checkOutWhenRemoved: z.boolean() }).nullable(),
  missing: rights,
  surplus: rights,
});
const count = z.number().int();

/** The operations on the default MDM profile. */
export function mdmProfileOperations({ mdmProfile }: Engine): Operation[] {
  const tag = 'MDM profile';
  type Record = NonNullable<Awaited<ReturnType<typeof mdmProfile.get>>>;
  const shown = (record: Record) => ({ ...record, accessRights: accessRightNames(record.accessRights) });
  return [
    operation({
      id: 'getMdmProfile',
      permission: 'view devices',
      method: 'GET',
      path: '/mdm-profile',
      tag,
      summary: 'What the MDM profile of enrolments asks for; 404 while the options of the server count.',
      response: settings,
      refusals: [404],
      handle: async () => {
        const record = await mdmProfile.get();
        if (record === null) throw unknown('setting');
        return shown(record);
      },
    }),
    operation({
      id: 'setMdmProfile',
      permission: 'manage settings',
      method: 'PUT',
      path: '/mdm-profile',
      tag,
      summary: 'Changes it. Devices lose rights by themselves; they gain some only by enrolling anew.',
      body: change,
      response: settings,
      handle: async ({ body: { accessRights, ...rest } }) => {
        const mask = accessRights?.reduce((sum, name) => sum | accessRight[name], 0);
        return shown(await mdmProfile.set({ ...rest, ...(mask === undefined ? {} : { accessRights: mask }) }));
      },
    }),
    operation({
      id: 'getMdmProfileSummary',
      permission: 'view devices',
      method: 'GET',
      path: '/mdm-profile/summary',
      tag,
      summary: 'How many devices have it, and how far the others are. Looks at every device.',
      response: z.object({
        'up-to-date': count,
        updating: count,
        'awaiting-user': count,
        'blocked-until-reenrolment': count,
        unknown: count,
        'not-applicable': count,
      }),
      handle: async () => ({ ...(await mdmProfile.summary()) }),
    }),
    operation({
      id: 'getDeviceMdmProfile',
      permission: 'view devices',
      method: 'GET',
      path: '/devices/{id}/mdm-profile',
      tag,
      summary: 'The rights that a device holds, and those that it lacks or is to lose.',
      params: shape.idParam,
      response: status,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        const { state, held, missing, surplus } = await mdmProfile.of(id);
        return {
          state,
          held: held === null ? null : { ...held, accessRights: accessRightNames(held.accessRights) },
          missing: accessRightNames(missing),
          surplus: accessRightNames(surplus),
        };
      },
    }),
  ];
}
