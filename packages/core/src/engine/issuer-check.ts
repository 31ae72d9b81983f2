// What another issuer revoked: asked daily where certificates come from somebody else, and taken over (CERT-2).
import type { CertificateStatus } from '@espalier/pki';
import type { IssuedCertificate } from '../api/records.ts';
import { requestReissue } from '../credentials/holders.ts';
import { allPages, type Context } from './context.ts';

/** Asks the issuer about a certificate; `null`: it is not this issuer's, or nobody knows. */
export type IssuerStatus = (certificate: IssuedCertificate) => Promise<CertificateStatus | null>;

const SETTING = 'core.issuer-check-at';

/** Makes the step of the housekeeping. */
export function createIssuerCheck(context: Context, issuerStatus: IssuerStatus | undefined): () => Promise<void> {
  const { store, clock, options, logger, bus } = context;

  async function takeOver(certificate: IssuedCertificate, reason: NonNullable<IssuedCertificate['revocationReason']>) {
    const at = clock.now();
    const { fingerprint, serialNumber, enrolmentId, credentialId } = certificate;
    const data = { fingerprint, serialNumber, reason, by: 'issuer' };
    const event = { type: 'certificate.revoked', at, enrolmentId, data } as const;
    if ((await store.certificates.revoke({ fingerprint, reason, at, event })) !== 'revoked') return;
    bus.poke();
    logger.warn({ fingerprint, enrolmentId, reason }, 'the issuer revoked a certificate');
    const credential = credentialId === null ? null : await store.credentials.get(credentialId);
    // An identity of an enrolment is gone for good: who held it must enrol anew.
    if (credential !== null) await requestReissue(context, credential, 'issuer');
  }

  return async () => {
    if (issuerStatus === undefined) return;
    const now = clock.now();
    const last = Number((await store.settings.get(SETTING)) ?? Number.NEGATIVE_INFINITY);
    if (now - last < options.issuerCheckIntervalMs) return;
    await store.settings.set(SETTING, String(now));
    const living = { statuses: ['issued', 'in-force'] } as const;
    try {
      for await (const certificates of allPages((page) => store.certificates.list(living, page), 500)) {
        for (const certificate of certificates) {
          const found = await issuerStatus(certificate);
          if (found?.status === 'revoked') await takeOver(certificate, found.reason ?? 'unspecified');
        }
      }
    } catch (error) {
      // What is not known today is asked again the next time; nobody is locked out because a list cannot be fetched.
      logger.warn({ error }, 'the issuer could not be asked which certificates it revoked');
    }
  };
}
