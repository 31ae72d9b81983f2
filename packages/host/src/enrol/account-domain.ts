// Which Managed Apple Accounts may enrol with this server (ABM-27): by the domain of the account.
import { domainToASCII } from 'node:url';

/** `host`: the domain of the account is the server's host name, or a domain above it. Else the domains that are listed. */
export type AccountDomains = 'host' | readonly string[];

/** The domain as DNS compares it; empty for what is none. A single label is no domain of anybody. */
function plain(domain: string): string {
  const ascii = domainToASCII(domain.replace(/\.$/, ''));
  return ascii.includes('.') ? ascii : '';
}

/**
 * Whether an account's domain fits.
 * @example accountFits('joe@example.com', 'mdm.example.com', 'host') // true
 */
export function accountFits(managedAppleAccount: string, host: string, domains: AccountDomains): boolean {
  const domain = plain(managedAppleAccount.slice(managedAppleAccount.lastIndexOf('@') + 1));
  if (domain === '' || !managedAppleAccount.includes('@')) return false;
  if (domains !== 'host') return domains.some((one) => plain(one) === domain);
  const name = plain(host);
  return name === domain || name.endsWith(`.${domain}`);
}
