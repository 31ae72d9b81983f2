// Commands for accounts: those of Setup Assistant on a Mac, and the users of Macs and Shared iPads.
import type { PlistDict } from '@espalier/plist';
import { managedOf, type SimulatedUser, uuidOf } from '../device/managed-state.ts';
import { isDict } from '../device/profile.ts';
import type { DeviceState } from '../device/state.ts';
import {
  acknowledged,
  type CommandContext,
  type CommandResult,
  failed,
  type Handlers,
  malformed,
  mdmDomain,
} from './handler.ts';

/** The commands for accounts. */
export const accountHandlers: Handlers = {
  AccountConfiguration: { run: configureAccounts },
  SetAutoAdminPassword: {
    run({ state, payload }) {
      const { GUID: guid, passwordHash: password } = payload;
      if (typeof guid !== 'string' || !(password instanceof Uint8Array)) return malformed;
      return managedOf(state).users.some((user) => user.guid === guid && user.admin) ? acknowledged() : noSuchUser();
    },
  },
  UserList: {
    run: ({ state, platform }) =>
      acknowledged({ Users: managedOf(state).users.map((user) => describeUser(user, platform === 'macOS')) }),
  },
  DeleteUser: { run: deleteUser },
  LogOutUser: {
    run({ state }) {
      for (const user of managedOf(state).users) user.loggedIn = false;
      return acknowledged();
    },
  },
  UnlockUserAccount: {
    run({ state, payload }) {
      const { UserName: name } = payload;
      if (typeof name !== 'string') return malformed;
      const user = managedOf(state).users.find((item) => item.userName === name);
      if (user === undefined) return noSuchUser();
      user.lockedOut = false;
      return acknowledged();
    },
  },
  UserConfigured: {
    run({ state }) {
      state.awaitingConfiguration = false;
      return acknowledged();
    },
  },
};

/** Setup Assistant must still be waiting: accounts are made once. */
function configureAccounts({ state, payload }: CommandContext): CommandResult {
  if (!state.awaitingConfiguration) return failed(mdmDomain, 12007, 'Setup Assistant is not waiting for configuration');
  const { AutoSetupAdminAccounts: accounts = [], PrimaryAccountUserName: primary } = payload;
  if (!Array.isArray(accounts)) return malformed;
  const admins: PlistDict[] = [];
  for (const account of accounts) {
    if (!isDict(account) || typeof account['shortName'] !== 'string') return malformed;
    admins.push(account);
  }
  const { users } = managedOf(state);
  if (typeof primary === 'string' && users[0] !== undefined) {
    users[0].userName = primary;
    users[0].fullName = String(payload['PrimaryAccountFullName'] ?? primary);
    users[0].admin = payload['SetPrimarySetupAccountAsRegularUser'] !== true;
  }
  for (const account of admins) users.push(newAdmin(state, account, 501 + users.length));
  if (payload['SkipPrimarySetupAccountCreation'] === true) users.shift();
  return acknowledged();
}

function newAdmin(state: DeviceState, account: PlistDict, uid: number): SimulatedUser {
  const name = String(account['shortName']);
  return {
    userName: name,
    fullName: typeof account['fullName'] === 'string' ? account['fullName'] : name,
    uid,
    guid: uuidOf(state, `user ${name}`),
    loggedIn: false,
    dataToSync: false,
    admin: true,
    lockedOut: false,
  };
}

function deleteUser({ state, platform, payload }: CommandContext): CommandResult {
  const managed = managedOf(state);
  const { UserName: name, DeleteAllUsers: all, ForceDeletion: force } = payload;
  const removable = (user: SimulatedUser): CommandResult | undefined => {
    if (user.loggedIn) return failed(mdmDomain, 12072, 'The specified user is logged in.');
    if (user.dataToSync && force !== true) return failed(mdmDomain, 12073, 'The specified user has data to sync.');
    return undefined;
  };
  if (platform === 'iOS' && all === true) {
    managed.users = managed.users.filter((user) => removable(user) !== undefined);
    return acknowledged();
  }
  if (typeof name !== 'string') return malformed;
  const user = managed.users.find((item) => item.userName === name);
  if (user === undefined) return noSuchUser();
  const refusal = removable(user);
  if (refusal !== undefined) return refusal;
  managed.users = managed.users.filter((item) => item !== user);
  return acknowledged();
}

function noSuchUser(): CommandResult {
  return failed(mdmDomain, 12071, 'The specified user does not exist.');
}

/** Each platform has its own keys. */
function describeUser(user: SimulatedUser, mac: boolean): { [key: string]: string | number | boolean } {
  return mac
    ? {
        FullName: user.fullName,
        HasSecureToken: true,
        IsLoggedIn: user.loggedIn,
        MobileAccount: false,
        UID: user.uid,
        UserGUID: user.guid,
        UserName: user.userName,
      }
    : {
        DataQuota: 1_000_000_000,
        DataUsed: 120_000_000,
        HasDataToSync: user.dataToSync,
        IsLoggedIn: user.loggedIn,
        UserName: user.userName,
      };
}
