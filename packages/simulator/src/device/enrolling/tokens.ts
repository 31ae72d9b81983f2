// Access tokens of account-driven enrolment: the sign-in that gives one, by Apple's own redirect or by OAuth 2 with PKCE
// (RFC 6749, RFC 7636), and its refreshing.
import { createHash } from 'node:crypto';
import { SimulatorError } from '../../errors.ts';
import type { DeviceResponse } from '../../net/transport.ts';
import { type BrowserContext, browse, type SignIn } from './browser.ts';
import type { Challenge } from './challenge.ts';

/** What a device keeps of a sign-in. */
export interface AccountToken {
  readonly accessToken: string;
  readonly refreshToken?: string;
  /** Epoch milliseconds. */
  readonly expires?: number;
  /** Where it is refreshed. */
  readonly tokenUrl?: string;
  readonly clientId?: string;
}

/** What getting a token needs. */
export interface TokenContext extends BrowserContext {
  now(): number;
  /** Random bytes. */
  bytes(length: number): Uint8Array;
}

/**
 * Lets the user sign in as the challenge says.
 * @param user What the user typed in Settings.
 * @throws SimulatorError `simulator.sign_in`, `simulator.unreachable`
 */
export async function signInForToken(
  challenge: Challenge,
  user: string,
  signIn: SignIn | undefined,
  context: TokenContext,
): Promise<AccountToken> {
  return challenge.method === 'apple-as-web'
    ? await bySimpleRedirect(challenge.url, user, signIn, context)
    : await byOauth(challenge, user, signIn, context);
}

async function bySimpleRedirect(
  url: string,
  user: string,
  signIn: SignIn | undefined,
  context: TokenContext,
): Promise<AccountToken> {
  const start = new URL(url);
  start.searchParams.set('user-identifier', user);
  const callback = await callbackOf(start.href, signIn, context);
  const accessToken = callback.searchParams.get('access-token');
  if (callback.host !== 'authentication-results' || accessToken === null || accessToken === '') {
    throw problem('the sign-in ended without an access token');
  }
  return { accessToken };
}

async function byOauth(
  challenge: Extract<Challenge, { method: 'apple-oauth2' }>,
  user: string,
  signIn: SignIn | undefined,
  context: TokenContext,
): Promise<AccountToken> {
  const { tokenUrl, clientId, redirectUrl } = challenge;
  const word = (length: number): string => Buffer.from(context.bytes(length)).toString('base64url');
  const state = word(16);
  const verifier = word(32);
  const start = new URL(challenge.authorizationUrl);
  const query = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUrl,
    scope: challenge.scope,
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    login_hint: user,
  };
  for (const [name, value] of Object.entries(query)) start.searchParams.set(name, value);
  const callback = await callbackOf(start.href, signIn, context);
  const failure = callback.searchParams.get('error');
  if (failure !== null) throw problem(`the authorisation server refused: ${failure.slice(0, 100)}`);
  if (callback.searchParams.get('state') !== state)
    throw problem('the answer belongs to another authorisation request');
  const code = callback.searchParams.get('code');
  if (code === null) throw problem('the authorisation server gave no code');
  const answer = await postForm(tokenUrl, context, {
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: redirectUrl,
    code,
    code_verifier: verifier,
  });
  const token = readToken(answer, context.now());
  if (token === null) throw problem(`the authorisation server gave no token (HTTP ${answer.status})`);
  return { ...token, tokenUrl, clientId };
}

/** A new access token; `null` where there is no refresh token, or it is no longer good. */
export async function refreshToken(token: AccountToken, context: TokenContext): Promise<AccountToken | null> {
  const { tokenUrl, clientId, refreshToken: refresh } = token;
  if (tokenUrl === undefined || clientId === undefined || refresh === undefined) return null;
  const answer = await postForm(tokenUrl, context, {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: refresh,
  });
  const fresh = readToken(answer, context.now());
  // RFC 6749, 6: the old refresh token stays good where there is no new one.
  return fresh === null ? null : { tokenUrl, clientId, refreshToken: refresh, ...fresh };
}

async function callbackOf(start: string, signIn: SignIn | undefined, context: TokenContext): Promise<URL> {
  const end = await browse(start, signIn, context);
  if (end.type !== 'callback') throw problem('the sign-in ended with a profile in place of a token');
  return end.url;
}

function postForm(
  url: string,
  context: TokenContext,
  form: { readonly [name: string]: string },
): Promise<DeviceResponse> {
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' };
  const body = new TextEncoder().encode(new URLSearchParams(form).toString());
  return context.request({ method: 'POST', url, headers, body });
}

function readToken(answer: DeviceResponse, now: number): AccountToken | null {
  if (answer.status !== 200) return null;
  let value: { readonly [key: string]: unknown } | null;
  try {
    value = JSON.parse(new TextDecoder().decode(answer.body)) as { readonly [key: string]: unknown } | null;
  } catch {
    return null; // as any answer without a token
  }
  const { access_token: accessToken, refresh_token: refresh, expires_in: seconds } = value ?? {};
  if (typeof accessToken !== 'string' || accessToken === '') return null;
  return {
    accessToken,
    ...(typeof refresh === 'string' ? { refreshToken: refresh } : {}),
    ...(typeof seconds === 'number' ? { expires: now + seconds * 1000 } : {}),
  };
}

function problem(message: string): SimulatorError {
  return new SimulatorError('simulator.sign_in', message);
}
