// An ACME client (RFC 8555) as a device has it: one order, device-attest-01, one certificate.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createCsr, fromPem, localSigner } from '@espalier/pki';
import { type AcmeSession, type Json, locationOf, openAcmeSession, refused, text } from './acme-session.ts';
import type { AttestationService } from './attestation.ts';
import { attestationObject } from './attestation.ts';
import { type IdentityContext, namesOf, subjectOf } from './identity.ts';
import type { AcmeSettings } from './state.ts';

/** What the device tells Apple of itself. */
export interface AttestedDevice {
  readonly serialNumber: string;
  readonly udid: string;
  readonly osVersion: string;
}

const base64url = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url');

/** Makes the key that an ACME payload asks for: PKCS#8 DER. */
export function makeAcmeKey({ keyType, keySize }: AcmeSettings): Uint8Array {
  if (keyType === 'RSA') return pkcs8(generateKeyPairSync('rsa', { modulusLength: keySize }).privateKey);
  return pkcs8(generateKeyPairSync('ec', { namedCurve: `P-${keySize}` }).privateKey);
}

const pkcs8 = (key: KeyObject): Uint8Array => new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }));

/**
 * Gets a certificate for the key. A request whose answer was lost goes out again; while the server has not decided, the
 * device asks again as often as the server says.
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
  const session = await openAcmeSession(acme.directoryUrl, context);
  const identifiers = [{ type: 'permanent-identifier', value: acme.clientIdentifier }];
  const ordered = await session.post(session.address('newOrder'), { identifiers });
  const orderUrl = locationOf(ordered, 'order');
  for (const url of list(ordered.value, 'authorizations').map(String)) {
    const authorization = await session.post(url, '');
    if (authorization.value['status'] === 'valid') continue;
    const challenges = list(authorization.value, 'challenges') as readonly Json[];
    const challenge = challenges.find((item) => item['type'] === 'device-attest-01');
    if (challenge === undefined) throw refused('the ACME server offers no device-attest-01');
    const answer = await attest(acme, text(challenge, 'token'), privateKey, device, attestation, context.now());
    const outcome = await session.post(text(challenge, 'url'), answer);
    await validated(session, url, outcome.value);
  }
  const ready = await session.settled(orderUrl, null, ['ready', 'valid', 'invalid']);
  if (ready.value['status'] === 'invalid') throw refused(`the order failed: ${problemOf(ready.value)}`);
  const csr = await createCsr({
    subject: subjectOf(acme.subject),
    sans: namesOf(acme),
    signer: localSigner(privateKey),
  });
  const finalized = await session.post(text(ready.value, 'finalize'), { csr: base64url(csr) });
  const done = await session.settled(orderUrl, finalized, ['valid', 'invalid']);
  if (done.value['status'] === 'invalid') throw refused(`the order failed: ${problemOf(done.value)}`);
  const chain = await session.download(text(done.value, 'certificate'));
  return fromPem(Buffer.from(chain).toString('utf8'), 'CERTIFICATE');
}

/** A challenge may be validated at once, or later: then the authorization tells (RFC 8555, 7.5.1). */
async function validated(session: AcmeSession, url: string, challenge: Json): Promise<void> {
  let failed = challenge['status'] === 'invalid' ? challenge : null;
  if (failed === null && challenge['status'] !== 'valid') {
    const { value } = await session.settled(url, null, ['valid', 'invalid', 'expired', 'revoked', 'deactivated']);
    const challenges = list(value, 'challenges') as readonly Json[];
    if (value['status'] !== 'valid') failed = challenges.find((item) => item['error'] !== undefined) ?? value;
  }
  if (failed !== null) throw refused(`the ACME server refused the attestation: ${problemOf(failed)}`);
}

const problemOf = (object: Json): string => JSON.stringify(object['error'] ?? {});

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

const list = (object: Json, key: string): readonly unknown[] => {
  const value = object[key];
  return Array.isArray(value) ? value : [];
};
