// A bounded memory of parsed certificates: the same few signers are seen again and again.
import { hash } from 'node:crypto';
import { type ParsedCertificate, parseCertificate } from './certificate.ts';

const capacity = 4096;
/** Larger ones are not kept: whoever sends many of them must not fill the memory. */
const maxKept = 8 * 1024;
const entries = new Map<string, ParsedCertificate>();

/**
 * {@link parseCertificate}, remembered by SHA-256. This is a pure function's memory (the answer depends on the bytes
 * only), least recently used entries go first, and certificates that do not parse are not kept.
 */
export function parseCertificateCached(der: Uint8Array): ParsedCertificate {
  const fingerprint = hash('sha256', der, 'hex');
  const known = entries.get(fingerprint);
  if (known) {
    entries.delete(fingerprint);
    entries.set(fingerprint, known);
    return known;
  }
  const parsed = parseCertificate(der, fingerprint);
  if (der.length > maxKept) return parsed;
  entries.set(fingerprint, parsed);
  if (entries.size > capacity) {
    for (const oldest of entries.keys()) {
      entries.delete(oldest);
      break;
    }
  }
  return parsed;
}
