// The pkiMessage of SCEP (RFC 8894, 3): signed attributes around an envelope.

import { attributeOf, checkSignature, findSigner, parseSignedData, type SignerInfo } from '../cms/signed-read.ts';
import { attribute, signCmsWith } from '../cms/signed-write.ts';
import { contentOf, type DerNode, DerReader } from '../der/reader.ts';
import { isStringTag, stringOf } from '../der/strings.ts';
import { OCTET_STRING } from '../der/tags.ts';
import { type Bytes, octets, printable, utf8 } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import type { HashName, VerifyPolicy } from '../keys/algorithms.ts';
import type { Signer } from '../keys/signer.ts';
import { oids } from '../oids.ts';
import type { ParsedCertificate } from '../x509/certificate.ts';

/** messageType values. */
export const messageTypes = {
  certRep: 3,
  renewalReq: 17,
  pkcsReq: 19,
  certPoll: 20,
  getCert: 21,
  getCrl: 22,
} as const;

/** pkiStatus values. */
export const pkiStatuses = { success: 0, failure: 2, pending: 3 } as const;

/** Why a request failed, as failInfo tells it. */
export type ScepFailInfo = 'badAlg' | 'badMessageCheck' | 'badRequest' | 'badTime' | 'badCertId';
export const failInfos: readonly ScepFailInfo[] = ['badAlg', 'badMessageCheck', 'badRequest', 'badTime', 'badCertId'];

/** A parsed pkiMessage; call `verify` before believing any of it. */
export interface ScepMessage {
  readonly messageType: number;
  readonly transactionId: string;
  readonly senderNonce: Uint8Array | undefined;
  readonly recipientNonce: Uint8Array | undefined;
  readonly pkiStatus: number | undefined;
  readonly failInfo: number | undefined;
  readonly failInfoText: string | undefined;
  readonly signer: ParsedCertificate;
  readonly certificates: readonly Uint8Array[];
  readonly digest: HashName;
  /** The EnvelopedData; null for replies without content. */
  readonly envelope: Uint8Array | null;
  verify(policy: VerifyPolicy): void;
}

const invalid = (message: string): PkiError => new PkiError('pki.scep.malformed', message);

const textOf = (signer: SignerInfo, type: string): string | undefined => {
  const node = attributeOf(signer, type);
  if (!node) return undefined;
  if (!isStringTag(node.tag)) throw invalid(`the attribute ${type} is not a string`);
  return stringOf(node);
};

function numberOf(signer: SignerInfo, type: string): number | undefined {
  const text = textOf(signer, type);
  if (text === undefined) return undefined;
  if (!/^\d{1,3}$/.test(text)) throw invalid(`the attribute ${type} is not a number`);
  return Number(text);
}

function nonceOf(signer: SignerInfo, type: string): Uint8Array | undefined {
  const node: DerNode | undefined = attributeOf(signer, type);
  if (!node) return undefined;
  const content = contentOf(new DerReader({ ...node, contentStart: node.start }).next(OCTET_STRING));
  if (content.length < 1 || content.length > 64) throw invalid('a nonce of unreasonable length');
  return content;
}

/** Parses a pkiMessage. Throws `pki.scep.malformed`, `pki.cms.*` or `pki.der.*`. */
export function parseScepMessage(bytes: Uint8Array, maxBytes: number, known: readonly Uint8Array[] = []): ScepMessage {
  const data = parseSignedData(bytes, { maxBytes, maxCertificates: 16, maxParties: 1 });
  const info = data.signers[0];
  if (!info) throw invalid('the message is not signed');
  if (!info.signedAttributes) throw invalid('the message has no signed attributes');
  const messageType = numberOf(info, oids.scepMessageType);
  const transactionId = textOf(info, oids.scepTransactionId);
  if (messageType === undefined) throw invalid('the message has no messageType');
  if (transactionId === undefined || transactionId.length < 1 || transactionId.length > 255) {
    throw invalid('the message has no transactionID of 1 to 255 characters');
  }
  const signer = findSigner(info, [...data.certificates, ...known]);
  return {
    messageType,
    transactionId,
    senderNonce: nonceOf(info, oids.scepSenderNonce),
    recipientNonce: nonceOf(info, oids.scepRecipientNonce),
    pkiStatus: numberOf(info, oids.scepPkiStatus),
    failInfo: numberOf(info, oids.scepFailInfo),
    failInfoText: textOf(info, oids.scepFailInfoText),
    signer,
    certificates: data.certificates,
    digest: info.digest,
    envelope: data.content,
    verify(policy) {
      checkSignature(data, info, signer, data.content ?? new Uint8Array(), policy);
    },
  };
}

/** What goes into a pkiMessage. */
export interface ScepMessageContent {
  readonly messageType: number;
  readonly transactionId: string;
  readonly senderNonce: Uint8Array;
  readonly recipientNonce?: Uint8Array;
  readonly pkiStatus?: number;
  readonly failInfo?: ScepFailInfo;
  readonly failInfoText?: string;
  readonly envelope: Uint8Array | null;
  readonly hash: Exclude<HashName, 'sha1'>;
  readonly certificate: Uint8Array;
  readonly signer: Signer;
}

/** Signs a pkiMessage. */
export function encodeScepMessage(content: ScepMessageContent): Promise<Bytes> {
  const text = (value: string): Bytes => (/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value) ? printable(value) : utf8(value));
  const attributes = [
    attribute(oids.scepMessageType, printable(String(content.messageType))),
    attribute(oids.scepTransactionId, text(content.transactionId)),
    attribute(oids.scepSenderNonce, octets(content.senderNonce)),
  ];
  if (content.recipientNonce) attributes.push(attribute(oids.scepRecipientNonce, octets(content.recipientNonce)));
  if (content.pkiStatus !== undefined) {
    attributes.push(attribute(oids.scepPkiStatus, printable(String(content.pkiStatus))));
  }
  if (content.failInfo) {
    attributes.push(attribute(oids.scepFailInfo, printable(String(failInfos.indexOf(content.failInfo)))));
  }
  if (content.failInfoText) attributes.push(attribute(oids.scepFailInfoText, utf8(content.failInfoText)));
  const { certificate, signer, hash } = content;
  return signCmsWith(content.envelope, { certificate, signer, hash, attributes });
}
