// The token of `GetToken` for `com.apple.maid`: a JSON Web Token by which Apple knows the server's organisation.
// Source: Apple, "Get Token"; RFC 7515, 7519.
import { crypto } from '../builtins.ts';
import { MdmError } from '../errors.ts';

/** What the token is made of. */
export interface ManagedAccountTokenInput {
  /** `server_uuid` of the account details of the device enrolment service. */
  readonly serverUuid: string;
  /** PKCS#8, DER: the key of the certificate that is registered with Apple Business or School Manager. RSA or EC P-256. */
  readonly privateKey: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number;
  /** A random UUID; Apple takes each once. */
  readonly tokenId: string;
}

/**
 * Makes the token.
 * @throws MdmError `mdm.token.bad_key` for a key that is neither RSA nor EC P-256.
 * @example
 * getToken: async ({ service }) => service === 'com.apple.maid'
 *   ? managedAccountToken({ serverUuid, privateKey, issuedAt: Date.now(), tokenId: crypto.randomUUID() })
 *   : null
 */
export function managedAccountToken(input: ManagedAccountTokenInput): string {
  const { createPrivateKey, sign } = crypto();
  const key = (() => {
    try {
      return createPrivateKey({ key: Buffer.from(input.privateKey), format: 'der', type: 'pkcs8' });
    } catch (cause) {
      throw new MdmError('mdm.token.bad_key', 'the key is not PKCS#8', { cause });
    }
  })();
  const ec = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (!ec && key.asymmetricKeyType !== 'rsa') {
    throw new MdmError('mdm.token.bad_key', 'the key is neither RSA nor EC P-256');
  }
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    iss: input.serverUuid,
    iat: Math.floor(input.issuedAt / 1000),
    jti: input.tokenId,
    service_type: 'com.apple.maid',
  };
  const text = `${part({ alg: ec ? 'ES256' : 'RS256', typ: 'JWT' })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}
