// Decrypting a SCEP request.
import type { RandomSource } from '../clock.ts';
import { findRecipient, openEnvelope, parseEnvelope } from '../cms/enveloped.ts';
import type { Signer } from '../keys/signer.ts';
import type { ParsedCertificate } from '../x509/certificate.ts';
import type { ScepMessage } from './message.ts';
import { Refusal, refusing } from './refusal.ts';

/** What opening a request takes. */
interface OpeningContext {
  readonly identity: { readonly signer: Signer };
  readonly random: RandomSource;
  readonly maxBytes: number;
  readonly allowDes?: boolean;
}

/**
 * Decrypts the request. An attacker may wrap a captured envelope, changed at will, into a message of their own: so a
 * failed decryption and a content that is no request must look alike (see `readRequest`).
 */
export async function openRequest(message: ScepMessage, context: OpeningContext, recipient: ParsedCertificate) {
  const { identity, random } = context;
  if (!message.envelope) throw new Refusal('badRequest', 'pki.scep.no_content', 'the request has no content');
  const envelope = refusing('badMessageCheck', () =>
    parseEnvelope(message.envelope!, { maxBytes: context.maxBytes, maxParties: 4 }),
  );
  if (envelope.choice.cipher === 'des' && context.allowDes === false) {
    throw new Refusal('badAlg', 'pki.algorithm.weak', 'requests encrypted with single DES are refused');
  }
  const info = refusing('badMessageCheck', () => findRecipient(envelope, recipient));
  if (info.transport !== 'rsa-pkcs1') {
    throw new Refusal('badAlg', 'pki.algorithm.unsupported', 'only RSA PKCS#1 v1.5 key transport is possible');
  }
  let key: Uint8Array | null = null;
  try {
    key = await identity.signer.decrypt!(info.encryptedKey);
  } catch {
    // A signer that tells bad padding by an error: the random key takes over, and all failures end alike.
  }
  const content = refusing('badMessageCheck', () => openEnvelope(envelope, key, random));
  return { content, cipher: envelope.choice.cipher, keyTransport: info.transport };
}
