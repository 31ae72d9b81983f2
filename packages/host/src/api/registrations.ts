// Admin API: devices that are expected, by a list of serial numbers and users (ADE-2).
import { type RegistrationResult, readRegistrations } from '@espalier/ade';
import type { Engine } from '@espalier/core';
import { z } from 'zod';
import { HostError, isEspalierError } from '../errors.ts';
import { type Operation, operation } from './operation.ts';
import * as shape from './schemas.ts';

const serialParam = z.object({ serial: z.string().min(1).max(100) });
const outcome = z
  .union([
    z.object({ ok: z.literal(true), devices: z.number().int() }),
    z.object({ ok: z.literal(false), problems: z.array(shape.fileProblem).readonly(), more: z.number().int() }),
  ])
  .meta({ id: 'RegistrationFile' });

/** The operations of registrations. */
export function registrationOperations({ registrations }: Engine): Operation[] {
  const tag = 'Enrolling';

  /** Reads a file and expects its devices; whoever has an invitation of their own is a problem of its row. */
  async function take(
    csv: string,
    options: { readonly userHeading?: string; readonly otherHeadings?: string[] },
    lasting: { readonly ttlHours?: number },
  ): Promise<number | Extract<RegistrationResult, { ok: false }>> {
    const result = readRegistrations(csv, options);
    if (!result.ok) return result;
    try {
      const wanted = result.registrations.map(({ serial, ...rest }) => ({ serialNumber: serial, ...rest }));
      return await registrations.add(wanted, lasting);
    } catch (error) {
      if (!isEspalierError(error) || error.code !== 'core.registration.single_device') throw error;
      const single = await registrations.singleDeviceUsers(result.registrations.map(({ user }) => user));
      const told = readRegistrations(csv, { ...options, hasSingleDevice: (user) => single.has(user) });
      if (told.ok) throw error;
      return told;
    }
  }

  return [
    operation({
      id: 'importRegistrations',
      permission: 'enrol devices',
      method: 'POST',
      path: '/registrations',
      tag,
      summary:
        'Reads a CSV file of serial numbers and users, and expects all of these devices or, where anything in it is wrong, none.',
      body: shape.registrationFile,
      response: outcome,
      refusals: [409, 413],
      handle: async ({ body: { csv, pinTtlHours, ...headings } }) => {
        const taken = await take(csv, headings, pinTtlHours === undefined ? {} : { ttlHours: pinTtlHours });
        if (typeof taken === 'number') return { ok: true as const, devices: taken };
        return { ok: false as const, problems: taken.problems, more: taken.more };
      },
    }),
    operation({
      id: 'listRegistrations',
      permission: 'enrol devices',
      method: 'GET',
      path: '/registrations',
      tag,
      summary: 'Devices that are, or were, expected, with the PINs that can be used still.',
      query: shape.registrationQuery,
      response: shape.pageOf(shape.registration),
      handle: async ({ query: { awaited, ...query } }) =>
        await registrations.list({ ...query, ...(awaited === undefined ? {} : { awaited: awaited === 'true' }) }),
    }),
    operation({
      id: 'removeRegistration',
      permission: 'enrol devices',
      method: 'DELETE',
      path: '/registrations/{serial}',
      tag,
      summary: 'Expects a device no longer; its PIN is void. A device that is enrolled keeps its user.',
      params: serialParam,
      status: 204,
      refusals: [404],
      handle: async ({ params: { serial } }) => {
        if ((await registrations.remove([serial])) === 0) {
          throw new HostError(
            'not-found',
            'host.registration.unknown',
            'No device with this serial number is expected.',
          );
        }
        return undefined;
      },
    }),
  ];
}
