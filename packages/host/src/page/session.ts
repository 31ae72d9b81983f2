// The page's sessions: a signed, expiring cookie; nothing is kept on the server.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { RandomBytes } from '@espalier/core';
import type { Access } from '../api/auth.ts';
import { HostError } from '../errors.ts';

/** A session lasts this long. */
export const SESSION_MS = 8 * 60 * 60 * 1000;

const COOKIE = 'espalier_session';

/** A valid session: its id is what the form token is derived from. */
export interface Session {
  readonly id: string;
  readonly expiresAt: number;
  /** What the token that signed in may do, now. */
  readonly access: Access;
}

/** Makes and checks sessions. */
export interface Sessions {
  /** The `Set-Cookie` value of a new session, of whoever brought a token. */
  create(access: Access, options: { readonly secure: boolean; readonly path: string }): string;
  /** The `Set-Cookie` value that ends a session in the browser. */
  clear(options: { readonly secure: boolean; readonly path: string }): string;
  /** The session of a request; `null` where there is none, it is forged or over, or its token is no longer one. */
  read(request: Request): Session | null;
  /** What a form of this session carries. */
  formToken(session: Session): string;
  /** @throws HostError `host.session.forged` (403) unless the token is this session's. */
  checkFormToken(session: Session, token: string | null): void;
}

/** Sessions signed with `secret` (HMAC-SHA-256); `accessOf` tells what a token may do, by its id. */
export function createSessions(
  secret: Uint8Array,
  random: RandomBytes,
  now: () => number,
  accessOf: (tokenId: string) => Access | null,
): Sessions {
  if (secret.byteLength < 32) throw new HostError('internal', 'host.options', 'sessionSecret needs 32 bytes.');
  const mac = (purpose: string, text: string) =>
    createHmac('sha256', secret).update(`${purpose}\0${text}`).digest('base64url');

  function attributes({ secure, path }: { secure: boolean; path: string }, seconds: number): string {
    return `Path=${path}; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
  }

  return {
    create({ tokenId }, options) {
      const content = `${now() + SESSION_MS}.${Buffer.from(random(16)).toString('base64url')}.${tokenId}`;
      return `${COOKIE}=${content}.${mac('session', content)}; ${attributes(options, SESSION_MS / 1000)}`;
    },
    clear: (options) => `${COOKIE}=; ${attributes(options, 0)}`,
    read(request) {
      for (const value of cookies(request, COOKIE)) {
        const [expiry = '', id = '', tokenId = '', signature = ''] = value.split('.');
        if (!equal(signature, mac('session', `${expiry}.${id}.${tokenId}`))) continue;
        const expiresAt = Number(expiry);
        const access = accessOf(tokenId);
        if (expiresAt > now() && access !== null) return { id, expiresAt, access };
      }
      return null;
    },
    formToken: (session) => mac('form', session.id),
    checkFormToken(session, token) {
      if (token !== null && equal(token, mac('form', session.id))) return;
      throw new HostError('forbidden', 'host.session.forged', 'This form is not from your session.', {
        remedy: 'Open the page again and repeat it.',
      });
    },
  };
}

function cookies(request: Request, name: string): string[] {
  return (request.headers.get('cookie') ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
}

function equal(given: string, wanted: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(wanted)];
  return left.byteLength === right.byteLength && timingSafeEqual(left, right);
}
