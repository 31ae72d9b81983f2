// The host's SCEP server: over the engine's store, with what the options say of challenges, approval and certificates.
import type { Engine } from '@espalier/core';
import {
  type CaCertificate,
  type CertificateAuthority,
  createScepServer,
  type PrivateKeyInput,
  type ScepServer,
  type ScepServerOptions,
  type Signer,
} from '@espalier/pki';
import { HostError, isEspalierError } from '../errors.ts';
import type { IdentityOptions } from '../identity/identify.ts';
import type { Logger } from '../types.ts';
import { challengeJudge, type ScepChallengeOptions } from './challenge.ts';
import type { IdentityCertificates } from './identity-certificate.ts';
import type { Revocation } from './revocation.ts';

/** The registration authority that devices encrypt their requests to, in place of the authority. */
export interface ScepRegistrar {
  /** DER, with an RSA key: template `scep-ra`. Issued by the authority, where clients want that (strongSwan's does). */
  readonly certificate: Uint8Array;
  /** PKCS#8; or `signer`. */
  readonly privateKey?: PrivateKeyInput;
  readonly signer?: Signer;
}

/** What the server is made of. */
export interface HostScepInput {
  readonly engine: Engine;
  readonly ca: CertificateAuthority;
  readonly ra: ScepRegistrar | undefined;
  readonly identity: IdentityOptions;
  readonly certificates: IdentityCertificates;
  readonly challenge: ScepChallengeOptions;
  readonly approval: 'never' | 'without-challenge' | 'always';
  readonly nextCa: ScepServerOptions['nextCa'];
  /** Authorities before this one. */
  readonly earlier: readonly (CaCertificate & { readonly signer?: Signer })[];
  readonly revocation: Revocation | null;
  readonly logger: Logger;
}

/**
 * SCEP answers refusals inside its own protocol; the log has them too.
 * @throws HostError `host.options` where nobody could read what devices send.
 */
export function hostScepServer(input: HostScepInput): ScepServer {
  const { engine, ca, ra, identity, certificates, challenge, approval, nextCa, earlier, revocation, logger } = input;
  const options: ScepServerOptions = {
    ca,
    store: engine.enrolling.scepStore,
    clock: engine.clock,
    ...(ra === undefined ? {} : { ra }),
    ...(certificates.template === undefined ? {} : { template: certificates.template }),
    contents: certificates.contents,
    ...(challenge.verify === undefined ? {} : { delegate: challengeJudge(engine, challenge.verify) }),
    ...(approval === 'never'
      ? {}
      : {
          approve: async ({ grant }) =>
            grant !== null && approval === 'without-challenge' ? { decision: 'issue', grant } : { decision: 'pending' },
        }),
    renewal: {
      authorise: ({ certificate }) => engine.enrolling.authoriseRenewal(certificate),
      graceDays: identity.renewalGraceDays ?? 30,
      // Authorities before this one, whose certificates devices still have.
      previousCas: identity.anchors.filter((anchor) => Buffer.compare(anchor, ca.certificate) !== 0),
    },
    ...(nextCa === undefined ? {} : { nextCa }),
    earlier: earlier.map(({ certificate, chain = [], signer }) => {
      const crl = revocation?.crlOf(certificate);
      return {
        ...{ certificate, chain },
        ...(crl === undefined ? {} : { crl }),
        ...(signer === undefined ? {} : { signer }),
      };
    }),
    ...(revocation === null ? {} : { crl: revocation.crl }),
    onEvent: ({ type, error, ...event }) => {
      if (type === 'error') logger.error({ ...event, err: error }, 'scep failed');
      else if (type === 'refused' || type === 'malformed') logger.warn(event, `scep request ${type}`);
      else logger.info(event, `scep request ${type}`);
    },
  };
  try {
    return createScepServer(options);
  } catch (cause) {
    if (!isEspalierError(cause)) throw cause;
    throw new HostError('invalid', 'host.options', `scepRegistrar: ${cause.message} (${cause.code})`, {
      ...{ cause, at: { path: 'scepRegistrar' } },
      remedy: 'Give scepRegistrar an RSA identity of the template scep-ra, or a SCEP server of your own as scep.',
    });
  }
}
