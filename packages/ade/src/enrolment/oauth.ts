// OAuth 1.0a signatures (RFC 5849) with HMAC-SHA1, as Apple's session endpoint wants them.
import { createHmac } from 'node:crypto';

/** What is signed. */
export interface OauthRequest {
  readonly method: string;
  readonly url: string;
  readonly realm: string;
  readonly consumerKey: string;
  readonly consumerSecret: string;
  readonly token: string;
  readonly tokenSecret: string;
  readonly nonce: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  /** Default `1.0`; `null` leaves it out, as RFC 5849 allows. */
  readonly version?: '1.0' | null;
}

/** The `Authorization` header of a request without a form body. */
export function oauthHeader(request: OauthRequest): string {
  const url = new URL(request.url);
  const own: [string, string][] = [
    ['oauth_consumer_key', request.consumerKey],
    ['oauth_token', request.token],
    ['oauth_signature_method', 'HMAC-SHA1'],
    ['oauth_timestamp', String(request.timestamp)],
    ['oauth_nonce', request.nonce],
  ];
  if (request.version !== null) own.push(['oauth_version', request.version ?? '1.0']);
  const parameters = [...own, ...url.searchParams]
    .map(([name, value]) => [percent(name), percent(value)] as const)
    .sort(([a, b], [c, d]) => order(a, c) || order(b, d))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const base = [request.method.toUpperCase(), `${url.protocol}//${url.host}${url.pathname}`, parameters];
  const key = `${percent(request.consumerSecret)}&${percent(request.tokenSecret)}`;
  const signature = createHmac('sha1', key).update(base.map(percent).join('&')).digest('base64');
  const quoted = [...own, ['oauth_signature', signature] as const].map(
    ([name, value]) => `${name}="${percent(value)}"`,
  );
  return `OAuth realm="${request.realm}", ${quoted.join(', ')}`;
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** RFC 3986 escapes; `encodeURIComponent` leaves five characters that RFC 5849 wants escaped. */
const percent = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
