// The port behind which a private key lives: this process, an HSM, a key management service.
import { constants, privateDecrypt, sign } from 'node:crypto';
import type { Bytes } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import type { HashName } from './algorithms.ts';
import { importPrivateKey, type PrivateKeyInput, publicKeyOf } from './keys.ts';

/** A private key that can be used but not seen. */
export interface Signer {
  /** SubjectPublicKeyInfo DER. */
  readonly publicKey: Uint8Array;
  /** Signs `data` (not a digest): RSA PKCS#1 v1.5, or ECDSA with a DER signature value. */
  sign(data: Uint8Array, hash: HashName): Promise<Uint8Array>;
  /**
   * RSA PKCS#1 v1.5 decryption of a content-encryption key; needed where SCEP messages are encrypted to this key. It
   * must not reveal whether the padding was right: give random bytes (implicit rejection) or throw without telling.
   */
  decrypt?(ciphertext: Uint8Array): Promise<Uint8Array>;
}

/** A signer over a key in this process. Signatures run on Node's thread pool. */
export function localSigner(privateKey: PrivateKeyInput): Signer {
  const key = importPrivateKey(privateKey);
  const signer: Signer = {
    publicKey: publicKeyOf(key),
    sign: (data, hash) =>
      new Promise<Bytes>((resolve, reject) => {
        if (hash === 'sha1') {
          reject(new PkiError('pki.algorithm.weak', 'nothing is signed with SHA-1'));
          return;
        }
        sign(hash, data, key, (error, signature) =>
          error
            ? reject(new PkiError('pki.key.sign_failed', 'signing failed', { kind: 'internal', cause: error }))
            : resolve(Uint8Array.from(signature)),
        );
      }),
  };
  if (key.asymmetricKeyType !== 'rsa') return signer;
  return {
    ...signer,
    decrypt: async (ciphertext) => privateDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, ciphertext),
  };
}
