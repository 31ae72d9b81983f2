// Reading and verifying CMS SignedData (RFC 5652, 5).
import { contentOf, type DerNode, DerReader, derError, encodingOf, integerOf } from '../der/reader.ts';
import { timeOfNode } from '../der/strings.ts';
import { context, contextPrimitive, INTEGER, OCTET_STRING, SEQUENCE, SET } from '../der/tags.ts';
import { PkiError } from '../errors.ts';
import {
  digestOf,
  type HashName,
  readDigest,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  type VerifyPolicy,
  verifySignature,
} from '../keys/algorithms.ts';
import { oids } from '../oids.ts';
import { parseCertificateCached } from '../x509/cache.ts';
import { extensionOf, type ParsedCertificate } from '../x509/certificate.ts';
import { readSubjectKeyIdentifier } from '../x509/extensions.ts';
import { type CmsLimits, defaultCmsLimits, openContentInfo, parseLenient } from './types.ts';

/** One signature of a SignedData, not checked yet. */
export interface SignerInfo {
  readonly issuerDer: Uint8Array | null;
  readonly serial: Uint8Array | null;
  readonly keyIdentifier: Uint8Array | null;
  readonly digest: HashName;
  readonly algorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  /** Encoding of the signed attributes with their own tag replaced by SET, as it is signed; null if there are none. */
  readonly signedAttributes: Uint8Array | null;
  /** Values of the signed attributes by type. */
  readonly attributes: ReadonlyMap<string, readonly DerNode[]>;
}

/** A SignedData, parsed. */
export interface SignedData {
  readonly contentType: string;
  /** Null when detached. */
  readonly content: Uint8Array | null;
  readonly certificates: readonly Uint8Array[];
  readonly crls: readonly Uint8Array[];
  readonly signers: readonly SignerInfo[];
}

/** Parses a SignedData ContentInfo (DER or BER). */
export function parseSignedData(input: Uint8Array, limits: CmsLimits = {}): SignedData {
  const { maxBytes, maxCertificates, maxParties } = { ...defaultCmsLimits, ...limits };
  return parseLenient(input, maxBytes, (der) => {
    const reader = openContentInfo(der, oids.signedData);
    const version = reader.smallInt();
    if (version < 1 || version > 5) throw derError('an unknown version of SignedData', reader.offset);
    reader.next(SET); // digest algorithms: announced for streaming, each signer names its own
    const encapsulated = reader.sequence();
    const contentType = encapsulated.oid();
    const box = encapsulated.optional(context(0));
    encapsulated.finish();
    let content: Uint8Array | null = null;
    if (box) {
      const inner = new DerReader(box);
      content = inner.octets();
      inner.finish();
    }
    const certificateSet = reader.optional(context(0));
    const certificates = certificateSet
      ? new DerReader(certificateSet)
          .rest(maxCertificates)
          .filter((node) => node.tag === SEQUENCE)
          .map(encodingOf)
      : [];
    const crlSet = reader.optional(context(1));
    const crls = crlSet ? new DerReader(crlSet).rest(maxCertificates).map(encodingOf) : [];
    const signers = new DerReader(reader.next(SET)).rest(maxParties).map(readSignerInfo);
    reader.finish();
    return { contentType, content, certificates, crls, signers };
  });
}

function readSignerInfo(node: DerNode): SignerInfo {
  const reader = new DerReader(node);
  reader.smallInt();
  let issuerDer: Uint8Array | null = null;
  let serial: Uint8Array | null = null;
  let keyIdentifier: Uint8Array | null = null;
  const byKey = reader.optional(contextPrimitive(0));
  if (byKey) keyIdentifier = contentOf(byKey);
  else {
    const id = reader.sequence();
    issuerDer = encodingOf(id.next(SEQUENCE));
    serial = integerOf(id.next(INTEGER));
    id.finish();
  }
  const digest = readDigest(reader.next(SEQUENCE));
  const attributesNode = reader.optional(context(0));
  const algorithm = readSignatureAlgorithm(reader.next(SEQUENCE));
  const signature = contentOf(reader.next(OCTET_STRING));
  reader.optional(context(1)); // unsigned attributes carry nothing we rely on
  reader.finish();
  let signedAttributes: Uint8Array | null = null;
  const attributes = new Map<string, readonly DerNode[]>();
  if (attributesNode) {
    signedAttributes = Uint8Array.from(encodingOf(attributesNode));
    signedAttributes[0] = SET;
    for (const item of new DerReader(attributesNode).rest(64)) {
      const attribute = new DerReader(item);
      const type = attribute.oid();
      const values = attribute.set().rest(16);
      attribute.finish();
      if (attributes.has(type)) throw derError(`the signed attribute ${type} appears twice`, item.start);
      attributes.set(type, values);
    }
  }
  return { issuerDer, serial, keyIdentifier, digest, algorithm, signature, signedAttributes, attributes };
}

