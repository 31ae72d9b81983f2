// Opening a downloaded server token: decryption, and what is in it.
import { decryptCms, isPkiError, type PkiError, type PrivateKeyInput } from '@espalier/pki';
import { AdeError } from '../errors.ts';
import { unwrapSmime } from './smime.ts';

/** The credentials of a server at Apple's device enrolment service. Secrets, all but the expiry: seal them. */
export interface ServerToken {
  /** Stays the same when the token of one server is renewed. */
  readonly consumerKey: string;
  readonly consumerSecret: string;
  readonly accessToken: string;
  readonly accessSecret: string;
  /** One year after the download. */
  readonly accessTokenExpiry: Date;
}

/** Key and certificate that a token was made for. */
export interface TokenKey {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly privateKey: PrivateKeyInput;
}

const longestField = 1024;

/**
 * Decrypts the server token that was downloaded from Apple's portal (`.p7m`: S/MIME with a CMS EnvelopedData; bare DER
 * and PEM are taken, too). Source: Apple, "Examining server tokens".
 *
 * @throws AdeError `ade.token.empty`, `ade.token.too_large`, `ade.token.not_smime`, `ade.token.encoding` when it is no
 * such file; `ade.token.not_encrypted`, `ade.token.unsupported`, `ade.token.wrong_key`, `ade.token.damaged` when it
 * cannot be decrypted; `ade.token.content`, `ade.token.field`, `ade.token.expiry` when its content is not a token.
 * @example
 * const token = openServerToken(await readFile('server_token.p7m'), pair);
 */
export function openServerToken(file: Uint8Array, key: TokenKey): ServerToken {
  const cms = unwrapSmime(file);
  let content: Uint8Array;
  try {
    content = decryptCms(cms, key);
  } catch (error) {
    throw isPkiError(error) ? explain(error) : error;
  }
  return readServerToken(Buffer.from(content.buffer, content.byteOffset, content.length).toString('utf8'));
}

function explain(error: PkiError): AdeError {
  const { code } = error;
  if (code === 'pki.cms.not_a_recipient') {
    return new AdeError('ade.token.wrong_key', 'the token is encrypted to another certificate than this account’s', {
      cause: error,
      remedy: 'Upload the certificate of this account to the server’s entry at Apple, then download a new token.',
    });
  }
  if (code === 'pki.cms.wrong_type') {
    return new AdeError('ade.token.not_encrypted', 'the file is a CMS message, but not an encrypted one', {
      cause: error,
      remedy: 'Give the server token (.p7m), not a certificate or a signed profile.',
    });
  }
  if (code.startsWith('pki.algorithm.') || code.startsWith('pki.key.')) {
    return new AdeError('ade.token.unsupported', `the token cannot be decrypted: ${error.message}`, { cause: error });
  }
  const what =
    code === 'pki.cms.decrypt_failed'
      ? 'the token names this account’s certificate, but its content cannot be decrypted: it is damaged, or the private key is not the certificate’s'
      : `the token is damaged: ${error.message}`;
  return new AdeError('ade.token.damaged', what, { cause: error, remedy: 'Download a new token.' });
}

/**
 * Reads a decrypted server token: a MIME text around JSON, with or without `BEGIN MESSAGE` lines, or the bare JSON.
 *
 * @throws AdeError `ade.token.content`, `ade.token.field` (with `at.path`), `ade.token.expiry`.
 */
export function readServerToken(text: string): ServerToken {
  const open = text.indexOf('{');
  const close = text.lastIndexOf('}');
  if (open < 0 || close < open) {
    throw new AdeError('ade.token.content', 'the decrypted file holds no token', { remedy: 'Download a new token.' });
  }
  let parsed: unknown;
  try {
    // A mailer may have wrapped the one long line of JSON; no string in it may hold a line break.
    parsed = JSON.parse(text.slice(open, close + 1).replace(/\r?\n/g, ''));
  } catch {
    // The parser's message would quote secrets.
    throw new AdeError('ade.token.content', 'the decrypted token is not JSON', { remedy: 'Download a new token.' });
  }
  const fields = new Map(Object.entries(parsed as object));
  const secret = (name: string): string => {
    const value: unknown = fields.get(name);
    if (typeof value !== 'string' || value === '' || value.length > longestField || /[^\x21-\x7e]/.test(value)) {
      const how = value === undefined ? 'missing' : 'not a text as Apple makes it';
      throw new AdeError('ade.token.field', `in the token, ${name} is ${how}`, { at: { path: name } });
    }
    return value;
  };
  const token = {
    consumerKey: secret('consumer_key'),
    consumerSecret: secret('consumer_secret'),
    accessToken: secret('access_token'),
    accessSecret: secret('access_secret'),
  };
  return { ...token, accessTokenExpiry: expiryOf(secret('access_token_expiry')) };
}

function expiryOf(text: string): Date {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(time)) {
    const at = { path: 'access_token_expiry' };
    throw new AdeError('ade.token.expiry', 'in the token, access_token_expiry is no date and time', { at });
  }
  return new Date(time);
}
