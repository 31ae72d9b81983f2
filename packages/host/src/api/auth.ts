// Admin tokens: made once, kept as a hash with what they may do, compared in constant time.
import { createHash, timingSafeEqual } from 'node:crypto';
import { isPermission, type Permission, permissions, type RandomBytes } from '@espalier/core';
import { HostError } from '../errors.ts';
import type { Limiter } from '../http/limiter.ts';
import type { Context } from '../http/router.ts';

const PREFIX = 'sha256:';

/** A new admin token: 32 random bytes, written so that a scanner of secrets can tell what it is. */
export function createAdminToken(random: RandomBytes): string {
  return `espalier_admin_${Buffer.from(random(32)).toString('base64url')}`;
}

/**
 * The form in which a token is configured and kept: `sha256:<hex>`.
 *
 * A plain hash is enough for a token that nobody can guess; hence the minimum length.
 * @throws HostError `host.options` for a token shorter than 32 characters
 */
export function hashAdminToken(token: string): string {
  if (token.length < 32) {
    throw new HostError('invalid', 'host.options', 'An admin token needs at least 32 characters.', {
      remedy: 'Let createAdminToken make one.',
    });
  }
  return PREFIX + digest(token).toString('hex');
}

/** A token of the admin API, and what it may do. */
export interface AdminToken {
  /** As {@link hashAdminToken} writes it. */
  readonly hash: string;
  /** What it may do, of core’s `permissions`; `[]` is nothing. Default: everything. */
  readonly permissions?: readonly Permission[];
}

/** What whoever brought a token may do. */
export interface Access {
  /** Tells tokens apart, and is no secret. */
  readonly tokenId: string;
  may(permission: Permission): boolean;
  /** @throws HostError `host.admin.permission` (403), naming the first permission of the list that is missing */
  require(needed: readonly Permission[]): void;
}

/** Knows the tokens. */
export interface TokenCheck {
  /** What a token may do; `null` for one that is not known. */
  (token: string): Access | null;
  /** The same for a token that was seen before; `null` when it is no longer one. */
  byId(tokenId: string): Access | null;
}

/**
 * Makes the check.
 * @throws HostError `host.options` for an entry that is not a hash as {@link hashAdminToken} writes it, that names a
 *   permission which does not exist, or whose hash is there already
 */
export function createTokenCheck(tokens: readonly (string | AdminToken)[]): TokenCheck {
  const known = tokens.map((entry) => {
    const { hash, permissions: allowed = permissions } = typeof entry === 'string' ? { hash: entry } : entry;
    if (!/^sha256:[0-9a-f]{64}$/.test(hash)) {
      throw new HostError('internal', 'host.options', 'adminTokens holds something that is not a hash.', {
        remedy: 'Give hashAdminToken(token), never the token itself.',
      });
    }
    const wrong = allowed.find((permission) => !isPermission(permission));
    if (wrong !== undefined) {
      throw new HostError('internal', 'host.options', `There is no permission ${JSON.stringify(wrong)}.`, {
        remedy: `Known are: ${permissions.join(', ')}.`,
      });
    }
    const bytes = Buffer.from(hash.slice(PREFIX.length), 'hex');
    return { bytes, access: accessOf(digest(hash).toString('hex').slice(0, 16), allowed) };
  });
  const byId = new Map(known.map(({ access }) => [access.tokenId, access]));
  if (byId.size !== known.length) {
    throw new HostError('internal', 'host.options', 'adminTokens holds a hash twice.', {
      remedy: 'What it may do would be a guess: leave one.',
    });
  }
  const check = (token: string): Access | null => {
    const given = digest(token);
    // Every hash is compared, so that the time tells nothing of which one fits.
    return known.reduce<Access | null>(
      (found, { bytes, access }) => (timingSafeEqual(bytes, given) ? access : found),
      null,
    );
  };
  return Object.assign(check, { byId: (tokenId: string) => byId.get(tokenId) ?? null });
}

/** Of somebody who is no administrator: nothing. */
export const noAccess: Access = accessOf('', []);

function accessOf(tokenId: string, allowed: readonly Permission[]): Access {
  const held = new Set(allowed);
  return {
    tokenId,
    may: (permission) => held.has(permission),
    require(needed) {
      const missing = needed.find((permission) => !held.has(permission));
      if (missing === undefined) return;
      throw new HostError('forbidden', 'host.admin.permission', `This needs the permission “${missing}”.`, {
        headers: { 'www-authenticate': 'Bearer realm="espalier", error="insufficient_scope"' },
        remedy: 'Use an admin token that has it.',
      });
    },
  };
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

/** The token of `Authorization: Bearer`; `null` without one. */
export function bearerToken(request: Request): string | null {
  const match = /^bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '');
  return match ? (match[1] as string) : null;
}

/** The same, or the password of `Authorization: Basic`, for tools that know nothing else. */
export function tokenOfAnyKind(request: Request): string | null {
  const match = /^basic +([A-Za-z0-9+/=]{1,1000})$/i.exec(request.headers.get('authorization') ?? '');
  if (match === null) return bearerToken(request);
  const text = Buffer.from(match[1] as string, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}

/** Lets a request go on that may do what it needs, or throws what it is refused with. */
export type Authorise = (context: Context, needed: readonly Permission[]) => Promise<Access>;

/** Asks for a bearer token (RFC 6750); wrong ones are slowed down by the limiter. */
export function createAuthorise(
  check: (token: string) => Access | null,
  limiter: Limiter,
  tokenOf: (request: Request) => string | null = bearerToken,
): Authorise {
  return async ({ request, clientAddress }, needed) => {
    const token = tokenOf(request);
    if (token === null) throw unauthorised(false);
    // A right token is never locked out: only wrong ones are counted, and a token is far too long to guess.
    const access = check(token);
    if (access !== null) {
      access.require(needed);
      return access;
    }
    return await limiter.guard<Access>(
      clientAddress,
      () => Promise.reject(unauthorised(true)),
      () => true,
    );
  };
}

/** The refusal of an API call without a valid token. */
export function unauthorised(given: boolean): HostError {
  return new HostError(
    'unauthenticated',
    'host.admin.token',
    given ? 'This admin token is not known.' : 'An admin token is needed.',
    {
      headers: {
        'www-authenticate': given ? 'Bearer realm="espalier", error="invalid_token"' : 'Bearer realm="espalier"',
      },
      remedy: 'Send Authorization: Bearer <admin token>.',
    },
  );
}
