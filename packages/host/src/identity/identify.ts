// Who is at the door: finds the device's certificate in a request, checks its signature and its chain.
import { createHash } from 'node:crypto';
import type { DeviceIdentity } from '@espalier/core';
import { readCertificate, verifyMdmSignature, verifyTrust } from '@espalier/pki';
import { HostError, isEspalierError } from '../errors.ts';
import type { ProxyList } from '../http/addresses.ts';
import type { Headed } from '../http/message.ts';
import type { ConnectionInfo } from '../types.ts';
import { checkForwarded, type ForwardedFormat, forwardedBytes } from './forwarded.ts';

/** One way a device can prove itself. */
export type IdentitySource = 'mdm-signature' | 'tls' | 'forwarded';

/** How devices are identified. */
export interface IdentityOptions {
  /** The roots (DER) that device certificates must chain to. */
  readonly anchors: readonly Uint8Array[];
  /** CA certificates between device and root (DER). */
  readonly intermediates?: readonly Uint8Array[];
  /** Which proofs are accepted; the first one present decides (default: `mdm-signature`, then `tls`). */
  readonly sources?: readonly IdentitySource[];
  /**
   * For how many days after its end a certificate is let through to get its renewal, and nothing else (CERT-10, CERT-14;
   * default 30).
   */
  readonly renewalGraceDays?: number;
  /** The header of `forwarded`; only read when the peer is one of `trustedProxies`. */
  readonly forwarded?: { readonly header: string; readonly format: ForwardedFormat };
}

/** Identifies the sender of a request. */
export interface Identifier {
  /**
   * Whether the request brings any proof at all, told before its body is read.
   * @throws HostError `host.identity.missing` (unauthenticated)
   */
  require(request: Headed, info: ConnectionInfo): void;
  /**
   * The verified identity.
   * @throws HostError `host.identity.missing`, `host.identity.bad_signature`, `host.identity.untrusted` (unauthenticated)
   */
  identify(request: Headed, info: ConnectionInfo, body: Uint8Array): DeviceIdentity;
}

/** A verified chain is believed for this long before it is verified again. */
const TRUST_MS = 600_000;
const TRUST_ENTRIES = 20_000;
const DAY_MS = 86_400_000;
/** An `Mdm-Signature` is a few kilobytes; Node itself refuses headers above 16 KiB in total. */
const MAX_SIGNATURE = 65_536;

/** Makes the identifier of a host. */
export function createIdentifier(options: IdentityOptions, proxies: ProxyList, now: () => number): Identifier {
  const sources = options.sources ?? ['mdm-signature', 'tls'];
  if (options.anchors.length === 0) {
    throw new HostError('internal', 'host.options', 'identity.anchors is empty: no device could ever be trusted.');
  }
  if (sources.includes('forwarded') && !options.forwarded) {
    throw new HostError('internal', 'host.options', 'The identity source "forwarded" needs identity.forwarded.');
  }
  const believed = createBelief(now);
  const graceMs = (options.renewalGraceDays ?? 30) * DAY_MS;

  function present(source: IdentitySource, request: Headed, info: ConnectionInfo): boolean {
    if (source === 'mdm-signature') return request.headers.has('mdm-signature');
    if (source === 'tls') return info.clientCertificate !== undefined;
    return (
      options.forwarded !== undefined &&
      proxies.has(info.remoteAddress) &&
      request.headers.has(options.forwarded.header)
    );
  }

  function choose(request: Headed, info: ConnectionInfo): IdentitySource {
    const source = sources.find((candidate) => present(candidate, request, info));
    if (source !== undefined) return source;
    throw new HostError('unauthenticated', 'host.identity.missing', 'The request has no proof of who sent it.', {
      remedy: 'Sign the body (Mdm-Signature) or connect with the device certificate.',
    });
  }

  function certificateOf(source: IdentitySource, request: Headed, info: ConnectionInfo, body: Uint8Array): Uint8Array {
    if (source === 'tls') return info.clientCertificate as Uint8Array;
    if (source === 'forwarded') {
      const { header, format } = options.forwarded as NonNullable<IdentityOptions['forwarded']>;
      return forwardedBytes(request.headers.get(header) as string, format);
    }
    const header = request.headers.get('mdm-signature') as string;
    if (header.length > MAX_SIGNATURE) throw badSignature('The Mdm-Signature header is too long.');
    try {
      return verifyMdmSignature(header, body);
    } catch (cause) {
      if (!isEspalierError(cause)) throw cause;
      throw badSignature(`The Mdm-Signature does not hold: ${cause.message}`, cause);
    }
  }

  return {
    require(request, info) {
      choose(request, info);
    },
    identify(request, info, body) {
      const source = choose(request, info);
      const certificate = certificateOf(source, request, info, body);
      const fingerprint = createHash('sha256').update(certificate).digest('hex');
      const notAfter = believed.check(fingerprint, () => {
        if (source === 'forwarded') checkForwarded(certificate);
        try {
          verifyTrust(certificate, {
            anchors: options.anchors,
            ...(options.intermediates ? { intermediates: options.intermediates } : {}),
            now: now(),
            graceMs,
            // The CA's other certificates (TLS servers, profile signers) name no device.
            purpose: 'client-auth',
          });
          return Number(readCertificate(certificate).notAfter);
        } catch (cause) {
          if (!isEspalierError(cause)) throw cause;
          throw new HostError(
            'unauthenticated',
            'host.identity.untrusted',
            `The certificate is not trusted: ${cause.message}`,
            {
              cause,
            },
          );
        }
      });
      return { fingerprint, certificate, source, ...(now() > notAfter ? { expired: true } : {}) };
    },
  };
}

/** Remembers verified certificates for a while: a fleet polls far more often than its certificates change. */
function createBelief(now: () => number) {
  const held = new Map<string, { readonly until: number; readonly notAfter: number }>();
  return {
    /** When the certificate ends, as `verify` tells, which throws for one that is not trusted. */
    check(fingerprint: string, verify: () => number): number {
      const known = held.get(fingerprint);
      if (known !== undefined && known.until > now()) return known.notAfter;
      held.delete(fingerprint);
      const notAfter = verify();
      // One that has ended is looked at each time: its grace may be over.
      held.set(fingerprint, { until: Math.min(now() + TRUST_MS, notAfter), notAfter });
      if (held.size > TRUST_ENTRIES) held.delete(held.keys().next().value as string);
      return notAfter;
    },
  };
}

function badSignature(message: string, cause?: unknown): HostError {
  return new HostError('unauthenticated', 'host.identity.bad_signature', message, { cause });
}
