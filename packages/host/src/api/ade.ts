// Admin API: automated device enrolment: accounts, devices, profiles, rules, pre-assignment, locks.
import { profileContentType } from '@espalier/apple-mdm';
import type { Engine } from '@espalier/core';
import { z } from 'zod';
import type { AdeProfileInput, AdeService } from '../ade/types.ts';
import type { AdeDoor } from '../enrol/ade.ts';
import * as shape from './ade-schemas.ts';
import { unknown } from './devices.ts';
import { invalid, type Operation, operation } from './operation.ts';
import { idParam, pageOf, pageQuery } from './schemas.ts';

const tag = 'Automated device enrolment';
const items = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item).readonly() });
const versioned = ({ expectedVersion }: { readonly expectedVersion?: number | undefined }) =>
  expectedVersion === undefined ? {} : { expectedVersion };

/** The operations. */
export function adeOperations(engine: Engine, service: AdeService): Operation[] {
  const { ade } = engine;
  return [
    operation({
      id: 'getAdeCertificate',
      permission: 'manage device enrolment',
      method: 'GET',
      path: '/ade/certificate',
      tag,
      summary:
        'The certificate to upload to Apple’s portal, for every account; the server tokens that it gives open here only.',
      responseType: 'application/x-pem-file',
      handle: async () => ({
        bytes: new TextEncoder().encode(await service.certificate()),
        type: 'application/x-pem-file',
        headers: { 'content-disposition': 'attachment; filename="device-enrolment.pem"' },
      }),
    }),
    operation({
      id: 'listAdeAccounts',
      permission: 'manage device enrolment',
      method: 'GET',
      path: '/ade/accounts',
      tag,
      summary: 'The accounts, their state, and how far their sync is.',
      response: items(shape.account),
      handle: async () => ({ items: await service.accounts() }),
    }),
    operation({
      id: 'linkAdeAccount',
      permission: 'manage device enrolment',
      method: 'POST',
      path: '/ade/accounts',
      tag,
      summary: 'Links an account by the server token that Apple’s portal gave.',
      body: shape.link,
      status: 201,
      response: shape.account,
      refusals: [409],
      handle: async ({ body: { token, ...options } }) => service.link(token, options),
    }),
    operation({
      id: 'getAdeAccount',
      permission: 'manage device enrolment',
      method: 'GET',
      path: '/ade/accounts/{id}',
      tag,
      summary: 'One account.',
      params: idParam,
      response: shape.account,
      refusals: [404],
      handle: async ({ params: { id } }) => service.account(id),
    }),
    operation({
      id: 'changeAdeAccount',
      permission: 'manage device enrolment',
      method: 'PATCH',
      path: '/ade/accounts/{id}',
      tag,
      summary:
        'Changes an account’s name, its default profile, and the rules that choose profiles. Devices that are known keep theirs.',
      params: idParam,
      body: shape.accountChange,
      response: shape.account,
      refusals: [404, 409],
      handle: async ({ params: { id }, body: { expectedVersion, ...change } }) =>
        service.change(id, change, versioned({ expectedVersion })),
    }),
    operation({
      id: 'renewAdeAccount',
      permission: 'manage device enrolment',
      method: 'PUT',
      path: '/ade/accounts/{id}/token',
      tag,
      summary: 'Renews an account by a new server token of the same server at Apple.',
      params: idParam,
      body: shape.token,
      response: shape.account,
      refusals: [404, 409],
      handle: async ({ params: { id }, body: { token } }) => service.renew(id, token),
    }),
    operation({
      id: 'unlinkAdeAccount',
      permission: 'manage device enrolment',
      method: 'DELETE',
      path: '/ade/accounts/{id}',
      tag,
      summary: 'Forgets an account with its devices and profiles. At Apple nothing changes.',
      params: idParam,
      status: 204,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        await service.unlink(id);
        return undefined;
      },
    }),
    operation({
      id: 'syncAdeAccount',
      permission: 'manage device enrolment',
      method: 'POST',
      path: '/ade/accounts/{id}/sync',
      tag,
      summary: 'Asks Apple for what is new, and does what is due; `wait` answers when it is done.',
      params: idParam,
      query: shape.wait,
      status: 202,
      response: shape.syncResult.or(z.object({ outcome: z.literal('started') })),
      refusals: [404, 409],
      handle: async ({ params: { id }, query: { wait } }) => {
        await service.account(id);
        const done = service.sync(id);
        if (wait === 'true') return await done;
        // How it ends is noted with the account.
        done.catch(() => undefined);
        return { outcome: 'started' as const };
      },
    }),
    operation({
      id: 'listAdeDevices',
      permission: 'manage device enrolment',
      method: 'GET',
      path: '/ade/accounts/{id}/devices',
      tag,
      summary: 'The devices that Apple lists for an account.',
      params: idParam,
      query: pageQuery.extend({ presence: z.enum(['listed', 'gone', 'all']).exactOptional() }),
      response: pageOf(shape.device),
      refusals: [404],
      handle: async ({ params: { id }, query }) => {
        await service.account(id);
        return ade.devices({ accountId: id, ...query });
      },
    }),
    operation({
      id: 'getAdeDevice',
      permission: 'manage device enrolment',
      method: 'GET',
      path: '/ade/devices/{serial}',
      tag,
      summary: 'A device as each account lists it.',
      params: shape.serialParam,
      response: items(shape.device),
      refusals: [404],
      handle: async ({ params: { serial } }) => {
        const found = await ade.find(serial);
        if (found.length === 0) throw unknown('device');
        return { items: found };
      },
    }),
    operation({
      id: 'assignAdeProfile',
      permission: 'manage device enrolment',
      method: 'POST',
      path: '/ade/accounts/{id}/assignments',
      tag,
      summary:
        'Gives devices a profile, or (`null`) takes theirs away; done by the next sync. Devices that are set up see it after they are erased.',
      params: idParam,
      body: shape.assignment,
      status: 202,
      response: z.object({ devices: z.number().int() }),
      refusals: [404, 413],
      handle: async ({ params: { id }, body: { profile, devices } }) => service.assign(id, profile, devices),
    }),
    operation({
      id: 'preAssignAdeDevices',
      permission: 'manage device enrolment',
      method: 'POST',
      path: '/ade/accounts/{id}/pre-assignment',
      tag,
      summary:
        'Reads a CSV file of serial numbers and attributes, and does all of it or, where anything in it is wrong, nothing.',
      params: idParam,
      body: shape.preAssignment,
      response: shape.preAssignmentOutcome,
      refusals: [404, 413],
      // The columns that it names are attributes that come to be by it (ADE-6).
      needs: ({ body: { attributes } }) => (attributes.length === 0 ? [] : ['manage custom attributes']),
      handle: async ({ params: { id }, body }) => service.preAssign(id, body),
    }),
    operation({
      id: 'listAdeProfiles',
      permission: 'manage device enrolment',
      method: 'GET',
      path: '/ade/accounts/{id}/profiles',
      tag,
      summary: 'An account’s enrolment profiles, and how many devices each is for.',
      params: idParam,
      response: items(shape.profileWithUse),
      refusals: [404],
      handle: async ({ params: { id } }) => ({ items: await service.profiles(id) }),
    }),
    operation({
      id: 'createAdeProfile',
      permission: 'manage device enrolment',
      method: 'POST',
      path: '/ade/accounts/{id}/profiles',
      tag,
      summary: 'Keeps an enrolment profile; the next sync gives it to Apple.',
      params: idParam,
      body: shape.profileInput,
      status: 201,
      response: shape.writtenProfile,
      refusals: [404],
      handle: async ({ params: { id }, body }) => service.createProfile(id, body as unknown as AdeProfileInput),
    }),
    operation({
      id: 'checkAdeProfile',
      permission: 'manage device enrolment',
      method: 'POST',
      path: '/ade/profiles/check',
      tag,
      summary: 'Everything that is wrong with an enrolment profile, or worth a look in it. Nothing is kept.',
      body: shape.profileInput,
      response: items(shape.issue),
      handle: async ({ body }) => ({ items: service.check(body as unknown as AdeProfileInput) }),
    }),
    operation({
      id: 'getAdeProfile',
      permission: 'manage device enrolment',
      method: 'GET',
      path: '/ade/profiles/{id}',
      tag,
      summary: 'One enrolment profile.',
      params: idParam,
      response: shape.profile,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        const found = await ade.profile(id);
        if (found === null) throw unknown('profile');
        return found;
      },
    }),
    operation({
      id: 'updateAdeProfile',
      permission: 'manage device enrolment',
      method: 'PUT',
      path: '/ade/profiles/{id}',
      tag,
      summary:
        'Changes an enrolment profile; the next sync gives it to Apple and to its devices. Those that are set up see it after they are erased.',
      params: idParam,
      query: shape.expectedVersion,
      body: shape.profileInput,
      response: shape.writtenProfile,
      refusals: [404, 409],
      handle: async ({ params: { id }, query, body }) =>
        service.updateProfile(id, body as unknown as AdeProfileInput, versioned(query)),
    }),
    operation({
      id: 'deleteAdeProfile',
      permission: 'manage device enrolment',
      method: 'DELETE',
      path: '/ade/profiles/{id}',
      tag,
      summary:
        'Deletes an enrolment profile. Its devices get the account’s default; the default itself needs `newDefault` (`none` for none).',
      params: idParam,
      query: shape.profileDeletion,
      response: z.object({ devices: z.number().int() }),
      refusals: [404, 409],
      handle: async ({ params: { id }, query: { newDefault } }) =>
        service.deleteProfile(
          id,
          newDefault === undefined ? {} : { newDefault: newDefault === 'none' ? null : newDefault },
        ),
    }),
    operation({
      id: 'lockAdeDevice',
      permission: 'manage device enrolment',
      method: 'POST',
      path: '/ade/devices/{serial}/activation-lock',
      tag,
      summary: 'Locks a device to the organisation at Apple; its bypass code is kept.',
      params: shape.serialParam,
      body: shape.lock,
      status: 204,
      refusals: [404, 409],
      handle: async ({ params: { serial }, body }) => {
        await service.lock(serial, body);
        return undefined;
      },
    }),
    operation({
      id: 'getAdeBypassCode',
      permission: ['manage device enrolment', 'read secrets'],
      method: 'GET',
      path: '/ade/devices/{serial}/bypass-code',
      tag,
      summary: 'The code that undoes such a lock; each reading is an event.',
      params: shape.serialParam,
      response: z.object({ code: z.string() }),
      refusals: [404],
      handle: async ({ params: { serial } }) => {
        const code = await service.bypassCode(serial);
        if (code === null) throw unknown('bypass code');
        return { code };
      },
    }),
  ];
}

/** The operation for pages on other hosts, which ask in Setup Assistant who the user is (ADE-21). */
export function adeDoorOperations(door: AdeDoor): Operation[] {
  return [
    operation({
      id: 'issueAdeProfile',
      permission: 'manage device enrolment',
      method: 'POST',
      path: '/ade/enrolment-profile',
      tag,
      summary:
        'The enrolment profile for the device whose header x-apple-aspen-deviceinfo is passed on, and for the person whom the page has authenticated: the page answers the device with it.',
      query: shape.principal,
      responseType: profileContentType,
      handle: async ({ context, query: { principal } }) => {
        const deviceInfo = context.request.headers.get('x-apple-aspen-deviceinfo');
        if (deviceInfo === null) {
          throw invalid('The header x-apple-aspen-deviceinfo is missing.', 'x-apple-aspen-deviceinfo');
        }
        return {
          bytes: await door.profileForPage(context, deviceInfo, principal),
          type: profileContentType,
          headers: { 'content-disposition': 'attachment; filename="custom.mobileconfig"' },
        };
      },
    }),
  ];
}
