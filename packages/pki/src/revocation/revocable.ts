// An authority that keeps account of what it issued: status, revocation, and its CRL.
import type { CertificateAuthority } from '../ca/authority.ts';
import { delegateTo } from '../ca/delegate.ts';
import { type Clock, timeOf } from '../clock.ts';
import { PkiError } from '../errors.ts';
import { parseCertificate, serialHex } from '../x509/certificate.ts';
import type { RevokedCertificate } from './crl.ts';
import type { CertificateStatus } from './ocsp.ts';
import type { CrlStore, PublishedCrl } from './publish.ts';
import { type RevocationReason, reasonCodes } from './reasons.ts';

/** Where an authority's certificates are kept account of. Serial numbers are lower-case hex. */
export interface RevocationStore extends CrlStore {
  /** Notes a certificate before it is given out. `notAfter`: epoch milliseconds. */
  add(serialNumber: string, notAfter: number): Promise<void>;
  status(serialNumber: string): Promise<CertificateStatus>;
  /** Revokes; the first time and reason stay. False when there is no such certificate. */
  revoke(serialNumber: string, at: number, reason: RevocationReason): Promise<boolean>;
}

/**
 * Adds `status` and `revoke` to an authority whose issuer has no such operations: what it issues is noted in the store
 * first. Publish the CRL with `createCrlPublisher` over the same store, answer OCSP with `authority.status`.
 */
export function revocableAuthority(
  authority: CertificateAuthority,
  options: { readonly store: RevocationStore; readonly clock: Clock },
): CertificateAuthority & Required<Pick<CertificateAuthority, 'revoke' | 'status'>> {
  const { store, clock } = options;
  return {
    ...delegateTo(authority),
    async issue(request) {
      const certificate = await authority.issue(request);
      const { serial, notAfter } = parseCertificate(certificate);
      await store.add(serialHex(serial), notAfter);
      return certificate;
    },
    status: (serialNumber) => store.status(serialNumber.toLowerCase()),
    async revoke(serialNumber, reason = 'unspecified') {
      // `removeFromCRL` is for delta lists only, and a hold would need a way back.
      if (!Object.hasOwn(reasonCodes, reason) || reason === 'removeFromCRL') {
        throw new PkiError('pki.crl.reason', 'an unknown reason for revocation');
      }
      const found = await store.revoke(serialNumber.toLowerCase(), Math.floor(timeOf(clock)), reason);
      if (!found) {
        throw new PkiError('pki.ca.unknown_certificate', 'this authority has issued no such certificate', {
          kind: 'not-found',
        });
      }
    },
  };
}

/** A {@link RevocationStore} that lives as long as the process. */
export function createMemoryRevocationStore(): RevocationStore {
  const issued = new Map<string, number>();
  const revoked = new Map<string, RevokedCertificate & { readonly revokedAt: number }>();
  let crl: PublishedCrl | null = null;
  return {
    async add(serialNumber, notAfter) {
      issued.set(serialNumber, notAfter);
    },
    async status(serialNumber) {
      const entry = revoked.get(serialNumber);
      if (entry) return { status: 'revoked', revokedAt: entry.revokedAt, reason: entry.reason ?? 'unspecified' };
      return { status: issued.has(serialNumber) ? 'good' : 'unknown' };
    },
    async revoke(serialNumber, at, reason) {
      const notAfter = issued.get(serialNumber);
      if (notAfter === undefined) return false;
      if (!revoked.has(serialNumber)) revoked.set(serialNumber, { serialNumber, revokedAt: at, reason, notAfter });
      return true;
    },
    loadCrl: async () => crl,
    async saveCrl(next, after) {
      if ((crl?.crlNumber ?? null) !== after) return false;
      crl = next;
      return true;
    },
    revision: async () => revoked.size,
    revoked: async () => ({ revision: revoked.size, revoked: [...revoked.values()] }),
  };
}
