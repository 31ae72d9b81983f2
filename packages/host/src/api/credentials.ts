// Admin API: credential settings, and the identities of users and devices.
import { CoreError, type Engine } from '@espalier/core';
import { z } from 'zod';
import * as shape from './credential-shapes.ts';
import { type Operation, operation } from './operation.ts';
import { idParam, pageOf } from './schemas.ts';

/** The file of an upload. */
export const fileOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));

/** The operations on credentials. */
export function credentialOperations({ credentials }: Engine): Operation[] {
  const tag = 'Credentials';
  const settings = '/credential-settings';
  return [
    operation({
      id: 'listCredentialSettings',
      permission: 'view configurations',
      method: 'GET',
      path: settings,
      tag,
      summary: 'Where identities come from: uploaded by users, or issued.',
      response: z.array(shape.credentialSetting).readonly(),
      handle: async () => await credentials.settings(),
    }),
    operation({
      id: 'createCredentialSetting',
      permission: 'manage certificates',
      method: 'POST',
      path: settings,
      tag,
      summary: 'Makes a credential setting; one for each purpose.',
      body: shape.newCredentialSetting,
      status: 201,
      response: shape.credentialSetting,
      refusals: [409],
      handle: async ({ body }) => await credentials.createSetting(body),
    }),
    operation({
      id: 'getCredentialSetting',
      permission: 'view configurations',
      method: 'GET',
      path: `${settings}/{id}`,
      tag,
      summary: 'One credential setting.',
      params: idParam,
      response: shape.credentialSetting,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        const found = await credentials.setting(id);
        if (found !== null) return found;
        throw new CoreError('core.credential.unknown_setting', 'not-found', 'there is no such credential setting');
      },
    }),
    operation({
      id: 'updateCredentialSetting',
      permission: 'manage certificates',
      method: 'PATCH',
      path: `${settings}/{id}`,
      tag,
      summary: 'Changes a credential setting; source and scope stay.',
      params: idParam,
      body: shape.credentialSettingChange,
      response: shape.credentialSetting,
      refusals: [404, 409],
      handle: async ({ params: { id }, body }) => await credentials.updateSetting(id, body),
    }),
    operation({
      id: 'deleteCredentialSetting',
      permission: 'manage certificates',
      method: 'DELETE',
      path: `${settings}/{id}`,
      tag,
      summary: 'Deletes a credential setting and its credentials, unless a configuration uses it.',
      params: idParam,
      status: 204,
      refusals: [409],
      handle: async ({ params: { id } }) => {
        await credentials.deleteSetting(id);
        return undefined;
      },
    }),
    operation({
      id: 'uploadCredential',
      permission: 'manage certificates',
      method: 'PUT',
      path: `${settings}/{id}/users/{userId}`,
      tag,
      summary: 'Uploads a user’s PKCS#12 file in the place of the one before; the user’s devices get it.',
      params: shape.settingUserParams,
      body: shape.upload,
      response: shape.credential,
      refusals: [404, 409, 413],
      handle: async ({ params: { id: settingId, userId }, body: { file, ...rest } }) =>
        await credentials.upload({ ...rest, settingId, userId, file: fileOf(file) }),
    }),
    operation({
      id: 'uploadCredentialFiles',
      permission: 'manage certificates',
      method: 'PUT',
      path: `${settings}/{id}/files`,
      tag,
      summary: 'Uploads the one identity of a single-file setting in the place of the one before; its devices get it.',
      params: idParam,
      body: shape.uploadFiles,
      response: shape.credential,
      refusals: [404, 409, 413],
      handle: async ({ params: { id: settingId }, body: { files } }) =>
        await credentials.uploadFiles({
          settingId,
          files: files.map(({ file, ...rest }) => ({ ...rest, file: fileOf(file) })),
        }),
    }),
    operation({
      id: 'listCredentials',
      permission: 'view devices',
      method: 'GET',
      path: '/credentials',
      tag,
      summary: 'Identities of users and devices, newest first, without their keys.',
      query: shape.credentialQuery,
      response: pageOf(shape.credential),
      handle: async ({ query: { status, ...query } }) =>
        await credentials.list({ ...query, ...(status === undefined ? {} : { statuses: [status] }) }),
    }),
    operation({
      id: 'getCredential',
      permission: 'view devices',
      method: 'GET',
      path: '/credentials/{id}',
      tag,
      summary: 'One identity.',
      params: idParam,
      response: shape.credential,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        const found = await credentials.get(id);
        if (found !== null) return found;
        throw new CoreError('core.credential.unknown', 'not-found', 'there is no such credential');
      },
    }),
    operation({
      id: 'deleteCredentialKey',
      permission: 'manage certificates',
      method: 'DELETE',
      path: '/credentials/{id}/key',
      tag,
      summary: 'Deletes a private key; devices that have it keep it, no other gets it any more.',
      params: idParam,
      response: z.object({ deleted: z.boolean() }),
      refusals: [404],
      handle: async ({ params: { id } }) => ({ deleted: await credentials.deleteKey(id) }),
    }),
    operation({
      id: 'reissueCredential',
      permission: 'manage certificates',
      method: 'POST',
      path: '/credentials/{id}/reissue',
      tag,
      summary: 'Has an issued identity made anew and delivered: the present one was lost, or revoked.',
      params: idParam,
      response: z.object({ requested: z.boolean() }),
      refusals: [404, 409],
      handle: async ({ params: { id } }) => ({ requested: await credentials.reissue(id) }),
    }),
    operation({
      id: 'deleteUserKeys',
      permission: 'manage certificates',
      method: 'DELETE',
      path: '/users/{userId}/credential-keys',
      tag,
      summary: 'Deletes all private keys of a user who left.',
      params: shape.userParam,
      response: z.object({ deleted: z.number().int() }),
      handle: async ({ params: { userId } }) => ({ deleted: await credentials.deleteKeysOf(userId) }),
    }),
  ];
}
