// The key pair to which Apple encrypts server tokens.
import { createRootCa, isPkiError, oids, type RandomSource, toPem } from '@espalier/pki';
import type { Clock } from '../clock.ts';
import { AdeError } from '../errors.ts';

/** What {@link createTokenKeyPair} needs. */
export interface TokenKeyPairOptions {
  /** Common name of the certificate, shown nowhere at Apple. Default `Device enrolment`. */
  readonly name?: string;
  /** Default 3650: Apple does not look at it, and the same key serves every renewal of the token. */
  readonly validityDays?: number;
  readonly clock: Clock;
  readonly random?: RandomSource;
}

/** A key pair for server tokens. */
export interface TokenKeyPair {
  /** DER. Keep it: it names the key in the token. */
  readonly certificate: Uint8Array;
  /** The same as the file that is uploaded to the portal (PEM, `.pem` or `.crt`). */
  readonly certificatePem: string;
  /** PKCS#8 DER. A secret: seal it. */
  readonly privateKey: Uint8Array;
}

/**
 * Makes the key pair and certificate for Apple's portal (ADE-7): the certificate is uploaded, and the server token that
 * is downloaded can be opened only with the private key. One pair may serve several accounts and all their renewals.
 *
 * @throws AdeError `ade.token.key_pair` for a name or validity that no certificate can have.
 * @example
 * const pair = await createTokenKeyPair({ clock: Date });
 * download('enrolment.crt', pair.certificatePem);
 */
export async function createTokenKeyPair(options: TokenKeyPairOptions): Promise<TokenKeyPair> {
  const { name = 'Device enrolment', validityDays = 3650, clock, random } = options;
  try {
    const identity = await createRootCa({
      subject: [[{ type: oids.commonName, value: name }]],
      // Apple transports the token's key with RSA; a key of another kind, or much larger, is refused by the portal.
      key: { type: 'rsa', bits: 2048 },
      validityDays,
      clock,
      ...(random && { random }),
    });
    return { ...identity, certificatePem: toPem(identity.certificate) };
  } catch (error) {
    if (!isPkiError(error)) throw error;
    throw new AdeError('ade.token.key_pair', `no certificate can be made: ${error.message}`, { cause: error });
  }
}
