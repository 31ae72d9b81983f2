// The chain of an authority as an administrator uploads it: exactly these certificates are believed (CERT-12).
import { PkiError } from '../errors.ts';
import { isSignedBy, parseCertificate } from './certificate.ts';
import { readCertificateFile } from './files.ts';

/**
 * Reads the file with an authority's certificate and those of its issuers, in any order and form, and puts them in
 * order: the one that issues first, then its issuers, nearest first. For `chain` of `openScepProxy`, where the server behind it
 * sends more certificates than are wanted.
 *
 * @param content PEM, DER or PKCS#7.
 * @throws PkiError `pki.ca.chain` for a certificate that is no authority's, and for certificates that are no single chain;
 * and as `readCertificateFile` (a private key in the file).
 * @example
 * const authority = await openScepProxy({ url, fetch, ra, clock, chain: readAuthorityChain(readFileSync('chain.pem')) });
 */
export function readAuthorityChain(content: Uint8Array): Uint8Array[] {
  const read = readCertificateFile(content);
  const stranger = read.findIndex(({ kind }) => kind === 'leaf');
  if (stranger >= 0) {
    throw new PkiError('pki.ca.chain', `certificate ${stranger + 1} of the file is no authority's`, {
      remedy: 'Leave out what is not an authority.',
    });
  }
  const left = read.map(({ certificate }) => parseCertificate(certificate));
  const issued = (issuer: (typeof left)[number]) =>
    left.find(
      (item) =>
        item !== issuer &&
        Buffer.compare(item.issuerDer, issuer.subjectDer) === 0 &&
        isSignedBy(item, issuer, { allowSha1: true }),
    );
  // The one that issues has issued none of the others.
  const heads = left.filter((item) => issued(item) === undefined);
  const [head] = heads;
  const chain = head === undefined ? [] : [head];
  for (let last = head; last !== undefined; ) {
    const below = last;
    last = left.find((item) => !chain.includes(item) && issued(item) === below);
    if (last !== undefined) chain.push(last);
  }
  if (heads.length !== 1 || chain.length !== left.length) {
    throw new PkiError('pki.ca.chain', 'the certificates of the file are not one chain', {
      remedy: 'Give the authority that issues, its issuers up to the root, and nothing else.',
    });
  }
  return chain.map(({ der }) => Uint8Array.from(der));
}
