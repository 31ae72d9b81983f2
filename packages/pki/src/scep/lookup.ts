// Certificates that GetCert and GetCRL name by issuer and serial number (RFC 8894, 3.3.4 and 3.3.5).
import { issuerAmong } from '../ca/issuers.ts';
import type { CaCertificate } from '../ca/set.ts';
import { encodingOf, integerOf, openRoot } from '../der/reader.ts';
import { INTEGER, SEQUENCE } from '../der/tags.ts';
import { describeCertificate, parseCertificate, serialHex } from '../x509/certificate.ts';
import { refusing } from './refusal.ts';
import type { ScepStore } from './types.ts';

/** What was found: the authorities of that name, and the certificate with the one that issued it. */
export interface Named<T extends CaCertificate> {
  readonly named: readonly T[];
  readonly found: { readonly certificate: Uint8Array; readonly authority: T } | null;
}

/**
 * Finds what an IssuerAndSerialNumber names among the certificates of these authorities, several of which may share one
 * name: the signature decides.
 */
export async function findNamed<T extends CaCertificate>(
  content: Uint8Array,
  store: ScepStore,
  authorities: readonly T[],
): Promise<Named<T>> {
  const { issuer, serial } = refusing('badMessageCheck', () => {
    const reader = openRoot(content, SEQUENCE);
    return { issuer: encodingOf(reader.next(SEQUENCE)), serial: serialHex(integerOf(reader.next(INTEGER))) };
  });
  const named = authorities.filter(
    ({ certificate }) => Buffer.compare(issuer, parseCertificate(certificate).subjectDer) === 0,
  );
  for (const one of named) {
    const keyId = describeCertificate(parseCertificate(one.certificate)).subjectKeyIdentifier;
    const certificate = (await store.findCertificate?.(serial, keyId)) ?? null;
    const authority = certificate === null ? undefined : issuerAmong(certificate, named);
    if (certificate !== null && authority !== undefined) return { named, found: { certificate, authority } };
  }
  return { named, found: null };
}
