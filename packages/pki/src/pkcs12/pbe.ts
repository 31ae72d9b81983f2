// Password-based decryption as PKCS#12 files need it: PBES2, and the older schemes of PKCS#12 itself.
import { createDecipheriv } from 'node:crypto';
import { ciphers, decryptContent, readCipher } from '../cms/ciphers.ts';
import { contentOf, type DerNode, DerReader } from '../der/reader.ts';
import { INTEGER, OCTET_STRING, SEQUENCE } from '../der/tags.ts';
import { concat } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import type { HashName } from '../keys/algorithms.ts';
import { oids } from '../oids.ts';
import { bmpPassword, type IterationBudget, pbkdf2Derive, pkcs12Derive, purposes, spend } from './kdf.ts';

/** The one error for a wrong password or damaged content. */
export const wrongPassword = (): PkiError =>
  new PkiError('pki.pkcs12.password', 'the password is wrong or the file is damaged', { kind: 'forbidden' });

const pkcs12Schemes = new Map<string, { readonly cipher: '3des' | '3des-2key' | 'rc2'; readonly keyBytes: number }>([
  ['1.2.840.113549.1.12.1.3', { cipher: '3des', keyBytes: 24 }],
  ['1.2.840.113549.1.12.1.4', { cipher: '3des-2key', keyBytes: 16 }],
  ['1.2.840.113549.1.12.1.5', { cipher: 'rc2', keyBytes: 16 }],
  ['1.2.840.113549.1.12.1.6', { cipher: 'rc2', keyBytes: 5 }],
]);

const prfs = new Map<string, HashName>([
  [oids.hmacSha1, 'sha1'],
  [oids.hmacSha256, 'sha256'],
  [oids.hmacSha384, 'sha384'],
  [oids.hmacSha512, 'sha512'],
]);

/** Decrypts by the AlgorithmIdentifier found in the file. */
export async function pbeDecrypt(
  algorithm: DerNode,
  password: string,
  ciphertext: Uint8Array,
  budget: IterationBudget,
): Promise<Uint8Array> {
  const reader = new DerReader(algorithm);
  const id = reader.oid();
  if (id === oids.pbes2) return pbes2Decrypt(reader.sequence(), password, ciphertext, budget);
  const scheme = pkcs12Schemes.get(id);
  if (!scheme) {
    throw new PkiError('pki.algorithm.unsupported', `password-based encryption ${id} is not supported`, {
      at: { offset: algorithm.start },
    });
  }
  const parameters = reader.sequence();
  const salt = contentOf(parameters.next(OCTET_STRING));
  const iterations = parameters.smallInt();
  spend(budget, iterations * Math.ceil(scheme.keyBytes / 20 + 1));
  const secret = bmpPassword(password);
  const key = pkcs12Derive('sha1', secret, salt, iterations, purposes.key, scheme.keyBytes);
  const iv = pkcs12Derive('sha1', secret, salt, iterations, purposes.iv, 8);
  if (scheme.cipher === 'rc2') return rc2Decrypt(key, iv, ciphertext);
  try {
    const whole = scheme.cipher === '3des' ? key : concat([key, key.subarray(0, 8)]);
    const worker = createDecipheriv('des-ede3-cbc', whole, iv);
    return concat([worker.update(ciphertext), worker.final()]);
  } catch {
    throw wrongPassword();
  }
}

/** RC2 protects certificates in very old exports. Node has none any more; node-forge is loaded only for it. */
async function rc2Decrypt(key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Promise<Uint8Array> {
  const { default: forge } = await import('node-forge');
  const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
  const worker = forge.rc2.createDecryptionCipher(forge.util.createBuffer(binary(key)), key.length * 8);
  worker.start(binary(iv));
  worker.update(forge.util.createBuffer(binary(ciphertext)));
  if (ciphertext.length === 0 || ciphertext.length % 8 !== 0 || !worker.finish()) throw wrongPassword();
  return Buffer.from(worker.output.getBytes(), 'latin1');
}

async function pbes2Decrypt(
  parameters: DerReader,
  password: string,
  ciphertext: Uint8Array,
  budget: IterationBudget,
): Promise<Uint8Array> {
  const derivation = parameters.sequence();
  if (derivation.oid() !== oids.pbkdf2) {
    throw new PkiError('pki.algorithm.unsupported', 'a key derivation other than PBKDF2');
  }
  const options = derivation.sequence();
  const salt = contentOf(options.next(OCTET_STRING));
  const iterations = options.smallInt();
  options.optional(INTEGER); // key length: the cipher says it
  const prfNode = options.optional(SEQUENCE);
  const prf = prfNode ? prfs.get(new DerReader(prfNode).oid()) : 'sha1';
  if (!prf) throw new PkiError('pki.algorithm.unsupported', 'an unknown pseudo-random function in PBKDF2');
  const choice = readCipher(parameters.next(SEQUENCE));
  // One PBKDF2 iteration runs natively, about ten times as fast as one of PKCS#12's own.
  spend(budget, Math.ceil(iterations / 10));
  const key = await pbkdf2Derive(prf, password, salt, iterations, ciphers[choice.cipher].keyBytes);
  try {
    return decryptContent(choice, key, ciphertext);
  } catch {
    throw wrongPassword();
  }
}
