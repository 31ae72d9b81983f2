// Parts of certificates, requests and responses as the library's objects, made of this package's own values.
import type { BaseBlock, Sequence } from 'asn1js';
import type {
  AlgorithmIdentifier,
  Attribute,
  Extension as ExtensionObject,
  PublicKeyInfo,
  RelativeDistinguishedNames,
  Time,
} from 'pkijs';
import { contentOf, readRoot } from '../der/reader.ts';
import { SEQUENCE } from '../der/tags.ts';
import { type Bytes, bitString, oid, sequence, yearOf } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { type HashName, signatureIdentifier } from '../keys/algorithms.ts';
import { readPublicKey } from '../keys/keys.ts';
import type { Signer } from '../keys/signer.ts';
import type { Library } from '../library.ts';
import type { Extension } from './extensions.ts';

/** A buffer of exactly these bytes, as the library takes them. */
export const bufferOf = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

/**
 * A SEQUENCE that is written exactly as given. Names and keys come from strangers' requests: the library's schemas never
 * see them (2,000 parts of a name took them 200 ms), and not one byte of them changes.
 */
function verbatim({ asn1js }: Library, der: Uint8Array): Sequence {
  const valueHex = bufferOf(contentOf(readRoot(der, SEQUENCE)));
  const block = new asn1js.Primitive({ idBlock: { tagClass: 1, tagNumber: 16 }, valueHex });
  block.idBlock.isConstructed = true;
  return block as BaseBlock as Sequence;
}

export function nameObject(lib: Library, der: Uint8Array): RelativeDistinguishedNames {
  const block = verbatim(lib, der);
  return Object.assign(new lib.pkijs.RelativeDistinguishedNames(), { toSchema: () => block });
}

export function publicKeyObject(lib: Library, spki: Uint8Array): PublicKeyInfo {
  const block = verbatim(lib, spki);
  return Object.assign(new lib.pkijs.PublicKeyInfo(), { toSchema: () => block });
}

export function extensionObject({ pkijs }: Library, { oid: id, critical, value }: Extension): ExtensionObject {
  oid(id); // the library takes any text for an object identifier
  return new pkijs.Extension({ extnID: id, critical, extnValue: bufferOf(value) });
}

/** DER sorts a SET OF by its encodings; the library leaves that to its caller. */
export function inDerOrder(attributes: readonly Attribute[]): Attribute[] {
  const encoded = attributes.map((item) => ({ item, der: Buffer.from(item.toSchema().toBER()) }));
  return encoded.sort((a, b) => Buffer.compare(a.der, b.der)).map(({ item }) => item);
}

/** A Time as RFC 5280 wants it: UTCTime to 2049, GeneralizedTime after; whole seconds. */
export const timeObject = ({ pkijs }: Library, ms: number): Time =>
  // Types: 0 is UTCTime, 1 is GeneralizedTime.
  new pkijs.Time({ type: yearOf(ms) < 2050 ? 0 : 1, value: new Date(Math.floor(ms / 1000) * 1000) });

/** Who signs, and the algorithm as the signed value and the signature name it. */
export interface Signing {
  readonly signer: Signer;
  readonly hash: HashName;
  readonly identifier: Bytes;
  readonly algorithm: AlgorithmIdentifier;
}

export function signingWith({ pkijs }: Library, signer: Signer, hash: HashName): Signing {
  const identifier = signatureIdentifier(readPublicKey(signer.publicKey).type, hash);
  return { signer, hash, identifier, algorithm: pkijs.AlgorithmIdentifier.fromBER(identifier) };
}

/** Runs the library; whatever it throws becomes this package's error. */
export function encoding<T>(what: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof PkiError) throw cause;
    throw new PkiError('pki.encoding.failed', `${what} cannot be encoded from these values`, { cause });
  }
}

/** Signs the encoded value; gives the SEQUENCE of it, the algorithm, the signature and `after`. */
export async function signValue(value: ArrayBuffer, signing: Signing, ...after: Uint8Array[]): Promise<Bytes> {
  const { signer, hash, identifier } = signing;
  const tbs = new Uint8Array(value);
  return sequence(tbs, identifier, bitString(await signer.sign(tbs, hash)), ...after);
}
