// The SCEP server (RFC 8894).
import { randomBytes } from 'node:crypto';
import type { CertificateAuthority, CertificateContents } from '../ca/authority.ts';
import type { CaCertificate } from '../ca/set.ts';
import type { CertificateTemplate, TemplateName } from '../ca/templates.ts';
import type { Clock, RandomSource } from '../clock.ts';
import { bundleCertificates, signCmsWith } from '../cms/signed-write.ts';
import { PkiError } from '../errors.ts';
import { type PrivateKeyInput, readPublicKey } from '../keys/keys.ts';
import { localSigner, type Signer } from '../keys/signer.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { bytesResponse, errorResponse, readScepRequest } from './http.ts';
import { createPkiOperation } from './operation.ts';
import type {
  ScepApplication,
  ScepDecision,
  ScepEvent,
  ScepGrant,
  ScepIssuance,
  ScepRegistrarRequest,
  ScepRenewal,
  ScepRequest,
  ScepStore,
} from './types.ts';

/** What {@link createScepServer} needs. */
export interface ScepServerOptions {
  readonly ca: CertificateAuthority;
  readonly store: ScepStore;
  readonly clock: Clock;
  readonly random?: RandomSource;
  /**
   * A registration authority: an RSA identity issued by the authority (template `scep-ra`) that decrypts requests and
   * signs replies. Needed when the authority's key is EC, or is not at hand.
   */
  readonly ra?: { readonly certificate: Uint8Array; readonly privateKey?: PrivateKeyInput; readonly signer?: Signer };
  /** Default `device`. */
  readonly template?: TemplateName | CertificateTemplate;
  /** Used when the grant names none. Default: the template's. */
  readonly validityDays?: number;
  /**
   * Tells the contents of a certificate when it is issued, after everything else was decided: what it names replaces what
   * grant and CSR say. Asked again for a request that waited. A PkiError of kind `invalid` refuses the request.
   */
  readonly contents?: (issuance: ScepIssuance) => Promise<CertificateContents>;
  /** Take the alternative names of the CSR when the grant names none. Default false. */
  readonly allowRequestedSans?: boolean;
  /**
   * Decides on first enrolments instead of the store's single-use challenges: a static or delegated challenge, none at
   * all, or approval by a person (`pending`). Compare secrets with `timingSafeEqual`.
   */
  readonly authorise?: (request: ScepRequest) => Promise<ScepDecision>;
  /**
   * Has the last word on first enrolments with the store's challenges: a request whose challenge is good (it is used up
   * by the certificate, even when that has to wait), or one without any. A wrong challenge is refused before this is
   * asked. Not together with `authorise`.
   */
  readonly approve?: (application: ScepApplication) => Promise<ScepDecision>;
  /**
   * Judges challenges that the store does not know: another service made them (as NDES does). It must judge a request that
   * is sent again as it did before, until it has its certificate. Not together with `authorise`.
   */
  readonly delegate?: (request: ScepRequest) => Promise<ScepDecision>;
  /** Renewals signed with a certificate of this authority. Absent: refused and not advertised. */
  readonly renewal?: {
    /** Null refuses. */
    authorise(renewal: ScepRenewal): Promise<ScepGrant | null>;
    /** How long after its expiry a certificate may still renew itself. Default 0. */
    readonly graceDays?: number;
    /** Earlier authorities whose certificates may renew here, DER. */
    readonly previousCas?: readonly Uint8Array[];
  };
  /**
   * Registration authorities: whoever signs with one of these certificates (DER, RSA keys) may send requests for keys
   * that are not its own. Its requests need no challenge; `authorise` decides on each.
   */
  readonly registrars?: {
    readonly certificates: readonly Uint8Array[];
    authorise(request: ScepRegistrarRequest): Promise<ScepDecision>;
  };
  /**
   * Authorities before this one: their certificates renew here (as those of `previousCas`), may ask with GetCert and GetCRL,
   * and are found; `crl` is the authority's own list. With `signer` (an RSA key that decrypts), requests of clients that know no
   * other authority yet are opened and answered in its name; what they get is issued by this one.
   */
  readonly earlier?: readonly (CaCertificate & {
    readonly crl?: () => Promise<Uint8Array>;
    readonly signer?: Signer;
  })[];
  /** The authority that follows this one, for GetNextCACert, DER. */
  readonly nextCa?: { readonly certificate: Uint8Array; readonly chain?: readonly Uint8Array[] };
  /** The current CRL, DER, for GetCRL. */
  readonly crl?: () => Promise<Uint8Array>;
  /** Accept requests signed with SHA-1. Default true: it proves possession of the requester's own key only. */
  readonly allowSha1?: boolean;
  /**
   * Accept requests encrypted with single DES, as some clients still do whatever the server advertises (the challenge
   * inside is then only as safe as the transport). Default true; set it to false where all clients are known.
   */
  readonly allowDes?: boolean;
  readonly limits?: {
    /** Largest pkiMessage. Default 64 KiB. */
    readonly maxMessageBytes?: number;
  };
  /** Told what happened to each request, for logs and audit. */
  readonly onEvent?: (event: ScepEvent) => void;
}

