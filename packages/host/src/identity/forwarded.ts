// Reads the client certificate that a trusted proxy puts into a header, in the three forms that proxies write.
import { X509Certificate } from 'node:crypto';
import { HostError } from '../errors.ts';

/**
 * How the proxy writes the certificate.
 * - `pem`: URL-encoded PEM, as nginx's `$ssl_client_escaped_cert` and AWS load balancers do;
 * - `xfcc`: Envoy's `x-forwarded-client-cert`, element key `Cert`;
 * - `rfc9440`: `Client-Cert` of RFC 9440, base64 DER between colons.
 */
export type ForwardedFormat = 'pem' | 'xfcc' | 'rfc9440';

/** The longest header value that is looked at. */
const MAX_LENGTH = 16_384;

/**
 * The certificate (DER) in a header value.
 * @throws HostError `host.identity.untrusted` when there is none in it.
 */
export function readForwarded(value: string, format: ForwardedFormat): Uint8Array {
  if (value.length > MAX_LENGTH) throw unreadable('it is too long');
  try {
    const input =
      format === 'rfc9440'
        ? Buffer.from(betweenColons(value), 'base64')
        : decodeURIComponent(format === 'xfcc' ? xfccCertificate(value) : value);
    return new X509Certificate(input).raw;
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    throw unreadable('it holds no certificate', cause);
  }
}

function betweenColons(value: string): string {
  const match = /^\s*:([A-Za-z0-9+/=]+):\s*$/.exec(value);
  if (!match) throw unreadable('it is not a byte sequence of RFC 8941');
  return match[1] as string;
}

/** The `Cert` of the last element: the certificate that the proxy nearest to this server saw itself. */
function xfccCertificate(value: string): string {
  const elements = splitOutsideQuotes(value, ',');
  for (const pair of splitOutsideQuotes(elements.at(-1) ?? '', ';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || pair.slice(0, equals).trim().toLowerCase() !== 'cert') continue;
    const content = pair.slice(equals + 1).trim();
    return content.startsWith('"') ? content.slice(1, -1).replaceAll('\\"', '"') : content;
  }
  throw unreadable('its last element has no Cert');
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