/** The single value of a signed attribute, or undefined. */
export function attributeOf(signer: SignerInfo, type: string): DerNode | undefined {
  const values = signer.attributes.get(type);
  if (!values) return undefined;
  if (values.length !== 1) throw new PkiError('pki.cms.invalid', `the signed attribute ${type} must have one value`);
  return values[0];
}

/** The certificate a SignerInfo points at. */
export function findSigner(signer: SignerInfo, candidates: readonly Uint8Array[]): ParsedCertificate {
  for (const der of candidates) {
    const certificate = parseCertificateCached(der);
    if (signer.keyIdentifier) {
      const id = extensionOf(certificate, oids.subjectKeyIdentifier);
      if (id && Buffer.compare(readSubjectKeyIdentifier(id), signer.keyIdentifier) === 0) return certificate;
    } else if (
      Buffer.compare(certificate.serial, signer.serial!) === 0 &&
      Buffer.compare(certificate.issuerDer, signer.issuerDer!) === 0
    ) {
      return certificate;
    }
  }
  throw new PkiError('pki.cms.no_signer', 'the certificate of the signer is not in the message', {
    kind: 'unauthenticated',
  });
}

const badSignature = (message: string): PkiError =>
  new PkiError('pki.cms.bad_signature', message, { kind: 'unauthenticated' });

/** Checks one signature over `content` with the key of `certificate`. */
export function checkSignature(
  data: Pick<SignedData, 'contentType'>,
  signer: SignerInfo,
  certificate: ParsedCertificate,
  content: Uint8Array,
  policy: VerifyPolicy,
): void {
  if (signer.digest === 'sha1' && policy.allowSha1 !== true) {
    throw new PkiError('pki.algorithm.weak', 'the message is signed with SHA-1', {
      kind: 'unauthenticated',
      remedy: 'Allow SHA-1 only for peers that cannot do better.',
    });
  }
  if (signer.algorithm.hash !== null && signer.algorithm.hash !== signer.digest) {
    throw badSignature('the digest and the signature name different hashes');
  }
  let signed: Uint8Array = content;
  if (signer.signedAttributes) {
    const digest = attributeOf(signer, oids.messageDigest);
    const type = attributeOf(signer, oids.contentType);
    if (!digest || digest.tag !== OCTET_STRING || !type) {
      throw badSignature('the signed attributes lack the content type or the digest');
    }
    const typeName = new DerReader({ ...type, contentStart: type.start }).oid();
    if (typeName !== data.contentType) throw badSignature('the signed content type is another one');
    if (Buffer.compare(digestOf(signer.digest, content), contentOf(digest)) !== 0) {
      throw badSignature('the content is not what was signed');
    }
    signed = signer.signedAttributes;
  } else if (data.contentType !== oids.data) {
    throw badSignature('signed attributes are required for this content type');
  } else if (content[0] === SET && content.length > 2 && looksLikeAttributes(content)) {
    // Otherwise the attributes of one message could be passed off as the content of another (RFC 5652, 11).
    throw badSignature('the content has the form of signed attributes');
  }
  if (!verifySignature(signer.algorithm, certificate.key(), signed, signer.signature, policy, signer.digest)) {
    throw badSignature('the signature is wrong');
  }
}

function looksLikeAttributes(content: Uint8Array): boolean {
  return content[1] !== undefined && Buffer.from(content).includes(messageDigestOid);
}
const messageDigestOid = Buffer.from('06092a864886f70d010904', 'hex');

/** The signing time a signer claims, if any, in epoch milliseconds. */
export function signingTimeOf(signer: SignerInfo): number | undefined {
  const node = attributeOf(signer, oids.signingTime);
  return node && timeOfNode(node);
}
