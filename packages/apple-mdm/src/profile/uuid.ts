// UUIDs derived from content, so that the same profile is the same bytes whenever it is built.
import { crypto } from '../builtins.ts';

/**
 * A UUID (RFC 9562 version 8, upper case) from the SHA-256 of the parts. Equal parts give equal UUIDs; parts are told
 * apart by their length, so that `('ab', 'c')` differs from `('a', 'bc')`.
 */
export function uuidFrom(...parts: readonly (string | Uint8Array)[]): string {
  const hash = crypto().createHash('sha256');
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  const digest = hash.digest().subarray(0, 16);
  digest[6] = (digest[6]! & 0x0f) | 0x80;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  const hex = digest.toString('hex').toUpperCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
