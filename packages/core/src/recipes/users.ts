// The users of Shared iPads and Macs (ABM-17): who is there, logging out, deleting.
import { type DeviceUser, readUsers } from '@espalier/apple-mdm';
import type { PlistDict } from '@espalier/plist';
import type { RecipeParameters } from '../api/recipes.ts';
import {
  badParameters,
  type Decision,
  fail,
  type NextStep,
  type Recipe,
  type RecipeTools,
  type StepOutcome,
  send,
  succeed,
} from './types.ts';

interface Tether {
  readonly requireNetworkTether?: boolean;
}

const tethered = ({ requireNetworkTether }: Tether): NextStep['payload'] =>
  requireNetworkTether === true ? { RequestRequiresNetworkTether: true } : {};

const usersOf = ({ value }: StepOutcome): readonly DeviceUser[] => readUsers(value).items;

/** Who is on the device. */
export const userList: Recipe<RecipeParameters['user-list']> = {
  commands: () => ['UserList'],
  start: (parameters) => send('UserList', tethered(parameters)),
  next: (outcome) => succeed({ users: usersOf(outcome) }),
};

/** Log the user out; afterwards the device tells who is there. */
export const logOutUser: Recipe<RecipeParameters['log-out-user']> = {
  commands: () => ['LogOutUser', 'UserList'],
  start: (parameters) => send('LogOutUser', tethered(parameters)),
  next: (outcome) => (outcome.requestType === 'LogOutUser' ? send('UserList') : succeed({ users: usersOf(outcome) })),
  // Logged out is what was asked.
  failed: ({ requestType, state }) => (requestType === 'UserList' && state !== 'cancelled' ? succeed() : null),
};

type Delete = RecipeParameters['delete-users'];

interface Skipped {
  readonly user: string;
  readonly reason: string;
}

/** What is done and left to do, as the run remembers it. */
interface Progress {
  readonly waiting: readonly string[];
  readonly deleted: readonly string[];
  readonly skipped: readonly Skipped[];
}

const progressOf = (memo: PlistDict): Progress => memo as unknown as Progress;

/** Which users go, and why the others do not. */
function plan({ users, all, force }: Delete, present: readonly DeviceUser[]): Progress {
  const skipped: Skipped[] = [];
  const waiting: string[] = [];
  for (const name of all === true ? present.map((user) => user.name) : new Set(users)) {
    const user = present.find((one) => one.name === name);
    const reason =
      user === undefined
        ? 'not on the device'
        : user.loggedIn
          ? 'logged in: log the user out first'
          : user.hasDataToSync === true && force !== true
            ? 'has data that is not in iCloud yet'
            : null;
    if (reason === null) waiting.push(name);
    else skipped.push({ user: name, reason });
  }
  return { waiting, deleted: [], skipped };
}

function goOn(parameters: Delete, { waiting, deleted, skipped }: Progress): NextStep {
  const memo = { waiting, deleted, skipped: skipped.map((one) => ({ ...one })) };
  const [user] = waiting;
  // At the end the device tells who is left, so that what is known of it is true.
  if (user === undefined) return send('UserList', {}, { memo, result: { deleted, skipped } });
  const force = parameters.force === true ? { ForceDeletion: true } : {};
  return send('DeleteUser', { UserName: user, ...force, ...tethered(parameters) }, { memo });
}

function over(tools: RecipeTools, users?: readonly DeviceUser[]): Decision {
  const { deleted, skipped } = progressOf(tools.memo);
  const result = { deleted, skipped, ...(users === undefined ? {} : { users }) };
  const [first] = skipped;
  if (deleted.length > 0 || first === undefined) return succeed(result);
  return fail(`nobody was deleted: ${first.user}: ${first.reason}`, result);
}

/** Delete users that are not logged in. */
export const deleteUsers: Recipe<Delete> = {
  commands: () => ['UserList', 'DeleteUser'],
  start(parameters, { target }) {
    const { users = [], all = false, force } = parameters;
    if (all === users.length > 0) throw badParameters('name the users, or all of them', '/users');
    if (force !== undefined && target?.platform === 'macOS') {
      throw badParameters('a Mac has no forced deletion', '/force');
    }
    return send('UserList', tethered(parameters));
  },
  next(outcome, parameters, tools) {
    if (outcome.requestType === 'UserList') {
      if (tools.memo['waiting'] !== undefined) return over(tools, usersOf(outcome));
      return goOn(parameters, plan(parameters, usersOf(outcome)));
    }
    const { waiting, deleted, skipped } = progressOf(tools.memo);
    const [user = '', ...rest] = waiting;
    return goOn(parameters, { waiting: rest, deleted: [...deleted, user], skipped });
  },
  failed({ requestType, state, problem }, parameters, tools) {
    if (state === 'cancelled' || state === 'superseded' || tools.memo['waiting'] === undefined) return null;
    if (requestType === 'UserList') return over(tools);
    const { waiting, deleted, skipped } = progressOf(tools.memo);
    const [user = '', ...rest] = waiting;
    return goOn(parameters, { waiting: rest, deleted, skipped: [...skipped, { user, reason: problem }] });
  },
};
