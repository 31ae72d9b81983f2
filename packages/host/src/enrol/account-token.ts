// The access tokens of account-driven enrolment: an account and an expiry under a MAC; nothing is kept on the server.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { AccountEnrolmentMode } from '@espalier/apple-mdm';

/** A user who has signed in. */
export interface AccountUser {
  /** The Managed Apple Account, which goes into the profile. */
  readonly managedAppleAccount: string;
  /**
   * Who it is, as the product's directory knows them. A user who is named enrols with one account alone: the first, or the one that
   * was assigned (ABM-27). Default: nobody asks.
   */
  readonly userId?: string;
  /** The enrolment that this user gets; must be that of the address, where it is given. */
  readonly mode?: AccountEnrolmentMode;
}

/** Issues and reads tokens. */
export interface AccountTokens {
  issue(user: AccountUser): string;
  /** `null` for a token that is forged or over. */
  read(token: string): AccountUser | null;
}

/** Tokens under `secret` (HMAC-SHA-256) that last `ttlMs`. */
export function createAccountTokens(secret: Uint8Array, ttlMs: number, now: () => number): AccountTokens {
  const mac = (text: string): Buffer => createHmac('sha256', secret).update(`account-token\0${text}`).digest();
  return {
    issue({ managedAppleAccount, mode, userId }) {
      const text = Buffer.from(JSON.stringify({ managedAppleAccount, mode, userId, until: now() + ttlMs })).toString(
        'base64url',
      );
      return `${text}.${mac(text).toString('base64url')}`;
    },
    read(token) {
      if (token.length > 2048) return null;
      const [text = '', signature = ''] = token.split('.');
      const given = Buffer.from(signature, 'base64url');
      const wanted = mac(text);
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return null;
      // Under our own MAC: its shape is ours.
      const { until, ...user } = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as AccountUser & {
        readonly until: number;
      };
      if (until <= now()) return null;
      return user;
    },
  };
}
