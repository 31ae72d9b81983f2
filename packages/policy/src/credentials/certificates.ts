// Payloads that carry certificates: roots, intermediates, leaves.
import type { PayloadCommon, ProfilePayload } from '@espalier/apple-mdm';
import { type FileCertificate, readCertificate, readCertificateFile, toPem } from '@espalier/pki';
import { checkedPayload, reading } from './check.ts';

/** How certificates are put into payloads. */
export interface CertificatePayloadOptions {
  /** `PayloadCertificateFileName` of a file with one certificate. Default: from its common name. */
  readonly fileName?: string;
  /** Write intermediates and leaves as PEM (`com.apple.security.pem`) instead of DER (`com.apple.security.pkcs1`). */
  readonly pem?: boolean;
  readonly common?: Omit<PayloadCommon, 'identifier' | 'uuid'>;
}

/**
 * Makes the payloads of a certificate file: each certificate has its own, roots as `com.apple.security.root`, all others as
 * `com.apple.security.pkcs1` (or `.pem`). Roots first, as they are needed to judge the others.
 *
 * @param file PEM, DER or PKCS#7, or what `readCertificateFile` made of it.
 * @throws PolicyError `policy.credential.invalid` for a file with a private key in it, or without a certificate.
 * @example
 * buildProfile({ identifier, displayName, payloads: certificatePayloads(readFileSync('chain.pem')) });
 */
export function certificatePayloads(
  file: Uint8Array | readonly FileCertificate[],
  options: CertificatePayloadOptions = {},
): ProfilePayload[] {
  const found = file instanceof Uint8Array ? reading('file', () => readCertificateFile(file)) : file;
  const order = { root: 0, intermediate: 1, leaf: 2 } as const;
  return [...found]
    .sort((a, b) => order[a.kind] - order[b.kind])
    .map(({ certificate, kind }) => {
      const { subjectCn, subject, fingerprintSha256 } = reading('file', () => readCertificate(certificate));
      const name = subjectCn ?? (subject === '' ? fingerprintSha256.slice(0, 16) : subject);
      const pem = kind !== 'root' && options.pem === true;
      const single = found.length === 1 ? options.fileName : undefined;
      const content = {
        PayloadCertificateFileName: single ?? `${safeName(name)}.${pem ? 'pem' : 'cer'}`,
        PayloadContent: pem ? Buffer.from(toPem(certificate)) : certificate,
      };
      const type =
        kind === 'root' ? 'com.apple.security.root' : pem ? 'com.apple.security.pem' : 'com.apple.security.pkcs1';
      return checkedPayload(type, content, { displayName: name, ...options.common });
    });
}

/** A file name that no system stumbles over. */
const safeName = (name: string): string => name.replace(/[^\p{L}\p{N}._-]+/gu, '_').slice(0, 100) || 'certificate';
