// Content encryption of CMS EnvelopedData: block ciphers in CBC mode.
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { contentOf, type DerNode, DerReader } from '../der/reader.ts';
import { OCTET_STRING } from '../der/tags.ts';
import { type Bytes, concat, octets, oid, sequence } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { oids } from '../oids.ts';

/** Content ciphers. `3des` is for old peers only. */
export type ContentCipher = 'aes-128-cbc' | 'aes-192-cbc' | 'aes-256-cbc' | '3des';
/** With single DES, which some SCEP clients cannot leave. */
export type AnyCipher = ContentCipher | 'des';

interface CipherFacts {
  readonly oid: string;
  readonly native: string;
  readonly keyBytes: number;
  readonly block: number;
}

export const ciphers: Readonly<Record<AnyCipher, CipherFacts>> = {
  'aes-128-cbc': { oid: oids.aes128Cbc, native: 'aes-128-cbc', keyBytes: 16, block: 16 },
  'aes-192-cbc': { oid: oids.aes192Cbc, native: 'aes-192-cbc', keyBytes: 24, block: 16 },
  'aes-256-cbc': { oid: oids.aes256Cbc, native: 'aes-256-cbc', keyBytes: 32, block: 16 },
  '3des': { oid: oids.desEde3Cbc, native: 'des-ede3-cbc', keyBytes: 24, block: 8 },
  // OpenSSL 3 has no single DES, but triple DES with one key three times is the same function.
  des: { oid: oids.desCbc, native: 'des-ede3-cbc', keyBytes: 8, block: 8 },
};

const cipherByOid = new Map<string, AnyCipher>(
  Object.entries(ciphers).map(([name, facts]) => [facts.oid, name as AnyCipher]),
);

/** A cipher with its initialisation vector, as an AlgorithmIdentifier carries them. */
export interface CipherChoice {
  readonly cipher: AnyCipher;
  readonly iv: Uint8Array;
}

/** Reads a content-encryption AlgorithmIdentifier. */
export function readCipher(node: DerNode): CipherChoice {
  const reader = new DerReader(node);
  const id = reader.oid();
  const cipher = cipherByOid.get(id);
  if (!cipher) {
    throw new PkiError('pki.algorithm.unsupported', `content cipher ${id} is not supported`, {
      at: { offset: node.start },
      remedy: 'Use AES in CBC mode.',
    });
  }
  const iv = contentOf(reader.next(OCTET_STRING));
  reader.finish();
  if (iv.length !== ciphers[cipher].block) {
    throw new PkiError('pki.cms.invalid', 'the initialisation vector has a wrong length');
  }
  return { cipher, iv };
}

/** The AlgorithmIdentifier of a cipher choice. */
export const cipherIdentifier = ({ cipher, iv }: CipherChoice): Bytes => sequence(oid(ciphers[cipher].oid), octets(iv));

const nativeKey = (cipher: AnyCipher, key: Uint8Array): Uint8Array =>
  cipher === 'des' ? concat([key, key, key]) : key;

/** Encrypts with PKCS#7 padding. */
export function encryptContent({ cipher, iv }: CipherChoice, key: Uint8Array, content: Uint8Array): Bytes {
  const worker = createCipheriv(ciphers[cipher].native, nativeKey(cipher, key), iv);
  return concat([worker.update(content), worker.final()]);
}

/** The one error of every failed decryption: what went wrong inside is nobody's business. */
export const decryptionFailed = (): PkiError => new PkiError('pki.cms.decrypt_failed', 'decryption failed');

/** Decrypts; any failure is `pki.cms.decrypt_failed`. `key` must have the right length. */
export function decryptContent({ cipher, iv }: CipherChoice, key: Uint8Array, ciphertext: Uint8Array): Bytes {
  if (ciphertext.length === 0 || ciphertext.length % ciphers[cipher].block !== 0) throw decryptionFailed();
  try {
    const worker = createDecipheriv(ciphers[cipher].native, nativeKey(cipher, key), iv);
    return concat([worker.update(ciphertext), worker.final()]);
  } catch {
    throw decryptionFailed();
  }
}
