// Admin API: the switch of User Enrolment, and what is missing for it (ABM-20).
import type { Engine, UserEnrolmentCheck } from '@espalier/core';
import { z } from 'zod';
import type { PublicUrls } from '../enrol/profile.ts';
import type { Context } from '../http/router.ts';
import { type Operation, operation } from './operation.ts';

const time = z.number().int().meta({ description: 'Milliseconds since the Unix epoch.' });
const status = z
  .object({
    enabled: z.boolean(),
    updatedAt: time.nullable(),
    ready: z.boolean().meta({ description: 'Nothing is missing, as far as this server can know.' }),
    checks: z
      .array(
        z.object({
          check: z.string(),
          state: z.enum(['ok', 'missing', 'unchecked']),
          message: z.string(),
          remedy: z.string().nullable(),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'UserEnrolment' });

const userParam = z.object({
  user: z.string().min(1).max(320).meta({ description: 'The user, as the sign-in names them (`userId`).' }),
});

/** What the host itself knows. */
export interface UserEnrolmentHost {
  /** Whether users can sign in: the host's option `account`. */
  readonly signIn: boolean;
  urls(context: Context): PublicUrls;
}

function hostChecks({ signIn, urls }: UserEnrolmentHost, context: Context): UserEnrolmentCheck[] {
  const { base } = urls(context);
  return [
    signIn
      ? { check: 'sign-in', state: 'ok', message: 'users sign in with their accounts', remedy: null }
      : {
          check: 'sign-in',
          state: 'missing',
          message: 'users have no way to sign in',
          remedy: 'Give the host the option account.',
        },
    base.startsWith('https:')
      ? { check: 'address', state: 'ok', message: base, remedy: null }
      : {
          check: 'address',
          state: 'missing',
          message: `devices look for ${base}, which is not https`,
          remedy: 'Give the host a publicUrl with https, at the domain of the users or one that theirs points to.',
        },
  ];
}

/** The operations on User Enrolment. */
export function userEnrolmentOperations({ userEnrolments }: Engine, host: UserEnrolmentHost): Operation[] {
  const tag = 'User Enrolment';
  async function statusOf(context: Context) {
    const checks = [...(await userEnrolments.checklist()), ...hostChecks(host, context)];
    return { ...(await userEnrolments.get()), ready: checks.every(({ state }) => state !== 'missing'), checks };
  }
  return [
    operation({
      id: 'getUserEnrolment',
      permission: 'view devices',
      method: 'GET',
      path: '/user-enrolment',
      tag,
      summary: 'Whether users may enrol devices of their own, and what is missing before they can.',
      response: status,
      handle: async ({ context }) => await statusOf(context),
    }),
    operation({
      id: 'setUserEnrolment',
      permission: 'manage settings',
      method: 'PUT',
      path: '/user-enrolment',
      tag,
      summary: 'Turns User Enrolment on or off. Who has enrolled stays.',
      body: z.strictObject({ enabled: z.boolean() }),
      response: status,
      refusals: [409],
      handle: async ({ body, context }) => {
        await userEnrolments.set(body);
        return await statusOf(context);
      },
    }),
    operation({
      id: 'getManagedAccount',
      permission: 'view devices',
      method: 'GET',
      path: '/user-enrolment/accounts/{user}',
      tag,
      summary: 'The Managed Apple Account with which a user enrols; `null` before the first enrolment.',
      params: userParam,
      response: z.object({ managedAppleAccount: z.string().nullable() }),
      handle: async ({ params: { user } }) => ({ managedAppleAccount: await userEnrolments.account(user) }),
    }),
    operation({
      id: 'assignManagedAccount',
      permission: 'manage settings',
      method: 'PUT',
      path: '/user-enrolment/accounts/{user}',
      tag,
      summary:
        'Assigns the Managed Apple Account with which a user enrols; `null`: the next one that the user comes with.',
      params: userParam,
      body: z.strictObject({ managedAppleAccount: z.string().min(1).max(320).nullable() }),
      status: 204,
      handle: async ({ params: { user }, body }) => {
        await userEnrolments.assignAccount(user, body.managedAppleAccount);
        return undefined;
      },
    }),
  ];
}
