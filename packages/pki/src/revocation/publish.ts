// Publishing CRLs: when the next one is due, what is on it, and its number, as functions over stored data.
import { type Clock, timeOf } from '../clock.ts';
import { PkiError } from '../errors.ts';
import type { Signer } from '../keys/signer.ts';
import { fingerprintSha256 } from '../x509/certificate.ts';
import { createCrl, pruneRevoked, type RevokedCertificate } from './crl.ts';

/** A published CRL as it is stored. Times are epoch milliseconds. */
export interface PublishedCrl {
  /** DER. */
  readonly crl: Uint8Array;
  readonly crlNumber: number;
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  /** The store's revision that it covers: revocations up to then are on it. */
  readonly revision: number;
}

/** How CRLs are published. */
export interface CrlPolicy {
  /** nextUpdate - thisUpdate. Default 168 hours. */
  readonly lifetimeMs?: number;
  /**
   * How long before nextUpdate the next one is made, so that nobody is ever without a current list. Default a tenth of
   * the lifetime, at most a day.
   */
  readonly overlapMs?: number;
  /** Entries leave once their certificate has expired and they are older than this. Default 365; null keeps them all. */
  readonly pruneAfterDays?: number | null;
}

/** When the next CRL is due, and why. */
export interface CrlSchedule {
  /** Epoch milliseconds; in the past or now means: make it. */
  readonly dueAt: number;
  readonly due: boolean;
  readonly reason: 'first' | 'revocation' | 'lifetime';
}

const defaultLifetimeMs = 168 * 3_600_000;

function timesOf(policy: CrlPolicy): { lifetimeMs: number; overlapMs: number } {
  const { lifetimeMs = defaultLifetimeMs } = policy;
  const { overlapMs = Math.min(lifetimeMs / 10, 86_400_000) } = policy;
  if (!(lifetimeMs >= 1000) || !(overlapMs >= 0 && overlapMs < lifetimeMs)) {
    throw new PkiError('pki.crl.policy', 'a CRL lives for a second at least, and overlaps for less than it lives');
  }
  return { lifetimeMs, overlapMs };
}

/**
 * Tells when the next CRL is due: at once without one, at once after a revocation that is not on it, else shortly before
 * it ends.
 *
 * @param revision of the store now, see {@link CrlStore}.
 * @throws PkiError `pki.crl.policy`.
 */
export function crlSchedule(
  published: Omit<PublishedCrl, 'crl'> | null,
  revision: number,
  now: number,
  policy: CrlPolicy = {},
): CrlSchedule {
  const { overlapMs } = timesOf(policy);
  if (!published) return { dueAt: now, due: true, reason: 'first' };
  if (revision > published.revision) return { dueAt: now, due: true, reason: 'revocation' };
  const dueAt = published.nextUpdate - overlapMs;
  return { dueAt, due: dueAt <= now, reason: 'lifetime' };
}

/** What {@link nextCrl} needs. */
export interface NextCrlOptions {
  /** Certificate of the authority, DER. */
  readonly certificate: Uint8Array;
  readonly signer: Signer;
  readonly previous: Omit<PublishedCrl, 'crl'> | null;
  readonly revision: number;
  readonly revoked: Iterable<RevokedCertificate>;
  readonly now: number;
  readonly policy?: CrlPolicy;
}

/** Makes the CRL that follows the previous one: its number is one more, and old entries have left. */
export async function nextCrl(options: NextCrlOptions): Promise<PublishedCrl> {
  const { certificate, signer, previous, revision, now, policy = {} } = options;
  const { lifetimeMs } = timesOf(policy);
  const { pruneAfterDays = 365 } = policy;
  const crlNumber = previous === null ? 1 : previous.crlNumber + 1;
  // Dates on the list have whole seconds, and never go back.
  const thisUpdate = Math.max(Math.floor(now / 1000) * 1000, previous?.thisUpdate ?? 0);
  const revoked = pruneAfterDays === null ? options.revoked : pruneRevoked(options.revoked, now, pruneAfterDays);
  const crl = await createCrl({ certificate, signer, crlNumber, now: thisUpdate, lifetimeMs, revoked });
  const nextUpdate = thisUpdate + Math.floor(lifetimeMs / 1000) * 1000;
  return { crl, crlNumber, thisUpdate, nextUpdate, revision };
}

