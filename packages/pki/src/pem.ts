// PEM (RFC 7468) in and out.
import type { Bytes } from './der/writer.ts';
import { PkiError } from './errors.ts';

/** One block of a PEM text. */
export interface PemBlock {
  /** What the block says it holds: `CERTIFICATE`, `PRIVATE KEY`, `CERTIFICATE REQUEST`, … */
  readonly label: string;
  readonly der: Bytes;
}

const maxPem = 16 * 1024 * 1024;

/** PEM text of DER, 64 characters a line. */
export function toPem(der: Uint8Array, label = 'CERTIFICATE'): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.length).toString('base64');
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;
}

/**
 * All blocks of a PEM text, in order. Text between blocks is ignored, as RFC 7468 asks.
 *
 * @throws PkiError `pki.pem.invalid` for a block that does not end or is not base64, `pki.pem.too_large` over 16 MiB.
 */
export function readPem(text: string): PemBlock[] {
  if (text.length > maxPem) throw new PkiError('pki.pem.too_large', 'more than 16 MiB of PEM', { kind: 'too-large' });
  const blocks: PemBlock[] = [];
  let position = 0;
  for (;;) {
    const begin = text.indexOf('-----BEGIN ', position);
    if (begin < 0) return blocks;
    const labelEnd = text.indexOf('-----', begin + 11);
    const label = labelEnd < 0 ? '' : text.slice(begin + 11, labelEnd);
    if (labelEnd < 0 || label.length > 64 || /[\r\n]/.test(label)) {
      throw new PkiError('pki.pem.invalid', 'a BEGIN line without its end', { at: { offset: begin } });
    }
    const bodyStart = labelEnd + 5;
    const end = text.indexOf(`-----END ${label}-----`, bodyStart);
    if (end < 0) {
      throw new PkiError('pki.pem.invalid', `the ${label} block does not end`, { at: { offset: begin } });
    }
    const body = text.slice(bodyStart, end).replace(/\s+/g, '');
    if (body === '' || body.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(body)) {
      const remedy = 'Encrypted keys in the old PEM form (with header lines) are not supported: convert to PKCS#8.';
      throw new PkiError('pki.pem.invalid', `the ${label} block is not base64`, { at: { offset: begin }, remedy });
    }
    blocks.push({ label, der: Uint8Array.from(Buffer.from(body, 'base64')) });
    position = end + label.length + 14;
  }
}

/**
 * DER of the first block with this label (of any block without one).
 *
 * @throws PkiError `pki.pem.missing` when there is none.
 */
export function fromPem(text: string, label?: string): Bytes {
  const found = readPem(text).find((block) => label === undefined || block.label === label);
  if (!found) throw new PkiError('pki.pem.missing', `no ${label ?? 'PEM'} block in the text`);
  return found.der;
}
