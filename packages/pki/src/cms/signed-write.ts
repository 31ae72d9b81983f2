// Writing CMS SignedData.
import { context, contextPrimitive, INTEGER, OCTET_STRING, SEQUENCE } from '../der/tags.ts';
import { type Bytes, concat, integer, octets, oid, pieces, sequence, set, setOf, time, tlv } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import {
  cmsSignatureIdentifier,
  digestIdentifier,
  digestOf,
  type HashName,
  keyTypeOf,
  signNow,
} from '../keys/algorithms.ts';
import { importPrivateKey, type PrivateKeyInput, publicHalf, readPublicKey } from '../keys/keys.ts';
import type { Signer } from '../keys/signer.ts';
import { oids } from '../oids.ts';
import { parseCertificateCached } from '../x509/cache.ts';
import { extensionOf, type ParsedCertificate } from '../x509/certificate.ts';
import { readSubjectKeyIdentifier } from '../x509/extensions.ts';
import { contentInfo } from './types.ts';

/** How to sign. */
export interface SignCmsOptions {
  /** The signer's certificate, DER. */
  readonly certificate: Uint8Array;
  /** Further certificates to include (the chain), DER. */
  readonly chain?: readonly Uint8Array[];
  /** Leave the content out of the message. Default false. */
  readonly detached?: boolean;
  /** The claimed time of signing; left out if absent. */
  readonly signingTime?: Date | number;
  /** Default `sha256`. */
  readonly hash?: Exclude<HashName, 'sha1'>;
  /** Name the signer by issuer and serial number (default) or by subject key identifier. */
  readonly signerIdentifier?: 'issuer-and-serial' | 'subject-key-identifier';
  /** Type of the content. Default id-data. */
  readonly contentType?: string;
  /** Further signed attributes: whole Attribute encodings. */
  readonly attributes?: readonly Uint8Array[];
  /** Sign the content directly, without signed attributes. Default false. */
  readonly noAttributes?: boolean;
}

interface Prepared {
  readonly toSign: Uint8Array;
  finish(signature: Uint8Array): Bytes;
}

/** One signed attribute with one value. */
export const attribute = (type: string, value: Uint8Array): Bytes => sequence(oid(type), set(value));

function prepare(
  content: Uint8Array | null,
  options: SignCmsOptions,
  certificate: ParsedCertificate,
  keyType: 'rsa' | 'ec',
): Prepared {
  const { hash = 'sha256', contentType = oids.data } = options;
  const body = content ?? new Uint8Array();
  let signedAttributes: Bytes | null = null;
  if (!options.noAttributes) {
    const attributes: Uint8Array[] = [
      attribute(oids.contentType, oid(contentType)),
      attribute(oids.messageDigest, octets(digestOf(hash, body))),
      ...(options.attributes ?? []),
    ];
    if (options.signingTime !== undefined) {
      attributes.push(attribute(oids.signingTime, time(Number(options.signingTime))));
    }
    signedAttributes = setOf(attributes);
  }
  const bySki = options.signerIdentifier === 'subject-key-identifier';
  const digest = digestIdentifier(hash);
  return {
    toSign: signedAttributes ?? body,
    finish(signature) {
      const info = sequence(
        integer(bySki ? 3 : 1),
        signerIdentifier(certificate, bySki),
        digest,
        ...(signedAttributes ? [retag(signedAttributes, context(0))] : []),
        cmsSignatureIdentifier(keyType, hash),
        octets(signature),
      );
      const encapsulated =
        options.detached || content === null
          ? [sequence(oid(contentType))]
          : pieces(SEQUENCE, [oid(contentType), ...pieces(context(0), pieces(OCTET_STRING, [content]))]);
      const version = integer(bySki || contentType !== oids.data ? 3 : 1);
      const certificates = certificateSet(certificate, options.chain ?? []);
      const data = pieces(SEQUENCE, [version, set(digest), ...encapsulated, certificates, set(info)]);
      return concat(pieces(SEQUENCE, [oid(oids.signedData), ...pieces(context(0), data)]));
    },
  };
}

function retag(der: Bytes, tagOctet: number): Bytes {
  const out = Uint8Array.from(der);
  out[0] = tagOctet;
  return out;
}

function certificateSet(own: ParsedCertificate, chain: readonly Uint8Array[]): Bytes {
  if (chain.length === 0) return tlv(context(0), own.der);
  const seen = new Map<string, Uint8Array>([[own.fingerprint, own.der]]);
  for (const der of chain) seen.set(parseCertificateCached(der).fingerprint, der);
  return setOf([...seen.values()], context(0));
}

function signerIdentifier(certificate: ParsedCertificate, bySki: boolean): Bytes {
  if (!bySki) return issuerAndSerial(certificate);
  const value = extensionOf(certificate, oids.subjectKeyIdentifier);
  if (!value) throw new PkiError('pki.cms.no_key_identifier', 'the certificate has no subject key identifier');
  return tlv(contextPrimitive(0), readSubjectKeyIdentifier(value));
}

/** IssuerAndSerialNumber of a certificate. */
export const issuerAndSerial = (certificate: ParsedCertificate): Bytes =>
  sequence(certificate.issuerDer, tlv(INTEGER, certificate.serial));

/**
 * Signs content as CMS SignedData with a key in this process, at once.
 *
 * @param content what is signed; with `detached` it is left out of the message.
 * @returns the ContentInfo, DER.
 * @throws PkiError `pki.key.invalid`, `pki.cms.key_mismatch` when the key is not the certificate's.
 * @example
 * const mobileconfig = signCms(profile, { certificate, privateKey, chain });
 */
export function signCms(
  content: Uint8Array,
  options: SignCmsOptions & { readonly privateKey: PrivateKeyInput },
): Bytes {
  const key = importPrivateKey(options.privateKey);
  const certificate = parseCertificateCached(options.certificate);
  if (!certificate.key().equals(publicHalf(key))) throw keyMismatch();
  const prepared = prepare(content, options, certificate, keyTypeOf(key));
  return prepared.finish(signNow(options.hash ?? 'sha256', prepared.toSign, key));
}

/** As {@link signCms}, with a key behind a {@link Signer}. */
export async function signCmsWith(
  content: Uint8Array | null,
  options: SignCmsOptions & { readonly signer: Signer },
): Promise<Bytes> {
  const { signer, hash = 'sha256' } = options;
  const certificate = parseCertificateCached(options.certificate);
  if (Buffer.compare(Buffer.from(signer.publicKey), certificate.spki) !== 0) throw keyMismatch();
  const prepared = prepare(content, options, certificate, readPublicKey(signer.publicKey).type);
  return prepared.finish(await signer.sign(prepared.toSign, hash));
}

/** A SignedData without signers that carries certificates (and CRLs): the "degenerate" form of PKCS#7. */
export function bundleCertificates(certificates: readonly Uint8Array[], crls: readonly Uint8Array[] = []): Bytes {
  return contentInfo(
    oids.signedData,
    sequence(
      integer(1),
      set(),
      sequence(oid(oids.data)),
      // In the given order: SCEP clients take the first certificate for theirs.
      ...(certificates.length > 0 ? [tlv(context(0), concat(certificates))] : []),
      ...(crls.length > 0 ? [tlv(context(1), concat(crls))] : []),
      set(),
    ),
  );
}

const keyMismatch = (): PkiError =>
  new PkiError('pki.cms.key_mismatch', 'the private key does not belong to the certificate of the signer');
