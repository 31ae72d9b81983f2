// Signature and digest algorithms: their identifiers, and native signing and verifying.
import { constants, hash as digestOnce, type KeyObject, sign as nativeSign, verify as nativeVerify } from 'node:crypto';
import { type DerNode, DerReader, expectNull } from '../der/reader.ts';
import { context, NULL, OBJECT_IDENTIFIER, SEQUENCE } from '../der/tags.ts';
import { type Bytes, nullValue, oid, sequence } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { oids } from '../oids.ts';

/** Hash functions by the names Node uses. SHA-1 verifies only where a caller allows it, and never signs. */
export type HashName = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** A signature algorithm as an AlgorithmIdentifier names it. */
export interface SignatureAlgorithm {
  readonly family: 'rsa' | 'rsa-pss' | 'ecdsa';
  /** Null where CMS leaves the hash to the digest algorithm (plain rsaEncryption). */
  readonly hash: HashName | null;
  readonly saltLength?: number;
}

const hashOids: Readonly<Record<HashName, string>> = {
  sha1: oids.sha1,
  sha256: oids.sha256,
  sha384: oids.sha384,
  sha512: oids.sha512,
};
const hashByOid = new Map<string, HashName>(Object.entries(hashOids).map(([name, id]) => [id, name as HashName]));

const signatures = new Map<string, SignatureAlgorithm>([
  [oids.rsaEncryption, { family: 'rsa', hash: null }],
  [oids.sha1WithRsa, { family: 'rsa', hash: 'sha1' }],
  [oids.sha256WithRsa, { family: 'rsa', hash: 'sha256' }],
  [oids.sha384WithRsa, { family: 'rsa', hash: 'sha384' }],
  [oids.sha512WithRsa, { family: 'rsa', hash: 'sha512' }],
  [oids.ecPublicKey, { family: 'ecdsa', hash: null }],
  [oids.ecdsaWithSha1, { family: 'ecdsa', hash: 'sha1' }],
  [oids.ecdsaWithSha256, { family: 'ecdsa', hash: 'sha256' }],
  [oids.ecdsaWithSha384, { family: 'ecdsa', hash: 'sha384' }],
  [oids.ecdsaWithSha512, { family: 'ecdsa', hash: 'sha512' }],
]);

const signatureOids: Readonly<Record<'rsa' | 'ec', Readonly<Record<Exclude<HashName, 'sha1'>, string>>>> = {
  rsa: { sha256: oids.sha256WithRsa, sha384: oids.sha384WithRsa, sha512: oids.sha512WithRsa },
  ec: { sha256: oids.ecdsaWithSha256, sha384: oids.ecdsaWithSha384, sha512: oids.ecdsaWithSha512 },
};

const unsupported = (what: string, offset: number): PkiError =>
  new PkiError('pki.algorithm.unsupported', what, { at: { offset } });

/** AlgorithmIdentifier of a digest. */
export const digestIdentifier = (hash: HashName): Bytes => sequence(oid(hashOids[hash]), nullValue());

/** AlgorithmIdentifier of a signature by a key of this type. */
export function signatureIdentifier(keyType: 'rsa' | 'ec', hash: HashName): Bytes {
  if (hash === 'sha1') throw new PkiError('pki.algorithm.weak', 'nothing is signed with SHA-1');
  const id = oid(signatureOids[keyType][hash]);
  return keyType === 'rsa' ? sequence(id, nullValue()) : sequence(id);
}

/** The signatureAlgorithm of a CMS signer: plain rsaEncryption for RSA, the one form every implementation reads. */
export const cmsSignatureIdentifier = (keyType: 'rsa' | 'ec', hash: HashName): Bytes =>
  keyType === 'rsa' ? sequence(oid(oids.rsaEncryption), nullValue()) : signatureIdentifier(keyType, hash);

/** Reads the AlgorithmIdentifier of a digest. */
export function readDigest(node: DerNode): HashName {
  const reader = new DerReader(node);
  const id = reader.oid();
  if (!reader.done) expectNull(reader.next());
  reader.finish();
  return hashOf(id, node.start);
}

/** The digest of an object identifier. */
export function hashOf(id: string, offset = 0): HashName {
  const name = hashByOid.get(id);
  if (!name) throw unsupported(`digest ${id} is not supported`, offset);
  return name;
}

