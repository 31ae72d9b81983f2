// The id of a master key, taken from the key itself.
import { createHash } from 'node:crypto';
import type { MasterKey } from './ring.ts';

/**
 * A master key under an id that is taken from the key, one way: the first 12 hexadecimal digits of the SHA-256 of
 * `espalier master key`, a zero byte, and the key. Whoever reads the same key anywhere gets the same id, so that nobody
 * has to write ids down; it only has to tell keys apart, and says nothing about the key.
 *
 * @param key 32 bytes; `createKeyRing` refuses any other length.
 * @example
 * const keys = createKeyRing({ current: masterKey(newKey), earlier: [masterKey(oldKey)] });
 */
export function masterKey(key: Uint8Array): MasterKey {
  return { id: createHash('sha256').update('espalier master key\0').update(key).digest('hex').slice(0, 12), key };
}
