// Writing PKCS#12 files (RFC 7292).
import { createHash, randomBytes } from 'node:crypto';
import type { RandomSource } from '../clock.ts';
import { contentInfo } from '../cms/types.ts';
import { BMP_STRING, contextPrimitive } from '../der/tags.ts';
import { type Bytes, explicit, integer, octets, oid, sequence, set, setOf, tlv } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { digestIdentifier } from '../keys/algorithms.ts';
import { exportPrivateKey, importPrivateKey, type PrivateKeyInput, publicKeyOf } from '../keys/keys.ts';
import { oids } from '../oids.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { bmpPassword, pkcs12Mac } from './kdf.ts';
import { encryptLegacy, encryptModern, type PbeEncryption } from './pbe.ts';

/** What goes into a PKCS#12 file. */
export interface CreatePkcs12Options {
  readonly certificate: Uint8Array;
  readonly privateKey: PrivateKeyInput;
  readonly chain?: readonly Uint8Array[];
  readonly password: string;
  readonly friendlyName?: string;
  /**
   * `modern`: AES-256 with PBKDF2 and an SHA-256 MAC. `legacy`: triple DES and SHA-1, for systems that read nothing
   * else; use it only where the password travels with the file anyway. Default `modern`.
   */
  readonly encryption?: 'modern' | 'legacy';
  /** Default 10,000 (modern) or 2,048 (legacy). */
  readonly iterations?: number;
  readonly random?: RandomSource;
}

/**
 * Packs an identity as PKCS#12.
 *
 * @throws PkiError `pki.pkcs12.key_mismatch`, `pki.pkcs12.password` for an empty password, `pki.key.invalid`.
 */
export async function createPkcs12(options: CreatePkcs12Options): Promise<Bytes> {
  const { password, encryption = 'modern', random = randomBytes } = options;
  const legacy = encryption === 'legacy';
  const iterations = options.iterations ?? (legacy ? 2048 : 10_000);
  if (password === '') throw new PkiError('pki.pkcs12.password', 'a PKCS#12 file needs a password');
  if (!Number.isInteger(iterations) || iterations < 1 || iterations > 10_000_000) {
    throw new PkiError('pki.pkcs12.invalid', 'the iteration count is between 1 and 10,000,000');
  }
  const key = importPrivateKey(options.privateKey);
  if (Buffer.compare(parseCertificate(options.certificate).spki, publicKeyOf(key)) !== 0) {
    throw new PkiError('pki.pkcs12.key_mismatch', 'the private key does not belong to the certificate');
  }
  const encrypt = async (content: Uint8Array): Promise<PbeEncryption> =>
    legacy
      ? encryptLegacy(content, password, iterations, random)
      : encryptModern(content, password, iterations, random);

  const localKeyId = createHash('sha1').update(options.certificate).digest();
  const attributes = [sequence(oid(oids.localKeyId), set(octets(localKeyId)))];
  if (options.friendlyName !== undefined) {
    const name = tlv(BMP_STRING, Buffer.from(options.friendlyName, 'utf16le').swap16());
    attributes.push(sequence(oid(oids.friendlyName), set(name)));
  }
  const certificateBag = (der: Uint8Array, own: boolean): Bytes =>
    sequence(
      oid(oids.pkcs12CertBag),
      explicit(0, sequence(oid(oids.x509Certificate), explicit(0, octets(der)))),
      ...(own ? [setOf(attributes)] : []),
    );
  const certificates = sequence(
    certificateBag(options.certificate, true),
    ...(options.chain ?? []).map((der) => certificateBag(parseCertificate(der).der, false)),
  );
  const shrouded = await encrypt(exportPrivateKey(key));
  const keyBag = sequence(
    oid(oids.pkcs12ShroudedKeyBag),
    explicit(0, sequence(shrouded.algorithm, octets(shrouded.ciphertext))),
    setOf(attributes),
  );
  const sealed = await encrypt(certificates);
  const encryptedContent = sequence(oid(oids.data), sealed.algorithm, tlv(contextPrimitive(0), sealed.ciphertext));
  const authSafe = sequence(
    contentInfo(oids.encryptedData, sequence(integer(0), encryptedContent)),
    contentInfo(oids.data, octets(sequence(keyBag))),
  );
  const hash = legacy ? 'sha1' : 'sha256';
  const salt = random(16);
  // PKCS#12's own derivation runs in this thread: fewer iterations guard the MAC than the key.
  const macIterations = Math.min(iterations, 10_000);
  const mac = pkcs12Mac(hash, bmpPassword(password), salt, macIterations, authSafe);
  return sequence(
    integer(3),
    contentInfo(oids.data, octets(authSafe)),
    sequence(sequence(digestIdentifier(hash), octets(mac)), octets(salt), integer(macIterations)),
  );
}
