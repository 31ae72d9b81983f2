// The SCEP client: one enrolment or renewal, repeatable byte for byte.
import { randomBytes } from 'node:crypto';
import { type Clock, DAY_MS, type RandomSource, timeOf } from '../clock.ts';
import type { ContentCipher } from '../cms/ciphers.ts';
import { PkiError } from '../errors.ts';
import type { HashName } from '../keys/algorithms.ts';
import { exportPrivateKey, generateKeyPair, importPrivateKey, type PrivateKeyInput, spkiHash } from '../keys/keys.ts';
import { localSigner } from '../keys/signer.ts';
import { oids } from '../oids.ts';
import { signCertificate } from '../x509/build.ts';
import { createCsr } from '../x509/csr.ts';
import { extendedKeyUsage, keyUsage } from '../x509/extensions.ts';
import type { AlternativeName } from '../x509/general-name.ts';
import { encodeName, type NameInput } from '../x509/name.ts';
import { type PreparedScepRequest, prepareScepMessage, type ScepResult } from './client-message.ts';
import {
  getScepServerInfo,
  type ScepEndpoint,
  type ScepServerInfo,
  type ScepServerInfoOptions,
  scepCall,
} from './client-server-info.ts';
import { messageTypes } from './message.ts';

/** What the request asks for. */
export interface ScepRequestOptions {
  readonly server: ScepServerInfo;
  readonly subject: NameInput;
  readonly challenge?: string;
  readonly sans?: readonly AlternativeName[];
  /** The new key: RSA (replies are encrypted to it), PKCS#8 DER or KeyObject. */
  readonly privateKey: PrivateKeyInput;
  /** Makes it a RenewalReq, signed with the present identity. */
  readonly renew?: { readonly certificate: Uint8Array; readonly privateKey: PrivateKeyInput };
  /** Default: SHA-256 of the public key in hex, so that the same key means the same transaction. */
  readonly transactionId?: string;
  readonly clock: Clock;
  readonly random?: RandomSource;
  /** Default: AES-128 where the server can, else 3DES. */
  readonly cipher?: ContentCipher;
  /** Default `sha256`. */
  readonly hash?: Exclude<HashName, 'sha1'>;
  /** Believe replies signed with SHA-1, as some servers (micromdm's scepserver) still send them. Default false. */
  readonly allowSha1?: boolean;
}

/**
 * Prepares a PKCSReq or RenewalReq. Send `message` again for as long as no answer arrives: a server keeps the
 * transaction and gives the same certificate.
 *
 * @throws PkiError `pki.scep.key` for a key that is not RSA, `pki.name.invalid`, `pki.san.invalid`.
 */
export async function prepareScepRequest(options: ScepRequestOptions): Promise<PreparedScepRequest> {
  const { clock, random = randomBytes, hash = 'sha256' } = options;
  const key = importPrivateKey(options.privateKey);
  const signer = localSigner(key);
  const messageKey = options.renew ? importPrivateKey(options.renew.privateKey) : key;
  if (key.asymmetricKeyType !== 'rsa' || messageKey.asymmetricKeyType !== 'rsa') {
    throw new PkiError('pki.scep.key', 'SCEP needs an RSA key, since replies are encrypted to it');
  }
  const subjectDer = encodeName(options.subject);
  const csr = await createCsr({
    subject: subjectDer,
    signer,
    hash,
    ...(options.sans ? { sans: options.sans } : {}),
    ...(options.challenge === undefined || options.challenge === '' ? {} : { challengePassword: options.challenge }),
  });
  const transactionId = options.transactionId ?? spkiHash(signer.publicKey);
  const now = Math.floor(timeOf(clock) / 1000) * 1000;
  // A first request is signed with a throw-away certificate of the same key and subject (RFC 8894, 2.3).
  const certificate = options.renew
    ? options.renew.certificate
    : await signCertificate(
        {
          serial: nonZero(random(16)),
          issuerDer: subjectDer,
          subjectDer,
          publicKey: signer.publicKey,
          notBefore: now - DAY_MS,
          notAfter: now + 7 * DAY_MS,
          extensions: [keyUsage(['digitalSignature', 'keyEncipherment']), extendedKeyUsage([oids.clientAuth])],
        },
        signer,
        hash,
      );
  return prepareScepMessage({
    ...options,
    messageType: options.renew ? messageTypes.renewalReq : messageTypes.pkcsReq,
    csr,
    subjectDer,
    publicKey: signer.publicKey,
    transactionId,
    certificate,
    privateKey: messageKey,
  });
}

