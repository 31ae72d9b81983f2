// What an authority that only forwards requests checks: the request before, the certificate after.
import { PkiError } from '../errors.ts';
import { oids } from '../oids.ts';
import {
  describeCertificate,
  extensionOf,
  isSignedBy,
  type ParsedCertificate,
  parseCertificate,
} from '../x509/certificate.ts';
import { type CertificateRequest, readCsr } from '../x509/csr.ts';
import { readBasicConstraints } from '../x509/extensions.ts';
import { type AlternativeName, encodeGeneralNames } from '../x509/general-name.ts';
import { type DistinguishedName, decodeName, encodeName } from '../x509/name.ts';
import type { IssueRequest } from './authority.ts';
import { resolveTemplate } from './templates.ts';

const unsupported = (message: string): PkiError =>
  new PkiError('pki.ca.unsupported', message, {
    remedy: 'This authority forwards the CSR as it is: ask the requester for one that says what is wanted.',
  });

/**
 * Reads the CSR of a request for an authority that cannot change it.
 *
 * @throws PkiError `pki.ca.unsupported` when the request wants anything that is not in the CSR, `pki.key.weak`, and as
 * `readCsr`.
 */
export function checkForwarded(request: IssueRequest, keys?: readonly ('rsa' | 'ec')[]): CertificateRequest {
  if (!request.csr) throw unsupported('a request to this authority needs the CSR of the requester');
  const csr = readCsr(request.csr);
  if (keys && !keys.includes(csr.key.type))
    throw unsupported(`this authority certifies ${keys.join(' and ')} keys only`);
  if (request.publicKey && Buffer.compare(Buffer.from(request.publicKey), csr.publicKey) !== 0) {
    throw unsupported('the CSR is for another key');
  }
  const least = resolveTemplate(request.template).minRsaBits ?? 2048;
  if (csr.key.type === 'rsa' && csr.key.bits < least) {
    throw new PkiError('pki.key.weak', `the template asks for RSA keys of ${least} bits`);
  }
  if (request.subject !== undefined && partsOf(decodeName(encodeName(request.subject))) !== partsOf(csr.subjectName)) {
    throw unsupported('the subject of the CSR is not the one that was granted');
  }
  if (request.sans !== undefined && !sameNames(request.sans, csr.sans)) {
    throw unsupported('the alternative names of the CSR are not the ones that were granted');
  }
  if (request.serial !== undefined || (request.extensions?.length ?? 0) > 0) {
    throw unsupported('serial numbers and extensions are for the issuer to choose');
  }
  return csr;
}

const keyOf = (name: AlternativeName): string => Buffer.from(encodeGeneralNames([name])).toString('hex');

function sameNames(a: readonly AlternativeName[], b: readonly AlternativeName[]): boolean {
  const [left, right] = [a, b].map((names) => names.map(keyOf).sort().join());
  return left === right;
}

/** A name whatever its string types: requesters choose their own. */
const partsOf = (name: DistinguishedName): string => JSON.stringify(name.map((rdn) => rdn.map(Object.values)));

/** Attributes of a name whatever their order and string type: issuers write names anew. */
const attributesOf = (name: DistinguishedName): string =>
  name
    .flat()
    .map(({ type, value }) => `${type}=${value}`)
    .sort()
    .join('\n');

const mismatch = (message: string): PkiError =>
  new PkiError('pki.ca.mismatch', `the issuer answered with another certificate than asked for: ${message}`, {
    kind: 'internal',
  });

/**
 * Checks what an issuer made of a request: key, names, issuer, validity, and that it is no authority.
 *
 * @throws PkiError `pki.ca.mismatch` (kind `internal`).
 */
export function checkIssued(der: Uint8Array, csr: CertificateRequest, issuer: ParsedCertificate, now: number): void {
  const parsed = parseCertificate(der);
  if (Buffer.compare(parsed.spki, Buffer.from(csr.publicKey)) !== 0) throw mismatch('it is for another key');
  const signed =
    Buffer.compare(parsed.issuerDer, issuer.subjectDer) === 0 && isSignedBy(parsed, issuer, { allowSha1: true });
  if (!signed) throw mismatch('it is not signed by the authority');
  const constraints = extensionOf(parsed, oids.basicConstraints);
  if (constraints && readBasicConstraints(constraints).ca) throw mismatch('it is one of an authority');
  if (!(parsed.notAfter > now)) throw mismatch('it has ended already');
  const certificate = describeCertificate(parsed);
  if (attributesOf(certificate.subjectName) !== attributesOf(csr.subjectName)) throw mismatch('it has another subject');
  if (!sameNames(certificate.sans, csr.sans)) throw mismatch('it has other alternative names');
}