/** Reads the AlgorithmIdentifier of a signature (RSA PKCS#1 v1.5, RSA-PSS, ECDSA). */
export function readSignatureAlgorithm(node: DerNode): SignatureAlgorithm {
  const reader = new DerReader(node);
  const id = reader.oid();
  if (id === oids.rsassaPss) return readPss(reader, node.start);
  const known = signatures.get(id);
  if (!known) throw unsupported(`signature algorithm ${id} is not supported`, node.start);
  if (!reader.done) {
    const parameters = reader.next();
    if (parameters.tag !== NULL && parameters.tag !== OBJECT_IDENTIFIER) {
      throw unsupported('unexpected signature parameters', node.start);
    }
  }
  reader.finish();
  return known;
}

function readPss(reader: DerReader, offset: number): SignatureAlgorithm {
  const parameters = reader.enter(SEQUENCE);
  let hash: HashName = 'sha1';
  let maskHash: HashName = 'sha1';
  let saltLength = 20;
  const hashField = parameters.optional(context(0));
  if (hashField) hash = readDigest(new DerReader(hashField).next(SEQUENCE));
  const maskField = parameters.optional(context(1));
  if (maskField) {
    const mask = new DerReader(maskField).sequence();
    if (mask.oid() !== oids.mgf1) throw unsupported('a mask other than MGF1', offset);
    maskHash = readDigest(mask.next(SEQUENCE));
  }
  const saltField = parameters.optional(context(2));
  if (saltField) saltLength = new DerReader(saltField).smallInt();
  const trailer = parameters.optional(context(3));
  if (trailer && new DerReader(trailer).smallInt() !== 1) throw unsupported('an unknown PSS trailer', offset);
  parameters.finish();
  if (hash !== maskHash) throw unsupported('PSS with two different hashes', offset);
  if (saltLength > 512) throw unsupported('a PSS salt of unreasonable length', offset);
  return { family: 'rsa-pss', hash, saltLength };
}

/** What a caller accepts when a signature is checked. */
export interface VerifyPolicy {
  /** Accept SHA-1 (old clients, roots of long ago). Default false. */
  readonly allowSha1?: boolean;
}

/**
 * Checks a signature natively. False for a wrong signature or a key of another family.
 *
 * @throws PkiError `pki.algorithm.weak` for SHA-1 unless the policy allows it.
 */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
  policy: VerifyPolicy = {},
  digest?: HashName,
): boolean {
  const hash = algorithm.hash ?? digest;
  if (!hash) throw new PkiError('pki.algorithm.unsupported', 'the signature names no hash');
  if (hash === 'sha1' && policy.allowSha1 !== true) {
    throw new PkiError('pki.algorithm.weak', 'the signature uses SHA-1', {
      remedy: 'Allow SHA-1 only for peers that cannot do better.',
    });
  }
  const expected = algorithm.family === 'ecdsa' ? 'ec' : 'rsa';
  const actual = key.asymmetricKeyType === 'rsa-pss' ? 'rsa' : key.asymmetricKeyType;
  if (actual !== expected) return false;
  try {
    if (algorithm.family === 'rsa-pss') {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return nativeVerify(hash, data, { key, padding, saltLength: algorithm.saltLength ?? 20 }, signature);
    }
    return nativeVerify(hash, data, key, signature);
  } catch {
    // OpenSSL reports some malformed signatures as errors: they are wrong signatures all the same.
    return false;
  }
}

/** Digest of bytes. */
export function digestOf(hash: HashName, data: Uint8Array): Buffer {
  return digestOnce(hash, data, 'buffer');
}

/** Signs natively, on this thread. */
export function signNow(hash: HashName, data: Uint8Array, key: KeyObject): Buffer {
  if (hash === 'sha1') throw new PkiError('pki.algorithm.weak', 'nothing is signed with SHA-1');
  return nativeSign(hash, data, key);
}

/** The hash that suits a key when none is asked for. */
export function defaultHash(key: { readonly type: 'rsa' | 'ec'; readonly bits: number }): Exclude<HashName, 'sha1'> {
  if (key.type === 'rsa') return 'sha384';
  return key.bits >= 521 ? 'sha512' : key.bits >= 384 ? 'sha384' : 'sha256';
}

/** Type of a native key as the identifiers need it. */
export const keyTypeOf = (key: KeyObject): 'rsa' | 'ec' => (key.asymmetricKeyType === 'ec' ? 'ec' : 'rsa');