function nonZero(bytes: Uint8Array): Uint8Array {
  const serial = Uint8Array.from(bytes);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return serial;
}

/** Sends a prepared request and reads the answer. POST where the server can, else GET. */
export async function sendScepRequest(
  endpoint: ScepEndpoint,
  server: ScepServerInfo,
  request: PreparedScepRequest,
): Promise<ScepResult> {
  const post = server.capabilities.has('POSTPKIOPERATION') || server.capabilities.has('SCEPSTANDARD');
  const message = post ? { post: request.message } : { get: Buffer.from(request.message).toString('base64') };
  return request.open((await scepCall(endpoint, 'PKIOperation', message)).body);
}

/** What {@link scepEnrol} needs. */
export interface ScepEnrolOptions extends ScepServerInfoOptions, Omit<ScepRequestOptions, 'server' | 'privateKey'> {
  /** Known from an earlier `getScepServerInfo`; default: asked for. */
  readonly server?: ScepServerInfo;
  /** An RSA key, PKCS#8 DER or KeyObject; default: a new one. */
  readonly key?: PrivateKeyInput;
  /** Bits of a new key. Default 2048. */
  readonly keySize?: number;
  /** Waiting for approval: absent means a pending answer is an error. */
  readonly polling?: { readonly attempts: number; wait(attempt: number): Promise<void> };
}

/** A new identity. */
export interface ScepIdentity {
  readonly certificate: Uint8Array;
  /** PKCS#8 DER. */
  readonly privateKey: Uint8Array;
  /** The authority, DER. */
  readonly ca: Uint8Array;
  /** All certificates of the server (registration authority, authority, chain). */
  readonly chain: readonly Uint8Array[];
  readonly transactionId: string;
}

/**
 * Enrols (or renews) by SCEP: GetCACaps, GetCACert, PKCSReq, and CertPoll while pending.
 *
 * @throws PkiError `pki.scep.failed` with the failInfo in the message, `pki.scep.pending`, `pki.scep.bad_reply`,
 * `pki.scep.fingerprint`, `pki.scep.unreachable`, `pki.scep.http`.
 * @example
 * const { certificate, privateKey } = await scepEnrol({
 *   url: 'https://mdm.example/scep', fetch, subject: 'CN=device', challenge, clock: Date,
 * });
 */
export async function scepEnrol(options: ScepEnrolOptions): Promise<ScepIdentity> {
  const server = options.server ?? (await getScepServerInfo(options));
  const privateKey = options.key ?? (await generateKeyPair({ type: 'rsa', bits: options.keySize ?? 2048 })).privateKey;
  let request = await prepareScepRequest({ ...options, server, privateKey });
  let result = await sendScepRequest(options, server, request);
  for (let attempt = 1; result.status === 'pending' && attempt <= (options.polling?.attempts ?? 0); attempt++) {
    await options.polling!.wait(attempt);
    request = await request.poll();
    result = await sendScepRequest(options, server, request);
  }
  if (result.status === 'pending') {
    throw new PkiError('pki.scep.pending', 'the request waits for approval', { kind: 'unavailable' });
  }
  if (result.status === 'failed') {
    const text = result.text === undefined ? '' : ` (${result.text.slice(0, 200)})`;
    throw new PkiError('pki.scep.failed', `the SCEP server refused: ${result.failInfo}${text}`, { kind: 'forbidden' });
  }
  return {
    certificate: result.certificate,
    privateKey: exportPrivateKey(importPrivateKey(privateKey)),
    ca: server.ca,
    chain: server.certificates,
    transactionId: request.transactionId,
  };
}
