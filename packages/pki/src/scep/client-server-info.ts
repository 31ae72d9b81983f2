// What a SCEP client learns of a server first: its capabilities and certificates.
import { createHash } from 'node:crypto';
import { parseSignedData } from '../cms/signed-read.ts';
import { PkiError } from '../errors.ts';
import { oids } from '../oids.ts';
import { extensionOf, type ParsedCertificate, parseCertificate } from '../x509/certificate.ts';
import { readBasicConstraints, readKeyUsage } from '../x509/extensions.ts';
import { readBody } from './http.ts';

/** How requests are sent; the global `fetch` fits. */
export type FetchFunction = (request: Request) => Promise<Response>;

/** Where a SCEP server is. */
export interface ScepEndpoint {
  readonly url: string | URL;
  readonly fetch: FetchFunction;
  /** Aborts the request. */
  readonly signal?: AbortSignal;
}

/** What a SCEP server says of itself; may be kept and shared among many enrolments. */
export interface ScepServerInfo {
  /** In upper case: `AES`, `SHA-256`, `POSTPKIOPERATION`, `RENEWAL`, … */
  readonly capabilities: ReadonlySet<string>;
  /** Every certificate of GetCACert, DER, in the server's order. */
  readonly certificates: readonly Uint8Array[];
  /** The authority that issues. */
  readonly ca: Uint8Array;
  /** The certificate requests are encrypted to: a registration authority's, or the authority itself. */
  readonly encryption: Uint8Array;
}

const maxReply = 1024 * 1024;

/** Sends one request; any other status than 200 is `pki.scep.http`. */
export async function scepCall(
  endpoint: ScepEndpoint,
  operation: string,
  message?: { readonly get: string } | { readonly post: Uint8Array },
): Promise<{ readonly body: Uint8Array; readonly contentType: string }> {
  const url = new URL(endpoint.url);
  url.searchParams.set('operation', operation);
  if (message && 'get' in message) url.searchParams.set('message', message.get);
  const init: RequestInit =
    message && 'post' in message
      ? {
          method: 'POST',
          body: Uint8Array.from(message.post),
          headers: { 'content-type': 'application/x-pki-message' },
        }
      : { method: 'GET' };
  if (endpoint.signal) init.signal = endpoint.signal;
  let response: Response;
  try {
    response = await endpoint.fetch(new Request(url, init));
  } catch (cause) {
    throw new PkiError('pki.scep.unreachable', 'the SCEP server cannot be reached', { kind: 'unavailable', cause });
  }
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new PkiError('pki.scep.http', `the SCEP server answered ${operation} with HTTP ${response.status}`, {
      kind: response.status >= 500 ? 'unavailable' : 'invalid',
    });
  }
  const contentType = (response.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  return { body: await readBody(response, maxReply), contentType };
}

/** The hash that a fingerprint's length stands for. */
const fingerprintHashes = new Map([
  [32, 'md5'],
  [40, 'sha1'],
  [64, 'sha256'],
  [128, 'sha512'],
]);

/** What to ask a server for, and what to expect. */
export interface ScepServerInfoOptions extends ScepEndpoint {
  /** Name of the authority on servers with several. */
  readonly caIdentifier?: string;
  /** Hex fingerprint of the authority's certificate (MD5, SHA-1, SHA-256 or SHA-512, by length); colons allowed. */
  readonly caFingerprint?: string;
}

/**
 * Asks a SCEP server for its capabilities and certificates.
 *
 * @throws PkiError `pki.scep.fingerprint` when no authority has the expected fingerprint, `pki.scep.unreachable`,
 * `pki.scep.http`, `pki.scep.malformed`.
 */
export async function getScepServerInfo(options: ScepServerInfoOptions): Promise<ScepServerInfo> {
  const message = options.caIdentifier === undefined ? undefined : { get: options.caIdentifier };
  const reply = await scepCall(options, 'GetCACert', message);
  const bundled = reply.contentType === 'application/x-x509-ca-ra-cert';
  const certificates = bundled
    ? parseSignedData(reply.body).certificates.map((der) => Uint8Array.from(der))
    : [Uint8Array.from(reply.body)];
  const parsed = certificates.map((der) => parseCertificate(der));
  const ca = chooseCa(parsed, options.caFingerprint);
  const capabilities = await readCapabilities(options, message);
  return { capabilities, certificates, ca: ca.der, encryption: chooseEncryption(parsed, ca).der };
}

/** A server that does not know GetCACaps has none (RFC 8894, 3.5.1). */
async function readCapabilities(
  endpoint: ScepEndpoint,
  message: { readonly get: string } | undefined,
): Promise<ReadonlySet<string>> {
  try {
    const { body } = await scepCall(endpoint, 'GetCACaps', message);
    const lines = Buffer.from(body).toString('latin1').split(/\r?\n/);
    return new Set(lines.map((line) => line.trim().toUpperCase()).filter((line) => line !== ''));
  } catch (error) {
    const unknown =
      error instanceof PkiError && (error.code === 'pki.scep.http' || error.code === 'pki.scep.malformed');
    if (unknown && error.kind !== 'unavailable') return new Set();
    throw error;
  }
}

const isCa = (certificate: ParsedCertificate): boolean => {
  const value = extensionOf(certificate, oids.basicConstraints);
  return value !== undefined && readBasicConstraints(value).ca;
};

const isRsa = (certificate: ParsedCertificate): boolean => certificate.keyFacts().type === 'rsa';

/** The authority: the one with the fingerprint, else the one that issued the others here. */
function chooseCa(certificates: readonly ParsedCertificate[], fingerprint: string | undefined): ParsedCertificate {
  if (fingerprint !== undefined) {
    const wanted = fingerprint.replaceAll(/[:\s]/g, '').toLowerCase();
    const hash = fingerprintHashes.get(wanted.length);
    if (!hash || !/^[0-9a-f]+$/.test(wanted)) {
      throw new PkiError('pki.scep.fingerprint', 'the fingerprint is not one of a known length in hex');
    }
    const found = certificates.find((item) => createHash(hash).update(item.der).digest('hex') === wanted);
    if (!found) {
      throw new PkiError('pki.scep.fingerprint', 'the SCEP server has no certificate with the expected fingerprint', {
        kind: 'unauthenticated',
      });
    }
    return found;
  }
  const first = certificates[0];
  if (!first) throw new PkiError('pki.scep.malformed', 'the SCEP server sent no certificate');
  const issuer = certificates.find(
    (item) => isCa(item) && Buffer.compare(item.subjectDer, first.issuerDer) === 0 && !isCa(first),
  );
  return issuer ?? certificates.find(isCa) ?? first;
}

/** A registration authority's encryption certificate if there is one, else the authority's. */
function chooseEncryption(certificates: readonly ParsedCertificate[], ca: ParsedCertificate): ParsedCertificate {
  const encrypts = (item: ParsedCertificate): boolean => {
    const usage = extensionOf(item, oids.keyUsage);
    return isRsa(item) && (usage === undefined || readKeyUsage(usage).includes('keyEncipherment'));
  };
  const ra = certificates.find((item) => !isCa(item) && encrypts(item));
  const chosen = ra ?? (isRsa(ca) ? ca : undefined);
  if (!chosen) throw new PkiError('pki.scep.no_encryption', 'no certificate of the SCEP server can be encrypted to');
  return chosen;
}
