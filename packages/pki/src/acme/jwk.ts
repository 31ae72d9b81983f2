// Account keys: public JSON Web Keys (RFC 7517, 7518, 8037) and their thumbprints (RFC 7638).
import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { fromBase64url, type JsonObject, member } from './json.ts';
import { Refusal } from './problem.ts';

/** A public account key; only the members that its thumbprint covers. */
export type AcmeJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256' | 'P-384' | 'P-521'; readonly x: string; readonly y: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };

/** JWS algorithms accepted: asymmetric ones only. */
export type JwsAlgorithm = 'ES256' | 'ES384' | 'ES512' | 'RS256' | 'EdDSA';

/** A usable account key. */
export interface AccountKey {
  readonly jwk: AcmeJwk;
  /** Base64url SHA-256 of the key's canonical JSON. */
  readonly thumbprint: string;
  readonly algorithm: JwsAlgorithm;
  readonly key: KeyObject;
}

const curves = new Map<unknown, { crv: 'P-256' | 'P-384' | 'P-521'; algorithm: JwsAlgorithm; size: number }>([
  ['P-256', { crv: 'P-256', algorithm: 'ES256', size: 32 }],
  ['P-384', { crv: 'P-384', algorithm: 'ES384', size: 48 }],
  ['P-521', { crv: 'P-521', algorithm: 'ES512', size: 66 }],
]);

const minRsaBytes = 256;
const maxRsaBytes = 512;

const bad = (detail: string): Refusal => new Refusal('badPublicKey', detail);

function bytesMember(object: JsonObject, name: string): { readonly text: string; readonly bytes: Buffer } {
  const text = member(object, name);
  const bytes = typeof text === 'string' && text.length <= 1024 ? fromBase64url(text) : null;
  if (!bytes || bytes.length === 0) throw bad(`the key's ${name} is not base64url`);
  return { text: text as string, bytes };
}

function readMembers(object: JsonObject): { readonly jwk: AcmeJwk; readonly algorithm: JwsAlgorithm } {
  for (const secret of ['d', 'p', 'q', 'k']) {
    if (Object.hasOwn(object, secret)) throw bad('a private or symmetric key was sent');
  }
  switch (member(object, 'kty')) {
    case 'EC': {
      const curve = curves.get(member(object, 'crv'));
      if (!curve) throw bad('the curve is not P-256, P-384 or P-521');
      const x = bytesMember(object, 'x');
      const y = bytesMember(object, 'y');
      if (x.bytes.length !== curve.size || y.bytes.length !== curve.size) throw bad('a coordinate of the wrong size');
      return { jwk: { kty: 'EC', crv: curve.crv, x: x.text, y: y.text }, algorithm: curve.algorithm };
    }
    case 'RSA': {
      const n = bytesMember(object, 'n');
      const e = bytesMember(object, 'e');
      if (n.bytes[0] === 0 || n.bytes.length < minRsaBytes || n.bytes.length > maxRsaBytes) {
        throw bad('RSA keys have 2048 to 4096 bits');
      }
      const exponent = e.bytes.readUIntBE(0, Math.min(e.bytes.length, 5));
      if (e.bytes.length > 4 || exponent < 3 || exponent % 2 === 0 || n.bytes.at(-1)! % 2 === 0) {
        throw bad('the RSA key is unusable');
      }
      return { jwk: { kty: 'RSA', n: n.text, e: e.text }, algorithm: 'RS256' };
    }
    case 'OKP': {
      if (member(object, 'crv') !== 'Ed25519') throw bad('the curve is not Ed25519');
      const x = bytesMember(object, 'x');
      if (x.bytes.length !== 32) throw bad('the key is not of the right size');
      return { jwk: { kty: 'OKP', crv: 'Ed25519', x: x.text }, algorithm: 'EdDSA' };
    }
    default:
      throw bad('the key is neither EC nor RSA nor Ed25519');
  }
}

/** RFC 7638: the members in alphabetical order, without white space. */
export function thumbprintOf(jwk: AcmeJwk): string {
  const ordered = Object.fromEntries(Object.entries(jwk).sort(([a], [b]) => (a < b ? -1 : 1)));
  return createHash('sha256').update(JSON.stringify(ordered)).digest('base64url');
}

/** Reads and imports a public JWK, after its size was judged. */
export function readAccountKey(object: JsonObject): AccountKey {
  const { jwk, algorithm } = readMembers(object);
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  } catch {
    throw bad('the key is not a valid one'); // e.g. a point that is not on the curve
  }
  return { jwk, algorithm, thumbprint: thumbprintOf(jwk), key };
}

/** SubjectPublicKeyInfo DER of an account key. */
export const spkiOf = (key: AccountKey): Uint8Array => key.key.export({ type: 'spki', format: 'der' });
