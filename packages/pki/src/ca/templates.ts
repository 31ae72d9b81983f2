// Issuing templates: what an authority puts into the certificates it signs.
import { PkiError } from '../errors.ts';
import type { HashName } from '../keys/algorithms.ts';
import { oids } from '../oids.ts';
import type { BasicConstraints, Extension, KeyUsage } from '../x509/extensions.ts';

/** What a certificate authority puts into a certificate, whatever the requester asks for. */
export interface CertificateTemplate {
  readonly keyUsage: readonly KeyUsage[];
  /** Dotted OIDs; empty leaves the extension out. */
  readonly extendedKeyUsage: readonly string[];
  /** Default: fits the authority's key (SHA-384 for RSA). */
  readonly hash?: Exclude<HashName, 'sha1'>;
  /** Requests with a smaller RSA key are refused. Default 2048. */
  readonly minRsaBits?: number;
  /** Used when the request names no validity. Default 365. */
  readonly validityDays?: number;
  /** Refuse to issue what would live shorter, since the authority itself ends. Default: no such limit. */
  readonly minValidityDays?: number;
  /** Shorten notAfter to the authority's own. Default true; false refuses instead. */
  readonly clampToCa?: boolean;
  /** At least one alternative name is required. Default false. */
  readonly requireSans?: boolean;
  /** Only for templates that issue authorities. */
  readonly basicConstraints?: BasicConstraints;
  /** Copied into each certificate. */
  readonly extensions?: readonly Extension[];
}

/** Names of the templates that come with the package. */
export type TemplateName = 'device' | 'tls-server' | 'apns-client' | 'scep-ra' | 'ocsp-responder' | 'intermediate-ca';

/** The templates that come with the package; spread one to vary it. */
export const templates: Readonly<Record<TemplateName, CertificateTemplate>> = {
  /** A device's identity: TLS client and message signatures. */
  device: { keyUsage: ['digitalSignature', 'keyEncipherment'], extendedKeyUsage: [oids.clientAuth] },
  'tls-server': {
    keyUsage: ['digitalSignature', 'keyEncipherment'],
    extendedKeyUsage: [oids.serverAuth],
    requireSans: true,
  },
  /** A push certificate as a simulated Apple issues it; the topic is the subject's UID. */
  'apns-client': { keyUsage: ['digitalSignature', 'keyEncipherment'], extendedKeyUsage: [oids.clientAuth] },
  /** A SCEP registration authority: decrypts requests and signs replies for an EC authority. */
  'scep-ra': {
    keyUsage: ['digitalSignature', 'keyEncipherment'],
    extendedKeyUsage: [oids.cmcRa],
    validityDays: 3650,
  },
  'ocsp-responder': {
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: [oids.ocspSigning],
    extensions: [{ oid: oids.ocspNoCheck, critical: false, value: new Uint8Array([0x05, 0x00]) }],
  },
  'intermediate-ca': {
    keyUsage: ['keyCertSign', 'cRLSign', 'digitalSignature', 'keyEncipherment'],
    extendedKeyUsage: [],
    basicConstraints: { ca: true, pathLength: 0 },
    validityDays: 3650,
  },
};

/** The template meant by a name, or the given one. */
export function resolveTemplate(template: TemplateName | CertificateTemplate): CertificateTemplate {
  if (typeof template !== 'string') return template;
  if (!Object.hasOwn(templates, template)) {
    throw new PkiError('pki.template.unknown', `there is no template ${String(template).slice(0, 40)}`);
  }
  return templates[template];
}
