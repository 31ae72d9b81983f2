// Renewal windows: when a certificate is due, from its dates and a policy alone.
import { DAY_MS } from '../clock.ts';
import { PkiError } from '../errors.ts';

/** The dates of a certificate: a `Certificate` of `readCertificate` fits, and a row of a register. */
export interface CertificateDates {
  /** Epoch milliseconds, or a Date. */
  readonly notBefore: Date | number;
  readonly notAfter: Date | number;
}

/** When certificates are renewed. */
export interface RenewalPolicy {
  /** Days before the end from which on a certificate is renewed: 1 to 270. Default 270. */
  readonly windowDays?: number;
  /** Days after the end in which an ended certificate is still accepted, for its renewal only: 0 to 365. Default 30. */
  readonly graceDays?: number;
}

/**
 * Where a certificate is in its life: `early` before the window, `due` in it, `grace` after its end while it may still
 * renew itself, `lapsed` after that: its device has to enrol again.
 */
export type RenewalState = 'early' | 'due' | 'grace' | 'lapsed';

/** What a policy makes of a certificate. Times are epoch milliseconds. */
export interface RenewalDecision {
  readonly state: RenewalState;
  /** The window opens. */
  readonly dueAt: number;
  /** The certificate ends. */
  readonly endsAt: number;
  /** The grace ends. */
  readonly lapsesAt: number;
  /** True when the window was shortened, since it was as long as the certificate's life. */
  readonly clamped: boolean;
}

/** The window takes at most this part of a certificate's life: a longer one would renew what was just renewed. */
const largestShare = 3 / 4;

function checked(value: number, least: number, most: number, what: string): number {
  if (Number.isFinite(value) && value >= least && value <= most) return value;
  throw new PkiError('pki.renewal.policy', `${what} must be ${least} to ${most} days`, { at: { path: what } });
}

/**
 * Decides whether a certificate is to be renewed.
 *
 * @param now epoch milliseconds, or a Date.
 * @throws PkiError `pki.renewal.policy` for days out of range.
 * @example
 * if (renewalDue(readCertificate(der), { windowDays: 60 }, Date.now()).state === 'due') await renew();
 */
export function renewalDue(certificate: CertificateDates, policy: RenewalPolicy, now: Date | number): RenewalDecision {
  const windowMs = checked(policy.windowDays ?? 270, 1, 270, 'windowDays') * DAY_MS;
  const graceMs = checked(policy.graceDays ?? 30, 0, 365, 'graceDays') * DAY_MS;
  const endsAt = Number(certificate.notAfter);
  const life = Math.max(0, endsAt - Number(certificate.notBefore));
  const most = life * largestShare;
  const dueAt = endsAt - Math.min(windowMs, most);
  const lapsesAt = endsAt + graceMs;
  const at = Number(now);
  const state = at < dueAt ? 'early' : at <= endsAt ? 'due' : at <= lapsesAt ? 'grace' : 'lapsed';
  return { state, dueAt, endsAt, lapsesAt, clamped: windowMs > most };
}
