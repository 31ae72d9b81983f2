// What users do themselves: see which identities are asked of them, upload them, and delete their keys (CERT-35).
import { CoreError, type Engine } from '@espalier/core';
import { z } from 'zod';
import { type Access, noAccess } from '../api/auth.ts';
import * as shape from '../api/credential-shapes.ts';
import { fileOf } from '../api/credentials.ts';
import { operation, routeOf } from '../api/operation.ts';
import { HostError } from '../errors.ts';
import type { BodyLimits } from '../http/body.ts';
import type { Context, Route } from '../http/router.ts';

/** How users reach what is theirs. */
export interface UserOptions {
  /**
   * Who is signed in, as the product knows it: from its session, or a token. The id is the one that devices have as their
   * user (the engine's `userFields`). `null`: nobody, which is answered 401.
   */
  readonly identify: (request: Request, info: { readonly clientAddress: string }) => Promise<string | null>;
}

const ROOT = '/user/v1';

/** `/user/v1/credentials`: a user sees and changes nothing but what is the user's own. */
export function userRoutes({ credentials }: Engine, options: UserOptions, limits: BodyLimits): Route[] {
  const known = new WeakMap<Context, string>();

  /** Before anything of a request is read, it has to be known whose it is. */
  async function authorise(context: Context): Promise<Access> {
    const { request, clientAddress } = context;
    const userId = await options.identify(request, { clientAddress });
    if (userId === null) {
      throw new HostError('unauthenticated', 'host.user.unknown', 'Nobody is signed in.', { remedy: 'Sign in first.' });
    }
    known.set(context, userId);
    return noAccess;
  }
  const who = (context: Context): string => known.get(context) as string;

  const tag = 'User';
  const operations = [
    operation({
      id: 'listOwnCredentials',
      permission: [],
      method: 'GET',
      path: '/credentials',
      tag,
      summary: 'What the user may upload, and has.',
      response: z.array(shape.userCredential).readonly(),
      handle: async ({ context }) => await credentials.ofUser(who(context)),
    }),
    operation({
      id: 'uploadOwnCredential',
      permission: [],
      method: 'PUT',
      path: '/credentials/{settingId}',
      tag,
      summary: 'Uploads a PKCS#12 file in the place of the one before.',
      params: shape.settingParam,
      body: shape.upload,
      response: shape.credential,
      handle: async ({ params: { settingId }, body: { file, ...rest }, context }) =>
        await credentials.upload({ ...rest, settingId, userId: who(context), file: fileOf(file), by: 'user' }),
    }),
    operation({
      id: 'deleteOwnKey',
      permission: [],
      method: 'DELETE',
      path: '/credentials/{settingId}/key',
      tag,
      summary: 'Deletes the private key that is stored here.',
      params: shape.settingParam,
      response: z.object({ deleted: z.boolean() }),
      handle: async ({ params: { settingId }, context }) => {
        const mine = (await credentials.ofUser(who(context))).find((one) => one.settingId === settingId);
        if (mine === undefined) {
          throw new CoreError('core.credential.unknown_setting', 'not-found', 'there is no such credential setting');
        }
        const { credential } = mine;
        return { deleted: credential !== null && (await credentials.deleteKey(credential.id, 'user')) };
      },
    }),
  ];
  return operations.map((op) => routeOf(op, ROOT, limits, authorise));
}
