// Reads the client certificate that a trusted proxy puts into a header, in the three forms that proxies write.
import { X509Certificate } from 'node:crypto';
import { HostError } from '../errors.ts';

/**
 * How the proxy writes the certificate.
 * - `pem`: PEM, URL-encoded as nginx's `$ssl_client_escaped_cert` and AWS load balancers do it, or with spaces or tabs where
 *   its lines end, as Apache and nginx's older `$ssl_client_cert` do it; also the base64 between the lines alone, as Traefik
 *   and HAProxy (`base64` of DER) send it;
 * - `xfcc`: Envoy's `x-forwarded-client-cert`, element key `Cert`, or the first of `Chain`;
 * - `rfc9440`: `Client-Cert` of RFC 9440, base64 DER between colons.
 */
export type ForwardedFormat = 'pem' | 'xfcc' | 'rfc9440';

/** The longest header value that is looked at. */
const MAX_LENGTH = 16_384;

/**
 * The bytes in a header value that should be a certificate (DER). Whether they are is told by {@link checkForwarded}, which
 * costs more and is of no use for bytes that were a certificate the last time.
 * @throws HostError `host.identity.untrusted` when nothing of the kind is in it.
 */
export function forwardedBytes(value: string, format: ForwardedFormat): Uint8Array {
  if (value.length > MAX_LENGTH) throw unreadable('it is too long');
  try {
    if (format === 'rfc9440') return new Uint8Array(Buffer.from(betweenColons(value), 'base64'));
    const text = decodeURIComponent(format === 'xfcc' ? xfccCertificate(value) : value);
    return new Uint8Array(Buffer.from(firstBase64(text), 'base64'));
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    throw unreadable('it holds no certificate', cause);
  }
}

/** Whether bytes are one certificate, and nothing more. @throws HostError `host.identity.untrusted` */
export function checkForwarded(bytes: Uint8Array): void {
  let whole: Uint8Array;
  try {
    whole = new X509Certificate(bytes).raw;
  } catch (cause) {
    throw unreadable('it holds no certificate', cause);
  }
  if (whole.byteLength !== bytes.byteLength) throw unreadable('it holds more than a certificate');
}

/** The base64 of the first PEM block, however its lines were joined; or the text itself where there is no block. */
function firstBase64(text: string): string {
  const begin = '-----BEGIN CERTIFICATE-----';
  const start = text.indexOf(begin);
  const end = text.indexOf('-----END CERTIFICATE-----', start);
  if (start >= 0 && end < 0) throw unreadable('its PEM has no end');
  const inside = start < 0 ? text : text.slice(start + begin.length, end);
  const base64 = inside.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw unreadable('it is neither PEM nor base64');
  return base64;
}

function betweenColons(value: string): string {
  const match = /^\s*:([A-Za-z0-9+/=]+):\s*$/.exec(value);
  if (!match) throw unreadable('it is not a byte sequence of RFC 8941');
  return match[1] as string;
}

/** The `Cert` of the last element: the certificate that the proxy nearest to this server saw itself. */
function xfccCertificate(value: string): string {
  const elements = splitOutsideQuotes(value, ',');
  const pairs = new Map<string, string>();
  for (const pair of splitOutsideQuotes(elements.at(-1) ?? '', ';')) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, Math.max(0, equals)).trim().toLowerCase();
    const content = pair.slice(equals + 1).trim();
    // Of a key that is there twice (DNS, URI) the first; Envoy writes Cert and Chain once.
    if (!pairs.has(key))
      pairs.set(key, content.startsWith('"') ? content.slice(1, -1).replaceAll('\\"', '"') : content);
  }
  const found = pairs.get('cert') ?? pairs.get('chain');
  if (found === undefined) throw unreadable('its last element has no Cert');
  return found;
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (character === '\\' && quoted) index += 1;
    else if (character === '"') quoted = !quoted;
    else if (character === separator && !quoted) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function unreadable(why: string, cause?: unknown): HostError {
  return new HostError(
    'unauthenticated',
    'host.identity.untrusted',
    `The forwarded certificate is unreadable: ${why}.`,
    {
      cause,
    },
  );
}
