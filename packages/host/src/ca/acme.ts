// ACME as routes: the server of `@espalier/pki` over the engine's store, with Apple's attestations.
import { bindingOf, type Engine } from '@espalier/core';
import {
  type AcmeAttestationOptions,
  type AcmeChallengePolicy,
  type AcmeDevice,
  type AcmeServer,
  type AcmeServerOptions,
  type AcmeVerdict,
  appleEnterpriseAttestationRoot,
  type CaCertificate,
  type CertificateAuthority,
  createAcmeServer,
} from '@espalier/pki';
import type { PublicUrls } from '../enrol/profile.ts';
import { type BodyLimits, readBody } from '../http/body.ts';
import type { Context, Route } from '../http/router.ts';
import type { Logger } from '../types.ts';
import type { ConfiguredIdentities } from './configured.ts';
import type { IdentityCertificates } from './identity-certificate.ts';

/** How devices get certificates by ACME. */
export interface AcmeOptions {
  /** Roots that attestations must chain to, DER (default: Apple's Enterprise Attestation Root CA). */
  readonly roots?: readonly Uint8Array[];
  /**
   * What becomes of a device that sends no attestation: `refuse`, or `allow` (its single-use identifier lets it in, as a
   * SCEP challenge would), or a decision of your own. Default: `allow` when the profile asks for none, else `refuse`.
   */
  readonly withoutAttestation?: 'refuse' | 'allow' | ((device: AcmeDevice) => Promise<AcmeVerdict>);
  /** A further look at an attested device: versions, SIP, secure boot, an allow-list of serial numbers. */
  readonly accept?: (device: AcmeDevice) => Promise<AcmeVerdict>;
  /** Days that certificates are valid (default: the CA's template). */
  readonly validityDays?: number;
  /** Other ways to validate names, for clients that are no Apple devices. */
  readonly challenges?: readonly AcmeChallengePolicy[];
}

/** What the routes work with. */
export interface AcmeContext {
  readonly engine: Engine;
  readonly ca: CertificateAuthority;
  /** Authorities before this one. */
  readonly earlier: readonly CaCertificate[];
  readonly certificates: Pick<IdentityCertificates, 'template' | 'contents'>;
  readonly configured: Pick<ConfiguredIdentities, 'attests'>;
  readonly options: AcmeOptions;
  /** Whether the enrolment profile asks devices for an attestation. */
  readonly attested: boolean;
  readonly bodyLimits: BodyLimits;
  readonly logger: Logger;
  /** Set when the addresses do not depend on the request. */
  readonly fixedUrls: PublicUrls | null;
  urls(context: Context): PublicUrls;
}

/** `/acme/…`. */
export function acmeRoutes(host: AcmeContext): Route[] {
  const fixed = host.fixedUrls === null ? null : serverAt(host, host.fixedUrls);

  async function handle(context: Context): Promise<Response> {
    const { request } = context;
    // Clients sign the addresses that they call, so the server must know them as the clients do.
    const urls = host.urls(context);
    const server = fixed ?? serverAt(host, urls);
    const url = urls.base + context.path;
    const { method, headers } = request;
    if (method !== 'POST') return await server.handle(new Request(url, { method, headers }));
    const body = await readBody(request, host.bodyLimits);
    return await server.handle(new Request(url, { method, headers, body: body as Uint8Array<ArrayBuffer> }));
  }

  const route = (methods: readonly string[], path: string): Route => ({ methods, path, noHead: true, handle });
  return [
    route(['GET', 'HEAD'], '/acme/directory'),
    route(['GET', 'HEAD'], '/acme/new-nonce'),
    ...['/acme/:a', '/acme/:a/:b', '/acme/:a/:b/:c'].map((path) => route(['POST'], path)),
  ];
}

function serverAt(
  { engine, ca, earlier, certificates, configured, options, attested, logger }: AcmeContext,
  urls: PublicUrls,
): AcmeServer {
  const { roots, accept, withoutAttestation = attested ? 'refuse' : 'allow' } = options;
  const others =
    typeof withoutAttestation === 'function' ? withoutAttestation : async () => verdicts[withoutAttestation];
  const attestation: AcmeAttestationOptions = {
    roots: roots ?? [appleEnterpriseAttestationRoot],
    ...(accept === undefined ? {} : { accept }),
    async withoutAttestation(device) {
      const { configurationId } = bindingOf(device.grant.reference);
      if (configurationId === undefined || withoutAttestation === 'allow') return await others(device);
      // A configuration says itself whether it asks devices for an attestation.
      return verdicts[(await configured.attests(configurationId)) === false ? 'allow' : 'refuse'];
    },
  };
  return createAcmeServer({
    ca,
    earlier,
    store: engine.enrolling.acmeStore,
    clock: engine.clock,
    baseUrl: urls.acme,
    attestation,
    ...(certificates.template === undefined ? {} : { template: certificates.template }),
    contents: forDevices(certificates.contents),
    ...(options.validityDays === undefined ? {} : { validityDays: options.validityDays }),
    ...(options.challenges === undefined ? {} : { challenges: options.challenges }),
    onEvent: ({ type, error, ...event }) => {
      if (type === 'error') logger.error({ ...event, err: error }, 'acme failed');
      else if (type === 'refused' || type === 'validation-failed') logger.warn(event, `acme ${type}`);
      else logger.info(event, `acme ${type}`);
    },
  });
}

/** Names that other challenges validate are certified as they are: only devices have a template. */
function forDevices(contents: IdentityCertificates['contents']): NonNullable<AcmeServerOptions['contents']> {
  return async (issuance) => (issuance.grant.reference === '' ? {} : await contents(issuance));
}

const verdicts: Readonly<Record<'allow' | 'refuse', AcmeVerdict>> = {
  allow: { accept: true },
  refuse: { accept: false, reason: 'the device sent no attestation' },
};
