// The client certificate template as an administrator fills it in, and its checks.
import { PkiError } from '../errors.ts';
import type { HashName } from '../keys/algorithms.ts';
import type { KeySpec } from '../keys/keys.ts';
import { oids } from '../oids.ts';
import type { CertificateTemplate } from './templates.ts';

/** The choices of a client certificate template. */
export interface ClientTemplateOptions {
  /** Default `sha384`. */
  readonly hash?: Exclude<HashName, 'sha1'>;
  /** Requests with smaller RSA keys are refused: 1024 to 8192. Default 2048. */
  readonly minRsaBits?: number;
  /** 61 (a day more than the expiry window) to 36500. Default 365. */
  readonly lifetimeDays?: number;
  /** End no later than the authority. Default true; false refuses what would outlive it. */
  readonly limitedByCa?: boolean;
  /** Key usages: signatures, encryption. Default both. */
  readonly usage?: 'signing' | 'encryption' | 'both';
  /** Extended key usage for TLS clients. Default true. */
  readonly clientAuth?: boolean;
  /** Extended key usage for IPsec (RFC 4945's IKE). Default false. */
  readonly ipsec?: boolean;
  /** Microsoft's smart card logon. Default false. */
  readonly smartCardLogon?: boolean;
  /** Further extended key usages, dotted OIDs. */
  readonly customOids?: readonly string[];
}

/** Certificates that live shorter than this are due for renewal as soon as they are made. */
export const shortestLifetimeDays = 61;

const invalid = (path: string, message: string): PkiError =>
  new PkiError('pki.template.invalid', message, { at: { path } });

/**
 * Makes a template of an administrator's choices.
 *
 * @throws PkiError `pki.template.invalid` with the name of the option in `at.path`.
 */
export function clientTemplate(options: ClientTemplateOptions = {}): CertificateTemplate {
  const { hash = 'sha384', minRsaBits = 2048, lifetimeDays = 365, usage = 'both', customOids = [] } = options;
  if (!['sha256', 'sha384', 'sha512'].includes(hash)) throw invalid('hash', 'the hash is SHA-256, SHA-384 or SHA-512');
  if (!Number.isInteger(minRsaBits) || minRsaBits < 1024 || minRsaBits > 8192) {
    throw invalid('minRsaBits', 'the least key size is 1024 to 8192 bits');
  }
  if (!(lifetimeDays >= shortestLifetimeDays && lifetimeDays <= 36_500)) {
    throw invalid('lifetimeDays', `certificates live for ${shortestLifetimeDays} to 36500 days`);
  }
  if (!['signing', 'encryption', 'both'].includes(usage)) throw invalid('usage', 'for signing, encryption, or both');
  const extended: string[] = [
    ...((options.clientAuth ?? true) ? [oids.clientAuth] : []),
    ...(options.ipsec ? [oids.ipsecIke] : []),
    ...(options.smartCardLogon ? [oids.smartCardLogon] : []),
  ];
  for (const custom of customOids) {
    if (!/^[0-2](\.(0|[1-9]\d{0,14})){1,31}$/.test(custom))
      throw invalid('customOids', `not an OID: ${custom.slice(0, 80)}`);
    if (!extended.includes(custom)) extended.push(custom);
  }
  return {
    keyUsage: [
      ...(usage === 'encryption' ? [] : (['digitalSignature'] as const)),
      ...(usage === 'signing' ? [] : (['keyEncipherment'] as const)),
    ],
    extendedKeyUsage: extended,
    hash,
    minRsaBits,
    validityDays: lifetimeDays,
    minValidityDays: shortestLifetimeDays,
    clampToCa: options.limitedByCa ?? true,
  };
}

/**
 * Checks that the keys which an enrolment asks for are ones that the template certifies: at saving, so that no device
 * finds out.
 *
 * @throws PkiError `pki.template.key`.
 */
export function checkTemplateKey(template: CertificateTemplate, key: KeySpec): void {
  const least = template.minRsaBits ?? 2048;
  if (key.type === 'rsa' && key.bits < least) {
    throw new PkiError('pki.template.key', `the template refuses RSA keys of ${key.bits} bits: it asks for ${least}`, {
      remedy: 'Ask devices for larger keys, or lower the least key size of the template.',
    });
  }
  if (key.type === 'ec' && template.keyUsage.every((usage) => usage === 'keyEncipherment')) {
    throw new PkiError('pki.template.key', 'elliptic-curve keys cannot do what the template certifies: encryption', {
      remedy: 'Ask devices for RSA keys, or let the template certify signing, too.',
    });
  }
}
