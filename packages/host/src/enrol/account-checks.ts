// What is asked of an account before a user's device is let in with it.
import type { AccountEnrolmentMode } from '@espalier/apple-mdm';
import { HostError, isEspalierError } from '../errors.ts';
import type { Context } from '../http/router.ts';
import { type AccountDomains, accountFits } from './account-domain.ts';
import type { AccountUser } from './account-token.ts';
import type { EnrolContext } from './routes.ts';

/** The checks. */
export interface AccountChecks {
  /** @throws HostError `host.account.domain` (403) */
  checkDomain(context: Context, user: AccountUser): void;
  /** Whether the user has another account here already. @throws HostError `host.account.other` (403) */
  checkAssigned(user: AccountUser): Promise<void>;
  /** The account in the spelling that was assigned. @throws HostError `host.account.other` (403) */
  claimed(user: AccountUser): Promise<string>;
  /** Whether this kind of enrolment is turned on. */
  isOpen(mode: AccountEnrolmentMode): Promise<boolean>;
}

/** Makes them. */
export function createAccountChecks(
  host: Pick<EnrolContext, 'engine' | 'urls'>,
  { accountDomains }: { readonly accountDomains?: AccountDomains },
): AccountChecks {
  const { userEnrolments } = host.engine;
  return {
    checkDomain(context, { managedAppleAccount }) {
      const { hostname } = new URL(host.urls(context).base);
      if (accountDomains === undefined || accountFits(managedAppleAccount, hostname, accountDomains)) return;
      throw new HostError('forbidden', 'host.account.domain', 'This Managed Apple Account is not one of this server.', {
        remedy: 'Sign in with the account that the organisation gave for this server.',
      });
    },

    async checkAssigned({ userId, managedAppleAccount }) {
      const assigned = userId === undefined ? null : await userEnrolments.account(userId);
      if (assigned !== null && assigned.toLowerCase() !== managedAppleAccount.toLowerCase()) throw otherAccount();
    },

    async claimed({ userId, managedAppleAccount }) {
      if (userId === undefined) return managedAppleAccount;
      try {
        return await userEnrolments.claimAccount({ userId, managedAppleAccount });
      } catch (error) {
        if (isEspalierError(error) && error.code === 'core.user_enrolment.other_account') throw otherAccount(error);
        throw error;
      }
    },

    isOpen: async (mode) => mode !== 'BYOD' || (await userEnrolments.get()).enabled,
  };
}

function otherAccount(cause?: unknown): HostError {
  return new HostError(
    'forbidden',
    'host.account.other',
    'This user has another Managed Apple Account on this server.',
    {
      remedy: 'Sign in with the account that was used first, or have an administrator assign this one.',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** User Enrolment is switched off (ABM-20). */
export function turnedOff(): HostError {
  return new HostError('forbidden', 'host.account.disabled', 'User Enrolment is turned off.', {
    remedy: 'Turn it on: PUT /api/v1/user-enrolment.',
  });
}
