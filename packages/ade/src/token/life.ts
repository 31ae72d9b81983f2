// A token's life: expiry, renewal, and the state of the account behind it.
import { timingSafeEqual } from 'node:crypto';
import { type Clock, DAY_MS, timeOf } from '../clock.ts';
import { enrolmentErrors } from '../enrolment/errors.ts';
import type { EnrolmentAccount } from '../enrolment/types.ts';
import { AdeError, isAdeError } from '../errors.ts';
import type { ServerToken } from './open.ts';

/** Where a token is in its year. */
export interface TokenLife {
  readonly state: 'valid' | 'expiring' | 'expired';
  /** Whole days that are left; 0 on the last day, negative after it. */
  readonly daysLeft: number;
  readonly expires: Date;
}

/**
 * Tells how long a token is still good.
 * @param warnDays From how many days on it counts as `expiring` (default 30).
 */
export function tokenLife(token: Pick<ServerToken, 'accessTokenExpiry'>, clock: Clock, warnDays = 30): TokenLife {
  const left = token.accessTokenExpiry.getTime() - timeOf(clock);
  const state = left <= 0 ? 'expired' : left <= warnDays * DAY_MS ? 'expiring' : 'valid';
  return { state, daysLeft: Math.floor(left / DAY_MS), expires: token.accessTokenExpiry };
}

/** What is known of an account's server: its token, and what `GET /account` said of it. */
export interface KnownServer {
  readonly token: Pick<ServerToken, 'consumerKey' | 'accessTokenExpiry'>;
  /** As `EnrolmentClient.account` gave it. */
  readonly account?: Pick<EnrolmentAccount, 'server_uuid' | 'org_id' | 'server_name'>;
}

/**
 * Checks that a token may take the place of an account's token: it must be of the same server in Apple's portal (same
 * consumer key; where both are known the same `server_uuid` and `org_id`), and must not be older.
 *
 * Call it with the token alone before the first request is made with it, and again with its account.
 *
 * @throws AdeError `ade.token.wrong_account` for another server or organisation, `ade.token.expired` for one that is
 * over, `ade.token.older` for one that ends before the present one.
 */
export function checkRenewal(present: KnownServer, renewed: KnownServer, clock: Clock): void {
  const called = present.account?.server_name;
  const name = called === undefined ? 'this account' : `“${called}”`;
  const remedy = `Download the token of ${name} again, or add the other server as an account of its own.`;
  if (!same(present.token.consumerKey, renewed.token.consumerKey)) {
    throw new AdeError('ade.token.wrong_account', 'the token is of another server at Apple', {
      kind: 'conflict',
      remedy,
    });
  }
  for (const path of ['org_id', 'server_uuid'] as const) {
    const [before, after] = [present.account?.[path], renewed.account?.[path]];
    if (before !== undefined && after !== undefined && before !== after) {
      const what = path === 'org_id' ? 'organisation' : 'server at Apple';
      throw new AdeError('ade.token.wrong_account', `the token is of another ${what}`, {
        kind: 'conflict',
        at: { path },
        remedy,
      });
    }
  }
  if (tokenLife(renewed.token, clock).state === 'expired') {
    throw new AdeError('ade.token.expired', 'the token has expired', {
      kind: 'conflict',
      remedy: 'Download a new one.',
    });
  }
  if (renewed.token.accessTokenExpiry < present.token.accessTokenExpiry) {
    throw new AdeError('ade.token.older', 'the token is older than the one in use', {
      kind: 'conflict',
      remedy: 'Each download ends the tokens before it: give the newest one.',
    });
  }
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** An account's state as administrators see it (ADE-18). */
export type AccountState = 'active' | 'invalid-token' | 'terms-not-signed' | 'inactive';

/** Codes of errors of kind `unauthenticated`, for what was noted by its code alone. */
const refusals: ReadonlySet<unknown> = new Set([
  'ade.token.expired',
  ...Object.entries(enrolmentErrors).flatMap(([name, { kind }]) =>
    kind === 'unauthenticated' ? [`ade.enrolment.${name.toLowerCase()}`] : [],
  ),
]);

/**
 * The state of an account, from its token and how the last call to Apple ended: the error, or its code where only that was
 * kept.
 *
 * `invalid-token`: expired or refused (401). `terms-not-signed`: somebody must accept Apple's terms. `inactive`: the
 * server's entry at Apple is gone or closed (`ACCESS_DENIED`). Failures of another sort (network, 5xx, throttling)
 * leave an account `active`.
 */
export function accountState(
  token: Pick<ServerToken, 'accessTokenExpiry'>,
  lastError: unknown,
  clock: Clock,
): AccountState {
  const code = isAdeError(lastError) ? lastError.code : lastError;
  if (code === 'ade.enrolment.t_c_not_signed') return 'terms-not-signed';
  if (code === 'ade.enrolment.access_denied') return 'inactive';
  const refused = isAdeError(lastError) ? lastError.kind === 'unauthenticated' : refusals.has(code);
  if (refused) return 'invalid-token';
  return tokenLife(token, clock).state === 'expired' ? 'invalid-token' : 'active';
}
