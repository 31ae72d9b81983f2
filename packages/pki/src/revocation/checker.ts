// Looking up what another issuer revoked: its CRL, fetched from its distribution points and kept while it is current.
import { type Clock, timeOf } from '../clock.ts';
import { isPkiError, PkiError } from '../errors.ts';
import type { VerifyPolicy } from '../keys/algorithms.ts';
import { fromPem } from '../pem.ts';
import type { FetchFunction } from '../scep/client-server-info.ts';
import { readBody } from '../scep/http.ts';
import { type CertificateRevocationList, readCrl } from './crl.ts';
import type { CertificateStatus } from './ocsp.ts';

/** What {@link createCrlChecker} needs. */
export interface CrlCheckerOptions extends VerifyPolicy {
  /** Certificate of the authority whose certificates are checked, DER. */
  readonly issuer: Uint8Array;
  /** Where its CRL is, the preferred address first: e.g. `crlUrls` of `readCertificate`. */
  readonly urls: readonly string[];
  readonly fetch: FetchFunction;
  readonly clock: Clock;
  /** Fetch anew after this time, even where the list would be current for longer. Default one hour. */
  readonly maxAgeMs?: number;
  /** After a failure, how long nothing is asked for while an earlier list is still current. Default one minute. */
  readonly retryMs?: number;
  /** Largest CRL. Default 16 MiB. */
  readonly maxBytes?: number;
  /** How long one address may take. Default 10 seconds. */
  readonly timeoutMs?: number;
}

/** Tells what an issuer's CRL says. */
export interface CrlChecker {
  /**
   * By serial number in hex. A certificate that is not on the list is `good`: a CRL does not tell what was issued.
   *
   * @throws PkiError `pki.crl.unavailable` (kind `unavailable`) when no address gives a current list of this issuer.
   */
  status(serialNumber: string): Promise<CertificateStatus>;
  /** The list itself, fetched where that is due. Throws as `status`. */
  list(): Promise<CertificateRevocationList>;
}

interface Kept {
  readonly list: CertificateRevocationList;
  readonly fetchedAt: number;
}

/**
 * Makes a checker of an issuer that only publishes CRLs, as the authority behind a SCEP proxy. Addresses are tried in order;
 * a list counts only if the issuer signed it and it is current, and never goes back to an earlier number. While the
 * addresses fail, the last list counts until it ends.
 *
 * @throws PkiError `pki.crl.no_url` without an http address.
 */
export function createCrlChecker(options: CrlCheckerOptions): CrlChecker {
  const { issuer, clock, maxAgeMs = 3_600_000, retryMs = 60_000, maxBytes = 16 * 1024 * 1024 } = options;
  const urls = options.urls.filter((url) => /^https?:$/.test(URL.parse(url)?.protocol ?? ''));
  if (urls.length === 0) throw new PkiError('pki.crl.no_url', 'there is no http address of a CRL');
  let kept: Kept | null = null;
  let failedAt = Number.NEGATIVE_INFINITY;
  let running: Promise<CertificateRevocationList> | null = null;

  const isCurrent = (list: CertificateRevocationList, now: number): boolean =>
    list.nextUpdate === undefined || list.nextUpdate.getTime() >= now;

  async function fetchFrom(url: string): Promise<CertificateRevocationList> {
    const signal = AbortSignal.timeout(options.timeoutMs ?? 10_000);
    const response = await options.fetch(new Request(url, { signal }));
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new PkiError('pki.crl.unavailable', `HTTP ${response.status}`, { kind: 'unavailable' });
    }
    const body = await readBody(response, maxBytes);
    // Some issuers publish PEM against RFC 5280.
    const der = body[0] === 0x2d ? fromPem(Buffer.from(body).toString('latin1'), 'X509 CRL') : body;
    const list = readCrl(der, issuer, options);
    const now = timeOf(clock);
    if (!isCurrent(list, now)) throw new PkiError('pki.crl.stale', 'the CRL has ended', { kind: 'unavailable' });
    const before = kept?.list;
    const older =
      before &&
      (list.crlNumber !== undefined && before.crlNumber !== undefined
        ? list.crlNumber < before.crlNumber
        : list.thisUpdate < before.thisUpdate);
    if (older) throw new PkiError('pki.crl.stale', 'the CRL is older than the one before', { kind: 'unavailable' });
    return list;
  }

  async function refresh(): Promise<CertificateRevocationList> {
    const reasons: string[] = [];
    for (const url of urls) {
      try {
        const list = await fetchFrom(url);
        kept = { list, fetchedAt: timeOf(clock) };
        return list;
      } catch (error) {
        // What goes wrong on the network is a reason like any other: the next address may work.
        reasons.push(`${url}: ${isPkiError(error) ? error.code : 'unreachable'}`);
      }
    }
    failedAt = timeOf(clock);
    if (kept && isCurrent(kept.list, failedAt)) return kept.list;
    throw new PkiError('pki.crl.unavailable', `no current CRL: ${reasons.join('; ').slice(0, 500)}`, {
      kind: 'unavailable',
    });
  }

  async function list(): Promise<CertificateRevocationList> {
    const now = timeOf(clock);
    if (kept && isCurrent(kept.list, now) && (now - kept.fetchedAt < maxAgeMs || now - failedAt < retryMs)) {
      return kept.list;
    }
    running ??= refresh().finally(() => {
      running = null;
    });
    return running;
  }

  return {
    list,
    async status(serialNumber) {
      const found = (await list()).revoked.get(serialNumber.toLowerCase());
      // Only delta lists, which are refused, take certificates off.
      return found ? { status: 'revoked', ...found } : { status: 'good' };
    },
  };
}
