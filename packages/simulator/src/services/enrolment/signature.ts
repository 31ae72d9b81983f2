// Checking the OAuth 1.0a signature of a request for a session (RFC 5849), as Apple's service does.
import { createHmac, timingSafeEqual } from 'node:crypto';

/** The credentials of a server. */
export interface Credentials {
  readonly consumerKey: string;
  readonly consumerSecret: string;
  readonly accessToken: string;
  readonly accessSecret: string;
  /** Epoch milliseconds. */
  readonly expires: number;
}

/** What is wrong with a request for a session: the status, and the text of the answer. */
export interface SessionProblem {
  readonly status: 400 | 401;
  readonly reason: string;
}

const needed = ['consumer_key', 'token', 'signature_method', 'signature', 'timestamp', 'nonce'];
const tolerance = 300_000;

/** Checks an `Authorization` header. `nonces` remembers those that were used. */
export function checkSignature(
  request: Request,
  server: Credentials,
  nonces: Set<string>,
  now: number,
): SessionProblem | undefined {
  const header = request.headers.get('authorization') ?? '';
  if (!/^OAuth\s/i.test(header)) return { status: 400, reason: 'parameter_absent' };
  const parameters = new Map<string, string>();
  for (const part of header.slice(6).split(',')) {
    const match = /^\s*(?:oauth_)?([a-z_]+)="([^"]*)"\s*$/.exec(part);
    if (match === null) return { status: 400, reason: 'parameter_rejected' };
    if (parameters.has(match[1]!)) return { status: 400, reason: 'parameter_rejected' };
    parameters.set(match[1]!, decodeURIComponent(match[2]!));
  }
  if (needed.some((name) => !parameters.get(name))) return { status: 400, reason: 'parameter_absent' };
  if (parameters.get('signature_method') !== 'HMAC-SHA1') return { status: 400, reason: 'signature_method_rejected' };
  if (parameters.get('consumer_key') !== server.consumerKey) return { status: 401, reason: 'consumer_key_unknown' };
  if (parameters.get('token') !== server.accessToken) return { status: 401, reason: 'token_rejected' };
  if (now >= server.expires) return { status: 401, reason: 'token_expired' };
  if (Math.abs(Number(parameters.get('timestamp')) * 1000 - now) > tolerance) {
    return { status: 401, reason: 'timestamp_refused' };
  }
  const nonce = parameters.get('nonce')!;
  if (nonces.has(nonce)) return { status: 401, reason: 'nonce_used' };
  nonces.add(nonce);
  const wanted = Buffer.from(signatureOf(request, parameters, server));
  const given = Buffer.from(parameters.get('signature')!);
  return wanted.length === given.length && timingSafeEqual(wanted, given)
    ? undefined
    : { status: 401, reason: 'signature_invalid' };
}

function signatureOf(request: Request, parameters: ReadonlyMap<string, string>, server: Credentials): string {
  const url = new URL(request.url);
  const pairs = [...url.searchParams].map(([name, value]) => `${quote(name)}=${quote(value)}`);
  for (const [name, value] of parameters) {
    if (name !== 'realm' && name !== 'signature') pairs.push(`${quote(`oauth_${name}`)}=${quote(value)}`);
  }
  pairs.sort();
  const base = `${request.method}&${quote(`${url.origin}${url.pathname}`)}&${quote(pairs.join('&'))}`;
  return createHmac('sha1', `${quote(server.consumerSecret)}&${quote(server.accessSecret)}`)
    .update(base)
    .digest('base64');
}

/** Everything but letters, digits and `-._~` in percent. */
function quote(value: string): string {
  let out = '';
  for (const byte of Buffer.from(value)) {
    const char = String.fromCharCode(byte);
    out += /[A-Za-z0-9._~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}
