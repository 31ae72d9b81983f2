// The certificate service: the register, revocation, and the revocation list.
import type { RevokedCertificate } from '@espalier/pki';
import type { Certificates } from '../api/engine.ts';
import { CoreError } from '../errors.ts';
import { allPages, type Context, pageOf } from './context.ts';
import { createLocks } from './locks.ts';
import type { Renewals } from './renewal.ts';

const HOUR = 3_600_000;

/** A published list, as the setting holds it. */
interface Publication {
  readonly crlNumber: number;
  readonly madeAt: number;
  readonly nextUpdate: number;
  /** How the register stood: {@link CertificateStore.revocations}. */
  readonly count: number;
  readonly latest: number | null;
  /** Base64 DER. */
  readonly crl: string;
}

/** Makes the certificate service. */
export function createCertificates(context: Context, renewals: Renewals): Certificates {
  const { store, clock, bus } = context;
  const locks = createLocks();

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

  return {
    get: (fingerprint) => store.certificates.get(fingerprint),

    list: ({ enrolmentId, statuses, expiresBefore, expiresFrom, ...page } = {}) =>
      store.certificates.list(
        {
          ...(enrolmentId === undefined ? {} : { enrolmentId }),
          ...(statuses === undefined ? {} : { statuses }),
          ...(expiresBefore === undefined ? {} : { expiresBefore }),
          ...(expiresFrom === undefined ? {} : { expiresFrom }),
        },
        pageOf(page),
      ),

    async revoke(fingerprint, reason = 'unspecified') {
      const at = clock.now();
      const found = await store.certificates.get(fingerprint);
      if (found !== null) {
        const { serialNumber, enrolmentId } = found;
        const data = { fingerprint, serialNumber, reason, by: 'admin' };
        const event = { type: 'certificate.revoked', at, enrolmentId, data } as const;
        if ((await store.certificates.revoke({ fingerprint, reason, at, event })) !== 'unknown') {
          bus.poke();
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

    crl: ({ authorityKeyId, lifetimeMs = 168 * HOUR, sign }) =>
      // One at a time in this process; several processes write one after the other, and each list is complete.
      locks.run(authorityKeyId, async () => {
        const name = `core.crl.${authorityKeyId}`;
        const now = clock.now();
        const text = await store.settings.get(name);
        const last = text === null ? null : (JSON.parse(text) as Publication);
        const { count, latest } = await store.certificates.revocations();
        const same = last !== null && last.count === count && last.latest === latest;
        if (same && now >= last.madeAt && now < last.madeAt + (last.nextUpdate - last.madeAt) / 2) {
          return new Uint8Array(Buffer.from(last.crl, 'base64'));
        }
        // Time is in the number, so that two processes that publish at once do not both count on from the same list.
        const crlNumber = Math.max((last?.crlNumber ?? 0) + 1, now);
        const crl = await sign({ crlNumber, now, lifetimeMs, revoked: await revokedBy(authorityKeyId) });
        const publication: Publication = {
          ...{ crlNumber, madeAt: now, nextUpdate: now + lifetimeMs, count, latest },
          crl: Buffer.from(crl).toString('base64'),
        };
        await store.settings.set(name, JSON.stringify(publication));
        return crl;
      }),

    renew: (enrolmentId) => renewals.renew(enrolmentId),
  };
}
