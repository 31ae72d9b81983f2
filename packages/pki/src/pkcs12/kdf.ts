// Keys from passwords: PKCS#12's own derivation (RFC 7292, appendix B) and PBKDF2.
import { createHmac, hash as digestOnce, pbkdf2 } from 'node:crypto';
import { concat } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import type { HashName } from '../keys/algorithms.ts';

/** What a derived value is for (RFC 7292, appendix B.3). */
export const purposes = { key: 1, iv: 2, mac: 3 } as const;

/** Iterations a file may ask for in all, so that nobody's password check takes minutes. */
export interface IterationBudget {
  left: number;
}

/** Takes iterations from the budget. */
export function spend(budget: IterationBudget, iterations: number): void {
  if (iterations < 1) throw new PkiError('pki.pkcs12.invalid', 'an iteration count below one');
  budget.left -= iterations;
  if (budget.left < 0) {
    throw new PkiError('pki.pkcs12.too_costly', 'the file asks for too many iterations', { kind: 'too-large' });
  }
}

/** The password as PKCS#12 derives from it: UTF-16BE with a final zero. */
export function bmpPassword(password: string): Uint8Array {
  return Buffer.concat([Buffer.from(password, 'utf16le').swap16(), Buffer.alloc(2)]);
}

const blockBytes: Readonly<Record<HashName, number>> = { sha1: 64, sha256: 64, sha384: 128, sha512: 128 };

/** RFC 7292, appendix B.2. `password` comes from {@link bmpPassword}. */
export function pkcs12Derive(
  hash: HashName,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  purpose: 1 | 2 | 3,
  size: number,
): Uint8Array {
  const v = blockBytes[hash];
  const fill = (bytes: Uint8Array): Uint8Array => {
    const out = new Uint8Array(bytes.length === 0 ? 0 : v * Math.ceil(bytes.length / v));
    for (let i = 0; i < out.length; i++) out[i] = bytes[i % bytes.length]!;
    return out;
  };
  const diversifier = new Uint8Array(v).fill(purpose);
  const input = concat([fill(salt), fill(password)]);
  const blocks: Uint8Array[] = [];
  for (let have = 0; have < size; ) {
    let block: Buffer = digestOnce(hash, concat([diversifier, input]), 'buffer');
    for (let i = 1; i < iterations; i++) block = digestOnce(hash, block, 'buffer');
    blocks.push(block);
    have += block.length;
    for (let start = 0; start < input.length; start += v) {
      let carry = 1;
      for (let i = v - 1; i >= 0; i--) {
        carry += input[start + i]! + block[i % block.length]!;
        input[start + i] = carry & 0xff;
        carry >>= 8;
      }
    }
  }
  return concat(blocks).subarray(0, size);
}

/** PBKDF2 on the thread pool. */
export function pbkdf2Derive(
  hash: HashName,
  password: string,
  salt: Uint8Array,
  iterations: number,
  size: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    pbkdf2(Buffer.from(password, 'utf8'), salt, iterations, size, hash, (error, key) =>
      error ? reject(new PkiError('pki.pkcs12.invalid', 'the key derivation failed', { cause: error })) : resolve(key),
    );
  });
}

/** The MAC of a PKCS#12 file. */
export function pkcs12Mac(
  hash: HashName,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  content: Uint8Array,
): Buffer {
  const size = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 }[hash];
  const key = pkcs12Derive(hash, password, salt, iterations, purposes.mac, size);
  return createHmac(hash, key).update(content).digest();
}
