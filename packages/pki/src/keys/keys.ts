// Key pairs: making, importing (with limits on what is accepted) and hashing them.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair as generate,
  type KeyObject,
} from 'node:crypto';
import { bitStringOf, integerOf, oidOf, openRoot } from '../der/reader.ts';
import { INTEGER, NULL, OBJECT_IDENTIFIER, SEQUENCE } from '../der/tags.ts';
import type { Bytes } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { oids } from '../oids.ts';

/** A private key: PKCS#8 DER, or a KeyObject already imported. */
export type PrivateKeyInput = Uint8Array | KeyObject;

/** What sort of key to make. */
export type KeySpec =
  | { readonly type: 'rsa'; readonly bits: number }
  | { readonly type: 'ec'; readonly curve: 'P-256' | 'P-384' | 'P-521' };

/** A key pair as DER: PKCS#8 and SubjectPublicKeyInfo. */
export interface KeyPair {
  readonly privateKey: Bytes;
  readonly publicKey: Bytes;
}

/** Facts about a public key. `bits` is the modulus size or the size of the curve. */
export interface PublicKeyFacts {
  readonly type: 'rsa' | 'ec';
  readonly bits: number;
  readonly curve?: 'P-256' | 'P-384' | 'P-521';
}

/** Sizes accepted from outside. Larger RSA keys cost whoever verifies with them; smaller ones protect nothing. */
export const keyLimits = { minRsaBits: 1024, maxRsaBits: 8192, maxExponentBits: 33 } as const;

const curves = new Map<string, { curve: 'P-256' | 'P-384' | 'P-521'; bits: number; size: number }>([
  [oids.p256, { curve: 'P-256', bits: 256, size: 32 }],
  [oids.p384, { curve: 'P-384', bits: 384, size: 48 }],
  [oids.p521, { curve: 'P-521', bits: 521, size: 66 }],
]);

const keyError = (code: string, message: string, remedy?: string): PkiError =>
  new PkiError(code, message, remedy === undefined ? {} : { remedy });

const bitLength = (unsigned: Uint8Array): number => {
  let i = 0;
  while (i < unsigned.length && unsigned[i] === 0) i++;
  return i === unsigned.length ? 0 : (unsigned.length - i) * 8 - Math.clz32(unsigned[i]!) + 24;
};

/**
 * Makes a key pair, off the main thread.
 *
 * @throws PkiError `pki.key.unsupported` for a size outside 1024 to 8192 bits or an unknown curve.
 */
export async function generateKeyPair(spec: KeySpec = { type: 'rsa', bits: 2048 }): Promise<KeyPair> {
  const pair = await new Promise<{ privateKey: KeyObject; publicKey: KeyObject }>((resolve, reject) => {
    const done = (error: Error | null, publicKey: KeyObject, privateKey: KeyObject): void =>
      error ? reject(error) : resolve({ publicKey, privateKey });
    if (spec.type === 'rsa') {
      if (!Number.isInteger(spec.bits) || spec.bits < keyLimits.minRsaBits || spec.bits > keyLimits.maxRsaBits) {
        reject(
          keyError('pki.key.unsupported', `RSA keys have ${keyLimits.minRsaBits} to ${keyLimits.maxRsaBits} bits`),
        );
      } else generate('rsa', { modulusLength: spec.bits }, done);
    } else if (spec.type === 'ec' && ['P-256', 'P-384', 'P-521'].includes(spec.curve)) {
      generate('ec', { namedCurve: spec.curve }, done);
    } else reject(keyError('pki.key.unsupported', 'keys are rsa, or ec on P-256, P-384 or P-521'));
  });
  return { privateKey: exportPrivateKey(pair.privateKey), publicKey: exportPublicKey(pair.publicKey) };
}

/** PKCS#8 DER of a private KeyObject. */
export const exportPrivateKey = (key: KeyObject): Bytes =>
  Uint8Array.from(key.export({ type: 'pkcs8', format: 'der' }));
/** SubjectPublicKeyInfo DER of a public KeyObject. */
const exportPublicKey = (key: KeyObject): Bytes => Uint8Array.from(key.export({ type: 'spki', format: 'der' }));

// Importing costs as much as a signature, and callers pass the same bytes again and again. The copy guards against a
// buffer that was overwritten since.
const imported = new WeakMap<Uint8Array, { copy: Uint8Array; key: KeyObject }>();

/**
 * Imports a private key (RSA or EC) from PKCS#8 DER.
 *
 * @throws PkiError `pki.key.invalid` when it is not such a key.
 */
