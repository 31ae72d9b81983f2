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
  ];
}