/** A SCEP server: mount `handle` at any path. */
export interface ScepServer {
  handle(request: Request): Promise<Response>;
}

/**
 * Makes a SCEP server (RFC 8894): GetCACaps, GetCACert, GetNextCACert, and PKIOperation by GET and POST with PKCSReq,
 * RenewalReq, CertPoll, GetCert and GetCRL. A repeated request (same transaction, same key) gets the certificate it got
 * before. What is no SCEP message at all is answered with HTTP 400 or 413; everything else with a signed CertRep.
 *
 * @throws PkiError `pki.scep.ra_required` when the authority's key cannot decrypt and no `ra` is given.
 * @example
 * const scep = createScepServer({ ca, store: createMemoryScepStore({ clock: Date }), clock: Date });
 * const response = await scep.handle(request);
 */
export function createScepServer(options: ScepServerOptions): ScepServer {
  const { ca, ra, limits = {}, onEvent, random = randomBytes } = options;
  const maxBytes = limits.maxMessageBytes ?? 64 * 1024;
  const identity = responder(ca, ra);
  const operate = createPkiOperation({ ...options, random, maxBytes, identity });
  const capabilities = [
    'AES',
    'DES3',
    'POSTPKIOperation',
    'SCEPStandard',
    'SHA-256',
    'SHA-384', // not in RFC 8894, but true, and strongSwan looks for it
    'SHA-512',
    ...(options.renewal ? ['Renewal'] : []),
    ...(options.nextCa ? ['GetNextCACert'] : []),
  ].join('\n');
  const bundle = ra ? [ra.certificate, ca.certificate, ...ca.chain] : [ca.certificate, ...ca.chain];

  async function nextCaCert(): Promise<Response> {
    if (!options.nextCa) throw new PkiError('pki.scep.no_next_ca', 'no next authority is known', { kind: 'not-found' });
    const content = bundleCertificates([options.nextCa.certificate, ...(options.nextCa.chain ?? [])]);
    const signed = await signCmsWith(content, { ...identity, hash: 'sha256' });
    return bytesResponse(signed, 'application/x-x509-next-ca-cert');
  }

  return {
    async handle(request) {
      try {
        const { operation, message } = await readScepRequest(request, maxBytes);
        switch (operation) {
          case 'GetCACaps':
            return new Response(`${capabilities}\n`, { headers: { 'content-type': 'text/plain' } });
          case 'GetCACert':
            return bundle.length === 1
              ? bytesResponse(ca.certificate, 'application/x-x509-ca-cert')
              : bytesResponse(bundleCertificates(bundle), 'application/x-x509-ca-ra-cert');
          case 'GetNextCACert':
            return await nextCaCert();
          default:
            return bytesResponse(await operate(message!), 'application/x-pki-message');
        }
      } catch (error) {
        if (error instanceof PkiError && error.kind === 'unavailable') {
          onEvent?.({ type: 'error', code: error.code, message: error.message, error });
          return errorResponse(error);
        }
        if (error instanceof PkiError && error.kind !== 'internal') {
          onEvent?.({ type: 'malformed', code: error.code, message: error.message });
          return errorResponse(error);
        }
        // The store or the signer failed. The device tries again; the transaction makes that safe.
        onEvent?.({ type: 'error', error });
        if (isAway(error)) {
          return errorResponse(
            new PkiError('pki.scep.unavailable', 'the store or the signer cannot be reached', { kind: 'unavailable' }),
          );
        }
        return errorResponse(
          new PkiError('pki.scep.internal', 'the request could not be processed', { kind: 'internal' }),
        );
      }
    },
  };
}

/** Whether a store or a signer of Espalier says that it works again later. */
function isAway(error: unknown): boolean {
  return (
    error instanceof Error && Symbol.for('espalier.error') in error && 'kind' in error && error.kind === 'unavailable'
  );
}

/** Who decrypts requests and signs replies. */
function responder(
  ca: CertificateAuthority,
  ra: ScepServerOptions['ra'],
): { readonly certificate: Uint8Array; readonly signer: Signer } {
  const signer = ra ? (ra.signer ?? (ra.privateKey === undefined ? undefined : localSigner(ra.privateKey))) : ca.signer;
  const certificate = ra ? ra.certificate : ca.certificate;
  const usable = signer && readPublicKey(signer.publicKey).type === 'rsa' && signer.decrypt !== undefined;
  if (!usable) {
    throw new PkiError('pki.scep.ra_required', 'SCEP needs an RSA key that decrypts', {
      remedy: 'Issue a certificate with the template scep-ra to an RSA key and pass it as `ra`.',
    });
  }
  if (Buffer.compare(parseCertificate(certificate).spki, Buffer.from(signer.publicKey)) !== 0) {
    throw new PkiError('pki.ca.key_mismatch', 'the key of the registration authority is not its certificate’s');
  }
  return { certificate, signer };
}
