// Telling issuers what was revoked here: tried again until it is done, since what is valid upstream is not revoked (CERT-9).
import type { RevocationReason } from '@espalier/pki';
import type { IssuedCertificate } from '../api/records.ts';
import type { NewEvent } from '../contracts/shared.ts';
import type { Context } from './context.ts';

/**
 * Revokes a certificate at its issuer, for the reason in `revocationReason`; it may be told again. False: the issuer has no such
 * operation. What it throws is tried again, but for kind `not-found`: the issuer does not know it.
 */
export type RevokeAtIssuer = (certificate: IssuedCertificate) => Promise<boolean>;

const MINUTE = 60_000;
const LONGEST_MS = 6 * 60 * MINUTE;
const BATCH = 100;
/** So many in a row that fail: the issuer is away, and whatever else waits, waits. */
const MOST_FAILURES = 3;

/** Revokes in the register, and notes that the issuer is to be told where there is one. */
export function revokeCertificate(
  { store, tellsIssuer }: Pick<Context, 'store' | 'tellsIssuer'>,
  input: {
    readonly fingerprint: string;
    readonly reason: RevocationReason;
    readonly at: number;
    readonly event: NewEvent;
  },
): Promise<'revoked' | 'already-revoked' | 'unknown'> {
  return store.certificates.revoke({ ...input, ...(tellsIssuer ? { tellAt: input.at } : {}) });
}

/** Makes the step of the housekeeping. */
export function createIssuerRevocation(context: Context, revoke: RevokeAtIssuer | undefined): () => Promise<void> {
  const { store, clock, options, logger, bus } = context;

  /** False when it has to be told again. */
  async function tell(fingerprint: string): Promise<boolean> {
    const certificate = await store.certificates.get(fingerprint);
    if (certificate?.revokedAt == null) return true;
    const { serialNumber, enrolmentId, revokedAt } = certificate;
    const about = { fingerprint, serialNumber };
    const done = async (type: NewEvent['type'], data: NewEvent['data']): Promise<void> => {
      const event = { type, at: clock.now(), enrolmentId, data: { ...about, ...data } };
      await store.certificates.told({ fingerprint, tellAt: null, event });
      bus.poke();
    };
    try {
      if (await revoke!(certificate)) await done('certificate.revocation-told', { outcome: 'revoked' });
      else await store.certificates.told({ fingerprint, tellAt: null, event: null });
      return true;
    } catch (error) {
      if (kindOf(error) === 'not-found') {
        await done('certificate.revocation-told', { outcome: 'unknown' });
        return true;
      }
      const at = clock.now();
      const age = at - revokedAt;
      logger.warn({ error, ...about }, 'the issuer could not be told of a revocation');
      if (age >= options.issuerRevocationMs) {
        const reason = error instanceof Error ? error.message.slice(0, 500) : 'unknown';
        await done('certificate.revocation-failed', { reason });
        return true;
      }
      // Twice as long each time.
      const tellAt = at + Math.min(LONGEST_MS, Math.max(MINUTE, age));
      await store.certificates.told({ fingerprint, tellAt, event: null });
      return false;
    }
  }

  return async () => {
    if (revoke === undefined) return;
    const at = clock.now();
    let failures = 0;
    for (;;) {
      const batch = await store.certificates.untold({ at, limit: BATCH });
      for (const fingerprint of batch) {
        failures = (await tell(fingerprint)) ? 0 : failures + 1;
        if (failures >= MOST_FAILURES) return;
      }
      if (batch.length < BATCH) return;
    }
  };
}

function kindOf(error: unknown): unknown {
  return error instanceof Error && 'kind' in error ? error.kind : null;
}
