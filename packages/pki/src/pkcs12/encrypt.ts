// Password-based encryption for PKCS#12 files: PBES2 by the library, and the older scheme that everything reads.
import { createCipheriv, webcrypto } from 'node:crypto';
import type { AlgorithmIdentifier, EncryptedContentInfo } from 'pkijs';
import type { RandomSource } from '../clock.ts';
import { concat, integer, octets, oid, sequence } from '../der/writer.ts';
import type { Library } from '../library.ts';
import { oids } from '../oids.ts';
import { bufferOf } from '../x509/objects.ts';
import { bmpPassword, pkcs12Derive, purposes } from './kdf.ts';

/** PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC. */
export async function encryptModern(
  lib: Library,
  content: Uint8Array,
  password: string,
  iterations: number,
  random: RandomSource,
): Promise<EncryptedContentInfo> {
  // The library takes its salt and initialisation vector from its engine.
  const getRandomValues = <T extends ArrayBufferView | null>(view: T): T => {
    if (view) new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(random(view.byteLength));
    return view;
  };
  const crypto = { subtle: webcrypto.subtle, getRandomValues, randomUUID: webcrypto.randomUUID };
  const engine = new lib.pkijs.CryptoEngine({ name: 'espalier', crypto });
  const info = await engine.encryptEncryptedContentInfo({
    password: bufferOf(Buffer.from(password, 'utf8')),
    contentEncryptionAlgorithm: { name: 'AES-CBC', length: 256 },
    hmacHashAlgorithm: 'SHA-256',
    iterationCount: iterations,
    contentToEncrypt: bufferOf(content),
    contentType: oids.data,
  });
  return encrypted(lib, info.contentEncryptionAlgorithm, new Uint8Array(info.getEncryptedContent()));
}

/** PKCS#12's own scheme with SHA-1 and triple DES; WebCrypto, and so the library, has neither. */
export async function encryptLegacy(
  lib: Library,
  content: Uint8Array,
  password: string,
  iterations: number,
  random: RandomSource,
): Promise<EncryptedContentInfo> {
  const salt = random(8);
  const secret = bmpPassword(password);
  const key = pkcs12Derive('sha1', secret, salt, iterations, purposes.key, 24);
  const iv = pkcs12Derive('sha1', secret, salt, iterations, purposes.iv, 8);
  const worker = createCipheriv('des-ede3-cbc', key, iv);
  const algorithm = sequence(oid('1.2.840.113549.1.12.1.3'), sequence(octets(salt), integer(iterations)));
  return encrypted(
    lib,
    lib.pkijs.AlgorithmIdentifier.fromBER(algorithm),
    concat([worker.update(content), worker.final()]),
  );
}

/** In one piece, as DER wants it: left alone, the library cuts content into pieces of a kilobyte. */
const encrypted = (
  { asn1js, pkijs }: Library,
  contentEncryptionAlgorithm: AlgorithmIdentifier,
  ciphertext: Uint8Array,
): EncryptedContentInfo =>
  new pkijs.EncryptedContentInfo({
    contentType: oids.data,
    contentEncryptionAlgorithm,
    encryptedContent: new asn1js.OctetString({ valueHex: bufferOf(ciphertext) }),
    disableSplit: true,
  });
