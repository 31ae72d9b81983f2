// Certificate signing requests (PKCS#10, RFC 2986).
import type { Attribute } from 'pkijs';
import { bitStringOf, DerReader, encodingOf, readRoot } from '../der/reader.ts';
import { stringOf } from '../der/strings.ts';
import { BIT_STRING, context, SEQUENCE } from '../der/tags.ts';
import type { Bytes } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { type HashName, readSignatureAlgorithm, verifySignature } from '../keys/algorithms.ts';
import { importPublicKey, type PublicKeyFacts, readPublicKey, spkiHash } from '../keys/keys.ts';
import type { Signer } from '../keys/signer.ts';
import { library } from '../library.ts';
import { oids } from '../oids.ts';
import { decodeExtensions, type Extension, subjectAltName } from './extensions.ts';
import { type AlternativeName, decodeGeneralNames, encodeGeneralNames } from './general-name.ts';
import { type DistinguishedName, decodeName, encodeName, formatName, type NameInput, nameValue } from './name.ts';
import {
  encoding,
  extensionObject,
  inDerOrder,
  nameObject,
  publicKeyObject,
  signingWith,
  signValue,
} from './objects.ts';

/** What a signing request says; its signature was checked. */
export interface CertificateRequest {
  readonly der: Uint8Array;
  /** RFC 4514 text, leaf first. */
  readonly subject: string;
  readonly subjectName: DistinguishedName;
  readonly subjectDer: Uint8Array;
  readonly subjectCn: string | undefined;
  /** SubjectPublicKeyInfo DER. */
  readonly publicKey: Uint8Array;
  /** Lower-case hex SHA-256 of `publicKey`. */
  readonly publicKeyHash: string;
  readonly key: PublicKeyFacts;
  /** The PKCS#9 challenge password: a secret, keep it out of logs. */
  readonly challengePassword: string | undefined;
  readonly sans: readonly AlternativeName[];
  /** Extensions the requester would like. */
  readonly extensions: readonly Extension[];
}

const maxRequestBytes = 64 * 1024;

/**
 * Reads a PKCS#10 request and checks its signature (proof that the requester has the key; SHA-1 is accepted here, MD5 is
 * not).
 *
 * @throws PkiError `pki.der.invalid`, `pki.csr.too_large`, `pki.csr.bad_signature`, `pki.key.*`.
 */
export function readCsr(input: Uint8Array): CertificateRequest {
  if (!(input instanceof Uint8Array)) throw new PkiError('pki.csr.invalid', 'a request is given as bytes');
  if (input.length > maxRequestBytes) {
    throw new PkiError('pki.csr.too_large', `a request of more than ${maxRequestBytes} bytes`, { kind: 'too-large' });
  }
  const der = Uint8Array.from(input);
  const outer = new DerReader(readRoot(der, SEQUENCE));
  const infoNode = outer.next(SEQUENCE);
  const algorithm = readSignatureAlgorithm(outer.next(SEQUENCE));
  const signature = bitStringOf(outer.next(BIT_STRING));
  outer.finish();

  const info = new DerReader(infoNode);
  info.smallInt(); // version 0; others have been seen and mean nothing
  const subjectDer = encodingOf(info.next(SEQUENCE));
  const publicKey = encodingOf(info.next(SEQUENCE));
  const attributes = info.optional(context(0));
  info.finish();
  let challengePassword: string | undefined;
  let extensions: Extension[] = [];
  if (attributes) {
    for (const node of new DerReader(attributes).rest(50)) {
      const attribute = new DerReader(node);
      const type = attribute.oid();
      const values = attribute.set();
      attribute.finish();
      if (type === oids.challengePassword && !values.done) challengePassword = stringOf(values.next());
      else if ((type === oids.extensionRequest || type === oids.microsoftExtensionRequest) && !values.done) {
        extensions = decodeExtensions(values.next(SEQUENCE));
      }
    }
  }
  const key = readPublicKey(publicKey);
  if (!verifySignature(algorithm, importPublicKey(publicKey), encodingOf(infoNode), signature, { allowSha1: true })) {
    throw new PkiError('pki.csr.bad_signature', 'the signature of the certificate request is wrong');
  }
  const subjectName = decodeName(subjectDer);
  const names = extensions.find((extension) => extension.oid === oids.subjectAltName);
  return {
    der,
    subject: formatName(subjectName),
    subjectName,
    subjectDer,
    subjectCn: nameValue(subjectName, oids.commonName),
    publicKey,
    publicKeyHash: spkiHash(publicKey),
    key,
    challengePassword,
    sans: names ? decodeGeneralNames(names.value) : [],
    extensions,
  };
}

/** What to ask for. */
export interface CsrOptions {
  readonly subject: NameInput;
  readonly signer: Signer;
  readonly sans?: readonly AlternativeName[];
  readonly challengePassword?: string;
  readonly extensions?: readonly Extension[];
  /** Default `sha256`. */
  readonly hash?: HashName;
}

/** Makes a PKCS#10 request, DER. */
export async function createCsr(options: CsrOptions): Promise<Bytes> {
  const { signer, challengePassword, hash = 'sha256' } = options;
  const extensions = [...(options.extensions ?? [])];
  if (options.sans && options.sans.length > 0) extensions.push(subjectAltName(encodeGeneralNames(options.sans)));
  const lib = await library();
  const { asn1js, pkijs } = lib;
  const signing = signingWith(lib, signer, hash);
  const subject = encodeName(options.subject);
  const tbs = encoding('the request', () => {
    const attributes: Attribute[] = [];
    if (challengePassword !== undefined) {
      // PrintableString where the alphabet allows it: some servers look for nothing else.
      const printableOnly = /^[A-Za-z0-9 '()+,\-./:=?]+$/.test(challengePassword);
      const value = new asn1js[printableOnly ? 'PrintableString' : 'Utf8String']({ value: challengePassword });
      attributes.push(new pkijs.Attribute({ type: oids.challengePassword, values: [value] }));
    }
    if (extensions.length > 0) {
      const wanted = new pkijs.Extensions({ extensions: extensions.map((item) => extensionObject(lib, item)) });
      attributes.push(new pkijs.Attribute({ type: oids.extensionRequest, values: [wanted.toSchema()] }));
    }
    const request = new pkijs.CertificationRequest({
      version: 0,
      subject: nameObject(lib, subject),
      subjectPublicKeyInfo: publicKeyObject(lib, signer.publicKey),
      attributes: inDerOrder(attributes),
      signatureAlgorithm: signing.algorithm,
    });
    return request.toSchema(true).valueBlock.value[0]!.toBER();
  });
  return signValue(tbs, signing);
}
