// The digest of UserAuthenticate: HTTP digest authentication (RFC 2617) carried in DigestChallenge and DigestResponse.
// Source: Apple, "Enabling network and mobile user logins".
import { crypto } from '../builtins.ts';
import { MdmError } from '../errors.ts';
import { optional } from '../optional.ts';

/** A `DigestResponse`, read. */
export interface DigestResponse {
  /** The account's short name. */
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  /** 32 hexadecimal digits. */
  readonly response: string;
  readonly qop?: string;
  readonly nc?: string;
  readonly cnonce?: string;
}

/** The longest text that is looked at. */
const maxLength = 4096;
const pair = /\s*([a-zA-Z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)/y;

/**
 * Writes a `DigestChallenge`.
 *
 * @param challenge `nonce` and `realm` without quotes and backslashes.
 * @throws MdmError `mdm.checkin.bad_key`
 * @example digestChallenge({ nonce, realm: 'example.com' }); // Digest nonce="…",realm="example.com"
 */
export function digestChallenge(challenge: { readonly nonce: string; readonly realm: string }): string {
  const { nonce, realm } = challenge;
  for (const [name, text] of Object.entries({ nonce, realm })) {
    if (text === '' || /["\\\p{Cc}]/u.test(text)) {
      throw new MdmError('mdm.checkin.bad_key', `the ${name} of a challenge is plain text without quotes`, {
        at: { path: '/DigestChallenge' },
      });
    }
  }
  return `Digest nonce="${nonce}",realm="${realm}"`;
}

/**
 * Reads a `DigestResponse`.
 * @throws MdmError `mdm.checkin.bad_key`
 */
export function readDigestResponse(text: string): DigestResponse {
  const bad = (problem: string): MdmError =>
    new MdmError('mdm.checkin.bad_key', `/DigestResponse ${problem}`, { at: { path: '/DigestResponse' } });
  if (text.length > maxLength) throw bad('is too long');
  if (!/^digest\s/i.test(text)) throw bad('is not a digest');
  const fields = new Map<string, string>();
  pair.lastIndex = 7;
  while (pair.lastIndex < text.length) {
    const match = pair.exec(text);
    if (match === null) throw bad('is not a list of pairs');
    const name = match[1]!.toLowerCase();
    if (fields.has(name)) throw bad(`has ${name} twice`);
    fields.set(name, match[2] === undefined ? match[3]! : match[2].replace(/\\(.)/g, '$1'));
  }
  const need = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined) throw bad(`has no ${name}`);
    return value;
  };
  const algorithm = fields.get('algorithm');
  if (algorithm !== undefined && algorithm.toUpperCase() !== 'MD5') throw bad('is not of the algorithm MD5');
  const response = need('response').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(response)) throw bad('has a response that is not an MD5 hash');
  return {
    username: need('username'),
    realm: need('realm'),
    nonce: need('nonce'),
    uri: need('uri'),
    response,
    ...optional('qop', fields.get('qop')),
    ...optional('nc', fields.get('nc')),
    ...optional('cnonce', fields.get('cnonce')),
  };
}

/**
 * What a directory keeps in place of a password (`HA1` of RFC 2617). It is as good as the password for this realm: a
 * secret.
 * @returns 32 hexadecimal digits.
 */
export function digestHash(account: {
  readonly username: string;
  readonly realm: string;
  readonly password: string;
}): string {
  return md5(`${account.username}:${account.realm}:${account.password}`);
}

/**
 * Whether a response was made with the account's password for this challenge. Takes constant time in the hash.
 *
 * Apple does not say which HTTP method the digest is made for; `methods` are those that are tried. The message comes
 * with `PUT`.
 *
 * @param expected `hash` of {@link digestHash}, and the challenge that was given.
 */
export function verifyDigest(
  digest: DigestResponse,
  expected: {
    readonly hash: string;
    readonly nonce: string;
    readonly realm: string;
    readonly methods?: readonly string[];
  },
): boolean {
  if (digest.nonce !== expected.nonce || digest.realm !== expected.realm) return false;
  const { timingSafeEqual } = crypto();
  const given = Buffer.from(digest.response, 'latin1');
  const tail =
    digest.qop === undefined ? digest.nonce : `${digest.nonce}:${digest.nc ?? ''}:${digest.cnonce ?? ''}:${digest.qop}`;
  let right = false;
  for (const method of expected.methods ?? ['PUT', 'POST', 'GET', 'AUTHENTICATE']) {
    const wanted = md5(`${expected.hash.toLowerCase()}:${tail}:${md5(`${method}:${digest.uri}`)}`);
    if (given.length === 32 && timingSafeEqual(given, Buffer.from(wanted, 'latin1'))) right = true;
  }
  return right;
}

function md5(text: string): string {
  return crypto().createHash('md5').update(text).digest('hex');
}
