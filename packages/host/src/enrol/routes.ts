// The doors by which a device comes in: the invitation's link, the registration PIN, SCEP, and the root certificate.
import type { Engine, Invitation } from '@espalier/core';
import { readCertificate, toPem } from '@espalier/pki';
import { HostError, isEspalierError } from '../errors.ts';
import { type BodyLimits, readBody } from '../http/body.ts';
import { readForm } from '../http/form.ts';
import type { Limiter } from '../http/limiter.ts';
import { bytes, text } from '../http/respond.ts';
import type { Context, Route } from '../http/router.ts';
import { pinPage } from '../page/pin.ts';
import { profileAnswer } from './answer.ts';
import type { ProfileIssuing, ProfileOptions, PublicUrls } from './profile.ts';

/** What these routes work with. */
export interface EnrolContext {
  readonly engine: Engine;
  readonly profile: ProfileOptions;
  readonly caCertificate: Uint8Array;
  readonly issuing: ProfileIssuing;
  /** This one, and those around it. */
  readonly authorities: readonly { readonly certificate: Uint8Array }[];
  readonly scep: { handle(request: Request): Promise<Response> };
  readonly limiter: Limiter;
  readonly bodyLimits: BodyLimits;
  urls(context: Context): PublicUrls;
}

/** `/enrol/:token`, `/enrol`, `/scep`, `/ca.crt` and `/ca.crt/:issuer`, `/ca.pem`. */
export function enrolRoutes(host: EnrolContext): Route[] {
  const answer = (context: Context, invitation: Invitation): Promise<Response> =>
    profileAnswer(host, context, { invitation });

  async function withPin(context: Context, pin: string): Promise<Response> {
    const invitation = await host.limiter.guard(
      context.clientAddress,
      async () => {
        // What cannot be a PIN is a wrong PIN, and counts as one.
        if (!/^\d{6,12}$/.test(pin)) throw wrongPin();
        return await host.engine.enrolling.redeem({ pin });
      },
      isRefusal,
    );
    return await answer(context, invitation);
  }

  async function postPin(context: Context): Promise<Response> {
    const form = await readForm(context.request, host.bodyLimits);
    try {
      return await withPin(context, (form.get('pin') ?? '').replaceAll(/[\s-]/g, ''));
    } catch (error) {
      if (!isEspalierError(error) || error.kind === 'internal' || !wantsHtml(context.request)) throw error;
      const locked = error.code === 'host.locked';
      const message = locked ? error.message : 'This PIN is unknown, used up or expired.';
      const headers = error instanceof HostError ? error.headers : undefined;
      return pinPage(host.profile.organisation, host.urls(context).base, message, locked ? 429 : 403, headers);
    }
  }

  return [
    {
      methods: ['GET'],
      path: '/enrol/:token',
      noHead: true,
      handle: async (context) => {
        const token = context.params['token'] as string;
        return await answer(context, await host.engine.enrolling.redeem({ token }));
      },
    },
    {
      methods: ['GET'],
      path: '/enrol',
      noHead: true,
      handle: async (context) => {
        const pin = context.url.searchParams.get('pin');
        if (pin === null) return pinPage(host.profile.organisation, host.urls(context).base);
        return await withPin(context, pin);
      },
    },
    { methods: ['POST'], path: '/enrol', handle: postPin },
    { methods: ['GET', 'POST'], path: '/scep', noHead: true, handle: (context) => scep(context, host) },
    {
      methods: ['GET'],
      path: '/ca.crt',
      handle: () => bytes(host.caCertificate, 200, 'application/x-x509-ca-cert', cacheable),
    },
    {
      methods: ['GET'],
      path: '/ca.crt/:issuer',
      handle: ({ params }) => {
        const id = params['issuer'] as string;
        const found = host.authorities.find((ca) => readCertificate(ca.certificate).subjectKeyIdentifier === id);
        if (found === undefined) throw new HostError('not-found', 'host.ca.unknown', 'There is no such authority.');
        return bytes(found.certificate, 200, 'application/x-x509-ca-cert', cacheable);
      },
    },
    {
      methods: ['GET'],
      path: '/ca.pem',
      handle: () => text(toPem(host.caCertificate, 'CERTIFICATE'), 'application/x-pem-file', 200, cacheable),
    },
  ];
}

const cacheable = { 'cache-control': 'public, max-age=300' };

/** The SCEP server reads a body of its own; it gets one that is already within the host's limits. */
async function scep(context: Context, host: EnrolContext): Promise<Response> {
  const { request } = context;
  if (request.method === 'GET') return await host.scep.handle(request);
  const body = await readBody(request, host.bodyLimits);
  const { method, headers } = request;
  return await host.scep.handle(new Request(request.url, { method, headers, body: body as Uint8Array<ArrayBuffer> }));
}

function wrongPin(): HostError {
  return new HostError('not-found', 'host.enrol.pin', 'No invitation has this PIN.', {
    remedy: 'Check the PIN; it has 6 to 12 digits and is valid for a limited time.',
  });
}

/** Whether an attempt counts as one that was wrong. */
export function isRefusal(error: unknown): boolean {
  return isEspalierError(error) && error.kind !== 'internal' && error.kind !== 'unavailable';
}

function wantsHtml(request: Request): boolean {
  return (request.headers.get('accept') ?? '').includes('text/html');
}
