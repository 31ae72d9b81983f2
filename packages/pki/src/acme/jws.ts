// JSON Web Signatures in the one form that ACME allows (RFC 8555, 6.2): flattened, no unprotected header, no HMAC.
import { type KeyObject, verify } from 'node:crypto';
import { fromBase64url, isObject, type JsonObject, member, parseObject } from './json.ts';
import { type AccountKey, type JwsAlgorithm, readAccountKey } from './jwk.ts';
import { malformed, Refusal } from './problem.ts';

/** A JWS whose signature is not verified yet. */
export interface Jws {
  readonly algorithm: string;
  readonly header: JsonObject;
  readonly url: string;
  readonly nonce: string | null;
  /** The key in the header; null where `kid` names it. */
  readonly key: AccountKey | null;
  readonly kid: string | null;
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** What was signed. */
  readonly input: string;
}

const algorithms: readonly JwsAlgorithm[] = ['ES256', 'ES384', 'ES512', 'RS256', 'EdDSA'];

/** Parts of a flattened JWS, nothing of which is believed. */
export function splitJws(object: JsonObject): {
  readonly header: JsonObject;
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly input: string;
} {
  for (const name of Object.keys(object)) {
    if (name !== 'protected' && name !== 'payload' && name !== 'signature') {
      throw malformed(
        `a JWS here has the members protected, payload and signature, not ${JSON.stringify(name.slice(0, 40))}`,
      );
    }
  }
  const [encodedHeader, encodedPayload, encodedSignature] = ['protected', 'payload', 'signature'].map((name) =>
    member(object, name),
  );
  if (
    typeof encodedHeader !== 'string' ||
    typeof encodedPayload !== 'string' ||
    typeof encodedSignature !== 'string' ||
    encodedSignature.length > 1024
  ) {
    throw malformed('the JWS lacks protected, payload or signature');
  }
  const headerBytes = fromBase64url(encodedHeader);
  const payload = fromBase64url(encodedPayload);
  const signature = fromBase64url(encodedSignature);
  if (!headerBytes || !payload || !signature) throw malformed('a part of the JWS is not base64url');
  const header = parseObject(headerBytes, 'protected header');
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) {
    throw malformed('the JWS asks for an extension that is not known here');
  }
  return { header, payload, signature, input: `${encodedHeader}.${encodedPayload}` };
}

/** Reads a JWS: form, algorithm, and exactly one of `jwk` and `kid`. */
export function readJws(object: JsonObject): Jws {
  const { header, ...parts } = splitJws(object);
  const algorithm = member(header, 'alg');
  if (typeof algorithm !== 'string' || !(algorithms as readonly string[]).includes(algorithm)) {
    throw new Refusal('badSignatureAlgorithm', 'this signature algorithm is not accepted', { extra: { algorithms } });
  }
  const url = member(header, 'url');
  if (typeof url !== 'string') throw malformed('the protected header has no url');
  const nonce = member(header, 'nonce');
  if (nonce !== undefined && typeof nonce !== 'string') throw malformed('the nonce is not a string');
  const jwk = member(header, 'jwk');
  const kid = member(header, 'kid');
  if ((jwk === undefined) === (kid === undefined)) throw malformed('the protected header needs either jwk or kid');
  if (kid !== undefined && typeof kid !== 'string') throw malformed('the kid is not a string');
  if (jwk !== undefined && !isObject(jwk)) throw malformed('the jwk is not an object');
  return {
    algorithm,
    header,
    url,
    nonce: nonce ?? null,
    key: jwk === undefined ? null : readAccountKey(jwk),
    kid: kid ?? null,
    ...parts,
  };
}

const hashes: Readonly<Record<JwsAlgorithm, string | null>> = {
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
  RS256: 'sha256',
  EdDSA: null,
};

/** Checks the signature. The algorithm must be the key's own. */
export function verifyJws(jws: Jws, key: AccountKey): void {
  if (jws.algorithm !== key.algorithm) {
    throw new Refusal('badSignatureAlgorithm', `a key of this type signs with ${key.algorithm}`, {
      extra: { algorithms: [key.algorithm] },
    });
  }
  if (!verifyNow(hashes[key.algorithm], jws, key.key)) {
    throw new Refusal('unauthorized', 'the signature of the request is wrong', { status: 401 });
  }
}

function verifyNow(hash: string | null, jws: Jws, key: KeyObject): boolean {
  try {
    return verify(hash, Buffer.from(jws.input, 'latin1'), { key, dsaEncoding: 'ieee-p1363' }, jws.signature);
  } catch {
    // OpenSSL reports some malformed signatures as errors: they are wrong signatures all the same.
    return false;
  }
}