export function importPrivateKey(input: PrivateKeyInput): KeyObject {
  if (!(input instanceof Uint8Array)) {
    if (input?.type !== 'private') throw keyError('pki.key.invalid', 'not a private key');
    return input;
  }
  const known = imported.get(input);
  if (known && Buffer.compare(known.copy, input) === 0) return known.key;
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: Buffer.from(input), format: 'der', type: 'pkcs8' });
  } catch {
    // The cause is dropped on purpose: nothing about a private key belongs into a log.
    throw keyError('pki.key.invalid', 'not a private key in PKCS#8 DER form');
  }
  if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ec') {
    throw keyError('pki.key.unsupported', `private keys of type ${key.asymmetricKeyType} are not supported`);
  }
  imported.set(input, { copy: Uint8Array.from(input), key });
  return key;
}

const publicHalves = new WeakMap<KeyObject, KeyObject>();

/** The public KeyObject of a private one. */
export function publicHalf(key: KeyObject): KeyObject {
  const known = publicHalves.get(key);
  if (known) return known;
  const half = createPublicKey(key);
  publicHalves.set(key, half);
  return half;
}

/** SubjectPublicKeyInfo DER that belongs to a private key. */
export const publicKeyOf = (privateKey: PrivateKeyInput): Bytes =>
  exportPublicKey(publicHalf(importPrivateKey(privateKey)));

/**
 * Reads the type and size of a SubjectPublicKeyInfo, before any cryptography touches it.
 *
 * @throws PkiError `pki.key.invalid`, `pki.key.unsupported` (another algorithm or curve), `pki.key.weak` (RSA under
 * 1024 bits or an even modulus), `pki.key.too_large` (over 8192 bits, or an exponent over 33 bits).
 */
export function readPublicKey(spki: Uint8Array): PublicKeyFacts {
  const outer = openRoot(spki, SEQUENCE);
  const algorithm = outer.sequence();
  const type = algorithm.oid();
  const bits = outer.next();
  outer.finish();
  if (type === oids.ecPublicKey) {
    const parameters = algorithm.next();
    if (parameters.tag !== OBJECT_IDENTIFIER) {
      throw keyError('pki.key.unsupported', 'elliptic curves must be named, not spelled out');
    }
    const known = curves.get(oidOf(parameters));
    if (!known) throw keyError('pki.key.unsupported', 'the elliptic curve is not P-256, P-384 or P-521');
    const point = bitStringOf(bits);
    if (!(point[0] === 4 && point.length === 1 + 2 * known.size)) {
      throw keyError('pki.key.invalid', 'the elliptic curve point is not in uncompressed form');
    }
    return { type: 'ec', bits: known.bits, curve: known.curve };
  }
  if (type !== oids.rsaEncryption && type !== oids.rsassaPss) {
    throw keyError('pki.key.unsupported', 'the key is neither RSA nor EC');
  }
  algorithm.optional(NULL);
  const key = openRoot(bitStringOf(bits), SEQUENCE);
  const modulus = integerOf(key.next(INTEGER));
  const exponent = integerOf(key.next(INTEGER));
  key.finish();
  const modulusBits = bitLength(modulus);
  if (modulus[0]! >= 0x80 || exponent[0]! >= 0x80) throw keyError('pki.key.invalid', 'a negative RSA parameter');
  if (modulusBits > keyLimits.maxRsaBits) {
    throw keyError('pki.key.too_large', `an RSA key of ${modulusBits} bits is more than ${keyLimits.maxRsaBits}`);
  }
  if (bitLength(exponent) > keyLimits.maxExponentBits) {
    throw keyError('pki.key.too_large', 'the RSA exponent is unreasonably large');
  }
  if (modulusBits < keyLimits.minRsaBits || (modulus.at(-1)! & 1) === 0) {
    throw keyError('pki.key.weak', `an RSA key of ${modulusBits} bits protects nothing`);
  }
  if (bitLength(exponent) < 2 || (exponent.at(-1)! & 1) === 0) {
    throw keyError('pki.key.weak', 'the RSA exponent is 1 or even');
  }
  return { type: 'rsa', bits: modulusBits };
}

/** Imports a SubjectPublicKeyInfo after {@link readPublicKey}'s checks. */
export function importPublicKey(spki: Uint8Array): KeyObject {
  readPublicKey(spki);
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new PkiError('pki.key.invalid', 'the public key is malformed', { cause });
  }
}

/** Lower-case hex SHA-256 of a SubjectPublicKeyInfo: the identity of a key. */
export const spkiHash = (spki: Uint8Array): string => createHash('sha256').update(spki).digest('hex');

/** The subject key identifier of RFC 5280, 4.2.1.2 (1): SHA-1 of the key's bits. */
export function keyIdentifier(spki: Uint8Array): Bytes {
  const outer = openRoot(spki, SEQUENCE);
  outer.sequence();
  return Uint8Array.from(createHash('sha1').update(bitStringOf(outer.next())).digest());
}
