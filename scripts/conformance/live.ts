// What a command needs for a device to do it: what went before, and what only that device knows.
import type { RawPayload } from '@espalier/apple-mdm';
import { encodeXml } from '@espalier/plist';
import type { DeviceState } from '@espalier/simulator';

/** A command that a device has to do first. */
export type Before = readonly [requestType: string, payload: RawPayload];

/** How to send a command so that it is done. */
export interface Live {
  readonly before?: readonly Before[];
  /** Asked when what goes before is done; default: the example. */
  readonly payload?: (state: DeviceState) => RawPayload;
}

const profile = encodeXml({
  PayloadType: 'Configuration',
  PayloadVersion: 1,
  PayloadIdentifier: 'com.example.conformance',
  PayloadUUID: '5F3C2E1A-0000-4000-8000-000000000001',
  PayloadContent: [
    {
      PayloadType: 'com.apple.webClip.managed',
      PayloadVersion: 1,
      PayloadIdentifier: 'com.example.conformance.clip',
      PayloadUUID: '5F3C2E1A-0000-4000-8000-000000000002',
      URL: 'https://example.com',
      Label: 'Example',
    },
  ],
});
const provisioning = { Name: 'Example', UUID: '5F3C2E1A-0000-4000-8000-000000000003' };
const lost: Before = ['EnableLostMode', { Message: 'Please call' }];
const install: Before = ['InstallProfile', { Payload: profile }];

/** The first user of whom this is so; a name that nobody has where there is none. */
function userOf({ managed }: DeviceState, is: (user: NonNullable<DeviceState['managed']>['users'][number]) => boolean) {
  return managed?.users.find(is) ?? { userName: 'nobody', guid: 'none' };
}

/** By command; `sign` wraps what has to be signed. */
export function liveCommands(sign: (content: Uint8Array) => Uint8Array): Readonly<Record<string, Live>> {
  const signed = { ProvisioningProfile: sign(encodeXml(provisioning)) };
  return {
    AccountConfiguration: {
      payload: () => ({
        AutoSetupAdminAccounts: [{ shortName: 'admin', fullName: 'Admin', passwordHash: new Uint8Array([1]) }],
      }),
    },
    ClearPasscode: {
      payload: ({ unlockToken }) => ({ UnlockToken: new Uint8Array(Buffer.from(unlockToken, 'base64')) }),
    },
    DeleteUser: {
      before: [['LogOutUser', {}]],
      payload: (state) => ({ UserName: userOf(state, ({ loggedIn }) => !loggedIn).userName, ForceDeletion: true }),
    },
    DeviceLocation: { before: [lost] },
    DisableLostMode: { before: [lost] },
    InstallProfile: { payload: () => install[1] },
    InstallProvisioningProfile: { payload: () => signed },
    PlayLostModeSound: { before: [lost] },
    RemoveApplication: {
      before: [['InstallApplication', { iTunesStoreID: 7 }]],
      payload: () => ({ Identifier: 'com.example.store.7' }),
    },
    RemoveProfile: { before: [install], payload: () => ({ Identifier: 'com.example.conformance' }) },
    RemoveProvisioningProfile: {
      before: [['InstallProvisioningProfile', signed]],
      payload: () => ({ UUID: provisioning.UUID }),
    },
    RotateFileVaultKey: {
      // Tells of the key that there is.
      before: [['SecurityInfo', {}]],
      payload: ({ managed }) => ({
        KeyType: 'personal',
        FileVaultUnlock: { Password: managed?.recoveryKey ?? '' },
      }),
    },
    SetAutoAdminPassword: {
      payload: (state) => ({ GUID: userOf(state, ({ admin }) => admin).guid, passwordHash: new Uint8Array([1]) }),
    },
    UnlockUserAccount: {
      before: [['UserList', {}]],
      payload: (state) => ({ UserName: userOf(state, () => true).userName }),
    },
  };
}