/** Where the CRLs and revocations of ONE authority are kept. */
export interface CrlStore {
  loadCrl(): Promise<PublishedCrl | null>;
  /** Keeps a CRL if the one kept now has the number `after` (null: none); false when another process was faster. */
  saveCrl(crl: PublishedCrl, after: number | null): Promise<boolean>;
  /** Any number that rises with each revocation and never falls. */
  revision(): Promise<number>;
  /** Everything revoked, and the revision that this list shows (or an earlier one: never a later). */
  revoked(): Promise<{ readonly revision: number; readonly revoked: Iterable<RevokedCertificate> }>;
}

/** Publishes the CRLs of one authority. */
export interface CrlPublisher {
  /** The CRL to give out: the stored one, or a new one where that is due. */
  current(): Promise<PublishedCrl>;
  /** Makes a new one now, whatever the schedule says. */
  publish(): Promise<PublishedCrl>;
  /** When the next one is due: for a timer. */
  schedule(): Promise<CrlSchedule>;
  /** Serves it: GET and HEAD, `application/pkix-crl`, with caching until the next one is due. */
  handle(request: Request): Promise<Response>;
}

/** What {@link createCrlPublisher} needs. */
export interface CrlPublisherOptions {
  /** Certificate of the authority, DER. */
  readonly certificate: Uint8Array;
  readonly signer: Signer;
  readonly store: CrlStore;
  readonly clock: Clock;
  readonly policy?: CrlPolicy;
}

/**
 * Makes the publisher of one authority's CRLs. Call `current` (or serve `handle`) whenever a list is wanted, and after each
 * revocation; many processes may do so at once: numbers never repeat. An earlier authority whose certificates are still
 * in use needs a publisher of its own, with its own key and store.
 *
 * @example
 * const crls = createCrlPublisher({ certificate: ca.certificate, signer: ca.signer, store, clock: Date });
 * const response = await crls.handle(request);
 */
export function createCrlPublisher(options: CrlPublisherOptions): CrlPublisher {
  const { certificate, signer, store, clock, policy = {} } = options;
  timesOf(policy);
  let making: Promise<PublishedCrl> | null = null;

  async function make(forced: boolean): Promise<PublishedCrl> {
    for (let attempt = 0; attempt < 8; attempt++) {
      const [previous, revision] = [await store.loadCrl(), await store.revision()];
      const now = timeOf(clock);
      if (previous && !forced && !crlSchedule(previous, revision, now, policy).due) return previous;
      const list = await store.revoked();
      const crl = await nextCrl({ certificate, signer, previous, ...list, now, policy });
      if (await store.saveCrl(crl, previous?.crlNumber ?? null)) return crl;
    }
    throw new PkiError('pki.crl.contended', 'other processes publish CRLs all the time', { kind: 'unavailable' });
  }

  /** Many callers at once make one list, but nobody gets one that was begun before a revocation of theirs. */
  const current = async (): Promise<PublishedCrl> => {
    if (making) {
      const made = await making;
      if (!crlSchedule(made, await store.revision(), timeOf(clock), policy).due) return made;
    }
    making ??= make(false).finally(() => {
      making = null;
    });
    return making;
  };

  return {
    current,
    publish: () => make(true),
    schedule: async () => crlSchedule(await store.loadCrl(), await store.revision(), timeOf(clock), policy),
    async handle(request) {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return new Response('a CRL is read by GET\n', { status: 405, headers: { allow: 'GET, HEAD' } });
      }
      const { crl, thisUpdate, nextUpdate } = await current();
      const now = timeOf(clock);
      const etag = `"${fingerprintSha256(crl).slice(0, 32)}"`;
      // Kept by caches for an hour at most: a revocation shall be seen soon.
      const age = Math.max(0, Math.min(3600, Math.floor((nextUpdate - now) / 1000)));
      const headers = {
        'content-type': 'application/pkix-crl',
        'cache-control': `public, max-age=${age}`,
        'last-modified': new Date(thisUpdate).toUTCString(),
        etag,
      };
      if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers });
      const length = { ...headers, 'content-length': String(crl.length) };
      return new Response(request.method === 'HEAD' ? null : Uint8Array.from(crl), { headers: length });
    },
  };
}
