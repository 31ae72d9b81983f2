// The revocation list and the OCSP responder as routes.
import type { Engine } from '@espalier/core';
import {
  type CertificateAuthority,
  createCrlPublisher,
  createOcspResponder,
  type OcspResponderOptions,
  readCertificate,
  type Signer,
} from '@espalier/pki';
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

/** Revocations of one authority. */
export interface Revocation {
  /** The current CRL, DER. */
  crl(): Promise<Uint8Array>;
  /** `/ca.crl` and `/ocsp`. */
  readonly routes: Route[];
}

/** Makes the CRL and OCSP of an authority whose key is at hand. */
export function createRevocation(
  engine: Engine,
  ca: CertificateAuthority & { readonly signer: Signer },
  options: RevocationOptions,
  bodyLimits: BodyLimits,
): Revocation {
  const { certificate, signer } = ca;
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

  async function ocsp({ request }: Context): Promise<Response> {
    const { method, headers, url } = request;
    if (method !== 'POST') return await responder.handle(request);
    const body = await readBody(request, bodyLimits);
    return await responder.handle(new Request(url, { method, headers, body: body as Uint8Array<ArrayBuffer> }));
  }

  return {
    crl: async () => (await publisher.current()).crl,
    routes: [
      { methods: ['GET'], path: '/ca.crl', handle: ({ request }) => publisher.handle(request) },
      { methods: ['POST'], path: '/ocsp', handle: ocsp },
      { methods: ['GET'], path: '/ocsp/:request', noHead: true, handle: ocsp },
    ],
  };
}
