// The accounts of a Mac in Setup Assistant (ADE-17): the payload of AccountConfiguration, with its rules and the hash of the
// administrator's password. Sources: Apple's schema, mdm/commands/account.configuration.yaml; RFC 8018 (PBKDF2).
import { crypto } from '../builtins.ts';
import { MdmError } from '../errors.ts';
import type { AccountConfigurationCommand } from '../generated/types-commands.ts';
import { optional } from '../optional.ts';
import { encodePlist } from './command.ts';

/** The administrator that Setup Assistant makes without asking. */
export interface ManagedAdministrator {
  /** The login name. */
  readonly shortName: string;
  readonly fullName?: string;
  /** Of {@link macPasswordHash}: the password itself goes nowhere. */
  readonly passwordHash: Uint8Array;
  /** Not shown in Users & Groups and at the login window. */
  readonly hidden?: boolean;
}

/** The accounts that a Mac is set up with. */
export interface MacAccounts {
  /**
   * The account that the user makes: an administrator, a standard user, or none. The last two need a managed administrator, since the Mac
   * would have none.
   */
  readonly primary: 'administrator' | 'standard' | 'none';
  readonly managedAdministrator?: ManagedAdministrator;
  /** Filled in for the user's account. */
  readonly fullName?: string;
  readonly userName?: string;
  /** The user may not change what was filled in. */
  readonly locked?: boolean;
}

const shortName = /^[a-z_][a-z0-9_.-]{0,254}$/;

/**
 * The payload of `AccountConfiguration`, which a Mac takes on its device channel while it waits in Setup Assistant.
 *
 * @throws MdmError `mdm.command.bad_key`: no administrator at all, a login name that macOS does not take, locked names without any
 * @example
 * const passwordHash = await macPasswordHash('correct horse', { salt: crypto.getRandomValues(new Uint8Array(32)) });
 * const managedAdministrator = { shortName: 'itadmin', passwordHash, hidden: true };
 * command('AccountConfiguration', accountConfiguration({ primary: 'standard', managedAdministrator }), { commandUuid });
 */
export function accountConfiguration(accounts: MacAccounts): AccountConfigurationCommand {
  const { primary, managedAdministrator: admin, fullName, userName, locked } = accounts;
  if (primary !== 'administrator' && admin === undefined) {
    throw wrong('/AutoSetupAdminAccounts', 'the Mac would have no administrator', 'Give a managed administrator.');
  }
  if (admin !== undefined) checkName(admin.shortName, '/AutoSetupAdminAccounts/0/shortName');
  if (userName !== undefined) checkName(userName, '/PrimaryAccountUserName');
  if (userName !== undefined && userName === admin?.shortName) {
    throw wrong('/PrimaryAccountUserName', 'both accounts have the same name', 'Give them different names.');
  }
  if (primary === 'none' && (fullName !== undefined || userName !== undefined || locked !== undefined)) {
    throw wrong('/SkipPrimarySetupAccountCreation', 'there is no account to name', 'Leave the names out.');
  }
  if (locked === true && (fullName === undefined || userName === undefined)) {
    throw wrong('/LockPrimaryAccountInfo', 'locked names have to be given', 'Give fullName and userName.');
  }
  return {
    ...(primary === 'none' ? { SkipPrimarySetupAccountCreation: true } : {}),
    ...(primary === 'standard' ? { SetPrimarySetupAccountAsRegularUser: true } : {}),
    ...optional('PrimaryAccountFullName', fullName),
    ...optional('PrimaryAccountUserName', userName),
    ...optional('LockPrimaryAccountInfo', locked),
    ...(admin === undefined
      ? {}
      : {
          AutoSetupAdminAccounts: [
            {
              shortName: admin.shortName,
              ...optional('fullName', admin.fullName),
              passwordHash: admin.passwordHash,
              ...optional('hidden', admin.hidden),
            },
          ],
        }),
  };
}

/**
 * The hash of a password as macOS keeps it: PBKDF2 with SHA-512, as a property list. For `AutoSetupAdminAccounts` and
 * `SetAutoAdminPassword`.
 *
 * @param options `salt`: 32 random bytes; `iterations`: default 80,000.
 * @throws MdmError `mdm.command.bad_key` for an empty password, or a salt that is too short
 */
export async function macPasswordHash(
  password: string,
  options: { readonly salt: Uint8Array; readonly iterations?: number },
): Promise<Uint8Array> {
  const { salt, iterations = 80_000 } = options;
  if (password === '') throw wrong('/passwordHash', 'the password is empty', 'Give a password.');
  if (salt.length < 16) throw wrong('/passwordHash', 'the salt has fewer than 16 bytes', 'Give 32 random bytes.');
  if (!Number.isInteger(iterations) || iterations < 1 || iterations > 10_000_000) {
    throw wrong('/passwordHash', 'iterations are a whole number from 1 to 10,000,000', 'Leave them out.');
  }
  const entropy = await new Promise<Uint8Array>((resolve, reject) => {
    crypto().pbkdf2(password, salt, iterations, 128, 'sha512', (error, key) => {
      if (error) reject(error);
      else resolve(new Uint8Array(key));
    });
  });
  return encodePlist({ 'SALTED-SHA512-PBKDF2': { entropy, iterations, salt } });
}

function checkName(name: string, path: string): void {
  if (shortName.test(name)) return;
  throw wrong(path, 'this is no login name of macOS', 'Use lower-case letters, digits, dots, hyphens and underscores.');
}

function wrong(path: string, message: string, remedy: string): MdmError {
  return new MdmError('mdm.command.bad_key', message, { at: { path }, remedy });
}
