// One Managed Apple Account per user and server (ABM-27): the first one stays, until somebody assigns another.
import type { UserEnrolments } from '../api/user-enrolment.ts';
import type { Context } from '../engine/context.ts';
import { CoreError } from '../errors.ts';

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

function checked(name: string, text: string): string {
  const plain = text.trim();
  if (plain !== '' && plain.length <= 320) return plain;
  throw new CoreError('core.user_enrolment.bad_account', 'invalid', `${name} has 1 to 320 characters`, {
    at: { path: `/${name}` },
  });
}

/** Makes this part of the service. Kept as settings under a hash of the user: there is no list of who works here. */
export function createAssignedAccounts(
  context: Context,
): Pick<UserEnrolments, 'account' | 'claimAccount' | 'assignAccount'> {
  const { store, vault, clock, bus } = context;

  async function nameOf(userId: string): Promise<string> {
    const user = checked('userId', userId);
    await vault.ready();
    return `core.managed-account.${await vault.hash('managed-account', user)}`;
  }

  async function tell(userId: string, managedAppleAccount: string | null): Promise<void> {
    const data = { userId, managedAppleAccount };
    const type = 'user-enrolment.account-assigned';
    await store.events.append([{ type, at: clock.now(), enrolmentId: null, data }]);
    bus.poke();
  }

  /** An empty one was taken away. */
  const read = async (name: string): Promise<string | null> => (await store.settings.get(name)) || null;

  return {
    account: async (userId) => read(await nameOf(userId)),

    async claimAccount({ userId, managedAppleAccount }) {
      const name = await nameOf(userId);
      const account = checked('managedAppleAccount', managedAppleAccount);
      const known = await store.settings.get(name);
      if (!known && (await store.settings.replace(name, known, account))) {
        await tell(userId, account);
        return account;
      }
      const assigned = (await read(name)) ?? account;
      if (same(assigned, account)) return assigned;
      throw new CoreError('core.user_enrolment.other_account', 'forbidden', 'the user has another account here', {
        remedy: 'Sign in with the Managed Apple Account that was used first, or have another one assigned.',
      });
    },

    async assignAccount(userId, managedAppleAccount) {
      const name = await nameOf(userId);
      const account = managedAppleAccount === null ? null : checked('managedAppleAccount', managedAppleAccount);
      await store.settings.set(name, account ?? '');
      await tell(userId, account);
    },
  };
}
