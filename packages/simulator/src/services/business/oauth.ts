// The token endpoint of the simulated Apple Business and School Manager API: client assertions with ES256.
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { json } from '../answers.ts';

/** An API account. */
export interface ApiAccount {
  readonly clientId: string;
  readonly keyId: string;
  /** PEM or DER (SubjectPublicKeyInfo). */
  readonly publicKey: KeyObject;
  /** `business.api` or `school.api`. */
  readonly scope: string;
}

/** Reads the public key of an account. */
export function readPublicKey(input: string | Uint8Array): KeyObject {
  return typeof input === 'string'
    ? createPublicKey(input)
    : createPublicKey({ key: Buffer.from(input), format: 'der', type: 'spki' });
}

const halfYear = 180 * 86_400;

/** Judges a request for an access token; undefined when it is in order. `used` remembers the ids of assertions. */
export async function judgeTokenRequest(
  request: Request,
  account: ApiAccount,
  used: Set<string>,
  now: number,
): Promise<Response | undefined> {
  const refuse = (error: string): Response => json({ error }, 400);
  const type = request.headers.get('content-type') ?? '';
  if (request.method !== 'POST' || !type.startsWith('application/x-www-form-urlencoded'))
    return refuse('invalid_request');
  const form = new URLSearchParams(await request.text());
  if (form.get('grant_type') !== 'client_credentials') return refuse('unsupported_grant_type');
  if (form.get('client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer') {
    return refuse('invalid_request');
  }
  if (form.get('client_id') !== account.clientId) return refuse('invalid_client');
  if (form.get('scope') !== account.scope) return refuse('invalid_scope');
  const parts = (form.get('client_assertion') ?? '').split('.');
  if (parts.length !== 3) return refuse('invalid_client');
  const [header, claims] = parts.slice(0, 2).map(decodePart);
  if (header?.get('alg') !== 'ES256' || header.get('kid') !== account.keyId) return refuse('invalid_client');
  const signed = verify(
    'sha256',
    Buffer.from(`${parts[0]}.${parts[1]}`),
    { key: account.publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(parts[2]!, 'base64url'),
  );
  if (!signed) return refuse('invalid_client');
  if (claims?.get('sub') !== account.clientId || claims.get('iss') !== account.clientId)
    return refuse('invalid_client');
  if (!String(claims.get('aud')).endsWith('/auth/oauth2/v2/token')) return refuse('invalid_client');
  const [issued, expires, id] = [Number(claims.get('iat')), Number(claims.get('exp')), claims.get('jti')];
  const seconds = now / 1000;
  if (!(issued <= seconds + 60 && seconds < expires && expires - issued <= halfYear)) return refuse('invalid_grant');
  if (typeof id !== 'string' || used.has(id)) return refuse('invalid_client');
  used.add(id);
  return undefined;
}

function decodePart(part: string): ReadonlyMap<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : undefined;
  } catch {
    return undefined; // not a JWT: refused like any other bad assertion
  }
}
