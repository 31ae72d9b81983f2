// Decrypting a SCEP request.
import type { RandomSource } from '../clock.ts';
import { openEnvelope, parseEnvelope, recipientOf } from '../cms/enveloped.ts';
import type { Signer } from '../keys/signer.ts';
import type { ParsedCertificate } from '../x509/certificate.ts';
import type { ScepMessage } from './message.ts';
import { Refusal, refusing } from './refusal.ts';

/** Whom requests are encrypted to, and who answers them. */
export interface Responder {
  readonly certificate: Uint8Array;
  readonly parsed: ParsedCertificate;
  readonly signer: Signer;
}

/** What opening a request takes. */
interface OpeningContext {
  readonly random: RandomSource;
  readonly maxBytes: number;
  readonly allowDes?: boolean;
}

/** Which of these a request is encrypted to: clients know the authority that they were told of last. */
export function addressee(message: ScepMessage, { maxBytes }: OpeningContext, responders: readonly Responder[]) {
  if (!message.envelope) throw new Refusal('badRequest', 'pki.scep.no_content', 'the request has no content');
  const envelope = refusing('badMessageCheck', () => parseEnvelope(message.envelope!, { maxBytes, maxParties: 4 }));
  for (const responder of responders) {
    const info = recipientOf(envelope, responder.parsed);
    if (info !== undefined) return { envelope, info, responder };
  }
  throw new Refusal('badMessageCheck', 'pki.cms.not_a_recipient', 'the message is not encrypted to this certificate');
}

/**
 * Decrypts the request. An attacker may wrap a captured envelope, changed at will, into a message of their own: so a
 * failed decryption and a content that is no request must look alike (see `readRequest`).
 */
export async function openRequest(
  { envelope, info, responder }: ReturnType<typeof addressee>,
  { allowDes, random }: OpeningContext,
) {
  if (envelope.choice.cipher === 'des' && allowDes === false) {
    throw new Refusal('badAlg', 'pki.algorithm.weak', 'requests encrypted with single DES are refused');
  }
  if (info.transport !== 'rsa-pkcs1') {
    throw new Refusal('badAlg', 'pki.algorithm.unsupported', 'only RSA PKCS#1 v1.5 key transport is possible');
  }
  let key: Uint8Array | null = null;
  try {
    key = await responder.signer.decrypt!(info.encryptedKey);
  } catch {
    // A signer that tells bad padding by an error: the random key takes over, and all failures end alike.
  }
  const content = refusing('badMessageCheck', () => openEnvelope(envelope, key, random));
  return { content, cipher: envelope.choice.cipher, keyTransport: info.transport };
}
