// The certificate service: the register, revocation, and the revocation list.
import type { CrlStore, PublishedCrl, RevokedCertificate } from '@espalier/pki';
import type { Certificates } from '../api/engine.ts';
import type { CertificateState, IssuedCertificate } from '../api/records.ts';
import { type CertificateFilter, REVOCATIONS_SETTING } from '../contracts/certificates.ts';
import { markDevices } from '../credentials/holders.ts';
import { CoreError } from '../errors.ts';
import { allPages, type Context, pageOf } from './context.ts';
import { revokeCertificate } from './issuer-revocation.ts';
import type { Renewals } from './renewal.ts';

const DAY = 86_400_000;

/** A published list, as its setting holds it. */
function publicationOf(text: string): PublishedCrl {
  const { crl, ...rest } = JSON.parse(text) as Omit<PublishedCrl, 'crl'> & { readonly crl: string };
  return { ...rest, crl: new Uint8Array(Buffer.from(crl, 'base64')) };
}

/** Makes the certificate service. */
export function createCertificates(context: Context, renewals: Renewals): Certificates {
  const { store, clock, bus } = context;

  /** Everything that is revoked and not purged yet, of one authority. */
  async function revokedBy(authorityKeyId: string): Promise<RevokedCertificate[]> {
    const revoked: RevokedCertificate[] = [];
    for await (const rows of allPages((page) => store.certificates.list({ statuses: ['revoked'] }, page))) {
      for (const row of rows) {
        // Where a certificate does not say who issued it, it may have been this authority.
        if (row.authorityKeyId !== null && row.authorityKeyId !== authorityKeyId) continue;
        const { serialNumber, revokedAt, revocationReason, notAfter } = row;
        revoked.push({ serialNumber, revokedAt: revokedAt ?? 0, reason: revocationReason ?? 'unspecified', notAfter });
      }
    }
    return revoked;
  }

  /** The devices of a credential that was revoked are to know. */
  async function marks(credentialId: string | null): Promise<void> {
    const credential = credentialId === null ? null : await store.credentials.get(credentialId);
    if (credential !== null) await markDevices(context, [credential.holder]);
  }

  const windowMs = Math.min(270, Math.max(1, context.options.renewalWindowDays)) * DAY;

  /** An entry as it stands now. */
  function standing<T extends IssuedCertificate>(entry: T): T {
    const { status, credentialId, notBefore, notAfter } = entry;
    if (status !== 'in-force' || credentialId !== null) return entry;
    const window = Math.min(windowMs, Math.trunc(((notAfter - notBefore) * 3) / 4));
    return notAfter - window <= clock.now() ? { ...entry, status: 'expiring' } : entry;
  }

  /** Statuses as the store knows them. */
  function stored(statuses: readonly CertificateState[]): Pick<CertificateFilter, 'statuses' | 'expiring'> {
    const are = statuses.includes('expiring');
    const plain = statuses.filter((status) => status !== 'expiring');
    if (are && plain.includes('in-force')) return { statuses: plain };
    const expiring = { are, at: clock.now(), windowMs };
    return { statuses: are ? [...plain, 'in-force'] : plain, expiring };
  }

  return {
    async get(fingerprint) {
      const found = await store.certificates.get(fingerprint);
      return found === null ? null : standing(found);
    },

    async list({ enrolmentId, deviceId, credentialId, statuses, expiresBefore, expiresFrom, ...page } = {}) {
      const { items, next } = await store.certificates.list(
        {
          ...(enrolmentId === undefined ? {} : { enrolmentId }),
          ...(deviceId === undefined ? {} : { deviceId }),
          ...(credentialId === undefined ? {} : { credentialId }),
          ...(statuses === undefined ? {} : stored(statuses)),
          ...(expiresBefore === undefined ? {} : { expiresBefore }),
          ...(expiresFrom === undefined ? {} : { expiresFrom }),
        },
        pageOf(page),
      );
      return { items: items.map(standing), next };
    },

    inUse: () => store.certificates.inUse(clock.now()),

    async revoke(fingerprint, reason = 'unspecified') {
      const at = clock.now();
      const found = await store.certificates.get(fingerprint);
      if (found !== null) {
        const { serialNumber, enrolmentId } = found;
        const data = { fingerprint, serialNumber, reason, by: 'admin' };
        const event = { type: 'certificate.revoked', at, enrolmentId, data } as const;
        if ((await revokeCertificate(context, { fingerprint, reason, at, event })) !== 'unknown') {
          bus.poke();
          await marks(found.credentialId);
          return;
        }
      }
      throw new CoreError('core.certificate.unknown', 'not-found', 'there is no such certificate');
    },

    async status(serialNumber, authorityKeyId) {
      const found =
        (await store.certificates.findBySerial(serialNumber, authorityKeyId)) ??
        (await store.certificates.findBySerial(serialNumber));
      const foreign = authorityKeyId !== undefined && found?.authorityKeyId != null;
      if (found === null || (foreign && found.authorityKeyId !== authorityKeyId)) return { status: 'unknown' };
      if (found.revokedAt === null) return { status: 'good' };
      return { status: 'revoked', revokedAt: found.revokedAt, reason: found.revocationReason ?? 'unspecified' };
    },

    crlStore(authorityKeyId): CrlStore {
      const name = `core.crl.${authorityKeyId}`;
      const revision = async (): Promise<number> => Number((await store.settings.get(REVOCATIONS_SETTING)) ?? 0);
      return {
        async loadCrl() {
          const kept = await store.settings.get(name);
          return kept === null ? null : publicationOf(kept);
        },
        async saveCrl({ crl, ...rest }, after) {
          const kept = await store.settings.get(name);
          if ((kept === null ? null : publicationOf(kept).crlNumber) !== after) return false;
          const text = JSON.stringify({ ...rest, crl: Buffer.from(crl).toString('base64') });
          return await store.settings.replace(name, kept, text);
        },
        revision,
        async revoked() {
          // The number first: what is revoked meanwhile may be on the list, and makes another one due.
          const before = await revision();
          return { revision: before, revoked: await revokedBy(authorityKeyId) };
        },
      };
    },

    renew: (enrolmentId) => renewals.renew(enrolmentId),
  };
}
