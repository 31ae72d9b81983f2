// The SCEP client: one enrolment or renewal, repeatable byte for byte.
import { randomBytes } from 'node:crypto';
import { type Clock, DAY_MS, type RandomSource, timeOf } from '../clock.ts';
import type { ContentCipher } from '../cms/ciphers.ts';
import { decryptCms, encryptCms } from '../cms/enveloped.ts';
import { parseSignedData } from '../cms/signed-read.ts';
import { type Bytes, sequence } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import type { HashName } from '../keys/algorithms.ts';
import { exportPrivateKey, generateKeyPair, importPrivateKey, type PrivateKeyInput, spkiHash } from '../keys/keys.ts';
import { localSigner } from '../keys/signer.ts';
import { oids } from '../oids.ts';
import { signCertificate } from '../x509/build.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { createCsr } from '../x509/csr.ts';
import { extendedKeyUsage, keyUsage } from '../x509/extensions.ts';
import type { AlternativeName } from '../x509/general-name.ts';
import { encodeName, type NameInput } from '../x509/name.ts';
import {
  getScepServerInfo,
  type ScepEndpoint,
  type ScepServerInfo,
  type ScepServerInfoOptions,
  scepCall,
} from './client-server-info.ts';
import {
  encodeScepMessage,
  failInfos,
  messageTypes,
  parseScepMessage,
  pkiStatuses,
  type ScepFailInfo,
} from './message.ts';

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

/** What a server made of a request. */
export type ScepResult =
  | { readonly status: 'issued'; readonly certificate: Uint8Array; readonly certificates: readonly Uint8Array[] }
  | { readonly status: 'pending' }
  | { readonly status: 'failed'; readonly failInfo: ScepFailInfo; readonly text: string | undefined };

/** A request ready to be sent, as often as needed. */
export interface PreparedScepRequest {
  readonly transactionId: string;
  /** The pkiMessage. */
  readonly message: Bytes;
  /** Reads the server's reply to this very message. */
  open(reply: Uint8Array): ScepResult;
  /** A CertPoll for this transaction, after a pending answer. */
  poll(): Promise<PreparedScepRequest>;
}

const replyError = (message: string): PkiError =>
  new PkiError('pki.scep.bad_reply', message, { kind: 'unauthenticated' });

/**
 * Prepares a PKCSReq or RenewalReq. Send `message` again for as long as no answer arrives: a server keeps the
 * transaction and gives the same certificate.
 *
 * @throws PkiError `pki.scep.key` for a key that is not RSA, `pki.name.invalid`, `pki.san.invalid`.
 */
export async function prepareScepRequest(options: ScepRequestOptions): Promise<PreparedScepRequest> {
  const { server, clock, random = randomBytes, hash = 'sha256' } = options;
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
  const messageSigner = options.renew ? localSigner(messageKey) : signer;
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
  const modern = server.capabilities.has('AES') || server.capabilities.has('SCEPSTANDARD');
  const cipher = options.cipher ?? (modern ? 'aes-128-cbc' : '3des');
  const ca = parseCertificate(server.ca);

  async function build(messageType: number, content: Uint8Array): Promise<PreparedScepRequest> {
    const senderNonce = random(16);
    const message = await encodeScepMessage({
      messageType,
      transactionId,
      senderNonce,
      envelope: encryptCms(content, { recipients: [server.encryption], cipher, random }),
      hash,
      certificate,
      signer: messageSigner,
    });
    return {
      transactionId,
      message,
      open: (reply) => openReply(reply, senderNonce),
      poll: () => build(messageTypes.certPoll, sequence(ca.subjectDer, subjectDer)),
    };
  }

  function openReply(reply: Uint8Array, senderNonce: Uint8Array): ScepResult {
    const parsed = parseScepMessage(reply, 1024 * 1024, server.certificates);
    const trusted = server.certificates.some((der) => Buffer.compare(Buffer.from(der), parsed.signer.der) === 0);
    if (!trusted) throw replyError('the reply is not signed by the SCEP server');
    parsed.verify({ allowSha1: options.allowSha1 ?? false });
    if (parsed.messageType !== messageTypes.certRep) throw replyError('the reply is not a CertRep');
    if (parsed.transactionId !== transactionId) throw replyError('the reply is for another transaction');
    if (!parsed.recipientNonce || Buffer.compare(parsed.recipientNonce, Buffer.from(senderNonce)) !== 0) {
      throw replyError('the reply is not for this request');
    }
    if (parsed.pkiStatus === pkiStatuses.pending) return { status: 'pending' };
    if (parsed.pkiStatus === pkiStatuses.failure) {
      return { status: 'failed', failInfo: failInfos[parsed.failInfo ?? 2] ?? 'badRequest', text: parsed.failInfoText };
    }
    if (parsed.pkiStatus !== pkiStatuses.success || !parsed.envelope) throw replyError('the reply has no content');
    // Some servers reply in single DES whatever they were asked in; the content is a certificate, which is no secret.
    const content = decryptCms(parsed.envelope, { certificate, privateKey: messageKey, allowDes: true });
    const { certificates } = parseSignedData(content);
    const own = certificates.find(
      (der) => Buffer.compare(parseCertificate(der).spki, Buffer.from(signer.publicKey)) === 0,
    );
    if (!own) throw replyError('the reply holds no certificate for the key');
    const copies = certificates.map((der) => Uint8Array.from(der));
    return { status: 'issued', certificate: Uint8Array.from(own), certificates: copies };
  }

  return build(options.renew ? messageTypes.renewalReq : messageTypes.pkcsReq, csr);
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
