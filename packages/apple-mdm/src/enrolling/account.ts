// Account-driven enrolment: service discovery, the challenge of the 401 answer, the bearer token, the way back.
// Source: Apple, "Implementing the simple authentication account-driven enrollment flow" and "… OAuth 2 …".
import { MdmError } from '../errors.ts';

/** `BYOD` is account-driven User Enrolment, `ADDE` account-driven Device Enrolment. */
export type AccountEnrolmentMode = 'BYOD' | 'ADDE';

/** Where a device enrols. */
export interface EnrolmentService {
  readonly mode: AccountEnrolmentMode;
  readonly baseUrl: string;
}

/** The path of service discovery, at the domain of the user's account. */
export const serviceDiscoveryPath = '/.well-known/com.apple.remotemanagement';

/**
 * The answer to service discovery, as JSON (`application/json`). Devices take the first server whose version they know.
 * @example serviceDiscovery([{ mode: 'BYOD', baseUrl: 'https://mdm.example.com/enrol/account/byod' }]);
 */
export function serviceDiscovery(services: readonly EnrolmentService[]): {
  readonly Servers: readonly { readonly Version: 'mdm-byod' | 'mdm-adde'; readonly BaseURL: string }[];
} {
  return {
    Servers: services.map(({ mode, baseUrl }) => ({
      Version: mode === 'BYOD' ? 'mdm-byod' : 'mdm-adde',
      BaseURL: baseUrl,
    })),
  };
}

/** How the user signs in. */
export type AccountChallenge =
  | {
      /** A page of the server's, which ends in a redirect with the token. */
      readonly method: 'apple-as-web';
      readonly url: string;
    }
  | {
      /** OAuth 2 with a public client; the scheme of `redirectUrl` is `apple-remotemanagement-user-login`. */
      readonly method: 'apple-oauth2';
      readonly authorizationUrl: string;
      readonly tokenUrl: string;
      readonly redirectUrl: string;
      readonly clientId: string;
      readonly scope: string;
    };

/**
 * The value of `WWW-Authenticate` in the 401 answer.
 * @throws MdmError `mdm.account.bad_challenge` for a value that would break out of its quotes, or a URL that Apple refuses.
 */
export function accountChallenge(challenge: AccountChallenge): string {
  const pairs: [string, string][] = [['method', challenge.method]];
  if (challenge.method === 'apple-as-web') {
    pairs.push(['url', url(challenge.url, ['https:', 'http:'])]);
  } else {
    pairs.push(
      ['authorization-url', url(challenge.authorizationUrl, ['https:'])],
      ['token-url', url(challenge.tokenUrl, ['https:'])],
      ['redirect-url', url(challenge.redirectUrl, ['apple-remotemanagement-user-login:'])],
      ['client-id', challenge.clientId],
      ['scope', challenge.scope],
    );
  }
  for (const [name, value] of pairs) {
    if (value === '' || !/^[\x20-\x7e]+$/.test(value) || /["\\]/.test(value)) throw bad(name, 'is not plain text');
  }
  return `Bearer ${pairs.map(([name, value]) => `${name}="${value}"`).join(', ')}`;
}

function url(text: string, protocols: readonly string[]): string {
  if (URL.canParse(text) && protocols.includes(new URL(text).protocol)) return text;
  throw bad('url', `is not an address that begins with ${protocols.join(' or ')}`);
}

function bad(name: string, problem: string): MdmError {
  return new MdmError('mdm.account.bad_challenge', `the challenge's ${name} ${problem}`, { at: { path: `/${name}` } });
}

/**
 * Where the sign-in page sends the browser when the user is known: answer 308 with this as `Location`.
 * @example authenticationResult(token); // apple-remotemanagement-user-login://authentication-results?access-token=…
 */
export function authenticationResult(accessToken: string): string {
  return `apple-remotemanagement-user-login://authentication-results?access-token=${encodeURIComponent(accessToken)}`;
}

/** The bearer token of an `Authorization` header (RFC 6750); `null` where there is none. */
export function bearerOf(authorization: string | null): string | null {
  return /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(authorization ?? '')?.[1] ?? null;
}
