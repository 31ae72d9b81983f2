// An ACME client (RFC 8555) as a device has it: one order, device-attest-01, one certificate.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createCsr, fromPem, localSigner } from '@espalier/pki';
import { SimulatorError } from '../errors.ts';
import type { DeviceResponse } from '../net/transport.ts';
import type { AttestationService } from './attestation.ts';
import { attestationObject } from './attestation.ts';
import { type IdentityContext, subjectOf } from './identity.ts';
import type { AcmeSettings } from './state.ts';

/** What the device tells Apple of itself. */
export interface AttestedDevice {
  readonly serialNumber: string;
  readonly udid: string;
  readonly osVersion: string;
}

type Json = { readonly [key: string]: unknown };

const base64url = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url');
const refused = (message: string): SimulatorError => new SimulatorError('simulator.acme', message);

/** Makes the key that an ACME payload asks for: PKCS#8 DER. */
export function makeAcmeKey({ keyType, keySize }: AcmeSettings): Uint8Array {
  if (keyType === 'RSA') return pkcs8(generateKeyPairSync('rsa', { modulusLength: keySize }).privateKey);
  return pkcs8(generateKeyPairSync('ec', { namedCurve: `P-${keySize}` }).privateKey);
}

const pkcs8 = (key: KeyObject): Uint8Array => new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }));

/**
 * Gets a certificate for the key. A request whose answer was lost goes out again.
 *
 * @param privateKey PKCS#8 DER.
 * @returns the certificate, DER.
 * @throws SimulatorError `simulator.acme`, `simulator.unreachable`
 */
export async function requestAcmeIdentity(
  acme: AcmeSettings,
  privateKey: Uint8Array,
  device: AttestedDevice,
  attestation: AttestationService | undefined,
  context: IdentityContext,
): Promise<Uint8Array> {
  const { privateKey: accountKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' });
  let kid: string | null = null;

  const directory = json(await context.request({ method: 'GET', url: acme.directoryUrl, headers: {} }));
  const address = (name: string): string => text(directory, name);

  async function post(url: string, payload: Json | ''): Promise<DeviceResponse> {
    for (let attempt = 1; ; attempt++) {
      const head = await context.request({ method: 'HEAD', url: address('newNonce'), headers: {} });
      const nonce = head.headers['replay-nonce'];
      if (nonce === undefined) throw refused('the ACME server gives no nonce');
      const who = kid === null ? { jwk } : { kid };
      const header = base64url(JSON.stringify({ alg: 'ES256', nonce, url, ...who }));
      const content = payload === '' ? '' : base64url(JSON.stringify(payload));
      const input = Buffer.from(`${header}.${content}`);
      const signature = base64url(sign('sha256', input, { key: accountKey, dsaEncoding: 'ieee-p1363' }));
      const body = Buffer.from(JSON.stringify({ protected: header, payload: content, signature }));
      const answer = await context.request({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/jose+json' },
        body,
      });
      if (answer.status < 300) return answer;
      const problem = json(answer);
      // The nonce was used by a request whose answer was lost.
      if (String(problem['type']).endsWith(':badNonce') && attempt < 3) continue;
      throw refused(`the ACME server refused: ${String(problem['type'])} ${String(problem['detail'] ?? '')}`.trim());
    }
  }

  kid = location(await post(address('newAccount'), { termsOfServiceAgreed: true }));
  const identifiers = [{ type: 'permanent-identifier', value: acme.clientIdentifier }];
  const ordered = await post(address('newOrder'), { identifiers });
  const order = json(ordered);
  for (const url of list(order, 'authorizations')) {
    const challenges = json(await post(String(url), ''))['challenges'];
    const challenge = (Array.isArray(challenges) ? (challenges as Json[]) : []).find(
      (item) => item['type'] === 'device-attest-01',
    );
    if (challenge === undefined) throw refused('the ACME server offers no device-attest-01');
    const answer = await attest(acme, text(challenge, 'token'), privateKey, device, attestation, context.now());
    const outcome = json(await post(text(challenge, 'url'), answer));
    if (outcome['status'] !== 'valid') {
      throw refused(`the ACME server refused the attestation: ${JSON.stringify(outcome['error'] ?? {})}`);
    }
  }
  const csr = await createCsr({
    subject: subjectOf(acme.subject),
    sans: acme.dnsNames.map((value) => ({ type: 'dns', value })),
    signer: localSigner(privateKey),
  });
  const done = json(await post(text(order, 'finalize'), { csr: base64url(csr) }));
  if (done['status'] !== 'valid') throw refused(`the order is ${String(done['status'])}`);
  const chain = await post(text(done, 'certificate'), '');
  return fromPem(Buffer.from(chain.body).toString('utf8'), 'CERTIFICATE');
}

async function attest(
  acme: AcmeSettings,
  token: string,
  privateKey: Uint8Array,
  device: AttestedDevice,
  service: AttestationService | undefined,
  now: number,
): Promise<Json> {
  if (!acme.attest) return {};
  // A device that Apple does not attest: the request goes out without, and the server decides.
  if (service === undefined) return {};
  const key = createPublicKey(createPrivateKey({ key: Buffer.from(privateKey), type: 'pkcs8', format: 'der' }));
  const publicKey = new Uint8Array(key.export({ type: 'spki', format: 'der' }));
  const freshness = createHash('sha256').update(token).digest();
  return { attObj: base64url(attestationObject(await service.attest({ ...device, publicKey, freshness, now }))) };
}

function json(answer: DeviceResponse): Json {
  try {
    const value: unknown = JSON.parse(Buffer.from(answer.body).toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Json;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw refused(`the ACME server answered HTTP ${answer.status} without JSON`);
}

function text(object: Json, key: string): string {
  const value = object[key];
  if (typeof value !== 'string') throw refused(`the ACME server left out ${key}`);
  return value;
}

const list = (object: Json, key: string): readonly unknown[] => {
  const value = object[key];
  return Array.isArray(value) ? value : [];
};

function location({ headers }: DeviceResponse): string {
  const { location: url } = headers;
  if (url === undefined) throw refused('the ACME server names no account');
  return url;
}
