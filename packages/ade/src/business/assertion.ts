// The client assertion of the Apple Business and School Manager API: a JWT signed with ES256 (RFC 7523).
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { AdeError } from '../errors.ts';

/** What goes into an assertion. */
export interface AssertionOptions {
  /** `BUSINESSAPI.…` or `SCHOOLAPI.…`. */
  readonly clientId: string;
  readonly keyId: string;
  readonly key: KeyObject;
  readonly audience: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Default 300; Apple takes up to 180 days. */
  readonly lifetimeSeconds?: number;
  /** Unique for each assertion. */
  readonly id: string;
}

/**
 * Imports the key that the portal gave: PEM or DER (PKCS#8 or SEC1), P-256.
 * @throws AdeError `ade.business.key`.
 */
export function importApiKey(input: string | Uint8Array): KeyObject {
  const attempts =
    typeof input === 'string'
      ? [{ key: input, format: 'pem' } as const]
      : (['pkcs8', 'sec1'] as const).map((type) => ({ key: Buffer.from(input), format: 'der', type }) as const);
  for (const attempt of attempts) {
    try {
      const key = createPrivateKey(attempt);
      if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
    } catch {
      // Not this form; the error below says what is wanted, without the key.
    }
  }
  throw new AdeError('ade.business.key', 'the API key is no private key on the curve P-256', {
    remedy: 'Give the file that Apple Business or School Manager offered when the API account was made.',
  });
}

/** Makes a client assertion. */
export function clientAssertion(options: AssertionOptions): string {
  const { clientId, keyId, key, audience, now, lifetimeSeconds = 300, id } = options;
  const issued = Math.floor(now / 1000);
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = [
    part({ alg: 'ES256', kid: keyId, typ: 'JWT' }),
    part({ iss: clientId, sub: clientId, aud: audience, iat: issued, exp: issued + lifetimeSeconds, jti: id }),
  ].join('.');
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}
