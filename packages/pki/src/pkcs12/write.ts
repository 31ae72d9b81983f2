// Writing PKCS#12 files (RFC 7292).
import { createHash, randomBytes } from 'node:crypto';
import type { OctetString } from 'asn1js';
import type { Attribute, EncryptedContentInfo, PkiObject, SafeBag } from 'pkijs';
import type { RandomSource } from '../clock.ts';
import type { Bytes } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { digestIdentifier } from '../keys/algorithms.ts';
import { exportPrivateKey, importPrivateKey, type PrivateKeyInput, publicKeyOf } from '../keys/keys.ts';
import { library } from '../library.ts';
import { oids } from '../oids.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { bufferOf, inDerOrder } from '../x509/objects.ts';
import { encryptLegacy, encryptModern } from './encrypt.ts';
import { bmpPassword, pkcs12Mac } from './kdf.ts';

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
  const lib = await library();
  const { asn1js, pkijs } = lib;
  const encrypt = (content: Uint8Array): Promise<EncryptedContentInfo> =>
    legacy
      ? encryptLegacy(lib, content, password, iterations, random)
      : encryptModern(lib, content, password, iterations, random);
  const octets = (bytes: Uint8Array): OctetString => new asn1js.OctetString({ valueHex: bufferOf(bytes) });
  const contentOf = (object: PkiObject): OctetString => octets(new Uint8Array(object.toSchema().toBER()));

  const localKeyId = octets(createHash('sha1').update(options.certificate).digest());
  const bagAttributes = [new pkijs.Attribute({ type: oids.localKeyId, values: [localKeyId] })];
  if (options.friendlyName !== undefined) {
    const name = new asn1js.BmpString({ value: options.friendlyName });
    bagAttributes.push(new pkijs.Attribute({ type: oids.friendlyName, values: [name] }));
  }
  const own = inDerOrder(bagAttributes);
  const certificateBag = (der: Uint8Array, attributes?: Attribute[]): SafeBag =>
    new pkijs.SafeBag({
      bagId: oids.pkcs12CertBag,
      bagValue: new pkijs.CertBag({ certId: oids.x509Certificate, certValue: octets(der) }),
      ...(attributes ? { bagAttributes: attributes } : {}),
    });
  const certificates = new pkijs.SafeContents({
    safeBags: [
      certificateBag(options.certificate, own),
      ...(options.chain ?? []).map((der) => certificateBag(parseCertificate(der).der)),
    ],
  });
  const shrouded = await encrypt(exportPrivateKey(key));
  const keys = new pkijs.SafeContents({
    safeBags: [
      new pkijs.SafeBag({
        bagId: oids.pkcs12ShroudedKeyBag,
        bagValue: new pkijs.PKCS8ShroudedKeyBag({
          encryptionAlgorithm: shrouded.contentEncryptionAlgorithm,
          encryptedData: shrouded.encryptedContent!,
        }),
        bagAttributes: own,
      }),
    ],
  });
  const sealed = await encrypt(new Uint8Array(certificates.toSchema().toBER()));
  const encryptedData = new pkijs.EncryptedData({ version: 0, encryptedContentInfo: sealed });
  const authSafe = contentOf(
    new pkijs.AuthenticatedSafe({
      safeContents: [
        new pkijs.ContentInfo({ contentType: oids.encryptedData, content: encryptedData.toSchema() }),
        new pkijs.ContentInfo({ contentType: oids.data, content: contentOf(keys) }),
      ],
    }),
  );
  const hash = legacy ? 'sha1' : 'sha256';
  const salt = random(16);
  // PKCS#12's own derivation runs in this thread: fewer iterations guard the MAC than the key.
  const macIterations = Math.min(iterations, 10_000);
  const mac = pkcs12Mac(hash, bmpPassword(password), salt, macIterations, authSafe.valueBlock.valueHexView);
  const pfx = new pkijs.PFX({
    version: 3,
    authSafe: new pkijs.ContentInfo({ contentType: oids.data, content: authSafe }),
    macData: new pkijs.MacData({
      mac: new pkijs.DigestInfo({
        digestAlgorithm: pkijs.AlgorithmIdentifier.fromBER(digestIdentifier(hash)),
        digest: octets(mac),
      }),
      macSalt: octets(salt),
      iterations: macIterations,
    }),
  });
  return new Uint8Array(pfx.toSchema().toBER());
}
