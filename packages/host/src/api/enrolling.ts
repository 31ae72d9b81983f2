// Admin API: invitations and SCEP challenges.
import type { Engine, Invitation } from '@espalier/core';
import type { PublicUrls } from '../enrol/profile.ts';
import type { Context } from '../http/router.ts';
import { type Operation, operation } from './operation.ts';
import * as shape from './schemas.ts';

/** The operations around enrolling. */
export function enrollingOperations(engine: Engine, urls: (context: Context) => PublicUrls): Operation[] {
  const { enrolling } = engine;
  const tag = 'Enrolling';
  const withUrl = (invitation: Invitation, context: Context) => ({
    ...invitation,
    url: urls(context).enrol(invitation.token),
  });

  return [
    operation({
      id: 'createInvitation',
      permission: 'enrol devices',
      method: 'POST',
      path: '/invitations',
      tag,
      summary: 'Invites one device: a link and a registration PIN.',
      body: shape.newInvitation,
      status: 201,
      response: shape.invitation,
      handle: async ({ body, context }) => withUrl(await enrolling.invite(body), context),
    }),
    operation({
      id: 'listInvitations',
      permission: 'enrol devices',
      method: 'GET',
      path: '/invitations',
      tag,
      summary: 'Invitations, newest first.',
      query: shape.pageQuery,
      response: shape.pageOf(shape.invitation),
      handle: async ({ query, context }) => {
        const { items, next } = await enrolling.invitations(query);
        return { items: items.map((invitation) => withUrl(invitation, context)), next };
      },
    }),
    operation({
      id: 'revokeInvitation',
      permission: 'enrol devices',
      method: 'DELETE',
      path: '/invitations/{id}',
      tag,
      summary: 'Revokes an invitation.',
      params: shape.idParam,
      status: 204,
      refusals: [404, 409],
      handle: async ({ params: { id } }) => {
        await enrolling.revoke(id);
        return undefined;
      },
    }),
    operation({
      id: 'createChallenge',
      permission: 'enrol devices',
      method: 'POST',
      path: '/scep/challenges',
      tag,
      summary: 'Makes a single-use SCEP challenge.',
      body: shape.newChallenge,
      status: 201,
      response: shape.challenge,
      refusals: [404],
      handle: async ({ body }) => await enrolling.challenge(body),
    }),
    operation({
      id: 'listScepRequests',
      permission: 'enrol devices',
      method: 'GET',
      path: '/scep/requests',
      tag,
      summary: 'SCEP requests that wait for approval, or for the device to ask again; newest first.',
      query: shape.scepRequestQuery,
      response: shape.pageOf(shape.scepRequest),
      handle: async ({ query }) => await enrolling.requests(query),
    }),
    operation({
      id: 'approveScepRequest',
      permission: 'enrol devices',
      method: 'POST',
      path: '/scep/requests/{id}/approve',
      tag,
      summary: 'Lets a SCEP request have its certificate when the device asks again.',
      params: shape.idParam,
      body: shape.scepApproval,
      status: 204,
      refusals: [404, 409],
      handle: async ({ params: { id }, body }) => {
        await enrolling.decide(id, { ...body, approve: true });
        return undefined;
      },
    }),
    operation({
      id: 'denyScepRequest',
      permission: 'enrol devices',
      method: 'POST',
      path: '/scep/requests/{id}/deny',
      tag,
      summary: 'Refuses a SCEP request.',
      params: shape.idParam,
      body: shape.scepDenial,
      status: 204,
      refusals: [404, 409],
      handle: async ({ params: { id }, body }) => {
        await enrolling.decide(id, { ...body, approve: false });
        return undefined;
      },
    }),
  ];
}
