// Which of several authorities issued a certificate: they may share one name, so that the signature decides.
import { isSignedBy, type ParsedCertificate, parseCertificate } from '../x509/certificate.ts';
import type { CaCertificate } from './set.ts';

/** The authority whose key signed the certificate; undefined where none of these did. */
export function issuerAmong<T extends CaCertificate>(
  certificate: Uint8Array,
  authorities: readonly T[],
): T | undefined {
  const parsed: ParsedCertificate = parseCertificate(certificate);
  return authorities.find((authority) => {
    const issuer = parseCertificate(authority.certificate);
    if (Buffer.compare(issuer.subjectDer, parsed.issuerDer) !== 0) return false;
    return isSignedBy(parsed, issuer, { allowSha1: true });
  });
}

/** A certificate with its issuers, nearest first; alone where none of these authorities issued it. */
export function withIssuers(certificate: Uint8Array, authorities: readonly CaCertificate[]): Uint8Array[] {
  const issuer = issuerAmong(certificate, authorities);
  return issuer === undefined ? [certificate] : [certificate, issuer.certificate, ...(issuer.chain ?? [])];
}
