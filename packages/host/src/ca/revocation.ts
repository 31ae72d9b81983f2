// The revocation list and the OCSP responder as routes.
import type { Engine } from '@espalier/core';
import {
  type CertificateAuthority,
  combineOcspResponders,
  createCrlPublisher,
  createOcspResponder,
  type OcspResponderOptions,
  readCertificate,
  type Signer,
} from '@espalier/pki';
import { HostError } from '../errors.ts';
import { type BodyLimits, readBody } from '../http/body.ts';
import type { Context, Route } from '../http/router.ts';

/** How revocations are published. */
export interface RevocationOptions {
  /** Lifetime of a CRL in hours: nextUpdate - thisUpdate (default 168). */
  readonly crlHours?: number;
  /** How long an OCSP answer may be kept, in minutes (default 60). */
  readonly ocspMinutes?: number;
  /** Who signs OCSP answers (default: the authority itself). */
  readonly ocspResponder?: OcspResponderOptions['responder'];
}

/** Revocations of a host's authorities. */
export interface Revocation {
  /** The current CRL of the one that issues, DER. */
  crl(): Promise<Uint8Array>;
  /** The current CRL of the authority with this certificate; undefined where its key is not at hand. */
  crlOf(certificate: Uint8Array): (() => Promise<Uint8Array>) | undefined;
  /** `/ca.crl`, `/ca.crl/:issuer` and `/ocsp`. */
  readonly routes: Route[];
}

/** An authority that signs its own revocations. */
type SigningAuthority = Pick<CertificateAuthority, 'certificate'> & { readonly signer: Signer };

/** Makes the CRLs and the OCSP of authorities whose keys are at hand; the first one is the one that issues. */
export function createRevocation(
  engine: Engine,
  authorities: readonly [SigningAuthority, ...SigningAuthority[]],
  options: RevocationOptions,
  bodyLimits: BodyLimits,
): Revocation {
  // Who signs OCSP instead is entitled by the one that issues only; an earlier one answers for itself.
  const all = authorities.map((ca, nr) =>
    revocationOf(engine, ca, nr === 0 ? options : { ...options, ocspResponder: ca }),
  );
  const publishers = new Map(all.map(({ id, publisher }) => [id, publisher]));
  const [{ publisher: current }] = all as [(typeof all)[0]];
  const responder = combineOcspResponders(all.map((one) => one.responder));

  async function ocsp({ request }: Context): Promise<Response> {
    const { method, headers, url } = request;
    if (method !== 'POST') return await responder.handle(request);
    const body = await readBody(request, bodyLimits);
    return await responder.handle(new Request(url, { method, headers, body: body as Uint8Array<ArrayBuffer> }));
  }

  async function crlOf({ request, params }: Context): Promise<Response> {
    const publisher = publishers.get(params['issuer'] as string);
    if (publisher === undefined) throw new HostError('not-found', 'host.ca.unknown', 'There is no such authority.');
    return await publisher.handle(request);
  }

  return {
    crl: async () => (await current.current()).crl,
    crlOf(certificate) {
      const publisher = publishers.get(readCertificate(certificate).subjectKeyIdentifier ?? '');
      return publisher === undefined ? undefined : async () => (await publisher.current()).crl;
    },
    routes: [
      { methods: ['GET'], path: '/ca.crl', handle: ({ request }) => current.handle(request) },
      { methods: ['GET'], path: '/ca.crl/:issuer', handle: crlOf },
      { methods: ['POST'], path: '/ocsp', handle: ocsp },
      { methods: ['GET'], path: '/ocsp/:request', noHead: true, handle: ocsp },
    ],
  };
}

function revocationOf(engine: Engine, { certificate, signer }: SigningAuthority, options: RevocationOptions) {
  const authorityKeyId = readCertificate(certificate).subjectKeyIdentifier ?? '';
  const ocspMs = (options.ocspMinutes ?? 60) * 60_000;
  const responder = createOcspResponder({
    issuer: certificate,
    responder: options.ocspResponder ?? { certificate, signer },
    status: (serialNumber) => engine.certificates.status(serialNumber, authorityKeyId),
    clock: engine.clock,
    lifetimeMs: ocspMs,
  });
  const publisher = createCrlPublisher({
    certificate,
    signer,
    store: engine.certificates.crlStore(authorityKeyId),
    clock: engine.clock,
    policy: { lifetimeMs: (options.crlHours ?? 168) * 3_600_000 },
  });
  return { id: authorityKeyId, responder, publisher };
}
