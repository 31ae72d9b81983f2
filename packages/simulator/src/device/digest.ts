// The answer to a DigestChallenge: HTTP digest authentication (RFC 2617) inside UserAuthenticate.
// Source: Apple, "User Authenticate"; the method and the URI are those of the message.
import { createHash } from 'node:crypto';

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** The `DigestResponse`; `null` for a challenge that is none. */
export function digestResponse(
  challenge: string,
  user: { readonly name: string; readonly password: string },
  message: { readonly method: string; readonly url: string },
  cnonce: string,
): string | null {
  const realm = /realm\s*=\s*"([^"]*)"/i.exec(challenge)?.[1];
  const nonce = /nonce\s*=\s*"([^"]*)"/i.exec(challenge)?.[1];
  if (!/^digest\s/i.test(challenge) || realm === undefined || nonce === undefined) return null;
  const uri = new URL(message.url).pathname;
  const first = md5(`${user.name}:${realm}:${user.password}`);
  const second = md5(`${message.method}:${uri}`);
  const named = `Digest username="${user.name}",realm="${realm}",nonce="${nonce}",uri="${uri}"`;
  if (!/qop\s*=/i.test(challenge)) return `${named},response="${md5(`${first}:${nonce}:${second}`)}"`;
  const response = md5(`${first}:${nonce}:00000001:${cnonce}:auth:${second}`);
  return `${named},response="${response}",qop=auth,nc=00000001,cnonce="${cnonce}"`;
}
