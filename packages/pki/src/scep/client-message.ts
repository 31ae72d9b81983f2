// A client's pkiMessage and the reading of its reply: for a requester of its own, or for a registration authority.
import { randomBytes } from 'node:crypto';
import type { RandomSource } from '../clock.ts';
import type { ContentCipher } from '../cms/ciphers.ts';
import { decryptCms, encryptCms } from '../cms/enveloped.ts';
import { parseSignedData } from '../cms/signed-read.ts';
import { type Bytes, sequence } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import type { HashName } from '../keys/algorithms.ts';
import { importPrivateKey, type PrivateKeyInput } from '../keys/keys.ts';
import { localSigner } from '../keys/signer.ts';
import { parseCertificate } from '../x509/certificate.ts';
import type { ScepServerInfo } from './client-server-info.ts';
import {
  encodeScepMessage,
  failInfos,
  messageTypes,
  parseScepMessage,
  pkiStatuses,
  type ScepFailInfo,
} from './message.ts';

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

/** What a message is made of. */
export interface ScepMessageInput {
  readonly server: ScepServerInfo;
  readonly messageType: number;
  /** The request itself, PKCS#10. */
  readonly csr: Uint8Array;
  readonly subjectDer: Uint8Array;
  /** The key that the certificate must be for, SubjectPublicKeyInfo DER. */
  readonly publicKey: Uint8Array;
  readonly transactionId: string;
  /** Who signs the message and reads the reply (RSA). */
  readonly certificate: Uint8Array;
  readonly privateKey: PrivateKeyInput;
  readonly random?: RandomSource;
  readonly cipher?: ContentCipher;
  readonly hash?: Exclude<HashName, 'sha1'>;
  readonly allowSha1?: boolean;
}

const replyError = (message: string): PkiError =>
  new PkiError('pki.scep.bad_reply', message, { kind: 'unauthenticated' });

/** Prepares a message around a request. */
export async function prepareScepMessage(input: ScepMessageInput): Promise<PreparedScepRequest> {
  const { server, transactionId, certificate, random = randomBytes, hash = 'sha256' } = input;
  const key = importPrivateKey(input.privateKey);
  const modern = server.capabilities.has('AES') || server.capabilities.has('SCEPSTANDARD');
  const cipher = input.cipher ?? (modern ? 'aes-128-cbc' : '3des');
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
      signer: localSigner(key),
    });
    return {
      transactionId,
      message,
      open: (reply) => openReply(reply, senderNonce),
      poll: () => build(messageTypes.certPoll, sequence(ca.subjectDer, input.subjectDer)),
    };
  }

  function openReply(reply: Uint8Array, senderNonce: Uint8Array): ScepResult {
    const parsed = parseScepMessage(reply, 1024 * 1024, server.certificates);
    const trusted = server.certificates.some((der) => Buffer.compare(Buffer.from(der), parsed.signer.der) === 0);
    if (!trusted) throw replyError('the reply is not signed by the SCEP server');
    parsed.verify({ allowSha1: input.allowSha1 ?? false });
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
    const content = decryptCms(parsed.envelope, { certificate, privateKey: key, allowDes: true });
    const { certificates } = parseSignedData(content);
    const own = certificates.find(
      (der) => Buffer.compare(parseCertificate(der).spki, Buffer.from(input.publicKey)) === 0,
    );
    if (!own) throw replyError('the reply holds no certificate for the key');
    const copies = certificates.map((der) => Uint8Array.from(der));
    return { status: 'issued', certificate: Uint8Array.from(own), certificates: copies };
  }

  return build(input.messageType, input.csr);
}
