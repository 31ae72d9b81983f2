// Admin tokens: made once, kept as a hash, compared in constant time.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { RandomBytes } from '@espalier/core';
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

/** Tells whether a token is one of those whose hashes are known. */
export type TokenCheck = (token: string) => boolean;

/**
 * Makes the check.
 * @throws HostError `host.options` for an entry that is not a hash as {@link hashAdminToken} writes it
 */
export function createTokenCheck(hashes: readonly string[]): TokenCheck {
  const known = hashes.map((hash) => {
    if (!/^sha256:[0-9a-f]{64}$/.test(hash)) {
      throw new HostError('internal', 'host.options', 'adminTokens holds something that is not a hash.', {
        remedy: 'Give hashAdminToken(token), never the token itself.',
      });
    }
    return Buffer.from(hash.slice(PREFIX.length), 'hex');
  });
  return (token) => {
    const given = digest(token);
    // Every hash is compared, so that the time tells nothing of which one fits.
    return known.reduce((found, hash) => timingSafeEqual(hash, given) || found, false);
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

/** Lets a request go on, or throws what it is refused with. */
export type Authorise = (context: Context) => Promise<void>;

/** Asks for a bearer token; wrong ones are slowed down by the limiter. */
export function createAuthorise(
  check: TokenCheck,
  limiter: Limiter,
  tokenOf: (request: Request) => string | null = bearerToken,
): Authorise {
  return async ({ request, clientAddress }) => {
    const token = tokenOf(request);
    if (token === null) throw unauthorised(false);
    // A right token is never locked out: only wrong ones are counted, and a token is far too long to guess.
    if (check(token)) return;
    await limiter.guard(
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
