// Certificates of a profile: in as PEM, DER or base64 of DER, out as Apple wants them.
import { fromPem, isPkiError, readCertificate } from '@espalier/pki';

/** The DER of a certificate given in any of the forms; undefined when it is none. */
export function decodeCertificate(input: unknown): Uint8Array | undefined {
  try {
    const der = bytesOf(input);
    if (der === undefined) return undefined;
    readCertificate(der);
    return der;
  } catch (error) {
    if (isPkiError(error)) return undefined;
    throw error;
  }
}

function bytesOf(input: unknown): Uint8Array | undefined {
  if (input instanceof Uint8Array) {
    const pem = input[0] === 0x2d;
    return pem ? fromPem(Buffer.from(input).toString('latin1'), 'CERTIFICATE') : input;
  }
  if (typeof input !== 'string' || input.length > 128 * 1024) return undefined;
  if (input.includes('-----BEGIN')) return fromPem(input, 'CERTIFICATE');
  const compact = input.replace(/\s+/g, '');
  if (compact === '' || compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) return undefined;
  return Uint8Array.from(Buffer.from(compact, 'base64'));
}
