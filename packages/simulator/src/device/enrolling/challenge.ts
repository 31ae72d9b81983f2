// The 401 of account-driven enrolment: the challenge that tells how the user signs in.
// Source: Apple, "Implementing the simple authentication account-driven enrollment flow", and the one for OAuth 2.
import { SimulatorError } from '../../errors.ts';
import { callbackScheme } from './browser.ts';

/** How the user signs in. */
export type Challenge =
  | { readonly method: 'apple-as-web'; readonly url: string }
  | {
      readonly method: 'apple-oauth2';
      readonly authorizationUrl: string;
      readonly tokenUrl: string;
      readonly redirectUrl: string;
      readonly clientId: string;
      readonly scope: string;
    };

/**
 * Reads `WWW-Authenticate`.
 * @throws SimulatorError `simulator.sign_in`
 */
export function readChallenge(header: string | undefined): Challenge {
  if (header === undefined) throw problem('the server asks for a token without WWW-Authenticate');
  if (!/^bearer\s/i.test(header)) throw problem('WWW-Authenticate is not of the scheme Bearer');
  const pairs = new Map<string, string>();
  for (const match of header.slice(7, 8192).matchAll(/([a-z0-9-]+)\s*=\s*"([^"]*)"/gi)) {
    pairs.set(match[1]!.toLowerCase(), match[2]!);
  }
  const need = (name: string, protocols: readonly string[] = []): string => {
    const value = pairs.get(name);
    if (value === undefined || value === '') throw problem(`the challenge has no ${name}`);
    const fits = protocols.length === 0 || (URL.canParse(value) && protocols.includes(new URL(value).protocol));
    if (!fits) throw problem(`the challenge's ${name} is not an address that a device opens`);
    return value;
  };
  const web = ['https:', 'http:'];
  const method = need('method');
  if (method === 'apple-as-web') return { method, url: need('url', web) };
  if (method !== 'apple-oauth2') throw problem(`the challenge's method is ${method.slice(0, 40)}`);
  return {
    method,
    authorizationUrl: need('authorization-url', web),
    tokenUrl: need('token-url', web),
    redirectUrl: need('redirect-url', [callbackScheme]),
    clientId: need('client-id'),
    scope: need('scope'),
  };
}

function problem(message: string): SimulatorError {
  return new SimulatorError('simulator.sign_in', message);
}
